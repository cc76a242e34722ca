"""NumPy's protocols: `np.exp(t)`, `np.ones(3) * t`, `np.concatenate([t, u])` are recorded.

A NumPy function without a counterpart here raises and names itself; none drops the graph silently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import creation
from autograd.op import NUMPY, ops
from autograd.tensor import Tensor

_FUNCTIONS: dict[Any, Callable[..., Any]] = {}
_REDUCTIONS = {np.add: "sum", np.multiply: "prod", np.maximum: "amax", np.minimum: "amin"}


def _array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    if not options and method == "__call__" and ufunc in NUMPY:
        return NUMPY[ufunc](*inputs)
    if method == "reduce" and ufunc in _REDUCTIONS and not options.keys() - {"axis", "keepdims"}:
        reduce = _FUNCTIONS[getattr(np, _REDUCTIONS[ufunc])]
        return reduce(inputs[0], **{"axis": 0, **options})
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    detail = f" with {', '.join(options)}" if options else ""
    raise _unsupported(f"numpy.{name}{detail}")


def _array_function(self: Tensor, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    f = _FUNCTIONS.get(func) or NUMPY.get(func)
    if f is None:
        raise _unsupported(f"{func.__module__}.{func.__name__}")
    return f(*args, **kwargs)


def _unsupported(name: str) -> TypeError:
    return TypeError(
        f"{name} is not differentiable here; use an autograd function, or work on"
        " tensor.detach().numpy() to leave the graph"
    )


def _numpy(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        _FUNCTIONS.update(dict.fromkeys(functions, f))
        return f

    return enter


def _reduction(function: Any, name: str) -> None:
    def reduce(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return getattr(ops, name)(a, dim=axis, keepdim=bool(keepdims))

    _FUNCTIONS[function] = reduce


for _function, _name in (
    (np.sum, "sum"),
    (np.mean, "mean"),
    (np.prod, "prod"),
    (np.max, "amax"),
    (np.amax, "amax"),
    (np.min, "amin"),
    (np.amin, "amin"),
    (np.argmax, "argmax"),
    (np.argmin, "argmin"),
    (np.all, "all"),
    (np.any, "any"),
):
    _reduction(_function, _name)


@_numpy(np.var)
def _var(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    return ops.var(a, dim=axis, correction=ddof, keepdim=keepdims)


@_numpy(np.std)
def _std(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    return ops.std(a, dim=axis, correction=ddof, keepdim=keepdims)


@_numpy(np.cumsum)
def _cumsum(a: Any, axis: int | None = None) -> Any:
    return ops.cumsum(_flat(a, axis), dim=axis or 0)


@_numpy(np.cumprod)
def _cumprod(a: Any, axis: int | None = None) -> Any:
    return ops.cumprod(_flat(a, axis), dim=axis or 0)


@_numpy(np.sort)
def _sort(a: Any, axis: int | None = -1) -> Any:
    return ops.sort(_flat(a, axis), dim=-1 if axis is None else axis).values


@_numpy(np.argsort)
def _argsort(a: Any, axis: int | None = -1) -> Any:
    return ops.argsort(_flat(a, axis), dim=-1 if axis is None else axis)


def _flat(a: Any, axis: int | None) -> Any:
    return ops.reshape(a, (-1,)) if axis is None else a


@_numpy(np.concatenate)
def _concatenate(arrays: Any, axis: int = 0) -> Any:
    return ops.cat([_tensor(a) for a in arrays], dim=axis)


@_numpy(np.stack)
def _stack(arrays: Any, axis: int = 0) -> Any:
    return ops.stack([_tensor(a) for a in arrays], dim=axis)


@_numpy(np.vstack)
def _vstack(arrays: Any) -> Any:
    return ops.vstack([_tensor(a) for a in arrays])


@_numpy(np.hstack)
def _hstack(arrays: Any) -> Any:
    return ops.hstack([_tensor(a) for a in arrays])


def _tensor(a: Any) -> Tensor:
    return creation.as_tensor(a)


@_numpy(np.reshape)
def _reshape(a: Any, shape: Any) -> Any:
    return ops.reshape(a, shape if isinstance(shape, tuple) else (shape,))


@_numpy(np.ravel)
def _ravel(a: Any) -> Any:
    return ops.reshape(a, (-1,))


@_numpy(np.transpose)
def _transpose(a: Any, axes: Any = None) -> Any:
    return ops.permute(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


@_numpy(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    return ops.transpose(a, axis1, axis2)


@_numpy(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    return ops.movedim(a, source, destination)


@_numpy(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Any:
    return ops.squeeze(a) if axis is None else ops.squeeze(a, axis)


@_numpy(np.expand_dims)
def _expand_dims(a: Any, axis: int) -> Any:
    return ops.unsqueeze(a, axis)


@_numpy(np.broadcast_to)
def _broadcast_to(a: Any, shape: Any) -> Any:
    return ops.broadcast_to(a, shape=tuple(shape))


@_numpy(np.where)
def _where(condition: Any, x: Any, y: Any) -> Any:
    return ops.where(condition, x, y)


@_numpy(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None) -> Any:
    return ops.clamp(a, a_min, a_max)


@_numpy(np.dot)
def _dot(a: Any, b: Any) -> Any:
    if np.ndim(b) > 2:
        raise _unsupported("numpy.dot of more than two dimensions")
    return ops.matmul(a, b) if np.ndim(a) and np.ndim(b) else ops.mul(a, b)


@_numpy(np.outer)
def _outer(a: Any, b: Any) -> Any:
    return ops.outer(_tensor(a), _tensor(b))


@_numpy(np.einsum)
def _einsum(equation: str, *operands: Any) -> Any:
    return ops.einsum(equation, *operands)


@_numpy(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord is not None and (x.ndim if axis is None else np.size(axis)) != 1:
        raise _unsupported(f"numpy.linalg.norm of a matrix with ord={ord!r}")
    return ops.norm(x, 2 if ord is None else ord, dim=axis, keepdim=keepdims)


@_numpy(np.split)
def _split(a: Any, sections: Any, axis: int = 0) -> Any:
    return list(ops.tensor_split(a, sections, dim=axis))


@_numpy(np.tile)
def _tile(a: Any, reps: Any) -> Any:
    return ops.tile(a, (reps,) if isinstance(reps, int) else tuple(reps))


@_numpy(np.flip)
def _flip(a: Any, axis: Any = None) -> Any:
    dims = tuple(range(a.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return ops.flip(a, dims)


@_numpy(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    return ops.roll(a, shift, axis)


@_numpy(np.take_along_axis)
def _take_along_axis(a: Any, indices: Any, axis: int) -> Any:
    return ops.take_along_dim(a, _tensor(indices), axis)


@_numpy(np.shape)
def _shape(a: Tensor) -> tuple[int, ...]:
    return a.shape


@_numpy(np.ndim)
def _ndim(a: Tensor) -> int:
    return a.ndim


@_numpy(np.size)
def _size(a: Tensor, axis: int | None = None) -> int:
    return a.numel() if axis is None else a.shape[axis]


@_numpy(np.zeros_like)
def _zeros_like(a: Tensor, dtype: Any = None) -> Tensor:
    return creation.zeros_like(a, dtype=dtype)


@_numpy(np.ones_like)
def _ones_like(a: Tensor, dtype: Any = None) -> Tensor:
    return creation.ones_like(a, dtype=dtype)


@_numpy(np.full_like)
def _full_like(a: Tensor, fill_value: Any, dtype: Any = None) -> Tensor:
    return creation.full_like(a, fill_value, dtype=dtype)


@_numpy(np.array_equal)
def _array_equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(_tensor(a).array, _tensor(b).array))


@_numpy(np.allclose)
def _allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    return bool(np.allclose(_tensor(a).array, _tensor(b).array, rtol, atol))


Tensor.__array_ufunc__ = _array_ufunc  # type: ignore[attr-defined]
Tensor.__array_function__ = _array_function  # type: ignore[attr-defined]
