"""Sequential: layers one after the other."""

from __future__ import annotations

from typing import Any

from autograd.modes import changes
from nn.keras.input_layer import InputLayer
from nn.keras.layer import Layer
from nn.keras.model import Model, _fresh, _tuples
from nn.keras.module_layer import as_layer
from nn.keras.node import KerasTensor
from nn.keras.registry import CustomObjectScope
from nn.keras.serialization import deserialize_keras_object, in_safe_mode, serialize_keras_object


class Sequential(Model):
    """A stack of layers: `Sequential([Dense(4), Dense(1)])`, or `add` one by one.

    It is built as soon as the input's shape is known: from `keras.Input(shape)` as the first, the
    first layer's `input_shape`, `build(input_shape)`, or the first data.
    """

    _stack: list[Layer]
    _flow: list[Any]
    _implied: bool

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        super().__init__(trainable=trainable, name=name)
        self.__dict__.update(_stack=[], _flow=[], _implied=False, autocast=False)
        if layers is not None:
            if isinstance(layers, Layer) or not hasattr(layers, "__iter__"):
                raise TypeError(
                    f"Sequential: expected a list of layers, received {layers!r}; write"
                    " Sequential([...])"
                )
            for layer in layers:
                self.add(layer)

    # The stack: `_stack` are all layers, an InputLayer first if there is one; `_flow[i]` is the
    # symbolic output of `_stack[i]`, as far as the input's shape is known.

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top of the stack."""
        if not self._stack and getattr(layer, "_input_shape_arg", None) is not None:
            self.add(InputLayer(batch_shape=layer._input_shape_arg))
        if isinstance(layer, KerasTensor) and layer._keras_history is not None:
            layer = layer._keras_history[0]
        layer = as_layer(layer)
        if not isinstance(layer, Layer):
            raise ValueError(
                "Only instances of `keras.Layer` can be added to a Sequential model. Received:"
                f" {layer} (of type {type(layer)})"
            )
        if any(layer is other or layer.name == other.name for other in self._stack):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name"
                f" '{layer.name}' is already the name of a layer in this model. Update the `name`"
                " argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and self._stack:
            if isinstance(self._stack[0], InputLayer):
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input shape"
                    f" {self._stack[0].batch_shape}. You cannot add a different Input layer to it."
                )
            self._stack.insert(0, layer)
            self._enter_all()
            self._restart()
            return
        self._stack.append(layer)
        self._modules[layer.name] = layer
        changes[0] += 1
        if isinstance(layer, InputLayer) or self._flow:
            self._restart()

    def pop(self, rebuild: bool = True) -> Any:
        """Take the last layer off the stack, and return it."""
        if not self.layers:
            raise ValueError(f"Sequential model '{self.name}' has no layer to pop")
        layer = self._stack.pop()
        self._enter_all()
        del self._flow[len(self._stack) :]
        self._restart()
        return layer

    def _enter_all(self) -> None:
        self._modules.clear()
        self._modules.update({layer.name: layer for layer in self._stack})
        changes[0] += 1

    def _restart(self) -> None:
        """Build what is not yet built, from the known input shape on."""
        if not self._stack or not isinstance(self._stack[0], InputLayer):
            self._flow.clear()
            self.__dict__["built"] = False
        elif len(self._stack) == 1:
            self._flow[:] = [self._stack[0].output]
            self.__dict__["built"] = False
        else:
            self.__dict__["built"] = False
            self.build()

    def build(self, input_shape: Any = None) -> None:
        """Build all layers for inputs of this shape, batch first."""
        stack = self._stack
        if input_shape is not None:
            shape = _tuples(input_shape)
            if not stack or not isinstance(stack[0], InputLayer):
                stack.insert(0, InputLayer(batch_shape=shape))
                self.__dict__["_implied"] = True  # its dtype is that of the data
                self._enter_all()
        if not stack or not isinstance(stack[0], InputLayer):
            raise ValueError(
                f"Sequential model '{self.name}' cannot be built: its input's shape is not known."
                " Begin it with keras.Input(shape), or pass build(input_shape)"
            )
        if len(stack) == 1:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call"
                " `model.add(layer)`."
            )
        flow = self._flow
        if not flow or flow[0] is not stack[0].output:
            flow[:] = [stack[0].output]
        for layer in stack[len(flow) :]:
            flow.append(layer(flow[-1]))

    def get_config(self) -> dict[str, Any]:
        """The layers, and the shape of the input where it is known."""
        if type(self).__init__ is not Sequential.__init__:
            return super().get_config()
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        config["dtype"] = serialize_keras_object(self._policy)
        config["layers"] = [serialize_keras_object(layer) for layer in self._stack]
        if self._flow:
            config["build_input_shape"] = self._flow[0].shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The model that `get_config` described, with new weights."""
        if "layers" not in config:
            return super().from_config(config, custom_objects)
        shape = config.get("build_input_shape")
        with CustomObjectScope(custom_objects or {}):
            layers = [
                deserialize_keras_object(_unbuilt(c, shape), safe_mode=in_safe_mode())
                for c in config["layers"]
            ]
        model = cls(layers, name=config.get("name"))
        if shape is not None and not model.built:
            model.build(_tuples(shape))
        if not config.get("trainable", True):
            model.trainable = False
        return model

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape of the input, once it is known."""
        return {"input_shape": self._flow[0].shape} if self._flow else None

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input's placeholder."""
        stack = self._stack
        return list(stack[1:] if stack and isinstance(stack[0], InputLayer) else stack)

    # Calling

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Pass the inputs through all layers."""
        stack = self._stack
        if type(stack[0]) is InputLayer:
            inputs = self._fitting(0, inputs, self._flow[0], not self._implied)
            stack = stack[1:]
        for layer in stack:
            inputs = layer(inputs)
        return inputs

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output for a symbolic input."""
        for layer in self.layers:
            inputs = layer.compute_output_spec(inputs)
        return _fresh(inputs) if isinstance(inputs, KerasTensor) else inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of this shape."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def _of_graph(self, which: str) -> Any:
        if not self._flow:
            raise AttributeError(
                f"Sequential model '{self.name}' has no defined {which.replace('flat_', '')} yet:"
                " it is not built"
            )
        t = self._flow[0 if "input" in which else -1]
        return [t] if which.startswith("flat") else t


def _unbuilt(described: dict[str, Any], shape: Any) -> dict[str, Any]:
    """A layer's description, such that the model builds it, and not the layer itself."""
    return {k: v for k, v in described.items() if shape is None or k != "build_config"}


Sequential.get_config.by_default = True  # type: ignore[attr-defined]
