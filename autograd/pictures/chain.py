r"""`explain`: the chain rule of every gradient, from the op table's formulas, in LaTeX and text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from autograd.op import Op
from autograd.pictures import values
from autograd.pictures.equations import Equation, Explanation, number
from autograd.pictures.formula import letters, substitute
from autograd.pictures.nodes import Graph, Item, Names, collect, dmath_of, require_graph
from autograd.pictures.remember import Memory
from autograd.pictures.walk import walk
from autograd.tensor import Tensor

_ALIASES = {"weight": ("W", "w"), "bias": ("b",), "target": ("t",), "log_p": ("x",)}
"""Letters under which the table's formulas know inputs with long names."""


def explain(
    loss: Tensor,
    numbers: bool = False,
    *,
    model: Any = None,
    names: Names = None,
    seen: Memory | None = None,
    digits: int = 4,
) -> Explanation:
    r"""The chain rule of every gradient of `loss`: every intermediate named, op by op.

    `numbers`: fill them in, which needs the graph as it was before backward() freed it.  `model`,
    `names`, `seen`: as for `draw`.  `digits`: significant digits of the numbers.

    >>> import autograd
    >>> a = autograd.scalar(2.0, requires_grad=True)
    >>> print(autograd.explain(a * a, numbers=True, names={"a": a}))
    Forward
      L = a · a = (2) · (2) = 4
    Backward
      ∂L/∂L = 1
      ∂L/∂a = ∂L/∂L a + ∂L/∂L a = (1) (2) + (1) (2) = 4
    """
    require_graph("explain", loss)
    graph = collect(loss, model, names, seen)
    steps: dict[Item, Any] = {}
    grads: dict[Item, Any] = {}
    if numbers:
        values.fill(graph, seen)
        found, grads = walk(graph, "explain(numbers=True)")
        steps = {step.item: step for step in found}
    writer = Writer(graph, steps, grads, digits)
    forward = [writer.forward(item) for item in graph.ops]
    backward = [writer.gradient(item) for item in writer.reached()]
    return Explanation(forward, backward, writer.notes())


class Writer:
    """Symbols of the items, and equations in them."""

    def __init__(self, graph: Graph, steps: Any, grads: Any, digits: int):
        self.graph, self.steps, self.grads, self.digits = graph, steps, grads, digits
        self.symbols: dict[Item, str] = {}
        for item in graph.leaves:
            self.symbols[item] = _symbol(item.name)
        for k, item in enumerate(graph.ops):
            self.symbols[item] = _symbol(item.name) if item.name else f"v_{{{k + 1}}}"
        if not graph.root.name:
            self.symbols[graph.root] = "L"
        self.top = self.symbols[graph.root]

    def reached(self) -> list[Item]:
        """Ops from the root down, then leaves."""
        leaves = [item for item in self.graph.leaves if item.kind == "leaf"]
        return [*reversed(self.graph.ops), *leaves] if self.graph.ops else leaves

    def partial(self, item: Item) -> str:
        """The derivative of the root by an item."""
        return rf"\frac{{\partial {self.top}}}{{\partial {self.symbols[item]}}}"

    def forward(self, item: Item) -> Equation:
        """`v = f(x, y)`."""
        left = self.symbols[item]
        if item.op is None:
            inputs = ", ".join(self.of(source) for source in item.inputs.values())
            return Equation(left, rf"\operatorname{{{item.title}}}({inputs})", item=item)
        right = substitute(item.op.math, self.names(item))
        value = item.value if self.steps else None
        filled = self.filled(item, item.op.math) if self.steps else ""
        return Equation(left, right, filled, value, item, digits=self.digits)

    def gradient(self, item: Item) -> Equation:
        """`dL/dv`: the sum of what the ops that read v contribute."""
        value = self.grads.get(item) if self.steps else None
        if item is self.graph.root:
            return Equation(self.partial(item), "1", item=item, digits=self.digits)
        terms, filled, parts = [], [], []
        for reader in dict.fromkeys(item.consumers):
            for slot, source in reader.inputs.items():
                if source is item:
                    terms.append(self.term(reader, slot))
                    filled.append(self.term_filled(reader, slot))
                    step = self.steps.get(reader)
                    parts.append(step.downstream.get(slot) if step else None)
        numbers = _joined(filled) if all(filled) and self.steps else ""
        left = self.partial(item)
        right = _joined(terms) or "0"
        return Equation(left, right, numbers, value, item, parts, self.digits)

    def term(self, reader: Item, slot: int) -> str:
        """What `reader` contributes to the gradient of its input."""
        if reader.op is None:
            return rf"\operatorname{{{reader.title}.backward}}({self.partial(reader)})"
        formula = dmath_of(reader.op, slot)
        if formula is None:
            return "0"
        names = {**self.names(reader), "g": self.partial(reader)}
        if reader.op.variadic:
            names.pop("x", None)
        text = re.sub(r"\\,(?=-?\d)", r" \\cdot ", substitute(formula, names))
        return rf"\textstyle\sum_{{\text{{broadcast}}}} {text}" if _spread(reader, slot) else text

    def term_filled(self, reader: Item, slot: int) -> str:
        """The same with the numbers, where all of them are numbers."""
        step = self.steps.get(reader)
        formula = dmath_of(reader.op, slot) if reader.op is not None else None
        if step is None or formula is None or np.ndim(step.upstream) or step.upstream is None:
            return ""
        return self.filled(reader, formula, step.upstream)

    def names(self, item: Item) -> dict[str, str]:
        """What the table's letters stand for at this node."""
        return {letter: self.of(source) for letter, source in _letters_of(item).items()}

    def filled(self, item: Item, formula: str, g: Any = None) -> str:
        """A formula with numbers in the place of its letters; "" where one is not a number."""
        known: dict[str, Any] = {} if g is None else {"g": g}
        known.update({letter: source.value for letter, source in _letters_of(item).items()})
        used = letters(formula)
        wanted = {letter: value for letter, value in known.items() if letter in used}
        if any(value is None or np.ndim(value) for value in wanted.values()):
            return ""
        if not wanted or item.op.variadic:
            return ""
        shown = {k: f"({number(v, self.digits)})" for k, v in wanted.items()}
        return substitute(formula.split(" = ")[-1], shown)

    def of(self, item: Item) -> str:
        """The symbol of an item, or its number."""
        if item.kind == "number":
            return number(item.value, self.digits)
        return self.symbols[item]

    def notes(self) -> list[str]:
        """What the formulas leave open."""
        found = list(self.graph.notes)
        if any(item.node.hooks for item in self.graph.ops):
            found.append("hooks that change gradients are not taken into account")
        return found


def _letters_of(item: Item) -> dict[str, Item]:
    """Letter of the table's formulas -> the item that it stands for."""
    op: Op = item.op
    used = letters(op.math).union(*(letters(d) for d in op.dmath if d))
    found: dict[str, Item] = {}
    if "y" not in op.inputs and "target" not in op.inputs:
        found["y"] = item
    found[r"\mathrm{out}"] = item
    if op.variadic:
        return {r"\mathrm{out}": item}
    for slot, source in item.inputs.items():
        name = op.inputs[slot]
        if len(name) == 1:
            found[name] = source
        for letter in _ALIASES.get(name, ()):
            if letter in used and letter not in op.inputs:
                found[letter] = source
                break
    return found


def _symbol(name: str) -> str:
    """A Python name as LaTeX: `w1` becomes `w_{1}`, `hidden.weight` upright text."""
    match = re.fullmatch(r"([a-zA-Z])_?(\d*)", name)
    if match:
        return match[1] + (f"_{{{match[2]}}}" if match[2] else "")
    match = re.fullmatch(r"leaf (\d+)", name)
    if match:
        return f"x_{{{match[1]}}}"
    return rf"\text{{{name.replace('_', chr(92) + '_')}}}"


def _joined(terms: list[str]) -> str:
    text = ""
    for term in terms:
        plus = "" if not text else " " if term.startswith("-") else " + "
        text += plus + term
    return text


def _spread(reader: Item, slot: int) -> bool:
    specs = reader.node.specs
    if specs is None or not reader.op.broadcasts:
        return False
    shapes = [shape for shape, _ in specs]
    return shapes[slot] != np.broadcast_shapes(*shapes)
