"""Copies with the elements in other places: repeat, roll, flip, pad, triangles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, function, op, ops
from autograd.shapes import axis_index


@function()
def contiguous(x: Any) -> Any:
    """Itself where the elements lie in row-major order, else a copy that does."""
    if isinstance(x, np.ndarray):
        return np.ascontiguousarray(x) if x.ndim else x
    return x if x.is_contiguous() else ops.clone(x)


@function()
def repeat(x: Any, *sizes: Any) -> Any:
    """Copies of x side by side, `sizes` along each dimension; more sizes add dimensions."""
    times, shape = shapes.as_shape(sizes), np.shape(x)
    lead = len(times) - len(shape)
    if lead < 0 or min(times, default=0) < 0:
        raise ShapeError(f"repeat: sizes {times} must be at least 0, one per dimension of {shape}")
    shape = (1,) * lead + shape
    apart = tuple(n for size in shape for n in (1, size))
    wide = tuple(n for pair in zip(times, shape) for n in pair)
    copies = ops.clone(ops.broadcast_to(ops.reshape(x, shape=apart), shape=wide))
    return ops.reshape(copies, shape=tuple(a * b for a, b in zip(times, shape)))


@function()
def tile(x: Any, *sizes: Any, dims: Any = None) -> Any:
    """`repeat` in which missing leading sizes are 1."""
    times = shapes.as_shape(sizes) if dims is None else tuple(dims)
    return repeat(x, (1,) * (len(np.shape(x)) - len(times)) + times)


@function()
def repeat_interleave(x: Any, repeats: Any, dim: int | None = None) -> Any:
    """Every entry of dimension `dim` (default: of the flattened x) `repeats` times in a row."""
    if dim is None:
        x, dim = ops.reshape(x, shape=(-1,)), 0
    d = axis_index(dim, len(np.shape(x)), "repeat_interleave")
    size, counts = np.shape(x)[d], np.asarray(repeats)
    if counts.ndim and counts.size not in (1, size):
        raise ShapeError(
            f"repeat_interleave: repeats has {counts.size} entries, dimension {d} has {size}"
        )
    if (counts < 0).any():
        raise ValueError("repeat_interleave: repeats must not be negative")
    places = np.repeat(np.arange(size), counts if counts.size == size else counts.reshape(-1))
    return ops.index(x, places, dims=(d,))


def _roll(out: np.ndarray, x: np.ndarray, *, shifts: Any, dims: Any) -> None:
    if np.size(shifts) != np.size(dims):
        raise ShapeError(f"roll: shifts {shifts} and dims {dims} must be equally many")
    if dims is None or not x.ndim:
        out, x, dims = out.reshape(-1), x.reshape(-1), (0,) * np.size(shifts)
    steps = [0] * x.ndim
    for shift, d in zip(np.ravel(shifts).tolist(), np.ravel(dims).tolist()):
        steps[axis_index(d, x.ndim, "roll")] += shift
    halves = []  # of each dimension: where to, where from
    for n, step in zip(x.shape, steps):
        at = step % max(n, 1)
        halves.append([(slice(at, n), slice(0, n - at))])
        if at:
            halves[-1].append((slice(0, at), slice(n - at, n)))
    for parts in itertools.product(*halves):
        into, taken = zip(*parts)
        moves.copy(out[into], x[taken])


roll = op(
    "roll",
    math=r"x_{i - \mathrm{shift}}",
    dmath=(r"g_{i + \mathrm{shift}}",),
    kernel=_roll,
    shape=lambda x, *, shifts, dims: x,
    ref=lambda x, *, shifts, dims=None: np.roll(x, shifts, dims if np.ndim(x) else None),
    vjp=(
        lambda g, shifts, dims: ops.roll(
            g,
            shifts=tuple(-s for s in shifts) if isinstance(shifts, Iterable) else -shifts,
            dims=dims,
        ),
    ),
    samples=(
        Sample((3, 4), meta={"shifts": 1, "dims": 0}),
        Sample((3, 4), meta={"shifts": (1, -2), "dims": (0, -1)}),
        Sample((3, 4), meta={"shifts": 5}),
        Sample((), meta={"shifts": 1, "dims": 0}),
        Sample((2, 0), meta={"shifts": 1, "dims": 1}),
    ),
)


def _flip(out: np.ndarray, x: np.ndarray, *, dims: Any) -> None:
    axes = shapes.axis_indices(dims, x.ndim, "flip")
    turned: Any = [slice(None, None, -1 if d in axes else 1) for d in range(x.ndim)]
    moves.copy(out, x[(*turned, ...)])


_flip_op = op(
    "flip",
    math=r"x_{n-1-i}",
    dmath=(r"g_{n-1-i}",),
    kernel=_flip,
    shape=lambda x, *, dims: x,
    ref=lambda x, *, dims: np.flip(x, dims),
    vjp=(lambda g, dims: ops.flip(g, dims),),
    samples=(
        Sample((3, 4), meta={"dims": (0,)}),
        Sample((3, 4), meta={"dims": (0, -1)}),
        Sample((), meta={"dims": ()}),
        Sample((2, 0), meta={"dims": (1,)}),
    ),
    methods=(),
)


@function()
def flip(x: Any, *sizes: Any, dims: Any = None) -> Any:
    """A copy in which the order along each of `dims` is reversed."""
    wanted = sizes if dims is None else (dims,)
    return _flip_op(x, dims=shapes.as_shape(wanted))


# Padding

Widths = tuple[tuple[int, int], ...]


def _pad_shape(x: shapes.Shape, *, widths: Widths, value: float) -> shapes.Shape:
    shape = tuple(n + a + b for n, (a, b) in zip(x, widths, strict=True))
    if min(shape, default=0) < 0:
        raise ShapeError(f"pad: {widths} leaves a negative size of shape {x}")
    return shape


def _pad(out: np.ndarray, x: np.ndarray, *, widths: Widths, value: float) -> None:
    """A negative width crops, so padding is its own kind of gradient."""
    moves.fill(out, value)
    into: Any = tuple(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(out.shape, widths))
    taken: Any = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths))
    moves.copy(out[into or ...], x[taken or ...])


def _pad_ref(x: np.ndarray, *, widths: Widths, value: float = 0.0) -> np.ndarray:
    for axis, (a, b) in enumerate(widths):
        keep = np.arange(max(-a, 0), x.shape[axis] - max(-b, 0))
        around = [(0, 0)] * x.ndim
        around[axis] = (max(a, 0), max(b, 0))
        x = np.pad(np.take(x, keep, axis), around, constant_values=value)
    return x


_pad_op = op(
    "pad",
    math=r"x \text{ with a border of value}",
    dmath=(r"g \text{ without the border}",),
    kernel=_pad,
    shape=_pad_shape,
    ref=_pad_ref,
    vjp=(lambda g, widths: _pad_op(g, widths=tuple((-a, -b) for a, b in widths), value=0.0),),
    samples=(
        Sample((3, 4), meta={"widths": ((1, 2), (0, 3)), "value": 1.5}),
        Sample((3, 4), meta={"widths": ((-1, 2), (1, -2))}),
        Sample((), meta={"widths": ()}),
        Sample((2, 0), meta={"widths": ((0, 0), (1, 1))}),
    ),
    methods=(),
)


def _source_places(mode: str, size: int, before: int, after: int) -> np.ndarray:
    """Which entry each place of a padded dimension repeats."""
    limit = {"reflect": size - 1, "circular": size}.get(mode, max(before, after) if size else 0)
    if max(before, after) > limit:
        raise ShapeError(
            f"pad: {mode} padding of {(before, after)} does not fit a dimension of size {size};"
            f" it can be at most {limit}"
        )
    places = np.arange(-before, size + after)
    if mode == "reflect":
        period = max(2 * size - 2, 1)
        return size - 1 - abs(places % period - (size - 1)) if size > 1 else places * 0
    return places % size if mode == "circular" else places.clip(0, max(size - 1, 0))


@function(methods=())
def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """A border around x: `pad` is (before, after) of the last dimension, then of the one before ...

    `mode`: "constant" (of `value`, default 0; a negative width crops), "reflect", "replicate" or
    "circular".
    """
    shape, given = np.shape(x), shapes.as_shape(tuple(pad))
    if len(given) % 2 or len(given) > 2 * len(shape):
        raise ShapeError(
            f"pad: {given} must be pairs (before, after), at most one per dimension of {shape}"
        )
    pairs = list(zip(given[::2], given[1::2]))
    widths = ((0, 0),) * (len(shape) - len(pairs)) + tuple(reversed(pairs))
    if mode == "constant":
        return _pad_op(x, widths=widths, value=0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise ValueError(f"pad: unknown mode {mode!r}; constant, reflect, replicate or circular")
    for d, (before, after) in enumerate(widths):
        if min(before, after) < 0:
            raise ShapeError(f"pad: {mode} padding must not be negative, got {(before, after)}")
        if before or after:
            x = ops.index(x, _source_places(mode, shape[d], before, after), dims=(d,))
    return x


# Triangles


@kernel
def _triangle(out, x, diagonal, upper):
    zero = out.dtype.type(0)
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                inside = j - i >= diagonal if upper else j - i <= diagonal
                out[b, i, j] = x[b, i, j] if inside else zero


def _tri(name: str, upper: bool) -> Any:
    def run(out: np.ndarray, x: np.ndarray, *, diagonal: int) -> None:
        if x.ndim < 2:
            raise ShapeError(f"{name}: expected at least 2 dimensions, got shape {x.shape}")
        flat = (-1 if x.size else 0, *x.shape[-2:])
        _triangle.run(out.reshape(flat), x.reshape(flat), diagonal, upper)

    return run


_TRIANGLES = (
    Sample((3, 4)),
    Sample((2, 4, 3), meta={"diagonal": 1}),
    Sample((3, 3), meta={"diagonal": -1}),
    Sample((0, 3)),
)

tril = op(
    "tril",
    math=r"x_{ij}\,[j - i \le d]",
    dmath=(r"g_{ij}\,[j - i \le d]",),
    kernel=_tri("tril", upper=False),
    shape=lambda x, *, diagonal: x,
    ref=lambda x, *, diagonal=0: np.tril(x, diagonal),
    vjp=(lambda g, diagonal: ops.tril(g, diagonal=diagonal),),
    samples=_TRIANGLES,
)

triu = op(
    "triu",
    math=r"x_{ij}\,[j - i \ge d]",
    dmath=(r"g_{ij}\,[j - i \ge d]",),
    kernel=_tri("triu", upper=True),
    shape=lambda x, *, diagonal: x,
    ref=lambda x, *, diagonal=0: np.triu(x, diagonal),
    vjp=(lambda g, diagonal: ops.triu(g, diagonal=diagonal),),
    samples=_TRIANGLES,
)
