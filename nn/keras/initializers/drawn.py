"""Initializers that draw: a distribution that is given, or orthogonal matrices.

One made without a seed takes one from the default generator when it is made, so that
`set_random_seed` decides; called twice, it gives the same values twice, as in Keras.  The streams
are ours: the distributions are Keras', the draws are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from autograd import Generator, Tensor
from autograd.generator import stream
from nn.keras import saving
from nn.keras.initializers.base import Initializer, dtype_of

Self = TypeVar("Self", bound=Initializer)
_SEEDS = 10**9


class RandomInitializer(Initializer):
    """What draws: from an integer seed (the same values each time) or a SeedGenerator."""

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            seed = saving.deserialize_keras_object(seed)
        self._init_seed = seed
        if seed is None:
            seed = int(stream(None).integers(1, _SEEDS))
        elif isinstance(seed, bool) or not (isinstance(seed, (int, np.integer, Generator))):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an"
                f" integer. Received: seed={seed}"
            )
        self.seed = seed

    def _stream(self) -> np.random.Generator:
        if isinstance(self.seed, Generator):
            return stream(self.seed)
        return np.random.Generator(np.random.PCG64(int(self.seed) % 2**64))

    def get_config(self) -> dict[str, Any]:
        """`seed`, as it was given."""
        return {"seed": saving.serialize_keras_object(self._init_seed)}

    def clone(self: Self) -> Self:
        """Another one with the same arguments; without a seed, with other values."""
        return type(self).from_config(self.get_config())


def uniform(source: np.random.Generator, shape: Any, low: float, high: float, dtype: Any) -> Any:
    """A tensor of uniform numbers in [low, high)."""
    kind = _float(dtype)
    values = source.random(tuple(shape), kind)
    return Tensor.wrap(np.asarray(values * kind.type(high - low) + kind.type(low)))


def normal(source: np.random.Generator, shape: Any, mean: float, std: float, dtype: Any) -> Tensor:
    """A tensor of normal numbers."""
    kind = _float(dtype)
    values = source.standard_normal(tuple(shape), kind)
    return Tensor.wrap(np.asarray(values * kind.type(std) + kind.type(mean)))


def truncated(
    source: np.random.Generator, shape: Any, mean: float, std: float, dtype: Any
) -> Tensor:
    """Normal numbers; what is farther than two deviations from the mean is drawn again."""
    kind = _float(dtype)
    values = np.asarray(source.standard_normal(tuple(shape), kind)).reshape(-1)
    far = np.flatnonzero(np.abs(values) > 2)
    while far.size:
        values[far] = source.standard_normal(far.size, kind)
        far = far[np.abs(values[far]) > 2]
    return Tensor.wrap((values * kind.type(std) + kind.type(mean)).reshape(tuple(shape)))


def _float(dtype: Any) -> np.dtype:
    kind = dtype_of(dtype)
    if kind.kind != "f":
        raise ValueError(
            f"a random initializer draws float32 or float64. Received: dtype={kind.name}"
        )
    return kind


class RandomNormal(RandomInitializer):
    """N(mean, stddev^2)."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        return normal(self._stream(), shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        """`seed`, `mean`, `stddev`."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """N(mean, stddev^2) on condition that it is within two stddev of the mean."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        return truncated(self._stream(), shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """U(minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        self.minval, self.maxval = minval, maxval
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        return uniform(self._stream(), shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        """`seed`, `minval`, `maxval`."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthogonal rows or columns, of all dimensions but the last.

    Q of the QR decomposition of normal numbers, its signs fixed so that it is uniform.
    (Saxe, McClelland and Ganguli 2013)
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw; ValueError for fewer than two dimensions."""
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. Received:"
                f" shape={tuple(shape)} of rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        flat = self._stream().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(flat)
        q *= np.sign(np.diag(r))
        values = self.gain * (q.T if rows < columns else q)
        return Tensor.wrap(np.ascontiguousarray(values, _float(dtype)).reshape(tuple(shape)))

    def get_config(self) -> dict[str, Any]:
        """`seed`, `gain`."""
        return {**super().get_config(), "gain": self.gain}
