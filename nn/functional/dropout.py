"""Dropout as functions."""

from __future__ import annotations

import math

from autograd import DtypeError, Tensor, inplace as _inplace
from autograd.generator import stream
from autograd.op import ops

_ALPHA = 1.7580993408473766
"""What SELU tends to for large negative inputs, negated.  (Klambauer et al. 2017)"""


def check_probability(p: float) -> None:
    """ValueError unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _mask(input: Tensor, p: float) -> Tensor:
    """0 with probability p, else 1 / (1 - p)."""
    if not input.is_floating_point():
        raise DtypeError(f"dropout: expected float32 or float64, got {input.dtype.name}")
    return ops.dropout_mask(input.detach(), p=p, stream=stream(None))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training zero each element with probability p and scale the others by 1 / (1 - p)."""
    check_probability(p)
    if not training or p == 0:
        return input
    if inplace:
        return _inplace.update("dropout_", ops.mul, input, _mask(input, p))
    return ops.mul(input, _mask(input, p))


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1: what is dropped becomes SELU's limit -alpha.

    out = a (kept ? input : -alpha) + b, with a = ((1 - p)(1 + p alpha^2))^-1/2, b = a p alpha.
    """
    check_probability(p)
    if not training or p == 0:
        return input
    scale = 0.0 if p == 1 else 1 / math.sqrt((1 - p) * (1 + p * _ALPHA**2))
    mask = _mask(input, p)
    # mask (1 - p) is 1 where kept: out = input a kept + (a alpha kept + b - a alpha)
    shift = ops.add(ops.mul(mask, scale * _ALPHA * (1 - p)), scale * _ALPHA * (p - 1))
    mask = ops.mul(mask, scale * (1 - p))
    if inplace:
        return _inplace.update("alpha_dropout_", _scaled, input, mask, shift)
    return _scaled(input, mask, shift)


def _scaled(input: Tensor, mask: Tensor, shift: Tensor) -> Tensor:
    return ops.add(ops.mul(input, mask), shift)
