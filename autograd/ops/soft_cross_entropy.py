"""Softmax cross-entropy with class probabilities, fused: no softmax is stored.

A row contributes -sum_c q_c log p_c, where p = softmax(x) and q_c = w_c ((1 - s) t_c + s/C)
(s: label smoothing).  The mean divides by the number of rows, whatever the weights.
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
    exponentiate,
    gather,
    rows_of,
    scatter,
    scratch,
    shift,
)
from autograd.errors import ShapeError
from autograd.kernel import device, kernel
from autograd.op import Sample, op, ops
from autograd.reduction import reduce, reduced_shape, total

log_ = vmath.log


@device
def _label(labels, weight, smoothing):
    """Turn the probabilities of a row's target into q."""
    keep, soft = labels.dtype.type(1.0 - smoothing), labels.dtype.type(smoothing / labels.size)
    for c in range(labels.size):
        q = keep * labels[c] + soft
        labels[c] = q if weight is None else q * weight[c]


@kernel
def _loss(out, x, target, weight, scratch, mode, smoothing):
    classes, height = x.shape[1], scratch.shape[0]
    count = x.shape[0] * x.shape[2]
    room = scratch.reshape(scratch.size)
    dots = room[2 * height * classes :]
    loss = 0.0
    for first in range(0, count, height):
        rows = min(height, count - first)
        tile = room[: rows * classes]
        labels = room[height * classes : (height + rows) * classes]
        gather(tile, x, first)
        gather(labels, target, first)
        for r in range(rows):
            start, stop = r * classes, (r + 1) * classes
            row, its_labels = tile[start:stop], labels[start:stop]
            shift(row)
            _label(its_labels, weight, smoothing)
            dot = 0.0
            for c in range(classes):
                dot += its_labels[c] * row[c]
            dots[r] = dot
        exponentiate(tile)
        for r in range(rows):
            start, stop = r * classes, (r + 1) * classes
            its_loss = total(labels[start:stop]) * log_(total(tile[start:stop])) - dots[r]
            loss += its_loss
            if mode == 0:
                out[first + r] = its_loss
    if mode > 0:
        out[0] = loss / count if mode == 2 else loss


@kernel
def _grad(out, v, x, target, weight, scratch, mode, smoothing):
    number = out.dtype.type
    classes, height = x.shape[1], scratch.shape[0]
    count = x.shape[0] * x.shape[2]
    room = scratch.reshape(scratch.size)
    for first in range(0, count, height):
        rows = min(height, count - first)
        tile = room[: rows * classes]
        labels = room[height * classes : (height + rows) * classes]
        gather(tile, x, first)
        gather(labels, target, first)
        for r in range(rows):
            shift(tile[r * classes : (r + 1) * classes])
        exponentiate(tile)
        for r in range(rows):
            start, stop = r * classes, (r + 1) * classes
            row, its_labels = tile[start:stop], labels[start:stop]
            _label(its_labels, weight, smoothing)
            scale = v[first + r] if mode == 0 else v[0] / (count if mode == 2 else 1)
            less, each = number(scale), number(scale * total(its_labels) / total(row))
            for c in range(classes):
                row[c] = each * row[c] - less * its_labels[c]
        scatter(out, tile, first)


def _run_loss(
    out: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    *,
    reduction: str,
    label_smoothing: float,
) -> None:
    x, target, smoothing = by_class(x), by_class(target), float(label_smoothing)
    room = scratch(x, 2 * x.shape[1] + 1)
    _loss.run(out.ravel(), x, target, weight, room, MODES[reduction], smoothing)


def _run_grad(
    out: np.ndarray,
    v: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    *,
    reduction: str,
    label_smoothing: float,
) -> None:
    out, x, target, smoothing = by_class(out), by_class(x), by_class(target), float(label_smoothing)
    room = scratch(x, 2 * x.shape[1])
    _grad.run(out, v.ravel(), x, target, weight, room, MODES[reduction], smoothing)


def _shape(
    x: shapes.Shape,
    target: shapes.Shape,
    weight: shapes.Shape | None,
    *,
    reduction: str,
    label_smoothing: float,
) -> shapes.Shape:
    check_smoothing(label_smoothing)
    rows = rows_of("cross_entropy", x, weight)
    if target != x:
        raise ShapeError(
            f"cross_entropy: x is {x} but target is {target}; expected {x} for probabilities,"
            f" or integers (target.long()) of shape {rows} for class numbers"
        )
    return reduced_shape("cross_entropy", rows, reduction)


def _labels_ref(target: Any, weight: Any, smoothing: float) -> Any:
    dim = class_dim(target.shape)
    q = (1 - smoothing) * target + smoothing / target.shape[dim]
    along = [-1 if i == dim else 1 for i in range(target.ndim)]
    return q if weight is None else q * weight.reshape(along)


def _ref(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    dim, q = class_dim(x.shape), _labels_ref(target, weight, label_smoothing)
    x = x - x.max(dim, keepdims=True, initial=-np.inf)
    return reduce(q.sum(dim) * np.log(np.exp(x).sum(dim)) - (q * x).sum(dim), reduction)


def _grad_ref(
    v: Any, x: Any, target: Any, weight: Any = None, *, reduction: str, label_smoothing: float
) -> Any:
    dim, q = class_dim(x.shape), _labels_ref(target, weight, label_smoothing)
    v = np.expand_dims(v, dim) if reduction == "none" else v
    v = v * x.shape[dim] / x.size if reduction == "mean" else v
    e = np.exp(x - x.max(dim, keepdims=True, initial=-np.inf))
    return v * q.sum(dim, keepdims=True) / e.sum(dim, keepdims=True) * e - v * q


def _by_row(v: Any, x_shape: shapes.Shape, reduction: str) -> Any:
    """The gradient of a row's loss, with the dimension of the classes, as an op."""
    if reduction == "none":
        return ops.unsqueeze(v, dim=class_dim(x_shape))
    return (
        ops.div(v, shapes.numel(x_shape) / x_shape[class_dim(x_shape)])
        if reduction == "mean"
        else v
    )


def _scaled(values: Any, weight: Any, x_shape: shapes.Shape, factor: float = 1.0) -> Any:
    """`values` times the weights of their classes, times a number, as an op."""
    values = values if factor == 1 else ops.mul(values, factor)
    if weight is None:
        return values
    return ops.mul(values, ops.reshape(weight, shape=(-1, *(1,) * (len(x_shape) - 2))))


def _dtarget(
    g: Any, x: Any, weight: Any, x_shape: shapes.Shape, reduction: str, label_smoothing: float
) -> Any:
    g = ops.mul(_by_row(g, x_shape, reduction), ops.log_softmax(x, dim=class_dim(x_shape)))
    return _scaled(g, weight, x_shape, label_smoothing - 1)


def _smooth(target: Any, x_shape: shapes.Shape, smoothing: float) -> Any:
    """The probabilities that are learned: (1 - s) t + s/C."""
    return ops.add(ops.mul(target, 1 - smoothing), smoothing / x_shape[class_dim(x_shape)])


def _by_class(values: Any, x_shape: shapes.Shape) -> Any:
    """The sum of `values`, which have the input's shape, over all but the classes."""
    kept = class_dim(x_shape)
    rest = tuple(d for d in range(len(x_shape)) if d != kept)
    return ops.sum(values, dim=rest) if rest else values


def _dweight(
    g: Any, x: Any, target: Any, x_shape: shapes.Shape, reduction: str, label_smoothing: float
) -> Any:
    g = ops.mul(_by_row(g, x_shape, reduction), ops.log_softmax(x, dim=class_dim(x_shape)))
    return ops.neg(_by_class(ops.mul(g, _smooth(target, x_shape, label_smoothing)), x_shape))


def _grad_dv(
    g: Any,
    x: Any,
    target: Any,
    weight: Any,
    x_shape: shapes.Shape,
    reduction: str,
    label_smoothing: float,
) -> Any:
    each = reduction == "none"
    slope = ops.cross_entropy_probability_grad(
        1.0,
        x,
        target,
        weight,
        reduction="sum" if each else reduction,
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
    label_smoothing: float,
) -> Any:
    dim = class_dim(x_shape)
    q = _scaled(_smooth(target, x_shape, label_smoothing), weight, x_shape)
    rows = ops.sum(q, dim=dim, keepdim=True)
    g = ops.mul(g, ops.mul(rows, _by_row(v, x_shape, reduction)))
    return ops.softmax_grad(g, ops.softmax(x, dim=dim), dim=dim)


def _turned(g: Any, v: Any, x: Any, x_shape: shapes.Shape, reduction: str) -> Any:
    """The gradient of `cross_entropy_probability_grad` for q: v (sum_k g_k p_k - g_c)."""
    dim = class_dim(x_shape)
    inner = ops.sum(ops.mul(g, ops.softmax(x, dim=dim)), dim=dim, keepdim=True)
    return ops.mul(_by_row(v, x_shape, reduction), ops.sub(inner, g))


def _grad_dtarget(
    g: Any,
    v: Any,
    x: Any,
    weight: Any,
    x_shape: shapes.Shape,
    reduction: str,
    label_smoothing: float,
) -> Any:
    g = _turned(g, v, x, x_shape, reduction)
    return _scaled(g, weight, x_shape, 1 - label_smoothing)


def _grad_dweight(
    g: Any,
    v: Any,
    x: Any,
    target: Any,
    x_shape: shapes.Shape,
    reduction: str,
    label_smoothing: float,
) -> Any:
    g = _turned(g, v, x, x_shape, reduction)
    return _by_class(ops.mul(g, _smooth(target, x_shape, label_smoothing)), x_shape)


_METAS = tuple(
    {"reduction": reduction, "label_smoothing": smoothing}
    for reduction in ("mean", "sum", "none")
    for smoothing in (0.0, 0.1)
)
_SAMPLES = (
    *(
        Sample(shape, shape, weight, low=0.2, meta=meta)
        for shape, weight in (((4, 3), None), ((4, 3), (3,)), ((3,), (3,)), ((2, 3, 2), (3,)))
        for meta in _METAS
    ),
    Sample((400, 3), (400, 3), None, low=0.2, meta=_METAS[0]),
    Sample((0, 3), (0, 3), None, meta=_METAS[2]),
)

cross_entropy_probability_grad = op(
    "cross_entropy_probability_grad",
    math=r"v\,(p_c \textstyle\sum_k q_k - q_c)",
    dmath=(
        r"\textstyle\sum_c g_c (p_c \sum_k q_k - q_c)",
        r"v \textstyle\sum_k q_k\,p_c (g_c - \sum_k g_k p_k)",
        r"v\,w_c (1 - s) (\textstyle\sum_k g_k p_k - g_c)",
        r"\textstyle\sum_n v ((1 - s) t_c + s/C) (\sum_k g_k p_k - g_c)",
    ),
    kernel=_run_grad,
    shape=lambda v, x, target, weight, **_: x,
    types="float",
    ref=_grad_ref,
    vjp=(_grad_dv, _grad_dx, _grad_dtarget, _grad_dweight),
    samples=tuple(
        Sample(
            tuple(np.delete(s.inputs[0], class_dim(s.inputs[0])).tolist())
            if s.meta["reduction"] == "none"
            else (),
            *s.inputs,
            low=0.2,
            meta=s.meta,
        )
        for s in _SAMPLES
    ),
    methods=(),
)

cross_entropy_probability = op(
    "cross_entropy_probability",
    math=r"-\frac{1}{N} \textstyle\sum_n \sum_c q_{nc} \ln p_{nc}, \quad p = \mathrm{softmax}(x)",
    dmath=(
        r"\frac{g}{N} (p_c \textstyle\sum_k q_k - q_c)",
        r"-\frac{g}{N} w_c (1 - s) \ln p_c",
        r"-\frac{g}{N} \textstyle\sum_n ((1 - s) t_{nc} + s/C) \ln p_{nc}",
    ),
    kernel=_run_loss,
    shape=_shape,
    types="float",
    ref=_ref,
    vjp=(
        lambda g, x, target, weight, reduction, label_smoothing: ops.cross_entropy_probability_grad(
            g, x, target, weight, reduction=reduction, label_smoothing=label_smoothing
        ),
        _dtarget,
        _dweight,
    ),
    samples=_SAMPLES,
    methods=(),
)
