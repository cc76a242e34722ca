"""Module: the base of all layers and models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from autograd import Tensor, dtypes
from autograd.tensor import Handle
from nn import state
from nn.registry import Registry, uninitialised

Self = TypeVar("Self", bound="Module")


class Module(Registry):
    """A function with parameters.  Subclass it: assign layers in `__init__`, define `forward`."""

    training: bool
    """What `train()` and `eval()` set."""
    _forward_pre_hooks: dict[Any, Any]
    _forward_hooks: dict[Any, Any]

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(training=True, _forward_pre_hooks={}, _forward_hooks={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; a subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and the hooks around it."""
        try:
            hooked = self._forward_pre_hooks or self._forward_hooks
        except AttributeError:
            raise uninitialised(self, "call the module") from None
        if hooked:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # Hooks

    def _call_with_hooks(self, args: Any, kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in tuple(self._forward_pre_hooks.values()):
            given = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if given is not None and with_kwargs:
                args, kwargs = given
            elif given is not None:
                args = given if isinstance(given, tuple) else (given,)
        output = self.forward(*args, **kwargs)
        for hook, with_kwargs in tuple(self._forward_hooks.values()):
            extra = (kwargs,) if with_kwargs else ()
            given = hook(self, args, *extra, output)
            if given is not None:
                output = given
        return output

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call `hook(module, args)` before forward; what it returns replaces the arguments."""
        return _register(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call `hook(module, args, output)` after forward; what it returns replaces the output."""
        return _register(self._forward_hooks, (hook, with_kwargs), prepend)

    # Doing something to all of it

    def apply(self: Self, fn: Callable[[Module], None]) -> Self:
        """Call `fn` on every module, children first; returns this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Training behaviour (dropout drops, batch norm learns), or evaluation if not `mode`."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Evaluation behaviour.  Gradients are still recorded: that is `autograd.no_grad`'s."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Freeze (False) or unfreeze all parameters."""
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with `set_to_none=False`, fill them with zeros instead."""
        for p in self.parameters():
            if set_to_none or p._grad is None:
                p._grad = None
            else:
                p._grad = p._grad.detach()
                p._grad.zero_()

    def to(self: Self, *args: Any, dtype: Any = None, **kwargs: Any) -> Self:
        """`to(dtype)` or `to("cpu")`: floating-point parameters and buffers change in place."""
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif not isinstance(arg, (str, bool, type(None))) or arg in np.sctypeDict:
                dtype = arg
            else:
                Tensor().to(arg)
        if dtype is not None:
            state.cast(self, dtypes.as_dtype(dtype))
        return self

    def float(self: Self) -> Self:
        """All floating-point parameters and buffers as float32."""
        return self.to(dtypes.float32)

    def double(self: Self) -> Self:
        """All floating-point parameters and buffers as float64."""
        return self.to(dtypes.float64)

    def cpu(self: Self) -> Self:
        """Itself: there is no other device."""
        return self

    # State

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """All parameters and persistent buffers by path.

        They share memory with the module, as in PyTorch: copy them to keep them as they are now.
        """
        return {path: t if keep_vars else t.detach() for path, t, _ in state.entries(self, prefix)}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy values in place, into the module's dtype; tensors or arrays by path.

        RuntimeError, with nothing changed, that names every key that is missing or unexpected
        (only if `strict`) or of another shape.  `assign`: take over the tensors themselves.
        """
        return state.load(self, state_dict, strict, assign)

    # Display

    def extra_repr(self) -> str:
        """What stands in the parentheses of `repr`."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + repr(module).replace("\n", "\n  ")
            for name, module in self._modules.items()
        ]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        body = [*lines, *children]
        inside = "\n  " + "\n  ".join(body) + "\n" if body else ""
        return f"{self._get_name()}({inside})"


def _register(hooks: dict[Any, Any], hook: Any, prepend: bool) -> Handle:
    handle = Handle(hooks, hook)
    if prepend:
        others = {key: value for key, value in hooks.items() if key is not handle.key}
        for key in others:
            hooks[key] = hooks.pop(key)
    return handle
