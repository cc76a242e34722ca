"""Variance, standard deviation and norms over any dimensions."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.axes import blocks, fold, lanes_for, plan
from autograd.errors import DtypeError, ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops, quiet


def _degrees(op: str, shape: shapes.Shape, dim: Any, correction: float) -> float:
    return max(plan(op, shape, dim, False)[3][1] - correction, 0)


def _inverse(n: float) -> float:
    return 1 / n if n else math.inf


@kernel
def _square_rows(out, x, center, lanes, divisor):
    for o in range(x.shape[0]):
        row, c = x[o], 0.0 if center is None else np.float64(center[o])
        lanes[:] = 0.0
        for start in range(0, row.size, lanes.size):
            part = row[start : start + lanes.size]
            for i in range(part.size):
                d = part[i] - c
                lanes[i] += d * d
        out[o] = fold(lanes) / divisor


@kernel
def _square_columns(out, x, center, lanes, divisor):
    for o in range(x.shape[0]):
        for start in range(0, x.shape[2], lanes.size):
            size = min(lanes.size, x.shape[2] - start)
            for i in range(size):
                lanes[i] = 0.0
            for j in range(x.shape[1]):
                part = x[o, j, start : start + size]
                for i in range(size):
                    d = np.float64(part[i])
                    if center is not None:
                        d -= center[o, start + i]
                    lanes[i] += d * d
            for i in range(size):
                out[o, start + i] = lanes[i] / divisor


def _add_squares(out: np.ndarray, x: np.ndarray, center: Any, divisor: float) -> None:
    """The sum of (x - center)^2 / divisor over the middle of x (outer, n, inner); None is 0."""
    outer, n, inner = x.shape
    if inner == 1:
        center = None if center is None else center.reshape(outer)
        _square_rows.run(out.reshape(outer), x.reshape(outer, n), center, lanes_for(n, 1), divisor)
    else:
        flat = (outer, inner)
        center = None if center is None else center.reshape(flat)
        _square_columns.run(out.reshape(flat), x, center, lanes_for(n, inner), divisor)


# Variance


def _var(out: np.ndarray, x: np.ndarray, *, dim: Any, correction: float, keepdim: bool) -> None:
    _, _, order, sizes = plan("var", x.shape, dim, keepdim)
    center = ops.mean(x, dim=dim, keepdim=keepdim)
    _add_squares(out, blocks(x, order, sizes), center, float(max(sizes[1] - correction, 0)))


def _std(out: np.ndarray, x: np.ndarray, **meta: Any) -> None:
    _var(out, x, **meta)
    quiet.run(np.sqrt, out, out)


def _deviation(x: Any, dim: Any) -> Any:
    return ops.sub(x, ops.mean(x, dim=dim, keepdim=True))


def _var_ref(x: Any, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Any:
    axes = None if x.ndim == 0 or dim is None else tuple(np.ravel(dim))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.var(x, axes, ddof=correction, keepdims=keepdim)


def _var_grad(g: Any, x: Any, x_shape: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    scale = 2 * _inverse(_degrees("var", x_shape, dim, correction))
    wide = ops.spread(ops.mul(g, scale), shape=x_shape, dim=dim, keepdim=keepdim)
    return ops.mul(wide, _deviation(x, dim))


def _std_grad(
    g: Any, out: Any, x: Any, x_shape: Any, dim: Any, correction: float, keepdim: bool
) -> Any:
    """Where all are equal, out is 0; dividing by inf there gives 0 in every order."""
    scale = _inverse(_degrees("std", x_shape, dim, correction))
    safe = ops.masked_fill(out, ops.eq(out, 0.0), math.inf)
    wide = ops.spread(ops.mul(ops.div(g, safe), scale), shape=x_shape, dim=dim, keepdim=keepdim)
    return ops.mul(wide, _deviation(x, dim))


def _shape_rule(name: str) -> Any:
    return lambda x, *, dim, keepdim, **_: plan(name, x, dim, keepdim)[0]


def _float_only(x: np.ndarray, **_: Any) -> np.dtype:
    if x.dtype.kind != "f":
        raise DtypeError(f"var and std: {x.dtype.name} is not a float type; cast x first")
    return x.dtype


_SPREADS = (
    Sample((3, 4)),
    Sample((3, 4), meta={"dim": 0, "correction": 0}),
    Sample((3, 4), meta={"dim": (1,), "keepdim": True}),
    Sample((3, 2, 4), meta={"dim": (0, 2), "correction": 2}),
    Sample((2, 150), meta={"dim": -1}),
    Sample((), meta={"correction": -1}),
    Sample((0, 3), meta={"dim": 1}),
)

_var_op = op(
    "var",
    math=r"\tfrac{1}{n - c}\textstyle\sum_i (x_i - \bar x)^2",
    dmath=(r"\tfrac{2 g}{n - c}(x_i - \bar x)",),
    kernel=_var,
    shape=_shape_rule("var"),
    result=_float_only,
    ref=_var_ref,
    vjp=(_var_grad,),
    samples=_SPREADS,
    methods=(),
)

_std_op = op(
    "std",
    math=r"\sqrt{\tfrac{1}{n - c}\textstyle\sum_i (x_i - \bar x)^2}",
    dmath=(r"\tfrac{g}{(n - c)\,\mathrm{out}}(x_i - \bar x)",),
    kernel=_std,
    shape=_shape_rule("std"),
    result=_float_only,
    kink="0 where all elements are equal",
    ref=lambda x, *, dim=None, correction=1, keepdim=False: np.sqrt(
        _var_ref(x, dim=dim, correction=correction, keepdim=keepdim)
    ),
    vjp=(_std_grad,),
    samples=_SPREADS,
    methods=(),
)


def _arguments(op: str, x: Any, dim: Any, unbiased: Any, correction: Any) -> dict[str, Any]:
    """Both ways to say n - 1: `correction=1`, or `unbiased=True`, which may stand first."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    elif unbiased is not None:
        raise TypeError(f"{op}: give unbiased or correction, not both")
    count = plan(op, np.shape(x), dim, False)[3][1]
    if count <= correction:
        warnings.warn(
            f"{op}: degrees of freedom is <= 0: {count} elements with correction {correction};"
            " the result is NaN or inf",
            UserWarning,
            stacklevel=3,
        )
    return {"dim": dim, "correction": correction}


@function()
def var(
    x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """Mean squared deviation from the mean, over n - `correction` (default 1)."""
    return _var_op(x, **_arguments("var", x, dim, unbiased, correction), keepdim=keepdim)


@function()
def std(
    x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """The root of `var`; its gradient is 0 where all elements are equal."""
    return _std_op(x, **_arguments("std", x, dim, unbiased, correction), keepdim=keepdim)


@function(methods=())
def var_mean(
    x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Any, Any]:
    """`var` and `mean`."""
    meta = _arguments("var_mean", x, dim, unbiased, correction)
    return _var_op(x, **meta, keepdim=keepdim), ops.mean(x, dim=meta["dim"], keepdim=keepdim)


@function(methods=())
def std_mean(
    x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Any, Any]:
    """`std` and `mean`."""
    meta = _arguments("std_mean", x, dim, unbiased, correction)
    return _std_op(x, **meta, keepdim=keepdim), ops.mean(x, dim=meta["dim"], keepdim=keepdim)


# Norms


def _order(p: Any) -> float:
    if p is None or p == "fro":
        return 2.0
    if isinstance(p, str):
        raise ValueError(f"norm: p={p!r} is not a vector norm; give a number, inf, -inf or 'fro'")
    return float(p)


def _norm(out: np.ndarray, x: np.ndarray, *, p: Any, dim: Any, keepdim: bool) -> None:
    _, _, order, sizes = plan("norm", x.shape, dim, keepdim)
    p = _order(p)
    if p == 2:
        _add_squares(out, blocks(x, order, sizes), None, 1.0)
        quiet.run(np.sqrt, out, out)
    elif p == 0:
        moves.convert(out, ops.count_nonzero(x, dim=dim, keepdim=keepdim))
    else:
        if math.isinf(p) and not sizes[1]:
            raise ShapeError(f"norm: the {p} norm over no elements of shape {x.shape} has no value")
        size = np.empty(x.shape, x.dtype)
        quiet.run(np.absolute, x, size)
        if p != 1 and not math.isinf(p):
            quiet.run(np.power, size, p, size)
        reduce = ops.sum if not math.isinf(p) else ops.amax if p > 0 else ops.amin
        moves.copy(out, reduce(size, dim=dim, keepdim=keepdim))
        if p != 1 and not math.isinf(p):
            quiet.run(np.power, out, 1 / p, out)


def _norm_grad(g: Any, out: Any, x: Any, x_shape: Any, p: Any, dim: Any, keepdim: bool) -> Any:
    """G x / |x| and its kin; at 0, where no derivative exists, the subgradient 0."""
    p, meta = _order(p), {"dim": dim, "keepdim": keepdim}
    if p == 0:
        return ops.mul(x, 0.0)
    if p == 2:
        safe = ops.masked_fill(out, ops.eq(out, 0.0), math.inf)
        return ops.mul(ops.spread(ops.div(g, safe), shape=x_shape, **meta), x)
    wide, size = ops.spread(g, shape=x_shape, **meta), ops.abs(x)
    if math.isinf(p):
        return ops.mul(ops.mul(wide, ops.sign(x)), ops.tie_shares(size, out, **meta))
    if p == 1:
        return ops.mul(wide, ops.sign(x))
    size = ops.masked_fill(size, ops.eq(x, 0.0), 1.0)  # sign(x) is 0 there
    safe = ops.masked_fill(out, ops.eq(out, 0.0), math.inf if p > 1 else 1.0)
    scale = ops.spread(ops.mul(g, ops.pow(safe, 1 - p)), shape=x_shape, **meta)
    return ops.mul(scale, ops.mul(ops.sign(x), ops.pow(size, p - 1)))


def _norm_ref(x: Any, *, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    axes = tuple(range(x.ndim)) if dim is None or x.ndim == 0 else tuple(np.ravel(dim))
    p, size = _order(p), abs(x)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axes, keepdims=keepdim)
    if p == 0:
        return (x != 0).sum(axes, x.dtype, keepdims=keepdim)
    return (size**p).sum(axes, keepdims=keepdim) ** (1 / p)


norm = op(
    "norm",
    math=r"\bigl(\textstyle\sum_i |x_i|^p\bigr)^{1/p}",
    dmath=(r"g\,\mathrm{sgn}(x)\,|x|^{p-1} / \mathrm{out}^{p-1}",),
    kernel=_norm,
    shape=lambda x, *, p, dim, keepdim: plan("norm", x, dim, keepdim)[0],
    types="float",
    kink="0 where all elements are 0; p = inf: elements that tie share the gradient evenly",
    ref=_norm_ref,
    vjp=(_norm_grad,),
    samples=(
        Sample((3, 4), avoid=0.0),
        Sample((3, 4), meta={"dim": 0, "keepdim": True}, avoid=0.0),
        Sample((3, 2, 4), meta={"dim": (0, 2)}, avoid=0.0),
        Sample((3, 4), meta={"p": 1, "dim": 1}, avoid=0.0),
        Sample((3, 4), meta={"p": 3.0}, avoid=0.0),
        Sample((3, 4), meta={"p": 0.5, "dim": -1}, avoid=0.0),
        Sample((3, 4), meta={"p": math.inf, "dim": 1}, low=0.2, distinct=True),
        Sample((3, 4), meta={"p": -math.inf}, low=-2, high=-0.2, distinct=True),
        Sample((3, 4), meta={"p": 0}, avoid=0.0),
        Sample((), avoid=0.0),
        Sample((0, 3), meta={"dim": 1}),
    ),
)
