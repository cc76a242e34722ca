"""Joining tensors (cat, stack) and taking them apart again (split, chunk, unbind)."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.errors import ShapeError
from autograd.op import Sample, function, op, ops, quiet
from autograd.shapes import axis_index


def _part(dim: int, index: Any) -> tuple[Any, ...]:
    """The index of `index` in dimension `dim`."""
    return (slice(None),) * dim + (index, ...)


def _cat_shape(*xs: shapes.Shape, dim: int) -> shapes.Shape:
    first = xs[0]
    if not first:
        raise ShapeError("cat: 0-d tensors cannot be concatenated; use stack()")
    d = axis_index(dim, len(first), "cat")
    for x in xs:
        if len(x) != len(first) or x[:d] != first[:d] or x[d + 1 :] != first[d + 1 :]:
            raise ShapeError(
                f"cat: shapes {first} and {x} do not fit; only sizes of dimension {d} may differ"
            )
    return (*first[:d], sum(x[d] for x in xs), *first[d + 1 :])


def _cat_grad(g: Any, xs_shapes: Any, i: int, dim: int) -> Any:
    d = dim % len(xs_shapes[0])
    start = sum(shape[d] for shape in xs_shapes[:i])
    return ops.slice(g, index=_part(d, slice(start, start + xs_shapes[i][d])))


_cat_op = op(
    "cat",
    math=r"[x_1 \; x_2 \cdots]",
    dmath=(r"g \text{ at the place of } x_i",),
    kernel=lambda out, *xs, dim: quiet.run(np.concatenate, xs, dim, out),
    shape=_cat_shape,
    ref=lambda *xs, dim=0: np.concatenate(xs, dim),
    vjp=(_cat_grad,),
    samples=(
        Sample((2, 3), (4, 3), (1, 3), meta={"dim": 0}),
        Sample((2, 3), (2, 1), meta={"dim": -1}),
        Sample((3,), meta={"dim": 0}),
        Sample((2, 0), (2, 2), meta={"dim": 1}),
    ),
    methods=(),
)


def _stack_shape(*xs: shapes.Shape, dim: int) -> shapes.Shape:
    first = xs[0]
    for x in xs:
        if x != first:
            raise ShapeError(f"stack: shapes {first} and {x} differ; all must be equal")
    d = axis_index(dim, len(first) + 1, "stack")
    return (*first[:d], len(xs), *first[d:])


def _stack(out: np.ndarray, *xs: np.ndarray, dim: int) -> None:
    rows = out if dim == 0 else np.moveaxis(out, dim, 0)
    for i, x in enumerate(xs):
        moves.copy(rows[i, ...], x)


_stack_op = op(
    "stack",
    math=r"(x_1, x_2, \ldots)",
    dmath=(r"g_i",),
    kernel=_stack,
    shape=_stack_shape,
    ref=lambda *xs, dim=0: np.stack(xs, dim),
    vjp=(lambda g, xs_shapes, i, dim: ops.slice(g, index=_part(dim % (len(xs_shapes[0]) + 1), i)),),
    samples=(
        Sample((2, 3), (2, 3), meta={"dim": 0}),
        Sample((2, 3), (2, 3), (2, 3), meta={"dim": -1}),
        Sample((), (), meta={"dim": 0}),
        Sample((2, 0), (2, 0), meta={"dim": 1}),
    ),
    methods=(),
)


def _several(name: str, tensors: Any) -> list[Any]:
    found = list(tensors)
    if not found:
        raise ShapeError(f"{name}: expected a non-empty sequence of tensors")
    return found


@function(methods=())
def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors one after the other along dimension `dim`."""
    xs = _several("cat", tensors)
    kept = [x for x in xs if np.shape(x) != (0,)]  # an empty vector fits any shape, as in PyTorch
    return _cat_op(*(kept if kept and len(kept) < len(xs) else xs), dim=dim)


@function(methods=())
def concat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Alias of `cat`."""
    return cat(tensors, dim)


@function(methods=())
def concatenate(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Alias of `cat`."""
    return cat(tensors, dim)


@function(methods=())
def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors, all of one shape, along a new dimension `dim`."""
    return _stack_op(*_several("stack", tensors), dim=dim)


@function(methods=())
def hstack(tensors: Sequence[Any]) -> Any:
    """Concatenated along dimension 1 (vectors and numbers: along dimension 0)."""
    xs = [ops.reshape(x, shape=(1,)) if np.shape(x) == () else x for x in tensors]
    return cat(xs, 0 if xs and len(np.shape(xs[0])) == 1 else 1)


@function(methods=())
def vstack(tensors: Sequence[Any]) -> Any:
    """Concatenated along dimension 0, vectors and numbers as rows."""
    return cat([ops.reshape(x, shape=(1, -1)) if len(np.shape(x)) < 2 else x for x in tensors], 0)


# Taking apart


def _cut(x: Any, dim: int, ends: Iterable[int]) -> tuple[Any, ...]:
    """The parts of dimension `dim` between 0 and each of the `ends`."""
    bounds = itertools.pairwise(itertools.chain((0,), ends))
    return tuple(ops.slice(x, index=_part(dim, slice(a, max(a, b)))) for a, b in bounds)


@function()
def split(x: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of so many entries of `dim` each (the last may have less), or of the sizes given."""
    shape = np.shape(x)
    d = axis_index(dim, len(shape), "split")
    if isinstance(split_size_or_sections, Iterable):
        sizes = shapes.as_shape(tuple(split_size_or_sections))
        if sum(sizes) != shape[d] or min(sizes, default=0) < 0:
            raise ShapeError(f"split: sizes {sizes} do not add up to {shape[d]} of shape {shape}")
        return _cut(x, d, itertools.accumulate(sizes))
    size = operator.index(split_size_or_sections)
    if size < 0 or (size == 0 and shape[d]):
        raise ShapeError(f"split: split_size must be positive, got {size}")
    parts = max(1, -(-shape[d] // size)) if size else 1
    return _cut(x, d, [min((k + 1) * size, shape[d]) for k in range(parts)])


@function()
def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` views of equal size along `dim`; the last may be smaller."""
    if chunks < 1:
        raise ShapeError(f"chunk: chunks must be at least 1, got {chunks}")
    size = np.shape(x)[axis_index(dim, len(np.shape(x)), "chunk")]
    if not size:
        return _cut(x, axis_index(dim, len(np.shape(x)), "chunk"), [0] * chunks)
    return split(x, -(-size // chunks), dim)


@function()
def tensor_split(x: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views along `dim`: so many of nearly equal size, or cut before each of the indices."""
    shape = np.shape(x)
    d = axis_index(dim, len(shape), "tensor_split")
    n = shape[d]
    if isinstance(indices_or_sections, Iterable):
        cuts = [operator.index(i) for i in indices_or_sections]
        ends = [min(max(i + n if i < 0 else i, 0), n) for i in cuts] + [n]
        starts = [0, *ends[:-1]]
        return tuple(
            ops.slice(x, index=_part(d, slice(a, max(a, b)))) for a, b in zip(starts, ends)
        )
    sections = operator.index(indices_or_sections)
    if sections < 1:
        raise ShapeError(f"tensor_split: sections must be at least 1, got {sections}")
    size, more = divmod(n, sections)
    return _cut(x, d, [(k + 1) * size + min(k + 1, more) for k in range(sections)])


@function()
def unbind(x: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of every entry of dimension `dim`, without that dimension."""
    shape = np.shape(x)
    if not shape:
        raise ShapeError("unbind: a 0-d tensor has no dimension to remove")
    d = axis_index(dim, len(shape), "unbind")
    return tuple(ops.slice(x, index=_part(d, i)) for i in range(shape[d]))


@function(methods=())
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Coordinate grids of vectors: views of shape (n_1, n_2, ...); "xy" exchanges the first two."""
    xs = (
        list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    )
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    if any(len(np.shape(x)) > 1 for x in xs):
        raise ShapeError(f"meshgrid: expected vectors, got {[np.shape(x) for x in xs]}")
    places = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        places[:2] = 1, 0
    sizes = [0] * len(xs)
    for place, x in zip(places, xs):
        sizes[place] = int(np.prod(np.shape(x)))
    return tuple(
        ops.broadcast_to(
            ops.reshape(x, shape=(-1,) + (1,) * (len(xs) - 1 - place)), shape=tuple(sizes)
        )
        for place, x in zip(places, xs)
    )
