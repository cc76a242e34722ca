"""Functions of tensors that can stand in the graph of a functional model."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd import Tensor, as_tensor, dtypes
from autograd.op import ops
from nn.keras import config
from nn.keras.node import KerasTensor, Node, any_symbolic, probe

F = TypeVar("F", bound=Callable[..., Any])
_HOME = "nn.keras.ops"
_TENSORS = ("x", "x1", "x2", "xs", "condition", "inputs", "key", "output", "target", "variable")
"""Names of arguments that are tensors, or numbers and subscripts in their place."""


class Operation:
    """A function in the graph of a functional model, as a layer without weights.

    `options`: its arguments that are no tensors, the same in each call.
    """

    function: Callable[..., Any]

    def __init__(self, name: str | None = None, **options: Any):
        self.name = name or config.auto_name(type(self).function.__name__)
        self.options = options
        self._inbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function of tensors; noted in the graph for symbolic ones."""
        if not any_symbolic((args, kwargs)):
            return type(self).function(*args, **kwargs, **self.options)
        out = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, out)
        return out

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output for symbolic arguments."""
        return probe(type(self).function, args, {**kwargs, **self.options})

    def get_config(self) -> dict[str, Any]:
        """Its name and options."""
        return {"name": self.name, **self.options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Operation:
        """The operation that `get_config` described."""
        from nn.keras.serialization import revived

        return cls(**{k: revived(v) for k, v in config.items()})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


@functools.lru_cache(maxsize=1024)
def operation_of(function: Callable[..., Any]) -> type[Operation]:
    """The class of operations that stands for a function."""
    name = "".join(part.capitalize() for part in function.__name__.split("_"))
    return type(name, (Operation,), {"function": staticmethod(function), "__module__": _HOME})


def symbolic(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Note a call of `function` on symbolic tensors in their graph; its symbolic result."""
    split = _split(function, args, kwargs)
    if split is None:
        return operation_of(function)()(*args, **kwargs)
    return operation_of(function)(**split[1])(*split[0])


def _split(function: Any, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]] | None:
    """The arguments that are tensors or stand in for them, and the others, as Keras parts them.

    None where a tensor comes after one of the others.
    """
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    given: list[Any] = []
    options: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return None
        if name not in _TENSORS and not any_symbolic(value):
            options[name] = value
        elif options:
            return None
        else:
            given.append(value)
    return given, options


def operation(f: F) -> F:
    """Let `f` take symbolic tensors too."""

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        for a in args:
            kind = type(a)
            if kind is KerasTensor or ((kind is list or kind is tuple) and any_symbolic(a)):
                return symbolic(call, *args, **kwargs)
        if kwargs and any_symbolic(kwargs):
            return symbolic(call, *args, **kwargs)
        return f(*args, **kwargs)

    call.is_operation = True  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


def tensor(x: Any, dtype: Any = None) -> Tensor:
    """`x` as a tensor, as Keras converts it: ints of Python are int32, floats `floatx`."""
    if isinstance(x, Tensor):
        found = x
    elif isinstance(x, (np.ndarray, np.generic)):
        found = as_tensor(x)
    elif isinstance(x, (list, tuple)) and any(isinstance(part, Tensor) for part in x):
        found = ops.stack([tensor(part) for part in x])
    else:
        array = np.asarray(x)
        kind = {"f": config.floatx(), "i": "int32", "b": "bool"}.get(array.dtype.kind)
        if kind is None:
            raise TypeError(f"cannot make a tensor of {type(x).__name__} {x!r}")
        found = as_tensor(array.astype(kind))
    if dtype is None:
        return found
    wanted = dtypes.as_dtype(config.standardize_dtype(dtype))
    return found if found.dtype is wanted else ops.cast(found, dtype=wanted)


def real(x: Any) -> Tensor:
    """`x` as a tensor of floats."""
    found = tensor(x)
    return found if found.dtype.kind == "f" else ops.cast(found, dtype=_float())


def operand(x: Any) -> Any:
    """An operand of arithmetic: a number stays one, since it takes the other's dtype."""
    return x if isinstance(x, (Tensor, int, float)) else tensor(x)


def pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands, of which at least one is a tensor."""
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x = tensor(x)
    return operand(x), operand(y)


def _float() -> Any:
    return dtypes.as_dtype(config.floatx())


def int32(x: Tensor) -> Tensor:
    """As int32, in which Keras gives places and counts."""
    return ops.cast(x, dtype=dtypes.int32)
