"""Copying a module's values and flags by name, from one framework into the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nn.torch_sides import Side


def copy_state(source: Any, target: Any, here: Side, there: Side, adopt: bool) -> None:
    """All values and flags of `source`; RuntimeError, with nothing changed, where it cannot be.

    With `adopt` the target was just built: it takes over dtypes and ties.  Without, it keeps its
    own, and must hold the values exactly.
    """
    given, own = _tensors(source), _tensors(target)
    problems = _differences(source.state_dict(), own, target.state_dict(), given)
    common = [name for name in own if name in given]
    arrays = {name: here.array(given[name], name) for name in common}
    if adopt:
        _tie(target, own, _leaders(given, common))
    else:
        problems += _tied_otherwise(_leaders(given, common), _leaders(own, common))
        problems += _unfit(arrays, own, there)
    problems += _misshapen(arrays, own)
    _raise(problems, here, target)
    for name, array in arrays.items():
        (there.adopt if adopt else there.write)(own[name], array)
    parameters = dict(source.named_parameters(remove_duplicate=False))
    for name, p in target.named_parameters(remove_duplicate=False):
        if name in parameters:
            p.requires_grad_(parameters[name].requires_grad)
    _copy_training(source, target)


def copy_values(state: Mapping[str, Any], target: Any, here: Side, there: Side) -> None:
    """The values of a state_dict; RuntimeError, with nothing changed, where it cannot be."""
    own = _tensors(target)
    for name, value in state.items():
        if not isinstance(value, here.tensor):
            raise TypeError(
                f"{here.title}: {name!r} in the state_dict is a {type(value).__name__}, not a"
                f" tensor of {here.name}"
            )
    problems = _differences(state, own, target.state_dict(), state)
    common = [name for name in own if name in state]
    arrays = {name: here.array(state[name], name) for name in common}
    for name, leader in _leaders(own, common).items():
        if name != leader and not np.array_equal(arrays[name], arrays[leader], equal_nan=True):
            problems.append(f"{name} and {leader} are one tensor in `into`, but differ here")
    problems += _misshapen(arrays, own) + _unfit(arrays, own, there)
    _raise(problems, here, target)
    for name, array in arrays.items():
        there.write(own[name], array)


def _tensors(module: Any) -> dict[str, Any]:
    """Parameters and buffers, those outside of state_dict too, at each of their paths."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _differences(
    given_keys: Iterable[str], own: Any, own_keys: Iterable[str], given: Any
) -> list[str]:
    missing = [name for name in own_keys if name not in given]
    unexpected = [name for name in given_keys if name not in own]
    problems = []
    if missing:
        problems.append(f"missing in the source: {', '.join(missing)}")
    if unexpected:
        problems.append(f"unknown to `into`: {', '.join(unexpected)}")
    return problems


def _misshapen(arrays: dict[str, np.ndarray], own: dict[str, Any]) -> list[str]:
    return [
        f"{name} has shape {array.shape}, but {tuple(own[name].shape)} in `into`"
        for name, array in arrays.items()
        if array.shape != tuple(own[name].shape)
    ]


def _unfit(arrays: dict[str, np.ndarray], own: dict[str, Any], there: Side) -> list[str]:
    return [
        f"{name} is {array.dtype}, whose values {own[name].dtype} in `into` cannot hold exactly;"
        " change the dtype of one of the modules first, as with into.double()"
        for name, array in arrays.items()
        if not np.can_cast(array.dtype, there.dtype(own[name]), "safe")
    ]


def _leaders(tensors: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    """For each name the first name of the same tensor."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensors[name]), name) for name in names}


def _tied_otherwise(given: dict[str, str], own: dict[str, str]) -> list[str]:
    return [
        f"{name} is one tensor with {own[name] if given[name] == name else given[name]} in"
        f" {'`into`' if given[name] == name else 'the source'} only; tie both or none"
        for name in given
        if given[name] != own[name]
    ]


def _tie(target: Any, own: dict[str, Any], leaders: dict[str, str]) -> None:
    for name, leader in leaders.items():
        if own[name] is not own[leader]:
            path, _, attribute = name.rpartition(".")
            setattr(target.get_submodule(path), attribute, own[leader])
            own[name] = own[leader]


def _copy_training(source: Any, target: Any) -> None:
    """The flag of each module at the same path; where there is none, that of the one above."""
    flags = {path: m.training for path, m in source.named_modules(remove_duplicate=False)}
    for path, module in target.named_modules(remove_duplicate=False):
        while path not in flags:
            path = path.rpartition(".")[0]
        module.training = flags[path]


def _raise(problems: list[str], here: Side, target: Any) -> None:
    if problems:
        listed = "\n\t".join(problems)
        raise RuntimeError(f"{here.title}: into {type(target).__name__}:\n\t{listed}")
