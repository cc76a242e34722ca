"""ELU, CELU and SELU: exponential below 0, with one backward op for the three."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.vmath import exp as _exp_of, expm1 as _expm1_of

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946

_AT_0 = (Sample((3, 4), avoid=0.0), Sample((), avoid=0.0), Sample((2, 0)))
_GRAD_AT_0 = (
    Sample((3, 4), (3, 4), avoid=0.0),
    Sample((), (), avoid=0.0),
    Sample((2, 0), (2, 0)),
)


@kernel
def _elu(out, x, alpha):
    zero, depth = out.dtype.type(0), out.dtype.type(alpha)
    for i in range(x.size):
        below = depth * _expm1_of(x[i])
        out[i] = x[i] if x[i] > zero else below


elu = op(
    "elu",
    math=r"x \text{ if } x > 0 \text{ else } \alpha\,(e^{x} - 1)",
    dmath=(r"g\,(1 \text{ if } x > 0 \text{ else } \alpha e^{x})",),
    kernel=_elu,
    types="float",
    ref=lambda x, *, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x)),
    vjp=(lambda g, x, alpha: ops.elu_grad(g, x, alpha=alpha),),
    kink=r"alpha at 0.",
    samples=(*_AT_0, Sample((3, 4), avoid=0.0, meta={"alpha": 0.5})),
    methods=(),
)


@kernel
def _celu(out, x, alpha):
    zero, depth = out.dtype.type(0), out.dtype.type(alpha)
    for i in range(x.size):
        below = depth * _expm1_of(x[i] / depth)
        out[i] = x[i] if x[i] > zero else below


celu = op(
    "celu",
    math=r"x \text{ if } x > 0 \text{ else } \alpha\,(e^{x / \alpha} - 1)",
    dmath=(r"g\,(1 \text{ if } x > 0 \text{ else } e^{x / \alpha})",),
    kernel=_celu,
    types="float",
    ref=lambda x, *, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
    vjp=(lambda g, x, alpha: ops.elu_grad(g, x, alpha=alpha, rate=1.0 / alpha),),
    kink="1 at 0.",
    samples=(*_AT_0, Sample((3, 4), avoid=0.0, meta={"alpha": 0.5})),
    methods=(),
)


@kernel
def _selu(out, x):
    zero, scale = out.dtype.type(0), out.dtype.type(_SELU_SCALE)
    depth = out.dtype.type(_SELU_SCALE * _SELU_ALPHA)
    for i in range(x.size):
        below = depth * _expm1_of(x[i])
        out[i] = scale * x[i] if x[i] > zero else below


selu = op(
    "selu",
    math=r"\lambda\,(x \text{ if } x > 0 \text{ else } \alpha\,(e^{x} - 1))",
    dmath=(r"g\,\lambda\,(1 \text{ if } x > 0 \text{ else } \alpha e^{x})",),
    kernel=_selu,
    types="float",
    ref=lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(x)),
    vjp=(lambda g, x: ops.elu_grad(g, x, alpha=_SELU_ALPHA, scale=_SELU_SCALE),),
    kink=r"lambda alpha at 0.",
    samples=_AT_0,
    methods=(),
)


@kernel
def _elu_grad(out, v, x, alpha, scale, rate):
    zero, above = out.dtype.type(0), out.dtype.type(scale)
    depth, speed = out.dtype.type(scale * alpha * rate), out.dtype.type(rate)
    for i in range(out.size):
        below = depth * _exp_of(speed * x[i])
        out[i] = v[i] * (below if x[i] <= zero else above)


def _elu_curve(g: Any, v: Any, x: Any, alpha: float, scale: float, rate: float) -> Any:
    """The curvature: rate g v times the slope below 0; above it the slope is constant."""
    slope = ops.elu_grad(ops.mul(g, v), x, alpha=alpha, scale=scale, rate=rate)
    return ops.where(ops.lt(x, 0.0), ops.mul(slope, rate), 0.0)


elu_grad = op(
    "elu_grad",
    math=r"v\,\lambda\,(1 \text{ if } x > 0 \text{ else } \alpha r\,e^{r x})",
    dmath=(
        r"g\,\lambda\,(1 \text{ if } x > 0 \text{ else } \alpha r\,e^{r x})",
        r"g\,v\,\lambda\,\alpha\,r^2 e^{r x}\,[x < 0]",
    ),
    kernel=_elu_grad,
    ref=lambda v, x, *, alpha=1.0, scale=1.0, rate=1.0: (
        v * scale * np.where(x <= 0, alpha * rate * np.exp(rate * x), 1)
    ),
    vjp=(
        lambda g, x, alpha, scale, rate: ops.elu_grad(g, x, alpha=alpha, scale=scale, rate=rate),
        _elu_curve,
    ),
    kink="The slope from below at 0.",
    samples=(
        *_GRAD_AT_0,
        Sample((3, 4), (3, 4), avoid=0.0, meta={"alpha": 0.5, "scale": 1.2, "rate": 2.0}),
    ),
    methods=(),
)
