"""Copies as instructions: of any strides, where a mask says so, from another dtype, of one number.

What NumPy's `copyto` and `concatenate` do, without NumPy.  A few loops serve all dtypes, for they
move bytes; only a conversion is compiled for its pair of dtypes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import moves
from autograd.compiled import encode
from autograd.compiled.native import copy8, copy16, copy32, copy64
from autograd.kernel import Kernel, byte_at, kernel

Rows = list[tuple[encode.Row, Any]]
"""Instructions, each with what must stay alive for it."""
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@kernel
def _strided(target, source, mask, layout):
    """Element by element; `layout`: bytes each, dimensions, sizes, and steps of all three."""
    size, ndim = layout[0], layout[1]
    sizes, to = layout[2 : 2 + ndim], layout[2 + ndim : 2 + 2 * ndim]
    by, only = layout[2 + 2 * ndim : 2 + 3 * ndim], layout[2 + 3 * ndim :]
    rows = 1
    for d in range(ndim - 1):
        rows *= sizes[d]
    for row in range(rows):
        t, s, m, rest = target, source, mask, row
        for k in range(ndim - 1):
            d = ndim - 2 - k
            i = rest % sizes[d]
            rest //= sizes[d]
            t, s, m = t + i * to[d], s + i * by[d], m + i * only[d]
        for _ in range(sizes[ndim - 1]):
            if mask == 0 or byte_at(m) != 0:
                if size == 4:
                    copy32(t, s)
                elif size == 8:
                    copy64(t, s)
                elif size == 2:
                    copy16(t, s)
                else:
                    copy8(t, s)
            t, s, m = t + to[ndim - 1], s + by[ndim - 1], m + only[ndim - 1]


@kernel
def _fill(out, value):
    for i in range(out.size):
        out[i] = value[0]


def call(k: Kernel, *args: Any) -> tuple[encode.Row, Any]:
    """A call of a kernel as an instruction."""
    row, keep = encode.call_row(k.compiled(), args, 0)
    return row, [keep, args]


def copy_rows(target: np.ndarray, source: np.ndarray, mask: np.ndarray | None = None) -> Rows:
    """The instructions `target[...] = source`, or `target[mask] = source`."""
    if not target.size:
        return []
    if source.dtype != target.dtype:
        before, source = _converted(source, target.dtype)
        return before + copy_rows(target, source, mask)
    if mask is not None:
        return [_by_element(target, source, mask)]
    if source.size == 1 and target.flags.c_contiguous:
        word = _WORDS[target.itemsize]
        return [call(_fill, target.reshape(-1).view(word), source.reshape(-1).view(word))]
    return [encode.copy_row(target, source) or _by_element(target, source, None)]


def _by_element(target: np.ndarray, source: np.ndarray, mask: Any) -> tuple[encode.Row, Any]:
    shape = target.shape or (1,)
    arrays = [target.reshape(shape) if not target.ndim else target, source]
    arrays += [np.broadcast_to(np.bool_(True), shape) if mask is None else mask]
    steps = [n for a in arrays for n in np.broadcast_to(a, shape).strides]
    layout = np.array([target.itemsize, len(shape), *shape, *steps], np.int64)
    places = [encode.address(target), encode.address(source)]
    places.append(0 if mask is None else encode.address(mask))
    row, keep = call(_strided, *places, layout)
    return row, [keep, target, source, mask]


def _converted(x: np.ndarray, dtype: np.dtype) -> tuple[Rows, np.ndarray]:
    """Instructions that bring x to another dtype, and where."""
    rows: Rows = []
    if not x.flags.c_contiguous:
        room = np.empty(x.shape, x.dtype)
        room[...] = x
        rows, x = copy_rows(room, x), room
    out = np.empty(x.shape, dtype)
    flat = out.reshape(-1), x.reshape(-1)
    if dtype.kind in "iu" and x.dtype.kind == "f":
        rows.append(call(moves.truncate_loop, *flat, moves.via(dtype)))
    else:
        rows.append(call(moves.convert_loop, *flat))
    return rows, out
