"""Losses of classes and probabilities: cross-entropies, likelihood, Kullback-Leibler divergence."""

from __future__ import annotations

from autograd import Tensor
from autograd.errors import DtypeError, ShapeError
from autograd.op import ops
from nn.functional.loss.common import (
    Flag,
    constant,
    integers,
    not_tensors,
    reduced,
    reduction_of,
    shapes_of,
    warn,
    whole,
)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """-weight (target log input + (1 - target) log(1 - input)); logs are limited to >= -100.

    input and target: probabilities of one shape and dtype, or RuntimeError.  `weight` broadcasts.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if weight is not None:
        weight = constant("binary_cross_entropy", "weight", weight, input)
    return ops.binary_cross_entropy(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(input), without overflow.

    input and target: floats of one shape.  `weight` multiplies the elements, `pos_weight` only the
    term of the positives; both broadcast.
    """
    name = "binary_cross_entropy_with_logits"
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    try:
        floats = input.dtype.kind == "f" and target.dtype.kind == "f"
    except AttributeError:
        raise not_tensors(name, input=input, target=target) from None
    if not floats:
        raise integers(name, input=input, target=target)
    if weight is not None:
        weight = constant(name, "weight", weight, input)
    if pos_weight is not None:
        pos_weight = constant(name, "pos_weight", pos_weight, input)
    return ops.binary_cross_entropy_with_logits(
        input, target, weight, pos_weight, reduction=reduction
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    ignore_index: int = -100,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """-weight[target] input[target] of log-probabilities (N, C, ...) and classes (N, ...).

    The mean divides by the sum of the weights of the targets; those equal to `ignore_index` do not
    count.  target: int64 or uint8.  IndexError for a class out of range.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if weight is not None:
        weight = constant("nll_loss", "weight", weight)
    if type(ignore_index) is not int:
        ignore_index = whole("nll_loss", "ignore_index", ignore_index)
    return ops.nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    ignore_index: int = -100,
    reduce: Flag = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of softmax(input), (N, C, ...), with classes (N, ...) or probabilities.

    A target of floats has the input's shape and holds probabilities; the mean then divides by the
    number of rows.  For classes, int64 or uint8, it divides by the sum of the weights of the
    targets, and those equal to `ignore_index` do not count.  With `label_smoothing` s, what is
    learned is (1 - s) target + s / C.  IndexError for a class out of range.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    try:
        kind = target.dtype.kind
    except AttributeError:
        raise not_tensors("cross_entropy", input=input, target=target) from None
    if kind == "f":
        if ignore_index >= 0:
            raise RuntimeError(
                f"cross_entropy: ignore_index is {ignore_index} but target holds probabilities;"
                " ignore_index is for class numbers"
            )
        return ops.cross_entropy_probability(
            input, target, weight, reduction=reduction, label_smoothing=label_smoothing
        )
    if weight is not None:
        weight = constant("cross_entropy", "weight", weight)
    if type(ignore_index) is not int:
        ignore_index = whole("cross_entropy", "ignore_index", ignore_index)
    try:
        return ops.cross_entropy_index(
            input,
            target,
            weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )
    except ShapeError:
        if input.shape != target.shape:
            raise
        raise DtypeError(
            f"cross_entropy: target has the input's shape, {input.shape}, and would hold"
            f" probabilities, but is {target.dtype.name}; use target.to(input.dtype), or class"
            " numbers of the shape without the classes"
        ) from None


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence: target (log target - input), input being log-probabilities.

    With `log_target` the target is given as its logarithm.  Shapes broadcast.  `reduction`:
    "batchmean" divides the sum by the rows of the input, as the definition does; "mean" divides it
    by all elements, with a warning.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    try:
        floats = input.dtype.kind == "f" and target.dtype.kind == "f"
    except AttributeError:
        raise not_tensors("kl_div", input=input, target=target) from None
    if not floats:
        raise integers("kl_div", input=input, target=target)
    if reduction == "mean":
        warn(
            "kl_div: reduction='mean' divides by the number of elements; use 'batchmean', which"
            " divides by the number of rows, for the Kullback-Leibler divergence"
        )
    if reduction != "batchmean":
        return ops.kl_div(input, target, reduction=reduction, log_target=log_target)
    rows = input.shape[0] if input.shape else 1
    return ops.div(ops.kl_div(input, target, reduction="sum", log_target=log_target), float(rows))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of sigmoid(input), (..., C), averaged over the classes of every row.

    target: 0 or 1 per class.  `weight` multiplies the classes; it is differentiable.
    """
    name = "multilabel_soft_margin_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    shape, _ = shapes_of(name, input=input, target=target)
    if input.dtype.kind != "f":
        raise integers(name, input=input)
    if not shape:
        raise IndexError(f"{name}: input is a number; expected (..., C)")
    yes = ops.mul(target, ops.logsigmoid(input))
    no = ops.mul(ops.sub(1.0, target), ops.logsigmoid(ops.neg(input)))
    loss = ops.neg(ops.add(yes, no))
    if weight is not None:
        shapes_of(name, input=loss, weight=weight)
        loss = ops.mul(loss, weight)
    loss = ops.div(ops.sum(loss, dim=len(shape) - 1), float(shape[-1]))
    return reduced(name, loss, reduction)
