"""`keras.layers`: the layers of the Keras face."""

from __future__ import annotations

from typing import Any

from nn.keras import saving
from nn.keras.input_layer import Input, InputLayer
from nn.keras.layer import Layer
from nn.keras.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from nn.keras.layers.batch_normalization import BatchNormalization
from nn.keras.layers.categories import CategoryEncoding, Discretization
from nn.keras.layers.dense import Dense, Identity
from nn.keras.layers.dot import Dot, dot
from nn.keras.layers.einsum_dense import EinsumDense
from nn.keras.layers.embedding import Embedding
from nn.keras.layers.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from nn.keras.layers.noise import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from nn.keras.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from nn.keras.layers.row_normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from nn.keras.layers.scaling import Normalization, Rescaling
from nn.keras.layers.wrapping import Lambda, Masking, TimeDistributed, Wrapper
from nn.keras.spec import InputSpec

__all__ = [
    "ELU", "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average",
    "BatchNormalization", "CategoryEncoding", "Concatenate", "Dense", "Discretization", "Dot",
    "Dropout", "EinsumDense", "Embedding", "Flatten", "GaussianDropout", "GaussianNoise",
    "GroupNormalization", "Identity", "Input", "InputLayer", "InputSpec", "Lambda", "Layer",
    "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum", "Multiply",
    "Normalization", "PReLU", "Permute", "RMSNormalization", "ReLU", "RepeatVector", "Rescaling",
    "Reshape", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Subtract",
    "TimeDistributed", "UnitNormalization", "Wrapper", "add", "average", "concatenate",
    "deserialize", "dot", "get", "maximum", "minimum", "multiply", "serialize", "subtract",
]  # fmt: skip

TABLE: dict[str, Any] = {
    name: value
    for name, value in vars().items()
    if isinstance(value, type) and issubclass(value, Layer)
}
"""The layers by name."""


def get(identifier: Any) -> Any:
    """The layer of a name, config or class; a layer is itself, None is None."""
    if isinstance(identifier, Layer):
        return identifier
    return saving.resolve("layer", identifier, TABLE)


def serialize(layer: Any) -> Any:
    """Its config, as JSON holds it."""
    return saving.serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The layer of a config."""
    if isinstance(config, dict) and "class_name" not in config:
        raise ValueError(
            f"Could not parse config: a layer's has the entries 'class_name' and 'config'; {config}"
        )
    return saving.deserialize_keras_object(config, custom_objects)


def __getattr__(name: str) -> Any:
    from nn.keras.registry import nearest

    if name[:1] == "_":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    near = nearest(name, TABLE)
    raise AttributeError(
        f"keras.layers.{name} is not part of this engine"
        + (f"; did you mean {near}?" if near else "")
        + ". There are no convolutional, recurrent, attention or image layers"
    )
