"""Losses as metrics, and how well numbers are predicted."""

from __future__ import annotations

import warnings
from typing import Any

from autograd.op import ops
from nn.keras import config, losses
from nn.keras.losses.base import converted, pair
from nn.keras.losses.regression import unit_length
from nn.keras.metrics.base import Metric
from nn.keras.metrics.reduction import Mean, MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """mean((y_true - y_pred)^2)."""

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """mean(|y_true - y_pred|)."""

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """100 mean(|y_true - y_pred| / max(|y_true|, epsilon))."""

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """mean((log(y_true + 1) - log(y_pred + 1))^2)."""

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """mean(log cosh(y_pred - y_true))."""

    def __init__(self, name: str = "logcosh", dtype: Any = None):
        super().__init__(losses.log_cosh, name, dtype)


class Hinge(MeanMetricWrapper):
    """mean(max(1 - y_true y_pred, 0))."""

    def __init__(self, name: str = "hinge", dtype: Any = None):
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """mean(max(1 - y_true y_pred, 0)^2)."""

    def __init__(self, name: str = "squared_hinge", dtype: Any = None):
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """max(the best wrong score - the right one + 1, 0)."""

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """sum(y_true log(y_true / y_pred))."""

    def __init__(self, name: str = "kl_divergence", dtype: Any = None):
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """mean(y_pred - y_true log(y_pred + epsilon))."""

    def __init__(self, name: str = "poisson", dtype: Any = None):
        super().__init__(losses.poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """-mean(y log p + (1 - y) log(1 - p))."""

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **options)


class CategoricalCrossentropy(MeanMetricWrapper):
    """-sum(y log p)."""

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **options)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """-log p of the class whose number the label is."""

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **options)


class RootMeanSquaredError(Mean):
    """sqrt(mean((y_true - y_pred)^2))."""

    _direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(  # type: ignore[override]  # what is averaged is made of the two
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add the squared errors of a batch."""
        y_pred = converted(y_pred, self._dtype)
        y_true, y_pred = pair(self.name, converted(y_true, self._dtype), y_pred)
        super().update_state(ops.mse_loss(y_pred, y_true, reduction="none"), sample_weight)

    def result(self) -> Any:
        """The root of the mean so far."""
        return ops.sqrt(super().result())


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """cos of the angle between the two along an axis: 1 where they point the same way."""
    y_true, y_pred = pair("cosine_similarity", y_true, y_pred)
    return ops.sum(ops.mul(unit_length(y_true, axis), unit_length(y_pred, axis)), dim=axis)


class CosineSimilarity(MeanMetricWrapper):
    """cos of the angle between y_true and y_pred; the loss of that name has the other sign."""

    _direction = "up"

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


def _centred(y: Any, axis: Any) -> tuple[Any, Any, Any]:
    """y - mean(y), mean(y), and the biased variance."""
    mean = ops.mean(y, dim=axis, keepdim=True)
    rest = ops.sub(y, mean)
    return rest, mean, ops.mean(ops.square(rest), dim=axis, keepdim=True)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The covariance along an axis divided by both standard deviations; NaN where one is 0."""
    y_true, y_pred = pair("pearson_correlation", y_true, y_pred)
    (a, _, a_var), (b, _, b_var) = (_centred(y, axis) for y in (y_true, y_pred))
    scaled = ops.mul(ops.div(a, ops.sqrt(a_var)), ops.div(b, ops.sqrt(b_var)))
    return ops.mean(scaled, dim=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """2 cov / (var_true + var_pred + (mean_true - mean_pred)^2 + epsilon) along an axis."""
    y_true, y_pred = pair("concordance_correlation", y_true, y_pred)
    (_, a_mean, a_var), (b, b_mean, b_var) = (_centred(y, axis) for y in (y_true, y_pred))
    product = ops.mul(ops.sub(y_true, b_mean), b)
    spread = ops.add(ops.add(a_var, b_var), ops.square(ops.sub(a_mean, b_mean)))
    whole = ops.div(ops.mul(product, 2.0), ops.add(spread, config.epsilon()))
    return ops.mean(whole, dim=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean of samples' correlations along `axis`."""

    _direction = "up"

    def __init__(self, name: str = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean of samples' agreement along `axis`, in slope and in level."""

    _direction = "up"

    def __init__(self, name: str = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)


class R2Score(Metric):
    """1 - (sum of squared errors) / (sum of squared distances from the mean), of 2-d values.

    `class_aggregation`: "uniform_average" of the columns, "variance_weighted_average", or None.
    `num_regressors`: adjust for so many predictors.
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        ways = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in ways:
            raise ValueError(
                "Invalid value for argument `class_aggregation`. Expected one of"
                f" {ways}. Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. Received:"
                f" num_regressors={num_regressors}"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable(name="num_samples")
        self._built = False

    def _build(self, true: tuple[int, ...], predicted: tuple[int, ...]) -> None:
        if len(true) != 2 or len(predicted) != 2:
            raise ValueError(
                "R2Score expects 2D inputs with shape (batch_size, output_dim). Received input"
                f" shapes: y_pred.shape={predicted} and y_true.shape={true}."
            )
        self.squared_sum = self.add_variable(predicted[-1:], name="squared_sum")
        self.sum = self.add_variable(predicted[-1:], name="sum")
        self.total_mse = self.add_variable(predicted[-1:], name="residual")
        self.count = self.add_variable(predicted[-1:], name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        y_pred = converted(y_pred, self._dtype)
        y_true, y_pred = pair(self.name, converted(y_true, self._dtype), y_pred)
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        weight = converted(1.0 if sample_weight is None else sample_weight, self._dtype)
        weight = ops.unsqueeze(weight, 1) if len(weight.shape) == 1 else weight
        weight = ops.broadcast_to(weight, shape=y_true.shape)
        weighted = ops.mul(y_true, weight)
        self.sum.assign_add(ops.sum(weighted, dim=0))
        self.squared_sum.assign_add(ops.sum(ops.mul(y_true, weighted), dim=0))
        errors = ops.mul(ops.square(ops.sub(y_true, y_pred)), weight)
        self.total_mse.assign_add(ops.sum(errors, dim=0))
        self.count.assign_add(ops.sum(weight, dim=0))
        self.num_samples.assign_add(float(y_true.value.size))

    def result(self) -> Any:
        """The score so far."""
        mean = ops.div(self.sum, self.count)
        spread = ops.sub(self.squared_sum, ops.mul(self.sum, mean))
        scores = ops.sub(1.0, ops.div(self.total_mse, spread))
        scores = ops.masked_fill(scores, ops.isinf(scores), 0.0)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation is not None:
            scores = ops.div(ops.sum(ops.mul(spread, scores)), ops.sum(spread))
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, scores: Any) -> Any:
        free = self.num_samples.item() - self.num_regressors - 1
        if free <= 0:
            why = "Division by zero in" if free == 0 else "More predictors than datapoints in"
            warnings.warn(
                f"{why} adjusted R2 score. Falling back to standard R2 score.", stacklevel=3
            )
            return scores
        factor = (self.num_samples.item() - 1) / free
        return ops.sub(1.0, ops.mul(ops.sub(1.0, scores), factor))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
