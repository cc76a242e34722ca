"""The learning rates of Keras' schedules, as one function of numbers that kernels call.

Plain Python too: it is its own reference.
"""

from __future__ import annotations

import math
from typing import Any

EXPONENTIAL, INVERSE, POLYNOMIAL, COSINE, RESTARTS, PIECEWISE = range(6)
"""Kinds of schedules."""


def rate_at(kind: Any, n: Any, step: Any) -> Any:
    """The rate at a step; `n` are the schedule's numbers, in the order that each kind names.

    exponential, inverse: rate, steps, decay, staircase.  polynomial: rate, steps, end, power,
    cycle.  cosine: rate, steps, alpha, warmup target, warmup steps, whether it warms up.
    restarts: rate, steps, t_mul, m_mul, alpha.  piecewise: how many boundaries, these, the values.
    """
    if kind == 5:
        count = int(n[0])
        for i in range(count):
            if step <= n[1 + i]:
                return n[1 + count + i]
        return n[1 + 2 * count]
    rate, steps = n[0], n[1]
    if kind < 2:
        p = step / steps
        if n[3] != 0:
            p = float(math.floor(p))
        return rate * n[2] ** p if kind == 0 else rate / (1.0 + n[2] * p)
    if kind == 2:
        if n[4] != 0:
            steps *= max(1.0, float(math.ceil(step / steps)))
        p = min(step, steps) / steps
        return (rate - n[2]) * (1.0 - p) ** n[3] + n[2]
    if kind == 3:
        start = rate
        if n[5] != 0:
            if step < n[4]:
                return (n[3] - rate) * (step / n[4]) + rate
            step, start = step - n[4], n[3]
        wave = 0.5 * (1.0 + math.cos(math.pi * (min(step, steps) / steps)))
        return start * ((1.0 - n[2]) * wave + n[2])
    p, longer = step / steps, n[2]
    if longer == 1:
        cycle = float(math.floor(p))
        p -= cycle
    else:
        cycle = float(math.floor(math.log(1.0 - p * (1.0 - longer)) / math.log(longer) + 1e-12))
        p = (p - (1.0 - longer**cycle) / (1.0 - longer)) / longer**cycle
    wave = 0.5 * n[3] ** cycle * (1.0 + math.cos(math.pi * p))
    return rate * ((1.0 - n[4]) * wave + n[4])
