"""True and false positives and negatives at thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import converted, divide_no_nan, squeeze_or_expand
from nn.keras.metrics.base import Metric

_INT = np.dtype(np.int64)
_LOWEST = -1e10
"""The threshold with `top_k`: all of the best are positive."""


def parsed_thresholds(thresholds: Any, default: float = 0.5) -> list[float]:
    """Thresholds as a list; ValueError for one outside [0, 1]."""
    if thresholds is None:
        return [default]
    given = list(thresholds) if isinstance(thresholds, (list, tuple)) else [thresholds]
    wrong = [t for t in given if t is None or not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {wrong}")
    return given


def evenly(thresholds: Any) -> bool:
    """True where three or more thresholds divide [0, 1] evenly."""
    count = len(thresholds)
    if count < 3:
        return False
    even = np.arange(count, dtype=np.float32) / (count - 1)
    return bool(np.allclose(thresholds, even, atol=config.epsilon()))


def spread(count: int) -> list[float]:
    """Thresholds from 0 to 1, evenly."""
    return [0.0, *((i + 1) * 1.0 / (count - 1) for i in range(count - 2)), 1.0]


class Counts:
    """What a batch adds to the counts, at thresholds `values`.

    Evenly spread thresholds sort each prediction into a bucket, and counts are sums over buckets;
    other thresholds are each compared with each prediction.
    """

    def __init__(self, values: Any, even: bool | None = None, multi_label: bool = False):
        self.values = values
        self.even = evenly(values) if even is None else even
        self.closed = bool(values[0] < 0.0 or values[-1] > 1.0)
        self.multi_label = multi_label
        self.tensor = Tensor.wrap(np.asarray(values, config.floatx()))

    def of(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        label_weights: Any = None,
    ) -> dict[str, Any]:
        """tp, fp, tn, fn: (thresholds,), or (thresholds, labels) with `multi_label`."""
        dtype = self.tensor.dtype
        y_pred, y_true = squeeze_or_expand(converted(y_pred, dtype), converted(y_true, dtype))
        weight = None
        if sample_weight is not None:
            weight = ops.unsqueeze(converted(sample_weight, dtype), -1)
            _, weight = squeeze_or_expand(y_true, weight, expand_rank_1=False)
        if y_true.shape != y_pred.shape:
            raise ValueError(
                f"y_true is {y_true.shape} but y_pred is {y_pred.shape}; expected one label for"
                f" each prediction, {y_pred.shape}"
            )
        if top_k is not None:
            y_pred = _best(y_pred, top_k)
        if class_id is not None:
            if len(y_pred.shape) == 1:
                raise ValueError(
                    "When class_id is provided, y_pred must be a 2D array with shape (num_samples,"
                    f" num_classes), found shape: {y_pred.shape}"
                )
            y_true, y_pred = (ops.narrow(y, -1, class_id, 1) for y in (y_true, y_pred))
        positive = ops.cast(ops.ne(y_true, 0.0), dtype=dtype)
        negative = ops.sub(1.0, positive)
        for its_weight in (weight, label_weights):
            if its_weight is not None:
                positive, negative = ops.mul(positive, its_weight), ops.mul(negative, its_weight)
        if not self.multi_label:
            positive, negative, y_pred = (
                ops.reshape(t, (-1,)) for t in (positive, negative, y_pred)
            )
        return (self._by_bucket if self.even else self._by_comparison)(positive, negative, y_pred)

    def _by_comparison(self, positive: Any, negative: Any, y_pred: Any) -> dict[str, Any]:
        at = ops.reshape(self.tensor, (-1, *[1] * len(y_pred.shape)))
        above = ops.cast(ops.gt(ops.unsqueeze(y_pred, 0), at), dtype=self.tensor.dtype)
        hits, alarms = (ops.sum(ops.mul(above, w), dim=1) for w in (positive, negative))
        return self._all(hits, alarms, positive, negative)

    def _by_bucket(self, positive: Any, negative: Any, y_pred: Any) -> dict[str, Any]:
        count = len(self.values)
        places = ops.ceil(ops.mul(ops.clamp(y_pred, min=0.0, max=1.0), float(count - 1)))
        if self.closed:
            places = ops.clamp(places, min=1.0)
        places = ops.cast(places, dtype=_INT)  # 0 is below the first threshold
        labels = y_pred.shape[1] if self.multi_label else 1
        if self.multi_label:
            places = ops.add(places, Tensor.wrap(np.arange(labels) * (count + 1)))
            places = ops.reshape(places, (-1,))
        size = labels * (count + 1)

        def above(weights: Any) -> Any:
            flat = ops.reshape(weights, (-1,))
            sums = ops.reshape(ops.unindex(flat, places, dims=(0,), shape=(size,)), (labels, -1))
            sums = ops.cumsum(ops.narrow(sums, 1, 1, count), dim=1, reverse=True)
            return ops.transpose(sums, 0, 1) if self.multi_label else ops.reshape(sums, (count,))

        return self._all(above(positive), above(negative), positive, negative)

    def _all(self, hits: Any, alarms: Any, positive: Any, negative: Any) -> dict[str, Any]:
        whole = [ops.sum(w, dim=0) for w in (positive, negative)]
        return {
            "true_positives": hits,
            "false_positives": alarms,
            "false_negatives": ops.sub(whole[0], hits),
            "true_negatives": ops.sub(whole[1], alarms),
        }


def _best(y_pred: Any, k: int) -> Any:
    """The k largest of each row; all others far below any threshold."""
    places = ops.topk_places(y_pred, k=k)
    kept = ops.cast(ops.one_hot(places, y_pred.shape[-1]), dtype=y_pred.dtype)
    kept = ops.sum(kept, dim=-2)
    return ops.add(ops.mul(y_pred, kept), ops.mul(ops.sub(1.0, kept), _LOWEST))


class Counting(Metric):
    """A metric whose state is some of the four counts: `kept`, names as `Counts.of` gives them."""

    kept: tuple[str, ...]
    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any
    options: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed

    def _start(self, counts: Counts, shape: Any = None) -> None:
        self.counts = counts
        shape = (len(counts.values),) if shape is None else shape
        for name in self.kept:
            setattr(self, name, self.add_variable(shape, name=self._name_of(name)))

    def _name_of(self, name: str) -> str:
        return name

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the counts of a batch."""
        found = self.counts.of(y_true, y_pred, sample_weight, **self.options)
        for name in self.kept:
            getattr(self, name).assign_add(found[name])

    def ratio(self, part: str, rest: str) -> Any:
        """part / (part + rest), 0 where both are 0."""
        x = getattr(self, part)
        return divide_no_nan(x, ops.add(x, getattr(self, rest)))
