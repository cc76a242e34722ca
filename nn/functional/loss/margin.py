"""Losses that ask for a margin: between classes, scores, or distances of embeddings."""

from __future__ import annotations

import functools
from collections.abc import Callable

from autograd import Tensor, shapes
from autograd.errors import ShapeError
from autograd.op import ops
from nn.functional.distance import pairwise_distance
from nn.functional.loss.common import (
    Flag,
    constant,
    integers,
    reduced,
    reduction_of,
    shapes_of,
)

Distance = Callable[[Tensor, Tensor], Tensor]
_TINY = 9.999999960041972e-13
"""What cosine_embedding_loss adds to squared lengths: 1e-12 in float32, as PyTorch has it."""


def _same_rank(op: str, broadcast: bool = True, **tensors: Tensor) -> None:
    """ShapeError unless all have as many dimensions, and broadcast."""
    found = shapes_of(op, **tensors) if broadcast else tuple(t.shape for t in tensors.values())
    if len(set(map(len, found))) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in zip(tensors, found))
        raise ShapeError(f"{op}: got {listed}; expected as many dimensions of each")


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """A distance where target is 1; where it is -1, max(0, margin - input).  Shapes broadcast."""
    reduction = reduction_of(size_average, reduce, reduction)
    shapes_of("hinge_embedding_loss", input=input, target=target)
    if input.dtype.kind != "f" and margin == int(margin):
        margin = int(margin)  # distances that are integers stay integers
    apart = ops.clamp(ops.sub(margin, input), min=0)
    loss = ops.add(ops.where(ops.ne(target, 1), apart, 0), ops.where(ops.ne(target, -1), input, 0))
    if reduction == "mean" and loss.dtype.kind != "f":
        raise integers("hinge_embedding_loss", input=input)
    return reduced("hinge_embedding_loss", loss, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target (input1 - input2) + margin): target 1 ranks input1 higher, -1 input2.

    Shapes broadcast, but have as many dimensions.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _same_rank("margin_ranking_loss", input1=input1, input2=input2, target=target)
    lead = ops.mul(target, ops.sub(input1, input2))
    loss = ops.clamp(ops.sub(float(margin), lead), min=0.0)
    return reduced("margin_ranking_loss", loss, reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where target is 1; where it is -1, max(0, cos - margin).

    input1, input2 (N, E) and target (N,), or (E,) and a number.
    """
    name = "cosine_embedding_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    first, second = shapes_of(name, input1=input1, input2=input2)
    (targets,) = shapes_of(name, target=target)
    if len(targets) > 1 or not len(first) == len(second) == len(targets) + 1:
        raise ShapeError(
            f"{name}: input1 is {first}, input2 {second} and target {targets}; expected (N, E),"
            " (N, E) and (N,), or (E,), (E,) and ()"
        )
    shapes.broadcast(name, first[:-1], second[:-1], targets)
    dot = ops.sum(ops.mul(input1, input2), dim=-1)
    lengths = (ops.add(ops.sum(ops.mul(x, x), dim=-1), _TINY) for x in (input1, input2))
    cosine = ops.div(dot, ops.sqrt(ops.mul(*lengths)))
    near = ops.where(ops.eq(target, 1), ops.sub(1.0, cosine), 0.0)
    far = ops.where(ops.eq(target, -1), ops.clamp(ops.sub(cosine, margin), min=0.0), 0.0)
    return reduced(name, ops.add(near, far), reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + e^(-target input)), target 1 or -1; without overflow.  target broadcasts to input."""
    reduction = reduction_of(size_average, reduce, reduction)
    shape, _ = shapes_of("soft_margin_loss", input=input, target=target)
    if input.dtype.kind != "f":
        raise integers("soft_margin_loss", input=input)
    if target.dtype != input.dtype:
        target = target.to(input.dtype)
    loss = ops.neg(ops.logsigmoid(ops.mul(target, input)))
    if loss.shape != shape:
        raise ShapeError(
            f"soft_margin_loss: input is {shape} but target is {target.shape}, which does not"
            " broadcast to it"
        )
    return reduced("soft_margin_loss", loss, reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum over j != y of weight[y] max(0, margin - input[y] + input[j])^p / C, y being the target.

    input (N, C) or (C,), target (N,) of int64.  p: 1 or 2.  RuntimeError for a class out of range.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if weight is not None:
        weight = constant("multi_margin_loss", "weight", weight)
    return ops.multi_margin_loss(input, target, weight, p=p, margin=margin, reduction=reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum over right classes y and wrong ones j of max(0, 1 - input[y] + input[j]) / C.

    input (N, C) or (C,); target of the same shape, int64, lists the right classes first and ends
    them by -1.  RuntimeError for a class out of range.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    return ops.multilabel_margin_loss(input, target, reduction=reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Flag = None,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d(x, y) = |x - y + eps|_p.

    Inputs (..., E) with as many dimensions, which broadcast.  `swap`: the nearer of anchor and
    positive is what the negative is to be far from.  ValueError unless margin > 0.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    name = "triplet_margin_loss"
    _same_rank(name, anchor=anchor, positive=positive, negative=negative)
    distance = functools.partial(pairwise_distance, p=p, eps=eps)
    return _triplet(name, distance, anchor, positive, negative, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d being `distance_function`.

    `distance_function`: of two inputs, `pairwise_distance` by default.  `swap` as in
    `triplet_margin_loss`.  ValueError unless margin > 0.
    """
    name, distance = "triplet_margin_with_distance_loss", distance_function or pairwise_distance
    _same_rank(name, broadcast=False, anchor=anchor, positive=positive, negative=negative)
    return _triplet(name, distance, anchor, positive, negative, margin, swap, reduction)


def _triplet(
    op: str,
    distance: Distance,
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"{op}: margin is {margin}; expected a number > 0")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    loss = ops.clamp(ops.add(ops.sub(near, far), float(margin)), min=0.0)
    return reduced(op, loss, reduction)
