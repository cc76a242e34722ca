r"""`explain`: the chain rule of every gradient, from the op table's formulas, in LaTeX and text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.op import Op
from autograd.pictures import values
from autograd.pictures.formula import letters, substitute, to_text
from autograd.pictures.nodes import Graph, Item, Names, collect, dmath_of, require_graph
from autograd.pictures.remember import Memory
from autograd.pictures.svg import shape_text
from autograd.pictures.walk import walk
from autograd.tensor import Tensor

_ALIASES = {"weight": ("W", "w"), "bias": ("b",), "target": ("t",), "log_p": ("x",)}
"""Letters under which the table's formulas know inputs with long names."""
_ROWS, _COLUMNS = 6, 6
"""Matrices up to this size are written out."""


@dataclass
class Equation:
    """One line: `left = right`, with the numbers put in (`filled`) and the result where asked for.

    `parts`: of a gradient, what each op that read the quantity contributes.
    """

    left: str
    right: str
    filled: str = ""
    value: Any = None
    item: Item | None = None
    parts: list[Any] = field(default_factory=list)
    digits: int = 4

    def sides(self, shown: str) -> list[str]:
        """Left and right side, the numbers, and the result `shown`, as far as there are any."""
        found = [self.left, self.right]
        if self.filled:
            found.append(self.filled)
        return found + ([shown] if self.value is not None else [])

    @property
    def latex(self) -> str:
        """The line in LaTeX, with `&` before the first equals sign."""
        left, *rest = self.sides(_latex_value(self.value, self.digits))
        return f"{left} &= " + " = ".join(rest)

    @property
    def text(self) -> str:
        """The line in plain text."""
        sides = self.sides("")
        words = [to_text(side) for side in (sides[:-1] if self.value is not None else sides)]
        if self.value is not None:
            words.append(_text_value(self.value, self.digits))
        return " = ".join(words)


class Explanation:
    """What `explain` gives: `forward` and `backward` equations; prints, and shows in Jupyter."""

    def __init__(self, forward: list[Equation], backward: list[Equation], notes: list[str]):
        self.forward, self.backward, self.notes = forward, backward, notes

    @property
    def latex(self) -> str:
        """Two aligned blocks between `$$`."""
        return "\n\n".join(_block(part) for part in (self.forward, self.backward) if part)

    def __str__(self) -> str:
        parts = ["Forward", *(f"  {e.text}" for e in self.forward)]
        parts += ["Backward", *(f"  {e.text}" for e in self.backward)]
        return "\n".join(parts + [f"Note: {note}" for note in self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_latex_(self) -> str:
        return self.latex

    def _repr_markdown_(self) -> str:
        parts = ["**Forward**", _block(self.forward), "**Backward**", _block(self.backward)]
        return "\n\n".join(parts + [f"*{note}*" for note in self.notes])


def _block(equations: list[Equation]) -> str:
    lines = " \\\\\n".join(e.latex for e in equations)
    return f"$$\n\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n$$" if equations else ""


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
        self.fused: set[str] = set()
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
        if "v" in letters(formula) and "v" not in reader.op.inputs:
            self.fused.add(reader.op.name)
        names = {"v": r"\delta", **self.names(reader), "g": self.partial(reader)}
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
        shown = {k: f"({_number(v, self.digits)})" for k, v in wanted.items()}
        return substitute(formula.split(" = ")[-1], shown)

    def of(self, item: Item) -> str:
        """The symbol of an item, or its number."""
        if item.kind == "number":
            return _number(item.value, self.digits)
        return self.symbols[item]

    def notes(self) -> list[str]:
        """What the formulas leave open."""
        found = list(self.graph.notes)
        if self.fused:
            ops = ", ".join(sorted(self.fused))
            found.append(f"δ is the gradient before the activation in {ops}")
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


def _number(x: Any, digits: int) -> str:
    text = f"{float(x):.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if e:
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    return {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{NaN}"}.get(text, text)


def _latex_value(value: Any, digits: int) -> str:
    if value is None or np.ndim(value) == 0:
        return "" if value is None else _number(value, digits)
    array = np.asarray(value)
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    if array.ndim > 2 or rows.shape[0] > _ROWS or rows.shape[1] > _COLUMNS or not array.size:
        return rf"\text{{[{shape_text(array.shape)}, norm }}{_norm(array, digits)}\text{{]}}"
    lines = (" & ".join(_number(x, digits) for x in row) for row in rows)
    return rf"\begin{{pmatrix}} {_rows(lines)} \end{{pmatrix}}"


def _rows(lines: Any) -> str:
    return r" \\ ".join(lines)


def _norm(array: Any, digits: int) -> str:
    return _number(np.sqrt(np.square(array.astype(np.float64)).sum()), digits)


def _text_value(value: Any, digits: int) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return to_text(_number(value, digits))
    if array.size > _ROWS * _COLUMNS:
        return f"[{shape_text(array.shape)}, norm {to_text(_norm(array, digits))}]"

    def nested(part: Any) -> str:
        if np.ndim(part) == 0:
            return to_text(_number(part, digits))
        return f"[{', '.join(nested(p) for p in part)}]"

    return nested(array)
