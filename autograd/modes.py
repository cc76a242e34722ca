"""What is switched on in this thread: recording of a graph, and observers of the choke point."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any


class Modes(threading.local):
    """The state of one thread."""

    grad: bool = True
    """Record a graph."""
    observers: tuple[Callable[..., None], ...] = ()
    """Each is called as observer(op, inputs, meta, result) after every op."""
    recorder: Any = None
    """While a step is recorded: what is told of effects, gradients, and values that are read."""
    node: Any = None
    """While observed: the node whose backward is running."""


modes = Modes()
changes = [0]
"""Counts what a compiled step must notice: train or eval, what is trainable, attributes, hooks."""


class _Decorator:
    """A context manager that also decorates functions and generator functions."""

    def _again(self) -> Any:
        return type(self)()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return wrapper

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            resume, given = generator.send, None
            try:
                while True:
                    with self._again():
                        item = resume(given)
                    try:
                        resume, given = generator.send, (yield item)
                    except Exception as error:  # what .throw() brought belongs to the generator
                        resume, given = generator.throw, error
            except StopIteration as stop:
                return stop.value
            finally:
                generator.close()

        return wrapper


class set_grad_enabled(_Decorator):
    """Switch recording on or off: at once as a function, to the end of the block as a context."""

    def __init__(self, mode: bool):
        self.mode = bool(mode)
        self.before = modes.grad
        modes.grad = self.mode

    def _again(self) -> Any:
        return type(self)(self.mode)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate: undo the switch made at once, and set the mode inside `function` alone."""
        modes.grad = self.before
        return super().__call__(function)

    def __enter__(self) -> None:
        modes.grad = self.mode

    def __exit__(self, *exception: object) -> None:
        modes.grad = self.before


class _Switch(_Decorator):
    mode: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        self = object.__new__(cls)
        return self if function is None else self(function)

    def __enter__(self) -> None:
        self.before = modes.grad
        modes.grad = self.mode

    def __exit__(self, *exception: object) -> None:
        modes.grad = self.before


class no_grad(_Switch):
    """Nothing inside is recorded.  A context or a decorator, of the current thread only."""

    mode = False


class enable_grad(_Switch):
    """Record inside, even in `no_grad`.  A context or a decorator, of the current thread only."""

    mode = True


def is_grad_enabled() -> bool:
    """True when operations are being recorded in this thread."""
    return modes.grad


class observe(_Decorator):
    """Call `observer(op, inputs, meta, result)` after each op of this thread, backward included."""

    def __init__(self, observer: Callable[..., None]):
        self.observer = observer

    def _again(self) -> Any:
        return type(self)(self.observer)

    def __enter__(self) -> Any:
        self.before = modes.observers
        modes.observers = (*self.before, self.observer)

    def __exit__(self, *exception: object) -> None:
        modes.observers = self.before


def leaves(t: Any, how: str) -> None:
    """Tell the observers that ask for it (`left`) that a tensor's values leave the graph."""
    for observer in modes.observers:
        told = getattr(getattr(observer, "__self__", None), "left", None)
        if told is not None:
            told(t, how)
