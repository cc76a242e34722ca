"""Views of a tensor: reshape, transpose, permute, broadcast, and what is composed of them.

They share memory with their input, so an in-place change of one is seen in the other.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from autograd import shapes
from autograd.errors import ShapeError
from autograd.op import Sample, function, op, ops
from autograd.shapes import axis_index


def _reshape(x: np.ndarray, *, shape: Any, strict: bool = False) -> np.ndarray:
    try:
        out = x.reshape(shape)
    except ValueError:
        shapes.infer(tuple(shape), x.size, "reshape")  # says what does not fit
        raise
    if min(shape, default=0) < -1:
        shapes.infer(tuple(shape), x.size, "reshape")
    if strict and x.size and not np.may_share_memory(x, out):
        raise RuntimeError(
            f"view: shape {out.shape} is not compatible with the memory of the tensor of shape"
            f" {x.shape}, which is not contiguous; use reshape() instead"
        )
    return out


_reshape_op = op(
    "reshape",
    math=r"x \text{ reshaped}",
    dmath=(r"g \text{ reshaped}",),
    kernel=_reshape,
    view=True,
    ref=lambda x, *, shape, strict=False: np.reshape(x, shape),
    vjp=(lambda g, x_shape: ops.reshape(g, shape=x_shape),),
    samples=(
        Sample((3, 4), meta={"shape": (2, 6)}),
        Sample((3, 4), meta={"shape": (2, -1), "strict": False}),
        Sample((), meta={"shape": (1, 1)}),
        Sample((2, 0), meta={"shape": (0,)}),
    ),
    methods=(),
)

transpose = op(
    "transpose",
    math=r"x^{\top}",
    dmath=(r"g^{\top}",),
    kernel=lambda x, *, dim0, dim1: x.swapaxes(*_both(x, dim0, dim1)) if x.ndim else x,
    view=True,
    ref=lambda x, *, dim0, dim1: np.swapaxes(x, dim0, dim1) if x.ndim else x,
    vjp=(lambda g, dim0, dim1: ops.transpose(g, dim0=dim0, dim1=dim1),),
    samples=(
        Sample((3, 4), meta={"dim0": 0, "dim1": 1}),
        Sample((2, 3, 4), meta={"dim0": -1, "dim1": 0}),
        Sample((), meta={"dim0": 0, "dim1": -1}),
        Sample((2, 0), meta={"dim0": 0, "dim1": 1}),
    ),
    methods=("transpose", "swapaxes", "swapdims"),
)


def _both(x: np.ndarray, dim0: int, dim1: int) -> tuple[int, int]:
    return axis_index(dim0, x.ndim, "transpose"), axis_index(dim1, x.ndim, "transpose")


def _permute(x: np.ndarray, *, dims: tuple[int, ...]) -> np.ndarray:
    order = [axis_index(d, x.ndim, "permute") for d in dims]
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(
            f"permute: dims {tuple(dims)} must name each dimension of shape {x.shape} once"
        )
    return x.transpose(order)


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    order = [d % len(dims) for d in dims]
    return tuple(sorted(range(len(dims)), key=order.__getitem__))


_permute_op = op(
    "permute",
    math=r"x \text{ permuted by } \pi",
    dmath=(r"g \text{ permuted by } \pi^{-1}",),
    kernel=_permute,
    view=True,
    ref=lambda x, *, dims: np.transpose(x, dims),
    vjp=(lambda g, dims: ops.permute(g, dims=_inverse(dims)),),
    samples=(
        Sample((2, 3, 4), meta={"dims": (2, 0, 1)}),
        Sample((2, 3, 4), meta={"dims": (0, -1, 1)}),
        Sample((), meta={"dims": ()}),
        Sample((2, 0), meta={"dims": (1, 0)}),
    ),
    methods=(),
)


@functools.lru_cache(maxsize=4096)
def _wide_strides(have: shapes.Shape, shape: shapes.Shape, itemsize: int) -> Any:
    """Strides of a contiguous array of shape `have` seen as `shape`; None where NumPy is asked."""
    lead = len(shape) - len(have)
    if lead < 0 or 0 in shape or any(a not in (1, b) for a, b in zip(have, shape[lead:])):
        return None
    strides, step = [0] * len(shape), itemsize
    for i in reversed(range(len(have))):
        strides[lead + i] = 0 if have[i] == 1 else step
        step *= have[i]
    return tuple(strides)


def _broadcast_to(x: np.ndarray, *, shape: shapes.Shape) -> np.ndarray:
    """np.broadcast_to costs 4 us; an array made over the same memory 0.5 us."""
    shape = tuple(shape)
    strides = _wide_strides(x.shape, shape, x.itemsize) if x.flags.c_contiguous else None
    if strides is not None:
        out = np.ndarray(shape, x.dtype, x, 0, strides)
        out.flags.writeable = False  # several elements may be one place in memory
        return out
    try:
        return np.broadcast_to(x, shape)
    except ValueError:
        raise ShapeError(
            f"broadcast_to: shape {x.shape} does not expand to {shape}; from the right, sizes must"
            " be equal or 1"
        ) from None


broadcast_to = op(
    "broadcast_to",
    math=r"x \text{ repeated along dimensions of size 1}",
    dmath=(r"\textstyle\sum g \text{ over the repeated dimensions}",),
    kernel=_broadcast_to,
    view=True,
    ref=lambda x, *, shape: np.broadcast_to(x, shape),
    vjp=(lambda g, x_shape: ops.sum_to(g, shape=x_shape),),
    samples=(
        Sample((3, 1), meta={"shape": (2, 3, 4)}),
        Sample((4,), meta={"shape": (3, 4)}),
        Sample((), meta={"shape": (2, 2)}),
        Sample((), meta={"shape": ()}),
        Sample((1, 0), meta={"shape": (3, 0)}),
        Sample((1, 3), meta={"shape": (0, 3)}),
    ),
)


@function(methods=("reshape",))
def reshape(x: Any, *sizes: Any, shape: Any = None) -> Any:
    """The elements in row-major order in another shape; a view if possible; one size may be -1."""
    return _reshape_op(x, shape=shapes.as_shape(sizes) if shape is None else shape)


@function()
def view(x: Any, *sizes: Any) -> Any:
    """`reshape` that never copies: RuntimeError where the memory layout would need a copy."""
    try:
        shape = shapes.as_shape(sizes)
    except TypeError:
        raise TypeError(
            f"view: expected sizes, got {sizes}; to change the dtype use to()"
        ) from None
    return _reshape_op(x, shape=shape, strict=True)


@function()
def view_as(x: Any, other: Any) -> Any:
    """`view` in the shape of `other`."""
    return view(x, np.shape(other))


@function()
def reshape_as(x: Any, other: Any) -> Any:
    """`reshape` to the shape of `other`."""
    return _reshape_op(x, shape=np.shape(other))


@function(methods=("flatten", "ravel"))
def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Dimensions `start_dim` to `end_dim` as one."""
    shape = np.shape(x)
    start = axis_index(start_dim, len(shape), "flatten")
    end = axis_index(end_dim, len(shape), "flatten")
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    size = math.prod(shape[start : end + 1])
    return _reshape_op(x, shape=(*shape[:start], size, *shape[end + 1 :]))


@function(methods=())
def ravel(x: Any) -> Any:
    """All elements in one dimension."""
    return _reshape_op(x, shape=(-1,))


@function()
def unflatten(x: Any, dim: int, sizes: Any) -> Any:
    """Dimension `dim` split into `sizes`, one of which may be -1."""
    shape = np.shape(x)
    d = axis_index(dim, len(shape), "unflatten")
    sizes = shapes.infer(shapes.as_shape((sizes,)), shape[d], "unflatten")
    return _reshape_op(x, shape=(*shape[:d], *sizes, *shape[d + 1 :]))


@function()
def squeeze(x: Any, dim: Any = None) -> Any:
    """Without the dimensions of size 1, or without those of `dim` that have size 1."""
    shape = np.shape(x)
    axes = shapes.axis_indices(dim, len(shape), "squeeze")
    return _reshape_op(x, shape=tuple(n for i, n in enumerate(shape) if n != 1 or i not in axes))


@function()
def unsqueeze(x: Any, dim: int) -> Any:
    """With a dimension of size 1 at `dim`."""
    shape = np.shape(x)
    d = axis_index(dim, len(shape) + 1, "unsqueeze")
    return _reshape_op(x, shape=(*shape[:d], 1, *shape[d:]))


@function()
def permute(x: Any, *sizes: Any, dims: Any = None) -> Any:
    """Dimensions in the order `dims`."""
    return _permute_op(x, dims=shapes.as_shape(sizes) if dims is None else tuple(dims))


@function()
def t(x: Any) -> Any:
    """The transpose of a matrix; a vector or number as it is."""
    ndim = len(np.shape(x))
    if ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got {ndim}; use transpose or mT")
    return transpose(x, dim0=0, dim1=ndim - 1) if ndim == 2 else x


@function(methods=())
def T(x: Any) -> Any:
    """Dimensions in reverse order."""
    ndim = len(np.shape(x))
    if ndim == 2:
        return transpose(x, dim0=0, dim1=1)
    return _permute_op(x, dims=tuple(range(ndim))[::-1])


@function(methods=())
def mT(x: Any) -> Any:
    """The last two dimensions exchanged."""
    if len(np.shape(x)) < 2:
        raise RuntimeError(f"mT: expected at least 2 dimensions, got shape {np.shape(x)}")
    return transpose(x, dim0=-2, dim1=-1)


@function(methods=("movedim", "moveaxis"))
def movedim(x: Any, source: Any, destination: Any) -> Any:
    """Dimensions `source` at the places `destination`, the others in order."""
    ndim = len(np.shape(x))
    given = [(s,) if isinstance(s, int) else tuple(s) for s in (source, destination)]
    came, went = ([axis_index(d, ndim, "movedim") for d in dims] for dims in given)
    if len(came) != len(went) or len(set(came)) < len(came) or len(set(went)) < len(went):
        raise ShapeError(f"movedim: {source} and {destination} must be as many dims, each once")
    rest = iter([d for d in range(ndim) if d not in came])
    placed = dict(zip(went, came))
    return _permute_op(x, dims=tuple(placed[i] if i in placed else next(rest) for i in range(ndim)))


@function()
def expand(x: Any, *sizes: Any) -> Any:
    """Dimensions of size 1 repeated to `sizes`, without copying; -1 keeps a size."""
    wanted, have = shapes.as_shape(sizes), np.shape(x)
    lead = len(wanted) - len(have)
    if lead < 0 or -1 in wanted[:lead]:
        raise ShapeError(
            f"expand: sizes {wanted} do not fit shape {have}: there must be at least as many, and"
            " -1 only stands for a size that exists"
        )
    shape = tuple(have[i - lead] if n == -1 else n for i, n in enumerate(wanted))
    return broadcast_to(x, shape=shape)


@function()
def expand_as(x: Any, other: Any) -> Any:
    """`expand` to the shape of `other`."""
    return broadcast_to(x, shape=np.shape(other))


@function(methods=())
def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Views of all in the shape they broadcast to."""
    shape = shapes.broadcast("broadcast_tensors", *map(np.shape, tensors))
    return tuple(broadcast_to(x, shape=shape) for x in tensors)
