"""Losses of sets: how much a predicted mask overlaps the true one; and two more of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import LossFunctionWrapper, converted, pair


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 |A B| / (|A| + |B| + epsilon), over `axis` (all axes by default)."""
    y_true, y_pred = pair("dice", y_true, y_pred)
    axis = tuple(axis) if isinstance(axis, list) else axis
    both = ops.sum(ops.mul(y_true, y_pred), dim=axis)
    sizes = ops.add(ops.sum(y_true, dim=axis), ops.sum(y_pred, dim=axis))
    return ops.sub(1.0, ops.div(ops.mul(both, 2.0), ops.add(sizes, config.epsilon())))


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Any:
    """1 - |A B| / (|A B| + alpha |A without B| + beta |B without A| + epsilon), A the truth."""
    y_true, y_pred = pair("tversky", y_true, y_pred)
    axis = tuple(axis) if isinstance(axis, list) else axis
    both = ops.sum(ops.mul(y_true, y_pred), dim=axis)
    missed = ops.sum(ops.mul(ops.sub(1.0, y_pred), y_true), dim=axis)
    extra = ops.sum(ops.mul(y_pred, ops.sub(1.0, y_true)), dim=axis)
    whole = ops.add(ops.add(both, ops.mul(missed, alpha)), ops.mul(extra, beta))
    return ops.sub(1.0, ops.div(both, ops.add(whole, config.epsilon())))


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - p^q) / q with p the probability of the true class: little moved by wrong labels."""
    y_pred = converted(y_pred)
    numbers = ops.cast(converted(y_true), dtype=np.dtype(np.int64))
    p = ops.squeeze(ops.gather(y_pred, -1, ops.unsqueeze(numbers, -1)), -1)
    return ops.div(ops.sub(1.0, ops.pow(p, q)), q)


categorical_generalized_cross_entropy.exact = True  # type: ignore[attr-defined]


class Dice(LossFunctionWrapper):
    """1 - 2 |A B| / (|A| + |B|)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """Dice's with a weight each for what is missed (alpha) and what is too much (beta)."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """(1 - p^q) / q, 0 < q < 1: from cross-entropy (q near 0) to absolute error (q near 1)."""

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ValueError(f"q must be in the interval (0, 1); got {q}")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
