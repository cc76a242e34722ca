"""Arithmetic, comparisons and functions of single elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from autograd.op import ops
from nn.keras import config
from nn.keras.ops.operation import int32, operand, operation, pair, real, tensor


def _unary(name: str, f: Callable[[Tensor], Tensor], doc: str, floats: bool = True) -> Any:
    def call(x: Any) -> Tensor:
        return f(real(x) if floats else tensor(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return operation(call)


exp = _unary("exp", ops.exp, "e^x.")
exp2 = _unary("exp2", ops.exp2, "2^x.")
expm1 = _unary("expm1", ops.expm1, "e^x - 1, exact for small x.")
log = _unary("log", ops.log, "The natural logarithm.")
log1p = _unary("log1p", ops.log1p, "log(1 + x), exact for small x.")
log2 = _unary("log2", ops.log2, "The logarithm to base 2.")
log10 = _unary("log10", ops.log10, "The logarithm to base 10.")
sqrt = _unary("sqrt", ops.sqrt, "The square root.")
rsqrt = _unary("rsqrt", ops.rsqrt, "1 / sqrt(x).")
reciprocal = _unary("reciprocal", ops.reciprocal, "1 / x.")
sin = _unary("sin", ops.sin, "The sine.")
cos = _unary("cos", ops.cos, "The cosine.")
tan = _unary("tan", ops.tan, "The tangent.")
arcsin = _unary("arcsin", ops.asin, "The inverse of the sine.")
arccos = _unary("arccos", ops.acos, "The inverse of the cosine.")
arctan = _unary("arctan", ops.atan, "The inverse of the tangent.")
sinh = _unary("sinh", ops.sinh, "The hyperbolic sine.")
cosh = _unary("cosh", ops.cosh, "The hyperbolic cosine.")
tanh = _unary("tanh", ops.tanh, "The hyperbolic tangent.")
arcsinh = _unary("arcsinh", ops.asinh, "The inverse of sinh.")
arccosh = _unary("arccosh", ops.acosh, "The inverse of cosh.")
arctanh = _unary("arctanh", ops.atanh, "The inverse of tanh.")
erf = _unary("erf", ops.erf, "2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.")
floor = _unary("floor", ops.floor, "The next integer below.")
ceil = _unary("ceil", ops.ceil, "The next integer above.")
trunc = _unary("trunc", ops.trunc, "The next integer towards 0.", floats=False)
negative = _unary("negative", ops.neg, "-x.", floats=False)
absolute = _unary("absolute", ops.abs, "|x|; the derivative at 0 is 0.", floats=False)
abs = _unary("abs", ops.abs, "|x|; the derivative at 0 is 0.", floats=False)
square = _unary("square", ops.square, "x^2.", floats=False)
sign = _unary("sign", ops.sign, "-1, 0 or 1.", floats=False)
isnan = _unary("isnan", ops.isnan, "Where x is not a number.")
isinf = _unary("isinf", ops.isinf, "Where x is infinite.")
isfinite = _unary("isfinite", ops.isfinite, "Where x is a finite number.")
logical_not = _unary("logical_not", ops.logical_not, "Where x is False.", floats=False)


@operation
def round(x: Any, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals; halves go to even."""
    return ops.round(tensor(x), decimals=decimals)


@operation
def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """The nearest number between x_min and x_max."""
    return tensor(x).clamp(min=x_min, max=x_max)


@operation
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """`x` with numbers in place of NaN and, the largest there are by default, infinities."""
    x = real(x)
    largest = float(np.finfo(x.dtype).max)
    out = ops.masked_fill(x, ops.isnan(x), nan)
    out = ops.masked_fill(out, ops.eq(x, np.inf), largest if posinf is None else posinf)
    return ops.masked_fill(out, ops.eq(x, -np.inf), -largest if neginf is None else neginf)


# Of two


def _binary(name: str, f: Callable[[Any, Any], Tensor], doc: str) -> Any:
    def call(x1: Any, x2: Any) -> Tensor:
        return f(*pair(x1, x2))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return operation(call)


def _larger(x: Any, y: Any) -> Tensor:
    return ops.where(ops.lt(x, y), y, x)


def _smaller(x: Any, y: Any) -> Tensor:
    return ops.where(ops.gt(x, y), y, x)


add = _binary("add", ops.add, "x1 + x2.")
subtract = _binary("subtract", ops.sub, "x1 - x2.")
multiply = _binary("multiply", ops.mul, "x1 x2.")
divide = _binary("divide", ops.div, "x1 / x2.")
true_divide = _binary("true_divide", ops.div, "x1 / x2.")
floor_divide = _binary("floor_divide", ops.floor_divide, "The integer below x1 / x2.")
mod = _binary("mod", ops.remainder, "x1 - x2 floor(x1 / x2): of the sign of x2.")
power = _binary("power", ops.pow, "x1 to the power x2.")
maximum = _binary("maximum", _larger, "The larger one; the gradient of equal ones is x1's.")
minimum = _binary("minimum", _smaller, "The smaller one; the gradient of equal ones is x1's.")
arctan2 = _binary("arctan2", ops.atan2, "The angle of the point (x2, x1).")
hypot = _binary("hypot", ops.hypot, "sqrt(x1^2 + x2^2).")
logaddexp = _binary("logaddexp", ops.logaddexp, "log(e^x1 + e^x2).")
equal = _binary("equal", ops.eq, "Where both are equal.")
not_equal = _binary("not_equal", ops.ne, "Where they differ.")
less = _binary("less", ops.lt, "Where x1 is smaller.")
less_equal = _binary("less_equal", ops.le, "Where x1 is not larger.")
greater = _binary("greater", ops.gt, "Where x1 is larger.")
greater_equal = _binary("greater_equal", ops.ge, "Where x1 is not smaller.")
logical_and = _binary("logical_and", ops.logical_and, "Where both are True.")
logical_or = _binary("logical_or", ops.logical_or, "Where one is True.")
logical_xor = _binary("logical_xor", ops.logical_xor, "Where exactly one is True.")


@operation
def divide_no_nan(x1: Any, x2: Any) -> Tensor:
    """x1 / x2, and 0 where x2 is 0."""
    x, y = real(x1), real(x2)
    zero = ops.eq(y, 0)
    return ops.where(zero, 0.0, ops.div(x, ops.masked_fill(y, zero, 1.0)))


@operation
def nonzero(x: Any) -> tuple[Tensor, ...]:
    """The places of what is not 0, an int32 tensor per dimension."""
    return tuple(int32(i) for i in autograd.nonzero(tensor(x), as_tuple=True))


@operation
def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Where |x1 - x2| <= atol + rtol |x2|."""
    return autograd.isclose(real(x1), real(x2), rtol, atol, equal_nan)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`true_fn()` if `pred`, else `false_fn()`; in a compiled step use `where`."""
    return true_fn() if bool(pred) else false_fn()


@operation
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, x2 elsewhere; with neither, the places where it holds."""
    chosen = tensor(condition)
    if chosen.dtype.kind != "b":
        chosen = ops.ne(chosen, 0)
    if x1 is None and x2 is None:
        return nonzero(chosen)
    if x1 is None or x2 is None:
        raise ValueError("`x1` and `x2` either both should be `None` or both should have values")
    x, y = operand(x1), operand(x2)
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        integers = isinstance(x, int) and isinstance(y, int)
        x = tensor(x, None if integers else config.floatx())
    return ops.where(chosen, x, y)
