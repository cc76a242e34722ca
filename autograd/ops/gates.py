"""SiLU, Mish and GLU: the input times something between 0 and 1, with fused backward ops.

In `*_grad` ops, `v` is the gradient that arrives at the activation and `x` its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.vmath import sigmoid as _sigmoid_of, softplus as _softplus_of, tanh as _tanh_of

_ONE = (Sample((3, 4)), Sample(()), Sample((2, 0)))
_GRAD = (Sample((3, 4), (3, 4)), Sample((), ()), Sample((2, 0), (2, 0)))


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@kernel
def _silu(out, x):
    for i in range(x.size):
        out[i] = x[i] * _sigmoid_of(x[i])


silu = op(
    "silu",
    math=r"x\,\sigma(x)",
    dmath=(r"g\,\sigma(x)\,(1 + x\,\sigma(-x))",),
    kernel=_silu,
    types="float",
    ref=lambda x: x * _logistic(x),
    vjp=(lambda g, x: ops.silu_grad(g, x),),
    samples=_ONE,
    methods=(),
)


@kernel
def _silu_grad(out, v, x):
    one = out.dtype.type(1)
    for i in range(out.size):
        s = _sigmoid_of(x[i])
        out[i] = v[i] * (s * (one + x[i] * (one - s)))


def _silu_curve(g: Any, v: Any, x: Any) -> Any:
    """The curvature g v s (1 - s) (2 + x (1 - 2 s)), s = sigmoid(x)."""
    s = ops.sigmoid(x)
    bend = ops.add(ops.mul(x, ops.add(ops.mul(s, -2.0), 1.0)), 2.0)
    return ops.mul(ops.sigmoid_grad(ops.mul(g, v), s), bend)


silu_grad = op(
    "silu_grad",
    math=r"v\,\sigma(x)\,(1 + x\,\sigma(-x))",
    dmath=(
        r"g\,\sigma(x)\,(1 + x\,\sigma(-x))",
        r"g\,v\,\sigma(x)\,\sigma(-x)\,(2 + x\,(1 - 2\sigma(x)))",
    ),
    kernel=_silu_grad,
    ref=lambda v, x: v * _logistic(x) * (1 + x * (1 - _logistic(x))),
    vjp=(lambda g, x: ops.silu_grad(g, x), _silu_curve),
    samples=_GRAD,
    methods=(),
)


@kernel
def _mish(out, x):
    for i in range(x.size):
        out[i] = x[i] * _tanh_of(_softplus_of(x[i]))


mish = op(
    "mish",
    math=r"x \tanh(\ln(1 + e^{x}))",
    dmath=(r"g\,(t + x\,\sigma(x)\,(1 - t^2)),\ t = \tanh(\ln(1 + e^{x}))",),
    kernel=_mish,
    types="float",
    ref=lambda x: x * np.tanh(np.logaddexp(0, x)),
    vjp=(lambda g, x: ops.mish_grad(g, x),),
    samples=_ONE,
    methods=(),
)


@kernel
def _mish_grad(out, v, x):
    one = out.dtype.type(1)
    for i in range(out.size):
        t = _tanh_of(_softplus_of(x[i]))
        out[i] = v[i] * (t + x[i] * _sigmoid_of(x[i]) * (one - t * t))


def _mish_grad_ref(v: np.ndarray, x: np.ndarray) -> np.ndarray:
    t = np.tanh(np.logaddexp(0, x))
    return v * (t + x * _logistic(x) * (1 - t * t))


def _mish_curve(g: Any, v: Any, x: Any) -> Any:
    """The curvature g v s (1 - t^2) (2 + x (1 - s - 2 t s)), t = tanh(softplus(x))."""
    s, t = ops.sigmoid(x), ops.tanh(ops.neg(ops.logsigmoid(ops.neg(x))))
    bend = ops.sub(ops.sub(1.0, s), ops.mul(ops.mul(t, s), 2.0))
    return ops.mul(ops.tanh_grad(ops.mul(ops.mul(g, v), s), t), ops.add(ops.mul(x, bend), 2.0))


mish_grad = op(
    "mish_grad",
    math=r"v\,(t + x\,\sigma(x)\,(1 - t^2)),\ t = \tanh(\ln(1 + e^{x}))",
    dmath=(
        r"g\,(t + x\,\sigma(x)\,(1 - t^2))",
        r"g\,v\,s\,(1 - t^2)\,(2 + x\,(1 - s - 2 t s)),\ s = \sigma(x)",
    ),
    kernel=_mish_grad,
    ref=_mish_grad_ref,
    vjp=(lambda g, x: ops.mish_grad(g, x), _mish_curve),
    samples=_GRAD,
    methods=(),
)


def _halved(x: shapes.Shape, *, dim: int) -> shapes.Shape:
    """The shape with the size of `dim` halved."""
    if not x:
        raise ShapeError("glu: a 0-d tensor has no dimension to halve")
    d = shapes.axis_index(dim, len(x), "glu")
    if x[d] % 2:
        raise ShapeError(f"glu: dimension {dim} of {x} must be even, but its size is {x[d]}")
    return (*x[:d], x[d] // 2, *x[d + 1 :])


def _halves(x: np.ndarray, dim: int) -> np.ndarray:
    """A contiguous `x` as (outer, 2, inner)."""
    d = dim % x.ndim
    outer = shapes.numel(x.shape[:d])
    return x.reshape(outer, 2, x.size // (2 * outer) if outer else 0)


@kernel
def _glu_loop(out, x):
    for i in range(x.shape[0]):
        for j in range(x.shape[2]):
            out[i, j] = x[i, 0, j] * _sigmoid_of(x[i, 1, j])


def _glu(out: np.ndarray, x: np.ndarray, *, dim: int) -> None:
    x = _halves(x, dim)
    _glu_loop.run(out.reshape(x.shape[0], x.shape[2]), x)


def _glu_ref(x: np.ndarray, *, dim: int = -1) -> np.ndarray:
    a, b = np.split(x, 2, dim)
    return a / (1 + np.exp(-b))


glu = op(
    "glu",
    math=r"a\,\sigma(b),\ x = (a, b)",
    dmath=(r"(g\,\sigma(b),\ g\,a\,\sigma(b)\,\sigma(-b))",),
    kernel=_glu,
    shape=_halved,
    types="float",
    ref=_glu_ref,
    vjp=(lambda g, x, dim: ops.glu_grad(g, x, dim=dim),),
    samples=(
        Sample((3, 4)),
        Sample((4, 3), meta={"dim": 0}),
        Sample((2, 4, 2), meta={"dim": 1}),
        Sample((2, 0)),
        Sample((0, 2)),
    ),
    methods=(),
)


@kernel
def _glu_grad_loop(out, v, x):
    one = out.dtype.type(1)
    for i in range(x.shape[0]):
        for j in range(x.shape[2]):
            s = _sigmoid_of(x[i, 1, j])
            out[i, 0, j] = v[i, j] * s
            out[i, 1, j] = v[i, j] * x[i, 0, j] * (s * (one - s))


def _glu_grad(out: np.ndarray, v: np.ndarray, x: np.ndarray, *, dim: int) -> None:
    x = _halves(x, dim)
    _glu_grad_loop.run(_halves(out, dim), v.reshape(x.shape[0], x.shape[2]), x)


def _glu_grad_ref(v: np.ndarray, x: np.ndarray, *, dim: int = -1) -> np.ndarray:
    a, b = np.split(x, 2, dim)
    s = 1 / (1 + np.exp(-b))
    return np.concatenate([v * s, v * a * s * (1 - s)], dim)


def _glu_grad_v(g: Any, x: Any, dim: int) -> Any:
    """The transpose: g_a s + g_b a s (1 - s), s = sigmoid(b)."""
    (ga, gb), (a, b) = ops.chunk(g, 2, dim), ops.chunk(x, 2, dim)
    s = ops.sigmoid(b)
    return ops.add(ops.mul(ga, s), ops.sigmoid_grad(ops.mul(gb, a), s))


def _glu_grad_x(g: Any, v: Any, x: Any, dim: int) -> Any:
    """For a: g_b v s'; for b: g_a v s' + g_b a v s' (1 - 2 s)."""
    (ga, gb), (a, b) = ops.chunk(g, 2, dim), ops.chunk(x, 2, dim)
    s = ops.sigmoid(b)
    slope = ops.sigmoid_grad(v, s)
    bend = ops.mul(ops.mul(gb, a), ops.add(ops.mul(s, -2.0), 1.0))
    return ops.cat([ops.mul(gb, slope), ops.mul(ops.add(ga, bend), slope)], dim)


glu_grad = op(
    "glu_grad",
    math=r"(v\,\sigma(b),\ v\,a\,\sigma(b)\,\sigma(-b)),\ x = (a, b)",
    dmath=(
        r"g_a\,\sigma(b) + g_b\,a\,\sigma'(b)",
        r"(g_b\,v\,\sigma'(b),\ g_a\,v\,\sigma'(b) + g_b\,a\,v\,\sigma''(b))",
    ),
    kernel=_glu_grad,
    shape=lambda v, x, *, dim: x,
    ref=_glu_grad_ref,
    vjp=(_glu_grad_v, _glu_grad_x),
    samples=(
        Sample((3, 2), (3, 4)),
        Sample((2, 3), (4, 3), meta={"dim": 0}),
        Sample((2, 2, 2), (2, 4, 2), meta={"dim": 1}),
        Sample((2, 0), (2, 0)),
        Sample((0, 1), (0, 2)),
    ),
    methods=(),
)
