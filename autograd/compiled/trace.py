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
    status: int | None = 0
    """What the kernel of an effect returns where all went well; None where it is no kernel."""
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
    looked: list[Tensor] = field(default_factory=list)
    """Parameters of optimizers: whether they have a `.grad` is part of the program."""
    reads: list[tuple[list[int], int]] = field(default_factory=list)
    """Version counters of tensors from outside whose values were read, and where they stood."""
    drawn: int = 0
    """How often a random stream was asked for."""

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
        self.given = {id(t) for t in given}
        self.versions: dict[int, tuple[Tensor, int]] = {}
        """By the id of a version counter: a tensor that has it, and where it has to stand."""
        self.reads: list[Tensor] = []
        self.states: dict[int, dict[str, Any]] = {}
        self.entry = {id(g.value): leaf for leaf, g in entry.items()}
        for t in (*given, *state):
            self._watch(t)
        for t in given:
            self._enter(INPUT, t.value)

    def _watch(self, t: Tensor) -> None:
        if t.version is not None:
            self.versions.setdefault(id(t.version), (t, t.version[0]))

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
                self._watch(x)
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
        self._watch(result)
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
        status: int | None = 0,
    ) -> None:
        """Memory was changed in place by `run(tuple of the inputs' arrays)`.

        `written`: the tensors that it changed.  `before`: what Python has to do before a replay.
        `made`: the one among the inputs that the effect itself makes.  `status`: what its kernel
        returns where all went well, if it returns anything; None where `run` is no kernel.
        """
        if made is not None:
            self._enter(MADE, made.value)
            self._watch(made)
        self._look(run, inputs)
        slots = tuple([self._slot(x) for x in inputs])
        self.alive.append(inputs)
        if before is not None:
            self.trace.before.append(before)
            reads, self.reads = self.reads, []
            before()  # what it reads is read anew at each replay
            for t in self.reads:
                reads.remove(t)
                self._watch(t)
            self.reads = reads
        met = {id(t.version) for t in written if id(t.version) in self.versions}
        for t in written:
            slot = self.by_array.get(id(t.value))
            if slot is not None and slot.root.kind == INPUT:
                raise RecordError(
                    f"{name} changes an argument of the step in place; a replay works on copies",
                    "clone() the argument first, or do not pass it: use it from outside",
                )
            if slot is None or slot.root.kind in (OUTSIDE, ENTRY):
                self.trace.written.append(t.version)
            self._watch(t)
            if id(t.version) in met:
                known, version = self.versions[id(t.version)]
                self.versions[id(t.version)] = known, version + 1
        self.trace.instructions.append(
            Instruction(name, slots, {}, None, run=run, status=status, where=user_line())
        )

    def _look(self, run: Any, inputs: Any) -> None:
        """Note the parameters of an optimizer's update: their gradients are the inputs."""
        params = getattr(getattr(run, "__self__", None), "params", None)
        if params is None or len(params) != len(inputs):
            return
        for p, g in zip(params, inputs):
            self.trace.looked.append(p)
            if isinstance(g, Tensor) and id(g.value) not in self.by_array:
                self.entry.setdefault(id(g.value), p)

    def accumulated(self, leaf: Tensor) -> None:
        """`leaf.grad` was set."""
        if id(leaf) in self.given:
            raise RecordError(
                "backward() reaches an argument of the step, and a replay has no arguments to"
                " leave a gradient in",
                "use autograd.grad(), detach() the argument, or do not pass it: use it from"
                " outside",
            )
        self.trace.grads.setdefault(leaf, None)

    def changed(self, what: str, remedy: str) -> None:
        """Something was changed that no replay would change."""
        if threading.get_ident() == self.thread:
            raise RecordError(f"{what} was changed inside the step, and would not be later", remedy)

    def state_kept(self, generator: Any, state: dict[str, Any]) -> None:
        """The position of a random stream was asked for."""
        kept: dict[str, Any] = {}
        self.states[id(state)] = kept
        self.alive.append(state)

        def keep(_: Any) -> None:
            kept.update(generator.get_state())

        self.effect("get_rng_state", keep, (), [], status=None)

    def state_set(self, generator: Any, state: dict[str, Any]) -> None:
        """A random stream went to a position; it has to be one that the step had asked for."""
        kept = self.states.get(id(state))
        if kept is None:
            self.changed("the state of a random stream", "seed outside of the compiled step")
            return
        self.effect("set_rng_state", lambda _: generator.set_state(kept), (), [], status=None)

    def reading(self, t: Tensor, what: str) -> None:
        """RecordError where the value of something that the step computes leaves it."""
        if threading.get_ident() != self.thread:
            return
        slot = self.by_array.get(id(t.value))
        if slot is None or slot.root.kind == OUTSIDE:
            self.reads.append(t)
        else:
            raise RecordError(
                f"{what} reads a value while the step is recorded, so the replay would not see it"
                " change",
                "return the tensor and read it outside, or use where() instead of `if`",
            )

    def finish(self, result: Any) -> Trace:
        """The trace, with what the step returned."""
        for t, version in self.versions.values():
            if t.version[0] != version:
                raise RecordError(
                    f"a tensor of shape {t.shape} was changed in a way that is not recorded",
                    "change it outside the compiled step",
                )
        told = {id(version) for version in self.trace.written}
        for t in self.reads:
            if id(t.version) in told:
                raise RecordError(
                    f"a value of a tensor of shape {t.shape} was read that the step changes",
                    "compute with the tensor itself, or read it outside",
                )
        self.trace.reads = [(t.version, t.version[0]) for t in self.reads if t.version is not None]
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
        if a.name == b.name and _constants(a.run) != _constants(b.run):
            return f"{a.name} had other options", b
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
    if first.before != second.before:
        return "the hyper-parameters of an optimizer became tensors, or numbers", None
    if _shape_of(first.result) != _shape_of(second.result):
        return "it returned something else", None
    for x, y in zip(leaves(first.result), leaves(second.result), strict=True):
        what = _unlike(x, y)
        if what:
            return f"it returned something else: {what}", None
    if first.grads.keys() != second.grads.keys():
        return "it left other gradients", None
    for leaf, x in first.grads.items():
        what = _unlike(x, second.grads[leaf])
        if what:
            return f"it left other gradients: {what}", None
    random = sum("stream" in i.meta for i in second.instructions)
    if second.drawn > random:
        return "random numbers were drawn into a tensor from outside", None
    return None


def _constants(run: Any) -> Any:
    """Whose method an effect is, or the numbers that it closes over."""
    owner = getattr(run, "__self__", None)
    if owner is not None:
        return id(owner)
    cells = [c.cell_contents for c in getattr(run, "__closure__", None) or ()]
    return [exact(x) for x in cells if isinstance(x, (type(None), bool, int, float, str))]


def _shape_of(tree: Any) -> Any:
    """The nesting of a tree, with its keys, but without its leaves."""
    if isinstance(tree, (tuple, list)):
        return (type(tree), tuple(_shape_of(part) for part in tree))
    if isinstance(tree, dict):
        return (dict, tuple((key, _shape_of(part)) for key, part in tree.items()))
    return None


def exact(x: Any) -> Any:
    """A number such that only the very same one is equal: not 1 and True, nor 0.0 and -0.0."""
    return (type(x), x.hex() if isinstance(x, float) else x)


def _unlike(x: Any, y: Any) -> str | None:
    if isinstance(x, Slot) != isinstance(y, Slot):
        return "an input was a tensor one time and a number the other"
    if not isinstance(x, Slot):
        same = x is y or exact(x) == exact(y)
        return None if same else f"the Python number {x} became {y}"
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
            same = a[key] is b[key] or bool(exact(a[key]) == exact(b[key]))
        except (ValueError, KeyError):
            same = False
        if not same:
            return f"{key} was {a[key]!r}, then {b.get(key)!r}"
    return None


def recording() -> bool:
    """True while this thread records a step."""
    return modes.recorder is not None
