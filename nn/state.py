"""A module's state by path: saving it, loading it in place, casting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd import Tensor

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
    own = {**module._parameters, **module._buffers}
    for name, t in own.items():
        if t is not None and name not in module._transient:
            yield prefix + name, t, module
    for name, child in module._modules.items():
        if child is not None:
            yield from entries(child, f"{prefix}{name}.")


def load(module: Module, given: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`."""
    if not isinstance(given, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(given).__name__}")
    own = {path: (t, owner) for path, t, owner in entries(module)}
    missing = [path for path in own if path not in given]
    unexpected = [path for path in given if path not in own]
    errors = []
    if strict and missing:
        errors.append(f"Missing key(s) in state_dict: {_quoted(missing)}.")
    if strict and unexpected:
        errors.append(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}.")
    values = {path: _array(path, given[path]) for path in own if path in given}
    for path, value in values.items():
        if value.shape != own[path][0].shape:
            errors.append(
                f"size mismatch for {path}: copying a param with shape {value.shape} from"
                f" checkpoint, the shape in current model is {own[path][0].shape}."
            )
    if errors:
        listed = "\n\t".join(errors)
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{listed}"
        )
    for path, value in values.items():
        t, owner = own[path]
        if assign and isinstance(given[path], Tensor):
            kept = type(t)(given[path].detach()) if type(t) is not Tensor else given[path]
            kept.tracked = t.tracked
            setattr(owner, path.rpartition(".")[2], kept)
        else:
            np.copyto(t.array, value, casting="unsafe")
            t.version[0] += 1
    return IncompatibleKeys(missing, unexpected)


def _array(path: str, value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        return value.array
    if not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(
            f"state_dict[{path!r}] is {type(value).__name__}; expected a Tensor or an array"
        )
    return np.asarray(value)


def _quoted(paths: list[str]) -> str:
    return ", ".join(f'"{path}"' for path in paths)


def cast(module: Module, dtype: np.dtype) -> None:
    """Floating-point parameters, their gradients, and buffers as `dtype`, in the same Tensors."""
    if dtype.kind != "f":
        raise TypeError(
            f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype.name}"
        )
    for each in module.modules():
        for t in (*each._parameters.values(), *each._buffers.values()):
            if t is None or not t.is_floating_point() or t.dtype == dtype:
                continue
            t.value = t.array.astype(dtype)
            t.version[0] += 1
            if t._grad is not None:
                t._grad = Tensor.wrap(t._grad.array.astype(dtype))
