"""`keras.random`: random tensors, from a seed or from the default generator.

`seed` may be an int (the same numbers at each call), a `SeedGenerator` (a stream of its own), or
None (the default generator, which `keras.utils.set_random_seed` seeds).  Distributions are Keras';
the numbers are this engine's own.
"""

from __future__ import annotations

import random as _python
from typing import Any

import numpy as np

from autograd import Generator, Tensor, as_tensor
from autograd.generator import stream
from autograd.op import ops
from nn.keras import config

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]


class SeedGenerator(Generator):
    """A stream of random numbers with its own state; from a random seed where none is given."""

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {sorted(kwargs)}")
        if seed is None:
            seed = _python.randint(1, 10**9)  # as Keras: `set_random_seed` decides
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        if seed < 0:
            raise ValueError(f"Argument `seed` must be >= 0. Received: seed={seed}")
        super().__init__()
        self.manual_seed(seed)
        self.name = name or config.auto_name("seed_generator")

    def get_config(self) -> dict[str, Any]:
        """The seed it started from."""
        return {"seed": self.initial_seed()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A generator that starts from that seed."""
        return cls(**config)


def _stream(seed: Any) -> Any:
    """The NumPy generator that a `seed` argument means."""
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return stream(Generator().manual_seed(int(seed)))
    if seed is not None and not isinstance(seed, Generator):
        raise ValueError(
            "Argument `seed` must be an integer, a `SeedGenerator` or None. Received:"
            f" seed={seed!r} of type {type(seed).__name__}"
        )
    return stream(seed)


def _empty(shape: Any, dtype: Any) -> Tensor:
    name = config.standardize_dtype(dtype)
    if not name.startswith("float"):
        raise ValueError(f"`keras.random` requires a floating point dtype. Received: dtype={name}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return Tensor.wrap(np.empty(shape, np.dtype(name)))


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Numbers from N(mean, stddev^2)."""
    like = _empty(shape, dtype)
    return ops.normal_noise(like, mean=float(mean), std=float(stddev), stream=_stream(seed))


def uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Numbers from U(minval, maxval)."""
    like = _empty(shape, dtype)
    return ops.uniform_noise(like, low=float(minval), high=float(maxval), stream=_stream(seed))


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Integers from minval to maxval, exclusive, all as likely."""
    name = config.standardize_dtype(dtype)
    if not name.startswith(("int", "uint")):
        raise ValueError(f"`keras.random.randint` requires an integer dtype. Received: {name}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return Tensor.wrap(_stream(seed).integers(minval, maxval, shape).astype(name))


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Numbers from N(mean, stddev^2), drawn again where they are beyond two stddev."""
    like, source = _empty(shape, dtype), _stream(seed)
    values = source.standard_normal(like.shape)
    while (far := np.abs(values) > 2).any():
        values[far] = source.standard_normal(int(far.sum()))
    return Tensor.wrap((mean + stddev * values).astype(like.dtype))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Classes (n, num_samples), with the probabilities softmax(logits) of (n, classes)."""
    values = as_tensor(logits).detach().array
    if values.ndim != 2:
        raise ValueError(f"categorical: logits must be (n, classes); received {values.shape}")
    # the largest of logits plus Gumbel noise is distributed so
    noise = _stream(seed).gumbel(size=(values.shape[0], num_samples, values.shape[1]))
    chosen = (values[:, np.newaxis, :] + noise).argmax(axis=-1)
    return Tensor.wrap(chosen.astype(config.standardize_dtype(dtype)))


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Tensor:
    """Zero each element with probability `rate`; the rest is scaled by 1 / (1 - rate)."""
    x = as_tensor(inputs)
    sizes = x.shape if noise_shape is None else tuple(noise_shape)
    shape = tuple(n if m is None else m for m, n in zip(sizes, x.shape))
    like = x.detach() if shape == x.shape else Tensor.wrap(np.empty(shape, x.dtype))
    return ops.mul(x, ops.dropout_mask(like, p=float(rate), stream=_stream(seed)))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Tensor:
    """The slices along `axis` in random order."""
    x = as_tensor(x)
    order = _stream(seed).permutation(x.shape[axis])
    index = (slice(None),) * (axis % len(x.shape)) + (order,)
    return x[index]


def _drawn(values: np.ndarray, dtype: Any) -> Tensor:
    return Tensor.wrap(np.asarray(values, np.dtype(config.standardize_dtype(dtype))))


def _plain(x: Any) -> Any:
    return x.detach().array if isinstance(x, Tensor) else x


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Numbers from the gamma distribution of shape `alpha` and rate 1."""
    return _drawn(_stream(seed).gamma(_plain(alpha), 1.0, shape), dtype)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Numbers from the beta distribution."""
    return _drawn(_stream(seed).beta(_plain(alpha), _plain(beta), shape), dtype)


def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> Tensor:
    """How many of `counts` trials succeed with these probabilities."""
    counts = np.asarray(_plain(counts), np.int64)
    return _drawn(_stream(seed).binomial(counts, _plain(probabilities), shape), dtype)
