"""Normalisation as functions.

The statistics of a batch or of rows are an op of their own where a gradient may be wanted: backward
then reads them instead of finding them again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd import ShapeError, Tensor
from autograd.modes import modes
from autograd.op import ops
from autograd.shapes import Shape
from nn.updates import update_running_stats


def _require_several(shape: Shape, shown: Shape) -> None:
    """ValueError where a batch has one value per channel: its variance says nothing."""
    if len(shape) > 1 and shape[0] * math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shown}"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(var + eps) weight + bias per channel of input (n, channels, ...).

    In training mean and (biased) variance are those of the batch, and the running ones, where
    given, move towards its mean and unbiased variance: (1 - momentum) running + momentum batch.
    Else they are the running ones.  (Ioffe and Szegedy 2015)
    """
    if training:
        return batch_norm_training(
            input, running_mean, running_var, None, weight, bias, momentum, eps
        )
    if running_mean is None or running_var is None:
        which = "running_mean" if running_mean is None else "running_var"
        raise RuntimeError(f"batch_norm: {which} must be defined in evaluation mode")
    return ops.batch_norm_fixed(input, running_mean, running_var, weight, bias, eps=eps)


def batch_norm_training(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    num_batches_tracked: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float | None,
    eps: float,
) -> Tensor:
    """`batch_norm` in training; `momentum=None` averages over the batches that are counted."""
    shape = input.shape
    _require_several(shape, shape)
    stats = ops.batch_stats(input, eps=eps)
    out = ops.batch_norm(input, weight, bias, stats, eps=eps)
    if running_mean is None and running_var is None:
        return out
    if running_mean is None or running_var is None:
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    if not running_mean.shape == running_var.shape == shape[1:2]:
        raise ShapeError(
            f"batch_norm: running_mean should contain {shape[1]} elements, one per channel of input"
            f" {shape}, and so should running_var; they are {running_mean.shape} and"
            f" {running_var.shape}"
        )
    count = shape[0] * math.prod(shape[2:])
    update_running_stats(running_mean, running_var, num_batches_tracked, stats, count, momentum)
    return out


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(var + eps) weight + bias over the last dimensions.

    `normalized_shape`: their sizes, and the shape of weight and bias; var is the biased one.
    (Ba, Kiros and Hinton 2016)
    """
    if type(normalized_shape) is not tuple:
        normalized_shape = _sizes("layer_norm", normalized_shape)
    meta: Any = {"normalized_shape": normalized_shape, "eps": eps}
    stats = ops.layer_norm_stats(input, **meta) if modes.grad else None
    return ops.layer_norm(input, weight, bias, stats, **meta)


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Input / sqrt(mean(input^2) + eps) weight over the last dimensions.

    `eps=None`: the rounding unit of the input's dtype.  (Zhang and Sennrich 2019)
    """
    if eps is None:
        eps = float(np.finfo(input.dtype).eps) if input.is_floating_point() else 0.0
    meta: Any = {"normalized_shape": _sizes("rms_norm", normalized_shape), "eps": eps}
    stats = ops.rms_norm_stats(input, **meta) if modes.grad else None
    return ops.rms_norm(input, weight, stats, **meta)


def _sizes(name: str, normalized_shape: Sequence[int]) -> Shape:
    if isinstance(normalized_shape, int):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' must be tuple of ints, not int; give"
            f" ({normalized_shape},)"
        )
    return tuple(normalized_shape)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(var + eps), per group of neighbouring channels of (n, channels, ...).

    `weight` and `bias` (channels,) scale and shift each channel then.  (Wu and He 2018)
    """
    shape = input.shape
    if num_groups > 0 and len(shape) > 1:
        _require_several((shape[0] * shape[1] // num_groups, num_groups, *shape[2:]), shape)
    meta: Any = {"num_groups": num_groups, "eps": eps}
    stats = ops.group_norm_stats(input, **meta) if modes.grad else None
    return ops.group_norm(input, weight, bias, stats, **meta)
