"""`autograd.why`: causes of gradients that are missing, zero, tiny, huge or not finite."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import why
from autograd.reasons.answer import stats


def leaf(*values: float) -> Any:
    return autograd.tensor(list(values), requires_grad=True)


def watched(f: Callable[[Any], Any], *values: float) -> Any:
    """The answer for a leaf of `values` after backward of `f(leaf)`, watched."""
    x = leaf(*values)
    with autograd.watch():
        f(x).sum().backward()
    return why(x)


def retained(f: Callable[[Any], Any], *values: float) -> Any:
    """The same, of a graph that nobody watched but that is still there."""
    x = leaf(*values)
    loss = f(x).sum()
    loss.backward(retain_graph=True)
    return why(x, loss)


ZERO: dict[str, tuple[Callable[[Any], Any], tuple[float, ...]]] = {
    "dead_relu": (lambda x: x.relu(), (-1.0, -2.0)),
    "clamped": (lambda x: x.clamp(0.0, 1.0), (3.0, -2.0)),
    "saturated_sigmoid": (lambda x: x.sigmoid(), (200.0, -200.0)),
    "saturated_tanh": (lambda x: x.tanh(), (60.0, -60.0)),
    "saturated_softmax": (lambda x: x.softmax(0) * autograd.tensor([1.0, 2.0]), (500.0, -500.0)),
    "step_function": (lambda x: x.round(), (1.2, 2.3)),
    "multiplied_by_zero": (lambda x: x * autograd.zeros(2), (1.0, 2.0)),
    "not_chosen": (lambda x: autograd.where(x > 9, x, 0.0), (1.0, 2.0)),
    "masked": (lambda x: x.masked_fill(x > 0, 0.0), (1.0, 2.0)),
    "cancelled": (lambda x: x - x, (1.0, 2.0)),
}


@pytest.mark.parametrize("ask", [watched, retained])
@pytest.mark.parametrize("cause", ZERO)
def test_zero(cause: str, ask: Callable[..., Any]):
    f, values = ZERO[cause]
    answer = ask(f, *values)
    assert (answer.kind, answer.cause) == ("zero", cause)
    assert answer.remedy
    if ask is watched and cause != "cancelled":
        assert "test_why.py" in answer.line
    if ask is retained and cause != "cancelled":
        assert "watch" in answer.unknown


POLES: dict[str, tuple[Callable[[Any], Any], tuple[float, ...], str]] = {
    "log_at_pole": (lambda x: x.log(), (0.0, 1.0), "inf"),
    "sqrt_at_pole": (lambda x: x.sqrt(), (0.0, 1.0), "inf"),
    "div_at_pole": (lambda x: 1.0 / x, (0.0, 1.0), "inf"),
    "where_leak": (lambda x: autograd.where(x > 0, x.log(), 0.0), (0.0, 1.0), "nan"),
    "zero_times_infinity": (lambda x: (x > 0) * x.sqrt(), (0.0, 1.0), "nan"),
}


@pytest.mark.parametrize("cause", POLES)
def test_not_finite(cause: str):
    f, values, kind = POLES[cause]
    assert (a := retained(f, *values)).cause == cause
    assert a.kind == kind
    assert a.numbers["met"] == 1
    assert a.numbers["values"] == 2
    assert watched(f, *values).kind == kind


def test_overflow_in_the_forward_pass_is_named_with_its_line():
    answer = watched(lambda x: (x * 100).exp().sin(), 1.0, 2.0)
    assert (answer.kind, answer.cause, answer.op) == ("nan", "forward_nonfinite", "exp")
    assert "exp().sin()" in answer.line
    assert retained(lambda x: (x * 100).exp().sin(), 1.0, 2.0).op == "exp"


@pytest.mark.parametrize("watch", [True, False])
def test_nan_in_the_data(watch: bool):
    model = nn.Linear(3, 2)
    x = autograd.ones(4, 3)
    x[1, 2] = float("nan")
    if watch:
        with autograd.watch():
            model(x).sum().backward()
    else:
        loss = model(x).sum()
        loss.backward(retain_graph=True)
    answer = why(model.weight)
    assert answer.cause == "nan_in_data"
    assert "linear" in answer.text


# Scale


def deep(x: Any, factor: float, depth: int) -> Any:
    for _ in range(depth):
        x = x * factor
    return x


@pytest.mark.parametrize("ask", [watched, retained])
def test_scale_through_depth(ask: Callable[..., Any]):
    answer = ask(lambda x: deep(x, 0.25, 30), 1.0)
    assert (answer.kind, answer.cause) == ("tiny", "vanishing_through_depth")
    assert answer.numbers["factor"] == pytest.approx(0.25)
    assert answer.numbers["ops"] == 30
    assert [name for name, _, _ in answer.chain].count("mul") == 30
    assert ask(lambda x: deep(x, 4.0, 30), 1.0).cause == "exploding_through_depth"


def test_one_op_that_changes_the_scale_is_named():
    assert watched(lambda x: x * 1e-9, 1.0).cause == "small_factor"
    assert watched(lambda x: x * 1e9, 1.0).cause == "large_factor"
    assert watched(lambda x: x.sigmoid(), 18.0).cause == "saturated_sigmoid"
    answer = watched(lambda x: x.log(), 1e-8)
    assert (answer.kind, answer.cause) == ("huge", "near_pole_log")


def test_partly_zero_and_healthy():
    answer = watched(lambda x: x.relu(), -1.0, -2.0, 3.0)
    assert (answer.kind, answer.op) == ("partly zero", "relu")
    assert "2 of 3" in str(answer)
    assert watched(lambda x: x * 2, 1.0, 2.0).kind == "healthy"


# None


def test_none_without_a_watch():
    x = leaf(1.0, 2.0)
    assert why(autograd.ones(2)).cause == "requires_grad_false"
    assert why(autograd.tensor([1, 2])).cause == "integer"
    assert why(x.detach()).cause == "detached"
    assert why(x).cause == "not_used"
    loss = (x * 2).sum()
    assert why(x).cause == why(x, loss).cause == "no_backward_yet"
    other = leaf(1.0)
    assert why(other, loss).cause == "independent"
    assert why(loss * 1).cause == "not_retained"


def test_none_after_a_backward():
    x = leaf(1.0, 2.0)
    loss = x.exp().sum()
    loss.backward()
    x.grad = None
    assert why(x).cause == "forgotten_after_backward"


def test_none_of_a_result_tells_the_gradient_that_passed():
    x = leaf(1.0, 2.0)
    with autograd.watch():
        hidden = x * 2
        (hidden * 3).sum().backward()
    answer = why(hidden)
    assert answer.cause == "not_retained"
    assert "max|g| = 3" in answer.text
    assert "hidden = x * 2" in answer.line


BREAKS: dict[str, Callable[[Any], Any]] = {
    "detached": lambda x: (x * 2).detach(),
    "left_as_number": lambda x: (x * 2).sum().item(),
    "left_as_numpy": lambda x: autograd.tensor((x * 2).detach().numpy()),
    "no_grad": autograd.no_grad()(lambda x: x * 2),
    "not_differentiable": lambda x: (x * 2).argmax().float(),
}


@pytest.mark.parametrize("cause", BREAKS)
@pytest.mark.parametrize("given", [True, False])
def test_where_values_left_the_graph(cause: str, given: bool):
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with autograd.watch():
        loss = (w * BREAKS[cause](x)).sum()
        loss.backward()
    answer = why(x, loss) if given else why(x)
    found = {answer.cause, *(other.key for other in answer.others)}
    assert answer.kind == "none"
    assert cause in found
    assert "test_why.py" in answer.line
    assert why(w).kind == "healthy"


def test_a_loss_without_a_graph():
    x = leaf(1.0)
    with autograd.watch(), autograd.no_grad():
        loss = x * 2
    answer = why(x, loss)
    assert answer.cause == "no_grad"
    assert "the loss itself" in answer.text


def test_an_untracked_result_of_untracked_inputs():
    with autograd.watch():
        y = autograd.ones(2) * 2
    assert why(y).cause == "inputs_without_grad"


# What it cannot know, and what it leaves alone


def test_an_ordinary_backward_leaves_the_way_and_says_what_is_gone():
    x = leaf(-1.0)
    loss = x.relu().sum()
    loss.backward()
    answer = why(x)
    assert (answer.kind, answer.cause) == ("zero", "unknown")
    assert "relu" in answer.text
    assert "watch" in answer.unknown
    del loss
    gc.collect()
    assert "not alive" in why(x).unknown


def test_asking_changes_nothing():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    loss = model(autograd.ones(5, 3)).sum()
    loss.backward(retain_graph=True)
    before = [p.grad.numpy().copy() for p in model.parameters()]
    for p in model.parameters():
        why(p)
    loss.backward()
    for p, g in zip(model.parameters(), before):
        np.testing.assert_allclose(p.grad.numpy(), 2 * g, rtol=1e-6)


def test_watching_changes_no_gradient():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4), nn.Linear(4, 2))
    twin, x = copy.deepcopy(model), autograd.randn(6, 3)
    model(x).square().sum().backward()
    with autograd.watch():
        twin(x).square().sum().backward()
    for p, q in zip(model.parameters(), twin.parameters()):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


def test_watch_decorates_and_sees_hooks_and_views():
    x = leaf(1.0, 2.0, 3.0)
    seen = []

    @autograd.watch()
    def step() -> None:
        y = x[1:]
        y.register_hook(lambda g: seen.append(g.tolist()))
        (y * y).sum().backward()

    step()
    assert seen == [[4.0, 6.0]]
    assert why(x).kind == "partly zero"


def test_scalars_and_functions():
    s = autograd.scalar(2.0)
    s.requires_grad = True
    with autograd.watch():
        (s * 0.0).backward()
    assert why(s).cause == "multiplied_by_zero"

    class Nothing(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 0

    answer = retained(Nothing.apply, 1.0, 2.0)
    assert answer.kind == "zero"
    assert "Nothing" in str(answer)


def test_a_long_chain():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y * 1.0
    y.backward(autograd.ones(1), retain_graph=True)
    assert why(x, y).kind == "healthy"


def test_stats():
    about = stats(np.array([0.0, np.nan, np.inf, -3e-30], np.float32))
    assert (about.size, about.zeros, about.nans, about.infs) == (4, 1, 1, 1)
    assert about.rms == pytest.approx(3e-30 / np.sqrt(2))
    assert not about.finite
    assert stats(np.zeros((0, 3))).size == 0
    assert not stats(np.zeros(0)).zero


@pytest.mark.parametrize("wrong", [nn.Linear(2, 2), 3.0])
def test_a_wrong_call(wrong: Any):
    with pytest.raises(TypeError, match=r"why: expected a Tensor.*why\(model.weight\)"):
        why(wrong)
