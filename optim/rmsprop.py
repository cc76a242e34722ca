"""RMSprop."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel, word_at
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, decayed, elements, gradient, unreadable


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return (
        group["lr"],
        group["alpha"],
        group["eps"],
        group["weight_decay"],
        group["momentum"],
        group["centered"],
        group["maximize"],
    )


@kernel
def _rmsprop(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    lr, keep, new, eps = real(hyper[0]), real(hyper[1]), real(1 - hyper[1]), real(hyper[2])
    decay, momentum, sign = real(hyper[3]), real(hyper[4]), real(1 - 2 * hyper[6])
    centered, heavy = hyper[5] != 0, hyper[4] > 0
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        p, g = elements(book, k, state), gradient(gradients, k, state)
        v, b = state[0, start : start + p.size], state[1, start : start + p.size]
        m = state[2, start : start + p.size]
        for i in range(p.size):
            d = decayed(sign * g[i], decay, p[i])
            second = keep * v[i] + new * d * d
            v[i] = second
            if centered:
                mean = m[i] + new * (d - m[i])
                m[i] = mean
                second -= mean * mean
            move = d / (np.sqrt(second) + eps)
            if heavy:
                move += momentum * b[i]
                b[i] = move
            p[i] -= lr * move
    return -1


def _rmsprop_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, alpha, eps, decay, momentum, centered, maximize = hyper.tolist()
    d = decayed(-g if maximize else g, decay, p)
    v, b, m = rows
    steps[0] += 1
    v[...] = alpha * v + (1 - alpha) * d * d
    m[...] = alpha * m + (1 - alpha) * d if centered else 0
    move = d / (np.sqrt(v - m * m) + eps)
    if momentum > 0:
        b[...] = momentum * b + move
        move = b
    p -= lr * move


def _slots(group: dict[str, Any]) -> tuple[str, ...]:
    buffer = "momentum_buffer" if group["momentum"] > 0 else ""
    return "square_avg", buffer, "grad_avg" if group["centered"] else ""


class RMSprop(Fused):
    """Gradients divided by their root mean square (Hinton 2012).

    v = alpha v + (1 - alpha) g^2,  p = p - lr g / (sqrt(v) + eps).

    With `momentum`, b = momentum b + g / (sqrt(v) + eps) and p = p - lr b.  `centered` (Graves
    2013) subtracts the square of the mean gradient m = alpha m + (1 - alpha) g from v under the
    root.  `weight_decay` is L2: g becomes g + weight_decay p.  `maximize` climbs.  The other flags:
    see `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(kernel=_rmsprop, reference=_rmsprop_reference, slots=_slots, rows=3)

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "capturable": capturable,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
            },
        )
