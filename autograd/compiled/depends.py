"""What a step depends on: its arguments, the globals it reads, the modules it can reach."""

from __future__ import annotations

import dis
import functools
from types import CodeType, ModuleType
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
    """A copy of a tensor without its history, as a replay gives it; anything else as it is."""
    if not isinstance(x, Tensor):
        return x
    return Tensor.wrap(x.value if type(x.value) is float else x.value.copy())


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
    """(namespace, name, value) of the variables that the function's own code reads.

    Globals, those of enclosing functions, and the attributes of a method's instance.  A number or
    a string is compared by its value, all else by identity.
    """
    found: dict[tuple[int, str], tuple[Any, str, Any]] = {}
    owner = owner_of(function)
    attributes = vars(owner) if hasattr(owner, "__dict__") else {}
    for inner in functions_of(function):
        names, read = _names(inner.__code__)
        for space, wanted in ((inner.__globals__, names), (attributes, read)):
            for name in wanted:
                if name in space and not isinstance(space[name], ModuleType):
                    found[id(space), name] = space, name, space[name]
        for name, cell in zip(inner.__code__.co_freevars, inner.__closure__ or ()):
            found[id(cell), name] = Cell(cell), name, _content(cell)
    return list(found.values())


def functions_of(function: Any) -> list[Any]:
    """The functions of Python that a callable is made of: of a method, a partial, a decorator."""
    found = []
    while function is not None:
        if isinstance(function, functools.partial):
            function = function.func
            continue
        function = getattr(function, "__func__", function)
        if not hasattr(function, "__code__"):
            function = type(function).__call__ if callable(function) else None
        if not hasattr(function, "__code__"):
            break
        found.append(function)
        function = getattr(function, "__wrapped__", None)
    return found


def owner_of(function: Any) -> Any:
    """The instance of a method, the object that is called; None for a function."""
    if isinstance(function, functools.partial):
        return owner_of(function.func)
    if hasattr(function, "__func__"):  # a method has the __code__ of its function too
        return function.__self__
    return None if hasattr(function, "__code__") else function


@functools.lru_cache(maxsize=256)
def _names(code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The globals and the attributes that code reads, and the functions within it.

    Not an attribute that it sets too: it counts something, which only recordings do.
    """
    names: dict[str, None] = {}
    attributes: dict[str, None] = {}
    instructions = list(dis.get_instructions(code))
    own = {i.argval for i in instructions if i.opname == "STORE_ATTR"}
    for i in instructions:
        if i.opname == "LOAD_GLOBAL":
            names[i.argval] = None
        elif i.opname in ("LOAD_ATTR", "LOAD_METHOD") and i.argval not in own:
            attributes[i.argval] = None
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            its_names, its_attributes = _names(inner)
            names.update(dict.fromkeys(its_names))
            attributes.update(dict.fromkeys(its_attributes))
    return tuple(names), tuple(attributes)


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


def reachable(function: Any, args: Any, watched: Any) -> tuple[list[Any], list[Any]]:
    """Modules, and all objects with parameters, that the step can reach in one step."""
    owner = owner_of(function)
    candidates = [owner, *leaves(args), *leaves([value for *_, value in watched])]
    candidates += list(vars(owner).values()) if hasattr(owner, "__dict__") else []
    if isinstance(function, functools.partial):
        candidates += leaves([function.args, function.keywords])
    objects = [c for c in candidates if hasattr(c, "parameters") or hasattr(c, "param_groups")]
    objects = [o for o in objects if not isinstance(o, type)]
    modules = [m for o in objects if hasattr(o, "training") for m in o.modules()]
    return modules, objects


def parameters_of(thing: Any) -> list[Any]:
    """The parameters that a module or an optimizer holds."""
    if hasattr(thing, "param_groups"):
        return [p for group in thing.param_groups for p in group["params"]]
    return list(thing.parameters())
