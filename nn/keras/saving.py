"""`keras.saving`: serialisation, the registry of custom objects, and files of models."""

from __future__ import annotations

from typing import Any

from nn.keras.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    resolve,
)
from nn.keras.serialization import (
    deserialize_keras_object,
    in_safe_mode,
    revived,
    serialize_keras_object,
)

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "in_safe_mode",
    "register_keras_serializable",
    "resolve",
    "revived",
    "serialize_keras_object",
]


def __getattr__(name: str) -> Any:
    """The files of models, which are defined above this module."""
    if name in ("load_model", "load_weights", "save_model", "save_weights"):
        from nn.keras import archive

        return getattr(archive, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
