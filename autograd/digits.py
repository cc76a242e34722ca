"""`precision`: where digits are lost.  Every op also runs in float64, on float64 twins."""

from __future__ import annotations

import functools
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.anomaly import user_line
from autograd.modes import modes, observe
from autograd.tensor import Tensor

_EPS = float(np.finfo(np.float32).eps)


@dataclass
class Loss:
    """One op at one line, over all its calls: the worst relative errors met.

    `own`: made by the op itself, from inputs as they were.  `total`: of its result against the
    float64 twin of the whole computation.  `given`: the total error of its worst input then.
    """

    op: str
    line: str
    phase: str
    calls: int = 0
    own: float = 0.0
    total: float = 0.0
    given: float = 0.0
    shape: tuple[int, ...] = ()

    @property
    def lost(self) -> float:
        """Decimal digits lost in this op: what the error grew by, from float32's rounding up."""
        return max(0.0, float(np.log10(max(self.total, _EPS) / max(self.given, _EPS))))


class precision(observe):
    """Within it each float32 op runs in float64 too; the report says where digits are lost.

    >>> with autograd.precision() as report:
    ...     x = autograd.tensor([1.1, 2.3])
    ...     y = (x + 1e4) - 1e4
    >>> report.worst(1)[0].op
    'sub'

    Errors are relative, |float32 - float64| / |float64| in the norm of the result.  The twin of a
    tensor that no op inside has made is its value.  The ops of a backward pass are seen as well.
    An op in which the two runs cannot be compared (integers, random numbers) starts anew.
    """

    def __init__(self) -> None:
        super().__init__(self._look)
        self.losses: dict[tuple[str, str, str], Loss] = {}
        self.twins: dict[int, tuple[Any, np.ndarray, Any, int]] = {}

    def _again(self) -> Any:
        return type(self)()

    def __enter__(self) -> precision:
        super().__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self.twins.clear()

    def worst(self, count: int = 10) -> list[Loss]:
        """The ops that lost most digits, worst first."""
        return sorted(self.losses.values(), key=lambda x: (-x.lost, -x.total))[:count]

    def __str__(self) -> str:
        rows = [x for x in self.worst() if x.lost > 0.3]
        calls = sum(x.calls for x in self.losses.values())
        head = f"precision: {calls} calls of {len(self.losses)} ops compared with float64"
        if not rows:
            return f"{head}; none lost a digit beyond float32's own rounding"
        lines = [f"{head}; where digits are lost:"]
        lines += [
            f"  {x.op} ({x.phase}) {x.shape}: {x.lost:.1f} digits, relative error"
            f" {x.given:.1e} -> {x.total:.1e}, of its own {x.own:.1e}; at {x.line}"
            for x in rows
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _look(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        got = result.value
        if not isinstance(got, np.ndarray) or got.dtype != np.float32 or "stream" in meta:
            return
        before = modes.observers
        modes.observers = ()
        try:
            self._compare(op, inputs, meta, result, got)
        finally:
            modes.observers = before

    def _compare(self, op: Any, inputs: Any, meta: Any, result: Tensor, got: np.ndarray) -> None:
        held = [self._twin(x) for x in inputs]
        exact = _run(op, [twin for twin, _ in held], meta)
        local = _run(op, [_doubled(x) for x in inputs], meta)
        if exact is None or local is None or exact.shape != got.shape:
            return
        phase = "forward" if modes.node is None else f"backward of {modes.node.name}"
        line = user_line() if modes.node is None else modes.node.where or user_line()
        if modes.node is None and result.node is not None:
            result.node.where = line
        loss = self.losses.setdefault((op.name, line, phase), Loss(op.name, line, phase))
        loss.calls += 1
        loss.own = max(loss.own, _error(got, local))
        total, given = _error(got, exact), max((error for _, error in held), default=0.0)
        if loss.calls == 1 or total / max(given, _EPS) > loss.total / max(loss.given, _EPS):
            loss.total, loss.given, loss.shape = total, given, got.shape
        key = id(got)
        forget = functools.partial(self._forget, key)
        self.twins[key] = weakref.ref(got, forget), exact, result.version, result.version[0]

    def _forget(self, key: int, _: Any) -> None:
        self.twins.pop(key, None)

    def _twin(self, x: Any) -> tuple[Any, float]:
        """The float64 twin of an input, and the error that the input has against it."""
        value = x.value if isinstance(x, Tensor) else x
        if not isinstance(value, np.ndarray) or value.dtype != np.float32:
            return value, 0.0
        known = self.twins.get(id(value))
        if known is not None and known[0]() is value and known[2][0] == known[3]:
            return known[1], _error(value, known[1])
        return value.astype(np.float64), 0.0


def _doubled(x: Any) -> Any:
    value = x.value if isinstance(x, Tensor) else x
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return value.astype(np.float64)
    return value


def _run(op: Any, values: list[Any], meta: dict[str, Any]) -> np.ndarray | None:
    """The op in float64; None where it does not run on these."""
    if op.name == "cast":
        return np.asarray(values[0], np.float64)
    meta = {
        name: np.dtype(np.float64) if isinstance(v, np.dtype) and v == np.float32 else v
        for name, v in meta.items()
    }
    like = next((v for v in values if isinstance(v, np.ndarray) and v.dtype.kind == "f"), None)
    if like is None:
        return None
    values = [np.asarray(v, np.float64) if type(v) in (int, float) else v for v in values]
    with np.errstate(all="ignore"):
        out = op.run(values, meta)
    return np.asarray(out) if np.asarray(out).dtype.kind == "f" else None


def _error(got: np.ndarray, exact: np.ndarray) -> float:
    """|got - exact| / |exact| of the finite values, by the 2-norm; 1 where all is lost."""
    ok = np.isfinite(got) & np.isfinite(exact)
    if not ok.any():
        return 0.0
    x, y = got[ok].astype(np.float64), exact[ok]
    difference, size = float(np.linalg.norm(x - y)), float(np.linalg.norm(y))
    return min(1.0, difference / size) if size else float(difference > 0)
