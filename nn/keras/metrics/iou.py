"""Intersection over union of predicted and true classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import converted
from nn.keras.metrics.base import Metric

_INT = np.dtype(np.int64)


class IoU(Metric):
    """The mean over `target_class_ids` of TP / (TP + FP + FN), of a confusion matrix.

    Classes that neither occur nor are predicted do not count.  Labels or predictions that are not
    `sparse` are one-hot, or scores, along `axis`.  What is `ignore_class` or no class is left out.
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype="int64" if dtype is None else dtype)
        ids = list(target_class_ids)
        if max(ids) >= num_classes:
            raise ValueError(
                f"Target class id {max(ids)} is out of range, which is [0, {num_classes})."
            )
        self.num_classes, self.target_class_ids = num_classes, ids
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        size = (num_classes, num_classes)
        self.total_cm = self.add_variable(size, dtype=self.dtype, name="total_confusion_matrix")
        self._ids = Tensor.wrap(np.array(ids, np.int64))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the confusion matrix."""
        y_true, y_pred = converted(y_true), converted(y_pred)
        y_true = y_true if self.sparse_y_true else ops.argmax(y_true, dim=self.axis)
        y_pred = y_pred if self.sparse_y_pred else ops.argmax(y_pred, dim=self.axis)
        y_true, y_pred = (ops.reshape(ops.cast(y, dtype=_INT), (-1,)) for y in (y_true, y_pred))
        weight = converted(1 if sample_weight is None else sample_weight, self._dtype)
        weight = ops.reshape(weight, (-1,)) if len(weight.shape) > 1 else weight
        weight = ops.broadcast_to(weight, shape=y_true.shape)
        count = self.num_classes
        wrong = ops.logical_or(
            ops.logical_or(ops.lt(y_true, 0), ops.ge(y_true, count)),
            ops.logical_or(ops.lt(y_pred, 0), ops.ge(y_pred, count)),
        )
        if self.ignore_class is not None:
            wrong = ops.logical_or(wrong, ops.eq(y_true, self.ignore_class))
        places = ops.masked_fill(ops.add(ops.mul(y_true, count), y_pred), wrong, 0)
        weight = ops.masked_fill(weight, wrong, 0)
        added = ops.unindex(weight, places, dims=(0,), shape=(count * count,))
        self.total_cm.assign_add(ops.reshape(added, (count, count)))

    def result(self) -> Any:
        """The mean so far, float32."""
        real = np.dtype(np.float32)
        matrix = ops.cast(self.total_cm, dtype=real)
        hits = ops.diagonal(matrix)
        union = ops.sub(ops.add(ops.sum(matrix, dim=0), ops.sum(matrix, dim=1)), hits)
        hits, union = (ops.gather(x, 0, self._ids) for x in (hits, union))
        valid = ops.cast(ops.gt(union, 1e-9), dtype=real)
        scores = ops.mul(ops.div(hits, ops.add(union, config.epsilon())), valid)
        return ops.div(ops.sum(scores), ops.add(ops.sum(valid), config.epsilon()))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_true")
        names = (*names, "sparse_y_pred", "axis")  # type: ignore[assignment]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Without(IoU):
    """An IoU whose constructor leaves some arguments out."""

    without: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {k: v for k, v in super().get_config().items() if k not in self.without}


class BinaryIoU(_Without):
    """IoU of zeros and ones, where a prediction is one at or above `threshold`."""

    without = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to the confusion matrix."""
        y_pred = converted(y_pred, np.dtype(np.float32))
        chosen = ops.cast(ops.ge(y_pred, self.threshold), dtype=_INT)
        super().update_state(y_true, chosen, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "threshold": self.threshold}


class MeanIoU(_Without):
    """The mean IoU of all classes."""

    without: tuple[str, ...] = ("target_class_ids",)

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        ids = range(num_classes)
        options = (sparse_y_true, sparse_y_pred, axis)
        super().__init__(num_classes, ids, name, dtype, ignore_class, *options)


class OneHotIoU(_Without):
    """IoU of one-hot labels."""

    without = ("sparse_y_true",)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        options = (False, sparse_y_pred, axis)
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, *options)


class OneHotMeanIoU(MeanIoU):
    """The mean IoU of all classes, of one-hot labels."""

    without = ("target_class_ids", "sparse_y_true")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
