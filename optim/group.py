"""Parameter groups: plain dicts whose every write reaches the kernels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.modes import changes, modes

_LISTS = ("params", "param_names")


class ParamGroup(dict[str, Any]):
    """Parameters and the hyper-parameters they share: a plain dict whose writes the kernels see.

    `live` holds what `read(group)` makes of the hyper-parameters.  Every write to the dict renews
    it in place, so a step reads one array, and a scheduler's `group["lr"] = x` is in it.  `moving`:
    some are Tensors, which may change without a write; then a step begins with `renew()`.
    """

    def __init__(
        self,
        options: dict[str, Any],
        read: Callable[[dict[str, Any]], Iterable[float]] | None = None,
    ):
        super().__init__()
        self.read = read
        self.moving = False
        for key, value in options.items():
            super().__setitem__(key, self._fixed(key, value))
        self.live = np.zeros(0 if read is None else len(tuple(read(self))), np.float64)
        self.renew()

    def _fixed(self, key: str, value: Any) -> Any:
        """`value`, or for a list a tuple: what is written inside a list would not be seen."""
        fixed = self.read is not None and type(value) is list and key not in _LISTS
        return tuple(value) if fixed else value

    def renew(self) -> None:
        """Read the hyper-parameters into `live` again."""
        if self.read is not None:
            values = tuple(self.read(self))
            moving = any(isinstance(v, Tensor) for v in values)
            if moving != self.moving:
                changes[0] += 1  # compiled steps call `renew` only where it was needed
                self.moving = moving
            self.live[:] = [v.item() if isinstance(v, Tensor) else float(v) for v in values]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, self._fixed(key, value))
        self._written({key})

    def update(self, *others: Any, **options: Any) -> None:
        """As `dict.update`."""
        given = dict(*others, **options)
        for key, value in given.items():
            super().__setitem__(key, self._fixed(key, value))
        self._written(given.keys())

    def _written(self, keys: Iterable[str]) -> None:
        if modes.recorder is not None:
            modes.recorder.changed(
                "a hyper-parameter of an optimizer", "call scheduler.step() outside of the step"
            )
        if self.read is None or "params" in keys:
            changes[0] += 1  # what an optimizer in Python reads is a constant of a recording
        self.renew()

    def __ior__(self, other: Any) -> ParamGroup:  # type: ignore[override, misc]
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return ParamGroup, (dict(self), self.read)

    def __deepcopy__(self, memo: dict[int, Any]) -> ParamGroup:
        twin = ParamGroup({}, None)
        memo[id(self)] = twin
        twin.__init__(copy.deepcopy(dict(self), memo), self.read)  # type: ignore[misc]
        return twin
