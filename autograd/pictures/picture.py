"""`draw`: the graph behind a tensor as one SVG that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograd.pictures import groups, svg, values
from autograd.pictures.fold import Box, boxes_of
from autograd.pictures.layout import Layout, lay_out
from autograd.pictures.nodes import Graph, Names, collect, require_graph
from autograd.pictures.remember import Memory
from autograd.pictures.walk import walk
from autograd.tensor import Tensor

THEMES = ("auto", "light", "dark")


class Picture:
    """An SVG: shown by Jupyter, written by `save`, its text by `str`; `notes`: what it leaves out.

    `folded`: how many nodes stand in boxes that hold several.
    """

    def __init__(self, text: str, graph: Graph, layout: Layout):
        self.text = text
        self.notes = list(graph.notes)
        self.nodes = len(graph.items)
        self.boxes = len(layout.boxes)
        self.folded = sum(len(box.items) for box in layout.boxes if box.folded)
        self.layout = layout

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        size = f"{self.nodes} nodes in {self.boxes} boxes"
        return f"<picture of {size}; save('graph.svg') writes it, Jupyter shows it>"

    def _repr_svg_(self) -> str:
        return self.text

    def save(self, path: str | Path) -> Path:
        """Write the SVG to a file; returns its path."""
        file = Path(path)
        if file.suffix.lower() != ".svg":
            raise ValueError(f"draw: a picture is saved as .svg, not {file.name!r}")
        file.write_text(self.text, encoding="utf-8")
        return file


def draw(
    tensor: Tensor,
    *,
    model: Any = None,
    names: Names = None,
    seen: Memory | None = None,
    limit: int = 40,
    grads: str = "stored",
    theme: str = "auto",
) -> Picture:
    """Draw the graph behind `tensor`: ops, values, gradients, and on hover the formulas.

    `model`: names parameters and frames the modules.  `names`: a dict of tensors, such as
    `locals()`; what else is in it is passed over.  `seen`: an `autograd.remember()` that was
    around the forward; it knows what a graph does not keep.  `limit`: boxes above which modules,
    then stretches of ops, are folded into one.  `grads`: "stored" shows what is in `.grad`; "all"
    works out the gradient of `tensor` for every node, before backward() has freed the graph.
    `theme`: "light", "dark", or "auto", by what the viewer prefers.

    >>> import autograd
    >>> a = autograd.scalar(2.0, requires_grad=True)
    >>> autograd.draw(a * a)
    <picture of 2 nodes in 2 boxes; save('graph.svg') writes it, Jupyter shows it>
    """
    require_graph("draw", tensor)
    for name, value, allowed in (("grads", grads, ("stored", "all")), ("theme", theme, THEMES)):
        if value not in allowed:
            raise ValueError(f"draw: {name}={value!r}; expected one of {', '.join(allowed)}")
    if limit < 1:
        raise ValueError(f"draw: limit={limit}; expected at least 1")
    graph = collect(tensor, model, names, seen)
    values.fill(graph, seen)
    if grads == "all":
        for item, g in walk(graph, "draw(grads='all')")[1].items():
            item.grad = g
    return picture_of(graph, model, limit, theme)


def picture_of(graph: Graph, model: Any, limit: int, theme: str) -> Picture:
    """Group, fold, place and write a graph whose values are known."""
    groups.assign(graph, model)
    boxes: list[Box] = boxes_of(graph, limit)
    for box in boxes:
        svg.measure(box, graph.root)
    layout = lay_out(boxes)
    text = svg.render(layout, graph.root, groups.titles(model), graph.notes, theme)
    return Picture(text, graph, layout)
