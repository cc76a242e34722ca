"""The calls between the inputs and the outputs of a functional model, in the order they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nn.keras.node import KerasTensor, Node, leaves, mapped, node_of


class Graph:
    """What leads from symbolic inputs to symbolic outputs, both nests of them.

    `operations`: the layers and operations, in the order of Keras, which is that of the weights.
    """

    def __init__(self, inputs: Any, outputs: Any):
        self.inputs, self.outputs = inputs, outputs
        self.flat_inputs = [_checked(x, "inputs") for x in leaves(inputs)]
        self.flat_outputs = [_checked(y, "outputs") for y in leaves(outputs)]
        if not self.flat_inputs or not self.flat_outputs:
            raise ValueError("a functional model needs at least one input and one output")
        if len({id(x) for x in self.flat_inputs}) < len(self.flat_inputs):
            raise ValueError("all inputs of a functional model must be different tensors")
        self.nodes, order = self._collect()
        self.operations = self._sorted(order)
        self._check_names()
        self._bind()

    def _collect(self) -> tuple[list[Node], dict[Any, int]]:
        """The calls, each after those it depends on; the operations by when they were met."""
        given = {id(x) for x in self.flat_inputs}
        order: dict[Any, int] = {}
        nodes: dict[Node, None] = {}
        for output in self.flat_outputs:
            stack: list[tuple[Any, bool]] = [(output, False)]
            while stack:
                t, done = stack.pop()
                node = node_of(t)
                if done:
                    nodes.setdefault(node)
                    continue
                if node in nodes:
                    continue
                order.setdefault(node.operation, len(order))
                if id(t) in given:
                    nodes.setdefault(node)
                    continue
                if not node.inputs:
                    raise ValueError(
                        f"Output {output!r} is not connected to `inputs`: it depends on {t!r}; add"
                        " that to the inputs"
                    )
                stack.append((t, True))
                stack.extend((x, False) for x in reversed(node.inputs))
        return list(nodes), order

    def _sorted(self, order: dict[Any, int]) -> list[Any]:
        """The operations, farthest from the outputs first."""
        given = {id(x) for x in self.flat_inputs}
        depths: dict[Any, int] = {}
        of_node: dict[Node, int] = {}
        for node in reversed(self.nodes):
            depth = max(of_node.get(node, 0), depths.get(node.operation, 0))
            depths[node.operation] = of_node[node] = depth
            if not any(id(y) in given for y in node.outputs):
                for parent in node.parents:
                    of_node[parent] = max(of_node.get(parent, 0), depth + 1)
        for x in self.flat_inputs:
            operation = node_of(x).operation
            depths.setdefault(operation, 0)
            order.setdefault(operation, -1)
        self.depths = of_node
        return sorted(depths, key=lambda o: (-depths[o], order[o]))

    def is_chain(self) -> bool:
        """True where one call follows the other, each with one input, of another layer."""
        single = all(len(node.inputs) <= 1 for node in self.nodes)
        own = len({id(node.operation) for node in self.nodes}) == len(self.nodes)
        return single and own and len(set(self.depths.values())) == len(self.nodes)

    def _check_names(self) -> None:
        seen: dict[str, Any] = {}
        for operation in self.operations:
            other = seen.setdefault(operation.name, operation)
            if other is not operation:
                raise ValueError(
                    f"The name '{operation.name}' is used {2} times in the model. All operation"
                    f" names should be unique: give {operation!r} another `name`"
                )

    # Running

    def _bind(self) -> None:
        """Make the list of steps: what to call, where its arguments stand, what to keep."""
        slots: dict[KerasTensor, int] = {x: i for i, x in enumerate(self.flat_inputs)}
        given = set(slots)
        self.steps: list[tuple[Any, int, Any, Any, tuple[int, ...]]] = []
        todo = [n for n in self.nodes if not any(y in given for y in n.outputs)]
        last = {x: k for k, node in enumerate(todo) for x in node.inputs}
        kept = set(self.flat_outputs)
        for k, node in enumerate(todo):
            for y in node.outputs:
                slots.setdefault(y, len(slots))
            single = len(node.args) == 1 and isinstance(node.args[0], KerasTensor)
            source = slots[node.args[0]] if single and not node.kwargs else -1
            into = slots[node.out] if isinstance(node.out, KerasTensor) else None
            freed = {x for x in node.inputs if last[x] == k} - kept
            self.steps.append((node, source, into, node.operation, tuple(slots[x] for x in freed)))
        self.slots = slots
        self.size = len(slots)
        self.out_slot = slots[self.outputs] if isinstance(self.outputs, KerasTensor) else None

    def run(self, inputs: list[Any], call: Callable[..., Any] | None = None) -> Any:
        """The outputs for a flat list of inputs; `call(operation, *args, **kwargs)` for each."""
        values: list[Any] = inputs + [None] * (self.size - len(inputs))
        for node, source, into, operation, freed in self.steps:
            if source >= 0 and call is None:
                out = operation(values[source])
            else:
                args, kwargs = self._filled(node.args, values), self._filled(node.kwargs, values)
                out = operation(*args, **kwargs) if call is None else call(operation, args, kwargs)
            for slot in freed:
                values[slot] = None
            if into is not None:
                values[into] = out
            else:
                for symbol, value in zip(node.outputs, leaves(out)):
                    values[self.slots[symbol]] = value
        if self.out_slot is not None:
            return values[self.out_slot]
        return self._filled(self.outputs, values)

    def _filled(self, tree: Any, values: list[Any]) -> Any:
        slots = self.slots
        return mapped(tree, lambda x: values[slots[x]] if type(x) is KerasTensor else x)


def _checked(t: Any, what: str) -> KerasTensor:
    if not isinstance(t, KerasTensor):
        raise ValueError(
            f"All `{what}` values must be KerasTensors, made by keras.Input() or by calling layers"
            f" on them. Received: {t!r} of type {type(t).__name__}"
        )
    return t
