"""Adagrad."""

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
        group["lr_decay"],
        group["weight_decay"],
        group["eps"],
        group["maximize"],
    )


@kernel
def _adagrad(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    decay, eps, sign = real(hyper[2]), real(hyper[3]), real(1 - 2 * hyper[4])
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        rate = real(hyper[0] / (1 + np.float64(steps[0, slot]) * hyper[1]))
        steps[0, slot] += 1
        p, g = elements(book, k, state), gradient(gradients, k, state)
        total = state[0, start : start + p.size]
        for i in range(p.size):
            d = decayed(sign * g[i], decay, p[i])
            s = total[i] + d * d
            total[i] = s
            p[i] -= rate * (d / (np.sqrt(s) + eps))
    return -1


def _adagrad_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, lr_decay, decay, eps, maximize = hyper.tolist()
    d = decayed(-g if maximize else g, decay, p)
    rate = lr / (1 + float(steps[0]) * lr_decay)
    steps[0] += 1
    rows[0] += d * d
    p -= rate * d / (np.sqrt(rows[0]) + eps)


class Adagrad(Fused):
    """Gradients divided by the root of the sum of their squares (Duchi et al. 2011).

    s = s + g^2,  p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)  at step t;  s starts at
    `initial_accumulator_value`.

    `weight_decay` is L2: g becomes g + weight_decay p.  `maximize` climbs.  The other flags: see
    `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_adagrad,
        reference=_adagrad_reference,
        slots=lambda group: ("sum",),
        rows=1,
        initial=lambda group: (group["initial_accumulator_value"],),
        from_start=True,
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "fused": fused,
            },
        )
