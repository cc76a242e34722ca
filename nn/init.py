"""Initial values, in place and without history, under PyTorch's names and with its conventions.

A weight is (out, in, ...receptive field): fan_in is in times the field, fan_out is out times it.
Every function takes a `generator`, where it draws, and returns the tensor.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from autograd import Generator, Tensor, no_grad
from autograd.generator import stream
from autograd.op import ops

_GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
    **{f"conv{kind}{n}d": 1.0 for kind in ("", "_transpose") for n in (1, 2, 3)},
}


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """What keeps the variance of a layer's output after this nonlinearity."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}; known are {known}")
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out); PyTorch scripts use it under this name in their own layers."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions;"
            f" got shape {tensor.shape}"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fill(tensor: Tensor, values: np.ndarray) -> Tensor:
    with no_grad():
        return tensor.copy_(Tensor.wrap(values.astype(tensor.dtype, copy=False)))


# From a distribution


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values from U(a, b)."""
    if a > b:
        raise RuntimeError(f"uniform_ expects a range [a, b) with a <= b, but found a={a} > b={b}")
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values from N(mean, std^2)."""
    if std < 0:
        raise RuntimeError(f"normal_ expects std >= 0.0, but found std {std}")
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Values from N(mean, std^2) on condition that they are in [a, b].

    Drawn by inverting the distribution function: mean + std sqrt(2) erfinv(u).
    """
    if std <= 0 or a > b:
        raise ValueError(f"trunc_normal_ expects std > 0 and a <= b, but found {std}, {a} and {b}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of"
            " values may be incorrect.",
            UserWarning,
            stacklevel=2,
        )
    low, high = (math.erf((end - mean) / (std * math.sqrt(2))) for end in (a, b))
    u = stream(generator).uniform(low, high, tensor.shape)
    return _fill(tensor, np.clip(mean + std * math.sqrt(2) * _erfinv(u), a, b))


def _erfinv(y: np.ndarray) -> np.ndarray:
    """The inverse of the error function: Winitzki's formula, to 0.2 %, and Newton's method."""
    y = np.clip(y, -1 + 2**-53, 1 - 2**-53)
    log, a = np.log1p(-y * y), 0.147
    c = 2 / (math.pi * a) + log / 2
    x = np.copysign(np.sqrt(np.sqrt(c * c - log / a) - c), y)
    for _ in range(4):
        x -= (ops.erf(x) - y) * (math.sqrt(math.pi) / 2) * np.exp(x * x)
    return x


# Constants


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element `val`."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Every element 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0."""
    return constant_(tensor, 0.0)


def _require_matrix(tensor: Tensor) -> None:
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported; got {tensor.shape}")


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere: a linear layer begins as the identity."""
    _require_matrix(tensor)
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


# Scaled by the fans


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Glorot: U(-b, b) with b = gain sqrt(6 / (fan_in + fan_out))."""
    bound = gain * math.sqrt(6 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Glorot: N(0, gain^2 2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """He: U(-b, b) with b = gain sqrt(3 / fan); `a` is the slope of the leaky ReLU that follows."""
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3) * _he(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """He: N(0, gain^2 / fan); `a` is the slope of the leaky ReLU that follows."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _he(tensor, a, mode, nonlinearity), generator)


def _he(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _is_empty(tensor: Tensor) -> bool:
    if 0 not in tensor.shape:
        return False
    warnings.warn("Initializing zero-element tensors is a no-op", UserWarning, stacklevel=3)
    return True


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """LeCun 1998: U(-b, b) with b = sqrt(3 / fan_in)."""
    bound = math.sqrt(3 / _calculate_fan_in_and_fan_out(tensor)[0])
    return uniform_(tensor, -bound, bound, generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """LeCun 1998: N(0, 1 / fan_in), for tanh and SELU networks.  Not truncated, as Keras' is."""
    return normal_(tensor, 0.0, math.sqrt(1 / _calculate_fan_in_and_fan_out(tensor)[0]), generator)


# With a structure


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A (semi-)orthogonal matrix times `gain`; further dimensions are part of the columns.

    Q of the QR decomposition of normal numbers, its signs fixed so that it is uniform over the
    orthogonal matrices.  (Saxe, McClelland and Ganguli 2013)
    """
    if tensor.ndim < 2:
        raise ValueError(
            f"Only tensors with 2 or more dimensions are supported; got shape {tensor.shape}"
        )
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    flat = stream(generator).standard_normal((rows, columns))
    q, r = np.linalg.qr(flat if rows >= columns else flat.T)
    q *= np.sign(np.diag(r))
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """N(0, std^2), and in each column that share of the elements 0, rounded up.  (Martens 2010)."""
    _require_matrix(tensor)
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity {sparsity} is not between 0 and 1")
    source, (rows, columns) = stream(generator), tensor.shape
    values = source.normal(0.0, std, (rows, columns))
    for column in values.T:
        column[source.permutation(rows)[: math.ceil(sparsity * rows)]] = 0
    return _fill(tensor, values)
