"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel, word_at
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
        group["momentum_decay"],
        group["decoupled_weight_decay"],
        group["maximize"],
    )


@kernel
def _nadam(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    lr, beta1, beta2, eps = hyper[0], hyper[1], hyper[2], real(hyper[3])
    decoupled, sign = hyper[6] != 0, real(1 - 2 * hyper[7])
    shrink = real(1 - lr * hyper[4]) if decoupled else real(1)
    decay = real(0) if decoupled else real(hyper[4])
    new1, keep2, new2 = real(1 - beta1), real(beta2), real(1 - beta2)
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        t = np.float64(steps[0, slot])
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * hyper[5]))
        ahead = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * hyper[5]))
        steps[1, slot] *= np.float32(mu)
        product = np.float64(steps[1, slot])
        now, next = real(lr * (1 - mu) / (1 - product)), real(lr * ahead / (1 - product * ahead))
        root = real(math.sqrt(1 - beta2**t))
        p, g = elements(book, k, state), gradient(gradients, k, state)
        m, v = state[0, start : start + p.size], state[1, start : start + p.size]
        for i in range(p.size):
            x = shrink * p[i]
            d = decayed(sign * g[i], decay, x)
            first = m[i] + new1 * (d - m[i])
            second = keep2 * v[i] + new2 * d * d
            m[i] = first
            v[i] = second
            p[i] = x - (now * d + next * first) / (np.sqrt(second) / root + eps)
    return -1


def _nadam_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, beta1, beta2, eps, decay, momentum_decay, decoupled, maximize = hyper.tolist()
    d = first_moments(p, g, rows, (lr, beta1, beta2, decay, decoupled, maximize))
    steps[0] += 1
    t = float(steps[0])
    mu, ahead = (beta1 * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
    steps[1] *= np.float32(mu)
    product = float(steps[1])
    denominator = np.sqrt(rows[1] / (1 - beta2**t)) + eps
    p -= lr * (1 - mu) / (1 - product) * d / denominator
    p -= lr * ahead / (1 - product * ahead) * rows[0] / denominator


class NAdam(Fused):
    """Adam with Nesterov momentum (Dozat 2016).

    m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
    mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),  M_t = mu_1 ... mu_t,
    p = p - lr ((1 - mu_t) g / (1 - M_t) + mu_(t+1) m / (1 - M_(t+1)))
            / (sqrt(v / (1 - beta2^t)) + eps)  at step t.

    `weight_decay` is L2: g becomes g + weight_decay p; if `decoupled_weight_decay`, p shrinks by
    lr weight_decay instead.  `maximize` climbs.  The other flags: see `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_nadam,
        reference=_nadam_reference,
        slots=lambda group: ("exp_avg", "exp_avg_sq"),
        rows=2,
        numbers=(("mu_product", 1.0),),
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
            },
        )
