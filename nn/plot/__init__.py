"""Pictures of models and of their training; needs matplotlib: `pip install 'tapegrad[plot]'`.

Every function draws on the axes it is given as `ax`, or on new ones, and returns them; nothing is
shown or saved.  Colours are such that they can be read on light and on dark backgrounds, and texts
follow matplotlib's style sheet.  Models of the Keras face are modules, and work the same.

>>> from nn import plot                                     # doctest: +SKIP
>>> plot.training_curves({"loss": [0.9, 0.4, 0.2]})         # doctest: +SKIP
<Axes: xlabel='epoch', ylabel='loss'>
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any as _Any

from nn.plot.boundary import decision_boundary
from nn.plot.canvas import PALETTE
from nn.plot.curves import training_curves
from nn.plot.images import weight_images
from nn.plot.landscape import loss_landscape
from nn.plot.matrix import confusion_matrix
from nn.plot.moving import Gif, animate_boundary, snapshot
from nn.plot.schedule import learning_rates
from nn.plot.spread import activation_histograms, gradient_histograms, histograms

__all__ = [
    "PALETTE",
    "Gif",
    "LiveCurves",
    "activation_histograms",
    "animate_boundary",
    "confusion_matrix",
    "decision_boundary",
    "gradient_histograms",
    "histograms",
    "learning_rates",
    "loss_landscape",
    "snapshot",
    "training_curves",
    "weight_images",
]


def __getattr__(name: str) -> _Any:
    """`LiveCurves`, which is a callback of the Keras face and loads that, at first use."""
    if name == "LiveCurves":
        return _import_module("nn.plot.live").LiveCurves
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
