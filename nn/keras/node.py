"""Symbolic tensors, and the graph of calls between them that the functional API builds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from autograd import Tensor
from nn.keras import config
from nn.keras.spec import Shape

_NUMERICAL = (
    "A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It doesn't have any"
    " actual numerical value. You cannot convert it to {}."
)


class KerasTensor:
    """What `keras.Input` gives, and a layer called on it: a shape (None: any size) and a dtype."""

    __array_ufunc__ = None  # so that `array * symbolic` comes here
    __hash__ = object.__hash__

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ):
        self.shape: Shape = tuple(None if d is None else int(d) for d in shape)
        self.dtype = config.standardize_dtype(dtype)
        self.sparse, self.ragged, self.record_history = sparse, ragged, record_history
        self.name = name or config.auto_name("keras_tensor")
        self._keras_history: tuple[Any, int, int] | None = None
        """The layer or operation that made it, which of its calls, and which output."""

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse},"
            f" ragged={self.ragged}, name={self.name}>"
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise ValueError(_NUMERICAL.format("a NumPy array"))

    def __float__(self) -> NoReturn:
        raise ValueError(_NUMERICAL.format("a float"))

    def __int__(self) -> NoReturn:
        raise ValueError(_NUMERICAL.format("an int"))

    def __bool__(self) -> NoReturn:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __iter__(self) -> NoReturn:
        raise NotImplementedError("Iterating over a symbolic KerasTensor is not supported.")


def _bind_operators() -> None:
    """Operators of a KerasTensor are operations of `keras.ops`."""
    pairs = {
        "add": "add",
        "sub": "subtract",
        "mul": "multiply",
        "truediv": "true_divide",
        "floordiv": "floor_divide",
        "mod": "mod",
        "pow": "power",
        "matmul": "matmul",
    }
    compared = {
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
        "eq": "equal",
        "ne": "not_equal",
        "and": "logical_and",
        "or": "logical_or",
        "xor": "logical_xor",
    }

    def method(name: str, swap: bool = False) -> Callable[..., Any]:
        def operator(self: KerasTensor, *others: Any) -> Any:
            from nn.keras import ops

            args = (*others, self) if swap else (self, *others)
            return getattr(ops, name)(*args)

        return operator

    for bare, name in {**pairs, **compared}.items():
        setattr(KerasTensor, f"__{bare}__", method(name))
        if bare in pairs:
            setattr(KerasTensor, f"__r{bare}__", method(name, swap=True))
    for bare, name in (
        ("neg", "negative"),
        ("abs", "absolute"),
        ("invert", "logical_not"),
        ("getitem", "get_item"),
    ):
        setattr(KerasTensor, f"__{bare}__", method(name))


_bind_operators()


class Node:
    """One call of a layer or operation on symbolic tensors."""

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any):
        self.operation, self.args, self.kwargs, self.out = operation, args, kwargs, out
        self.inputs = symbols((args, kwargs))
        self.outputs = symbols(out)
        self.index = len(operation._inbound_nodes)
        for k, t in enumerate(self.outputs):
            t._keras_history = (operation, self.index, k)
        operation._inbound_nodes.append(self)

    @property
    def parents(self) -> list[Node]:
        """The calls that made the inputs."""
        return list(dict.fromkeys(node_of(t) for t in self.inputs))

    def __repr__(self) -> str:
        return f"<Node operation={self.operation}, index={self.index}>"


def node_of(t: KerasTensor) -> Node:
    """The call that made a symbolic tensor."""
    if t._keras_history is None:
        raise ValueError(f"{t!r} was made by no layer; start from keras.Input()")
    operation, index, _ = t._keras_history
    return operation._inbound_nodes[index]


def leaves(tree: Any) -> Iterator[Any]:
    """What is in nested lists, tuples and dicts (in the order of sorted keys, as in Keras)."""
    if isinstance(tree, (list, tuple)):
        for part in tree:
            yield from leaves(part)
    elif isinstance(tree, dict):
        for key in sorted(tree):
            yield from leaves(tree[key])
    else:
        yield tree


def mapped(tree: Any, f: Callable[[Any], Any]) -> Any:
    """The same nesting with `f` of every leaf."""
    if isinstance(tree, (list, tuple)):
        parts = [mapped(part, f) for part in tree]
        if isinstance(tree, tuple):
            return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
        return parts
    if isinstance(tree, dict):
        return {key: mapped(part, f) for key, part in tree.items()}
    return f(tree)


def symbols(tree: Any) -> list[KerasTensor]:
    """The symbolic tensors in a nested structure."""
    if type(tree) is KerasTensor:
        return [tree]
    return [x for x in leaves(tree) if isinstance(x, KerasTensor)]


def any_symbolic(tree: Any) -> bool:
    """True where a symbolic tensor is in a nested structure."""
    return isinstance(tree, KerasTensor) or any(isinstance(x, KerasTensor) for x in leaves(tree))


def shapes_of(tree: Any) -> Any:
    """The same nesting with the shape of every tensor; None for anything else."""
    return mapped(tree, lambda x: tuple(x.shape) if hasattr(x, "shape") else None)


# Shapes by trial


def probe(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """What `function` gives for symbolic arguments, found by running it on ones of two sizes.

    A size that differs between the two runs is unknown (None).  Random streams stand afterwards
    where they stood before.
    """
    from autograd import default_generator, no_grad
    from nn.keras.context import call_context

    context = call_context()
    outcomes = []
    state = default_generator.get_state()
    before = context.unknown
    try:
        with no_grad():
            for size in (2, 3):
                context.unknown = size
                example = functools.partial(_example, unknown=size)
                outcomes.append(function(*mapped(args, example), **mapped(kwargs, example)))
    finally:
        context.unknown = before
        default_generator.set_state(state)
    return _compared(*outcomes)


def _example(x: Any, unknown: int) -> Any:
    if not isinstance(x, KerasTensor):
        return x
    shape = tuple(unknown if d is None else d for d in x.shape)
    return Tensor.wrap((np.ones if x.dtype[0] == "f" else np.zeros)(shape, np.dtype(x.dtype)))


def _compared(a: Any, b: Any) -> Any:
    if isinstance(a, (list, tuple)):
        parts = [_compared(x, y) for x, y in zip(a, b)]
        return parts if isinstance(a, list) else tuple(parts)
    if isinstance(a, dict):
        return {key: _compared(a[key], b[key]) for key in a}
    if not isinstance(a, (Tensor, np.ndarray)):
        return a
    if len(a.shape) != len(b.shape):
        raise ValueError(f"the rank of an output depends on the batch size: {a.shape}, {b.shape}")
    return KerasTensor([m if m == n else None for m, n in zip(a.shape, b.shape)], a.dtype.name)
