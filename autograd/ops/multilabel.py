"""Hinge loss of several right classes per row, each of which is to score 1 more than every other.

A row of the target lists its classes first and ends them by -1.  A row x of the input loses
sum_y sum_j max(0, 1 - x_y + x_j) / C over its right y and wrong j.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes
from autograd.classes import MODES, as_matrix, require_int64, require_range, rows_and_classes
from autograd.errors import ShapeError
from autograd.kernel import device, kernel
from autograd.op import Sample, op, ops
from autograd.reduction import reduce, reduced_shape, require_float


@device
def _mark(right, labels):
    """Set `right` for the labels before the first -1; their number, or -1 if one is no class."""
    classes, count, valid = right.size, labels.size, True
    for j in range(classes):
        right[j] = False
        valid = valid and -1 <= labels[j] < classes
    for k in range(classes):
        if k < count and labels[k] == -1:
            count = k
        if k < count and valid:
            right[labels[k]] = True
    return count if valid else -1


@kernel
def _multilabel(out, x, target, right, mode):
    rows, classes = x.shape
    zero, one = x.dtype.type(0), x.dtype.type(1)
    total, wrong = 0.0, 0
    for n in range(rows):
        row, labels = x[n], target[n]
        count, loss = _mark(right, labels), 0.0
        wrong += count < 0
        for k in range(count):
            edge = one - row[labels[k]]
            for j in range(classes):
                z = edge + row[j]
                if z > zero and not right[j]:
                    loss += z
        loss = np.nan if count < 0 else loss / classes
        total += loss
        if mode == 0:
            out[n] = loss
    if mode > 0:
        out[0] = total / rows if mode == 2 else total
    return wrong


@kernel
def _multilabel_grad(out, v, x, target, right, mode):
    rows, classes = x.shape
    number = x.dtype.type
    zero, one = number(0), number(1)
    for n in range(rows):
        row, labels, into = x[n], target[n], out[n]
        each = number((v[n] if mode == 0 else v[0]) / (classes * (rows if mode == 2 else 1)))
        for j in range(classes):
            into[j] = zero
        for k in range(_mark(right, labels)):
            y = labels[k]
            edge = one - row[y]
            for j in range(classes):
                if edge + row[j] > zero and not right[j]:
                    into[j] += each
                    into[y] -= each


def _run_multilabel(out: np.ndarray, x: np.ndarray, target: np.ndarray, *, reduction: str) -> None:
    require_float("multilabel_margin_loss", x)
    require_int64("multilabel_margin_loss", target)
    x, target = as_matrix(x), as_matrix(target)
    right = np.empty(x.shape[1], np.bool_)
    if _multilabel.run(out.ravel(), x, target, right, MODES[reduction]):
        require_range("multilabel_margin_loss", target, -1, x.shape[1])


def _run_multilabel_grad(
    out: np.ndarray, v: np.ndarray, x: np.ndarray, target: np.ndarray, *, reduction: str
) -> None:
    x, target, mode = as_matrix(x), as_matrix(target), MODES[reduction]
    _multilabel_grad.run(as_matrix(out), v.ravel(), x, target, np.empty(x.shape[1], np.bool_), mode)


def _multilabel_shape(x: shapes.Shape, target: shapes.Shape, *, reduction: str) -> shapes.Shape:
    rows_and_classes("multilabel_margin_loss", x)
    if target != x and (len(x) == 2 or len(target) > 1 or shapes.numel(target) != shapes.numel(x)):
        raise ShapeError(
            f"multilabel_margin_loss: x is {x} but target is {target}; expected target {x}"
        )
    return reduced_shape("multilabel_margin_loss", x[:-1], reduction)


def _slopes_ref(x: Any, target: Any) -> tuple[Any, Any]:
    """The loss (N,) of every row, and its slopes (N, C)."""
    require_float("multilabel_margin_loss", x)
    require_int64("multilabel_margin_loss", target)
    x, target = as_matrix(x), as_matrix(target)
    require_range("multilabel_margin_loss", target, -1, x.shape[1])
    losses, slopes = np.zeros(len(x)), np.zeros(x.shape)
    for n, (row, listed) in enumerate(zip(x, target.tolist())):
        labels = listed[: listed.index(-1)] if -1 in listed else listed
        for y in labels:
            for j in set(range(len(row))) - set(labels):
                z = 1 - row[y] + row[j]
                if z > 0:
                    losses[n] += z / len(row)
                    slopes[n, [j, y]] += np.array([1, -1]) / len(row)
    return losses, slopes


def _multilabel_ref(x: Any, target: Any, *, reduction: str = "mean") -> Any:
    return reduce(_slopes_ref(x, target)[0].reshape(x.shape[:-1]), reduction)


def _multilabel_grad_ref(v: Any, x: Any, target: Any, *, reduction: str) -> Any:
    slopes = _slopes_ref(x, target)[1]
    v = np.reshape(v, (-1, 1)) / (len(slopes) if reduction == "mean" else 1)
    return np.where(slopes == 0, 0, v * slopes).reshape(x.shape)


def _multilabel_dv(g: Any, x: Any, target: Any, reduction: str, x_shape: shapes.Shape) -> Any:
    rows = rows_and_classes("multilabel_margin_loss", x_shape)[0]
    slopes = ops.multilabel_margin_loss_grad(1.0, x, target, reduction="sum")
    pulled = ops.mul(g, slopes)
    if reduction == "none":
        return ops.sum(pulled, dim=-1)
    return ops.div(ops.sum(pulled), float(rows) if reduction == "mean" else 1.0)


_LABELS = (
    ((2, 4), np.array([[3, 0, -1, 1], [1, -1, 0, 0]])),
    ((4,), np.array([3, 3, -1, 1])),
    ((3,), np.array([0, 1, 2])),
    ((), np.array(0)),
)

multilabel_margin_loss_grad = op(
    "multilabel_margin_loss_grad",
    math=r"\frac{v}{C} \textstyle\sum_y \sum_j [1 - x_y + x_j > 0] (e_j - e_y)",
    dmath=(r"\frac{1}{C} \textstyle\sum_y \sum_j [1 - x_y + x_j > 0] (g_j - g_y)", None, None),
    kernel=_run_multilabel_grad,
    shape=lambda v, x, target, *, reduction: x,
    types="same",
    exempt=("target",),
    ref=_multilabel_grad_ref,
    vjp=(_multilabel_dv, None, None),
    samples=(
        *(
            Sample(
                shape[:-1] if reduction == "none" else (),
                shape,
                target,
                meta={"reduction": reduction},
            )
            for shape, target in _LABELS
            for reduction in ("mean", "sum", "none")
        ),
        Sample((0,), (0, 3), np.zeros((0, 3), np.int64), meta={"reduction": "none"}),
    ),
    methods=(),
)

multilabel_margin_loss = op(
    "multilabel_margin_loss",
    math=r"\frac{1}{N C} \textstyle\sum_n \sum_y \sum_j \max(0, 1 - x_y + x_j)",
    dmath=(r"\frac{g}{N C} \textstyle\sum_y \sum_j [1 - x_y + x_j > 0] (e_j - e_y)", None),
    checks=True,
    kernel=_run_multilabel,
    shape=_multilabel_shape,
    types="same",
    exempt=("target",),
    ref=_multilabel_ref,
    vjp=(
        lambda g, x, target, reduction: ops.multilabel_margin_loss_grad(
            g, x, target, reduction=reduction
        ),
        None,
    ),
    kink="0 where a margin is just met, and for NaN.",
    samples=(
        *(
            Sample(*its, meta={"reduction": reduction})
            for its in _LABELS
            for reduction in ("mean", "sum", "none")
        ),
        Sample((0, 3), np.zeros((0, 3), np.int64), meta={"reduction": "none"}),
    ),
    methods=(),
)
