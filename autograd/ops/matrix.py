"""Products under PyTorch's other names, composed of `matmul`, `mul` and `einsum`."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from autograd.errors import ShapeError
from autograd.op import function, ops


def _expect(op: str, **dims: tuple[Any, int]) -> None:
    """ShapeError unless each argument has the number of dimensions that stands beside it."""
    if all(x.ndim == ndim for x, ndim in dims.values()):
        return
    given = " and ".join(f"{name} is {x.shape}" for name, (x, _) in dims.items())
    wanted = " and ".join(f"{name} with {ndim}" for name, (_, ndim) in dims.items())
    raise ShapeError(f"{op}: {given}; expected {wanted} dimensions")


@function()
def mm(x: Any, mat2: Any) -> Any:
    """Product of two matrices: x (m, k), mat2 (k, n), out (m, n).  See `matmul`."""
    _expect("mm", x=(x, 2), mat2=(mat2, 2))
    return ops.matmul(x, mat2)


@function()
def bmm(x: Any, mat2: Any) -> Any:
    """Product of two stacks of matrices: x (b, m, k), mat2 (b, k, n), out (b, m, n)."""
    _expect("bmm", x=(x, 3), mat2=(mat2, 3))
    if x.shape[0] != mat2.shape[0]:
        raise ShapeError(
            f"bmm: x is {x.shape} but mat2 is {mat2.shape}; expected mat2"
            f" ({x.shape[0]}, {x.shape[2]}, n). matmul broadcasts"
        )
    return ops.matmul(x, mat2)


@function()
def mv(x: Any, vec: Any) -> Any:
    """Matrix times vector: x (m, k), vec (k,), out (m,)."""
    _expect("mv", x=(x, 2), vec=(vec, 1))
    return ops.matmul(x, vec)


@function()
def dot(x: Any, other: Any) -> Any:
    """Product of two vectors: x (k,), other (k,), out 0-d."""
    _expect("dot", x=(x, 1), other=(other, 1))
    return ops.matmul(x, other)


@function(methods=("outer", "ger"))
def outer(x: Any, vec2: Any) -> Any:
    """Outer product out[i, j] = x[i] * vec2[j]: x (m,), vec2 (n,), out (m, n)."""
    _expect("outer", x=(x, 1), vec2=(vec2, 1))
    return ops.mul(ops.unsqueeze(x, dim=1), vec2)


@function()
def addmm(x: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * x + alpha * mat1 @ mat2`: mat1 (m, k), mat2 (k, n); x broadcasts to (m, n).

    With beta = 0 what is in `x` does not matter, NaN included.
    """
    _expect("addmm", mat1=(mat1, 2), mat2=(mat2, 2))
    out = ops.matmul(mat1, mat2)
    if alpha != 1:
        out = ops.mul(out, alpha)
    if beta == 0:
        return out
    return ops.add(x if beta == 1 else ops.mul(x, beta), out)


@function(numpy=(np.inner,))
def inner(x: Any, other: Any) -> Any:
    """Sum of products over the last dimensions; of 0-d tensors, their product."""
    if not x.ndim or not other.ndim:
        return ops.mul(x, other)
    if x.shape[-1] != other.shape[-1]:
        raise ShapeError(
            f"inner: x is {x.shape} but other is {other.shape}; expected other (..., {x.shape[-1]})"
        )
    return tensordot(x, other, dims=((-1,), (-1,)))


@function(methods=())
def tensordot(a: Any, b: Any, dims: int | Sequence[Any] = 2) -> Any:
    """Sum of products over pairs of dimensions.

    `dims`: how many, the last of `a` with the first of `b`; or ([dims of a], [dims of b]).
    out: the other dimensions of `a`, then those of `b`.
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ShapeError(
                f"tensordot: a is {a.shape} and b is {b.shape}; dims={dims} is not in"
                f" 0 ... {min(a.ndim, b.ndim)}"
            )
        left, right = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(left) != len(right):
        raise ShapeError(f"tensordot: dims names {len(left)} dimensions of a, {len(right)} of b")
    term_a, term_b = list(ascii_letters[: a.ndim]), list(ascii_letters[-b.ndim :] if b.ndim else "")
    for i, j in zip(left, right, strict=True):
        if a.shape[i] != b.shape[j]:
            raise ShapeError(
                f"tensordot: a is {a.shape} and b is {b.shape}; dimension {i} of a has"
                f" {a.shape[i]} elements but dimension {j} of b has {b.shape[j]}"
            )
        term_b[j] = term_a[i]
    shared = {term_a[i] for i in left}
    rest = [label for label in (*term_a, *term_b) if label not in shared]
    return ops.einsum(f"{''.join(term_a)},{''.join(term_b)}->{''.join(rest)}", a, b)


@function(methods=())
def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Any:
    """out[..., o] = x1 @ weight[o] @ x2 + bias[o].

    x1 (..., i), x2 (..., j), weight (o, i, j), bias (o,), out (..., o).
    """
    if (
        weight.ndim != 3
        or x1.shape[-1:] != weight.shape[1:2]
        or x2.shape != (*x1.shape[:-1], weight.shape[2])
    ):
        raise ShapeError(
            f"bilinear: x1 is {x1.shape}, x2 is {x2.shape} and weight is {weight.shape};"
            " expected x1 (..., i), x2 (..., j), weight (outputs, i, j)"
        )
    out = ops.einsum("...i,oij,...j->...o", x1, weight, x2)
    return out if bias is None else ops.add(out, bias)
