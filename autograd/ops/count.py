"""Truth over dimensions: any, all, count_nonzero; and reductions that leave NaN out."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import dtypes, shapes
from autograd.axes import blocks, plan
from autograd.kernel import Kernel, device, kernel
from autograd.op import Sample, function, op, ops


@device
def _hit(row, zeros):
    """True where one of a row is not 0, or with `zeros` is 0; looks at 256 at a time."""
    for start in range(0, row.size, 256):
        part = row[start : start + 256]
        hits = 0
        for j in range(part.size):
            hits |= (part[j] == 0) == zeros
        if hits:
            return True
    return False


@kernel
def _any(out, x, every):
    """Whether one is not 0; with `every`, whether none is 0."""
    rows = x.reshape(x.shape[0], x.shape[1] * x.shape[2])
    for o in range(x.shape[0]):
        if x.shape[2] == 1:
            out[o, 0] = _hit(rows[o], every) != every
            continue
        into = out[o]
        for i in range(into.size):
            into[i] = every
        for j in range(x.shape[1]):
            row = x[o, j]
            for i in range(into.size):
                into[i] = (into[i] & (row[i] != 0)) if every else (into[i] | (row[i] != 0))


@kernel
def _count(out, x, every):
    rows = x.reshape(x.shape[0], x.shape[1] * x.shape[2])
    for o in range(x.shape[0]):
        if x.shape[2] == 1:
            row, count = rows[o], 0
            for j in range(row.size):
                count += row[j] != 0
            out[o, 0] = count
            continue
        into = out[o]
        for i in range(into.size):
            into[i] = 0
        for j in range(x.shape[1]):
            row = x[o, j]
            for i in range(into.size):
                into[i] += row[i] != 0


def _flags(name: str, loop: Kernel, every: bool) -> Any:
    def run(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
        _, _, order, sizes = plan(name, x.shape, dim, keepdim)
        loop.run(out.reshape(sizes[0], sizes[2]), blocks(x, order, sizes), every)

    return run


def _define_flags(
    name: str, math: str, reduce: Any, result: np.dtype, loop: Kernel, every: bool = False
) -> Any:
    return op(
        name,
        math=math,
        kernel=_flags(name, loop, every),
        shape=lambda x, *, dim, keepdim: shapes.reduced(
            x, shapes.axis_indices(dim, len(x), name), keepdim
        ),
        result=result,
        ref=lambda x, *, dim=None, keepdim=False: reduce(
            x, axis=None if dim is None or not x.ndim else tuple(np.ravel(dim)), keepdims=keepdim
        ),
        samples=(
            Sample(np.array([[0, 1], [0, 0]])),
            Sample(np.array([[0, 1], [0, 0]]), meta={"dim": 1, "keepdim": True}),
            Sample((3, 4), meta={"dim": (0, 1)}),
            Sample(()),
            Sample((0, 3), meta={"dim": 0}),
        ),
    )


any_ = _define_flags("any", r"\textstyle\bigvee_i [x_i \ne 0]", np.any, dtypes.bool_, _any)
all_ = _define_flags("all", r"\textstyle\bigwedge_i [x_i \ne 0]", np.all, dtypes.bool_, _any, True)
count_nonzero = _define_flags(
    "count_nonzero", r"\textstyle\sum_i [x_i \ne 0]", np.count_nonzero, dtypes.int64, _count
)


@function()
def nansum(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The sum of what is not NaN."""
    return ops.sum(ops.masked_fill(x, ops.isnan(x), 0.0), dim=dim, keepdim=keepdim)


@function()
def nanmean(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The mean of what is not NaN."""
    count = ops.sum(ops.logical_not(ops.isnan(x)), dim=dim, keepdim=keepdim)
    return ops.div(nansum(x, dim, keepdim), count)
