"""Gradient clipping.  `nn.utils` has the same functions, where PyTorch has them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import TUPLE_ITEMS, elements_of, is_flat, kernel, layout_known, word_at

Tensors = Tensor | Iterable[Tensor]


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)), in place; returns the norm before.

    The norm is that of all gradients as one vector: `norm_type` 2, another p, or inf.  A norm that
    is NaN or inf spoils the gradients, as in PyTorch, unless `error_if_nonfinite`.
    """
    gradients = _gradients(parameters)
    if not gradients:
        return Tensor.wrap(np.zeros((), np.float32))
    max_norm, norm_type = float(max_norm), float(norm_type)
    values = tuple([g.value for g in gradients])
    norm = _clip_flat(values, max_norm, error_if_nonfinite) if norm_type == 2.0 else None
    if norm is None:
        norm = _norm(values, norm_type)
        _scale(values, max_norm, norm, error_if_nonfinite)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so"
            " it cannot be clipped. To disable this error and scale the gradients by the non-finite"
            " norm anyway, set `error_if_nonfinite=False`"
        )
    for g in gradients:
        g.version[0] += 1
    return Tensor.wrap(np.array(norm, np.result_type(*values)))


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every component of the gradients to +-clip_value, in place; NaN stays NaN."""
    bound = float(clip_value)
    for g in _gradients(parameters):
        np.clip(g.array, -bound, bound, out=g.array)
        g.version[0] += 1


def _gradients(parameters: Tensors) -> list[Tensor]:
    params = [parameters] if isinstance(parameters, Tensor) else parameters
    return [g for p in params if (g := p._grad) is not None]


@kernel
def _clip(arrays, count, like, model, max_norm, only_finite):
    for k in range(count):
        if not is_flat(word_at(arrays + 8 * k), model):
            return -1.0
    total = 0.0
    for k in range(count):
        x = elements_of(word_at(arrays + 8 * k), like)
        a = b = c = d = 0.0  # four sums at once: one waits 4 cycles for each addition
        whole = x.size // 4 * 4
        for i in range(0, whole, 4):
            a += np.float64(x[i]) * np.float64(x[i])
            b += np.float64(x[i + 1]) * np.float64(x[i + 1])
            c += np.float64(x[i + 2]) * np.float64(x[i + 2])
            d += np.float64(x[i + 3]) * np.float64(x[i + 3])
        for i in range(whole, x.size):
            a += np.float64(x[i]) * np.float64(x[i])
        total += (a + b) + (c + d)
    norm = math.sqrt(total)
    scale = max_norm / (norm + 1e-6)
    if (scale < 1 or scale != scale) and not (only_finite and norm - norm != 0):
        factor = like.dtype.type(scale)
        for k in range(count):
            x = elements_of(word_at(arrays + 8 * k), like)
            for i in range(x.size):
                x[i] *= factor
    return norm


def _clip_flat(values: tuple[Any, ...], max_norm: float, only_finite: bool) -> float | None:
    """Norm and scaling in one jitted call, 1 us for four small gradients; None where it cannot."""
    like = values[0]
    if not layout_known() or type(like) is not np.ndarray or like.dtype.kind != "f":
        return None
    address = id(values) + TUPLE_ITEMS
    norm = _clip.run(address, len(values), like.reshape(-1), id(like), max_norm, only_finite)
    return None if norm == -1.0 else norm


def _norm(values: Iterable[Any], p: float) -> float:
    """The p-norm of the arrays' p-norms, which for p > 0 is that of all elements."""
    with np.errstate(all="ignore"):
        flat = [np.asarray(v, np.float64).ravel() for v in values if np.size(v)]
        norms: list[Any] = [np.linalg.norm(x, p) for x in flat]
        return float(np.linalg.norm(np.array(norms or [0.0]), p))


def _scale(values: Iterable[Any], max_norm: float, norm: float, only_finite: bool) -> None:
    scale = max_norm / (norm + 1e-6)
    if (scale < 1 or math.isnan(scale)) and not (only_finite and not math.isfinite(norm)):
        with np.errstate(all="ignore"):
            for v in values:
                v *= v.dtype.type(scale)
