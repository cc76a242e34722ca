"""A reduction over any axes as one over the middle of (outer, n, inner), and room for its sums."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.kernel import device

FEW = 1024
"""Elements up to which a plain loop beats one with lanes."""


@functools.lru_cache(maxsize=4096)
def _plan(op: str, shape: shapes.Shape, dim: Any, keepdim: bool) -> tuple[Any, ...]:
    """Shape of the result, axes, transposition that makes them neighbours, (outer, n, inner)."""
    axes = shapes.axis_indices(dim, len(shape), op)
    out = shapes.reduced(shape, axes, keepdim)
    order = None
    if axes and axes != tuple(range(axes[0], axes[-1] + 1)):
        order = tuple(i for i in range(len(shape)) if i not in axes) + axes
    count = shapes.numel([shape[a] for a in axes])
    outer = shapes.numel(shape[: axes[0]] if axes and order is None else out)
    inner = shapes.numel(shape[axes[-1] + 1 :]) if axes and order is None else 1
    return out, axes, order, (outer, count, inner)


def plan(op: str, shape: shapes.Shape, dim: Any, keepdim: bool) -> tuple[Any, ...]:
    """`_plan`, for which a list of dimensions becomes a tuple."""
    return _plan(op, shape, tuple(dim) if isinstance(dim, list) else dim, keepdim)


def blocks(x: np.ndarray, order: Any, sizes: tuple[int, int, int]) -> np.ndarray:
    """As (outer, n, inner), copied only where the axes are apart."""
    return (x if order is None else moves.packed(x.transpose(order))).reshape(sizes)


def lanes_for(n: int, inner: int) -> np.ndarray:
    """Room for float64 partial sums: of columns side by side, or of one row in up to 64 lanes."""
    return np.empty(
        min(inner, 1024) if inner > 1 else min(64, 1 << (n - 1).bit_length() if n else 1)
    )


@device
def extreme_of(row, lanes, largest):
    """The largest or smallest of a row that is not empty; NaN where there is one.

    A long one is run through as many `lanes`, a power of two, which LLVM vectorises: 0.1 ns per
    element, else 1.5.
    """
    width, best = lanes.size, row[0]
    full = row.size - row.size % width if row.size > 2 * width else 0
    if full:
        for k in range(width):
            lanes[k] = row[k]
        for start in range(width, full, width):
            part = row[start : start + width]
            if largest:
                for k in range(width):
                    v, b = part[k], lanes[k]
                    lanes[k] = v if (v > b) | (v != v) else b
            else:
                for k in range(width):
                    v, b = part[k], lanes[k]
                    lanes[k] = v if (v < b) | (v != v) else b
        left = width
        while left > 1:
            left //= 2
            for k in range(left):
                v, b = lanes[k + left], lanes[k]
                lanes[k] = v if ((v > b) if largest else (v < b)) | (v != v) else b
        best = lanes[0]
    for j in range(full, row.size):
        v = row[j]
        best = v if (v > best if largest else v < best) or v != v else best
    return best


@device
def fold(lanes):
    """The sum of the lanes, a power of two."""
    width = lanes.size
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] += lanes[i + width]
    return lanes[0]


@device
def sum_of_rows(out, x):
    """The sums of the columns of a small matrix: the gradient of a bias."""
    for j in range(x.shape[1]):
        total = 0.0
        for i in range(x.shape[0]):
            total += x[i, j]
        out[j] = total
