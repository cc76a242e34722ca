"""The graph of recorded ops, and the walk back through it.

A node knows its op, the edges to its inputs' nodes, and what its vjps read.  An edge is a Node, or
the leaf Tensor itself.  Nodes never refer to the tensor they made, so there are no reference
cycles: drop the loss and the graph is gone at once.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import buffers
from autograd.errors import GraphError, ModifiedError
from autograd.modes import modes
from autograd.op import TABLE

if TYPE_CHECKING:
    pass

Lift = Callable[..., Any] | None
_next_order = itertools.count().__next__
_by_order = attrgetter("order")


class Node:
    """One recorded op.  `order` grows with creation, so backward goes by descending order."""

    __slots__ = (
        "op", "plan", "meta", "edges", "saved", "versions", "out", "specs", "hooks", "order",
        "where", "__weakref__",
    )  # fmt: skip

    def __init__(
        self,
        op: Any,
        plan: Any,
        meta: dict[str, Any],
        edges: list[Any],
        saved: Any,
        versions: Any,
        out: Any,
        specs: Any,
    ):
        self.op = op
        self.plan = plan
        self.meta = meta
        self.edges = edges
        self.saved = saved
        self.versions = versions
        self.out = out
        self.specs = specs
        self.hooks: Any = None
        self.where: Any = None
        self.order = _next_order()

    @property
    def name(self) -> str:
        """The op's name, as errors and drawings show it."""
        return self.op.name

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes (or leaf tensors) this one depends on, as PyTorch lists them."""
        return tuple((edge, 0) for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.op.name} node>"


class Bundle:
    """The gradients of a node with several outputs: output number -> gradient."""

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Any]):
        self.parts = parts

    def merged(self, other: Bundle) -> Bundle:
        """Both, summed where both have one."""
        parts = dict(self.parts)
        for i, g in other.parts.items():
            parts[i] = accumulate(parts.pop(i), g) if i in parts else g
        return Bundle(parts)


def backward_pass(
    grads: dict[Any, Any], keep: bool, lift: Lift = None, targets: set[Any] | None = None
) -> dict[Any, Any]:
    """Push the gradients of the roots (edge -> gradient) down; returns those of the leaves.

    `keep`: leave the graph usable.  `lift`: None to work on bare values, or what makes a Tensor of
    a value and its node, so that the pass itself can be recorded and observed (create_graph).
    `targets`: only the way to these edges is walked, and what is returned are their gradients.

    A node is created after everything it depends on, so going by descending order no node is met
    before all its consumers were: a heap of the nodes reached replaces a sort of the whole graph.
    """
    heap = [(-edge.order, edge) for edge in grads if type(edge) is Node]
    heapq.heapify(heap)
    wanted = None if targets is None else ancestors(heap, targets)
    found: dict[Any, Any] = {}
    node = heapq.heappop(heap)[1] if heap else None
    while node is not None:
        g = grads.pop(node)
        if node.hooks:
            g = run_hooks(node.hooks, g, lift)
        if targets is not None and node in targets:
            found[node] = g
        if lift is not None:
            modes.node = node
        contributions = pull(node, g, lift)
        if not keep:
            node.saved = node.out = None
        g = following = None
        for edge in node.edges:
            contribution = contributions.pop()
            if contribution is None or (wanted is not None and edge not in wanted):
                continue
            present = grads.get(edge)
            if present is not None:
                del grads[edge]
                grads[edge] = accumulate(present, contribution)
                present = None
            else:
                grads[edge] = contribution
                if type(edge) is Node:
                    if following is not None:
                        heapq.heappush(heap, (-following.order, following))
                    following = edge
        node = _next(heap, following)
    if targets is not None:
        return {edge: g for edge, g in (*grads.items(), *found.items()) if edge in targets}
    return grads


def _next(heap: list[tuple[int, Node]], following: Node | None) -> Node | None:
    """The node to walk on to: `following` without passing the heap where none other waits."""
    if not heap:
        return following
    if following is None:
        return heapq.heappop(heap)[1]
    return heapq.heappushpop(heap, (-following.order, following))[1]


def backward_pass_of_number(root: Node, keep: bool) -> dict[Any, Any]:
    """`backward_pass` from one scalar, whose nodes are mostly those of scalars: 2 us less.

    A node that is the only one waiting is walked on to without passing the heap.
    """
    heap: list[tuple[int, Node]] = []
    grads: dict[Any, Any] = {}
    node, g = root, 1.0
    while True:
        if node.versions is None and node.hooks is None and type(node.saved) is tuple:
            if type(g) is not float:  # of an op that has no scalar form
                g = float(g)
            contributions = node.plan.pull_numbers(g, node.out and node.out[0], node.saved, node)
            if not keep:
                node.saved = node.out = None
        else:
            contributions = _pull_with_hooks(node, g, keep)
        following = None
        for edge in node.edges:
            contribution = contributions.pop()
            present = grads.get(edge)
            if present is not None:
                grads[edge] = None
                grads[edge] = accumulate(present, contribution)
            elif contribution is not None:
                grads[edge] = contribution
                if type(edge) is Node:
                    if following is not None:
                        heapq.heappush(heap, (-following.order, following))
                    following = edge
        following = _next(heap, following)
        if following is None:
            return grads
        node = following
        g = grads.pop(node)


def _pull_with_hooks(node: Node, g: Any, keep: bool) -> list[Any]:
    if node.hooks:
        g = run_hooks(node.hooks, g, None)
    contributions = pull(node, g)
    if not keep:
        node.saved = node.out = None
    return contributions


def pull(node: Node, g: Any, lift: Lift = None) -> list[Any]:
    """The contributions of `node` to the gradients of its edges, last edge first."""
    plan, saved = node.plan, node.saved
    if plan is None:
        return node.op.pull(node, g, lift)
    out = None
    if plan.keep or plan.keeps_out:
        if saved is None:
            raise _freed(node)
        while type(saved) is not list and type(saved) is not tuple:
            saved = saved.restore(node)
        if plan.keeps_out:
            value, cell, version = node.out
            if cell[0] != version:
                raise _modified(node, value, cell[0], version)
            out = value if lift is None else lift(value, node)
    elif saved is None:  # read by no vjp, so a second pass may go through
        saved = ()
    if node.versions is None:  # the numbers of scalars
        if lift is None:
            return plan.pull_numbers(float(g), out, saved, node)
        if modes.recorder is not None and not modes.grad:
            g = modes.recorder.scalars.number_of(g)
        kept: Any = _lifted(node, lift)
    else:
        kept = []
        for x, version in zip(saved, node.versions):
            if version is None:
                kept.append(x)
            elif x.version[0] != version:
                raise _modified(node, x.value, x.version[0], version)
            else:
                kept.append(x.value if lift is None else x)
    result = (plan.pull_arrays if lift is None else plan.pull)(g, out, kept, node)
    if node.specs is not None and node.op.broadcasts:
        for k, i in enumerate(reversed(plan.parents)):
            shape = node.specs[i][0]
            if result[k] is not None and np.shape(result[k]) != shape:
                result[k] = TABLE["sum_to"](result[k], shape=shape)
    return result


def _lifted(node: Node, lift: Callable[..., Any]) -> list[Any]:
    """The saved numbers of a node over scalars as parts of the graph."""
    recorder = modes.recorder
    if recorder is not None and not modes.grad:
        return [recorder.scalars.saved(node, i, x) for i, x in zip(node.plan.keep, node.saved)]
    values = []
    for i, value in zip(node.plan.keep, node.saved):
        if i in node.plan.parents:
            edge = node.edges[node.plan.parents.index(i)]
            if type(edge) is Node:
                value = lift(value, edge)
            elif edge.value != value and value == value:
                raise _modified(node, value, 1, 0)
            else:
                value = edge
        elif recorder is not None:
            value = recorder.scalars.saved(node, i, value)
        values.append(value)
    return values


def ancestors(heap: list[tuple[int, Node]], targets: set[Any]) -> set[Any]:
    """The edges below the nodes in `heap` from which a target can be reached, targets included."""
    found = {node for _, node in heap}
    stack = list(found)
    while stack:
        for edge in stack.pop().edges:
            if type(edge) is Node and edge not in found:
                found.add(edge)
                stack.append(edge)
    wanted = set(targets)
    for node in sorted(found, key=_by_order):
        if any(edge in wanted for edge in node.edges):
            wanted.add(node)
    return wanted


def _freed(node: Node) -> GraphError:
    return GraphError(
        f"backward through {node.op.name} a second time: what it saved has been freed. Pass"
        " retain_graph=True to the first backward() or grad() if you need the graph again"
    )


def _modified(node: Node, value: Any, now: int, expected: int) -> ModifiedError:
    return ModifiedError(
        f"one of the variables needed for gradient computation has been modified by an inplace"
        f" operation: {node.op.name} saved a tensor of shape {np.shape(value)}, which is at version"
        f" {now}; expected version {expected}. Use the out-of-place form, or clone() before"
    )


def accumulate(present: Any, contribution: Any) -> Any:
    """Their sum; written into `present` only when nothing else can see that array."""
    if type(present) is float is type(contribution):
        return present + contribution
    if type(present) is Bundle:
        return present.merged(contribution)
    if (
        sole(present)
        and type(contribution) is np.ndarray
        and present.dtype == contribution.dtype
        and present.shape == contribution.shape
    ):
        TABLE["add"].into(present, (present, contribution), {})
        return present
    return TABLE["add"](present, contribution)


def sole(array: Any) -> bool:
    """True when only one variable of the caller, and one of its caller, sees this memory."""
    if type(array) is not np.ndarray or sys.getrefcount(array) > _SOLE:
        return False
    base = array.base
    if not array.flags.writeable:
        return False  # repeated, or not ours
    if base is None:
        return True
    return buffers.is_pooled(base) and sys.getrefcount(base) <= _SOLE_BASE


def _calibrate() -> tuple[int, int]:
    """The reference counts that `sole` meets for an array that nothing else sees.

    Measured, since interpreters differ in which references they count.
    """

    def sole(array: np.ndarray) -> tuple[int, int]:
        references = sys.getrefcount(array)
        base = array.base
        return references, sys.getrefcount(base)

    def caller(present: np.ndarray) -> tuple[int, int]:
        return sole(present)

    tracer = sys.gettrace()
    sys.settrace(None)  # a debugger that reads f_locals adds references
    try:
        present = buffers.empty((buffers.LARGE,), np.dtype(np.uint8))
        return caller(present)
    finally:
        sys.settrace(tracer)


_SOLE, _SOLE_BASE = _calibrate()


def run_hooks(hooks: dict[int, Callable[..., Any]], g: Any, lift: Lift) -> Any:
    """Pass a gradient through hooks in order of registration; what one returns replaces it."""
    from autograd.tensor import Tensor

    for hook in tuple(hooks.values()):
        given = g if isinstance(g, Tensor) else Tensor.wrap(g)
        returned = hook(given)
        if returned is not None:
            _check_returned(hook, given, returned)
            g = returned if lift is not None else returned.value
    return g


def _check_returned(hook: Any, given: Any, returned: Any) -> None:
    """RuntimeError where what a hook returned cannot stand for the gradient it was given."""
    shape, dtype = getattr(returned, "shape", None), getattr(returned, "dtype", None)
    if shape != given.shape or dtype != given.dtype:
        raise GraphError(
            f"hook {getattr(hook, '__name__', hook)!r} changed the gradient from {given.shape}"
            f" {given.dtype} to {shape} {dtype}; return a Tensor of its shape and dtype, or None"
        )
