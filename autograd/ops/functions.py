"""Exponentials, logarithms and the error function.

exp, log, tanh, erf and their kin are our own loops (`autograd.vmath`), the same in every mode and
on every machine; the others are NumPy's, over contiguous arrays: its results depend on strides.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.kernel import kernel
from autograd.op import Sample, op, ops, quiet
from autograd.vmath import (
    erf as _erf_of,
    exp as _exp_of,
    expm1 as _expm1_of,
    log as _log_of,
    log1p as _log1p_of,
    softplus as _softplus_of,
    tanh as _tanh_of,
)

_ONE = (Sample((3, 4)), Sample(()), Sample((2, 0)))
_POSITIVE = (Sample((3, 4), low=0.3), Sample((), low=0.3), Sample((2, 0)))
_LN2 = math.log(2.0)
_LN10 = math.log(10.0)
_ERF_SLOPE = 2.0 / math.sqrt(math.pi)


@kernel
def _exp(out, x):
    for i in range(x.size):
        out[i] = _exp_of(x[i])


def _exp_number(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


exp = op(
    "exp",
    math=r"e^{x}",
    dmath=(r"g\,e^{x}",),
    kernel=_exp,
    types="float",
    ref=lambda x: np.exp(x),
    vjp=(lambda g, out: ops.mul(g, out),),
    scalar=_exp_number,
    samples=_ONE,
    numpy=(np.exp,),
)

exp2 = op(
    "exp2",
    math=r"2^{x}",
    dmath=(r"g\,2^{x} \ln 2",),
    kernel=lambda out, x: quiet.run(np.exp2, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.exp2(x),
    vjp=(lambda g, out: ops.mul(g, ops.mul(out, _LN2)),),
    samples=_ONE,
    numpy=(np.exp2,),
)


@kernel
def _expm1(out, x):
    for i in range(x.size):
        out[i] = _expm1_of(x[i])


expm1 = op(
    "expm1",
    math=r"e^{x} - 1",
    dmath=(r"g\,e^{x}",),
    kernel=_expm1,
    types="float",
    ref=lambda x: np.expm1(x),
    vjp=(lambda g, out: ops.mul(g, ops.add(out, 1.0)),),
    samples=_ONE,
    numpy=(np.expm1,),
)


@kernel
def _log(out, x):
    for i in range(x.size):
        out[i] = _log_of(x[i])


def _log_number(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


log = op(
    "log",
    math=r"\ln x",
    dmath=(r"\frac{g}{x}",),
    kernel=_log,
    types="float",
    ref=lambda x: np.log(x),
    vjp=(lambda g, x: ops.div(g, x),),
    scalar=_log_number,
    kink="inf at 0.",
    samples=_POSITIVE,
    numpy=(np.log,),
)


@kernel
def _log1p(out, x):
    for i in range(x.size):
        out[i] = _log1p_of(x[i])


log1p = op(
    "log1p",
    math=r"\ln(1 + x)",
    dmath=(r"\frac{g}{1 + x}",),
    kernel=_log1p,
    types="float",
    ref=lambda x: np.log1p(x),
    vjp=(lambda g, x: ops.div(g, ops.add(x, 1.0)),),
    samples=(Sample((3, 4), low=-0.7), Sample((), low=-0.7), Sample((2, 0))),
    numpy=(np.log1p,),
)

log2 = op(
    "log2",
    math=r"\log_2 x",
    dmath=(r"\frac{g}{x \ln 2}",),
    kernel=lambda out, x: quiet.run(np.log2, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.log2(x),
    vjp=(lambda g, x: ops.div(g, ops.mul(x, _LN2)),),
    samples=_POSITIVE,
    numpy=(np.log2,),
)

log10 = op(
    "log10",
    math=r"\log_{10} x",
    dmath=(r"\frac{g}{x \ln 10}",),
    kernel=lambda out, x: quiet.run(np.log10, x, out),
    shape=lambda x: x,
    types="float",
    ref=lambda x: np.log10(x),
    vjp=(lambda g, x: ops.div(g, ops.mul(x, _LN10)),),
    samples=_POSITIVE,
    numpy=(np.log10,),
)


@kernel
def _xlogy(out, x, y):
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = y[i] if y[i] != y[i] else zero if x[i] == zero else x[i] * _log_of(y[i])


def _xlogy_x(g: Any, x: Any, y: Any) -> Any:
    """Gradient for x: log y, and 0 where 0 log 0 stands for its limit."""
    limit = ops.logical_and(ops.eq(x, 0.0), ops.le(y, 0.0))
    return ops.where(limit, 0.0, ops.xlogy(g, y))


xlogy = op(
    "xlogy",
    math=r"x \ln y",
    dmath=(r"g \ln y", r"g\,\frac{x}{y}"),
    kernel=_xlogy,
    types="float",
    ref=lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y)),
    vjp=(_xlogy_x, lambda g, x, y: ops.div(ops.mul(g, x), y)),
    kink="At x = y = 0: 0 for x, NaN for y.",
    samples=(
        Sample((3, 4), (3, 4), low=0.3),
        Sample((3, 1), (4,), low=0.3),
        Sample((), (), low=0.3),
        Sample((2, 0), (1, 1), low=0.3),
    ),
)


@kernel
def _logaddexp(out, x, y):
    ln2 = out.dtype.type(_LN2)
    for i in range(out.size):
        top = x[i] if x[i] > y[i] else y[i]
        way = abs(x[i] - y[i])
        out[i] = top + ln2 if x[i] == y[i] else top + _softplus_of(-way)


logaddexp = op(
    "logaddexp",
    math=r"\ln(e^{x} + e^{y})",
    dmath=(r"g\,\sigma(x - y)", r"g\,\sigma(y - x)"),
    kernel=_logaddexp,
    types="float",
    ref=lambda x, y: np.logaddexp(x, y),
    vjp=(
        lambda g, x, y: ops.mul(g, ops.sigmoid(ops.sub(x, y))),
        lambda g, x, y: ops.mul(g, ops.sigmoid(ops.sub(y, x))),
    ),
    samples=(
        Sample((3, 4), (3, 4)),
        Sample((3, 1), (4,)),
        Sample((), (2, 3)),
        Sample((), ()),
        Sample((2, 0), (1, 1)),
    ),
    numpy=(np.logaddexp,),
)


@kernel
def _tanh(out, x):
    for i in range(x.size):
        out[i] = _tanh_of(x[i])


tanh = op(
    "tanh",
    math=r"\tanh x",
    dmath=(r"g\,(1 - \tanh^2 x)",),
    kernel=_tanh,
    types="float",
    ref=lambda x: np.tanh(x),
    vjp=(lambda g, out: ops.tanh_grad(g, out),),
    scalar=lambda x: math.tanh(x),
    samples=_ONE,
    numpy=(np.tanh,),
)


@kernel
def _tanh_grad(out, v, y):
    one = out.dtype.type(1)
    for i in range(out.size):
        out[i] = v[i] * (one - y[i] * y[i])


tanh_grad = op(
    "tanh_grad",
    math=r"v\,(1 - y^2)",
    dmath=(r"g\,(1 - y^2)", r"-2 g\,v\,y"),
    kernel=_tanh_grad,
    ref=lambda v, y: v * (1 - y * y),
    vjp=(
        lambda g, y: ops.tanh_grad(g, y),
        lambda g, v, y: ops.mul(ops.mul(g, v), ops.mul(y, -2.0)),
    ),
    scalar=lambda v, y: v * (1.0 - y * y),
    samples=(Sample((3, 4), (3, 4)), Sample((), ()), Sample((2, 0), (2, 0))),
    methods=(),
)


def _each(f: Any, x: Any) -> np.ndarray:
    """A function of one number over an array; NumPy has no error function."""
    return np.vectorize(f, otypes=[np.float64])(x).astype(x.dtype)


@kernel
def _erf(out, x):
    for i in range(x.size):
        out[i] = _erf_of(x[i])


erf = op(
    "erf",
    math=r"\operatorname{erf}(x)",
    dmath=(r"g\,\frac{2}{\sqrt{\pi}} e^{-x^2}",),
    kernel=_erf,
    types="float",
    ref=lambda x: _each(math.erf, x),
    vjp=(lambda g, x: ops.erf_grad(g, x),),
    samples=_ONE,
)


@kernel
def _erfc(out, x):
    for i in range(x.size):
        out[i] = math.erfc(x[i])


erfc = op(
    "erfc",
    math=r"1 - \operatorname{erf}(x)",
    dmath=(r"-g\,\frac{2}{\sqrt{\pi}} e^{-x^2}",),
    kernel=_erfc,
    types="float",
    ref=lambda x: _each(math.erfc, x),
    vjp=(lambda g, x: ops.neg(ops.erf_grad(g, x)),),
    samples=_ONE,
)


@kernel
def _erf_grad(out, v, x):
    slope = out.dtype.type(_ERF_SLOPE)
    for i in range(out.size):
        out[i] = v[i] * (slope * _exp_of(-x[i] * x[i]))


erf_grad = op(
    "erf_grad",
    math=r"v\,\frac{2}{\sqrt{\pi}} e^{-x^2}",
    dmath=(r"g\,\frac{2}{\sqrt{\pi}} e^{-x^2}", r"-2 g\,v\,x\,\frac{2}{\sqrt{\pi}} e^{-x^2}"),
    kernel=_erf_grad,
    ref=lambda v, x: v * (2 / math.sqrt(math.pi) * np.exp(-x * x)),
    vjp=(
        lambda g, x: ops.erf_grad(g, x),
        lambda g, v, x: ops.mul(ops.erf_grad(ops.mul(g, v), x), ops.mul(x, -2.0)),
    ),
    samples=(Sample((3, 4), (3, 4)), Sample((), ()), Sample((2, 0), (2, 0))),
    methods=(),
)
