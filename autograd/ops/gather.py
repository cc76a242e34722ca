"""Gather and scatter along a dimension, masks, and what turns values into indices and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops
from autograd.shapes import axis_index

# Along a dimension: out[i, j] = x[index[i, j], j]


@kernel
def _gather_along(out, x, index):
    n, wrong = x.shape[1], 0
    for o in range(out.shape[0]):
        if out.shape[2] == 1:  # along rows: 1.3 ns per element, as a three-fold loop 5
            row, into, at = x[o, :, 0], out[o, :, 0], index[o, :, 0]
            for j in range(into.size):
                k = np.uint64(at[j])
                if k >= np.uint64(n):
                    wrong, k = 1, np.uint64(0)
                into[j] = row[k]
            continue
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                k = np.int64(index[o, j, i])
                if k < 0 or k >= n:
                    wrong, k = 1, 0
                out[o, j, i] = x[o, k, i]
    return wrong


@kernel
def _add_along(out, x, index):
    n, wrong = out.shape[1], 0
    for o in range(x.shape[0]):
        if out.shape[2] == 1:
            into, row, at = out[o, :, 0], x[o, :, 0], index[o, :, 0]
            for j in range(row.size):
                k = np.uint64(at[j])
                if k < np.uint64(n):
                    into[k] += row[j]
                else:
                    wrong = 1
            continue
        for j in range(x.shape[1]):
            for i in range(x.shape[2]):
                k = np.int64(index[o, j, i])
                if 0 <= k < n:
                    out[o, k, i] += x[o, j, i]
                else:
                    wrong = 1
    return wrong


def _blocks(x: np.ndarray, d: int) -> np.ndarray:
    n = x.shape[d] if x.ndim else 1
    return x.reshape(shapes.numel(x.shape[:d]), n, shapes.numel(x.shape[d + 1 :]))


def _check_along(op: str, x: shapes.Shape, index: shapes.Shape, dim: int) -> int:
    d = axis_index(dim, len(x), op)
    fits = len(x) == len(index) and all(i == d or m <= n for i, (m, n) in enumerate(zip(index, x)))
    if not fits and (len(x) == len(index) or index != x[:d] + x[d + 1 :]):
        raise ShapeError(
            f"{op}: index {index} must have as many dimensions as {x} and be no larger, except in"
            f" dimension {d}"
        )
    return d


def _with_dim(array: np.ndarray, ndim: int, d: int) -> np.ndarray:
    """With dimension `d` where it is missing: an index may leave it out to pick one element."""
    return array if array.ndim == ndim else array.reshape(*array.shape[:d], 1, *array.shape[d:])


def _out_of_range(op: str, index: np.ndarray, size: int) -> IndexError:
    wrong = index[(index < 0) | (index >= size)][0]
    return IndexError(
        f"{op}: index {wrong} is out of range for size {size}; expected 0 to {size - 1}"
    )


def _window(x: np.ndarray, index: shapes.Shape, d: int) -> np.ndarray:
    """The part of x that an index smaller than x can reach."""
    return x[(*(slice(None) if i == d else slice(m) for i, m in enumerate(index)), ...)]


def _check_integers(op: str, index: np.ndarray) -> None:
    if index.dtype.kind not in "iu":
        raise IndexError(f"{op}: index must be integers, not {index.dtype.name}")


def _gather(out: np.ndarray, x: np.ndarray, index: np.ndarray, *, dim: int) -> None:
    d = axis_index(dim, x.ndim, "gather")
    _check_integers("gather", index)
    out, index = _with_dim(out, x.ndim, d), _with_dim(index, x.ndim, d)
    reachable = moves.packed(_window(x, index.shape, d))
    if _gather_along.run(_blocks(out, d), _blocks(reachable, d), _blocks(index, d)):
        raise _out_of_range("gather", index, x.shape[d] if x.ndim else 1)


def _gather_shape(x: shapes.Shape, index: shapes.Shape, *, dim: int) -> shapes.Shape:
    _check_along("gather", x, index, dim)
    return index


def _grid(index: np.ndarray, dim: int, ndim: int) -> tuple[Any, ...]:
    """The NumPy index of every place that `index` along `dim` means."""
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    if index.ndim < ndim:
        places.insert(dim % ndim, index)
    elif places:
        places[dim] = index
    return tuple(places)


_ROWS = np.array([[0, 2, 2], [1, 0, 1]])
_gather_op = op(
    "gather",
    math=r"x_{\mathrm{index}_{ij},\, j}",
    dmath=(r"\text{zeros, with } g \text{ added at index}", None),
    checks=True,
    kernel=_gather,
    shape=_gather_shape,
    exempt=("index",),
    ref=lambda x, index, *, dim: x[_grid(index, dim, x.ndim)],
    vjp=(
        lambda g, index, x_shape, dim: ops.ungather(g, index, dim=dim, shape=x_shape),
        None,
    ),
    samples=(
        Sample((3, 3), _ROWS, meta={"dim": 0}),
        Sample((2, 3), _ROWS, meta={"dim": -1}),
        Sample((3, 4), _ROWS, meta={"dim": 1}),
        Sample((3, 2, 2), np.array([[0, 2], [1, 1]]), meta={"dim": 0}),
        Sample((3, 2, 2), np.array([[[0, 2], [1, 1]]]), meta={"dim": 0}),
        Sample((3, 4), np.array([3, 0, 3]), meta={"dim": -1}),
        Sample((), np.array(0), meta={"dim": 0}),
        Sample((2, 0), np.zeros((1, 0), np.int64), meta={"dim": 0}),
    ),
    methods=(),
)


def _ungather(out: np.ndarray, x: np.ndarray, index: np.ndarray, *, dim: int, shape: Any) -> None:
    d = axis_index(dim, out.ndim, "ungather")
    _check_integers("scatter_add", index)
    x, index = _with_dim(x, out.ndim, d), _with_dim(index, out.ndim, d)
    moves.fill(out, 0)
    reached, into = _window(out, index.shape, d), out
    if not reached.flags.c_contiguous:
        into = np.empty(reached.shape, out.dtype)
        moves.fill(into, 0)
    elif reached.shape != out.shape:
        into = reached
    if _add_along.run(_blocks(into, d), _blocks(x, d), _blocks(index, d)):
        raise _out_of_range("scatter_add", index, out.shape[d] if out.ndim else 1)
    if not reached.flags.c_contiguous:
        moves.copy(reached, into)


def _ungather_shape(x: shapes.Shape, index: shapes.Shape, *, dim: int, shape: Any) -> shapes.Shape:
    _check_along("scatter_add", tuple(shape), index, dim)
    if x != index:
        raise ShapeError(f"scatter_add: values are {x} but the index is {index}")
    return tuple(shape)


def _ungather_ref(x: Any, index: Any, *, dim: int, shape: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    np.add.at(out, _grid(index, dim, out.ndim), x)
    return out


ungather = op(
    "ungather",
    math=r"\text{zeros, with } x \text{ added at index}",
    dmath=(r"g_{\mathrm{index}_{ij},\, j}", None),
    checks=True,
    kernel=_ungather,
    shape=_ungather_shape,
    exempt=("index",),
    ref=_ungather_ref,
    vjp=(lambda g, index, dim: _gather_op(g, index, dim=dim), None),
    samples=(
        Sample((2, 3), _ROWS, meta={"dim": 0, "shape": (3, 3)}),
        Sample((2, 3), _ROWS, meta={"dim": -1, "shape": (2, 3)}),
        Sample((2, 3), _ROWS, meta={"dim": 1, "shape": (3, 4)}),
        Sample((2, 2), np.array([[0, 2], [1, 1]]), meta={"dim": 0, "shape": (3, 2, 2)}),
        Sample((3,), np.array([3, 0, 3]), meta={"dim": -1, "shape": (3, 4)}),
        Sample((), np.array(0), meta={"dim": 0, "shape": ()}),
        Sample((1, 0), np.zeros((1, 0), np.int64), meta={"dim": 0, "shape": (2, 0)}),
    ),
    methods=(),
)


@function()
def gather(input: Any, dim: int, index: Any) -> Any:
    """One element per entry of `index`: for dim 0, `input[index[i, j], j]`."""
    if len(np.shape(input)) != len(np.shape(index)):
        raise ShapeError(
            f"gather: index {np.shape(index)} must have as many dimensions as {np.shape(input)}"
        )
    return _gather_op(input, index, dim=dim)


@function()
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` in which the other dimensions broadcast; without `dim`, over the flattened input."""
    if dim is None:
        return _gather_op(ops.reshape(input, shape=(-1,)), ops.reshape(indices, shape=(-1,)), dim=0)
    have, wanted = np.shape(input), np.shape(indices)
    d = axis_index(dim, len(have), "take_along_dim")
    if len(have) != len(wanted):
        raise ShapeError(
            f"take_along_dim: input {have} and indices {wanted} must have equally many dimensions"
        )
    rest = shapes.broadcast("take_along_dim", *(s[:d] + s[d + 1 :] for s in (have, wanted)))
    wide = [(*rest[:d], s[d], *rest[d:]) for s in (have, wanted)]
    x, index = (ops.broadcast_to(x, shape=s) for x, s in zip((input, indices), wide))
    return _gather_op(x, index, dim=d)


def _source(op: str, src: Any, index: Any) -> Any:
    """`src` cut or broadcast to the shape of `index`."""
    have, wanted = np.shape(src), np.shape(index)
    if not have:
        return ops.broadcast_to(src, shape=wanted)
    if len(have) != len(wanted) or any(m > n for m, n in zip(wanted, have)):
        raise ShapeError(f"{op}: src {have} must be at least as large as index {wanted}")
    return src if have == wanted else ops.slice(src, index=(*map(slice, wanted), ...))


@function()
def scatter(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of input with src put in: for dim 0, `out[index[i, j], j] = src[i, j]`."""
    shape = np.shape(input)
    d = _check_along("scatter", shape, np.shape(index), dim)
    if not shape:
        return ops.copy_to(input, src)
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in np.shape(index))])
    places[d] = index
    if np.shape(src):
        src = _source("scatter", src, index)
    return ops.index_put(input, places, src)


@function()
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of input with src added: for dim 0, `out[index[i, j], j] += src[i, j]`."""
    values = _source("scatter_add", src, index)
    return ops.add(input, ungather(values, index, dim=dim, shape=np.shape(input)))


# Whole rows along a dimension


@function()
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The entries `index` (a vector of integers) of dimension `dim`."""
    d = axis_index(dim, len(np.shape(input)), "index_select")
    return ops.index(input, index, dims=(d,))


@function()
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """A copy of input with `alpha * source` added at the entries `index` of dimension `dim`."""
    d = axis_index(dim, len(np.shape(input)), "index_add")
    source = source if alpha == 1 else ops.mul(source, alpha)
    return ops.add(input, ops.unindex(source, index, dims=(d,), shape=np.shape(input)))


@function()
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """A copy of input in which the entries `index` of dimension `dim` are those of `source`."""
    d = axis_index(dim, len(np.shape(input)), "index_copy")
    return ops.index_put(input, (index,), source, dims=(d,))


@function()
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of input in which the entries `index` of dimension `dim` are `value`."""
    return index_copy(input, dim, index, value)


@function()
def take(input: Any, index: Any) -> Any:
    """Elements of the flattened input."""
    return ops.index(ops.reshape(input, shape=(-1,)), index, dims=(0,))
