"""A plan: a trace after its passes, bound to memory, ready to be replayed and to be read."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from autograd.compiled import native
from autograd.compiled.bind import Binder, Program, Refused
from autograd.compiled.passes import PASSES, place
from autograd.compiled.trace import ENTRY, INPUT, MADE, OUTSIDE, Slot, Trace, leaves, mapped
from autograd.kernel import TUPLE_ITEMS
from autograd.tensor import Tensor


class Plan:
    """A recorded step that runs without Python between its ops.  `print(plan)` lists it."""

    def __init__(self, trace: Trace, passes: tuple[str, ...]):
        self.recorded = trace
        self.trace = trace
        for name, apply in PASSES.items():
            if name in passes:
                self.trace = apply(self.trace)
        self.reuse = "place" in passes
        self.lock = threading.RLock()
        self.inputs = [s for s in trace.slots if s.kind == INPUT]
        self.pure = not trace.grads and all(i.op is not None for i in self.trace.instructions)
        self.free: list[Program] = []
        self.first = self._bind()
        self.free.append(self.first)
        self.outside = [(t, t.value) for t in trace.owners]
        self.grads = [
            (leaf, None if slot is None else Tensor.wrap(self.first.arrays[slot]))
            for leaf, slot in self.trace.grads.items()
        ]
        self.entries = [(t, self.first.arrays[s]) for t, s in self.trace.entries.items()]
        result = self.trace.result
        self.single = result if isinstance(result, Slot) else None

    def _bind(self) -> Program:
        self.placement = place(self.trace, self.reuse)
        program = Binder(self.trace, self.placement).program()
        for slot in (*leaves(self.trace.result), *self.trace.grads.values()):
            if isinstance(slot, Slot) and slot.kind == OUTSIDE:
                program.arrays[slot] = slot.array
        return program

    def current(self) -> bool:
        """True while the tensors from outside still have the arrays that were bound."""
        for t, array in self.outside:  # noqa: SIM110 - half the time of all()
            if t.value is not array:
                return False
        return True

    def replay(self, given: tuple[np.ndarray, ...]) -> Any:
        """Run once.  Raises Refused, with nothing changed, where `given` is not like the recorded.

        A plan without effects may run in several threads at once, each in memory of its own; one
        with effects runs in one thread at a time.
        """
        if self.pure:
            try:
                program = self.free.pop()
            except IndexError:
                with self.lock:
                    program = self._bind()
            try:
                program.run(given)
                return self._result(program)
            finally:
                self.free.append(program)
        with self.lock:
            for prepare in self.trace.before:
                prepare()
            for leaf, room in self.entries:
                np.copyto(room, leaf._grad.value)  # type: ignore[union-attr]
            self.first.run(given)
            for version in self.trace.written:
                version[0] += 1
            for leaf, g in self.grads:
                leaf._grad = g
            return self._result(self.first)

    def replay_each(self, batches: list[tuple[np.ndarray, ...]]) -> Any:
        """Run once for each of `batches`, in one native call: the results of those that fitted.

        None where the plan is not one native call with one tensor as its result.
        """
        if not self.native or self.single is None or self.entries or self.trace.before:
            return None
        with self.lock:
            one = self.first.arrays[self.single]
            results = np.empty((len(batches), *one.shape), one.dtype)
            given = np.array([id(b) + TUPLE_ITEMS for b in batches], np.int64)
            done = native.replay_each.run(
                self.first.parts[0], given, native.address(one), one.nbytes, native.address(results)
            )
            for version in self.trace.written:
                version[0] += done
            if done:
                for leaf, g in self.grads:
                    leaf._grad = g
        return results[:done]

    def _result(self, program: Program) -> Any:
        if self.single is not None:
            return Tensor.wrap(program.arrays[self.single].copy())
        return mapped(
            self.trace.result,
            lambda x: Tensor.wrap(program.arrays[x].copy()) if isinstance(x, Slot) else x,
        )

    @property
    def native(self) -> bool:
        """True where the whole plan is one native call."""
        return all(isinstance(part, np.ndarray) for part in self.first.parts)

    def __str__(self) -> str:
        program, placement = self.first, self.placement
        bound = program.bound
        through = sum(b.python is not None for b in bound)
        lines = [
            f"{len(self.recorded.instructions)} recorded, {len(bound)} after passes,"
            f" {sum(len(b.rows) for b in bound) + len(self.inputs)} native instructions"
            f" in {len(program.parts)} calls, {through} through Python",
            f"memory: {placement.before:,} bytes without reuse, {placement.size:,} placed",
        ]
        lines += [f"{slot} = argument {k}: {_kind(slot)}" for k, slot in enumerate(self.inputs)]
        for b in bound:
            i = b.instruction
            arguments = ", ".join(_shown(x) for x in i.inputs)
            options = ", ".join(f"{k}={_short(v)}" for k, v in i.meta.items() if k != "stream")
            text = f"{i.name}({', '.join(filter(None, (arguments, options)))})"
            if i.out is not None:
                text = f"{i.out} = {text}: {_kind(i.out)}"
                if i.out.base is not None:
                    text += f" in {i.out.root}"
                elif i.out in placement.offsets:
                    text += f" at {placement.offsets[i.out]}"
            if b.python is not None:
                text += f"   [Python: {b.why}]" if b.why else "   [Python]"
            lines.append(f"{text}   # {i.where}" if i.where else text)
        for leaf, slot in self.trace.grads.items():
            lines.append(f"grad of {_kind_of(leaf)} = {slot}")
        lines.append(f"return {mapped(self.trace.result, str)}")
        return "\n".join(lines)

    __repr__ = __str__


def _kind(slot: Slot) -> str:
    return f"{slot.array.dtype.name}{list(slot.array.shape)}"


def _kind_of(t: Tensor) -> str:
    return f"{t.dtype.name}{list(t.shape)}"


def _shown(x: Any) -> str:
    if isinstance(x, Slot) and x.kind == OUTSIDE:
        return f"{x}:{_kind(x)}"
    return str(x)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 40 else text[:37] + "..."


__all__ = ["ENTRY", "MADE", "Plan", "Refused"]
