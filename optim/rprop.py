"""Rprop: resilient backpropagation, which reads only the signs of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel, word_at
from optim.fused import Fused
from optim.optimizer import Params
from optim.rule import Rule, elements, gradient, unreadable


def _read(group: dict[str, Any]) -> tuple[float, ...]:
    return group["lr"], *group["etas"], *group["step_sizes"], group["maximize"]


@kernel
def _rprop(gradients, none, book, hyper, steps, state):
    k = unreadable(gradients, none, book)
    if k >= 0:
        return k
    real = state.dtype.type
    zero, one, lr = real(0), real(1), real(hyper[0])
    down, up = real(hyper[1]), real(hyper[2])
    least, most, sign = real(hyper[3]), real(hyper[4]), real(1 - 2 * hyper[5])
    for k in range(book.shape[0]):
        if word_at(gradients + 8 * k) == none:
            continue
        start, slot = book[k, 1], book[k, 2]
        steps[0, slot] += 1
        p, g = elements(book, k, state), gradient(gradients, k, state)
        before, sizes = state[0, start : start + p.size], state[1, start : start + p.size]
        if steps[0, slot] == 1:  # not before: a scheduler may have set lr
            for i in range(p.size):
                sizes[i] = lr
        # Choices, not branches, which signs take at random: 0.3 ns an element instead of 8.
        for i in range(p.size):
            d = sign * g[i]
            turn = d * before[i]
            size = sizes[i] * (up if turn > 0 else one) * (down if turn < 0 else one)
            size = size if size > least else least
            size = size if size < most else most
            d = zero if turn < 0 else d
            sizes[i] = size
            before[i] = d
            p[i] = p[i] - (size if d > 0 else zero) + (size if d < 0 else zero)
    return -1


def _rprop_reference(p: Any, g: Any, rows: Any, hyper: Any, steps: Any) -> None:
    lr, down, up, least, most, maximize = hyper.tolist()
    before, sizes = rows
    steps[0] += 1
    if steps[0] == 1:
        sizes[...] = lr
    d = -g if maximize else g
    turn = d * before
    sizes *= np.where(turn > 0, up, np.where(turn < 0, down, 1)).astype(p.dtype)
    np.clip(sizes, least, most, out=sizes)
    before[...] = d = np.where(turn < 0, 0, d)
    p -= np.where(d > 0, sizes, np.where(d < 0, -sizes, 0))


class Rprop(Fused):
    """Steps that grow while a gradient keeps its sign (Riedmiller & Braun 1993).

    s = s etas[1] where g has the sign it had before, s etas[0] where it has the other, within
    `step_sizes`;  p = p - s sign(g), but where the sign turned p stays and g counts as 0.  s starts
    as lr.

    For whole batches: the noise of small ones turns signs.  `maximize` climbs.  The other flags:
    see `Fused`.
    """

    read = staticmethod(_read)
    rule = Rule(
        kernel=_rprop,
        reference=_rprop_reference,
        slots=lambda group: ("prev", "step_size"),
        rows=2,
    )

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": etas,
                "step_sizes": step_sizes,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        down, up = group["etas"]
        if not 0 < down < 1 < up:
            raise ValueError(
                f"Invalid eta values: {down}, {up}; expected 0 < etas[0] < 1 < etas[1]"
            )
        least, most = group["step_sizes"]
        if not least <= most:
            raise ValueError(f"Invalid step_sizes: {least}, {most}; expected the lesser one first")
