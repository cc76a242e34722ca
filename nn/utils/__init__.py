"""Helpers for training.

Clipping is implemented in `optim.clip`.  `nn` and `optim` are siblings, neither of which imports
the other, so it is fetched at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optim.clip import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from optim import clip

        globals()[name] = getattr(clip, name)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
