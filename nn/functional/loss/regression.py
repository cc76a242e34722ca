"""Losses of numbers: distances, and likelihoods of counts and of normal distributions."""

from __future__ import annotations

import math

from autograd import Tensor
from autograd.errors import ShapeError
from autograd.op import ops
from nn.functional.loss.common import (
    Flag,
    integers,
    paired,
    reduced,
    reduction_of,
    shapes_of,
    weighted,
)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Squared error: (input - target)^2.

    Shapes that differ broadcast, with a warning.  `weight`, of the input's shape, multiplies the
    elements; the mean then divides by the sum of the weights.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if not paired("mse_loss", input, target):
        raise integers("mse_loss", input=input, target=target)
    if weight is not None:
        loss = ops.mse_loss(input, target, reduction="none")
        return weighted("mse_loss", loss, input, weight, reduction, by_weight=True)
    return ops.mse_loss(input, target, reduction=reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Absolute error: |input - target|.

    Shapes that differ broadcast, with a warning.  `weight`, of the input's shape, multiplies the
    elements; the mean then divides by the sum of the weights.  Integers have no mean.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    floats = paired("l1_loss", input, target)
    if weight is None and floats:
        return ops.l1_loss(input, target, reduction=reduction)
    loss = ops.abs(ops.sub(input, target))
    if weight is not None:
        return weighted("l1_loss", loss, input, weight, reduction, by_weight=True)
    if reduction == "mean":
        raise integers("l1_loss", input=input, target=target)
    return reduced("l1_loss", loss, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = input - target.

    beta = 0 is the absolute error.  Shapes that differ broadcast, with a warning.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if not paired("smooth_l1_loss", input, target):
        raise integers("smooth_l1_loss", input=input, target=target)
    return ops.smooth_l1_loss(input, target, reduction=reduction, beta=beta)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = input - target.

    Shapes that differ broadcast, with a warning.  `weight`, of the input's shape, multiplies the
    elements; here the mean still divides by their number.
    """
    if not paired("huber_loss", input, target):
        raise integers("huber_loss", input=input, target=target)
    if weight is not None:
        loss = ops.huber_loss(input, target, reduction="none", delta=delta)
        return weighted("huber_loss", loss, input, weight, reduction, by_weight=False)
    return ops.huber_loss(input, target, reduction=reduction, delta=delta)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Flag = None,
    eps: float = 1e-8,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts: e^input - target input, input being the log of the rate.

    With `log_input=False` input is the rate: input - target log(input + eps).  `full` adds
    Stirling's log(target!) = target log target - target + log(2 pi target) / 2, where target > 1.
    Shapes broadcast.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    shapes_of("poisson_nll_loss", input=input, target=target)
    if log_input:
        loss = ops.sub(ops.exp(input), ops.mul(target, input))
    else:
        loss = ops.sub(input, ops.mul(target, ops.log(ops.add(input, eps))))
    if full:
        stirling = ops.sub(ops.mul(target, ops.log(target)), target)
        stirling = ops.add(stirling, ops.mul(ops.log(ops.mul(target, 2 * math.pi)), 0.5))
        loss = ops.add(loss, ops.where(ops.gt(target, 1.0), stirling, 0.0))
    return reduced("poisson_nll_loss", loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of N(input, v): (log v + (input - target)^2 / v) / 2.

    v = max(var, eps), with the gradient of var.  `var`: a number, or a Tensor of the input's shape,
    of that without the last dimension, or of that with one dimension of size 1.  `full` adds
    log(2 pi) / 2.  ValueError for a negative variance.
    """
    if isinstance(var, Tensor):
        if var.dtype.kind != "f":
            raise integers("gaussian_nll_loss", var=var)
        var = _fitted(var, input.shape)
    elif isinstance(var, bool) or not isinstance(var, int | float):
        raise TypeError(
            f"gaussian_nll_loss: var is {type(var).__name__}; expected a Tensor or a number"
        )
    return ops.gaussian_nll_loss(input, target, var, full=full, eps=eps, reduction=reduction)


def _fitted(var: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The variance with as many dimensions as the input, of `shape`."""
    if var.shape == shape:
        return var
    if var.shape == shape[:-1]:
        return var.unsqueeze(-1)
    differing = [(n, m) for n, m in zip(shape, var.shape) if n != m]
    if var.ndim == len(shape) and len(differing) == 1 and differing[0][1] == 1:
        return var
    raise ShapeError(
        f"gaussian_nll_loss: input is {shape} but var is {var.shape}; expected {shape},"
        f" {shape[:-1]}, or {shape} with one dimension of size 1"
    )
