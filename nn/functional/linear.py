"""Maps that are linear in their weights, and what prepares their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd import DtypeError, ShapeError, Tensor
from autograd.op import FUNCTIONS, ops
from nn.errors import OptionError
from nn.updates import limit_rows


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Affine map: input @ weight.T + bias.  input (..., i), weight (o, i), bias (o,).

    A weight (i,) without bias gives (...,).
    """
    if bias is None and len(weight.shape) == 1:
        return ops.matmul(input, weight)
    return ops.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1^T weight[k] input2 + bias[k].  (..., i), (..., j), (o, i, j), (o,) give (..., o)."""
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(
            f"bilinear: bias is {bias.shape} but weight is {weight.shape}; expected bias"
            f" {weight.shape[:1]}"
        )
    given = [t for t in (input1, input2, weight, bias) if t is not None]
    if len({t.dtype for t in given}) > 1:
        found = ", ".join(t.dtype.name for t in given)
        raise DtypeError(f"bilinear: All tensors must have the same dtype, got {found}")
    return FUNCTIONS["bilinear"](input1, input2, weight, bias)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of weight (n, features) by index: input (...) of integers gives (..., features).

    `padding_idx`: this row gets no gradient.  `max_norm`: rows that are picked and whose p-norm
    (p = norm_type) is greater are first scaled down in place.  `scale_grad_by_freq`: a row's
    gradient is the mean, not the sum, over its occurrences.
    """
    refuse_sparse(sparse)
    rows = weight.shape[0] if weight.shape else 0
    padding = -1 if padding_idx is None else place_of_padding(padding_idx, rows)
    if max_norm is not None:
        limit_rows(weight, input, max_norm, norm_type)
    return ops.embedding(
        weight, input, padding_idx=padding, scale_grad_by_freq=bool(scale_grad_by_freq)
    )


def refuse_sparse(sparse: bool) -> None:
    """NotImplementedError for `sparse=True`."""
    if sparse:
        raise NotImplementedError(
            "embedding: sparse=True asks for sparse gradients, which tapegrad does not have; leave"
            " it out: the gradient is the same, but dense"
        )


def place_of_padding(padding_idx: int, rows: int) -> int:
    """`padding_idx`, which may count from the end, in 0 ... rows - 1."""
    if not -rows <= padding_idx < rows:
        raise OptionError(
            f"embedding: Padding_idx must be within num_embeddings, {rows}; got {padding_idx}"
        )
    return padding_idx % rows


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Vectors with a 1 at the class, int64; default: as many classes as the largest needs."""
    if tensor.dtype != "int64":
        raise DtypeError(
            "one_hot is only applicable to index tensor of type int64, not"
            f" {tensor.dtype.name}; use tensor.long()"
        )
    return FUNCTIONS["one_hot"](tensor, num_classes)


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """A border: `pad` is (before, after) of the last dimension, then of the one before, ...

    `mode`: "constant" (of `value`, default 0), "reflect", "replicate" or "circular".  Negative
    widths crop.
    """
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NotImplementedError(
            f"Unrecognised padding mode {mode!r}; expected constant, reflect, replicate or circular"
        )
    function: Any = FUNCTIONS["pad"]
    if mode == "constant":
        return function(input, pad, mode, value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument; got {value}')
    if min(pad, default=0) < 0:
        input = function(input, [min(n, 0) for n in pad])
    return function(input, [max(n, 0) for n in pad], mode)
