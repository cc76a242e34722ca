"""Accuracies: how often a prediction is the label."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import converted, squeeze_or_expand
from nn.keras.metrics.reduction import MeanMetricWrapper

_INT = np.dtype(np.int64)


def _float(matches: Any) -> Any:
    return ops.cast(matches, dtype=np.dtype(config.floatx()))


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where y_true equals y_pred."""
    y_pred = converted(y_pred)
    y_true, y_pred = squeeze_or_expand(converted(y_true, y_pred.dtype), y_pred)
    return _float(ops.eq(y_true, y_pred))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where (y_pred > threshold) equals y_true."""
    y_true, y_pred = squeeze_or_expand(converted(y_true), converted(y_pred))
    above = ops.gt(y_pred, threshold)
    return _float(ops.eq(y_true, ops.cast(above, dtype=y_true.dtype)))


def _found(name: str, numbers: Any, y_pred: Any) -> Any:
    """1 where the largest of a row of y_pred stands at the number given for it."""
    best = ops.argmax(y_pred, dim=-1)
    if numbers.shape != best.shape:
        raise ValueError(
            f"{name}: the labels are {numbers.shape} and y_pred is {y_pred.shape}; expected one"
            f" label per row of y_pred, {best.shape}"
        )
    return _float(ops.eq(ops.cast(numbers, dtype=_INT), best))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of y_pred stands where the largest of y_true does."""
    y_true, y_pred = converted(y_true), converted(y_pred)
    return _found("categorical_accuracy", ops.argmax(y_true, dim=-1), y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of y_pred stands at the number y_true."""
    y_true, y_pred = converted(y_true), converted(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1:] == (1,):
        y_true = ops.squeeze(y_true, -1)
    matches = _found("sparse_categorical_accuracy", y_true, y_pred)
    if len(matches.shape) > 1 and matches.shape[-1] == 1:
        return ops.squeeze(matches, -1)
    return matches


def _in_top(numbers: Any, y_pred: Any, k: int) -> Any:
    """1 where fewer than k others are larger than the one at the number: ties all count."""
    numbers = ops.cast(numbers, dtype=_INT)
    shape, classes = numbers.shape, y_pred.shape[-1]
    numbers, y_pred = ops.reshape(numbers, (-1, 1)), ops.reshape(y_pred, (-1, classes))
    outside = ops.logical_or(ops.lt(numbers, 0), ops.ge(numbers, classes))
    chosen = ops.gather(y_pred, -1, ops.masked_fill(numbers, outside, 0))
    larger = ops.sum(ops.cast(ops.gt(y_pred, chosen), dtype=_INT), dim=-1)
    finite = ops.logical_and(ops.isfinite(ops.squeeze(chosen, -1)), ops.lt(larger, k))
    inside = ops.logical_not(ops.squeeze(outside, -1))
    return ops.reshape(_float(ops.logical_and(finite, inside)), shape)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the class of the one-hot y_true is among the k largest of y_pred."""
    return _in_top(ops.argmax(converted(y_true), dim=-1), converted(y_pred), k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where the class number y_true is among the k largest of y_pred.

    `from_sorted_ids`: y_pred holds class numbers instead, best first.
    """
    y_true, y_pred = converted(y_true), converted(y_pred)
    if not from_sorted_ids:
        return _in_top(y_true, y_pred, k)
    shape = y_true.shape
    numbers = ops.reshape(ops.cast(y_true, dtype=y_pred.dtype), (-1, 1))
    ids = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
    first = ops.narrow(ids, 1, 0, min(k, ids.shape[1]))
    return ops.reshape(_float(ops.any(ops.eq(numbers, first), dim=1)), shape)


class Accuracy(MeanMetricWrapper):
    """How often y_true equals y_pred: of class numbers, not of probabilities."""

    _direction = "up"

    def __init__(self, name: str = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often (y_pred > threshold) equals y_true."""

    _direction = "up"

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest of y_pred is the class of the one-hot y_true."""

    _direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest of y_pred is at the class number y_true."""

    _direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class of the one-hot y_true is among the k largest of y_pred."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class number y_true is among the k largest of y_pred."""

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )
