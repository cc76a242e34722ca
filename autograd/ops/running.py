"""Running extrema and differences of neighbours."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from autograd import dtypes, shapes
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops
from autograd.shapes import axis_index

_CumMax = namedtuple("cummax", "values indices")
_CumMin = namedtuple("cummin", "values indices")


def _blocks(x: np.ndarray, dim: int) -> np.ndarray:
    """As (outer, n, inner) with n the size of `dim`."""
    d = axis_index(dim, x.ndim, "cummax")
    n = x.shape[d] if x.ndim else 1
    return x.reshape(shapes.numel(x.shape[:d]), n, shapes.numel(x.shape[d + 1 :]))


@kernel
def _extreme_places(out, x, best, largest):
    for o in range(x.shape[0]):
        for j in range(x.shape[1]):
            for i in range(best.size):
                v = x[o, j, i]
                b = best[i]
                better = v >= b if largest else v <= b
                if j == 0 or v != v or (better and b == b):
                    best[i] = v
                    out[o, j, i] = j
                else:
                    out[o, j, i] = out[o, j - 1, i]


def _cumulative_places(out: np.ndarray, x: np.ndarray, *, dim: int, largest: bool) -> None:
    into, rows = _blocks(out, dim), _blocks(x, dim)
    _extreme_places.run(into, rows, np.empty(rows.shape[2], x.dtype), largest)


def _places_ref(x: Any, *, dim: int, largest: bool = True) -> Any:
    rows = np.moveaxis(np.atleast_1d(x), dim, -1)
    out = np.zeros(rows.shape, np.int64)
    for j in range(rows.shape[-1]):
        seen = (rows if largest else -rows)[..., j::-1]
        out[..., j] = j - np.argmax(seen, -1)
    return np.moveaxis(out, -1, dim).reshape(x.shape)


extreme_places = op(
    "extreme_places",
    math=r"\text{where the largest so far is}",
    kernel=_cumulative_places,
    shape=lambda x, *, dim, largest: x,
    result=dtypes.int64,
    ref=_places_ref,
    samples=(
        Sample((3, 4), meta={"dim": 0}),
        Sample((2, 3, 2), meta={"dim": 1}),
        Sample((), meta={"dim": 0}),
        Sample((2, 0), meta={"dim": 1}),
        Sample(np.array([1, 3, 3, 2]), meta={"dim": 0, "largest": False}),
    ),
    methods=(),
)


@function()
def cummax(x: Any, dim: int) -> Any:
    """The largest so far along `dim` and where (the last of equals), as (values, indices)."""
    places = extreme_places(x, dim=dim)
    return _CumMax(ops.gather(x, dim, places) if len(np.shape(x)) else x, places)


@function()
def cummin(x: Any, dim: int) -> Any:
    """The smallest so far along `dim` and where (the last of equals), as (values, indices)."""
    places = extreme_places(x, dim=dim, largest=False)
    return _CumMin(ops.gather(x, dim, places) if len(np.shape(x)) else x, places)


@function()
def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along `dim`, `n` times."""
    d = axis_index(dim, len(np.shape(x)), "diff")
    ends = [part for part in (prepend, x, append) if part is not None]
    x = ops.cat(ends, d) if len(ends) > 1 else x
    for _ in range(n):
        size = np.shape(x)[d]
        x = ops.sub(
            ops.narrow(x, d, min(1, size), max(size - 1, 0)), ops.narrow(x, d, 0, max(size - 1, 0))
        )
    return x
