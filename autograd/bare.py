"""What the name `ops` means to the vjps while a backward pass runs on bare arrays or floats.

There is nothing to record then and nothing to promote, so ops go a shorter way than `apply`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import buffers, dtypes
from autograd.op import Op, ops, quiet
from autograd.plan import Plan, plan_of

_FLOATS = (dtypes.float32, dtypes.float64)


class _Arrays:
    """Ops for bare arrays: one whose inputs are float arrays of one dtype runs at once.

    Backward passes see nothing else but for a few casts; `apply`'s checks cost them 0.8 us an op.
    """

    def __getattr__(self, name: str) -> Any:
        f = getattr(ops, name)
        if isinstance(f, Op):
            f = _unchecked(f)
        setattr(self, name, f)
        return f


class _Numbers:
    """Ops for floats: each is its `scalar` itself, where it has one."""

    def __getattr__(self, name: str) -> Any:
        f = getattr(ops, name)
        if isinstance(f, Op) and f.pure:
            f = f.scalar
        setattr(self, name, f)
        return f


def _unchecked(op: Op) -> Callable[..., Any]:
    """`op` for bare float arrays of one dtype; whatever else it is given, it checks."""
    run, count, names = op.run, op.arity, op.names
    if op.exempt or op.variadic or count > 2:
        return _unchecked_many(op)
    if op.numeric and count == 2:
        return _unchecked_ufunc(op)

    def one(x: Any, **meta: Any) -> Any:
        if type(x) is np.ndarray and x.dtype in _FLOATS and tuple(meta) == names:
            return run((x,), meta)
        return op(x, **meta)

    def two(x: Any, y: Any, **meta: Any) -> Any:
        if not type(x) is type(y) is np.ndarray or x.dtype is not y.dtype:
            return op(x, y, **meta)
        if x.dtype not in _FLOATS or tuple(meta) != names:
            return op(x, y, **meta)
        return run((x, y), meta)

    return one if count == 1 else two


def _unchecked_ufunc(op: Op) -> Callable[..., Any]:
    ufunc, large = op.kernel, buffers.LARGE

    def two(x: Any, y: Any) -> Any:
        if not type(x) is type(y) is np.ndarray or x.dtype is not y.dtype:
            return op(x, y)
        if x.dtype not in _FLOATS or x.nbytes >= large or y.nbytes >= large or not x.ndim:
            return op(x, y)
        return quiet.run(ufunc, x, y)

    return two


def _unchecked_many(op: Op) -> Callable[..., Any]:
    run, names, count = op.run, op.names, op.arity
    free = [name not in op.exempt for name in op.inputs]

    def many(*values: Any, **meta: Any) -> Any:
        if len(values) == count and tuple(meta) == names:
            dtype = None
            for x, typed in zip(values, free):
                if x is None:
                    continue
                if type(x) is not np.ndarray:
                    break
                if not typed:
                    continue
                if dtype is None:
                    dtype = x.dtype
                elif x.dtype is not dtype:
                    break
            else:
                if dtype in _FLOATS:
                    return run(values, meta)
        return op(*values, **meta)

    return many


arrays, numbers = _Arrays(), _Numbers()


def make_plan(op: Op, wanted: int, count: int) -> Plan:
    """What to keep for a backward pass to those of `count` inputs whose bit is set in `wanted`."""
    parts = [bool(wanted >> i & 1) for i in range(count)]
    plan = op.plans[wanted + (1 << count)] = plan_of(op, parts, arrays, numbers)
    return plan
