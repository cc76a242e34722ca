"""From a Trace to a Program: memory for every slot, and native instructions for every op.

An op is bound by running it once while the launches it makes are noted: jitted kernels, ufuncs,
products.  Then its result and its scratch memory are filled with rubbish and the launches are
replayed natively: only if that gives the same bytes is the op native.  Any other op is called
through Python at its place between native segments, which is slower and just as right.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.compiled import encode
from autograd.compiled.capture import Capture, Key, capture, watched
from autograd.compiled.copying import Rows, copy_rows
from autograd.compiled.passes import Placement
from autograd.compiled.program import Bound, Program, laid_like, parts_of
from autograd.compiled.trace import ENTRY, INPUT, MADE, VIEW, Instruction, Slot, Trace, layout
from autograd.kernel import Kernel
from autograd.moves import is_constant
from autograd.op import Op, quiet

_binding = threading.Lock()
_RUBBISH = 0xA5


class _Foreign(Exception):
    """What was launched has no native form; the message says why."""


class Binder:
    """Makes a Program of a Trace."""

    def __init__(self, trace: Trace, placement: Placement):
        self.trace = trace
        self.native = encode.available()
        self.arena = _aligned(placement.size)
        self.offsets = placement.offsets
        self.separate = {s.root for s in trace.grads.values() if s and s.root.kind == MADE}
        """Memory of gradients, which may be kept by the user: each is an array of its own."""
        self.arrays: dict[Slot, np.ndarray] = {}
        self.keep: list[Any] = [trace]
        self.buffers: list[np.ndarray] = []
        self.bound: list[Bound] = []

    def program(self) -> Program:
        """Bind everything, in order."""
        inputs = [s for s in self.trace.slots if s.kind == INPUT]
        heads: list[Any] = []
        turned: list[Any] = []
        with _binding, watched():
            for place, slot in enumerate(inputs):
                buffer = np.empty(slot.array.shape, slot.array.dtype)
                np.copyto(buffer, slot.array)
                row, keep = encode.input_row(place, buffer)
                self.keep.append(keep)
                heads.append(row)
                if layout(slot.array) is not None:
                    given, buffer = buffer, laid_like(slot.array)
                    np.copyto(buffer, given)
                    turned += self._kept(copy_rows(buffer, given))
                self.arrays[slot] = buffer
                self.buffers.append(buffer)
            for slot in self.trace.slots:
                if slot.kind == ENTRY:
                    self.arrays[slot] = slot.array.copy(order="K")
            for instruction in self.trace.instructions:
                self.bound.append(self._bind(instruction))
        rows, buffers = (heads + turned, ()) if self.native else ([], tuple(self.buffers))
        parts, ends = parts_of(rows, self.bound)
        return Program(
            self.arena, self.arrays, self.bound, parts, self.keep, ends, len(rows), buffers
        )

    def array(self, slot: Slot) -> np.ndarray:
        """The memory of a slot."""
        if slot in self.arrays:
            return self.arrays[slot]
        if slot in self.separate:
            made = laid_like(slot.array)
        elif slot.kind == MADE:
            start = self.offsets[slot]
            made = laid_like(slot.array, self.arena[start : start + slot.array.nbytes])
        else:
            made = slot.array  # from outside: where it is
        self.arrays[slot] = made
        return made

    def _value(self, x: Any) -> Any:
        return self.array(x) if isinstance(x, Slot) else x

    def _bind(self, instruction: Instruction) -> Bound:
        values = [self._value(x) for x in instruction.inputs]
        if instruction.op is None:
            return self._bind_effect(instruction, values)
        assert instruction.out is not None
        if instruction.out.kind == VIEW:
            view = instruction.op.kernel(values[0], **instruction.meta)
            self.arrays[instruction.out] = view
            return Bound(instruction)
        if instruction.op.view:  # of strided memory, so that it could not be one
            return self._bind_copy(instruction, instruction.op, values[0])
        return self._bind_op(instruction, instruction.op, values)

    def _bind_copy(self, instruction: Instruction, op: Op, value: np.ndarray) -> Bound:
        assert instruction.out is not None
        out, bound = self.array(instruction.out), Bound(instruction)
        if not self.native:
            bound.python = _through_python(op, out, [value], instruction.meta)
            return bound
        room = np.ascontiguousarray(value)
        view = op.kernel(room, **instruction.meta)
        bound.rows = self._kept(copy_rows(room, value) + copy_rows(out, view))
        encode.run(bound.rows, ())
        return bound

    def _kept(self, made: Rows) -> list[Any]:
        """The instructions alone; what they need stays alive with the program."""
        self.keep.append(made)
        return [row for row, _ in made]

    def _bind_effect(self, instruction: Instruction, values: list[Any]) -> Bound:
        run = instruction.run
        assert run is not None
        bound = Bound(instruction)
        if instruction.name == "copy" and self.native:
            target, source = values
            source = source if isinstance(source, np.ndarray) else np.asarray(source, target.dtype)
            bound.rows = self._kept(copy_rows(target, source))
            if instruction.inputs[0].root.kind == MADE:  # what follows may need it: indices
                encode.run(bound.rows, ())
            return bound
        arguments = tuple(values)
        bound.again = lambda: run(arguments)
        if self.native and instruction.status is not None:
            with capture(execute=False, status=instruction.status) as found:
                run(arguments)
            self.keep.append([found.keep, arguments])
            if found.rows and not found.trouble:
                bound.rows += found.rows
                return bound
            bound.why = found.trouble or "it launches no kernel"
        bound.python = bound.again
        return bound

    def _bind_op(self, instruction: Instruction, op: Op, values: list[Any]) -> Bound:
        assert instruction.out is not None
        out, meta = self.array(instruction.out), instruction.meta
        bound = Bound(instruction, again=_through_python(op, out, values, meta))
        if not self.native:
            bound.python = bound.again
            return bound
        staged, before = self._staged(op, values, out)
        if instruction.apart and op.strided:
            rooms = [laid_like(v) if isinstance(v, np.ndarray) else v for v in staged[1:]]
            for room, value in zip(rooms, staged[1:]):
                if isinstance(room, np.ndarray):
                    before += self._kept(copy_rows(room, value))
                    room[...] = value
            staged[1:] = rooms
        try:
            bound.rows = before + self._launches(op, out, staged, meta)
        except _Foreign as reason:
            bound.why, bound.python = str(reason), bound.again
        return bound

    def _staged(self, op: Op, values: list[Any], out: np.ndarray) -> tuple[list[Any], list[Any]]:
        """The inputs as arrays that the op's kernel takes as they are, and the copies for that."""
        loop = isinstance(op.kernel, Kernel)
        staged, rows = [], []
        for value in values:
            wanted = out.shape if loop and isinstance(value, np.ndarray) else None
            if isinstance(value, np.ndarray):
                shape = value.shape if wanted is None or op.arity == 1 else wanted
                plain = value.flags.c_contiguous and value.shape == shape
                if not plain and not op.strided and not op.numeric:
                    room = np.empty(shape, value.dtype)
                    room[...] = value
                    rows += self._kept(copy_rows(room, value))
                    value = room
            staged.append(value)
        return staged, rows

    def _launches(
        self, op: Op, out: np.ndarray, values: list[Any], meta: dict[str, Any]
    ) -> list[Any]:
        """The instructions of one op; _Foreign where they would not do."""
        keyed = "stream" in meta
        given = {**meta, "stream": Key()} if keyed else meta
        with capture(execute=True) as found:
            try:
                _run_into(op, out, values, given)
            except Exception as error:  # what was recorded has been changed since
                raise _Foreign(f"it raised {error!r}") from error
        if found.trouble:
            raise _Foreign(found.trouble)
        if not found.rows and out.size:
            raise _Foreign("it launches no kernel")
        self.keep.append([found.keep, values])
        self._try(op, out, values, found)
        if keyed:
            return [self._key_row(meta["stream"], found), *found.rows]
        return found.rows

    def _try(self, op: Op, out: np.ndarray, values: list[Any], found: Capture) -> None:
        """Replay what was captured over rubbish; _Foreign unless the result is the same."""
        expected, spoilt = out.tobytes(), []
        known = [v for v in values if isinstance(v, np.ndarray)]
        for array in found.arrays:
            if any(np.may_share_memory(array, k) for k in (*known, out)) or is_constant(array):
                continue
            if not array.size:
                continue
            if not array.flags.writeable:
                raise _Foreign(f"{op.name} reads a table of its own")
            spoilt.append((array, array.copy()))
            _spoil(array)
        _spoil(out)
        done = encode.run(found.rows, ()) < 0 and out.tobytes() == expected
        if done and any(array.dtype.kind != "f" for array, _ in spoilt):
            done = encode.run(found.rows, ()) < 0 and out.tobytes() == expected  # 0 was no rubbish
        if not done:
            for array, before in spoilt:  # it may have been a table that others read
                array[...] = before
            raise _Foreign(f"{op.name} does more than launch kernels")

    def _key_row(self, stream: Any, found: Capture) -> Any:
        words = [record for keep in found.keep for record in [keep[0][0]]]
        places = {}
        for name in ("low", "high"):
            number = getattr(Key, name)
            at = [(w, int(i)) for w in words for i in np.flatnonzero(w == number)]
            if len(at) != 1:
                raise _Foreign("its random key is not passed on as it is")
            places[name] = encode.address(at[0][0]) + 8 * at[0][1]
        row, keep = encode.key_row(stream.bit_generator, places["low"], places["high"])
        self.keep.append([keep, stream])
        return row


def _run_into(op: Op, out: np.ndarray, values: list[Any], meta: dict[str, Any]) -> None:
    """The op's result in `out`, by the kernel that eager runs."""
    if op.numeric:
        quiet.run(op.kernel, *values, out=out)
    elif isinstance(op.kernel, Kernel):
        op.kernel.run(out.ravel(), *[v.ravel() for v in values], *meta.values())
    else:
        op.kernel(out, *values, **meta)


def _through_python(
    op: Op, out: np.ndarray, values: list[Any], meta: dict[str, Any]
) -> Callable[[], Any]:
    def call() -> None:
        np.copyto(out, op.run(values, meta))

    return call


def _spoil(array: np.ndarray) -> None:
    """Rubbish; whole numbers become 0, for they may be indices, and memory is not to be hurt."""
    if array.dtype.kind == "b":
        np.logical_not(array, out=array)
    elif array.dtype.kind != "f":
        array[...] = 0
    elif array.flags.c_contiguous:
        array.reshape(-1).view(np.uint8)[...] = _RUBBISH
    else:
        array[...] = np.nan


def _aligned(size: int) -> np.ndarray:
    raw = np.zeros(size + 64, np.uint8)
    start = -encode.address(raw) % 64
    return raw[start : start + size]
