"""RAdam: Adam whose rate is rectified while the second moment is uncertain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import device, kernel, word_at
from optim.adam import first_moments
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, decayed, elements, gradient, unreadable


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return (
        group["lr"],
        *group["betas"],
        group["eps"],
        group["weight_decay"],
        group["decoupled_weight_decay"],
        group["maximize"],
    )


@device
def _rectifier(t, beta2):
    """r_t, or 0 while the variance of the adaptive rate is unbounded: rho_t <= 5."""
    most = 2 / (1 - beta2) - 1
    power = beta2**t
    rho = most - 2 * t * power / (1 - power)
    if rho <= 5:
        return 0.0
    return math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))


@kernel
def _radam(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    lr, beta1, beta2, eps = hyper[0], hyper[1], hyper[2], real(hyper[3])
    decoupled, sign = hyper[5] != 0, real(1 - 2 * hyper[6])
    shrink = real(1 - lr * hyper[4]) if decoupled else real(1)
    decay = real(0) if decoupled else real(hyper[4])
    new1, keep2, new2 = real(1 - beta1), real(beta2), real(1 - beta2)
    last, rate, rectified = 0.0, real(0), False
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        if steps[0, slot] != last:
            last = np.float64(steps[0, slot])
            r = _rectifier(last, beta2)
            rectified = r > 0
            scale = r * math.sqrt(1 - beta2**last) if rectified else 1.0
            rate = real(lr * scale / (1 - beta1**last))
        p, g = elements(book, k, state), gradient(gradients, k, state)
        m, v = state[0, start : start + p.size], state[1, start : start + p.size]
        for i in range(p.size):
            x = shrink * p[i]
            d = decayed(sign * g[i], decay, x)
            first = m[i] + new1 * (d - m[i])
            second = keep2 * v[i] + new2 * d * d
            m[i] = first
            v[i] = second
            p[i] = x - rate * (first / (np.sqrt(second) + eps) if rectified else first)
    return -1


def _radam_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, beta1, beta2, eps, decay, decoupled, maximize = hyper.tolist()
    first_moments(p, g, rows, (lr, beta1, beta2, decay, decoupled, maximize))
    steps[0] += 1
    t, (m, v) = float(steps[0]), rows
    step, r = lr * m / (1 - beta1**t), _rectifier(t, beta2)
    p -= step * r * math.sqrt(1 - beta2**t) / (np.sqrt(v) + eps) if r else step


class RAdam(Fused):
    """Rectified Adam (Liu et al. 2020).

    m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
    rho = 2 / (1 - beta2) - 1,  rho_t = rho - 2 t beta2^t / (1 - beta2^t),
    r_t = sqrt((rho_t - 4) (rho_t - 2) rho / ((rho - 4) (rho - 2) rho_t)),
    p = p - lr m / (1 - beta1^t) r_t sqrt(1 - beta2^t) / (sqrt(v) + eps)  at step t,
    without all that follows m / (1 - beta1^t) while rho_t <= 5.

    `weight_decay` is L2: g becomes g + weight_decay p; if `decoupled_weight_decay`, p shrinks by
    lr weight_decay instead.  `maximize` climbs.  The other flags: see `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_radam,
        reference=_radam_reference,
        slots=lambda group: ("exp_avg", "exp_avg_sq"),
        rows=2,
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "decoupled_weight_decay": decoupled_weight_decay,
                "differentiable": differentiable,
            },
        )
