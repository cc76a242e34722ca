"""From a Trace to a Program: memory for every slot, and native instructions for every op.

An op is bound by running it once while the launches it makes are noted: jitted kernels, ufuncs,
products.  Then its result and its scratch memory are filled with rubbish and the launches are
replayed natively: only if that gives the same bytes is the op native.  Any other op is called
through Python at its place between native segments, which is slower and just as right.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.compiled import encode, native
from autograd.compiled.capture import Capture, Key, capture
from autograd.compiled.passes import Placement
from autograd.compiled.trace import ENTRY, INPUT, MADE, VIEW, Instruction, Slot, Trace
from autograd.kernel import TUPLE_ITEMS, Kernel
from autograd.op import Op, quiet

_binding = threading.Lock()
_RUBBISH = 0xA5
_COPIES = {"clone": 0, "copy_to": 1}
"""Ops whose result is a copy of one of their inputs: of which."""


class _Foreign(Exception):
    """What was launched has no native form; the message says why."""


@dataclass
class Bound:
    """One instruction of the trace, bound."""

    instruction: Instruction
    rows: list[Any] = field(default_factory=list)
    python: Callable[[], Any] | None = None
    """What is called instead of the rows, or after them, where the op is not native."""
    why: str = ""


@dataclass
class Program:
    """A bound trace: its memory, and parts that run one after the other."""

    arena: np.ndarray
    arrays: dict[Slot, np.ndarray]
    bound: list[Bound]
    parts: list[Any]
    """Native segments, each an array of instructions, and functions to call between them."""
    keep: list[Any]
    inputs: tuple[np.ndarray, ...] = ()
    """Where arguments are copied to, if no instruction does that."""

    def run(self, given: tuple[np.ndarray, ...]) -> None:
        """Run all parts.  Refused is raised where an instruction did not do as it was recorded."""
        at = id(given) + TUPLE_ITEMS
        for buffer, array in zip(self.inputs, given):
            if type(array) is not np.ndarray or buffer.dtype != array.dtype:
                raise Refused(0)
            if buffer.shape != array.shape:
                raise Refused(0)
            np.copyto(buffer, array)
        for part in self.parts:
            if type(part) is np.ndarray:
                failed = native.replay.run(part, 0, len(part), at)
                if failed >= 0:
                    raise Refused(failed)
            else:
                part()


class Refused(Exception):
    """A native instruction reported that this call is not like the recorded one."""


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
        heads = []
        with _binding:
            for place, slot in enumerate(inputs):
                buffer = np.empty(slot.array.shape, slot.array.dtype)
                np.copyto(buffer, slot.array)
                self.arrays[slot] = buffer
                row, keep = encode.input_row(place, buffer)
                self.keep.append(keep)
                heads.append(row)
                self.buffers.append(buffer)
            for slot in self.trace.slots:
                if slot.kind == ENTRY:
                    self.arrays[slot] = slot.array.copy()
            for instruction in self.trace.instructions:
                self.bound.append(self._bind(instruction))
        parts, given = self._parts(heads), () if self.native else tuple(self.buffers)
        return Program(self.arena, self.arrays, self.bound, parts, self.keep, given)

    def _parts(self, heads: list[Any]) -> list[Any]:
        parts: list[Any] = []
        rows = list(heads) if self.native else []
        for bound in self.bound:
            rows += bound.rows
            if bound.python is not None:
                if rows:
                    parts.append(np.array(rows, np.int64))
                parts.append(bound.python)
                rows = []
        if rows:
            parts.append(np.array(rows, np.int64))
        return parts

    def array(self, slot: Slot) -> np.ndarray:
        """The memory of a slot."""
        if slot in self.arrays:
            return self.arrays[slot]
        if slot in self.separate:
            made = np.empty(slot.array.shape, slot.array.dtype)
        elif slot.kind == MADE:
            start, like = self.offsets[slot], slot.array
            raw = self.arena[start : start + like.nbytes]
            made = raw.view(like.dtype).reshape(like.shape)
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
        room = np.ascontiguousarray(value)
        view = op.kernel(room, **instruction.meta)
        rows = [encode.copy_row(room, value), encode.copy_row(out, view)] if self.native else []
        if rows and None not in rows:
            self.keep.append([rows, room])
            bound.rows = [row for row, _ in rows]
        else:
            bound.python = _through_python(op, out, [value], instruction.meta)
        return bound

    def _bind_effect(self, instruction: Instruction, values: list[Any]) -> Bound:
        run = instruction.run
        assert run is not None
        bound = Bound(instruction)
        if instruction.name == "copy" and self.native and _alike(*values):
            made = encode.copy_row(*values)
            if made is not None:
                self.keep.append(made[1])
                bound.rows.append(made[0])
                return bound
        arguments = tuple(values)
        if self.native and instruction.status is not None and instruction.name != "copy":
            with capture(execute=False, status=instruction.status) as found:
                run(arguments)
            self.keep.append([found.keep, arguments])
            if found.rows and not found.trouble:
                bound.rows += found.rows
                return bound
            bound.why = found.trouble or "it launches no kernel"
        bound.python = lambda: run(arguments)
        return bound

    def _bind_op(self, instruction: Instruction, op: Op, values: list[Any]) -> Bound:
        assert instruction.out is not None
        out, meta = self.array(instruction.out), instruction.meta
        bound = Bound(instruction)
        if not self.native:
            bound.python = _through_python(op, out, values, meta)
            return bound
        source = values[_COPIES[op.name]] if op.name in _COPIES else None
        if isinstance(source, np.ndarray) and source.dtype == out.dtype:
            made = encode.copy_row(out, source)
            if made is not None:
                self.keep.append(made[1])
                bound.rows = [made[0]]
                encode.run(bound.rows, ())
                if out.tobytes() == op.run(values, meta).tobytes():
                    return bound
                bound.rows = []
        staged, before = self._staged(op, values, out)
        try:
            bound.rows = before + self._launches(op, out, staged, meta)
        except _Foreign as reason:
            bound.why = str(reason)
            bound.python = _through_python(op, out, values, meta)
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
                    made = encode.copy_row(room, value)
                    if made is not None:
                        self.keep.append(made[1])
                        rows.append(made[0])
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
            _run_into(op, out, values, given)
        if found.trouble:
            raise _Foreign(found.trouble)
        if out.size == 0:
            return []
        if not found.rows:
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
            if any(np.may_share_memory(array, k) for k in (*known, out)):
                continue
            if array.dtype.kind != "f" or not array.flags.writeable:
                raise _Foreign(f"{op.name} reads a table of its own")
            spoilt.append((array, array.copy()))
            _spoil(array)
        _spoil(out)
        failed = encode.run(found.rows, ())
        if failed >= 0 or out.tobytes() != expected:
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


def _alike(target: Any, source: Any) -> bool:
    return isinstance(source, np.ndarray) and target.dtype == source.dtype


def _spoil(array: np.ndarray) -> None:
    if array.flags.c_contiguous:
        array.reshape(-1).view(np.uint8)[...] = _RUBBISH
    else:
        array[...] = np.nan if array.dtype.kind == "f" else 1


def _aligned(size: int) -> np.ndarray:
    raw = np.zeros(size + 64, np.uint8)
    start = -encode.address(raw) % 64
    return raw[start : start + size]
