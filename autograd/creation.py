"""Functions that make tensors, under PyTorch's names and with its defaults.

`dtype=None` means: float32 for Python floats, int64 for integers, the array's own dtype for arrays.
`device` is accepted for the sake of scripts; there is only "cpu".
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import dtypes, shapes
from autograd.generator import Generator, stream
from autograd.modes import modes
from autograd.tensor import Tensor


def _made(array: np.ndarray, requires_grad: bool = False, device: Any = None) -> Tensor:
    if device is not None and str(device) != "cpu":
        raise RuntimeError(f"device {device!r}: tapegrad runs on the CPU; there is only 'cpu'")
    t = Tensor.wrap(array)
    if requires_grad:
        t.requires_grad = True
    return t


def _as_array(data: Any, dtype: Any) -> np.ndarray:
    """`data` as an array of a supported dtype; new only where the dtype or type demands it."""
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(data, Tensor):
        if modes.recorder is not None:
            modes.recorder.reading(data, "tensor()")
        data = data.array
    elif isinstance(data, (list, tuple)):
        data = _plain_lists(data)
    try:
        array = np.asarray(data, wanted)
    except ValueError as error:
        raise ValueError(f"tensor: {error}") from None
    plain = wanted is None and not isinstance(data, (np.ndarray, np.generic))
    if plain and array.dtype == dtypes.float64 and not (array.size and _holds_float64(data)):
        array = array.astype(dtypes.DEFAULT)
    return dtypes.canonical(array)


def _plain_lists(data: Any) -> Any:
    """Nested lists with tensors inside as nested lists of arrays."""
    if isinstance(data, Tensor):
        if modes.recorder is not None:
            modes.recorder.reading(data, "tensor()")
        return data.array
    if isinstance(data, (list, tuple)):
        return [_plain_lists(x) for x in data]
    return data


def _holds_float64(data: Any) -> bool:
    """True when a NumPy float64 stands first in nested lists: it keeps its dtype, as in PyTorch."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic)) and data.dtype == dtypes.float64


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new leaf tensor with a copy of `data` (number, nested lists, array, tensor)."""
    if isinstance(data, Tensor):
        warnings.warn(
            "to copy a tensor, use source.detach().clone() rather than tensor(source)",
            UserWarning,
            stacklevel=2,
        )
    array = _as_array(data, dtype)
    return _made(np.array(array, order="C"), requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor: itself, or one sharing the array's memory, where the dtype allows it."""
    if isinstance(data, Tensor):
        if dtype is None or data.dtype == dtypes.as_dtype(dtype):
            return data
        return data.to(dtype)
    return _made(_as_array(data, dtype), device=device)


def asarray(data: Any, dtype: Any = None, copy: bool | None = None) -> Tensor:
    """`data` as a tensor; `copy=True` for memory of its own."""
    return tensor(data, dtype) if copy else as_tensor(data, dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of `array`; TypeError for what is not a supported array."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}")
    if not array.dtype.isnative:
        raise TypeError(f"from_numpy: {array.dtype} is not in this machine's byte order; copy it")
    return _made(dtypes.canonical(array))


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares the memory of any CPU array with the DLPack protocol."""
    return _made(np.from_dlpack(source))


def scalar(value: float, requires_grad: bool = True) -> Tensor:
    """A 0-d float64 leaf that is a bare Python number inside: the fast way to programs of scalars.

    >>> a, b = scalar(2.0), scalar(-3.0)
    >>> (a * b).backward()
    >>> a.grad.item()
    -3.0
    """
    if modes.recorder is not None:
        t = modes.recorder.scalars.make(value)
    else:
        t = Tensor.wrap(float(value))
    t.tracked = bool(requires_grad)
    return t


def is_tensor(x: Any) -> bool:
    """True for a Tensor."""
    return isinstance(x, Tensor)


def _filled(fill: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
    def make(
        *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        chosen = dtypes.DEFAULT if dtype is None else dtypes.as_dtype(dtype)
        return _made(fill(shapes.as_shape(size), chosen), requires_grad, device)

    return make


zeros = _filled(np.zeros)
zeros.__doc__ = "A tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`; float32."
ones = _filled(np.ones)
ones.__doc__ = "A tensor of ones: `ones(2, 3)` or `ones((2, 3))`; float32."
empty = _filled(np.empty)
empty.__doc__ = "An uninitialised tensor: `empty(2, 3)` or `empty((2, 3))`; float32."


def full(
    size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of shape `size` with every element `fill_value`, whose type decides the dtype."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    chosen = _as_array(value, dtype).dtype
    return _made(np.full(shapes.as_shape((size,)), value, chosen), requires_grad, device)


def eye(
    n: int, m: int | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The identity matrix (n, m), float32."""
    chosen = dtypes.DEFAULT if dtype is None else dtypes.as_dtype(dtype)
    return _made(np.eye(n, m, dtype=chosen), requires_grad, device)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Values from `start` (0 if left out) to `end`, exclusive; int64 if no float is among them."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("arange: step must not be 0")
    if (end - start) * step < 0:
        raise RuntimeError(f"arange: from {start} to {end} a step of {step} leads away")
    real = any(isinstance(v, (float, np.floating)) for v in (start, end, step))
    chosen = (
        dtypes.as_dtype(dtype) if dtype is not None else dtypes.DEFAULT if real else dtypes.int64
    )
    return _made(np.arange(start, end, step).astype(chosen), requires_grad, device)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` evenly spaced values from `start` to `end`, both included."""
    chosen = dtypes.DEFAULT if dtype is None else dtypes.as_dtype(dtype)
    values = np.linspace(float(start), float(end), steps)
    return _made(values.astype(chosen), requires_grad, device)


def logspace(start: float, end: float, steps: int, base: float = 10.0, dtype: Any = None) -> Tensor:
    """`steps` values from base**start to base**end, evenly spaced in the exponent."""
    chosen = dtypes.DEFAULT if dtype is None else dtypes.as_dtype(dtype)
    return _made(np.logspace(float(start), float(end), steps, base=base).astype(chosen))


def _real(dtype: Any) -> np.dtype:
    chosen = dtypes.DEFAULT if dtype is None else dtypes.as_dtype(dtype)
    if not dtypes.is_float(chosen):
        raise RuntimeError(f"random numbers of dtype {chosen.name} are not reals; use randint")
    return chosen


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    values = stream(generator).random(shapes.as_shape(size), _real(dtype))
    return _made(np.asarray(values), requires_grad, device)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal numbers."""
    values = stream(generator).standard_normal(shapes.as_shape(size), _real(dtype))
    return _made(np.asarray(values, _real(dtype)), requires_grad, device)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from `low` (0 if left out) to `high`, exclusive: `randint(10, (3,))`, int64."""
    if size is None:
        low, high, size = 0, low, high
    chosen = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    if low >= high:
        raise RuntimeError(f"randint: expected low < high, got {low} and {high}")
    values = stream(generator).integers(low, high, shapes.as_shape((size,)))
    return _made(np.asarray(values, chosen), requires_grad, device)


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None) -> Tensor:
    """A random permutation of 0 ... n-1, int64."""
    chosen = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    return _made(stream(generator).permutation(operator.index(n)).astype(chosen))


def normal(mean: Any, std: Any, size: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Normal numbers; `mean` and `std` are numbers (with `size`) or tensors."""
    mean, std = (np.asarray(v.array if isinstance(v, Tensor) else v) for v in (mean, std))
    if (std < 0).any():
        raise RuntimeError(f"normal expects all elements of std >= 0.0, got {std.min()}")
    shape = shapes.as_shape((size,)) if size is not None else np.broadcast(mean, std).shape
    return _made(np.asarray(stream(generator).normal(mean, std, shape), dtypes.DEFAULT))


def bernoulli(p: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Zeros and ones; one with the probability in each element of `p`."""
    if not ((p.array >= 0) & (p.array <= 1)).all():
        raise RuntimeError("bernoulli expects 0 <= p <= 1 in every element")
    draws = stream(generator).random(p.shape) < p.array
    return _made(np.asarray(draws, p.dtype))


def multinomial(
    weights: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Tensor:
    """Indices drawn from each row of non-negative `weights` (n,) or (m, n); int64."""
    rows = np.atleast_2d(weights.array).astype(np.float64)
    if not np.isfinite(rows).all() or (rows < 0).any() or (rows.sum(1) <= 0).any():
        raise RuntimeError("multinomial: weights must be finite, >= 0, and not all zero in a row")
    draws = [
        stream(generator).choice(row.size, num_samples, replacement, row / row.sum())
        for row in rows
    ]
    return _made(np.asarray(draws, np.int64).reshape(*weights.shape[:-1], num_samples))


def _like(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def like(t: Tensor, *args: Any, dtype: Any = None, **options: Any) -> Tensor:
        return make(t.shape, *args, dtype=t.dtype if dtype is None else dtype, **options)

    like.__doc__ = f"`{make.__name__}` with the shape and dtype of the tensor given."
    return like


for _make in (zeros, ones, empty):
    _make.__name__ = next(name for name, f in globals().items() if f is _make)
zeros_like = _like(zeros)
ones_like = _like(ones)
empty_like = _like(empty)
full_like = _like(full)
rand_like = _like(rand)
randn_like = _like(randn)


def randint_like(t: Tensor, low: int, high: int | None = None, **options: Any) -> Tensor:
    """`randint` with the shape and dtype of the tensor given."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, t.shape, **{"dtype": t.dtype, **options})
