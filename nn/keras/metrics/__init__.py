"""Metrics, under Keras' names and with its numbers: classes, functions, and `get` by name."""

from __future__ import annotations

from typing import Any

from nn.keras import losses as _losses
from nn.keras.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from nn.keras.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from nn.keras.metrics.auc import AUC
from nn.keras.metrics.base import Metric
from nn.keras.metrics.counts import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from nn.keras.metrics.fscore import F1Score, FBetaScore
from nn.keras.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from nn.keras.metrics.reduction import Mean, MeanMetricWrapper, Sum
from nn.keras.metrics.regression import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    concordance_correlation,
    pearson_correlation,
)
from nn.keras.naming import by_name

_CLASSES = (
    Metric,
    Mean,
    Sum,
    MeanMetricWrapper,
    *(MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError),
    *(MeanSquaredLogarithmicError, CosineSimilarity, LogCoshError, R2Score),
    *(AUC, FalseNegatives, FalsePositives, TrueNegatives, TruePositives, Precision, Recall),
    *(PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity),
    *(ConcordanceCorrelation, PearsonCorrelation),
    *(Hinge, SquaredHinge, CategoricalHinge, KLDivergence, Poisson),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy),
    *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
    *(TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy, F1Score, FBetaScore),
    *(IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU),
)
_FUNCTIONS = (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
    concordance_correlation,
    pearson_correlation,
)
_LOSSES = (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
_SHORT: dict[str, Any] = {
    "bce": BinaryCrossentropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
}
ALL_OBJECTS: dict[str, Any] = {
    **by_name(*_CLASSES),
    **_SHORT,
    **{name.upper(): cls for name, cls in _SHORT.items()},
}
"""Every metric by the names that `get` knows."""

__all__ = [
    *(thing.__name__ for thing in (*_CLASSES, *_FUNCTIONS, *_LOSSES)),
    "deserialize",
    "get",
    "serialize",
]


def serialize(metric: Any) -> Any:
    """The configuration of a metric, as plain JSON, without its state."""
    from nn.keras import saving

    return saving.serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric that `serialize` described, or one of that name."""
    from nn.keras import saving

    with saving.custom_object_scope(custom_objects or {}):
        return saving.resolve("metric", config, ALL_OBJECTS)


def function(config: Any) -> Any:
    """A metric's function by name or configuration, a loss's included."""
    from nn.keras import saving

    named = {f.__name__: f for f in _FUNCTIONS}
    return saving.resolve("metric function", config, {**_losses.ALL_OBJECTS, **named})


def get(identifier: Any) -> Any:
    """A metric by name, configuration, or as it is; ValueError that names the nearest known name.

    "accuracy" depends on the shapes: `compile` resolves it.
    """
    if identifier is None:
        return None
    found = deserialize(identifier)
    if isinstance(found, type):
        found = found()
    if not callable(found):
        raise ValueError(f"Could not interpret metric identifier: {identifier}")
    return found
