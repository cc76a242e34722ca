"""Circular and hyperbolic functions, with angles in radians."""

from __future__ import annotations

import math

import numpy as np

from autograd import shapes
from autograd.kernel import kernel
from autograd.op import Sample, op, ops, quiet

_ONE = (Sample((3, 4)), Sample(()), Sample((2, 0)))
_INSIDE = (Sample((3, 4), low=-0.8, high=0.8), Sample((), low=-0.8, high=0.8), Sample((2, 0)))

sin = op(
    "sin",
    math=r"\sin x",
    dmath=(r"g \cos x",),
    kernel=lambda out, x: quiet.run(np.sin, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.sin(x),
    vjp=(lambda g, x: ops.mul(g, ops.cos(x)),),
    scalar=lambda x: math.sin(x) if math.isfinite(x) else math.nan,
    samples=_ONE,
    numpy=(np.sin,),
)

cos = op(
    "cos",
    math=r"\cos x",
    dmath=(r"-g \sin x",),
    kernel=lambda out, x: quiet.run(np.cos, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.cos(x),
    vjp=(lambda g, x: ops.neg(ops.mul(g, ops.sin(x))),),
    scalar=lambda x: math.cos(x) if math.isfinite(x) else math.nan,
    samples=_ONE,
    numpy=(np.cos,),
)

tan = op(
    "tan",
    math=r"\tan x",
    dmath=(r"g\,(1 + \tan^2 x)",),
    kernel=lambda out, x: quiet.run(np.tan, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.tan(x),
    vjp=(lambda g, out: ops.mul(g, ops.add(ops.square(out), 1.0)),),
    samples=(Sample((3, 4), low=-1.2, high=1.2), Sample((), low=-1.2, high=1.2), Sample((2, 0))),
    numpy=(np.tan,),
)

asin = op(
    "asin",
    math=r"\arcsin x",
    dmath=(r"\frac{g}{\sqrt{1 - x^2}}",),
    kernel=lambda out, x: quiet.run(np.arcsin, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.arcsin(x),
    vjp=(lambda g, x: ops.mul(g, ops.rsqrt(ops.sub(1.0, ops.square(x)))),),
    kink="inf at -1 and 1.",
    samples=_INSIDE,
    methods=("asin", "arcsin"),
    numpy=(np.arcsin,),
)

acos = op(
    "acos",
    math=r"\arccos x",
    dmath=(r"-\frac{g}{\sqrt{1 - x^2}}",),
    kernel=lambda out, x: quiet.run(np.arccos, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.arccos(x),
    vjp=(lambda g, x: ops.neg(ops.mul(g, ops.rsqrt(ops.sub(1.0, ops.square(x))))),),
    kink="-inf at -1 and 1.",
    samples=_INSIDE,
    methods=("acos", "arccos"),
    numpy=(np.arccos,),
)

atan = op(
    "atan",
    math=r"\arctan x",
    dmath=(r"\frac{g}{1 + x^2}",),
    kernel=lambda out, x: quiet.run(np.arctan, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.arctan(x),
    vjp=(lambda g, x: ops.div(g, ops.add(ops.square(x), 1.0)),),
    samples=_ONE,
    methods=("atan", "arctan"),
    numpy=(np.arctan,),
)

atan2 = op(
    "atan2",
    math=r"\operatorname{atan2}(x, y)",
    dmath=(r"g\,\frac{y}{x^2 + y^2}", r"-g\,\frac{x}{x^2 + y^2}"),
    kernel=lambda out, x, y: quiet.run(np.arctan2, x, y, out),
    shape=lambda x, y: shapes.broadcast("atan2", x, y),
    broadcasts=True,
    types="float",
    ref=lambda x, y: np.arctan2(x, y),
    vjp=(
        lambda g, x, y: ops.atan2_grad(g, x, y),
        lambda g, x, y: ops.neg(ops.atan2_grad(g, y, x)),
    ),
    kink="0 for both at (0, 0).",
    samples=(
        Sample((3, 4), (3, 4), low=0.3),
        Sample((3, 1), (4,), low=-2.0, high=-0.3),
        Sample((), (2, 3), low=0.3),
        Sample((), (), low=0.3),
        Sample((2, 0), (1, 1), low=0.3),
    ),
    methods=("atan2", "arctan2"),
    numpy=(np.arctan2,),
)


@kernel
def _atan2_grad(out, v, x, y):
    zero = out.dtype.type(0)
    for i in range(out.size):  # by the larger of the two, so that no square overflows or vanishes
        m = abs(x[i]) if abs(x[i]) > abs(y[i]) else abs(y[i])
        a, b = x[i] / m, y[i] / m
        slope = y[i] * zero if m == math.inf else b / (a * a + b * b) / m
        out[i] = zero if x[i] == zero and y[i] == zero else v[i] * slope


atan2_grad = op(
    "atan2_grad",
    math=r"v\,\frac{y}{x^2 + y^2}",
    dmath=(
        r"g\,\frac{y}{x^2 + y^2}",
        r"-2 g\,v\,\frac{x\,y}{(x^2 + y^2)^2}",
        r"g\,v\,\frac{x^2 - y^2}{(x^2 + y^2)^2}",
    ),
    kernel=_atan2_grad,
    ref=lambda v, x, y: np.where(
        (x == 0) & (y == 0), 0, v * y / np.maximum(x * x + y * y, np.finfo(x.dtype).tiny)
    ),
    vjp=(
        lambda g, x, y: ops.atan2_grad(g, x, y),
        lambda g, v, x, y: ops.mul(ops.mul(ops.atan2_grad(g, x, y), ops.atan2_grad(v, y, x)), -2.0),
        lambda g, v, x, y: ops.sub(
            ops.mul(ops.atan2_grad(g, y, x), ops.atan2_grad(v, y, x)),
            ops.mul(ops.atan2_grad(g, x, y), ops.atan2_grad(v, x, y)),
        ),
    ),
    kink="0 at (0, 0).",
    samples=(
        Sample((3, 4), (3, 4), (3, 4), low=0.3),
        Sample((), (), (), low=0.3),
        Sample((2, 0), (2, 0), (2, 0), low=0.3),
    ),
    methods=(),
)

hypot = op(
    "hypot",
    math=r"\sqrt{x^2 + y^2}",
    dmath=(
        r"g\,\frac{x}{\sqrt{x^2 + y^2}}",
        r"g\,\frac{y}{\sqrt{x^2 + y^2}}",
    ),
    kernel=lambda out, x, y: quiet.run(np.hypot, x, y, out),
    shape=lambda x, y: shapes.broadcast("hypot", x, y),
    broadcasts=True,
    types="float",
    ref=lambda x, y: np.hypot(x, y),
    vjp=(
        lambda g, out, x: ops.mul(g, ops.div(x, out)),
        lambda g, out, y: ops.mul(g, ops.div(y, out)),
    ),
    kink="NaN at (0, 0).",
    samples=(
        Sample((3, 4), (3, 4), low=0.3),
        Sample((3, 1), (4,), low=0.3),
        Sample((), (), low=0.3),
        Sample((2, 0), (1, 1), low=0.3),
    ),
    numpy=(np.hypot,),
)

sinh = op(
    "sinh",
    math=r"\sinh x",
    dmath=(r"g \cosh x",),
    kernel=lambda out, x: quiet.run(np.sinh, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.sinh(x),
    vjp=(lambda g, x: ops.mul(g, ops.cosh(x)),),
    samples=_ONE,
    numpy=(np.sinh,),
)

cosh = op(
    "cosh",
    math=r"\cosh x",
    dmath=(r"g \sinh x",),
    kernel=lambda out, x: quiet.run(np.cosh, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.cosh(x),
    vjp=(lambda g, x: ops.mul(g, ops.sinh(x)),),
    samples=_ONE,
    numpy=(np.cosh,),
)

asinh = op(
    "asinh",
    math=r"\operatorname{arsinh} x",
    dmath=(r"\frac{g}{\sqrt{x^2 + 1}}",),
    kernel=lambda out, x: quiet.run(np.arcsinh, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.arcsinh(x),
    vjp=(lambda g, x: ops.mul(g, ops.rsqrt(ops.add(ops.square(x), 1.0))),),
    samples=_ONE,
    methods=("asinh", "arcsinh"),
    numpy=(np.arcsinh,),
)

acosh = op(
    "acosh",
    math=r"\operatorname{arcosh} x",
    dmath=(r"\frac{g}{\sqrt{x^2 - 1}}",),
    kernel=lambda out, x: quiet.run(np.arccosh, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.arccosh(x),
    vjp=(lambda g, x: ops.mul(g, ops.rsqrt(ops.sub(ops.square(x), 1.0))),),
    kink="inf at 1.",
    samples=(
        Sample((3, 4), low=1.4, high=3.0),
        Sample((), low=1.4, high=3.0),
        Sample((2, 0)),
    ),
    methods=("acosh", "arccosh"),
    numpy=(np.arccosh,),
)

atanh = op(
    "atanh",
    math=r"\operatorname{artanh} x",
    dmath=(r"\frac{g}{1 - x^2}",),
    kernel=lambda out, x: quiet.run(np.arctanh, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.arctanh(x),
    vjp=(lambda g, x: ops.div(g, ops.sub(1.0, ops.square(x))),),
    kink="inf at -1 and 1.",
    samples=_INSIDE,
    methods=("atanh", "arctanh"),
    numpy=(np.arctanh,),
)
