"""Sources of batches: arrays, generators, datasets and loaders, read batch by batch.

A batch is (form, arrays): `nests.together(form, arrays)` is (x, y, sample_weight).
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from autograd.generator import Generator, default_generator
from nn.keras import nests
from nn.keras.data import (
    as_arrays,
    can_be_arrays,
    check_lengths,
    class_weights,
    is_array,
    pack_x_y_sample_weight,
    per_output,
    unknown_kind,
    unpack_x_y_sample_weight,
    warn_of_nan,
)
from nn.keras.position import FitPosition
from nn.keras.pydataset import PyDataset, batches_of
from nn.utils.data import DataLoader

Batch = tuple[np.ndarray, ...]
_ROOM = 1 << 24
"""Bytes of one gathered block of batches at most."""


class Source:
    """Where batches come from.  `steps`: how many there are in a pass; None if that is not known.

    `ahead`: batches may be read before those in front of them were used.
    """

    steps: int | None = None
    ahead = False

    def begin(self, position: FitPosition) -> None:
        """Begin a pass; `position.taken` batches of it are done."""
        raise NotImplementedError

    def take(self, count: int) -> tuple[Any, list[Batch]]:
        """(form, the next batches of that form and one shape), `count` at most; none at the end."""
        raise NotImplementedError

    def first(self) -> tuple[Any, Batch]:
        """(form, a batch) to build the model with; nothing is used up."""
        raise NotImplementedError

    def end(self) -> None:
        """The pass is over."""


class Arrays(Source):
    """Arrays in memory, cut into batches; shuffled by a permutation of the rows for each pass."""

    ahead = True

    def __init__(self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: Any):
        self.count = check_lengths(x, y, sample_weight)
        data = pack_x_y_sample_weight(x, y, sample_weight)
        self.form, leaves = nests.apart(data if isinstance(data, tuple) else (data,))
        self.arrays: list[np.ndarray] = leaves
        self.batch, self.shuffle = batch_size, shuffle
        self.full, self.rest = divmod(self.count, batch_size)
        self.steps = self.full + (self.rest > 0)
        row = sum(a.nbytes for a in leaves) // max(1, self.count) * batch_size
        self.most = max(1, _ROOM // max(1, row))
        self.at = 0
        self.order: np.ndarray | None = None

    def begin(self, position: FitPosition) -> None:
        """Draw the order, or draw it again where the pass is continued."""
        self.at, self.order = position.taken, None
        if not self.shuffle:
            return
        if position.order is None:
            position.order = default_generator.get_state()
            self.order = self._draw(default_generator.numpy)
        else:
            again = Generator()
            again.set_state(position.order)
            self.order = self._draw(again.numpy)

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        if self.shuffle != "batch":
            return generator.permutation(self.count)
        starts = range(0, self.count, self.batch)
        sizes = [min(self.batch, self.count - start) for start in starts]
        return np.concatenate([generator.permutation(n) + s for s, n in zip(starts, sizes)])

    def take(self, count: int) -> tuple[Any, list[Batch]]:
        """The next batches as views of the data, or of a gathered copy where it is shuffled."""
        at, steps = self.at, min(count, self.most, max(self.full - self.at, 0))
        size = self.batch
        if not steps:
            if at >= self.steps:  # type: ignore[operator]
                return self.form, []
            steps, size = 1, self.rest
        self.at = at + steps
        rows = slice(at * self.batch, at * self.batch + steps * size)
        blocks = []
        for a in self.arrays:
            block = a[rows] if self.order is None else a.take(self.order[rows], 0, mode="clip")
            blocks.append(block.reshape(steps, size, *a.shape[1:]))
        return self.form, list(zip(*blocks))

    def first(self) -> tuple[Any, Batch]:
        """The first rows as they are given."""
        return self.form, tuple([a[: min(self.batch, self.count)] for a in self.arrays])


class Stream(Source):
    """Batches of an iterable: a generator, which is read once, or what can be iterated again."""

    def __init__(self, iterable: Any, class_weight: Any = None, steps: int | None = None):
        self.iterable, self.class_weight, self.steps = iterable, class_weight, steps
        self.iterator: Iterator[Any] = iter(())
        self.waiting: list[tuple[Any, Batch]] = []
        self.once = iter(iterable) is iterable
        self.begun = False
        if self.once:
            self.iterator = iterable

    def _open(self, position: FitPosition) -> Iterator[Any]:
        return self.iterator if self.once else iter(self.iterable)

    def begin(self, position: FitPosition) -> None:
        """Read from the start, or go on where the iterable is a generator."""
        skip = 0
        if not self.once:
            self.waiting = []
            skip = 0 if position.loader is not None else position.taken
        elif not self.begun:
            skip = position.total
        self.begun = True
        self.iterator = self._open(position)
        for _ in itertools.islice(self.iterator, max(0, skip - len(self.waiting))):
            pass
        del self.waiting[:skip]

    def take(self, count: int) -> tuple[Any, list[Batch]]:
        """The next batches; several only where each has memory of its own."""
        form: Any = None
        found: list[Batch] = []
        shapes: Any = None
        while len(found) < count and self._read():
            next_form, arrays = self.waiting[0]
            kind = [(a.shape, a.dtype) for a in arrays]
            if found and (next_form, kind) != (form, shapes):
                break
            form, shapes = next_form, kind
            found.append(arrays)
            del self.waiting[0]
        return form, found

    def _read(self) -> bool:
        if not self.waiting:
            for data in itertools.islice(self.iterator, 1):
                self.waiting.append(self._standard(data))
        return bool(self.waiting)

    def _standard(self, data: Any) -> tuple[Any, Batch]:
        x, y, weight = unpack_x_y_sample_weight(data)
        x, y = as_arrays(x, "x"), as_arrays(y, "y")
        if self.class_weight is not None:
            refuse_both(weight)
            weight = class_weights(y, self.class_weight)
        elif weight is not None:
            weight = per_output(y, as_arrays(weight, "sample_weight"))
        check_lengths(x, y, weight)
        packed = pack_x_y_sample_weight(x, y, weight)
        form, leaves = nests.apart(packed if isinstance(packed, tuple) else (packed,))
        return form, tuple(leaves)

    def end(self) -> None:
        """Let go of what was opened for this pass."""
        close = getattr(self.iterator, "close", None)
        if close is not None and not self.once:
            close()

    def first(self) -> tuple[Any, Batch]:
        """The next batch of a generator, which stays the next; the first of anything else."""
        if self.once:
            if not self._read():
                raise ValueError("no data: the generator gave no batch; it may be exhausted")
            return self.waiting[0]
        for data in itertools.islice(iter(self.iterable), 1):
            return self._standard(data)
        raise ValueError("no data: there is no batch in it")


class Loader(Stream):
    """Our DataLoader: its position is part of a checkpoint."""

    ahead = True

    def __init__(self, loader: DataLoader[Any], class_weight: Any):
        try:
            steps = len(loader)
        except TypeError:  # an iterable dataset
            steps = None
        super().__init__(loader, class_weight, steps)

    def _open(self, position: FitPosition) -> Iterator[Any]:
        if position.loader is not None:
            self.iterable.load_state_dict(position.state_dict()["loader"])
            if position.loader["epoch"]:
                return iter(self.iterable)
        iterator = iter(self.iterable)
        position.loader = self.iterable.state_dict()
        return iterator

    def first(self) -> tuple[Any, Batch]:
        """The first samples, fetched without beginning a pass."""
        loader = self.iterable
        size = loader.batch_size
        if hasattr(loader.dataset, "__getitem__") and size is not None and len(loader.dataset):
            rows = [loader.dataset[i] for i in range(min(size, len(loader.dataset)))]
            return self._standard(loader.collate_fn(rows))
        return super().first()


class Sequence(Stream):
    """A PyDataset: batches by index, in another order for each pass where `shuffle`."""

    def __init__(self, dataset: PyDataset, class_weight: Any, shuffle: Any):
        super().__init__(dataset, class_weight, dataset.num_batches)
        self.shuffle = bool(shuffle) and self.steps is not None

    def _open(self, position: FitPosition) -> Iterator[Any]:
        self.iterable.on_epoch_begin()
        order: Any = itertools.count() if self.steps is None else range(self.steps)
        if self.shuffle:
            source = Generator()
            if position.order is None:
                position.order = default_generator.get_state()
                source = default_generator
            else:
                source.set_state(position.order)
            order = source.numpy.permutation(len(order)).tolist()
        return batches_of(self.iterable, order)

    def first(self) -> tuple[Any, Batch]:
        """Batch 0."""
        if self.steps == 0:
            raise ValueError(f"no data: len() of the {type(self.iterable).__name__} is 0")
        return self._standard(self.iterable[0])

    def end(self) -> None:
        """Tell the dataset."""
        super().end()
        self.iterable.on_epoch_end()


def refuse_both(weight: Any) -> None:
    """ValueError where there are sample weights beside class weights."""
    if weight is not None:
        raise ValueError(
            "Arguments `sample_weight` and `class_weight` cannot be specified at the same time;"
            " multiply the sample weights by those of the classes"
        )


def source_of(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: Any = False,
    class_weight: Any = None,
    check_nan: bool = False,
) -> Source:
    """The source for what `fit`, `evaluate` or `predict` was given."""
    if isinstance(x, Source):
        return x
    if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
        raise ValueError(f"batch_size should be a positive integer, got {batch_size!r}")
    if can_be_arrays(x, y, sample_weight):
        x, y = as_arrays(x, "x"), as_arrays(y, "y")
        if class_weight is not None:
            refuse_both(sample_weight)
            sample_weight = class_weights(y, class_weight)
        elif sample_weight is not None:
            sample_weight = per_output(y, as_arrays(sample_weight, "sample_weight"))
        count = check_lengths(x, y, sample_weight)
        if check_nan:
            for what, tree in (("x", x), ("y", y), ("sample_weight", sample_weight)):
                warn_of_nan(tree, what)
        size = batch_size or (math.ceil(count / steps) if steps else 32)
        return Arrays(x, y, sample_weight, int(size), shuffle)
    kind = type(x).__name__
    if is_array(x) or not hasattr(x, "__iter__") or isinstance(x, (list, tuple, dict, str)):
        named = {"x": x, "y": y, "sample_weight": sample_weight}
        raise next(unknown_kind(v, k) for k, v in named.items() if not can_be_arrays(v))
    for name, value, called in (("y", y, "targets"), ("sample_weight", sample_weight, "weights")):
        if value is not None:
            raise ValueError(
                f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, the"
                f" {called} should be included as part of the {kind}."
            )
    if isinstance(x, PyDataset):
        return Sequence(x, class_weight, shuffle)
    if isinstance(x, DataLoader):
        return Loader(x, class_weight)
    length = len(x) if hasattr(x, "__len__") else None
    return Stream(x, class_weight, length)


def ran_out() -> None:
    """Warn that there were fewer batches than asked for."""
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or"
        " generator can generate at least `steps_per_epoch * epochs` batches.",
        UserWarning,
        stacklevel=4,
    )
