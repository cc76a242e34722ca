"""What all pictures share: matplotlib, loaded at first use, axes, colours."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = (
    *("#3d85d9", "#d9731a", "#2b9b4e", "#d9485f", "#9a66d6", "#12939f", "#a8812a", "#7f8791"),
)
"""Eight colours with a contrast of 3 or more to white and to #1e1e1e."""
GREY = PALETTE[-1]


def matplotlib(module: str = "pyplot") -> Any:
    """A module of matplotlib; ImportError that names the extra where it is not installed."""
    try:
        return import_module(f"matplotlib.{module}")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != "matplotlib":
            raise
        raise ImportError(
            "nn.plot draws with matplotlib, which is not installed: pip install 'tapegrad[plot]'"
        ) from error


def axes(ax: Axes | None, size: tuple[float, float] = (6.0, 3.6)) -> Axes:
    """`ax`, or new axes in a figure of `size` inches."""
    if ax is not None:
        return ax
    return matplotlib().subplots(figsize=size, layout="constrained")[1]


def colour(i: int) -> str:
    """The colour of the i-th thing drawn."""
    return PALETTE[i % len(PALETTE)]


def tidy(ax: Axes, x: str, y: str) -> Axes:
    """Labels, a faint grid, and no frame on the sides that carry no numbers."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(visible=True, alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def array(x: Any) -> np.ndarray:
    """A tensor, with or without a gradient, or anything like an array, as an array."""
    return np.asarray(x.detach().numpy() if hasattr(x, "detach") else x)


def legend(ax: Axes, many: int = 1) -> None:
    """A legend where more than `many` things are labelled."""
    if len(ax.get_legend_handles_labels()[1]) > many:
        ax.legend(frameon=False)
