"""Memory for time: `checkpoint` runs a function again in backward, not keeping what it saved."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from autograd.errors import GraphError, ModifiedError
from autograd.generator import default_generator
from autograd.graph import Node
from autograd.modes import enable_grad, modes, observe
from autograd.tensor import Tensor


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, of whose recorded ops nothing is kept until backward needs it.

    Works with `grad`, double backward and captured parameters.  `preserve_rng_state`: the second
    run draws the same random numbers.  `use_reentrant` is accepted as in PyTorch, without effect.
    """
    if not modes.grad:
        return function(*args, **kwargs)
    region = _Region(function, args, kwargs, preserve_rng_state)
    with observe(region.note):
        outputs = function(*args, **kwargs)
    region.drop()
    return outputs


class _Region:
    """One checkpointed call: stands in its nodes' `saved` until one of them is needed."""

    def __init__(
        self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], keep_random: bool
    ):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.random = default_generator.get_state() if keep_random else None
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        self.versions = [(x, x.version[0]) for x in given if x.version is not None]
        self.nodes: list[Node] = []
        self.dropped: list[weakref.ref[Node]] = []

    def note(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        """Observer: collect the nodes that the function makes."""
        if result.node is not None:
            self.nodes.append(result.node)

    def drop(self) -> None:
        """Let go of everything the nodes saved."""
        for node in self.nodes:
            node.saved = self
            node.out = None
        self.dropped = [weakref.ref(node) for node in self.nodes]
        self.nodes = []

    def restore(self, wanted: Node) -> list[Any]:
        """Run the function again and give every node back what it had saved."""
        for x, version in self.versions:
            if x.version[0] != version:
                raise ModifiedError(
                    f"checkpoint: an input of shape {x.shape} has been modified by an inplace"
                    f" operation; it is at version {x.version[0]}, expected version {version}"
                )
        present = default_generator.get_state()
        try:
            if self.random is not None:
                default_generator.set_state(self.random)
            with enable_grad(), observe(self.note):
                self.function(*self.args, **self.kwargs)
        finally:
            if self.random is not None:
                default_generator.set_state(present)
        again, self.nodes = self.nodes, []
        if len(again) != len(self.dropped):
            raise GraphError(
                f"checkpoint: the function recorded {len(self.dropped)} ops at first and"
                f" {len(again)} when run again; it must do the same both times"
            )
        old = {new: alive for alive, new in zip(self.dropped, again, strict=True)}
        for inner in {id(n.saved): n.saved for n in again if isinstance(n.saved, _Region)}.values():
            inner.dropped = [old.get(ref(), ref) for ref in inner.dropped]  # type: ignore[arg-type]
        for alive, new in zip(self.dropped, again, strict=True):
            node = alive()
            if node is not None and node.saved is self:
                if node.op is not new.op:
                    raise GraphError(
                        f"checkpoint: {node.op.name} became {new.op.name} when run again; the"
                        " function must do the same both times"
                    )
                node.saved, node.versions, node.out = new.saved, new.versions, new.out
        return wanted.saved
