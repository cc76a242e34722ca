"""Truth over dimensions: any, all, count_nonzero; and reductions that leave NaN out."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import dtypes, shapes
from autograd.op import Sample, function, op, ops


def _flags(name: str, reduce: Any) -> Any:
    def run(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
        axes = shapes.axis_indices(dim, x.ndim, name)
        out[...] = reduce(x, axis=axes, keepdims=keepdim)

    return run


def _define_flags(name: str, math: str, reduce: Any, result: np.dtype) -> Any:
    return op(
        name,
        math=math,
        kernel=_flags(name, reduce),
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


any_ = _define_flags("any", r"\textstyle\bigvee_i [x_i \ne 0]", np.any, dtypes.bool_)
all_ = _define_flags("all", r"\textstyle\bigwedge_i [x_i \ne 0]", np.all, dtypes.bool_)
count_nonzero = _define_flags(
    "count_nonzero", r"\textstyle\sum_i [x_i \ne 0]", np.count_nonzero, dtypes.int64
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
