"""Equations as LaTeX and as text, with their numbers: what `explain` gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.pictures.formula import to_text
from autograd.pictures.nodes import Item
from autograd.pictures.svg import shape_text

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


def number(x: Any, digits: int) -> str:
    """A number in LaTeX, of so many significant digits."""
    text = f"{float(x):.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if e:
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    return {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{NaN}"}.get(text, text)


def _latex_value(value: Any, digits: int) -> str:
    if value is None or np.ndim(value) == 0:
        return "" if value is None else number(value, digits)
    array = np.asarray(value)
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    if array.ndim > 2 or rows.shape[0] > _ROWS or rows.shape[1] > _COLUMNS or not array.size:
        return rf"\text{{[{shape_text(array.shape)}, norm }}{_norm(array, digits)}\text{{]}}"
    lines = (" & ".join(number(x, digits) for x in row) for row in rows)
    return rf"\begin{{pmatrix}} {_rows(lines)} \end{{pmatrix}}"


def _rows(lines: Any) -> str:
    return r" \\ ".join(lines)


def _norm(array: Any, digits: int) -> str:
    return number(np.sqrt(np.square(array.astype(np.float64)).sum()), digits)


def _text_value(value: Any, digits: int) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return to_text(number(value, digits))
    if array.size > _ROWS * _COLUMNS:
        return f"[{shape_text(array.shape)}, norm {to_text(_norm(array, digits))}]"

    def nested(part: Any) -> str:
        if np.ndim(part) == 0:
            return to_text(number(part, digits))
        return f"[{', '.join(nested(p) for p in part)}]"

    return nested(array)
