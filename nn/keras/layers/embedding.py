"""Embedding: rows of a table by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras import regularizers
from nn.keras.layer import Layer
from nn.keras.layers.base import described, refuse, resolve_all, weight
from nn.keras.spec import Shape
from nn.keras.variable import Variable


class Embedding(Layer):
    """Rows of `embeddings` (input_dim, output_dim) by index: x (...) gives (..., output_dim).

    The table starts from U(-0.05, 0.05).  An index that is not one of its rows is an IndexError.
    `mask_zero`: index 0 is padding, and the mask of the output, which losses heed, says so.
    """

    embeddings: Variable

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        for name, size in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={size} (of type"
                    f" {type(size).__name__})."
                )
        refuse(
            "Embedding",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            quantization_config=quantization_config,
        )
        kwargs.pop("input_length", None)  # scripts of Keras 2 give it; it never meant anything here
        super().__init__(**kwargs)
        self.input_dim, self.output_dim, self.mask_zero = input_dim, output_dim, mask_zero
        resolve_all(
            self,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
        )
        self.supports_masking = mask_zero
        self.autocast = False
        if weights is not None:
            self.build(None)
            self.set_weights(
                weights if isinstance(weights, list) and len(weights) == 1 else [weights]
            )

    def build(self, input_shape: Shape | None = None) -> None:
        """Create the table."""
        if self.built:
            return
        self.embeddings = weight(self, "embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Tensor) -> Tensor:
        """The rows of these indices; floats are cut to integers, as in Keras."""
        if inputs.dtype.kind != "i" or inputs.dtype.itemsize < 4:
            inputs = ops.cast(inputs, dtype=np.dtype("int32"))
        return ops.embedding(self.embeddings, inputs, padding_idx=-1, scale_grad_by_freq=False)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """False where the index is 0, if `mask_zero`."""
        return ops.ne(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(..., output_dim)."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            **described(self, "embeddings_initializer", "embeddings_regularizer"),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **described(self, "embeddings_constraint"),
            "mask_zero": self.mask_zero,
            "quantization_config": None,
        }
