"""`autograd.verify` and `autograd.precision`: ops checked while they are used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd.op import TABLE, Sample, op
from autograd.tensor import Tensor
from autograd.verification import VerificationError
from tests.table import Case, cases


@pytest.fixture
def wrong_gradient():
    """An op whose derivative is off by a tenth."""
    yield op(
        "wrongly_doubled", math="2x", dmath=("2.2g",), methods=(), kernel=np.positive,
        ref=lambda x: x, vjp=(lambda g: g * 1.1,), samples=(Sample((2,)),),
    )  # fmt: skip
    del TABLE["wrongly_doubled"]


@pytest.fixture
def wrong_result():
    yield op(
        "wrongly_squared", math="x^2", dmath=("2gx",), methods=(), kernel=np.exp2,
        ref=lambda x: x * x, vjp=(lambda g, x: 2 * g * x,), samples=(Sample((2,)),),
    )  # fmt: skip
    del TABLE["wrongly_squared"]


def test_a_wrong_gradient_is_named_with_its_line(wrong_gradient: Any):
    x = autograd.randn(5)
    gradient = pytest.raises(VerificationError, match="wrongly_doubled: its gradient")
    with gradient as caught, autograd.verify(rate=1.0):
        wrong_gradient(x)
    assert "test_verify.py" in str(caught.value)


def test_a_wrong_result_is_named(wrong_result: Any):
    with autograd.verify(rate=1.0, stop=False) as checks:
        wrong_result(autograd.randn(5))
    (failure,) = checks.failures
    assert (failure.op, failure.check) == ("wrongly_squared", "forward")
    assert "1 failed" in repr(checks)


@cases()
def test_every_op_passes(case: Case):
    for dtype in (np.float32, np.float64):
        given = [Tensor.wrap(x) if isinstance(x, np.ndarray) else x for x in case.inputs(dtype)]
        with autograd.verify(rate=1.0):
            case.run(given)  # type: ignore[arg-type]


def train(steps: int) -> list[float]:
    autograd.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )
    optimizer = optim.AdamW(model.parameters(), 0.01)
    x, y = autograd.randn(20, 6), autograd.randint(0, 3, (20,))
    curve = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return curve


def test_training_is_the_same_and_is_checked():
    plain = train(4)
    with autograd.verify(rate=1.0) as checks:
        assert train(4) == pytest.approx(plain, rel=1e-5)
    assert {"linear", "batch_norm", "relu", "cross_entropy_index", "relu_grad"} <= set(
        checks.checked
    )
    assert checks.skipped["random"] == 4


def test_the_rate_is_the_share_that_is_checked():
    x = autograd.randn(3)
    with autograd.verify(rate=0.1) as checks:
        for _ in range(1000):
            x.sin()
    assert 60 < checks.checked["sin"] < 140


def test_kinks_and_large_inputs_are_skipped():
    with autograd.verify(rate=1.0) as checks:
        autograd.zeros(3).relu()
        autograd.zeros(300_000).exp()
        autograd.tensor([float("nan")]).exp()
    assert checks.skipped == {
        "a kink near the point": 1,
        "large": 1,
        "inputs that are not finite": 1,
    }


@pytest.mark.parametrize("rate", [0, -1.0, 1.5])
def test_a_wrong_rate(rate: float):
    with pytest.raises(ValueError, match="verify: rate"):
        autograd.verify(rate=rate)


def test_verify_decorates():
    @autograd.verify(rate=1.0)
    def f(x: Any) -> Any:
        return x.exp()

    assert f(autograd.zeros(2)).tolist() == [1.0, 1.0]


# precision


def test_cancellation_is_named_with_its_line():
    with autograd.precision() as report:
        x = autograd.tensor([1.1, 2.3])
        big = x + 1e4
        small = big - 1e4
    worst = report.worst(1)[0]
    assert (worst.op, worst.shape) == ("sub", (2,))
    assert "small = big - 1e4" in worst.line
    assert worst.lost > 2
    assert max(worst.own, worst.given) < 1e-7 < worst.total
    assert "sub (forward)" in str(report)
    assert small.tolist() != [1.1, 2.3]


def test_the_backward_pass_is_seen():
    with autograd.precision() as report:
        x = autograd.tensor([300.0], requires_grad=True)
        ((x + 0.1) - x.detach()).square().sum().backward()
    phases = {loss.phase for loss in report.worst(50)}
    assert "forward" in phases
    assert any(p.startswith("backward of") for p in phases)


def test_a_healthy_training_loses_no_digits_in_the_forward_pass():
    with autograd.precision() as report:
        train(2)
    assert all(loss.lost < 2 for loss in report.worst(100) if loss.phase == "forward")


def test_nothing_to_say():
    with autograd.precision() as report:
        (autograd.ones(3) * 2).sum()
        autograd.arange(3) + 1
    assert "none lost a digit" in str(report)
    assert not report.twins


def test_a_tensor_changed_in_place_has_a_new_twin():
    with autograd.precision() as report:
        x = autograd.ones(3) * 2
        x[0] = 7.0
        y = x * 3
    assert y.tolist() == [21.0, 6.0, 6.0]
    assert all(loss.total < 1e-6 for loss in report.worst(50))
