"""Backward, one node at a time, with everything kept: what arrives, what goes to each input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd import kernel
from autograd.errors import GraphError
from autograd.graph import Bundle, pull
from autograd.modes import modes
from autograd.op import TABLE
from autograd.pictures.nodes import Graph, Item


@dataclass(eq=False)
class Step:
    """One node of the backward pass: `upstream` arrives, `downstream[slot]` goes to that input.

    `local[slot]`: where the gradient is a product element by element, the derivative itself:
    downstream = upstream x local (before sums over broadcast dimensions).
    """

    item: Item
    upstream: Any
    downstream: dict[int, Any]
    local: dict[int, Any]


def walk(graph: Graph, what: str) -> tuple[list[Step], dict[Item, Any]]:
    """The steps from the root down, and the gradient of the root for every item reached.

    Hooks are not run, and no `.grad` is touched.  GraphError after backward() freed the graph.
    """
    if graph.freed:
        raise GraphError(
            f"{what}: backward() has freed what this graph saved. Call it before backward(), or"
            " pass retain_graph=True to backward()"
        )
    root = graph.root
    if root.value is not None and np.size(root.value) != 1:
        raise GraphError(
            f"{what}: the root has shape {np.shape(root.value)}; gradients are those of one"
            " number: reduce it with sum() or mean()"
        )
    grads: dict[Item, Any] = {root: _one(root)}
    raw: dict[Item, Any] = {}
    steps = []
    state = modes.grad, modes.observers
    modes.grad, modes.observers = False, ()
    try:
        for item in reversed(graph.ops):
            if item not in grads and item not in raw:
                continue
            g = raw.pop(item, None)
            g = grads.get(item) if g is None else g
            contributions = pull(item.node, g)
            slots = [slot for slot, source in item.inputs.items() if source.wants_grad]
            given = dict(zip(sorted(slots), reversed(contributions)))
            for slot, c in given.items():
                _add(grads, raw, item.inputs[slot], c)
            shown = {s: c for s, c in given.items() if c is not None and type(c) is not Bundle}
            steps.append(Step(item, None if type(g) is Bundle else g, shown, _local(item, g)))
    finally:
        modes.grad, modes.observers = state
    return steps, grads


def _one(root: Item) -> Any:
    return 1.0 if type(root.value) is float else np.ones_like(root.value)


def _add(grads: dict[Item, Any], raw: dict[Item, Any], target: Item, c: Any) -> None:
    if c is None:
        return
    if type(c) is Bundle:  # the outputs of one call of a Function
        raw[target] = raw[target].merged(c) if target in raw else c
    elif target in grads:
        grads[target] = TABLE["add"](grads[target], c)
    else:
        grads[target] = c


def _local(item: Item, g: Any) -> dict[int, Any]:
    """The derivatives of an elementwise op; empty for others."""
    op = item.op
    if op is None or not (isinstance(op.kernel, (kernel.Kernel, np.ufunc)) or np.ndim(g) == 0):
        return {}
    if type(g) is not float and np.ndim(g) == 0 and not _numbers_only(item):
        return {}
    one = 1.0 if type(g) is float else np.ones_like(g)
    slots = sorted(s for s, source in item.inputs.items() if source.wants_grad)
    found = dict(zip(slots, reversed(pull(item.node, one))))
    return {s: d for s, d in found.items() if d is not None and np.shape(d) == np.shape(g)}


def _numbers_only(item: Item) -> bool:
    return all(source.shape == () for source in item.inputs.values())
