"""Softmax cross-entropy with class numbers, fused: no softmax is stored, the gradient is p - y.

Row n with target t contributes -sum_c q_c log p_c, where p = softmax(x_n) and
q_c = (1 - s) w_t [c = t] + s/C w_c (s: label smoothing).  The mean divides by the sum of the w_t.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes, vmath
from autograd.classes import (
    MODES,
    by_class,
    check_smoothing,
    class_dim,
    class_numbers,
    exponentiate,
    gather,
    index_shape,
    require_classes,
    require_numbers,
    scatter,
    scratch,
    shift,
)
from autograd.kernel import device, kernel
from autograd.op import Sample, op, ops
from autograd.reduction import reduce, require_float, total

log_ = vmath.log


@device
def _weight(weight, t, classes):
    if t < 0 or t >= classes:
        return np.nan  # makes the loss NaN, for which the caller then finds the reason
    return 1.0 if weight is None else np.float64(weight[t])


@device
def _dot(row, weight):
    if weight is None:
        return total(row)
    s = 0.0
    for c in range(row.size):
        s += weight[c] * row[c]
    return s


@kernel
def _loss(out, x, target, weight, scratch, mode, ignore, smoothing):
    classes, height = x.shape[1], scratch.shape[0]
    room = scratch.reshape(scratch.size)
    dots = room[height * classes :]
    keep, soft = 1.0 - smoothing, smoothing / classes
    rest = 0.0
    if soft > 0.0:
        rest = smoothing if weight is None else soft * total(weight)
    loss, share, wrong = 0.0, 0.0, 0
    for first in range(0, target.size, height):
        rows = min(height, target.size - first)
        tile = room[: rows * classes]
        gather(tile, x, first)
        for r in range(rows):
            row, t = tile[r * classes : (r + 1) * classes], target[first + r]
            shift(row)
            dot = keep * _weight(weight, t, classes) * row[t if 0 <= t < classes else 0]
            dots[r] = dot + soft * _dot(row, weight) if soft > 0.0 else dot
        exponentiate(tile)
        for r in range(rows):
            t = target[first + r]
            its_loss = 0.0
            if t != ignore:
                wrong += t < 0 or t >= classes
                w = _weight(weight, t, classes)
                whole = total(tile[r * classes : (r + 1) * classes])
                its_loss = (keep * w + rest) * log_(whole) - dots[r]
                share += w
            loss += its_loss
            if mode == 0:
                out[first + r] = its_loss
    if mode > 0:
        out[0] = loss / share if mode == 2 else loss
    return wrong


@kernel
def _grad(out, v, x, target, weight, scratch, mode, ignore, smoothing):
    number = out.dtype.type
    classes, height = x.shape[1], scratch.shape[0]
    room = scratch.reshape(scratch.size)
    keep, soft = 1.0 - smoothing, smoothing / classes
    rest = 0.0
    if soft > 0.0:
        rest = smoothing if weight is None else soft * total(weight)
    share = 0.0 if mode == 2 else 1.0
    if mode == 2:
        for t in target:
            share += 0.0 if t == ignore else _weight(weight, t, classes)
    for first in range(0, target.size, height):
        rows = min(height, target.size - first)
        tile = room[: rows * classes]
        gather(tile, x, first)
        for r in range(rows):
            shift(tile[r * classes : (r + 1) * classes])
        exponentiate(tile)
        for r in range(rows):
            row, t = tile[r * classes : (r + 1) * classes], target[first + r]
            if t == ignore:
                for c in range(classes):
                    row[c] = number(0)
                continue
            scale = (v[first + r] if mode == 0 else v[0]) / share
            w = _weight(weight, t, classes)
            each = number(scale * (keep * w + rest) / total(row))
            for c in range(classes):
                row[c] *= each
            if soft > 0.0:
                less = number(scale * soft)
                for c in range(classes):
                    row[c] -= less if weight is None else less * weight[c]
            if 0 <= t < classes:
                row[t] -= number(scale * keep * w)
        scatter(out, tile, first)


def _run_loss(
    out: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    require_float("cross_entropy", out)
    x, numbers, mode = by_class(x), class_numbers("cross_entropy", target), MODES[reduction]
    room = scratch(x, x.shape[1] + 1)
    smoothing = float(label_smoothing)
    if _loss.run(out.ravel(), x, numbers, weight, room, mode, ignore_index, smoothing):
        require_numbers("cross_entropy", numbers, x.shape[1], ignore_index)


def _run_grad(
    out: np.ndarray,
    v: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    x, numbers, mode = by_class(x), class_numbers("cross_entropy", target), MODES[reduction]
    out, smoothing = by_class(out), float(label_smoothing)
    room = scratch(x, x.shape[1])
    _grad.run(out, v.ravel(), x, numbers, weight, room, mode, ignore_index, smoothing)


def _shape(
    x: shapes.Shape,
    target: shapes.Shape,
    weight: shapes.Shape | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> shapes.Shape:
    check_smoothing(label_smoothing)
    return index_shape("cross_entropy", x, target, weight, reduction)


def _labels(
    x: Any, target: Any, weight: Any, ignore_index: int, smoothing: float
) -> tuple[Any, Any, Any]:
    """q, where it counts, and the weight w_t of every row; the dimension of the classes is kept."""
    dim, classes = class_dim(x.shape), x.shape[class_dim(x.shape)]
    target = target.reshape(x.shape[:dim] + x.shape[dim + 1 :])
    along = [-1 if i == dim else 1 for i in range(x.ndim)]
    weight = np.ones(classes) if weight is None else weight
    rows = np.expand_dims(target != ignore_index, dim)
    numbers = np.where(rows, np.expand_dims(target, dim), 0)
    w = np.where(rows, weight[numbers], 0)
    picked = numbers == np.arange(classes).reshape(along)
    q = np.where(picked, (1 - smoothing) * w, 0)
    if smoothing:
        q = q + smoothing / classes * weight.reshape(along)
    return q, rows & (picked | (smoothing > 0)), w


def _softmax_parts(x: Any) -> tuple[Any, Any, int]:
    """`x - max(x)`, the sum of its exp, and the dimension of the classes."""
    dim = class_dim(x.shape)
    x = x - x.max(dim, keepdims=True, initial=-np.inf)
    return x, np.exp(x).sum(dim, keepdims=True), dim


def _ref(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    require_classes("cross_entropy", x, target, ignore_index)
    q, counts, w = _labels(x, target, weight, ignore_index, label_smoothing)
    x, sums, dim = _softmax_parts(x)
    loss = np.where(counts, q * np.log(sums) - q * x, 0).sum(dim)
    return loss.sum() / w.sum() if reduction == "mean" else reduce(loss, reduction)


def _grad_ref(
    v: Any,
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Any:
    q, counts, w = _labels(x, target, weight, ignore_index, label_smoothing)
    rows = np.where(counts, q, 0).sum(class_dim(x.shape), keepdims=True)
    x, sums, dim = _softmax_parts(x)
    v = np.expand_dims(v, dim) if reduction == "none" else v
    v = v / w.sum() if reduction == "mean" else v
    slope = v * rows / sums * np.exp(x) - np.where(counts, v * q, 0)
    return np.where(counts.any(dim, keepdims=True), slope, 0)


def _rows_ref(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Any:
    dim = class_dim(x.shape)
    q, counts, w = _labels(x, target, weight, ignore_index, label_smoothing)
    rows = np.where(counts, q, 0).sum(dim, keepdims=True)
    rows = rows / w.sum() if reduction == "mean" else rows
    return np.where(counts.any(dim, keepdims=True), rows, 0)  # an ignored row is not 0 / 0


@kernel
def _sums(out, target, weight, classes, mode, ignore, smoothing):
    """Sum q_c of every row."""
    rest = 0.0
    if smoothing > 0.0:
        rest = smoothing if weight is None else smoothing / classes * total(weight)
    share = 0.0 if mode == 2 else 1.0
    if mode == 2:
        for t in target:
            share += 0.0 if t == ignore else _weight(weight, t, classes)
    for i in range(target.size):
        t = target[i]
        its = (1.0 - smoothing) * _weight(weight, t, classes) + rest
        out[i] = 0.0 if t == ignore else its / share


def _run_rows(
    out: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    numbers, smoothing = class_numbers("cross_entropy", target), float(label_smoothing)
    classes, mode = x.shape[class_dim(x.shape)], MODES[reduction]
    _sums.run(out.reshape(-1), numbers, weight, classes, mode, ignore_index, smoothing)


_TARGETS: tuple[tuple[Any, Any, Any], ...] = (
    ((4, 3), np.array([2, 0, -100, 2]), None),
    ((4, 3), np.array([2, 0, 1, 2]), (3,)),
    ((3,), np.array(1), None),
    ((2, 3, 2), np.array([[2, -100], [1, 0]]), (3,)),
)
_METAS = tuple(
    {"reduction": reduction, "ignore_index": -100, "label_smoothing": smoothing}
    for reduction in ("mean", "sum", "none")
    for smoothing in (0.0, 0.1)
)
_SAMPLES = (
    *(Sample(*its, low=0.5, meta=meta) for its in _TARGETS for meta in _METAS),
    Sample((400, 3), np.arange(400) % 3, None, meta=_METAS[0]),
    Sample((2, 1500), np.array([7, 1400]), None, meta=_METAS[0]),
    Sample((4, 3), np.array([2, 0, 1, 2]), None, meta={**_METAS[0], "ignore_index": 2}),
    Sample((0, 3), np.zeros(0, np.int64), None, meta=_METAS[2]),
)

cross_entropy_rows = op(
    "cross_entropy_rows",
    math=r"\textstyle\sum_c q_c",
    kernel=_run_rows,
    shape=lambda x, target, weight, **_: tuple(
        1 if i == class_dim(x) else size for i, size in enumerate(x)
    ),
    types="same",
    exempt=("target",),
    ref=_rows_ref,
    samples=_SAMPLES,
    methods=(),
)


def _grad_dv(
    g: Any,
    x: Any,
    target: Any,
    weight: Any,
    x_shape: shapes.Shape,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Any:
    each = reduction == "none"
    slope = ops.cross_entropy_index_grad(
        1.0,
        x,
        target,
        weight,
        reduction="sum" if each else reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    return ops.sum(ops.mul(g, slope), dim=class_dim(x_shape) if each else None)


def _grad_dx(
    g: Any,
    v: Any,
    x: Any,
    target: Any,
    weight: Any,
    x_shape: shapes.Shape,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Any:
    dim = class_dim(x_shape)
    rows = ops.cross_entropy_rows(
        x,
        target,
        weight,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    v = ops.unsqueeze(v, dim=dim) if reduction == "none" else v
    return ops.softmax_grad(ops.mul(g, ops.mul(rows, v)), ops.softmax(x, dim=dim), dim=dim)


cross_entropy_index_grad = op(
    "cross_entropy_index_grad",
    math=r"v\,(p_c \textstyle\sum_k q_k - q_c)",
    dmath=(
        r"\textstyle\sum_c g_c (p_c \sum_k q_k - q_c)",
        r"v \textstyle\sum_k q_k\,p_c (g_c - \sum_k g_k p_k)",
        None,
        None,
    ),
    kernel=_run_grad,
    shape=lambda v, x, target, weight, **_: x,
    types="same",
    exempt=("target",),
    ref=_grad_ref,
    vjp=(_grad_dv, _grad_dx, None, None),
    samples=tuple(
        Sample(s.inputs[1].shape if s.meta["reduction"] == "none" else (), *s.inputs, meta=s.meta)
        for s in _SAMPLES
    ),
    methods=(),
)

cross_entropy_index = op(
    "cross_entropy_index",
    math=(
        r"-\textstyle\sum_n \sum_c q_{nc} \ln p_{nc} / \sum_n w_{t_n},"
        r" \quad p = \mathrm{softmax}(x)"
    ),
    dmath=(r"g\,(p_c \textstyle\sum_k q_k - q_c) / \sum_n w_{t_n}", None, None),
    checks=True,
    kernel=_run_loss,
    shape=_shape,
    types="same",
    exempt=("target",),
    ref=_ref,
    vjp=(
        lambda g, x, target, weight, reduction, ignore_index, label_smoothing: (
            ops.cross_entropy_index_grad(
                g,
                x,
                target,
                weight,
                reduction=reduction,
                ignore_index=ignore_index,
                label_smoothing=label_smoothing,
            )
        ),
        None,
        None,
    ),
    samples=_SAMPLES,
    methods=(),
)
