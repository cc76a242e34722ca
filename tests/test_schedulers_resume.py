"""Schedules that go on where they were saved, in whatever order things are built and loaded."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from tests.faces import PYTORCH, cases, check, pytorch
from tests.test_schedulers import (
    ALL,
    EPOCHS,
    SCHEDULES,
    Half,
    Make,
    advance,
    optim_torch,
    optimizer_of,
    seen,
)

schedulers = optim.lr_scheduler
SWA = {
    "SWA": lambda s, o: optim.swa_utils.SWALR(o, 0.05, anneal_epochs=12),
    "SWA linear": lambda s, o: optim.swa_utils.SWALR(o, [0.05, 2.0], 7, "linear"),
    "SWA at once": lambda s, o: optim.swa_utils.SWALR(o, 0.05, anneal_epochs=0),
}
MAKERS = {**ALL, **SWA}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
chains = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")


def build(make: Make, adam: bool) -> tuple[Any, Any]:
    optimizer = new_optimizer(adam)
    return optimizer, make(schedulers, optimizer)


def new_optimizer(adam: bool) -> Any:
    return optimizer_of(optim_torch, optim.Adam if adam else optim.SGD, lr=1.0)


def load(order: str, make: Make, adam: bool, saved: tuple[Any, Any]) -> tuple[Any, Any]:
    of_optimizer, of_scheduler = copy.deepcopy(saved)
    if order == "scheduler built after loading":
        optimizer = new_optimizer(adam)
        optimizer.load_state_dict(of_optimizer)
        scheduler = make(schedulers, optimizer)
        scheduler.load_state_dict(of_scheduler)
        return optimizer, scheduler
    optimizer, scheduler = build(make, adam)
    if order == "optimizer first":
        optimizer.load_state_dict(of_optimizer)
    scheduler.load_state_dict(of_scheduler)
    if order == "scheduler first":
        optimizer.load_state_dict(of_optimizer)
    return optimizer, scheduler


@chains
@each
@pytest.mark.parametrize(
    "order", ["optimizer first", "scheduler first", "scheduler built after loading"]
)
def test_resume_at_each_epoch(make: Make, order: str) -> None:
    adam = make in (SCHEDULES["Cyclic"], SCHEDULES["OneCycle"])  # these cycle beta1 too
    optimizer, scheduler = build(make, adam)
    path, saved = [], []
    for epoch in range(EPOCHS):
        path.append(seen(optimizer))
        saved.append(copy.deepcopy((optimizer.state_dict(), scheduler.state_dict())))
        if epoch < EPOCHS - 1:
            advance(scheduler, optimizer, epoch)
    for begin in range(EPOCHS):
        optimizer, scheduler = load(order, make, adam, saved[begin])
        for epoch in range(begin, EPOCHS):
            assert seen(optimizer) == path[epoch], (begin, epoch)
            assert scheduler.get_last_lr() == path[epoch][:2]
            if epoch < EPOCHS - 1:
                advance(scheduler, optimizer, epoch)


def test_two_schedulers_of_their_own_resume_in_either_order() -> None:
    def both(optimizer: Any) -> list[Any]:
        return [
            schedulers.LambdaLR(optimizer, lambda t: 1 / (1 + t)),
            schedulers.StepLR(optimizer, 2, gamma=0.5),
        ]

    optimizer = new_optimizer(False)
    steppers = both(optimizer)
    for _ in range(3):
        optimizer.step()
        for scheduler in steppers:
            scheduler.step()
    expected = seen(optimizer)
    for turn in (1, -1):
        again = new_optimizer(False)
        again.load_state_dict(optimizer.state_dict())
        for scheduler, other in list(zip(both(again), steppers))[::turn]:
            scheduler.load_state_dict(other.state_dict())
        assert seen(again) == expected


def test_a_schedule_that_begins_after_loading_begins() -> None:
    """A loaded optimizer's lr comes back with the scheduler's state, not without it."""
    optimizer, scheduler = build(SCHEDULES["Exponential"], False)
    advance(scheduler, optimizer, 0)
    again = new_optimizer(False)
    again.load_state_dict(optimizer.state_dict())
    again.param_groups[0]["lr"] = 0.7  # by hand, as is the user's right
    fresh = schedulers.LambdaLR(again, lambda t: 0.5)
    assert seen(again)[:2] == [0.5, 0.2]
    fresh.load_state_dict(fresh.state_dict())
    assert seen(again)[:2] == [0.7, pytest.approx(0.36)]
    again.step()
    fresh.step()
    fresh.load_state_dict(fresh.state_dict())
    assert seen(again)[:2] == [0.5, 0.2]  # under way, loading touches nothing


@each
@chains
def test_state_dict_is_plain_and_has_no_optimizer(make: Make) -> None:
    optimizer, scheduler = build(make, False)
    saved = scheduler.state_dict()
    assert "optimizer" not in saved
    advance(scheduler, optimizer, 0)
    assert pickle.loads(pickle.dumps(saved)) == saved
    _, other = build(make, False)
    before = copy.deepcopy(saved)
    other.load_state_dict(saved)
    assert saved == before


def test_what_a_state_dict_keeps_of_functions() -> None:
    optimizer = optimizer_of(optim_torch)
    scheduler = schedulers.LambdaLR(optimizer, [Half(), lambda t: 0.5])
    scheduler.lr_lambdas[0].base = 0.25
    assert scheduler.state_dict()["lr_lambdas"] == [{"base": 0.25}, None]
    again = schedulers.LambdaLR(optimizer_of(optim_torch), [Half(), lambda t: 0.5])
    again.load_state_dict(scheduler.state_dict())
    assert again.lr_lambdas[0].base == 0.25
    cyclic = schedulers.CyclicLR(optimizer_of(optim_torch), 0.1, 1.0, scale_fn=Half())
    cyclic._scale_fn_custom.base = 0.75
    again = schedulers.CyclicLR(optimizer_of(optim_torch), 0.1, 1.0, scale_fn=Half())
    again.load_state_dict(cyclic.state_dict())
    assert again.scale_fn(1) == 0.75


@chains
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=list(SCHEDULES))
def test_deepcopy_goes_on_by_itself(make: Make) -> None:
    optimizer, scheduler = build(make, False)
    for epoch in range(5):
        advance(scheduler, optimizer, epoch)
    twin_optimizer, twin = copy.deepcopy((optimizer, scheduler))
    assert twin.optimizer is twin_optimizer
    before = seen(optimizer)
    for epoch in range(5, 10):
        advance(scheduler, optimizer, epoch)
    assert seen(twin_optimizer) == before
    for epoch in range(5, 10):
        advance(twin, twin_optimizer, epoch)
    assert seen(twin_optimizer) == seen(optimizer)


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch")
@chains
@pytest.mark.parametrize("name", [n for n in ALL if "fn" not in n])
def test_state_crosses(name: str) -> None:
    there, make = pytorch(), ALL[name]
    theirs = optimizer_of(there.torch)
    scheduler = make(there.optim.lr_scheduler, theirs)
    for epoch in range(6):
        advance(scheduler, theirs, epoch)
    optimizer, ours = build(make, False)
    optimizer.load_state_dict(copy.deepcopy(theirs.state_dict()))
    ours.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    again = optimizer_of(there.torch)
    back = make(there.optim.lr_scheduler, again)
    again.load_state_dict({**theirs.state_dict(), "param_groups": plain_groups(optimizer)})
    back.load_state_dict(copy.deepcopy(ours.state_dict()))
    for epoch in range(6, 20):
        for stepper, its_optimizer in ((scheduler, theirs), (ours, optimizer), (back, again)):
            advance(stepper, its_optimizer, epoch)
        np.testing.assert_allclose(seen(optimizer), seen(theirs), 1e-12)
        np.testing.assert_allclose(seen(again), seen(theirs), 1e-12)


def plain_groups(optimizer: Any) -> list[dict[str, Any]]:
    return optimizer.state_dict()["param_groups"]


FROM: dict[str, Any] = {
    "Lambda": lambda s, o, e: s.LambdaLR(o, lambda t: 0.95**t, last_epoch=e),
    "Multiplicative": lambda s, o, e: s.MultiplicativeLR(o, lambda t: 0.95, last_epoch=e),
    "Step": lambda s, o, e: s.StepLR(o, 3, last_epoch=e),
    "MultiStep": lambda s, o, e: s.MultiStepLR(o, [2, 6, 8], last_epoch=e),
    "Constant": lambda s, o, e: s.ConstantLR(o, 0.5, 8, last_epoch=e),
    "Linear": lambda s, o, e: s.LinearLR(o, total_iters=9, last_epoch=e),
    "Exponential": lambda s, o, e: s.ExponentialLR(o, 0.9, last_epoch=e),
    "Polynomial": lambda s, o, e: s.PolynomialLR(o, 12, last_epoch=e),
    "CosineAnnealing": lambda s, o, e: s.CosineAnnealingLR(o, 8, last_epoch=e),
    "WarmRestarts": lambda s, o, e: s.CosineAnnealingWarmRestarts(o, 4, last_epoch=e),
    "Cyclic": lambda s, o, e: s.CyclicLR(o, 0.1, 1.0, 4, last_epoch=e),
    "OneCycle": lambda s, o, e: s.OneCycleLR(o, 1.0, 30, last_epoch=e),
}


def resumed(make: Any) -> Any:
    """Five epochs, a new scheduler told only `last_epoch`, and ten more."""

    def case(fw: Any) -> dict[str, Any]:
        optimizer = optimizer_of(fw.torch, fw.optim.SGD, lr=1.0, momentum=0.5)
        scheduler = make(fw.optim.lr_scheduler, optimizer, -1)
        for epoch in range(5):
            advance(scheduler, optimizer, epoch)
        scheduler = make(fw.optim.lr_scheduler, optimizer, scheduler.last_epoch)
        path = [seen(optimizer)]
        for epoch in range(10):
            advance(scheduler, optimizer, epoch)
            path.append(seen(optimizer))
        return {"path": np.round(path, 12), "last": scheduler.last_epoch}

    return case


@cases({f"{name} from last_epoch": resumed(make) for name, make in FROM.items()})
def test_last_epoch_as_pytorch(name: str, case: Any) -> None:
    check("schedulers", name, case)


def test_a_tensor_lr_resumes() -> None:
    p = autograd.zeros(1, requires_grad=True)
    lr = autograd.tensor(1.0)
    optimizer = optim.SGD([p], lr=lr)
    scheduler = schedulers.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert (lr.item(), scheduler.base_lrs[0].item()) == (0.5, 1.0)
    again = optim.SGD([p], lr=autograd.tensor(1.0))
    again.load_state_dict(optimizer.state_dict())
    fresh = schedulers.LambdaLR(again, lambda t: 0.125)
    fresh.load_state_dict({**scheduler.state_dict(), "lr_lambdas": [None]})
    assert again.param_groups[0]["lr"].item() == 0.5
