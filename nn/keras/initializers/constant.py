"""Initializers that draw nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd import Tensor
from nn.keras import saving
from nn.keras.initializers.base import Initializer, dtype_of


class Constant(Initializer):
    """Every element `value`, or an array of the shape asked for."""

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """`value` everywhere."""
        value = self.value.numpy() if isinstance(self.value, Tensor) else self.value
        return Tensor.wrap(np.full(tuple(shape), value, dtype_of(dtype)))

    def get_config(self) -> dict[str, Any]:
        """`value`."""
        return {"value": saving.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        """The initializer with these arguments."""
        return cls(saving.deserialize_keras_object(config["value"]))


class Zeros(Initializer):
    """Every element 0."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """0 everywhere."""
        return Tensor.wrap(np.zeros(tuple(shape), dtype_of(dtype)))


class Ones(Initializer):
    """Every element 1."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """1 everywhere."""
        return Tensor.wrap(np.ones(tuple(shape), dtype_of(dtype)))


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """The matrix; ValueError for what is none."""
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. Received:"
                f" shape={tuple(shape)} of rank {len(shape)}."
            )
        return Tensor.wrap((self.gain * np.eye(shape[0], shape[1])).astype(dtype_of(dtype)))

    def get_config(self) -> dict[str, Any]:
        """`gain`."""
        return {"gain": self.gain}
