"""Modules and states to and from live PyTorch: `from_torch`, `to_torch`.

A module made of layers that both have is built anew, layer by layer: a constructor's arguments are
the attributes of the same names.  Into a module of your own the values are copied by name.  Either
way they arrive exactly, or there is an error.
"""

from __future__ import annotations

import inspect
from typing import Any

from nn.torch_sides import Ours, Side, Torch
from nn.torch_state import copy_state, copy_values

_UNKEPT = {"device", "dtype", "size_average", "reduce", "_weight", "_freeze", "min_value"}
_UNKEPT |= {"max_value", "init", "args", "kwargs"}
"""Arguments that decide on initial values only, or were replaced by others."""
_KEPT_AS = {"p": "norm"}
"""Arguments whose attribute has another name (of PairwiseDistance)."""
_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks")


def from_torch(source: Any, into: Any = None) -> Any:
    """A PyTorch module, state or tensor as ours; with memory of its own.

    - `from_torch(module)` builds the same module of ours, if it is made of layers that we have:
      values, dtypes, buffers, training flags, frozen and tied parameters.  TypeError naming the
      path and type of a layer that we do not have, or that is a class of your own.
    - `from_torch(module_or_state_dict, into=ours)` copies the values by name into a module of
      ours, and a module's flags too; returns `ours`.  RuntimeError, with nothing changed, that
      lists what is missing, unexpected, of another shape or tied otherwise, or does not fit a
      dtype exactly.
    - `from_torch(state)` converts the tensors in nested dicts, lists and tuples.

    float16 and bfloat16 become float32, with a warning.  ImportError where PyTorch is missing.
    """
    return _convert(source, into, Torch("from_torch"), Ours("from_torch"))


def to_torch(source: Any, into: Any = None) -> Any:
    """A module of ours, a state or a tensor as PyTorch's: `from_torch` the other way round."""
    return _convert(source, into, Ours("to_torch"), Torch("to_torch"))


def _convert(source: Any, into: Any, here: Side, there: Side) -> Any:
    if into is not None and not isinstance(into, there.module):
        raise TypeError(
            f"{here.title}: `into` should be a module of {there.name}, got {type(into).__name__}"
        )
    if isinstance(source, here.module):
        if into is None:
            into = _build(source, "", here, there, {})
            copy_state(source, into, here, there, adopt=True)
        else:
            copy_state(source, into, here, there, adopt=False)
        return into
    if isinstance(source, (there.module, there.tensor)):
        raise TypeError(f"{here.title}: the source is a {type(source).__name__} of {there.name}")
    if into is None:
        return _nested(source, "source", here, there, {})
    if not isinstance(source, dict):
        raise TypeError(
            f"{here.title}: expected a module or a state_dict of {here.name}, got"
            f" {type(source).__name__}"
        )
    copy_values(source, into, here, there)
    return into


# States


def _nested(value: Any, place: str, here: Side, there: Side, seen: dict[Any, Any]) -> Any:
    """The same with its tensors converted; tensors with the same memory share it again."""
    if isinstance(value, here.tensor):
        key = here.memory(value)
        if key not in seen:
            seen[key] = value, there.tensor_from(here.array(value, place))
        return seen[key][1]
    if isinstance(value, dict):
        items = value.items()
        return {k: _nested(v, f"{place}[{k!r}]", here, there, seen) for k, v in items}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        made = [_nested(v, f"{place}[{i}]", here, there, seen) for i, v in enumerate(value)]
        return made if isinstance(value, list) else tuple(made)
    return value


# Building


def _build(module: Any, path: str, here: Side, there: Side, memo: dict[int, Any]) -> Any:
    if id(module) in memo:
        return memo[id(module)]
    kind = type(module)
    twin: Any = getattr(there.layers, kind.__name__, None)
    at = f"{path!r}" if path else "the module"
    if getattr(here.layers, kind.__name__, None) is not kind or not _is_class(twin, there):
        raise TypeError(
            f"{here.title}: {at} is a {kind.__module__}.{kind.__qualname__}, for which"
            f" {there.name} has no layer; build the module yourself and use"
            f" {here.title}(source, into=module)"
        )
    if any(getattr(module, hooks, None) for hooks in _HOOKS):
        raise TypeError(f"{here.title}: {at} has hooks, which are code; remove them, or use into=")
    if kind.__name__ in _CONTAINERS:
        made = twin()
        for name, child in module._modules.items():
            below = f"{path}.{name}" if path else name
            twin_of_child = None if child is None else _build(child, below, here, there, memo)
            made.add_module(name, twin_of_child)
    elif kind.__name__ in ("ParameterList", "ParameterDict"):
        copies = {
            name: there.parameter(there.tensor_from(here.array(p, at)))
            for name, p in module.named_parameters(remove_duplicate=False)
        }
        made = twin(copies if kind.__name__ == "ParameterDict" else copies.values())
    else:
        arguments = _arguments(module, twin, at, here, there)
        for name, value in arguments.items():
            if isinstance(value, here.module):  # a layer given as an argument, as to some losses
                below = f"{path}.{name}" if path else name
                arguments[name] = _build(value, below, here, there, memo)
        made = twin(**arguments)
    memo[id(module)] = made
    return made


def _is_class(twin: Any, there: Side) -> bool:
    return isinstance(twin, type) and issubclass(twin, there.module)


def _arguments(module: Any, twin: Any, at: str, here: Side, there: Side) -> dict[str, Any]:
    """Keywords to build `twin` as `module` was built; TypeError where one has no counterpart."""
    kind = type(module)
    given = _parameters(kind)
    wanted = _parameters(twin)
    found = {name: _attribute(module, name) for name in {**given, **wanted}}
    for name in given.keys() - wanted.keys():
        if found[name] is not _ABSENT and not _equal(found[name], given[name].default):
            raise TypeError(
                f"{here.title}: {at} is a {kind.__name__} with {name}={found[name]!r}, which"
                f" {there.name}'s does not have"
            )
    kwargs = {}
    for name, parameter in wanted.items():
        if found[name] is not _ABSENT:
            kwargs[name] = _nested(found[name], f"{at}.{name}", here, there, {})
        elif name in given or parameter.default is parameter.empty:
            raise TypeError(
                f"{here.title}: {at} is a {kind.__name__} that does not keep its argument {name};"
                f" build it yourself and use {here.title}(source, into=module)"
            )
    return kwargs


_ABSENT: Any = object()


def _equal(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, (int, float, str, tuple)) and value == default)


def _parameters(kind: type) -> dict[str, inspect.Parameter]:
    found = inspect.signature(kind).parameters
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {n: p for n, p in found.items() if n not in _UNKEPT and p.kind not in variable}


def _attribute(module: Any, name: str) -> Any:
    value = getattr(module, name, _ABSENT)
    if value is _ABSENT:
        value = getattr(module, _KEPT_AS.get(name, name), _ABSENT)
    if name == "bias" and value is not _ABSENT and not isinstance(value, bool):
        return value is not None  # the argument says whether there is one
    return value
