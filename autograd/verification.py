"""`verify`: check ops while a model trains, by their oracle and by differences in float64."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.anomaly import user_line
from autograd.backward import grad
from autograd.modes import modes, observe
from autograd.op import TABLE
from autograd.tensor import Tensor

_LARGEST = 200_000
"""Elements of the inputs up to which an op is checked: the oracles are slow."""
_TOLERANCE = {"float32": 2e-3, "float64": 1e-6}
_STEP = 1e-5


class VerificationError(AssertionError, RuntimeError):
    """An op whose result or gradient is wrong."""


@dataclass(frozen=True)
class Failure:
    """A check that failed: of "forward" or "gradient", by how much, and where."""

    op: str
    check: str
    line: str
    text: str

    def __str__(self) -> str:
        return f"{self.op}: {self.text} (at {self.line})"


class verify(observe):
    """Check a random share of the ops inside, forward and backward; a fault raises.

    Of each op that is drawn the result is compared with the table's oracle in float64, and its
    gradient, as the op computes it in the dtype of the data, with (f(x + hv) - f(x - hv)) / 2h of
    that oracle along a random direction v.  VerificationError names the op, the line and the
    numbers; with `stop=False` faults are collected in `failures` instead.  `rate`: the share of
    ops.  `checked`: how often each op was; `skipped`: how often not, by reason (random ops, kinks,
    inputs above 200,000 elements).  The engine's random streams are not drawn from.
    """

    def __init__(self, rate: float = 0.01, *, stop: bool = True, seed: int = 0):
        super().__init__(self._look)
        if not 0 < rate <= 1:
            raise ValueError(f"verify: rate is the share of ops to check, in (0, 1]; got {rate}")
        self.rate, self.stop, self.seed = rate, stop, seed
        self.random = np.random.default_rng(seed)
        self.checked: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.failures: list[Failure] = []

    def _again(self) -> Any:
        return type(self)(self.rate, stop=self.stop, seed=self.seed)

    def __enter__(self) -> verify:
        super().__enter__()
        return self

    def __repr__(self) -> str:
        total = sum(self.checked.values())
        shown = "".join(f"\n  {failure}" for failure in self.failures)
        return (
            f"verify: {total} checks of {len(self.checked)} ops, {sum(self.skipped.values())}"
            f" skipped, {len(self.failures)} failed{shown}"
        )

    def _look(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        if self.random.random() >= self.rate:
            return
        reason = _unfit(op, inputs, meta, result)
        if reason:
            self.skipped[reason] += 1
            return
        before = modes.observers, modes.grad, modes.node
        modes.observers, modes.grad = (), True
        try:
            self._check(op, inputs, meta, result)
        finally:
            modes.observers, modes.grad, modes.node = before

    def _check(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        given = [_bare(x) for x in inputs]
        exact = [_doubled(v) for v in given]
        twin = _oracle(op, exact, meta)
        self.checked[op.name] += 1
        got = np.asarray(result.value)
        tolerance = _TOLERANCE[got.dtype.name]
        scale = _scale(exact, twin)
        error = _difference(got, twin)
        if error > tolerance * scale:
            self._fail(
                op, "forward", f"its result is off by {error:.3g}, at a scale of {scale:.3g};"
                f" shapes {[np.shape(v) for v in given if v is not None]}",
            )  # fmt: skip
            return
        self._check_gradient(op, given, exact, meta, twin, tolerance)

    def _check_gradient(
        self, op: Any, given: Any, exact: Any, meta: Any, twin: np.ndarray, tolerance: float
    ) -> None:
        wanted = [
            i
            for i, v in enumerate(given)
            if isinstance(v, np.ndarray) and v.dtype.kind == "f" and v.size
            and op.vjp and op.vjp_of(i) is not None and op.name_of(i) not in op.exempt
        ]  # fmt: skip
        if op.name == "embedding" and (
            meta["padding_idx"] is not None or meta["scale_grad_by_freq"]
        ):
            self.skipped["a gradient by convention"] += 1
            return
        if not wanted or not twin.size or not np.isfinite(twin).all():
            return
        draw = self.random.standard_normal
        weights = draw(twin.shape)
        direction = {i: draw(exact[i].shape) * np.maximum(1e-2, np.abs(exact[i])) for i in wanted}
        slope = _slope(op, exact, meta, direction, weights)
        if slope is None:
            self.skipped["a kink near the point"] += 1
            return
        found, size = _analytic(op, given, meta, wanted, direction, weights)
        # Where value and slope are 0 (a product with two zeros) the quotient still has rounding.
        moved = max(float(np.abs(d).max()) for d in direction.values())
        least = 1e-6 * moved * float(np.abs(weights).max())
        scale = max(abs(slope), size, 1e-3 * _scale(exact, twin), least)
        if not abs(found - slope) <= 5 * tolerance * scale:
            self._fail(
                op, "gradient", f"its gradient along a random direction is {found:.6g}, the"
                f" difference quotient in float64 {slope:.6g}; shapes"
                f" {[np.shape(v) for v in given if v is not None]}",
            )  # fmt: skip

    def _fail(self, op: Any, check: str, text: str) -> None:
        failure = Failure(op.name, check, user_line(), text)
        self.failures.append(failure)
        if self.stop:
            raise VerificationError(f"verify: {failure}")


def _unfit(op: Any, inputs: Any, meta: Any, result: Tensor) -> str:
    """Why an op cannot be checked; "" where it can."""
    if op.name not in TABLE or "stream" in meta:
        return "random"
    values = [np.asarray(_bare(x)) for x in inputs if x is not None]
    if np.asarray(result.value).dtype.kind != "f":
        return "not of floats"
    if sum(v.size for v in values) > _LARGEST:
        return "large"
    if not all(np.isfinite(v).all() for v in values if v.dtype.kind == "f"):
        return "inputs that are not finite"
    if op.name in _DISCRETE:
        return "ties and places differ in float64"
    return ""


_DISCRETE = ("cast", "floor", "ceil", "trunc", "round", "frac", "floor_divide", "trunc_divide",
             "remainder", "fmod", "sign", "heaviside", "tie_shares", "copy_to")  # fmt: skip


def _bare(x: Any) -> Any:
    return x.value if isinstance(x, Tensor) else x


def _doubled(v: Any) -> Any:
    if isinstance(v, np.ndarray):
        return np.array(v, np.float64 if v.dtype.kind == "f" else v.dtype)
    return v


def _oracle(op: Any, exact: list[Any], meta: dict[str, Any]) -> np.ndarray:
    meta = {k: np.dtype(np.float64) if k == "dtype" and v is not None else v
            for k, v in meta.items()}  # fmt: skip
    with np.errstate(all="ignore"):
        return np.asarray(op.ref(*exact, **meta), np.float64)


def _scale(exact: list[Any], twin: np.ndarray) -> float:
    """The size by which an error is judged: of the result, and what may have cancelled in it."""
    parts = [np.abs(v).max() for v in (*exact, twin)
             if isinstance(v, np.ndarray) and v.size and v.dtype.kind == "f"
             and np.isfinite(v).all()]  # fmt: skip
    out = float(np.abs(twin).max()) if twin.size and np.isfinite(twin).all() else 0.0
    return max(out, 1e-3 * max(map(float, parts), default=0.0), 1e-30)


def _difference(got: np.ndarray, twin: np.ndarray) -> float:
    """The largest difference where the exact value fits the dtype; inf for another shape."""
    if got.shape != twin.shape:
        return float("inf")
    fits = np.isfinite(twin) & (np.abs(twin) < np.finfo(got.dtype).max / 2)
    if not fits.any():
        return 0.0
    difference = np.abs(got[fits].astype(np.float64) - twin[fits])
    return float("inf") if np.isnan(difference).any() else float(difference.max())


def _slope(
    op: Any, exact: list[Any], meta: dict[str, Any], direction: dict[int, Any], weights: Any
) -> float | None:
    """The directional difference of the oracle; None where two step sizes disagree: a kink."""

    def at(h: float) -> float:
        moved = [v + h * direction[i] if i in direction else v for i, v in enumerate(exact)]
        return float(np.sum(weights * _oracle(op, moved, meta)))

    here = at(0.0)
    ahead, behind = (at(_STEP) - here) / _STEP, (here - at(-_STEP)) / _STEP
    wide = (at(4 * _STEP) - at(-4 * _STEP)) / (8 * _STEP)
    slope = (ahead + behind) / 2
    if not np.isfinite(ahead + behind + wide):
        return None
    size = max(abs(ahead), abs(behind), 1e-6)
    smooth = abs(ahead - behind) < 1e-2 * size and abs(wide - slope) < 1e-3 * size
    return slope if smooth else None


def _analytic(
    op: Any, given: list[Any], meta: dict[str, Any], wanted: list[int], direction: Any,
    weights: Any,
) -> tuple[float, float]:  # fmt: skip
    """What the op's own gradients say of the slope, and the size of the terms in the sum."""
    tensors = [Tensor.wrap(v.copy()) if isinstance(v, np.ndarray) else v for v in given]
    for i in wanted:
        tensors[i].requires_grad = True
    out = op(*tensors, **meta)
    seed = Tensor.wrap(weights.astype(out.dtype))
    grads = grad(out, [tensors[i] for i in wanted], seed, allow_unused=True)
    total = size = 0.0
    for i, g in zip(wanted, grads):
        if g is not None:
            terms = np.asarray(g.value, np.float64) * direction[i]
            total += float(terms.sum())
            size += float(np.sqrt(np.square(terms).sum()))
    return total, size
