"""Optimizers, under Keras' names and with its numbers, which differ from PyTorch's in places."""

from __future__ import annotations

from typing import Any

from nn.keras.optimizers import schedules
from nn.keras.optimizers.adagrad import Adadelta, Adagrad
from nn.keras.optimizers.adam import Adam, Adamax, AdamW, Nadam
from nn.keras.optimizers.base import Optimizer
from nn.keras.optimizers.ftrl import Ftrl
from nn.keras.optimizers.lion import Lion
from nn.keras.optimizers.rmsprop import RMSprop
from nn.keras.optimizers.sgd import SGD

_CLASSES = (SGD, Adam, AdamW, Adamax, Nadam, RMSprop, Adagrad, Adadelta, Lion, Ftrl)
ALL_OBJECTS: dict[str, Any] = {
    name: cls for cls in _CLASSES for name in (cls.__name__, cls.__name__.lower())
}

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


def serialize(optimizer: Any) -> Any:
    """The configuration of an optimizer, as plain JSON, without its state."""
    from nn.keras import saving

    return saving.serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that `serialize` described; the case of a built-in's name does not matter."""
    from nn.keras import saving

    name = config.get("class_name", "") if isinstance(config, dict) else config
    if isinstance(name, str) and name.lower() in ALL_OBJECTS:
        name = name.lower()
        config = {**config, "class_name": name} if isinstance(config, dict) else name
    with saving.custom_object_scope(custom_objects or {}):
        return saving.resolve("optimizer", config, ALL_OBJECTS)


def get(identifier: Any) -> Any:
    """An optimizer by name, configuration, or as it is; ValueError for anything else."""
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    found = deserialize(identifier)
    if not isinstance(found, Optimizer):
        raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
    return found
