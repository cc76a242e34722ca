"""Cross-entropy of class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.op import ops
from nn.keras.losses.base import LossFunctionWrapper, converted
from nn.keras.losses.probability import behind, clipped
from nn.keras.marks import set_mask

_NEVER = -(2**62)
"""A class number that no label has: the engine's `ignore_index` is not Keras' `ignore_class`."""


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
    logits = y_pred if known else ops.log(clipped(y_pred))
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
    y_pred, known = behind("sparse_categorical_crossentropy", y_pred, from_logits)
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
    y_pred, known = behind("sparse_categorical_crossentropy", y_pred, from_logits)
    return _sparse(y_true, y_pred, known, "mean")


sparse_categorical_crossentropy.whole = _sparse_whole  # type: ignore[attr-defined]
sparse_categorical_crossentropy.exact = True  # type: ignore[attr-defined]


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
