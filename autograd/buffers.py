"""Memory for large results, used again instead of fetched anew.

A fresh 4 MB array costs 4 ms in page faults, a reused one 0.1 ms.  A buffer is free again when no
array looks into it any more, which its reference count tells; nothing has to be given back.
"""

from __future__ import annotations

import sys
import threading

import numpy as np

LARGE = 1 << 16
"""Bytes from which a result comes from the pool; below, `np.empty` costs less than the search."""
LIMIT = 1 << 29
"""Bytes that one thread's pool may hold; beyond it, buffers in use are simply not kept."""


class _Block(np.ndarray):
    """Memory of a pool: an array whose base is a block has no owner outside the engine."""


class _Pool(threading.local):
    def __init__(self) -> None:
        self.blocks: dict[int, list[_Block]] = {}
        self.held = 0


_pool = _Pool()


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised C-contiguous array; a large one may be memory that was used before."""
    fresh = np.empty(shape, dtype)  # not yet touched, so a large one has cost nothing
    if fresh.nbytes < LARGE:
        return fresh
    block = _free_block(fresh.nbytes)
    return fresh if block is None else np.ndarray(shape, dtype, block)


def is_pooled(base: object) -> bool:
    """True for the memory behind an array from `empty` (anything else may have other owners)."""
    return type(base) is _Block


def _free_block(nbytes: int) -> _Block | None:
    """Memory that nothing looks into; None where the pool is full."""
    size = -(-nbytes // LARGE) * LARGE
    bucket = _pool.blocks.setdefault(size, [])
    for i in range(len(bucket)):
        if sys.getrefcount(bucket[i]) == 2:  # the list and the call's own argument: free
            return bucket[i]
    if _pool.held + size > LIMIT:
        _trim()
    if _pool.held + size > LIMIT:
        return None
    _pool.held += size
    bucket.append(_Block((size,), np.uint8))
    return bucket[-1]


def _trim() -> None:
    """Let go of every free buffer of this thread."""
    for bucket in _pool.blocks.values():
        bucket[:] = [b for b in bucket if sys.getrefcount(b) > 3]  # list, loop variable, argument
    _pool.held = sum(size * len(bucket) for size, bucket in _pool.blocks.items())
