"""Matrix products for kernels, and the choice between them and the BLAS that NumPy brings."""

from __future__ import annotations

import math

import numpy as np

from autograd import moves
from autograd.errors import ShapeError
from autograd.kernel import device, reordered
from autograd.op import quiet
from autograd.shapes import Shape

SMALL = 4096
"""Multiplications up to which the loops win.  On the reference machine, float32, loop against BLAS:
32x2x16 0.8 and 2.2 us, 8x64x8 1.7 and 2.0 us, 32x16x16 2.3 and 2.0 us, 64x64x10 18 and 3 us."""


@device
def product(out, x, y):
    """`out = x @ y`."""
    m, k = x.shape
    n = y.shape[1]
    zero = out.dtype.type(0)
    for i in range(m):
        if n == 1:  # the general loop below would go through memory at every step
            s = zero
            for p in range(k):
                s += x[i, p] * y[p, 0]
            out[i, 0] = s
            continue
        for j in range(n):
            out[i, j] = zero
        for p in range(k):
            a = x[i, p]
            for j in range(n):
                out[i, j] += a * y[p, j]


@device
def product_tn(out, x, y):
    """`out = x.T @ y`."""
    k, m = x.shape
    n = y.shape[1]
    zero = out.dtype.type(0)
    for i in range(m):
        for j in range(n):
            out[i, j] = zero
    for p in range(k):
        if n == 1:
            b = y[p, 0]
            for i in range(m):
                out[i, 0] += x[p, i] * b
            continue
        for i in range(m):
            a = x[p, i]
            for j in range(n):
                out[i, j] += a * y[p, j]


@reordered
def product_nt(out, x, y):
    """`out = x @ y.T`: products of rows, each one sum."""
    m, k = x.shape
    zero = out.dtype.type(0)
    for i in range(m):
        for j in range(y.shape[0]):
            s = zero
            for p in range(k):
                s += x[i, p] * y[j, p]
            out[i, j] = s


def linear_shape(op: str, x: Shape, weight: Shape, bias: Shape | None) -> Shape:
    """Of `x @ weight.T + bias`; ShapeError in the name of `op`."""
    if len(weight) != 2 or not x or x[-1] != weight[1]:
        expected = f"x (..., {weight[1]})" if len(weight) == 2 else "weight (outputs, inputs)"
        raise ShapeError(f"{op}: x is {x} but weight is {weight}; expected {expected}")
    if bias is not None and bias != weight[:1]:
        raise ShapeError(f"{op}: bias is {bias} but weight is {weight}; expected bias {weight[:1]}")
    return x[:-1] + weight[:1]


def rows(x: np.ndarray) -> np.ndarray:
    """`x` with all but its last dimension made one."""
    return x if x.ndim == 2 else moves.packed(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


def in_order(x: np.ndarray) -> np.ndarray:
    """`x`, copied where it is not contiguous."""
    return moves.packed(x)


def blas(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """np.matmul, which hands transposed matrices to BLAS as is; what lies otherwise is copied."""
    quiet.run(np.matmul, _for_blas(x), _for_blas(y), out)


def _for_blas(x: np.ndarray) -> np.ndarray:
    turned = x.ndim > 1 and x.swapaxes(-1, -2).flags.c_contiguous
    return x if turned else in_order(x)
