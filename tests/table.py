"""The op table as test cases: inputs of a sample, finite differences, memory layouts."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograd  # noqa: F401 - fills the table
from autograd.op import TABLE, Op, Sample
from autograd.tensor import Tensor

KINK = 0.1
"""How far from `sample.avoid` a value stays: the five-point rule below steps 0.002 at most."""
Arrays = list[Any]
"""What an op is called with: arrays, and None or a number where the sample says so."""


class Case(NamedTuple):
    """One sample of one op."""

    op: Op
    number: int

    @property
    def sample(self) -> Sample:
        return self.op.samples[self.number]

    @property
    def meta(self) -> dict[str, Any]:
        return self.op.defaults | self.sample.meta

    def generator(self) -> np.random.Generator:
        """The same for this op and sample in every run, whatever else is in the table."""
        return np.random.default_rng([zlib.crc32(self.op.name.encode()), self.number])

    def inputs(self, dtype: Any = np.float64) -> Arrays:
        """Arrays for the sample; those of floats in `dtype`."""
        given = self.sample.inputs
        random = [np.prod(x, dtype=int) for x in given if isinstance(x, tuple)]
        values = iter(
            np.split(_values(self.generator(), sum(random), self.sample), np.cumsum(random))
        )
        return [
            next(values).reshape(x).astype(dtype)
            if isinstance(x, tuple)
            else np.asarray(x, dtype if x.dtype.kind == "f" else x.dtype)
            if isinstance(x, np.ndarray | np.generic)
            else x
            for x in given
        ]

    @property
    def differentiable(self) -> bool:
        """True when the result has a gradient with respect to an input."""
        inputs = self.inputs()
        return bool(differentiable(self.op, inputs)) and is_float(self.reference(inputs))

    def run(self, inputs: Arrays) -> Any:
        """The op on `inputs`, Tensors or not, with the sample's metadata."""
        return self.op(*inputs, **self.sample.meta)

    def reference(self, inputs: Arrays) -> np.ndarray:
        """What the op's NumPy reference gives."""
        with np.errstate(all="ignore"):
            return np.asarray(self.op.ref(*inputs, **self.sample.meta))


def cases(keep: Callable[[Case], bool] = lambda case: True) -> pytest.MarkDecorator:
    """Run a test for every sample of every op, of those that `keep` accepts."""
    found = [Case(op, number) for op in TABLE.values() for number in range(len(op.samples))]
    return pytest.mark.parametrize(
        "case", [pytest.param(c, id=f"{c.op.name}[{c.number}]") for c in found if keep(c)]
    )


def ops(keep: Callable[[Op], Any] = lambda op: True) -> pytest.MarkDecorator:
    """Run a test once for every op that `keep` accepts."""
    kept = [op for op in TABLE.values() if keep(op)]
    return pytest.mark.parametrize("op", kept, ids=[op.name for op in kept])


def _values(rng: np.random.Generator, count: int, sample: Sample) -> np.ndarray:
    """`count` numbers in [low, high], KINK away from each of `avoid`; well apart if `distinct`."""
    if sample.distinct:
        pool = np.linspace(sample.low, sample.high, 1001)
    else:
        pool = rng.uniform(sample.low, sample.high, 20 * count + 100)
    for kink in sample.avoid:
        pool = pool[abs(pool - kink) >= KINK]
    if sample.distinct:
        pool = rng.permutation(pool[np.linspace(0, len(pool) - 1, count).astype(int)])
    assert len(pool) >= count, "the range of the sample leaves no room between its kinks"
    return pool[:count]


SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e3, -1e3, np.inf, -np.inf, np.nan)


RESTRICTED = {
    "binary_cross_entropy": "probabilities must be between 0 and 1, or it raises",
    "gaussian_nll_loss": "variances must be >= 0, or it raises",
}
"""Ops that refuse some of these values."""


def special(case: Case, dtype: Any = np.float64, finite: bool = False) -> Arrays:
    """Inputs of the shapes of the sample, its floats replaced by kinks, zeros, infinities, NaN."""
    values = [x for x in (*case.sample.avoid, *SPECIAL) if np.isfinite(x) or not finite]
    rng = case.generator()
    return [
        rng.choice(values, np.shape(x)).astype(dtype) if is_float(x) else x for x in case.inputs()
    ]


def is_float(x: Any) -> bool:
    """True for what has a gradient: an array of floats."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def leaves(inputs: Arrays) -> Arrays:
    """Tensors around `inputs` without a copy; those of floats require a gradient."""
    return [
        Tensor.wrap(x).requires_grad_(is_float(x)) if isinstance(x, np.ndarray) else x
        for x in inputs
    ]


def differentiable(op: Op, inputs: Arrays) -> list[int]:
    """Which of `inputs` the op passes a gradient to."""
    if not op.vjp:
        return []
    return [i for i, x in enumerate(inputs) if is_float(x) and op.vjp_of(i) is not None]


def slope(f: Callable[[float], float], step: float = 1e-3) -> float:
    """f'(0) by the five-point central difference, whose error is of order step**4."""
    near, far = f(step) - f(-step), f(2 * step) - f(-2 * step)
    return (8 * near - far) / (12 * step)


def moved(inputs: Arrays, directions: dict[int, np.ndarray], t: float) -> Arrays:
    """`inputs`, those with a direction moved by `t` along it."""
    return [
        np.asarray(x + t * directions[i]) if i in directions else x for i, x in enumerate(inputs)
    ]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "strided": lambda x: np.stack([x, x + 1 if x.dtype.kind != "b" else ~x], axis=-1)[..., 0],
    "reversed": lambda x: np.flip(np.flip(x).copy()) if x.ndim else x,
    "transposed": lambda x: np.asfortranarray(x) if x.ndim > 1 else x,
    "zero-stride": lambda x: np.broadcast_to(x[..., :1], x.shape) if x.size and x.ndim else x,
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}
"""Ways to lay out an array in memory (zero-stride repeats its first column, so values change)."""
