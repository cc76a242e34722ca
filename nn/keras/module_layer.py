"""A module of `nn` as a Keras layer."""

from __future__ import annotations

from typing import Any

from nn.keras.layer import Layer
from nn.module import Module


class ModuleLayer(Layer):
    """A `nn.Module` where a Keras model wants a layer: its `training` follows the call's.

    `keras.Sequential([nn.Linear(4, 2)])` makes one by itself.
    """

    def __init__(self, module: Module, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if not isinstance(module, Module):
            raise TypeError(f"ModuleLayer: expected an nn.Module, received {type(module).__name__}")
        self.module = module
        first = next(iter(module.parameters()), None)
        if first is not None and first.dtype is not self._dtype:
            self.autocast = False  # the module's own dtype decides, and its errors
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The module's forward, in the training mode of the call."""
        training = kwargs.pop("training", None)
        if training is not None and self.module.training != training:
            self.module.train(training)
        return self.module(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """NotImplementedError: a module has no config."""
        raise NotImplementedError(
            f"layer '{self.name}' wraps a {type(self.module).__name__}, which has no config: save"
            " the weights (save_weights, or state_dict), and make the model anew in code"
        )


def as_layer(layer: Any) -> Any:
    """A module that is no layer, wrapped; anything else as it is."""
    if isinstance(layer, Module) and not isinstance(layer, Layer):
        return ModuleLayer(layer)
    return layer
