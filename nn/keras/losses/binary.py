"""Cross-entropy of labels 0 and 1, and the focal form of it."""

from __future__ import annotations

from typing import Any

from autograd.op import ops
from nn.keras.losses.base import LossFunctionWrapper, converted, same_shape
from nn.keras.losses.probability import behind, clipped, int_axis
from nn.keras.marks import get_logits


def _binary(y_true: Any, y_pred: Any, from_logits: bool, smoothing: float) -> tuple[Any, Any, bool]:
    """Targets, smoothed; predictions or the logits behind; and whether they are logits."""
    y_pred = converted(y_pred)
    logits, known = behind("binary_crossentropy", y_pred, from_logits)
    y_true, y_pred = same_shape("binary_crossentropy", y_true, logits if known else y_pred)
    if smoothing:
        y_true = ops.add(ops.mul(y_true, 1.0 - smoothing), 0.5 * smoothing)
    return y_true, y_pred, known


def _of_probabilities(y_true: Any, p: Any) -> Any:
    p = clipped(p)
    no = ops.mul(ops.sub(1.0, y_true), ops.log(ops.sub(1.0, p)))
    return ops.neg(ops.add(ops.mul(y_true, ops.log(p)), no))


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """-mean(y log p + (1 - y) log(1 - p)) over `axis`; y becomes y (1 - s) + s / 2."""
    y_true, y_pred, known = _binary(y_true, y_pred, from_logits, label_smoothing)
    if known:
        losses = ops.binary_cross_entropy_with_logits(y_pred, y_true, None, None, reduction="none")
    else:
        losses = _of_probabilities(y_true, y_pred)
    return ops.mean(losses, dim=int_axis(axis))


def _binary_whole(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    y_true, y_pred, known = _binary(y_true, y_pred, from_logits, label_smoothing)
    if known:
        return ops.binary_cross_entropy_with_logits(y_pred, y_true, None, None)
    return ops.mean(_of_probabilities(y_true, y_pred))


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times (1 - p_t)^gamma, p_t the probability of what is true.

    With `apply_class_balancing`, times alpha for ones and 1 - alpha for zeros.
    """
    y_true, y_pred = same_shape("binary_focal_crossentropy", y_true, y_pred)
    if label_smoothing:
        y_true = ops.add(ops.mul(y_true, 1.0 - label_smoothing), 0.5 * label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    logits = y_pred if from_logits else get_logits(y_pred)
    if logits is not None and logits.shape == p.shape:
        entropy = ops.binary_cross_entropy_with_logits(logits, y_true, None, None, reduction="none")
    else:
        entropy = _of_probabilities(y_true, p)
    no = ops.sub(1.0, y_true)
    right = ops.add(ops.mul(y_true, p), ops.mul(no, ops.sub(1.0, p)))
    losses = ops.mul(ops.pow(ops.sub(1.0, right), gamma), entropy)
    if apply_class_balancing:
        losses = ops.mul(ops.add(ops.mul(y_true, alpha), ops.mul(no, 1.0 - alpha)), losses)
    return ops.mean(losses, dim=int_axis(axis))


binary_crossentropy.whole = _binary_whole  # type: ignore[attr-defined]


class BinaryCrossentropy(LossFunctionWrapper):
    """-(y log p + (1 - y) log(1 - p)), of labels 0 and 1 (or between)."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **options)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy times (1 - p_t)^gamma (Lin et al. 2017): hard samples count more."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
