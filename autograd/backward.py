"""`backward` and `grad`: what users call; the walk itself is in `autograd.graph`."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.errors import GraphError
from autograd.graph import Node, accumulate, backward_pass, backward_pass_of_number, run_hooks, sole
from autograd.modes import modes
from autograd.op import TABLE
from autograd.tensor import Tensor

Tensors = Tensor | Sequence[Tensor]
_SMALL = 64
"""Elements up to which copying a gradient costs less than finding out who else sees it."""


def backward(
    tensors: Tensors,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradient of `tensors` to the `.grad` of the leaves they depend on.

    `grad_tensors`: the gradient with respect to each of `tensors`, of its shape; may be left out
    for one-element tensors.  `inputs`: accumulate into these leaves only.
    """
    plain = grad_tensors is inputs is None and not create_graph and not modes.observers
    if plain and isinstance(tensors, Tensor) and tensors.node and tensors.view_of is None:
        if type(tensors.value) is float:
            _backward_of_number(tensors.node, bool(retain_graph))
            return
        if tensors.value.size == 1:
            _backward_of_one(tensors, bool(retain_graph))
            return
    targets = None if inputs is None else {_edge(t) for t in _tuple(inputs)}
    if targets is not None and any(type(edge) is Node for edge in targets):
        raise GraphError("backward(inputs=...): each of the inputs must be a leaf; use grad()")
    found = _walk(_tuple(tensors), grad_tensors, retain_graph, create_graph, targets)
    for leaf in list(found):
        g = found.pop(leaf)
        _accumulate_leaf(leaf, g)


def _backward_of_number(node: Node, keep: bool) -> None:
    """`backward` of a scalar, without what tensors need: 1 us less."""
    before, modes.grad = modes.grad, False
    try:
        found = backward_pass_of_number(node, keep)
    finally:
        modes.grad = before
    for leaf, g in found.items():
        if leaf._grad is leaf.extra is None and type(g) is type(leaf.value) is float:
            leaf._grad = Tensor.wrap(g)
        else:
            _accumulate_leaf(leaf, _hooked(leaf, g, None))


def _backward_of_one(root: Tensor, keep: bool) -> None:
    """`backward` of a tensor of one element: a loss.  1 us less than the general way."""
    g = np.empty_like(root.value)
    g.fill(1)  # 0.4 us, np.ones 0.8
    before, modes.grad = modes.grad, False
    try:
        found = backward_pass({root.node: g}, keep)
        del g
        for leaf in list(found):
            g = found.pop(leaf)
            fresh = leaf._grad is leaf.extra is None and type(g) is type(leaf.value) is np.ndarray
            if fresh and g.size <= _SMALL and g.dtype is leaf.value.dtype:
                leaf._grad = Tensor.wrap(g.copy())
            else:
                _accumulate_leaf(leaf, _hooked(leaf, g, None))
    finally:
        modes.grad = before


def _hooked(leaf: Tensor, g: Any, lift: Any) -> Any:
    """A gradient after the leaf's own hooks."""
    if leaf.extra is not None and "hooks" in leaf.extra:
        return run_hooks(leaf.extra["hooks"], g, lift)
    return g


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` is touched.

    An input that the outputs do not depend on is an error, unless `allow_unused` (None in its
    place) or `materialize_grads` (zeros in its place).
    """
    sources = _tuple(inputs)
    for t in sources:
        if not t.requires_grad:
            raise GraphError("grad: one of the inputs does not require grad")
    targets = {_edge(t) for t in sources}
    found = _walk(_tuple(outputs), grad_outputs, retain_graph, create_graph, targets)
    result: list[Tensor | None] = []
    for t in sources:
        g = found.get(_edge(t))
        if g is None and materialize_grads:
            g = np.zeros(t.shape, t.dtype)
        if g is None and not allow_unused:
            raise GraphError(
                "One of the differentiated Tensors appears to not have been used in the graph. Set"
                " allow_unused=True if this is the desired behavior"
            )
        if g is not None and not isinstance(g, Tensor):
            g = Tensor.wrap(_of_dtype(g, t))
        result.append(g)
    return tuple(result)


def retain_grad(t: Tensor) -> None:
    """Keep the gradient of this non-leaf tensor in `.grad` after backward."""
    if not t.tracked:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if t.node is None or t.retains_grad:
        return
    alive = weakref.ref(t)

    def keep(g: Tensor) -> None:
        kept = alive()
        if kept is not None:
            present = kept._grad
            kept._grad = TABLE["clone"](g) if present is None else TABLE["add"](present, g)

    t._extra("retains_grad").update(keep=keep, handle=t.register_hook(keep))


def _walk(
    roots: tuple[Tensor, ...],
    given: Any,
    retain_graph: bool | None,
    create_graph: bool,
    targets: set[Any] | None,
) -> dict[Any, Any]:
    keep = create_graph if retain_graph is None else retain_graph
    lift = _lift if create_graph or modes.observers else None
    grads: dict[Any, Any] = {}
    seeds: Any = (None,) * len(roots) if given is None else _tuple(given)
    if len(seeds) != len(roots):
        raise GraphError(f"backward: got {len(roots)} tensors and {len(seeds)} gradient tensors")
    for i, (root, seed) in enumerate(zip(roots, seeds, strict=True)):
        g = _seed(root, seed, i, lift is not None)
        edge = _edge(root)
        grads[edge] = accumulate(grads[edge], g) if edge in grads else g
    before, modes.grad = modes.grad, create_graph
    outer = modes.node
    try:
        found = backward_pass(grads, bool(keep), lift, targets)
        for edge in found:
            if type(edge) is not Node:
                found[edge] = _hooked(edge, found[edge], lift)
        return found
    finally:
        modes.grad, modes.node = before, outer


def _edge(t: Tensor) -> Any:
    if t.view_of is not None:
        t.view_of.refresh(t)
    return t.node if t.node is not None else t


def _lift(value: Any, node: Node) -> Tensor:
    t = Tensor.wrap(value)
    t.node, t.tracked = node, True
    return t


def _seed(root: Tensor, seed: Any, i: int, lifted: bool) -> Any:
    """The gradient with respect to one root."""
    if not root.requires_grad:
        raise GraphError(
            f"element {i} of tensors does not require grad and does not have a grad_fn: nothing in"
            " it was recorded (made under no_grad, detached, or from tensors without"
            " requires_grad). Set requires_grad=True on the tensors to differentiate by"
        )
    if seed is None:
        if root.numel() != 1:
            raise GraphError(
                "grad can be implicitly created only for scalar outputs; this one has shape"
                f" {root.shape}. Reduce it with sum() or mean(), or pass gradient="
            )
        g: Any = 1.0
        if type(root.value) is not float:
            g = np.empty(root.shape, root.dtype)
            g.fill(1)  # 0.4 us, np.ones 0.8
        elif modes.recorder is not None:
            return modes.recorder.scalars.make(g)
        return Tensor.wrap(g) if lifted else g
    seed = seed if isinstance(seed, Tensor) else Tensor.wrap(np.asarray(seed, root.dtype))
    if seed.shape != root.shape:
        raise GraphError(
            f"Mismatch in shape: grad_output[{i}] has a shape of {seed.shape} and output[{i}] has a"
            f" shape of {root.shape}"
        )
    return seed if lifted else _of_dtype(seed.value, root)


def _of_dtype(g: Any, t: Tensor) -> Any:
    """A bare gradient in the dtype of `t`; a float for a scalar."""
    if type(t.value) is float:
        return float(g)
    return g if type(g) is np.ndarray and g.dtype == t.value.dtype else np.asarray(g, t.value.dtype)


def _accumulate_leaf(leaf: Tensor, g: Any) -> None:
    """Add to `.grad`: a first contribution is taken as it is where nothing else sees its memory."""
    present = leaf._grad
    if modes.recorder is not None:
        modes.recorder.accumulated(leaf)
    if isinstance(g, Tensor):
        if type(leaf.value) is float and modes.recorder is not None and not g.tracked:
            g = modes.recorder.scalars.number_of(g)
        g = g if g.dtype == leaf.dtype else TABLE["cast"](g, dtype=leaf.dtype)
        leaf._grad = TABLE["clone"](g) if present is None else TABLE["add"](present, g)
    elif type(leaf.value) is float:
        leaf._grad = Tensor.wrap(float(g) if present is None else present.value + float(g))
    elif present is not None and not present.array.flags.writeable:
        leaf._grad = TABLE["add"](present, Tensor.wrap(_of_dtype(g, leaf)))
    elif present is not None:
        TABLE["add"].into(present.array, (present.array, _of_dtype(g, leaf)), {})
        present.version[0] += 1
    elif sole(g) and g.dtype is leaf.value.dtype and g.flags.c_contiguous:
        leaf._grad = Tensor.wrap(g)
    else:
        leaf._grad = Tensor.wrap(np.array(g, leaf.value.dtype, order="C"))
    if leaf.extra and "after" in leaf.extra:
        for hook in tuple(leaf.extra["after"].values()):
            hook(leaf)


def _tuple(tensors: Any) -> tuple[Any, ...]:
    return (
        (tensors,)
        if isinstance(tensors, Tensor) or not isinstance(tensors, Sequence)
        else tuple(tensors)
    )
