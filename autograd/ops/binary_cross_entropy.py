"""Binary cross-entropy of probabilities: logarithms are at least -100, denominators 1e-12."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes, vmath
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.reduction import (
    reduce,
    reduced,
    require_float,
    run_grad,
    run_loss,
    same_shape,
    share,
    total,
    weighted,
)

log_, log1p_ = vmath.log, vmath.log1p
_TINY = 9.999999960041972e-13  # 1e-12 in float32, which PyTorch takes in float64 too


@kernel
def _bce(out, p, target, weight, terms, count):
    number = out.dtype.type
    low, zero, one, lost = number(-100), number(0), number(1), number(np.nan)
    loss = 0.0
    for start in range(0, p.size, terms.size):
        stop = start + terms.size
        ps, ts = p[start:stop], target[start:stop]
        ws = ps if weight is None else weight[start:stop]
        for i in range(ps.size):
            yes, no = log_(ps[i]), log1p_(-ps[i])
            yes, no = low if yes < low else yes, low if no < low else no
            t = ts[i] if zero <= ts[i] <= one else lost
            term = (t - one) * no - t * yes
            terms[i] = term if weight is None else term * ws[i]
        loss += total(terms[: ps.size])
    if count is not None:
        out[0] = loss / count
    return loss != loss


@kernel
def _bce_grad(out, v, p, target, weight, count):
    one, tiny = out.dtype.type(1), out.dtype.type(_TINY)
    each = one if count is None else out.dtype.type(v[0] / count)
    for i in range(out.size):
        spread = (one - p[i]) * p[i]
        slope = (p[i] - target[i]) / (spread if spread > tiny else tiny)
        slope = slope if weight is None else slope * weight[i]
        out[i] = slope * v[i] if count is None else slope * each


def _run_bce(
    out: np.ndarray, p: np.ndarray, target: np.ndarray, weight: Any, *, reduction: str
) -> None:
    require_float("binary_cross_entropy", out)
    # what is outside [0, 1] has no logarithm, so the loop need only see that the loss is NaN
    if run_loss(_bce, out, (p, target, weight), reduction):
        _check_probabilities(p, target)


def _check_probabilities(p: np.ndarray, target: np.ndarray) -> None:
    for name, values, remedy in (
        ("input", p, "apply sigmoid first, or use binary_cross_entropy_with_logits"),
        ("target", target, "it is a probability too"),
    ):
        wrong = values[~((values >= 0) & (values <= 1))]
        if wrong.size:
            raise RuntimeError(
                f"binary_cross_entropy: all elements of {name} should be between 0 and 1; found"
                f" {wrong[0]}; {remedy}"
            )


def _bce_ref(p: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    require_float("binary_cross_entropy", p)
    _check_probabilities(np.asarray(p), np.asarray(target))
    yes, no = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
    loss = -target * yes - (1 - target) * no
    return reduce(loss if weight is None else loss * weight, reduction)


def _bce_grad_ref(v: Any, p: Any, target: Any, weight: Any = None, *, reduction: str) -> Any:
    v = v / p.size if reduction == "mean" else v
    slope = (p - target) / np.maximum((1 - p) * p, _TINY)
    return v * (slope if weight is None else slope * weight)


def _spread(p: Any) -> Any:
    return ops.clamp(ops.mul(ops.sub(1.0, p), p), min=_TINY)


def _bce_curve(
    g: Any, v: Any, p: Any, target: Any, weight: Any, reduction: str, p_shape: shapes.Shape
) -> Any:
    """The gradient of `binary_cross_entropy_grad` for p: (p (p - 2 t) + t) / (p (1 - p))^2."""
    g = ops.mul(g, share(v, reduction, p_shape))
    top = ops.add(ops.mul(p, ops.sub(p, ops.mul(target, 2.0))), target)
    spread = _spread(p)
    return weighted(ops.mul(g, ops.div(ops.div(top, spread), spread)), weight)


_SIZES = ((3, 4), (), (100,))
_METAS: tuple[dict[str, Any], ...] = ({}, {"reduction": "sum"}, {"reduction": "none"})
_BCE_SAMPLES = (
    *(Sample(s, s, None, low=0.2, high=0.8, meta=m) for s in _SIZES for m in _METAS),
    *(Sample((3, 4), (3, 4), (4,), low=0.2, high=0.8, meta=m) for m in _METAS),
    Sample((2, 0), (2, 0), None, meta={"reduction": "sum"}),
)
_GRAD_SAMPLES = (
    *(
        Sample(v, (3, 4), (3, 4), weight, low=0.2, high=0.8, meta={"reduction": reduction})
        for v, reduction in (((), "mean"), ((), "sum"), ((3, 4), "none"))
        for weight in (None, (3, 4))
    ),
    Sample((), (), (), None, low=0.2, high=0.8, meta={"reduction": "mean"}),
    Sample((2, 0), (2, 0), (2, 0), None, meta={"reduction": "none"}),
)

binary_cross_entropy_grad = op(
    "binary_cross_entropy_grad",
    math=r"v\,w\,\frac{p - t}{p (1 - p)}",
    dmath=(
        r"\textstyle\sum g\,w\,\frac{p - t}{p (1 - p)}",
        r"g\,v\,w\,\frac{p^2 - 2 p t + t}{p^2 (1 - p)^2}",
        r"-\frac{g\,v\,w}{p (1 - p)}",
        None,
    ),
    kernel=lambda out, v, p, target, weight, *, reduction: run_grad(
        _bce_grad, out, v, (p, target, weight), reduction
    ),
    shape=lambda v, p, target, weight, *, reduction: p,
    types="same",
    ref=_bce_grad_ref,
    vjp=(
        lambda g, p, target, weight, reduction: reduced(
            ops.mul(g, ops.binary_cross_entropy_grad(1.0, p, target, weight, reduction="sum")),
            reduction,
        ),
        _bce_curve,
        lambda g, v, p, weight, reduction, p_shape: ops.neg(
            ops.div(weighted(ops.mul(g, share(v, reduction, p_shape)), weight), _spread(p))
        ),
        None,
    ),
    samples=_GRAD_SAMPLES,
    methods=(),
)

binary_cross_entropy = op(
    "binary_cross_entropy",
    math=r"\mathrm{mean}\,w\,(-t \ln p - (1 - t) \ln(1 - p))",
    dmath=(
        r"\frac{g\,w}{n} \cdot \frac{p - t}{p (1 - p)}",
        r"\frac{g\,w}{n} (\ln(1 - p) - \ln p)",
        None,
    ),
    checks=True,
    kernel=_run_bce,
    shape=same_shape("binary_cross_entropy"),
    types="same",
    ref=_bce_ref,
    vjp=(
        lambda g, p, target, weight, reduction: ops.binary_cross_entropy_grad(
            g, p, target, weight, reduction=reduction
        ),
        lambda g, p, weight, reduction, p_shape: weighted(
            ops.mul(share(g, reduction, p_shape), ops.sub(ops.log1p(ops.neg(p)), ops.log(p))),
            weight,
        ),
        None,
    ),
    kink="At p = 0 and p = 1 logarithms are -100 and p (1 - p) is 1e-12.",
    samples=_BCE_SAMPLES,
    methods=(),
)
