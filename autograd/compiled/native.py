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

from collections.abc import Callable
from typing import Any

from autograd.kernel import (
    TUPLE_ITEMS,
    Kernel,
    Native,
    device,
    is_flat,
    kernel,
    same_shape,
    word_at,
)

CALL16, CALL32, CALL64, CALL128, UFUNC, COPY, MOVE, INPUT, SGEMM, DGEMM = range(10)
KEY = 12
"""Kinds of instructions; 10 and 11 are SGEMM and DGEMM with 32-bit integers."""
MISSED = -2
"""Of `replay_guarded`: nothing was done."""
DOUBLES = 8
"""Floating-point operands of a call."""
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
                shape = ir.FunctionType(ir.IntType(32), [word] * size + [real] * DOUBLES)
                words = builder.inttoptr(args[1], word.as_pointer())
                end = builder.gep(words, [ir.Constant(word, size)])
                reals = builder.bitcast(end, real.as_pointer())

                def operands(start: Any, count: int) -> list[Any]:
                    places = [builder.gep(start, [ir.Constant(word, k)]) for k in range(count)]
                    return [builder.load(place) for place in places]

                return builder.call(
                    builder.inttoptr(args[0], shape.as_pointer()),
                    operands(words, size) + operands(reals, DOUBLES),
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
        row = code + 40 * i
        kind, function, record = word_at(row), word_at(row + 8), word_at(row + 16)
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
            sizes, steps, places = operands + 32, operands + 64, operands + 144
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
                    if t2 == size and s2 == size:
                        move(t, s, n2 * size)
                        continue
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
        check, expected = word_at(row + 24), word_at(row + 32)
        if status != 0 or (check != 0 and word_at(word_at(record)) != expected):
            return i
    return -1


@kernel
def replay(code, start, stop, given):
    """Run instructions start to stop; the number of one that failed, or -1.

    `given`: the address of a tuple's items, the arrays that the step was called with.
    """
    return _run_rows(code.ctypes.data, start, stop, given)


@device
def _unpacked(given, room, count, layout):
    """True for a tuple of `count` Tensors that want no gradient; writes where their arrays are."""
    if word_at(given + _DATA) != count:
        return False
    for k in range(count):
        t = word_at(given + TUPLE_ITEMS + 8 * k)
        if word_at(t + _DATA - 8) != word_at(layout):
            return False
        if word_at(t + word_at(layout + 16)) != word_at(layout + 24):
            return False
        store_word(room + 8 * k, word_at(t + word_at(layout + 8)))
    return True


@kernel
def replay_each(code, given, layout, room, result, size, target):
    """Run all instructions once for each tuple in `given`; how many were run, plus one each time.

    `given`: addresses of tuples of Tensors.  `layout`: how those lie in memory.  `room`: for the
    addresses of a tuple's arrays.  After each, `size` bytes at address `result` are copied to
    `target`, one behind the other.
    """
    count = code.shape[0]
    for k in range(given.size):
        if not _unpacked(given[k], room.ctypes.data, room.size, layout.ctypes.data):
            return k * (count + 1)
        failed = _run_rows(code.ctypes.data, 0, count, room.ctypes.data)
        if failed >= 0:
            return k * (count + 1) + failed
        move(target + k * size, result, size)
    return given.size * (count + 1)


@device
def _hold(facts, count):
    """True where all facts hold; see `guards`."""
    for i in range(count):
        fact = facts + 32 * i
        word, offset = word_at(word_at(fact)), word_at(fact + 8)
        if offset >= 0:
            word = word_at(word + offset)
        if word & word_at(fact + 24) != word_at(fact + 16):
            return False
    return True


@kernel
def replay_guarded(record, given):
    """Run a plan if its facts hold: -1, or MISSED, or the number of an instruction that failed.

    `record`: addresses and sizes of the instructions, the facts, the versions to count up, and
    room for the addresses of the arguments' arrays; how Tensors lie in memory; the results.
    `given`: the address of a tuple of Tensors.  Where the result is in tensor k of the results, it
    gives MISSED - 1 - k.
    """
    if not _hold(word_at(record + 16), word_at(record + 24)):
        return MISSED
    room = word_at(record + 48)
    if not _unpacked(given, room, word_at(record + 56), record + 64):
        return MISSED
    failed = _run_rows(word_at(record), 0, word_at(record + 8), room)
    if failed == -1:
        versions = word_at(record + 32)
        for k in range(word_at(record + 40)):
            version = word_at(versions + 8 * k)
            store_word(version, word_at(version) + 1)
        results = word_at(record + 96)
        for k in range(word_at(record + 104)):
            row = results + 24 * k
            if _hold(word_at(row), word_at(row + 8)):
                move(word_at(row + 16), word_at(record + 112), word_at(record + 120))
                return MISSED - 1 - k
    return failed


def entry(k: Kernel, *like: Any) -> Callable[..., Any]:
    """The compiled kernel for arguments like these, without Numba's choice among signatures.

    That choice costs 130 ns a call.
    """
    dispatcher = k.compiled()
    kinds = tuple(dispatcher.typeof_pyval(a) for a in like)
    dispatcher.compile(kinds)
    return dispatcher.overloads[kinds].entry_point
