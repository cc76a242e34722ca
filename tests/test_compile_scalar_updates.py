"""What compiled steps do to scalars: gradients, updates, optimizers, hooks."""

from __future__ import annotations

from typing import Any

import pytest

import autograd
import optim
from autograd import no_grad, scalar
from tests.scalar_programs import beside_eager, descend, forget, numbers


@pytest.mark.parametrize(
    "clear",
    [
        lambda p: None,
        lambda p: setattr(p, "grad", scalar(0.0)),
        lambda p: p.grad.zero_() if p.grad is not None else None,
        lambda p: p.grad.fill_(0.5) if p.grad is not None else None,
        lambda p: setattr(p.grad, "data", 0.0) if p.grad is not None else None,
    ],
    ids=["accumulate", "scalar", "zero_", "fill_", "data"],
)
def test_what_becomes_of_gradients(clear: Any):
    def make():
        p = numbers()

        def step():
            for q in p:
                clear(q)
            loss = (p[0] * p[1] + p[2]).relu() * p[3] + p[4] + p[5]
            loss.backward()
            descend(p)
            return loss

        return step, p

    beside_eager(make)


@pytest.mark.parametrize("none", [True, False])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.SGD, {"lr": 0.1}),
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        (optim.Adam, {}),
        (optim.AdamW, {}),
        (optim.RMSprop, {}),
        (optim.Rprop, {}),
    ],
)
def test_optimizers(kind: Any, options: dict[str, Any], none: bool):
    """p[5] gets no gradient."""

    def make():
        p = numbers()
        optimizer = kind(p, **options)

        def step():
            optimizer.zero_grad(set_to_none=none)
            loss = (p[0] * p[1] + p[2]).tanh() * p[3] + p[4] ** 2
            loss.backward()
            optimizer.step()
            return loss

        return step, p

    beside_eager(make, 10)


def test_a_scheduler_is_seen():
    schedulers = []

    def make():
        p = numbers(2)
        optimizer = optim.SGD(p, lr=0.5)
        schedulers.append(optim.lr_scheduler.ExponentialLR(optimizer, 0.9))

        def step(*_):
            optimizer.zero_grad()
            loss = (p[0] * p[1]).exp()
            loss.backward()
            optimizer.step()
            return loss

        return step, p

    turns = iter(range(20))

    def args(i):
        if next(turns) % 2 == 0 and i > 0:  # before eager's step and the compiled one
            for scheduler in schedulers:
                scheduler.step()
        return ()

    beside_eager(make, 10, args)


def test_an_optimizer_leaves_scalars_what_they_are():
    p = numbers(2)
    optimizer = optim.SGD(p, lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        (p[0] * p[1]).backward()
        optimizer.step()
    assert [type(q.value) for q in p] == [float, float]
    twin = optim.SGD(p, lr=0.1, momentum=0.9)
    twin.load_state_dict(optimizer.state_dict())
    assert twin.state[p[0]]["momentum_buffer"].item() != 0
    p[0].array  # noqa: B018 - from here on it is an array, and the optimizer goes on
    optimizer.step()
    assert optimizer.state[p[0]]["momentum_buffer"].item() != 0


def test_updates_in_place():
    def make():
        p = numbers()

        def step():
            with no_grad():
                a, b = p[0].clone(), p[1].clone()
                p[0].data, p[1].data = b, a
                p[2].add_(1.0)
                p[3].mul_(p[0])
                p[4].copy_(p[5])
                p[5].fill_(2)
                return p[2] * 2, p[4].data

        return step, p

    beside_eager(make)


def test_gradients_that_the_user_keeps():
    def run(compiled):
        p = numbers(2)

        def step():
            forget(p)
            (p[0] * p[1]).backward()
            descend(p)

        fast = autograd.compile(step) if compiled else step
        kept = []
        for _ in range(8):
            fast()
            kept.append(p[0].grad)
        return [g.item() for g in kept]

    assert run(True) == run(False)


def test_second_derivatives_and_hooks():
    def make():
        p = numbers(3)
        p[0].register_hook(lambda g: g * 2)

        def step():
            loss = (p[0] ** 3 * p[1]).tanh() + p[0].sin() * p[1].exp()
            first = autograd.grad(loss, p[:2], create_graph=True)
            middle = sum(g * g for g in first) * p[2]
            middle.register_hook(lambda g: g * 3)
            middle.retain_grad()
            forget(p)
            (loss + middle).backward()
            descend(p, 0.01)
            return loss, middle.grad

        return step, p

    beside_eager(make)


def test_function_of_ones_own():
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x * 2

    def make():
        p = numbers(2)

        def step():
            forget(p)
            loss = Square.apply(p[0] * p[1]) * p[0]
            loss.backward()
            descend(p)
            return loss

        return step, p

    beside_eager(make)


def test_descent_by_data_of_tensors():
    """`p.data -= x` changes a tensor's memory in place, and assigns it to where it is."""

    def run(compiled):
        p = autograd.tensor([1.0, 2.0], requires_grad=True)

        def step():
            p.grad = None
            (p * p).sum().backward()
            p.data -= 0.1 * p.grad

        fast = autograd.compile(step) if compiled else step
        for _ in range(6):
            fast()
        return p.tolist(), p.version[0]

    assert run(True) == run(False)
