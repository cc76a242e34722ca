"""What losses over classes share: shapes, class numbers, and the softmax of some rows at a time.

Input is (N, C, d1, ...) or (C,): the loops see x (N, C, D) and one target per row, a pair of N and
D.  Rows are brought into a tile of `scratch` that stays in the first-level cache, where exp runs
over many rows at once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes, vmath
from autograd.errors import DtypeError, ShapeError
from autograd.kernel import device
from autograd.reduction import reduced_shape, require_float

exp_ = vmath.exp

MODES = {"none": 0, "sum": 1, "mean": 2}
"""Reductions as the loops know them."""
_TILE = 1024


@device
def gather(tile, x, first):
    """Copy rows `first`, `first + 1` ... of x (N, C, D) to the tile, neighbours together."""
    classes, inner = x.shape[1], x.shape[2]
    if inner == 1:
        flat = x.reshape(x.size)
        part = flat[first * classes : first * classes + tile.size]
        for i in range(tile.size):
            tile[i] = part[i]
        return
    r = 0
    while r * classes < tile.size:
        n, d = (first + r) // inner, (first + r) % inner
        span = min(tile.size // classes - r, inner - d)
        for c in range(classes):
            for k in range(span):
                tile[(r + k) * classes + c] = x[n, c, d + k]
        r += span


@device
def scatter(out, tile, first):
    """The way back: write the tile to rows `first`, `first + 1` ... of out (N, C, D)."""
    classes, inner = out.shape[1], out.shape[2]
    if inner == 1:
        flat = out.reshape(out.size)
        part = flat[first * classes : first * classes + tile.size]
        for i in range(tile.size):
            part[i] = tile[i]
        return
    r = 0
    while r * classes < tile.size:
        n, d = (first + r) // inner, (first + r) % inner
        span = min(tile.size // classes - r, inner - d)
        for c in range(classes):
            for k in range(span):
                out[n, c, d + k] = tile[(r + k) * classes + c]
        r += span


@device
def shift(row):
    """Subtract a row's maximum; found as four, since one would wait for each comparison."""
    size = row.size
    a = b = c = d = row.dtype.type(-np.inf)
    for j in range(0, size - 3, 4):
        a = row[j] if row[j] > a else a
        b = row[j + 1] if row[j + 1] > b else b
        c = row[j + 2] if row[j + 2] > c else c
        d = row[j + 3] if row[j + 3] > d else d
    for j in range(size - size % 4, size):
        a = row[j] if row[j] > a else a
    a = a if a > b else b
    c = c if c > d else d
    a = a if a > c else c
    for j in range(size):
        row[j] -= a


@device
def exponentiate(tile):
    """Tile = exp(tile)."""
    for i in range(tile.size):
        tile[i] = exp_(tile[i])


def scratch(x: np.ndarray, width: int) -> np.ndarray:
    """Memory for the tile of a loop over x (N, C, D): some rows of `width` numbers."""
    rows = max(1, min(_TILE // max(width, 1), x.shape[0] * x.shape[2]))
    return np.empty((rows, width), x.dtype)


def class_dim(x: shapes.Shape) -> int:
    """The dimension of an input that holds the classes."""
    return 1 if len(x) > 1 else 0


def by_class(x: np.ndarray) -> np.ndarray:
    """X as (N, C, D)."""
    if x.ndim == 2:
        return x.reshape(*x.shape, 1)
    if x.ndim == 1:
        return x.reshape(1, -1, 1)
    return x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))


def rows_of(op: str, x: shapes.Shape, weight: shapes.Shape | None) -> shapes.Shape:
    """The shape of `x` without its classes; ShapeError where the weights are not one per class."""
    if not x:
        raise ShapeError(f"{op}: x is 0-d; expected (C,), (N, C) or (N, C, ...)")
    dim = class_dim(x)
    if weight is not None and weight != x[dim : dim + 1]:
        raise ShapeError(f"{op}: x is {x} but weight is {weight}; expected weight ({x[dim]},)")
    return x[:dim] + x[dim + 1 :]


def index_shape(
    op: str, x: shapes.Shape, target: shapes.Shape, weight: shapes.Shape | None, reduction: str
) -> shapes.Shape:
    """The shape of a loss whose target holds class numbers; with x (C,) it may be () or (1,)."""
    expected = rows_of(op, x, weight)
    if target != expected and not (target == (1,) and len(x) == 1):
        raise ShapeError(f"{op}: x is {x} but target is {target}; expected target {expected}")
    return reduced_shape(op, expected, reduction)


def require_classes(op: str, x: np.ndarray, target: np.ndarray, ignore_index: int) -> None:
    """All checks of dtypes and class numbers, for references."""
    require_float(op, x)
    require_numbers(op, class_numbers(op, target), x.shape[class_dim(x.shape)], ignore_index)


def check_smoothing(label_smoothing: float) -> None:
    """RuntimeError unless 0 <= label_smoothing <= 1."""
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(
            f"cross_entropy: label_smoothing must be between 0 and 1; got {label_smoothing}"
        )


def class_numbers(op: str, target: np.ndarray) -> np.ndarray:
    """The target flat, as int64."""
    if target.dtype == dtypes.int64:
        return target.ravel()
    if target.dtype == dtypes.uint8:
        return moves.converted(target.ravel(), dtypes.int64)
    raise DtypeError(
        f"{op}: expected target dtype to be int64 or uint8, but got {target.dtype.name}; use"
        " target.long()"
    )


def require_numbers(op: str, target: Any, classes: int, ignore_index: int) -> None:
    """IndexError for a class number out of range."""
    wrong = target[((target < 0) | (target >= classes)) & (target != ignore_index)]
    if wrong.size:
        ignored = f", or ignore_index={ignore_index}" if ignore_index > -(2**62) else ""
        raise IndexError(
            f"{op}: target {wrong[0]} is out of bounds for {classes} classes; expected 0 to"
            f" {classes - 1}{ignored}"
        )


def as_matrix(x: np.ndarray) -> np.ndarray:
    """X as (N, C)."""
    return x if x.ndim == 2 else x.reshape(1, -1)


def require_int64(op: str, target: np.ndarray) -> None:
    """DtypeError for class numbers of another dtype."""
    if target.dtype != dtypes.int64:
        raise DtypeError(
            f"{op}: expected target dtype to be int64, but got {target.dtype.name}; use"
            " target.long()"
        )


def require_range(op: str, target: np.ndarray, low: int, classes: int) -> None:
    """RuntimeError for class numbers below `low` or too high."""
    wrong = target[(target < low) | (target >= classes)]
    if wrong.size:
        raise RuntimeError(
            f"{op}: target {wrong[0]} is out of range; expected {low} to {classes - 1}"
        )


def rows_and_classes(op: str, x: shapes.Shape) -> tuple[int, int]:
    """Rows and classes of x: (C,), (N, C), or a number, which is one class."""
    if len(x) > 2 or 0 in x[-1:]:
        raise ShapeError(f"{op}: x is {x}; expected (C,) or (N, C) with C > 0")
    return (x[0] if len(x) == 2 else 1), (x[-1] if x else 1)
