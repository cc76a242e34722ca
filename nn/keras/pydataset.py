"""PyDataset: a dataset of whole batches, by index."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class PyDataset:
    """Subclass it: `__getitem__(index)` returns a batch, `__len__()` how many there are.

    `num_batches` may be overridden instead of `__len__`; None for a dataset without an end.
    `on_epoch_begin` and `on_epoch_end` are called around each pass of `fit`.

    With `workers` > 1 that many threads fetch up to `max_queue_size` batches ahead, in order.
    `use_multiprocessing` asks for processes in Keras; here they are threads too, as nothing has to
    be pickled.
    """

    _workers = 1
    _use_multiprocessing = False
    _max_queue_size = 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ):
        self._workers = workers
        self._use_multiprocessing = use_multiprocessing
        self._max_queue_size = max_queue_size

    @property
    def workers(self) -> int:
        """How many threads fetch batches."""
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """What the constructor was given."""
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        """How many batches are fetched ahead."""
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        """Batch `index`: (x, y), (x, y, sample_weight) or x."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index)")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"{type(self).__name__} must define __len__(self), or a property `num_batches`"
        )

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """A pass begins."""

    def on_epoch_end(self) -> None:
        """A pass has ended."""


def batches_of(dataset: PyDataset, order: Iterable[int]) -> Iterator[Any]:
    """The batches of these indices, fetched ahead where the dataset has workers."""
    if dataset.workers < 2:
        for index in order:
            yield dataset[index]
        return
    indices = iter(order)
    with ThreadPoolExecutor(dataset.workers) as threads:
        waiting: collections.deque[Future[Any]] = collections.deque()
        try:
            for index in itertools.islice(indices, max(1, dataset.max_queue_size)):
                waiting.append(threads.submit(dataset.__getitem__, index))
            while waiting:
                batch = waiting.popleft().result()
                for index in itertools.islice(indices, 1):
                    waiting.append(threads.submit(dataset.__getitem__, index))
                yield batch
        finally:
            for future in waiting:
                future.cancel()
