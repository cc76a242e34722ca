"""Hooks around a module: functions that see, and may replace, what goes in and comes out."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from autograd import Function, Tensor, is_grad_enabled, zeros_like
from autograd.tensor import Handle
from nn.registry import Registry

Hook = Callable[..., Any]


class Hooked(Registry):
    """The part of Module that calls hooks; each registration returns a handle with `remove()`."""

    _forward_pre_hooks: dict[Any, Any]
    _forward_hooks: dict[Any, Any]
    _backward_pre_hooks: dict[Any, Any]
    _backward_hooks: dict[Any, Any]

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(
            _forward_pre_hooks={}, _forward_hooks={}, _backward_pre_hooks={}, _backward_hooks={}
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; a subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call `hook(module, args)` before forward; what it returns replaces the arguments.

        `with_kwargs`: `hook(module, args, kwargs)`, which returns (args, kwargs).
        """
        return _register(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> Handle:
        """Call `hook(module, args, output)` after forward; what it returns replaces the output.

        `with_kwargs`: `hook(module, args, kwargs, output)`.  `always_call`: also when forward or
        another hook raised, with None where there is no output.
        """
        return _register(self._forward_hooks, (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known.

        `grad_output` is a tuple; what the hook returns replaces it.
        """
        return _register(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        Both are tuples with a place for each positional argument and each output, None where that
        is no tensor.  What the hook returns replaces grad_input.
        """
        return _register(self._backward_hooks, hook, prepend)

    def _call_with_hooks(self, args: Any, kwargs: dict[str, Any]) -> Any:
        called: set[Any] = set()
        output = None
        try:
            for hook, with_kwargs in tuple(self._forward_pre_hooks.values()):
                given = hook(self, args, kwargs) if with_kwargs else hook(self, args)
                if given is not None and with_kwargs:
                    args, kwargs = given
                elif given is not None:
                    args = given if isinstance(given, tuple) else (given,)
            watched = self._backward_hooks or self._backward_pre_hooks
            gate = _Gate(self) if watched and is_grad_enabled() else None
            if gate is not None:
                args = gate.enter(args)
            output = self.forward(*args, **kwargs)
            for key, (hook, with_kwargs, _) in tuple(self._forward_hooks.items()):
                called.add(key)
                given = hook(self, args, *((kwargs,) if with_kwargs else ()), output)
                output = output if given is None else given
            return output if gate is None else gate.leave(output)
        except Exception:
            self._call_in_spite_of_error(called, args, kwargs, output)
            raise

    def _call_in_spite_of_error(
        self, called: set[Any], args: Any, kwargs: dict[str, Any], output: Any
    ) -> None:
        for key, (hook, with_kwargs, always) in tuple(self._forward_hooks.items()):
            if always and key not in called:
                try:
                    given = hook(self, args, *((kwargs,) if with_kwargs else ()), output)
                    output = output if given is None else given
                except Exception as error:
                    warnings.warn(
                        "module forward hook with always_call=True raised an exception that was"
                        f" silenced as another error was raised in forward: {error}",
                        RuntimeWarning,
                        stacklevel=4,
                    )


def _register(hooks: dict[Any, Any], hook: Any, prepend: bool) -> Handle:
    handle = Handle(hooks, hook)
    if prepend:
        others = {key: value for key, value in hooks.items() if key is not handle.key}
        for key in others:
            hooks[key] = hooks.pop(key)
    return handle


# Backward hooks: the inputs and the outputs of a call pass identities that see their gradients


class _Gate:
    """One call of a module with backward hooks."""

    def __init__(self, module: Hooked):
        self.module = module
        self.before = tuple(module._backward_pre_hooks.values())
        self.after = tuple(module._backward_hooks.values())
        self.inputs: tuple[Any, ...] = ()
        self.open = False  # an input wants a gradient, so that the call ends there
        self.grad_output: Any = None
        self.reached: set[int] = set()

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, tensors passed through the identity."""
        self.inputs = args
        self.open = bool(self.after) and any(_wants(a) for a in args)
        return self._pass(_Inputs, args) if self.open else args

    def leave(self, output: Any) -> Any:
        """The outputs, likewise."""
        outputs = output if isinstance(output, tuple) else (output,)
        if not isinstance(output, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of"
                f" Tensors but received {type(output)}",
                UserWarning,
                stacklevel=4,
            )
            return output
        if not any(map(_wants, outputs)):
            return output
        passed = self._watch(self._pass(_Outputs, outputs))
        return passed if isinstance(output, tuple) else passed[0]

    def _pass(self, identity: type[Function], values: tuple[Any, ...]) -> tuple[Any, ...]:
        wanting = [i for i, v in enumerate(values) if _wants(v)]
        made = identity.apply(self, wanting, len(values), *[values[i] for i in wanting])
        passed = list(values)
        for i, t in zip(wanting, made):
            passed[i] = t
        return tuple(passed)

    def _watch(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Note which of the outputs a gradient comes from; the others' is None in the hooks."""
        for i, t in enumerate(outputs):
            if _wants(t):
                t.register_hook(functools.partial(self._reach, i))
        return outputs

    def _reach(self, i: int, g: Tensor) -> None:
        self.reached.add(i)

    def on_outputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients of the outputs are known."""
        grads = tuple(g if i in self.reached else None for i, g in enumerate(grads))
        self.reached.clear()
        for hook in self.before:
            given = hook(self.module, grads)
            if given is not None:
                grads = _as_many("pre hook", "grad_output", given, grads)
        self.grad_output = grads
        if self.after and not self.open:
            self._without_inputs()
        return grads

    def _without_inputs(self) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module"
            " outputs since no inputs require gradients",
            UserWarning,
            stacklevel=2,
        )
        for hook in self.after:
            given = hook(self.module, (None,) * len(self.inputs), self.grad_output)
            if given is not None and any(g is not None for g in given):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always"
                    " return None or None for all gradients."
                )

    def on_inputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients of the inputs are known."""
        if self.grad_output is None:
            return grads  # they came another way than through the outputs
        grads = tuple(
            zeros_like(x) if g is None and isinstance(x, Tensor) and x.is_floating_point() else g
            for g, x in zip(grads, self.inputs)
        )
        for hook in self.after:
            given = hook(self.module, grads, self.grad_output)
            if given is not None:
                grads = _as_many("hook", "grad_input", given, grads)
        self.grad_output = None
        return grads


def _wants(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _as_many(hook: str, what: str, given: Any, grads: tuple[Any, ...]) -> tuple[Any, ...]:
    given = given if isinstance(given, tuple) else (given,)
    if len(given) != len(grads):
        raise RuntimeError(
            f"Backward {hook} returned an invalid number of {what}, got {len(given)}, but expected"
            f" {len(grads)}"
        )
    return given


class _Identity(Function):
    """Copies of tensors; `places` says where among `count` values they stand."""

    @staticmethod
    def forward(ctx: Any, gate: _Gate, places: list[int], count: int, *tensors: Tensor) -> Any:
        """New tensors: an in-place change of one must not reach what was given."""
        ctx.gate, ctx.places, ctx.count = gate, places, count
        return tuple(t.clone() for t in tensors)

    @staticmethod
    def _spread(ctx: Any, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            grads[ctx.places.index(i)] if i in ctx.places else None for i in range(ctx.count)
        )

    @staticmethod
    def _picked(ctx: Any, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        return (None, None, None, *(grads[i] for i in ctx.places))


class _Inputs(_Identity):
    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Hand the gradients to the gate, which calls the hooks."""
        return _Identity._picked(ctx, ctx.gate.on_inputs(_Identity._spread(ctx, grads)))


class _Outputs(_Identity):
    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Hand the gradients to the gate, which calls the hooks."""
        return _Identity._picked(ctx, ctx.gate.on_outputs(_Identity._spread(ctx, grads)))
