"""`clone_model`: the same layers once more, with weights of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nn.keras.input_layer import InputLayer
from nn.keras.layer import Layer
from nn.keras.model import Functional, Model
from nn.keras.node import KerasTensor, leaves, mapped, node_of
from nn.keras.sequential import Sequential


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """A model with new layers, which start from new weights; `set_weights` copies them.

    `clone_function(layer)` makes each layer; by default from its config.  `input_tensors`: symbolic
    tensors to build on.  `call_function(layer, *args, **kwargs)`: how layers are called, for
    functional models.  `recursive`: also go into models inside.
    """
    make = _cloned if clone_function is None else clone_function

    def clone(layer: Any) -> Any:
        if recursive and isinstance(layer, (Sequential, Functional)):
            return clone_model(layer, None, clone_function, call_function, True)
        return make(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("clone_model: call_function is for functional models only")
        return _clone_sequential(model, input_tensors, clone)
    if isinstance(model, Functional):
        return _clone_functional(model, input_tensors, clone, call_function)
    if clone_function is not None or input_tensors is not None:
        raise ValueError(
            "clone_model: clone_function and input_tensors are for Sequential and functional"
            f" models; {type(model).__name__} is subclassed, and made anew from its config"
        )
    return type(model).from_config(model.get_config())


def _cloned(layer: Layer) -> Layer:
    return type(layer).from_config(layer.get_config())


def _clone_sequential(model: Sequential, input_tensors: Any, clone: Any) -> Sequential:
    stack = list(model._stack)
    if input_tensors is not None:
        given = list(leaves(input_tensors))
        if len(given) != 1 or not isinstance(given[0], KerasTensor):
            raise ValueError(
                "clone_model: a Sequential model takes one symbolic tensor as input_tensors;"
                f" received {input_tensors!r}"
            )
        stack = [node_of(given[0]).operation, *model.layers]
    elif stack and isinstance(stack[0], InputLayer):
        stack[0] = _cloned(stack[0])
    layers = [x if isinstance(x, InputLayer) else clone(x) for x in stack]
    return Sequential(layers, name=model.name, trainable=model.trainable)


def _clone_functional(model: Functional, input_tensors: Any, clone: Any, call: Any) -> Model:
    graph = model._graph
    assert graph is not None
    if input_tensors is None:
        inputs = [_cloned(node_of(x).operation).output for x in graph.flat_inputs]
    else:
        inputs = list(leaves(input_tensors))
        if len(inputs) != len(graph.flat_inputs):
            raise ValueError(
                f"clone_model: '{model.name}' has {len(graph.flat_inputs)} inputs;"
                f" received {len(inputs)} input_tensors"
            )
    twins: dict[int, Any] = {}

    def run(operation: Any, args: Any, kwargs: Any) -> Any:
        if id(operation) not in twins:
            layer = isinstance(operation, Layer)
            twins[id(operation)] = clone(operation) if layer else _cloned(operation)
        twin = twins[id(operation)]
        return twin(*args, **kwargs) if call is None else call(twin, *args, **kwargs)

    outputs = graph.run(list(inputs), run)
    order = iter(inputs)
    nested = mapped(graph.inputs, lambda _: next(order))
    if isinstance(graph.inputs, dict):
        nested = dict(zip(sorted(graph.inputs), inputs))
    return type(model)(nested, outputs, name=model.name)
