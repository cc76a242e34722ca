"""Keras' learning-rate schedules.  `step` counts updates of the optimizer from 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.keras.optimizers.schedules.base import Formula, positive
from nn.keras.optimizers.schedules.formulas import (
    COSINE,
    EXPONENTIAL,
    INVERSE,
    PIECEWISE,
    POLYNOMIAL,
    RESTARTS,
)


class ExponentialDecay(Formula):
    """rate decay_rate^(step / decay_steps); `staircase`: the exponent rounded down."""

    kind = EXPONENTIAL
    names = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name
        self._ready()

    def _read(self) -> list[float]:
        return [self.initial_learning_rate, self.decay_steps, self.decay_rate, self.staircase]


class InverseTimeDecay(Formula):
    """rate / (1 + decay_rate step / decay_steps); `staircase`: the quotient rounded down."""

    kind = INVERSE
    names = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name
        self._ready()

    def _read(self) -> list[float]:
        return [self.initial_learning_rate, self.decay_steps, self.decay_rate, self.staircase]


class PiecewiseConstantDecay(Formula):
    """values[i] up to and with boundaries[i]; values[-1] after the last."""

    kind = PIECEWISE
    names = ("boundaries", "values")

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ):
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received:"
                f" boundaries={boundaries} of length {len(boundaries)}, and values={values} of"
                f" length {len(values)}."
            )
        self.boundaries, self.values, self.name = boundaries, values, name
        self._ready()

    def _read(self) -> list[float]:
        return [len(self.boundaries), *self.boundaries, *self.values]


class PolynomialDecay(Formula):
    """(rate - end)(1 - step / decay_steps)^power + end, and end from then on.

    `cycle`: instead of ending, `decay_steps` is taken as often as the step needs.
    """

    kind = POLYNOMIAL
    names = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = positive("decay_steps", decay_steps)
        self.end_learning_rate, self.power = end_learning_rate, power
        self.cycle, self.name = cycle, name
        self._ready()

    def _read(self) -> list[float]:
        rate, steps = self.initial_learning_rate, self.decay_steps
        return [rate, steps, self.end_learning_rate, self.power, self.cycle]


class CosineDecay(Formula):
    """rate ((1 - alpha)(1 + cos(pi step / decay_steps)) / 2 + alpha), and alpha rate after that.

    With `warmup_target` it first rises from the initial rate to that in `warmup_steps`, in a line,
    and decays from there.
    """

    kind = COSINE
    names = (
        "initial_learning_rate",
        "decay_steps",
        "alpha",
        "warmup_target",
        "warmup_steps",
    )

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = positive("decay_steps", decay_steps)
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps
        self._ready()

    def _read(self) -> list[Any]:
        warms = self.warmup_target is not None
        target = self.warmup_target if warms else 0.0
        rate, steps = self.initial_learning_rate, self.decay_steps
        return [rate, steps, self.alpha, target, self.warmup_steps, warms]


class CosineDecayRestarts(Formula):
    """Cosine decays one after the other (Loshchilov & Hutter 2017).

    The first takes `first_decay_steps`; each following one `t_mul` times as long and starting at
    `m_mul` times the rate.
    """

    kind = RESTARTS
    names = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = positive("first_decay_steps", first_decay_steps)
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name
        self._ready()

    def _read(self) -> list[float]:
        rate, steps = self.initial_learning_rate, self.first_decay_steps
        return [rate, steps, self.t_mul, self.m_mul, self.alpha]
