"""The instructions of scalar code: one number each for the ops that run on Python floats.

Each computes, to the last bit, what the op's `scalar` computes; `REFERENCE` is that function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from autograd.op import TABLE, Op

NAMES = (
    "add", "sub", "mul", "div", "neg", "copy", "relu", "relu_grad", "tanh", "tanh_grad", "sigmoid",
    "sigmoid_grad", "exp", "log", "sqrt", "reciprocal", "pow", "abs", "sign", "maximum", "minimum",
    "maximum_grad", "div_grad", "flat_grad", "sin", "cos", "addmul", "submul",
)  # fmt: skip
"""By opcode.  addmul(x, y, z) = z + x y and submul(x, y, z) = z - x y, each rounded twice."""
ADD, SUB, MUL, COPY, ADDMUL, SUBMUL = (
    NAMES.index(name) for name in ("add", "sub", "mul", "copy", "addmul", "submul")
)
ARITY = (2, 2, 2, 2, 1, 1, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 2, 1, 1, 2, 2, 3, 3, 1, 1, 1, 3, 3)
_SYNONYMS = {
    "positive": ("copy", (0,)),
    "clone": ("copy", (0,)),
    "copy_to": ("copy", (1,)),
    "square": ("mul", (0, 0)),
}
"""Ops that are another instruction, of which of their inputs."""


@functools.cache
def codes() -> dict[Op, tuple[int, tuple[int, ...]]]:
    """For each op on floats its opcode, and which of its inputs are the operands."""
    found = {}
    for op in TABLE.values():
        name, places = _SYNONYMS.get(op.name, (op.name, tuple(range(len(op.inputs)))))
        if op.pure and name in NAMES:
            found[op] = (NAMES.index(name), places)
    return found


@functools.cache
def references() -> tuple[Callable[..., Any], ...]:
    """By opcode: what eager computes, on Python floats."""
    own: dict[str, Callable[..., Any]] = {
        "copy": lambda x: x,
        "addmul": lambda x, y, z: z + x * y,
        "submul": lambda x, y, z: z - x * y,
    }
    return tuple([own.get(name) or TABLE[name].scalar for name in NAMES])
