"""Softmax and log-softmax along one dimension, with fused backward ops.

In `*_grad` ops, `v` is the gradient that arrives at the activation and `y` its output.  A dimension
with others after it is worked on in columns, the last one in rows; both loops serve both functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import uint64 as u64

from autograd import shapes
from autograd.kernel import device, kernel
from autograd.op import Sample, op, ops
from autograd.vmath import exp as _exp_of, log as _log_of

_SAMPLES = (
    Sample((3, 4), meta={"dim": -1}),
    Sample((3, 4), meta={"dim": 0}),
    Sample((2, 3, 2), meta={"dim": 1}),
    Sample((), meta={"dim": 0}),
    Sample((2, 0), meta={"dim": 1}),
    Sample((0, 2), meta={"dim": 1}),
)
_GRAD_SAMPLES = tuple(
    Sample(*sample.inputs, *sample.inputs, meta=sample.meta) for sample in _SAMPLES
)


def _along(name: str) -> Callable[..., shapes.Shape]:
    """The shape rule: `dim` must be given, and exist."""

    def shape(x: shapes.Shape, *_: shapes.Shape, dim: Any) -> shapes.Shape:
        if dim is None:
            raise ValueError(f"{name}: say along which dimension, as in {name}(x, dim=-1)")
        shapes.axis_index(dim, len(x), name)
        return x

    return shape


# Sums and maxima of row i of a matrix.  Four accumulators: one would wait four cycles for its last
# value.  Unsigned indices: they spare the test for negative ones, which costs as much again as the
# rest.  Sums in float64: of float32 terms, they take no longer.


@device
def _top(x, i):
    n = u64(x.shape[1])
    whole = n - n % u64(4)
    a = b = c = d = x[i, 0]
    for j in range(u64(0), whole, u64(4)):
        a = x[i, j] if x[i, j] > a else a
        b = x[i, j + u64(1)] if x[i, j + u64(1)] > b else b
        c = x[i, j + u64(2)] if x[i, j + u64(2)] > c else c
        d = x[i, j + u64(3)] if x[i, j + u64(3)] > d else d
    for j in range(whole, n):
        a = x[i, j] if x[i, j] > a else a
    a = a if a > b else b
    c = c if c > d else d
    return a if a > c else c


@device
def _total(x, i):
    n = u64(x.shape[1])
    whole = n - n % u64(4)
    a = b = c = d = np.float64(0)
    for j in range(u64(0), whole, u64(4)):
        a += x[i, j]
        b += x[i, j + u64(1)]
        c += x[i, j + u64(2)]
        d += x[i, j + u64(3)]
    for j in range(whole, n):
        a += x[i, j]
    return (a + b) + (c + d)


@device
def _product(x, y, i):
    n = u64(x.shape[1])
    whole = n - n % u64(4)
    a = b = c = d = np.float64(0)
    for j in range(u64(0), whole, u64(4)):
        a += x[i, j] * y[i, j]
        b += x[i, j + u64(1)] * y[i, j + u64(1)]
        c += x[i, j + u64(2)] * y[i, j + u64(2)]
        d += x[i, j + u64(3)] * y[i, j + u64(3)]
    for j in range(whole, n):
        a += x[i, j] * y[i, j]
    return (a + b) + (c + d)


# Rows go by blocks of some thousand elements, so that exp runs over many short rows in one loop


@kernel
def _rows(out, x, work, log):
    n, height = x.shape[1], work.shape[0]
    flat, powers = out.reshape(out.size), work.reshape(work.size)
    for start in range(0, x.shape[0], height):
        stop = min(start + height, x.shape[0])
        for i in range(start, stop):
            top = _top(x, i)
            for j in range(n):
                out[i, j] = x[i, j] - top
        block = flat[start * n : stop * n]
        for k in range(block.size):
            powers[k] = _exp_of(block[k])
        for i in range(start, stop):
            total = _total(work, i - start)
            if log:
                shift = out.dtype.type(_log_of(total))
                for j in range(n):
                    out[i, j] -= shift
            else:
                scale = out.dtype.type(total)
                for j in range(n):
                    out[i, j] = work[i - start, j] / scale


@kernel
def _rows_grad(out, v, y, height, log):
    n = y.shape[1]
    flat_out, flat_y = out.reshape(out.size), y.reshape(y.size)
    for start in range(0, y.shape[0], height):
        stop = min(start + height, y.shape[0])
        if log:
            powers, block = flat_out[start * n : stop * n], flat_y[start * n : stop * n]
            for k in range(block.size):
                powers[k] = _exp_of(block[k])
        for i in range(start, stop):
            total = out.dtype.type(_total(v, i) if log else _product(v, y, i))
            for j in range(n):
                out[i, j] = v[i, j] - out[i, j] * total if log else y[i, j] * (v[i, j] - total)


@kernel
def _columns(out, x, top, total, log):
    for i in range(x.shape[0]):
        for k in range(x.shape[2]):
            top[k], total[k] = x[i, 0, k], 0
        for j in range(1, x.shape[1]):
            for k in range(x.shape[2]):
                top[k] = x[i, j, k] if x[i, j, k] > top[k] else top[k]
        for j in range(x.shape[1]):
            for k in range(x.shape[2]):
                out[i, j, k] = _exp_of(x[i, j, k] - top[k])
                total[k] += out[i, j, k]
        if log:
            for k in range(x.shape[2]):
                total[k] = _log_of(total[k])
        for j in range(x.shape[1]):
            for k in range(x.shape[2]):
                t = out.dtype.type(total[k])
                out[i, j, k] = x[i, j, k] - top[k] - t if log else out[i, j, k] / t


@kernel
def _columns_grad(out, v, y, total, log):
    for i in range(y.shape[0]):
        for k in range(y.shape[2]):
            total[k] = 0
        for j in range(y.shape[1]):
            for k in range(y.shape[2]):
                total[k] += v[i, j, k] if log else v[i, j, k] * y[i, j, k]
        for j in range(y.shape[1]):
            for k in range(y.shape[2]):
                t = out.dtype.type(total[k])
                if log:
                    out[i, j, k] = v[i, j, k] - _exp_of(y[i, j, k]) * t
                else:
                    out[i, j, k] = y[i, j, k] * (v[i, j, k] - t)


_BLOCK = 4096


def _forward(out: np.ndarray, x: np.ndarray, dim: int, log: bool) -> None:
    n, inner = _sizes(x, dim)
    if not x.size:
        return
    if inner == 1:
        work = np.empty((max(1, min(_BLOCK, x.size) // n), n), out.dtype)
        _rows.run(out.reshape(-1, n), x.reshape(-1, n), work, log)
    else:
        top, total = np.empty(inner, out.dtype), np.empty(inner)
        _columns.run(out.reshape(-1, n, inner), x.reshape(-1, n, inner), top, total, log)


def _backward(out: np.ndarray, v: np.ndarray, y: np.ndarray, dim: int, log: bool) -> None:
    n, inner = _sizes(y, dim)
    if not y.size:
        return
    if inner == 1:
        rows = [a.reshape(-1, n) for a in (out, v, y)]
        _rows_grad.run(*rows, max(1, _BLOCK // n), log)
    else:
        _columns_grad.run(*[a.reshape(-1, n, inner) for a in (out, v, y)], np.empty(inner), log)


def _sizes(x: np.ndarray, dim: int) -> tuple[int, int]:
    """The size of dimension `dim`, and of what comes after it."""
    d = dim % max(x.ndim, 1)
    return (x.shape[d] if x.ndim else 1), shapes.numel(x.shape[d + 1 :])


def _softmax_ref(x: np.ndarray, *, dim: int) -> np.ndarray:
    if not x.ndim:
        return np.where(np.isfinite(x), 1, np.nan)
    e = np.exp(x - x.max(dim, keepdims=True, initial=-np.inf))
    return e / e.sum(dim, keepdims=True)


softmax = op(
    "softmax",
    math=r"\frac{e^{x_j}}{\sum_k e^{x_k}}",
    dmath=(r"y_j \left(g_j - \sum_k g_k y_k\right)",),
    kernel=lambda out, x, *, dim: _forward(out, x, dim, False),
    shape=_along("softmax"),
    types="float",
    ref=_softmax_ref,
    vjp=(lambda g, out, dim: ops.softmax_grad(g, out, dim=dim),),
    samples=_SAMPLES,
)


def _softmax_grad_ref(v: np.ndarray, y: np.ndarray, *, dim: int) -> np.ndarray:
    return y * (v - (v * y).sum(dim if y.ndim else None, keepdims=True))


def _softmax_grad_y(g: Any, v: Any, y: Any, dim: int) -> Any:
    """g_j (v_j - sum v y) - v_j sum(g y)."""
    mean = ops.sum(ops.mul(v, y), dim=dim, keepdim=True)
    other = ops.sum(ops.mul(g, y), dim=dim, keepdim=True)
    return ops.sub(ops.mul(g, ops.sub(v, mean)), ops.mul(v, other))


softmax_grad = op(
    "softmax_grad",
    math=r"y_j \left(v_j - \sum_k v_k y_k\right)",
    dmath=(
        r"y_j \left(g_j - \sum_k g_k y_k\right)",
        r"g_j \left(v_j - \sum_k v_k y_k\right) - v_j \sum_k g_k y_k",
    ),
    kernel=lambda out, v, y, *, dim: _backward(out, v, y, dim, False),
    shape=_along("softmax_grad"),
    ref=_softmax_grad_ref,
    vjp=(lambda g, y, dim: ops.softmax_grad(g, y, dim=dim), _softmax_grad_y),
    samples=_GRAD_SAMPLES,
    methods=(),
)


def _log_softmax_ref(x: np.ndarray, *, dim: int) -> np.ndarray:
    if not x.ndim:
        return np.where(np.isfinite(x), 0, np.nan)
    x = x - x.max(dim, keepdims=True, initial=-np.inf)
    return x - np.log(np.exp(x).sum(dim, keepdims=True))


log_softmax = op(
    "log_softmax",
    math=r"x_j - \ln \sum_k e^{x_k}",
    dmath=(r"g_j - e^{y_j} \sum_k g_k",),
    kernel=lambda out, x, *, dim: _forward(out, x, dim, True),
    shape=_along("log_softmax"),
    types="float",
    ref=_log_softmax_ref,
    vjp=(lambda g, out, dim: ops.log_softmax_grad(g, out, dim=dim),),
    samples=_SAMPLES,
)


def _log_softmax_grad_ref(v: np.ndarray, y: np.ndarray, *, dim: int) -> np.ndarray:
    return v - np.exp(y) * v.sum(dim if y.ndim else None, keepdims=True)


def _log_softmax_grad_v(g: Any, y: Any, dim: int) -> Any:
    """g_j - sum(g e^y): the transpose."""
    return ops.sub(g, ops.sum(ops.mul(g, ops.exp(y)), dim=dim, keepdim=True))


def _log_softmax_grad_y(g: Any, v: Any, y: Any, dim: int) -> Any:
    """-g_j e^(y_j) sum(v)."""
    return ops.neg(ops.mul(ops.mul(g, ops.exp(y)), ops.sum(v, dim=dim, keepdim=True)))


log_softmax_grad = op(
    "log_softmax_grad",
    math=r"v_j - e^{y_j} \sum_k v_k",
    dmath=(r"g_j - \sum_k g_k e^{y_k}", r"-g_j e^{y_j} \sum_k v_k"),
    kernel=lambda out, v, y, *, dim: _backward(out, v, y, dim, True),
    shape=_along("log_softmax_grad"),
    ref=_log_softmax_grad_ref,
    vjp=(_log_softmax_grad_v, _log_softmax_grad_y),
    samples=_GRAD_SAMPLES,
    methods=(),
)
