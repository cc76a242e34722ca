"""Losses that measure a distance: squared, absolute, Huber's and smooth absolute error.

The four are one function of d = x - target with three numbers: `inside d^2 / 2` where |d| <= edge,
else `outside |d| - offset`.  They share a loop forward and an op backward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import shapes
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.reduction import (
    reduce,
    reduced,
    reduced_shape,
    run_grad,
    run_loss,
    share,
    total,
)


@kernel
def _distance(out, x, target, terms, count, edge, inside, outside, offset):
    number = out.dtype.type
    edge, half = number(edge), number(inside / 2)
    outside, offset = number(outside), number(offset)
    loss = 0.0
    for start in range(0, x.size, terms.size):
        xs, ts = x[start : start + terms.size], target[start : start + terms.size]
        for i in range(xs.size):
            d = xs[i] - ts[i]
            a = abs(d)
            terms[i] = half * d * d if a <= edge else outside * a - offset
        if count is not None:
            loss += total(terms[: xs.size])
    if count is not None:
        out[0] = loss / count


@kernel
def _distance_grad(out, v, x, target, count, edge, inside, outside):
    number = out.dtype.type
    edge, inside, outside, zero = number(edge), number(inside), number(outside), number(0)
    each = number(1) if count is None else number(v[0] / count)
    lost = zero if edge <= zero else number(np.nan)  # |NaN| has slope 0, as in PyTorch
    for i in range(out.size):
        d = x[i] - target[i]
        steep = outside if d > zero else -outside if d < zero else lost
        slope = inside * d if abs(d) <= edge else steep
        out[i] = slope * v[i] if count is None else slope * each


def _pair(name: str) -> Callable[..., shapes.Shape]:
    """The shape rule: x and target broadcast (`nn.functional` warns); delta and beta in range."""

    def shape(
        x: shapes.Shape,
        target: shapes.Shape,
        *,
        reduction: str,
        delta: float = 1.0,
        beta: float = 0.0,
    ) -> shapes.Shape:
        if not delta > 0:
            raise RuntimeError(f"{name}: delta is {delta}; expected a positive number")
        if not beta >= 0:
            raise RuntimeError(f"{name}: beta is {beta}; expected a number >= 0")
        return reduced_shape(name, shapes.broadcast(name, x, target), reduction)

    return shape


def _slope_ref(
    v: Any, x: Any, target: Any, *, reduction: str, edge: float, inside: float, outside: float
) -> Any:
    d = x - target
    v = v / d.size if reduction == "mean" else v
    slope = np.where(abs(d) <= edge, inside * d, outside * np.sign(d))
    return v * (np.where(np.isnan(d), 0, slope) if edge == 0 else slope)


def _curve(
    g: Any,
    v: Any,
    x: Any,
    target: Any,
    x_shape: shapes.Shape,
    target_shape: shapes.Shape,
    reduction: str,
    edge: float,
    inside: float,
) -> Any:
    """The gradient of `distance_grad` for x."""
    g = ops.mul(g, share(v, reduction, x_shape, target_shape))
    if edge < math.inf:
        g = ops.mul(g, ops.le(ops.abs(ops.sub(x, target)), edge))
    return ops.mul(g, inside)


def _apart(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    """`x` and `target` whose distances avoid 0 and every edge that the samples use."""
    x = np.linspace(-2, 2, math.prod(shape)).reshape(shape)
    return x, x - np.resize([-1.5, 0.55, -0.15, 0.12, -0.6, 1.7], shape)


distance_grad = op(
    "distance_grad",
    math=r"v\,(a\,d \text{ if } |d| \le e \text{ else } b\,\mathrm{sign}\,d), \quad d = x - t",
    dmath=(
        r"\textstyle\sum g\,(a\,d \text{ if } |d| \le e \text{ else } b\,\mathrm{sign}\,d)",
        r"g\,v\,a\,[|d| \le e]",
        r"-g\,v\,a\,[|d| \le e]",
    ),
    kernel=lambda out, v, x, target, *, reduction, edge, inside, outside: run_grad(
        _distance_grad, out, v, (x, target), reduction, edge, inside, outside
    ),
    shape=lambda v, x, target, **_: shapes.broadcast("distance_grad", x, target),
    types="float",
    broadcasts=True,
    ref=_slope_ref,
    vjp=(
        lambda g, x, target, reduction, edge, inside, outside: reduced(
            ops.mul(
                g,
                ops.distance_grad(
                    1.0, x, target, reduction="sum", edge=edge, inside=inside, outside=outside
                ),
            ),
            reduction,
        ),
        _curve,
        lambda g, v, x, target, x_shape, target_shape, reduction, edge, inside: ops.neg(
            _curve(g, v, x, target, x_shape, target_shape, reduction, edge, inside)
        ),
    ),
    kink="0 at d = 0, the inside at |d| = edge.",
    samples=tuple(
        Sample(*its, meta={"reduction": reduction, "edge": edge, "inside": a, "outside": b})
        for *its, reduction, edge, a, b in (
            ((), (3, 1), (4,), "mean", math.inf, 2.0, 0.0),
            ((), *_apart(3, 4), "sum", 0.3, 1.0, 0.3),
            ((3, 4), *_apart(3, 4), "none", 0.3, 2.0, 1.0),
            ((), *_apart(3, 4), "sum", 0.0, 0.0, 1.0),
            ((), (), (), "mean", math.inf, 2.0, 0.0),
            ((2, 0), (2, 0), (2, 0), "none", math.inf, 2.0, 0.0),
        )
    ),
    methods=(),
)

_PAIRS = (
    *(Sample(*_apart(3, 4), meta={"reduction": reduction}) for reduction in ("sum", "none")),
    Sample(*_apart(3, 4)),
    Sample(*_apart()),
    Sample(*_apart(), meta={"reduction": "none"}),
    Sample(*_apart(100)),
    Sample(np.array([[-1.7], [0.2], [1.6]]), np.array([-0.9, 0.75, 0.0, -2.15])),
    Sample((2, 0), (2, 0), meta={"reduction": "sum"}),
)


def _also(**meta: float) -> tuple[Sample, ...]:
    """Samples that set the loss's own number, too."""
    return (*_PAIRS, *(Sample(*s.inputs, meta={**s.meta, **meta}) for s in _PAIRS[:3]))


mse_loss = op(
    "mse_loss",
    math=r"\mathrm{mean}\,(x - t)^2",
    dmath=(r"\frac{2 g}{n}(x - t)", r"\frac{2 g}{n}(t - x)"),
    kernel=lambda out, x, target, *, reduction: run_loss(
        _distance, out, (x, target), reduction, math.inf, 2.0, 0.0, 0.0
    ),
    shape=_pair("mse_loss"),
    types="float",
    broadcasts=True,
    ref=lambda x, target, *, reduction="mean": reduce((x - target) ** 2, reduction),
    vjp=(
        lambda g, x, target, reduction: ops.distance_grad(
            g, x, target, reduction=reduction, edge=math.inf, inside=2.0, outside=0.0
        ),
        lambda g, x, target, reduction: ops.distance_grad(
            g, target, x, reduction=reduction, edge=math.inf, inside=2.0, outside=0.0
        ),
    ),
    samples=_PAIRS,
    methods=(),
)

l1_loss = op(
    "l1_loss",
    math=r"\mathrm{mean}\,|x - t|",
    dmath=(r"\frac{g}{n}\,\mathrm{sign}(x - t)", r"\frac{g}{n}\,\mathrm{sign}(t - x)"),
    kernel=lambda out, x, target, *, reduction: run_loss(
        _distance, out, (x, target), reduction, 0.0, 0.0, 1.0, 0.0
    ),
    shape=_pair("l1_loss"),
    types="float",
    broadcasts=True,
    ref=lambda x, target, *, reduction="mean": reduce(abs(x - target), reduction),
    vjp=(
        lambda g, x, target, reduction: ops.distance_grad(
            g, x, target, reduction=reduction, edge=0.0, inside=0.0, outside=1.0
        ),
        lambda g, x, target, reduction: ops.distance_grad(
            g, target, x, reduction=reduction, edge=0.0, inside=0.0, outside=1.0
        ),
    ),
    kink="0 where x = target.",
    samples=_PAIRS,
    methods=(),
)


def _huber(out: Any, x: Any, target: Any, *, reduction: str, delta: float) -> None:
    run_loss(_distance, out, (x, target), reduction, delta, 1.0, delta, delta * delta / 2)


def _huber_ref(x: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0) -> Any:
    d = abs(x - target)
    return reduce(np.where(d <= delta, d * d / 2, delta * (d - delta / 2)), reduction)


huber_loss = op(
    "huber_loss",
    math=r"\mathrm{mean}\,(d^2/2 \text{ if } |d| \le \delta \text{ else } \delta(|d| - \delta/2))",
    dmath=(
        r"\frac{g}{n} \min(\max(x - t, -\delta), \delta)",
        r"\frac{g}{n} \min(\max(t - x, -\delta), \delta)",
    ),
    kernel=_huber,
    shape=_pair("huber_loss"),
    types="float",
    broadcasts=True,
    ref=_huber_ref,
    vjp=(
        lambda g, x, target, reduction, delta: ops.distance_grad(
            g, x, target, reduction=reduction, edge=delta, inside=1.0, outside=delta
        ),
        lambda g, x, target, reduction, delta: ops.distance_grad(
            g, target, x, reduction=reduction, edge=delta, inside=1.0, outside=delta
        ),
    ),
    samples=_also(delta=0.3),
    methods=(),
)


def _smooth_l1(out: Any, x: Any, target: Any, *, reduction: str, beta: float) -> None:
    run_loss(_distance, out, (x, target), reduction, beta, _inverse(beta), 1.0, beta / 2)


def _inverse(beta: float) -> float:
    """1 / beta; with beta = 0 there is no inside."""
    return 1 / beta if beta else 0.0


def _smooth_l1_ref(x: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    d = abs(x - target)
    return reduce(np.where(d < beta, d * d / 2 / (beta or 1), d - beta / 2), reduction)


smooth_l1_loss = op(
    "smooth_l1_loss",
    math=r"\mathrm{mean}\,(d^2 / 2\beta \text{ if } |d| \le \beta \text{ else } |d| - \beta/2)",
    dmath=(
        r"\frac{g}{n} \min(\max((x - t)/\beta, -1), 1)",
        r"\frac{g}{n} \min(\max((t - x)/\beta, -1), 1)",
    ),
    kernel=_smooth_l1,
    shape=_pair("smooth_l1_loss"),
    types="float",
    broadcasts=True,
    ref=_smooth_l1_ref,
    vjp=(
        lambda g, x, target, reduction, beta: ops.distance_grad(
            g, x, target, reduction=reduction, edge=beta, inside=_inverse(beta), outside=1.0
        ),
        lambda g, x, target, reduction, beta: ops.distance_grad(
            g, target, x, reduction=reduction, edge=beta, inside=_inverse(beta), outside=1.0
        ),
    ),
    kink="beta = 0 is the absolute error: 0 where x = target.",
    samples=_also(beta=0.3) + _also(beta=0.0)[-3:],
    methods=(),
)
