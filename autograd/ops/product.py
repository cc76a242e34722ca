"""The product of elements, whose gradient is that of the last running product."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.axes import plan
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.shapes import axis_index


def _prod_axis(x: shapes.Shape, dim: Any) -> int | None:
    if dim is None or not x:
        return None
    if not isinstance(dim, (int, np.integer)):
        raise TypeError(f"prod: dim must be one dimension or None, got {dim}")
    return axis_index(dim, len(x), "prod")


@kernel
def _multiply(out, x, total):
    one, rows = total.dtype.type(1), x.reshape(x.shape[0], x.shape[1] * x.shape[2])
    for o in range(x.shape[0]):
        if x.shape[2] == 1:  # four products, since one would wait for each multiplication
            row, a, b, c, d = rows[o], one, one, one, one
            for j in range(0, row.size - 3, 4):
                a *= row[j]
                b *= row[j + 1]
                c *= row[j + 2]
                d *= row[j + 3]
            for j in range(row.size - row.size % 4, row.size):
                a *= row[j]
            out[o, 0] = (a * b) * (c * d)
            continue
        for i in range(total.size):
            total[i] = one
        for j in range(x.shape[1]):
            for i in range(total.size):
                total[i] *= x[o, j, i]
        for i in range(total.size):
            out[o, i] = total[i]


def _prod(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool, dtype: Any) -> None:
    sizes = plan("prod", x.shape, _prod_axis(x.shape, dim), keepdim)[3]
    total = np.empty(sizes[2], dtypes.float64 if out.dtype.kind == "f" else dtypes.int64)
    x = moves.converted(x, out.dtype) if out.dtype.kind != "f" else x
    _multiply.run(out.reshape(sizes[0], sizes[2]), x.reshape(sizes), total)


def _prod_shape(x: shapes.Shape, *, dim: Any, keepdim: bool, dtype: Any) -> shapes.Shape:
    axis = _prod_axis(x, dim)
    return shapes.reduced(x, tuple(range(len(x))) if axis is None else (axis,), keepdim)


def _prod_dtype(x: np.ndarray, *, dtype: Any, **_: Any) -> np.dtype:
    if dtype is not None:
        return dtypes.as_dtype(dtype)
    return x.dtype if x.dtype.kind == "f" else dtypes.int64


def _prod_grad(
    g: Any, x: Any, x_shape: Any, x_dtype: np.dtype, dim: Any, keepdim: bool, dtype: Any
) -> Any:
    """Nothing is divided, so zeros are as good as any other factor (see `cumprod`)."""
    axis = _prod_axis(x_shape, dim)
    shape = (shapes.numel(x_shape),) if axis is None else x_shape
    axis = 0 if axis is None else axis
    if not shape[axis]:
        return ops.mul(x, 0.0)
    if dtype is not None:
        x = ops.cast(x, dtype=dtypes.as_dtype(dtype))
    x = ops.reshape(x, shape=shape)
    g = ops.reshape(g, shape=(*shape[:axis], 1, *shape[axis + 1 :]))
    widths = tuple((shape[axis] - 1 if i == axis else 0, 0) for i in range(len(shape)))
    g = ops.pad(g, [n for pair in reversed(widths) for n in pair])
    before = ops.shift(ops.cumprod(x, dim=axis), dim=axis, fill=1.0)
    after = ops.recurrence(ops.shift(x, dim=axis, reverse=True), g, dim=axis, reverse=True)
    found = ops.reshape(ops.mul(before, after), shape=x_shape)
    return found if dtype is None else ops.cast(found, dtype=x_dtype)


prod = op(
    "prod",
    math=r"\textstyle\prod_i x_i",
    dmath=(r"g \textstyle\prod_{j \ne i} x_j",),
    kernel=_prod,
    shape=_prod_shape,
    result=_prod_dtype,
    ref=lambda x, *, dim=None, keepdim=False, dtype=None: np.prod(
        x, dim if x.ndim else None, dtype, keepdims=bool(keepdim)
    ),
    vjp=(_prod_grad,),
    samples=(
        Sample((3, 4)),
        Sample((3, 4), meta={"dim": 1}),
        Sample((2, 3, 4), meta={"dim": -2, "keepdim": True}),
        Sample(np.array([[2.0, 0.0, 3.0], [0.0, 4.0, 0.0]]), meta={"dim": 1}),
        Sample(()),
        Sample((0, 3), meta={"dim": 1}),
        Sample((2, 0), meta={"dim": 1}),
        Sample(np.array([2, 3], np.int32)),
    ),
)
