"""The logarithm of a sum of exponentials, without overflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import vmath
from autograd.axes import blocks, extreme_of, fold, lanes_for, plan
from autograd.kernel import kernel
from autograd.op import Sample, op, ops

exp = vmath.exp
log = vmath.log


@kernel
def _tops(out, x, lanes):
    """The maxima, 0 in the place of infinities, whose exp is right by itself."""
    zero, least = out.dtype.type(0), out.dtype.type(-np.inf)
    rows = x.reshape(x.shape[0], x.shape[1] * x.shape[2])
    for o in range(x.shape[0]):
        top = out[o]
        if x.shape[2] == 1 and x.shape[1]:
            best = extreme_of(rows[o], lanes, True)
            top[0] = zero if abs(best) == np.inf else best
            continue
        for i in range(top.size):
            top[i] = least
        for j in range(x.shape[1]):
            row = x[o, j]
            for i in range(top.size):
                top[i] = row[i] if (row[i] > top[i]) | (row[i] != row[i]) else top[i]
        for i in range(top.size):
            top[i] = zero if abs(top[i]) == np.inf else top[i]


@kernel
def _exp_rows(out, x, shift, terms, lanes):
    """Exponentials and sums in loops of their own: half the time of one that widens float32."""
    for o in range(x.shape[0]):
        row, c = x[o], shift[o]
        lanes[:] = 0.0
        for start in range(0, row.size, lanes.size):
            part = row[start : start + lanes.size]
            for i in range(part.size):
                terms[i] = exp(part[i] - c)
            for i in range(part.size):
                lanes[i] += terms[i]
        out[o] = c + log(fold(lanes))


@kernel
def _exp_columns(out, x, shift, terms, lanes):
    for o in range(x.shape[0]):
        for start in range(0, x.shape[2], lanes.size):
            c = shift[o, start : start + lanes.size]
            for i in range(c.size):
                lanes[i] = 0.0
            for j in range(x.shape[1]):
                part = x[o, j, start : start + lanes.size]
                for i in range(part.size):
                    terms[i] = exp(part[i] - c[i])
                for i in range(part.size):
                    lanes[i] += terms[i]
            for i in range(c.size):
                out[o, start + i] = c[i] + log(lanes[i])


def _logsumexp(out: np.ndarray, x: np.ndarray, *, dim: Any, keepdim: bool) -> None:
    _, _, order, (outer, n, inner) = plan("logsumexp", x.shape, dim, keepdim)
    x = blocks(x, order, (outer, n, inner))
    shift = np.empty((outer, inner), x.dtype)
    lanes = lanes_for(n, inner)
    terms = np.empty(lanes.size, out.dtype)
    _tops.run(shift, x, terms)
    if inner == 1:
        rows = out.reshape(outer), x.reshape(outer, n), shift.reshape(outer)
        _exp_rows.run(*rows, terms, lanes)
    else:
        _exp_columns.run(out.reshape(outer, inner), x, shift, terms, lanes)


def _logsumexp_ref(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    axes = tuple(range(x.ndim)) if dim is None or x.ndim == 0 else tuple(np.ravel(dim))
    top = np.max(x, axes, keepdims=True, initial=-math.inf)
    top = np.where(np.isinf(top), 0, top)
    out = np.log(np.exp(x - top).sum(axes, keepdims=True)) + top
    return out if keepdim else out.squeeze(axes)


logsumexp = op(
    "logsumexp",
    math=r"\log \textstyle\sum_i e^{x_i}",
    dmath=(r"g\,e^{x_i - \mathrm{out}}",),
    kernel=_logsumexp,
    shape=lambda x, *, dim, keepdim: plan("logsumexp", x, dim, keepdim)[0],
    types="float",
    ref=_logsumexp_ref,
    vjp=(
        lambda g, out, x, x_shape, dim, keepdim: ops.mul(
            ops.spread(g, shape=x_shape, dim=dim, keepdim=keepdim),
            ops.exp(ops.sub(x, ops.spread(out, shape=x_shape, dim=dim, keepdim=keepdim))),
        ),
    ),
    samples=(
        Sample((3, 4), meta={"dim": 1}),
        Sample((3, 4), meta={"dim": 0, "keepdim": True}),
        Sample((3, 2, 4), meta={"dim": (0, 2)}),
        Sample((2, 150), meta={"dim": -1}),
        Sample((3, 4)),
        Sample(()),
        Sample((0, 3), meta={"dim": 1}),
    ),
)
