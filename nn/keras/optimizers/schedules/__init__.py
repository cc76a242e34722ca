"""Learning-rate schedules by step, under Keras' names."""

from __future__ import annotations

from typing import Any

from nn.keras.naming import by_name
from nn.keras.optimizers.schedules.base import LearningRateSchedule
from nn.keras.optimizers.schedules.decays import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

ALL_OBJECTS: dict[str, Any] = by_name(
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


def serialize(learning_rate_schedule: Any) -> Any:
    """The configuration of a schedule, as plain JSON."""
    from nn.keras import saving

    return saving.serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that `serialize` described."""
    from nn.keras import saving

    with saving.custom_object_scope(custom_objects or {}):
        return saving.resolve("learning-rate schedule", config, ALL_OBJECTS)
