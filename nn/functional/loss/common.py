"""What losses share: reductions, weights, and the warnings and errors about their inputs.

`input` and `target` are Tensors, and `reduction` is "mean", "sum" or "none".  Shapes that do not
fit raise ShapeError, dtypes that do not fit DtypeError: both are RuntimeErrors, as PyTorch's, and
ShapeError is a ValueError too.  The old flags `size_average` and `reduce` warn.
"""

from __future__ import annotations

import operator
import sys
import warnings
from typing import Any

from autograd import Tensor, is_grad_enabled, shapes
from autograd.errors import DtypeError, ShapeError
from autograd.op import ops

Flag = bool | None
"""An old flag of a loss: None where the user leaves it out."""


def warn(message: str) -> None:
    """A UserWarning that points at the line outside this package that led here."""
    frame, level = sys._getframe(0), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("nn."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)


def reduction_of(size_average: Flag, reduce: Flag, reduction: str) -> str:
    """PyTorch's old pair of flags, where one is given, as today's `reduction`, with a warning."""
    if size_average is None and reduce is None:
        return reduction
    chosen = "none" if reduce is False else "sum" if size_average is False else "mean"
    warn(
        f"size_average and reduce args will be deprecated, please use reduction='{chosen}' instead"
    )
    return chosen


def reduced(op: str, loss: Tensor, reduction: str) -> Tensor:
    """The reduction of elements of a loss; ValueError where there is no such reduction."""
    if reduction == "mean":
        return ops.mean(loss)
    if reduction == "sum":
        return ops.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{op}: reduction is {reduction!r}; expected 'mean', 'sum' or 'none'")


def not_tensors(op: str, **values: Any) -> TypeError:
    """The error of a call with something that has no shape or dtype."""
    wrong = [f"{k} is {type(v).__name__}" for k, v in values.items() if not hasattr(v, "dtype")]
    return TypeError(f"{op}: {', '.join(wrong)}; expected a Tensor, as from autograd.tensor(...)")


def paired(op: str, input: Tensor, target: Tensor) -> bool:
    """Warn where shapes differ; False where both are integers.  TypeError unless both are Tensors.

    0.2 us.  In the op itself the warning would come only the first time: shapes are remembered.
    """
    try:
        alike = input.shape == target.shape
        floats = input.dtype.kind == "f" or target.dtype.kind == "f"
    except AttributeError:
        raise not_tensors(op, input=input, target=target) from None
    if not alike:
        warn(
            f"{op}: input is {input.shape} but target is {target.shape}; they broadcast, which is"
            " likely not what you want. Give them the same shape"
        )
    return floats


def shapes_of(op: str, **tensors: Tensor) -> tuple[shapes.Shape, ...]:
    """The shapes of several inputs, that broadcast; TypeError where one is no Tensor."""
    try:
        found = tuple(tensor.shape for tensor in tensors.values())
    except AttributeError:
        raise not_tensors(op, **tensors) from None
    shapes.broadcast(op, *found)
    return found


def integers(op: str, **values: Tensor) -> DtypeError:
    """The error of a loss of integers."""
    found = " and ".join(f"{name} {value.dtype.name}" for name, value in values.items())
    return DtypeError(f"{op}: got {found}; expected float32 or float64, as from .float()")


def whole(op: str, name: str, number: Any) -> int:
    """An integer that may be NumPy's; TypeError for what is none."""
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{op}: {name} is {number!r}; expected an integer") from None


def constant(op: str, name: str, weight: Tensor, like: Tensor | None = None) -> Tensor:
    """A weight, in the dtype of `like`; RuntimeError where it wants a gradient, for it has none."""
    try:
        wants = weight.requires_grad
    except AttributeError:
        raise not_tensors(op, **{name: weight}) from None
    if wants and is_grad_enabled():
        raise RuntimeError(
            f"{op} is not differentiable with respect to {name}; use {name}.detach()"
        )
    if like is not None and weight.dtype != like.dtype:
        return weight.to(like.dtype)
    return weight


def weighted(
    op: str, loss: Tensor, input: Tensor, weight: Tensor, reduction: str, by_weight: bool
) -> Tensor:
    """Elements of a loss times weights of the input's shape; the mean may divide by their sum."""
    if not hasattr(weight, "shape"):
        raise not_tensors(op, weight=weight)
    if weight.shape != input.shape:
        raise ShapeError(
            f"{op}: input is {input.shape} but weight is {weight.shape}; expected the same"
        )
    loss = ops.mul(loss, weight)
    if reduction == "mean" and by_weight:
        return ops.div(ops.sum(loss), ops.sum(weight))
    return reduced(op, loss, reduction)
