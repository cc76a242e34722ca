"""Module: the base of all layers and models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from autograd import Tensor, dtypes
from autograd.modes import modes
from autograd.tensor import Handle
from nn import state
from nn.hooks import Hooked
from nn.registry import uninitialised

Self = TypeVar("Self", bound="Module")


class Module(Hooked):
    """A function with parameters.  Subclass it: assign layers in `__init__`, define `forward`."""

    training: bool
    """What `train()` and `eval()` set."""
    _state_hooks: dict[str, dict[Any, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["training"] = True
        self.__dict__["_state_hooks"] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and the hooks around it."""
        try:
            hooked = (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
            )
        except AttributeError:
            raise uninitialised(self, "call the module") from None
        if hooked:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

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
        self.training = mode
        for module in self.children():
            module.train(mode)  # one that overrides it, to keep a layer frozen, is asked
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
        recorder = modes.recorder
        for p in self.parameters():
            if recorder is not None:
                recorder.assigned(p)
            if set_to_none or p._grad is None:
                p._grad = None
            else:
                p._grad = p._grad.detach()
                p._grad.zero_()

    # Dtype and device

    def to(self: Self, *args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> Self:
        """`to(dtype)` or `to("cpu")`: floating-point parameters and buffers change in place.

        `non_blocking` and `memory_format` are accepted: here they make no difference.
        """
        unknown = kwargs.keys() - {"non_blocking", "memory_format"}
        if unknown:
            raise TypeError(f"to: unexpected {sorted(unknown)}; expected dtype or device")
        for arg in (*args, device):
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif not isinstance(arg, (str, bool, type(None))) or arg in np.sctypeDict:
                dtype = arg
            else:
                Tensor().to(arg)
        if dtype is not None:
            state.cast(self, dtypes.as_dtype(dtype))
        return self

    def type(self: Self, dst_type: Any) -> Self:
        """All parameters and buffers, also those of integers, as a floating-point dtype."""
        state.cast(self, dtypes.as_dtype(dst_type), integers=True)
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

    def half(self) -> NoReturn:
        """TypeError: there is no float16."""
        raise TypeError("half: tapegrad computes in float32 and float64; use float() or double()")

    def bfloat16(self) -> NoReturn:
        """TypeError: there is no bfloat16."""
        raise TypeError(
            "bfloat16: tapegrad computes in float32 and float64; use float() or double()"
        )

    def cuda(self, device: Any = None) -> NoReturn:
        """RuntimeError: there is no GPU."""
        raise RuntimeError("cuda: tapegrad runs on the CPU; there is only 'cpu'")

    def share_memory(self) -> NoReturn:
        """NotImplementedError: threads share a module's memory without it."""
        raise NotImplementedError(
            "share_memory: memory is not shared between processes; threads of one process see the"
            " same parameters without it, and kernels release the interpreter's lock"
        )

    # State

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """All parameters and persistent buffers by path, added to `destination` where given.

        They share memory with the module, as in PyTorch: copy them to keep them as they are now.
        """
        return state.save(self, {} if destination is None else destination, prefix, keep_vars)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy values in place, into the module's dtype; tensors or arrays by path.

        RuntimeError, with nothing changed, that names every key that is missing or unexpected
        (only if `strict`) or of another shape.  `assign`: take over the tensors themselves.
        """
        return state.load(self, state_dict, strict, assign)

    def _on(self, event: str, hook: Callable[..., Any]) -> Handle:
        return Handle(self._state_hooks.setdefault(event, {}), hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> Handle:
        """Call `hook(module, prefix, keep_vars)` before this module's part of a state_dict."""
        return self._on("before saving", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> Handle:
        """Call `hook(module, state_dict, prefix, metadata)` after it; metadata is empty here."""
        return self._on("after saving", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> Handle:
        """Call a hook before loading, which may change `state_dict`, a shallow copy.

        `hook(module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`; what it adds to the lists is reported.
        """
        return self._on("before loading", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> Handle:
        """Call `hook(module, incompatible_keys)` after loading; the lists in it may be changed."""
        return self._on("after loading", hook)

    # Display

    def extra_repr(self) -> str:
        """What stands in the parentheses of `repr`."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def _shown_children(self) -> list[str]:
        """A line, or a block of lines, per child."""
        return [f"({name}): {_indented(repr(m))}" for name, m in self._modules.items()]

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = self._shown_children()
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        body = [*lines, *children]
        inside = "\n  " + "\n  ".join(body) + "\n" if body else ""
        return f"{self._get_name()}({inside})"

    def __dir__(self) -> list[str]:
        return sorted(name for name in set(super().__dir__()) if not name[:1].isdigit())


def _indented(block: str) -> str:
    return block.replace("\n", "\n  ")


class Layer(Module):
    """A module from one tensor to one tensor, so that type checkers know what a call gives."""

    if TYPE_CHECKING:

        def __call__(self, input: Tensor) -> Tensor: ...  # noqa: D102
