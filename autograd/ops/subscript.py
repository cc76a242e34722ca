"""`x[index]` and `x[index] = value` with integers, slices, None, ..., integer arrays and masks.

What slices select is a view (the op `slice`), what arrays select is a copy (the op `index`).
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autograd import shapes
from autograd.op import function, ops

Dims = tuple[int, ...]


def split_index(shape: shapes.Shape, index: Any) -> tuple[tuple[Any, ...] | None, Dims, list[Any]]:
    """An index in two steps: slices (None where there is nothing to slice), then arrays at `dims`.

    As in PyTorch, integers belong to the first step.  Masks become the places where they are True.
    """
    items = [_item(item) for item in (index if isinstance(index, tuple) else (index,))]
    used = sum(_consumed(item) for item in items)
    if used > len(shape):
        raise IndexError(f"getitem: too many indices: {used} for shape {shape}")
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexError("getitem: an index can have only one ellipsis ('...')")
    basic: list[Any] = []
    dims: list[int] = []
    arrays: list[Any] = []
    axis = place = 0
    for item in items:
        if item is Ellipsis:
            wide = len(shape) - used
            basic.extend([slice(None)] * wide)
            axis, place = axis + wide, place + wide
        elif item is None or isinstance(item, (int, slice)):
            basic.append(item)
            axis, place = axis + (item is not None), place + (not isinstance(item, int))
        else:
            picks = _picks(item, shape[axis : axis + _consumed(item)], axis)
            new = not _consumed(item)  # a 0-d mask: a new dimension, of size 1 or 0
            basic.extend([None] if new else [slice(None)] * len(picks))
            dims.extend(range(place, place + len(picks)))
            arrays.extend(picks)
            axis, place = axis + _consumed(item), place + len(picks)
    sliced = any(item != slice(None) for item in basic)
    return ((*basic, Ellipsis) if sliced else None), tuple(dims), arrays


def _item(item: Any) -> Any:
    """An entry of an index: int, slice, None, Ellipsis, or array or Tensor of integers or truth."""
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        ends = [
            None if e is None else operator.index(e) for e in (item.start, item.stop, item.step)
        ]
        if ends[2] is not None and ends[2] <= 0:
            raise ValueError(
                f"getitem: a slice's step must be greater than 0, not {ends[2]}; see flip"
            )
        return slice(*ends)
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if not hasattr(item, "dtype"):
        if isinstance(item, float):
            raise IndexError(f"getitem: an index must be an integer, not {item}")
        if not hasattr(item, "__iter__"):
            return operator.index(item)
        item = np.asarray(item)
        item = item if item.size else item.astype(np.int64)
    if item.dtype.kind not in "iub":
        raise IndexError(
            f"getitem: an index must be integers, a mask, slices, None or ..., not {item.dtype}"
        )
    return operator.index(item) if item.dtype.kind != "b" and item.shape == () else item


def _consumed(item: Any) -> int:
    """How many dimensions an item of an index uses up."""
    if item is None or item is Ellipsis:
        return 0
    return len(item.shape) if hasattr(item, "dtype") and item.dtype.kind == "b" else 1


def _picks(item: Any, sizes: shapes.Shape, axis: int) -> list[Any]:
    """The integer arrays that an array or a mask stands for."""
    if item.dtype.kind != "b":
        return [item]
    if item.shape == ():
        return [np.zeros(int(bool(item)), np.int64)]
    if item.shape != sizes:
        raise IndexError(
            f"getitem: the mask of shape {item.shape} does not fit sizes {sizes} from dimension"
            f" {axis} on"
        )
    return list(ops.nonzero(item, as_tuple=True))


_ENDS = (int, type(None))


def _slices(index: Any) -> tuple[Any, ...] | None:
    """The index of slices and integers that `index` is; None for any other: 1 us, against 5."""
    items = index if type(index) is tuple else (index,)
    ellipsis = 0
    for item in items:
        if type(item) is slice:
            ends = type(item.start) in _ENDS and type(item.stop) in _ENDS
            if not ends or not (item.step is None or (type(item.step) is int and item.step > 0)):
                return None
        elif item is Ellipsis:
            ellipsis += 1
        elif item is not None and type(item) is not int:
            return None
    return (*items, ...) if ellipsis == 0 else items if ellipsis == 1 else None


@function(methods=("__getitem__",))
def getitem(x: Any, index: Any) -> Any:
    """`x[index]`: a view for integers, slices, None and ...; a copy for arrays and masks."""
    found = _slices(index)
    if found is not None:
        return ops.slice(x, index=found)
    basic, dims, arrays = split_index(np.shape(x), index)
    if basic is not None or not arrays:
        x = ops.slice(x, index=basic or (...,))
    return ops.index(x, *arrays, dims=dims) if arrays else x


def _fitted(value: Any, x: Any, ndim: int) -> Any:
    """A value to assign: in the dtype of x, leading dimensions of size 1 dropped down to `ndim`."""
    if not hasattr(value, "dtype"):
        value = np.asarray(value, x.dtype)
    elif value.dtype != x.dtype:
        value = ops.cast(value, dtype=x.dtype)
    extra = len(np.shape(value)) - ndim
    if extra > 0 and np.shape(value)[:extra] == (1,) * extra:
        value = ops.reshape(value, shape=np.shape(value)[extra:])
    return value


@function(methods=())
def setitem(x: Any, index: Any, value: Any) -> Any:
    """A copy of x in which `x[index]` is `value`, broadcast; differentiable in both."""
    basic, dims, arrays = split_index(np.shape(x), index)
    part = x if basic is None else ops.slice(x, index=basic)
    if arrays:
        ndim = len(np.shape(part)) - len(dims) + max(len(np.shape(a)) for a in arrays)
        part = ops.index_put(part, arrays, _fitted(value, x, ndim), dims=dims)
    else:
        part = ops.copy_to(part, _fitted(value, x, len(np.shape(part))))
    return part if basic is None else ops.put_view(x, part, steps=((ops.slice, {"index": basic}),))
