"""What a step did: the record of every op and effect that passed the choke point.

A `Slot` is a value of the step: an argument, something from outside (a parameter, a constant), the
result of an op, or a view of one of these.  An `Instruction` computes a slot from others, or is an
effect: it changes memory in place (an optimizer's update, running statistics, an assignment).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.op import Op
from autograd.tensor import Tensor

INPUT, OUTSIDE, MADE, VIEW, ENTRY = "input", "outside", "made", "view", "entry"
NUMBER = "number"
"""A scalar: one number among the values of scalar code."""


@dataclass(eq=False)
class Slot:
    """One value.  `array`: what it was while recording; of an outside one, what it is."""

    number: int
    kind: str
    array: np.ndarray
    base: Slot | None = None
    """Of a view: what it looks into."""

    @property
    def root(self) -> Slot:
        """The slot whose memory this is."""
        slot = self
        while slot.base is not None:
            slot = slot.base
        return slot

    def __str__(self) -> str:
        return f"{self.kind[0] if self.kind != MADE else 't'}{self.number}"


@dataclass(eq=False)
class Instruction:
    """`out = op(*inputs, **meta)`, or an effect of that name on `inputs`."""

    name: str
    inputs: tuple[Any, ...]
    """Slots, numbers, or None."""
    meta: dict[str, Any]
    out: Slot | None
    op: Op | None = None
    run: Callable[..., Any] | None = None
    """Of an effect: what it calls with the tuple of its inputs' arrays."""
    status: int | None = 0
    """What the kernel of an effect returns where all went well; None where it is no kernel."""
    where: str = ""
    """The user's line."""
    apart: bool = False
    """True where a pass made two of its inputs one, which eager has in two places."""

    @property
    def effect(self) -> bool:
        """True where it must run although nobody reads its result."""
        return self.op is None or "stream" in self.meta

    def slots(self) -> list[Slot]:
        """The inputs that are slots."""
        return [x for x in self.inputs if isinstance(x, Slot)]


@dataclass(eq=False)
class Trace:
    """A recorded step."""

    slots: list[Slot] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    result: Any = None
    """What the step returned, with slots for tensors."""
    grads: dict[Tensor, Slot | None] = field(default_factory=dict)
    """Leaves whose `.grad` the step set or cleared, and what it is in the end."""
    entries: dict[Tensor, Slot] = field(default_factory=dict)
    """Leaves whose `.grad` at the beginning was read."""
    owners: list[Tensor] = field(default_factory=list)
    """The tensors from outside."""
    before: list[Callable[[], Any]] = field(default_factory=list)
    """What Python does before each replay."""
    written: list[Tensor] = field(default_factory=list)
    """The tensors from outside that effects changed."""
    looked: list[Tensor] = field(default_factory=list)
    """Parameters of optimizers: whether they have a `.grad` is part of the program."""
    reads: list[tuple[list[int], int]] = field(default_factory=list)
    """Version counters of tensors from outside whose values were read, and where they stood."""
    drawn: int = 0
    """How often a random stream was asked for."""
    scalars: Any = None
    """What was done with scalars: a ScalarTape."""
    after: list[Callable[[], Any]] = field(default_factory=list)
    """What Python does after each replay."""

    @property
    def kept(self) -> set[Slot]:
        """What is there after the step, and the roots of that."""
        found = {slot for slot in leaves(self.result) if isinstance(slot, Slot)}
        found |= {slot for slot in self.grads.values() if slot is not None}
        return found | {slot.root for slot in found}


def leaves(tree: Any) -> list[Any]:
    """The leaves of nested tuples, lists and dicts, in order."""
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in leaves(part)]
    if isinstance(tree, dict):
        return [leaf for part in tree.values() for leaf in leaves(part)]
    return [tree]


def mapped(tree: Any, f: Callable[[Any], Any]) -> Any:
    """The same nesting with `f` of each leaf."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[mapped(part, f) for part in tree])
    if isinstance(tree, (tuple, list)):
        return type(tree)(mapped(part, f) for part in tree)
    if isinstance(tree, dict):
        return {key: mapped(part, f) for key, part in tree.items()}
    return f(tree)


def layout(array: np.ndarray) -> tuple[int, ...] | None:
    """The dimensions from the widest step in memory to the narrowest; None for C order.

    None, too, for memory with gaps, which products copy.  What BLAS is told depends on this, and
    so do the last bits of its results.
    """
    if array.flags.c_contiguous:
        return None
    order = tuple(sorted(range(array.ndim), key=lambda d: (-array.strides[d], d)))
    return order if array.transpose(order).flags.c_contiguous else None


def exact(x: Any) -> Any:
    """A number such that only the very same one is equal: not 1 and True, nor 0.0 and -0.0."""
    return (type(x), x.hex() if isinstance(x, float) else x)
