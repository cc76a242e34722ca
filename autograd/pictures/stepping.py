"""`stepper`: forward and back through the nodes in one HTML file, numbers and formulas at hand."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from autograd.pictures import svg, values
from autograd.pictures.chain import Writer
from autograd.pictures.formula import to_mathml
from autograd.pictures.nodes import Graph, Item, Names, collect, require_graph
from autograd.pictures.picture import Picture, picture_of
from autograd.pictures.remember import Memory
from autograd.pictures.walk import Step, walk
from autograd.tensor import Tensor

_HERE = Path(__file__).parent
_SIDE = 6
"""Rows and columns up to which an array is written as a table."""


class Stepper:
    """One HTML page without anything from outside: `save` writes it, Jupyter shows it in a frame.

    `steps`: one dict per step: its `phase`, the `box` it is at, and its `text` as HTML.
    """

    def __init__(self, page: str, steps: list[dict[str, Any]]):
        self.page, self.steps = page, steps

    def __str__(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return f"<stepper of {len(self.steps)} steps; save('steps.html') writes it>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.page)}" width="100%" height="640"'
            ' style="border:0" title="backward, step by step"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file; returns its path."""
        file = Path(path)
        if file.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"stepper: the page is saved as .html, not {file.name!r}")
        file.write_text(self.page, encoding="utf-8")
        return file


def stepper(
    loss: Tensor,
    *,
    model: Any = None,
    names: Names = None,
    seen: Memory | None = None,
    limit: int = 40,
    theme: str = "auto",
) -> Stepper:
    """The forward and the backward pass behind `loss`, one node at a time.

    Each step of backward shows the gradient that arrives, the local derivative and what goes on to
    each input, as formulas and numbers, and where in the graph that is.  Buttons, arrow keys, a
    slider, or a click on a node.  Call it before backward(), or with retain_graph=True.  `model`,
    `names`, `seen`, `limit`, `theme`: as for `draw`.
    """
    require_graph("stepper", loss)
    if theme not in ("auto", "light", "dark"):
        raise ValueError(f"stepper: theme={theme!r}; expected one of auto, light, dark")
    graph = collect(loss, model, names, seen)
    values.fill(graph, seen)
    walked, grads = walk(graph, "stepper")
    for item, g in grads.items():
        item.grad = g
    picture = picture_of(graph, model, limit, theme)
    writer = Writer(graph, {step.item: step for step in walked}, grads, 4)
    steps = _steps(graph, walked, picture, writer)
    return Stepper(_page(picture, steps, theme), steps)


def _steps(graph: Graph, walked: list[Step], picture: Picture, writer: Writer) -> list[Any]:
    place = {item: k for k, box in enumerate(picture.layout.boxes) for item in box.items}
    given = sorted({place[item] for item in graph.leaves if item in place} | set())
    steps: list[dict[str, Any]] = [
        _step("start", -1, _start(graph, writer), seen=[b for b in given if _is_leaf(picture, b)])
    ]
    for k, item in enumerate(graph.ops):
        title = f"Forward {k + 1} of {len(graph.ops)}: {item.title}"
        steps.append(_step("forward", place[item], _forward(item, title, writer), [place[item]]))
    waiting = _contributions(walked)
    so_far: dict[Item, Any] = {}
    for k, step in enumerate(walked):
        title = f"Backward {k + 1} of {len(walked)}: {step.item.title}"
        known = [place[step.item]] if step.item is graph.root else []
        to = []
        text = _backward(step, title, writer, so_far)
        for slot in step.downstream:
            source = step.item.inputs[slot]
            to.append(place[source])
            waiting[source] -= 1
            if not waiting[source]:
                known.append(place[source])
        steps.append(_step("backward", place[step.item], text, [], to, known))
    return steps


def _step(
    phase: str,
    box: int,
    text: str,
    seen: list[int],
    to: list[int] | None = None,
    known: list[int] | None = None,
) -> dict[str, Any]:
    return dict(phase=phase, box=box, text=text, seen=seen, to=to or [], known=known or [])


def _is_leaf(picture: Picture, box: int) -> bool:
    return not picture.layout.boxes[box].ops


def _contributions(walked: list[Step]) -> dict[Item, int]:
    count: dict[Item, int] = {}
    for step in walked:
        for slot in step.downstream:
            source = step.item.inputs[slot]
            count[source] = count.get(source, 0) + 1
    return count


# What stands in the panel


def _start(graph: Graph, writer: Writer) -> str:
    leaves = [item for item in graph.leaves if item.kind == "leaf"]
    rows = "".join(f"<p>{_math(writer.symbols[i])} {_numbers(i.value)}</p>" for i in leaves[:12])
    more = f"<p class='note'>and {len(leaves) - 12} more</p>" if len(leaves) > 12 else ""
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in graph.notes)
    return (
        f"<h2>{len(graph.ops)} ops forward, then back</h2><p>Forward computes a value at each"
        f" node. Backward starts with {_math(writer.partial(graph.root))} = 1 and multiplies, node"
        " by node, what arrives by the local derivative.</p>"
        f"<h3>The leaves</h3>{rows}{more}{notes}"
    )


def _forward(item: Item, title: str, writer: Writer) -> str:
    equation = writer.forward(item)
    text = f"<h2>{escape(title)}</h2><p>{_math(f'{equation.left} = {equation.right}')}</p>"
    if equation.filled:
        text += f"<p>{_math(f'{equation.left} = {equation.filled}')}</p>"
    text += f"<h3>Value</h3>{_numbers(item.value)}"
    return text + (f"<p class='note'>{escape(item.source)}</p>" if item.source else "")


def _backward(step: Step, title: str, writer: Writer, so_far: dict[Item, Any]) -> str:
    item = step.item
    equation = writer.forward(item)
    upstream = writer.partial(item)
    parts = [
        f"<h2>{escape(title)}</h2><p>{_math(f'{equation.left} = {equation.right}')}</p>",
        f"<h3>Upstream {_math(upstream)}</h3>{_numbers(step.upstream)}",
    ]
    for slot, down in step.downstream.items():
        source = item.inputs[slot]
        target = writer.partial(source)
        parts.append(f"<h3>To {_math(writer.symbols[source])}</h3>")
        parts.append(f"<p>{_math(writer.term(item, slot))}</p>")
        parts.append(_product(step, slot, down))
        before = so_far.get(source)
        so_far[source] = down if before is None else np.add(before, down)
        if before is not None:
            parts.append(
                f"<p>Added to what came before, {_math(target)} is now</p>"
                f"<div class='down'>{_numbers(so_far[source])}</div>"
            )
    if item.op is not None and item.op.kink:
        parts.append(f"<p class='note'>{escape(item.op.kink)}</p>")
    return "".join(parts)


def _product(step: Step, slot: int, down: Any) -> str:
    """`upstream x local derivative = downstream` where it is that, else before and after."""
    up, local = step.upstream, step.local.get(slot)
    figures = [_figure("upstream", up)]
    if local is not None and np.allclose(np.multiply(up, local), down, rtol=1e-3, equal_nan=True):
        figures += ['<span class="sign">×</span>', _figure("local derivative", local)]
        figures += ['<span class="sign">=</span>']
    else:
        figures += ['<span class="sign">→</span>']
    figures.append(_figure("downstream", down, "down"))
    return f'<div class="product">{"".join(figures)}</div>'


def _figure(caption: str, value: Any, kind: str = "") -> str:
    return f'<figure class="{kind}">{_numbers(value)}<figcaption>{caption}</figcaption></figure>'


def _math(latex: str) -> str:
    return to_mathml(latex)


def _numbers(value: Any) -> str:
    """A number, a small table, or the shape and the first values."""
    if value is None:
        return '<span class="numbers">not known</span>'
    array = np.asarray(value)
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    if array.ndim == 0:
        return f'<span class="numbers">{svg.number(array.item())}</span>'
    if array.ndim > 2 or max(rows.shape) > _SIDE or not array.size:
        return (
            f'<span class="numbers">{svg.shape_text(array.shape)}:'
            f" {svg.values_text(array, 60)}</span>"
        )
    cells = "".join(f"<tr>{''.join(f'<td>{svg.number(x)}</td>' for x in row)}</tr>" for row in rows)
    return f'<table class="numbers">{cells}</table>'


def _page(picture: Picture, steps: list[dict[str, Any]], theme: str) -> str:
    style = svg.colours(":root", theme) + (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    data = [{k: v for k, v in step.items() if k != "text"} for step in steps]
    sections = "\n".join(f"<section hidden>{step['text']}</section>" for step in steps)
    scheme = "light dark" if theme == "auto" else theme
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="{scheme}">
<title>Backward, step by step</title>
<style>{style}</style></head><body>
<nav><button id="back" aria-label="one step back">◀ back</button>
<button id="ahead" aria-label="one step on">next ▶</button>
<button id="turn" title="to the first step of backward">backward</button>
<input id="slider" type="range" min="0" max="{len(steps) - 1}" value="0" aria-label="step">
<span id="where"></span></nav>
<main><div id="graph">{picture}</div><div id="panel">{sections}</div></main>
<script id="steps" type="application/json">{json.dumps(data)}</script>
<script>{script}</script></body></html>
"""
