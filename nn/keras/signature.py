"""What the `call` and `build` of a layer's class take, read once per class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

_VARIED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class CallSignature:
    """The arguments of a `call` method."""

    def __init__(self, call: Callable[..., Any]):
        parameters = list(inspect.signature(call).parameters.values())[1:]
        self.names = [p.name for p in parameters if p.kind not in _VARIED]
        self.training = "training" in self.names
        default = next((p.default for p in parameters if p.name == "training"), None)
        self.training_default = default is True
        self.at = self.names.index("training") if self.training else 0
        self.any_keyword = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name; surplus positional ones, which `call` will refuse, left out."""
        return {**dict(zip(self.names, args)), **kwargs}

    def said(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the caller passed as `training`, by name or place; None if nothing."""
        if self.training and len(args) > self.at:
            return args[self.at]
        return kwargs.get("training")


@functools.lru_cache(maxsize=1024)
def build_names(build: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the shapes that an unbound `build` takes."""
    parameters = list(inspect.signature(build).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in _VARIED)


@functools.lru_cache(maxsize=1024)
def init_names(kind: Any) -> tuple[frozenset[str], bool]:
    """The names that a class's `__init__` takes, and whether it takes any keyword."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    named = frozenset(p.name for p in parameters if p.kind not in _VARIED)
    return named, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def arguments_of(kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that `__init__` was given, by name, with the defaults of the others."""
    bound = inspect.signature(kind.__init__).bind(None, *args, **kwargs)  # type: ignore[misc]
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for p in list(inspect.signature(kind.__init__).parameters.values())[1:]:  # type: ignore[misc]
        if p.kind is inspect.Parameter.VAR_KEYWORD:
            found.update(bound.arguments[p.name])
        elif p.kind is not inspect.Parameter.VAR_POSITIONAL:
            found[p.name] = bound.arguments[p.name]
    return found
