"""The affine map of a weight that is (inputs, outputs), as Keras keeps it: no transposition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import kernel as kernels, shapes
from autograd.axes import FEW, sum_of_rows
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.products import SMALL, blas, in_order, product, product_tn, rows


@kernel
def _dense_loop(out, x, weight, bias):
    product(out, x, weight)
    if bias is not None:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] += bias[j]


@kernel
def _add_bias(out, bias):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] += bias[j]


def _dense(out: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
    if x.ndim != 2:
        x, out = rows(x), rows(out)
    bias = bias if bias is None else in_order(bias)
    if out.size * x.shape[1] <= SMALL:
        _dense_loop.run(out, in_order(x), in_order(weight), bias)
    else:
        blas(out, x, weight)
        if bias is not None:
            _add_bias.run(out, bias)


def _shape(x: shapes.Shape, weight: shapes.Shape, bias: shapes.Shape | None) -> shapes.Shape:
    if len(weight) != 2 or not x or x[-1] != weight[0]:
        expected = f"x (..., {weight[0]})" if len(weight) == 2 else "weight (inputs, outputs)"
        raise ShapeError(f"dense: x is {x} but weight is {weight}; expected {expected}")
    if bias is not None and bias != weight[1:]:
        raise ShapeError(
            f"dense: bias is {bias} but weight is {weight}; expected bias {weight[1:]}"
        )
    return x[:-1] + weight[1:]


def _folded(x: Any) -> Any:
    """All but the last dimension of `x` made one, as an op."""
    return x if x.ndim == 2 else ops.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


@kernel
def _dense_grads(dweight, dbias, g, x):
    """The gradients of weight and bias in one call; those given as None are not wanted."""
    if dweight is not None:
        product_tn(dweight, x, g)
    if dbias is not None:
        sum_of_rows(dbias, g)


def _pull(parents: tuple[int, ...], g: Any, x: Any, weight: Any) -> list[Any] | None:
    """All gradients of a small layer in two launches, where op by op they take 6 us."""
    for a in (g, x, weight):
        if a is not None and not (
            type(a) is np.ndarray and a.ndim == 2 and a.dtype is g.dtype and a.flags.c_contiguous
        ):
            return None
    if (x is None and weight is None) or not kernels.JIT or g.dtype.kind != "f":
        return None
    n, outputs = g.shape
    inputs = weight.shape[0] if x is None else x.shape[1]
    if n * outputs * inputs > SMALL or g.size > FEW:
        return None
    dx = np.empty((n, inputs), g.dtype) if 0 in parents else None
    dweight = np.empty((inputs, outputs), g.dtype) if 1 in parents else None
    dbias = np.empty(outputs, g.dtype) if 2 in parents else None
    if dweight is not None or dbias is not None:
        _dense_grads.run(dweight, dbias, g, x)
    if dx is not None:  # inlined in another kernel, its sums would have another order
        ops.matmul_nt.kernel(dx, g, weight)
    return [d for d in (dbias, dweight, dx) if d is not None]


dense = op(
    "dense",
    math=r"x\,W + b",
    dmath=(r"g\,W^T", r"x^T g", r"\textstyle\sum_n g_n"),
    kernel=_dense,
    strided=True,
    shape=_shape,
    types="same",
    ref=lambda x, weight, bias=None: x @ weight + (0 if bias is None else bias),
    vjp=(
        lambda g, weight: ops.matmul(weight, g) if g.ndim == 1 else ops.matmul_nt(g, weight),
        lambda g, x: ops.matmul_tn(_folded(x), _folded(g)),
        lambda g: ops.sum_to(g, shape=g.shape[-1:]),
    ),
    pull=_pull,
    samples=(
        Sample((3, 4), (4, 5), (5,)),
        Sample((3, 4), (4, 5), None),
        Sample((4,), (4, 5), (5,)),
        Sample((2, 3, 4), (4, 1), (1,)),
        Sample((20, 15), (15, 18), (18,)),
        Sample((0, 4), (4, 3), (3,)),
        Sample((2, 3, 0), (0, 4), (4,)),
    ),
    methods=(),
)
