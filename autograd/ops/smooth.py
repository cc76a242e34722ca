"""Smooth activations, each with a fused backward op that is differentiable in turn.

In `*_grad` ops, `v` is the gradient that arrives at the activation, `x` its input and `y` its
output; `g` stays the gradient of the op itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.vmath import (
    sigmoid as _sigmoid_of,
    softplus as _softplus_of,
    tanh as _tanh_of,
)

_EMPTY = Sample((2, 0))
_ONE = (Sample((3, 4)), Sample(()), _EMPTY)
_GRAD = (Sample((3, 4), (3, 4)), Sample((), ()), Sample((2, 0), (2, 0)))
_AT_0 = (Sample((3, 4), avoid=0.0), Sample((), avoid=0.0), _EMPTY)
_GRAD_AT_0 = (
    Sample((3, 4), (3, 4), avoid=0.0),
    Sample((), (), avoid=0.0),
    Sample((2, 0), (2, 0)),
)


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@kernel
def _sigmoid(out, x):
    for i in range(x.size):
        out[i] = _sigmoid_of(x[i])


def _sigmoid_number(x: float) -> float:
    e = math.exp(-abs(x))
    return 1.0 / (1.0 + e) if x >= 0 else e / (1.0 + e)


sigmoid = op(
    "sigmoid",
    math=r"\sigma(x) = \frac{1}{1 + e^{-x}}",
    dmath=(r"g\,\sigma(x)\,(1 - \sigma(x))",),
    kernel=_sigmoid,
    types="float",
    ref=_logistic,
    vjp=(lambda g, out: ops.sigmoid_grad(g, out),),
    scalar=_sigmoid_number,
    samples=_ONE,
)


@kernel
def _sigmoid_grad(out, v, y):
    one = out.dtype.type(1)
    for i in range(out.size):
        out[i] = v[i] * (y[i] * (one - y[i]))


sigmoid_grad = op(
    "sigmoid_grad",
    math=r"v\,y\,(1 - y)",
    dmath=(r"g\,y\,(1 - y)", r"g\,v\,(1 - 2 y)"),
    kernel=_sigmoid_grad,
    ref=lambda v, y: v * y * (1 - y),
    vjp=(
        lambda g, y: ops.sigmoid_grad(g, y),
        lambda g, v, y: ops.mul(ops.mul(g, v), ops.add(ops.mul(y, -2.0), 1.0)),
    ),
    scalar=lambda v, y: v * (y * (1.0 - y)),
    samples=_GRAD,
    methods=(),
)


@kernel
def _logsigmoid(out, x):
    for i in range(x.size):
        out[i] = -_softplus_of(-x[i])


logsigmoid = op(
    "logsigmoid",
    math=r"\ln \sigma(x)",
    dmath=(r"g\,\sigma(-x)",),
    kernel=_logsigmoid,
    types="float",
    ref=lambda x: -np.logaddexp(0, -x),
    vjp=(lambda g, x: ops.logsigmoid_grad(g, x),),
    samples=_ONE,
    methods=(),
)


@kernel
def _logsigmoid_grad(out, v, x):
    for i in range(out.size):
        out[i] = v[i] * _sigmoid_of(-x[i])


def _logsigmoid_curve(g: Any, v: Any, x: Any) -> Any:
    """The curvature -g v s (1 - s), s = sigmoid(-x); its products with s by the op itself."""
    return ops.mul(ops.logsigmoid_grad(v, x), ops.sub(ops.logsigmoid_grad(g, x), g))


logsigmoid_grad = op(
    "logsigmoid_grad",
    math=r"v\,\sigma(-x)",
    dmath=(r"g\,\sigma(-x)", r"-g\,v\,\sigma(x)\,\sigma(-x)"),
    kernel=_logsigmoid_grad,
    ref=lambda v, x: v * _logistic(-x),
    vjp=(lambda g, x: ops.logsigmoid_grad(g, x), _logsigmoid_curve),
    samples=_GRAD,
    methods=(),
)


@kernel
def _softplus(out, x, beta, threshold):
    rate, edge = out.dtype.type(beta), out.dtype.type(threshold)
    for i in range(x.size):
        z = x[i] * rate
        out[i] = x[i] if z > edge else _softplus_of(z) / rate


softplus = op(
    "softplus",
    math=r"\frac{1}{\beta} \ln(1 + e^{\beta x})",
    dmath=(r"g\,\sigma(\beta x)",),
    kernel=_softplus,
    types="float",
    ref=lambda x, *, beta=1.0, threshold=20.0: np.where(
        x * beta > threshold, x, np.logaddexp(0, x * beta) / beta
    ),
    vjp=(lambda g, x, beta, threshold: ops.softplus_grad(g, x, beta=beta, threshold=threshold),),
    kink="Beyond beta x = threshold the function is taken to be x, the slope 1.",
    samples=(*_ONE, Sample((3, 4), avoid=0.5, meta={"beta": 2.0, "threshold": 1.0})),
    methods=(),
)


@kernel
def _softplus_grad(out, v, x, beta, threshold):
    rate, edge = out.dtype.type(beta), out.dtype.type(threshold)
    for i in range(out.size):
        z = x[i] * rate
        out[i] = v[i] if z > edge else v[i] * _sigmoid_of(z)


def _softplus_curve(g: Any, v: Any, x: Any, beta: float, threshold: float) -> Any:
    """The curvature beta g v s (1 - s), s the slope: 1 beyond the threshold."""
    meta = {"beta": beta, "threshold": threshold}
    rest = ops.sub(g, ops.softplus_grad(g, x, **meta))
    return ops.mul(ops.mul(ops.softplus_grad(v, x, **meta), rest), beta)


softplus_grad = op(
    "softplus_grad",
    math=r"v\,\sigma(\beta x)",
    dmath=(r"g\,\sigma(\beta x)", r"g\,v\,\beta\,\sigma(\beta x)\,\sigma(-\beta x)"),
    kernel=_softplus_grad,
    ref=lambda v, x, *, beta=1.0, threshold=20.0: np.where(
        x * beta > threshold, v, v * _logistic(x * beta)
    ),
    vjp=(
        lambda g, x, beta, threshold: ops.softplus_grad(g, x, beta=beta, threshold=threshold),
        _softplus_curve,
    ),
    samples=_GRAD,
    methods=(),
)


@kernel
def _softsign(out, x):
    one = out.dtype.type(1)
    for i in range(x.size):
        out[i] = x[i] / (one + abs(x[i]))


softsign = op(
    "softsign",
    math=r"\frac{x}{1 + |x|}",
    dmath=(r"\frac{g}{(1 + |x|)^2}",),
    kernel=_softsign,
    types="float",
    ref=lambda x: x / (1 + np.abs(x)),
    vjp=(lambda g, x: ops.softsign_grad(g, x),),
    samples=_AT_0,
    methods=(),
)


@kernel
def _softsign_grad(out, v, x):
    one = out.dtype.type(1)
    for i in range(out.size):
        d = one + abs(x[i])
        out[i] = v[i] / (d * d)


def _softsign_curve(g: Any, v: Any, x: Any) -> Any:
    """The curvature -2 g v sign(x) / (1 + |x|)^3."""
    d = ops.add(ops.abs(x), 1.0)
    return ops.div(ops.mul(ops.softsign_grad(ops.mul(g, v), x), ops.mul(ops.sign(x), -2.0)), d)


softsign_grad = op(
    "softsign_grad",
    math=r"\frac{v}{(1 + |x|)^2}",
    dmath=(r"\frac{g}{(1 + |x|)^2}", r"-2 g\,v\,\frac{\operatorname{sign}(x)}{(1 + |x|)^3}"),
    kernel=_softsign_grad,
    ref=lambda v, x: v / (1 + np.abs(x)) ** 2,
    vjp=(lambda g, x: ops.softsign_grad(g, x), _softsign_curve),
    kink="0 at 0, in x.",
    samples=_GRAD_AT_0,
    methods=(),
)


@kernel
def _tanhshrink(out, x):
    for i in range(x.size):
        out[i] = x[i] - _tanh_of(x[i])


tanhshrink = op(
    "tanhshrink",
    math=r"x - \tanh x",
    dmath=(r"g \tanh^2 x",),
    kernel=_tanhshrink,
    types="float",
    ref=lambda x: x - np.tanh(x),
    vjp=(lambda g, x: ops.mul(g, ops.square(ops.tanh(x))),),
    samples=_ONE,
    methods=(),
)
