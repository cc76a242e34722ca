"""Adadelta."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel, word_at
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, decayed, elements, gradient, unreadable


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return group["lr"], group["rho"], group["eps"], group["weight_decay"], group["maximize"]


@kernel
def _adadelta(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    lr, keep, new, eps = real(hyper[0]), real(hyper[1]), real(1 - hyper[1]), real(hyper[2])
    decay, sign = real(hyper[3]), real(1 - 2 * hyper[4])
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        p, g = elements(book, k, state), gradient(gradients, k, state)
        v, u = state[0, start : start + p.size], state[1, start : start + p.size]
        for i in range(p.size):
            d = decayed(sign * g[i], decay, p[i])
            second = keep * v[i] + new * d * d
            v[i] = second
            move = np.sqrt(u[i] + eps) / np.sqrt(second + eps) * d
            u[i] = keep * u[i] + new * move * move
            p[i] -= lr * move
    return -1


def _adadelta_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, rho, eps, decay, maximize = hyper.tolist()
    d = decayed(-g if maximize else g, decay, p)
    v, u = rows
    steps[0] += 1
    v[...] = rho * v + (1 - rho) * d * d
    move = np.sqrt(u + eps) / np.sqrt(v + eps) * d
    u[...] = rho * u + (1 - rho) * move * move
    p -= lr * move


class Adadelta(Fused):
    """Steps in the units of the parameters (Zeiler 2012).

    v = rho v + (1 - rho) g^2,  d = g sqrt(u + eps) / sqrt(v + eps),  u = rho u + (1 - rho) d^2,
    p = p - lr d.

    `weight_decay` is L2: g becomes g + weight_decay p.  `maximize` climbs.  The other flags: see
    `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_adadelta,
        reference=_adadelta_reference,
        slots=lambda group: ("square_avg", "acc_delta"),
        rows=2,
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                "capturable": capturable,
                "foreach": foreach,
                "differentiable": differentiable,
            },
        )
