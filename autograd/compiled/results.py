"""Results of guarded replays without an allocation: tensors used again once nobody holds them.

A new tensor with its array costs 0.3 us, a seventh of a small step.  So a few are kept; the driver
writes the result into one that has no other reference than from here, and whose words in memory
are all as when it was made (no gradient, no history, no change in place, no weak reference).
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from autograd.compiled import encode
from autograd.tensor import Tensor

COUNT = 0xFFFFFFFF
"""The bits of a reference count, of which CPython 3.12 uses 32."""
SIZE = object.__basicsize__
"""Where in a tuple or a list the number of its items stands."""
ITEMS = SIZE + 8
"""Where in a list the address of its items stands."""
_BODY = object.__basicsize__
_DIMENSIONS = _BODY + 16  # of an array
_KEPT = 2  # one that the caller still holds, and the next


def word(address: int) -> int:
    """The int64 in memory there."""
    return ctypes.c_int64.from_address(address).value


@functools.cache
def slot(name: str) -> int:
    """Where in a Tensor the slot of this name stands; -1 if it cannot be told."""
    t, mark = Tensor.wrap(0.0), object()
    setattr(t, name, mark)
    places = range(object.__basicsize__, Tensor.__basicsize__, 8)
    found = [at for at in places if word(id(t) + at) == id(mark)]
    return found[0] if len(found) == 1 else -1


def tensor_layout() -> list[int]:
    """How the driver tells a Tensor that wants no gradient, and where its array stands."""
    return [id(Tensor), slot("value"), slot("tracked"), id(False)]


class Facts:
    """Rows (address, offset, expected, mask) of a word, or of one `offset` from where it points."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int]] = []

    def word(self, address: int, expected: int, offset: int = -1) -> None:
        """The word at `address`, or `offset` bytes on from where that points to."""
        self.rows.append((address, offset, expected, -1))

    def references(self, thing: int, expected: int) -> None:
        """`thing` is an address: to hold the object itself would change the count."""
        self.rows.append((thing, -1, expected, COUNT))

    def unchanged(self, start: int, stop: int) -> None:
        """All words from `start` to `stop` are what they are now."""
        for address in range(start, stop, 8):
            self.word(address, word(address))

    def table(self) -> np.ndarray:
        """The rows as the driver reads them."""
        return np.array(list(dict.fromkeys(self.rows)), np.int64).reshape(-1, 4)


class Results:
    """Tensors like `model` for the driver to fill, and the table by which it finds a free one."""

    def __init__(self, model: np.ndarray):
        self.tensors = [Tensor.wrap(model.copy()) for _ in range(_KEPT)]
        self.keep = [_facts_of(t).table() for t in self.tensors]
        rows = [
            (encode.address(facts), len(facts), encode.address(t.value))
            for facts, t in zip(self.keep, self.tensors)
        ]
        self.table = np.array(rows, np.int64)
        self.numbers = [
            *(encode.address(self.table), len(rows)),
            *(encode.address(model), model.nbytes),
        ]


def _facts_of(t: Any) -> Facts:
    """That the list of results alone holds `t`, and all of it is as it is now."""
    facts = Facts()
    array, version = id(t.value), id(t.version)
    for thing in (id(t), array, version):
        facts.references(thing, 1)
    facts.unchanged(id(t) + _BODY, id(t) + Tensor.__basicsize__)
    facts.unchanged(array + _BODY, array + np.ndarray.__basicsize__)
    shape = word(array + _DIMENSIONS)
    facts.unchanged(shape, shape + 8 * t.value.ndim)
    facts.word(version + ITEMS, id(0), 0)
    return facts
