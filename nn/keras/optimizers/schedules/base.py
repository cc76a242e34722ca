"""A learning rate as a function of the step, and where an update finds it in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd import Tensor, no_grad
from autograd.kernel import JIT, device, kernel
from autograd.modes import modes
from nn.keras import config
from nn.keras.optimizers.schedules.formulas import rate_at

Self = TypeVar("Self", bound="LearningRateSchedule")


class LearningRateSchedule:
    """The base of all: a subclass writes `__call__(step)`, in ops or in plain Python.

    A compiled step calls it before each replay; the schedules of this package are computed inside.
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, counted from 0."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a subclass that is to be saved writes it."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order"
            " to be serializable."
        )

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The schedule with these arguments."""
        return cls(**config)


_rate_at = device(rate_at)


@kernel
def _rates(out, steps, kind, numbers):
    for i in range(out.size):
        out[i] = _rate_at(kind, numbers, np.float64(steps[i]))
    return -1


class Formula(LearningRateSchedule):
    """A schedule that kernels compute: number `kind` of `formulas.rate_at`.

    `names`: the constructor's arguments; `_read()` makes the formula's numbers of them, again
    whenever one is set.
    """

    kind: int
    names: tuple[str, ...]
    name: str
    numbers: np.ndarray | None = None

    def _read(self) -> list[float]:
        raise NotImplementedError

    def _ready(self) -> None:
        """To be called at the end of the constructor."""
        self.numbers = np.array(self._read(), np.float64)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self.numbers is not None and name in self.names:
            self.numbers[:] = self._read()

    def __call__(self, step: Any) -> Tensor:
        """The learning rate at a step or at each of several, as a tensor of `floatx()`."""
        steps = step.value if isinstance(step, Tensor) else np.asarray(step)
        steps = np.asarray(steps)
        out = Tensor.wrap(np.zeros(steps.shape, config.floatx()))
        if not isinstance(step, Tensor):
            step = Tensor.wrap(steps if steps.dtype == np.int64 else steps.astype(np.float64))
        self._fill((out.array, step.array))
        if modes.recorder is not None:
            modes.recorder.effect(self.name, self._fill, (out, step), [], made=out, status=-1)
        return out

    def _fill(self, arrays: tuple[np.ndarray, ...]) -> int:
        out, steps = (a.reshape(-1) for a in arrays)
        assert self.numbers is not None
        if JIT:
            return _rates.run(out, steps, self.kind, self.numbers)
        out[...] = [rate_at(self.kind, self.numbers, float(s)) for s in steps]
        return -1

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**{name: getattr(self, name) for name in self.names}, "name": self.name}


def positive(name: str, value: Any) -> Any:
    """ValueError unless a number of steps is above 0."""
    if value <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")
    return value


def current(rate: Any, iterations: Tensor) -> Any:
    """What a schedule or a function gives now."""
    return rate(iterations) if isinstance(rate, LearningRateSchedule) else rate()


class Rate:
    """The learning rate of an optimizer, in an array of one element.

    `launch` computes it by a kernel, where it is a formula; `before` by Python, where it is not.
    """

    def __init__(self, rate: Any, iterations: Tensor):
        self.rate, self.iterations = rate, iterations
        self.before: Callable[[], None] | None = None
        self.formula: Formula | None = None
        if isinstance(rate, Tensor):
            self.array = rate.array.reshape(1)
            return
        self.array = np.zeros(1, config.floatx())
        if isinstance(rate, Formula) and type(rate).__call__ is Formula.__call__:
            self.formula = rate
        else:
            self.before = self._ask

    def launch(self) -> None:
        """Compute a formula."""
        if self.formula is not None:
            self.formula._fill((self.array, self.iterations.array))

    @no_grad()
    def _ask(self) -> None:
        """Ask the user's schedule; what it computes is no part of a recording."""
        recorder, observers = modes.recorder, modes.observers
        modes.recorder, modes.observers = None, ()
        try:
            value = current(self.rate, self.iterations)
            self.array[0] = float(value.item() if isinstance(value, Tensor) else value)
        finally:
            modes.recorder, modes.observers = recorder, observers
