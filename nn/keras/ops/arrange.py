"""Changing shapes, choosing elements, joining and parting."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from autograd.op import ops
from nn.keras.ops.operation import int32, operation, tensor


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


# Shapes


@operation
def reshape(x: Any, newshape: Any) -> Tensor:
    """The elements in another shape; -1 for what follows from the others."""
    return tensor(x).reshape(_shape(newshape))


@operation
def ravel(x: Any) -> Tensor:
    """All elements in one dimension."""
    return tensor(x).reshape(-1)


@operation
def transpose(x: Any, axes: Any = None) -> Tensor:
    """The dimensions in the order `axes`; reversed where it is None."""
    x = tensor(x)
    return x.permute(*(reversed(range(x.ndim)) if axes is None else axes))


@operation
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two dimensions in each other's place."""
    return ops.transpose(tensor(x), dim0=axis1, dim1=axis2)


@operation
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places."""
    return autograd.movedim(tensor(x), source, destination)


@operation
def expand_dims(x: Any, axis: Any) -> Tensor:
    """A new dimension of size 1 at each place of `axis`."""
    out = tensor(x)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = len(out.shape) + len(axes)
    for a in sorted(a % ndim for a in axes):
        out = out.unsqueeze(a)
    return out


@operation
def squeeze(x: Any, axis: Any = None) -> Tensor:
    """Without the dimensions of size 1, or those of `axis`."""
    x = tensor(x)
    if axis is None:
        return x.squeeze()
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    wrong = [a for a in axes if x.shape[a] != 1]
    if wrong:
        raise ValueError(f"Cannot squeeze axis={wrong[0]}, because its size in {x.shape} is not 1")
    return x.squeeze(tuple(axes))


@operation
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """`x` repeated to a larger shape."""
    return ops.broadcast_to(tensor(x), shape=_shape(shape))


@operation
def flip(x: Any, axis: Any = None) -> Tensor:
    """The elements along `axis` in reverse."""
    x = tensor(x)
    dims = tuple(range(x.ndim)) if axis is None else _shape(axis)
    return autograd.flip(x, dims=dims)


@operation
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """The elements moved along `axis`, in at the other end."""
    return ops.roll(tensor(x), shifts=shift, dims=axis)


@operation
def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None
) -> Tensor:
    """(before, after) new elements on each dimension; one pair stands for all."""
    x = tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    if mode != "constant":
        raise ValueError(f'pad: the only mode is "constant"; received {mode!r}')
    flat = [int(n) for before_after in widths[::-1] for n in before_after]
    return autograd.pad(x, flat, value=0.0 if constant_values is None else float(constant_values))


# Joining and parting


@operation
def concatenate(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors one after the other along `axis`."""
    return autograd.cat([tensor(x) for x in xs], dim=axis)


@operation
def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """`x2` after `x1` along `axis`; both flat where it is None."""
    x, y = tensor(x1), tensor(x2)
    if axis is None:
        x, y, axis = x.reshape(-1), y.reshape(-1), 0
    return autograd.cat([x, y], dim=axis)


@operation
def stack(x: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors side by side along a new dimension."""
    return autograd.stack([tensor(t) for t in x], dim=axis)


@operation
def hstack(xs: Sequence[Any]) -> Tensor:
    """Tensors along the second dimension; of one dimension, along the first."""
    return autograd.hstack([tensor(x) for x in xs])


@operation
def vstack(xs: Sequence[Any]) -> Tensor:
    """Tensors along the first dimension; those of one dimension are rows."""
    return autograd.vstack([tensor(x) for x in xs])


@operation
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """The slices along `axis`."""
    return list(autograd.unbind(tensor(x), axis))


@operation
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Equal parts, so many; or parts that end before the given indices."""
    x = tensor(x)
    length = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if length % indices_or_sections:
            raise ValueError(
                f"split: axis {axis} of {x.shape} does not divide into {indices_or_sections} parts"
            )
        ends = [length // indices_or_sections * k for k in range(1, indices_or_sections)]
    else:
        ends = [int(i) for i in indices_or_sections]
    edges = [0, *ends, length]
    sizes = [b - a for a, b in itertools.pairwise(edges)]
    return list(autograd.split(x, sizes, dim=axis))


@operation
def tile(x: Any, repeats: Any) -> Tensor:
    """`x` so many times along each dimension."""
    return autograd.tile(tensor(x), dims=_shape(repeats))


@operation
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element, or slice, so many times."""
    return autograd.repeat_interleave(tensor(x), repeats, axis)


@operation
def meshgrid(*x: Any, indexing: str = "xy") -> list[Tensor]:
    """The coordinates of all points of a grid."""
    return list(autograd.meshgrid(*[tensor(t) for t in x], indexing=indexing))


# Choosing


@operation
def get_item(x: Any, key: Any) -> Tensor:
    """x[key]."""
    if isinstance(key, list) and any(k is None or isinstance(k, (slice, type(...))) for k in key):
        key = tuple(key)  # from JSON, which has no tuples
    return tensor(x)[key]


@operation
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The elements, or slices along `axis`, at `indices`."""
    x, index = tensor(x), tensor(indices)
    if axis is None:
        return x.reshape(-1)[index]
    return x[(slice(None),) * (axis % x.ndim) + (index,)]


@operation
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The element at each index along `axis`."""
    return autograd.take_along_dim(tensor(x), tensor(indices, "int64"), axis)


@operation
def slice_(inputs: Any, start_indices: Any, shape: Any) -> Tensor:
    """The part that begins at `start_indices` and has this shape."""
    ends = [a + n for a, n in zip(start_indices, shape)]
    return tensor(inputs)[tuple(slice(a, b) for a, b in zip(start_indices, ends))]


@operation
def sort(x: Any, axis: int = -1) -> Tensor:
    """In ascending order along `axis`."""
    return autograd.sort(tensor(x), dim=axis)[0]


@operation
def argsort(x: Any, axis: int = -1) -> Tensor:
    """The places of the elements in ascending order, int32."""
    return int32(autograd.argsort(tensor(x), dim=axis, stable=True))


@operation
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest along the last axis, and their places."""
    values, places = autograd.topk(tensor(x), k, dim=-1)
    return values, int32(places)


@operation
def diag(x: Any, k: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with that diagonal."""
    return autograd.diag(tensor(x), k)


@operation
def tril(x: Any, k: int = 0) -> Tensor:
    """What is on and below the diagonal; 0 above."""
    return ops.tril(tensor(x), diagonal=k)


@operation
def triu(x: Any, k: int = 0) -> Tensor:
    """What is on and above the diagonal; 0 below."""
    return ops.triu(tensor(x), diagonal=k)
