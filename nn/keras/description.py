"""Functional models as JSON: their layers, and the calls between them; and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn.keras.graph import Graph
from nn.keras.node import KerasTensor, Node, mapped, node_of
from nn.keras.serialization import deserialize_keras_object, in_safe_mode, serialize_keras_object

Places = dict[tuple[int, int], int]
"""(id of an operation, number of a call) -> its number among the calls that the model has."""


def graph_config(graph: Graph) -> dict[str, Any]:
    """The layers with their calls, the inputs and the outputs."""
    inside = set(graph.nodes) | {node_of(x) for x in graph.flat_inputs}
    places: Places = {}
    for operation in graph.operations:
        kept = [node for node in operation._inbound_nodes if node in inside]
        places.update({(id(operation), node.index): k for k, node in enumerate(kept)})
    layers = []
    for operation in graph.operations:
        described = serialize_keras_object(operation)
        described["name"] = operation.name
        described["inbound_nodes"] = [
            _call(node, places)
            for node in operation._inbound_nodes
            if node in inside and node.inputs
        ]
        layers.append(described)
    return {
        "layers": layers,
        "input_layers": mapped(graph.inputs, lambda t: _history(t, places)),
        "output_layers": mapped(graph.outputs, lambda t: _history(t, places)),
    }


def _history(t: KerasTensor, places: Places) -> list[Any]:
    assert t._keras_history is not None
    operation, index, which = t._keras_history
    return [operation.name, places[id(operation), index], which]


def _call(node: Node, places: Places) -> dict[str, Any]:
    def described(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return serialize_keras_object(x)
        config = {"shape": list(x.shape), "dtype": x.dtype, "keras_history": _history(x, places)}
        return {"class_name": "__keras_tensor__", "config": config}

    args = [mapped(arg, described) for arg in node.args]
    if type(node.operation).__name__ == "GetItem" and _is_tuple_of_int(node.args[1]):
        # a list of ints would be another subscript
        args[1] = {"class_name": "__tuple__", "config": {"value": list(node.args[1])}}
    return {
        "args": args,
        "kwargs": mapped(node.kwargs, described),
    }


def _is_tuple_of_int(key: Any) -> bool:
    return isinstance(key, tuple) and all(isinstance(k, int) for k in key)


# Back


def graph_from_config(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The inputs and the outputs of the model that `graph_config` described."""
    made: dict[str, Any] = {}
    starts: dict[str, int] = {}
    waiting: list[tuple[str, Any]] = []
    for described in config["layers"]:
        name = described["name"]
        plain = {k: v for k, v in described.items() if k not in ("name", "inbound_nodes")}
        if name in made:
            raise ValueError(f"a functional model with two layers of the name '{name}'")
        layer = made[name] = _made(plain, name)
        starts[name] = len(layer._inbound_nodes) if described["inbound_nodes"] else 0
        waiting += [(name, call) for call in described["inbound_nodes"]]
    while waiting:
        later: list[tuple[str, Any]] = []
        held: set[str] = set()
        for name, call in waiting:
            # the calls of a layer keep their order, which their numbers in the file stand for
            if name in held or not _ready(call, made, starts):
                held.add(name)
                later.append((name, call))
                continue
            _call_again(made[name], call, made, starts)
        if len(later) == len(waiting):
            raise ValueError(
                "a functional model whose layers cannot be connected:"
                f" {sorted({name for name, _ in later})} have inputs that nothing gives"
            )
        waiting = later

    def found(history: Any) -> Any:
        return _tensor(history, made, starts)

    return _histories(config["input_layers"], found), _histories(config["output_layers"], found)


def _made(described: dict[str, Any], name: str) -> Any:
    layer = deserialize_keras_object(described, safe_mode=in_safe_mode())
    if layer.name != name:
        layer.__dict__["name"] = name
    return layer


def _refs(call: Any) -> list[Any]:
    """The tensors that a call needs, as [layer, call, output]."""
    found: list[Any] = []

    def look(x: Any) -> None:
        if isinstance(x, Mapping):
            if x.get("class_name") == "__keras_tensor__":
                found.append(x["config"]["keras_history"])
            else:
                for part in x.values():
                    look(part)
        elif isinstance(x, (list, tuple)):
            for part in x:
                look(part)

    look(call)
    return found


def _ready(call: Any, made: Any, starts: Any) -> bool:
    for name, index, _ in _refs(call):
        if name not in made:
            raise ValueError(f"a functional model with a call on the output of no layer: '{name}'")
        if index >= len(made[name]._inbound_nodes) - starts[name]:
            return False
    return True


def _tensor(history: Any, made: Any, starts: Any) -> KerasTensor:
    name, index, which = history
    nodes = made[name]._inbound_nodes
    try:
        return nodes[starts[name] + index].outputs[which]
    except IndexError:
        raise ValueError(
            f"a functional model that refers to output {which} of call {index} of '{name}', which"
            f" has {len(nodes)} calls"
        ) from None


def _call_again(layer: Any, call: Any, made: Any, starts: Any) -> None:
    def revived(x: Any) -> Any:
        if isinstance(x, Mapping):
            if x.get("class_name") == "__keras_tensor__":
                return _tensor(x["config"]["keras_history"], made, starts)
            if "class_name" in x and "config" in x:
                return deserialize_keras_object(x, safe_mode=in_safe_mode())
            return {k: revived(v) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            return [revived(part) for part in x]
        return x

    layer(*[revived(x) for x in call["args"]], **revived(call["kwargs"]))


def _histories(tree: Any, found: Any) -> Any:
    if isinstance(tree, Mapping):
        return {k: _histories(v, found) for k, v in tree.items()}
    if len(tree) == 3 and isinstance(tree[0], str) and isinstance(tree[1], int):
        return found(tree)
    return [_histories(part, found) for part in tree]
