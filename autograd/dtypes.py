"""Dtypes and PyTorch's promotion rules.

A result's dtype is decided in three ranks: tensors with dimensions, then 0-d tensors, then Python
and NumPy numbers.  A lower rank changes the result only when its category (bool < int < float) is
higher.  So a number never widens float32, and int64 + 1.5 is float32.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool_ = np.dtype(np.bool_)

SUPPORTED = (float32, float64, int8, int16, int32, int64, uint8, bool_)
_CANONICAL = {dtype: dtype for dtype in SUPPORTED}
_LISTED = ", ".join(d.name for d in SUPPORTED)
DEFAULT = float32
"""What Python floats become, and what integers become in a function of the reals."""

_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}
_DIMENSIONED, _ZERO_D, _NUMBER = range(3)


def as_dtype(dtype: Any) -> np.dtype:
    """The NumPy dtype that `dtype` names; TypeError where the engine has no such type."""
    names: dict[Any, np.dtype] = {float: DEFAULT, int: int64, bool: bool_}
    try:
        found = names.get(dtype) or np.dtype(dtype).newbyteorder("=")
    except TypeError:
        raise TypeError(f"{dtype!r} is not a dtype; the engine has {_LISTED}") from None
    if found not in SUPPORTED:
        raise TypeError(f"dtype {found.name} is not supported; the engine has {_LISTED}")
    return _CANONICAL[found]


def canonical(array: np.ndarray) -> np.ndarray:
    """`array` with the one object that stands for its dtype, in this machine's byte order.

    NumPy makes equal dtypes that are other objects (unpickled, byte-swapped); the engine and its
    kernels compare them by identity.
    """
    dtype = as_dtype(array.dtype)
    if array.dtype is dtype:
        return array
    return array.view(dtype) if array.dtype.isnative else array.astype(dtype)


def is_float(dtype: np.dtype) -> bool:
    """True for float32 and float64, the dtypes that have gradients."""
    return dtype.kind == "f"


def result_type(*values: Any) -> np.dtype:
    """The common dtype of arrays and Python numbers by PyTorch's rules."""
    return _promote(tuple(_describe(value) for value in values))


def _describe(value: Any) -> tuple[np.dtype, int]:
    if isinstance(value, np.ndarray):
        return value.dtype, _DIMENSIONED if value.ndim else _ZERO_D
    for kind, dtype in ((bool, bool_), (int, int64), (float, DEFAULT)):
        if isinstance(value, kind):
            return dtype, _NUMBER
    return np.asarray(value).dtype, _NUMBER


@functools.lru_cache(maxsize=4096)
def _promote(described: tuple[tuple[np.dtype, int], ...]) -> np.dtype:
    result: np.dtype | None = None
    for rank in (_DIMENSIONED, _ZERO_D, _NUMBER):
        dtypes = [dtype for dtype, its_rank in described if its_rank == rank]
        if not dtypes:
            continue
        lower = functools.reduce(_join, dtypes)
        if result is None:
            result = lower
        elif _CATEGORY[lower.kind] > _CATEGORY[result.kind]:
            result = _join(result, lower)
    return result if result is not None else DEFAULT


def _join(a: np.dtype, b: np.dtype) -> np.dtype:
    """The smallest dtype of the higher category that holds both; int with float is that float."""
    if _CATEGORY[a.kind] == _CATEGORY[b.kind]:
        return np.promote_types(a, b)
    return max(a, b, key=lambda d: _CATEGORY[d.kind])
