"""F scores: precision and recall in one number."""

from __future__ import annotations

from typing import Any

from autograd.op import ops
from nn.keras import config
from nn.keras.losses.base import converted
from nn.keras.metrics.base import Metric


class FBetaScore(Metric):
    """(1 + beta^2) P R / (beta^2 P + R), of 2-d y_true and y_pred, one column per class.

    `average`: None gives one score per class; "macro" their mean; "weighted" their mean by how
    often a class occurs; "micro" counts all classes as one.  `threshold`: positive is what is
    above; None: the largest of each row.
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                "Invalid `average` argument value. Expected one of: {None, 'micro', 'macro',"
                f" 'weighted'}}. Received: average={average}"
            )
        for argument, value in (("beta", beta), ("threshold", threshold)):
            if not isinstance(value, float) and not (argument == "threshold" and value is None):
                raise ValueError(
                    f"Invalid `{argument}` argument value. It should be a Python float. Received:"
                    f" {argument}={value} of type '{type(value)}'"
                )
        if beta <= 0.0:
            raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: {beta=}")
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(
                "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received:"
                f" {threshold=}"
            )
        self.average, self.beta, self.threshold = average, beta, threshold
        self._built = False

    def _build(self, true: tuple[int, ...], predicted: tuple[int, ...]) -> None:
        if len(true) != 2 or len(predicted) != 2:
            raise ValueError(
                f"{type(self).__name__} expects 2D inputs with shape (batch_size, output_dim)."
                f" Received input shapes: y_pred.shape={predicted} and y_true.shape={true}."
            )
        shape = () if self.average == "micro" else predicted[-1:]
        self.true_positives = self.add_variable(shape, dtype=self.dtype, name="true_positives")
        self.false_positives = self.add_variable(shape, dtype=self.dtype, name="false_positives")
        self.false_negatives = self.add_variable(shape, dtype=self.dtype, name="false_negatives")
        self.intermediate_weights = self.add_variable(
            shape, dtype=self.dtype, name="intermediate_weights"
        )
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the counts of a batch."""
        y_true, y_pred = converted(y_true, self._dtype), converted(y_pred, self._dtype)
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            best = ops.amax(y_pred, dim=-1, keepdim=True)
            chosen = ops.logical_and(ops.ge(y_pred, best), ops.gt(ops.abs(y_pred), 1e-9))
        else:
            chosen = ops.gt(y_pred, self.threshold)
        y_pred = ops.cast(chosen, dtype=self._dtype)
        weight = None
        if sample_weight is not None:
            weight = ops.reshape(converted(sample_weight, self._dtype), (-1, 1))
        for variable, values in (
            (self.true_positives, ops.mul(y_pred, y_true)),
            (self.false_positives, ops.mul(y_pred, ops.sub(1.0, y_true))),
            (self.false_negatives, ops.mul(ops.sub(1.0, y_pred), y_true)),
            (self.intermediate_weights, y_true),
        ):
            values = values if weight is None else ops.mul(values, weight)
            dim = None if self.average == "micro" else 0
            variable.assign_add(ops.sum(values, dim=dim))

    def result(self) -> Any:
        """The score so far."""
        tiny, tp = config.epsilon(), self.true_positives
        precision, recall = (
            ops.div(tp, ops.add(ops.add(tp, wrong), tiny))
            for wrong in (self.false_positives, self.false_negatives)
        )
        both = ops.add(ops.mul(precision, self.beta**2), recall)
        score = ops.div(ops.mul(precision, recall), ops.add(both, tiny))
        score = ops.mul(score, 1 + self.beta**2)
        if self.average == "weighted":
            weights = self.intermediate_weights
            weights = ops.div(weights, ops.add(ops.sum(weights), tiny))
            return ops.sum(ops.mul(score, weights))
        return score if self.average is None else ops.mean(score)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """2 P R / (P + R): see `FBetaScore`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        shown = super().get_config()
        del shown["beta"]
        return shown
