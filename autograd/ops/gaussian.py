"""Negative log-likelihood of a normal distribution whose mean and variance a model predicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import shapes, vmath
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.reduction import reduce, reduced_shape, run_loss, share, total

log_ = vmath.log
_CONSTANT = 0.5 * math.log(2 * math.pi)


@kernel
def _gaussian(out, x, target, var, terms, count, eps, constant):
    number = out.dtype.type
    eps, constant = number(eps), number(constant)
    half, zero, lost = number(0.5), number(0), number(np.nan)
    loss, wrong = 0.0, 0
    for start in range(0, x.size, terms.size):
        stop = start + terms.size
        xs, ts, vs = x[start:stop], target[start:stop], var[start:stop]
        for i in range(xs.size):
            d, given = xs[i] - ts[i], vs[i]
            v = eps if given < eps else given
            v = lost if given < zero else v
            wrong += given < zero
            terms[i] = half * (log_(v) + d * d / v) + constant
        if count is not None:
            loss += total(terms[: xs.size])
    if count is not None:
        out[0] = loss / count
    return wrong


def _run(
    out: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    var: np.ndarray,
    *,
    full: bool,
    eps: float,
    reduction: str,
) -> None:
    shape = np.broadcast_shapes(x.shape, target.shape, var.shape)
    x, constant = np.broadcast_to(x, shape), _CONSTANT if full else 0.0
    if run_loss(_gaussian, out, (x, target, var), reduction, float(eps), constant):
        _check_variance(var)


def _check_variance(var: np.ndarray) -> None:
    negative = var[var < 0]
    if negative.size:
        raise ValueError(
            f"gaussian_nll_loss: var has negative entries, such as {negative[0]}; a variance is"
            " >= 0 (softplus or exp of what the model gives is)"
        )


def _ref(
    x: Any,
    target: Any,
    var: Any,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    _check_variance(np.asarray(var))
    v = np.maximum(var, eps)
    loss = 0.5 * (np.log(v) + (x - target) ** 2 / v)
    return reduce(loss + _CONSTANT if full else loss, reduction)


def _pull(g: Any, x: Any, target: Any, var: Any, eps: float) -> Any:
    """The gradient for x."""
    return ops.div(ops.mul(g, ops.sub(x, target)), ops.clamp(var, min=eps))


def _dvar(
    g: Any,
    x: Any,
    target: Any,
    var: Any,
    eps: float,
    reduction: str,
    x_shape: shapes.Shape,
    target_shape: shapes.Shape,
    var_shape: shapes.Shape,
) -> Any:
    """As if the variance were not limited: it can grow back from below eps."""
    g = share(g, reduction, x_shape, target_shape, var_shape)
    v, d = ops.clamp(var, min=eps), ops.sub(x, target)
    slope = ops.sub(1.0, ops.div(ops.mul(d, d), v))
    return ops.div(ops.mul(ops.mul(g, 0.5), slope), v)


gaussian_nll_loss = op(
    "gaussian_nll_loss",
    math=r"\mathrm{mean}\,\frac{1}{2}\left(\ln v + \frac{(x - t)^2}{v}\right),"
    r" \quad v = \max(\mathrm{var}, \epsilon)",
    dmath=(
        r"\frac{g}{n} \frac{x - t}{v}",
        r"\frac{g}{n} \frac{t - x}{v}",
        r"\frac{g}{2 n v} \left(1 - \frac{(x - t)^2}{v}\right)",
    ),
    checks=True,
    kernel=_run,
    shape=lambda x, target, var, *, full, eps, reduction: reduced_shape(
        "gaussian_nll_loss", shapes.broadcast("gaussian_nll_loss", x, target, var), reduction
    ),
    types="float",
    broadcasts=True,
    ref=_ref,
    vjp=(
        lambda g, x, target, var, eps, reduction, x_shape, target_shape, var_shape: _pull(
            share(g, reduction, x_shape, target_shape, var_shape), x, target, var, eps
        ),
        lambda g, x, target, var, eps, reduction, x_shape, target_shape, var_shape: _pull(
            share(g, reduction, x_shape, target_shape, var_shape), target, x, var, eps
        ),
        _dvar,
    ),
    kink="The limit of the variance has slope 1 on both sides, as in PyTorch.",
    samples=(
        *(
            Sample(*its, low=0.2, meta={"reduction": reduction, "full": full})
            for its in (((3, 4), (3, 4), (3, 4)), ((3, 1), (4,), (3, 1)), ((), (), ()))
            for reduction in ("mean", "sum", "none")
            for full in (False, True)
        ),
        Sample((100,), (100,), (100,), low=0.2),
        Sample((2, 0), (2, 0), (2, 1), low=0.2, meta={"reduction": "sum"}),
    ),
    methods=(),
)
