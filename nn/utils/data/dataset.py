"""Datasets: what a `DataLoader` draws its samples from."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from autograd import Tensor, as_tensor
from autograd.generator import Generator, stream

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by index.  Subclass it: define `__getitem__`, and `__len__`.

    If you define `__getitems__(indices)` too, a loader asks it for the samples of a whole batch.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Samples as they come.  Subclass it: define `__iter__`.

    Each worker of a loader iterates over a shallow copy of its own: `get_worker_info()` tells it
    which share is its to yield.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is row i of each tensor.  Arrays are taken too: as tensors that share their memory.

    AssertionError where the tensors differ in their number of rows.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Any):
        self.tensors = tuple([as_tensor(t) for t in tensors])
        if not self.tensors:
            raise ValueError("TensorDataset: expected at least one tensor, got none")
        for i, t in enumerate(self.tensors):
            if not t.shape:
                raise IndexError(f"TensorDataset: tensor {i} is 0-d; it has no rows to index")
        rows = [t.shape[0] for t in self.tensors]
        if len(set(rows)) > 1:
            raise AssertionError(
                f"Size mismatch between tensors: they have {', '.join(map(str, rows))} rows"
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        if type(index) is int:
            return tuple([_row(t, index) for t in self.tensors])
        return tuple([t[index] for t in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


def _row(t: Tensor, index: int) -> Tensor:
    """`t[index]`; 0.7 us instead of 2.4 where no graph is recorded, for it is called per sample."""
    if t.requires_grad:
        return t[index]
    row = Tensor.wrap(t.array[index, ...])
    row.version = t.version  # it is a view
    return row


class StackDataset(Dataset[Any]):
    """Sample i is the tuple (or, from keywords, the dict) of the i-th samples of all datasets."""

    datasets: Any

    def __init__(self, *args: Any, **kwargs: Any):
        if args and kwargs:
            raise ValueError(
                f"StackDataset: expected datasets as arguments or as keywords, got {len(args)} and"
                f" {len(kwargs)}"
            )
        if not args and not kwargs:
            raise ValueError("StackDataset: expected at least one dataset, got none")
        lengths = [len(d) for d in (*args, *kwargs.values())]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"Size mismatch between datasets: {', '.join(map(str, lengths))} samples"
            )
        self._length = lengths[0]
        self.datasets = kwargs or args

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: d[index] for name, d in self.datasets.items()}
        return tuple([d[index] for d in self.datasets])

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """The samples at all `indices`."""
        if isinstance(self.datasets, dict):
            columns = [several(d, indices) for d in self.datasets.values()]
            return [dict(zip(self.datasets, row, strict=True)) for row in zip(*columns)]
        return list(zip(*[several(d, indices) for d in self.datasets]))

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """The samples of several datasets, one after the other."""

    datasets: list[Any]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        for i, d in enumerate(self.datasets):
            if isinstance(d, IterableDataset):
                raise AssertionError(
                    f"ConcatDataset does not support IterableDataset, which datasets[{i}] is; use"
                    " ChainDataset"
                )
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: Any) -> T_co:
        if index < 0:
            if -index > len(self):
                raise ValueError(
                    f"absolute value of index should not exceed dataset length: {index} of"
                    f" {len(self)}"
                )
            index += len(self)
        if index >= len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Any]):
    """The samples of several iterable datasets, one after the other."""

    def __init__(self, datasets: Iterable[Any]):
        super().__init__()
        self.datasets = datasets

    def _parts(self) -> Iterator[Any]:
        for d in self.datasets:
            if not isinstance(d, IterableDataset):
                raise AssertionError(
                    f"ChainDataset only supports IterableDataset, got {type(d).__name__}"
                )
            yield d

    def __iter__(self) -> Iterator[Any]:
        for d in self._parts():
            yield from d

    def __len__(self) -> int:
        return sum(len(d) for d in self._parts())


class Subset(Dataset[T_co]):
    """The samples of `dataset` at `indices`."""

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> list[T_co]:
        """The samples at all `indices` of this subset."""
        return several(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def several(dataset: Any, indices: Sequence[int]) -> list[Any]:
    """The samples at all `indices`, through `__getitems__` where the dataset has it."""
    together: Callable[..., Any] | None = getattr(dataset, "__getitems__", None)
    if together is None:
        return [dataset[i] for i in indices]
    samples = together(indices)
    if len(samples) != len(indices):
        raise ValueError(
            f"{type(dataset).__name__}.__getitems__ returned {len(samples)} samples for"
            f" {len(indices)} indices"
        )
    return samples


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[Any]]:
    """Subsets of `lengths` samples that share none, drawn at random.

    Fractions that sum to 1 are rounded down, and what is left over goes one each to the first
    subsets.  ValueError where the lengths do not add up to the dataset's.
    """
    counts = list(lengths)
    total = len(dataset)
    if math.isclose(sum(counts), 1) and sum(counts) <= 1:
        counts = _shares(counts, total)
    if sum(counts) != total:
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! The lengths"
            f" {counts} sum to {sum(counts)}; the dataset has {total} samples"
        )
    if not all(isinstance(n, (int, np.integer)) for n in counts):
        raise TypeError(f"random_split: lengths must be integers, or sum to 1; got {counts}")
    if min(counts, default=0) < 0:
        raise ValueError(f"random_split: lengths must not be negative, got {counts}")
    order = stream(generator).permutation(total).tolist()
    ends = itertools.accumulate(map(int, counts))
    return [Subset(dataset, order[end - int(n) : end]) for n, end in zip(counts, ends, strict=True)]


def _shares(fractions: list[float], total: int) -> list[float]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1: {fraction}")
    counts = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(counts)):
        counts[i % len(counts)] += 1
    for i, n in enumerate(counts):
        if n == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.",
                UserWarning,
                stacklevel=3,
            )
    return list(counts)
