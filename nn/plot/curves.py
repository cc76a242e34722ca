"""Training curves, from a History, from lists, or as they grow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nn.plot.canvas import axes, colour, legend, matplotlib, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def training_curves(
    history: Any,
    names: Iterable[str] | None = None,
    *,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """One line per recorded quantity over the epochs; `val_` ones dashed, in their own's colour.

    history: what `fit` returned, or a dict of lists by name, or one list of losses.
    names: which to draw, all by default; a `val_` one comes along with its own.
    log: a logarithmic scale.  Raises KeyError for a name that was not recorded.
    """
    recorded = _recorded(history)
    chosen = _chosen(recorded, names)
    ax = axes(ax)
    colours = {name: colour(i) for i, name in enumerate(dict.fromkeys(map(_base, chosen)))}
    epochs = getattr(history, "epoch", None)
    for name in chosen:
        values = recorded[name]
        x = [e + 1 for e in epochs] if epochs and len(epochs) == len(values) else None
        ax.plot(
            x or range(1, len(values) + 1),
            values,
            "--" if name.startswith("val_") else "-",
            color=colours[_base(name)],
            label=name,
            marker="." if len(values) < 3 else None,
        )
    if log:
        ax.set_yscale("log")
    whole = matplotlib("ticker").MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10])
    ax.xaxis.set_major_locator(whole)
    legend(ax)
    return tidy(ax, "epoch", chosen[0] if len(chosen) == 1 else "value")


def _recorded(history: Any) -> Mapping[str, Sequence[float]]:
    history = getattr(history, "history", history)
    if isinstance(history, Mapping):
        return {name: list(map(float, values)) for name, values in history.items()}
    return {"loss": [float(value) for value in history]}


def _chosen(recorded: Mapping[str, Any], names: Iterable[str] | None) -> list[str]:
    if not recorded:
        raise ValueError("training_curves: nothing was recorded; train for an epoch first")
    if names is None:
        return list(recorded)
    chosen: list[str] = []
    for name in names:
        if name not in recorded:
            raise KeyError(f"training_curves: {name!r} was not recorded, only {list(recorded)}")
        chosen += [n for n in (name, f"val_{name}") if n in recorded and n not in chosen]
    return chosen


def _base(name: str) -> str:
    return name.removeprefix("val_")
