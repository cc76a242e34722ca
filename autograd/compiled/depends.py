"""What a step depends on: its arguments, the globals it reads, the modules it can reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.compiled.trace import exact, layout, leaves
from autograd.creation import as_tensor
from autograd.tensor import Tensor

_PLAIN = (type(None), bool, int, float, str)
_VALUES = (complex, bytes, range, slice, np.dtype, type)


def tensor_of(x: Any) -> Any:
    """An array as a tensor that shares its memory; all else as it is."""
    return as_tensor(x) if isinstance(x, np.ndarray) else x


def layout_of(t: Tensor) -> Any:
    """How a tensor's array lies in memory, see `layout`; what tells that it is a scalar."""
    return layout(t.value) if isinstance(t.value, np.ndarray) else "scalar"


def bare(x: Any) -> Any:
    """A tensor without its history; anything else as it is."""
    return x.detach() if isinstance(x, Tensor) else x


def split(tree: Any) -> tuple[list[Tensor], Any]:
    """The tensors among the arguments; and how they are nested with all else, hashable."""
    tensors: list[Tensor] = []

    def shape(part: Any) -> Any:
        if isinstance(part, (tuple, list)):
            return (type(part), tuple([shape(x) for x in part]))
        if isinstance(part, dict):
            return (dict, tuple([(frozen(key), shape(x)) for key, x in part.items()]))
        if isinstance(part, Tensor):
            tensors.append(part)
            return "tensor"
        return frozen(part)

    return tensors, shape(tree)


class _Same:
    """Stands for an object in a key; kept there, so that no other takes its place in memory."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any):
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def frozen(value: Any) -> Any:
    """A plain value as something that can be compared exactly; see `exact`."""
    if isinstance(value, (*_PLAIN, *_VALUES)):
        return exact(value)
    if isinstance(value, np.generic):
        return (value.dtype, value.tobytes())
    return _Same(value)


def aliases_of(tensors: list[Tensor], objects: list[Any], watched: Any) -> tuple[int, ...]:
    """For each argument 0, or what else it is: another argument, or something from outside."""
    outside = [p for thing in objects for p in parameters_of(thing)]
    outside += [value for _, _, value in watched if isinstance(value, Tensor)]
    arrays = {_memory(t): -1 - k for k, t in enumerate(outside)}
    found = []
    for k, t in enumerate(tensors):
        memory = _memory(t)
        found.append(arrays.get(memory, 0))
        arrays.setdefault(memory, k + 1)
    return tuple(found)


def _memory(t: Tensor) -> int:
    """The same for tensors that share memory; scalars share none, though two may be one object."""
    return id(t) if type(t.value) is float else id(t.value)


def watched_by(function: Any) -> list[tuple[Any, str, Any]]:
    """(namespace, name, value) of the globals that the function's own code reads."""
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    space = function.__globals__
    found = [
        (space, name, space[name])
        for name in code.co_names
        if name in space and isinstance(space[name], (Tensor, *_PLAIN))
    ]
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        if isinstance(_content(cell), (Tensor, *_PLAIN)):
            found.append((Cell(cell), name, _content(cell)))
    return found


def _content(cell: Any) -> Any:
    """What a closure's variable holds; `cell` itself while it is not yet assigned."""
    try:
        return cell.cell_contents
    except ValueError:
        return cell


class Cell:
    """A closure's variable, read as a namespace is."""

    def __init__(self, cell: Any):
        self.cell = cell

    def get(self, name: str) -> Any:
        """Its value now."""
        return _content(self.cell)


def reachable(function: Any, args: Any) -> tuple[list[Any], list[Any]]:
    """Modules, and all objects with parameters, that the step can reach in one step."""
    inner = getattr(function, "__func__", function)
    candidates = [getattr(function, "__self__", None), *leaves(args)]
    code = getattr(inner, "__code__", None)
    if code is not None:
        candidates += [inner.__globals__.get(name) for name in code.co_names]
        for cell in inner.__closure__ or ():
            candidates += leaves(_content(cell))
    owner = getattr(function, "__self__", None)
    candidates += list(vars(owner).values()) if hasattr(owner, "__dict__") else []
    objects = [c for c in candidates if hasattr(c, "parameters") or hasattr(c, "param_groups")]
    objects = [o for o in objects if not isinstance(o, type)]
    modules = [m for o in objects if hasattr(o, "training") for m in o.modules()]
    return modules, objects


def parameters_of(thing: Any) -> list[Any]:
    """The parameters that a module or an optimizer holds."""
    if hasattr(thing, "param_groups"):
        return [p for group in thing.param_groups for p in group["params"]]
    return list(thing.parameters())
