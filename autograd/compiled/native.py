"""Machine code by address: what a plan calls without returning to Python.

Nothing is compiled for a model.  A jitted kernel is called through the address of the code that
eager runs too, with its arguments laid out as Numba lays them out; a NumPy ufunc by the address of
its inner loop; a large product by that of the BLAS which NumPy has loaded.  So a replay computes
what eager computes, to the last bit.

    one instruction of 36 operands (a small `linear`)     50 ns
    the call of the driver from Python                   240 ns

An instruction is a row (kind, function, record, check, expected) of int64; `record` is the address
of its operands.  Integers and doubles of a call travel in registers of their own (System V,
AAPCS64), so their order among each other does not matter, and surplus operands do no harm: a few
signatures do for all kernels.  On other platforms `available()` is False and plans call kernels
through Python.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.kernel import (
    JIT,
    Native,
    device,
    is_flat,
    kernel,
    layout_known,
    same_shape,
    word_at,
)

CALL16, CALL32, CALL64, CALL128, UFUNC, COPY, MOVE, INPUT, SGEMM, DGEMM = range(10)
KEY = 12
_NARROW = 2  # added to SGEMM, DGEMM for a BLAS of 32-bit integers
_SIZES = {CALL16: 16, CALL32: 32, CALL64: 64, CALL128: 128}
_DOUBLES = 8
_DATA = object.__basicsize__


def _caller(size: int) -> Callable[[], Any]:
    """Builds the intrinsic `call(function, record)`: int32 status of a kernel of Numba's."""

    def build() -> Any:
        from llvmlite import ir
        from numba import types
        from numba.extending import intrinsic

        @intrinsic
        def call(typingctx: Any, function: Any, record: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                word, real = ir.IntType(64), ir.DoubleType()
                shape = ir.FunctionType(ir.IntType(32), [word] * size + [real] * _DOUBLES)
                words = builder.inttoptr(args[1], word.as_pointer())
                end = builder.gep(words, [ir.Constant(word, size)])
                reals = builder.bitcast(end, real.as_pointer())

                def operands(start: Any, count: int) -> list[Any]:
                    places = [builder.gep(start, [ir.Constant(word, k)]) for k in range(count)]
                    return [builder.load(place) for place in places]

                return builder.call(
                    builder.inttoptr(args[0], shape.as_pointer()),
                    operands(words, size) + operands(reals, _DOUBLES),
                )

            return types.int32(types.int64, types.int64), codegen

        return call

    return build


call16, call32 = Native(_caller(16)), Native(_caller(32))
call64, call128 = Native(_caller(64)), Native(_caller(128))


@Native
def call_loop() -> Any:
    """`call_loop(function, operands, sizes, steps, data)`: an inner loop of a ufunc."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def call_loop(typingctx: Any, f: Any, operands: Any, sizes: Any, steps: Any, data: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            shape = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 4)
            builder.call(builder.inttoptr(args[0], shape.as_pointer()), list(args[1:]))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), codegen

    return call_loop


@Native
def draw() -> Any:
    """`draw(function, state)`: the next 64 bits of a NumPy bit generator."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def draw(typingctx: Any, function: Any, state: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            shape = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
            return builder.call(builder.inttoptr(args[0], shape.as_pointer()), [args[1]])

        return types.int64(types.int64, types.int64), codegen

    return draw


@Native
def store_word() -> Any:
    """`store_word(address, value)`: write an int64."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def store_word(typingctx: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[1], builder.inttoptr(args[0], ir.IntType(64).as_pointer()))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return store_word


def _copier(bits: int) -> Callable[[], Any]:
    """Builds the intrinsic `copy(target, source)` of one element."""

    def build() -> Any:
        from llvmlite import ir
        from numba import types
        from numba.extending import intrinsic

        @intrinsic
        def copy(typingctx: Any, target: Any, source: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                pointer = ir.IntType(bits).as_pointer()
                value = builder.load(builder.inttoptr(args[1], pointer))
                builder.store(value, builder.inttoptr(args[0], pointer))
                return context.get_dummy_value()

            return types.void(types.int64, types.int64), codegen

        return copy

    return build


copy8, copy16 = Native(_copier(8)), Native(_copier(16))
copy32, copy64 = Native(_copier(32)), Native(_copier(64))


@Native
def move() -> Any:
    """`move(target, source, size)`: memmove."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def move(typingctx: Any, target: Any, source: Any, size: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = ir.IntType(8).as_pointer()
            target, source = (builder.inttoptr(a, pointer) for a in args[:2])
            cgutils.raw_memmove(builder, target, source, args[2], 1)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3), codegen

    return move


def _multiplier(single: bool, width: int) -> Callable[[], Any]:
    """Builds `gemm(record)`: C = op(A) op(B), row major, by cblas with `width`-bit integers."""

    def build() -> Any:
        from llvmlite import ir
        from numba import types
        from numba.extending import intrinsic

        index = ir.IntType(width)

        @intrinsic
        def gemm(typingctx: Any, record: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                i32, word = ir.IntType(32), ir.IntType(64)
                real = ir.FloatType() if single else ir.DoubleType()
                matrix = real.as_pointer()
                words = builder.inttoptr(args[0], word.as_pointer())
                f, ta, tb, m, n, k, a, lda, b, ldb, c, ldc = (
                    builder.load(builder.gep(words, [ir.Constant(word, i)])) for i in range(12)
                )

                def size(value: Any) -> Any:
                    return value if index.width == 64 else builder.trunc(value, index)

                kinds = [i32, i32, i32, index, index, index, real, matrix, index, matrix, index]
                shape = ir.FunctionType(ir.VoidType(), [*kinds, real, matrix, index])
                operands = [i32(101), builder.trunc(ta, i32), builder.trunc(tb, i32)]
                operands += [size(m), size(n), size(k), real(1)]
                operands += [builder.inttoptr(a, matrix), size(lda)]
                operands += [builder.inttoptr(b, matrix), size(ldb), real(0)]
                operands += [builder.inttoptr(c, matrix), size(ldc)]
                builder.call(builder.inttoptr(f, shape.as_pointer()), operands)
                return context.get_dummy_value()

            return types.void(types.int64), codegen

        return gemm

    return build


sgemm, dgemm = Native(_multiplier(True, 64)), Native(_multiplier(False, 64))
sgemm_narrow, dgemm_narrow = Native(_multiplier(True, 32)), Native(_multiplier(False, 32))


@device
def _run_rows(code, start, stop, given):
    for i in range(start, stop):
        kind, function, record = code[i, 0], code[i, 1], code[i, 2]
        status = 0
        if kind == 0:
            status = call16(function, record)
        elif kind == 1:
            status = call32(function, record)
        elif kind == 2:
            status = call64(function, record)
        elif kind == 3:
            status = call128(function, record)
        elif kind == 4:
            data, count = word_at(record), word_at(record + 8)
            n0, n1 = word_at(record + 16), word_at(record + 24)
            operands = record + 32  # then sizes, steps, and (address, step, step) per operand
            sizes, steps, places = operands + 32, operands + 40, operands + 72
            for p in range(n0):
                for q in range(n1):
                    for k in range(count):
                        place = places + 24 * k
                        at = word_at(place) + p * word_at(place + 8) + q * word_at(place + 16)
                        store_word(operands + 8 * k, at)
                    call_loop(function, operands, sizes, steps, data)
        elif kind == 5:
            size, target, source = word_at(record), word_at(record + 8), word_at(record + 16)
            n0, n1, n2 = word_at(record + 24), word_at(record + 32), word_at(record + 40)
            t0, t1, t2 = word_at(record + 48), word_at(record + 56), word_at(record + 64)
            s0, s1, s2 = word_at(record + 72), word_at(record + 80), word_at(record + 88)
            for p in range(n0):
                for q in range(n1):
                    t, s = target + p * t0 + q * t1, source + p * s0 + q * s1
                    for r in range(n2):
                        if size == 4:
                            copy32(t + r * t2, s + r * s2)
                        elif size == 8:
                            copy64(t + r * t2, s + r * s2)
                        elif size == 2:
                            copy16(t + r * t2, s + r * s2)
                        else:
                            copy8(t + r * t2, s + r * s2)
        elif kind == 6:
            move(word_at(record), word_at(record + 8), word_at(record + 16))
        elif kind == 7:
            array, model = word_at(given + 8 * function), word_at(record)
            if not (is_flat(array, model) and same_shape(array, model)):
                return i
            move(word_at(record + 8), word_at(array + _DATA), word_at(record + 16))
        elif kind == 8:
            sgemm(record)
        elif kind == 9:
            dgemm(record)
        elif kind == 10:
            sgemm_narrow(record)
        elif kind == 11:
            dgemm_narrow(record)
        elif kind == 12:
            key = draw(function, word_at(record))
            store_word(word_at(record + 8), key & 0xFFFFFFFF)
            store_word(word_at(record + 16), (key >> 32) & 0xFFFFFFFF)
        if status != 0 or (code[i, 3] != 0 and word_at(word_at(record)) != code[i, 4]):
            return i
    return -1


@kernel
def replay(code, start, stop, given):
    """Run instructions start to stop; the number of one that failed, or -1.

    `given`: the address of a tuple's items, the arrays that the step was called with.
    """
    return _run_rows(code, start, stop, given)


@kernel
def replay_each(code, given, result, size, target):
    """Run all instructions once for each address in `given`; how often they all succeeded.

    After each, `size` bytes at address `result` are copied to `target`, one behind the other.
    """
    for k in range(given.size):
        if _run_rows(code, 0, code.shape[0], given[k]) >= 0:
            return k
        move(target + k * size, result, size)
    return given.size


# The BLAS that NumPy loaded


@functools.cache
def _blas() -> tuple[bool, dict[str, int]]:
    """(its integers have 32 bits, addresses of sgemm and dgemm); ({} where none is found).

    A process may hold several (SciPy brings its own): NumPy's is the one that stands with NumPy.
    """
    from threadpoolctl import threadpool_info

    home = os.path.dirname(os.path.dirname(os.path.realpath(np.__file__)))
    paths = [f["filepath"] for f in threadpool_info() if f.get("user_api") == "blas"]
    near = [p for p in paths if os.path.realpath(p).startswith(os.path.join(home, "numpy"))]
    for path in near or paths:
        library = ctypes.CDLL(path)
        for form in ("scipy_cblas_{}64_", "cblas_{}64_", "scipy_cblas_{}", "cblas_{}"):
            found = [getattr(library, form.format(name), None) for name in ("sgemm", "dgemm")]
            if all(found):
                at = [ctypes.cast(f, ctypes.c_void_p).value or 0 for f in found]  # type: ignore[arg-type]
                return "64" not in form, dict(zip(("sgemm", "dgemm"), at))
    return False, {}


def blas_address(name: str) -> int | None:
    """Where `sgemm` or `dgemm` is, or None."""
    return _blas()[1].get(name)


# NumPy's inner loops


def _word(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


@functools.cache
def loop_of(ufunc: np.ufunc, types: tuple[str, ...]) -> tuple[int, int] | None:
    """(function, data) of the ufunc's inner loop for these dtypes, read from the ufunc object."""
    at, count = id(ufunc), ufunc.nargs
    sizes = [ctypes.c_int32.from_address(at + 16 + 4 * i).value for i in range(3)]
    kinds = ctypes.c_int32.from_address(at + 48).value
    if sizes != [ufunc.nin, ufunc.nout, count] or kinds != ufunc.ntypes:
        return None
    functions, data, table = _word(at + 32), _word(at + 40), _word(at + 64)
    wanted = [np.dtype(t).num for t in types]
    for i in range(kinds):
        held = [ctypes.c_int8.from_address(table + i * count + j).value for j in range(count)]
        if held == wanted:
            return _word(functions + 8 * i), _word(data + 8 * i) if data else 0
    return None


# Instructions


Row = tuple[int, int, int, int, int]


def _record(words: Any) -> np.ndarray:
    return np.array(list(words), np.int64)


def address(array: np.ndarray) -> int:
    """Where its first element is."""
    return array.__array_interface__["data"][0]


def _flat(value: Any, kind: Any) -> tuple[list[int], list[int]]:
    """(words, doubles as words) of one argument, as Numba's native calls take it."""
    from numba import types

    if isinstance(kind, types.Array):
        return [0, 0, value.size, value.itemsize, address(value), *value.shape, *value.strides], []
    if isinstance(kind, types.NoneType):
        return [0], []
    if isinstance(kind, (types.Integer, types.Boolean)):
        return [int(value)], []
    if isinstance(kind, types.Float):
        raw = np.zeros(1, np.int64)
        raw.view(np.float64 if kind.bitwidth == 64 else np.float32)[0] = value
        return [], [int(raw[0])]
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        parts = [_flat(v, k) for v, k in zip(value, kinds)]
        return [w for words, _ in parts for w in words], [d for _, ds in parts for d in ds]
    raise TypeError(f"an argument of type {kind} has no native form here")


def call_row(dispatcher: Any, args: tuple[Any, ...], expected: int) -> tuple[Row, list[Any]]:
    """The instruction that calls a jitted function, and what must stay alive for it.

    `expected`: what it has to return, if it returns a whole number.
    """
    from numba import types

    kinds = tuple(dispatcher.typeof_pyval(a) for a in args)
    if kinds not in dispatcher.overloads:
        dispatcher.compile(kinds)
    made = dispatcher.overloads[kinds]
    place = np.zeros(4, np.int64)  # for the result, and for Numba's exception
    words, doubles = [address(place), address(place) + 16], []
    for value, kind in zip(args, made.signature.args):
        its_words, its_doubles = _flat(value, kind)
        words += its_words
        doubles += its_doubles
    size = next((k for k, n in _SIZES.items() if len(words) <= n), None)
    if size is None or len(doubles) > _DOUBLES:
        raise TypeError("too many operands")
    rest = [0] * (_SIZES[size] - len(words))
    record = _record([*words, *rest, *doubles, *[0] * (_DOUBLES - len(doubles))])
    function = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
    check = int(isinstance(made.signature.return_type, (types.Integer, types.Boolean)))
    return (size, function, address(record), check, expected), [record, place, args, made]


def ufunc_row(ufunc: np.ufunc, arrays: list[np.ndarray], out: np.ndarray) -> Any:
    """The instruction `out = ufunc(*arrays)`, broadcast; None where there is no such loop."""
    everything = [*(np.broadcast_to(a, out.shape) for a in arrays), out]
    found = loop_of(ufunc, tuple(a.dtype.char for a in everything))
    folded = fold(out.shape, [a.strides for a in everything])
    if found is None or folded is None or len(everything) > 4:
        return None
    (n0, n1, n2), steps = folded
    places = [w for a, (s0, s1, _) in zip(everything, steps) for w in (address(a), s0, s1)]
    inner = [s2 for _, _, s2 in steps]
    pad = [0] * (4 - len(everything))
    head = [found[1], len(everything), n0, n1, 0, 0, 0, 0, n2]
    record = _record([*head, *inner, *pad, *places])
    return (UFUNC, found[0], address(record), 0, 0), [record, arrays, out]


def copy_row(target: np.ndarray, source: np.ndarray) -> Any:
    """The instruction `target[...] = source`, of one dtype; None where the strides are too many."""
    source = np.broadcast_to(source, target.shape)
    size = target.itemsize
    if target.flags.c_contiguous and source.flags.c_contiguous:
        record = _record([address(target), address(source), target.nbytes])
        return (MOVE, 0, address(record), 0, 0), [record, target, source]
    folded = fold(target.shape, [target.strides, source.strides])
    if folded is None or target.dtype != source.dtype or size not in (1, 2, 4, 8):
        return None
    sizes, steps = folded
    record = _record([size, address(target), address(source), *sizes, *steps[0], *steps[1]])
    return (COPY, 0, address(record), 0, 0), [record, target, source]


def input_row(place: int, buffer: np.ndarray) -> Any:
    """The instruction that copies argument `place` of a call into `buffer`, if it is like that."""
    record = _record([id(buffer), address(buffer), buffer.nbytes])
    return (INPUT, place, address(record), 0, 0), [record, buffer]


def key_row(bits: Any, low: int, high: int) -> Any:
    """The instruction that draws 64 bits and writes their halves to the addresses low and high."""
    face = bits.ctypes
    function = ctypes.cast(face.next_uint64, ctypes.c_void_p).value
    record = _record([face.state_address, low, high])
    return (KEY, function, address(record), 0, 0), [record, face, bits]


def product_row(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> Any:
    """The instruction `out = x @ y` as NumPy would call BLAS; None where NumPy does otherwise."""
    name = {"f": "sgemm", "d": "dgemm"}.get(out.dtype.char)
    if name is None or blas_address(name) is None:
        return None
    if not (x.ndim == y.ndim == out.ndim == 2 and x.dtype == y.dtype == out.dtype):
        return None
    (m, k), n = x.shape, y.shape[1]
    if min(m, n, k) < 2 or not out.flags.c_contiguous or np.may_share_memory(x, y):
        return None  # vectors go to gemv, a matrix and its transpose to syrk
    (ta, lda), (tb, ldb) = _leading(x), _leading(y)
    if not ta or not tb:
        return None
    size = [blas_address(name), ta, tb, m, n, k, address(x), lda, address(y), ldb, address(out), n]
    record = _record(size)
    kind = (SGEMM if name == "sgemm" else DGEMM) + _NARROW * _blas()[0]
    return (kind, 0, address(record), 0, 0), [record, x, y, out]


def _leading(x: np.ndarray) -> tuple[int, int]:
    """(cblas' flag for the transposition, leading dimension); (0, 0) if it lies otherwise."""
    if x.flags.c_contiguous:
        return 111, x.shape[1]
    if x.flags.f_contiguous:
        return 112, x.shape[0]
    return 0, 0


def fold(
    shape: tuple[int, ...], strides: list[tuple[int, ...]]
) -> tuple[tuple[int, int, int], list[tuple[int, int, int]]] | None:
    """The same elements as at most three loops: (sizes, strides of each array); None for more."""
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        if sizes and all(its[-1] == s[axis] * n for its, s in zip(steps, strides)):
            sizes[-1] *= n
            for its, s in zip(steps, strides):
                its[-1] = s[axis]
            continue
        sizes.append(n)
        for its, s in zip(steps, strides):
            its.append(s[axis])
    if len(sizes) > 3:
        return None
    lead = 3 - len(sizes)
    full: Any = (*[1] * lead, *sizes)
    padded: Any = [(*[0] * lead, *its) for its in steps]
    return full, padded


@functools.cache
def available() -> bool:
    """True where kernels can be called by address: tried out once on a product and a sum."""
    known = platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")
    if not JIT or not known or sys.platform == "win32" or not layout_known():
        return False
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.float32)
    out = np.zeros((2, 3), np.float32)
    row = ufunc_row(np.add, [x, y], out)
    if row is None:
        return False
    return run([row[0]], ()) == -1 and bool((out == x + 1).all())


def run(rows: list[Row], given: tuple[Any, ...]) -> int:
    """Run instructions once, for checks; see `replay`."""
    from autograd.kernel import TUPLE_ITEMS

    return replay.run(np.array(rows, np.int64), 0, len(rows), id(given) + TUPLE_ITEMS)
