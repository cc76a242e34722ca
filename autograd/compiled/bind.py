"""From a Trace to a Program: memory for every slot, and native instructions for every op.

An op is bound by running it once while the launches it makes are noted: jitted kernels, ufuncs,
products.  Then its result and its scratch memory are filled with rubbish and the launches are
replayed natively: only if that gives the same bytes is the op native.  Any other op is called
through Python at its place between native segments, which is slower and just as right.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.compiled import native
from autograd.compiled.passes import Placement
from autograd.compiled.trace import ENTRY, INPUT, MADE, VIEW, Instruction, Slot, Trace
from autograd.kernel import KERNELS, TUPLE_ITEMS, Kernel
from autograd.op import Op, quiet

_binding = threading.Lock()
_RUBBISH = 0xA5
_COPIES = {"clone": 0, "copy_to": 1}
"""Ops whose result is a copy of one of their inputs: of which."""


class _Foreign(Exception):
    """What was launched has no native form; the message says why."""


class _Capture:
    """Launches of this thread, as instructions."""

    def __init__(self, execute: bool, status: int):
        self.execute, self.status = execute, status
        self.rows: list[Any] = []
        self.keep: list[Any] = []
        self.arrays: list[np.ndarray] = []
        self.trouble = ""

    def kernel(self, k: Kernel, args: tuple[Any, ...]) -> Any:
        result = k.compiled()(*args) if self.execute else self.status
        try:
            checked = isinstance(result, (int, np.integer))
            row, keep = native.call_row(k.compiled(), args, int(result) if checked else 0)
        except TypeError as error:
            self.trouble = str(error)
            return result
        self._add(row, [keep, args])
        self.arrays += [a for a in args if isinstance(a, np.ndarray)]
        return result

    def ufunc(self, f: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        result = quiet.plain(f, *args, **options)
        if list(options) == ["out"]:
            args = (*args, options["out"])
        if not isinstance(f, np.ufunc) or options.keys() - {"out"} or len(args) != f.nargs:
            self.trouble = f"{getattr(f, '__name__', f)} of NumPy"
            return result
        *values, out = args
        constant = [type(v) in (bool, int, float) for v in values]  # no NumPy scalar: it is data
        if f is np.matmul:
            made = native.product_row(values[0], values[1], out)
        else:
            dtype = next((v.dtype for v in values if isinstance(v, np.ndarray)), None)
            values = [v if isinstance(v, np.ndarray) else np.asarray(v, dtype) for v in values]
            made = native.ufunc_row(f, values, out)
        if made is None:
            self.trouble = f"{f.__name__} of these shapes"
        else:
            self._add(made[0], [made[1], values, out])
            self.arrays += [v for v, known in zip(values, constant) if not known]
            self.arrays.append(out)
        return result

    def _add(self, row: Any, keep: Any) -> None:
        self.rows.append(row)
        self.keep.append(keep)


@contextmanager
def _capture(execute: bool, status: int = 0) -> Iterator[_Capture]:
    """Note the launches of this thread within the block; the caller holds `_binding`."""
    found, owner = _Capture(execute, status), threading.get_ident()
    before = [(k, k.run) for k in KERNELS]

    def noting(k: Kernel) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if threading.get_ident() != owner:
                return k.compiled()(*args)
            return found.kernel(k, args)

        return run

    for k, _ in before:
        k.run = noting(k)
    quiet.run = lambda f, *args, **options: found.ufunc(f, args, options)
    try:
        yield found
    finally:
        quiet.run = quiet.plain
        for k, run in before:
            k.run = run


class _Key:
    """Stands for a random stream while an op is bound: its one draw is a number to recognise."""

    low, high = 0x5EEDBEEF, 0x7AB1E5ED

    def __init__(self) -> None:
        self.bit_generator = self

    def random_raw(self) -> int:
        return self.high << 32 | self.low


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
    """(code, the same code's rows as bound) for native segments, or a function to call."""
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
        self.native = native.available()
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
                row, keep = native.input_row(place, buffer)
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
        rows = [native.copy_row(room, value), native.copy_row(out, view)] if self.native else []
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
            made = native.copy_row(*values)
            if made is not None:
                self.keep.append(made[1])
                bound.rows.append(made[0])
                return bound
        arguments = tuple(values)
        if self.native and instruction.status is not None and instruction.name != "copy":
            with _capture(execute=False, status=instruction.status) as found:
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
            made = native.copy_row(out, source)
            if made is not None:
                self.keep.append(made[1])
                bound.rows = [made[0]]
                native.run(bound.rows, ())
                if out.tobytes() == op.run(values, meta).tobytes():
                    return bound
                bound.rows = []
        staged, before = self._staged(op, values, out)
        try:
            rows = self._launches(op, out, staged, meta, before)
            bound.rows = before + rows
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
                    made = native.copy_row(room, value)
                    if made is not None:
                        self.keep.append(made[1])
                        rows.append(made[0])
                        value = room
            staged.append(value)
        return staged, rows

    def _launches(
        self, op: Op, out: np.ndarray, values: list[Any], meta: dict[str, Any], before: list[Any]
    ) -> list[Any]:
        """The instructions of one op; _Foreign where they would not do."""
        keyed = "stream" in meta
        given = {**meta, "stream": _Key()} if keyed else meta
        with _capture(execute=True) as found:
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

    def _try(self, op: Op, out: np.ndarray, values: list[Any], found: _Capture) -> None:
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
        failed = native.run(found.rows, ())
        if failed >= 0 or out.tobytes() != expected:
            for array, before in spoilt:  # it may have been a table that others read
                array[...] = before
            raise _Foreign(f"{op.name} does more than launch kernels")

    def _key_row(self, stream: Any, found: _Capture) -> Any:
        words = [record for keep in found.keep for record in [keep[0][0]]]
        places = {}
        for name in ("low", "high"):
            number = getattr(_Key, name)
            at = [(w, int(i)) for w in words for i in np.flatnonzero(w == number)]
            if len(at) != 1:
                raise _Foreign("its random key is not passed on as it is")
            places[name] = native.address(at[0][0]) + 8 * at[0][1]
        row, keep = native.key_row(stream.bit_generator, places["low"], places["high"])
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
    start = -native.address(raw) % 64
    return raw[start : start + size]
