"""`remember`: note what a graph does not keep: every value, its line, and which module made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograd.anomaly import user_line
from autograd.modes import observe
from autograd.tensor import Tensor


@dataclass
class Note:
    """What was seen of one op: its inputs, its value, the user's line, the module it ran in."""

    inputs: tuple[Any, ...]
    value: Any
    line: str
    path: tuple[str, ...]


class Memory(observe):
    """See `remember`."""

    def __init__(self, model: Any = None):
        super().__init__(self._look)
        self.model = model
        self.notes: dict[float, Note] = {}
        self._path: list[str] = []
        self._handles: list[Any] = []

    def _again(self) -> Any:
        return type(self)(self.model)

    def _look(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        if result.node is None:
            return
        given = tuple(x.detach() if isinstance(x, Tensor) and x.tracked else x for x in inputs)
        path = tuple(self._path[-1].split(".")) if self._path else ()
        value = result.value if type(result.value) is float else result.value.copy()
        self.notes[result.node.order] = Note(given, value, user_line(), path)

    def __enter__(self) -> Memory:
        super().__enter__()
        if self.model is not None:
            kind = type(self.model).__name__
            for name, module in self.model.named_modules():
                self._handles += [
                    module.register_forward_pre_hook(self._entering(f"{kind}.{name}".strip("."))),
                    module.register_forward_hook(self._leaving, always_call=True),
                ]
        return self

    def _entering(self, name: str) -> Any:
        def enter(module: Any, args: Any) -> None:
            self._path.append(name)

        return enter

    def _leaving(self, module: Any, args: Any, output: Any) -> None:
        if self._path:
            self._path.pop()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        while self._handles:
            self._handles.pop().remove()
        self._path.clear()


def remember(model: Any = None) -> Memory:
    """Note every value, its line and, given a model, its module: for what drawing cannot know.

    >>> import autograd
    >>> x = autograd.scalar(3.0, requires_grad=True)
    >>> with autograd.remember() as seen:
    ...     y = (x + 1) * 2
    >>> y.backward()
    >>> picture = autograd.draw(y, seen=seen)

    A graph keeps only what its gradients need, and less after backward().  Values seen are copied,
    so this is for looking, not for training.
    """
    return Memory(model)
