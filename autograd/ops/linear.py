"""Matrix products.  No transposed copy is ever made: `x @ y.T` and `x.T @ y` are ops of their own.

Small products run in jitted loops, large ones in the BLAS that NumPy brings: a call of it costs
1 us, what the loops need for some thousand multiplications.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import kernel as kernels, shapes
from autograd.axes import FEW, sum_of_rows
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.products import (
    SMALL,
    blas,
    in_order,
    linear_shape,
    product,
    product_nt,
    product_tn,
    rows,
)


@kernel
def _product(out, x, y):
    product(out, x, y)


@kernel
def _product_tn(out, x, y):
    product_tn(out, x, y)


@kernel
def _product_nt(out, x, y, bias):
    """`out = x @ y.T + bias`."""
    product_nt(out, x, y)
    if bias is not None:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] += bias[j]


@kernel
def _add_to_rows(out, bias):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] += bias[j]


def _matmul(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    if y.ndim == 1:  # a vector is a matrix of one row, transposed
        _matmul_nt(out.reshape(-1, 1), rows(x), y.reshape(1, -1))
    elif y.ndim > 2:
        blas(out, x, y)
    elif x.ndim != 2:
        _matmul(rows(out), rows(x), y)
    elif out.size * x.shape[1] <= SMALL:
        _product.run(out, in_order(x), in_order(y))
    else:
        blas(out, x, y)


def _matmul_nt(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    if y.ndim == 2:
        _linear(out, x, y, None)
    else:
        blas(out, x, y.swapaxes(-1, -2))


def _matmul_tn(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim == 2 == y.ndim and out.size * x.shape[0] <= SMALL:
        _product_tn.run(out, in_order(x), in_order(y))
    else:
        blas(out, x.swapaxes(-1, -2), y)


def _linear(out: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
    if x.ndim != 2:
        x, out = rows(x), rows(out)
    if out.size * x.shape[1] <= SMALL:
        bias = bias if bias is None else in_order(bias)
        _product_nt.run(out, in_order(x), in_order(weight), bias)
    else:
        blas(out, x, weight.T)
        if bias is not None:
            _add_to_rows.run(out, in_order(bias))


def _batch(op: str, x: shapes.Shape, y: shapes.Shape) -> shapes.Shape:
    """What the leading dimensions of two stacks of matrices broadcast to."""
    if x[:-2] == y[:-2]:
        return x[:-2]
    try:
        return shapes.broadcast(op, x[:-2], y[:-2])
    except ShapeError:
        raise ShapeError(
            f"{op}: x is {x} but y is {y}; their leading dimensions must be equal or 1"
        ) from None


def _matmul_shape(x: shapes.Shape, y: shapes.Shape) -> shapes.Shape:
    if not x or not y:
        raise ShapeError(
            f"matmul: both arguments to matmul need to be at least 1D; x is {x} and y is {y}."
            " Multiply by a number with *"
        )
    k = x[-1]
    if k != (y[0] if len(y) == 1 else y[-2]):
        expected = f"({k},)" if len(y) == 1 else f"(..., {k}, n)"
        raise ShapeError(f"matmul: x is {x} but y is {y}; expected y {expected}")
    if len(x) == 2 == len(y):
        return x[0], y[1]
    rows, columns = x[-2:-1], y[-1:] if len(y) > 1 else ()
    batch = x[:-2] if len(y) <= 2 else y[:-2] if len(x) == 1 else _batch("matmul", x, y)
    return batch + rows + columns


def _matmul_nt_shape(x: shapes.Shape, y: shapes.Shape) -> shapes.Shape:
    if min(len(x), len(y)) < 2 or x[-1] != y[-1]:
        raise ShapeError(f"matmul_nt: x is {x} but y is {y}; expected (..., m, k) and (..., n, k)")
    return *_batch("matmul_nt", x, y), x[-2], y[-2]


def _matmul_tn_shape(x: shapes.Shape, y: shapes.Shape) -> shapes.Shape:
    if min(len(x), len(y)) < 2 or x[-2] != y[-2]:
        raise ShapeError(f"matmul_tn: x is {x} but y is {y}; expected (..., k, m) and (..., k, n)")
    return *_batch("matmul_tn", x, y), x[-1], y[-1]


def _folded(x: Any) -> Any:
    """All but the last dimension of `x` made one, as an op."""
    return x if x.ndim == 2 else ops.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _fitted(g: Any, shape: shapes.Shape) -> Any:
    """`g` summed over the batch dimensions that were broadcast."""
    return g if g.shape == shape else ops.sum_to(g, shape=shape)


def _matmul_dx(g: Any, y: Any, x_shape: shapes.Shape) -> Any:
    if y.ndim == 1:
        return ops.mul(ops.unsqueeze(g, dim=-1), y) if len(x_shape) > 1 else ops.mul(g, y)
    if len(x_shape) == 1:
        if y.ndim == 2:
            return ops.matmul(y, g)
        column = _fitted(ops.matmul(y, ops.unsqueeze(g, dim=-1)), (*x_shape, 1))
        return ops.squeeze(column, dim=-1)
    return _fitted(ops.matmul_nt(g, y), x_shape)


def _matmul_dy(g: Any, x: Any, y_shape: shapes.Shape) -> Any:
    if x.ndim == 1:
        if len(y_shape) == 1:
            return ops.mul(g, x)
        return ops.sum_to(
            ops.mul(ops.unsqueeze(x, dim=-1), ops.unsqueeze(g, dim=-2)), shape=y_shape
        )
    if len(y_shape) == 1:
        return ops.matmul(ops.reshape(g, shape=(-1,)) if g.ndim > 1 else g, _folded(x))
    if len(y_shape) == 2:
        return ops.matmul_tn(_folded(x), _folded(g))
    return _fitted(ops.matmul_tn(x, g), y_shape)


@kernel
def _linear_grads(dx, dweight, dbias, g, x, weight):
    """The gradients of `linear` in one call; those given as None are not wanted."""
    if dx is not None:
        product(dx, g, weight)
    if dweight is not None:
        product_tn(dweight, g, x)
    if dbias is not None:
        sum_of_rows(dbias, g)


def _linear_pull(parents: tuple[int, ...], g: Any, x: Any, weight: Any) -> list[Any] | None:
    """All gradients of a small layer: 2 us, where op by op it takes 6."""
    inner = x if weight is None else weight
    for a in (g, x, weight):
        if a is not None and not (
            type(a) is np.ndarray and a.ndim == 2 and a.dtype is g.dtype and a.flags.c_contiguous
        ):
            return None
    if inner is None or not kernels.JIT or g.dtype.kind != "f":
        return None
    n, outputs = g.shape
    inputs = inner.shape[1]
    if n * outputs * inputs > SMALL or g.size > FEW:
        return None
    dx = np.empty((n, inputs), g.dtype) if 0 in parents else None
    dweight = np.empty((outputs, inputs), g.dtype) if 1 in parents else None
    dbias = np.empty(outputs, g.dtype) if 2 in parents else None
    _linear_grads.run(dx, dweight, dbias, g, x, weight)
    return [d for d in (dbias, dweight, dx) if d is not None]


_STACKS = (
    Sample((2, 3, 4), (2, 4, 5)),
    Sample((2, 1, 3, 4), (5, 4, 2)),
    Sample((2, 3, 4), (4, 5)),
    Sample((3, 4), (2, 4, 5)),
    Sample((0, 3), (3, 2)),
    Sample((2, 0), (0, 3)),
    Sample((2, 3, 0), (0, 4)),
    Sample((20, 15), (15, 18)),
)
"""Pairs that `matmul` takes; the last one is for BLAS."""


def _turned(samples: tuple[Sample, ...], which: int) -> tuple[Sample, ...]:
    """The samples with the matrices of one input transposed."""
    turned = []
    for sample in samples:
        inputs = list(sample.inputs)
        *batch, m, n = inputs[which]
        inputs[which] = (*batch, n, m)
        turned.append(Sample(*inputs))
    return tuple(turned)


matmul = op(
    "matmul",
    math=r"x\,y",
    dmath=(r"g\,y^T", r"x^T g"),
    kernel=_matmul,
    strided=True,
    shape=_matmul_shape,
    types="same",
    ref=lambda x, y: np.matmul(x, y),
    vjp=(_matmul_dx, _matmul_dy),
    samples=(
        Sample((3, 4), (4, 5)),
        Sample((3, 4), (4, 1)),
        Sample((4,), (4,)),
        Sample((3, 4), (4,)),
        Sample((4,), (4, 5)),
        Sample((2, 3, 4), (4,)),
        Sample((4,), (2, 4, 5)),
        Sample((0,), (0,)),
        *_STACKS,
    ),
    methods=("__matmul__", "matmul"),
    numpy=(np.matmul,),
)

matmul_nt = op(
    "matmul_nt",
    math=r"x\,y^T",
    dmath=(r"g\,y", r"g^T x"),
    kernel=_matmul_nt,
    strided=True,
    shape=_matmul_nt_shape,
    types="same",
    ref=lambda x, y: np.matmul(x, np.swapaxes(y, -1, -2)),
    vjp=(
        lambda g, y, x_shape: _fitted(ops.matmul(g, y), x_shape),
        lambda g, x, y_shape: _fitted(
            ops.matmul_tn(_folded(g), _folded(x)) if len(y_shape) == 2 else ops.matmul_tn(g, x),
            y_shape,
        ),
    ),
    samples=_turned(_STACKS, 1),
    methods=(),
)

matmul_tn = op(
    "matmul_tn",
    math=r"x^T y",
    dmath=(r"y\,g^T", r"x\,g"),
    kernel=_matmul_tn,
    strided=True,
    shape=_matmul_tn_shape,
    types="same",
    ref=lambda x, y: np.matmul(np.swapaxes(x, -1, -2), y),
    vjp=(
        lambda g, y, x_shape: _fitted(ops.matmul_nt(y, g), x_shape),
        lambda g, x, y_shape: _fitted(ops.matmul(x, g), y_shape),
    ),
    samples=_turned((*_STACKS, Sample((3, 4), (4, 1))), 0),
    methods=(),
)

linear = op(
    "linear",
    math=r"x\,W^T + b",
    dmath=(r"g\,W", r"g^T x", r"\textstyle\sum_n g_n"),
    kernel=_linear,
    strided=True,
    shape=lambda x, weight, bias: linear_shape("linear", x, weight, bias),
    types="same",
    ref=lambda x, weight, bias=None: x @ weight.T + (0 if bias is None else bias),
    vjp=(
        lambda g, weight: ops.matmul(g, weight),
        lambda g, x: ops.matmul_tn(_folded(g), _folded(x)),
        lambda g: ops.sum_to(g, shape=g.shape[-1:]),
    ),
    pull=_linear_pull,
    samples=(
        Sample((3, 4), (5, 4), (5,)),
        Sample((3, 4), (5, 4), None),
        Sample((4,), (5, 4), (5,)),
        Sample((2, 3, 4), (1, 4), (1,)),
        Sample((20, 15), (18, 15), (18,)),
        Sample((0, 4), (3, 4), (3,)),
        Sample((2, 3, 0), (4, 0), (4,)),
    ),
    methods=(),
)
