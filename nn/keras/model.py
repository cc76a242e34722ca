"""Model: layers with training, saving and a summary; functional or subclassed."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from nn.keras.feeding import Fed
from nn.keras.graph import Graph
from nn.keras.layer import Layer, _symbol_of
from nn.keras.node import KerasTensor, mapped, node_of, shapes_of
from nn.keras.registry import nearest
from nn.keras.training import Trainer


class Model(Trainer, Fed, Layer):
    """What is trained: `Model(inputs, outputs)` of symbolic tensors, or a subclass with `call`.

    >>> inputs = keras.Input((4,))
    >>> model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    """

    _graph: Graph | None
    _explicit_masks = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """`Model(inputs, outputs)` itself makes a `Functional`."""
        if cls is Model and _is_functional(args, kwargs):
            cls = Functional
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        graph = None
        if _is_functional(args, kwargs):
            named = dict(zip(("inputs", "outputs", "name"), args))
            kwargs = {**named, **kwargs}
            graph = Graph(kwargs.pop("inputs"), kwargs.pop("outputs"))
            kwargs = {k: v for k, v in kwargs.items() if k != "name" or v is not None}
        elif args:
            raise TypeError(
                f"{type(self).__name__}: expected keras.Input tensors as inputs and outputs, or"
                f" keyword arguments only; received {args!r}"
            )
        Layer.__init__(self, **kwargs)
        Trainer.__init__(self)
        self.__dict__.update(_graph=graph, _fitted=set())
        if graph is not None:
            self.__dict__["autocast"] = False  # each input has a dtype of its own
            self._take_graph(graph)

    def _take_graph(self, graph: Graph) -> None:
        for operation in graph.operations:
            if isinstance(operation, Layer):
                self._modules[operation.name] = operation
        self.__dict__["built"] = True

    # Layers

    @property
    def layers(self) -> list[Layer]:
        """The layers directly in the model."""
        if self._graph is not None:
            return [o for o in self._graph.operations if isinstance(o, Layer)]
        return [m for m in self._sublayers() if isinstance(m, Layer)]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name, or by its place in `layers`."""
        if (name is None) == (index is None):
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        layers = self.layers
        if index is not None:
            if index >= len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has"
                    f" {len(layers)} layers."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        near = nearest(str(name), names)
        hint = f" Did you mean '{near}'?" if near else ""
        raise ValueError(f"No such layer: {name}.{hint} Existing layers are: {names}.")

    # Calling

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs of a functional model; a subclass defines its own."""
        graph = self._graph
        if graph is None:
            raise NotImplementedError(
                f"Model {type(self).__name__} does not have a `call()` method implemented."
            )
        if type(inputs) is Tensor and len(graph.flat_inputs) == 1 and graph.out_slot is not None:
            return graph.run([self._fitting(0, inputs, graph.flat_inputs[0])])
        return graph.run(self._flat_inputs(graph, inputs))

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The symbolic outputs for symbolic inputs."""
        graph = self._graph
        if graph is None or type(self).call is not Model.call:
            return super().compute_output_spec(inputs, *args, **kwargs)
        out = graph.run(
            self._flat_inputs(graph, inputs), lambda o, a, k: o.compute_output_spec(*a, **k)
        )
        return mapped(out, lambda y: _fresh(y) if isinstance(y, KerasTensor) else y)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of a subclassed model by a trial run on inputs of this shape."""
        if self._graph is not None or self.built:
            self.__dict__["built"] = True
            return
        if input_shape is not None and type(self).call is not Model.call and self._untried():
            self.compute_output_spec(_symbol_of(_tuples(input_shape), self.compute_dtype))

    @property
    def _builds_in_call(self) -> bool:
        return type(self).build is Model.build

    def _untried(self) -> bool:
        """True where a layer below waits for its first call."""
        return any(not getattr(each, "built", True) for each in self._flatten_layers(False))

    # Descriptions

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers, their output shapes and their numbers of parameters.

        `print_fn` is given the text instead.  `expand_nested` shows the layers of models inside,
        `show_trainable` which layers are frozen; `layer_range` is a pair of names, or patterns.
        """
        from nn.keras.summary import print_summary

        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )

    def get_config(self) -> dict[str, Any]:
        """The layers of a functional model, and the calls between them, as JSON.

        That of a subclass are the arguments of its `__init__`; see `Layer.get_config`.
        """
        if self._graph is None or type(self).__init__ is not Model.__init__:
            return super().get_config()
        from nn.keras.description import graph_config

        return {"name": self.name, "trainable": self.trainable, **graph_config(self._graph)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The model that `get_config` described, with new weights."""
        from nn.keras import registry

        with registry.CustomObjectScope(custom_objects or {}):
            if not {"layers", "input_layers", "output_layers"} <= config.keys():
                return super().from_config(config)
            from nn.keras.description import graph_from_config

            inputs, outputs = graph_from_config(config)
            model = cls(inputs, outputs, name=config.get("name"))
            if not config.get("trainable", True):
                model.trainable = False
            return model

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that a subclass was built for; a functional model has them in its config."""
        return super().get_build_config() if self._graph is None else {"input_shape": None}

    def to_json(self, **kwargs: Any) -> str:
        """The architecture and what `compile` was given, as a JSON text; `kwargs` of json.dumps."""
        import json

        from nn.keras.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    # Files

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Write architecture, weights, optimizer and what `compile` was given to one file."""
        from nn.keras.archive import save_model

        save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to a file."""
        from nn.keras.archive import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Set the weights from a file of `save_weights` or `save`, by their order."""
        from nn.keras.archive import load_weights

        load_weights(self, filepath, skip_mismatch, **kwargs)

    # The functional model's own shapes

    def _of_graph(self, which: str) -> Any:
        if self._graph is None:
            raise AttributeError(
                f"'{type(self).__name__}' object '{self.name}' has no {which}: it is not made of"
                " symbolic tensors"
            )
        return getattr(self._graph, which)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs of a functional model."""
        return list(self._of_graph("flat_inputs"))

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs of a functional model."""
        return list(self._of_graph("flat_outputs"))

    @property
    def input(self) -> Any:
        """The symbolic inputs, nested as they were given."""
        return self._of_graph("inputs")

    @property
    def output(self) -> Any:
        """The symbolic outputs, nested as they were given."""
        return self._of_graph("outputs")

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs."""
        return shapes_of(self.input)

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs."""
        return shapes_of(self.output)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [x.name for x in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that give the outputs."""
        return [node_of(y).operation.name for y in self.outputs]


Model.get_config.by_default = True  # type: ignore[attr-defined]


class Functional(Model):
    """What `Model(inputs, outputs)` makes."""


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return (
        (len(args) in (2, 3) and not isinstance(args[1], str))
        or (len(args) == 1 and "outputs" in kwargs)
        or {"inputs", "outputs"} <= kwargs.keys()
    )


def _fresh(t: KerasTensor) -> KerasTensor:
    """A tensor without history like another."""
    return KerasTensor(t.shape, t.dtype)


def _tuples(shape: Any) -> Any:
    """Lists of sizes as shapes."""
    if isinstance(shape, (list, tuple)):
        if all(d is None or isinstance(d, int) for d in shape):
            return tuple(shape)
        return [_tuples(s) for s in shape]
    if isinstance(shape, dict):
        return {k: _tuples(s) for k, s in shape.items()}
    return shape
