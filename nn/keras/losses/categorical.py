"""Cross-entropy of one-hot labels, or of distributions, and the focal form of it.

The gradient for labels that do not sum to 1 is the true one, p sum(y) - y, where TensorFlow's
kernel gives p - y.
"""

from __future__ import annotations

import warnings
from typing import Any

from autograd.op import ops
from nn.keras.losses.base import LossFunctionWrapper, same_shape
from nn.keras.losses.probability import behind, clipped, int_axis
from nn.keras.marks import get_logits


def _categorical(name: str, y_true: Any, y_pred: Any, axis: Any) -> tuple[Any, Any]:
    int_axis(axis)
    y_true, y_pred = same_shape(name, y_true, y_pred)
    if not y_pred.shape:
        raise ValueError(f"{name}: y_true and y_pred must be at least 1-d; got shape ()")
    if y_pred.shape[-1] == 1:
        warnings.warn(
            f"In loss {name}, expected y_pred.shape to be (batch_size, num_classes) with"
            f" num_classes > 1. Received: y_pred.shape={y_pred.shape}. Consider using"
            " 'binary_crossentropy' if you only have 2 classes.",
            SyntaxWarning,
            stacklevel=4,
        )
    return y_true, y_pred


def _smoothed(y_true: Any, smoothing: float) -> Any:
    if not smoothing:
        return y_true
    return ops.add(ops.mul(y_true, 1.0 - smoothing), smoothing / y_true.shape[-1])


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """-sum(y log p) over `axis`; y becomes y (1 - s) + s / C; p is divided by its sum before."""
    y_true, y_pred = _categorical("categorical_crossentropy", y_true, y_pred, axis)
    y_pred, known = behind("categorical_crossentropy", y_pred, from_logits)
    y_true = _smoothed(y_true, label_smoothing)
    if not known:
        p = clipped(ops.div(y_pred, ops.sum(y_pred, dim=axis, keepdim=True)))
        return ops.neg(ops.sum(ops.mul(y_true, ops.log(p)), dim=axis))
    rows, y_true = (_classes_last(y, axis) for y in (y_pred, y_true))
    shape, count = rows.shape[:-1], rows.shape[-1]
    if len(shape) > 1:
        rows, y_true = (ops.reshape(y, (-1, count)) for y in (rows, y_true))
    losses = ops.cross_entropy_probability(rows, y_true, None, reduction="none")
    return ops.reshape(losses, shape) if len(shape) > 1 else losses


def _classes_last(y: Any, axis: int) -> Any:
    return y if axis in (-1, len(y.shape) - 1) else ops.movedim(y, axis, -1)


def _categorical_whole(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    known = from_logits or get_logits(y_pred) is not None
    if not known or len(y_pred.shape) != 2 or axis not in (-1, 1):
        return None
    y_true, y_pred = _categorical("categorical_crossentropy", y_true, y_pred, axis)
    y_pred, _ = behind("categorical_crossentropy", y_pred, from_logits)
    if not 0 <= label_smoothing <= 1:
        y_true, label_smoothing = _smoothed(y_true, label_smoothing), 0.0
    return ops.cross_entropy_probability(
        y_pred, y_true, None, label_smoothing=float(label_smoothing)
    )


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """-sum(alpha (1 - p)^gamma y log p) over `axis`."""
    y_true, y_pred = _categorical("categorical_focal_crossentropy", y_true, y_pred, axis)
    y_true = _smoothed(y_true, label_smoothing)
    p = ops.softmax(y_pred, dim=axis) if from_logits else y_pred
    p = clipped(ops.div(p, ops.sum(p, dim=axis, keepdim=True)))
    weight = ops.mul(ops.pow(ops.sub(1.0, p), gamma), alpha)
    return ops.sum(ops.mul(weight, ops.neg(ops.mul(y_true, ops.log(p)))), dim=axis)


categorical_crossentropy.whole = _categorical_whole  # type: ignore[attr-defined]


class CategoricalCrossentropy(LossFunctionWrapper):
    """-sum(y log p), of one-hot labels, or of distributions."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **options)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy times alpha (1 - p)^gamma."""

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
