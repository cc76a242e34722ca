"""Batch normalisation with a mean and a variance that are given, as in evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import channels, shapes
from autograd.op import Sample, op, ops


def _batch_norm_fixed(
    out: np.ndarray, x: np.ndarray, mean: Any, var: Any, weight: Any, bias: Any, *, eps: float
) -> None:
    if x.size:
        flat, inner = channels.rows(x)
        each = mean, var, channels.ones(weight, x), channels.zeros(bias, x)
        lines = channels.room_for_lines(x)
        channels.scale.run(channels.like(out, flat), flat, *each, eps, inner, lines)


def _fixed_shape(
    x: shapes.Shape, mean: Any, var: Any, weight: Any, bias: Any, *, eps: float
) -> shapes.Shape:
    channels.check("batch_norm", x, running_mean=mean, running_var=var, weight=weight, bias=bias)
    return x


def _fixed_ref(
    x: np.ndarray, mean: Any, var: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> np.ndarray:
    line = (-1, *(1,) * (x.ndim - 2))
    y = (x - mean.reshape(line)) / np.sqrt(var.reshape(line) + eps)
    return channels.affine(y, weight, bias)


def _wide(each: Any, shape: shapes.Shape) -> Any:
    return ops.reshape(each, shape=(-1, *(1,) * (len(shape) - 2)))


def _sum(g: Any) -> Any:
    return ops.channel_sum(g)


def _fixed_x(g: Any, var: Any, weight: Any, x_shape: shapes.Shape, eps: float) -> Any:
    scale = ops.rsqrt(ops.add(var, eps))
    return ops.mul(g, _wide(scale if weight is None else ops.mul(weight, scale), x_shape))


batch_norm_fixed = op(
    "batch_norm_fixed",
    math=r"w\,\frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b",
    dmath=(
        r"\tfrac{g\,w}{\sqrt{\sigma^2 + \epsilon}}",
        None,
        None,
        r"\textstyle\sum g\,\hat x",
        r"\textstyle\sum g",
    ),
    kernel=_batch_norm_fixed,
    shape=_fixed_shape,
    types="same",
    result=channels.float_only,
    ref=_fixed_ref,
    vjp=(
        _fixed_x,
        None,
        None,
        lambda g, x, mean, var, eps: _sum(
            ops.mul(g, ops.batch_norm_fixed(x, mean, var, None, None, eps=eps))
        ),
        lambda g: ops.channel_sum(g),
    ),
    samples=(
        Sample((4, 3), (3,), (3,), (3,), (3,), low=0.3),
        Sample((2, 3, 2), (3,), (3,), None, None, low=0.3),
        Sample((0, 3), (3,), (3,), (3,), (3,), low=0.3),
    ),
    methods=(),
)
