"""SGD, with Keras' numbers: the velocity holds lr g, so a new rate does not touch what it holds."""

from __future__ import annotations

from typing import Any

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
def _sgd(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real = numbers.dtype.type
    lr, keep, nesterov = real(rate[0]), real(hyper[OWN]), hyper[OWN + 1] != 0
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        if keep == 0:
            for i in range(p.size):
                p[i] = decayed(p[i], decay, lr) - g[i] * lr
            continue
        m = elements(book, k, ROWS, numbers)
        for i in range(p.size):
            move = keep * m[i] - g[i] * lr
            m[i] = move
            if nesterov:
                move = keep * move - g[i] * lr
            p[i] = decayed(p[i], decay, lr) + move
    return -1


def _reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    keep, nesterov = p.dtype.type(own[0]), own[1]
    if keep == 0:
        p -= g * lr
        return
    (m,) = rows
    m[...] = keep * m - g * lr
    p += keep * m - g * lr if nesterov else m


class SGD(Optimizer):
    """Gradient descent: p = p - lr g.

    With `momentum`: m = momentum m - lr g, p = p + m; with `nesterov`: p = p + momentum m - lr g.
    """

    rule = Rule(_sgd, _reference)
    hyper = ("momentum", "nesterov")
    fixed = ("momentum",)

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: {momentum!r}")
        self.momentum = momentum
        self.nesterov = nesterov

    def _slots(self) -> list[list[Slot]]:
        return [[("momentum", 0.0)]] if self.momentum else []

    def _own(self) -> Numbers:
        return as_tensor_number(self.momentum), self.nesterov
