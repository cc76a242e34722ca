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
from autograd.vmath import log as _log_of

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


_NEAR = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 2.1858087e-04,
    -1.25372503e-03, -4.17768164e-03, 0.246640727, 1.50140941,
)  # fmt: skip
_FAR = (
    -2.00214257e-04, 1.00950558e-04, 1.34934322e-03, -3.67342844e-03, 5.73950773e-03,
    -7.6224613e-03, 9.43887047e-03, 1.00167406, 2.83297682,
)  # fmt: skip
"""erfinv(x) / x as polynomials in w = -log(1 - x^2): in w - 2.5 where w < 5, in sqrt(w) - 3 beyond.
(M. Giles 2012, "Approximating the erfinv function")"""


@device
def _deviate(bits, like):
    """A standard normal number of 32 random bits, to 1e-6: sqrt(2) erfinv, and a bit for its sign.

    With p in (0, 1/2) the argument is 1 - 2p, and w = -log(4 p (1 - p)) loses nothing in the tails.
    """
    real = like.dtype.type
    p = (real(bits >> u32(1)) + real(0.5)) * real(2.0**-32)
    w = -_log_of(real(4.0) * p * (real(1.0) - p))
    near, far = w - real(2.5), np.sqrt(w) - real(3.0)
    a, b = real(_NEAR[0]), real(_FAR[0])
    for k in range(1, 9):
        a, b = a * near + real(_NEAR[k]), b * far + real(_FAR[k])
    z = real(1.4142135623730951) * (a if w < real(5.0) else b) * (real(1.0) - real(2.0) * p)
    return -z if bits & u32(1) else z


@kernel
def _normal(out, low, high, mean, std):
    low, high = u32(low), u32(high)
    mean, std = out.dtype.type(mean), out.dtype.type(std)
    for i in range(out.size):
        out[i] = mean + std * _deviate(_draw(i, low, high), out)


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


def _normal_noise(out: np.ndarray, x: np.ndarray, *, mean: float, std: float, stream: Any) -> None:
    _normal.run(out.reshape(-1), *_key(stream), mean, std)


def _normal_ref(x: np.ndarray, *, mean: float, std: float, stream: Any) -> np.ndarray:
    bits = _drawn(x.shape, stream)
    p = ((bits >> u32(1)) + 0.5) * 2.0**-32
    w = -np.log(4 * p * (1 - p))
    z = np.where(w < 5, np.polyval(_NEAR, w - 2.5), np.polyval(_FAR, np.sqrt(w) - 3))
    return mean + std * np.sqrt(2) * z * (1 - 2 * p) * np.where(bits & u32(1), -1, 1)


normal_noise = op(
    "normal_noise",
    math=r"\mathrm{N}(\mu, \sigma^2)",
    kernel=_normal_noise,
    shape=lambda x, *, mean, std, stream: x,
    ref=_normal_ref,
    samples=tuple(
        Sample(shape, meta={"mean": 0.1, "std": 0.5, "stream": _Fixed()})
        for shape in ((30, 4), (), (2, 0))
    ),
    methods=(),
)
