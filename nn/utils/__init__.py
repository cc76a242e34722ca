"""Helpers for training: clipping, parameters as one vector, and `nn.utils.data`.

Clipping is implemented in `optim.clip`.  `nn` and `optim` are siblings, neither of which imports
the other, so it is fetched at first use.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from nn.utils import data
from nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from optim.clip import (
        clip_grad_norm_,
        clip_grad_value_,
        clip_grads_with_norm_,
        get_total_norm,
    )

_CLIPPING = ("clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm")

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "data",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]


def clip_grad_norm(*args: Any, **kwargs: Any) -> Any:
    """The old name of `clip_grad_norm_`; warns, as PyTorch does."""
    warnings.warn(
        "nn.utils.clip_grad_norm is now deprecated in favor of nn.utils.clip_grad_norm_",
        FutureWarning,
        stacklevel=2,
    )
    return __getattr__("clip_grad_norm_")(*args, **kwargs)


def __getattr__(name: str) -> Any:
    if name in _CLIPPING:
        from optim import clip

        globals()[name] = getattr(clip, name)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
