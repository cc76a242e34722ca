"""The graph behind a tensor as plain items: what was computed from what, with names and values.

A node keeps only what its vjps read, so an item's value comes from, in this order: what a `Memory`
noted; tensors that are still there (the root, leaves, those given by name, those that retain their
gradient); what nodes saved; and running an op again where all its inputs are known.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from autograd.errors import GraphError
from autograd.graph import Node
from autograd.modes import modes
from autograd.op import Op
from autograd.pictures.formula import to_text
from autograd.pictures.remember import Memory
from autograd.tensor import Tensor

Names = Mapping[str, Any] | None


@dataclass(eq=False)
class Item:
    """One thing in the picture: a recorded "op", a "leaf", "data" that an op read, or a "number".

    `inputs`: slot of the op -> item.  `value`: array, float, or None where it is not known.
    `grad`: the stored gradient.  `path`: the modules it stands in, outermost first.
    """

    kind: str
    order: float = -1
    node: Any = None
    tensor: Tensor | None = None
    name: str = ""
    value: Any = None
    grad: Any = None
    inputs: dict[int, Item] = field(default_factory=dict)
    consumers: list[Item] = field(default_factory=list)
    path: tuple[str, ...] = ()
    source: str = ""
    """The line of the user's code that made it, where a Memory noted it."""
    recomputed: bool = False
    shape_hint: tuple[int, ...] | None = None

    @property
    def op(self) -> Any:
        """The op's record; None for leaves and Functions."""
        return self.node.op if self.node is not None and isinstance(self.node.op, Op) else None

    @property
    def wants_grad(self) -> bool:
        """True for what a gradient goes to."""
        return self.kind in ("op", "leaf")

    @property
    def title(self) -> str:
        """What stands first in its box: the op, or the name of the leaf."""
        return self.node.name if self.node is not None else self.name

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of its value; None where it is not known."""
        for known in (self.value, self.grad):
            if known is not None:
                return np.shape(known)
        return self.shape_hint

    def formulas(self) -> list[str]:
        """The op's formula and its derivatives as lines of text."""
        if self.op is None:
            return []
        lines = [f"{self.op.name}: {to_text(self.op.math)}"]
        for slot in sorted(self.inputs):
            formula = dmath_of(self.op, slot)
            if formula is not None:
                lines.append(f"to {self.op.name_of(slot)}: {to_text(formula)}")
        if self.op.kink:
            lines.append(f"at the kink: {self.op.kink}")
        return lines


@dataclass(eq=False)
class Graph:
    """Items in the order in which they were made; leaves and data before what reads them."""

    root: Item
    ops: list[Item]
    leaves: list[Item]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def by_edge(self) -> dict[Any, Item]:
        """The item of a node or of a leaf tensor."""
        return {(i.node if i.node is not None else i.tensor): i for i in self.items}

    @property
    def items(self) -> list[Item]:
        """Leaves and data, then ops."""
        return self.leaves + self.ops

    @property
    def freed(self) -> bool:
        """True when backward() has freed what the nodes saved."""
        return any(_freed(item.node) for item in self.ops)


def dmath_of(op: Op, slot: int) -> str | None:
    """The LaTeX of the gradient for input `slot`; None where there is none."""
    return op.dmath[min(slot, len(op.inputs) - 1)] if op.dmath else None


def _freed(node: Node) -> bool:
    plan = node.plan
    if plan is None:
        return node.saved is None
    return node.saved is None and bool(plan.keep or plan.keeps_out)


def require_graph(what: str, root: Any) -> Tensor:
    """The tensor, where there is a graph behind it; an error that names the remedy."""
    if not isinstance(root, Tensor):
        raise TypeError(f"{what}: expected a Tensor, got {type(root).__name__}")
    if modes.recorder is not None:
        modes.recorder.reading(root, f"{what}()")
    if not root.requires_grad:
        raise GraphError(
            f"{what}: nothing is recorded behind this tensor of shape {root.shape}: it was made"
            " under no_grad, detached, by a compiled step, or from tensors without requires_grad."
            " Compute it with requires_grad=True on the tensors to differentiate by"
        )
    return root


def collect(
    root: Tensor, model: Any = None, names: Names = None, seen: Memory | None = None
) -> Graph:
    """The items behind `root`, named, without the values that have to be worked out."""
    ops: dict[Node, Item] = {}
    leaves: dict[Any, Item] = {}
    known = _tensors_by_name(model, names)
    stack = [root.node] if root.node is not None else []
    while stack:
        node = stack.pop()
        if node in ops:
            continue
        ops[node] = Item("op", order=node.order, node=node)
        stack += [edge for edge in node.edges if type(edge) is Node]
    ordered = sorted(ops.values(), key=lambda item: item.order)
    for item in ordered:
        for slot, edge in zip(_parents(item.node), item.node.edges, strict=True):
            if type(edge) is not Node and edge not in leaves:
                leaves[edge] = _leaf(edge, item, slot, known, len(leaves))
            source = ops[edge] if type(edge) is Node else leaves[edge]
            item.inputs[slot] = source
        for slot, value in _data(item, seen):
            if not isinstance(value, (Tensor, np.ndarray)):
                item.inputs[slot] = Item("number", name=item.op.name_of(slot), value=value)
                continue
            if id(value) not in leaves:
                leaves[id(value)] = _datum(value, item, slot, known)
            item.inputs[slot] = leaves[id(value)]
        for source in item.inputs.values():
            source.consumers.append(item)
    if not ordered:
        top = _leaf(root, None, 0, known, 0)
        return Graph(top, [], [top])
    graph = Graph(ops[root.node], ordered, list(leaves.values()))  # type: ignore[index]
    _name_nodes(graph, root, names)
    return graph


def _tensors_by_name(model: Any, names: Names) -> dict[int, tuple[str, Any]]:
    """id of a tensor -> its name and itself, which keeps the id from being given again."""
    known: dict[int, tuple[str, Any]] = {}
    for name, t in (names or {}).items():
        if isinstance(t, Tensor) and not name.startswith("_"):
            known.setdefault(id(t), (name, t))
    if model is not None:
        known.update({id(t): (name, t) for name, t in model.named_buffers()})
        known.update({id(t): (name, t) for name, t in model.named_parameters()})
    return known


def _parents(node: Node) -> Iterable[int]:
    if node.plan is not None:
        return node.plan.parents
    parents = getattr(node.op, "parents", None)
    return range(len(node.edges)) if parents is None else parents


def _leaf(t: Tensor, reader: Item | None, slot: int, known: Any, count: int) -> Item:
    name = known[id(t)][0] if id(t) in known else ""
    grad = None if t._grad is None else t._grad.value
    return Item("leaf", tensor=t, name=name or f"leaf {count + 1}", value=t.value, grad=grad)


def _data(item: Item, seen: Memory | None) -> list[tuple[int, Any]]:
    """Inputs that need no gradient, as far as the node, or a Memory, kept them: slot, value."""
    if seen is not None and item.order in seen.notes:
        given = seen.notes[item.order].inputs
        return [(i, x) for i, x in enumerate(given) if i not in item.inputs and x is not None]
    node = item.node
    if node.plan is None or type(node.saved) not in (list, tuple):
        return []
    pairs = zip(node.plan.keep, node.saved)
    return [(i, x) for i, x in pairs if i not in item.inputs and x is not None]


def _datum(value: Any, item: Item, slot: int, known: Any) -> Item:
    raw = value.value if isinstance(value, Tensor) else value
    name = known[id(value)][0] if id(value) in known else ""
    if not name and isinstance(raw, np.ndarray):
        same = [n for n, t in known.values() if t.value is raw]
        name = same[0] if same else ""
    if not name:
        name = item.op.name_of(slot)
        name = "data" if name == "y" else name  # of a product or sum: says nothing
    tensor = value if isinstance(value, Tensor) else None
    return Item("data", tensor=tensor, name=name, value=raw)


def _name_nodes(graph: Graph, root: Tensor, names: Names) -> None:
    """Tensors still there give their nodes a name, a value, and a gradient they retained."""
    by_node = {item.node: item for item in graph.ops}
    alive: list[tuple[str, Tensor]] = [("", root)]
    alive += [(n, t) for n, t in (names or {}).items() if isinstance(t, Tensor) and n[0] != "_"]
    for item in graph.ops:
        alive += [("", t) for t in _retaining(item.node)]
    for name, t in alive:
        if t.node not in by_node:
            continue
        item = by_node[t.node]
        item.value = t.value
        item.name = item.name or name
        item.tensor = t
        if t._grad is not None:
            item.grad = t._grad.value


def _closed_over(hook: Any) -> list[tuple[str, Any]]:
    """Names and contents of a hook's closure; a cell may still be empty."""
    code, cells = getattr(hook, "__code__", None), getattr(hook, "__closure__", None)
    if code is None or not cells:
        return []
    filled = [(n, c) for n, c in zip(code.co_freevars, cells) if c != type(c)()]
    return [(name, cell.cell_contents) for name, cell in filled]


def _retaining(node: Node) -> list[Tensor]:
    """The tensors of this node that asked for `retain_grad`."""
    found = []
    for hook in (node.hooks or {}).values():
        for name, kept in _closed_over(hook):
            t = kept() if name == "alive" and isinstance(kept, weakref.ref) else None
            if isinstance(t, Tensor) and t.node is node:
                found.append(t)
    return found
