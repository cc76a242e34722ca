"""The learning rate over the steps of a schedule."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.plot.canvas import array, axes, colour, legend, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning_rates(
    schedule: Any,
    steps: int,
    *,
    metrics: Sequence[float] | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """The learning rate seen during steps 0, 1, ..., steps - 1.

    schedule: a scheduler of `optim.lr_scheduler` (a copy is run, from where it stands), a schedule
    of `keras.optimizers.schedules`, a function of the step, or a dict of such by name.
    metrics: what `ReduceLROnPlateau` is told, one value per step.
    """
    if steps < 1:
        raise ValueError(f"learning_rates: steps is {steps}; expected at least 1")
    many = dict(schedule) if isinstance(schedule, Mapping) else {_name(schedule): schedule}
    ax = axes(ax)
    for i, (name, each) in enumerate(many.items()):
        scheduler = hasattr(each, "optimizer") and hasattr(each, "step")
        rates = _run(each, steps, metrics) if scheduler else _ask(each, steps)
        for group, line in enumerate(rates):
            label = name if len(rates) == 1 else f"{name}, group {group}"
            dash = ("-", "--", ":", "-.")[group % 4]
            ax.step(range(steps), line, dash, where="post", color=colour(i), label=label)
    if log:
        ax.set_yscale("log")
    legend(ax)
    return tidy(ax, "step", "learning rate")


def _name(schedule: Any) -> str:
    name = getattr(schedule, "__name__", type(schedule).__name__)
    return str(name)


def _ask(schedule: Any, steps: int) -> list[list[float]]:
    return [[float(array(schedule(step))) for step in range(steps)]]


def _run(scheduler: Any, steps: int, metrics: Sequence[float] | None) -> list[list[float]]:
    """The rates of each group, found by stepping a copy; the scheduler itself stays as it is."""
    plateau = type(scheduler).__name__ == "ReduceLROnPlateau"
    if plateau and (metrics is None or len(metrics) < steps):
        raise ValueError(
            f"learning_rates: ReduceLROnPlateau follows a metric; give metrics, {steps} values"
        )
    twin = copy.deepcopy(scheduler)
    rows = []
    with warnings.catch_warnings():  # the optimizer is not stepped, and that is all right here
        warnings.filterwarnings("ignore", ".*lr_scheduler.step.*|.*has been overridden.*")
        for step in range(steps):
            rows.append([float(array(g["lr"])) for g in twin.optimizer.param_groups])
            if plateau and metrics is not None:
                twin.step(metrics[step])
            elif step < steps - 1:
                twin.step()
    return np.array(rows).T.tolist()
