"""The op table's samples, made larger: inputs of any size for every op, without a list of ops.

The first sample of an op says what its inputs look like.  Every extent but 1 is multiplied by one
whole number, in the shapes and in the metadata that name shapes, so what fitted still fits: (3, 4)
times (4, 5) becomes (300, 400) times (400, 500).  Values are drawn from the sample's range; arrays
that the sample gives as they are get repeated, and indices drawn anew from the larger range.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.generator import stream
from autograd.op import Op

SIZES = frozenset({"shape", "normalized_shape", "rows", "num_classes", "k"})
"""Metadata that consist of extents."""
PLACES = frozenset({"index", "steps"})
"""Metadata that hold slices."""


@dataclass(eq=False)
class Call:
    """An op with inputs for one call: arrays, None or numbers, and its metadata in full."""

    op: Op
    inputs: list[Any]
    meta: dict[str, Any]

    @property
    def elements(self) -> int:
        """The elements of the largest among the inputs and the result."""
        return _elements(
            self.op, [None if x is None else np.shape(x) for x in self.inputs], self.meta
        )

    @property
    def shapes(self) -> str:
        """The shapes of the inputs, for readers."""
        arrays = [x for x in self.inputs if isinstance(x, np.ndarray)]
        return " ".join("x".join(map(str, a.shape)) or "0-d" for a in arrays)

    def reference(self) -> Any:
        """What the op's NumPy reference gives."""
        return self.op.ref(*self.inputs, **self.meta)


def call_of(op: Op, elements: int = 0) -> Call:
    """A call of `op` with about so many elements; by default as small as its first sample."""
    sample = op.samples[0]
    factor = _factor(op, elements)
    rng = np.random.default_rng(zlib.crc32(op.name.encode()))
    inputs: list[Any] = []
    for place, x in enumerate(sample.inputs):
        if isinstance(x, tuple):
            drawn = rng.uniform(sample.low, sample.high, _grown(x, factor))
            inputs.append(drawn.astype(np.float32))
        elif isinstance(x, (np.ndarray, np.generic)):
            index = op.name_of(place) in op.exempt and x.dtype.kind in "iu"
            inputs.append(_repeated(x, factor, rng if index else None))
        else:
            inputs.append(x)
    meta = _meta(op, factor)
    if "stream" in meta:
        meta["stream"] = stream(None)
    call = Call(op, inputs, meta)
    if op.name in _FIXES:
        _FIXES[op.name](call)
    return call


def _meta(op: Op, factor: int) -> dict[str, Any]:
    """The metadata of the first sample in the op's order, grown."""
    meta = {**op.defaults, **op.samples[0].meta}
    return {name: _grown_meta(name, meta[name], factor) for name in op.names}


def _elements(op: Op, shapes: list[Any], meta: dict[str, Any]) -> int:
    """Of the largest among inputs of these shapes and the result."""
    known = [shape for shape in shapes if shape is not None]
    if op.shape is not None:
        known.append(op.shape(*shapes, **meta))
    elif op.broadcasts:
        known.append(np.broadcast_shapes(*known))
    elif "shape" in meta:  # a view
        known.append(meta["shape"])
    return max((math.prod(shape) for shape in known), default=1)


def _factor(op: Op, elements: int) -> int:
    """The whole number that brings the largest array nearest to so many elements."""
    given = [x if x is None or isinstance(x, tuple) else np.shape(x) for x in op.samples[0].inputs]

    def size(factor: int) -> int:
        grown = [None if s is None else _grown(s, factor) for s in given]
        return _elements(op, grown, _meta(op, factor))

    low, high = 1, 2  # size(low) <= elements < size(high)
    while size(high) <= elements:
        if size(high) == size(low):  # all are 0-d
            return 1
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= elements else (low, middle)
    return high if size(high) - elements < elements - size(low) else low


def _grown(shape: tuple[int, ...], factor: int) -> tuple[int, ...]:
    return tuple(n if n <= 1 else n * factor for n in shape)


def _grown_meta(name: str, value: Any, factor: int) -> Any:
    if name in SIZES:
        return _grown(value, factor) if isinstance(value, tuple) else _grown((value,), factor)[0]
    return _grown_slices(value, factor) if name in PLACES else value


def _grown_slices(value: Any, factor: int) -> Any:
    """The same nesting of tuples and dicts, its slices over `factor` times as many places."""
    if isinstance(value, tuple):
        return tuple(_grown_slices(part, factor) for part in value)
    if isinstance(value, dict):
        return {key: _grown_slices(part, factor) for key, part in value.items()}
    if isinstance(value, slice):
        start, stop = (None if n is None else n * factor for n in (value.start, value.stop))
        return slice(start, stop, value.step)
    return value


def _repeated(x: Any, factor: int, rng: np.random.Generator | None) -> np.ndarray:
    """The values of `x` again and again; with `rng`, indices drawn below what grew as well."""
    x = np.asarray(x, np.float32 if x.dtype.kind == "f" else x.dtype)
    shape = _grown(x.shape, factor)
    if rng is not None and x.size and x.min() >= 0 and factor > 1:
        return rng.integers(0, (int(x.max()) + 1) * factor, shape).astype(x.dtype)
    return np.ascontiguousarray(np.resize(x, shape))


def _fix_searchsorted(call: Call) -> None:
    call.inputs[0] = np.sort(call.inputs[0])


def _fix_nonzero(call: Call) -> None:
    call.meta["count"] = int(np.count_nonzero(call.inputs[0]))


def _fix_shares(call: Call) -> None:
    call.inputs[1] = call.inputs[0].max(axis=call.meta["dim"])


_FIXES: dict[str, Callable[[Call], None]] = {
    "searchsorted": _fix_searchsorted,
    "nonzero_places": _fix_nonzero,
    "tie_shares": _fix_shares,
}
"""Ops whose inputs depend on each other by their values."""
