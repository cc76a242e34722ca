"""GELU, exact and by the tanh approximation, with a fused backward op."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import shapes
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.vmath import erf as _erf_of, exp as _exp_of, tanh as _tanh_of

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
_K = math.sqrt(2.0 / math.pi)
_C = 0.044715
_TANH = {"approximate": "tanh"}


@kernel
def _gelu_erf(out, x):
    half, one, root = out.dtype.type(0.5), out.dtype.type(1), out.dtype.type(_SQRT_HALF)
    for i in range(x.size):
        out[i] = half * x[i] * (one + _erf_of(x[i] * root))


@kernel
def _gelu_tanh(out, x):
    half, one = out.dtype.type(0.5), out.dtype.type(1)
    k, c = out.dtype.type(_K), out.dtype.type(_C)
    for i in range(x.size):
        u = k * (x[i] + c * (x[i] * x[i] * x[i]))
        out[i] = half * x[i] * (one + _tanh_of(u))


@kernel
def _gelu_erf_grad(out, v, x):
    half, one, root = out.dtype.type(0.5), out.dtype.type(1), out.dtype.type(_SQRT_HALF)
    density = out.dtype.type(_DENSITY)
    for i in range(out.size):
        below = half * (one + _erf_of(x[i] * root))
        out[i] = v[i] * (below + x[i] * (density * _exp_of(-half * x[i] * x[i])))


@kernel
def _gelu_tanh_grad(out, v, x):
    half, one, three = out.dtype.type(0.5), out.dtype.type(1), out.dtype.type(3)
    k, c = out.dtype.type(_K), out.dtype.type(_C)
    for i in range(out.size):
        square = x[i] * x[i]
        t = _tanh_of(k * (x[i] + c * (square * x[i])))
        du = k * (one + three * c * square)
        out[i] = v[i] * (half * (one + t) + half * x[i] * (one - t * t) * du)


def _gelu_shape(x: shapes.Shape, *, approximate: str) -> shapes.Shape:
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return x


def _gelu(out: np.ndarray, x: np.ndarray, *, approximate: str) -> None:
    loop = _gelu_tanh if approximate == "tanh" else _gelu_erf
    loop.run(out.reshape(-1), x.reshape(-1))


def _gelu_grad(out: np.ndarray, v: np.ndarray, x: np.ndarray, *, approximate: str) -> None:
    loop = _gelu_tanh_grad if approximate == "tanh" else _gelu_erf_grad
    loop.run(out.reshape(-1), v.reshape(-1), x.reshape(-1))


def _erf_ref(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def _gelu_ref(x: np.ndarray, *, approximate: str = "none") -> np.ndarray:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(_K * (x + _C * x**3)))
    return 0.5 * x * (1 + _erf_ref(x * _SQRT_HALF))


def _gelu_grad_ref(v: np.ndarray, x: np.ndarray, *, approximate: str = "none") -> np.ndarray:
    if approximate == "tanh":
        t = np.tanh(_K * (x + _C * x**3))
        return v * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * _K * (1 + 3 * _C * x * x))
    return v * (0.5 * (1 + _erf_ref(x * _SQRT_HALF)) + x * _DENSITY * np.exp(-x * x / 2))


def _gelu_curve(g: Any, v: Any, x: Any, approximate: str) -> Any:
    """The curvature g v phi(x) (2 - x^2), or that of the approximation."""
    gv, squared = ops.mul(g, v), ops.square(x)
    if approximate != "tanh":
        density = ops.mul(ops.exp(ops.mul(squared, -0.5)), _DENSITY)
        return ops.mul(ops.mul(gv, density), ops.sub(2.0, squared))
    u = ops.mul(ops.mul(x, ops.add(ops.mul(squared, _C), 1.0)), _K)
    du = ops.mul(ops.add(ops.mul(squared, 3.0 * _C), 1.0), _K)
    ddu = ops.mul(x, 6.0 * _C * _K)
    t = ops.tanh(u)
    bend = ops.sub(ddu, ops.mul(ops.mul(t, ops.square(du)), 2.0))
    return ops.tanh_grad(ops.mul(gv, ops.add(du, ops.mul(ops.mul(x, bend), 0.5))), t)


gelu = op(
    "gelu",
    math=r"x\,\Phi(x)",
    dmath=(r"g\,(\Phi(x) + x\,\varphi(x))",),
    kernel=_gelu,
    shape=_gelu_shape,
    types="float",
    ref=_gelu_ref,
    vjp=(lambda g, x, approximate: ops.gelu_grad(g, x, approximate=approximate),),
    samples=(Sample((3, 4)), Sample(()), Sample((2, 0)), Sample((3, 4), meta=_TANH)),
    methods=(),
)

gelu_grad = op(
    "gelu_grad",
    math=r"v\,(\Phi(x) + x\,\varphi(x))",
    dmath=(r"g\,(\Phi(x) + x\,\varphi(x))", r"g\,v\,\varphi(x)\,(2 - x^2)"),
    kernel=_gelu_grad,
    shape=lambda v, x, *, approximate: v,
    ref=_gelu_grad_ref,
    vjp=(
        lambda g, x, approximate: ops.gelu_grad(g, x, approximate=approximate),
        _gelu_curve,
    ),
    samples=(
        Sample((3, 4), (3, 4)),
        Sample((), ()),
        Sample((2, 0), (2, 0)),
        Sample((3, 4), (3, 4), meta=_TANH),
    ),
    methods=(),
)
