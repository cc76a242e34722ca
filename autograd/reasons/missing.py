"""Why there is no gradient: `t.grad` is None."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.reasons.answer import Answer, Cause
from autograd.reasons.trail import is_freed, line_of, trail_of
from autograd.reasons.watching import Exit, recent
from autograd.tensor import Tensor

_WATCH = (
    "the source lines: run the step inside `with autograd.watch():` and ask again, then the line"
    " is known"
)
_LEFT = {
    "detach()": ("detached", "leave out detach() (or .data) where the gradient shall pass"),
    "numpy()": ("left_as_numpy", "stay with tensors: NumPy arrays carry no graph"),
    "item()": ("left_as_number", "stay with tensors: a Python number carries no graph"),
}


def explain_missing(t: Tensor, loss: Tensor | None) -> Answer:
    """The answer for a tensor without a gradient."""
    if not t.requires_grad:
        return _untracked(t)
    root = loss.node if loss is not None else latest_root(t)
    if loss is not None and root is None and loss is not t:
        inner = _untracked(loss)
        return Answer(
            "none", inner.cause, f"the loss itself has no graph: {inner.text}", inner.remedy,
            inner.op, inner.line, unknown=inner.unknown,
        )  # fmt: skip
    if t.node is not None and not t.retains_grad:
        return _not_retained(t, root)
    if root is None:
        return _no_graph(t)
    edge = t.node if t.node is not None else t
    trail = trail_of(root)
    if edge is not root and edge not in trail.consumers:
        return _independent(t, loss is not None)
    if not any(is_freed(node) for node in trail.nodes) and not trail.freed:
        ran = any(getattr(seen, "step", None) for node in trail.nodes for seen in _hooks(node))
        found = [] if ran or loss is not None else _breaks(t)
        if found:
            return _broken(found, "no backward pass came to this tensor")
        if not ran:
            return Answer(
                "none", "no_backward_yet",
                f"the loss ({root.name}) depends on this tensor, but no backward pass has gone"
                " through its graph yet",
                "call loss.backward()",
                unknown="a backward with retain_graph=True leaves no trace on a graph nobody"
                " watched; if there was one, its gradient was set to None since",
            )  # fmt: skip
    return Answer(
        "none", "forgotten_after_backward",
        f"a backward pass went through the graph of the loss ({root.name}), which depends on this"
        " tensor, and yet it has no gradient now: it was set to None since (zero_grad), or the"
        " pass was autograd.grad(), or backward(inputs=...) of other tensors",
        "read .grad before zero_grad()",
    )  # fmt: skip


def _hooks(node: Node) -> tuple[Any, ...]:
    return tuple(node.hooks.values()) if node.hooks else ()


# Without requires_grad


def _untracked(t: Tensor) -> Answer:
    if not t.is_floating_point():
        return Answer(
            "none", "integer",
            f"it holds {t.dtype.name}: only floating-point tensors can have gradients",
            "make it of floats: tensor(..., dtype=autograd.float32)",
        )  # fmt: skip
    watched = _from_watch(t)
    if watched is not None:
        return watched
    twin = _tracked_twin(t)
    if twin is not None:
        return Answer(
            "none", "detached",
            "requires_grad is False: it shares its memory with a tensor that is in a graph"
            f" ({twin.node.name if twin.node else 'a leaf'}), so it came from detach() or .data",
            _LEFT["detach()"][1], unknown=_WATCH,
        )  # fmt: skip
    return Answer(
        "none", "requires_grad_false",
        "requires_grad is False and no op is recorded for it: it was made without"
        " requires_grad=True, or frozen, or is the result of detach(), of ops inside no_grad(), or"
        " of tensors none of which requires a gradient",
        "tensor(..., requires_grad=True), or t.requires_grad_(), before it is used; for a result:"
        " look for no_grad() and detach() on the way",
        unknown="which of these: run the step inside `with autograd.watch():`, then the line is"
        " known",
    )  # fmt: skip


def _from_watch(t: Tensor) -> Answer | None:
    """How a result came to have no graph, from the notes of the last watch."""
    if recent.watch is None or t.version is None:
        return None
    tag = recent.watch.tag(t)
    for record in reversed(recent.watch.records):
        if isinstance(record, Exit):
            if record.tag == tag and record.how == "detach()":
                return _exit_answer(record)
        elif record.out == tag and not record.tracked:
            if not record.grad:
                return _no_grad(record)
            if not record.differentiable:
                return _no_derivative(record)
            return Answer(
                "none", "inputs_without_grad",
                f"it was made by {record.name}, of whose {len(record.inputs)} tensors none"
                " requires a gradient",
                "set requires_grad on what you differentiate by", record.name, record.line,
            )  # fmt: skip
    return None


def _exit_answer(record: Exit) -> Answer:
    key, remedy = _LEFT.get(record.how, _LEFT["numpy()"])
    text = f"its values left the graph by {record.how}, and what is computed from them has none"
    return Answer("none", key, text, remedy, record.how, record.line)


def _no_grad(record: Any) -> Answer:
    return Answer(
        "none", "no_grad",
        f"{record.name} was computed where recording is off (no_grad, inference_mode or"
        " set_grad_enabled(False))",
        "compute it outside of no_grad()", record.name, record.line,
    )  # fmt: skip


def _no_derivative(record: Any) -> Answer:
    return Answer(
        "none", "not_differentiable",
        f"{record.name} has no derivative (its result is of integers or booleans, or constant)",
        f"use a soft form of {record.name}: softmax for argmax, sigmoid for a comparison",
        record.name, record.line,
    )  # fmt: skip


def _tracked_twin(t: Tensor) -> Tensor | None:
    """A living tensor in a graph that looks at the same values."""
    if t.version is None:
        return None
    for o in gc.get_objects():
        if issubclass(type(o), Tensor) and o is not t and o.tracked and o.version is t.version:
            return o
    return None


# With requires_grad


def _not_retained(t: Tensor, root: Node | None) -> Answer:
    assert t.node is not None
    text = (
        f"it is not a leaf (made by {t.node.name}), and backward() keeps the gradients of leaves"
        " only"
    )
    if root is not None:
        step = trail_of(root, seed_of(root)).steps.get(t.node)
        if step is not None and step.came is not None:
            text += f"; the gradient that passed here: {step.came}"
    return Answer(
        "none", "not_retained", text, "call t.retain_grad() before backward()",
        t.node.name, line_of(t.node),
    )  # fmt: skip


def _no_graph(t: Tensor) -> Answer:
    found = _breaks(t)
    if found:
        return _broken(found, "no living result depends on it by a graph")
    return Answer(
        "none", "not_used",
        "no op that is still alive has recorded this tensor: it was not used in a forward pass, or"
        " every result of it was dropped without a backward, or its gradient was set to None"
        " after one (zero_grad)",
        "use it in what the loss is computed from, and call backward() while the loss is alive;"
        " read .grad before zero_grad()",
        unknown="which of these; pass the loss too, why(t, loss), or run the step inside"
        " `with autograd.watch():`",
    )  # fmt: skip


def _independent(t: Tensor, given: bool) -> Answer:
    found = _breaks(t)
    if found:
        return _broken(found, "the loss does not depend on it by the graph")
    watched = recent.watch is not None
    used = watched and any(
        tag == recent.watch.tag(t)
        for r in recent.watch.records
        if not isinstance(r, Exit)
        for tag, _ in r.inputs
    )
    return Answer(
        "none", "independent",
        "the loss does not depend on this tensor: there is no way from it back to here"
        + ("" if used or not watched else "; no op that was watched used it"),
        "use it in what the loss is computed from (a layer that is made but not called? a branch"
        " that was not taken? the result of another model?)",
        unknown="" if watched else "whether it was cut off by detach() or no_grad(): "
        "run the step inside `with autograd.watch():`",
    )  # fmt: skip


def _breaks(t: Tensor) -> list[Answer]:
    """Where values that depend on `t` left the graph, from the notes of the last watch."""
    seen = recent.watch
    if seen is None:
        return []
    live, found = {seen.tag(t)}, []
    exits: dict[int, Exit] = {}
    for record in seen.records:
        if isinstance(record, Exit):
            if record.tag in live:
                exits[record.tag] = record
                if record.how != "detach()":
                    found.append(_exit_answer(record))
            continue
        if any(tag in live and tracked for tag, tracked in record.inputs):
            if record.tracked:
                live.add(record.out)
            else:
                found.append(_no_derivative(record) if record.grad else _no_grad(record))
        else:
            for tag, tracked in record.inputs:
                if tag in live and not tracked and tag in exits:
                    found.append(_exit_answer(exits.pop(tag)))
    return found


def _broken(found: list[Answer], text: str) -> Answer:
    first = found[0]
    others = tuple(Cause(a.cause, f"{a.text} (at {a.line})", a.remedy) for a in found[1:4])
    return Answer(
        "none", first.cause, f"{text}: {first.text}", first.remedy, first.op, first.line,
        others=others,
    )  # fmt: skip


# The root of the graph, where it was not given


def latest_root(t: Tensor) -> Node | None:
    """The newest node from which a gradient would come to `t`, among all that are alive."""
    start = t.node if t.node is not None else t
    nodes = [o for o in gc.get_objects() if type(o) is Node]
    above: dict[Any, list[Node]] = {}
    for node in nodes:
        for edge in node.edges:
            above.setdefault(edge, []).append(node)
    found, stack, roots = {start}, [start], []
    while stack:
        edge = stack.pop()
        if edge not in above and type(edge) is Node:
            roots.append(edge)
        for node in above.get(edge, ()):
            if node not in found:
                found.add(node)
                stack.append(node)
    return max(roots, key=lambda node: node.order, default=None)


def seed_of(root: Node) -> Any:
    """Ones, the gradient of what the node made by itself; None where that is not alive."""
    for o in gc.get_objects():
        if issubclass(type(o), Tensor) and o.node is root:
            return 1.0 if type(o.value) is float else np.ones(o.shape, o.dtype)
    return None
