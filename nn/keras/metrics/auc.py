"""Areas under curves of counts at thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import converted, divide_no_nan
from nn.keras.metrics.confusion import Counting, Counts, evenly
from nn.keras.metrics.counts import FN, FP, TN, TP

CURVES = ("ROC", "PR", "PRGAIN")
METHODS = ("interpolation", "majoring", "minoring")


def _one_of(given: Any, known: tuple[str, ...], what: str) -> str:
    value = getattr(given, "value", given)
    for name in known:
        if value in (name, name.lower(), name.upper(), name.capitalize()):
            return name
    raise ValueError(f'Invalid AUC {what} value: "{given}". Expected values are {list(known)}')


class AUC(Counting):
    """The area under the curve of true over false positive rates, or of precision over recall.

    The curve is known at `num_thresholds` points (or at those between 0 and 1 that are given);
    between them it is a line ("interpolation"; for PR, Davis & Goadrich's curve), the greater or
    the lesser end.  `multi_label`: the mean of the areas of the columns, weighted by
    `label_weights`.
    """

    _direction = "up"
    kept = (TP, FP, TN, FN)

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.curve = _one_of(curve, CURVES, "curve")
        self.summation_method = _one_of(summation_method, METHODS, "summation method")
        self._given = thresholds is not None
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. Received:"
                f" num_thresholds={num_thresholds}"
            )
        count = num_thresholds
        inner = [(i + 1) * 1.0 / (count - 1) for i in range(count - 2)]
        inner = inner if thresholds is None else sorted(thresholds)
        self._even = thresholds is None or evenly([0.0, *inner, 1.0])
        self.num_thresholds = len(inner) + 2
        tiny = config.epsilon()
        self._thresholds = np.array([0.0 - tiny, *inner, 1.0 + tiny])
        self.multi_label, self.num_labels = multi_label, num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = converted(np.asarray(label_weights), self._dtype)
        self._from_logits = from_logits
        self._built = False
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        if not multi_label or num_labels:
            self._build((None, num_labels) if multi_label else ())

    @property
    def thresholds(self) -> list[float]:
        """Where the counts are taken."""
        return list(self._thresholds)

    def _build(self, shape: Any) -> None:
        state: tuple[Any, ...] = (self.num_thresholds,)
        if self.multi_label:
            if len(shape) != 2:
                raise ValueError(
                    "`y_pred` must have rank 2 when `multi_label=True`. Found rank"
                    f" {len(shape)}. Full shape received for `y_pred`: {shape}"
                )
            state = (self.num_thresholds, shape[1])
        else:
            self.options = {"label_weights": self.label_weights}
        self._start(Counts(self._thresholds, self._even, self.multi_label), state)
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the counts of a batch."""
        y_pred = converted(y_pred)
        if not self._built:
            self._build(y_pred.shape)
        if self._from_logits:
            y_pred = ops.sigmoid(y_pred)
        super().update_state(y_true, y_pred, sample_weight)

    def _ends(self, x: Any) -> tuple[Any, Any]:
        """The values at the lower and the higher threshold of each piece."""
        count = self.num_thresholds - 1
        return ops.narrow(x, 0, 0, count), ops.narrow(x, 0, 1, count)

    def _interpolated_pr(self) -> Any:
        """The pieces of the area under precision over recall, by Davis & Goadrich (2006)."""
        tp, fn = self.true_positives, self.false_negatives
        (tp0, tp1), (p0, p1) = self._ends(tp), self._ends(ops.add(tp, self.false_positives))
        gained = ops.sub(tp0, tp1)
        slope = divide_no_nan(gained, ops.clamp(ops.sub(p0, p1), min=0.0))
        intercept = ops.sub(tp1, ops.mul(slope, p1))
        both = ops.logical_and(ops.gt(p0, 0.0), ops.gt(p1, 0.0))
        ratio = divide_no_nan(p0, ops.clamp(p1, min=0.0))
        ratio = ops.masked_fill(ratio, ops.logical_not(both), 1.0)
        area = ops.mul(slope, ops.add(gained, ops.mul(intercept, ops.log(ratio))))
        whole = ops.add(tp1, self._ends(fn)[1])
        return divide_no_nan(area, ops.clamp(whole, min=0.0))

    def _curve(self) -> tuple[Any, Any]:
        """x and y at each threshold."""
        if self.curve == "ROC":
            return self.ratio(FP, TN), self.ratio(TP, FN)
        if self.curve == "PR":
            return self.ratio(TP, FN), self.ratio(TP, FP)
        tp, fp, fn = self.true_positives, self.false_positives, self.false_negatives
        odds = divide_no_nan(ops.add(tp, fn), ops.add(self.true_negatives, fp))
        none = ops.eq(tp, 0.0)
        x, y = (ops.sub(1.0, ops.mul(odds, divide_no_nan(wrong, tp))) for wrong in (fn, fp))
        x, y = ops.masked_fill(x, none, 0.0), ops.masked_fill(y, none, 1.0)
        return ops.clamp(x, min=0.0), y

    def _pieces(self) -> Any:
        interpolated = self.summation_method == "interpolation"
        if self.curve == "PR" and interpolated:
            return self._interpolated_pr()
        (x0, x1), (y0, y1) = map(self._ends, self._curve())
        if interpolated:
            height = ops.div(ops.add(y0, y1), 2.0)
        else:
            lesser = self.summation_method == "minoring"
            height = (ops.minimum if lesser else ops.maximum)(y0, y1)
        return ops.mul(ops.sub(x0, x1), height)

    def result(self) -> Any:
        """The area so far."""
        pieces = self._pieces()
        if not self.multi_label:
            return ops.sum(pieces)
        areas = ops.sum(pieces, dim=0)
        if self.label_weights is None:
            return ops.mean(areas)
        weighted = ops.sum(ops.mul(areas, self.label_weights))
        return divide_no_nan(weighted, ops.sum(self.label_weights))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        weights = self.label_weights
        shown = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if weights is None else weights.tolist(),
            "from_logits": self._from_logits,
        }
        if self._given:
            shown["thresholds"] = [float(t) for t in self._thresholds[1:-1]]
        return shown
