"""Adamax: Adam under the infinity norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel, word_at
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, decayed, elements, gradient, larger, unreadable


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return group["lr"], *group["betas"], group["eps"], group["weight_decay"], group["maximize"]


@kernel
def _adamax(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    new1, keep2, eps = real(1 - hyper[1]), real(hyper[2]), real(hyper[3])
    decay, sign = real(hyper[4]), real(1 - 2 * hyper[5])
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        rate = real(hyper[0] / (1 - hyper[1] ** np.float64(steps[0, slot])))
        p, g = elements(book, k, state), gradient(gradients, k, state)
        m, u = state[0, start : start + p.size], state[1, start : start + p.size]
        for i in range(p.size):
            d = decayed(sign * g[i], decay, p[i])
            first = m[i] + new1 * (d - m[i])
            peak = larger(keep2 * u[i], abs(d) + eps)
            m[i] = first
            u[i] = peak
            p[i] -= rate * (first / peak)
    return -1


def _adamax_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, beta1, beta2, eps, decay, maximize = hyper.tolist()
    d = decayed(-g if maximize else g, decay, p)
    m, u = rows
    steps[0] += 1
    m += (1 - beta1) * (d - m)
    np.maximum(beta2 * u, np.abs(d) + eps, out=u)
    p -= lr / (1 - beta1 ** float(steps[0])) * m / u


class Adamax(Fused):
    """Adam under the infinity norm (Kingma & Ba 2015).

    m = beta1 m + (1 - beta1) g,  u = max(beta2 u, |g| + eps),  p = p - lr m / (1 - beta1^t) / u
    at step t.

    `weight_decay` is L2: g becomes g + weight_decay p.  `maximize` climbs.  The other flags: see
    `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_adamax,
        reference=_adamax_reference,
        slots=lambda group: ("exp_avg", "exp_inf"),
        rows=2,
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )
