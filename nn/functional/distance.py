"""Lengths, directions and distances."""

from __future__ import annotations

from autograd import DtypeError, Tensor
from autograd.op import FUNCTIONS, ops


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None
) -> Tensor:
    """Input / max(norm(input), eps), with the p-norm along `dim`."""
    if out is not None:
        raise NotImplementedError("normalize: there is no out=; use the result")
    length = FUNCTIONS["clamp"](ops.norm(input, p=p, dim=dim, keepdim=True), min=eps)
    return ops.div(input, length)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; x1 and x2 broadcast."""
    if not (x1.is_floating_point() or x2.is_floating_point()):
        raise DtypeError(
            "cosine_similarity: expected common dtype to be floating point, got"
            f" {x1.dtype.name} and {x2.dtype.name}"
        )
    x1, x2 = FUNCTIONS["broadcast_tensors"](x1, x2)
    return ops.sum(ops.mul(_direction(x1, dim, eps), _direction(x2, dim, eps)), dim=dim)


def _direction(x: Tensor, dim: int, eps: float) -> Tensor:
    """X / max(|x|, eps), with the gradient that it would have without eps, as in PyTorch."""
    length = ops.norm(x, p=2, dim=dim, keepdim=True)
    known = length.detach()
    missing = ops.sub(FUNCTIONS["clamp"](known, min=eps), known)
    return ops.div(x, ops.add(length, missing))


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension; x1 and x2 broadcast."""
    return ops.norm(ops.add(ops.sub(x1, x2), eps), p=p, dim=-1, keepdim=keepdim)
