"""Picking elements by arrays of indices, adding them back, and putting others in their place.

The arrays pick from the dimensions `dims` and broadcast together; their common shape stands where
those dimensions stood, or in front when they are apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import dtypes, moves, shapes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops

Dims = tuple[int, ...]


# From index arrays to places


@kernel
def _locate(places, index, size, first):
    """Append a digit: places * size + index.  Negative count from the end; 1 if one is too far."""
    wrong = 0
    for i in range(places.size):
        k = np.int64(index[i])
        if k < -size or k >= size:
            wrong, k = 1, 0
        places[i] = (0 if first else places[i] * size) + (k + size if k < 0 else k)
    return wrong


def _places(op: str, indices: Any, sizes: Any) -> tuple[np.ndarray, shapes.Shape]:
    """Where the broadcast `indices` point to when their dimensions are one; and their shape."""
    shape = shapes.broadcast(op, *[index.shape for index in indices])
    places = np.empty(shapes.numel(shape), np.int64)
    for i, (index, size) in enumerate(zip(indices, sizes)):
        if index.dtype.kind not in "iu":
            raise IndexError(f"{op}: an index must be integers or a mask, not {index.dtype.name}")
        if _locate.run(places, moves.spread(index, shape).reshape(-1), size, i == 0):
            wrong = index[(index < -size) | (index >= size)][0]
            raise IndexError(
                f"{op}: index {wrong} is out of range for a dimension of size {size};"
                f" expected {-size} to {size - 1}"
            )
    return places, shape


def _together(dims: Dims) -> bool:
    return dims == tuple(range(dims[0], dims[0] + len(dims)))


def _merged(x: np.ndarray, dims: Dims) -> np.ndarray:
    """As (outer, n, inner), the indexed dimensions in the middle; copied where they are apart."""
    if not _together(dims):
        x = moves.packed(np.moveaxis(x, dims, range(len(dims))))
        dims = tuple(range(len(dims)))
    outer, sizes, inner = (
        x.shape[: dims[0]],
        x.shape[dims[0] : dims[-1] + 1],
        x.shape[dims[-1] + 1 :],
    )
    return x.reshape(shapes.numel(outer), shapes.numel(sizes), shapes.numel(inner))


def _indexed_shape(x: shapes.Shape, indices: Any, dims: Dims) -> shapes.Shape:
    shape = shapes.broadcast("index", *indices)
    if _together(dims):
        return (*x[: dims[0]], *shape, *x[dims[-1] + 1 :])
    return shape + tuple(n for d, n in enumerate(x) if d not in dims)


def _sizes(shape: shapes.Shape, dims: Dims) -> shapes.Shape:
    return tuple(shape[d] for d in dims)


# The two linear maps: pick, and add back


@kernel
def _pick_rows(out, x, places):
    for o in range(out.shape[0]):
        if out.shape[2] == 1:
            into, row = out[o, :, 0], x[o, :, 0]
            for k in range(places.size):
                into[k] = row[places[k]]
            continue
        for k in range(places.size):
            into, row = out[o, k], x[o, places[k]]
            for i in range(row.size):
                into[i] = row[i]


@kernel
def _clear_overwritten(out, places, last):
    """0 for places that come again later in the list: of several values, the last one stays."""
    for k in range(places.size):
        last[places[k]] = k
    zero = out.dtype.type(0)
    for o in range(out.shape[0]):
        for k in range(places.size):
            if last[places[k]] != k:
                for i in range(out.shape[2]):
                    out[o, k, i] = zero


def _index(out: np.ndarray, x: np.ndarray, *indices: np.ndarray, dims: Dims, last: bool) -> None:
    places, _ = _places("index", indices, _sizes(x.shape, dims))
    rows = _merged(x, dims)
    picked = out.reshape(rows.shape[0], places.size, rows.shape[2])
    _pick_rows.run(picked, rows, places)
    if last:
        _clear_overwritten.run(picked, places, np.empty(rows.shape[1], np.int64))


def _index_ref(x: np.ndarray, *indices: Any, dims: Dims, last: bool = False) -> np.ndarray:
    out = x[_key(dims, indices)]
    if last:
        marks = np.zeros(x.shape, np.int64)
        order = np.arange(out.size).reshape(out.shape)
        marks[_key(dims, indices)] = order
        out = np.where(marks[_key(dims, indices)] == order, out, 0)
    return out


def _key(dims: Dims, indices: Any) -> tuple[Any, ...]:
    """The NumPy index that has `indices` at `dims`."""
    key = [slice(None)] * (dims[-1] + 1)
    for d, index in zip(dims, indices):
        key[d] = index
    return tuple(key)


_TWICE = np.array([0, 2, 2, -3])
_PICKS = (
    Sample((3, 4), _TWICE, meta={"dims": (0,)}),
    Sample((2, 4), np.array([[0, 3], [3, 3]]), meta={"dims": (1,), "last": True}),
    Sample((2, 3, 4), np.array([0, 1, 1]), np.array([[2], [0]]), meta={"dims": (0, 1)}),
    Sample(
        (3, 2, 4), np.array([0, 2, 0]), np.array([1, 3, 1]), meta={"dims": (0, 2), "last": True}
    ),
    Sample((3,), np.array(1), meta={"dims": (0,)}),
    Sample((0, 2), np.zeros(0, np.int64), meta={"dims": (0,)}),
)

index = op(
    "index",
    math=r"x_{\mathrm{index}}",
    dmath=(r"\text{zeros, with } g \text{ added at index}", None),
    checks=True,
    kernel=_index,
    shape=lambda x, *indices, dims, last: _indexed_shape(x, indices, dims),
    exempt=("indices",),
    ref=_index_ref,
    vjp=(
        lambda g, indices, x_shape, dims, last: ops.unindex(
            g, *indices, dims=dims, shape=x_shape, last=last
        ),
        None,
    ),
    samples=_PICKS,
    methods=(),
)


@kernel
def _add_rows(out, x, places):
    for o in range(x.shape[0]):
        for k in range(places.size):
            into, row = out[o, places[k]], x[o, k]
            for i in range(row.size):
                into[i] += row[i]


@kernel
def _put_rows(out, x, places):
    """Of several rows for one place, the last one stays."""
    for o in range(x.shape[0]):
        for k in range(places.size):
            into, row = out[o, places[k]], x[o, k]
            for i in range(row.size):
                into[i] = row[i]


def _add_at(out: np.ndarray, x: np.ndarray, places: np.ndarray) -> None:
    """out[:, places] += x, repeated places accumulating; many float32 into few in float64."""
    if out.dtype == np.float32 and places.size > 64 * out.shape[1]:
        wide = moves.converted(out, dtypes.float64)
        _add_rows.run(wide, x, places)
        moves.convert(out, wide)
    else:
        _add_rows.run(out, x, places)


def _unindex(
    out: np.ndarray, x: np.ndarray, *indices: np.ndarray, dims: Dims, shape: Any, last: bool
) -> None:
    places, _ = _places("unindex", indices, _sizes(out.shape, dims))
    moves.fill(out, 0)
    rows = _merged(out, dims)
    values = x.reshape(rows.shape[0], places.size, rows.shape[2])
    if last:
        _put_rows.run(rows, values, places)
    else:
        _add_at(rows, values, places)
    _return(out, rows, dims)


def _return(out: np.ndarray, rows: np.ndarray, dims: Dims) -> None:
    """Write what was done to `rows`, the merged form of `out`, to where it belongs."""
    if not _together(dims):
        front = np.moveaxis(out, dims, range(len(dims)))
        moves.copy(front, rows.reshape(front.shape))


def _unindex_ref(x: Any, *indices: Any, dims: Dims, shape: Any, last: bool = False) -> Any:
    out = np.zeros(shape, x.dtype)
    if last:
        out[_key(dims, indices)] = x
    else:
        np.add.at(out, _key(dims, indices), x)
    return out


unindex = op(
    "unindex",
    math=r"\text{zeros, with } x \text{ added at index}",
    dmath=(r"g_{\mathrm{index}}", None),
    checks=True,
    kernel=_unindex,
    shape=lambda x, *indices, dims, shape, last: tuple(shape),
    exempt=("indices",),
    ref=_unindex_ref,
    vjp=(lambda g, indices, dims, last: ops.index(g, *indices, dims=dims, last=last), None),
    samples=(
        Sample((4, 3), _TWICE, meta={"dims": (0,), "shape": (3, 3)}),
        Sample((2, 4), _TWICE, meta={"dims": (1,), "shape": (2, 3), "last": True}),
        Sample(
            (2, 3, 4), np.array([0, 1, 1]), np.array([[2], [0]]),
            meta={"dims": (0, 1), "shape": (2, 3, 4)},
        ),
        Sample(
            (3, 2), np.array([0, 2, 0]), np.array([1, 3, 1]),
            meta={"dims": (0, 2), "shape": (3, 2, 4)},
        ),
        Sample((), np.array(1), meta={"dims": (0,), "shape": (3,)}),
        Sample((0, 2), np.zeros(0, np.int64), meta={"dims": (0,), "shape": (0, 2)}),
    ),
    methods=(),
)  # fmt: skip


# Writing at indices


def _first_dims(indices: Any, dims: Dims | None) -> Dims:
    return tuple(range(len(indices))) if dims is None else dims


def _index_put(
    out: np.ndarray, x: np.ndarray, update: np.ndarray, *indices: np.ndarray,
    dims: Dims | None, accumulate: bool,
) -> None:  # fmt: skip
    dims = _first_dims(indices, dims)
    places, _ = _places("index_put", indices, _sizes(x.shape, dims))
    shape = _indexed_shape(x.shape, [index.shape for index in indices], dims)
    if shapes.broadcast("index_put", update.shape, shape) != shape:
        raise ShapeError(f"index_put: update {update.shape} does not fit the indexed part {shape}")
    moves.copy(out, x)
    rows = _merged(out, dims)
    values = moves.spread(update, shape).reshape(rows.shape[0], places.size, rows.shape[2])
    if accumulate:
        _add_at(rows, values, places)
    else:
        _put_rows.run(rows, values, places)
    _return(out, rows, dims)


def _index_put_ref(
    x: Any, update: Any, *indices: Any, dims: Dims | None = None, accumulate: bool = False
) -> Any:
    out, key = x.copy(), _key(_first_dims(indices, dims), indices)
    if accumulate:
        np.add.at(out, key, update)
    else:
        out[key] = update
    return out


_index_put_op = op(
    "index_put",
    math=r"x \text{ with update at index}",
    dmath=(r"g \text{ with 0 at index}", r"g_{\mathrm{index}}", None),
    checks=True,
    kernel=_index_put,
    shape=lambda x, update, *indices, dims, accumulate: x,
    exempt=("indices",),
    kink="of several updates at one place only the last has a gradient; with accumulate, all have",
    ref=_index_put_ref,
    vjp=(
        lambda g, indices, dims, accumulate: (
            g if accumulate else _index_put_op(g, 0.0, *indices, dims=dims)
        ),
        lambda g, indices, update_shape, dims, accumulate: ops.sum_to(
            ops.index(g, *indices, dims=_first_dims(indices, dims), last=not accumulate),
            shape=update_shape,
        ),
        None,
    ),
    samples=(
        Sample((3, 4), (4, 4), _TWICE),
        Sample((3, 4), (1, 4), _TWICE, meta={"accumulate": True}),
        Sample((2, 4), (), _TWICE, meta={"dims": (1,)}),
        Sample((3, 2, 4), (2, 2), np.array([0, 2]), np.array([1, 3]), meta={"dims": (0, 2)}),
        Sample((0, 2), (0, 2), np.zeros(0, np.int64)),
    ),
    methods=(),
)  # fmt: skip


@function()
def index_put(
    input: Any, indices: Any, values: Any, accumulate: bool = False, *, dims: Dims | None = None
) -> Any:
    """A copy of input with `values` at (or added at) the indices of the dimensions `dims`.

    `indices` is a tuple of integer tensors or masks, by default of the first dimensions.
    """
    arrays: list[Any] = []
    for item in indices:
        arrays.extend(ops.nonzero(item, as_tuple=True) if item.dtype.kind == "b" else [item])
    return _index_put_op(input, values, *arrays, dims=dims, accumulate=accumulate)
