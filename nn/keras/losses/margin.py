"""Hinge losses.  Labels are -1 and 1; where all are 0 or 1 they are taken as that."""

from __future__ import annotations

from typing import Any

from autograd.op import ops
from nn.keras.losses.base import LossFunctionWrapper, pair


def _signs(y_true: Any) -> Any:
    """Labels 0 and 1 as -1 and 1; any others as they are.  Decided by an op, so it compiles."""
    binary = ops.all(ops.logical_or(ops.eq(y_true, 0.0), ops.eq(y_true, 1.0)))
    return ops.where(binary, ops.sub(ops.mul(y_true, 2.0), 1.0), y_true)


def _margins(y_true: Any, y_pred: Any) -> Any:
    return ops.clamp(ops.sub(1.0, ops.mul(_signs(y_true), y_pred)), min=0.0)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y_true y_pred, 0)) over the last axis."""
    y_true, y_pred = pair("hinge", y_true, y_pred)
    return ops.mean(_margins(y_true, y_pred), dim=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y_true y_pred, 0)^2) over the last axis."""
    y_true, y_pred = pair("squared_hinge", y_true, y_pred)
    return ops.mean(ops.square(_margins(y_true, y_pred)), dim=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(the best wrong score - the right one + 1, 0), with one-hot y_true."""
    y_true, y_pred = pair("categorical_hinge", y_true, y_pred)
    right = ops.sum(ops.mul(y_true, y_pred), dim=-1)
    wrong = ops.amax(ops.mul(ops.sub(1.0, y_true), y_pred), dim=-1)
    return ops.clamp(ops.add(ops.sub(wrong, right), 1.0), min=0.0)


class Hinge(LossFunctionWrapper):
    """max(1 - y_true y_pred, 0)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: Any = None,
    ):
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """max(1 - y_true y_pred, 0)^2."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """max(the best wrong score - the right one + 1, 0)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)
