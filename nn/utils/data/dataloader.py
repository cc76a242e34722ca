"""DataLoader: batches of a dataset, in order or shuffled, here or ahead in worker threads."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from autograd.generator import Generator, default_generator, stream
from nn.utils.data import progress as _progress
from nn.utils.data.collate import default_collate, default_convert
from nn.utils.data.dataset import IterableDataset
from nn.utils.data.fetch import Rows, as_list, from_iterable, from_map
from nn.utils.data.iterator import Ahead, Direct
from nn.utils.data.progress import Progress
from nn.utils.data.sampler import BatchSampler, Ordered, RandomSampler, SequentialSampler
from nn.utils.data.worker import Workers, get_worker_info, guarded

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader(Generic[T_co]):
    """Batches of `dataset`, as an iterable: each `for batch in loader` is one epoch.

    A TensorDataset (or a Subset of one) with the default `collate_fn` is cut into batches whole,
    without work per sample.  Otherwise samples are fetched one by one and given to `collate_fn`.

    `shuffle` draws a new permutation for each epoch from `generator`, or the default one.
    `num_workers` threads fetch `prefetch_factor` batches each ahead of the loop; results and their
    order do not depend on how many there are, even where the dataset draws from the default
    generator.  (Batches that are cut whole need no thread.)  An
    exception in a worker is raised by the loop, with its traceback and the number of the batch.
    `pin_memory`, `pin_memory_device`, `multiprocessing_context` and `in_order=False` are accepted
    and change nothing: there is one memory and one process, and results are always in order.

    To continue in the middle of an epoch after the program was killed, save `state_dict()` after a
    batch and give it to `load_state_dict` of a loader made in the same way.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._check_workers()
        if isinstance(dataset, IterableDataset):
            self._check_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler,"
                    " and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with"
                " drop_last"
            )
        if sampler is None and not isinstance(dataset, IterableDataset):
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(() if sampler is None else sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        in_batches = batch_sampler is not None
        default = default_collate if in_batches else default_convert
        self.collate_fn = default if collate_fn is None else collate_fn
        self._progress: Progress | None = None
        self._loaded = False
        self._workers: Workers | None = None
        self._last: Any = None
        self._made = True

    def _check_workers(self) -> None:
        n, ahead = self.num_workers, self.prefetch_factor
        if not isinstance(n, int):
            raise TypeError(f"num_workers should be an integer, got {type(n).__name__}")
        if n < 0:
            raise ValueError(
                "num_workers option should be non-negative; use num_workers=0 to disable workers;"
                f" got {n}"
            )
        if self.timeout < 0:
            raise ValueError(f"timeout option should be non-negative, got {self.timeout}")
        for name, given in (
            ("prefetch_factor", ahead is not None),
            ("timeout", self.timeout > 0),
            ("persistent_workers", self.persistent_workers),
            ("multiprocessing_context", self.multiprocessing_context is not None),
        ):
            if given and n == 0:
                raise ValueError(f"{name} option needs num_workers > 0; num_workers is 0")
        if ahead is not None and (not isinstance(ahead, int) or ahead < 1):
            raise ValueError(f"prefetch_factor option should be a positive integer, got {ahead!r}")
        if not isinstance(self.generator, (Generator, type(None))):
            raise TypeError(
                f"generator should be an autograd.Generator, got {type(self.generator).__name__}"
            )

    def _check_iterable(self, shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
        for name, value in (
            ("shuffle", shuffle or None),
            ("sampler", sampler),
            ("batch_sampler", batch_sampler),
        ):
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got"
                    f" {name}={value}; the dataset itself decides on the order"
                )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and self.__dict__.get("_made"):
            raise ValueError(
                f"{name} attribute should not be set after DataLoader is initialized; make a new"
                " DataLoader"
            )
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_workers": None, "_last": None}  # threads are not copied

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            n = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self._index_sampler())

    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    # An epoch

    def __iter__(self) -> Iterator[Any]:
        progress = self._progress
        if progress is None or not self._loaded:
            drawing = self._drawing() or default_generator
            progress = Progress(int(stream(self.generator).integers(1 << 62)), drawing.get_state())
        indices: Iterator[Any] = itertools.repeat(None)
        skipped = progress.batches
        make: Callable[[Any], Any] = functools.partial(
            from_iterable,
            collate=self.collate_fn,
            batch_size=self.batch_size,
            drop_last=self.drop_last,
        )
        fetch: Any = None
        here = self.num_workers == 0
        if not isinstance(self.dataset, IterableDataset):
            indices, skipped = self._indices(progress), 0
            make = functools.partial(
                from_map, collate=self.collate_fn, in_batches=self.batch_sampler is not None
            )
            if here or self.worker_init_fn is None:
                fetch = make(self.dataset)
            # handing over to a thread takes longer than cutting a batch out of an array
            here = here or isinstance(fetch, Rows)
        self._progress, self._loaded = progress, False
        if not here:
            return self._ahead(progress, indices, make, skipped)
        fetch = fetch or make(self.dataset)
        for number in range(skipped):
            guarded(fetch, number, None, progress.seed)
        return Direct(progress, indices, fetch, self.__len__)

    def _ahead(self, progress: Progress, indices: Any, make: Any, skipped: int) -> Ahead:
        workers = self._workers
        if workers is None:
            workers = Workers(
                self.num_workers, self.dataset, progress.seed, self.worker_init_fn, self.timeout
            )
        if self._last is not None:
            self._last.cancel()
        depth, keep = self.prefetch_factor or 1, self.persistent_workers
        iterator = Ahead(progress, indices, make, self.__len__, workers, depth, keep)
        if keep:
            self._workers, self._last = workers, iterator.epoch
        iterator.skip(skipped)
        return iterator

    def _drawing(self) -> Generator | None:
        """The generator that the order of samples is drawn from; None: the default one."""
        inner = getattr(self.batch_sampler, "sampler", None)
        for sampler in (self.batch_sampler, inner, self.sampler):
            generator = getattr(sampler, "generator", None)
            if isinstance(generator, Generator):
                return generator
        return None

    def _indices(self, progress: Progress) -> Iterator[Any]:
        """What to fetch for each batch from `progress.batches` on."""
        first, loaded = progress.batches, self._loaded
        batches = self.batch_sampler
        cut = batches if type(batches) is BatchSampler else None
        sampler = self.sampler if cut is None else cut.sampler
        plain = isinstance(sampler, Ordered) and type(sampler).__iter__ is Ordered.__iter__
        if isinstance(sampler, Ordered) and plain and (cut is not None or batches is None):
            source = self._drawing() or default_generator
            order = sampler.order(_progress.continued(progress.before) if loaded else source)
            if cut is None:
                return iter(as_list(order[first:]))
            size = cut.batch_size
            stop = len(order) // size * size if cut.drop_last else len(order)
            return (order[i : i + size] for i in range(first * size, stop, size))
        given = self._index_sampler()
        if not loaded:
            return iter(given)
        with _progress.rewound(self._drawing(), progress.before):
            return _peeked(itertools.islice(given, first, None))

    # State

    def _facts(self) -> dict[str, Any]:
        sized = hasattr(self.dataset, "__len__")
        return {
            "samples": len(self.dataset) if sized else None,
            "batch_size": self.batch_size,
        }

    def _generators(self) -> dict[str, Generator]:
        """Generators other than the default one, whose states belong to this loader's."""
        own = {}
        if self.generator is not None:
            own["generator"] = self.generator
        drawing = self._drawing()
        if drawing is not None and drawing is not self.generator:
            own["sampler_generator"] = drawing
        return own

    def state_dict(self) -> dict[str, Any]:
        """Where the iteration begun last stands, for `load_state_dict`; fit for `nn.save`.

        It holds how many batches were handed out, the state that the epoch's order was drawn from,
        and the states of the generators that the loader was given.  The default generator belongs
        to the whole program: save `autograd.get_rng_state()` beside it.
        """
        return _progress.save(self._progress, self._facts(), self._generators())

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Let the next iteration continue behind the last batch that was handed out.

        It hands out the same batches, in the same order, as the iteration that was saved would
        have, and none if that was behind its last batch; the iteration after it begins a new epoch.
        A sampler of your own is run again from its generator's state (its attribute `generator`, or
        the default one), and an iterable dataset is read again up to that batch.  ValueError where
        the state is of another kind of loader.
        """
        self._progress = _progress.load(state_dict, self._facts(), self._generators())
        self._loaded = self._progress is not None


def _peeked(iterator: Iterator[Any]) -> Iterator[Any]:
    """The same, with the first element already taken: whatever draws at the start has drawn."""
    first = list(itertools.islice(iterator, 1))
    return itertools.chain(first, iterator)
