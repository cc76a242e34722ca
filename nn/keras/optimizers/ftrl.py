"""Ftrl, with Keras' numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import device, elements_of, kernel
from nn.keras.optimizers.base import Numbers, Optimizer, Slot
from nn.keras.optimizers.rule import (
    ARRAY,
    DECAY,
    DECAYS,
    OWN,
    ROWS,
    Rule,
    begin,
    decayed,
    elements,
    given,
)


@device
def _line(z, g, x, root, before, shrink, lr):
    """The new z; `root` and `before` are n^-q after and before this update."""
    return z + (g + shrink * x - (root - before) / lr * x)


@device
def _solved(z, root, l1, ridge, lr):
    """The weight that z leads to."""
    bound = z if z > -l1 or z != z else -l1
    bound = bound if bound < l1 or bound != bound else l1
    return (bound - z) / (root / lr + ridge)


@kernel
def _ftrl(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real, two = numbers.dtype.type, numbers.dtype.type(2)
    power, l1, lr = real(-hyper[OWN]), real(hyper[OWN + 1]), real(rate[0])
    shrink, ridge = real(2 * hyper[OWN + 3]), real(hyper[OWN + 2])
    ridge = two * (ridge + real(hyper[OWN + 4]) / (two * lr))
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        n, z = elements(book, k, ROWS, numbers), elements(book, k, ROWS + 1, numbers)
        if power == 0.5:  # the default; a power takes 20 times as long as a root
            for i in range(p.size):
                x, squares = decayed(p[i], decay, lr), n[i] + g[i] * g[i]
                root = np.sqrt(squares)
                z[i] = _line(z[i], g[i], x, root, np.sqrt(n[i]), shrink, lr)
                n[i] = squares
                p[i] = _solved(z[i], root, l1, ridge, lr)
            continue
        for i in range(p.size):
            x, squares = decayed(p[i], decay, lr), n[i] + g[i] * g[i]
            root = squares**power
            z[i] = _line(z[i], g[i], x, root, n[i] ** power, shrink, lr)
            n[i] = squares
            p[i] = _solved(z[i], root, l1, ridge, lr)
    return -1


def _reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (n, z) = p.dtype.type, rows
    power, l1, ridge, shrink, beta = (real(x) for x in (-own[0], *own[1:3], 2 * own[3], own[4]))
    squares = n + g * g
    root = squares**power
    z += g + shrink * p - (root - n**power) / lr * p
    p[...] = (np.clip(z, -l1, l1) - z) / (root / lr + 2 * (ridge + beta / (2 * lr)))
    n[...] = squares


class Ftrl(Optimizer):
    """Follow the regularised leader (McMahan et al. 2013): sparse weights of shallow models.

    n' = n + g^2,  z = z + g + 2 s p - (n'^-q - n^-q) / lr p,
    p = (clip(z, -l1, l1) - z) / (n'^-q / lr + 2 (l2 + beta / (2 lr))),
    where q is `learning_rate_power` and s the shrinkage.  `common`: the options of `Optimizer`.
    """

    rule = Rule(_ftrl, _reference)
    hyper = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if learning_rate_power > 0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. Received:"
                f" learning_rate_power={learning_rate_power}."
            )
        for name in self.hyper[1:5]:
            if getattr(self, name) < 0:
                raise ValueError(
                    f"`{name}` needs to be positive or zero. Received:"
                    f" {name}={getattr(self, name)}."
                )

    def _own(self) -> Numbers:
        first, _, *rest = (getattr(self, name) for name in self.hyper)
        return (first, *rest)

    def _slots(self) -> list[list[Slot]]:
        return [[("accumulator", self.initial_accumulator_value), ("linear", 0.0)]]
