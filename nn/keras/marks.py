"""What the Keras face notes on a tensor: its mask, and the logits that a probability came from.

`set_logits` is called by the softmax and sigmoid activations, so that a cross-entropy of their
result is computed from the logits: one fused pass, and no log of a probability that rounded to 0.
`set_mask` is called by layers that know which time steps count.
"""

from __future__ import annotations

from typing import Any

from autograd import Tensor

_MASK, _LOGITS = "keras_mask", "keras_logits"


def _set(t: Any, name: str, value: Any) -> None:
    if isinstance(t, Tensor):
        if t.extra is None:
            t.extra = {}
        t.extra[name] = value


def set_mask(t: Any, mask: Any) -> None:
    """Note which elements of `t` count (a bool tensor of its leading shape), or None for all."""
    if mask is not None or get_mask(t) is not None:
        _set(t, _MASK, mask)


def get_mask(t: Any) -> Any:
    """The mask of a tensor, or None."""
    extra = getattr(t, "extra", None)
    return None if extra is None else extra.get(_MASK)


def set_logits(t: Any, logits: Tensor) -> None:
    """Note that the probabilities `t` are the softmax or the sigmoid of `logits`."""
    _set(t, _LOGITS, logits)


def get_logits(t: Any) -> Tensor | None:
    """What `t` is the softmax or the sigmoid of, or None where that is not known."""
    extra = getattr(t, "extra", None)
    return None if extra is None else extra.get(_LOGITS)
