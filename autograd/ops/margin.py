"""Hinge loss of one right class per row, which is to score higher than every other by a margin.

A row x with class y loses sum_{j != y} max(0, margin - x_y + x_j)^p w_y / C.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes
from autograd.classes import MODES, as_matrix, require_int64, require_range, rows_and_classes
from autograd.errors import ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, op, ops
from autograd.reduction import reduce, reduced_shape, require_float


@kernel
def _multi(out, x, target, weight, mode, p, margin):
    rows, classes = x.shape
    zero, margin = x.dtype.type(0), x.dtype.type(margin)
    total, wrong = 0.0, 0
    for n in range(rows):
        y, row = target[n], x[n]
        wrong += y < 0 or y >= classes
        loss = np.nan
        if 0 <= y < classes:
            loss = 0.0
            right = margin - row[y]
            for j in range(classes):
                z = right + row[j]
                if z > zero and j != y:
                    loss += z if p == 1 else z * z
            loss *= (1.0 if weight is None else np.float64(weight[y])) / classes
        total += loss
        if mode == 0:
            out[n] = loss
    if mode > 0:
        out[0] = total / rows if mode == 2 else total
    return wrong


def _run_multi(
    out: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    *,
    p: float,
    margin: float,
    reduction: str,
) -> None:
    require_float("multi_margin_loss", x)
    require_int64("multi_margin_loss", target)
    x, target = as_matrix(x), target.ravel()
    if _multi.run(out.ravel(), x, target, weight, MODES[reduction], int(p), float(margin)):
        require_range("multi_margin_loss", target, 0, x.shape[1])


def _multi_shape(
    x: shapes.Shape,
    target: shapes.Shape,
    weight: shapes.Shape | None,
    *,
    p: float,
    margin: float,
    reduction: str,
) -> shapes.Shape:
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p is {p}; only p == 1 and p == 2 are supported")
    rows, classes = rows_and_classes("multi_margin_loss", x)
    if target != (rows,) and not (rows == 1 and target == ()):
        raise ShapeError(
            f"multi_margin_loss: x is {x} but target is {target}; expected target ({rows},)"
        )
    if weight is not None and weight != (classes,):
        raise ShapeError(
            f"multi_margin_loss: x is {x} but weight is {weight}; expected weight ({classes},)"
        )
    return reduced_shape("multi_margin_loss", target, reduction)


def _multi_ref(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    p: float = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Any:
    require_float("multi_margin_loss", x)
    require_int64("multi_margin_loss", target)
    rows, y = as_matrix(x), target.reshape(-1, 1)
    require_range("multi_margin_loss", y, 0, rows.shape[1])
    z = margin - np.take_along_axis(rows, y, 1) + rows
    z = np.where((z > 0) & (np.arange(rows.shape[1]) != y), z, 0)
    loss = (z**p).mean(1)
    loss = loss if weight is None else loss * weight[y[:, 0]]
    return reduce(loss.reshape(target.shape), reduction)


def _multi_dx(
    g: Any,
    x: Any,
    target: Any,
    weight: Any,
    p: float,
    margin: float,
    reduction: str,
    x_shape: shapes.Shape,
) -> Any:
    """What each class is pushed down by; the right one is pushed up by their sum."""
    rows, classes = rows_and_classes("multi_margin_loss", x_shape)
    shape = (rows, classes)
    x, y = ops.reshape(x, shape=shape), ops.reshape(target, shape=(rows, 1))
    z = ops.add(ops.sub(x, ops.gather(x, 1, y)), margin)
    each = ops.reshape(g, shape=(rows, 1)) if reduction == "none" else g
    each = ops.mul(each, p / classes / (rows if reduction == "mean" else 1))
    if weight is not None:
        each = ops.mul(each, ops.gather(ops.broadcast_to(weight, shape=shape), 1, y))
    active = ops.gt(z, 0.0)
    pushed = ops.mul(each, active if p == 1 else ops.where(active, z, 0.0))
    raised = ops.ungather(ops.sum(pushed, dim=1, keepdim=True), y, dim=1, shape=shape)
    return ops.reshape(ops.sub(pushed, raised), shape=x_shape)


_MULTI = (
    ((4, 3), np.array([2, 0, 1, 2]), None),
    ((4, 3), np.array([2, 0, 1, 2]), (3,)),
    ((3,), np.array(1), None),
    ((3,), np.array([1]), (3,)),
)
_REDUCTIONS = ("mean", "sum", "none")

multi_margin_loss = op(
    "multi_margin_loss",
    math=r"\frac{1}{N} \textstyle\sum_n \frac{w_y}{C} \sum_{j \ne y} \max(0, m - x_y + x_j)^p",
    dmath=(
        r"\frac{g\,w_y\,p}{N C} h_j^{p-1} [h_j > 0] \text{ for } j \ne y,"
        r" \text{ minus their sum for } y",
        None,
        None,
    ),
    checks=True,
    kernel=_run_multi,
    shape=_multi_shape,
    types="same",
    exempt=("target",),
    ref=_multi_ref,
    vjp=(_multi_dx, None, None),
    kink="0 where a margin is just met, and for NaN.",
    samples=(
        *(
            Sample(*its, low=0.5, meta={"reduction": reduction, "p": p, "margin": 0.9})
            for its in _MULTI
            for reduction in _REDUCTIONS
            for p in (1, 2)
        ),
        Sample((), np.array(0), None),
        Sample((0, 3), np.zeros(0, np.int64), None, meta={"reduction": "none"}),
    ),
    methods=(),
)
