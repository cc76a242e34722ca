"""Activations of linear pieces.  Those with curves are in `smooth`, `gates`, `gelu` and `elu`.

Each has a fused backward op, differentiable in turn.  In those, `v` is the gradient that arrives at
the activation, `x` its input and `y` its output; `g` stays the gradient of the op itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops

_EMPTY = Sample((2, 0))
_AT_0 = (Sample((3, 4), avoid=0.0), Sample((), avoid=0.0), _EMPTY)
_GRAD_AT_0 = (
    Sample((3, 4), (3, 4), avoid=0.0),
    Sample((), (), avoid=0.0),
    Sample((2, 0), (2, 0)),
)


# relu and its leaky kin


@kernel
def _relu(out, x):
    zero = out.dtype.type(0)
    for i in range(x.size):
        out[i] = zero if x[i] <= zero else x[i]


relu = op(
    "relu",
    math=r"\max(x, 0)",
    dmath=(r"g\,[x > 0]",),
    kernel=_relu,
    ref=lambda x: np.maximum(x, 0),
    vjp=(lambda g, out: ops.relu_grad(g, out),),
    scalar=lambda x: 0.0 if x <= 0 else x,
    kink="0 at 0.",
    samples=_AT_0,
)


@kernel
def _relu_grad(out, v, y):
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = zero if y[i] <= zero else v[i]


relu_grad = op(
    "relu_grad",
    math=r"v\,[y > 0]",
    dmath=(r"g\,[y > 0]", r"0"),
    kernel=_relu_grad,
    ref=lambda v, y: np.where(y <= 0, 0, v),
    vjp=(lambda g, y: ops.relu_grad(g, y), lambda g: ops.flat_grad(g)),
    scalar=lambda v, y: 0.0 if y <= 0 else v,
    kink="0 at 0.",
    samples=_GRAD_AT_0,
    methods=(),
)


@kernel
def _leaky_relu(out, x, negative_slope):
    zero, slope = out.dtype.type(0), out.dtype.type(negative_slope)
    for i in range(x.size):
        out[i] = x[i] if x[i] > zero else slope * x[i]


leaky_relu = op(
    "leaky_relu",
    math=r"x \text{ if } x > 0 \text{ else } s\,x",
    dmath=(r"g\,(1 \text{ if } x > 0 \text{ else } s)",),
    kernel=_leaky_relu,
    types="float",
    ref=lambda x, *, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
    vjp=(lambda g, x, negative_slope: ops.leaky_relu_grad(g, x, negative_slope=negative_slope),),
    kink="The slope s at 0.",
    samples=(*_AT_0, Sample((3, 4), avoid=0.0, meta={"negative_slope": 0.3})),
    methods=(),
)


@kernel
def _leaky_relu_grad(out, v, x, negative_slope):
    zero, slope = out.dtype.type(0), out.dtype.type(negative_slope)
    for i in range(out.size):
        out[i] = v[i] if x[i] > zero else slope * v[i]


leaky_relu_grad = op(
    "leaky_relu_grad",
    math=r"v\,(1 \text{ if } x > 0 \text{ else } s)",
    dmath=(r"g\,(1 \text{ if } x > 0 \text{ else } s)", r"0"),
    kernel=_leaky_relu_grad,
    ref=lambda v, x, *, negative_slope=0.01: np.where(x > 0, v, negative_slope * v),
    vjp=(
        lambda g, x, negative_slope: ops.leaky_relu_grad(g, x, negative_slope=negative_slope),
        lambda g: ops.flat_grad(g),
    ),
    kink="The slope s at 0.",
    samples=_GRAD_AT_0,
    methods=(),
)


@function()
def prelu_(x: Any, weight: Any) -> Any:
    """The input where positive, else weight * x; `weight` is one, or one per channel."""
    channels = x.shape[1] if len(x.shape) > 1 else 1
    sizes = weight.shape
    if len(sizes) > 1 or sizes not in ((), (1,), (channels,)):
        raise ShapeError(
            f"prelu: x is {tuple(x.shape)} but weight is {tuple(sizes)};"
            f" expected (1,) or one weight per channel, ({channels},)"
        )
    if len(sizes) == 1 and len(x.shape) != 1:
        weight = ops.reshape(weight, shape=(-1, *(1,) * (len(x.shape) - 2)) if x.shape else ())
    return ops.prelu(x, weight)


@kernel
def _prelu(out, x, weight):
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = x[i] if x[i] > zero else weight[i] * x[i]


prelu = op(
    "prelu",
    math=r"x \text{ if } x > 0 \text{ else } w\,x",
    dmath=(r"g\,(1 \text{ if } x > 0 \text{ else } w)", r"g \min(x, 0)"),
    kernel=_prelu,
    types="float",
    ref=lambda x, weight: np.where(x > 0, x, weight * x),
    vjp=(
        lambda g, x, weight: ops.prelu_grad(g, x, weight),
        lambda g, x: ops.neg(ops.mul(g, ops.relu(ops.neg(x)))),
    ),
    kink="The weight w at 0.",
    samples=(
        Sample((2, 3, 2), (3, 1), avoid=0.0),
        Sample((4,), (1,), avoid=0.0),
        Sample((), (), avoid=0.0),
        Sample((2, 0), (1,)),
    ),
    methods=(),
)


@kernel
def _prelu_grad(out, v, x, weight):
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = v[i] if x[i] > zero else weight[i] * v[i]


prelu_grad = op(
    "prelu_grad",
    math=r"v\,(1 \text{ if } x > 0 \text{ else } w)",
    dmath=(r"g\,(1 \text{ if } x > 0 \text{ else } w)", r"0", r"g\,v\,[x \le 0]"),
    kernel=_prelu_grad,
    ref=lambda v, x, weight: np.where(x > 0, v, weight * v),
    vjp=(
        lambda g, x, weight: ops.prelu_grad(g, x, weight),
        lambda g: ops.flat_grad(g),
        lambda g, v, x: ops.mul(g, ops.leaky_relu_grad(v, ops.neg(x), negative_slope=0.0)),
    ),
    kink="The weight w at 0.",
    samples=(
        Sample((3, 4), (3, 4), (4,), avoid=0.0),
        Sample((), (), (), avoid=0.0),
        Sample((2, 0), (2, 0), (1,)),
    ),
    methods=(),
)


# Saturating: constant outside an interval


@kernel
def _relu6(out, x):
    zero, six = out.dtype.type(0), out.dtype.type(6)
    for i in range(x.size):
        y = zero if x[i] < zero else x[i]
        out[i] = six if y > six else y


relu6 = op(
    "relu6",
    math=r"\min(\max(x, 0), 6)",
    dmath=(r"g\,[0 < x < 6]",),
    kernel=_relu6,
    ref=lambda x: np.clip(x, 0, 6),
    vjp=(lambda g, out: ops.hardtanh_grad(g, out, min_val=0.0, max_val=6.0),),
    kink="0 at 0 and 6.",
    samples=(Sample((3, 4), low=-3.0, high=9.0, avoid=(0.0, 6.0)), Sample((), avoid=0.0), _EMPTY),
    methods=(),
)


@kernel
def _hardtanh(out, x, min_val, max_val):
    low, high = out.dtype.type(min_val), out.dtype.type(max_val)
    for i in range(x.size):
        y = low if x[i] < low else x[i]
        out[i] = high if y > high else y


hardtanh = op(
    "hardtanh",
    math=r"\min(\max(x, a), b)",
    dmath=(r"g\,[a < x < b]",),
    kernel=_hardtanh,
    ref=lambda x, *, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val),
    vjp=(
        lambda g, out, min_val, max_val: ops.hardtanh_grad(
            g, out, min_val=min_val, max_val=max_val
        ),
    ),
    kink="0 at both ends.",
    samples=(
        Sample((3, 4), avoid=(-1.0, 1.0)),
        Sample((), avoid=(-1.0, 1.0)),
        _EMPTY,
        Sample((3, 4), avoid=(0.5, 1.5), meta={"min_val": 0.5, "max_val": 1.5}),
    ),
    methods=(),
)


@kernel
def _hardtanh_grad(out, v, x, min_val, max_val):
    zero = out.dtype.type(0)
    low, high = out.dtype.type(min_val), out.dtype.type(max_val)
    for i in range(out.size):
        out[i] = zero if x[i] <= low or x[i] >= high else v[i]


hardtanh_grad = op(
    "hardtanh_grad",
    math=r"v\,[a < x < b]",
    dmath=(r"g\,[a < x < b]", r"0"),
    kernel=_hardtanh_grad,
    ref=lambda v, x, *, min_val=-1.0, max_val=1.0: np.where((x <= min_val) | (x >= max_val), 0, v),
    vjp=(
        lambda g, x, min_val, max_val: ops.hardtanh_grad(g, x, min_val=min_val, max_val=max_val),
        lambda g: ops.flat_grad(g),
    ),
    kink="0 at both ends.",
    samples=(
        Sample((3, 4), (3, 4), avoid=(-1.0, 1.0)),
        Sample((), (), avoid=(-1.0, 1.0)),
        Sample((2, 0), (2, 0)),
    ),
    methods=(),
)


@kernel
def _hardsigmoid(out, x):
    zero, three, six = out.dtype.type(0), out.dtype.type(3), out.dtype.type(6)
    for i in range(x.size):
        y = x[i] + three
        y = zero if y < zero else y
        out[i] = (six if y > six else y) / six


hardsigmoid = op(
    "hardsigmoid",
    math=r"\frac{1}{6} \min(\max(x + 3, 0), 6)",
    dmath=(r"\frac{g}{6}\,[-3 < x < 3]",),
    kernel=_hardsigmoid,
    types="float",
    ref=lambda x: np.clip(x + 3, 0, 6) / 6,
    vjp=(lambda g, x: ops.hardtanh_grad(ops.mul(g, 1 / 6), x, min_val=-3.0, max_val=3.0),),
    kink="0 at -3 and 3.",
    samples=(
        Sample((3, 4), low=-5.0, high=5.0, avoid=(-3.0, 3.0)),
        Sample(()),
        _EMPTY,
    ),
    methods=(),
)


@kernel
def _hardswish(out, x):
    zero, three, six = out.dtype.type(0), out.dtype.type(3), out.dtype.type(6)
    for i in range(x.size):
        y = x[i] + three
        y = zero if y < zero else y
        out[i] = x[i] * (six if y > six else y) / six


hardswish = op(
    "hardswish",
    math=r"\frac{x}{6} \min(\max(x + 3, 0), 6)",
    dmath=(r"g\,\left(0, \frac{x}{3} + \frac{1}{2}, 1\right)",),
    kernel=_hardswish,
    types="float",
    ref=lambda x: x * np.clip(x + 3, 0, 6) / 6,
    vjp=(lambda g, x: ops.hardswish_grad(g, x),),
    kink="0 at -3, 1 at 3.",
    samples=(
        Sample((3, 4), low=-5.0, high=5.0, avoid=(-3.0, 3.0)),
        Sample(()),
        _EMPTY,
    ),
    methods=(),
)


@kernel
def _hardswish_grad(out, v, x):
    zero, half, three = out.dtype.type(0), out.dtype.type(0.5), out.dtype.type(3)
    for i in range(out.size):
        inner = v[i] * (x[i] / three + half)
        out[i] = zero if x[i] <= -three else inner if x[i] < three else v[i]


hardswish_grad = op(
    "hardswish_grad",
    math=r"v\,\left(0, \frac{x}{3} + \frac{1}{2}, 1\right)",
    dmath=(
        r"g\,\left(0, \frac{x}{3} + \frac{1}{2}, 1\right)",
        r"\frac{g\,v}{3}\,[-3 < x < 3]",
    ),
    kernel=_hardswish_grad,
    ref=lambda v, x: np.where(x <= -3, 0, np.where(x < 3, v * (x / 3 + 0.5), v)),
    vjp=(
        lambda g, x: ops.hardswish_grad(g, x),
        lambda g, v, x: ops.hardtanh_grad(
            ops.mul(ops.mul(g, v), 1 / 3), x, min_val=-3.0, max_val=3.0
        ),
    ),
    kink="0 at -3, 1 at 3.",
    samples=(
        Sample((3, 4), (3, 4), low=-5.0, high=5.0, avoid=(-3.0, 3.0)),
        Sample((), ()),
        Sample((2, 0), (2, 0)),
    ),
    methods=(),
)
