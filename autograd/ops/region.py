"""Regions of a tensor that a chain of views selects: slices, diagonals, and writing into them.

`steps` is a tuple of (view op, metadata), as the record of a view holds it.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autograd import moves
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops
from autograd.shapes import axis_index

Steps = tuple[tuple[Any, dict[str, Any]], ...]


def _slice(x: np.ndarray, *, index: tuple[Any, ...]) -> np.ndarray:
    try:
        return x[index]
    except IndexError as error:
        shown = ", ".join(map(_shown, index))
        raise IndexError(f"getitem: [{shown}] does not fit shape {x.shape}: {error}") from None


def _shown(item: Any) -> str:
    if isinstance(item, slice):
        ends = ("" if end is None else str(end) for end in (item.start, item.stop))
        return ":".join(ends) + (f":{item.step}" if item.step not in (None, 1) else "")
    return "..." if item is Ellipsis else str(item)


slice_op = op(
    "slice",
    math=r"x[\text{index}]",
    dmath=(r"g \text{ at index, 0 elsewhere}",),
    kernel=_slice,
    view=True,
    ref=lambda x, *, index: x[index],
    vjp=(
        lambda g, x_shape, index: ops.embed(
            g, steps=((slice_op, {"index": index}),), shape=x_shape
        ),
    ),
    samples=(
        Sample((3, 4), meta={"index": (1, ...)}),
        Sample((5, 4), meta={"index": (slice(1, None, 2), None, slice(-3, 4), ...)}),
        Sample((), meta={"index": (...,)}),
        Sample((2, 0), meta={"index": (slice(0, 1), ...)}),
    ),
    methods=(),
)


def _replay(x: Any, steps: Steps) -> Any:
    for step, meta in steps:
        x = step(x, **meta)
    return x


def _write(out: np.ndarray, steps: Steps, values: Any) -> None:
    """Set the region of `out` to `values`, also where a step copies in this memory layout."""
    region = out
    for step, meta in steps:
        region = step.kernel(region, **meta)
    if np.may_share_memory(region, out):
        _put(region, values)
    else:
        places = np.arange(out.size).reshape(out.shape)
        for step, meta in steps:
            places = step.kernel(places, **meta)
        room = np.empty(places.shape, out.dtype)
        _put(room, values)
        _scatter.run(out.reshape(-1), moves.frozen(places.reshape(-1)), room.reshape(-1))


def _put(region: np.ndarray, values: Any) -> None:
    if isinstance(values, np.ndarray):
        moves.copy(region, values)
    else:
        moves.fill(region, values)


@kernel
def _scatter(out, places, values):
    for i in range(places.size):
        out[places[i]] = values[i]


def _put_view(out: np.ndarray, base: np.ndarray, update: np.ndarray, *, steps: Steps) -> None:
    moves.copy(out, base)
    _write(out, steps, update)


def _written(base: np.ndarray, steps: Steps, values: Any) -> np.ndarray:
    """The reference of the ops below: writes by position."""
    out, places = base.copy().reshape(-1), np.arange(base.size).reshape(base.shape)
    for step, meta in steps:
        places = step.ref(places, **meta)
    out[places] = values
    return out.reshape(base.shape)


_ROWS: Steps = ((slice_op, {"index": (slice(1, 3), ...)}),)
_CELL: Steps = (*_ROWS, (slice_op, {"index": (..., 2)}))
_ALL: Steps = ((slice_op, {"index": (...,)}),)

put_view = op(
    "put_view",
    math=r"\text{base, with update in the region}",
    dmath=(r"g \text{ with 0 in the region}", r"g \text{ in the region}"),
    kernel=_put_view,
    shape=lambda base, update, *, steps: base,
    ref=lambda base, update, *, steps: _written(base, steps, update),
    vjp=(lambda g, steps: ops.erase(g, steps=steps), lambda g, steps: _replay(g, steps)),
    samples=(
        Sample((4, 3), (2, 3), meta={"steps": _ROWS}),
        Sample((4, 3), (2,), meta={"steps": _CELL}),
        Sample((), (), meta={"steps": _ALL}),
        Sample((3, 0), (2, 0), meta={"steps": _ROWS}),
    ),
    methods=(),
)


def _erase(out: np.ndarray, x: np.ndarray, *, steps: Steps) -> None:
    moves.copy(out, x)
    _write(out, steps, 0)


erase = op(
    "erase",
    math=r"x \text{ with 0 in the region}",
    dmath=(r"g \text{ with 0 in the region}",),
    kernel=_erase,
    shape=lambda x, *, steps: x,
    ref=lambda x, *, steps: _written(x, steps, 0),
    vjp=(lambda g, steps: ops.erase(g, steps=steps),),
    samples=(
        Sample((4, 3), meta={"steps": _CELL}),
        Sample((), meta={"steps": _ALL}),
        Sample((3, 0), meta={"steps": _ROWS}),
    ),
    methods=(),
)


def _embed(out: np.ndarray, x: np.ndarray, *, steps: Steps, shape: Any) -> None:
    moves.fill(out, 0)
    _write(out, steps, x)


embed = op(
    "embed",
    math=r"x \text{ in the region of zeros}",
    dmath=(r"g \text{ in the region}",),
    kernel=_embed,
    shape=lambda x, *, steps, shape: tuple(shape),
    ref=lambda x, *, steps, shape: _written(np.zeros(shape, x.dtype), steps, x),
    vjp=(lambda g, steps: _replay(g, steps),),
    samples=(
        Sample((2, 3), meta={"steps": _ROWS, "shape": (4, 3)}),
        Sample((2,), meta={"steps": _CELL, "shape": (4, 3)}),
        Sample((), meta={"steps": _ALL, "shape": ()}),
        Sample((2, 0), meta={"steps": _ROWS, "shape": (3, 0)}),
    ),
    methods=(),
)


def _copy_to(out: np.ndarray, x: np.ndarray, src: np.ndarray) -> None:
    extra = src.ndim - out.ndim
    if extra > 0 and src.shape[:extra] == (1,) * extra:
        src = src.reshape(src.shape[extra:])
    try:
        moves.copy(out, moves.converted(src, out.dtype))
    except ValueError:
        raise ShapeError(f"copy_to: {src.shape} does not broadcast to {out.shape}") from None


def _back(g: Any, x_shape: Any, x_dtype: Any, src_shape: Any, src_dtype: Any) -> Any:
    """The gradient of a source that was broadcast and cast; it may have more leading 1s than x."""
    extra = len(src_shape) - len(x_shape)
    g = ops.sum_to(g, shape=src_shape[extra:] if extra > 0 else src_shape)
    g = ops.reshape(g, shape=src_shape) if extra > 0 else g
    return g if x_dtype == src_dtype else ops.cast(g, dtype=src_dtype)


copy_to = op(
    "copy_to",
    math=r"\text{src in the shape of } x",
    dmath=(r"0", r"g \text{ summed to the shape of src}"),
    kernel=_copy_to,
    shape=lambda x, src: x,
    exempt=("src",),
    ref=lambda x, src: np.broadcast_to(src, x.shape).astype(x.dtype),
    vjp=(lambda g: ops.copy_to(g, 0.0), _back),
    scalar=lambda x, src: float(src),
    samples=(
        Sample((3, 4), (3, 4)),
        Sample((3, 4), (1, 4)),
        Sample((2, 3), ()),
        Sample((), ()),
        Sample((2, 0), (1, 1)),
    ),
    methods=(),
)


# Diagonals


def _diagonal(x: np.ndarray, *, offset: int = 0, dim1: int = 0, dim2: int = 1) -> np.ndarray:
    first, second = (axis_index(d, x.ndim, "diagonal") for d in (dim1, dim2))
    if first == second:
        raise ShapeError(f"diagonal: dim1 and dim2 are the same dimension of shape {x.shape}")
    out = x.diagonal(offset, first, second)
    if x.flags.writeable:
        out.flags.writeable = True  # NumPy hands out a read-only view
    return out


diagonal = op(
    "diagonal",
    math=r"x_{i,\, i + \mathrm{offset}}",
    dmath=(r"g \text{ on the diagonal of zeros}",),
    kernel=_diagonal,
    view=True,
    ref=lambda x, *, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2),
    vjp=(
        lambda g, x_shape, offset, dim1, dim2: ops.embed(
            g,
            steps=((diagonal, {"offset": offset, "dim1": dim1, "dim2": dim2}),),
            shape=x_shape,
        ),
    ),
    samples=(
        Sample((3, 4)),
        Sample((2, 4, 3), meta={"offset": -1, "dim1": 1, "dim2": -1}),
        Sample((0, 2)),
    ),
)


@function()
def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The last dimension of x as the diagonal of matrices in dimensions `dim1` and `dim2`."""
    shape = np.shape(x)
    size = shape[-1] + abs(offset)
    first, second = (axis_index(d, len(shape) + 1, "diag_embed") for d in (dim1, dim2))
    rest = iter(shape[:-1])
    full = tuple(size if i in (first, second) else next(rest) for i in range(len(shape) + 1))
    meta = {"offset": offset, "dim1": first, "dim2": second}
    return embed(x, steps=((diagonal, meta),), shape=full)


@function()
def diag(x: Any, diagonal: int = 0) -> Any:
    """The matrix with the vector x on its diagonal; of a matrix x, a copy of its diagonal."""
    ndim = len(np.shape(x))
    if ndim not in (1, 2):
        raise ShapeError(f"diag: expected a vector or a matrix, got shape {np.shape(x)}")
    return diag_embed(x, diagonal) if ndim == 1 else ops.clone(ops.diagonal(x, offset=diagonal))


@function()
def trace(x: Any) -> Any:
    """The sum of a matrix's diagonal."""
    if len(np.shape(x)) != 2:
        raise ShapeError(f"trace: expected a matrix, got shape {np.shape(x)}")
    return ops.sum(ops.diagonal(x))


# Parts of a dimension


@function()
def narrow(x: Any, dim: int, start: int, length: int) -> Any:
    """Entries `start` to `start + length` of dimension `dim`."""
    shape = np.shape(x)
    d = axis_index(dim, len(shape), "narrow")
    start = operator.index(start)
    first = start + shape[d] if start < 0 else start
    if not 0 <= first <= first + length <= shape[d]:
        raise IndexError(
            f"narrow: start {start} and length {length} do not fit size {shape[d]} of dimension {d}"
        )
    return ops.slice(x, index=(slice(None),) * d + (slice(first, first + length), ...))


@function()
def select(x: Any, dim: int, index: int) -> Any:
    """Entry `index` of dimension `dim`, without that dimension."""
    d = axis_index(dim, len(np.shape(x)), "select")
    return ops.slice(x, index=(slice(None),) * d + (operator.index(index), ...))
