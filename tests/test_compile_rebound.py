"""Variables, attributes and gradients that change around a compiled step, outside of its calls."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from nn import functional

X = autograd.tensor(np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4))
Y = autograd.tensor([0, 1, 2, 0, 1])
SCALE = 1.0


def net(seed: int = 0) -> nn.Module:
    autograd.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def settled(step: Callable[..., Any], *args: Any) -> None:
    """Call until nothing is recorded any more."""
    for _ in range(8):
        step(*args)


def test_another_model_in_the_variable_is_seen() -> None:
    first, second = net(0), net(1)
    model = first

    def predict(x: Any) -> Any:
        return model(x)

    step = autograd.compile(predict)
    with autograd.no_grad():
        settled(step, X)
        model = second
        for _ in range(4):
            assert step(X).tolist() == second(X).tolist()
        model = first
        assert step(X).tolist() == first(X).tolist()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.ones(4, np.float32), np.full(4, 3, np.float32)),
        (functional.relu, functional.tanh),
        (functools.partial(functional.leaky_relu, negative_slope=0.5), functional.relu),
    ],
    ids=["array", "function", "partial"],
)
def test_another_thing_in_the_variable_is_seen(before: Any, after: Any) -> None:
    thing = before

    def run(x: Any) -> Any:
        return (thing(x) if callable(thing) else x * thing).sum()

    step = autograd.compile(run)
    settled(step, X)
    thing = after
    assert step(X).item() == run(X).item()


def test_another_optimizer_in_the_variable_is_seen() -> None:
    model = net()
    fast, still = (optim.SGD(model.parameters(), lr=lr) for lr in (0.1, 0.0))
    optimizer = fast

    @autograd.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    settled(step, X, Y)
    optimizer = still
    before = model[0].weight.tolist()
    step(X, Y)
    assert model[0].weight.tolist() == before


@pytest.mark.parametrize("decorate", [autograd.no_grad(), functools.partial], ids=["no_grad", "p"])
def test_what_is_wrapped_is_watched(decorate: Any) -> None:
    scale = 1.0

    def run(x: Any) -> Any:
        return (x * scale).sum()

    step = autograd.compile(decorate(run))
    settled(step, X + 1)
    scale = 3.0
    assert step(X + 1).item() == 60.0


def test_a_global_of_a_comprehension_is_watched(monkeypatch: Any) -> None:
    step = autograd.compile(lambda x: sum([x.sum() * SCALE for _ in range(2)]))
    settled(step, X + 1)
    assert step(X + 1).item() == 40.0
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    assert step(X + 1).item() == 80.0


def test_an_attribute_called_as_a_global_is_not_watched(monkeypatch: Any) -> None:
    class Sum:
        def SCALE(self, x: Any) -> Any:
            return x.sum()

    thing = Sum()
    step = autograd.compile(lambda x: thing.SCALE(x))
    for k in range(6):
        monkeypatch.setitem(globals(), "SCALE", float(k))
        step(X)
    assert step.plan is not None
    assert len(step.entries) == 1


def test_an_attribute_of_the_instance_is_watched() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.scale, self.other = 1.0, 1.0

        @autograd.compile
        def step(self, x: Any) -> Any:
            return (x * self.scale).sum()

    trainer = Trainer()
    settled(trainer.step, X + 1)
    trainer.scale = 3.0
    assert trainer.step(X + 1).item() == 60.0


def test_a_variable_does_not_come_back_as_another_object() -> None:
    scale = float("1.5")
    step = autograd.compile(lambda x: (x * scale).sum())
    settled(step, X)
    kept = [id(v) for _, _, v in step.fast.watched if v is scale] if step.fast else []
    del scale
    scale = 2.5
    settled(step, X)
    others = [float("9.5") for _ in range(1000)]
    assert not {id(v) for v in others} & set(kept)


def test_a_module_is_compiled_with_its_running_statistics() -> None:
    model, twin = (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)) for _ in range(2))
    twin.load_state_dict(model.state_dict())
    step = autograd.compile(model)
    with autograd.no_grad():
        for training in (True, False):
            model.train(training)
            twin.train(training)
            for _ in range(4):
                assert step(X).tolist() == twin(X).tolist()


def test_statistics_of_a_model_far_away() -> None:
    @dataclass
    class Box:
        inside: Any

    model = nn.BatchNorm1d(4)
    box = Box(Box(model))
    step = autograd.compile(lambda x: box.inside.inside(x))
    with autograd.no_grad():
        settled(step, X)
    assert model.num_batches_tracked.item() == 8


def test_instances_that_are_equal_have_steps_of_their_own() -> None:
    @dataclass(frozen=True)
    class Frozen:
        scale: float

        @autograd.compile
        def step(self, x: Any) -> Any:
            return (x * self.scale).sum()

    @dataclass
    class Unhashable:
        scale: float
        step = autograd.compile(lambda self, x: (x * self.scale).sum())

    a, b, c = Frozen(2.0), Frozen(2.0), Unhashable(2.0)
    assert a.step is not b.step
    assert c.step(X + 1).item() == 40.0


def test_a_method_of_an_instance_that_has_gone() -> None:
    class Trainer:
        @autograd.compile
        def step(self, x: Any) -> Any:
            return x

    step = Trainer().step
    with pytest.raises(ReferenceError, match=r"method step is gone.*keep it in a variable"):
        step(X)


def test_a_method_of_an_instance_without_weak_references() -> None:
    class Slim:
        __slots__ = ()

        @autograd.compile
        def step(self, x: Any) -> Any:
            return x

    with pytest.raises(TypeError, match=r"step is a method of Slim.*add '__weakref__'"):
        _ = Slim().step


@autograd.compile
def doubled(x: Any) -> Any:
    """A step that pickle finds."""
    return x * 2


def test_a_step_is_copied_as_a_function_is() -> None:
    assert copy.deepcopy(doubled) is doubled
    assert pickle.loads(pickle.dumps(doubled)) is doubled


def test_a_partial_has_a_name_in_errors() -> None:
    def counting(numbers: list[int], x: Any) -> Any:
        numbers[0] += 1
        return x * numbers[0]

    step = autograd.compile(functools.partial(counting, [0]))
    step(X)
    with pytest.raises(autograd.GraphError, match="partial did not do the same the second time"):
        step(X)


# Gradients and parameters


@pytest.mark.parametrize("clear", ["none", "zeros", "setter", "deleter", "clip"])
def test_gradients_changed_apart_from_backward(clear: str) -> None:
    """Accumulation with one step for the micro batches, and one for the update."""

    def train(compiled: bool) -> list[Any]:
        model = net()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def micro(x: Any, y: Any) -> Any:
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        def update() -> None:
            if clear == "clip":
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            if clear in ("none", "zeros"):
                optimizer.zero_grad(set_to_none=clear == "none")
            for p in model.parameters():
                if clear == "setter":
                    p.grad = None
                elif clear == "deleter":
                    del p.grad

        if compiled:
            micro, update = autograd.compile(micro), autograd.compile(update)
        seen: list[Any] = []
        for k in range(16):
            micro(X * (k + 1), Y)
            if k % 2:
                update()
            seen += [None if p.grad is None else p.grad.tolist() for p in model.parameters()]
            seen += [p.tolist() for p in model.parameters()]
        return seen

    assert train(True) == train(False)


def trained(model: nn.Module, optimizer: Any, other: nn.Module) -> Any:
    @autograd.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x) + other(x), y)
        loss.backward()
        optimizer.step()
        return loss

    settled(step, X, Y)
    return step


def test_parameters_exchanged_within_the_list_are_seen() -> None:
    a, b = net(0), net(1)
    optimizer = optim.SGD(a.parameters(), lr=0.1)
    step = trained(a, optimizer, b)
    optimizer.param_groups[0]["params"][:] = list(b.parameters())
    before = a[0].weight.tolist(), b[0].weight.tolist()
    step(X, Y)
    assert a[0].weight.tolist() == before[0]
    assert b[0].weight.tolist() != before[1]


def test_groups_taken_away_are_seen() -> None:
    a, b = net(0), net(1)
    optimizer = optim.SGD(a.parameters(), lr=0.1)
    step = trained(a, optimizer, b)
    optimizer.param_groups.clear()
    before = a[0].weight.tolist()
    step(X, Y)
    assert a[0].weight.tolist() == before


def test_a_returned_parameter_is_a_copy_from_the_first_call_on() -> None:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @autograd.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        return model[0].weight

    history = [step(X, Y) for _ in range(5)]
    assert len({w.detach().numpy().tobytes() for w in history}) == 5


@pytest.mark.filterwarnings("ignore:compile. step has met:RuntimeWarning")
def test_models_given_as_arguments_are_let_go() -> None:
    @autograd.compile
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    seen = []
    for seed in range(12):
        model = net(seed)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        seen.append(weakref.ref(model[0].weight))
        settled(step, model, optimizer, X, Y)
    gc.collect()
    assert sum(r() is not None for r in seen) <= 8
