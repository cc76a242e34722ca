"""Losses of numbers: how far apart they are, squared, absolute, relative, or in direction.

Each function gives one loss per sample, the mean over the last axis; its `whole` the mean over all
elements in one pass, which is the same where samples weigh alike.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import LossFunctionWrapper, converted, pair

_LOG2 = float(np.float32(math.log(2.0)))  # a float32 tensor in Keras, also for float64


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean((y_true - y_pred)^2) over the last axis."""
    y_true, y_pred = pair("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.mse_loss(y_pred, y_true, reduction="none"), dim=-1)


def _mse(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = pair("mean_squared_error", y_true, y_pred)
    return ops.mse_loss(y_pred, y_true)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean(|y_true - y_pred|) over the last axis; the slope at 0 is 0."""
    y_true, y_pred = pair("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.l1_loss(y_pred, y_true, reduction="none"), dim=-1)


def _mae(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = pair("mean_absolute_error", y_true, y_pred)
    return ops.l1_loss(y_pred, y_true)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 mean(|y_true - y_pred| / max(|y_true|, epsilon)) over the last axis."""
    y_true, y_pred = pair("mean_absolute_percentage_error", y_true, y_pred)
    size = ops.clamp(ops.abs(y_true), min=config.epsilon())
    return ops.mul(ops.mean(ops.abs(ops.div(ops.sub(y_true, y_pred), size)), dim=-1), 100.0)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """mean((log(y_true + 1) - log(y_pred + 1))^2) over the last axis, both at least epsilon."""
    y_true, y_pred = pair("mean_squared_logarithmic_error", y_true, y_pred)
    tiny = config.epsilon()
    logs = [ops.log(ops.add(ops.clamp(y, min=tiny), 1.0)) for y in (y_pred, y_true)]
    return ops.mean(ops.mse_loss(logs[0], logs[1], reduction="none"), dim=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """mean(d^2 / 2 where |d| <= delta, else delta |d| - delta^2 / 2) over the last axis."""
    y_true, y_pred = pair("huber", y_true, y_pred)
    losses = ops.huber_loss(y_pred, y_true, reduction="none", delta=float(delta))
    return ops.mean(losses, dim=-1)


def _huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    y_true, y_pred = pair("huber", y_true, y_pred)
    return ops.huber_loss(y_pred, y_true, delta=float(delta))


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """mean(log cosh d) over the last axis, as d + softplus(-2 d) - log 2, which cannot overflow."""
    y_true, y_pred = pair("log_cosh", y_true, y_pred)
    d = ops.sub(y_pred, y_true)
    losses = ops.sub(ops.add(d, ops.softplus(ops.mul(d, -2.0))), _LOG2)
    return ops.mean(losses, dim=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """mean(y_pred - y_true log(y_pred + epsilon)) over the last axis."""
    y_true, y_pred = pair("poisson", y_true, y_pred)
    logs = ops.log(ops.add(y_pred, config.epsilon()))
    return ops.mean(ops.sub(y_pred, ops.mul(y_true, logs)), dim=-1)


def unit_length(x: Any, axis: int) -> Any:
    """x / |x| along an axis; |x|^2 is at least epsilon^2."""
    squares = ops.sum(ops.square(x), dim=axis, keepdim=True)
    return ops.mul(x, ops.rsqrt(ops.clamp(squares, min=config.epsilon() ** 2)))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """-cos of the angle between the two along an axis: -1 where they point the same way."""
    y_true, y_pred = pair("cosine_similarity", y_true, y_pred)
    product = ops.mul(unit_length(y_true, axis), unit_length(y_pred, axis))
    return ops.neg(ops.sum(product, dim=axis))


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum(y_true log(y_true / y_pred)) over the last axis, both clipped to [epsilon, 1]."""
    y_pred = converted(y_pred)
    y_true, y_pred = pair("kl_divergence", converted(y_true, y_pred.dtype), y_pred)
    tiny = config.epsilon()
    y_true, y_pred = (ops.clamp(y, min=tiny, max=1.0) for y in (y_true, y_pred))
    return ops.sum(ops.mul(y_true, ops.log(ops.div(y_true, y_pred))), dim=-1)


mean_squared_error.whole = _mse  # type: ignore[attr-defined]
mean_absolute_error.whole = _mae  # type: ignore[attr-defined]
huber.whole = _huber  # type: ignore[attr-defined]


class MeanSquaredError(LossFunctionWrapper):
    """mean((y_true - y_pred)^2)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """mean(|y_true - y_pred|)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """100 mean(|y_true - y_pred| / max(|y_true|, epsilon))."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """mean((log(y_true + 1) - log(y_pred + 1))^2)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """-cos of the angle between y_true and y_pred along `axis`."""

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Huber(LossFunctionWrapper):
    """d^2 / 2 where |d| <= delta, else delta |d| - delta^2 / 2."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """log cosh d: about d^2 / 2 near 0, |d| - log 2 far from it."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: Any = None,
    ):
        super().__init__(log_cosh, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """y_pred - y_true log(y_pred + epsilon): of counts."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: Any = None,
    ):
        super().__init__(poisson, reduction, name, dtype)


class KLDivergence(LossFunctionWrapper):
    """sum(y_true log(y_true / y_pred)): from one distribution to another."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ):
        super().__init__(kl_divergence, reduction, name, dtype)
