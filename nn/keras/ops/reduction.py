"""Sums, means, extremes: many elements to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from autograd.op import ops
from nn.keras.ops.operation import int32, operation, real, tensor

_SMALL = ("bool", "int8", "int16", "uint8", "int32")


def _dims(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _reduction(name: str, f: Callable[..., Tensor], doc: str, floats: bool = False) -> Any:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        return f(real(x) if floats else tensor(x), dim=_dims(axis), keepdim=keepdims)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return operation(call)


def _sum(x: Tensor, **where: Any) -> Tensor:
    out = ops.sum(x, **where)
    return int32(out) if x.dtype.name in _SMALL else out


mean = _reduction("mean", ops.mean, "The mean along `axis`; floats for integers.", floats=True)
sum = _reduction("sum", _sum, "The sum along `axis`.")
amax = _reduction("amax", ops.amax, "The maximum; equal ones share its gradient.")
amin = _reduction("amin", ops.amin, "The minimum; equal ones share its gradient.")
all = _reduction("all", ops.all, "Whether all are True.")
any = _reduction("any", ops.any, "Whether one is True.")
logsumexp = _reduction("logsumexp", autograd.logsumexp, "log of the sum of e^x.", floats=True)


@operation
def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The maximum along `axis`, and of `initial`; equal ones share its gradient."""
    out = ops.amax(tensor(x), dim=_dims(axis), keepdim=keepdims)
    return out if initial is None else ops.maximum(out, initial)


@operation
def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The minimum along `axis`, and of `initial`; equal ones share its gradient."""
    out = ops.amin(tensor(x), dim=_dims(axis), keepdim=keepdims)
    return out if initial is None else ops.minimum(out, initial)


@operation
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean of the squares of what differs from the mean."""
    return autograd.var(real(x), dim=_dims(axis), keepdim=keepdims, correction=0)


@operation
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The square root of `var`."""
    return ops.sqrt(autograd.var(real(x), dim=_dims(axis), keepdim=keepdims, correction=0))


@operation
def moments(x: Any, axes: Any, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance along `axes`."""
    x = real(x)
    where = {"dim": _dims(axes), "keepdim": keepdims}
    return ops.mean(x, **where), autograd.var(x, **where, correction=0)


@operation
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product along `axis`."""
    x = tensor(x, dtype)
    axes = _dims(axis)
    if axes is None:
        out = ops.prod(x.reshape(-1), dim=0)
        out = out.reshape((1,) * x.ndim) if keepdims else out
    elif isinstance(axes, tuple):
        out = x
        for a in sorted((a % x.ndim for a in axes), reverse=True):
            out = ops.prod(out, dim=a, keepdim=keepdims)
    else:
        out = ops.prod(x, dim=axes, keepdim=keepdims)
    return int32(out) if x.dtype.name in _SMALL else out


@operation
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the maximum, int32; the first of equal ones."""
    return int32(ops.argmax(tensor(x), dim=axis, keepdim=keepdims))


@operation
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the minimum, int32; the first of equal ones."""
    return int32(ops.argmin(tensor(x), dim=axis, keepdim=keepdims))


@operation
def count_nonzero(x: Any, axis: Any = None) -> Tensor:
    """How many elements along `axis` are not 0, int32."""
    return int32(ops.count_nonzero(tensor(x), dim=_dims(axis)))


@operation
def average(x: Any, axis: Any = None, weights: Any = None) -> Tensor:
    """The mean along `axis`, weighted."""
    x = real(x)
    if weights is None:
        return ops.mean(x, dim=_dims(axis))
    w = real(weights)
    if w.shape != x.shape:
        if axis is None or isinstance(axis, (list, tuple)) or w.shape != (x.shape[axis],):
            raise ValueError(
                f"average: weights {w.shape} fit neither the shape of x, {x.shape}, nor axis {axis}"
            )
        w = w.reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])
        w = ops.broadcast_to(w, shape=x.shape)
    dims = _dims(axis)
    return ops.div(ops.sum(ops.mul(x, w), dim=dims), ops.sum(w, dim=dims))


@operation
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The middle one along `axis`; the mean of the middle two of an even number."""
    x = real(x)
    dims = tuple(range(x.ndim)) if axis is None else _dims(axis)
    dims = tuple(a % x.ndim for a in (dims if isinstance(dims, tuple) else (dims,)))
    kept = [a for a in range(x.ndim) if a not in dims]
    flat = x.permute(*kept, *dims).reshape(*[x.shape[a] for a in kept], -1)
    values, _ = autograd.sort(flat, dim=-1)
    n = flat.shape[-1]
    out = ops.mul(ops.add(values[..., (n - 1) // 2], values[..., n // 2]), 0.5)
    return out.reshape([1 if a in dims else x.shape[a] for a in range(x.ndim)]) if keepdims else out


@operation
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Sums from the start to each element."""
    return _running(ops.cumsum, x, axis, dtype)


@operation
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Products from the start to each element."""
    return _running(ops.cumprod, x, axis, dtype)


def _running(f: Callable[..., Tensor], x: Any, axis: Any, dtype: Any) -> Tensor:
    x = tensor(x, dtype)
    out = f(x.reshape(-1), dim=0) if axis is None else f(x, dim=axis)
    return int32(out) if x.dtype.name in _SMALL else out


@operation
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The p-norm of vectors (`ord` 2 if None), or the Frobenius norm of matrices ("fro")."""
    x = real(x)
    dims = _dims(axis)
    pairs = isinstance(dims, tuple) and len(dims) == 2
    if ord in ("fro", None) or (ord == 2 and not pairs and (dims is not None or x.ndim == 1)):
        return autograd.norm(x, p=2, dim=dims, keepdim=keepdims)
    if pairs or (dims is None and x.ndim != 1) or not isinstance(ord, (int, float)):
        raise ValueError(
            f"norm: ord={ord!r} with axis={axis} of a tensor {x.shape}: there are p-norms of"
            " vectors (an int axis) and the Frobenius norm"
        )
    if ord in (-np.inf, 0):
        raise ValueError(f"norm: ord={ord!r} is not supported; use a positive p or inf")
    return autograd.norm(x, p=float(ord), dim=dims, keepdim=keepdims)
