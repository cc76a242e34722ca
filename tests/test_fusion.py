"""A linear layer and its activation as one op: the same numbers, where nothing looks between."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd.modes import modes

ACTIVATIONS = [nn.ReLU, nn.Sigmoid, nn.Tanh]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 5), (5,), (2, 3, 5), (0, 5)])
def test_the_numbers_are_those_of_two_modules(activation: Any, bias: bool, shape: Any) -> None:
    linear = nn.Linear(5, 4, bias=bias).double()
    both, apart = nn.Sequential(linear, activation()), activation()
    results = []
    for run in (both, lambda x: apart(linear(x))):
        linear.zero_grad()
        x = autograd.tensor(np.linspace(-1, 1, int(np.prod(shape))).reshape(shape))
        y = run(x.requires_grad_())
        y.pow(2).sum().backward()
        results.append([y.detach(), x.grad, *[p.grad for p in linear.parameters()]])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-13, atol=1e-15)


def ops_seen(model: nn.Module, x: autograd.Tensor) -> list[str]:
    seen: list[str] = []
    before, modes.observers = modes.observers, (lambda op, *rest: seen.append(op.name),)
    try:
        model(x)
    finally:
        modes.observers = before
    return seen


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_small_layers_are_one_op_and_large_ones_two(activation: Any) -> None:
    model = nn.Sequential(nn.Linear(5, 4), activation(), nn.Linear(4, 2))
    name = activation.__name__.lower()
    assert ops_seen(model, autograd.ones(3, 5)) == [f"linear_{name}", "linear"]
    assert ops_seen(model, autograd.ones(3000, 5)) == ["linear", name, "linear"]


def hook(model: nn.Sequential) -> Any:
    return model[1].register_forward_hook(lambda *_: None)


def backward_hook(model: nn.Sequential) -> Any:
    return model[0].register_full_backward_hook(lambda *_: None)


def other_class(model: nn.Sequential) -> None:
    model[1] = type("Mine", (nn.ReLU,), {})()


def inplace(model: nn.Sequential) -> None:
    model[1].inplace = True


def own_forward(model: nn.Sequential) -> None:
    model[0].forward = lambda x: autograd.zeros(3, 4)


@pytest.mark.parametrize("change", [hook, backward_hook, other_class, inplace, own_forward])
def test_whatever_looks_between_them_parts_them(change: Any) -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    x = autograd.ones(3, 5)
    assert ops_seen(model, x) == ["linear_relu"]
    handle = change(model)
    assert "linear_relu" not in ops_seen(model, x)
    if handle is not None:
        handle.remove()
        assert ops_seen(model, x) == ["linear_relu"]


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_call_their_own_layers(twin: Any) -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh())
    x = autograd.ones(3, 5)
    before = model(x).tolist()
    other = twin(model)
    with autograd.no_grad():
        other[0].weight.zero_()
        other[0].bias.zero_()
    assert other(x).tolist() == [[0.0] * 4] * 3
    assert model(x).tolist() == before


def test_layers_put_in_and_taken_out_are_seen() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    x = autograd.ones(3, 5)
    model(x)
    model.append(nn.Linear(4, 2))
    assert model(x).shape == (3, 2)
    del model[1]
    assert ops_seen(model, x) == ["linear", "linear"]
