"""`nn.utils.data`: datasets, samplers, collating and loading, against PyTorch where it decides."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest

import autograd
from nn.utils.data import (
    DataLoader,
    Dataset,
    TensorDataset,
    default_collate,
    random_split,
)
from tests.faces import PYTORCH, cases, check, data, ours, pytorch

Point = collections.namedtuple("Point", "a b")


def tools(fw: Any) -> Any:
    """`utils.data` of a face."""
    return fw.torch.utils.data if hasattr(fw.torch, "utils") else fw.nn.utils.data


def tensor_dataset(fw: Any, n: int = 10) -> Any:
    t = fw.torch.tensor
    return tools(fw).TensorDataset(t(data(n, 3)), t(np.arange(n)))


def typed(x: Any) -> Any:
    """Values with their types, so that a list is not taken for a tuple, int32 not for int64."""
    if hasattr(x, "detach"):
        return ["Tensor", str(x.dtype).removeprefix("torch."), x.detach().numpy().tolist()]
    if isinstance(x, dict):
        return [type(x).__name__, {k: typed(v) for k, v in x.items()}]
    if isinstance(x, (list, tuple)):
        return [type(x).__name__, *map(typed, x)]
    return [type(x).__name__, x if isinstance(x, (int, float, str, type(None))) else str(x)]


# Collating


def samples(fw: Any) -> dict[str, list[Any]]:
    t = fw.torch.tensor
    return {
        "int": [1, 2],
        "bool": [True, False],
        "float": [1.0, 2.0],
        "int_and_float": [1, 2.5],
        "str": ["a", "b"],
        "bytes": [b"a"],
        "float32": [np.float32(1), np.float32(2)],
        "float64": [np.float64(1)],
        "int32": [np.int32(1), np.int32(5)],
        "bool_": [np.bool_(1)],
        "str_": [np.str_("a")],
        "arrays": [np.zeros(2), np.ones(2)],
        "array_0d": [np.array(3.0), np.array(4.0)],
        "arrays_uint8": [np.zeros((2, 2), np.uint8)] * 2,
        "tensors": [t([1.0, 2.0]), t([3.0, 4.0])],
        "tensors_0d": [t(1), t(2)],
        "tensors_empty": [fw.torch.zeros(0, 2), fw.torch.zeros(0, 2)],
        "namedtuple": [Point(1, 2.0), Point(3, 4.0)],
        "tuple": [(1, "a"), (2, "b")],
        "list": [[1, 2], [3, 4]],
        "dict": [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
        "dict_more": [{"a": 1}, {"a": 2, "b": 3}],
        "ordered": [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
        "default": [collections.defaultdict(list, a=1)],
        "range": [range(2), range(2)],
        "empty_list": [[], []],
        "empty_tuple": [(), ()],
        "nested": [{"x": (t([1.0]), [np.float32(2)])}, {"x": (t([3.0]), [np.float32(4)])}],
    }


SAMPLES = list(samples(ours()))


@pytest.mark.parametrize("name", SAMPLES)
def test_collate(name: str):
    check("data", f"collate_{name}", lambda fw: {"r": typed(_collate(fw, name))})


def _collate(fw: Any, name: str) -> Any:
    return tools(fw).default_collate(samples(fw)[name])


@pytest.mark.parametrize("name", SAMPLES)
def test_convert(name: str):
    def case(fw):
        return {"r": [typed(tools(fw).default_convert(x)) for x in samples(fw)[name]]}

    check("data", f"convert_{name}", case)


def test_collate_keeps_the_graph():
    x = autograd.tensor([1.0, 2.0], requires_grad=True)
    default_collate([x, x * 2]).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_collate_copies():
    arrays = [np.zeros(2), np.zeros(2)]
    default_collate(arrays)[:] = 1
    default_collate([autograd.from_numpy(a) for a in arrays])[:] = 1
    default_collate(arrays[:1])[:] = 1
    assert not np.any(arrays)


def test_tensors_of_several_dtypes_collate_as_they_stack():
    mixed = [autograd.tensor([1.0]), autograd.tensor([1])]
    assert default_collate(mixed).dtype == autograd.stack(mixed).dtype


# Datasets, samplers, loaders: what PyTorch gives


class Squares(Dataset):
    """A dataset of one's own: number i is i squared."""

    def __init__(self, n: int = 10):
        self.n = n

    def __getitem__(self, i):
        return i * i

    def __len__(self):
        return self.n


def iterable(fw: Any, n: int = 5, length: int | None = None) -> Any:
    """0 ... n-1, divided among workers by turns where `length` is None."""

    class Count(tools(fw).IterableDataset):
        def __iter__(self):
            info = tools(fw).get_worker_info()
            first, step = (0, 1) if info is None or length else (info.id, info.num_workers)
            return iter(range(first, n, step))

    if length is not None:
        Count.__len__ = lambda self: length
    return Count()


def loaded(fw: Any, dataset: Any, **options: Any) -> list[Any]:
    return [typed(batch) for batch in tools(fw).DataLoader(dataset, **options)]


class Batches:
    """A batch sampler of one's own."""

    def __iter__(self):
        return iter([[1, 2], [5], [9, 0, 3]])

    def __len__(self):
        return 3


def lengths(fw: Any, n: int, parts: list[float]) -> list[int]:
    splits = tools(fw).random_split(range(n), parts)
    assert sorted(i for s in splits for i in s.indices) == list(range(n))
    assert type(splits[0].indices) is list
    return [len(s) for s in splits]


CASES = {
    "tensor_dataset": lambda fw: {
        "item": typed(tensor_dataset(fw)[3]),
        "last": typed(tensor_dataset(fw)[-1]),
        "slice": typed(tensor_dataset(fw)[2:4]),
        "len": len(tensor_dataset(fw)),
    },
    "concat": lambda fw: {
        "items": [(tools(fw).ConcatDataset([range(3), range(5)]))[i] for i in (0, 2, 3, 7, -1, -8)],
        "sizes": tools(fw).ConcatDataset([range(3), range(5)]).cumulative_sizes,
        "added": len(tensor_dataset(fw) + tensor_dataset(fw, 4)),
    },
    "chain": lambda fw: {"all": list(iterable(fw) + iterable(fw, 3))},
    "stack": lambda fw: {
        "tuple": typed(tools(fw).StackDataset(range(3), range(5, 8))[1]),
        "dict": typed(tools(fw).StackDataset(a=range(3), b=range(5, 8))[1]),
        "several": typed(tools(fw).StackDataset(a=range(3), b=range(5, 8)).__getitems__([2, 0])),
        "len": len(tools(fw).StackDataset(range(3))),
    },
    "subset": lambda fw: {
        "item": typed(tools(fw).Subset(tensor_dataset(fw), [4, 2])[1]),
        "list": typed(tools(fw).Subset(tensor_dataset(fw), [4, 2])[[1, 0]]),
        "several": typed(tools(fw).Subset(range(10), [4, 2]).__getitems__([1, 0])),
    },
    "split": lambda fw: {
        "numbers": lengths(fw, 10, [3, 7]),
        "zero": lengths(fw, 10, [0, 10]),
        "halves": lengths(fw, 7, [0.5, 0.5]),
        "thirds": lengths(fw, 10, [0.33, 0.33, 0.34]),
        "tenths": lengths(fw, 10, [0.3, 0.3, 0.4]),
        "tiny": lengths(fw, 3, [0.1, 0.9]),
        "one": lengths(fw, 1, [1.0]),
    },
    "batch_sampler": lambda fw: {
        "kept": typed(list(tools(fw).BatchSampler(range(5), 2, False))),
        "dropped": typed(list(tools(fw).BatchSampler(range(5), 2, True))),
        "len": [len(tools(fw).BatchSampler(range(5), 2, drop)) for drop in (False, True)],
        "empty": list(tools(fw).BatchSampler([], 2, False)),
    },
    "random_sampler": lambda fw: {
        "lengths": [
            len(list(tools(fw).RandomSampler(range(10), num_samples=n))) for n in (None, 3, 10, 25)
        ],
        "sorted": sorted(tools(fw).RandomSampler(range(10))),
        "len": len(tools(fw).RandomSampler(range(10), True, 25)),
        "types": typed(list(tools(fw).RandomSampler(range(1)))),
        "subset": sorted(tools(fw).SubsetRandomSampler([5, 3, 8])),
        "weighted": list(tools(fw).WeightedRandomSampler([0.0, 0.0, 2.0], 4)),
        "weighted_once": sorted(tools(fw).WeightedRandomSampler([1, 0.5, 2.0], 3, False)),
    },
    "loader": lambda fw: {"all": loaded(fw, tensor_dataset(fw), batch_size=4)},
    "loader_drop_last": lambda fw: {
        "all": loaded(fw, tensor_dataset(fw), batch_size=4, drop_last=True)
    },
    "loader_subset": lambda fw: {
        "all": loaded(fw, tools(fw).Subset(tensor_dataset(fw), [7, 1, 1, 3]), batch_size=3)
    },
    "loader_one": lambda fw: {"all": loaded(fw, tensor_dataset(fw, 2))},
    "loader_no_batches": lambda fw: {"all": loaded(fw, tensor_dataset(fw, 2), batch_size=None)},
    "loader_list": lambda fw: {"all": loaded(fw, [1.0, 2.0, 3.0], batch_size=2)},
    "loader_array": lambda fw: {"all": loaded(fw, np.arange(6.0).reshape(3, 2), batch_size=2)},
    "loader_own": lambda fw: {"all": loaded(fw, Squares(), batch_size=4)},
    "loader_sampler": lambda fw: {"all": loaded(fw, Squares(), batch_size=2, sampler=[5, 1, 9])},
    "loader_batch_sampler": lambda fw: {
        "own": loaded(fw, Squares(), batch_sampler=Batches()),
        "memory": loaded(fw, tensor_dataset(fw), batch_sampler=Batches()),
        "list": loaded(fw, tensor_dataset(fw), batch_sampler=[[3, -1], []][:1]),
    },
    "loader_collate": lambda fw: {"all": loaded(fw, Squares(), batch_size=4, collate_fn=tuple)},
    "loader_empty": lambda fw: {"all": loaded(fw, tensor_dataset(fw, 0), batch_size=4)},
    "loader_iterable": lambda fw: {
        "batches": loaded(fw, iterable(fw), batch_size=2),
        "dropped": loaded(fw, iterable(fw), batch_size=2, drop_last=True),
        "items": loaded(fw, iterable(fw), batch_size=None),
        "beyond_its_len": loaded(fw, iterable(fw, 4, length=9), batch_size=2),
    },
    "loader_lengths": lambda fw: {
        "lengths": [
            len(tools(fw).DataLoader(tensor_dataset(fw), **options))
            for options in (
                {},
                {"batch_size": 3},
                {"batch_size": 3, "drop_last": True},
                {"batch_size": None},
                {"batch_sampler": Batches()},
                {"sampler": [1, 2], "batch_size": 3},
            )
        ],
        "iterable": [
            len(tools(fw).DataLoader(iterable(fw, length=5), **options))
            for options in ({}, {"batch_size": 2}, {"batch_size": 2, "drop_last": True})
        ],
        "iterator": len(iter(tools(fw).DataLoader(tensor_dataset(fw), batch_size=3))),
        "attributes": [
            tools(fw).DataLoader(Squares(), batch_sampler=Batches()).batch_size,
            tools(fw).DataLoader(Squares(), num_workers=2).prefetch_factor,
            tools(fw).DataLoader(Squares()).prefetch_factor,
            type(tools(fw).DataLoader(Squares(), shuffle=True).sampler).__name__,
            type(tools(fw).DataLoader(Squares()).batch_sampler).__name__,
        ],
    },
}


@cases(CASES)
def test_like_pytorch(name, case):
    check("data", name, case)


@pytest.mark.parametrize(("n", "count"), [(1, 2), (4, 1), (5, 2), (11, 2)])
def test_an_iterable_divided_among_workers(n: int, count: int):
    def case(fw):
        return {"all": loaded(fw, iterable(fw, n), batch_size=2, num_workers=count)}

    check("data", f"iterable_{n}_by_{count}", case)


# Wrong calls: PyTorch's type of error, our message

ERRORS = {
    "workers": (
        ValueError,
        lambda fw: loaded(fw, [1], num_workers=-1),
        "num_workers .* non-negative.*got -1",
    ),
    "timeout": (
        ValueError,
        lambda fw: loaded(fw, [1], timeout=-1),
        "timeout .* non-negative, got -1",
    ),
    "prefetch": (
        ValueError,
        lambda fw: loaded(fw, [1], prefetch_factor=2),
        "prefetch_factor .* num_workers",
    ),
    "prefetch_negative": (
        ValueError,
        lambda fw: loaded(fw, [1], num_workers=1, prefetch_factor=-1),
        "prefetch_factor .* positive integer, got -1",
    ),
    "persistent": (
        ValueError,
        lambda fw: loaded(fw, [1], persistent_workers=True),
        "persistent_workers",
    ),
    "context": (
        ValueError,
        lambda fw: loaded(fw, [1], multiprocessing_context="fork"),
        "num_workers is 0",
    ),
    "sampler": (
        ValueError,
        lambda fw: loaded(fw, [1], sampler=[0], shuffle=True),
        "exclusive with shuffle",
    ),
    "batch_sampler": (
        ValueError,
        lambda fw: loaded(fw, [1], batch_sampler=[[0]], batch_size=3),
        "exclusive with batch_size",
    ),
    "drop_last": (
        ValueError,
        lambda fw: loaded(fw, [1], batch_size=None, drop_last=True),
        "auto-batching",
    ),
    "batch_size": (
        ValueError,
        lambda fw: loaded(fw, [1], batch_size=0),
        "positive integer .*batch_size=0",
    ),
    "batch_size_float": (
        ValueError,
        lambda fw: loaded(fw, [1], batch_size=2.5),
        "got batch_size=2.5",
    ),
    "batch_size_bool": (
        ValueError,
        lambda fw: loaded(fw, [1], batch_size=True),
        "got batch_size=True",
    ),
    "drop_last_kind": (
        ValueError,
        lambda fw: loaded(fw, [1], drop_last=3),
        "boolean value.*drop_last=3",
    ),
    "generator": (
        TypeError,
        lambda fw: loaded(fw, [1], generator=5),
        "autograd.Generator, got int",
    ),
    "empty_shuffled": (ValueError, lambda fw: loaded(fw, [], shuffle=True), "got num_samples=0"),
    "iterable_shuffle": (
        ValueError,
        lambda fw: loaded(fw, iterable(fw), shuffle=True),
        "got shuffle=True",
    ),
    "iterable_sampler": (
        ValueError,
        lambda fw: loaded(fw, iterable(fw), sampler=[1]),
        "unspecified sampler",
    ),
    "iterable_batch_sampler": (
        ValueError,
        lambda fw: loaded(fw, iterable(fw), batch_sampler=[[1]]),
        "unspecified batch_sampler",
    ),
    "iterable_len": (TypeError, lambda fw: len(tools(fw).DataLoader(iterable(fw))), "no len"),
    "fixed": (
        ValueError,
        lambda fw: setattr(tools(fw).DataLoader([1]), "batch_size", 3),
        "batch_size attribute should not be set after .* make a new",
    ),
    "no_item": (
        NotImplementedError,
        lambda fw: tools(fw).Dataset()[0],
        "Dataset must define __getitem__",
    ),
    "no_iter": (
        NotImplementedError,
        lambda fw: iter(tools(fw).Sampler()),
        "Sampler must define __iter__",
    ),
    "rows": (
        AssertionError,
        lambda fw: tools(fw).TensorDataset(fw.torch.zeros(3), fw.torch.zeros(2)),
        "Size mismatch between tensors: they have 3, 2 rows",
    ),
    "no_rows": (
        IndexError,
        lambda fw: tools(fw).TensorDataset(fw.torch.tensor(1.0)),
        "tensor 0 is 0-d",
    ),
    "row": (IndexError, lambda fw: tensor_dataset(fw)[10], "10"),
    "concat_none": (
        AssertionError,
        lambda fw: tools(fw).ConcatDataset([]),
        "not be an empty iterable",
    ),
    "concat_iterable": (
        AssertionError,
        lambda fw: tools(fw).ConcatDataset([[1], iterable(fw)]),
        r"datasets\[1\] is; use ChainDataset",
    ),
    "concat_low": (ValueError, lambda fw: tools(fw).ConcatDataset([[1, 2]])[-3], "-3 of 2"),
    "concat_high": (
        IndexError,
        lambda fw: tools(fw).ConcatDataset([[1, 2]])[2],
        "2 is out of range for 2",
    ),
    "chain": (
        AssertionError,
        lambda fw: list(tools(fw).ChainDataset([[1]])),
        "only supports IterableDataset",
    ),
    "stack_none": (ValueError, lambda fw: tools(fw).StackDataset(), "at least one"),
    "stack_both": (
        ValueError,
        lambda fw: tools(fw).StackDataset([1], a=[1]),
        "or as keywords, got 1 and 1",
    ),
    "stack_sizes": (
        ValueError,
        lambda fw: tools(fw).StackDataset([1], [1, 2]),
        "datasets: 1, 2 samples",
    ),
    "split_sum": (
        ValueError,
        lambda fw: tools(fw).random_split([1, 2], [3, 3]),
        "sum to 6; .* 2 samples",
    ),
    "split_fraction": (
        ValueError,
        lambda fw: tools(fw).random_split([1, 2], [1.5, -0.5]),
        "Fraction at index 0 is not between 0 and 1: 1.5",
    ),
    "split_floats": (
        TypeError,
        lambda fw: tools(fw).random_split([1, 2], [1.0, 1.0]),
        "must be integers",
    ),
    "replacement": (
        TypeError,
        lambda fw: tools(fw).RandomSampler([1], replacement=1),
        "replacement=1",
    ),
    "num_samples": (
        ValueError,
        lambda fw: tools(fw).RandomSampler([1], num_samples=-1),
        "num_samples=-1",
    ),
    "weights": (
        ValueError,
        lambda fw: tools(fw).WeightedRandomSampler([[1.0, 2.0]], 1),
        r"1d sequence but given weights have shape \(1, 2\)",
    ),
    "weights_negative": (
        RuntimeError,
        lambda fw: list(tools(fw).WeightedRandomSampler([-1.0, 2.0], 1)),
        ">= 0",
    ),
    "weights_zero": (
        RuntimeError,
        lambda fw: list(tools(fw).WeightedRandomSampler([0.0], 1)),
        "not all zero",
    ),
    "weights_few": (
        RuntimeError,
        lambda fw: list(tools(fw).WeightedRandomSampler([1.0], 2, False)),
        "cannot draw 2 samples without replacement from 1",
    ),
    "weights_kind": (
        ValueError,
        lambda fw: tools(fw).WeightedRandomSampler([1.0], 1, 1),
        "replacement=1",
    ),
    "collate_none": (
        TypeError,
        lambda fw: tools(fw).default_collate([None]),
        "found <class 'NoneType'>",
    ),
    "collate_object": (
        TypeError,
        lambda fw: tools(fw).default_collate([object()]),
        "found <class 'object'>",
    ),
    "collate_set": (TypeError, lambda fw: tools(fw).default_collate([{1}]), "found <class 'set'>"),
    "collate_strings": (
        TypeError,
        lambda fw: tools(fw).default_collate([np.array("a")]),
        "found <U1",
    ),
    "collate_empty": (IndexError, lambda fw: tools(fw).default_collate([]), "range"),
    "collate_lists": (
        RuntimeError,
        lambda fw: tools(fw).default_collate([[1], [2, 3]]),
        r"\[1, 2\]",
    ),
    "collate_tuples": (
        RuntimeError,
        lambda fw: tools(fw).default_collate([(1, 2), (3,)]),
        r"\[2, 1\]",
    ),
    "collate_shapes": (
        RuntimeError,
        lambda fw: tools(fw).default_collate([fw.torch.zeros(2), fw.torch.zeros(3)]),
        r"\(?2,?\)?.*3",
    ),
    "collate_keys": (KeyError, lambda fw: tools(fw).default_collate([{"a": 1}, {"b": 1}]), "a"),
    "collate_mixed": (
        TypeError,
        lambda fw: tools(fw).default_collate([1, "a"]),
        "different kinds: int and str",
    ),
    "collate_missing": (
        TypeError,
        lambda fw: tools(fw).default_collate([1.0, None]),
        "different kinds: float and NoneType",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str):
    kind, call, words = ERRORS[name]
    with pytest.raises(kind, match=words):
        call(ours())
    if PYTORCH:
        with pytest.raises(kind):
            call(pytorch())


def test_errors_of_ours_alone():
    with pytest.raises(ValueError, match="at least one tensor"):
        TensorDataset()
    with pytest.raises(ValueError, match=r"negative, got \[-1, 3\]"):
        random_split([1, 2], [-1, 3])
    with pytest.raises(TypeError, match="num_workers should be an integer, got float"):
        DataLoader([1], num_workers=2.0)
    with pytest.raises(ValueError, match="prefetch_factor option should be a positive"):
        DataLoader([1], num_workers=1, prefetch_factor=0)
    with pytest.raises(ValueError, match="timeout option needs num_workers"):
        DataLoader([1], timeout=3)


def test_a_split_of_nothing_warns():
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0") as found:
        splits = random_split(range(1), [1.0, 0.0])
    assert [len(s) for s in splits] == [1, 0]
    assert found[0].filename == __file__


def test_what_is_accepted_and_changes_nothing():
    options = {"pin_memory": True, "pin_memory_device": "cpu", "in_order": False}
    assert [b.tolist() for b in DataLoader([1, 2], **options)] == [[1], [2]]
    workers = DataLoader(Squares(), num_workers=1, multiprocessing_context="spawn")
    assert len(list(workers)) == 10
