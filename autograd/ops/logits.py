"""Binary cross-entropy of logits x, p = sigmoid(x); `pos_weight` multiplies the positives' term."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes, vmath
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.reduction import (
    reduce,
    reduced,
    run_grad,
    run_loss,
    same_shape,
    share,
    total,
    weighted,
)

sigmoid_, softplus_ = vmath.sigmoid, vmath.softplus


@kernel
def _logits(out, x, target, weight, pos_weight, terms, count):
    one = out.dtype.type(1)
    loss = 0.0
    for start in range(0, x.size, terms.size):
        stop = start + terms.size
        xs, ts = x[start:stop], target[start:stop]
        ws = xs if weight is None else weight[start:stop]
        qs = xs if pos_weight is None else pos_weight[start:stop]
        for i in range(xs.size):
            up = one if pos_weight is None else one + (qs[i] - one) * ts[i]
            term = (one - ts[i]) * xs[i] + up * softplus_(-xs[i])
            terms[i] = term if weight is None else term * ws[i]
        if count is not None:
            loss += total(terms[: xs.size])
    if count is not None:
        out[0] = loss / count


@kernel
def _logits_grad(out, v, x, target, weight, pos_weight, count):
    one = out.dtype.type(1)
    each = one if count is None else out.dtype.type(v[0] / count)
    for i in range(out.size):
        p, t = sigmoid_(x[i]), target[i]
        if pos_weight is not None:
            t = pos_weight[i] * t
            p *= t + one - target[i]
        slope = p - t
        slope = slope if weight is None else slope * weight[i]
        out[i] = slope * v[i] if count is None else slope * each


def _logits_ref(
    x: Any, target: Any, weight: Any = None, pos_weight: Any = None, *, reduction: str = "mean"
) -> Any:
    up = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * x + up * np.logaddexp(0, -x)
    return reduce(loss if weight is None else loss * weight, reduction)


def _logits_grad_ref(
    v: Any, x: Any, target: Any, weight: Any = None, pos_weight: Any = None, *, reduction: str
) -> Any:
    v = v / x.size if reduction == "mean" else v
    q = 1 if pos_weight is None else pos_weight
    up = 1 if pos_weight is None else q * target + 1 - target
    slope = up / (1 + np.exp(-x)) - q * target
    return v * (slope if weight is None else slope * weight)


def _raised(target: Any, pos_weight: Any) -> Any:
    """What sigmoid' is multiplied by: 1 + (pos_weight - 1) t."""
    return ops.add(ops.mul(ops.sub(pos_weight, 1.0), target), 1.0)


def _logits_dtarget(
    g: Any, x: Any, weight: Any, pos_weight: Any, reduction: str, x_shape: shapes.Shape
) -> Any:
    slope = ops.neg(x)
    if pos_weight is not None:
        slope = ops.add(slope, ops.mul(ops.sub(pos_weight, 1.0), ops.softplus(slope)))
    return weighted(ops.mul(share(g, reduction, x_shape), slope), weight)


def _logits_curve(
    g: Any,
    v: Any,
    x: Any,
    target: Any,
    weight: Any,
    pos_weight: Any,
    reduction: str,
    x_shape: shapes.Shape,
) -> Any:
    """The gradient of `binary_cross_entropy_with_logits_grad` for x."""
    p = ops.sigmoid(x)
    g = ops.mul(ops.mul(g, share(v, reduction, x_shape)), ops.mul(p, ops.sub(1.0, p)))
    return weighted(g if pos_weight is None else ops.mul(g, _raised(target, pos_weight)), weight)


def _logits_mixed(
    g: Any, v: Any, x: Any, weight: Any, pos_weight: Any, reduction: str, x_shape: shapes.Shape
) -> Any:
    """The gradient of `binary_cross_entropy_with_logits_grad` for the target."""
    g = weighted(ops.mul(g, share(v, reduction, x_shape)), weight)
    if pos_weight is None:
        return ops.neg(g)
    return ops.mul(g, ops.sub(ops.mul(ops.sub(pos_weight, 1.0), ops.sigmoid(x)), pos_weight))


_METAS: tuple[dict[str, Any], ...] = ({}, {"reduction": "sum"}, {"reduction": "none"})
_WEIGHTS: tuple[tuple[Any, Any], ...] = (
    (None, None),
    ((4,), None),
    (None, (4,)),
    ((3, 4), (3, 1)),
)

binary_cross_entropy_with_logits_grad = op(
    "binary_cross_entropy_with_logits_grad",
    math=r"v\,w\,((1 - t)\,p - q\,t\,(1 - p)), \quad p = \sigma(x)",
    dmath=(
        r"\textstyle\sum g\,w\,((1 - t)\,p - q\,t\,(1 - p))",
        r"g\,v\,w\,(1 + (q - 1)\,t)\,p\,(1 - p)",
        r"g\,v\,w\,((q - 1)\,p - q)",
        None,
        None,
    ),
    kernel=lambda out, v, x, target, weight, pos_weight, *, reduction: run_grad(
        _logits_grad, out, v, (x, target, weight, pos_weight), reduction
    ),
    shape=lambda v, x, target, weight, pos_weight, *, reduction: x,
    types="float",
    ref=_logits_grad_ref,
    vjp=(
        lambda g, x, target, weight, pos_weight, reduction: reduced(
            ops.mul(
                g,
                ops.binary_cross_entropy_with_logits_grad(
                    1.0, x, target, weight, pos_weight, reduction="sum"
                ),
            ),
            reduction,
        ),
        _logits_curve,
        _logits_mixed,
        None,
        None,
    ),
    samples=(
        *(
            Sample(v, (3, 4), (3, 4), *weights, meta={"reduction": reduction})
            for v, reduction in (((), "mean"), ((), "sum"), ((3, 4), "none"))
            for weights in _WEIGHTS
        ),
        Sample((), (), (), None, None, meta={"reduction": "mean"}),
        Sample((2, 0), (2, 0), (2, 0), None, None, meta={"reduction": "none"}),
    ),
    methods=(),
)

binary_cross_entropy_with_logits = op(
    "binary_cross_entropy_with_logits",
    math=r"\mathrm{mean}\,w\,(q\,t \ln(1 + e^{-x}) + (1 - t) \ln(1 + e^x))",
    dmath=(
        r"\frac{g\,w}{n}((1 - t)\,p - q\,t\,(1 - p)), \quad p = \sigma(x)",
        r"\frac{g\,w}{n}(q \ln(1 + e^{-x}) - \ln(1 + e^x))",
        None,
        None,
    ),
    kernel=lambda out, x, target, weight, pos_weight, *, reduction: run_loss(
        _logits, out, (x, target, weight, pos_weight), reduction
    ),
    shape=same_shape("binary_cross_entropy_with_logits"),
    types="float",
    ref=_logits_ref,
    vjp=(
        lambda g, x, target, weight, pos_weight, reduction: (
            ops.binary_cross_entropy_with_logits_grad(
                g, x, target, weight, pos_weight, reduction=reduction
            )
        ),
        _logits_dtarget,
        None,
        None,
    ),
    samples=(
        *(Sample((3, 4), (3, 4), *w, meta=meta) for w in _WEIGHTS for meta in _METAS),
        *(Sample((), (), None, None, meta=meta) for meta in _METAS),
        Sample((100,), (100,), None, None, low=-30.0, high=30.0),
        Sample((2, 0), (2, 0), None, None, meta={"reduction": "sum"}),
    ),
    methods=(),
)
