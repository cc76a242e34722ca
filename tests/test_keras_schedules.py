"""Learning-rate schedules of the Keras face against Keras, and inside compiled steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
from autograd.kernel import JIT
from nn.keras import optimizers
from nn.keras.optimizers import schedules
from nn.keras.variable import Variable
from tests.keras_faces import check, data

STEPS = [0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 14, 15, 19, 20, 21, 29, 30, 31, 44, 70, 71, 150, 1000]

# name: (class, arguments)
SCHEDULES: dict[str, tuple[str, dict[str, Any]]] = {
    "exponential": (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    ),
    "exponential stairs": (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9, "staircase": True},
    ),
    "inverse": (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    ),
    "inverse stairs": (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.7, "staircase": True},
    ),
    "piecewise": (
        "PiecewiseConstantDecay",
        {"boundaries": [2, 10, 30], "values": [0.1, 0.05, 0.2, 0.01]},
    ),
    "piecewise of one": (
        "PiecewiseConstantDecay",
        {"boundaries": [5], "values": [0.1, 0.05]},
    ),
    "polynomial": ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    "polynomial square": (
        "PolynomialDecay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 30,
            "end_learning_rate": 0.02,
            "power": 2.0,
        },
    ),
    "polynomial cycle": (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 0.5, "cycle": True},
    ),
    "cosine": ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    "cosine alpha": (
        "CosineDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 30, "alpha": 0.1},
    ),
    "cosine warmup": (
        "CosineDecay",
        {
            "initial_learning_rate": 0.0,
            "decay_steps": 30,
            "warmup_target": 0.1,
            "warmup_steps": 10,
            "alpha": 0.05,
        },
    ),
    "restarts": ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10}),
    "restarts alike": (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.8},
    ),
    "restarts lower": (
        "CosineDecayRestarts",
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 7,
            "t_mul": 1.5,
            "m_mul": 0.9,
            "alpha": 0.05,
        },
    ),
}


def _made(name: str) -> Any:
    kind, arguments = SCHEDULES[name]
    return getattr(schedules, kind)(**arguments)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_is_that_of_keras(name: str) -> None:
    """At steps around every corner, and as the learning rate of an optimizer."""
    kind, arguments = SCHEDULES[name]

    def case(face: Any) -> dict[str, Any]:
        schedule = getattr(face.keras.optimizers.schedules, kind)(**arguments)
        found: dict[str, Any] = {"rates": [float(schedule(step)) for step in STEPS]}
        p = face.keras.Variable(1.0, dtype="float64")
        optimizer, path = face.keras.optimizers.SGD(schedule), []
        for _ in range(12):
            optimizer.apply([face.tensor(np.array(1.0))], [p])
            path.append(float(p.numpy()))
        config = schedule.get_config()
        found["path"] = path
        found["now"] = float(optimizer.learning_rate)
        found["variables"] = len(optimizer.variables)
        found["config"] = {k: config[k] for k in sorted(config)}
        return found

    # Keras computes in float32 even with floatx float64: its Python numbers become such tensors
    check("schedules", name, case, rtol=2e-5, atol=2e-8)


def test_rates_of_several_steps_at_once() -> None:
    """An array or a tensor of steps; float32 by default."""
    schedule = _made("cosine warmup")
    one_by_one = [schedule(step).item() for step in STEPS]
    for steps in (np.array(STEPS), autograd.tensor(STEPS), autograd.tensor(np.array(STEPS, float))):
        found = schedule(steps)
        assert found.dtype == np.float32
        assert found.tolist() == one_by_one
    assert schedule(autograd.tensor(3)).shape == ()


def test_plain_python_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Numba is turned off."""
    from nn.keras.optimizers.schedules import base

    expected = {name: _made(name)(np.array(STEPS)).tolist() for name in SCHEDULES}
    monkeypatch.setattr(base, "JIT", False)
    for name, rates in expected.items():
        np.testing.assert_allclose(_made(name)(np.array(STEPS)).tolist(), rates, rtol=1e-6)


def _run(rate: Any, compiled: bool, steps: int = 50) -> tuple[bytes, Any]:
    v = Variable(data(3), dtype="float32")
    optimizer = optimizers.Adam(rate)
    optimizer.build([v])

    def step(x: Any) -> Any:
        optimizer.apply([x * v.detach()], [v])
        return x.sum()

    run = autograd.compile(step) if compiled else step
    for k in range(steps):
        run(autograd.tensor(data(3, seed=k), dtype=autograd.float32))
    return v.array.tobytes(), run


@pytest.mark.parametrize("name", SCHEDULES)
def test_compiled_steps_follow_it_natively(name: str) -> None:
    """Bit for bit over 50 steps; no Python between the ops, none before a replay."""
    expected, _ = _run(_made(name), False)
    found, step = _run(_made(name), True)
    assert found == expected
    assert step.plan.native or not JIT
    assert not step.plan.trace.before


class Warmed(schedules.LearningRateSchedule):
    """A schedule of a user's, with an `if`."""

    def __init__(self, peak: float):
        self.peak = peak

    def __call__(self, step: Any) -> Any:
        if step < 10:
            return self.peak * (step + 1) / 10
        return self.peak * (step + 1.0) ** -0.5

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak}


def test_compiled_steps_follow_a_users_schedule() -> None:
    """Asked by Python before each replay, with the step as a tensor."""
    expected, _ = _run(Warmed(0.1), False)
    found, step = _run(Warmed(0.1), True)
    assert found == expected
    assert len(step.plan.trace.before) == 1


def test_compiled_steps_follow_a_function() -> None:
    """A learning rate that is a function without arguments."""

    def make() -> Any:
        rates = iter(np.geomspace(0.1, 0.001, 500))
        return lambda: next(rates)

    with_ops = _run(lambda: autograd.tensor(0.05) * 0.5, True)[0]
    assert with_ops == _run(0.025, True)[0]
    eager, calls = make(), make()
    assert _run(eager, False)[0] == _run(lambda: calls(), False)[0]


def test_a_schedule_that_changes() -> None:
    """A number of a schedule that is set is in the next step, compiled or not."""
    ends = []
    for compiled in (False, True):
        v, schedule = Variable(data(3), dtype="float32"), _made("exponential")
        optimizer = optimizers.SGD(schedule)
        optimizer.build([v])

        def step(x: Any, optimizer: Any = optimizer, v: Any = v) -> Any:
            optimizer.apply([x * 1.0], [v])
            return x.sum()

        run = autograd.compile(step) if compiled else step
        for k in range(8):
            if k == 5:
                schedule.initial_learning_rate = 3.0
            run(autograd.tensor([1.0, 2.0, 3.0]))
        ends.append(v.array.tobytes())
    assert ends[0] == ends[1]


def test_a_rate_read_inside_a_compiled_step() -> None:
    """`optimizer.learning_rate` of a schedule is that of each replay."""
    v, schedule = Variable(np.zeros(1), dtype="float32"), _made("exponential stairs")
    optimizer = optimizers.SGD(schedule)
    optimizer.build([v])

    @autograd.compile
    def step(x: Any) -> Any:
        rate = optimizer.learning_rate * 1.0
        optimizer.apply([x * 1.0], [v])
        return rate

    found = [step(autograd.tensor([1.0])).item() for _ in range(25)]
    assert found == [schedule(k).item() for k in range(25)]


def test_configurations_go_round() -> None:
    """get_config and back, a user's own with its class."""
    for name in SCHEDULES:
        made = _made(name)
        again = schedules.deserialize(schedules.serialize(made))
        assert type(again) is type(made)
        assert again.get_config() == made.get_config()
    described = schedules.serialize(Warmed(0.3))
    assert schedules.deserialize(described, {"Warmed": Warmed}).peak == 0.3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), ValueError, "`decay_steps` must be > 0"),
        (lambda: schedules.InverseTimeDecay(0.1, -1, 0.5), ValueError, "decay_steps=-1"),
        (lambda: schedules.PolynomialDecay(0.1, 0), ValueError, "decay_steps"),
        (lambda: schedules.CosineDecay(0.1, 0), ValueError, "decay_steps"),
        (lambda: schedules.CosineDecayRestarts(0.1, 0), ValueError, "first_decay_steps"),
        (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), ValueError, "1 less than"),
        (lambda: schedules.LearningRateSchedule()(0), NotImplementedError, "must override"),
        (lambda: schedules.LearningRateSchedule().get_config(), NotImplementedError, "get_config"),
        (lambda: schedules.deserialize("CosinDecay"), ValueError, "'CosineDecay'"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """A wrong call names what was met and the remedy."""
    with pytest.raises(error, match=message):
        call()
