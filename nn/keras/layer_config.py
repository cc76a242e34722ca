"""What a layer says about itself: its config, its shapes, and how it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.keras.config import DTypePolicy
from nn.keras.node import Node, shapes_of, symbols
from nn.keras.signature import arguments_of, init_names
from nn.keras.tracking import Tracking

_BASE = ("name", "trainable", "dtype")


class Described(Tracking):
    """The part of Layer that describes it."""

    built: bool
    activity_regularizer: Any
    build: Any
    _made_with: tuple[tuple[Any, ...], dict[str, Any]]
    _policy: DTypePolicy
    _build_shapes: dict[str, Any] | None
    _inbound_nodes: list[Node]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Note the arguments, from which a layer without `get_config` is described."""
        self = super().__new__(cls)
        self.__dict__["_made_with"] = args, kwargs
        return self

    @property
    def _builds_in_call(self) -> bool:
        """True where the first call itself, or `__init__`, makes all there is to make."""
        return False

    # Config

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the layer anew, as JSON.

        A subclass adds its own to `super().get_config()`.  One that does not is described by what
        its `__init__` was given; NotImplementedError where that is no plain data.
        """
        from nn.keras import saving

        base: dict[str, Any] = {"trainable": self.trainable}
        base["dtype"] = saving.serialize_keras_object(self._policy)
        if self.activity_regularizer is not None:
            base["activity_regularizer"] = saving.serialize_keras_object(self.activity_regularizer)
        if not getattr(type(self).get_config, "by_default", False):
            return {"name": self.name, **base}
        try:
            given = arguments_of(type(self), *self._made_with)
            own = {k: saving.serialize_keras_object(v) for k, v in given.items()}
        except TypeError:
            raise NotImplementedError(_MISSING.format(name=type(self).__name__)) from None
        kind: Any = type(self)
        if kind.__module__.startswith("nn.keras."):
            own["name"] = self.name
        named, anything = init_names(kind)
        own.update({k: v for k, v in base.items() if anything or k in named})
        return own

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        from nn.keras import saving

        try:
            return cls(**{k: saving.revived(v) for k, v in config.items()})
        except TypeError as error:
            raise TypeError(
                f"Error when deserializing class '{cls.__name__}' using config={config}.\n\n"
                f"{error}. Its __init__ must accept every entry of get_config(), name, trainable"
                " and dtype included: take **kwargs and pass them to super().__init__"
            ) from None

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes it was built for."""
        shapes = self._build_shapes
        if shapes is None or (self._builds_in_call and not self._modules):
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build for the shapes that `get_build_config` gave."""
        if config.get("input_shape") is not None:
            self.build(_as_shapes(config["input_shape"]))
        elif "shapes_dict" in config:
            self.build(**{k: _as_shapes(v) for k, v in config["shapes_dict"].items()})

    # Shapes and symbolic tensors

    def _symbolic(self, which: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"The layer {self.name} has never been called and thus has no defined {which}."
            )
        return _side(self._inbound_nodes[0], which)

    @property
    def input(self) -> Any:
        """What it was first called on, symbolically; AttributeError if it never was."""
        return self._symbolic("input")

    @property
    def output(self) -> Any:
        """What its first symbolic call gave; AttributeError if there was none."""
        return self._symbolic("output")

    @property
    def input_shape(self) -> Any:
        """The shape of `input`."""
        return shapes_of(self._symbolic("input"))

    @property
    def output_shape(self) -> Any:
        """The shape of `output`."""
        return shapes_of(self._symbolic("output"))

    def count_params(self) -> int:
        """The number of scalars in the weights; ValueError before it is built."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't"
                " built. You can build it manually via: `layer.build(input_shape)`."
            )
        return sum(int(np.prod(w.shape)) for w in self.weights)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    __str__ = __repr__


Described.get_config.by_default = True  # type: ignore[attr-defined]
_MISSING = """Object {name} was created by passing non-serializable argument values in `__init__()`,
and therefore the object must override `get_config()` in order to be serializable, e.g.

    def get_config(self):
        return {{**super().get_config(), "arg1": self.arg1, "arg2": self.arg2}}
"""


def _side(node: Any, which: str) -> Any:
    if which == "output":
        return node.out
    given = (*node.args, *node.kwargs.values())
    return given[0] if node.args and len(node.inputs) == len(symbols(given[0])) else node.inputs


def _as_shapes(tree: Any) -> Any:
    """Shapes from JSON, where they are lists."""
    if isinstance(tree, (list, tuple)):
        if all(d is None or isinstance(d, int) for d in tree):
            return tuple(tree)
        return [_as_shapes(part) for part in tree]
    if isinstance(tree, dict):
        return {k: _as_shapes(v) for k, v in tree.items()}
    return tree
