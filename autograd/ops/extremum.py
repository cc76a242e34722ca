"""Largest and smallest elements: amax, argmax, max(dim), median; ties share or the first wins."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import dtypes, shapes
from autograd.errors import ShapeError
from autograd.op import TABLE, Sample, function, op, ops

_TIES = "elements that tie share the gradient evenly"


def _axes(op: str, shape: shapes.Shape, dim: Any) -> shapes.Shape:
    """The axes of a reduction that has no value for nothing."""
    axes = shapes.axis_indices(dim, len(shape), op)
    for a in axes:
        if shape[a] == 0:
            error = ShapeError if dim is None else IndexError
            raise error(f"{op}: dimension {a} of shape {shape} is empty, so there is no {op}")
    return axes


def _shape_rule(name: str) -> Callable[..., shapes.Shape]:
    return lambda x, *, dim, keepdim: shapes.reduced(x, _axes(name, x, dim), keepdim)


def _along(x: np.ndarray, dim: Any) -> Any:
    """`dim` as the references take it."""
    return None if dim is None or x.ndim == 0 else tuple(np.ravel(dim))


# Values


def _extreme(reduce: np.ufunc) -> Callable[..., None]:
    def run(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
        axes = shapes.axis_indices(dim, x.ndim, "amax")
        reduce.reduce(x, axes, out=out, keepdims=bool(keepdim))

    return run


def _extreme_grad(g: Any, out: Any, x: Any, x_shape: Any, dim: Any, keepdim: bool) -> Any:
    wide = ops.spread(g, shape=x_shape, dim=dim, keepdim=keepdim)
    return ops.mul(wide, ops.tie_shares(x, out, dim=dim, keepdim=keepdim))


def _define_extreme(name: str, math: str, ufunc: np.ufunc, reference: Any) -> Any:
    return op(
        name,
        math=math,
        dmath=(r"g / \text{number of ties where } x_i = \mathrm{out}, \text{ else } 0",),
        kernel=_extreme(ufunc),
        shape=_shape_rule(name),
        kink=_TIES,
        ref=lambda x, *, dim=None, keepdim=False: reference(x, _along(x, dim), keepdims=keepdim),
        vjp=(_extreme_grad,),
        samples=(
            Sample((3, 4), distinct=True),
            Sample((3, 4), distinct=True, meta={"dim": 1}),
            Sample((2, 3, 4), distinct=True, meta={"dim": (0, -1), "keepdim": True}),
            Sample(()),
            Sample((0, 3), meta={"dim": 1}),
        ),
    )


amax = _define_extreme("amax", r"\max_i x_i", np.maximum, np.max)
amin = _define_extreme("amin", r"\min_i x_i", np.minimum, np.min)


def _tie_shares(
    out: np.ndarray, x: np.ndarray, value: np.ndarray, *, dim: Any, keepdim: bool
) -> None:
    axes = shapes.axis_indices(dim, x.ndim, "tie_shares")
    hit = x == value.reshape(shapes.reduced(x.shape, axes, True))
    if x.dtype.kind == "f":
        hit |= np.isnan(x)  # NaN is the extremum of its group
    with np.errstate(invalid="ignore"):
        np.divide(hit, np.sum(hit, axes, np.int64, keepdims=True), out=out, casting="unsafe")


def _tie_shares_ref(x: Any, value: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    axes = tuple(range(x.ndim)) if dim is None or x.ndim == 0 else tuple(np.ravel(dim))
    hit = (x == (value if keepdim else np.expand_dims(value, axes))) | np.isnan(x)
    return hit / np.sum(hit, axes, keepdims=True)


tie_shares = op(
    "tie_shares",
    math=r"[x_i = \mathrm{value}] / \text{number of ties}",
    kernel=_tie_shares,
    shape=lambda x, value, *, dim, keepdim: x,
    ref=_tie_shares_ref,
    samples=(
        Sample(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), np.array([3.0, 2.0]), meta={"dim": 1}),
        Sample(np.array([[1.0, 1.0]]), np.array([[1.0]]), meta={"dim": (0, 1), "keepdim": True}),
        Sample(np.array(2.0), np.array(2.0)),
        Sample((0, 3), (0,), meta={"dim": 1}),
    ),
    methods=(),
)


# Places


def _arg(name: str, find: Any) -> Any:
    def run(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
        if x.ndim == 0:
            out[...] = 0
        elif dim is None:
            out[...] = find(x)
        else:
            find(x, shapes.axis_index(dim, x.ndim, name), out, keepdims=bool(keepdim))

    return op(
        name,
        math=rf"\arg{name[3:]}_i \, x_i",
        kernel=run,
        shape=_shape_rule(name),
        result=dtypes.int64,
        ref=lambda x, *, dim=None, keepdim=False: find(
            x, dim if x.ndim else None, keepdims=bool(keepdim)
        ),
        samples=(
            Sample((3, 4)),
            Sample((3, 4), meta={"dim": 0}),
            Sample((2, 3, 4), meta={"dim": -1, "keepdim": True}),
            Sample(np.array([[1, 5, 5], [5, 1, 1]]), meta={"dim": 1}),
            Sample(()),
            Sample((0, 3), meta={"dim": 1}),
        ),
    )


argmax = _arg("argmax", np.argmax)
argmin = _arg("argmin", np.argmin)


def _median_place(out: np.ndarray, x: np.ndarray, *, dim: int, keepdim: bool) -> None:
    axis = shapes.axis_index(dim, x.ndim, "median")
    rows = x.reshape(1) if x.ndim == 0 else x
    order = np.argsort(rows, axis, kind="stable")
    found = order.take([(rows.shape[axis] - 1) // 2], axis)
    if x.dtype.kind == "f":
        nan = np.isnan(rows)
        found = np.where(nan.any(axis, keepdims=True), nan.argmax(axis, keepdims=True), found)
    out[...] = found.reshape(out.shape)


def _median_place_ref(x: np.ndarray, *, dim: int, keepdim: bool = False) -> Any:
    def find(row: np.ndarray) -> int:
        nan = np.flatnonzero(np.isnan(row))
        return nan[0] if nan.size else np.argsort(row, kind="stable")[(row.size - 1) // 2]

    found = np.apply_along_axis(find, dim, np.atleast_1d(x)) if x.size else np.empty(0, np.int64)
    return np.expand_dims(found, dim) if keepdim and x.ndim else found


median_place = op(
    "median_place",
    math=r"\text{where the lower median is}",
    kernel=_median_place,
    shape=lambda x, *, dim, keepdim: shapes.reduced(x, _axes("median", x, dim), keepdim),
    result=dtypes.int64,
    ref=_median_place_ref,
    samples=(
        Sample((3, 4), distinct=True, meta={"dim": 1}),
        Sample((3, 5), distinct=True, meta={"dim": 0, "keepdim": True}),
        Sample((), meta={"dim": 0}),
        Sample((0, 3), meta={"dim": 1}),
    ),
    methods=(),
)


def _median(out: np.ndarray, x: np.ndarray) -> None:
    flat = x.reshape(-1)
    if x.dtype.kind == "f" and (not flat.size or np.isnan(flat).any()):
        out[...] = np.nan
    else:
        k = (flat.size - 1) // 2
        out[...] = np.partition(flat, k)[k]


_median_op = op(
    "median",
    math=r"\text{the lower median of } x",
    dmath=(r"g / \text{number of ties where } x_i = \mathrm{out}, \text{ else } 0",),
    kernel=_median,
    shape=lambda x: (),
    kink=_TIES,
    ref=lambda x: (
        np.nan if not x.size or np.isnan(x).any() else np.sort(x, None)[(x.size - 1) // 2]
    ),
    vjp=(lambda g, out, x, x_shape: _extreme_grad(g, out, x, x_shape, None, False),),
    samples=(Sample((3, 4), distinct=True), Sample((5,), distinct=True), Sample(()), Sample((0,))),
    methods=(),
)


# Values and places, under PyTorch's names

_Max = namedtuple("max", "values indices")
_Min = namedtuple("min", "values indices")
_Median = namedtuple("median", "values indices")
_AMinMax = namedtuple("aminmax", "min max")


def _is_dim(dim: Any) -> bool:
    return isinstance(dim, (int, np.integer))


def _pick(x: Any, places: Any, dim: int, kind: Any) -> Any:
    """The values at `places`, and the places."""
    return kind(TABLE["gather"](x, places, dim=dim) if len(np.shape(x)) else x, places)


@function()
def max(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with `dim` (values, indices); with another tensor, `maximum`.

    Of equals along `dim` it is the first.  NaN is larger than everything.
    """
    if dim is None:
        return ops.amax(x)
    if not _is_dim(dim):
        return ops.maximum(x, dim)
    return _pick(x, ops.argmax(x, dim=dim, keepdim=keepdim), dim, _Max)


@function()
def min(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with `dim` (values, indices); with another tensor, `minimum`.

    Of equals along `dim` it is the first.  NaN is smaller than everything.
    """
    if dim is None:
        return ops.amin(x)
    if not _is_dim(dim):
        return ops.minimum(x, dim)
    return _pick(x, ops.argmin(x, dim=dim, keepdim=keepdim), dim, _Min)


@function()
def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, of two the lower; with `dim` (values, indices).  NaN if there is one."""
    if dim is None:
        return _median_op(x)
    return _pick(x, median_place(x, dim=dim, keepdim=keepdim), dim, _Median)


@function()
def aminmax(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Smallest and largest element, as (min, max)."""
    return _AMinMax(ops.amin(x, dim=dim, keepdim=keepdim), ops.amax(x, dim=dim, keepdim=keepdim))
