"""What a step did: the record of every op and effect that passed the choke point.

A `Slot` is a value of the step: an argument, something from outside (a parameter, a constant), the
result of an op, or a view of one of these.  An `Instruction` computes a slot from others, or is an
effect: it changes memory in place (an optimizer's update, running statistics, an assignment).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.compiled.errors import RecordError, user_line
from autograd.modes import modes
from autograd.op import Op
from autograd.tensor import Tensor

INPUT, OUTSIDE, MADE, VIEW, ENTRY = "input", "outside", "made", "view", "entry"


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
    status: int = 0
    """What the kernel of an effect returns where all went well."""
    where: str = ""
    """The user's line."""

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
    written: list[list[int]] = field(default_factory=list)
    """The version counters of what effects changed outside."""

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


class Recorder:
    """Collects a Trace while a step runs: an observer of the choke point, and `modes.recorder`."""

    def __init__(self, given: list[Tensor], entry: dict[Tensor, Tensor], state: list[Tensor]):
        self.trace = Trace()
        self.thread = threading.get_ident()
        self.by_array: dict[int, Slot] = {}
        self.alive: list[Any] = []  # no id may be used again while it stands in `by_array`
        self.seen = [(t, t.version[0]) for t in state]
        """Tensors from outside and their versions when they were first met."""
        self.entry = {id(g.value): leaf for leaf, g in entry.items()}
        for t in given:
            self._enter(INPUT, t.value)

    def _enter(self, kind: str, array: np.ndarray, base: Slot | None = None) -> Slot:
        slot = Slot(len(self.trace.slots), kind, array, base)
        self.trace.slots.append(slot)
        self.by_array[id(array)] = slot
        self.alive.append(array)
        return slot

    def _slot(self, x: Any) -> Any:
        """The slot of a Tensor or an array; numbers and None are themselves."""
        value = x.value if isinstance(x, Tensor) else x
        if not isinstance(value, np.ndarray):
            if isinstance(x, Tensor):
                raise RecordError("a scalar (autograd.scalar) was used", "use autograd.tensor(...)")
            return value
        slot = self.by_array.get(id(value))
        if slot is None:
            leaf = self.entry.get(id(value))
            slot = self._enter(OUTSIDE if leaf is None else ENTRY, value)
            if leaf is not None:
                self.trace.entries[leaf] = slot
            elif isinstance(x, Tensor):
                self.trace.owners.append(x)
                self.seen.append((x, x.version[0]))
        return slot

    def observe(self, op: Op, inputs: Any, meta: dict[str, Any], result: Tensor) -> None:
        """An op passed the choke point."""
        if type(result.value) is float:
            raise RecordError("a scalar (autograd.scalar) was used", "use autograd.tensor(...)")
        if op.dynamic:
            raise RecordError(
                f"{op.name}: the shape of its result depends on the data",
                "use where() or a mask, which keep the shape",
            )
        slots = tuple([self._slot(x) for x in inputs])
        base = None
        if op.view and isinstance(slots[0], Slot) and _inside(result.value, slots[0].array):
            base = slots[0]
        out = self._enter(VIEW if base else MADE, result.value, base)
        self.alive.append(result)
        self.trace.instructions.append(
            Instruction(op.name, slots, dict(meta), out, op=op, where=user_line())
        )

    def effect(
        self,
        name: str,
        run: Callable[..., Any],
        inputs: Any,
        written: list[Tensor],
        before: Callable[[], Any] | None = None,
        made: Tensor | None = None,
        status: int = 0,
    ) -> None:
        """Memory was changed in place by `run(tuple of the inputs' arrays)`.

        `written`: the tensors that it changed.  `before`: what Python has to do before a replay.
        `made`: the one among the inputs that the effect itself makes.  `status`: what its kernel
        returns where all went well, if it returns anything.
        """
        if made is not None:
            self._enter(MADE, made.value)
        slots = tuple([self._slot(x) for x in inputs])
        self.alive.append(inputs)
        if before is not None:
            self.trace.before.append(before)
        for t in written:
            slot = self.by_array.get(id(t.value))
            if slot is None or slot.root.kind in (OUTSIDE, ENTRY):
                self.trace.written.append(t.version)
        self.trace.instructions.append(
            Instruction(name, slots, {}, None, run=run, status=status, where=user_line())
        )

    def accumulated(self, leaf: Tensor) -> None:
        """`leaf.grad` was set."""
        self.trace.grads.setdefault(leaf, None)

    def reading(self, t: Tensor, what: str) -> None:
        """RecordError where the value of something that the step computes leaves it."""
        if threading.get_ident() != self.thread:
            return
        slot = self.by_array.get(id(t.value))
        if slot is not None and slot.root.kind != OUTSIDE:
            raise RecordError(
                f"{what} reads a value while the step is recorded, so the replay would not see it"
                " change",
                "return the tensor and read it outside, or use where() instead of `if`",
            )

    def finish(self, result: Any) -> Trace:
        """The trace, with what the step returned."""
        told = {id(version) for version in self.trace.written}
        for t, version in self.seen:
            if t.version[0] != version and id(t.version) not in told:
                raise RecordError(
                    f"a tensor of shape {t.shape} was changed in a way that is not recorded",
                    "change it outside the compiled step",
                )
        self.trace.result = mapped(result, self._returned)
        for leaf in self.trace.grads:
            self.trace.grads[leaf] = None if leaf._grad is None else self._slot(leaf._grad)
        return self.trace

    def _returned(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self._slot(x)
        if isinstance(x, (type(None), bool, int, float, str)):
            return x
        raise RecordError(
            f"the step returned {type(x).__name__}",
            "return tensors, numbers, strings, None, or tuples, lists and dicts of them",
        )


def _inside(array: np.ndarray, base: np.ndarray) -> bool:
    return array is base or np.may_share_memory(array, base)


# Comparing


def difference(first: Trace, second: Trace) -> tuple[str, Instruction | None] | None:
    """How the second recording differs, and at which instruction; None if they are one step."""
    for a, b in zip(first.instructions, second.instructions):
        if a.name != b.name or a.op is not b.op:
            return f"the first time it ran {a.name}, the second time {b.name}", b
        if (a.out and a.out.number) != (b.out and b.out.number):
            return "its result is another one", b
        if (
            a.out
            and b.out
            and (a.out.array.shape, a.out.array.dtype)
            != (
                b.out.array.shape,
                b.out.array.dtype,
            )
        ):
            return f"its result was {a.out.array.shape}, then {b.out.array.shape}", b
        if len(a.inputs) != len(b.inputs):
            return "the number of its inputs changed", b
        for x, y in zip(a.inputs, b.inputs):
            what = _unlike(x, y)
            if what:
                return what, b
        what = _unlike_meta(a.meta, b.meta)
        if what:
            return what, b
    longer = max(first, second, key=lambda t: len(t.instructions)).instructions
    shared = min(len(first.instructions), len(second.instructions))
    if len(longer) > shared:
        when = "first" if longer is first.instructions else "second"
        return f"only the {when} time it ran {longer[shared].name}", longer[shared]
    if mapped(first.result, _shown) != mapped(second.result, _shown):
        return "it returned something else", None
    if {k: _shown(v) for k, v in first.grads.items()} != {
        k: _shown(v) for k, v in second.grads.items()
    }:
        return "it left other gradients", None
    return None


def _shown(x: Any) -> Any:
    return x.number if isinstance(x, Slot) else x


def _unlike(x: Any, y: Any) -> str | None:
    if isinstance(x, Slot) != isinstance(y, Slot):
        return "an input was a tensor one time and a number the other"
    if not isinstance(x, Slot):
        return None if x == y or x is y else f"the Python number {x} became {y}"
    if x.number != y.number or x.kind != y.kind:
        return "an input is another value"
    if x.kind != OUTSIDE or x.array is y.array:
        return None
    alike = x.array.shape == y.array.shape and x.array.dtype == y.array.dtype
    if alike and x.array.tobytes() == y.array.tobytes():
        return None
    return "a tensor from outside was replaced by another one"


def _unlike_meta(a: dict[str, Any], b: dict[str, Any]) -> str | None:
    for key in a:
        try:
            same = a[key] is b[key] or bool(a[key] == b[key])
        except (ValueError, KeyError):
            same = False
        if not same:
            return f"{key} was {a[key]!r}, then {b.get(key)!r}"
    return None


def recording() -> bool:
    """True while this thread records a step."""
    return modes.recorder is not None
