"""The way of a gradient from the loss back: how large it was at every op, and what changed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.errors import GraphError
from autograd.graph import Bundle, Node, accumulate, pull
from autograd.modes import modes
from autograd.reasons import causes
from autograd.reasons.answer import Cause, Stats, stats

SHRINKS, GROWS = 0.05, 20.0
"""Factors on the root mean square from which an op's reason for it is noted."""


@dataclass
class Step:
    """One op of a backward pass: the gradient that came, and what went on to each edge."""

    node: Node
    came: Stats | None
    parts: list[Stats | None]
    """Of each edge; None where nothing went, or where it is not known (a custom Function)."""
    causes: list[Cause | None]

    def factor(self, part: int) -> float:
        """By how much the op changed the root mean square of the gradient."""
        sent = self.parts[part]
        if self.came is None or sent is None or not self.came.rms:
            return 1.0
        return sent.rms / self.came.rms


def step_of(node: Node, g: Any, contributions: list[Any], behind: str | None) -> Step:
    """The step through `node`, of what it was given and what it gave, first edge first."""
    if isinstance(g, Bundle):
        return Step(node, None, [stats(c) if c is not None else None for c in contributions],
                    [None] * len(contributions))  # fmt: skip
    came = stats(g)
    parts: list[Stats | None] = []
    found: list[Cause | None] = []
    for part, c in enumerate(contributions):
        sent = None if c is None or isinstance(c, Bundle) else stats(c)
        parts.append(sent)
        found.append(None if sent is None else _cause(node, part, g, came, sent, behind))
    return Step(node, came, parts, found)


def _cause(
    node: Node, part: int, g: Any, came: Stats, sent: Stats, behind: str | None
) -> Cause | None:
    if node.plan is None:
        return _of_function(node, came, sent)
    if came.finite and not sent.finite:
        return causes.cause_of_nonfinite(node, part, g, behind)
    if not came.finite or came.zero or not came.size:
        return None
    if sent.zero:
        return causes.cause_of_zero(node, part, g)
    if sent.rms < SHRINKS * came.rms:
        return causes.cause_of_shrinking(node, part, g)
    if sent.rms > GROWS * came.rms:
        return causes.cause_of_growth(node, part, g)
    return None


def _of_function(node: Node, came: Stats, sent: Stats) -> Cause | None:
    name = node.name
    if sent.zero and not came.zero:
        return Cause("function", f"the backward of {name} returned zeros", f"look at {name}")
    if came.finite and not sent.finite:
        return Cause("function", f"the backward of {name} returned NaN or inf", f"look at {name}")
    return None


def pulled(node: Node, g: Any) -> list[Any]:
    """What `node` sends to its edges, first edge first, with nothing recorded or freed."""
    before = modes.grad, modes.observers
    modes.grad, modes.observers = False, ()
    try:
        return pull(node, g)[::-1]
    finally:
        modes.grad, modes.observers = before


def is_freed(node: Node) -> bool:
    """A backward pass went through it and let go of what it needs for another."""
    if node.plan is None:
        return node.saved is None
    return node.saved is None and bool(node.plan.keep or node.plan.keeps_out)


class Seen:
    """What `watch` hangs on a node: the line of its forward, and its step of the last backward."""

    __slots__ = ("line", "behind", "step", "node")

    def __init__(self, node: Any, line: str):
        self.node, self.line = node, line  # a weak reference: the node holds this
        self.behind: str | None = None
        self.step: Step | None = None

    def __call__(self, grad: Any) -> None:
        """The hook on the node."""
        node = self.node()
        if node is None:
            return
        g = grad.value if hasattr(grad, "value") else grad
        step = step_of(node, g, pulled(node, g), self.behind)
        self.step = Step(_Name(node), step.came, step.parts, step.causes)  # type: ignore[arg-type]
        for edge in node.edges:
            seen = seen_of(edge)
            if seen is not None:
                seen.behind = node.name


class _Name:
    """What a kept step knows of its node, which holds it."""

    def __init__(self, node: Node):
        self.name = node.name


def seen_of(edge: Any) -> Seen | None:
    """What a watch noted of this node; None where none did."""
    if type(edge) is not Node or not edge.hooks:
        return None
    return next((hook for hook in edge.hooks.values() if type(hook) is Seen), None)


def line_of(node: Node) -> str | None:
    """The line of the user's that made the node, where something noted it."""
    seen = seen_of(node)
    return seen.line if seen is not None else node.where


@dataclass
class Trail:
    """All steps from a root back."""

    root: Node
    nodes: list[Node]
    """From the root down, by order."""
    steps: dict[Node, Step] = field(default_factory=dict)
    consumers: dict[Any, list[tuple[Node, int]]] = field(default_factory=dict)
    freed: bool = False
    """A node's values are gone and nobody watched it."""

    def chain(self, edge: Any) -> list[tuple[Node, int]]:
        """The way from the root to `edge` that carried most, as (node, part)."""
        way: list[tuple[Node, int]] = []
        while edge is not self.root:
            best = max(self._into(edge), key=lambda found: found[0], default=None)
            if best is None:
                break
            way.append((best[1], best[2]))
            edge = best[1]
        return way[::-1]

    def _into(self, edge: Any) -> Iterator[tuple[tuple[float, int], Node, int]]:
        for node, part in self.consumers.get(edge, ()):
            step = self.steps.get(node)
            sent = step.parts[part] if step is not None else None
            yield ((sent.rms if sent is not None else 0.0, -node.order), node, part)

    def between(self, edge: Any) -> set[Node]:
        """The nodes through which the root depends on `edge`."""
        found: set[Node] = set()
        stack = [edge]
        while stack:
            for node, _ in self.consumers.get(stack.pop(), ()):
                if node not in found:
                    found.add(node)
                    stack.append(node)
        return found

    def culprits(self, edge: Any, kind: str) -> list[tuple[Node, int, Cause]]:
        """The steps on the way to `edge` where the gradient became zero ("zero") or not finite."""
        on_the_way = self.between(edge)
        found = []
        for node in self.nodes:
            step = self.steps.get(node)
            if node not in on_the_way or step is None or step.came is None:
                continue
            for part, target in enumerate(node.edges):
                if target is not edge and target not in on_the_way:
                    continue
                cause, sent = step.causes[part], step.parts[part]
                if cause is None or sent is None:
                    continue
                if (kind == "zero" and sent.zero and not step.came.zero) or (
                    kind == "nonfinite" and step.came.finite and not sent.finite
                ):
                    found.append((node, part, cause))
        return found


def trail_of(root: Node, seed: Any = None) -> Trail:
    """Follow the gradient from `root`: as it was watched, else again where nothing is freed.

    `seed`: the gradient at the root; None where that is not known, or not asked for.
    """
    nodes = _reachable(root)
    trail = Trail(root, nodes)
    for node in nodes:
        for part, edge in enumerate(node.edges):
            trail.consumers.setdefault(edge, []).append((node, part))
    watched = {node: seen.step for node in nodes if (seen := seen_of(node)) and seen.step}
    if watched:
        trail.steps = watched
        trail.freed = len(watched) < len(nodes)
    elif any(is_freed(node) for node in nodes):
        trail.freed = True
    elif seed is not None:
        _replay(trail, seed)
    return trail


def _replay(trail: Trail, seed: Any) -> None:
    grads: dict[Any, Any] = {trail.root: seed}
    behind: dict[Any, str] = {}
    for node in trail.nodes:
        g = grads.pop(node, None)
        if g is None:
            continue
        try:
            contributions = pulled(node, g)
        except GraphError:
            trail.freed = True
            return
        trail.steps[node] = step_of(node, g, contributions, behind.get(node))
        for edge, c in zip(node.edges, contributions):
            if c is not None and type(edge) is Node:
                c = np.array(c) if isinstance(c, np.ndarray) else c
                grads[edge] = accumulate(grads.pop(edge), c) if edge in grads else c
                behind[edge] = node.name


def _reachable(root: Node) -> list[Node]:
    found, stack = {root}, [root]
    while stack:
        for edge in stack.pop().edges:
            if type(edge) is Node and edge not in found:
                found.add(edge)
                stack.append(edge)
    return sorted(found, key=lambda node: -node.order)
