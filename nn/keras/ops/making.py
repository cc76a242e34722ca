"""Making tensors, and asking what they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, dtypes
from autograd.op import ops
from nn.keras import config
from nn.keras.node import KerasTensor
from nn.keras.ops.operation import operation, tensor


def _dtype(dtype: Any) -> Any:
    return dtypes.as_dtype(config.standardize_dtype(dtype))


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """`x` as a tensor: ints of Python are int32, floats `floatx`."""
    return x if isinstance(x, KerasTensor) else tensor(x, dtype)


def array(x: Any, dtype: Any = None) -> Any:
    """`x` as a tensor."""
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """The values as an array."""
    return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)


def is_tensor(x: Any) -> bool:
    """True for a tensor that has values."""
    return isinstance(x, Tensor)


def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """All 0."""
    return Tensor.wrap(np.zeros(_shape(shape), _dtype(dtype)))


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """All 1."""
    return Tensor.wrap(np.ones(_shape(shape), _dtype(dtype)))


def empty(shape: Any, dtype: Any = None) -> Tensor:
    """All 0."""
    return zeros(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """All `fill_value`."""
    return ops.clone(ops.broadcast_to(tensor(fill_value, dtype), shape=_shape(shape)))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """1 on a diagonal, 0 elsewhere."""
    return Tensor.wrap(np.eye(N, M, k, dtype=_dtype(dtype)))


def identity(n: int, dtype: Any = None) -> Tensor:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """From `start` to `stop`, exclusive; int32 for integers."""
    if stop is None:
        start, stop = 0, start
    values = np.arange(start, stop, 1 if step is None else step)
    usual = config.floatx() if values.dtype.kind == "f" else "int32"
    return Tensor.wrap(values.astype(_dtype(dtype or usual)))


def linspace(
    start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None
) -> Tensor:
    """`num` numbers from `start` to `stop`."""
    return Tensor.wrap(np.linspace(start, stop, num, endpoint).astype(_dtype(dtype)))


@operation
def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """All 0, in the shape of `x`."""
    x = tensor(x)
    return Tensor.wrap(np.zeros(x.shape, x.dtype if dtype is None else _dtype(dtype)))


@operation
def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """All 1, in the shape of `x`."""
    x = tensor(x)
    return Tensor.wrap(np.ones(x.shape, x.dtype if dtype is None else _dtype(dtype)))


@operation
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """All `fill_value`, in the shape of `x`."""
    x = tensor(x)
    return full(x.shape, fill_value, x.dtype if dtype is None else dtype)


@operation
def cast(x: Any, dtype: Any) -> Tensor:
    """`x` in another dtype."""
    return tensor(x, dtype)


@operation
def stop_gradient(variable: Any) -> Tensor:
    """The values, through which no gradient passes."""
    return tensor(variable).detach()


@operation
def copy(x: Any) -> Tensor:
    """The same values in memory of their own."""
    return ops.clone(tensor(x))


# Asking


def shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of the dimensions."""
    return tuple(x.shape) if hasattr(x, "shape") else tensor(x).shape


def ndim(x: Any) -> int:
    """The number of dimensions."""
    return len(shape(x))


def size(x: Any) -> int:
    """The number of elements."""
    return tensor(x).numel()


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return config.standardize_dtype(x.dtype)
