"""Weights as pictures: what each unit of a first layer looks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.plot.canvas import array, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def weight_images(
    weight: Any,
    shape: tuple[int, int] | None = None,
    *,
    most: int = 64,
    ax: Axes | None = None,
) -> Axes:
    """A mosaic, one picture per row of weight (units, inputs): red is positive, blue negative.

    shape: (height, width) of a picture; by default a square, if the inputs make one.
    most: how many of the rows to draw.  Each picture has its own scale, symmetric about 0.
    A kernel of the Keras face is (inputs, units): give its transpose.
    """
    rows = array(weight)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"weight_images: weight is {rows.shape}; expected (units, inputs)")
    side = math.isqrt(rows.shape[1])
    height, width = shape or (side, side)
    if height * width != rows.shape[1]:
        remedy = "give shape=(height, width)" if shape is None else "expected their product"
        raise ValueError(
            f"weight_images: {rows.shape[1]} inputs do not make a {height} x {width} picture;"
            f" {remedy}"
        )
    rows = rows[:most]
    across = math.ceil(math.sqrt(len(rows)))
    down = math.ceil(len(rows) / across)
    mosaic = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for i, row in enumerate(rows):
        top, left = i // across * (height + 1), i % across * (width + 1)
        scale = np.abs(row).max() or 1.0
        mosaic[top : top + height, left : left + width] = row.reshape(height, width) / scale
    ax = axes(ax, (0.6 * across + 0.4, 0.6 * down + 0.4))
    ax.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set_axis_off()
    return ax
