"use strict";
// `steps`: per step the box it is at, the boxes it goes to, and what is known of values after it.
const steps = JSON.parse(document.getElementById("steps").textContent);
const boxes = [...document.querySelectorAll(".tg-box")];
const sections = [...document.querySelectorAll("section")];
const slider = document.getElementById("slider");
const [back, ahead] = [document.getElementById("back"), document.getElementById("ahead")];
let at = 0;

function show(k) {
  at = Math.max(0, Math.min(steps.length - 1, k));
  const step = steps[at];
  const seen = new Set(), known = new Set();
  for (let i = 0; i <= at; i++) {
    steps[i].seen.forEach((b) => seen.add(b));
    steps[i].known.forEach((b) => known.add(b));
  }
  boxes.forEach((box, b) => {
    box.classList.toggle("now", b === step.box);
    box.classList.toggle("to", step.to.includes(b));
    box.classList.toggle("seen", seen.has(b));
    box.classList.toggle("known", known.has(b));
  });
  sections.forEach((section, i) => { section.hidden = i !== at; });
  slider.value = at;
  document.getElementById("where").textContent = `${at} / ${steps.length - 1}`;
  back.disabled = at === 0;
  ahead.disabled = at === steps.length - 1;
  if (step.box >= 0) boxes[step.box].scrollIntoView({ block: "nearest", inline: "nearest" });
}

back.onclick = () => show(at - 1);
ahead.onclick = () => show(at + 1);
document.getElementById("turn").onclick = () => show(steps.findIndex((s) => s.phase === "backward"));
slider.oninput = () => show(Number(slider.value));
boxes.forEach((box, b) => box.addEventListener("click", () => {
  const phase = steps[at].phase;
  const hit = steps.findIndex((s) => s.box === b && s.phase === phase);
  if (hit >= 0) show(hit);
}));
document.addEventListener("keydown", (event) => {
  const jump = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 }[event.key];
  if (jump !== undefined) { show(jump); event.preventDefault(); }
});
show(0);
