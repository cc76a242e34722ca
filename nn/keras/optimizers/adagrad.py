"""Adagrad and Adadelta, with Keras' numbers: epsilon is under the root."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import elements_of, kernel
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


@kernel
def _adagrad(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real = numbers.dtype.type
    eps, lr = real(hyper[OWN]), real(rate[0])
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        s = elements(book, k, ROWS, numbers)
        for i in range(p.size):
            squares = s[i] + g[i] * g[i]
            s[i] = squares
            p[i] = decayed(p[i], decay, lr) - lr * g[i] / np.sqrt(squares + eps)
    return -1


def _adagrad_reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    (s,) = rows
    s += g * g
    p -= lr * g / np.sqrt(s + p.dtype.type(own[0]))


class Adagrad(Optimizer):
    """Rates that fall with the squares seen so far (Duchi et al. 2011).

    s = s + g^2,  p = p - lr g / sqrt(s + epsilon);  s starts at `initial_accumulator_value`.
    `common`: the options of `Optimizer`.
    """

    rule = Rule(_adagrad, _adagrad_reference)
    hyper = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def _own(self) -> Numbers:
        return (self.epsilon,)

    def _slots(self) -> list[list[Slot]]:
        return [[("accumulator", self.initial_accumulator_value)]]


@kernel
def _adadelta(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real = numbers.dtype.type
    keep, new = real(hyper[OWN]), real(1 - hyper[OWN])
    eps, lr = real(hyper[OWN + 1]), real(rate[0])
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        v, d = elements(book, k, ROWS, numbers), elements(book, k, ROWS + 1, numbers)
        for i in range(p.size):
            second = keep * v[i] + new * (g[i] * g[i])
            v[i] = second
            move = np.sqrt(d[i] + eps) * g[i] / np.sqrt(second + eps)
            d[i] = keep * d[i] + new * (move * move)
            p[i] = decayed(p[i], decay, lr) - lr * move
    return -1


def _adadelta_reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (v, d) = p.dtype.type, rows
    keep, new, eps = real(own[0]), real(1 - own[0]), real(own[1])
    v[...] = keep * v + new * (g * g)
    move = np.sqrt(d + eps) * g / np.sqrt(v + eps)
    d[...] = keep * d + new * (move * move)
    p -= lr * move


class Adadelta(Optimizer):
    """Steps of the size of recent steps (Zeiler 2012).

    v = rho v + (1 - rho) g^2,  move = sqrt(d + epsilon) / sqrt(v + epsilon) g,
    d = rho d + (1 - rho) move^2,  p = p - lr move.  `common`: the options of `Optimizer`.
    """

    rule = Rule(_adadelta, _adadelta_reference)
    hyper = ("rho", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **common: Any
    ):
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon = rho, epsilon

    def _slots(self) -> list[list[Slot]]:
        return [[("accumulated_grad", 0.0), ("accumulated_delta_var", 0.0)]]
