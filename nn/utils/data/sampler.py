"""Samplers: in which order a loader visits a dataset."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from autograd import Tensor, multinomial
from autograd.generator import Generator, default_generator

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Indices (or keys, or lists of them for a batch sampler).  Subclass it: define `__iter__`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class Ordered(Sampler[int]):
    """A sampler that knows its whole order at once, so that a loader can cut it into batches."""

    generator: Generator | None = None

    def order(self, generator: Generator) -> np.ndarray | range:
        """One pass over the indices, drawn from `generator`."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        order = self.order(default_generator if self.generator is None else self.generator)
        return iter(order if isinstance(order, range) else order.tolist())


class SequentialSampler(Ordered):
    """0, 1, 2 ... for each sample of `data_source`."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def order(self, generator: Generator) -> range:
        """0, 1, 2 ...; draws nothing."""
        return range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Ordered):
    """A new permutation of the samples in every pass, or with `replacement` independent draws.

    `num_samples` is by default the length of `data_source`; without replacement, a greater number
    takes several permutations.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_bool("replacement", replacement, TypeError)
        _check_count("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """Indices in one pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self, generator: Generator) -> np.ndarray:
        """One permutation after the other, or independent draws."""
        n, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            return generator.numpy.integers(0, n, wanted)
        if wanted == n:
            return generator.numpy.permutation(n)
        passes = -(-wanted // n)
        return np.concatenate([generator.numpy.permutation(n) for _ in range(passes)])[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Ordered):
    """The given indices in a new random order in every pass."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices = indices
        self.generator = generator

    def order(self, generator: Generator) -> np.ndarray:
        """The indices, permuted."""
        return np.asarray(self.indices, np.int64)[generator.numpy.permutation(len(self.indices))]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Ordered):
    """`num_samples` indices, index i drawn with a probability proportional to `weights[i]`.

    Without `replacement` no index comes twice in a pass.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ):
        _check_count("num_samples", num_samples)
        _check_bool("replacement", replacement, ValueError)
        values = weights.detach().array if isinstance(weights, Tensor) else weights
        given = np.array(values, np.float64)
        if given.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {given.shape}"
            )
        self.weights = Tensor.wrap(given)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def order(self, generator: Generator) -> np.ndarray:
        """Draws by weight."""
        possible = np.count_nonzero(self.weights.array)
        if not self.replacement and self.num_samples > possible:
            raise RuntimeError(
                f"WeightedRandomSampler: cannot draw {self.num_samples} samples without"
                f" replacement from {possible} of positive weight"
            )
        drawn = multinomial(self.weights, self.num_samples, self.replacement, generator=generator)
        return drawn.array

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices from `sampler`; with `drop_last`, no shorter one at the end."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool):
        _check_count("batch_size", batch_size)
        _check_bool("drop_last", drop_last, ValueError)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value!r}")


def _check_bool(name: str, value: Any, error: type[Exception]) -> None:
    if not isinstance(value, bool):
        raise error(f"{name} should be a boolean value, but got {name}={value!r}")
