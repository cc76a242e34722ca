"""RMSprop, with Keras' numbers: epsilon is under the root, and the velocity holds lr g."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import device, elements_of, kernel
from nn.keras.optimizers.base import Optimizer, Slot
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
def _update(p, g, v, decay, lr, keep, new, eps):
    """The plain rule, in a loop of its own: with a choice of arrays it is 8 times slower."""
    for i in range(p.size):
        second = keep * v[i] + new * (g[i] * g[i])
        v[i] = second
        p[i] = decayed(p[i], decay, lr) - lr * g[i] / np.sqrt(second + eps)


@kernel
def _rmsprop(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real = numbers.dtype.type
    keep, new, lr = real(hyper[OWN]), real(1 - hyper[OWN]), real(rate[0])
    momentum, eps, centered = real(hyper[OWN + 1]), real(hyper[OWN + 2]), hyper[OWN + 3] != 0
    heavy = momentum > 0
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        v = elements(book, k, ROWS, numbers)
        if not heavy and not centered:
            _update(p, g, v, decay, lr, keep, new, eps)
            continue
        b = elements(book, k, ROWS + 1, numbers) if heavy else v
        a = elements(book, k, ROWS + (2 if heavy else 1), numbers) if centered else v
        for i in range(p.size):
            second = keep * v[i] + new * (g[i] * g[i])
            v[i] = second
            if centered:
                mean = keep * a[i] + new * g[i]
                a[i] = mean
                second -= mean * mean
            move = lr * g[i] / np.sqrt(second + eps)
            if heavy:
                move += momentum * b[i]
                b[i] = move
            p[i] = decayed(p[i], decay, lr) - move
    return -1


def _reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (rho, momentum, eps, centered) = p.dtype.type, own
    v, heavy = rows[0], momentum > 0
    v[...] = real(rho) * v + real(1 - rho) * (g * g)
    second = v
    if centered:
        a = rows[2 if heavy else 1]
        a[...] = real(rho) * a + real(1 - rho) * g
        second = v - a * a
    move = lr * g / np.sqrt(second + real(eps))
    if heavy:
        rows[1][...] = real(momentum) * rows[1] + move
        move = rows[1]
    p -= move


class RMSprop(Optimizer):
    """Gradients divided by their root mean square (Hinton 2012).

    v = rho v + (1 - rho) g^2,  p = p - lr g / sqrt(v + epsilon).

    With `momentum`: b = momentum b + lr g / sqrt(v + epsilon), p = p - b.  `centered` subtracts the
    square of the mean gradient, a = rho a + (1 - rho) g, from v under the root.  `common`: the
    options of `Optimizer`.
    """

    rule = Rule(_rmsprop, _reference)
    hyper = ("rho", "momentum", "epsilon", "centered")
    fixed = ("momentum",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.rho, self.momentum = rho, momentum
        self.epsilon, self.centered = epsilon, centered

    def _slots(self) -> list[list[Slot]]:
        rows: list[list[Slot]] = [[("velocity", 0.0)]]
        rows += [[("momentum", 0.0)]] if self.momentum > 0 else []
        return rows + ([[("average_gradient", 0.0)]] if self.centered else [])
