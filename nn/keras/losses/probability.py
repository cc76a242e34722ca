"""What cross-entropies share: the logits behind a prediction, and the clip of probabilities.

Probabilities are clipped to [epsilon, 1 - epsilon] before the log.  Where a prediction is known to
be the softmax or the sigmoid of logits (see `marks`), the loss is computed from those, as Keras on
TensorFlow does: one fused pass whose gradient is p - y, without the clip.
"""

from __future__ import annotations

import warnings
from typing import Any

from autograd.op import ops
from nn.keras import config
from nn.keras.marks import get_logits


def behind(name: str, y_pred: Any, from_logits: bool) -> tuple[Any, bool]:
    """The logits behind `y_pred` and True, where they are known or it is them."""
    logits = get_logits(y_pred)
    if logits is None:
        return y_pred, from_logits
    if from_logits:
        warnings.warn(
            f"{name} received `from_logits=True`, but y_pred was produced by a softmax or sigmoid"
            " activation and thus does not represent logits. Leave one of the two out",
            UserWarning,
            stacklevel=5,
        )
    return logits, True


def clipped(p: Any) -> Any:
    """p in [epsilon, 1 - epsilon]; the gradient is 0 outside."""
    tiny = config.epsilon()
    return ops.clamp(p, min=tiny, max=1.0 - tiny)


def int_axis(axis: Any) -> int:
    """ValueError for a bool."""
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be of type `int`. Received: axis={axis}")
    return axis
