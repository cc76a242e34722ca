"""Programs of scalars for the tests: micrograd's classes, and a run beside eager."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import autograd
from autograd import scalar


class Neuron:
    """As micrograd's: a weighted sum, and ReLU."""

    def __init__(self, rng: np.random.Generator, size: int, nonlinear: bool):
        self.w = [scalar(v) for v in rng.uniform(-1, 1, size)]
        self.b, self.nonlinear = scalar(0.0), nonlinear

    def __call__(self, x: Any) -> Any:
        act = sum((wi * xi for wi, xi in zip(self.w, x)), self.b)
        return act.relu() if self.nonlinear else act

    def parameters(self) -> list[Any]:
        return [*self.w, self.b]


class MLP:
    """As micrograd's: layers of neurons."""

    def __init__(self, *sizes: int, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.layers = [
            [Neuron(rng, n, k < len(sizes) - 2) for _ in range(m)]
            for k, (n, m) in enumerate(pairwise(sizes))
        ]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = [neuron(x) for neuron in layer]
        return x[0]

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for neuron in layer for p in neuron.parameters()]


def numbers(n: int = 6) -> list[Any]:
    """Scalars to train."""
    return [scalar(v) for v in np.random.default_rng(0).uniform(-1, 1, n)]


def descend(params: Any, lr: float = 0.1) -> None:
    """Gradient descent, as micrograd's users write it."""
    for p in params:
        p.data -= lr * p.grad


def forget(params: Any) -> None:
    """No gradients."""
    for p in params:
        p.grad = None


def moons(count: int, seed: int = 0) -> tuple[list[list[float]], list[int]]:
    """Points of two half circles, and their labels -1 and 1."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, np.pi, count // 2)
    outer = np.stack([np.cos(angle), np.sin(angle)], 1)
    inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    x = np.concatenate([outer, inner]) + rng.normal(0, 0.1, (2 * len(angle), 2))
    return x.tolist(), [-1] * len(angle) + [1] * len(angle)


def bits(x: Any) -> Any:
    """The bits of all numbers in a result, with one NaN for all; None for no number."""
    if isinstance(x, autograd.Tensor):
        x = x.detach().tolist() if type(x.value) is not float else x.value
    if isinstance(x, (tuple, list)):
        return [bits(part) for part in x]
    if isinstance(x, dict):
        return {key: bits(part) for key, part in x.items()}
    if x is None:
        return None
    return "nan" if x != x else struct.pack("d", x)


Make = Callable[[], tuple[Callable[..., Any], list[Any]]]


def beside_eager(
    make: Make,
    steps: int = 8,
    args: Callable[[int], tuple[Any, ...]] = lambda i: (),
    **options: Any,
) -> autograd.compiled.Step:
    """`make()` gives a step and its scalars: run it twice, eager and compiled, to the same bits."""
    eager, numbers = make()
    function, others = make()
    fast = autograd.compile(function, **options)
    for i in range(steps):
        expected, found = eager(*args(i)), fast(*args(i))
        assert bits(found) == bits(expected), f"step {i}"
        assert bits(others) == bits(numbers), f"numbers after step {i}"
        slopes = [[p.grad for p in ps] for ps in (numbers, others)]
        assert bits(slopes[1]) == bits(slopes[0]), f"gradients after step {i}"
        assert all(type(p.value) is float for p in others)
    assert fast.plan is not None
    return fast
