"""Largest and smallest elements: amax, argmax, max(dim), median; ties share or the first wins."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.axes import blocks, extreme_of, plan
from autograd.errors import ShapeError
from autograd.kernel import device, kernel
from autograd.op import TABLE, Sample, function, op, ops
from autograd.order import kth, median_places

_LANES = 256
"""How many elements of a row are compared at once."""
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


@device
def _better(v, best, largest):
    """NaN beats everything, and the first of equals stays."""
    if largest:
        return v > best or (v != v and best == best)
    return v < best or (v != v and best == best)


@kernel
def _extremes(out, x, lanes, largest):
    rows = x.reshape(x.shape[0], x.shape[1] * x.shape[2])  # contiguous, which x[o, :, 0] is not
    for o in range(x.shape[0]):
        if x.shape[2] == 1:
            out[o, 0] = extreme_of(rows[o], lanes, largest)
            continue
        best = out[o]
        for i in range(best.size):
            best[i] = x[o, 0, i]
        for j in range(1, x.shape[1]):
            row = x[o, j]
            if largest:
                for i in range(best.size):
                    best[i] = row[i] if (row[i] > best[i]) | (row[i] != row[i]) else best[i]
            else:
                for i in range(best.size):
                    best[i] = row[i] if (row[i] < best[i]) | (row[i] != row[i]) else best[i]


def _lanes(x: np.ndarray) -> np.ndarray:
    return np.empty(_LANES, x.dtype)


def _extreme(name: str, largest: bool) -> Callable[..., None]:
    def run(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
        _, _, order, sizes = plan(name, x.shape, dim, keepdim)
        if out.size:
            rows = blocks(x, order, sizes)
            _extremes.run(out.reshape(sizes[0], sizes[2]), rows, _lanes(x), largest)

    return run


def _extreme_grad(g: Any, out: Any, x: Any, x_shape: Any, dim: Any, keepdim: bool) -> Any:
    wide = ops.spread(g, shape=x_shape, dim=dim, keepdim=keepdim)
    return ops.mul(wide, ops.tie_shares(x, out, dim=dim, keepdim=keepdim))


def _define_extreme(name: str, math: str, largest: bool, reference: Any) -> Any:
    return op(
        name,
        math=math,
        dmath=(r"g / \text{number of ties where } x_i = \mathrm{out}, \text{ else } 0",),
        kernel=_extreme(name, largest),
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


amax = _define_extreme("amax", r"\max_i x_i", True, np.max)
amin = _define_extreme("amin", r"\min_i x_i", False, np.min)


@kernel
def _shares(out, x, value, ties):
    """NaN is the extremum of its group."""
    for o in range(x.shape[0]):
        for i in range(ties.size):
            ties[i] = 0.0
        for j in range(x.shape[1]):
            for i in range(ties.size):
                v = x[o, j, i]
                ties[i] += 1.0 if v == value[o, i] or v != v else 0.0
        for j in range(x.shape[1]):
            for i in range(ties.size):
                v = x[o, j, i]
                out[o, j, i] = (1.0 if v == value[o, i] or v != v else 0.0) / ties[i]


def _tie_shares(
    out: np.ndarray, x: np.ndarray, value: np.ndarray, *, dim: Any, keepdim: bool
) -> None:
    _, _, order, sizes = plan("tie_shares", x.shape, dim, keepdim)
    rows, flat = blocks(x, order, sizes), value.reshape(sizes[0], sizes[2])
    into = out.reshape(sizes) if order is None else np.empty(sizes, out.dtype)
    _shares.run(into, rows, flat, np.empty(sizes[2]))
    if order is not None:
        turned = out.transpose(order)
        moves.copy(turned, into.reshape(turned.shape))


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


@device
def _first(row, value):
    """Where the value stands first, or the first NaN if it is NaN; looks at 64 at a time."""
    for start in range(0, row.size, 64):
        part = row[start : start + 64]
        hits = 0
        for j in range(part.size):
            hits |= (part[j] == value) | ((part[j] != part[j]) & (value != value))
        if hits:
            for j in range(part.size):
                if part[j] == value or (part[j] != part[j] and value != value):
                    return start + j
    return 0


@kernel
def _extreme_places(out, x, lanes, largest):
    """The first of equals, or the first NaN."""
    rows = x.reshape(x.shape[0], x.shape[1] * x.shape[2])
    for o in range(x.shape[0]):
        if x.shape[2] == 1:
            row = rows[o]
            out[o, 0] = _first(row, extreme_of(row, lanes, largest))
            continue
        for i in range(x.shape[2]):
            out[o, i] = 0
        for j in range(1, x.shape[1]):
            for i in range(x.shape[2]):
                if _better(x[o, j, i], x[o, out[o, i], i], largest):
                    out[o, i] = j


def _arg(name: str, largest: bool, find: Any) -> Any:
    def run(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
        axis = None if dim is None else shapes.axis_index(dim, x.ndim, name)
        sizes = plan(name, x.shape, axis, keepdim)[3]
        if out.size:
            flat = out.reshape(sizes[0], sizes[2]), x.reshape(sizes)
            _extreme_places.run(*flat, _lanes(x), largest)

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


argmax = _arg("argmax", True, np.argmax)
argmin = _arg("argmin", False, np.argmin)


def _median_place(out: np.ndarray, x: np.ndarray, *, dim: int, keepdim: bool) -> None:
    sizes = plan("median", x.shape, shapes.axis_index(dim, x.ndim, "median"), keepdim)[3]
    if out.size:
        median_places(out.reshape(sizes[0], sizes[2]), x.reshape(sizes))


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
    if x.size:
        kth(out.reshape(1), x, (x.size - 1) // 2)
    elif x.dtype.kind == "f":
        moves.fill(out, math.nan)
    else:
        raise ShapeError(f"median: there is none of no elements of {x.dtype.name}")


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
