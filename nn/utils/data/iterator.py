"""One pass over a loader: in the thread that reads it, or ahead of it in workers."""

from __future__ import annotations

import collections
import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from nn.utils.data.fetch import END, Fetch
from nn.utils.data.progress import Progress
from nn.utils.data.worker import Epoch, Failure, Workers, guarded


class Direct:
    """Fetches each batch when it is asked for."""

    def __init__(self, progress: Progress, indices: Iterator[Any], fetch: Fetch, count: Any):
        self._progress = progress
        self._indices = indices
        self._fetch = fetch
        self._count = count

    def __iter__(self) -> Direct:
        return self

    def __len__(self) -> int:
        return self._count()

    def __next__(self) -> Any:
        progress = self._progress
        try:
            indices = next(self._indices)
        except StopIteration:
            progress.done = True
            raise
        number = progress.batches
        progress.batches = number + 1
        batch = guarded(self._fetch, number, indices, progress.seed)
        if batch is END:
            progress.batches = number
            progress.done = True
            raise StopIteration
        return batch


class Ahead:
    """Reads what workers have fetched; `depth` batches per worker are under way at any time."""

    def __init__(
        self,
        progress: Progress,
        indices: Iterator[Any],
        make_fetch: Callable[[Any], Fetch],
        count: Any,
        workers: Workers,
        depth: int,
        persistent: bool,
    ):
        self._progress = progress
        self._indices = indices
        self._count = count
        self._workers = workers
        self._persistent = persistent
        self.epoch = Epoch(make_fetch, progress.seed)
        weakref.finalize(self, self.epoch.cancel)
        self._number = itertools.count(progress.batches)
        self._under_way: collections.deque[int] = collections.deque()
        n = len(workers.threads)
        for k in range(depth * n):
            self._send((progress.batches + k) % n)

    def _send(self, worker: int) -> None:
        for indices in itertools.islice(self._indices, 1):
            self._workers.send(worker, self.epoch, next(self._number), indices)
            self._under_way.append(worker)

    def skip(self, count: int) -> None:
        """Let `count` batches pass: the way into the middle of an iterable dataset."""
        for _ in range(count):
            self._receive()

    def _receive(self) -> Any:
        while self._under_way:
            if self.epoch.cancelled:
                raise RuntimeError(
                    "this iterator has ended: with persistent_workers, a new one over the same"
                    " loader takes its workers over"
                )
            worker = self._under_way[0]
            result = self._workers.receive(worker, self.epoch)
            self._under_way.popleft()
            if result is not END:  # a worker whose share is exhausted gets no further tasks
                self._send(worker)
                return result
        return END

    def __iter__(self) -> Ahead:
        return self

    def __len__(self) -> int:
        return self._count()

    def __next__(self) -> Any:
        result = self._receive()
        if result is END:
            self._progress.done = True
            if not self._persistent:
                self._workers.close()
            raise StopIteration
        self._progress.batches += 1
        if isinstance(result, Failure):
            try:
                raise result.error
            finally:
                del result  # the traceback holds this frame: no cycle through it
        return result
