"""Counts at thresholds, and what is computed from two of them: precision, recall ..."""

from __future__ import annotations

from typing import Any

from autograd.op import ops
from nn.keras.metrics.confusion import _LOWEST, Counting, Counts, parsed_thresholds, spread

TP, FP, TN, FN = "true_positives", "false_positives", "true_negatives", "false_negatives"


class _Count(Counting):
    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = parsed_thresholds(thresholds)
        self._start(Counts(self.thresholds))

    def _name_of(self, name: str) -> str:
        return "accumulator"

    @property
    def accumulator(self) -> Any:
        """The count."""
        return getattr(self, self.kept[0])

    def result(self) -> Any:
        """The count so far: a number, or one per threshold."""
        found = ops.clone(self.accumulator)
        return ops.reshape(found, ()) if len(self.thresholds) == 1 else found

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """How many ones are predicted as such: y_pred > threshold."""

    kept = (TP,)


class FalsePositives(_Count):
    """How many zeros are predicted as ones."""

    kept = (FP,)


class TrueNegatives(_Count):
    """How many zeros are predicted as such."""

    kept = (TN,)


class FalseNegatives(_Count):
    """How many ones are predicted as zeros."""

    kept = (FN,)


class _Ratio(Counting):
    """`kept[0]` / (`kept[0]` + `kept[1]`) at thresholds; of the `top_k` of a row; of one class."""

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k, self.class_id = top_k, class_id
        self.thresholds = parsed_thresholds(thresholds, 0.5 if top_k is None else _LOWEST)
        self.options = {"top_k": top_k, "class_id": class_id}
        self._start(Counts(self.thresholds))

    def result(self) -> Any:
        """The ratio so far: a number, or one per threshold."""
        found = self.ratio(*self.kept)
        return ops.reshape(found, ()) if len(self.thresholds) == 1 else found

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), "thresholds": self.init_thresholds, **own}


class Precision(_Ratio):
    """Of what is predicted as one, how much is: TP / (TP + FP)."""

    kept = (TP, FP)


class Recall(_Ratio):
    """Of the ones, how many are predicted: TP / (TP + FN)."""

    kept = (TP, FN)


class _AtLeast(Counting):
    """The best of one ratio where another one is at least `value`, over evenly spread thresholds.

    `argument`: the constructor's name for `value`.  `wanted`, `bounded`: the two ratios.
    """

    _direction = "up"
    kept = (TP, FP, TN, FN)
    argument: str
    wanted: tuple[str, str]
    bounded: tuple[str, str]

    def _set(
        self, value: float, num_thresholds: int, class_id: int | None, name: Any, dtype: Any
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if not 0 <= value <= 1:
            raise ValueError(
                f"Argument `{self.argument}` must be in the range [0, 1]. Received:"
                f" {self.argument}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. Received:"
                f" num_thresholds={num_thresholds}"
            )
        self.value, self.num_thresholds, self.class_id = value, num_thresholds, class_id
        self.thresholds = [0.5] if num_thresholds == 1 else spread(num_thresholds)
        self.options = {"class_id": class_id}
        self._start(Counts(self.thresholds, num_thresholds > 1))

    def result(self) -> Any:
        """The best of the ratio so far, 0 where the other one is nowhere high enough."""
        enough = ops.ge(self.ratio(*self.bounded), self.value)
        found = ops.masked_fill(self.ratio(*self.wanted), ops.logical_not(enough), 0.0)
        return ops.clamp(ops.amax(found), min=0.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"num_thresholds": self.num_thresholds, self.argument: self.value}
        return {**super().get_config(), "class_id": self.class_id, **own}


class SensitivityAtSpecificity(_AtLeast):
    """The best TP / (TP + FN) where TN / (TN + FP) is at least `specificity`."""

    argument, wanted, bounded = "specificity", (TP, FN), (TN, FP)

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self._set(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_AtLeast):
    """The best TN / (TN + FP) where TP / (TP + FN) is at least `sensitivity`."""

    argument, wanted, bounded = "sensitivity", (TN, FP), (TP, FN)

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self._set(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_AtLeast):
    """The best TP / (TP + FP) where TP / (TP + FN) is at least `recall`."""

    argument, wanted, bounded = "recall", (TP, FP), (TP, FN)

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self._set(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_AtLeast):
    """The best TP / (TP + FN) where TP / (TP + FP) is at least `precision`."""

    argument, wanted, bounded = "precision", (TP, FN), (TP, FP)

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self._set(precision, num_thresholds, class_id, name, dtype)


__all__ = [
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "TrueNegatives",
    "TruePositives",
]
