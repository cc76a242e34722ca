"""What a user has called around an optimizer's `step`, `state_dict` and `load_state_dict`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from autograd.tensor import Handle


class Hooks:
    """The hooks of an optimizer; a copy or a pickle of it has none, as in PyTorch."""

    _step_hooks: dict[Any, Any]
    """(True, hook) before a step, (False, hook) after it."""
    _dict_hooks: dict[str, dict[Any, Any]]
    _inside: bool
    """A hooked step is running: one that it calls, `super().step()`, is part of it."""

    def _start_hooks(self) -> None:
        kinds = ("state_dict_pre", "state_dict_post", "load_pre", "load_post")
        self._step_hooks, self._inside = {}, False
        self._dict_hooks = {kind: {} for kind in kinds}

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(optimizer, args, kwargs)` before a step; args[0] is the optimizer.

        What it returns, None or `(args, kwargs)`, replaces the arguments.
        """
        return Handle(self._step_hooks, (True, hook))  # type: ignore[arg-type]

    def register_step_post_hook(self, hook: Callable[..., None]) -> Handle:
        """Call `hook(optimizer, args, kwargs)` after a step."""
        return Handle(self._step_hooks, (False, hook))  # type: ignore[arg-type]

    def register_state_dict_pre_hook(
        self, hook: Callable[[Any], None], prepend: bool = False
    ) -> Handle:
        """Call `hook(optimizer)` before `state_dict()`."""
        return _register(self._dict_hooks["state_dict_pre"], hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[[Any, dict[str, Any]], Any], prepend: bool = False
    ) -> Handle:
        """Call `hook(optimizer, state_dict)` after it; what it returns replaces the dict."""
        return _register(self._dict_hooks["state_dict_post"], hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[[Any, dict[str, Any]], Any], prepend: bool = False
    ) -> Handle:
        """Call `hook(optimizer, state_dict)` before loading; what it returns replaces the dict."""
        return _register(self._dict_hooks["load_pre"], hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[[Any], None], prepend: bool = False
    ) -> Handle:
        """Call `hook(optimizer)` after loading."""
        return _register(self._dict_hooks["load_post"], hook, prepend)

    def _call(self, kind: str, *given: Any) -> Any:
        """Run the hooks of a kind on `(state_dict,)` or `()`; returns the last replacement."""
        for hook in tuple(self._dict_hooks[kind].values()):
            result = hook(self, *given)
            if result is not None and given:
                given = (result,)
        return given[0] if given else None

    def _hooked(self, step: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
        """`step(*args, **kwargs)` with what is registered before and after it."""
        hooks = tuple(self._step_hooks.values())
        self._inside = True
        try:
            for hook in [hook for before, hook in hooks if before]:
                given = hook(self, args, kwargs)
                if given is None:
                    continue
                if not isinstance(given, tuple) or len(given) != 2:
                    raise RuntimeError(
                        f"step pre-hook {hook} must return None or a tuple of (new_args,"
                        f" new_kwargs), but got {given}."
                    )
                args, kwargs = given
            out = step(*args, **kwargs)
            for hook in [hook for before, hook in hooks if not before]:
                hook(self, args, kwargs)
        finally:
            self._inside = False
        return out


def _register(hooks: dict[Any, Any], hook: Callable[..., Any], prepend: bool) -> Handle:
    handle = Handle(hooks, hook)
    if prepend:
        for key in [key for key in hooks if key is not handle.key]:
            hooks[key] = hooks.pop(key)
    return handle


def wrapped(step: Callable[..., Any]) -> Callable[..., Any]:
    """A subclass's `step`, which then runs the hooks and tells schedulers that it was called."""

    @functools.wraps(step)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if self._step_hooks and not self._inside:
            return self._hooked(step, (self, *args), kwargs)
        return step(self, *args, **kwargs)

    hooked.knows_hooks = True  # type: ignore[attr-defined]
    return hooked


def unwrapped(step: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a `step` that does what `wrapped` does by itself: a call fewer, 0.15 us of 1.5."""
    step.knows_hooks = True  # type: ignore[attr-defined]
    return step
