"""Order: argsort, sort, topk, kthvalue, searchsorted, unique.

Values are gathered from their places, which gives them their gradients.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from autograd import dtypes, shapes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops
from autograd.order import before, order
from autograd.shapes import axis_index

_FEW = 16
"""Up to so many, topk keeps them in order as it goes; beyond, it sorts everything."""

_Sort = namedtuple("sort", "values indices")
_TopK = namedtuple("topk", "values indices")
_KthValue = namedtuple("kthvalue", "values indices")


def _blocks(x: np.ndarray, axis: int) -> np.ndarray:
    """As (outer, n, inner), the axis in the middle."""
    n = x.shape[axis] if x.ndim else 1
    return x.reshape(shapes.numel(x.shape[:axis]), n, shapes.numel(x.shape[axis + 1 :]))


def _argsort(out: np.ndarray, x: np.ndarray, *, dim: int, descending: bool, stable: bool) -> None:
    axis = axis_index(dim, x.ndim, "argsort")
    if x.size:
        order(_blocks(out, axis), _blocks(x, axis), descending)


def _order_ref(x: Any, dim: int, descending: bool) -> Any:
    """By Python's stable sort."""

    def key(v: Any) -> tuple[bool, Any]:
        nan = bool(np.isnan(v))
        return nan != descending, 0.0 if nan else -v if descending else v

    def find(row: np.ndarray) -> np.ndarray:
        return np.array(sorted(range(row.size), key=lambda i: key(row[i])), np.int64)

    return (
        np.apply_along_axis(find, dim, np.atleast_1d(x)) if x.size else np.zeros(x.shape, np.int64)
    )


def _argsort_ref(x: Any, *, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return _order_ref(x, dim, descending).reshape(x.shape)


argsort = op(
    "argsort",
    math=r"\text{the order that sorts } x",
    kernel=_argsort,
    shape=lambda x, *, dim, descending, stable: x,
    result=dtypes.int64,
    ref=_argsort_ref,
    samples=(
        Sample((3, 4)),
        Sample((3, 4), meta={"dim": 0, "descending": True}),
        Sample(np.array([2, 1, 2, 1]), meta={"descending": True, "stable": True}),
        Sample(()),
        Sample((2, 0)),
    ),
)


def _topk_shape(x: Any, *, k: int, dim: int, largest: bool) -> Any:
    axis = axis_index(dim, len(x), "topk")
    size = x[axis] if x else 1
    if not 0 <= k <= size:
        raise ShapeError(f"topk: k = {k} does not fit size {size} of dimension {axis}")
    return (*x[:axis], k, *x[axis + 1 :]) if x else x


@kernel
def _select(out, x, largest):
    """Keeps the best so far in order; an equal that comes later stays behind."""
    k = out.shape[1]
    for o in range(x.shape[0]):
        for i in range(x.shape[2]):
            for j in range(x.shape[1]):
                v = x[o, j, i]
                if j >= k and not before(v, x[o, out[o, k - 1, i], i], largest):
                    continue
                at = min(j, k - 1)
                while at > 0 and before(v, x[o, out[o, at - 1, i], i], largest):
                    out[o, at, i] = out[o, at - 1, i]
                    at -= 1
                out[o, at, i] = j


def _topk_places(out: np.ndarray, x: np.ndarray, *, k: int, dim: int, largest: bool) -> None:
    axis = axis_index(dim, x.ndim, "topk")
    if not out.size:
        return
    into, rows = _blocks(out, axis), _blocks(x, axis)
    if k <= _FEW:
        _select.run(into, rows, largest)
    else:
        order(into, rows, largest)


topk_places = op(
    "topk_places",
    math=r"\text{where the } k \text{ largest are}",
    kernel=_topk_places,
    shape=_topk_shape,
    result=dtypes.int64,
    ref=lambda x, *, k, dim=-1, largest=True: (
        _order_ref(x, dim, largest).take(range(k), dim) if x.ndim else np.zeros((), np.int64)
    ),
    samples=(
        Sample((3, 7), meta={"k": 2}),
        Sample((3, 4), meta={"k": 3, "dim": 0, "largest": False}),
        Sample((20, 2), meta={"k": 18, "dim": 0}),
        Sample((), meta={"k": 1}),
        Sample((2, 0), meta={"k": 0}),
    ),
    methods=(),
)


def _gathered(x: Any, dim: int, places: Any) -> Any:
    return ops.gather(x, dim, places) if len(np.shape(x)) else x


@function()
def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Sorted along `dim`, as (values, indices); always stable; NaN counts as the largest."""
    places = argsort(x, dim=dim, descending=descending)
    return _Sort(_gathered(x, dim, places), places)


@function(methods=())
def msort(x: Any) -> Any:
    """Values sorted along dimension 0."""
    return sort(x, 0).values


@function()
def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The `k` largest (or smallest) along `dim`, best first, as (values, indices)."""
    places = topk_places(x, k=int(k), dim=dim, largest=largest)
    return _TopK(_gathered(x, dim, places), places)


@function()
def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The `k`-th smallest along `dim`, counted from 1, as (values, indices)."""
    shape = np.shape(x)
    axis = axis_index(dim, len(shape), "kthvalue")
    size = shape[axis] if shape else 1
    if not 1 <= k <= size:
        raise ShapeError(f"kthvalue: k = {k} does not fit size {size} of dimension {axis}")
    places = argsort(x, dim=dim)
    if shape:
        places = ops.narrow(places, axis, k - 1, 1)
    values = _gathered(x, dim, places)
    if shape and not keepdim:
        values, places = ops.squeeze(values, axis), ops.squeeze(places, axis)
    return _KthValue(values, places)


@kernel
def _search(out, edges, x, right):
    for i in range(x.size):
        low, high = 0, edges.size
        while low < high:
            middle = (low + high) // 2
            if before(edges[middle], x[i], False) or (
                right and not before(x[i], edges[middle], False)
            ):
                low = middle + 1
            else:
                high = middle
        out[i] = low


def _searchsorted(
    out: np.ndarray, sorted_sequence: np.ndarray, input: np.ndarray, *, right: bool
) -> None:
    if sorted_sequence.ndim != 1:
        raise ShapeError(
            f"searchsorted: sorted_sequence must be a vector, got shape {sorted_sequence.shape}"
        )
    _search.run(out.reshape(-1), sorted_sequence, input.reshape(-1), right)


searchsorted = op(
    "searchsorted",
    math=r"\#\{i : s_i < x\}",
    kernel=_searchsorted,
    shape=lambda sorted_sequence, input, *, right: input,
    result=dtypes.int64,
    ref=lambda sorted_sequence, input, *, right=False: (
        sorted_sequence <= input[..., None] if right else sorted_sequence < input[..., None]
    ).sum(-1),
    samples=(
        Sample(np.array([1, 2, 2, 4]), np.array([[0, 2], [5, 3]])),
        Sample(np.array([1, 2, 2, 4]), np.array(2), meta={"right": True}),
        Sample(np.array([1, 2]), (0,)),
        Sample((0,), ()),
    ),
    methods=(),
)


@function(methods=())
def bucketize(input: Any, boundaries: Any, *, right: bool = False) -> Any:
    """Which interval between the sorted `boundaries` each element falls into."""
    return searchsorted(boundaries, input, right=right)


@function()
def unique(
    x: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    """The distinct elements in order; also where each element is among them, and their counts."""
    flat = ops.reshape(x, shape=(-1,))
    values, order = sort(flat)
    if not np.shape(flat)[0]:
        first = ops.ne(values, values)
    else:
        new = ops.ne(ops.slice(values, index=(slice(1, None), ...)), _but_last(values))
        first = ops.cat([np.ones(1, dtypes.bool_), new])
    found = ops.masked_select(values, first)
    if not (return_inverse or return_counts):
        return found
    group = ops.sub(ops.cumsum(first, dim=0), 1)
    result = [found]
    if return_inverse:
        inverse = ops.scatter(order, 0, order, group)
        result.append(ops.reshape(inverse, shape=np.shape(x)))
    if return_counts:
        result.append(ops.bincount(group, minlength=np.shape(found)[0]))
    return tuple(result)


def _but_last(x: Any) -> Any:
    return ops.slice(x, index=(slice(None, -1), ...))
