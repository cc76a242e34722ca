"""Losses of log-probabilities: negative log-likelihood of a class, Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes, vmath
from autograd.classes import (
    MODES,
    by_class,
    class_dim,
    class_numbers,
    index_shape,
    require_classes,
    require_numbers,
)
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.reduction import (
    reduce,
    reduced_shape,
    require_float,
    run_loss,
    share,
    total,
)

exp_, log_ = vmath.exp, vmath.log


@kernel
def _nll(out, log_p, target, weight, mode, ignore):
    inner, total, share, wrong = log_p.shape[2], 0.0, 0.0, 0
    for n in range(log_p.shape[0]):
        for d in range(inner):
            t = target[n * inner + d]
            loss, w = 0.0, 0.0
            if t != ignore:
                if 0 <= t < log_p.shape[1]:
                    w = 1.0 if weight is None else weight[t]
                    loss = -log_p[n, t, d] * w
                else:
                    loss = np.nan
                    wrong += 1
            if mode == 0:
                out[n * inner + d] = loss
            total += loss
            share += w
    if mode > 0:
        out[0] = total / share if mode == 2 else total
    return wrong


@kernel
def _nll_grad(out, v, target, weight, mode, ignore):
    inner, share, zero = out.shape[2], 1.0, out.dtype.type(0)
    if mode == 2:
        share = 0.0
        for t in target:
            if t != ignore and 0 <= t < out.shape[1]:
                share += 1.0 if weight is None else weight[t]
    for n in range(out.shape[0]):
        for c in range(out.shape[1]):
            for d in range(inner):
                out[n, c, d] = zero
        for d in range(inner):
            t = target[n * inner + d]
            if t != ignore:
                if t < 0 or t >= out.shape[1]:
                    return 1
                w = 1.0 if weight is None else weight[t]
                out[n, t, d] = -(v[n * inner + d] if mode == 0 else v[0] / share) * w
    return 0


def _run_nll(
    out: np.ndarray,
    log_p: np.ndarray,
    target: np.ndarray,
    weight: Any,
    *,
    reduction: str,
    ignore_index: int,
) -> None:
    require_float("nll_loss", out)
    log_p, target = by_class(log_p), class_numbers("nll_loss", target)
    if _nll.run(out.ravel(), log_p, target, weight, MODES[reduction], ignore_index):
        require_numbers("nll_loss", target, log_p.shape[1], ignore_index)


def _run_nll_grad(
    out: np.ndarray,
    v: np.ndarray,
    target: np.ndarray,
    weight: Any,
    *,
    shape: shapes.Shape,
    reduction: str,
    ignore_index: int,
) -> None:
    target, into = class_numbers("nll_loss", target), by_class(out)
    if _nll_grad.run(into, v.ravel(), target, weight, MODES[reduction], ignore_index):
        require_numbers("nll_loss", target, into.shape[1], ignore_index)


def _picks(shape: shapes.Shape, target: Any, weight: Any, ignore_index: int) -> Any:
    """Where the target's class is, by input element, and the weight of each row."""
    dim = class_dim(shape)
    target = target.reshape(shape[:dim] + shape[dim + 1 :])
    counts = target != ignore_index
    of_target = 1.0 if weight is None else weight[np.where(counts, target, 0)]
    classes = np.arange(shape[dim]).reshape([-1 if i == dim else 1 for i in range(len(shape))])
    picked = np.expand_dims(np.where(counts, target, -1), dim) == classes
    return picked, np.where(counts, of_target, 0.0)


def _nll_ref(
    log_p: Any, target: Any, weight: Any = None, *, reduction: str = "mean", ignore_index=-100
) -> Any:
    require_classes("nll_loss", log_p, target, ignore_index)
    picked, w = _picks(log_p.shape, target, weight, ignore_index)
    dim = class_dim(log_p.shape)
    loss = np.where(picked, -log_p * np.expand_dims(w, dim), 0).sum(dim)
    return loss.sum() / w.sum() if reduction == "mean" else reduce(loss, reduction)


def _nll_grad_ref(
    v: Any, target: Any, weight: Any = None, *, shape: Any, reduction: str, ignore_index: int
) -> Any:
    picked, w = _picks(shape, target, weight, ignore_index)
    v = np.expand_dims(v, class_dim(shape)) if reduction == "none" else v
    v = v / w.sum() if reduction == "mean" else v
    return np.where(picked, -v * np.expand_dims(w, class_dim(shape)), 0)


_TARGETS: tuple[tuple[Any, Any, Any], ...] = (
    ((4, 3), np.array([2, 0, -100, 2]), None),
    ((4, 3), np.array([2, 0, 1, 2]), (3,)),
    ((3,), np.array(1), None),
    ((2, 3, 2), np.array([[2, -100], [1, 0]]), (3,)),
)
_REDUCTIONS = ("mean", "sum", "none")

nll_loss_grad = op(
    "nll_loss_grad",
    math=r"-v\,w_t\,[c = t]",
    dmath=(r"-\textstyle\sum_n w_{t_n} g_{n t_n}", None, None),
    checks=True,
    kernel=_run_nll_grad,
    shape=lambda v, target, weight, *, shape, reduction, ignore_index: shape,
    types="same",
    exempt=("target",),
    ref=_nll_grad_ref,
    vjp=(
        lambda g, target, weight, reduction, ignore_index: ops.nll_loss(
            g, target, weight, reduction=reduction, ignore_index=ignore_index
        ),
        None,
        None,
    ),
    samples=tuple(
        Sample(
            target.shape if reduction == "none" else (),
            target,
            weight,
            low=0.5,
            meta={"shape": shape, "reduction": reduction, "ignore_index": -100},
        )
        for shape, target, weight in (*_TARGETS, ((0, 3), np.zeros(0, np.int64), None))
        for reduction in (_REDUCTIONS if shape[0] else ("none",))
    ),
    methods=(),
)

nll_loss = op(
    "nll_loss",
    math=r"-\textstyle\sum_n w_{t_n} x_{n t_n} / \sum_n w_{t_n}",
    dmath=(r"-\frac{g\,w_t}{\sum w_t}\,[c = t]", None, None),
    checks=True,
    kernel=_run_nll,
    shape=lambda log_p, target, weight, *, reduction, ignore_index: index_shape(
        "nll_loss", log_p, target, weight, reduction
    ),
    types="same",
    exempt=("target",),
    ref=_nll_ref,
    vjp=(
        lambda g, target, weight, log_p_shape, reduction, ignore_index: ops.nll_loss_grad(
            g,
            target,
            weight,
            shape=log_p_shape,
            reduction=reduction,
            ignore_index=ignore_index,
        ),
        None,
        None,
    ),
    samples=(
        *(
            Sample(*its, low=0.5, meta={"reduction": reduction})
            for its in _TARGETS
            for reduction in _REDUCTIONS
        ),
        Sample((4, 3), np.array([2, 0, 1, 2]), None, meta={"ignore_index": 2}),
        Sample((0, 3), np.zeros(0, np.int64), None, meta={"reduction": "sum"}),
    ),
    methods=(),
)


@kernel
def _kl(out, x, target, terms, count, log_target):
    zero = out.dtype.type(0)
    loss = 0.0
    for start in range(0, x.size, terms.size):
        xs, ts = x[start : start + terms.size], target[start : start + terms.size]
        for i in range(xs.size):
            t = ts[i]
            entropy = zero if t == zero else t * log_(t)
            terms[i] = exp_(t) * (t - xs[i]) if log_target else entropy - t * xs[i]
        if count is not None:
            loss += total(terms[: xs.size])
    if count is not None:
        out[0] = loss / count


def _kl_ref(x: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Any:
    if log_target:
        return reduce(np.exp(target) * (target - x), reduction)
    entropy = np.where(target == 0, 0, target * np.log(np.where(target == 0, 1, target)))
    return reduce(entropy - target * x, reduction)


def _kl_dx(
    g: Any, target: Any, reduction: str, log_target: bool, x_shape: Any, target_shape: Any
) -> Any:
    g = ops.neg(share(g, reduction, x_shape, target_shape))
    g = ops.mul(ops.exp(target) if log_target else target, g)
    if x_shape == target_shape:
        return g
    return ops.broadcast_to(g, shape=shapes.broadcast("kl_div", x_shape, target_shape))


def _kl_dtarget(
    g: Any,
    x: Any,
    target: Any,
    reduction: str,
    log_target: bool,
    x_shape: Any,
    target_shape: Any,
) -> Any:
    g = share(g, reduction, x_shape, target_shape)
    if log_target:
        return ops.mul(ops.mul(g, ops.exp(target)), ops.add(ops.sub(target, x), 1.0))
    return ops.mul(g, ops.sub(ops.add(ops.log(target), 1.0), x))


kl_div = op(
    "kl_div",
    math=r"\mathrm{mean}\,t\,(\ln t - x)",
    dmath=(r"-\frac{g}{n} t", r"\frac{g}{n} (\ln t + 1 - x)"),
    kernel=lambda out, x, target, *, reduction, log_target: run_loss(
        _kl, out, (x, target), reduction, log_target
    ),
    shape=lambda x, target, *, reduction, log_target: reduced_shape(
        "kl_div", shapes.broadcast("kl_div", x, target), reduction
    ),
    types="float",
    broadcasts=True,
    ref=_kl_ref,
    vjp=(_kl_dx, _kl_dtarget),
    kink="At t = 0 the loss is 0 and its derivative for t is -inf.",
    samples=(
        *(
            Sample(*its, low=0.2, meta={"reduction": reduction, "log_target": log_target})
            for its in (((3, 4), (3, 4)), ((3, 1), (4,)), ((4,), (3, 4)), ((), ()))
            for reduction in _REDUCTIONS
            for log_target in (False, True)
        ),
        Sample((2, 0), (2, 0), meta={"reduction": "sum"}),
    ),
    methods=(),
)
