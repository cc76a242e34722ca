"""Sums and means over any dimensions, and their way back.

float32 is summed in float64, so ten million times 0.1 is 1e6 to the last bit; the order of the
additions is fixed by the shape alone.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.axes import FEW, blocks, plan, sum_of_rows
from autograd.errors import DtypeError
from autograd.kernel import kernel
from autograd.op import Sample, op, ops

Steps = tuple[tuple[int, int, int], ...]
_LANES = 64
"""Independent partial sums of a row, added four at a time: 0.1 ns per element, one sum 1 ns."""
_WIDTH = 1024
"""Columns summed together, so that their partial sums stay in the first-level cache."""


@kernel
def _sum_rows(out, x, lanes, count):
    """Rows of x hold n times (out.shape[1]) elements; lanes: a power of 2 times as many."""
    inner, width = out.shape[1], lanes.size
    for o in range(x.shape[0]):
        row = x[o]
        if inner == 1 and row.size < width:
            total = 0.0
            for i in range(row.size):
                total += row[i]
            out[o, 0] = total / count
            continue
        for i in range(width):
            lanes[i] = 0.0
        full = row.size - row.size % (2 * width)
        for start in range(0, full, 2 * width):
            a, b = row[start : start + width], row[start + width : start + 2 * width]
            for i in range(width):
                lanes[i] += np.float64(a[i]) + np.float64(b[i])
        for start in range(full, row.size, width):
            part = row[start : start + width]
            for i in range(part.size):
                lanes[i] += part[i]
        left = width
        while left > inner:
            left //= 2
            for i in range(left):
                lanes[i] += lanes[i + left]
        for i in range(inner):
            out[o, i] = lanes[i] / count


@kernel
def _sum_columns(out, x, sums, count):
    n, width = x.shape[1], sums.size
    for o in range(x.shape[0]):
        for start in range(0, x.shape[2], width):
            end = min(start + width, x.shape[2])
            size = end - start
            for i in range(size):
                sums[i] = 0.0
            full = n - n % 4
            for j in range(0, full, 4):
                a, b = x[o, j, start:end], x[o, j + 1, start:end]
                c, d = x[o, j + 2, start:end], x[o, j + 3, start:end]
                for i in range(size):
                    ab = np.float64(a[i]) + np.float64(b[i])
                    sums[i] += ab + (np.float64(c[i]) + np.float64(d[i]))
            for j in range(full, n):
                part = x[o, j, start:end]
                for i in range(size):
                    sums[i] += part[i]
            for i in range(size):
                out[o, start + i] = sums[i] / count


def _steps(shape: shapes.Shape, axes: shapes.Shape) -> Steps:
    """Shapes (outer, n, inner) in which to sum `axes`, one run of neighbours after the other."""
    runs: list[list[Any]] = []
    for i, size in enumerate(shape):
        summed = int(i in axes)
        if size == 1:
            continue  # belongs to either kind
        if runs and runs[-1][0] == summed:
            runs[-1][1] *= size
        else:
            runs.append([summed, size])
    steps = []
    for k, (summed, size) in reversed(list(enumerate(runs))):
        if summed:
            inner = shapes.numel([n for its, n in runs[k + 1 :] if not its])
            steps.append((shapes.numel([n for _, n in runs[:k]]), size, inner))
    return tuple(steps) or ((shapes.numel(shape), 1, 1),)


@functools.lru_cache(maxsize=4096)
def _plan(op: str, shape: shapes.Shape, dim: Any, keepdim: bool) -> tuple[shapes.Shape, Steps, int]:
    """Shape of the result, the steps to it, and how many elements go into one of it."""
    axes = shapes.axis_indices(dim, len(shape), op)
    out = shapes.reduced(shape, axes, keepdim)
    return out, _steps(shape, axes), shapes.numel([shape[a] for a in axes])


def _hashable(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, list) else dim


def _add_up(out: np.ndarray, x: np.ndarray, steps: Steps, count: float = 1.0) -> None:
    """Sum x (float) into `out` and divide by `count`; sums between the steps are float64."""
    if not out.size:
        return
    if len(steps) > 1:
        *first, last = steps
        for outer, n, inner in first:
            partial = np.empty(outer * inner, dtypes.float64)
            _add_up(partial, x, ((outer, n, inner),))
            x = partial
        steps = (last,)
    outer, n, inner = steps[0]
    if inner == 1:
        _sum_rows.run(out.reshape(outer, 1), x.reshape(outer, n), np.empty(_LANES), count)
    elif inner <= _LANES // 2 and n >= _LANES:  # narrow columns: several of their rows at once
        lanes = inner << (_LANES // inner).bit_length() - 1
        _sum_rows.run(out.reshape(outer, inner), x.reshape(outer, -1), np.empty(lanes), count)
    else:
        sums = np.empty(min(inner, _WIDTH))
        _sum_columns.run(out.reshape(outer, inner), x.reshape(outer, n, inner), sums, count)


def _sum(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool, dtype: Any) -> None:
    if out.dtype.kind != "f":
        _, _, order, sizes = plan("sum", x.shape, dim, keepdim)
        _add_whole(out, blocks(moves.converted(x, out.dtype), order, sizes))
        return
    x = x if x.dtype.kind == "f" else moves.converted(x, out.dtype)
    _add_up(out, x, _plan("sum", x.shape, _hashable(dim), keepdim)[1])


@kernel
def _sum_whole(out, x, sums):
    rows = x.reshape(x.shape[0], x.shape[1] * x.shape[2])
    for o in range(x.shape[0]):
        if x.shape[2] == 1:
            row, s = rows[o], 0
            for j in range(row.size):
                s += np.int64(row[j])
            out[o, 0] = s
            continue
        for i in range(sums.size):
            sums[i] = 0
        for j in range(x.shape[1]):
            for i in range(sums.size):
                sums[i] += np.int64(x[o, j, i])
        for i in range(sums.size):
            out[o, i] = sums[i]


def _add_whole(out: np.ndarray, x: np.ndarray) -> None:
    """The sum of whole numbers over the middle of x (outer, n, inner)."""
    _sum_whole.run(out.reshape(x.shape[0], x.shape[2]), x, np.empty(x.shape[2], dtypes.int64))


def _sum_dtype(x: np.ndarray, *, dim: Any, keepdim: bool, dtype: Any) -> np.dtype:
    if dtype is not None:
        return dtypes.as_dtype(dtype)
    return x.dtype if x.dtype.kind == "f" else dtypes.int64


def _ref_axes(dim: Any) -> Any:
    return tuple(dim) if np.ndim(dim) else dim


def _like(g: Any, x_dtype: np.dtype, dtype: Any) -> Any:
    """The gradient in the dtype of x, where the op was told to compute in another one."""
    return g if dtype is None else ops.cast(g, dtype=x_dtype)


_REDUCTIONS = (
    Sample((3, 4)),
    Sample((3, 4), meta={"dim": 0}),
    Sample((3, 4), meta={"dim": (-1,), "keepdim": True}),
    Sample((2, 3, 4), meta={"dim": 1}),
    Sample((2, 3, 2, 4), meta={"dim": (0, 2)}),
    Sample((4, 1), meta={"dim": 1}),
    Sample((2, 150)),
    Sample(()),
    Sample((), meta={"dim": 0}),
    Sample((0, 3), meta={"dim": 1}),
)

sum_ = op(
    "sum",
    math=r"\textstyle\sum_i x_i",
    dmath=(r"g \text{ for every } x_i",),
    kernel=_sum,
    shape=lambda x, *, dim, keepdim, dtype: _plan("sum", x, _hashable(dim), keepdim)[0],
    result=_sum_dtype,
    ref=lambda x, *, dim=None, keepdim=False, dtype=None: np.sum(
        x, _ref_axes(dim) if x.ndim else None, dtype or (None if x.dtype.kind == "f" else np.int64),
        keepdims=keepdim,
    ),
    vjp=(
        lambda g, x_shape, x_dtype, dim, keepdim, dtype: _like(
            ops.spread(g, shape=x_shape, dim=dim, keepdim=keepdim), x_dtype, dtype
        ),
    ),
    samples=(*_REDUCTIONS, Sample((0,)), Sample(np.array([True, True, False]))),
)  # fmt: skip


def _mean(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool, dtype: Any) -> None:
    _, steps, count = _plan("mean", x.shape, _hashable(dim), keepdim)
    _add_up(out, moves.converted(x, out.dtype) if x.dtype.kind != "f" else x, steps, float(count))


def _mean_dtype(x: np.ndarray, *, dim: Any, keepdim: bool, dtype: Any) -> np.dtype:
    found = x.dtype if dtype is None else dtypes.as_dtype(dtype)
    if found.kind != "f":
        raise DtypeError(
            f"mean: the mean of {found.name} is not an integer; give dtype=float32 or cast x first"
        )
    return found


def _count(shape: shapes.Shape, dim: Any) -> int:
    return _plan("mean", shape, _hashable(dim), False)[2]


def _nan_mean(x: np.ndarray, axes: Any, dtype: Any, keepdim: bool) -> Any:
    with np.errstate(all="ignore"):
        total = np.sum(x, axes, dtype, keepdims=keepdim)
        return total / (x.size / total.size if total.size else 1)


mean = op(
    "mean",
    math=r"\tfrac{1}{n}\textstyle\sum_i x_i",
    dmath=(r"g / n \text{ for every } x_i",),
    kernel=_mean,
    shape=lambda x, *, dim, keepdim, dtype: _plan("mean", x, _hashable(dim), keepdim)[0],
    result=_mean_dtype,
    ref=lambda x, *, dim=None, keepdim=False, dtype=None: _nan_mean(
        x, _ref_axes(dim) if x.ndim else None, dtype, keepdim
    ),
    vjp=(
        lambda g, x_shape, x_dtype, dim, keepdim, dtype: _like(
            ops.spread(
                ops.mul(g, 1 / max(_count(x_shape, dim), 1)),
                shape=x_shape,
                dim=dim,
                keepdim=keepdim,
            ),
            x_dtype,
            dtype,
        ),
    ),
    samples=_REDUCTIONS,
)


# The way back


@functools.lru_cache(maxsize=4096)
def _spread_strides(
    shape: shapes.Shape, dim: Any, keepdim: bool, itemsize: int
) -> tuple[shapes.Shape, shapes.Shape]:
    """For a reduction of `shape`: its shape with kept dimensions, and strides that repeat it."""
    axes = shapes.axis_indices(dim, len(shape), "spread")
    strides, step = [0] * len(shape), itemsize
    for i in reversed(range(len(shape))):
        if i not in axes:
            strides[i] = step
            step *= shape[i]
    return shapes.reduced(shape, axes, True), tuple(strides)


def _spread(g: np.ndarray, *, shape: shapes.Shape, dim: Any, keepdim: bool) -> np.ndarray:
    """np.broadcast_to costs 4 us; an array made over the same memory 0.5 us."""
    kept, strides = _spread_strides(tuple(shape), _hashable(dim), keepdim, g.itemsize)
    if not g.flags.c_contiguous or not g.size or 0 in shape:
        return np.broadcast_to(g.reshape(kept), shape)
    out = np.ndarray(shape, g.dtype, g, 0, strides)
    out.flags.writeable = False  # several elements are one place in memory
    return out


def _spread_ref(g: np.ndarray, *, shape: Any, dim: Any = None, keepdim: bool = False) -> np.ndarray:
    axes = range(len(shape)) if dim is None else np.ravel(dim) % max(len(shape), 1)
    return np.broadcast_to(g.reshape([1 if i in axes else n for i, n in enumerate(shape)]), shape)


spread = op(
    "spread",
    math=r"x \text{ repeated along the dimensions summed}",
    dmath=(r"\textstyle\sum g \text{ over those dimensions}",),
    kernel=_spread,
    view=True,
    ref=_spread_ref,
    vjp=(lambda g, dim, keepdim: ops.sum(g, dim=dim, keepdim=keepdim),),
    samples=(
        Sample((), meta={"shape": (2, 3)}),
        Sample((), meta={"shape": ()}),
        Sample((3,), meta={"shape": (3, 4), "dim": -1}),
        Sample((1, 4), meta={"shape": (3, 4), "dim": (0,), "keepdim": True}),
        Sample((0,), meta={"shape": (0, 3), "dim": 1}),
        Sample((3,), meta={"shape": (0, 3), "dim": 0}),
    ),
    methods=(),
)


@functools.lru_cache(maxsize=4096)
def _broadcast_axes(shape: shapes.Shape, to: shapes.Shape) -> shapes.Shape:
    lead = len(shape) - len(to)
    if lead < 0 or any(n not in (1, m) for n, m in zip(to, shape[lead:])):
        raise ValueError(f"sum_to: shape {to} does not broadcast to {shape}")
    wide = [lead + i for i, n in enumerate(to) if n == 1 != shape[lead + i]]
    return (*range(lead), *wide)


@functools.lru_cache(maxsize=4096)
def _broadcast_steps(shape: shapes.Shape, to: shapes.Shape) -> Steps:
    return _steps(shape, _broadcast_axes(shape, to))


@kernel
def _few_columns(out, x):
    sum_of_rows(out, x)


def _sum_to(out: np.ndarray, x: np.ndarray, *, shape: shapes.Shape) -> None:
    columns = x.ndim == 2 and out.shape == x.shape[1:]
    if columns and x.size <= FEW and x.dtype.kind == "f":
        _few_columns.run(out, x)  # the gradient of a bias: 0.5 us, against 2.2 us below
    elif x.dtype.kind == "f":
        _add_up(out, x, _broadcast_steps(x.shape, out.shape))
    else:
        _, _, order, sizes = plan("sum_to", x.shape, _broadcast_axes(x.shape, out.shape), False)
        _add_whole(out, blocks(x, order, sizes))


sum_to = op(
    "sum_to",
    math=r"\textstyle\sum x \text{ over broadcast dimensions}",
    dmath=(r"g \text{ broadcast}",),
    kernel=_sum_to,
    shape=lambda x, *, shape: tuple(shape),
    ref=lambda x, *, shape: x.sum(_broadcast_axes(x.shape, tuple(shape))).reshape(shape),
    vjp=(lambda g, x_shape: ops.broadcast_to(g, shape=x_shape),),
    samples=(
        Sample((3, 4), meta={"shape": (4,)}),
        Sample((3, 4), meta={"shape": (3, 1)}),
        Sample((2, 3, 4), meta={"shape": (1, 3, 1)}),
        Sample((2, 3, 4), meta={"shape": ()}),
        Sample((3, 4), meta={"shape": (3, 4)}),
        Sample((), meta={"shape": ()}),
        Sample((0, 4), meta={"shape": (0, 1)}),
        Sample((0, 4), meta={"shape": (4,)}),
    ),
    methods=(),
)
