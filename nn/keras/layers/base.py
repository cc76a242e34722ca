"""What several layers share."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import activations, constraints, initializers, regularizers
from nn.keras.layer import Layer
from nn.keras.node import KerasTensor
from nn.keras.spec import Shape
from nn.keras.variable import Variable


class Elementwise(Layer):
    """A layer whose output has the shape and the dtype of its input."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return input_shape

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output, of the dtype of the input."""
        return same_dtype(self, args, kwargs)


class Rearranging(Layer):
    """A layer that moves elements, and so keeps the dtype of its input."""

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output, of the dtype of the input."""
        return same_dtype(self, args, kwargs)


def same_dtype(layer: Layer, args: Any, kwargs: dict[str, Any]) -> KerasTensor:
    """The symbolic output of a layer that keeps dtypes; floats are in the layer's own."""
    x = args[0] if args else next(iter(kwargs.values()))
    dtype = layer.compute_dtype if x.dtype.startswith("float") else x.dtype
    return KerasTensor(layer.compute_output_shape(x.shape), dtype)


class Activated:
    """The `activation` of a layer: resolved once, so that a call costs no detour."""

    _activation: Any
    _activate: Any
    """What `call` applies to its result; None for linear."""

    @property
    def activation(self) -> Any:
        """The activation function."""
        return self._activation

    @activation.setter
    def activation(self, value: Any) -> None:
        function = activations.get(value)
        self.__dict__.update(_activation=function, _activate=activations.direct(function))

    def __getstate__(self) -> dict[str, Any]:
        """All but what follows from the activation, which need not pickle."""
        return {k: v for k, v in self.__dict__.items() if k != "_activate"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _activate=activations.direct(state["_activation"]))


_AREAS = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}


def resolve_all(layer: Layer, **given: Any) -> None:
    """Set attributes such as `kernel_initializer` from names, configs or objects."""
    for name, value in given.items():
        setattr(layer, name, _AREAS[name.rpartition("_")[2]].get(value))


def weight(layer: Layer, name: str, shape: Any, initializer: Any = None) -> Variable:
    """A new weight with the initializer, regularizer and constraint that the layer has for it."""
    return layer.add_weight(
        name=name,
        shape=shape,
        initializer=initializer or getattr(layer, f"{name}_initializer"),
        regularizer=getattr(layer, f"{name}_regularizer"),
        constraint=getattr(layer, f"{name}_constraint"),
    )


def described(layer: Layer, *names: str) -> dict[str, Any]:
    """The configs of such attributes, as JSON holds them."""
    return {name: _AREAS[name.rpartition("_")[2]].serialize(getattr(layer, name)) for name in names}


def floating(layer: Layer, x: Tensor) -> Tensor:
    """`x` in the layer's dtype; integers become floats."""
    return x if x.dtype is layer._dtype else ops.cast(x, dtype=layer._dtype)


def refuse(layer: str, **options: Any) -> None:
    """ValueError for options of Keras that are not here, where one is set."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise ValueError(
                f"{layer}: {name}={value!r} is not supported by this engine; leave it at its"
                " default"
            )


def check_axis(layer: Layer, axis: Any, shape: Shape) -> None:
    """ValueError where an axis is not one of `shape`."""
    for a in axis if isinstance(axis, (list, tuple)) else (axis,):
        if not -len(shape) <= a < len(shape):
            raise ValueError(
                f"Axis {a} is out of bounds for input shape {shape} of layer '{layer.name}'."
                f" Received: axis={axis}"
            )
