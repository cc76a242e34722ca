"""What callbacks share that follow one of the logged values."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from nn.keras.callbacks.callback import Callback, Logs
from nn.keras.callbacks.progress import write
from nn.keras.registry import nearest


def say(line: str) -> None:
    """Write a line to the standard output, as Keras does."""
    write(f"{line}\n")


def rate_of(optimizer: Any) -> float:
    """The learning rate as it is now."""
    rate = optimizer.learning_rate
    return float(rate.detach().numpy() if hasattr(rate, "detach") else rate)


class MonitorCallback(Callback):
    """Follows `logs[monitor]`, of which less or more is better.

    `mode`: "min", "max", or "auto": as the name says.  `min_delta`: a change below it is none.
    """

    _kept: tuple[str, ...] | None = ("best",)

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor, self.mode = monitor, mode
        self.best: Any = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[Any, Any], Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Find out what is better; ValueError where that is not known."""
        self._set_monitor_op()

    def _is_improvement(self, value: Any, reference: Any) -> bool:
        """True where `value` is better than `reference` by `min_delta`, as float32 numbers.

        ValueError where it is not known what is better.
        """
        if self.monitor_op is None:
            self._set_monitor_op()
        if reference is None:
            return True
        sign = 1 if self.monitor_op is np.less else -1
        assert self.monitor_op is not None
        with np.errstate(over="ignore"):
            here, there = np.float32(value + sign * self.min_delta), np.float32(reference)
        return bool(self.monitor_op(here, there))

    def _set_monitor_op(self) -> None:
        name = self.monitor.removeprefix("val_")
        if self.mode == "min" or (self.mode == "auto" and name == "loss"):
            self.monitor_op = np.less
            return
        if self.mode == "max":
            self.monitor_op = np.greater
            return
        known = _directions(self.model)
        direction = known.get(name)
        if direction is None:
            raise ValueError(
                f"{type(self).__name__} callback received monitor={self.monitor}, but it is not"
                f" known whether that should become more or less.{_hint(name, ['loss', *known])}"
                f" The metrics of the model are: {', '.join(['loss', *known])}. Pass `mode='max'`"
                " or `mode='min'` where the name is right"
            )
        self.monitor_op = np.greater if direction == "up" else np.less

    def _current(self, logs: Logs | None, prefix: str) -> Any:
        """The value followed; a warning that begins with `prefix` where there is none."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{prefix} metric `{self.monitor}` which is not available."
                f"{_hint(self.monitor, logs or {})} Available metrics are: {','.join(logs or {})}",
                stacklevel=3,
            )
        return value


def _hint(name: str, known: Any) -> str:
    near = nearest(name, known)
    return f" Did you mean {near!r}?" if near and near != name else ""


def _directions(model: Any) -> dict[str, str | None]:
    """The metrics of `compile` under their names in the logs, and what is better of each."""
    compiled = getattr(model, "_compile_metrics", None)
    if compiled is None:
        return {}
    found: dict[str, str | None] = {}
    for _, prefix, m in (*compiled.plain, *compiled.weighing):
        for name in (f"{prefix}{m.name}", m.name):
            found.setdefault(name, getattr(m, "_direction", None))
    return found


def check_writable(who: str, path: str) -> None:
    """OSError where files could not be made at `path`: before training, and not behind it.

    What follows the first `{` is not known yet.
    """
    folder = os.path.dirname(os.path.abspath(path.partition("{")[0]))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"{who} cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{who} cannot write {path}: no permission to write in {folder}")
