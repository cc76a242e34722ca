"""Adam and AdamW."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.kernel import kernel, word_at
from optim.fused import Fused, Rule, elements, gradient, unreadable
from optim.optimizer import Params, require


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return (
        group["lr"],
        *group["betas"],
        group["eps"],
        group["weight_decay"],
        group["decoupled_weight_decay"],
        group["amsgrad"],
        group["maximize"],
    )


@kernel
def _adam(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    lr, beta1, beta2, eps = hyper[0], hyper[1], hyper[2], real(hyper[3])
    decoupled, amsgrad, sign = hyper[5] != 0, hyper[6] != 0, real(1 - 2 * hyper[7])
    shrink = real(1 - lr * hyper[4]) if decoupled else real(1)
    decay = real(0) if decoupled else real(hyper[4])
    new1, keep2, new2 = real(1 - beta1), real(beta2), real(1 - beta2)
    last, rate, root = 0.0, real(0), real(1)
    for k in range(steps.size):
        if word_at(gradients + 8 * k) == none:
            continue
        steps[k] += 1
        if steps[k] != last:  # two powers cost as much as 100 elements
            last = steps[k]
            rate = real(lr / (1 - beta1**last))
            root = real(math.sqrt(1 - beta2**last))
        p, g = elements(book, k, state), gradient(gradients, k, state)
        start = book[k, 1]
        m, v = state[0, start : start + p.size], state[1, start : start + p.size]
        peak = state[2, start : start + p.size]
        for i in range(
            p.size
        ):  # locals, not m[i] again: read back from memory it takes twice as long
            x = shrink * p[i]
            d = sign * g[i] + decay * x
            first = m[i] + new1 * (d - m[i])
            second = keep2 * v[i] + new2 * d * d
            m[i] = first
            v[i] = second
            if amsgrad:
                second = max(peak[i], second)
                peak[i] = second
            p[i] = x - rate * (first / (np.sqrt(second) / root + eps))
    return -1


def _adam_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, beta1, beta2, eps, decay, decoupled, amsgrad, maximize = hyper.tolist()
    steps += 1
    step, (m, v, peak) = float(steps[0]), rows
    d = -g if maximize else g
    if decoupled:
        p *= 1 - lr * decay
    else:
        d = d + decay * p
    m += (1 - beta1) * (d - m)
    v *= beta2
    v += (1 - beta2) * d * d
    if amsgrad:
        np.maximum(peak, v, out=peak)
    root = np.sqrt(peak if amsgrad else v) / math.sqrt(1 - beta2**step)
    p -= lr / (1 - beta1**step) * (m / (root + eps))


def _slots(group: dict[str, Any]) -> tuple[str, ...]:
    moments = ("exp_avg", "exp_avg_sq")
    return (*moments, "max_exp_avg_sq") if group["amsgrad"] else moments


class Adam(Fused):
    """Adam (Kingma & Ba 2015).

    m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
    p = p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)  at step t.

    `weight_decay` is L2: g becomes g + weight_decay p; `decoupled_weight_decay` makes it AdamW's.
    `amsgrad` divides by the greatest v so far.  `foreach`, `fused`, `capturable`, `differentiable`
    are accepted; there is one path here.
    """

    read = staticmethod(_read)
    rule = Rule(kernel=_adam, reference=_adam_reference, slots=_slots, rows=3)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
                "fused": fused,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        lr, eps, decay = group["lr"], group["eps"], group["weight_decay"]
        require(lr >= 0, "learning rate", lr, "lr >= 0")
        require(eps >= 0, "epsilon value", eps, "eps >= 0")
        for i, beta in enumerate(group["betas"]):
            require(0 <= beta < 1, f"beta parameter at index {i}", beta, "0 <= beta < 1")
        require(decay >= 0, "weight_decay value", decay, "weight_decay >= 0")


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): p shrinks by lr weight_decay."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
