"""Instructions: what is to be run, as rows of numbers and records of operands for `native.replay`.

Each `*_row` function gives (row, what must stay alive for it), or None where there is no
native form.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import sys
from typing import Any

import numpy as np

from autograd.compiled.addresses import blas, blas_address, loop_of
from autograd.compiled.native import (
    CALL16,
    CALL32,
    CALL64,
    CALL128,
    COPY,
    DGEMM,
    DOUBLES,
    INPUT,
    KEY,
    MOVE,
    SGEMM,
    UFUNC,
    replay,
)
from autograd.kernel import JIT, TUPLE_ITEMS, layout_known

_NARROW = 2  # added to SGEMM, DGEMM for a BLAS of 32-bit integers
_SIZES = {CALL16: 16, CALL32: 32, CALL64: 64, CALL128: 128}


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


_overloads: dict[Any, Any] = {}
"""Compiled kernels by dispatcher and what decides on their signature: asking Numba takes 100 us."""


def _overload(dispatcher: Any, args: tuple[Any, ...]) -> Any:
    key = (dispatcher, *map(_kind, args))
    made = _overloads.get(key)
    if made is None:
        kinds = tuple(dispatcher.typeof_pyval(a) for a in args)
        if kinds not in dispatcher.overloads:
            dispatcher.compile(kinds)
        made = _overloads[key] = dispatcher.overloads[kinds]
    return made


def _kind(value: Any) -> Any:
    """What Numba's type of an argument depends on."""
    if isinstance(value, np.ndarray):
        flags = value.flags
        layout = flags.c_contiguous, flags.f_contiguous, flags.aligned, flags.writeable
        return type(value), value.dtype, value.ndim, layout
    if isinstance(value, tuple):
        return tuple(map(_kind, value))
    return (int, not -(2**63) <= value < 2**63) if type(value) is int else type(value)


def call_row(dispatcher: Any, args: tuple[Any, ...], expected: int) -> tuple[Row, list[Any]]:
    """The instruction that calls a jitted function, and what must stay alive for it.

    `expected`: what it has to return, if it returns a whole number.
    """
    from numba import types

    made = _overload(dispatcher, args)
    place = np.zeros(4, np.int64)  # for the result, and for Numba's exception
    words, doubles = [address(place), address(place) + 16], []
    for value, kind in zip(args, made.signature.args):
        its_words, its_doubles = _flat(value, kind)
        words += its_words
        doubles += its_doubles
    size = next((k for k, n in _SIZES.items() if len(words) <= n), None)
    if size is None or len(doubles) > DOUBLES:
        raise TypeError("too many operands")
    rest = [0] * (_SIZES[size] - len(words))
    record = _record([*words, *rest, *doubles, *[0] * (DOUBLES - len(doubles))])
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
    head = [found[1], len(everything), n0, n1, 0, 0, 0, 0]
    record = _record([*head, *_padded([n2], 4), *_padded(inner, 10), *places])
    return (UFUNC, found[0], address(record), 0, 0), [record, arrays, out]


def matmul_row(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> Any:
    """The instruction `out = x @ y` by NumPy's own loop over stacks of matrices.

    It chooses among gemm, gemv, syrk and a plain loop by sizes and strides, as eager does.  None
    where the stacks do not lie in three loops.
    """
    arrays, batch = [x, y, out], out.shape[:-2]
    found = loop_of(np.matmul, tuple(a.dtype.char for a in arrays))
    stacks = [np.broadcast_to(a, (*batch, *a.shape[-2:])) for a in arrays]
    folded = fold(batch, [a.strides[:-2] for a in stacks])
    if found is None or folded is None:
        return None
    (n0, n1, n2), steps = folded
    core = [0 if n == 1 else s for a in arrays for n, s in zip(a.shape[-2:], a.strides[-2:])]
    places = [w for a, (s0, s1, _) in zip(stacks, steps) for w in (address(a), s0, s1)]
    head = [found[1], 3, n0, n1, 0, 0, 0, 0, n2, x.shape[-2], x.shape[-1], y.shape[-1]]
    record = _record([*head, *_padded([s2 for _, _, s2 in steps] + core, 10), *places])
    return (UFUNC, found[0], address(record), 0, 0), [record, arrays]


def _padded(words: list[int], size: int) -> list[int]:
    return words + [0] * (size - len(words))


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
    kind = (SGEMM if name == "sgemm" else DGEMM) + _NARROW * blas()[0]
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
    return replay.run(np.array(rows, np.int64), 0, len(rows), id(given) + TUPLE_ITEMS)
