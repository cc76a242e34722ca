"""Dense and Identity: layers that are linear in their weights, or nothing at all."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import activations
from nn.keras.layer import Layer
from nn.keras.layers.base import Activated, Elementwise, described, refuse, resolve_all, weight
from nn.keras.spec import InputSpec, Shape
from nn.keras.variable import Variable


class Dense(Activated, Layer):
    """activation(x kernel + bias).  x (..., i), kernel (i, units), bias (units,).

    The kernel starts Glorot-uniform and the bias at 0.  `*_regularizer`: penalties that training
    adds to the loss; `*_constraint`: what the weights are projected to after each update.
    `lora_rank` and `quantization_config` have no counterpart here: ValueError.
    """

    kernel: Variable
    bias: Variable | None

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        if isinstance(units, bool) or not isinstance(units, int) or units <= 0:
            raise ValueError(
                "Received an invalid value for `units`, expected a positive integer. Received:"
                f" units={units}"
            )
        refuse(
            "Dense",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            quantization_config=quantization_config,
        )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units, self.use_bias = units, use_bias
        self.activation = activation
        resolve_all(
            self,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Create kernel and bias."""
        size = input_shape[-1]
        if size is None:
            raise ValueError(
                f"layer '{self.name}': the last dimension of the input must be known to size the"
                f" kernel. Received: input_shape={input_shape}"
            )
        self.kernel = weight(self, "kernel", (size, self.units))
        self.bias = weight(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: size})

    def call(self, inputs: Tensor) -> Tensor:
        """Compute activation(inputs kernel + bias)."""
        if inputs.dtype is not self._dtype:
            inputs = ops.cast(inputs, dtype=self._dtype)
        out = ops.dense(inputs, self.kernel, self.bias)
        activate = self._activate
        return out if activate is None else activate(out)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(..., units)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **described(
                self,
                "kernel_initializer",
                "bias_initializer",
                "kernel_regularizer",
                "bias_regularizer",
                "kernel_constraint",
                "bias_constraint",
            ),
            "quantization_config": None,
        }


class Identity(Elementwise):
    """Its input."""

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs

    def compute_output_spec(self, inputs: Any) -> Any:
        """The input itself, under a new name."""
        from nn.keras.node import KerasTensor, mapped

        return mapped(inputs, lambda x: KerasTensor(x.shape, x.dtype))
