"""Training curves that grow while `fit` runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nn.keras.callbacks import Callback
from nn.plot.canvas import matplotlib
from nn.plot.curves import training_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LiveCurves(Callback):
    """`model.fit(x, y, callbacks=[plot.LiveCurves()])`: the curves, redrawn as epochs end.

    In a loop of your own, call `add(loss=..., accuracy=...)` at the end of each epoch, `close()`
    after the last one.  In Jupyter one picture is replaced by the next; with an interactive backend
    the window is; elsewhere only `ax` and `history` are kept.

    names: which quantities to draw, all by default.  log: a logarithmic scale.
    seconds: the least time between two redraws, so that short epochs are not slowed down.
    ax: where to draw; new axes by default, which then are `live.ax`.
    """

    def __init__(
        self,
        names: Iterable[str] | None = None,
        *,
        log: bool = False,
        seconds: float = 0.25,
        ax: Axes | None = None,
    ):
        super().__init__()
        self.names = None if names is None else list(names)
        self.log, self.seconds, self.ax = log, seconds, ax
        self._begin()

    def _begin(self) -> None:
        self.history: dict[str, list[float]] = {}
        self._drawn, self._shown = -float("inf"), None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget the curves of an earlier fit."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take note of the epoch and draw, if the last picture is old enough."""
        self.add(**(logs or {}))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw the whole."""
        self.close()

    def add(self, **values: Any) -> None:
        """Append one epoch's values, by name."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(float(value))
        if time.monotonic() - self._drawn >= self.seconds:
            self._draw()

    def close(self) -> None:
        """Draw what was added since the last picture; no more epochs follow."""
        if self.history:
            self._draw()
        if self._shown is not None and self.ax is not None:
            matplotlib().close(self.ax.figure)  # or Jupyter would show it a second time

    def _draw(self) -> None:
        if self.ax is not None:
            self.ax.clear()
        self.ax = training_curves(self.history, self.names, log=self.log, ax=self.ax)
        self._show(self.ax.figure)
        self._drawn = time.monotonic()

    def _show(self, figure: Any) -> None:
        if _in_notebook():
            from IPython.display import display

            if self._shown is None:
                self._shown = display(figure, display_id=True)
            else:
                self._shown.update(figure)
        elif hasattr(figure.canvas, "start_event_loop") and matplotlib().isinteractive():
            figure.canvas.draw_idle()
            figure.canvas.flush_events()


def _in_notebook() -> bool:
    """True in a Jupyter kernel; IPython is not loaded to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
