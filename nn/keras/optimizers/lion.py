"""Lion, with Keras' numbers."""

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
    as_tensor_number,
    begin,
    decayed,
    elements,
    given,
)


@kernel
def _lion(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real, one, zero = numbers.dtype.type, numbers.dtype.type(1), numbers.dtype.type(0)
    beta1, beta2, lr = real(hyper[OWN]), real(hyper[OWN + 1]), real(rate[0])
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        m = elements(book, k, ROWS, numbers)
        for i in range(p.size):
            c = m[i] * beta1 + g[i] * (one - beta1)
            sign = one if c > zero else -one if c < zero else c  # NaN and 0 are themselves
            p[i] = decayed(p[i], decay, lr) - lr * sign
            m[i] = m[i] * beta2 + g[i] * (one - beta2)
    return -1


def _reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (m,) = p.dtype.type, rows
    beta1, beta2 = real(own[0]), real(own[1])
    p -= lr * np.sign(m * beta1 + g * (1 - beta1))
    m[...] = m * beta2 + g * (1 - beta2)


class Lion(Optimizer):
    """Steps of one size, in the direction of a moving average (Chen et al. 2023).

    p = p - lr sign(beta_1 m + (1 - beta_1) g),  m = beta_2 m + (1 - beta_2) g.
    `common`: the options of `Optimizer`.
    """

    rule = Rule(_lion, _reference)
    hyper = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **common: Any
    ):
        super().__init__(learning_rate, **common)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer"
                f" degenerates to SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1, self.beta_2 = beta_1, beta_2

    def _own(self) -> Numbers:
        return as_tensor_number(self.beta_1), as_tensor_number(self.beta_2)

    def _slots(self) -> list[list[Slot]]:
        return [[("momentum", 0.0)]]
