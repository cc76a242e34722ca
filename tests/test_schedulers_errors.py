"""What schedules refuse, with PyTorch's error types; and what divides by zero there."""

from __future__ import annotations

from typing import Any

import pytest

import autograd
import optim
from tests.faces import cases, check
from tests.test_schedulers import Make, optim_torch, optimizer_of

s = optim.lr_scheduler


def new() -> Any:
    return optimizer_of(optim_torch)


def outcome(make: Make) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        optimizer = optimizer_of(fw.torch, fw.optim.SGD, lr=1.0, momentum=0.5)
        try:
            make(fw.optim.lr_scheduler, optimizer)
        except Exception as error:
            return {"error": type(error).__name__}
        return {"error": "none"}

    return case


def other(s: Any, o: Any) -> Any:
    """A scheduler of another optimizer."""
    return s.ExponentialLR(type(o)(o.param_groups[0]["params"], lr=1.0), 0.9)


REFUSED: dict[str, tuple[Make, str]] = {
    "no optimizer": (lambda s, o: s.StepLR([1], 3), "list is not an Optimizer"),
    "Cyclic, none": (lambda s, o: s.CyclicLR(None, 0.1, 1.0), "NoneType is not an Optimizer"),
    "OneCycle, none": (lambda s, o: s.OneCycleLR(None, 1.0, 9), "NoneType is not an Optimizer"),
    "Plateau, none": (lambda s, o: s.ReduceLROnPlateau(1), "int is not an Optimizer"),
    "Lambda": (lambda s, o: s.LambdaLR(o, [abs]), "Expected 2 lr_lambdas, but got 1"),
    "Multiplicative": (lambda s, o: s.MultiplicativeLR(o, 0.9), "should be a function.*float"),
    "Constant": (lambda s, o: s.ConstantLR(o, 1.5), "between 0 and 1, got 1.5"),
    "Constant low": (lambda s, o: s.ConstantLR(o, -0.1), "between 0 and 1, got -0.1"),
    "Linear": (lambda s, o: s.LinearLR(o, 0.0), "greater than 0 and less or equal to 1, got 0.0"),
    "Linear end": (lambda s, o: s.LinearLR(o, end_factor=2), "between 0 and 1, got 2"),
    "WarmRestarts": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), "integer T_0, but got 0"),
    "WarmRestarts real": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2.5), "T_0, but got 2.5"),
    "WarmRestarts mult": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0), "T_mult >= 1"),
    "WarmRestarts eta": (
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, eta_min="0"),
        "Expected float or int eta_min",
    ),
    "WarmRestarts step": (
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1),
        "Expected non-negative epoch, but got -1",
    ),
    "Cyclic": (lambda s, o: s.CyclicLR(o, 0.1, 1.0, mode="square"), "mode is invalid.*square"),
    "Cyclic groups": (lambda s, o: s.CyclicLR(o, [0.1], 1.0), "base_lr has 1 values"),
    "OneCycle": (lambda s, o: s.OneCycleLR(o, 1.0), "either total_steps OR"),
    "OneCycle steps": (lambda s, o: s.OneCycleLR(o, 1.0, 0), "positive integer total_steps"),
    "OneCycle epochs": (
        lambda s, o: s.OneCycleLR(o, 1.0, epochs=-1, steps_per_epoch=2),
        "positive integer epochs, but got -1",
    ),
    "OneCycle per epoch": (
        lambda s, o: s.OneCycleLR(o, 1.0, epochs=1, steps_per_epoch=2.5),
        "positive integer steps_per_epoch, but got 2.5",
    ),
    "OneCycle start": (lambda s, o: s.OneCycleLR(o, 1.0, 9, pct_start=2.0), "pct_start.*2.0"),
    "OneCycle anneal": (
        lambda s, o: s.OneCycleLR(o, 1.0, 9, anneal_strategy="exp"),
        "must be one of 'cos' or 'linear', instead got exp",
    ),
    "Plateau factor": (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), "Factor should be < 1.0"),
    "Plateau mode": (lambda s, o: s.ReduceLROnPlateau(o, mode="up"), "mode up is unknown"),
    "Plateau threshold": (
        lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
        "threshold mode x is unknown",
    ),
    "Plateau groups": (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), "expected 2 min_lrs"),
    "Chained": (lambda s, o: s.ChainedScheduler([]), "at least one scheduler to be chained"),
    "Chained others": (
        lambda s, o: s.ChainedScheduler([s.ExponentialLR(o, 0.9), other(s, o)]),
        "belong to the same optimizer.*index 1",
    ),
    "Chained plateau": (
        lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
        "does not support `ReduceLROnPlateau`.*index 0",
    ),
    "Sequential": (lambda s, o: s.SequentialLR(o, [], []), "at least one scheduler"),
    "Sequential milestones": (
        lambda s, o: s.SequentialLR(o, [s.ExponentialLR(o, 0.9)], [3]),
        "one more than the number of milestone points",
    ),
    "Sequential no scheduler": (lambda s, o: s.SequentialLR(o, [abs], []), "index 0 should have"),
    "Sequential others": (
        lambda s, o: s.SequentialLR(o, [other(s, o)], []),
        "belong to the same optimizer",
    ),
}


@cases({f"{name}, refused": outcome(make) for name, (make, _) in REFUSED.items()})
def test_errors_are_pytorchs(name: str, case: Any) -> None:
    check("schedulers", name, case)


@pytest.mark.parametrize("name", REFUSED)
def test_errors_say_what(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=message):
        make(s, new())


def test_refused_here_alone() -> None:
    """What fails later, or strangely, in PyTorch."""
    with pytest.raises(ValueError, match="positive step_size, but got 0"):
        s.StepLR(new(), 0)
    with pytest.raises(ValueError, match="positive T_max, but got 0"):
        s.CosineAnnealingLR(new(), 0)
    with pytest.raises(TypeError, match="should be a function, but got float"):
        s.LambdaLR(new(), 0.9)
    optimizer = new()
    chain = s.ChainedScheduler([s.ExponentialLR(optimizer, 0.9)])
    with pytest.raises(NotImplementedError, match="ChainedScheduler at index 1 cannot start"):
        s.SequentialLR(optimizer, [s.ExponentialLR(optimizer, 0.9), chain], [3])


def test_cycling_a_momentum_that_is_not_there() -> None:
    adagrad = optim.Adagrad([autograd.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError, match=r"must support momentum or beta1.*Adagrad has neither"):
        s.CyclicLR(adagrad, 0.1, 1.0)
    with pytest.raises(ValueError, match="must support momentum or beta1"):
        s.OneCycleLR(adagrad, 1.0, 10)
    s.CyclicLR(adagrad, 0.1, 1.0, cycle_momentum=False)


def test_too_many_steps_of_one_cycle() -> None:
    optimizer = new()
    scheduler = s.OneCycleLR(optimizer, 1.0, 3)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    with pytest.raises(ValueError, match=r"Tried to step 4 times.* total steps is 3"):
        scheduler.step()


def test_edges_that_divide_by_zero_in_pytorch() -> None:
    optimizer = new()
    s.OneCycleLR(optimizer, 1.0, 10, pct_start=0.1)  # rises in no step at all
    assert optimizer.param_groups[0]["lr"] == 1.0
    optimizer = new()
    scheduler = s.ConstantLR(optimizer, factor=0, total_iters=1)
    assert optimizer.param_groups[0]["lr"] == 0.0
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 1.0


def test_a_group_added_to_a_plateau() -> None:
    optimizer = new()
    one, two = (
        s.ReduceLROnPlateau(optimizer, patience=0),
        s.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0, 0.0]),
    )
    optimizer.add_param_group({"params": autograd.zeros(1, requires_grad=True), "lr": 2.0})
    one.step(1.0)
    one.step(1.0)
    assert one.get_last_lr() == pytest.approx([0.1, 0.04, 0.2])
    two.step(1.0)
    with pytest.raises(RuntimeError, match=r"groups in the `optimizer` \(3\) differs .* \(2\)"):
        two.step(1.0)


def test_a_tensor_lr_is_changed_in_place() -> None:
    lr = autograd.tensor(1.0)
    optimizer = optim.SGD([autograd.zeros(1, requires_grad=True)], lr=lr)
    scheduler = s.StepLR(optimizer, 1)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == pytest.approx(0.1)
    assert scheduler.get_last_lr()[0] is not lr
