"""Choosing between values: maximum and minimum, clamp, where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.errors import DtypeError
from autograd.kernel import kernel
from autograd.op import METHODS, Sample, function, op, ops

_APART = (  # pairs without ties
    Sample((3, 4), np.linspace(-1.95, 1.95, 12).reshape(3, 4)[::-1], distinct=True),
    Sample((3, 1), np.array([0.3, -2.5, 2.5]), avoid=0.3),
    Sample((), np.array([[-2.5, 2.5]])),
    Sample((), np.array(2.5)),
    Sample((2, 0), (1, 1)),
)


def _max_number(x: float, y: float) -> float:
    return float(x if x > y or x != x else y)


maximum = op(
    "maximum",
    math=r"\max(x, y)",
    dmath=(r"g\,[x > y]", r"g\,[y > x]"),
    kernel=np.maximum,
    ref=lambda x, y: np.maximum(x, y),
    vjp=(
        lambda g, x, y: ops.maximum_grad(g, x, y),
        lambda g, x, y: ops.maximum_grad(g, y, x),
    ),
    scalar=_max_number,
    kink="A tie gives half to each; NaN gives all to both.",
    samples=_APART,
    numpy=(np.maximum,),
)

minimum = op(
    "minimum",
    math=r"\min(x, y)",
    dmath=(r"g\,[x < y]", r"g\,[y < x]"),
    kernel=np.minimum,
    ref=lambda x, y: np.minimum(x, y),
    vjp=(
        lambda g, x, y: ops.maximum_grad(g, y, x),
        lambda g, x, y: ops.maximum_grad(g, x, y),
    ),
    scalar=lambda x, y: float(x if x < y or x != x else y),
    kink="A tie gives half to each; NaN gives all to both.",
    samples=_APART,
    numpy=(np.minimum,),
)


@kernel
def _maximum_grad(out, v, x, y):
    zero, half = out.dtype.type(0), out.dtype.type(0.5)
    for i in range(out.size):
        out[i] = zero if x[i] < y[i] else half * v[i] if x[i] == y[i] else v[i]


maximum_grad = op(
    "maximum_grad",
    math=r"v\,[x > y]",
    dmath=(r"g\,[x > y]", None, None),
    kernel=_maximum_grad,
    ref=lambda v, x, y: np.where(x < y, 0, np.where(x == y, v / 2, v)),
    vjp=(lambda g, x, y: ops.maximum_grad(g, x, y), None, None),
    scalar=lambda v, x, y: 0.0 if x < y else 0.5 * v if x == y else v,
    kink="Half where x = y.",
    samples=(
        Sample((3, 2), (3, 2), np.array([[2.5, -2.5]] * 3)),
        Sample((2,), np.array([1.0, 2.0]), np.array([1.0, 2.0])),
        Sample((), (), np.array(-2.5)),
        Sample((2, 0), (2, 0), (2, 0)),
    ),
    methods=(),
)


def _takes_first(x: Any, y: Any, better: Any) -> Any:
    """Where fmax and fmin take x: it is as good as y, or y is NaN."""
    return ops.logical_or(better(x, y), ops.isnan(y))


fmax = op(
    "fmax",
    math=r"\max(x, y)",
    dmath=(r"g\,[x \ge y]", r"g\,[y > x]"),
    kernel=np.fmax,
    ref=lambda x, y: np.fmax(x, y),
    vjp=(
        lambda g, x, y: ops.where(_takes_first(x, y, ops.ge), g, 0.0),
        lambda g, x, y: ops.where(_takes_first(x, y, ops.ge), 0.0, g),
    ),
    kink="A tie goes to x; a NaN gets nothing where the other is a number.",
    samples=_APART,
    numpy=(np.fmax,),
)

fmin = op(
    "fmin",
    math=r"\min(x, y)",
    dmath=(r"g\,[x \le y]", r"g\,[y < x]"),
    kernel=np.fmin,
    ref=lambda x, y: np.fmin(x, y),
    vjp=(
        lambda g, x, y: ops.where(_takes_first(x, y, ops.le), g, 0.0),
        lambda g, x, y: ops.where(_takes_first(x, y, ops.le), 0.0, g),
    ),
    kink="A tie goes to x; a NaN gets nothing where the other is a number.",
    samples=_APART,
    numpy=(np.fmin,),
)


# Clamp


@function(methods=("clamp", "clip"), numpy=(np.clip,))
def clamp_(x: Any, min: Any = None, max: Any = None) -> Any:
    """x, but at least `min` and at most `max`: numbers, tensors that broadcast, or None."""
    if all(bound is None or isinstance(bound, (int, float, np.generic)) for bound in (min, max)):
        return ops.clamp(x, min=min, max=max)
    x = x if min is None else _bounded(x, min, ops.lt)
    return x if max is None else _bounded(x, max, ops.gt)


def _bounded(x: Any, bound: Any, beyond: Any) -> Any:
    """x, or `bound` where x is beyond it: at a tie the gradient is x's, and a NaN bound shows."""
    return ops.where(ops.logical_or(beyond(x, bound), ops.isnan(bound)), bound, x)


@kernel
def _clamp(out, x, low, high):
    for i in range(x.size):
        y = low if x[i] < low else x[i]
        out[i] = high if y > high else y


def _clamp_bounds(dtype: np.dtype, min: Any, max: Any) -> tuple[Any, Any]:
    """Both bounds as numbers of `dtype`; a missing one is the end of the dtype's range."""
    if dtype.kind == "f":
        lowest, highest = -math.inf, math.inf
    else:
        lowest, highest = np.iinfo(dtype).min, np.iinfo(dtype).max
    return dtype.type(lowest if min is None else min), dtype.type(highest if max is None else max)


def _clamp_any(out: np.ndarray, x: np.ndarray, *, min: Any, max: Any) -> None:
    low, high = _clamp_bounds(out.dtype, min, max)
    if low != low or high != high:
        moves.fill(out, math.nan)
    else:
        _clamp.run(out.reshape(-1), moves.converted(x, out.dtype).reshape(-1), low, high)


def _clamp_shape(x: shapes.Shape, *, min: Any, max: Any) -> shapes.Shape:
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given")
    return x


def _clamp_type(x: np.ndarray, *, min: Any, max: Any) -> np.dtype:
    return dtypes.result_type(x, *[bound for bound in (min, max) if bound is not None])


def _clamp_ref(x: np.ndarray, *, min: Any = None, max: Any = None) -> np.ndarray:
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


clamp = op(
    "clamp",
    math=r"\min(\max(x, a), b)",
    dmath=(r"g\,[a \le x \le b]",),
    kernel=_clamp_any,
    shape=_clamp_shape,
    result=_clamp_type,
    ref=_clamp_ref,
    vjp=(lambda g, x, min, max: ops.clamp_grad(g, x, min=min, max=max),),
    kink="1 at both bounds.",
    samples=(
        Sample((3, 4), avoid=(-0.5, 1.0), meta={"min": -0.5, "max": 1.0}),
        Sample((3, 4), avoid=0.0, meta={"min": 0}),
        Sample((), avoid=0.5, meta={"max": 0.5}),
        Sample((2, 0), meta={"min": 0.0}),
    ),
    methods=(),
)


@kernel
def _clamp_grad(out, v, x, low, high):
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = v[i] if low <= x[i] and x[i] <= high else zero


def _clamp_grad_any(out: np.ndarray, v: np.ndarray, x: np.ndarray, *, min: Any, max: Any) -> None:
    low, high = _clamp_bounds(out.dtype, min, max)
    _clamp_grad.run(out.reshape(-1), v.reshape(-1), x.reshape(-1), low, high)


def _clamp_grad_ref(
    v: np.ndarray, x: np.ndarray, *, min: Any = None, max: Any = None
) -> np.ndarray:
    low, high = _clamp_bounds(x.dtype, min, max)
    return np.where((x >= low) & (x <= high), v, 0)


clamp_grad = op(
    "clamp_grad",
    math=r"v\,[a \le x \le b]",
    dmath=(r"g\,[a \le x \le b]", None),
    kernel=_clamp_grad_any,
    shape=lambda v, x, *, min, max: v,
    ref=_clamp_grad_ref,
    vjp=(lambda g, x, min, max: ops.clamp_grad(g, x, min=min, max=max), None),
    samples=(
        Sample((3, 4), (3, 4), avoid=(-0.5, 1.0), meta={"min": -0.5, "max": 1.0}),
        Sample((), (), meta={"max": 2.5}),
        Sample((2, 0), (2, 0), meta={"min": 0.0}),
    ),
    methods=(),
)


# Where


def _where(out: np.ndarray, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    moves.copy(out, y)
    moves.copy_where(out, x, condition)


def _where_type(condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.dtype:
    if condition.dtype != dtypes.bool_:
        raise DtypeError(
            f"where: the condition must be a bool tensor, got {condition.dtype.name};"
            " compare first, as in where(x != 0, ...)"
        )
    return x.dtype


where = op(
    "where",
    math=r"x \text{ if } c \text{ else } y",
    dmath=(None, r"g\,[c]", r"g\,[\lnot c]"),
    kernel=_where,
    shape=lambda condition, x, y: shapes.broadcast("where", condition, x, y),
    result=_where_type,
    exempt=("condition",),
    broadcasts=True,
    ref=lambda condition, x, y: np.where(condition, x, y),
    vjp=(
        None,
        lambda g, condition: ops.where(condition, g, 0.0),
        lambda g, condition: ops.where(condition, 0.0, g),
    ),
    samples=(
        Sample(np.array([[True, False, True, False]]), (3, 4), (3, 1)),
        Sample(np.array([True, False]), (), (2,)),
        Sample(np.array(True), (), ()),
        Sample(np.zeros((2, 0), bool), (2, 0), (1, 1)),
    ),
    methods=(),
    numpy=(np.where,),
)
METHODS["where"] = lambda x, condition, y: ops.where(condition, x, y)  # x comes first in a method
