"""A plan: a trace after its passes, bound to memory, ready to be replayed and to be read."""

from __future__ import annotations

from operator import is_
from sys import getrefcount
from typing import Any

import numpy as np

from autograd.compiled import encode, native
from autograd.compiled.bind import Binder
from autograd.compiled.guards import layout_known
from autograd.compiled.passes import PASSES, place
from autograd.compiled.program import Program, Refused, stack_like
from autograd.compiled.results import tensor_layout
from autograd.compiled.scalar_kernels import move_numbers
from autograd.compiled.scalar_plan import lower
from autograd.compiled.scalar_stream import Block
from autograd.compiled.trace import INPUT, NUMBER, OUTSIDE, Slot, Trace, leaves, mapped
from autograd.compiled.turns import Turn
from autograd.tensor import Tensor


class Plan:
    """A recorded step that runs without Python between its ops.  `print(plan)` lists it."""

    def __init__(self, trace: Trace, passes: tuple[str, ...]):
        self.recorded = trace
        self.trace = trace
        for name, apply in PASSES.items():
            if name in passes:
                self.trace = apply(self.trace)
        self.trace = lower(self.trace, passes)
        self.reuse = "place" in passes
        self.lock = Turn()
        self.inputs = [s for s in trace.slots if s.kind == INPUT]
        self.pure = not trace.grads and all(i.op is not None for i in self.trace.instructions)
        self.pure = self.pure and not self.trace.before
        self.free: list[Program] = []
        self.first = self._bind()
        self.free.append(self.first)
        self.outside = [(t, t.value, t.tracked) for t in trace.owners]
        self.reads = trace.reads
        owners: list[Any] = [getattr(i.run, "__self__", None) for i in trace.instructions]
        self.buckets = [(b, list(b.group["params"])) for b in owners if hasattr(b, "groups")]
        self._lay_out()
        result = self.trace.result
        self.single = result if isinstance(result, Slot) else None

    def _lay_out(self) -> None:
        """Make the tensors that leaves get as `.grad`; they look into the program's memory."""
        arrays = self.first.arrays
        self.grads = [
            (leaf, None if slot is None else Tensor.wrap(arrays[slot]))
            for leaf, slot in self.trace.grads.items()
        ]
        self.entries = [(t, arrays[s]) for t, s in self.trace.entries.items()]
        held = [
            (leaf, g, g.value, g.value if g.value.base is None else g.value.base, 0, 0)
            for leaf, g in self.grads
            if g is not None
        ]
        counts = []
        for leaf, g, array, base, *_ in held:  # noqa: B007 - the variables of `_let_go`
            counts.append((getrefcount(array), getrefcount(base)))
        self.held = [(*row[:4], *count) for row, count in zip(held, counts)]

    def _let_go(self) -> None:
        """Leave what the user kept of the last gradients as it is: they are about to change.

        A tensor gets a copy as its value; where an array or a view was kept, the plan moves.
        """
        kept = moves = False
        for leaf, g, array, base, count, views in self.held:
            if getrefcount(base) > views or getrefcount(array) > count:
                moves = True
            elif getrefcount(g) > (5 if leaf._grad is g else 4):
                kept = True
        if not kept and not moves:
            return
        for leaf, g, array, *_ in self.held:
            if leaf._grad is g:
                leaf._grad = Tensor.wrap(array)  # `entries` may still read it
            if not moves and getrefcount(g) > 4:
                g.value = array.copy()
        if moves:
            self.first = self._bind()
        self._lay_out()

    def _bind(self) -> Program:
        self.placement = place(self.trace, self.reuse)
        program = Binder(self.trace, self.placement).program()
        for slot in (*leaves(self.trace.result), *self.trace.grads.values()):
            if isinstance(slot, Slot) and slot.kind in (OUTSIDE, NUMBER):
                program.arrays[slot] = slot.array
        return program

    def current(self) -> bool:
        """True while the tensors from outside have the arrays, and want gradients, as bound."""
        for t, array, tracked in self.outside:
            if t.value is not array or t.tracked is not tracked:
                return False
        for version, known in self.reads:
            if version[0] != known:
                return False
        if self.trace.scalars is not None and not self.trace.scalars.current():
            return False
        for bucket, held in self.buckets:
            groups, at = bucket.groups, bucket.place
            if at >= len(groups) or groups[at] is not bucket.group:
                return False
            params = bucket.group["params"]
            if len(params) != len(held) or not all(map(is_, params, held)):
                return False
        return True

    def replay(self, given: tuple[np.ndarray, ...]) -> Any:
        """Run once.  Raises Refused, with nothing changed, where `given` is not like the recorded.

        A plan without effects may run in several threads at once, each in memory of its own; one
        with effects runs in one thread at a time.
        """
        if self.pure:
            program = self.take()
            try:
                program.run(given)
                return self.result(program)
            finally:
                self.free.append(program)
        with self.lock:
            for prepare in self.trace.before:
                prepare()
            self._let_go()
            for leaf, room in self.entries:
                np.copyto(room, leaf._grad.value)  # type: ignore[union-attr]
            try:
                self.first.run(given)
            except Refused:
                raise
            except BaseException:  # an op's error: what came before it did happen
                self._count_up(1)
                raise
            self._count_up(1)
            for leaf, g in self.grads:
                leaf._grad = g
            for finish in self.trace.after:
                finish()
            return self.result(self.first)

    def _count_up(self, times: int) -> None:
        for t in self.trace.written:
            t.version[0] += times

    def take(self) -> Program:
        """A program of a pure plan that no thread is running; to be given back to `free`."""
        try:
            return self.free.pop()
        except IndexError:
            with self.lock:
                return self._bind()

    def replay_each(self, batches: list[tuple[Any, ...]]) -> Any:
        """Run once for each of `batches`, in one native call: the results of those that fitted.

        A batch is a tuple of arguments.  None where the plan is not one native call with one
        tensor as its result.
        """
        if not self.native or self.single is None or self.entries or self.trace.before:
            return None
        if not layout_known():
            return None
        with self.lock:
            if not self.pure:
                self._let_go()
            program = self.take() if self.pure else self.first
            one = program.arrays[self.single]
            results = stack_like(one, len(batches))
            given = np.array([id(b) for b in batches], np.int64)
            layout, room = np.array(tensor_layout()), np.empty(len(self.inputs), np.int64)
            code = program.parts[0]
            places = encode.address(one), one.nbytes, encode.address(results)
            run = native.replay_each.run(code, given, layout, room, *places)
            done, failed = divmod(run, len(code) + 1)
            try:
                if done < len(batches) and failed >= program.heads:
                    done += 1
                    program.resume(failed)  # special data, on which the op may raise
                    results[done - 1] = one
            finally:
                self._count_up(done)
                if self.pure:
                    self.free.append(program)
            if done:
                for leaf, g in self.grads:
                    leaf._grad = g
        return results[:done]

    def result(self, program: Program) -> Any:
        """What the step returns, copied out of the program's memory."""
        if self.single is not None:
            return _copied(self.single, program)
        return mapped(
            self.trace.result, lambda x: _copied(x, program) if isinstance(x, Slot) else x
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
            if isinstance(i.run, Block):
                lines.append(str(i.run))
                continue
            if i.run is move_numbers:
                lines.append(f"{i.name} {len(i.inputs) // 2} scalars   # {i.where}")
                continue
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


def _copied(slot: Slot, program: Program) -> Tensor:
    array = program.arrays[slot]
    return Tensor.wrap(array.item() if slot.kind == NUMBER else array.copy())


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
