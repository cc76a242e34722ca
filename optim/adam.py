"""Adam and AdamW."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel, word_at
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, decayed, elements, gradient, larger, unreadable


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
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        if steps[0, slot] != last:  # two powers cost as much as 100 elements
            last = np.float64(steps[0, slot])
            rate = real(lr / (1 - beta1**last))
            root = real(math.sqrt(1 - beta2**last))
        p, g = elements(book, k, state), gradient(gradients, k, state)
        m, v = state[0, start : start + p.size], state[1, start : start + p.size]
        peak = state[2, start : start + p.size]
        # Locals, not m[i] again: read back from memory it takes twice as long.
        for i in range(p.size):
            x = shrink * p[i]
            d = decayed(sign * g[i], decay, x)
            first = m[i] + new1 * (d - m[i])
            second = keep2 * v[i] + new2 * d * d
            m[i] = first
            v[i] = second
            if amsgrad:
                second = larger(peak[i], second)
                peak[i] = second
            p[i] = x - rate * (first / (np.sqrt(second) / root + eps))
    return -1


def first_moments(p: Any, g: Any, rows: Any, options: Any) -> Any:
    """The part of a step that Adam, NAdam and RAdam share: decay, m and v; returns g with it."""
    lr, beta1, beta2, decay, decoupled, maximize = options
    d, (m, v) = -g if maximize else g, rows[:2]
    if decoupled:
        p *= 1 - lr * decay
    else:
        d = decayed(d, decay, p)
    m += (1 - beta1) * (d - m)
    v *= beta2
    v += (1 - beta2) * d * d
    return d


def _adam_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, beta1, beta2, eps, decay, decoupled, amsgrad, maximize = hyper.tolist()
    first_moments(p, g, rows, (lr, beta1, beta2, decay, decoupled, maximize))
    steps[0] += 1
    step, (m, v, peak) = float(steps[0]), rows
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
    `amsgrad` divides by the greatest v so far.  `maximize` climbs.  The other flags: see `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(kernel=_adam, reference=_adam_reference, slots=_slots, rows=3)

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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
        super()._check(group)
        kinds = {isinstance(beta, Tensor) for beta in group["betas"]}
        if len(kinds) > 1 or not all(isinstance(b, (float, Tensor)) for b in group["betas"]):
            raise ValueError(
                f"betas must be either both floats or both Tensors; got {group['betas']}"
            )
        moving = isinstance(group["lr"], Tensor) or kinds == {True}
        if moving and group["foreach"] and not group["capturable"]:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): p shrinks by lr weight_decay."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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
