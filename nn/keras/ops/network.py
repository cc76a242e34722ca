"""Products, and the functions of neural networks."""

from __future__ import annotations

from typing import Any

import autograd
from autograd import Tensor, dtypes
from autograd.op import ops
from nn.keras import activations, config
from nn.keras.activations import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparsemax,
    squareplus,
    tanh_shrink,
    threshold,
)
from nn.keras.ops.operation import operation, real, tensor

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "celu",
    "dot",
    "einsum",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "inner",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "matmul",
    "multi_hot",
    "normalize",
    "one_hot",
    "outer",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "sparse_plus",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh_shrink",
    "tensordot",
    "threshold",
]
hard_swish, swish = hard_silu, silu


# Products


@operation
def matmul(x1: Any, x2: Any) -> Tensor:
    """The matrix product."""
    return ops.matmul(*_same(x1, x2))


@operation
def dot(x1: Any, x2: Any) -> Tensor:
    """Sums over the last axis of `x1` and the last but one of `x2`, as NumPy's dot."""
    x, y = _same(x1, x2)
    if not x.ndim or not y.ndim:
        return ops.mul(x, y)
    return autograd.tensordot(x, y, ([x.ndim - 1], [max(y.ndim - 2, 0)]))


@operation
def inner(x1: Any, x2: Any) -> Tensor:
    """Sums over the last axis of both."""
    return autograd.inner(*_same(x1, x2))


@operation
def outer(x1: Any, x2: Any) -> Tensor:
    """All products of an element of `x1` and one of `x2`."""
    x, y = _same(x1, x2)
    return autograd.outer(x.reshape(-1), y.reshape(-1))


@operation
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """Sums over axes of both: so many at the seam, or the two lists of them."""
    if not isinstance(axes, int):
        axes = [[a] if isinstance(a, int) else list(a) for a in axes]
    return autograd.tensordot(*_same(x1, x2), axes)


@operation
def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Sums of products, as the subscripts say."""
    return autograd.einsum(subscripts, *[tensor(x) for x in operands])


def _same(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Two tensors of one dtype."""
    x, y = tensor(x1), tensor(x2)
    if x.dtype is not y.dtype:
        common = dtypes.result_type(x.array, y.array)
        x, y = (t if t.dtype is common else ops.cast(t, dtype=common) for t in (x, y))
    return x, y


# Networks


@operation
def relu(x: Any) -> Tensor:
    """max(x, 0)."""
    return ops.relu(tensor(x))


@operation
def gelu(x: Any, approximate: bool = True) -> Tensor:
    """X Phi(x), Phi the normal distribution function; by tanh if `approximate`."""
    return activations.gelu(real(x), approximate)


@operation
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Tensor:
    """1 at each number's place along a new `axis`; all 0 for a number out of range."""
    if sparse:
        raise ValueError("one_hot: there are dense tensors only; leave `sparse` out")
    x = tensor(x)
    wanted = dtypes.as_dtype(config.standardize_dtype(dtype))
    numbers = Tensor.wrap(autograd.arange(num_classes).array.astype(x.dtype))
    out = ops.cast(ops.eq(x.unsqueeze(-1), numbers), dtype=wanted)
    return out if axis in (-1, x.ndim) else autograd.movedim(out, -1, axis)


@operation
def multi_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> Tensor:
    """1 at each place that is among the numbers of a row."""
    return ops.amax(one_hot(x, num_classes, -1, dtype), dim=-2)


@operation
def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Tensor:
    """`x` divided by its norms along `axis`, which are at least `epsilon`."""
    x = real(x)
    least = config.epsilon() if epsilon is None else epsilon
    if order == 2:  # the gradient of zeros is finite so
        total = ops.sum(ops.square(x), dim=axis, keepdim=True)
        return ops.mul(x, ops.rsqrt(total.clamp(min=least**2)))
    norms = autograd.norm(x, p=float(order), dim=axis, keepdim=True)
    return ops.div(x, norms.clamp(min=least))


@operation
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """-t log(o) - (1 - t) log(1 - o) of each element; o is clipped to [1e-7, 1 - 1e-7]."""
    output = real(output)
    target = tensor(target, output.dtype)
    _check_shapes("binary_crossentropy", target, output)
    if from_logits:
        return ops.sub(ops.softplus(output), ops.mul(target, output))
    p = output.clamp(min=config.epsilon(), max=1 - config.epsilon())
    ones = ops.mul(target, ops.log(p))
    zeros = ops.mul(ops.sub(1.0, target), ops.log(ops.sub(1.0, p)))
    return ops.neg(ops.add(ones, zeros))


@operation
def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """-sum t log(o / sum o) along `axis`; o is clipped to [1e-7, 1 - 1e-7]."""
    output = real(output)
    target = tensor(target, output.dtype)
    _check_shapes("categorical_crossentropy", target, output)
    return ops.neg(ops.sum(ops.mul(target, _log_of(output, from_logits, axis)), dim=axis))


@operation
def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """-log(o / sum o) of the class whose number `target` is; o is clipped to [1e-7, 1 - 1e-7]."""
    output = real(output)
    target = tensor(target)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if target.shape != (*output.shape[:-1],):
        raise ValueError(
            "sparse_categorical_crossentropy: target and output must have the same shape up until"
            f" the last dimension: target.shape={target.shape}, output.shape={output.shape}"
        )
    hot = one_hot(target, output.shape[axis], axis, output.dtype)
    if not from_logits:  # clipped first, then made probabilities: what Keras' softmax of log p is
        output = ops.log(output.clamp(min=config.epsilon(), max=1 - config.epsilon()))
    return ops.neg(ops.sum(ops.mul(hot, activations.log_softmax(output, axis)), dim=axis))


def _log_of(output: Tensor, from_logits: bool, axis: int) -> Tensor:
    if from_logits:
        return activations.log_softmax(output, axis)
    p = ops.div(output, ops.sum(output, dim=axis, keepdim=True))
    return ops.log(p.clamp(min=config.epsilon(), max=1 - config.epsilon()))


def _check_shapes(name: str, target: Tensor, output: Tensor) -> None:
    if target.shape != output.shape:
        raise ValueError(
            f"{name}: target and output must have the same shape. Received:"
            f" target.shape={target.shape}, output.shape={output.shape}"
        )
