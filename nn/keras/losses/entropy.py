"""Cross-entropies, with Keras' numbers.

Probabilities are clipped to [epsilon, 1 - epsilon] before the log.  Where a prediction is known to
be the softmax or the sigmoid of logits (see `marks`), the loss is computed from those, as Keras on
TensorFlow does: one fused pass whose gradient is p - y, without the clip.  The gradient for labels
that do not sum to 1 is the true one, p sum(y) - y, where TensorFlow's kernel gives p - y.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import LossFunctionWrapper, converted, same_shape
from nn.keras.marks import get_logits, set_mask

_NEVER = -(2**62)
"""A class number that no label has: the engine's `ignore_index` is not Keras' `ignore_class`."""


def _behind(name: str, y_pred: Any, from_logits: bool) -> tuple[Any, bool]:
    """The logits behind `y_pred` and True, where they are known or it is them."""
    logits = get_logits(y_pred)
    if logits is None:
        return y_pred, from_logits
    if from_logits:
        warnings.warn(
            f"{name} received `from_logits=True`, but y_pred was produced by a softmax or sigmoid"
            " activation and thus does not represent logits. Leave one of the two out",
            UserWarning,
            stacklevel=5,
        )
    return logits, True


def _clipped(p: Any) -> Any:
    tiny = config.epsilon()
    return ops.clamp(p, min=tiny, max=1.0 - tiny)


def _int_axis(axis: Any) -> int:
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be of type `int`. Received: axis={axis}")
    return axis


# Binary


def _binary(y_true: Any, y_pred: Any, from_logits: bool, smoothing: float) -> tuple[Any, Any, bool]:
    """Targets, smoothed; predictions or the logits behind; and whether they are logits."""
    y_pred = converted(y_pred)
    logits, known = _behind("binary_crossentropy", y_pred, from_logits)
    y_true, y_pred = same_shape("binary_crossentropy", y_true, logits if known else y_pred)
    if smoothing:
        y_true = ops.add(ops.mul(y_true, 1.0 - smoothing), 0.5 * smoothing)
    return y_true, y_pred, known


def _of_probabilities(y_true: Any, p: Any) -> Any:
    p = _clipped(p)
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
    return ops.mean(losses, dim=_int_axis(axis))


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
    return ops.mean(losses, dim=_int_axis(axis))


# Categorical


def _categorical(name: str, y_true: Any, y_pred: Any, axis: Any) -> tuple[Any, Any]:
    _int_axis(axis)
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
    y_pred, known = _behind("categorical_crossentropy", y_pred, from_logits)
    y_true = _smoothed(y_true, label_smoothing)
    if not known:
        p = _clipped(ops.div(y_pred, ops.sum(y_pred, dim=axis, keepdim=True)))
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
    y_pred, _ = _behind("categorical_crossentropy", y_pred, from_logits)
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
    p = _clipped(ops.div(p, ops.sum(p, dim=axis, keepdim=True)))
    weight = ops.mul(ops.pow(ops.sub(1.0, p), gamma), alpha)
    return ops.sum(ops.mul(weight, ops.neg(ops.mul(y_true, ops.log(p)))), dim=axis)


# Sparse


def _numbers(y_true: Any, y_pred: Any, axis: int) -> tuple[Any, Any]:
    """Class numbers as int64, and predictions; ValueError where their shapes do not fit."""
    name = "sparse_categorical_crossentropy"
    y_pred, y_true = converted(y_pred), converted(y_true)
    if not y_pred.shape:
        raise ValueError(f"{name}: y_pred must be at least 1-d, (batch_size, num_classes)")
    if axis not in (-1, len(y_pred.shape) - 1):
        raise ValueError(f"{name}: Only axis=-1 is currently supported. Received: axis={axis}")
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    if y_true.shape != y_pred.shape[:-1]:
        hint = ""
        if y_true.shape == y_pred.shape:
            hint = "; one-hot targets are for categorical_crossentropy"
        raise ValueError(
            f"{name}: y_true is {y_true.shape} but y_pred is {y_pred.shape}; expected class numbers"
            f" of shape {y_pred.shape[:-1]}{hint}"
        )
    if y_true.dtype != np.int64:
        y_true = ops.cast(y_true, dtype=np.dtype(np.int64))
    return y_true, y_pred


def _sparse(y_true: Any, y_pred: Any, known: bool, reduction: str) -> Any:
    """Fused, from logits, or from what serves as them: the log of clipped probabilities."""
    logits = y_pred if known else ops.log(_clipped(y_pred))
    shape = logits.shape
    if len(shape) != 2:
        logits, y_true = ops.reshape(logits, (-1, shape[-1])), ops.reshape(y_true, (-1,))
    try:
        losses = ops.cross_entropy_index(
            logits, y_true, None, reduction=reduction, ignore_index=_NEVER
        )
    except IndexError as error:
        wrong = str(error).partition("target ")[2].partition(" ")[0]
        raise ValueError(
            f"sparse_categorical_crossentropy: label {wrong} is outside the valid range of"
            f" [0, {shape[-1]}); y_pred is {shape}. Give the last layer as many units as there are"
            " classes, and number those from 0; `ignore_class` leaves one out"
        ) from None
    return ops.reshape(losses, shape[:-1]) if losses.shape and len(shape) != 2 else losses


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """-log p of the class with number y_true; 0, and masked, where that is `ignore_class`.

    ValueError for a number that is no class.
    """
    y_true, y_pred = _numbers(y_true, y_pred, axis)
    y_pred, known = _behind("sparse_categorical_crossentropy", y_pred, from_logits)
    if ignore_class is None:
        return _sparse(y_true, y_pred, known, "none")
    ignored = ops.eq(y_true, int(ignore_class))
    losses = _sparse(ops.masked_fill(y_true, ignored, 0), y_pred, known, "none")
    losses = ops.masked_fill(losses, ignored, 0.0)
    set_mask(losses, ops.logical_not(ignored))
    return losses


def _sparse_whole(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    if ignore_class is not None:
        return None
    y_true, y_pred = _numbers(y_true, y_pred, axis)
    y_pred, known = _behind("sparse_categorical_crossentropy", y_pred, from_logits)
    return _sparse(y_true, y_pred, known, "mean")


binary_crossentropy.whole = _binary_whole  # type: ignore[attr-defined]
categorical_crossentropy.whole = _categorical_whole  # type: ignore[attr-defined]
sparse_categorical_crossentropy.whole = _sparse_whole  # type: ignore[attr-defined]
sparse_categorical_crossentropy.exact = True  # type: ignore[attr-defined]


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


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """-log p of the class whose number the label is."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; Keras leaves `axis` out."""
        shown = super().get_config()
        del shown["axis"]
        return shown
