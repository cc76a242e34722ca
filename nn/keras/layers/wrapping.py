"""Layers around a function or around another layer, and the one that masks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import saving
from nn.keras.layer import Layer
from nn.keras.node import mapped
from nn.keras.spec import Shape


class Lambda(Layer):
    """A function as a layer: `Lambda(lambda x: x ** 2)`.

    `arguments`: keywords for each call; `output_shape`: without the batch, or a function of the
    input's shape, where it is not to be found by trial; `mask`: that of the output, or a function
    of (inputs, mask).  Variables that the function uses are not
    the layer's: for these write a Layer.  A function that files are to name is registered with
    `keras.saving.register_keras_serializable()`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        if not callable(function):
            raise TypeError(f"Lambda: expected a function, got {type(function).__name__}")
        super().__init__(**kwargs)
        self.function, self.mask = function, mask
        self.supports_masking = mask is not None
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape
        try:
            names: Any = inspect.signature(function).parameters
        except (TypeError, ValueError):  # some functions of C have no signature
            names = ()
        self._gives = [name for name in ("mask", "training") if name in names]

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """The function of the input."""
        if not self._gives:
            return self.function(inputs, **self.arguments)
        said = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: said[name] for name in self._gives})

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """What `mask` says."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """What `output_shape` says, or else what a trial shows."""
        given = self._output_shape
        if given is None:
            return super().compute_output_shape(input_shape)
        if callable(given):
            return given(input_shape)
        first = input_shape
        while isinstance(first[0], (list, tuple)):
            first = first[0]

        def batched(shape: Any) -> Any:
            if all(d is None or isinstance(d, int) for d in shape):
                return (first[0], *shape)
            return [batched(s) for s in shape]

        return batched(given)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output."""
        if self._output_shape is None:
            return self._probe(args, kwargs)
        return super().compute_output_spec(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the function by its name."""
        config = {
            **super().get_config(),
            "function": saving.serialize_keras_object(self.function),
            "arguments": saving.serialize_keras_object(self.arguments),
        }
        if self._output_shape is not None:
            config["output_shape"] = saving.serialize_keras_object(self._output_shape)
        if self.mask is not None:
            config["mask"] = saving.serialize_keras_object(self.mask)
        return config


class Wrapper(Layer):
    """A layer around another one, `layer`."""

    def __init__(self, layer: Any, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure"
                " wrapped layer is a valid Keras layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"layer": saving.serialize_keras_object(self.layer), **super().get_config()}


class TimeDistributed(Wrapper):
    """A layer applied to each step of (n, steps, ...), with the same weights.

    All steps are computed at once, as further samples, unless a BatchNormalization inside is
    training: its statistics are those of one step's batch, step after step.
    """

    def __init__(self, layer: Any, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(
                "Please initialize `TimeDistributed` layer with a `keras.layers.Layer` instance."
                f" Received: {layer}"
            )
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _inner(self, shape: Any) -> Shape:
        if not isinstance(shape, (tuple, list)) or len(shape) < 3:
            raise ValueError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3"
                f" dimensions, received: {shape}"
            )
        return (shape[0], *shape[2:])

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside for one step."""
        super().build(self._inner(input_shape))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """The layer's outputs (n, steps, ...)."""
        said = {"training": training} if self.layer._signature.training else {}
        n, steps, *rest = inputs.shape
        if training and self._sees_batches():
            slices = (ops.slice(inputs, index=(slice(None), i)) for i in range(steps))
            return ops.stack([self.layer.call(x, **said) for x in slices], dim=1)
        out = self.layer.call(ops.reshape(inputs, shape=(n * steps, *rest)), **said)
        return mapped(out, lambda y: ops.reshape(y, shape=(n, steps, *y.shape[1:])))

    def _sees_batches(self) -> bool:
        from nn.keras.layers.batch_normalization import BatchNormalization

        return any(isinstance(each, BatchNormalization) for each in self.layer._flatten_layers())

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """(n, steps) and what the layer inside gives."""
        inner = self.layer.compute_output_shape(self._inner(input_shape))
        return (inner[0], input_shape[1], *inner[1:])


class Masking(Layer):
    """Steps of (n, steps, features) that are `mask_value` throughout are masked, and become 0."""

    def __init__(self, mask_value: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """False for the steps that are `mask_value` throughout."""
        return ops.any(ops.ne(inputs, self.mask_value), dim=-1)

    def call(self, inputs: Tensor) -> Tensor:
        """The input with masked steps 0."""
        kept = ops.any(ops.ne(inputs, self.mask_value), dim=-1, keepdim=True)
        return ops.where(kept, inputs, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "mask_value": self.mask_value}
