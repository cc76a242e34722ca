"""`keras.models`: models, and making them from files, JSON and other models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn.keras.archive import load_model, save_model
from nn.keras.cloning import clone_model
from nn.keras.model import Functional, Model
from nn.keras.sequential import Sequential
from nn.keras.serialization import deserialize_keras_object

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model that `to_json` described, with new weights."""
    import json

    try:
        config = json.loads(json_string)
    except (TypeError, ValueError) as error:
        raise ValueError(f"model_from_json: no JSON text: {error}") from None
    return deserialize_keras_object(config, custom_objects)
