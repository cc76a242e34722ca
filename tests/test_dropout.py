"""Dropout, alpha dropout and randomised ReLU: frequencies, moments, independence, repetition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import autograd
import nn
import nn.functional as F


def drawn(layer: Any, x: Any, times: int = 40) -> np.ndarray:
    return np.stack([layer(x).detach().numpy() for _ in range(times)])


def test_dropout():
    layer, x = nn.Dropout(0.3), autograd.ones(10_000)
    found = drawn(layer, x, 20)
    np.testing.assert_allclose(np.unique(found), [0, 1 / 0.7], rtol=1e-6)
    kept = found > 0
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.21 / kept.size)
    assert abs(kept.mean(1) - 0.7).max() < 5 * math.sqrt(0.21 / 10_000)
    centered = kept - 0.7
    for a, b in ((centered[:, 1:], centered[:, :-1]), (centered[1:], centered[:-1])):
        assert abs((a * b).mean() / 0.21) < 4 / math.sqrt(a.size)  # neighbours, and calls
    layer.eval()
    assert layer(x) is x
    assert F.dropout(x, 0.0) is x


def test_dropout_repeats_with_the_generator():
    layer, x = nn.Dropout(0.5), autograd.ones(64, requires_grad=True)
    state = autograd.get_rng_state()
    first, second = layer(x), layer(x)
    autograd.set_rng_state(state)
    np.testing.assert_array_equal(layer(x).detach().numpy(), first.detach().numpy())
    assert (first.detach().numpy() != second.detach().numpy()).any()
    autograd.manual_seed(5)
    again = layer(x).detach().numpy()
    autograd.manual_seed(5)
    np.testing.assert_array_equal(layer(x).detach().numpy(), again)
    out = layer(x)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())


def test_dropout_in_place_and_of_special_values():
    x = autograd.ones(100, requires_grad=True)
    y = x * 3
    out = nn.Dropout(0.4, inplace=True)(y)
    assert out is y
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), out.detach().numpy(), rtol=1e-6)
    found = nn.Dropout(1.0)(autograd.tensor([math.inf, 1.0])).tolist()
    assert math.isnan(found[0])
    assert found[1] == 0


def test_alpha_dropout_keeps_mean_and_variance():
    x = autograd.tensor(np.random.default_rng(0).standard_normal(20_000))
    layer = nn.AlphaDropout(0.3)
    found = drawn(layer, x, 10)
    assert abs(found.mean()) < 0.02
    assert abs(found.var() - 1) < 0.03
    alpha, p = 1.7580993408473766, 0.3
    a = 1 / math.sqrt((1 - p) * (1 + p * alpha**2))
    dropped = a * (p * alpha - alpha)
    kept = a * x.numpy() + a * p * alpha
    where = abs(found[0] - dropped) < 1e-9
    assert abs(where.mean() - 0.3) < 0.02
    np.testing.assert_allclose(found[0][~where], kept[~where], rtol=1e-9)
    y = x.clone()
    assert F.alpha_dropout(y, 0.5, True, inplace=True) is y
    assert layer.eval()(x) is x


def test_rrelu():
    x = autograd.tensor(-np.ones(20_000), requires_grad=True)
    layer = nn.RReLU(0.1, 0.5)
    out = layer(x)
    slopes = -out.detach().numpy()
    assert 0.1 <= slopes.min() < 0.101
    assert 0.499 < slopes.max() < 0.5
    assert abs(slopes.mean() - 0.3) < 0.005
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes)
    y = autograd.tensor([-1.0, 2.0])
    assert F.rrelu_(y, 0.25, 0.25, True) is y
    assert y.tolist() == [-0.25, 2]
