"""The progress bar: what Keras shows, in a terminal, in a notebook and in a log file.

In a terminal or a notebook the line is redrawn, ten times a second at most.  Anywhere else each bar
is one plain line, written when it is full.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from nn.keras.callbacks.callback import Callback, Logs

_BOLD, _GREEN, _WHITE, _END = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"
INTERVAL = 0.1
"""Seconds between two drawings of a line."""


def _redraws(stream: Any) -> bool:
    """True where a line can be drawn again: a terminal, or the output of a notebook's cell."""
    if type(stream).__module__.split(".")[0] == "ipykernel":
        return True
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # not a file, or closed
        return False


def _draws(stream: Any) -> bool:
    """True where the stream can encode the bar."""
    try:
        "━".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write(text: str) -> None:
    """Write to the standard output there is now, without waiting in its buffer."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()


class Progbar:
    """A bar with the time per step and values beside it.

    `target`: how many steps there are; None if that is not known.  `verbose`: 1 a bar, 2 one line
    at the end, 0 nothing.  `interval`: the least number of seconds between two drawings.  Values of
    names in `stateful_metrics` are shown as they are and others averaged over the steps; or those
    in `stateless_metrics` averaged and others shown as they are.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: give `stateful_metrics` or `stateless_metrics`, not both: one lists the"
                " exceptions of the other"
            )
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.averaged = None if stateless_metrics is None else set(stateless_metrics)
        self.shown_as_is = set(stateful_metrics or ())
        self._redraw, self._fine = _redraws(sys.stdout), _draws(sys.stdout)
        self._values: dict[str, list[Any]] = {}
        self._seen = self._drawn = 0
        self._start = time.time()
        self._last = 0.0
        self._after_first: float | None = None

    def due(self) -> bool:
        """True where an update that is not the last would be drawn."""
        return self.verbose == 1 and self._redraw and time.time() - self._last >= self.interval

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Show step `current`, with (name, value) pairs.

        `finalize`: it is the last; by default where `current` is the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._note(name, value, current, finalize)
        self._seen = current
        now = time.time()
        each = self._per_step(current, now)
        if self.verbose == 1:
            if not finalize and (not self._redraw or now - self._last < self.interval):
                return
            self._draw(current, now, each, finalize)
        elif self.verbose == 2 and finalize and self.target:
            write(f"{self._count(current)} - {now - self._start:.0f}s -{each}{self._shown()}\n")
        self._last = now

    def add(self, n: int, values: Any = None) -> None:
        """`n` further steps."""
        self.update(self._seen + n, values)

    def _note(self, name: str, value: Any, current: int, finalize: bool) -> None:
        mean = name not in self.shown_as_is
        if self.averaged is not None:
            mean = name in self.averaged
        if not mean or finalize:
            self._values[name] = [value, 1]
            return
        steps = max(current - self._seen, 1)
        total = self._values.setdefault(name, [0.0, 0])
        self._values[name] = [total[0] + value * steps, total[1] + steps]

    def _per_step(self, current: int, now: float) -> str:
        """The time per step, without the first if there are more: it is not like the others."""
        each = 0.0
        if current > 1 and self._after_first is not None:
            each = (now - self._after_first) / (current - 1)
        elif current:
            each = (now - self._start) / current
        if current == 1:
            self._after_first = now
        self._each = each
        if each >= 1 or each == 0:
            return f" {each:.0f}s/{self.unit_name}"
        if each >= 1e-3:
            return f" {each * 1e3:.0f}ms/{self.unit_name}"
        return f" {each * 1e6:.0f}us/{self.unit_name}"

    def _count(self, current: int) -> str:
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _bar(self, current: int) -> list[tuple[str, str]]:
        """(style, text) of the count and the bar."""
        if not self.target:
            return [("", f"{current:7d}/Unknown")]
        full = min(self.width, int(self.width * current / self.target))
        line, rest = ("━", "━") if self._fine else ("=", ".")
        return [
            (_BOLD, self._count(current)),
            ("", " "),
            (_GREEN, line * full),
            (_WHITE, rest * (self.width - full)),
        ]

    def _draw(self, current: int, now: float, each: str, finalize: bool) -> None:
        seconds = now - self._start
        if self.target and not finalize:
            seconds = self._each * (self.target - current)
        spent = _clock(seconds) if self.target and not finalize else f"{seconds:.0f}s"
        parts = [*self._bar(current), ("", " "), (_BOLD, spent), ("", each), ("", self._shown())]
        if not self._redraw:
            write("".join(text for _, text in parts) + "\n")
            return
        room = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else 10**6
        out, length = "", 0
        for style, text in parts:
            if not finalize:  # a line that wraps could not be drawn over
                text = text[: max(0, room - length)]
            length += len(text)
            out += f"{style}{text}{_END}" if style and text else text
        pad = " " * max(0, min(self._drawn, room) - length)
        write(f"\r{out}{pad}" + ("\n" if finalize else ""))
        self._drawn = length

    def _shown(self) -> str:
        return "".join(
            f" - {name}: {_number(total, count)}" for name, (total, count) in self._values.items()
        )


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole > 60 else f"{whole}s"


def _number(total: Any, count: int) -> str:
    try:
        mean = float(np.mean(total)) / max(1, count)
    except (TypeError, ValueError):
        return str(total)
    return f"{mean:.4f}" if abs(mean) > 1e-3 else f"{mean:.4e}"


class ProgbarLogger(Callback):
    """Prints the progress of `fit`, `evaluate` and `predict`."""

    every_batch = False
    _kept = ()

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.epochs, self.verbose = 0, 1, 1
        self.target: int | None = None
        self.progbar: Progbar | None = None
        self._in_fit = False

    def set_params(self, params: Any) -> None:
        """Take over verbosity, epochs and steps."""
        super().set_params(params)
        verbose = params["verbose"]
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs, self.target = params["epochs"], params["steps"]

    def _begin(self) -> Progbar:
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())
        return self.progbar

    def _update(self, batch: int, logs: Logs | None) -> None:
        self.seen = batch + 1
        if self.verbose == 1:
            bar = self.progbar or self._begin()
            bar.update(self.seen, (logs or {}).items(), finalize=False)

    def _finish(self, logs: Logs | None) -> None:
        bar = self.progbar or self._begin()
        if self.target is None:
            self.target = bar.target = self.seen
        bar.update(self.target, (logs or {}).items(), finalize=True)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """From now on validation is silent."""
        self._in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """The next `evaluate` is no validation."""
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin a bar, under `Epoch 1/10`."""
        if self.verbose and self.epochs > 1:
            write(f"Epoch {epoch + 1}/{self.epochs}\n")
        self._begin()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar."""
        self._update(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Fill the bar."""
        self._finish(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Begin a bar, unless it is a validation."""
        if not self._in_fit:
            self._begin()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar, unless it is a validation."""
        if not self._in_fit:
            self._update(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Fill the bar, unless it is a validation."""
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Begin a bar."""
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar; predictions are not shown."""
        self._update(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Fill the bar."""
        self._finish(logs)
