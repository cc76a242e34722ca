"""`autograd.stepper`: the page by its text, and in a real browser where there is one."""

from __future__ import annotations

import html
import json
import re
import zlib
from pathlib import Path

import pytest

import autograd
import nn
from autograd.errors import GraphError
from tests.browser import CHROMIUM, Browser


def expression() -> tuple[autograd.Tensor, dict[str, autograd.Tensor]]:
    a = autograd.scalar(2.0, requires_grad=True)
    b = autograd.scalar(-3.0, requires_grad=True)
    return (a * b + a) * a, {"a": a, "b": b}  # a^2 b + a^2


def network() -> tuple[nn.Module, autograd.Tensor]:
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
    x = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = autograd.tensor([[0.0], [1], [1], [0]])
    return model, nn.BCELoss()(model(x), y)


def words(step: dict[str, object]) -> str:
    text = re.sub(r"</(p|h2|h3|figure|td|span)>", " ", str(step["text"]))
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def test_each_step_shows_upstream_local_and_downstream():
    loss, names = expression()
    steps = autograd.stepper(loss, names=names).steps
    assert [s["phase"] for s in steps] == ["start"] + ["forward"] * 3 + ["backward"] * 3
    last = words(steps[4])  # (ab + a) * a at a=2, b=-3: -4 * 2
    assert "Backward 1 of 3: mul" in last
    assert re.search("1 ?upstream ?× ?2 ?local derivative ?= ?2 ?downstream", last)
    assert "Added to what came before" in words(steps[5])
    # the gradient of a: 2ab + 2a = -8
    assert "−8" in words(steps[6])


def test_the_page_needs_nothing_from_outside(tmp_path: Path):
    model, loss = network()
    page = str(autograd.stepper(loss, model=model))
    assert "src=" not in page
    assert "href=" not in page
    assert "url(" not in page
    assert set(re.findall(r"https?://[^\"' <]*", page)) == {"http://www.w3.org/2000/svg"}
    data = json.loads(re.search(r'application/json">(.*?)</script>', page, re.S)[1])
    assert len(data) == page.count("<section") == 7
    boxes = page.count('data-box="')
    assert all(b < boxes for step in data for b in (step["box"], *step["to"], *step["known"]))
    file = autograd.stepper(loss, model=model).save(tmp_path / "steps.html")
    assert file.read_text(encoding="utf-8") == page


def test_every_gradient_becomes_known_once():
    model, loss = network()
    steps = autograd.stepper(loss, model=model).steps
    known = [b for step in steps for b in step["known"]]
    assert len(known) == len(set(known)) == 7  # three ops and four parameters


def test_the_frame_carries_the_page_and_backward_still_works():
    model, loss = network()
    stepper = autograd.stepper(loss, model=model)
    frame = stepper._repr_html_()
    assert html.unescape(re.search(r'srcdoc="(.*?)" width', frame, re.S)[1]) == str(stepper)
    assert all(p.grad is None for p in model.parameters())
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert "7 steps" in repr(stepper)


def test_a_large_graph_is_folded_and_every_step_has_its_box():
    x = autograd.scalar(1.0, requires_grad=True)
    y = x
    for _ in range(150):
        y = y * 1.01 + x
    stepper = autograd.stepper(y, limit=20)
    assert len(stepper.steps) == 1 + 300 + 300
    assert str(stepper).count('data-box="') <= 20


def test_names_and_text_are_escaped():
    a = autograd.scalar(2.0, requires_grad=True)
    page = str(autograd.stepper(a * a, names={"</script><b>": a}))
    assert "<b>" not in page


def test_wrong_calls(tmp_path: Path):
    loss, _ = expression()
    with pytest.raises(ValueError, match=r"saved as \.html, not 'x\.svg'"):
        autograd.stepper(loss).save(tmp_path / "x.svg")
    with pytest.raises(ValueError, match="theme='blue'"):
        autograd.stepper(loss, theme="blue")
    with pytest.raises(TypeError, match="expected a Tensor, got float"):
        autograd.stepper(2.0)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="one number: reduce it"):
        autograd.stepper(autograd.ones(3, requires_grad=True) * 2)
    loss.backward()
    with pytest.raises(GraphError, match=r"stepper: backward\(\) has freed what this graph saved"):
        autograd.stepper(loss)


@pytest.fixture(params=["light", "dark"])
def browser(request, tmp_path: Path):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    browser = Browser(tmp_path / "profile", dark=request.param == "dark")
    yield browser
    browser.close()


def pixel(png: bytes) -> tuple[int, ...]:
    """The first pixel of a PNG: no filter changes that one."""
    at, data = 8, b""
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    return tuple(zlib.decompress(data)[1:4])


def test_in_a_browser(browser: Browser, tmp_path: Path, request):
    loss, names = expression()
    browser.open(autograd.stepper(loss, names=names).save(tmp_path / "steps.html"))
    title = "document.querySelector('section:not([hidden]) h2').textContent"
    now = "document.querySelector('.tg-box.now text')?.textContent"
    hidden = "getComputedStyle(document.querySelectorAll('.tg-grad')[0]).visibility"
    assert browser.run(title) == "3 ops forward, then back"
    assert browser.run("document.getElementById('back').disabled") is True
    assert browser.run(hidden) == "hidden"
    browser.click("#ahead")
    assert browser.run(title) == "Forward 1 of 3: mul"
    assert browser.run(now) == "mul"
    browser.click("#turn")
    assert browser.run(title) == "Backward 1 of 3: mul"
    browser.key("ArrowRight")
    assert browser.run(title) == "Backward 2 of 3: add"
    assert browser.run(now) == "add"
    browser.key("ArrowLeft")
    assert browser.run("document.getElementById('where').textContent") == "4 / 6"
    browser.key("End")
    assert browser.run("document.getElementById('ahead').disabled") is True
    assert browser.run(hidden) == "visible"
    products = (
        "[...document.querySelectorAll('section:not([hidden]) .product')].map(p => p.innerText)"
    )
    numbers = [re.findall(r"[−\d.]+", text) for text in browser.run(products)]
    assert numbers == [["2", "−3", "−6"], ["2", "2", "4"]]  # upstream x local = downstream
    browser.run("{const s = document.getElementById('slider'); s.value = 2; s.oninput()}")
    assert browser.run(title) == "Forward 2 of 3: add"
    browser.click(".tg-root")
    assert browser.run(title) == "Forward 3 of 3: mul"
    shot = browser.screenshot()
    dark = "dark" in request.node.name
    page = browser.run("getComputedStyle(document.body).backgroundColor")
    assert page == ("rgb(20, 24, 30)" if dark else "rgb(255, 255, 255)")
    assert shot.startswith(b"\x89PNG")
    assert pixel(shot) == ((20, 24, 30) if dark else (255, 255, 255))
    assert browser.problems() == []


def test_the_frame_in_a_browser(tmp_path: Path):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    model, loss = network()
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html>{autograd.stepper(loss, model=model)._repr_html_()}")
    browser = Browser(tmp_path / "profile")
    try:
        browser.open(page)
        inside = "document.querySelector('iframe').contentDocument"
        browser.run(f"{inside}.getElementById('turn').click()")
        heading = f"{inside}.querySelector('section:not([hidden]) h2').textContent"
        assert browser.run(heading) == "Backward 1 of 3: binary_cross_entropy"
        assert browser.problems() == []
    finally:
        browser.close()
