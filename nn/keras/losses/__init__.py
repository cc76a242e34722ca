"""Losses, under Keras' names and with its numbers: classes, functions, and `get` by name."""

from __future__ import annotations

from typing import Any

from nn.keras.losses.base import Loss, LossFunctionWrapper
from nn.keras.losses.binary import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
)
from nn.keras.losses.categorical import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
)
from nn.keras.losses.margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from nn.keras.losses.overlap import (
    CategoricalGeneralizedCrossEntropy,
    Dice,
    Tversky,
    categorical_generalized_cross_entropy,
    dice,
    tversky,
)
from nn.keras.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from nn.keras.losses.sparse import SparseCategoricalCrossentropy, sparse_categorical_crossentropy

_CLASSES = (
    Loss,
    LossFunctionWrapper,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
_FUNCTIONS = (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    cosine_similarity,
    dice,
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
    tversky,
)
_SHORT: dict[str, Any] = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}
ALL_OBJECTS: dict[str, Any] = {
    **{thing.__name__: thing for thing in (*_CLASSES, *_FUNCTIONS)},
    **_SHORT,
    **{name.upper(): f for name, f in _SHORT.items()},
}
"""Every loss by the names that `get` knows: a class makes an object, a function is itself."""

__all__ = [
    *(thing.__name__ for thing in (*_CLASSES, *_FUNCTIONS)),
    "deserialize",
    "get",
    "serialize",
]


def serialize(loss: Any) -> Any:
    """The configuration of a loss, as plain JSON."""
    from nn.keras import saving

    return saving.serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that `serialize` described, or one of that name."""
    from nn.keras import saving

    with saving.custom_object_scope(custom_objects or {}):
        return saving.resolve("loss", name, ALL_OBJECTS)


def get(identifier: Any) -> Any:
    """A loss by name, configuration, or as it is; ValueError that names the nearest known name."""
    if identifier is None:
        return None
    found = deserialize(identifier)
    if isinstance(found, type):
        found = found()
    if not callable(found):
        raise ValueError(f"Could not interpret loss identifier: {identifier}")
    return found
