"""Gradient clipping.  `nn.utils` has the same functions, where PyTorch has them.

By norm, all gradients are scaled as one vector, so that its direction stays; by value, each
component is limited by itself.  `foreach` chooses among PyTorch's implementations; here is one.
"""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import TUPLE_ITEMS, elements_of, is_flat, kernel, layout_known, word_at
from autograd.modes import modes

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
    is NaN or inf spoils the gradients, as in PyTorch; with `error_if_nonfinite` it is a
    RuntimeError, and they stay.
    """
    gradients = _gradients(parameters)
    if not gradients:
        return _nothing()
    max_norm, norm_type = float(max_norm), float(norm_type)
    norm = Tensor.wrap(np.zeros((), _dtype(gradients)))
    changed = (norm, *gradients)

    def run(arrays: tuple[np.ndarray, ...]) -> None:
        if norm_type != 2.0 or not _clip_flat(arrays, max_norm, error_if_nonfinite):
            _clip_in_numpy(arrays, norm_type, max_norm, error_if_nonfinite)

    run(tuple([t.array for t in changed]))
    for g in gradients:
        g.version[0] += 1
    if modes.recorder is not None:
        modes.recorder.effect("clip_grad_norm_", run, changed, gradients, made=norm)
    if error_if_nonfinite:
        _check_finite(norm.value.item(), norm_type)
    return norm


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every component of the gradients to +-clip_value, in place; NaN stays NaN."""
    bound, gradients = float(clip_value), _gradients(parameters)

    def run(values: tuple[np.ndarray, ...]) -> None:
        like = flat_model(values)
        where = address_of(values)
        if like is None or not _limit.run(where, len(values), like, id(values[0]), bound):
            for array in values:
                np.clip(array, -bound, bound, out=array)

    run(tuple([g.array for g in gradients]))
    for g in gradients:
        g.version[0] += 1
    if modes.recorder is not None:
        modes.recorder.effect("clip_grad_value_", run, gradients, gradients, status=1)


def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors (not of their gradients) as one vector.

    With `error_if_nonfinite`, RuntimeError where it is NaN or inf.
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not given:
        return _nothing()
    norm = Tensor.wrap(np.zeros((), _dtype(given)))

    def run(arrays: tuple[np.ndarray, ...]) -> None:
        found = _norm([Tensor.wrap(a) for a in arrays[1:]], float(norm_type))
        if error_if_nonfinite:
            _check_finite(found, float(norm_type))
        arrays[0][()] = found

    run((norm.array, *[t.array for t in given]))
    if modes.recorder is not None:
        modes.recorder.effect("get_total_norm", run, (norm, *given), [], made=norm, status=None)
    return norm


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by min(1, max_norm / (total_norm + 1e-6)), in place.

    `total_norm`: a number, or a tensor of one element, e.g. from `get_total_norm`.
    """
    gradients = _gradients(parameters)
    norm = (
        total_norm if isinstance(total_norm, Tensor) else Tensor.wrap(np.array(total_norm, float))
    )

    def run(arrays: tuple[np.ndarray, ...]) -> None:
        _scale([Tensor.wrap(a) for a in arrays[1:]], float(max_norm), arrays[0].item())

    run((norm.array, *[g.array for g in gradients]))
    for g in gradients:
        g.version[0] += 1
    if modes.recorder is not None:
        inputs = (norm, *gradients)
        modes.recorder.effect("clip_grads_with_norm_", run, inputs, gradients, status=None)


def _gradients(parameters: Tensors) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    elif isinstance(parameters, types.GeneratorType):
        parameters = list(parameters)
        if not parameters:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                UserWarning,
                stacklevel=3,
            )
    return [g for p in parameters if (g := p._grad) is not None]


def _nothing() -> Tensor:
    return Tensor.wrap(np.zeros((), np.float32))


def _dtype(tensors: Iterable[Tensor]) -> np.dtype:
    return np.result_type(*{t.dtype for t in tensors})


def _check_finite(norm: float, p: float) -> None:
    if not math.isfinite(norm):
        raise RuntimeError(
            f"The total norm of order {p} for gradients from `parameters` is non-finite, so it"
            " cannot be clipped. To disable this error and scale the gradients by the non-finite"
            " norm anyway, set `error_if_nonfinite=False`"
        )


# All gradients in one jitted call, 1 us for four small ones


def flat_model(values: tuple[Any, ...]) -> np.ndarray | None:
    """The elements of the first array, for its dtype; None where kernels cannot go."""
    like = values[0] if values else None
    if not layout_known() or type(like) is not np.ndarray or like.dtype.kind != "f":
        return None
    return like.reshape(-1)


def address_of(values: tuple[Any, ...]) -> int:
    """Where the addresses of a tuple's items stand, for kernels."""
    return id(values) + TUPLE_ITEMS


def _clip_flat(arrays: tuple[Any, ...], max_norm: float, only_finite: bool) -> bool:
    """The norm into the first array, the others scaled.

    False, with nothing done, where the arrays differ in dtype or are strided.
    """
    like = flat_model(arrays)
    if like is None:
        return False
    at, count = address_of(arrays), len(arrays)
    return _clip.run(at, count, like, id(arrays[0]), max_norm, only_finite) >= 0


@kernel
def _clip(arrays, count, like, model, max_norm, only_finite):
    for k in range(count):
        if not is_flat(word_at(arrays + 8 * k), model):
            return -1
    total = 0.0
    for k in range(1, count):
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
    elements_of(word_at(arrays), like)[0] = norm
    if only_finite and norm - norm != 0:
        return 1
    scale = max_norm / (norm + 1e-6)
    if scale < 1 or scale != scale:
        factor = like.dtype.type(scale)
        for k in range(1, count):
            x = elements_of(word_at(arrays + 8 * k), like)
            for i in range(x.size):
                x[i] *= factor
    return 0


@kernel
def _limit(arrays, count, like, model, bound):
    for k in range(count):
        if not is_flat(word_at(arrays + 8 * k), model):
            return False
    low, high = like.dtype.type(-bound), like.dtype.type(bound)
    for k in range(count):
        x = elements_of(word_at(arrays + 8 * k), like)
        for i in range(x.size):
            y = low if x[i] < low else x[i]
            x[i] = high if y > high else y
    return True


# The same in NumPy


def _clip_in_numpy(
    arrays: tuple[np.ndarray, ...], norm_type: float, max_norm: float, only_finite: bool
) -> None:
    gradients = [Tensor.wrap(g) for g in arrays[1:]]
    norm = _norm(gradients, norm_type)
    arrays[0][()] = norm
    if not only_finite or math.isfinite(norm):
        _scale(gradients, max_norm, norm)


def _norm(tensors: Iterable[Tensor], p: float) -> float:
    """The p-norm of the arrays' p-norms, which for p > 0 is that of all elements."""
    with np.errstate(all="ignore"):
        flat = [np.asarray(t.array, np.float64).ravel() for t in tensors if t.numel()]
        norms: list[Any] = [np.linalg.norm(x, p) for x in flat]
        return float(np.linalg.norm(np.array(norms or [0.0]), p))


def _scale(gradients: Iterable[Tensor], max_norm: float, norm: float) -> None:
    scale = np.float64(max_norm) / (norm + 1e-6)
    if scale < 1 or np.isnan(scale):
        with np.errstate(all="ignore"):
            for g in gradients:
                array = g.array
                array *= array.dtype.type(scale)
