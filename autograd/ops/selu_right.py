"""SELU whose slope at 0 is that from the right, as TensorFlow's kernel, and so Keras, has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.vmath import exp as _exp_of, expm1 as _expm1_of

_ALPHA = 1.6732632423543772848170429916717
_SCALE = 1.0507009873554804934193349852946


@kernel
def _selu_right(out, x):
    zero, scale, depth = out.dtype.type(0), out.dtype.type(_SCALE), out.dtype.type(_SCALE * _ALPHA)
    for i in range(x.size):
        below = depth * _expm1_of(x[i])
        out[i] = below if x[i] < zero else scale * x[i]


@kernel
def _selu_right_grad(out, v, x):
    zero, scale, depth = out.dtype.type(0), out.dtype.type(_SCALE), out.dtype.type(_SCALE * _ALPHA)
    for i in range(out.size):
        below = depth * _exp_of(x[i])
        out[i] = v[i] * (below if x[i] < zero else scale)


def _curve(g: Any, v: Any, x: Any) -> Any:
    """The curvature: g v times the slope below 0; above it the slope is constant."""
    return ops.where(ops.lt(x, 0.0), ops.selu_right_grad(ops.mul(g, v), x), 0.0)


selu_right = op(
    "selu_right",
    math=r"\lambda\,(x \text{ if } x \ge 0 \text{ else } \alpha\,(e^{x} - 1))",
    dmath=(r"g\,\lambda\,(1 \text{ if } x \ge 0 \text{ else } \alpha e^{x})",),
    kernel=_selu_right,
    types="float",
    ref=lambda x: _SCALE * np.where(x < 0, _ALPHA * np.expm1(x), x),
    vjp=(lambda g, x: ops.selu_right_grad(g, x),),
    kink="lambda at 0.",
    samples=(Sample((3, 4), avoid=0.0), Sample((), avoid=0.0), Sample((2, 0))),
    methods=(),
)

selu_right_grad = op(
    "selu_right_grad",
    math=r"v\,\lambda\,(1 \text{ if } x \ge 0 \text{ else } \alpha e^{x})",
    dmath=(
        r"g\,\lambda\,(1 \text{ if } x \ge 0 \text{ else } \alpha e^{x})",
        r"g\,v\,\lambda\,\alpha\,e^{x}\,[x < 0]",
    ),
    kernel=_selu_right_grad,
    ref=lambda v, x: v * _SCALE * np.where(x < 0, _ALPHA * np.exp(x), 1),
    vjp=(lambda g, x: ops.selu_right_grad(g, x), _curve),
    kink="The slope from above at 0.",
    samples=(
        Sample((3, 4), (3, 4), avoid=0.0),
        Sample((), (), avoid=0.0),
        Sample((2, 0), (2, 0)),
    ),
    methods=(),
)
