"""DataLoader: order, batches cut out of arrays, workers, continuing in the middle of an epoch."""

from __future__ import annotations

import copy
import gc
import io
import itertools
import pickle
import threading
import time
import traceback
from typing import Any

import numpy as np
import pytest

import autograd
from nn.files import load, save
from nn.utils.data import (
    DataLoader,
    RandomSampler,
    Sampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
    random_split,
)
from tests.faces import ours
from tests.test_data import Squares, iterable, typed

# Random order


def rows(n: int = 100, features: int = 3) -> TensorDataset:
    """Row i begins with i, and its label is i."""
    x = np.arange(n, dtype=np.float32)[:, None] + np.zeros(features, np.float32)
    return TensorDataset(autograd.tensor(x), autograd.arange(n))


def order(loader: Any) -> list[int]:
    """The labels in the order in which they come; each x is checked against its label."""
    seen = []
    for batch in loader:
        x, y = batch if isinstance(batch, list) else (batch, batch)
        assert np.all(x.numpy().reshape(len(y), -1)[:, 0] == y.numpy())
        seen += y.tolist()
    return seen


def slow(batch: Any) -> Any:
    """What keeps a loader off its fast path."""
    return default_collate(batch)


def generator(seed: int = 1) -> autograd.Generator:
    return autograd.Generator().manual_seed(seed)


@pytest.mark.parametrize("collate", [None, slow])
def test_each_epoch_is_a_new_permutation(collate):
    loader = DataLoader(rows(), 32, shuffle=True, collate_fn=collate)
    first, second = order(loader), order(loader)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second != list(range(100))


@pytest.mark.parametrize("collate", [None, slow])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_generator_decides_on_the_order(collate, workers):
    def epochs(seed):
        loader = DataLoader(
            *(rows(), 32),
            shuffle=True,
            collate_fn=collate,
            num_workers=workers,
            generator=generator(seed),
        )
        return [order(loader) for _ in range(2)]

    reference = DataLoader(rows(), 32, shuffle=True, generator=generator(1))
    assert epochs(1) == [order(reference) for _ in range(2)] != epochs(2)


def test_the_default_generator_decides_without_one():
    loader = DataLoader(rows(), 32, shuffle=True)
    autograd.manual_seed(5)
    first = order(loader)
    autograd.manual_seed(5)
    assert order(loader) == first


def test_samplers_draw_from_their_generator_only():
    before = autograd.get_rng_state()
    for make in (
        lambda g: RandomSampler(range(50), generator=g),
        lambda g: RandomSampler(range(50), True, 70, generator=g),
        lambda g: SubsetRandomSampler(range(50), generator=g),
        lambda g: WeightedRandomSampler(np.ones(50), 40, generator=g),
    ):
        assert list(make(generator(3))) == list(make(generator(3))) != list(make(generator(4)))
        sampler = make(generator(3))
        assert list(sampler) != list(sampler)
        assert len(list(sampler)) == len(sampler)
    random_split(range(9), [4, 5], generator())
    assert autograd.get_rng_state() == before


def test_a_permutation_is_that_of_randperm():
    expected = autograd.randperm(20, generator=generator(3)).tolist()
    assert list(RandomSampler(range(20), generator=generator(3))) == expected
    splits = random_split(range(20), [0.5, 0.5], generator=generator(3))
    assert [i for s in splits for i in s.indices] == expected


def test_weights_are_odds():
    drawn = np.bincount(list(WeightedRandomSampler([1.0, 0.0, 3.0], 20_000, generator=generator())))
    assert drawn[1] == 0
    assert abs(drawn[2] / drawn[0] - 3) < 0.2  # four standard deviations
    once = WeightedRandomSampler(autograd.tensor([1.0, 0.0, 3.0]), 2, False)
    assert sorted(once) == [0, 2]


# Batches cut out of arrays


def views(n: int = 50) -> dict[str, Any]:
    """Datasets that are in memory, and how many samples they have."""
    base = autograd.tensor(np.arange(n * 6.0).reshape(n, 6))
    split = random_split(TensorDataset(base, autograd.arange(n)), [0.7, 0.3], generator())
    return {
        "tensors": TensorDataset(base, autograd.arange(n)),
        "one": TensorDataset(base),
        "strided": TensorDataset(base[:, ::2], base.T.flip(0).T, base[::1, 2]),
        "transposed": TensorDataset(autograd.tensor(np.arange(n * 6.0).reshape(6, n)).T),
        "dtypes": TensorDataset(*[base.to(d) for d in ("uint8", "int32", "float32", "bool")]),
        "arrays": TensorDataset(np.arange(n), np.zeros((n, 2, 0))),
        "empty": TensorDataset(base[:0]),
        "split": split[0],
        "nested": Subset(split[1], [4, 1, 1]),
        "array_of_indices": Subset(TensorDataset(base), np.array([3, -1, 4])),
        "tensor_of_indices": Subset(TensorDataset(base), autograd.tensor([3, 1, 4])),
        "subset_of_nothing": Subset(TensorDataset(base), []),
    }


@pytest.mark.parametrize("name", views())
@pytest.mark.parametrize("size", [1, 7, 50, 64])
@pytest.mark.parametrize("shuffle", [False, True])
def test_cut_batches_are_those_of_single_samples(name: str, size: int, shuffle: bool):
    def batches(collate, drop):
        options = dict(shuffle=shuffle and len(views()[name]) > 0, generator=generator())
        loader = DataLoader(views()[name], size, collate_fn=collate, drop_last=drop, **options)
        return [typed(b) for b in loader]

    for drop in (False, True):
        assert batches(None, drop) == batches(slow, drop)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("n", [4, 40])
def test_batches_are_copies(shuffle: bool, n: int):
    dataset = rows(n)
    for x, y in DataLoader(dataset, n, shuffle=shuffle):
        x += 1
        y += 1
        assert x.is_contiguous()
    assert dataset.tensors[1].tolist() == list(range(n))
    assert dataset.tensors[0][:, 0].tolist() == list(range(n))


def test_batches_follow_what_happens_to_the_dataset():
    dataset = rows(4)
    iterator = iter(DataLoader(dataset, 2))
    dataset.tensors[1][:] = 7
    assert next(iterator)[1].tolist() == [7, 7]


@pytest.mark.parametrize(
    "batches",
    [
        [[1, 2], [-1], []],
        [np.array([1, 2]), (3,)],
        [autograd.tensor([1, 2])],
        [[autograd.tensor(1), np.int64(2)]],
        [range(1, 3), range(4, 0, -2)],
    ],
    ids=["lists", "arrays", "tensor", "numbers", "ranges"],
)
def test_cut_batches_of_a_batch_sampler_of_ones_own(batches):
    loader = DataLoader(rows(5), batch_sampler=batches)
    assert [y.tolist() for _, y in loader] == [[range(5)[int(i)] for i in b] for b in batches]


def test_indices_out_of_range_are_an_error():
    for batch in ([5], [-6], np.array([0, 5])):
        with pytest.raises(IndexError):
            list(DataLoader(rows(5), batch_sampler=[batch]))
    with pytest.raises(TypeError):
        list(DataLoader(rows(5), batch_sampler=[[1.5]]))
    with pytest.raises(TypeError, match="integers, not bool"):
        list(DataLoader(rows(5), batch_sampler=[np.ones(5, bool)]))
    with pytest.raises(IndexError):
        list(DataLoader(rows(5), batch_sampler=[range(3, 7)]))


def test_a_subclass_keeps_its_own_item():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return 2 * super().__getitem__(i)[1]

    assert [b.tolist() for b in DataLoader(Doubled(autograd.arange(3), autograd.arange(3)), 2)] == [
        [0, 2],
        [4],
    ]

    class Reversed(Subset):
        def __getitem__(self, i):
            return self.dataset[-1 - i]

        __getitems__ = None

    assert order(DataLoader(Reversed(rows(3), range(3)), 3)) == [2, 1, 0]


def test_tensors_that_require_grad_keep_their_graph():
    x = autograd.tensor([[1.0], [2.0]], requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(x), 2)))
    batch.sum().backward()
    assert x.grad.tolist() == [[1.0], [1.0]]


def test_a_row_is_a_view():
    dataset = rows(3)
    x, y = dataset[1]
    x[:] = 9
    assert dataset.tensors[0][1, 0].item() == 9
    assert y.shape == ()
    weight = autograd.ones(3, requires_grad=True)
    product = (dataset.tensors[0] * weight).sum()
    x[:] = 8
    with pytest.raises(RuntimeError, match="inplace operation"):
        product.backward()


# Workers


def threads() -> int:
    """Worker threads, once those that are ending have ended."""
    if gc.isenabled():
        gc.collect()  # an exception kept by pytest.raises keeps its frames
    for _ in range(200):
        count = sum(t.name.startswith("DataLoader worker") for t in threading.enumerate())
        if count == 0:
            break
        time.sleep(0.005)
    return count


class Uneven(Squares):
    """Later samples are ready first."""

    def __getitem__(self, i):
        time.sleep(0.002 * (i % 3 == 0))
        return super().__getitem__(i)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("ahead", [None, 1, 20])
def test_workers_keep_the_order(workers: int, ahead: int | None):
    loader = DataLoader(Uneven(31), 2, num_workers=workers, prefetch_factor=ahead)
    found = [x for b in loader for x in b.tolist()]
    assert found == [i * i for i in range(31)]
    assert threads() == 0


def test_workers_work_ahead_and_not_further():
    started = []

    class Watched(Squares):
        def __getitem__(self, i):
            started.append(i)
            return i

    iterator = iter(DataLoader(Watched(100), 1, num_workers=2, prefetch_factor=3))
    next(iterator)
    time.sleep(0.1)
    assert sorted(started) == list(range(7))


def test_workers_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=5)

    class Meeting(Squares):
        def __getitem__(self, i):
            meeting.wait()
            return i

    assert len(list(DataLoader(Meeting(4), num_workers=2))) == 4


def test_leaving_the_loop_ends_the_workers():
    loader = DataLoader(Uneven(1000), 1, num_workers=3, prefetch_factor=50)
    for _ in loader:
        break
    assert threads() == 0


def test_an_iterator_that_is_forgotten_ends_its_workers():
    gc.disable()
    try:
        iterator = iter(DataLoader(Uneven(1000), 1, num_workers=3))
        next(iterator)
        del iterator
        assert threads() == 0
    finally:
        gc.enable()


def test_a_loader_that_is_forgotten_ends_its_persistent_workers():
    gc.disable()
    try:
        loader = DataLoader(Uneven(20), 1, num_workers=3, persistent_workers=True)
        assert len(list(loader)) == 20
        assert sum(t.name.startswith("DataLoader") for t in threading.enumerate()) == 3
        del loader
        assert threads() == 0
    finally:
        gc.enable()


def failing(i: int) -> int:
    if i == 5:
        raise KeyError("sample five")
    return i


class Failing(Squares):
    def __getitem__(self, i):
        return failing(i)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_reaches_the_loop(workers: int):
    iterator = iter(DataLoader(Failing(), 2, num_workers=workers))
    assert [next(iterator).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(KeyError, match="sample five") as found:
        next(iterator)
    text = "".join(traceback.format_exception(found.value))
    assert "in failing" in text
    assert "in batch 2 of the DataLoader" in text
    assert "(samples 4, 5)" in text
    assert ("worker 0" in text) == bool(workers)
    assert next(iterator).tolist() == [6, 7]  # the batches behind it are there
    del iterator, found
    assert threads() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_that_leaves_the_loop_ends_the_workers(workers: int):
    def train():
        for _ in DataLoader(Failing(), 1, num_workers=workers):
            pass

    gc.disable()
    try:
        with pytest.raises(KeyError):
            train()
        assert threads() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("workers", [0, 1])
def test_stop_iteration_of_a_dataset_does_not_end_the_epoch(workers: int):
    class Stopping(Squares):
        def __getitem__(self, i):
            return next(iter(()))

    with pytest.raises(RuntimeError, match=r"in batch 0 .* raised StopIteration"):
        list(DataLoader(Stopping(), num_workers=workers))


def test_system_exit_in_a_worker_is_raised():
    class Exiting(Squares):
        def __getitem__(self, i):
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(DataLoader(Exiting(), num_workers=1))


class Noisy(Squares):
    def __getitem__(self, i):
        return i + autograd.rand(2)


def noisy(workers: int, batches: int | None = None) -> list[Any]:
    autograd.manual_seed(4)
    loader = DataLoader(Noisy(20), 3, shuffle=True, num_workers=workers)
    return [[b.tolist(), autograd.rand(1).item()] for b in itertools.islice(loader, batches)]


@pytest.mark.parametrize("workers", [1, 3])
def test_random_samples_do_not_depend_on_the_workers(workers: int):
    assert noisy(workers) == noisy(workers) == noisy(0)
    assert noisy(workers, 2) == noisy(0)[:2]
    assert len({x for batch, _ in noisy(0) for row in batch for x in row}) == 40
    autograd.manual_seed(4)
    loader = DataLoader(Noisy(5), 3, num_workers=workers)
    first, second = ([b.tolist() for b in loader] for _ in range(2))
    assert first != second


def test_worker_info():
    class Asking(Squares):
        def __getitem__(self, i):
            info = get_worker_info()
            assert info.dataset is not dataset
            assert info.dataset.n == 6
            return [info.id, info.num_workers, info.seed]

    assert get_worker_info() is None
    dataset = Asking(6)
    found = [b.tolist() for b in DataLoader(dataset, None, num_workers=2, collate_fn=np.array)]
    assert [row[:2] for row in found] == [[0, 2], [1, 2]] * 3
    assert len({row[2] for row in found}) == 2
    assert found[1][2] == found[0][2] + 1


def test_worker_init_fn():
    class Given(Squares):
        def __getitem__(self, i):
            return self.name

    def init(worker):
        started.append(worker)
        get_worker_info().dataset.name = f"of {worker}"

    started = []
    for persistent in (False, True):
        loader = DataLoader(
            *(Given(4), 1), num_workers=2, worker_init_fn=init, persistent_workers=persistent
        )
        assert list(loader) == list(loader) == [["of 0"], ["of 1"]] * 2
    assert sorted(started) == [0, 0, 0, 1, 1, 1]
    assert not hasattr(loader.dataset, "name")
    del loader
    assert threads() == 0


def test_worker_init_fn_runs_for_tensors_too():
    started = []
    loader = DataLoader(rows(4), 2, num_workers=2, worker_init_fn=started.append)
    assert order(loader) == [0, 1, 2, 3]
    assert sorted(started) == [0, 1]


def test_an_exception_in_worker_init_fn_reaches_the_loop():
    def init(worker):
        raise OSError("no such disk")

    iterator = iter(DataLoader(Squares(), num_workers=1, worker_init_fn=init))
    with pytest.raises(OSError, match="no such disk") as found:
        next(iterator)
    text = "".join(traceback.format_exception(found.value))
    assert "in worker_init_fn of DataLoader worker 0" in text
    with pytest.raises(RuntimeError, match="worker 0 did not start"):
        next(iterator)
    del iterator, found
    assert threads() == 0


def test_timeout():
    class Slow(Squares):
        def __getitem__(self, i):
            time.sleep(0.3)

    with pytest.raises(RuntimeError, match=r"timed out after 0\.05 seconds: worker 0"):
        next(iter(DataLoader(Slow(), num_workers=1, timeout=0.05)))


def test_persistent_workers_serve_one_iterator_at_a_time():
    loader = DataLoader(Uneven(40), 1, num_workers=2, persistent_workers=True)
    first = iter(loader)
    next(first)
    expected = [i * i for i in range(40)]
    assert [x.item() for x in loader] == expected
    with pytest.raises(RuntimeError, match="this iterator has ended"):
        next(first)
    for _ in loader:
        break
    assert [x.item() for x in loader] == expected


def test_leaving_the_loop_gives_persistent_workers_a_rest():
    fetched = []

    class Counted(Squares):
        def __getitem__(self, i):
            time.sleep(0.002)
            fetched.append(i)
            return i

    options = {"num_workers": 1, "prefetch_factor": 100, "persistent_workers": True}
    loader = DataLoader(Counted(100), 1, **options)
    for _ in loader:
        break
    count = len(fetched)
    time.sleep(0.05)
    assert len(fetched) <= count + 1  # the one that was under way


def test_two_iterators_of_one_loader():
    loader = DataLoader(Squares(4), 1, num_workers=1)
    assert [(a.item(), b.item()) for a, b in zip(loader, loader)] == [(i, i) for i in (0, 1, 4, 9)]


def test_an_exhausted_iterator_stays_exhausted():
    for workers in (0, 1):
        iterator = iter(DataLoader(Squares(1), num_workers=workers))
        assert len(list(iterator)) == 1
        assert list(iterator) == []


def test_copies_of_a_loader():
    loader = DataLoader(rows(), 32, shuffle=True, generator=generator(), num_workers=2)
    twins = [copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))]
    expected = order(loader)
    assert [order(twin) for twin in twins] == [expected, expected]


# Continuing in the middle of an epoch


class DrawnAtOnce(Sampler):
    """A sampler of one's own that draws from the default generator, or from its own."""

    def __init__(self, generator=None):
        self.generator = generator

    def __iter__(self):
        yield from autograd.randperm(10, generator=self.generator).tolist()

    def __len__(self):
        return 10


class Pairs(DrawnAtOnce):
    def __iter__(self):
        drawn = list(super().__iter__())
        yield from zip(drawn[::2], drawn[1::2])

    def __len__(self):
        return 5


def nine() -> Any:
    return iterable(ours(), 9, length=9)


RESUMED = {
    "memory": lambda g: DataLoader(rows(10), 4, shuffle=True, generator=g),
    "memory_default": lambda g: DataLoader(rows(10), 4, shuffle=True),
    "sequential": lambda g: DataLoader(rows(10), 4, drop_last=True),
    "split": lambda g: DataLoader(Subset(rows(20), range(3, 18, 2)), 3, shuffle=True, generator=g),
    "single": lambda g: DataLoader(Squares(7), 3, shuffle=True, generator=g),
    "single_default": lambda g: DataLoader(Squares(7), 3, shuffle=True),
    "ahead": lambda g: DataLoader(Squares(7), 3, shuffle=True, generator=g, num_workers=2),
    "ahead_persistent": lambda g: DataLoader(
        Squares(7), 3, shuffle=True, num_workers=2, persistent_workers=True
    ),
    "no_batches": lambda g: DataLoader(Squares(4), None, shuffle=True, generator=g),
    "noisy": lambda g: DataLoader(Noisy(7), 3, shuffle=True, num_workers=2),
    "noisy_here": lambda g: DataLoader(Noisy(7), 3, shuffle=True),
    "replacement": lambda g: DataLoader(
        rows(10), 4, sampler=RandomSampler(range(10), True, 13, generator=g)
    ),
    "weighted": lambda g: DataLoader(
        rows(5),
        4,
        sampler=WeightedRandomSampler(range(1, 6), 9, generator=g),
        generator=generator(),
    ),
    "subset_random": lambda g: DataLoader(rows(9), 4, sampler=SubsetRandomSampler([3, 1, 4, 1, 5])),
    "own_sampler": lambda g: DataLoader(rows(10), 4, sampler=DrawnAtOnce(g)),
    "own_sampler_default": lambda g: DataLoader(rows(10), 4, sampler=DrawnAtOnce()),
    "own_batches": lambda g: DataLoader(rows(10), batch_sampler=Pairs(g)),
    "own_batches_default": lambda g: DataLoader(rows(10), batch_sampler=Pairs()),
    "iterable": lambda g: DataLoader(nine(), 4),
    "iterable_ahead": lambda g: DataLoader(nine(), 4, num_workers=2),
}


def saved(state: Any) -> Any:
    """Through a file."""
    file = io.BytesIO()
    save(state, file)
    file.seek(0)
    return load(file)


def training(loader: Any, log: list[Any], states: list[Any], epochs: int = 3) -> None:
    """Batches and random numbers that a run uses; a checkpoint before it and after each batch.

    It counts its epochs in the log, so that a run that is continued knows which one it is in.
    """
    states.append(checkpoint(loader, log))
    while log.count("epoch") < epochs:
        for batch in loader:
            log.append([typed(batch), autograd.rand(2).tolist()])
            states.append(checkpoint(loader, log))
        log.append("epoch")
        states.append(checkpoint(loader, log))


def checkpoint(loader: Any, log: list[Any]) -> Any:
    return saved({"loader": loader.state_dict(), "rng": autograd.get_rng_state(), "log": list(log)})


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_killed_anywhere_continues_byte_for_byte(name: str):
    autograd.manual_seed(7)
    whole: list[Any] = []
    states: list[Any] = []
    training(RESUMED[name](generator(11)), whole, states)
    assert len(states) > 9
    for number, state in enumerate(states):
        autograd.manual_seed(1000 + number)  # another process
        loader = RESUMED[name](generator(2000 + number))
        loader.load_state_dict(state["loader"])
        autograd.set_rng_state(state["rng"])
        assert loader.state_dict() == state["loader"]
        log = list(state["log"])
        training(loader, log, again := [])
        assert log == whole
        assert again == states[number:]
    assert threads() == 0


def test_it_continues_with_another_number_of_workers():
    def make(workers):
        return DataLoader(
            Squares(20), 3, shuffle=True, num_workers=workers, generator=generator(workers)
        )

    first = make(0)
    iterator = iter(first)
    next(iterator)
    second = make(2)
    second.load_state_dict(first.state_dict())
    assert [x.tolist() for x in second] == [x.tolist() for x in iterator]


def test_a_state_is_of_the_iteration_begun_last():
    loader = DataLoader(rows(8), 2)
    assert loader.state_dict()["epoch"] is None
    for _ in loader:
        break
    assert loader.state_dict()["epoch"]["batches"] == 1
    iterator = iter(loader)
    assert loader.state_dict()["epoch"]["batches"] == 0
    assert len(list(iterator)) == 4
    assert loader.state_dict()["epoch"] is None


def test_a_state_of_another_loader_is_refused():
    state = DataLoader(rows(10), 4, shuffle=True, generator=generator()).state_dict()
    for other, words in (
        (DataLoader(rows(9), 4, generator=generator()), r"samples=10; this one has 9"),
        (DataLoader(rows(10), 5, generator=generator()), r"batch_size=4; this one has 5"),
        (DataLoader(rows(10), 4), r"expected the keys \['batch_size', 'epoch', 'samples'\], got"),
        (
            DataLoader(rows(10), 4, sampler=DrawnAtOnce(generator()), generator=generator()),
            "sampler_generator",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="got int"):
        other.load_state_dict(3)
