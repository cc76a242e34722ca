"""Ops written by users: a `Function` subclass with its own `forward` and `backward`."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from autograd.errors import GraphError, ModifiedError, ShapeError
from autograd.graph import Bundle, Lift, Node
from autograd.modes import modes, no_grad
from autograd.op import TABLE
from autograd.tensor import Tensor


def _version(t: Any) -> int | None:
    return t.version[0] if isinstance(t, Tensor) and t.version is not None else None


class Context:
    """What a Function's forward leaves for its backward."""

    def __init__(self, needs_input_grad: tuple[bool, ...] = ()):
        self.needs_input_grad = needs_input_grad
        self._saved: list[tuple[Any, ...]] = []
        self._constant: tuple[Tensor, ...] = ()
        self._node: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs (or anything); a later in-place change of one is an error."""
        self._saved = [(t, _version(t)) for t in tensors]

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Name the outputs that get no gradient."""
        self._constant = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given."""
        return tuple(self._unpack(*kept) for kept in self._saved)

    def _unpack(self, kept: Any, version: int | None) -> Any:
        t = kept.again(self._node()) if isinstance(kept, _Output) else kept
        if version is not None and _version(t) != version:
            raise ModifiedError(
                f"one of the variables needed for gradient computation has been modified by an"
                f" inplace operation: a saved tensor of shape {t.shape} is at version"
                f" {_version(t)}; expected version {version}"
            )
        return t


class _Output:
    """An output that its own Function saved, held without the cycle output -> node -> output."""

    def __init__(self, t: Tensor, i: int):
        self.value, self.version, self.i = t.value, t.version, i

    def again(self, call: Node) -> Tensor:
        """The output, as part of the graph."""
        t = Tensor.wrap(self.value)
        t.version, t.tracked, t.node = self.version, True, _output_node(call, self.i)
        return t


class Function:
    """A differentiable function with a hand-written derivative.

    >>> class Double(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> Double.apply(autograd.tensor(3.0)).item()
    6.0

    `backward` gets one gradient per output and returns one per input (None where there is none).
    Written in tensor operations, it can itself be differentiated.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; nothing inside is recorded."""
        raise NotImplementedError("a Function needs a forward")

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """The gradients of the inputs from those of the outputs."""
        raise NotImplementedError("a Function needs a backward to be differentiated")

    setup_context: Any = None

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward, and record the call where an input requires grad."""
        for name, value in kwargs.items():
            if isinstance(value, Tensor) and value.requires_grad:
                raise TypeError(
                    f"{cls.__name__}.apply: the tensor {name!r} was given by keyword, which gets no"
                    " gradient; pass it by position"
                )
        needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        ctx = Context(needs)
        with no_grad():
            if cls.setup_context is None:
                outputs = cls.forward(ctx, *args, **kwargs)
            else:
                outputs = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, outputs)
        if not isinstance(outputs, (Tensor, tuple)) and any(needs):
            raise TypeError(
                f"{cls.__name__}.forward returned {type(outputs).__name__}; expected a Tensor or a"
                " tuple of Tensors, which get gradients"
            )
        if modes.grad and any(needs):
            _record(cls, ctx, args, outputs)
        return outputs


class _Call:
    """Stands where a node has its op: one call of a Function."""

    broadcasts = False

    def __init__(self, function: type[Function], args: tuple[Any, ...], outputs: tuple[Any, ...]):
        self.name = function.__name__
        self.function = function
        self.shapes = [a.shape if isinstance(a, Tensor) else None for a in args]
        self.dtypes = [a.dtype if isinstance(a, Tensor) else None for a in args]
        self.parents = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.tracked]
        self.outputs = [(t.shape, t.dtype) if isinstance(t, Tensor) else None for t in outputs]

    def pull(self, node: Node, g: Bundle, lift: Lift) -> list[Any]:
        """The gradients of the inputs that want one, last first."""
        if node.saved is None:
            raise GraphError(
                f"backward through {self.name} a second time: what it saved has been freed. Pass"
                " retain_graph=True to the first backward() or grad() if you need the graph again"
            )
        returned = self.function.backward(node.saved[0], *self._incoming(g))
        grads = returned if isinstance(returned, tuple) else (returned,)
        if len(grads) != len(self.shapes):
            raise GraphError(
                f"{self.name}.backward returned {len(grads)} gradients for"
                f" {len(self.shapes)} inputs; return None where there is none"
            )
        return [self._checked(grads[i], i, lift) for i in reversed(self.parents)]

    def _incoming(self, g: Bundle) -> list[Any]:
        grads: list[Any] = []
        for i, spec in enumerate(self.outputs):
            given = g.parts.get(i)
            if given is None and spec is not None:
                given = np.zeros(*spec)
            grads.append(
                given if isinstance(given, Tensor) or given is None else Tensor.wrap(given)
            )
        return grads

    def _checked(self, g: Any, i: int, lift: Lift) -> Any:
        if g is None:
            return None
        if not isinstance(g, Tensor):
            raise TypeError(
                f"{self.name}.backward: expected Tensors or None, got {type(g).__name__}"
            )
        if g.shape != self.shapes[i]:
            raise ShapeError(
                f"{self.name}.backward returned a gradient of shape {g.shape} for input {i} of"
                f" shape {self.shapes[i]}"
            )
        g = g if g.dtype == self.dtypes[i] else TABLE["cast"](g, dtype=self.dtypes[i])
        return g if lift is not None else g.value


class _Pick:
    """Stands where a node has its op: output `i` of a call."""

    broadcasts = False

    def __init__(self, name: str, i: int):
        self.name, self.i = name, i

    def pull(self, node: Node, g: Any, lift: Lift) -> list[Any]:
        """Hand the gradient of this output to the call."""
        return [Bundle({self.i: g})]


def _record(cls: type[Function], ctx: Context, args: tuple[Any, ...], outputs: Any) -> None:
    results = outputs if isinstance(outputs, tuple) else (outputs,)
    call = _Call(cls, args, results)
    edges = [args[i].node or args[i] for i in call.parents]
    node = Node(call, None, {}, edges, [ctx], (), None, None)
    ctx._node = weakref.ref(node)
    for i, t in enumerate(results):
        skip = not isinstance(t, Tensor) or not t.is_floating_point()
        if skip or any(t is c for c in ctx._constant):
            continue
        if any(t is a for a in args):
            raise GraphError(f"{cls.__name__}.forward returned an input itself; return x.clone()")
        t.node, t.tracked, t.view_of = _output_node(node, i), True, None
        ctx._saved = [
            (_Output(t, i), version) if kept is t else (kept, version)
            for kept, version in ctx._saved
        ]


def _output_node(call: Node, i: int) -> Node:
    return Node(_Pick(call.name, i), None, {}, [call], [], (), None, None)
