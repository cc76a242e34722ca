"""What schedules set, warn of and refuse, beside their numbers."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from tests.faces import cases, check
from tests.test_schedulers import SCHEDULES, Make, optim_torch, optimizer_of, seen

s = optim.lr_scheduler


def new() -> Any:
    return optimizer_of(optim_torch)


# Construction


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=list(SCHEDULES))
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_every_group_gets_its_initial_lr(make: Make) -> None:
    optimizer = new()
    scheduler = make(s, optimizer)
    assert all("initial_lr" in group for group in optimizer.param_groups)
    assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    assert getattr(scheduler, "last_epoch", 0) == 0
    assert not scheduler._is_initial


def test_a_second_scheduler_keeps_the_initial_lr() -> None:
    optimizer = new()
    s.ConstantLR(optimizer, 0.5)
    second = s.LambdaLR(optimizer, lambda t: 1.0)
    assert second.base_lrs == [1.0, 0.4]
    optimizer.add_param_group({"params": autograd.zeros(1, requires_grad=True), "lr": 3.0})
    assert s.LambdaLR(optimizer, lambda t: 1.0).base_lrs == [1.0, 0.4, 3.0]


def test_last_epoch_wants_initial_lr() -> None:
    with pytest.raises(KeyError, match="initial_lr' is not specified in param_groups\\[0\\]"):
        s.StepLR(new(), 3, last_epoch=4)


def test_momentum_is_set_with_the_lr() -> None:
    optimizer = optim.Adam([autograd.zeros(1, requires_grad=True)], betas=(0.5, 0.75))
    s.OneCycleLR(optimizer, 1.0, 10, max_momentum=0.875)
    group = optimizer.param_groups[0]
    assert group["betas"] == (0.875, 0.75)
    assert group.live[1] == 0.875  # where the kernel reads it
    assert group.live[0] == group["lr"] == pytest.approx(0.04)


# Steps


def step_closed(make: Any, epochs: tuple[Any, ...]) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        optimizer = optimizer_of(fw.torch, fw.optim.SGD, lr=1.0, momentum=0.5)
        scheduler = make(fw.optim.lr_scheduler, optimizer)
        path = []
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            for epoch in epochs:
                optimizer.step()
                scheduler.step(epoch)
                path.append(seen(optimizer))
        return {"path": np.round(path, 12), "warnings": len(told)}

    return case


CLOSED = {
    name: step_closed(SCHEDULES[name], (3, 10, None, 4, 5))
    for name in SCHEDULES
    if not name.startswith(("Sequential", "Chained", "WarmRestarts"))
}
CLOSED["WarmRestarts"] = step_closed(SCHEDULES["WarmRestarts"], (3, 2.5, None, 17.25, None, 0))
CLOSED["WarmRestarts mult"] = step_closed(SCHEDULES["WarmRestarts mult"], (3, 9.5, 22, None, 2))


@cases({f"{name} step(epoch)": case for name, case in CLOSED.items()})
def test_step_of_an_epoch_as_pytorch(name: str, case: Any) -> None:
    check("schedulers", name, case)


def test_step_of_an_epoch_is_deprecated() -> None:
    optimizer = new()
    scheduler = s.StepLR(optimizer, 3)
    optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter .* deprecated"):
        scheduler.step(7)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
    with pytest.warns(UserWarning, match="epoch parameter"):
        s.ReduceLROnPlateau(optimizer).step(1.0, 3)
    with pytest.raises(TypeError):
        s.ChainedScheduler([scheduler]).step(3)  # type: ignore[call-arg]


def test_chainable_forms_keep_changes_by_hand_and_closed_ones_do_not() -> None:
    for make, kept in (
        (lambda o: s.StepLR(o, 2), True),
        (lambda o: s.ExponentialLR(o, 0.5), True),
        (lambda o: s.LambdaLR(o, lambda t: 0.5**t), False),
    ):
        optimizer = new()
        scheduler = make(optimizer)
        for _ in range(2):
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= 10
            scheduler.step()
        assert (optimizer.param_groups[0]["lr"] > 1) == kept


def test_a_later_group_makes_a_closed_schedule_complain() -> None:
    optimizer = new()
    scheduler = s.LambdaLR(optimizer, lambda t: 0.5)
    optimizer.step()
    optimizer.add_param_group({"params": autograd.zeros(1, requires_grad=True)})
    with pytest.raises(ValueError, match="zip"):
        scheduler.step()


# Warnings


def test_step_before_the_optimizers_warns() -> None:
    optimizer = new()
    scheduler = s.StepLR(optimizer, 3)
    with pytest.warns(UserWarning, match="`lr_scheduler.step\\(\\)` before `optimizer.step"):
        scheduler.step()
    scheduler.step()  # once
    optimizer = new()
    optimizer.step()  # nobody watched
    scheduler = s.StepLR(optimizer, 3)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    optimizer.step()
    s.StepLR(optimizer, 3).step()  # watched since the first scheduler


def test_an_optimizer_in_python_is_watched_too() -> None:
    class Still(optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            pass

    p = autograd.zeros(1, requires_grad=True)
    optimizer = Still([p], {"lr": 1.0})
    scheduler = s.StepLR(optimizer, 3)
    optimizer.step()
    scheduler.step()
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        s.StepLR(Still([p], {"lr": 1.0}), 3).step()


def test_an_overridden_step_warns() -> None:
    optimizer = new()
    scheduler = s.StepLR(optimizer, 3)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        scheduler.step()
    optimizer = new()
    inner = optimizer.step
    optimizer.step = lambda: inner()
    scheduler = s.StepLR(optimizer, 3)  # overridden before
    optimizer.step()
    scheduler.step()


def test_get_lr_is_for_step() -> None:
    scheduler = s.StepLR(new(), 3)
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()


def test_a_schedule_of_the_users() -> None:
    class Root(s.LRScheduler):
        def get_lr(self) -> list[float]:
            if not self._get_lr_called_within_step:
                raise AssertionError
            return [base / math.sqrt(1 + self.last_epoch) for base in self.base_lrs]

    optimizer = new()
    scheduler = Root(optimizer)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [1 / math.sqrt(2), 0.4 / math.sqrt(2)]
    with pytest.raises(NotImplementedError, match="LRScheduler defines no get_lr"):
        s.LRScheduler(optimizer)
