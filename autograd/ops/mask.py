"""Masks and counts: masked_fill, masked_select, nonzero, one_hot, bincount."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops


@kernel
def _fill(out, x, mask, value):
    for i in range(out.size):
        out[i] = value[0] if mask[i] else x[i]


def _masked_fill(out: np.ndarray, x: np.ndarray, mask: np.ndarray, value: np.ndarray) -> None:
    if mask.dtype.kind != "b":
        raise TypeError(f"masked_fill: the mask must be bool, not {mask.dtype.name}")
    if mask.shape == x.shape == out.shape and value.size == 1:
        _fill.run(out.reshape(-1), x.reshape(-1), mask.reshape(-1), value.reshape(-1))
    else:
        moves.copy(out, x)
        moves.copy_where(out, value, mask)


_MASK = np.array([[True, False, True], [False, False, True]])

masked_fill = op(
    "masked_fill",
    math=r"\mathrm{value} \text{ where mask, else } x",
    dmath=(r"g\,[\lnot \mathrm{mask}]", None, r"\textstyle\sum g\,[\mathrm{mask}]"),
    kernel=_masked_fill,
    shape=lambda x, mask, value: shapes.broadcast("masked_fill", x, mask, value),
    exempt=("mask",),
    broadcasts=True,
    ref=lambda x, mask, value: np.where(mask, value, x),
    vjp=(
        lambda g, mask: ops.masked_fill(g, mask, 0.0),
        None,
        lambda g, mask: ops.masked_fill(g, ops.logical_not(mask), 0.0),
    ),
    samples=(
        Sample((2, 3), _MASK, ()),
        Sample((2, 3), np.array([True, False, True]), (2, 1)),
        Sample((3,), _MASK, ()),
        Sample((), np.array(True), ()),
        Sample((0, 3), np.array([True, False, True]), ()),
    ),
)


@kernel
def _list_places(out, x, sizes):
    """The indices, in row-major order, of what is not 0; 1 if they are not as many as `out` has."""
    count = 0
    for i in range(x.size):
        if x[i] != 0:
            if count < out.shape[0]:
                rest = i
                for k in range(sizes.size):
                    d = sizes.size - 1 - k
                    out[count, d] = rest % sizes[d]
                    rest //= sizes[d]
            count += 1
    return 1 if count != out.shape[0] else 0


def _nonzero(out: np.ndarray, x: np.ndarray, *, count: int) -> None:
    sizes = moves.frozen(np.array(x.shape, dtypes.int64))
    if _list_places.run(out, x.reshape(-1), sizes):
        raise ShapeError(f"nonzero: {count} elements were to be there of {np.count_nonzero(x)}")


nonzero_places = op(
    "nonzero_places",
    math=r"\{i : x_i \ne 0\}",
    checks=True,
    kernel=_nonzero,
    shape=lambda x, *, count: (count, len(x)),
    result=dtypes.int64,
    ref=lambda x, *, count: np.argwhere(x),
    samples=(
        Sample(np.array([[0, 1, 2], [3, 0, 0]]), meta={"count": 3}),
        Sample(np.array([True, True]), meta={"count": 2}),
        Sample(np.array(True), meta={"count": 1}),
        Sample((0, 2), meta={"count": 0}),
    ),
    methods=(),
)


@function()
def nonzero(x: Any, *, as_tuple: bool = False) -> Any:
    """Where x is not 0: (count, ndim) int64, or one vector per dimension with `as_tuple`."""
    if as_tuple and isinstance(x, np.ndarray) and x.ndim:
        return np.nonzero(x)
    places = nonzero_places(x, count=int(ops.count_nonzero(x)))
    return ops.unbind(places, 1) if as_tuple else places


@function(numpy=(np.argwhere,))
def argwhere(x: Any) -> Any:
    """`nonzero`."""
    return nonzero(x)


@function()
def masked_select(x: Any, mask: Any) -> Any:
    """The elements of x where `mask` is True, as a vector; the two broadcast."""
    x, mask = ops.broadcast_tensors(x, mask)
    if not np.shape(x):
        x, mask = ops.reshape(x, shape=(1,)), ops.reshape(mask, shape=(1,))
    places = nonzero(mask, as_tuple=True)
    return ops.index(x, *places, dims=tuple(range(len(places))))


@function()
def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """A copy of x in which the elements where `mask` is True are the first ones of `source`."""
    x, mask = ops.broadcast_tensors(x, mask)
    places = nonzero(mask, as_tuple=True)
    count = np.shape(places[0])[0]
    values = ops.reshape(source, shape=(-1,))
    if np.shape(values)[0] < count:
        raise ShapeError(f"masked_scatter: {count} elements to fill, source has {np.shape(source)}")
    values = ops.slice(values, index=(slice(count), ...))
    return ops.index_put(x, places, values)


@kernel
def _mark(out, x):
    for i in range(x.size):
        for c in range(out.shape[1]):
            out[i, c] = 0
        k = np.int64(x[i])
        if k < 0 or k >= out.shape[1]:
            return 1
        out[i, k] = 1
    return 0


def _one_hot(out: np.ndarray, x: np.ndarray, *, num_classes: int) -> None:
    if _mark.run(out.reshape(x.size, num_classes), x.reshape(-1)):
        wrong = x[(x < 0) | (x >= num_classes)][0]
        raise RuntimeError(
            f"one_hot: class {wrong} is out of range; expected 0 to {num_classes - 1}"
        )


_one_hot_op = op(
    "one_hot",
    math=r"[x = c]",
    checks=True,
    kernel=_one_hot,
    shape=lambda x, *, num_classes: (*x, num_classes),
    result=dtypes.int64,
    ref=lambda x, *, num_classes: np.int64(x[..., None] == np.arange(num_classes)),
    samples=(
        Sample(np.array([[0, 2], [1, 1]]), meta={"num_classes": 3}),
        Sample(np.array(1), meta={"num_classes": 2}),
        Sample(np.zeros(0, np.int64), meta={"num_classes": 3}),
    ),
    methods=(),
)


@function(methods=())
def one_hot(x: Any, num_classes: int = -1) -> Any:
    """Vectors with a 1 at the class, int64; default: as many classes as the largest needs."""
    if x.dtype.kind not in "iu":
        raise TypeError(f"one_hot: classes must be integers, not {x.dtype.name}")
    if num_classes == -1:
        if 0 in np.shape(x):
            raise ShapeError("one_hot: give num_classes for a tensor without elements")
        num_classes = int(ops.amax(x)) + 1
    return _one_hot_op(x, num_classes=num_classes)


@function(numpy=(np.bincount,))
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each of 0, 1, 2 ... occurs in the vector x, or the sum of its `weights`."""
    shape = np.shape(x)
    if len(shape) != 1 or x.dtype.kind not in "iu":
        raise ShapeError(f"bincount: expected a vector of integers, got {x.dtype.name} {shape}")
    if shape[0] and int(ops.amin(x)) < 0:
        raise ValueError(f"bincount: {int(ops.amin(x))} is negative")
    size = int(ops.amax(x)) + 1 if shape[0] else 0
    values = np.ones(shape, np.int64) if weights is None else weights
    return ops.unindex(values, x, dims=(0,), shape=(max(size, minlength),))
