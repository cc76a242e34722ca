"""Recording: an observer of the choke point that collects a Trace while a step runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.compiled.errors import RecordError, user_line
from autograd.compiled.scalar_tape import ScalarTape
from autograd.compiled.trace import (
    ENTRY,
    INPUT,
    MADE,
    OUTSIDE,
    VIEW,
    Instruction,
    Slot,
    Trace,
    mapped,
)
from autograd.op import Op
from autograd.tensor import Tensor


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
        self.went_back = False
        """True when a backward pass has left a gradient."""
        self.states: dict[int, dict[str, Any]] = {}
        self.entry = {id(g.value): leaf for leaf, g in entry.items() if type(g.value) is not float}
        self.scalars = self.trace.scalars = ScalarTape(self)
        for t in (*given, *state):
            self._watch(t)
        for t in given:
            if type(t.value) is float:
                self.scalars.take(t)
            else:
                self._enter(INPUT, t.value)

    def _watch(self, t: Tensor) -> None:
        if type(t.value) is not float:
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
            return self.scalars.slot(x) if isinstance(x, Tensor) else value
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
            self.scalars.add(op, inputs, result)
            return
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
        met = {id(t.version) for t in written if id(t.version) in self.versions}
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
        for t in written:
            slot = self.by_array.get(id(t.value))
            if slot is not None and slot.root.kind == INPUT:
                raise RecordError(
                    f"{name} changes an argument of the step in place; a replay works on copies",
                    "clone() the argument first, or do not pass it: use it from outside",
                )
            if slot is None or slot.root.kind in (OUTSIDE, ENTRY):
                self.trace.written.append(t)
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
        """A backward pass set `leaf.grad`."""
        self.went_back = True
        if id(leaf) in self.given:
            raise RecordError(
                "backward() reaches an argument of the step, and a replay has no arguments to"
                " leave a gradient in",
                "use autograd.grad(), detach() the argument (make a scalar with"
                " requires_grad=False), or do not pass it: use it from outside",
            )
        if type(leaf.value) is float:
            self.scalars.gradient_read(leaf)
            self.scalars.gradient_set(leaf)
        else:
            self.trace.grads.setdefault(leaf, None)

    def assigned(self, leaf: Tensor) -> None:
        """`leaf.grad` was set or cleared by hand."""
        if type(leaf.value) is float or id(leaf) in self.given:
            self.scalars.gradient_set(leaf)
            return
        slot = self.by_array.get(id(leaf.value))
        if leaf.node is None and (slot is None or slot.root.kind != MADE):
            self.trace.grads.setdefault(leaf, None)

    def refuse(self, what: str, remedy: str) -> None:
        """RecordError for something that no recording can hold."""
        if threading.get_ident() == self.thread:
            raise RecordError(what, remedy)

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
        if type(t.value) is float:
            computed = self.scalars.reading(t)
        else:
            slot = self.by_array.get(id(t.value))
            computed = slot is not None and slot.root.kind != OUTSIDE
            if not computed:
                self.reads.append(t)
        if computed:
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
        told = {id(t.version) for t in self.trace.written}
        for t in self.reads:
            if id(t.version) in told:
                raise RecordError(
                    f"a value of a tensor of shape {t.shape} was read that the step changes",
                    "compute with the tensor itself, or read it outside",
                )
        self.trace.reads = [(t.version, t.version[0]) for t in self.reads if t.version is not None]
        self.trace.result = mapped(result, self._returned)
        changed = {self._slot(t).root for t in self.trace.written}
        for leaf, slot in self.trace.entries.items():
            if slot in changed:  # a replay changes a copy, and leaves that
                self.trace.grads.setdefault(leaf, None)
        for leaf in self.trace.grads:
            self.trace.grads[leaf] = None if leaf._grad is None else self._slot(leaf._grad)
        self.scalars.finish()
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
