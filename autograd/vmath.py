"""Mathematical functions for kernels, free of branches and calls: LLVM vectorises their loops.

LLVM does not vectorise a call into libm; it does vectorise polynomials, selects and integer shifts.
Every bound below is the largest error met, in units in the last place: in float32 over all 2**32
inputs, in float64 over ten million (subnormals, breakpoints and overflow included).  Nothing is
contracted or reordered: a function gives the same bits wherever it is inlined.

The two precisions are written out side by side: they share the method, not the constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import float32 as f32, float64 as f64, int32 as i32, int64 as i64

from autograd.kernel import by_dtype, device


def _table(dtype: Any, *coefficients: float) -> tuple[Any, ...]:
    """Typed constants: an untyped literal would make a float32 kernel compute in float64."""
    return tuple(dtype(c) for c in coefficients)


_INF32, _NAN32, _NORMAL32 = _table(f32, np.inf, np.nan, 2**-126)
_INF64, _NAN64, _NORMAL64 = _table(f64, np.inf, np.nan, 2**-1022)

# Adding it to a small x leaves round(x) in the low bits of the sum: no conversion of float to int,
# which is slow without AVX-512 and undefined for NaN.
_ROUND32, _ROUND64 = f32(1.5 * 2**23), f64(1.5 * 2**52)
_ROUND_BITS32, _ROUND_BITS64 = _ROUND32.view(i32), _ROUND64.view(i64)

# ln 2 in two parts; an exponent times the high part is exact.  (Cephes expf, fdlibm e_exp)
_LOG2E32, _LN2_HIGH32, _LN2_LOW32 = _table(f32, 1.44269504088896341, 0.693359375, -2.1219444005e-4)
_LOG2E64, _LN2_HIGH64, _LN2_LOW64 = _table(
    f64, 1.44269504088896341, 6.93147180369123816490e-01, 1.90821492927058770002e-10
)

# Mantissas are taken in [3/4, 3/2): with a pivot of sqrt(1/2), the f of log1p would not be exact.
_PIVOT_BITS32, _PIVOT_BITS64 = f32(0.75).view(i32), f64(0.75).view(i64)

# fmt: off
# (exp(r) - 1 - r) / r**2 on |r| <= ln(2)/2.  (Cephes expf)
_EXP32 = _table(f32,
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1)

# (r coth(r / 2) - 2) / r**2 in r**2, on |r| <= ln(2)/2.  (fdlibm e_exp)
_EXP64 = _table(f64,
    4.13813679705723846039e-08, -1.65339022054652515390e-06, 6.61375632143793436117e-05,
    -2.77777777770155933842e-03, 1.66666666666666019037e-01)

# (log(1 + f) - f + f**2 / 2) / f**3 on [-1/4, 1/2].  (our minimax fit)
_LOG32 = _table(f32,
    -0.0450748466, 0.104630262, -0.131611943, 0.144783944, -0.16647312, 0.199908614,
    -0.250000954, 0.333334506)

# (2 atanh(s) - 2 s) / s**3 in s**2, on |s| <= 1/5.  (fdlibm e_log's form, our minimax fit)
_LOG64 = _table(f64,
    0.15373732788228311, 0.15249475862101183, 0.1818639170291987, 0.22222137631072128,
    0.28571429405955495, 0.39999999996102165, 0.6666666666667282)

# (tanh(x) - x) / x**3 in x**2, on |x| <= 5/8.  (Cephes tanhf and tanh)
_TANH32 = _table(f32,
    -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
    -3.33332819422e-1)
_TANH_P64 = _table(f64,
    -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3)
_TANH_Q64 = _table(f64,
    1.0, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3)

# (erf(x) - x) / x in x**2, on |x| <= 7/8 and |x| <= 1.  (our minimax fits)
_ERF32 = _table(f32,
    -0.000618074904, 0.00502824225, -0.0267890729, 0.112823971, -0.376125455, 0.128379151)
_ERF64 = _table(f64,
    -7.744210590271166e-10, 1.369226340765424e-08, -1.6202030131442517e-07,
    1.6446578539329166e-06, -1.4924668053345998e-05, 0.00012055291307369118,
    -0.0008548325854727707, 0.005223977604594076, -0.026866170642930197, 0.11283791670943083,
    -0.37612638903183493, 0.12837916709551256)

# (log(erfc(x)) + x) / x on [7/8, 4].  (our minimax fit)
_ERFC32 = _table(f32,
    0.000215435619, -0.00322683644, 0.0229277927, -0.105320394, -0.635674238, -0.128527269)

# exp(x**2) erfc(x) = P / Q on [1, 6].  (W. J. Cody, Math. Comp. 23, 1969)
_ERFC_P64 = _table(f64,
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 66.1191906371416295,
    298.635138197400131, 881.95222124176909, 1712.04761263407058, 2051.07837782607147,
    1230.33935479799725)
_ERFC_Q64 = _table(f64,
    1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019,
    3290.79923573345963, 4362.61909014324716, 3439.36767414372164, 1230.33935480374942)
# fmt: on


@device
def _horner(x, coefficients):
    """Polynomial, highest power first; LLVM unrolls the loop."""
    y = coefficients[0]
    for i in range(1, len(coefficients)):
        y = y * x + coefficients[i]
    return y


@device
def _pow2_32(k):
    """2**k, exact, for -126 <= k <= 127."""
    return i32((k + i32(127)) << i32(23)).view(f32)


@device
def _pow2_64(k):
    """2**k, exact, for -1022 <= k <= 1023."""
    return i64((k + i64(1023)) << i64(52)).view(f64)


@device
def _binade32(x):
    """(k, m) with x = 2**k m and m in [3/4, 3/2), for a normal x > 0."""
    bits = f32(x).view(i32)
    k = i32(i32(bits - _PIVOT_BITS32) >> i32(23))
    return k, i32(bits - (k << i32(23))).view(f32)


@device
def _binade64(x):
    """(k, m) with x = 2**k m and m in [3/4, 3/2), for a normal x > 0."""
    bits = f64(x).view(i64)
    k = (bits - _PIVOT_BITS64) >> i64(52)
    return k, i64(bits - (k << i64(52))).view(f64)


@device
def _exp_parts32(x):
    """(k, r, t) with exp(x) = 2**k (1 + r + t), r exact, |r| < 0.35 and |t| < 0.08."""
    rounded = x * _LOG2E32 + _ROUND32
    n = rounded - _ROUND32
    k = i32(f32(rounded).view(i32) - _ROUND_BITS32)
    high, low = x - n * _LN2_HIGH32, n * _LN2_LOW32
    r = high - low
    return k, high, r * r * _horner(r, _EXP32) - low


@device
def _exp_parts64(x):
    """(k, r, t) with exp(x) = 2**k (1 + r + t), r exact, |r| < 0.35 and |t| < 0.08."""
    rounded = x * _LOG2E64 + _ROUND64
    n = rounded - _ROUND64
    k = f64(rounded).view(i64) - _ROUND_BITS64
    high, low = x - n * _LN2_HIGH64, n * _LN2_LOW64
    r = high - low
    # exp(r) = 1 + r + r c / (2 - c): a division here costs less than five more coefficients.
    c = r - r * r * _horner(r * r, _EXP64)
    return k, high, r * c / (f64(2) - c) - low


@device
def _exp32(x):
    """exp(x).  At most 0.9 ulp."""
    x = f32(-104) if x < f32(-104) else f32(89) if x > f32(89) else x
    k, r, t = _exp_parts32(x)
    half = i32(k >> i32(1))  # 2**k in two factors, for k beyond 127 and for gradual underflow
    return (f32(1) + (r + t)) * _pow2_32(half) * _pow2_32(i32(k - half))


@device
def _exp64(x):
    """exp(x).  At most 0.92 ulp."""
    x = f64(-746) if x < f64(-746) else f64(710) if x > f64(710) else x
    k, r, t = _exp_parts64(x)
    half = k >> i64(1)
    return (f64(1) + (r + t)) * _pow2_64(half) * _pow2_64(k - half)


@device
def _expm1_32(x):
    """exp(x) - 1 = (2**k - 1 + 2**k r) + 2**k t.  At most 1.05 ulp."""
    bounded = f32(-20) if x < f32(-20) else f32(89) if x > f32(89) else x
    k, r, t = _exp_parts32(bounded)
    s = _pow2_32(i32(k - i32(1)))  # everything is halved: 2**128 would overflow
    a, b = s - f32(0.5), s * r
    y = a + b
    y_low = b - (y - a)  # what y lost in rounding
    y = f32(2) * (y + (s * t + y_low))
    return x if abs(x) < f32(1e-8) else y


@device
def _expm1_64(x):
    """exp(x) - 1 = (2**k - 1 + 2**k r) + 2**k t.  At most 1.2 ulp."""
    bounded = f64(-40) if x < f64(-40) else f64(710) if x > f64(710) else x
    k, r, t = _exp_parts64(bounded)
    s = _pow2_64(k - i64(1))
    a, b = s - f64(0.5), s * r
    y = a + b
    y_low = b - (y - a)  # what y lost in rounding
    y = f64(2) * (y + (s * t + y_low))
    return x if abs(x) < f64(1e-17) else y


@device
def _log_sum32(n, f):
    """Sum n ln(2) + log(1 + f), for f in [-1/4, 1/2]."""
    z = f * f
    tail = f * z * _horner(f, _LOG32) + n * _LN2_LOW32 - f32(0.5) * z
    return (tail + f) + n * _LN2_HIGH32


@device
def _log_sum64(n, f):
    """Sum n ln(2) + log(1 + f), for f in [-1/4, 1/2], with log(1 + f) = 2 atanh(f / (2 + f))."""
    s = f / (f64(2) + f)
    z = s * s
    h = f64(0.5) * f * f
    tail = s * (h + z * _horner(z, _LOG64)) + n * _LN2_LOW64 - h
    return (tail + f) + n * _LN2_HIGH64


@device
def _log32(x):
    """log(x); -inf at 0, NaN below.  At most 0.95 ulp."""
    subnormal = x < _NORMAL32
    k, m = _binade32(x * f32(2**24) if subnormal else x)
    n = f32(k) - (f32(24) if subnormal else f32(0))
    y = _log_sum32(n, m - f32(1)) if x < _INF32 else x
    return y if x > f32(0) else -_INF32 if x == f32(0) else _NAN32


@device
def _log64(x):
    """log(x); -inf at 0, NaN below.  At most 0.97 ulp."""
    subnormal = x < _NORMAL64
    k, m = _binade64(x * f64(2**54) if subnormal else x)
    n = f64(k) - (f64(54) if subnormal else f64(0))
    y = _log_sum64(n, m - f64(1)) if x < _INF64 else x
    return y if x > f64(0) else -_INF64 if x == f64(0) else _NAN64


@device
def _log1p32(x):
    """log(1 + x) = k ln(2) + log(1 + f), where f = 2**-k x + (2**-k - 1).  At most 1.27 ulp."""
    k, _ = _binade32(f32(1) + x)
    s = _pow2_32(i32(i32(2) - k))  # 4 * 2**-k, since 2**-128 is not normal
    y = _log_sum32(f32(k), f32(0.25) * (s * x) + (f32(0.25) * s - f32(1)))
    y = y if x < _INF32 and abs(x) > f32(1e-8) else x
    return y if x > f32(-1) else -_INF32 if x == f32(-1) else _NAN32


@device
def _log1p64(x):
    """log(1 + x) = k ln(2) + log(1 + f), where f = 2**-k x + (2**-k - 1).  At most 1 ulp."""
    k, _ = _binade64(f64(1) + x)
    s = _pow2_64(i64(2) - k)
    y = _log_sum64(f64(k), f64(0.25) * (s * x) + (f64(0.25) * s - f64(1)))
    y = y if x < _INF64 and abs(x) > f64(1e-17) else x
    return y if x > f64(-1) else -_INF64 if x == f64(-1) else _NAN64


@device
def _tanh32(x):
    """tanh(x) = sign(x) (1 - 2 / (exp(2 |x|) + 1)), a polynomial near 0.  At most 1.31 ulp."""
    a, z = abs(x), x * x
    small = a + a * z * _horner(z, _TANH32)
    bounded = f32(10) if a > f32(10) else a
    k, r, t = _exp_parts32(bounded + bounded)
    e = (f32(1) + (r + t)) * _pow2_32(k)
    y = f32(1) - f32(2) / (e + f32(1))
    return np.copysign(small if a < f32(0.625) else y, x)


@device
def _tanh64(x):
    """tanh(x) = sign(x) (1 - 2 / (exp(2 |x|) + 1)), a rational near 0.  At most 1.31 ulp."""
    a, z = abs(x), x * x
    small = a < f64(0.625)
    bounded = f64(20) if a > f64(20) else a
    k, r, t = _exp_parts64(bounded + bounded)
    e = (f64(1) + (r + t)) * _pow2_64(k)
    p = a * z * _horner(z, _TANH_P64) if small else f64(-2)
    q = _horner(z, _TANH_Q64) if small else e + f64(1)
    return np.copysign((a if small else f64(1)) + p / q, x)


@device
def _erf32(x):
    """erf(x) = sign(x) (1 - exp(polynomial)), a polynomial near 0.  At most 1.17 ulp."""
    a, z = abs(x), x * x
    small = a + a * _horner(z, _ERF32)
    bounded = f32(4) if a > f32(4) else a
    k, r, t = _exp_parts32(bounded * _horner(bounded, _ERFC32) - bounded)
    y = f32(1) - (f32(1) + (r + t)) * _pow2_32(k)
    return np.copysign(small if a < f32(0.875) else y, x)


@device
def _erf64(x):
    """erf(x) = sign(x) (1 - exp(-x**2) P / Q), a polynomial near 0.  At most 1.35 ulp."""
    a, z = abs(x), x * x
    small = a + a * _horner(z, _ERF64)
    bounded = f64(6) if a > f64(6) else a
    k, r, t = _exp_parts64(-(bounded * bounded))
    e = (f64(1) + (r + t)) * _pow2_64(k)
    y = f64(1) - e * _horner(bounded, _ERFC_P64) / _horner(bounded, _ERFC_Q64)
    return np.copysign(small if a < f64(1) else y, x)


@device
def _sigmoid32(x):
    """1 / (1 + exp(-x)): w = 1 / (1 + exp(|x|)) or 1 - w.  At most 1.36 ulp."""
    a = abs(x)
    k, r, t = _exp_parts32(f32(104) if a > f32(104) else a)
    one = f32(2**-24)  # everything is scaled by 2**-24: exp(104) would overflow
    s = _pow2_32(i32(k - i32(24)))
    b, c = s * (r + t), s + one
    d = c + b
    d_low = ((s - c) + one) + ((c - d) + b)  # what c and d lost in rounding
    w = f32(1) / d
    w = one * (w - w * (w * d_low))
    return w if x < f32(0) else f32(1) - w


@device
def _sigmoid64(x):
    """1 / (1 + exp(-x)): w = 1 / (1 + exp(|x|)) or 1 - w.  At most 1.4 ulp."""
    a = abs(x)
    k, r, t = _exp_parts64(f64(746) if a > f64(746) else a)
    one = f64(2**-54)
    s = _pow2_64(k - i64(54))
    b, c = s * (r + t), s + one
    d = c + b
    d_low = ((s - c) + one) + ((c - d) + b)  # what c and d lost in rounding
    w = f64(1) / d
    w = one * (w - w * (w * d_low))
    return w if x < f64(0) else f64(1) - w


@device
def _softplus32(x):
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).  At most 1.6 ulp."""
    e = _exp32(-abs(x))
    upper = e > f32(0.5)
    n, f = f32(1) if upper else f32(0), f32(0.5) * e - f32(0.5) if upper else e
    return (x if x > f32(0) else f32(0)) + _log_sum32(n, f)


@device
def _softplus64(x):
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).  At most 1.62 ulp."""
    e = _exp64(-abs(x))
    upper = e > f64(0.5)
    n, f = f64(1) if upper else f64(0), f64(0.5) * e - f64(0.5) if upper else e
    return (x if x > f64(0) else f64(0)) + _log_sum64(n, f)


exp = by_dtype("exp", float32=_exp32, float64=_exp64)
expm1 = by_dtype("expm1", float32=_expm1_32, float64=_expm1_64)
log = by_dtype("log", float32=_log32, float64=_log64)
log1p = by_dtype("log1p", float32=_log1p32, float64=_log1p64)
tanh = by_dtype("tanh", float32=_tanh32, float64=_tanh64)
erf = by_dtype("erf", float32=_erf32, float64=_erf64)
sigmoid = by_dtype("sigmoid", float32=_sigmoid32, float64=_sigmoid64)
softplus = by_dtype("softplus", float32=_softplus32, float64=_softplus64)
