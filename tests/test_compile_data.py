"""Data that a compiled step was not recorded with: what eager raises for it, a replay raises."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
import optim
from autograd.compiled import encode
from autograd.compiled.errors import RecordError

_X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3)
_P = np.linspace(0.1, 0.9, 12, dtype=np.float32).reshape(4, 3)
_CLASSES = np.array([2, 0, 1, 2])
_WHOLE = np.array([[7, -3], [4, 9]])

RAISING: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]] = {
    # a function of x and others, arrays that it takes, and the others that it does not take
    "embedding": (lambda x, k: F.embedding(k, x), (_X, _CLASSES), (np.array([2, 4, 1, 0]),)),
    "embedding below 0": (lambda x, k: F.embedding(k, x), (_X, _CLASSES), (_CLASSES - 1,)),
    "embedding by frequency": (
        lambda x, k: F.embedding(k, x, scale_grad_by_freq=True),
        (_X, _CLASSES),
        (_CLASSES + 7,),
    ),
    "cross_entropy": (F.cross_entropy, (_X, _CLASSES), (np.array([0, 3, 1, 1]),)),
    "cross_entropy smoothed": (
        lambda x, k: F.cross_entropy(x, k, label_smoothing=0.1, reduction="none"),
        (_X, _CLASSES),
        (np.array([0, 1, -1, 1]),),
    ),
    "nll_loss": (F.nll_loss, (_X, _CLASSES), (np.array([0, 300_000_000, 1, 1]),)),
    "nll_loss of each": (
        lambda x, k: F.nll_loss(x, k, reduction="none"),
        (_X, _CLASSES),
        (np.array([0, -5, 1, 1]),),
    ),
    "multi_margin_loss": (F.multi_margin_loss, (_X, _CLASSES), (_CLASSES + 1,)),
    "multilabel_margin_loss": (
        F.multilabel_margin_loss,
        (_X, np.array([[2, -1, 0]] * 4)),
        (np.array([[3, -1, 0]] * 4),),
    ),
    "gather": (
        lambda x, k: x.gather(1, k),
        (_X, np.array([[2, 0], [1, 1]])),
        (np.array([[2, 0], [3, 1]]),),
    ),
    "gather columns": (
        lambda x, k: x.gather(0, k),
        (_X, np.array([[2, 0], [1, 1]])),
        (np.array([[2, 0], [4, 1]]),),
    ),
    "scatter_add": (
        lambda x, k: autograd.zeros(4, 3).scatter_add(1, k, x),
        (_X, np.zeros((4, 3), np.int64)),
        (np.full((4, 3), 3),),
    ),
    "index": (lambda x, k: x[k], (_X, _CLASSES), (np.array([0, 4, 0, 0]),)),
    "index of two": (lambda x, k: x[k, k], (_X, _CLASSES), (np.array([0, -4, 0, 0]),)),
    "index apart": (
        lambda x, k: x.reshape(2, 2, 3)[k, :, k],
        (_X, np.array([1, 0])),
        (np.array([1, 2]),),
    ),
    "index_add": (
        lambda x, k: autograd.zeros(3, 3).index_add(0, k, x),
        (_X, _CLASSES),
        (np.array([0, 5, 0, 0]),),
    ),
    "index_copy": (
        lambda x, k: autograd.zeros(5, 3).index_copy(0, k, x),
        (_X, np.arange(4)),
        (np.array([0, 5, 0, 0]),),
    ),
    "one_hot": (
        lambda x, k: x * F.one_hot(k, 3).float(),
        (_X, _CLASSES),
        (np.array([0, 1, 3, 0]),),
    ),
    "binary_cross_entropy": (F.binary_cross_entropy, (_P, _P), (_P + 0.2,)),
    "gaussian_nll_loss": (F.gaussian_nll_loss, (_X, _X, _P), (_X, _P - 0.5)),
}
WHOLE: dict[str, Callable[..., Any]] = {
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "fmod": autograd.fmod,
    "trunc_divide": lambda x, y: autograd.div(x, y, rounding_mode="trunc"),
}


def tensors(arrays: Any) -> list[Any]:
    return [autograd.tensor(a, dtype=a.dtype) for a in arrays]


def raised(f: Callable[..., Any], *args: Any) -> tuple[type, str]:
    with pytest.raises((IndexError, RuntimeError, ValueError, ZeroDivisionError)) as caught:
        f(*args)
    return caught.type, str(caught.value)


def same_error(step: Callable[..., Any], good: Any, bad: Any) -> None:
    """The compiled step raises what the step raises, at any replay, and goes on after it."""
    fast = autograd.compile(step)
    for calls in (3, 1, 4):
        for _ in range(calls):
            np.testing.assert_array_equal(fast(*good).numpy(), step(*good).numpy())
        assert fast.plan is not None
        assert raised(fast, *bad) == raised(step, *bad)


@pytest.mark.parametrize("name", RAISING)
def test_a_replay_raises_what_eager_raises(name: str):
    f, good, bad = RAISING[name]
    same_error(f, tensors(good), tensors((good[0], *bad)))


@pytest.mark.parametrize("name", RAISING)
def test_a_replay_raises_where_only_gradients_are_read(name: str):
    f, good, bad = RAISING[name]

    def step(x: Any, *others: Any) -> Any:
        x = x.detach().requires_grad_()
        return autograd.grad(f(x, *others).sum(), [x])[0]

    same_error(step, tensors(good), tensors((good[0], *bad)))


@pytest.mark.parametrize("name", WHOLE)
def test_a_replay_divides_no_whole_number_by_zero(name: str):
    same_error(WHOLE[name], tensors([_WHOLE, _WHOLE]), tensors([_WHOLE, _WHOLE - 4]))


def test_a_replay_raises_no_whole_number_to_a_negative_power():
    good, bad = np.array([1, 2, 0]), np.array([1, -2, 0])
    same_error(lambda x, y: x**y, tensors([good, good]), tensors([good, bad]))


class Training:
    """A model with running statistics and random numbers, and its step."""

    def __init__(self) -> None:
        autograd.manual_seed(0)
        parts = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)
        self.model = nn.Sequential(*parts)
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1)

    def step(self, x: Any, target: Any) -> Any:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), target)
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self) -> dict[str, np.ndarray]:
        return {name: t.numpy().copy() for name, t in self.model.state_dict().items()}


def same_state(a: Training, b: Training) -> None:
    for name, value in a.state().items():
        np.testing.assert_array_equal(value, b.state()[name], err_msg=name)


def test_what_came_before_the_error_happened_once():
    """Running statistics moved, and the random stream too; the parameters did not."""
    eager, compiled = Training(), Training()
    fast = autograd.compile(compiled.step)
    good, bad = tensors([_X, _CLASSES]), tensors([_X, _CLASSES + 1])
    for training, step in ((eager, eager.step), (compiled, fast)):
        autograd.manual_seed(1)
        for batch in (good, good, good, bad, good, good, bad, bad, good):
            if batch is bad:
                assert "target 3 is out of bounds" in raised(step, *batch)[1]
            else:
                step(*batch)
        training.model.noise = autograd.rand(3).numpy()  # type: ignore[assignment]
    same_state(eager, compiled)
    np.testing.assert_array_equal(eager.model.noise, compiled.model.noise)


def test_a_loop_stops_at_the_batch_that_raises():
    eager, compiled = Training(), Training()
    good, bad = tensors([_X, _CLASSES]), tensors([_X, _CLASSES + 1])
    batches = [good] * 50 + [bad] + [good] * 9
    autograd.manual_seed(1)
    expected = raised(lambda: [eager.step(*batch) for batch in batches])
    autograd.manual_seed(1)
    fast = autograd.compile(compiled.step)
    assert raised(fast.loop, batches) == expected
    same_state(eager, compiled)
    autograd.manual_seed(2)
    eager.step(*good)
    autograd.manual_seed(2)
    fast(*good)
    same_state(eager, compiled)


def test_a_special_value_that_is_no_error_goes_on():
    """A weight that is NaN: the loop reports it, eager finds no reason to raise."""

    def step(p: Any, target: Any, weight: Any) -> Any:
        return F.binary_cross_entropy(p, target, weight, reduction="none") * 2 + p

    weight = _P.copy()
    weight[1, 2] = np.nan
    fast = autograd.compile(step)
    for w in (_P, _P, _P, weight, _P, weight):
        given = tensors([_P, _P, w])
        np.testing.assert_array_equal(fast(*given).numpy(), step(*given).numpy())
    found = fast.loop([tuple(tensors([_P, _P, w])) for w in (_P, weight, _P, weight, weight, _P)])
    assert np.isnan(found.numpy()).sum((1, 2)).tolist() == [0, 1, 0, 1, 1, 0]


def test_recorded_with_special_data():
    """Recorded where the loop reports something, the op is called as eager calls it."""

    def step(p: Any, target: Any, weight: Any) -> Any:
        return F.binary_cross_entropy(p, target, weight)

    weight = np.full_like(_P, np.nan)
    fast = autograd.compile(step)
    for w in (weight, weight, _P, weight):
        given = tensors([_P, _P, w])
        np.testing.assert_array_equal(fast(*given).numpy(), step(*given).numpy())
    bad = tensors([_P, _P + 0.5, weight])
    assert raised(fast, *bad) == raised(step, *bad)


# What depends on data, and so cannot be recorded


SHAPES: dict[str, Callable[[Any], Any]] = {
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "masked_select": lambda x: x.masked_select(x > 0),
    "unique": lambda x: x.unique(),
    "one_hot": lambda x: F.one_hot(x.long().abs()),
    "bincount": lambda x: x.long().abs().reshape(-1).bincount(),
    "repeat_interleave": lambda x: x.repeat_interleave(x.long().abs()[:, 0], dim=0),
    "index by a tensor of no dimension": lambda x: x[x.argmax() % 2],
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_that_depends_on_data_is_refused(name: str):
    with pytest.raises(RecordError, match=r"test_compile_data.py:\d+.*Remedy"):
        autograd.compile(SHAPES[name])(autograd.tensor(_X))


def test_lbfgs_is_refused_by_name():
    model = nn.Linear(3, 1)
    optimizer = optim.LBFGS(model.parameters())

    def closure() -> Any:
        optimizer.zero_grad()
        loss = model(autograd.tensor(_X)).square().mean()
        loss.backward()
        return loss

    before = copy.deepcopy(model.state_dict())
    step = autograd.compile(lambda: optimizer.step(closure))
    with pytest.raises(RecordError, match=r"LBFGS.*Remedy: .*compile the closure"):
        step()
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name].numpy())
    fast = autograd.compile(closure)
    for _ in range(4):
        optimizer.step(fast)  # the remedy


# Changes in place


def test_numbers_written_into_tensors():
    """`x[...] = number`, whole and in part, into what the step makes and into what it finds."""
    kept = autograd.zeros(4, 3)

    def step(x: Any) -> Any:
        y = x * 2
        y[0] = 7
        y[:, 1] = -1.5
        kept[1:3, ::2] = 4.0
        kept.fill_(0.5)
        kept[3] = x[0]
        y += kept
        return y

    fast = autograd.compile(step)
    for data in (_X, _X, _P, _X):
        x = autograd.tensor(data)
        expected = step(x).numpy().copy()
        after = kept.numpy().copy()
        kept.zero_()
        np.testing.assert_array_equal(fast(x).numpy(), expected)
        np.testing.assert_array_equal(kept.numpy(), after)
    assert fast.plan.native or not encode.available(), str(fast.plan)


def test_pos_weight_is_native():
    positive = autograd.tensor([1.0, 2.0, 0.5])

    def step(x: Any, target: Any) -> Any:
        x = x.detach().requires_grad_()
        loss = F.binary_cross_entropy_with_logits(x, target, pos_weight=positive)
        return [loss.detach(), *autograd.grad(loss, [x])]

    fast = autograd.compile(step)
    for data in (_P, _P, _P[::-1].copy()):
        given = tensors([_X, data])
        for a, b in zip(fast(*given), step(*given), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert fast.plan.native or not encode.available(), str(fast.plan)


# Where things lie in memory: BLAS gives other last bits for a matrix that lies transposed

LAYOUTS: dict[str, Callable[..., Any]] = {
    "a result that lies transposed": lambda x, y: (x.T + 1) @ y,
    "both": lambda x, y: (x.T * 2) @ (y.T * 2).T,
    "a layer's input": lambda x, y: F.linear(x.T - 1, y.T * 3),
    "a product with itself": lambda x, y: x @ x.T,
    "two copies of one matrix": lambda x, y: x.clone() @ x.clone().T,
    "the same computed twice": lambda x, y: x.relu() @ x.relu().T,
    "five dimensions": lambda x, y: _five(x).flip(0) + _five(x),
    "stacks": lambda x, y: _stack(x) @ _stack(x).transpose(-1, -2),
    "returned as it lies": lambda x, y: x.T * 2,
}


def _five(x: Any) -> Any:
    return x.reshape(2, 5, 3, 10, 14).permute(4, 2, 0, 3, 1)


def _stack(x: Any) -> Any:
    return x.reshape(10, 6, 7, 10).permute(0, 2, 1, 3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_eagers(name: str, rng: np.random.Generator):
    step = LAYOUTS[name]
    fast = autograd.compile(step)
    pairs = [rng.standard_normal((2, 60, 70)).astype(np.float32) for _ in range(4)]
    given = [(autograd.tensor(x), autograd.tensor(y)) for x, y in [pairs[0], *pairs]]
    for x, y in given:
        np.testing.assert_array_equal(fast(x, y).numpy(), step(x, y).numpy())
    assert fast.plan.native or not encode.available(), str(fast.plan)
    for found, (x, y) in zip(fast.loop(given), given, strict=True):
        np.testing.assert_array_equal(found.numpy(), step(x, y).numpy())


def test_an_argument_that_lies_transposed(rng: np.random.Generator):
    fast = autograd.compile(lambda x, y: x @ y)
    for turned in (False, False, True, True, False, True):
        x, y = (autograd.tensor(a) for a in rng.standard_normal((2, 60, 60)).astype(np.float32))
        x = x.T if turned else x
        np.testing.assert_array_equal(fast(x, y).numpy(), (x @ y).numpy())
