"""Values of intermediate items: what nodes saved, and ops run again where all inputs are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.modes import modes
from autograd.pictures.nodes import Graph, Item
from autograd.pictures.remember import Memory
from autograd.tensor import Tensor

_LARGE = 1 << 20
"""Elements above which an op is not run again for a picture."""


def fill(graph: Graph, seen: Memory | None = None) -> None:
    """Give the items their values as far as they can be known; the rest is noted."""
    for item in graph.ops:
        note = seen.notes.get(item.order) if seen is not None else None
        if note is not None:
            item.value, item.source = note.value, note.line
            item.path = item.path or note.path
    _from_saved(graph)
    if not _recompute(graph):
        graph.notes.append(
            "tensors were changed in place since: values that had to be computed again are left out"
        )
    unknown = sum(item.value is None for item in graph.ops)
    if unknown:
        why = "freed by backward()" if graph.freed else "not kept by the graph"
        graph.notes.append(
            f"{unknown} of {len(graph.ops)} values are unknown: {why};"
            " `with autograd.remember() as seen:` around the forward keeps them"
        )


def _from_saved(graph: Graph) -> None:
    for item in graph.ops:
        node = item.node
        if node.plan is None:
            continue
        if node.out is not None and item.value is None:
            value, cell, version = node.out
            item.value = value if cell[0] == version else None
        if node.specs is not None:
            for slot, given in item.inputs.items():
                given.shape_hint = node.specs[slot][0]
        if type(node.saved) not in (list, tuple):
            continue
        versions = node.versions or (None,) * len(node.saved)
        for slot, x, version in zip(node.plan.keep, node.saved, versions):
            source = item.inputs.get(slot)
            as_saved = not isinstance(x, Tensor) or version is None or x.version[0] == version
            if source is None:
                continue
            if source.kind == "data" and not as_saved:
                source.value = None
            elif source.value is None and as_saved:
                source.value = x.value if isinstance(x, Tensor) else x


def _recompute(graph: Graph) -> bool:
    """Run ops whose inputs are all known; False, and nothing kept, where that meets old values."""
    if all(item.value is not None for item in graph.ops):
        return True
    if _changed(graph):
        return False
    found: dict[Item, Any] = {}
    before, modes.grad = modes.grad, False
    observers, modes.observers = modes.observers, ()
    try:
        for item in graph.ops:
            value = _run(item, found)
            if value is None:
                continue
            if item.value is None:
                found[item] = value
            elif not _same(item.value, value):
                return False
    finally:
        modes.grad, modes.observers = before, observers
    for item, value in found.items():
        item.value, item.recomputed = value, True
    return True


def _changed(graph: Graph) -> bool:
    """True when a leaf has another version, or number, than a node that read it expects."""
    for item in graph.ops:
        node = item.node
        if node.plan is None:
            continue
        if node.versions is None:
            kept = zip(node.plan.keep, node.saved if type(node.saved) is tuple else ())
            for slot, number in kept:
                source = item.inputs.get(slot)
                if source is not None and source.kind == "leaf" and source.value != number:
                    return True
            continue
        for slot, version in zip(node.plan.keep, node.versions):
            source = item.inputs.get(slot)
            leaf = source.tensor if source is not None and source.kind == "leaf" else None
            if leaf is not None and leaf.version is not None and leaf.version[0] != version:
                return True
    return False


def _run(item: Item, found: dict[Item, Any]) -> Any:
    """The value of an op from those of its inputs; None where one of them is missing."""
    op = item.op
    if op is None or (not op.variadic and len(item.inputs) != len(op.inputs)):
        return None
    if op.variadic and len(item.node.specs or ()) != len(item.inputs):
        return None  # inputs that want no gradient may be missing
    values = []
    for slot in range(len(item.inputs)):
        source = item.inputs[slot]
        value = source.value if source.value is not None else found.get(source)
        if value is None or np.size(value) > _LARGE:
            return None
        values.append(value)
    return op(*values, **item.node.meta)


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
