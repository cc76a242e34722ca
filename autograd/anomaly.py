"""`detect_anomaly`: stop at the op and source line that made the first NaN or infinity."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from typing import Any

import numpy as np

from autograd.errors import AnomalyError
from autograd.modes import modes, observe
from autograd.tensor import Tensor

_PACKAGES = tuple(
    str(Path(__file__).parent.parent / name) + "/" for name in ("autograd", "nn", "optim")
)


class detect_anomaly(observe):
    """Check every op inside, forward and backward; AnomalyError names the first to make NaN or inf.

    The message gives the op, the ranges of its inputs and the line of your code, for a backward
    also that of the forward.  `check_inf=False` looks for NaN alone.  Slow: for finding a fault.
    """

    def __init__(self, check_nan: bool = True, check_inf: bool = True):
        super().__init__(self._look)
        self.check_nan, self.check_inf = check_nan, check_inf

    def _again(self) -> Any:
        return type(self)(self.check_nan, self.check_inf)

    def _look(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        if result.node is not None:
            result.node.where = user_line()
        values = np.asarray(result.value)
        if values.dtype.kind != "f" or np.isfinite(values).all():
            return
        given = [
            np.asarray(x.value if isinstance(x, Tensor) else x) for x in inputs if x is not None
        ]
        real = [v for v in given if v.dtype.kind == "f"]
        if self.check_nan and np.isnan(values).any() and not any(np.isnan(v).any() for v in real):
            raise _anomaly("nan", op.name, given, values)
        if self.check_inf and np.isinf(values).any() and all(np.isfinite(v).all() for v in real):
            raise _anomaly("inf", op.name, given, values)


def _anomaly(kind: str, name: str, inputs: list[np.ndarray], values: np.ndarray) -> AnomalyError:
    count = int((np.isnan(values) if kind == "nan" else np.isinf(values)).sum())
    ranges = "; ".join(f"input {i}: {_range(v)}" for i, v in enumerate(inputs))
    node = modes.node
    where = f"at {user_line()}"
    if node is not None:
        line = node.where or "an unwatched line"
        where = f"in the backward of {node.name}, whose forward was at {line}"
    return AnomalyError(
        f"{name} returned {kind} values ({count} of {values.size}) from finite inputs,"
        f" {where}. {ranges}"
    )


def _range(v: np.ndarray) -> str:
    if not v.size:
        return f"{v.dtype.name} {v.shape}, empty"
    finite = v[np.isfinite(v)]
    span = f"in [{finite.min():.4g}, {finite.max():.4g}]" if finite.size else "nothing finite"
    return f"{v.dtype.name} {v.shape} {span}"


def user_line() -> str:
    """`file:line in function: source` of the innermost frame outside the engine."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame = frame.f_back
    if frame is None:
        return "an unknown line"
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{line} in {frame.f_code.co_name}: {linecache.getline(file, line).strip()}"
