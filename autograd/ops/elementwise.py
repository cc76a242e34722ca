"""Elementwise arithmetic.  Inputs broadcast; the walk sums gradients back to their shapes.

Exact operations are NumPy's.  In `*_grad` ops, `v` is the gradient that arrives at the forward op
and `x`, `y` are its inputs; `g` stays the gradient that arrives at the op itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops, quiet

_ONE = (Sample((3, 4)), Sample(()), Sample((2, 0)))
_PAIRS = (
    Sample((3, 4), (3, 4)),
    Sample((3, 4), (4,)),
    Sample((3, 1), (1, 4)),
    Sample((), (2, 3)),
    Sample((), ()),
    Sample((2, 0), (1, 1)),
)
_QUOTIENTS = (
    Sample((3, 4), (3, 4), low=0.3),
    Sample((3, 1), (4,), low=-2.0, high=-0.4),
    Sample((), (2, 3), low=0.3),
    Sample((), (), low=0.3),
    Sample((2, 0), (1, 1), low=0.3),
)
_STEPS = (  # quotients that stay away from whole numbers, where floor jumps
    Sample(np.array([[2.6, -2.6, 7.3]]), np.array([[0.9], [-1.1]])),
    Sample(np.array(5.5), np.array(2.1)),
    Sample((2, 0), (1, 1), low=0.3),
)


# Sums and products.  The functions named add_, sub_, div_ are the public ones, with PyTorch's extra
# arguments; the primitives of the same name, defined after them, are what operators and vjps reach.


@function(methods=("add",))
def add_(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    """The sum x + alpha * y."""
    return ops.add(x, y if alpha == 1 else ops.mul(y, alpha))


add = op(
    "add",
    math=r"x + y",
    dmath=(r"g", r"g"),
    kernel=np.add,
    ref=lambda x, y: np.add(x, y),
    vjp=(lambda g: g, lambda g: g),
    scalar=lambda x, y: x + y,
    samples=_PAIRS,
    methods=("__add__",),
    numpy=(np.add,),
)


@function(methods=("sub", "subtract"))
def sub_(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    """The difference x - alpha * y."""
    return ops.sub(x, y if alpha == 1 else ops.mul(y, alpha))


sub = op(
    "sub",
    math=r"x - y",
    dmath=(r"g", r"-g"),
    kernel=np.subtract,
    ref=lambda x, y: np.subtract(x, y),
    vjp=(lambda g: g, lambda g: ops.neg(g)),
    scalar=lambda x, y: x - y,
    samples=_PAIRS,
    methods=("__sub__",),
    numpy=(np.subtract,),
)

mul = op(
    "mul",
    math=r"x \cdot y",
    dmath=(r"g\,y", r"g\,x"),
    kernel=np.multiply,
    ref=lambda x, y: np.multiply(x, y),
    vjp=(lambda g, y: ops.mul(g, y), lambda g, x: ops.mul(g, x)),
    scalar=lambda x, y: x * y,
    samples=_PAIRS,
    methods=("__mul__", "mul", "multiply"),
    numpy=(np.multiply,),
)


def _div_number(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        return x * math.copysign(math.inf, y)


@function(methods=("div", "divide"))
def div_(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    """The quotient x / y; rounded towards zero ("trunc") or down ("floor") where asked for."""
    if rounding_mode is None:
        return ops.div(x, y)
    if rounding_mode == "floor":
        return ops.floor_divide(x, y)
    if rounding_mode != "trunc":
        raise ValueError(
            f"div: rounding_mode {rounding_mode!r} is unknown; expected None, 'trunc' or 'floor'"
        )
    return ops.trunc_divide(x, y)


div = op(
    "div",
    math=r"\frac{x}{y}",
    dmath=(r"\frac{g}{y}", r"-g\,\frac{x}{y^2}"),
    kernel=np.true_divide,
    types="float",
    ref=lambda x, y: np.true_divide(x, y),
    vjp=(lambda g, y: ops.div(g, y), lambda g, x, y: ops.div_grad(g, x, y)),
    scalar=_div_number,
    samples=_QUOTIENTS,
    methods=("__truediv__", "true_divide"),
    numpy=(np.true_divide,),
)


@kernel
def _div_grad(out, v, x, y):
    for i in range(out.size):
        out[i] = -v[i] * (x[i] / y[i]) / y[i]


div_grad = op(
    "div_grad",
    math=r"-v\,\frac{x}{y^2}",
    dmath=(r"-g\,\frac{x}{y^2}", r"-g\,\frac{v}{y^2}", r"2 g\,\frac{v\,x}{y^3}"),
    kernel=_div_grad,
    types="float",
    ref=lambda v, x, y: -v * (x / y) / y,
    vjp=(
        lambda g, x, y: ops.div_grad(g, x, y),
        lambda g, v, y: ops.div_grad(g, v, y),
        lambda g, v, x, y: ops.mul(ops.div(ops.div_grad(ops.mul(g, v), x, y), y), -2.0),
    ),
    scalar=lambda v, x, y: _div_number(-v * _div_number(x, y), y),
    samples=(
        Sample((3, 4), (3, 4), (3, 4), low=0.3),
        Sample((3, 4), (3, 1), (4,), low=0.3),
        Sample((), (), (), low=0.3),
        Sample((2, 0), (1, 1), (1,), low=0.3),
    ),
    methods=(),
)


@kernel
def _flat_grad(out, v):
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = zero


flat_grad = op(
    "flat_grad",
    math=r"0",
    dmath=(r"0",),
    kernel=_flat_grad,
    ref=lambda v: np.zeros_like(v),
    vjp=(lambda g: ops.flat_grad(g),),
    scalar=lambda v: 0.0,
    samples=_ONE,
    methods=(),
)


# Whole quotients and remainders


@kernel
def _has_zero(y):
    for i in range(y.size):
        if y[i] == 0:
            return 1
    return 0


def _division(name: str, f: Any) -> Callable[..., None]:
    """`f` as a kernel; an error where integers are divided by 0, which have no inf or NaN."""

    def run(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        if out.dtype.kind != "f" and _has_zero.run(y.reshape(-1)):
            raise ZeroDivisionError(
                f"{name}: integer division by zero; divide floats to get inf or nan,"
                " or replace the zeros first"
            )
        if isinstance(f, np.ufunc):
            quiet.run(f, x, y, out)
        else:
            f(out, x, y)

    return run


floor_divide = op(
    "floor_divide",
    math=r"\lfloor x / y \rfloor",
    dmath=(r"0", r"0"),
    checks=True,
    kernel=_division("floor_divide", np.floor_divide),
    shape=lambda x, y: shapes.broadcast("floor_divide", x, y),
    broadcasts=True,
    ref=lambda x, y: np.floor_divide(x, y),
    vjp=(lambda g: ops.flat_grad(g), lambda g: ops.flat_grad(g)),
    kink="Zero everywhere, also where it jumps.",
    samples=_STEPS,
    methods=("__floordiv__", "floor_divide"),
    numpy=(np.floor_divide,),
)


def _trunc_divide(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    if out.dtype.kind == "f":
        quiet.run(np.true_divide, x, y, out)
        quiet.run(np.trunc, out, out)
    else:
        rest = np.empty_like(out)
        quiet.run(np.fmod, x, y, rest)
        quiet.run(np.subtract, x, rest, rest)
        quiet.run(np.floor_divide, rest, y, out)


trunc_divide = op(
    "trunc_divide",
    math=r"\operatorname{trunc}(x / y)",
    dmath=(r"0", r"0"),
    checks=True,
    kernel=_division("trunc_divide", _trunc_divide),
    shape=lambda x, y: shapes.broadcast("trunc_divide", x, y),
    broadcasts=True,
    ref=lambda x, y: np.trunc(np.true_divide(x, y)).astype(x.dtype),
    vjp=(lambda g: ops.flat_grad(g), lambda g: ops.flat_grad(g)),
    kink="Zero everywhere, also where it jumps.",
    samples=_STEPS,
    methods=(),
)

remainder = op(
    "remainder",
    math=r"x - y\,\lfloor x / y \rfloor",
    dmath=(r"g", r"-g\,\lfloor x / y \rfloor"),
    checks=True,
    kernel=_division("remainder", np.remainder),
    shape=lambda x, y: shapes.broadcast("remainder", x, y),
    broadcasts=True,
    ref=lambda x, y: np.remainder(x, y),
    vjp=(lambda g: g, lambda g, x, y: ops.neg(ops.mul(g, ops.floor_divide(x, y)))),
    kink="Where it jumps, the slope is that of the side on which it is zero.",
    samples=_STEPS,
    methods=("__mod__", "remainder"),
    numpy=(np.remainder,),
)

fmod = op(
    "fmod",
    math=r"x - y\,\operatorname{trunc}(x / y)",
    dmath=(r"g", r"-g\,\operatorname{trunc}(x / y)"),
    checks=True,
    kernel=_division("fmod", np.fmod),
    shape=lambda x, y: shapes.broadcast("fmod", x, y),
    broadcasts=True,
    ref=lambda x, y: np.fmod(x, y),
    vjp=(lambda g: g, lambda g, x, y: ops.neg(ops.mul(g, ops.trunc_divide(x, y)))),
    kink="Where it jumps, the slope is that of the side on which it is zero.",
    samples=_STEPS,
    numpy=(np.fmod,),
)


# One input


neg = op(
    "neg",
    math=r"-x",
    dmath=(r"-g",),
    kernel=np.negative,
    ref=lambda x: np.negative(x),
    vjp=(lambda g: ops.neg(g),),
    scalar=lambda x: -x,
    samples=_ONE,
    methods=("__neg__", "neg", "negative"),
    numpy=(np.negative,),
)

positive = op(
    "positive",
    math=r"x",
    dmath=(r"g",),
    kernel=np.positive,
    ref=lambda x: np.positive(x),
    vjp=(lambda g: g,),
    scalar=lambda x: x,
    samples=_ONE,
    methods=("__pos__", "positive"),
    numpy=(np.positive,),
)

clone = op(
    "clone",
    math=r"x",
    dmath=(r"g",),
    kernel=moves.copy,
    shape=lambda x: x,
    ref=lambda x: x.copy(),
    vjp=(lambda g: g,),
    scalar=lambda x: x,
    samples=_ONE,
)


def _cast(out: np.ndarray, x: np.ndarray, *, dtype: Any) -> None:
    moves.convert(out, x)


cast = op(
    "cast",
    math=r"x",
    dmath=(r"g",),
    kernel=_cast,
    shape=lambda x, *, dtype: x,
    result=lambda x, *, dtype: dtypes.as_dtype(dtype),
    ref=lambda x, *, dtype: x.astype(dtype),
    vjp=(lambda g, x_dtype: ops.cast(g, dtype=x_dtype),),
    samples=(
        Sample((3, 4), meta={"dtype": dtypes.float64}),
        Sample((), meta={"dtype": dtypes.float64}),
        Sample((2, 0), meta={"dtype": dtypes.float64}),
    ),
    methods=(),
)


@kernel
def _sign(out, x):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(x.size):
        out[i] = one if x[i] > zero else -one if x[i] < zero else zero


sign = op(
    "sign",
    math=r"\operatorname{sign}(x)",
    dmath=(r"0",),
    kernel=_sign,
    ref=lambda x: np.nan_to_num(np.sign(x), nan=0.0),
    vjp=(lambda g: ops.flat_grad(g),),
    scalar=lambda x: 1.0 if x > 0 else -1.0 if x < 0 else 0.0,
    kink="Zero everywhere, also at the jump.",
    samples=(Sample((3, 4), avoid=0.0), Sample((), avoid=0.0), Sample((2, 0))),
    methods=("sign", "sgn"),
    numpy=(np.sign,),
)

absolute = op(
    "abs",
    math=r"|x|",
    dmath=(r"g\,\operatorname{sign}(x)",),
    kernel=np.absolute,
    ref=lambda x: np.absolute(x),
    vjp=(lambda g, x: ops.mul(g, ops.sign(x)),),
    scalar=lambda x: abs(x),
    kink="0 at 0.",
    samples=(Sample((3, 4), avoid=0.0), Sample((), avoid=0.0), Sample((2, 0))),
    methods=("__abs__", "abs", "absolute"),
    numpy=(np.absolute,),
)
