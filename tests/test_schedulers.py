"""Each schedule with each option: the learning rates of 40 epochs, against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from tests.faces import cases, check

EPOCHS = 40
Make = Callable[[Any, Any], Any]


class Half:
    """A callable object, whose attributes a state dict keeps."""

    def __init__(self) -> None:
        self.base = 0.97

    def __call__(self, epoch: int) -> float:
        return self.base**epoch


def sequential(s: Any, o: Any) -> Any:
    parts = [s.ConstantLR(o, factor=0.1, total_iters=2), s.ExponentialLR(o, gamma=0.9)]
    return s.SequentialLR(o, parts, milestones=[5])


def chained(s: Any, o: Any) -> Any:
    return s.ChainedScheduler([s.ConstantLR(o, 0.1, total_iters=2), s.ExponentialLR(o, 0.9)])


def three_in_turn(s: Any, o: Any) -> Any:
    parts = [s.LinearLR(o, total_iters=4), s.CosineAnnealingLR(o, T_max=10), s.StepLR(o, 7, 0.5)]
    return s.SequentialLR(o, parts, milestones=[4, 20])


def chain_in_turn(s: Any, o: Any) -> Any:
    chain = s.ChainedScheduler([s.LinearLR(o, total_iters=8), s.StepLR(o, 3, 0.5)])
    return s.SequentialLR(o, [chain, s.ConstantLR(o, 0.5, 3)], milestones=[16])


def turns_in_turn(s: Any, o: Any) -> Any:
    inner = s.SequentialLR(o, [s.ExponentialLR(o, 0.9), s.ExponentialLR(o, 0.5)], [3])
    return s.SequentialLR(o, [inner, s.ConstantLR(o, 0.5, 3)], milestones=[5])


def restarts_in_turn(s: Any, o: Any) -> Any:
    rest = s.CosineAnnealingWarmRestarts(o, T_0=6)
    return s.SequentialLR(o, [s.MultiplicativeLR(o, lambda t: 0.9), rest], milestones=[7])


SCHEDULES: dict[str, Make] = {
    "Lambda": lambda s, o: s.LambdaLR(o, lambda t: 0.95**t),
    "Lambda object": lambda s, o: s.LambdaLR(o, Half()),
    "Lambda each": lambda s, o: s.LambdaLR(o, [lambda t: 1 / (1 + t), lambda t: 0.5]),
    "Multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.95 if t % 2 else 1.01),
    "Step": lambda s, o: s.StepLR(o, 3),
    "Step gamma": lambda s, o: s.StepLR(o, step_size=7, gamma=0.5),
    "MultiStep": lambda s, o: s.MultiStepLR(o, [2, 5, 30]),
    "MultiStep twice": lambda s, o: s.MultiStepLR(o, milestones=[2, 2, 9], gamma=0.5),
    "Constant": lambda s, o: s.ConstantLR(o),
    "Constant factor": lambda s, o: s.ConstantLR(o, factor=0.5, total_iters=11),
    "Linear": lambda s, o: s.LinearLR(o),
    "Linear down": lambda s, o: s.LinearLR(o, 1.0, 0.25, total_iters=30),
    "Exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "Polynomial": lambda s, o: s.PolynomialLR(o),
    "Polynomial power": lambda s, o: s.PolynomialLR(o, total_iters=35, power=2.5),
    "CosineAnnealing": lambda s, o: s.CosineAnnealingLR(o, 4),
    "CosineAnnealing eta": lambda s, o: s.CosineAnnealingLR(o, T_max=15, eta_min=0.05),
    "WarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7),
    "WarmRestarts mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, eta_min=0.01),
    "Cyclic": lambda s, o: s.CyclicLR(o, 0.1, 1.0, step_size_up=4),
    "Cyclic down": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 3, 6, mode="triangular2"),
    "Cyclic exp": lambda s, o: s.CyclicLR(o, 0.1, [1.0, 2.0], 5, mode="exp_range", gamma=0.98),
    "Cyclic steady": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 5, cycle_momentum=False),
    "Cyclic fn": lambda s, o: s.CyclicLR(
        o, 0.1, 1.0, 5, scale_fn=lambda x: 0.9**x, scale_mode="iterations", base_momentum=0.5
    ),
    "Cyclic fn cycle": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 4, scale_fn=lambda x: 1 / x, mode=""),
    "OneCycle": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=EPOCHS),
    "OneCycle linear": lambda s, o: s.OneCycleLR(
        o, [1.0, 0.3], epochs=10, steps_per_epoch=4, anneal_strategy="linear", pct_start=0.2
    ),
    "OneCycle three": lambda s, o: s.OneCycleLR(
        o, 1.0, EPOCHS, three_phase=True, div_factor=10.0, final_div_factor=100.0
    ),
    "OneCycle steady": lambda s, o: s.OneCycleLR(o, 1.0, EPOCHS, cycle_momentum=False),
    "Chained": chained,
    "Sequential": sequential,
    "Sequential three": three_in_turn,
    "Sequential chain": chain_in_turn,
    "Sequential turns": turns_in_turn,
    "Chained turns": lambda s, o: s.ChainedScheduler([sequential(s, o), s.StepLR(o, 9, 0.5)]),
    "Sequential restarts": restarts_in_turn,
}
METRICS = [1 + math.sin(i) / (1 + i) for i in range(EPOCHS)]
PLATEAUS: dict[str, dict[str, Any]] = {
    "Plateau": dict(patience=2),
    "Plateau at once": dict(patience=0, factor=0.5),
    "Plateau cooldown": dict(patience=1, cooldown=2),
    "Plateau max": dict(mode="max", patience=3, threshold=0.01, factor=0.7),
    "Plateau abs": dict(threshold_mode="abs", threshold=0.01, patience=1, factor=0.5),
    "Plateau max abs": dict(mode="max", threshold_mode="abs", threshold=0.1, patience=1),
    "Plateau floors": dict(patience=0, min_lr=[0.01, 0.2], factor=0.5),
    "Plateau eps": dict(patience=0, eps=0.02, factor=0.5),
}


def optimizer_of(torch: Any, kind: Any = None, **options: Any) -> Any:
    """Two groups, of lr 1 and 0.4."""
    a, b = (torch.tensor(np.ones(2), requires_grad=True) for _ in range(2))
    options = options or dict(lr=1.0, momentum=0.5)
    return (kind or torch.optim.SGD)([{"params": [a]}, {"params": [b], "lr": 0.4}], **options)


def seen(optimizer: Any) -> list[float]:
    """What a scheduler sets in each group: the lr, and the momentum or beta1."""
    groups = optimizer.param_groups
    momentums = [g["betas"][0] if "betas" in g else g.get("momentum", 0) for g in groups]
    return [float(g["lr"]) for g in groups] + [float(m) for m in momentums]


def advance(scheduler: Any, optimizer: Any, epoch: int) -> None:
    optimizer.step()
    plateau = type(scheduler).__name__ == "ReduceLROnPlateau"
    scheduler.step(METRICS[epoch]) if plateau else scheduler.step()


def sequence(make: Make, adam: bool = False) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        kind = fw.optim.Adam if adam else fw.optim.SGD
        optimizer = optimizer_of(fw.torch, kind, **(dict(lr=1.0) if adam else {}))
        scheduler = make(fw.optim.lr_scheduler, optimizer)
        path = [seen(optimizer)]
        for epoch in range(EPOCHS - 1):
            advance(scheduler, optimizer, epoch)
            path.append(seen(optimizer))
            assert scheduler.get_last_lr() == path[-1][:2]
        return {"path": np.round(path, 12)}

    return case


def plateau(options: dict[str, Any]) -> Make:
    return lambda s, o: s.ReduceLROnPlateau(o, **options)


ALL = {**SCHEDULES, **{name: plateau(options) for name, options in PLATEAUS.items()}}
TABLE = {
    **{name: sequence(make) for name, make in ALL.items()},
    "Cyclic Adam": sequence(SCHEDULES["Cyclic"], adam=True),
    "OneCycle Adam": sequence(SCHEDULES["OneCycle"], adam=True),
}


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")  # of chains
@cases(TABLE)
def test_as_pytorch(name: str, case: Any) -> None:
    check("schedulers", name, case)


def rates(scheduler: Any, count: int, metric: Any = None) -> list[float]:
    """The first group's lr in epochs 0, 1, ..."""
    found = []
    for _ in range(count):
        found.append(round(scheduler.optimizer.param_groups[0]["lr"], 5))
        scheduler.optimizer.step()
        scheduler.step() if metric is None else scheduler.step(metric)
    return found


s = optim.lr_scheduler
ROWS = [
    (lambda o: s.StepLR(o, 3), (1, 1, 1, 0.1, 0.1, 0.1, 0.01)),
    (lambda o: s.MultiStepLR(o, [2, 5]), (1, 1, 0.1, 0.1, 0.1, 0.01)),
    (lambda o: s.MultiStepLR(o, [2, 2]), (1, 1, 0.01)),
    (lambda o: s.ExponentialLR(o, 0.9), (1, 0.9, 0.81)),
    (lambda o: s.ConstantLR(o), (*(0.33333,) * 5, 1, 1)),
    (lambda o: s.LinearLR(o), (0.33333, 0.46667, 0.6, 0.73333, 0.86667, 1, 1)),
    (lambda o: s.CosineAnnealingLR(o, 4), (1, 0.85355, 0.5, 0.14645, 0, 0.14645, 0.5)),
    (lambda o: s.OneCycleLR(o, 1.0, 9), (0.04, 0.65136, 0.99442, 0.89857)),
    (lambda o: chained(s, o), (0.1, 0.09, 0.81, 0.729)),
]


@pytest.mark.parametrize(("make", "expected"), ROWS)
def test_rows_of_the_semantics(make: Any, expected: Any) -> None:
    scheduler = make(optimizer_of(optim_torch))
    assert rates(scheduler, len(expected)) == pytest.approx(expected, abs=6e-6)


def test_sequential_row_of_the_semantics() -> None:
    optimizer = optimizer_of(optim_torch)
    parts = [s.ConstantLR(optimizer, 0.1, 20), s.ExponentialLR(optimizer, 0.9)]
    assert rates(s.SequentialLR(optimizer, parts, [2]), 4) == [0.1, 0.1, 1, 0.9]


@pytest.mark.parametrize(
    ("options", "metric", "expected"),
    [
        (dict(patience=2), 1.0, (1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01)),
        (dict(patience=0), 1.0, (1, 1, 0.1, 0.01)),
        (dict(patience=1, cooldown=2), 1.0, (1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01)),
        (dict(patience=0), math.nan, (1, 0.1, 0.01)),
        (dict(patience=0), -1.0, (1, 1, 1, 1)),  # PyTorch's #47513, kept: -1 < -1 (1 - 1e-4)
        (dict(patience=0, mode="max"), -1.0, (1, 1, 1, 1)),
        (dict(patience=0, threshold_mode="abs"), -1.0, (1, 1, 0.1, 0.01)),
    ],
)
def test_plateau_rows_of_the_semantics(options: Any, metric: float, expected: Any) -> None:
    scheduler = s.ReduceLROnPlateau(optimizer_of(optim_torch), **options)
    assert rates(scheduler, len(expected), metric) == pytest.approx(expected)


def test_warmup() -> None:
    optimizer = optimizer_of(optim_torch)
    scheduler = s.warmup(s.ExponentialLR(optimizer, 0.5), total_iters=4, start_factor=0.2)
    assert rates(scheduler, 7) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 0.5, 0.25])
    assert isinstance(scheduler, s.SequentialLR)


class optim_torch:
    """`torch` for `optimizer_of`."""

    tensor = staticmethod(autograd.tensor)
    optim = optim
