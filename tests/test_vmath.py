"""The kernels' mathematical functions, against references of about twice their precision.

The bound of a function is read from its docstring, so neither can drift from the other.
TAPEGRAD_EXHAUSTIVE=1 adds every float32 there is: some minutes per function.
"""

from __future__ import annotations

import math
import os
import re

import numpy as np
import pytest

from autograd import vmath
from autograd.kernel import JIT, kernel
from autograd.vmath import erf, exp, expm1, log, log1p, sigmoid, softplus, tanh


@kernel
def _exp(out, x):
    for i in range(x.size):
        out[i] = exp(x[i])


@kernel
def _expm1(out, x):
    for i in range(x.size):
        out[i] = expm1(x[i])


@kernel
def _log(out, x):
    for i in range(x.size):
        out[i] = log(x[i])


@kernel
def _log1p(out, x):
    for i in range(x.size):
        out[i] = log1p(x[i])


@kernel
def _tanh(out, x):
    for i in range(x.size):
        out[i] = tanh(x[i])


@kernel
def _erf(out, x):
    for i in range(x.size):
        out[i] = erf(x[i])


@kernel
def _sigmoid(out, x):
    for i in range(x.size):
        out[i] = sigmoid(x[i])


@kernel
def _softplus(out, x):
    for i in range(x.size):
        out[i] = softplus(x[i])


KERNELS = {
    k.function.__name__[1:]: k
    for k in (_exp, _expm1, _log, _log1p, _tanh, _erf, _sigmoid, _softplus)
}


def wide_erf(x: np.ndarray) -> np.ndarray:
    """erf: the C library's for float64, for longdouble a series of positive terms."""
    if x.dtype == np.float64:
        return np.vectorize(math.erf, otypes=[np.float64])(x)
    a = np.minimum(abs(x), 7)
    term = total = a
    for i in range(1, 250):
        term = term * (2 * a * a / (2 * i + 1))
        total = total + term
    pi = np.longdouble("3.14159265358979323846264338")
    return np.copysign(2 / np.sqrt(pi) * np.exp(-a * a) * total, x)


WIDE = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "tanh")},
    "erf": wide_erf,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
}
"""The references, computed in the type they are given."""

SINGLE, DOUBLE = np.float32, np.float64
WIDER = {SINGLE: np.float64, DOUBLE: np.longdouble}
TINY = {SINGLE: 2.0**-149, DOUBLE: 2.0**-1074}
BREAKS = (1e-8, 1e-17, 0.25, 1 / 3, 0.5, 0.625, math.log(2), 0.75, 0.875, 1.0, 1.5, 2.0, 4.0, 6.0)
EDGES = (10.0, 20.0, 40.0, 87.3365, 88.7228, 103.2789, 103.9721, 708.3964, 709.7827, 745.1332)
"""Where a function changes its formula, or an exponential its kind of result."""

functions = pytest.mark.parametrize("name", list(KERNELS))
precisions = pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=["float32", "float64"])
double_reference = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant <= np.finfo(DOUBLE).nmant,
    reason="longdouble is no wider than double here: no reference for float64",
)
wider = pytest.mark.parametrize(
    "dtype",
    [SINGLE, pytest.param(DOUBLE, marks=double_reference)],
    ids=["float32", "float64"],
)


def run(name: str, x: np.ndarray) -> np.ndarray:
    """The function in a compiled loop (a plain one where the JIT is disabled)."""
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        KERNELS[name].run(out, x)
    return out


def bound(name: str, dtype: type) -> float:
    """The error that the function's docstring promises, in ulp."""
    body = getattr(getattr(vmath, name), dtype.__name__)
    return float(re.search(r"At most ([\d.]+) ulp", body.__doc__)[1])


def ulps(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors of `got` in units in the last place of its type; inf where only one is NaN.

    Infinity counts as 2**maxexp, the number that would come after the largest.
    """
    info, wide = np.finfo(got.dtype), exact.dtype.type
    limit = np.ldexp(wide(1), info.maxexp)
    exact, lost = np.clip(exact, -limit, limit), np.isnan(got) != np.isnan(exact)
    error = abs(np.clip(got.astype(wide), -limit, limit) - exact)
    exponent = np.clip(np.frexp(exact)[1] - 1, info.minexp, info.maxexp - 1)
    return np.where(lost, np.inf, np.nan_to_num(np.ldexp(error, info.nmant - exponent)))


def neighbours(points: tuple[float, ...], dtype: type, reach: int) -> np.ndarray:
    """The numbers up to `reach` steps of `dtype` from each of +-`points`, one row each."""
    bits = {SINGLE: np.int32, DOUBLE: np.int64}[dtype]
    centres = np.array(points, dtype)[:, None].view(bits)
    rows = (centres + np.arange(-reach, reach + 1, dtype=bits)).view(dtype)
    return np.concatenate([rows, -rows[:, ::-1]])


def sample(dtype: type) -> np.ndarray:
    """Numbers of every size and kind, dense where the functions bend."""
    rng = np.random.default_rng(0)
    if dtype is SINGLE:
        everywhere = np.arange(0, 2**32, 4097, dtype=np.uint32).view(dtype)
    else:
        everywhere = rng.integers(0, 2**64, 50_000, dtype=np.uint64).view(dtype)
    parts = [everywhere, neighbours(BREAKS + EDGES, dtype, 50).ravel()]
    for scale in (0.01, 0.5, 1, 1.5, 3, 6, 30, 100, 750):
        parts += [rng.uniform(-scale, scale, 10_000).astype(dtype)]
    parts.append((-1 + 10 ** rng.uniform(-16, 0, 10_000)).astype(dtype))
    info = np.finfo(dtype)
    special = [0.0, info.tiny, TINY[dtype], info.max, np.inf, np.nan]
    x = np.concatenate([*parts, np.array(special, dtype), -np.array(special, dtype)])
    return x if JIT else x[::1009]


@wider
@functions
def test_error_is_within_the_documented_bound(name, dtype):
    """Subnormal, overflowing, infinite and NaN inputs and results included."""
    x = sample(dtype)
    with np.errstate(all="ignore"):
        error = ulps(run(name, x), WIDE[name](x.astype(WIDER[dtype])))
    worst = error.argmax()
    assert error[worst] <= bound(name, dtype), f"{error[worst]:.3f} ulp at {x[worst]!r}"


@pytest.mark.skipif("TAPEGRAD_EXHAUSTIVE" not in os.environ, reason="TAPEGRAD_EXHAUSTIVE=1 runs it")
@functions
def test_error_of_every_float32(name):
    """All 2**32 of them."""
    step = 2**22
    worst = 0.0
    for start in range(0, 2**32, step):
        x = np.arange(start, start + step, dtype=np.uint32).view(SINGLE)
        with np.errstate(all="ignore"):
            worst = max(worst, ulps(run(name, x), WIDE[name](x.astype(DOUBLE))).max())
    assert worst <= bound(name, SINGLE)


SPECIAL = {
    "exp": {-np.inf: 0, -1000: 0, 0: 1, 1000: np.inf, np.inf: np.inf},
    "expm1": {-np.inf: -1, -1000: -1, 0: 0, 1000: np.inf, np.inf: np.inf},
    "log": {-np.inf: np.nan, -1: np.nan, 0: -np.inf, 1: 0, np.inf: np.inf},
    "log1p": {-np.inf: np.nan, -2: np.nan, -1: -np.inf, 0: 0, np.inf: np.inf},
    "tanh": {-np.inf: -1, -1000: -1, 0: 0, 1000: 1, np.inf: 1},
    "erf": {-np.inf: -1, -1000: -1, 0: 0, 1000: 1, np.inf: 1},
    "sigmoid": {-np.inf: 0, -1000: 0, 0: 0.5, 1000: 1, np.inf: 1},
    "softplus": {-np.inf: 0, -1000: 0, 1000: 1000, np.inf: np.inf},
}
"""Zeros compare equal here: their signs have a test of their own."""


@precisions
@functions
def test_special_values(name, dtype):
    """Limits, poles and NaN, exactly."""
    x = np.array([*SPECIAL[name], np.nan], dtype)
    np.testing.assert_array_equal(run(name, x), np.array([*SPECIAL[name].values(), np.nan], dtype))


@precisions
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "erf"])
def test_zeros_keep_their_sign_and_subnormals_their_value(name, dtype):
    """The slope at 0 is 1 (that of erf is 1.13, which rounds to 1 on the least number)."""
    x = np.array([0.0, -0.0, TINY[dtype], -TINY[dtype]], dtype)
    np.testing.assert_array_equal(run(name, x), x)
    np.testing.assert_array_equal(np.signbit(run(name, x)), np.signbit(x))


@precisions
@functions
def test_results_grow_with_the_argument(name, dtype):
    """Every function increases: across a seam by steps of at most one ulp down, else never."""
    seams = neighbours(BREAKS + EDGES, dtype, 50)
    with np.errstate(all="ignore"):
        y = run(name, seams.ravel()).reshape(seams.shape)
        y = y[~np.isnan(y).any(axis=1)]
        assert (y[:, 1:] >= np.nextafter(y[:, :-1], dtype(-np.inf))).all()
    coarse = run(name, np.linspace(-8, 8, 4001).astype(dtype))
    coarse = coarse[np.isfinite(coarse)]
    assert (np.diff(coarse) >= 0).all()


@precisions
@pytest.mark.parametrize(("name", "low"), [("tanh", -1), ("erf", -1), ("sigmoid", 0)])
def test_results_stay_in_range(name, low, dtype):
    """A probability of 1 + 1e-7 would make a later log NaN."""
    y = run(name, sample(dtype))
    y = y[~np.isnan(y)]
    assert low <= y.min()
    assert y.max() <= 1


@precisions
@functions
def test_same_bits_in_the_vector_body_the_remainder_and_plain_python(name, dtype):
    """No contraction, no reordering: compiled and interpreted code agree to the last bit."""
    x = np.random.default_rng(1).normal(scale=3, size=67).astype(dtype)
    x = abs(x) if name == "log" else x
    together = run(name, x)
    function = getattr(vmath, name)
    with np.errstate(all="ignore"):
        plain = np.array([function(v) for v in x])
    assert plain.dtype == dtype
    np.testing.assert_array_equal(plain, together)
    np.testing.assert_array_equal([run(name, x[i : i + 1])[0] for i in range(x.size)], together)


@pytest.mark.skipif(not JIT, reason="the JIT is disabled")
@precisions
@functions
def test_loops_are_inlined_and_vectorised(name, dtype):
    """A function that LLVM calls instead costs ten times as much."""
    import numba

    function = getattr(vmath, name).resolve()

    @numba.njit(nogil=True, error_model="numpy")
    def loop(out, x):
        for i in range(x.size):
            out[i] = function(x[i])

    loop(np.empty(1, dtype), np.ones(1, dtype))
    code = next(iter(loop.inspect_llvm().values()))
    assert not re.search(r"\bcall .*8autograd", code)
    if dtype is SINGLE:  # vectors of two doubles, where there are no wider ones, need not pay
        assert re.search(r"fmul <\d+ x float>", code)
        assert not re.search(r"\bf(mul|add|sub|div) (<\d+ x )?double", code)
