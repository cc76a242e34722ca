"""Linear maps, activations and dropout as functions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from autograd import Tensor, inplace as _inplace
from autograd.generator import stream
from autograd.op import Op, ops

sigmoid: Op = ops.sigmoid
tanh: Op = ops.tanh
tanhshrink: Op = ops.tanhshrink
softsign: Op = ops.softsign
logsigmoid: Op = ops.logsigmoid
softplus: Op = ops.softplus
softshrink: Op = ops.softshrink
hardshrink: Op = ops.hardshrink
gelu: Op = ops.gelu
glu: Op = ops.glu
prelu: Any = ops.prelu


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Affine map: input @ weight.T + bias.  input (..., i), weight (o, i), bias (o,)."""
    return ops.linear(input, weight, bias)


def activate(f: Op, input: Tensor, inplace: bool = False, **options: Any) -> Tensor:
    """`f` of the input, written over it where `inplace`."""
    if inplace:
        return _inplace.update(f"{f.name}_", f, input, **options)
    return f(input, **options)


def _activation(f: Op) -> Callable[..., Tensor]:
    def function(input: Tensor, inplace: bool = False) -> Tensor:
        return activate(f, input, inplace)

    function.__name__ = function.__qualname__ = f.name
    function.__doc__ = f"The activation `autograd.{f.name}` of each element."
    return function


relu = _activation(ops.relu)
relu6 = _activation(ops.relu6)
selu = _activation(ops.selu)
silu = _activation(ops.silu)
mish = _activation(ops.mish)
hardsigmoid = _activation(ops.hardsigmoid)
hardswish = _activation(ops.hardswish)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input, or negative_slope input where it is not positive."""
    return activate(ops.leaky_relu, input, inplace, negative_slope=negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input, or alpha (e^input - 1) where it is not positive."""
    return activate(ops.elu, input, inplace, alpha=alpha)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input, or alpha (e^(input / alpha) - 1) where it is not positive."""
    return activate(ops.celu, input, inplace, alpha=alpha)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Limit input to [min_val, max_val]."""
    return activate(ops.hardtanh, input, inplace, min_val=min_val, max_val=max_val)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """input, or `value` where it is not above the threshold."""
    return activate(ops.threshold, input, inplace, threshold=threshold, value=value)


def _implicit(name: str, input: Tensor, dim: int | None) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated; say {name}(x, dim=...)",
        UserWarning,
        stacklevel=3,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """e^x / sum(e^x) along `dim`, in `dtype`."""
    x = input if dtype is None else input.to(dtype)
    return ops.softmax(x, dim=_implicit("softmax", x, dim))


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """softmax(-x) along `dim`, in `dtype`."""
    x = input if dtype is None else input.to(dtype)
    return ops.softmax(-x, dim=_implicit("softmin", x, dim))


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, in `dtype`."""
    x = input if dtype is None else input.to(dtype)
    return ops.log_softmax(x, dim=_implicit("log_softmax", x, dim))


def check_probability(p: float) -> None:
    """ValueError unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training zero each element with probability p and scale the others by 1 / (1 - p)."""
    check_probability(p)
    if not training or p == 0:
        return input
    mask = ops.dropout_mask(input.detach(), p=p, stream=stream(None))
    if inplace:
        return _inplace.update("dropout_", ops.mul, input, mask)
    return ops.mul(input, mask)
