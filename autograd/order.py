"""Sorting for kernels: stable order along the middle of (outer, n, inner), and the k-th of all.

NaN counts as the largest.  Sorting keeps keys and places side by side in `keys` and `places`, both
(2, n): it merges from one row into the other.
"""

from __future__ import annotations

import numpy as np

from autograd import moves
from autograd.kernel import device, kernel

_RUN = 16
"""Elements sorted by insertion before merging starts."""


@device
def before(v, other, descending):
    """True where v comes strictly before the other."""
    if descending:
        return v > other or (v != v and other == other)
    return v < other or (other != other and v == v)


@device
def _sort(keys, places, descending):
    """Sort row 0; the row in which the result stands."""
    n = keys.shape[1]
    for j in range(n):
        places[0, j] = j
    for start in range(0, n, _RUN):
        for j in range(start + 1, min(start + _RUN, n)):
            v, at = keys[0, j], j
            while at > start and before(v, keys[0, at - 1], descending):
                keys[0, at], places[0, at] = keys[0, at - 1], places[0, at - 1]
                at -= 1
            keys[0, at], places[0, at] = v, j
    a, width = 0, _RUN
    while width < n:
        b = 1 - a
        for start in range(0, n, 2 * width):
            left, right = start, min(start + width, n)
            middle, end = right, min(start + 2 * width, n)
            for k in range(start, end):
                first = right >= end
                if left < middle and not first:
                    first = not before(keys[a, right], keys[a, left], descending)
                at = left if left < middle and first else right
                keys[b, k], places[b, k] = keys[a, at], places[a, at]
                if at == left and left < middle:
                    left += 1
                else:
                    right += 1
        a, width = b, 2 * width
    return a


@kernel
def _order(out, x, keys, places, descending):
    for o in range(x.shape[0]):
        for i in range(x.shape[2]):
            for j in range(x.shape[1]):
                keys[0, j] = x[o, j, i]
            a = _sort(keys, places, descending)
            for j in range(out.shape[1]):
                out[o, j, i] = places[a, j]


@kernel
def _median_places(out, x, keys, places):
    """Where the lower median is; the first NaN where there is one."""
    n = x.shape[1]
    for o in range(x.shape[0]):
        for i in range(x.shape[2]):
            for j in range(n):
                keys[0, j] = x[o, j, i]
            a = _sort(keys, places, False)
            k = (n - 1) // 2
            if keys[a, n - 1] != keys[a, n - 1]:
                k = n - 1
                while k > 0 and keys[a, k - 1] != keys[a, k - 1]:
                    k -= 1
            out[o, i] = places[a, k]


@kernel
def _kth(out, room, k):
    """Hoare's selection; NaN where there is one."""
    for i in range(room.size):
        if room[i] != room[i]:
            out[0] = room[i]
            return
    low, high = 0, room.size - 1
    while low < high:
        a, b, c = room[low], room[(low + high) // 2], room[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while room[i] < pivot:
                i += 1
            while room[j] > pivot:
                j -= 1
            if i <= j:
                room[i], room[j] = room[j], room[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    out[0] = room[k]


def _room(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.empty((2, x.shape[1]), x.dtype), np.empty((2, x.shape[1]), np.int64)


def order(out: np.ndarray, x: np.ndarray, descending: bool) -> None:
    """The places that sort x (outer, n, inner); as many of the first as `out` (outer, k, inner)."""
    _order.run(out, x, *_room(x), descending)


def median_places(out: np.ndarray, x: np.ndarray) -> None:
    """Where in x (outer, n, inner) the lower median is: out (outer, inner)."""
    _median_places.run(out, x, *_room(x))


def kth(out: np.ndarray, x: np.ndarray, k: int) -> None:
    """The k-th smallest, counted from 0, of all elements: out (1,)."""
    room = np.empty(x.size, x.dtype)
    moves.copy(room, x.reshape(-1))
    _kth.run(out, room, k)
