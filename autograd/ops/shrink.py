"""Activations that are constant around 0 or below a threshold, and the step.

In `*_grad` ops, `v` is the gradient that arrives at the activation and `x` its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops


@kernel
def _softshrink(out, x, lambd):
    zero, width = out.dtype.type(0), out.dtype.type(lambd)
    for i in range(x.size):
        inner = x[i] * zero  # keeps NaN
        out[i] = x[i] - width if x[i] > width else x[i] + width if x[i] < -width else inner


softshrink = op(
    "softshrink",
    math=r"\operatorname{sign}(x) \max(|x| - \lambda, 0)",
    dmath=(r"g\,[|x| > \lambda]",),
    kernel=_softshrink,
    types="float",
    ref=lambda x, *, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
    vjp=(lambda g, x, lambd: ops.shrink_grad(g, x, lambd=lambd),),
    kink=r"0 at both ends of the flat piece.",
    samples=(Sample((3, 4), avoid=(-0.5, 0.5)), Sample((), avoid=(-0.5, 0.5)), Sample((2, 0))),
    methods=(),
)


@kernel
def _hardshrink(out, x, lambd):
    zero, width = out.dtype.type(0), out.dtype.type(lambd)
    for i in range(x.size):
        out[i] = zero if abs(x[i]) <= width else x[i]


hardshrink = op(
    "hardshrink",
    math=r"x\,[|x| > \lambda]",
    dmath=(r"g\,[|x| > \lambda]",),
    kernel=_hardshrink,
    types="float",
    ref=lambda x, *, lambd=0.5: np.where(np.abs(x) <= lambd, 0, x),
    vjp=(lambda g, x, lambd: ops.shrink_grad(g, x, lambd=lambd),),
    kink="0 at the jumps.",
    samples=(Sample((3, 4), avoid=(-0.5, 0.5)), Sample((), avoid=(-0.5, 0.5)), Sample((2, 0))),
)


@kernel
def _shrink_grad(out, v, x, lambd):
    zero, width = out.dtype.type(0), out.dtype.type(lambd)
    for i in range(out.size):
        out[i] = zero if abs(x[i]) <= width else v[i]


shrink_grad = op(
    "shrink_grad",
    math=r"v\,[|x| > \lambda]",
    dmath=(r"g\,[|x| > \lambda]", r"0"),
    kernel=_shrink_grad,
    ref=lambda v, x, *, lambd=0.5: np.where(np.abs(x) <= lambd, 0, v),
    vjp=(
        lambda g, x, lambd: ops.shrink_grad(g, x, lambd=lambd),
        lambda g: ops.flat_grad(g),
    ),
    samples=(
        Sample((3, 4), (3, 4), avoid=(-0.5, 0.5)),
        Sample((), (), avoid=(-0.5, 0.5)),
        Sample((2, 0), (2, 0)),
    ),
    methods=(),
)


@kernel
def _threshold(out, x, threshold, value):
    edge, constant = out.dtype.type(threshold), out.dtype.type(value)
    for i in range(x.size):
        out[i] = constant if x[i] <= edge else x[i]


threshold = op(
    "threshold",
    math=r"x \text{ if } x > t \text{ else } c",
    dmath=(r"g\,[x > t]",),
    kernel=_threshold,
    ref=lambda x, *, threshold, value: np.where(x <= threshold, value, x),
    vjp=(lambda g, x, threshold: ops.threshold_grad(g, x, threshold=threshold),),
    kink="0 at the threshold t.",
    samples=tuple(
        Sample(shape, avoid=0.125, meta={"threshold": 0.125, "value": 20.0})
        for shape in ((3, 4), (), (2, 0))
    ),
    methods=(),
)


@kernel
def _threshold_grad(out, v, x, threshold):
    zero, edge = out.dtype.type(0), out.dtype.type(threshold)
    for i in range(out.size):
        out[i] = zero if x[i] <= edge else v[i]


threshold_grad = op(
    "threshold_grad",
    math=r"v\,[x > t]",
    dmath=(r"g\,[x > t]", r"0"),
    kernel=_threshold_grad,
    ref=lambda v, x, *, threshold: np.where(x <= threshold, 0, v),
    vjp=(
        lambda g, x, threshold: ops.threshold_grad(g, x, threshold=threshold),
        lambda g: ops.flat_grad(g),
    ),
    samples=tuple(
        Sample(shape, shape, avoid=0.125, meta={"threshold": 0.125})
        for shape in ((3, 4), (), (2, 0))
    ),
    methods=(),
)


@kernel
def _heaviside(out, x, values):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = values[i] if x[i] == zero else one if x[i] > zero else zero


heaviside = op(
    "heaviside",
    math=r"(0, c, 1) \text{ for } x < 0, = 0, > 0",
    dmath=(r"0", r"g\,[x = 0]"),
    kernel=_heaviside,
    ref=lambda x, values: np.where(x == 0, values, np.where(x > 0, 1, 0)),
    vjp=(lambda g: ops.flat_grad(g), lambda g, x: ops.where(ops.eq(x, 0), g, 0.0)),
    kink="Zero everywhere, also at the jump.",
    samples=(
        Sample((3, 4), (3, 1), avoid=0.0),
        Sample((), (), avoid=0.0),
        Sample((2, 0), (1,)),
    ),
    numpy=(np.heaviside,),
)


@function(methods=())
def step(x: Any) -> Any:
    """1 where x >= 0, else 0: the perceptron's activation.  Its gradient is zero everywhere."""
    return ops.heaviside(x, 1.0)
