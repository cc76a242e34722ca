"""Batch normalisation over every dimension but the second, with fused backward ops.

`batch_stats` gives mean, variance and 1 / sqrt(variance + eps) of every channel.  The other ops
take them as `stats`, or find them themselves where that is None: they are a function of x either
way, and gradients with respect to x follow them.

In `*_grad` ops `v` is the gradient that arrives at the normalised output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import buffers, channels, kernel, moves, shapes
from autograd.op import Sample, op, ops


def _batch_stats(out: np.ndarray, x: np.ndarray, *, eps: float) -> None:
    if x.size:
        flat, inner = channels.rows(x)
        channels.statistics.run(out, flat, eps, inner, channels.room_for_sums(x.shape[1]))
    else:
        moves.fill(out, 0)


def _stats(stats: np.ndarray | None, x: np.ndarray, eps: float) -> np.ndarray:
    if stats is None:
        stats = np.empty((3, x.shape[1]), x.dtype)
        _batch_stats(stats, x, eps=eps)
    return stats


def _batch_norm(
    out: np.ndarray, x: np.ndarray, weight: Any, bias: Any, stats: Any, *, eps: float
) -> None:
    if x.size:
        flat, inner = channels.rows(x)
        each = channels.ones(weight, x), channels.zeros(bias, x), _stats(stats, x, eps)
        channels.normalize.run(
            channels.like(out, flat), flat, *each, inner, channels.room_for_lines(x)
        )


def _gradients(dx: Any, dweight: Any, dbias: Any, v: Any, x: Any, weight: Any, stats: Any) -> None:
    """Fill in those of the three that are not None."""
    flat, inner = channels.rows(x)
    dx = dx if dx is None else channels.like(dx, flat)
    room = channels.room_for_sums(x.shape[1]), channels.room_for_lines(x)
    channels.backward.run(
        dx,
        dweight,
        dbias,
        channels.like(v, flat),
        flat,
        channels.ones(weight, x),
        stats,
        inner,
        *room,
    )


def _batch_norm_grad(
    out: np.ndarray, v: np.ndarray, x: np.ndarray, weight: Any, stats: Any, *, eps: float
) -> None:
    if x.size:
        _gradients(out, None, None, v, x, weight, _stats(stats, x, eps))


def _batch_norm_weight_grad(
    out: np.ndarray, v: np.ndarray, x: np.ndarray, stats: Any, *, eps: float
) -> None:
    moves.fill(out, 0)
    if x.size:
        _gradients(None, out, None, v, x, None, _stats(stats, x, eps))


def _channel_sum(out: np.ndarray, x: np.ndarray) -> None:
    moves.fill(out, 0)
    if x.size:
        _gradients(None, None, out, x, x, None, moves.full((3, x.shape[1]), 0.0, x.dtype))


def _pull(
    parents: tuple[int, ...], g: Any, x: Any, weight: Any, stats: Any
) -> list[np.ndarray] | None:
    """All gradients in one pass over x, and one more for that of x."""
    if x is None or stats is None or not kernel.JIT or not x.size:
        return None
    for a in (g, x):
        if type(a) is not np.ndarray or a.dtype is not x.dtype or not a.flags.c_contiguous:
            return None
    dx = buffers.empty(x.shape, x.dtype) if 0 in parents else None
    dweight = np.empty(x.shape[1], x.dtype) if 1 in parents else None
    dbias = np.empty(x.shape[1], x.dtype) if 2 in parents else None
    _gradients(dx, dweight, dbias, g, x, weight, stats)
    return [d for d in (dbias, dweight, dx) if d is not None]


# The record


def _wide(weight: Any, shape: shapes.Shape) -> Any:
    """A value per channel, so that it broadcasts to x."""
    return ops.reshape(weight, shape=(-1, *(1,) * (len(shape) - 2)))


def _count(shape: shapes.Shape) -> int:
    """Elements of a channel; 1 where there are none, to divide by."""
    return max(shapes.numel([shape[d] for d in channels.summed(shape)]), 1)


def _mean(x: Any, shape: shapes.Shape) -> Any:
    return ops.mul(ops.sum(x, dim=channels.summed(shape), keepdim=True), 1 / _count(shape))


def _inverse_deviation(x: Any, eps: float, shape: shapes.Shape) -> Any:
    d = ops.sub(x, _mean(x, shape))
    return ops.rsqrt(ops.add(_mean(ops.mul(d, d), shape), eps))


def _curvature(
    g: Any, v: Any, x: Any, weight: Any, stats: Any, x_shape: shapes.Shape, eps: float
) -> Any:
    """The derivative by x of sum(g batch_norm_grad(v)), which is n r w (g.v - g.y v.y).

    There `.` is the covariance over a channel, y the normalised x, and r one over its deviation.
    Since dr = -r^2 y / n, and a change c of y moves x by r P c, with P c = c - mean(c) - y (c.y):
    -w r^2 (y (g.v - g.y v.y) + (v.y) P g + (g.y) P v).
    """
    y = ops.batch_norm(x, None, None, stats, eps=eps)
    r = _inverse_deviation(x, eps, x_shape)
    gm, vm = (ops.sub(c, _mean(c, x_shape)) for c in (g, v))
    gy, vy, gv = (_mean(ops.mul(a, b), x_shape) for a, b in ((gm, y), (vm, y), (gm, vm)))
    pg, pv = (ops.sub(c, ops.mul(y, cy)) for c, cy in ((gm, gy), (vm, vy)))
    total = ops.mul(y, ops.sub(gv, ops.mul(gy, vy)))
    total = ops.add(total, ops.add(ops.mul(vy, pg), ops.mul(gy, pv)))
    scale = ops.neg(ops.mul(r, r))
    return ops.mul(total, scale if weight is None else ops.mul(scale, _wide(weight, x_shape)))


def _ref(
    x: np.ndarray, weight: Any = None, bias: Any = None, stats: Any = None, *, eps: float = 1e-5
) -> np.ndarray:
    d = x - _average(x)
    return channels.affine(d / np.sqrt(_average(d * d) + eps), weight, bias)


def _average(x: np.ndarray) -> np.ndarray:
    return x.sum(channels.summed(x.shape), keepdims=True) / _count(x.shape)


def _grad_ref(
    v: np.ndarray, x: np.ndarray, weight: Any = None, stats: Any = None, *, eps: float = 1e-5
) -> np.ndarray:
    y, d = _ref(x, eps=eps), x - _average(x)
    projected = v - _average(v) - y * _average(v * y)
    return channels.affine(projected / np.sqrt(_average(d * d) + eps), weight, None)


def _stats_ref(x: np.ndarray, *, eps: float = 1e-5) -> np.ndarray:
    mean = _average(x)
    d = x - mean
    found = [a.reshape(x.shape[1]) for a in (mean, _average(d * d))]
    return np.stack([*found, 1 / np.sqrt(found[1] + eps)]) * bool(x.size)


batch_stats = op(
    "batch_stats",
    math=r"(\bar x,\ \sigma^2,\ 1 / \sqrt{\sigma^2 + \epsilon})",
    kernel=_batch_stats,
    shape=lambda x, *, eps: (3, *channels.check("batch_norm", x)[1:2]),
    types="same",
    result=channels.float_only,
    ref=_stats_ref,
    samples=(Sample((6, 3)), Sample((3, 2, 4)), Sample((2, 3, 2, 20)), Sample((0, 3))),
    methods=(),
)

batch_norm = op(
    "batch_norm",
    math=r"w\,\frac{x - \bar x}{\sqrt{\sigma^2 + \epsilon}} + b",
    dmath=(
        r"\tfrac{w}{\sqrt{\sigma^2 + \epsilon}} (g - \bar g - \hat x\,\overline{g \hat x})",
        r"\textstyle\sum g\,\hat x",
        r"\textstyle\sum g",
        None,
    ),
    kernel=_batch_norm,
    shape=lambda x, weight, bias, stats, *, eps: channels.check(
        "batch_norm", x, weight=weight, bias=bias
    ),
    types="same",
    result=channels.float_only,
    ref=_ref,
    pull=_pull,
    vjp=(
        lambda g, x, weight, stats, eps: ops.batch_norm_grad(g, x, weight, stats, eps=eps),
        lambda g, x, stats, eps: ops.batch_norm_weight_grad(g, x, stats, eps=eps),
        lambda g: ops.channel_sum(g),
        None,
    ),
    samples=(
        Sample((6, 3), (3,), (3,), None, meta={"eps": 0.1}),
        Sample((5, 2), None, None, None, meta={"eps": 0.1}),
        Sample((3, 2, 4), (2,), (2,), None, meta={"eps": 0.1}),
        Sample((2, 3, 2, 20), None, (3,), None, meta={"eps": 0.1}),
        Sample((2, 600), (600,), None, None, order=1, meta={"eps": 0.1}),
        Sample((0, 3), (3,), (3,), None),
    ),
    methods=(),
)

batch_norm_grad = op(
    "batch_norm_grad",
    math=r"\tfrac{w}{\sqrt{\sigma^2 + \epsilon}} (v - \bar v - \hat x\,\overline{v \hat x})",
    dmath=(
        r"\tfrac{w}{\sqrt{\sigma^2 + \epsilon}} (g - \bar g - \hat x\,\overline{g \hat x})",
        r"-\tfrac{w}{\sigma^2 + \epsilon} ("
        r"\hat x (\overline{g v} - \overline{g \hat x}\,\overline{v \hat x})"
        r" + \overline{v \hat x} P g + \overline{g \hat x} P v)",
        r"\textstyle\sum g\,P v / \sqrt{\sigma^2 + \epsilon}",
        None,
    ),
    kernel=_batch_norm_grad,
    shape=lambda v, x, weight, stats, *, eps: x,
    types="same",
    ref=_grad_ref,
    vjp=(
        lambda g, x, weight, stats, eps: ops.batch_norm_grad(g, x, weight, stats, eps=eps),
        lambda g, v, x, weight, stats, x_shape, eps: _curvature(
            g, v, x, weight, stats, x_shape, eps
        ),
        lambda g, v, x, stats, eps: ops.channel_sum(
            ops.mul(g, ops.batch_norm_grad(v, x, None, stats, eps=eps))
        ),
        None,
    ),
    samples=(
        Sample((6, 3), (6, 3), (3,), None, meta={"eps": 0.1}),
        Sample((3, 2, 4), (3, 2, 4), None, None, meta={"eps": 0.1}),
        Sample((2, 2, 3, 20), (2, 2, 3, 20), (2,), None, order=1, meta={"eps": 0.1}),
        Sample((0, 3), (0, 3), (3,), None),
    ),
    methods=(),
)

batch_norm_weight_grad = op(
    "batch_norm_weight_grad",
    math=r"\textstyle\sum v\,\hat x",
    dmath=(
        r"g\,\hat x",
        r"\tfrac{g}{\sqrt{\sigma^2 + \epsilon}} (v - \bar v - \hat x\,\overline{v \hat x})",
        None,
    ),
    kernel=_batch_norm_weight_grad,
    shape=lambda v, x, stats, *, eps: x[1:2],
    types="same",
    ref=lambda v, x, stats=None, *, eps=1e-5: (v * _ref(x, eps=eps)).sum(channels.summed(x.shape)),
    vjp=(
        lambda g, x, stats, eps: ops.batch_norm(x, g, None, stats, eps=eps),
        lambda g, v, x, stats, eps: ops.batch_norm_grad(v, x, g, stats, eps=eps),
        None,
    ),
    samples=(
        Sample((6, 3), (6, 3), None, meta={"eps": 0.1}),
        Sample((3, 2, 4), (3, 2, 4), None, meta={"eps": 0.1}),
        Sample((0, 3), (0, 3), None),
    ),
    methods=(),
)

channel_sum = op(
    "channel_sum",
    math=r"\textstyle\sum x \text{ over all dimensions but the second}",
    dmath=(r"g \text{ for every } x",),
    kernel=_channel_sum,
    shape=lambda x: channels.check("channel_sum", x)[1:2],
    ref=lambda x: x.sum(channels.summed(x.shape)),
    vjp=(lambda g, x_shape: ops.spread(g, shape=x_shape, dim=channels.summed(x_shape)),),
    samples=(Sample((6, 3)), Sample((3, 2, 4)), Sample((2, 3, 2, 20)), Sample((0, 3))),
    methods=(),
)
