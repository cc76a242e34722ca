"""A linear map and its activation in one op, forward and backward: for a small layer half the time.

`v` is what arrives at the linear map: g times the derivative of the activation, which all three
find from their own result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import kernel as kernels
from autograd.axes import FEW, sum_of_rows
from autograd.kernel import Kernel, device, kernel
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
from autograd.vmath import sigmoid as _sigmoid_of, tanh as _tanh_of


@device
def _add_to_rows(out, bias):
    if bias is not None:
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] += bias[j]


@device
def _linear_grads(dx, dweight, dbias, v, x, weight):
    """The gradients of the linear map; those given as None are not wanted."""
    if dx is not None:
        product(dx, v, weight)
    if dweight is not None:
        product_tn(dweight, v, x)
    if dbias is not None:
        sum_of_rows(dbias, v)


def _forward(loop: Kernel, after: Kernel) -> Callable[..., None]:
    """`loop` does all of a small layer, `after` what follows the BLAS in a larger one."""

    def run(out: Any, x: Any, weight: Any, bias: Any) -> None:
        if x.ndim != 2:
            x, out = rows(x), rows(out)
        bias = bias if bias is None else in_order(bias)
        if out.size * x.shape[1] <= SMALL:
            loop.run(out, in_order(x), in_order(weight), bias)
        else:
            blas(out, x, weight.T)
            after.run(out, bias)

    return run


def _at_once(loop: Kernel) -> Callable[..., Any]:
    """All gradients of a small layer in one call of `loop`; None for other layers."""

    def pull(parents: tuple[int, ...], g: Any, x: Any, weight: Any, out: Any) -> Any:
        inner = x if weight is None else weight
        if inner is None or not kernels.JIT or g.dtype.kind != "f":
            return None
        for a in (g, x, weight, out):
            if a is not None and not (
                type(a) is np.ndarray
                and a.ndim == 2
                and a.dtype is g.dtype
                and a.flags.c_contiguous
            ):
                return None
        n, outputs = g.shape
        inputs = inner.shape[1]
        if n * outputs * inputs > SMALL or g.size > FEW:
            return None
        dx = np.empty((n, inputs), g.dtype) if 0 in parents else None
        dweight = np.empty((outputs, inputs), g.dtype) if 1 in parents else None
        dbias = np.empty(outputs, g.dtype) if 2 in parents else None
        loop.run(dx, dweight, dbias, np.empty(g.shape, g.dtype), g, out, x, weight)
        return [d for d in (dbias, dweight, dx) if d is not None]

    return pull


def _folded(x: Any) -> Any:
    """All but the last dimension of `x` made one, as an op."""
    return x if x.ndim == 2 else ops.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _dmath(v: str) -> tuple[str, str, str]:
    """The three derivatives, `v` written out."""
    return rf"{v}\,W", rf"{v}^T x", rf"\textstyle\sum_n {v}_n"


_SAMPLES = (
    Sample((3, 4), (5, 4), (5,)),
    Sample((3, 4), (5, 4), None),
    Sample((4,), (5, 4), (5,)),
    Sample((2, 3, 4), (1, 4), (1,)),
    Sample((20, 15), (18, 15), (18,)),
    Sample((0, 4), (3, 4), (3,)),
    Sample((2, 3, 0), (4, 0), (4,)),
)


def _apart(n: int) -> np.ndarray:
    """Biases that keep small products away from 0, on both sides."""
    return np.where(np.arange(n) % 2, 5.0, -5.0)


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight.T + (0 if bias is None else bias)


# relu: v = g\,[y > 0]


@kernel
def _relu_after(out, bias):
    zero = out.dtype.type(0)
    _add_to_rows(out, bias)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = zero if out[i, j] <= zero else out[i, j]


@kernel
def _relu(out, x, weight, bias):
    zero = out.dtype.type(0)
    product_nt(out, x, weight)
    _add_to_rows(out, bias)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = zero if out[i, j] <= zero else out[i, j]


@kernel
def _relu_grads(dx, dweight, dbias, v, g, out, x, weight):
    zero = g.dtype.type(0)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            v[i, j] = zero if out[i, j] <= zero else g[i, j]
    _linear_grads(dx, dweight, dbias, v, x, weight)


linear_relu = op(
    "linear_relu",
    math=r"\max(x\,W^T + b, 0)",
    dmath=_dmath(r"(g\,[x\,W^T + b > 0])"),
    kernel=_forward(_relu, _relu_after),
    strided=True,
    shape=lambda x, weight, bias: linear_shape("linear_relu", x, weight, bias),
    types="same",
    ref=lambda x, weight, bias=None: np.maximum(_affine(x, weight, bias), 0),
    vjp=(
        lambda g, weight, out: ops.matmul(ops.relu_grad(g, out), weight),
        lambda g, x, out: ops.matmul_tn(_folded(ops.relu_grad(g, out)), _folded(x)),
        lambda g, out: ops.sum_to(ops.relu_grad(g, out), shape=g.shape[-1:]),
    ),
    pull=_at_once(_relu_grads),
    kink="0 at 0.",
    samples=(
        Sample((3, 4), (5, 4), _apart(5), low=-1.0, high=1.0),
        Sample((3, 4), (5, 4), None, low=0.1),
        Sample((4,), (5, 4), _apart(5), low=-1.0, high=1.0),
        Sample((2, 3, 4), (1, 4), _apart(1), low=-1.0, high=1.0),
        Sample((20, 15), (18, 15), _apart(18), low=-0.5, high=0.5),
        *_SAMPLES[5:],
    ),
    methods=(),
)


# sigmoid: v = g\,y\,(1 - y)


@kernel
def _sigmoid_after(out, bias):
    _add_to_rows(out, bias)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = _sigmoid_of(out[i, j])


@kernel
def _sigmoid(out, x, weight, bias):
    product_nt(out, x, weight)
    _add_to_rows(out, bias)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = _sigmoid_of(out[i, j])


@kernel
def _sigmoid_grads(dx, dweight, dbias, v, g, out, x, weight):
    one = g.dtype.type(1)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            v[i, j] = g[i, j] * (out[i, j] * (one - out[i, j]))
    _linear_grads(dx, dweight, dbias, v, x, weight)


linear_sigmoid = op(
    "linear_sigmoid",
    math=r"\sigma(x\,W^T + b)",
    dmath=_dmath(r"(g\,\sigma'(x\,W^T + b))"),
    kernel=_forward(_sigmoid, _sigmoid_after),
    strided=True,
    shape=lambda x, weight, bias: linear_shape("linear_sigmoid", x, weight, bias),
    types="same",
    ref=lambda x, weight, bias=None: 1 / (1 + np.exp(-_affine(x, weight, bias))),
    vjp=(
        lambda g, weight, out: ops.matmul(ops.sigmoid_grad(g, out), weight),
        lambda g, x, out: ops.matmul_tn(_folded(ops.sigmoid_grad(g, out)), _folded(x)),
        lambda g, out: ops.sum_to(ops.sigmoid_grad(g, out), shape=g.shape[-1:]),
    ),
    pull=_at_once(_sigmoid_grads),
    samples=_SAMPLES,
    methods=(),
)


# tanh: v = g\,(1 - y^2)


@kernel
def _tanh_after(out, bias):
    _add_to_rows(out, bias)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = _tanh_of(out[i, j])


@kernel
def _tanh(out, x, weight, bias):
    product_nt(out, x, weight)
    _add_to_rows(out, bias)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = _tanh_of(out[i, j])


@kernel
def _tanh_grads(dx, dweight, dbias, v, g, out, x, weight):
    one = g.dtype.type(1)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            v[i, j] = g[i, j] * (one - out[i, j] * out[i, j])
    _linear_grads(dx, dweight, dbias, v, x, weight)


linear_tanh = op(
    "linear_tanh",
    math=r"\tanh(x\,W^T + b)",
    dmath=_dmath(r"(g\,(1 - \tanh^2(x\,W^T + b)))"),
    kernel=_forward(_tanh, _tanh_after),
    strided=True,
    shape=lambda x, weight, bias: linear_shape("linear_tanh", x, weight, bias),
    types="same",
    ref=lambda x, weight, bias=None: np.tanh(_affine(x, weight, bias)),
    vjp=(
        lambda g, weight, out: ops.matmul(ops.tanh_grad(g, out), weight),
        lambda g, x, out: ops.matmul_tn(_folded(ops.tanh_grad(g, out)), _folded(x)),
        lambda g, out: ops.sum_to(ops.tanh_grad(g, out), shape=g.shape[-1:]),
    ),
    pull=_at_once(_tanh_grads),
    samples=_SAMPLES,
    methods=(),
)
