"""Worker threads that fetch batches ahead of the loop that reads them.

Each worker has a queue of tasks and a queue of results, and batch i is worker (i mod n)'s, so that
results come in order without sorting.  Threads, not processes: NumPy lets go of the interpreter
while it copies and computes, nothing is pickled, and errors arrive with their traceback.
"""

from __future__ import annotations

import copy
import functools
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.generator import Generator, drawing_from
from nn.utils.data.dataset import Dataset
from nn.utils.data.fetch import Fetch, Rows, as_list


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info()` tells a dataset: `id` of `num_workers`, `seed`, its own dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_local = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker of a loader: which one it is.  Elsewhere: None."""
    return getattr(_local, "info", None)


class Epoch:
    """One pass over a loader: how its batches are fetched, and whether anyone still wants them.

    A worker holds it only while it works on a task: nothing of the user's outlives the pass.
    """

    def __init__(self, make_fetch: Callable[[Any], Fetch], seed: int):
        self.make_fetch = make_fetch
        self.seed = seed
        self.cancelled = False
        self._fetches: dict[int, Fetch] = {}  # each worker touches its own entry only

    def cancel(self) -> None:
        """No further task of this pass shall be worked on."""
        self.cancelled = True

    def run(self, info: WorkerInfo, number: int, indices: Any) -> Any:
        """Batch `number`, in a worker."""
        if info.id not in self._fetches:
            self._fetches[info.id] = self.make_fetch(info.dataset)
        return guarded(self._fetches[info.id], number, indices, self.seed, info.id)


class Failure:
    """An exception on its way from a worker to the reader."""

    def __init__(self, error: BaseException):
        self.error = error


class Workers:
    """Threads with their queues.  They end soon after the last reference to this object is gone."""

    def __init__(
        self,
        count: int,
        dataset: Any,
        seed: int,
        init: Callable[[int], None] | None,
        timeout: float,
    ):
        self.timeout = timeout
        self.tasks: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(count)]
        self.results: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(count)]
        stopped = threading.Event()
        self._finalize = weakref.finalize(self, _stop, self.tasks, stopped)
        # a shallow copy each, so that what one worker sets on its dataset the others do not see
        owns = isinstance(dataset, Dataset)
        self.threads = []
        for i in range(count):
            info = WorkerInfo(i, count, seed + i, copy.copy(dataset) if owns else dataset)
            thread = threading.Thread(
                target=_work,
                args=(self.tasks[i], self.results[i], stopped, info, init),
                name=f"DataLoader worker {i}",
                daemon=True,  # an abandoned loader does not hold up the end of the program
            )
            self.threads.append(thread)
            thread.start()

    def send(self, worker: int, epoch: Epoch, number: int, indices: Any) -> None:
        """Ask `worker` for a batch of `epoch`."""
        self.tasks[worker].put((epoch, number, indices))

    def receive(self, worker: int, epoch: Epoch) -> Any:
        """The next result of `worker`; what is left over from an earlier epoch is dropped."""
        while True:
            try:
                sender, result = self.results[worker].get(timeout=self.timeout or None)
            except queue.Empty:
                raise RuntimeError(
                    f"DataLoader timed out after {self.timeout} seconds: worker {worker} has not"
                    " finished its batch"
                ) from None
            if sender is epoch:
                return result

    def close(self) -> None:
        """End the threads and wait for them; at the end of a pass they have nothing left to do."""
        self._finalize()
        for thread in self.threads:
            thread.join(timeout=5)


def _stop(tasks: list[queue.SimpleQueue[Any]], stopped: threading.Event) -> None:
    stopped.set()
    for each in tasks:
        each.put(None)


def _work(
    tasks: queue.SimpleQueue[Any],
    results: queue.SimpleQueue[Any],
    stopped: threading.Event,
    info: WorkerInfo,
    init: Callable[[int], None] | None,
) -> None:
    _local.info = info
    failed, failure = False, _start(info.id, init)
    del init
    while (task := tasks.get()) is not None and not stopped.is_set():
        if failure is not None:
            results.put((task[0], failure))
            failed, failure = True, None  # its traceback will hold the reader, which holds us
        elif failed:
            results.put((task[0], _not_running(info.id)))
        elif not task[0].cancelled:
            results.put((task[0], _attempt(info, *task)))
        del task


def _start(worker: int, init: Callable[[int], None] | None) -> Failure | None:
    try:
        if init is not None:
            init(worker)
    except BaseException as error:
        noted(error, f"in worker_init_fn of DataLoader worker {worker}")
        return Failure(error)
    return None


def _not_running(worker: int) -> Failure:
    return Failure(
        RuntimeError(f"DataLoader worker {worker} did not start: its worker_init_fn failed")
    )


def _attempt(info: WorkerInfo, epoch: Epoch, number: int, indices: Any) -> Any:
    try:
        return epoch.run(info, number, indices)
    except BaseException as error:  # the reader raises it
        return Failure(error)


def _generator_of(seed: int, number: int) -> Generator:
    entropy = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return Generator().manual_seed(int(entropy[0]))


def guarded(fetch: Fetch, number: int, indices: Any, seed: int, worker: int | None = None) -> Any:
    """`fetch(indices)`; an exception says which batch it was, and StopIteration does not end it.

    What it draws without a generator comes from a stream of the batch's own: the same in any
    worker, at any time, and again when the epoch is continued.
    """
    try:
        if isinstance(fetch, Rows):
            return fetch(indices)  # draws nothing
        with drawing_from(functools.cache(functools.partial(_generator_of, seed, number))):
            return fetch(indices)
    except StopIteration as error:
        raise RuntimeError(
            f"{_place(number, indices, worker)}: the dataset or collate_fn raised StopIteration,"
            " which would end the epoch early"
        ) from error
    except Exception as error:
        noted(error, _place(number, indices, worker))
        raise


def _place(number: int, indices: Any, worker: int | None) -> str:
    where = "" if worker is None else f", worker {worker}"
    if indices is None:
        return f"in batch {number} of the DataLoader{where}"
    listed = as_list(indices) if hasattr(indices, "__len__") else [indices]
    shown = ", ".join(map(str, listed[:8])) + (", ..." if len(listed) > 8 else "")
    return f"in batch {number} of the DataLoader{where} (samples {shown})"


def noted(error: BaseException, text: str) -> None:
    """Add a line to the message of `error`."""
    if sys.version_info >= (3, 11):
        error.add_note(text)
    elif error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}\n{text}", *error.args[1:])
