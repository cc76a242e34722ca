"""A module's state by path: saving it, loading it in place, casting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd import Tensor
from autograd.modes import changes

if TYPE_CHECKING:
    from nn.module import Module


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What `load_state_dict` returns."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()


def entries(module: Module, prefix: str = "") -> Iterator[tuple[str, Tensor, Module]]:
    """Parameters and persistent buffers as (path, tensor, owner); shared ones at each path."""
    for path, each in _modules(module, prefix):
        for name, t in (*each._parameters.items(), *each._buffers.items()):
            if t is not None and name not in each._transient:
                yield path + name, t, each


def _modules(module: Module, prefix: str) -> Iterator[tuple[str, Module]]:
    """Every module by path, which ends with a dot; shared ones at each path."""
    yield prefix, module
    for name, child in module._modules.items():
        if child is not None:
            yield from _modules(child, f"{prefix}{name}.")


def _call(module: Module, event: str, *args: Any) -> None:
    for hook in tuple(module._state_hooks.get(event, {}).values()):
        hook(module, *args)


def save(module: Module, into: Any, prefix: str, keep_vars: bool) -> Any:
    """See `Module.state_dict`."""
    _call(module, "before saving", prefix, keep_vars)
    for name, t in (*module._parameters.items(), *module._buffers.items()):
        if t is not None and name not in module._transient:
            into[prefix + name] = t if keep_vars else t.detach()
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=into, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    _call(module, "after saving", into, prefix, {})
    return into


def load(module: Module, given: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`."""
    if not isinstance(given, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(given).__name__}")
    given, keys, errors = dict(given), IncompatibleKeys([], []), []  # type: ignore[var-annotated]
    for prefix, each in list(_modules(module, "")):
        _call(each, "before loading", given, prefix, {}, strict, *keys, errors)
    own = {path: (t, owner) for path, t, owner in entries(module)}
    keys.missing_keys.extend(path for path in own if path not in given)
    keys.unexpected_keys.extend(path for path in given if path not in own)
    values = {}
    for path in own:
        if path in given:
            try:
                values[path] = _array(path, given[path], own[path][0].shape)
            except (TypeError, ValueError) as error:
                errors.append(str(error))
    if strict:
        _add_keys(errors, keys)
    _raise(module, errors)
    for path, value in values.items():
        t, owner = own[path]
        if assign and isinstance(given[path], Tensor):
            kept = type(t)(given[path].detach()) if type(t) is not Tensor else given[path]
            kept.tracked = t.tracked
            setattr(owner, path.rpartition(".")[2], kept)
        else:
            np.copyto(t.array, value, casting="unsafe")
            t.version[0] += 1
    for _, each in list(_modules(module, "")):
        _call(each, "after loading", keys)
    return keys


def _add_keys(errors: list[str], keys: IncompatibleKeys) -> None:
    for at, (kind, paths) in enumerate(
        (("Missing", keys.missing_keys), ("Unexpected", keys.unexpected_keys))
    ):
        if paths:
            listed = ", ".join(f'"{path}"' for path in paths)
            errors.insert(at, f"{kind} key(s) in state_dict: {listed}.")


def _raise(module: Module, errors: list[str]) -> None:
    if errors:
        listed = "\n\t".join(errors)
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{listed}"
        )


def _array(path: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`value` as an array; it must have that shape."""
    if isinstance(value, Tensor):
        value = value.array
    elif not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(
            f'While copying the parameter named "{path}", expected a Tensor or an array but'
            f" received {type(value).__name__}"
        )
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(
            f"size mismatch for {path}: copying a param with shape {array.shape} from checkpoint,"
            f" the shape in current model is {shape}."
        )
    return array


def cast(module: Module, dtype: np.dtype, integers: bool = False) -> None:
    """Floating-point parameters, their gradients, and buffers as `dtype`, in the same Tensors."""
    if dtype.kind != "f":
        raise TypeError(
            f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype.name}"
        )
    changes[0] += 1
    for each in module.modules():
        for t in (*each._parameters.values(), *each._buffers.values()):
            if t is None or t.dtype == dtype or not (integers or t.is_floating_point()):
                continue
            t.value = t.array.astype(dtype)
            t.version[0] += 1
            if t._grad is not None:
                t._grad = Tensor.wrap(t._grad.array.astype(dtype))
        recast = getattr(each, "_recast", None)
        if recast is not None:  # a layer that casts its inputs
            recast(dtype)
