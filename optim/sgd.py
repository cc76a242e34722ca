"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.kernel import kernel, word_at
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, decayed, elements, gradient, unreadable


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return (
        group["lr"],
        group["momentum"],
        group["dampening"],
        group["weight_decay"],
        group["nesterov"],
        group["maximize"],
    )


@kernel
def _sgd(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    lr, momentum, decay = real(hyper[0]), real(hyper[1]), real(hyper[3])
    sign, nesterov = real(1 - 2 * hyper[5]), hyper[4] != 0
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        p, g = elements(book, k, state), gradient(gradients, k, state)
        if hyper[1] == 0:
            for i in range(p.size):
                p[i] -= lr * decayed(sign * g[i], decay, p[i])
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        buffer = state[0, start : start + p.size]
        share = real(1) if steps[0, slot] == 1 else real(1 - hyper[2])
        for i in range(p.size):
            d = decayed(sign * g[i], decay, p[i])
            b = momentum * buffer[i] + share * d
            buffer[i] = b
            p[i] -= lr * (d + momentum * b if nesterov else b)
    return -1


def _sgd_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, momentum, dampening, decay, nesterov, maximize = map(p.dtype.type, hyper)
    d = decayed(-g if maximize else g, decay, p)
    if momentum:
        steps[0] += 1
        rows[0][...] = d if steps[0] == 1 else momentum * rows[0] + (1 - dampening) * d
        d = d + momentum * rows[0] if nesterov else rows[0]
    p -= lr * d


class SGD(Fused):
    """Gradient descent: b = momentum b + (1 - dampening) g,  p = p - lr b;  b starts as g.

    With `nesterov`, p = p - lr (g + momentum b).  `weight_decay` is L2: g becomes
    g + weight_decay p.  `maximize` climbs.  The other flags: see `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_sgd,
        reference=_sgd_reference,
        slots=lambda group: ("momentum_buffer",) if group["momentum"] else (),
        rows=1,
        counts=False,
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                "foreach": foreach,
                "differentiable": differentiable,
                "fused": fused,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening; got momentum"
                f" {group['momentum']} and dampening {group['dampening']}"
            )
