"""Copies, fills and conversions: what an op's kernel does besides running loops and ufuncs.

A compiled plan learns what an op does from the launches it makes: jitted kernels, and NumPy
functions that go through `quiet.run`.  So a kernel writes into arrays by one of these functions,
not by `out[...] = x`, and computes nothing from the contents of an array in Python.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from autograd import shapes
from autograd.kernel import kernel
from autograd.op import quiet

_I32, _I64 = np.empty(0, np.int32), np.empty(0, np.int64)


def copy(out: np.ndarray, x: np.ndarray) -> None:
    """`out[...] = x`: an array of the same dtype, which broadcasts."""
    quiet.run(np.copyto, out, x)


def fill(out: np.ndarray, value: float) -> None:
    """`out[...] = value`, a number."""
    quiet.run(np.copyto, out, value, "unsafe")


def copy_where(out: np.ndarray, x: np.ndarray, mask: np.ndarray) -> None:
    """`out[mask] = x`; all three broadcast to the shape of `out`."""
    quiet.run(np.copyto, out, x, where=mask)


@kernel
def convert_loop(out, x):
    """Whole numbers wrap, floats round; every number but 0 is True."""
    for i in range(out.size):
        out[i] = x[i]


@kernel
def truncate_loop(out, x, via):
    """Floats to whole numbers, by way of int32 or int64 as C does it."""
    for i in range(out.size):
        out[i] = via.dtype.type(x[i])


def via(dtype: np.dtype) -> np.ndarray:
    """What `truncate_loop` is told to go by, for whole numbers of this dtype."""
    return _I64 if dtype.itemsize == 8 else _I32


def convert(out: np.ndarray, x: np.ndarray) -> None:
    """`out[...] = x` for arrays of any two dtypes, C-contiguous and of one shape."""
    if out.dtype.kind in "iu" and x.dtype.kind == "f":
        truncate_loop.run(out.reshape(-1), x.reshape(-1), via(out.dtype))
    else:
        quiet.run(np.copyto, out, x, "unsafe")


def converted(x: np.ndarray, dtype: Any) -> np.ndarray:
    """`x` itself where it has that dtype, else a copy that has."""
    if x.dtype == dtype:
        return x
    out, x = np.empty(x.shape, dtype), packed(x)
    convert(out, x)
    return out


def packed(x: np.ndarray) -> np.ndarray:
    """`x` itself where it is C-contiguous, else a copy that is."""
    if x.flags.c_contiguous:
        return x
    out = np.empty(x.shape, x.dtype)
    quiet.run(np.copyto, out, x)
    return out


def spread(x: np.ndarray, shape: shapes.Shape) -> np.ndarray:
    """`x` broadcast to `shape`, C-contiguous."""
    if x.shape == shape:
        return packed(x)
    out = np.empty(shape, x.dtype)
    quiet.run(np.copyto, out, x)
    return out


# What is the same at every run


class _Constant(np.ndarray):
    """Memory that no run of an op changes: a plan may read it where it is."""


def frozen(array: np.ndarray) -> np.ndarray:
    """A copy of what depends on shapes and metadata alone, never on data.

    It is not marked as read-only, which to Numba is another type: another kernel to compile.
    """
    memory: Any = _Constant(array.shape, array.dtype)
    memory[...] = array
    return np.ndarray(array.shape, array.dtype, memory)


@functools.lru_cache(maxsize=256)
def full(shape: shapes.Shape, value: float, dtype: np.dtype) -> np.ndarray:
    """An array of one number, made once; not to be written into."""
    return frozen(np.full(shape, value, dtype))


def is_constant(array: Any) -> bool:
    """True for what `frozen` and `full` made, and views of that."""
    while isinstance(array, np.ndarray):
        if type(array) is _Constant:
            return True
        array = array.base
    return False
