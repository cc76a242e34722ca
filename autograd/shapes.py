"""Shape arithmetic: axes, broadcasting, reductions.  Errors name the op and the shapes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from autograd.errors import ShapeError

Shape = tuple[int, ...]


def axis_index(axis: Any, ndim: int, op: str) -> int:
    """`axis` as a number in 0 ... ndim-1; a 0-d array has the axes 0 and -1, as in PyTorch."""
    axis, bound = operator.index(axis), max(ndim, 1)
    if not -bound <= axis < bound:
        raise IndexError(
            f"{op}: dimension {axis} is out of range for {ndim} dimensions;"
            f" expected {-bound} to {bound - 1}"
        )
    return axis % bound


def axis_indices(axis: Any, ndim: int, op: str) -> Shape:
    """`axis` (None for all, an int, or several) as sorted non-negative axes without repeats."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, Iterable) else (axis,)
    found = sorted(axis_index(a, ndim, op) for a in axes)
    if len(set(found)) < len(found):
        raise ShapeError(f"{op}: dimension {axis} names an axis twice")
    return tuple(a for a in found if a < ndim) if ndim else ()


def broadcast(op: str, *shapes: Shape) -> Shape:
    """The shape that `shapes` broadcast to."""
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    ndim = max(map(len, shapes))
    out = []
    for sizes in zip(*((1,) * (ndim - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            listed = " and ".join(map(str, shapes))
            raise ShapeError(
                f"{op}: shapes {listed} do not broadcast; sizes of one dimension must be equal or 1"
            )
        out.append(wide.pop() if wide else 1)
    return tuple(out)


def reduced(shape: Shape, axes: Shape, keepdims: bool) -> Shape:
    """The shape after a reduction over `axes`."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def numel(shape: Sequence[int]) -> int:
    """Number of elements."""
    return math.prod(shape)


def as_shape(sizes: tuple[Any, ...]) -> Shape:
    """The shape in `f(2, 3)` or `f((2, 3))`."""
    if len(sizes) == 1 and isinstance(sizes[0], Iterable):
        sizes = tuple(sizes[0])
    return tuple(operator.index(size) for size in sizes)


def infer(shape: Shape, total: int, op: str) -> Shape:
    """`shape` with its -1, if it has one, replaced by the size that makes `total` elements."""
    if shape.count(-1) > 1:
        raise ShapeError(f"{op}: only one dimension can be -1, got {shape}")
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        if rest and total % rest == 0:
            return tuple(total // rest if n == -1 else n for n in shape)
    elif math.prod(shape) == total and min(shape, default=0) >= 0:
        return shape
    raise ShapeError(f"{op}: shape {shape} is invalid for {total} elements")
