"""Powers and roots, and functions composed of arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import shapes
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops, quiet

_ONE = (Sample((3, 4)), Sample(()), Sample((2, 0)))
_POSITIVE = (Sample((3, 4), low=0.3), Sample((), low=0.3), Sample((2, 0)))
_PAIRS = (
    Sample((3, 4), (3, 4), low=0.3),
    Sample((3, 1), (4,), low=0.3),
    Sample((), (2, 3), low=0.3),
    Sample((), (), low=0.3),
    Sample((2, 0), (1, 1), low=0.3),
)

square = op(
    "square",
    math=r"x^2",
    dmath=(r"2 g\,x",),
    kernel=np.square,
    ref=lambda x: np.square(x),
    vjp=(lambda g, x: ops.mul(g, ops.mul(x, 2.0)),),
    scalar=lambda x: x * x,
    samples=_ONE,
    numpy=(np.square,),
)

sqrt = op(
    "sqrt",
    math=r"\sqrt{x}",
    dmath=(r"\frac{g}{2\sqrt{x}}",),
    kernel=np.sqrt,
    types="float",
    ref=lambda x: np.sqrt(x),
    vjp=(lambda g, out: ops.div(g, ops.mul(out, 2.0)),),
    scalar=lambda x: math.sqrt(x) if x >= 0 else math.nan,
    kink="inf at 0.",
    samples=_POSITIVE,
    numpy=(np.sqrt,),
)


@kernel
def _rsqrt(out, x):
    one = out.dtype.type(1)
    for i in range(x.size):
        out[i] = one / math.sqrt(x[i])


rsqrt = op(
    "rsqrt",
    math=r"\frac{1}{\sqrt{x}}",
    dmath=(r"-\frac{g}{2}\,x^{-3/2}",),
    kernel=_rsqrt,
    types="float",
    ref=lambda x: 1 / np.sqrt(x),
    vjp=(lambda g, out: ops.mul(ops.mul(g, ops.mul(ops.square(out), out)), -0.5),),
    kink="-inf at 0.",
    samples=_POSITIVE,
)

reciprocal = op(
    "reciprocal",
    math=r"\frac{1}{x}",
    dmath=(r"-\frac{g}{x^2}",),
    kernel=np.reciprocal,
    types="float",
    ref=lambda x: np.reciprocal(x),
    vjp=(lambda g, out: ops.neg(ops.mul(g, ops.square(out))),),
    scalar=lambda x: 1 / x if x else math.copysign(math.inf, x),
    samples=_POSITIVE,
    numpy=(np.reciprocal,),
)


@function(methods=("__pow__", "pow"), numpy=(np.power,))
def pow_(x: Any, y: Any) -> Any:
    """The power x^y; the most common one, the square, by a multiplication."""
    if type(y) is int and y == 2:
        return ops.square(x)
    return ops.pow(x, y)


def _pow_number(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):  # where IEEE says inf or NaN
        with np.errstate(all="ignore"):
            return float(np.power(float(x), float(y)))


def _number(x: Any) -> Any:
    """A bare 0-d array or number as a float; anything else as it is."""
    bare = isinstance(x, (int, float)) or (isinstance(x, np.ndarray) and not x.ndim)
    return float(x) if bare else x


def _pow_base(g: Any, x: Any, y: Any) -> Any:
    """Gradient for the base; x^0 is constant, also at 0, where 0 * x^(-1) would be NaN."""
    y = _number(y)
    if type(y) is float:
        if y == 0:
            return ops.flat_grad(g)
        slope = ops.mul(x, 2.0) if y == 2 else ops.mul(ops.pow(x, y - 1.0), y)
        return ops.mul(g, slope)
    slope = ops.mul(y, ops.pow(x, ops.sub(y, 1.0)))
    constant = ops.logical_and(ops.eq(y, 0.0), ops.logical_not(ops.gt(ops.abs(x), 0.0)))
    return ops.mul(g, ops.where(constant, 0.0, slope))


def _pow_exponent(g: Any, out: Any, x: Any, y: Any) -> Any:
    """Gradient for the exponent; 0^y is constant for y >= 0, where 0 * log(0) would be NaN."""
    slope = ops.mul(out, ops.log(x))
    if type(_number(x)) is float and x > 0:
        return ops.mul(g, slope)
    constant = ops.logical_and(ops.eq(x, 0.0), ops.ge(y, 0.0))
    return ops.mul(g, ops.where(constant, 0.0, slope))


@kernel
def _has_negative(y):
    for i in range(y.size):
        if y[i] < 0:
            return 1
    return 0


def _pow(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    if out.dtype.kind == "i" and _has_negative.run(y.reshape(-1)):
        raise ValueError(
            "pow: integers to negative integer powers are not allowed; use floats: x.float()"
        )
    quiet.run(np.power, x, y, out)


power = op(
    "pow",
    math=r"x^y",
    dmath=(r"g\,y\,x^{y-1}", r"g\,x^y \ln x"),
    checks=True,
    kernel=_pow,
    shape=lambda x, y: shapes.broadcast("pow", x, y),
    broadcasts=True,
    ref=lambda x, y: np.power(x, y),
    vjp=(_pow_base, _pow_exponent),
    scalar=_pow_number,
    kink="At x = 0: 0 for the base where y = 0, and 0 for the exponent where y >= 0.",
    samples=(
        *_PAIRS,
        Sample((3, 4), 2),
        Sample((3, 4), 3.0),
        Sample((3, 4), 0),
        Sample((3, 4), -0.5, low=0.3),
        Sample(2.5, (3, 4)),
    ),
    methods=(),
)


# Composed


@function()
def addcmul(x: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """The sum x + value * tensor1 * tensor2."""
    product = ops.mul(tensor1, tensor2)
    return ops.add(x, product if value == 1 else ops.mul(product, value))


@function()
def addcdiv(x: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """The sum x + value * tensor1 / tensor2."""
    quotient = ops.div(tensor1, tensor2)
    return ops.add(x, quotient if value == 1 else ops.mul(quotient, value))


@function()
def lerp(x: Any, end: Any, weight: Any) -> Any:
    """The point x + weight * (end - x), by the form that is exact at the nearer end."""
    way = ops.sub(end, x)
    if isinstance(weight, (int, float)):
        if weight < 0.5:
            return ops.add(x, ops.mul(way, weight))
        return ops.sub(end, ops.mul(way, 1 - weight))
    near = ops.add(x, ops.mul(weight, way))
    far = ops.sub(end, ops.mul(ops.sub(1.0, weight), way))
    return ops.where(ops.lt(ops.abs(weight), 0.5), near, far)
