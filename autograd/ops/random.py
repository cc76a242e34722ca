"""Ops that draw from a random stream.  Their results are constants of the graph.

A call takes one 64-bit key from the stream and computes element i from (key, i): the draws depend
on the stream's position alone, and the loop vectorises.  A mask of 16,384 takes 5 us, drawing them
from the stream one after the other 50.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import uint32 as u32

from autograd.kernel import device, kernel
from autograd.op import Sample, op

_FACTORS = u32(0x7FEB352D), u32(0x846CA68B)


@device
def _mix(h):
    """A permutation of the 32-bit integers without visible structure (C. Wellons, lowbias32)."""
    h = u32(h ^ (h >> u32(16)))
    h = u32(h * _FACTORS[0])
    h = u32(h ^ (h >> u32(15)))
    h = u32(h * _FACTORS[1])
    return u32(h ^ (h >> u32(16)))


@device
def _draw(i, low, high):
    """32 random bits for element i; both halves of the key enter, or near keys would look alike."""
    return u32(_mix(u32(_mix(u32(u32(i) ^ low)) + high)))


@kernel
def _mask(out, low, high, threshold, scale):
    zero, kept = out.dtype.type(0), out.dtype.type(scale)
    low, high, threshold = u32(low), u32(high), u32(threshold)
    for i in range(out.size):
        out[i] = kept if _draw(i, low, high) >= threshold else zero


@kernel
def _uniform(out, low, high, start, width):
    low, high = u32(low), u32(high)
    start, width = out.dtype.type(start), out.dtype.type(width)
    for i in range(out.size):
        # 24 bits, the most that float32 holds exactly
        out[i] = start + width * out.dtype.type(_draw(i, low, high) >> u32(8))


def _key(stream: Any) -> tuple[int, int]:
    """The next 64 bits of the stream, as two halves.  `stream.integers` would cost 2 us more."""
    key = stream.bit_generator.random_raw()
    return key & 0xFFFFFFFF, key >> 32


def _drawn(shape: Any, stream: Any) -> np.ndarray:
    """The draws of a call, in NumPy."""
    low, high = map(u32, _key(stream))
    i = np.arange(np.prod(shape, dtype=int), dtype=u32)
    return _mixed(_mixed(i ^ low) + high).reshape(shape)


def _mixed(h: np.ndarray) -> np.ndarray:
    h = (h ^ (h >> u32(16))) * _FACTORS[0]
    h = (h ^ (h >> u32(15))) * _FACTORS[1]
    return h ^ (h >> u32(16))


def _dropout_mask(out: np.ndarray, x: np.ndarray, *, p: float, stream: Any) -> None:
    if p == 1.0:
        out[...] = 0
    else:
        _mask.run(out.reshape(-1), *_key(stream), int(p * 2**32), 1 / (1 - p))


def _mask_ref(x: np.ndarray, *, p: float, stream: Any) -> np.ndarray:
    return (_drawn(x.shape, stream) >= int(p * 2**32)) / (1 - p) if p < 1 else np.zeros(x.shape)


class _Fixed:
    """A stream of one key, so that the table's tests know the draws."""

    @property
    def bit_generator(self) -> Any:
        return self

    def random_raw(self) -> int:
        return 0x0123456789ABCDEF


dropout_mask = op(
    "dropout_mask",
    math=r"\mathrm{Bernoulli}(1 - p) / (1 - p)",
    kernel=_dropout_mask,
    shape=lambda x, *, p, stream: x,
    ref=_mask_ref,
    samples=tuple(
        Sample(shape, meta={"p": p, "stream": _Fixed()})
        for shape, p in (((30, 4), 0.2), ((), 0.6), ((2, 0), 0.5), ((2,), 1.0))
    ),
    methods=(),
)


def _noise(out: np.ndarray, x: np.ndarray, *, low: float, high: float, stream: Any) -> None:
    _uniform.run(out.reshape(-1), *_key(stream), low, (high - low) * 2**-24)


uniform_noise = op(
    "uniform_noise",
    math=r"\mathrm{U}(a, b)",
    kernel=_noise,
    shape=lambda x, *, low, high, stream: x,
    ref=lambda x, *, low, high, stream: (
        low + (high - low) * 2.0**-24 * (_drawn(x.shape, stream) >> u32(8))
    ),
    samples=tuple(
        Sample(shape, meta={"low": 0.1, "high": 0.5, "stream": _Fixed()})
        for shape in ((30, 4), (), (2, 0))
    ),
    methods=(),
)
