"""Rows of a table by index: `embedding`, and its way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import shapes
from autograd.errors import DtypeError, ShapeError
from autograd.kernel import kernel
from autograd.op import Sample, op, ops


@kernel
def _pick(out, weight, index):
    n = weight.shape[0]
    for i in range(index.size):
        k = np.int64(index[i])
        if k < 0 or k >= n:
            return 1
        row, to = weight[k], out[i]
        for j in range(row.size):
            to[j] = row[j]
    return 0


@kernel
def _count(counts, index):
    for k in range(counts.size):
        counts[k] = 0
    for i in range(index.size):
        if index[i] < 0 or index[i] >= counts.size:
            return 1
        counts[index[i]] += 1
    return 0


@kernel
def _add_back(out, v, index, padding, counts):
    """Row i of v is added to row index[i]: as a mean where there are `counts`."""
    for k in range(out.shape[0]):
        row = out[k]
        for j in range(row.size):
            row[j] = 0
    for i in range(index.size):
        k = np.int64(index[i])
        if k < 0 or k >= out.shape[0]:
            return 1
        if k != padding:
            row, to = v[i], out[k]
            share = out.dtype.type(1 if counts is None else 1 / counts[k])
            for j in range(row.size):
                to[j] += share * row[j]
    return 0


@kernel
def _pick_shares(out, x, index, padding, counts):
    """The transpose of `_add_back`."""
    for i in range(index.size):
        k = np.int64(index[i])
        if k < 0 or k >= x.shape[0]:
            return 1
        row, to = x[k], out[i]
        share = out.dtype.type(0 if k == padding else 1 if counts is None else 1 / counts[k])
        for j in range(row.size):
            to[j] = share * row[j]
    return 0


def _check_index(index: np.ndarray) -> None:
    """DtypeError for what is not int32 or int64, the types that PyTorch takes."""
    if index.dtype.kind != "i" or index.itemsize < 4:
        raise DtypeError(
            "embedding: Expected tensor for argument 'indices' to have one of the following scalar"
            f" types: int64, int32; but got {index.dtype.name} instead"
        )


def _embedding(out: np.ndarray, weight: np.ndarray, index: np.ndarray, **_: Any) -> None:
    _check_index(index)
    if _pick.run(out.reshape(index.size, weight.shape[1]), weight, index.reshape(-1)):
        raise _out_of_range(index, len(weight))


def _out_of_range(index: np.ndarray, rows: int) -> IndexError:
    wrong = index[(index < 0) | (index >= rows)][0]
    return IndexError(
        f"embedding: index {wrong} is out of range in self; expected 0 to {rows - 1}, for"
        f" {rows} rows"
    )


def _embedding_ref(weight: np.ndarray, index: np.ndarray) -> np.ndarray:
    _check_index(index)
    if ((index < 0) | (index >= len(weight))).any():
        raise _out_of_range(index, len(weight))
    return weight[index]


def _shape(weight: shapes.Shape, index: shapes.Shape, **_: Any) -> shapes.Shape:
    if len(weight) != 2:
        raise ShapeError(f"embedding: 'weight' must be 2-D; it is {weight}")
    return (*index, weight[1])


def _counts(index: np.ndarray, rows: int, wanted: bool) -> np.ndarray | None:
    if not wanted:
        return None
    counts = np.empty(rows, np.int64)
    if _count.run(counts, index.reshape(-1)):
        raise _out_of_range(index, rows)
    return counts


def _grad(
    out: np.ndarray,
    v: np.ndarray,
    index: np.ndarray,
    *,
    rows: int,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> None:
    counts = _counts(index, rows, scale_grad_by_freq)
    v = v.reshape(index.size, out.shape[1])
    if _add_back.run(out, v, index.reshape(-1), padding_idx, counts):
        raise _out_of_range(index, rows)


def _grad_grad(
    out: np.ndarray,
    x: np.ndarray,
    index: np.ndarray,
    *,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> None:
    counts = _counts(index, len(x), scale_grad_by_freq)
    to = out.reshape(index.size, x.shape[1])
    if _pick_shares.run(to, x, index.reshape(-1), padding_idx, counts):
        raise _out_of_range(index, len(x))


def _back(
    g: Any, index: Any, shape: shapes.Shape, padding_idx: int, scale_grad_by_freq: bool
) -> Any:
    options = {"padding_idx": padding_idx, "scale_grad_by_freq": scale_grad_by_freq}
    return ops.embedding_grad(g, index, rows=shape[0], **options)


def _forth(g: Any, index: Any, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    options = {"padding_idx": padding_idx, "scale_grad_by_freq": scale_grad_by_freq}
    return ops.embedding_grad_grad(g, index, **options)


# References


def _shares(
    index: np.ndarray, padding_idx: int = -1, scale_grad_by_freq: bool = False
) -> np.ndarray:
    kept = (index != padding_idx).astype(np.float64)
    if scale_grad_by_freq:
        kept /= np.bincount(index.ravel(), minlength=1)[index]
    return kept[..., None]


def _grad_ref(v: np.ndarray, index: np.ndarray, rows: int, **options: Any) -> np.ndarray:
    out, shares = np.zeros((rows, v.shape[-1])), _shares(index, **options)
    np.add.at(out, index, np.where(shares == 0, 0, v * shares))
    return out


_TWICE = np.array([[0, 2], [2, 1]])
_PICKS: tuple[tuple[np.ndarray, dict[str, Any]], ...] = (
    (_TWICE, {}),
    (_TWICE.astype(np.int32), {"padding_idx": 2}),
    (_TWICE, {"padding_idx": 0, "scale_grad_by_freq": True}),
    (np.array(1), {}),
    (np.zeros((0, 2), np.int64), {}),
)

embedding = op(
    "embedding",
    math=r"W_{i}",
    dmath=(r"\textstyle\sum_{n : i_n = k,\ k \ne \mathrm{padding}} g_n", None),
    checks=True,
    kernel=_embedding,
    shape=_shape,
    exempt=("index",),
    ref=lambda weight, index, *, padding_idx=-1, scale_grad_by_freq=False: _embedding_ref(
        weight, index
    ),
    vjp=(
        lambda g, index, weight_shape, padding_idx, scale_grad_by_freq: _back(
            g, index, weight_shape, padding_idx, scale_grad_by_freq
        ),
        None,
    ),
    # padding and averaging change the gradient on purpose, so that it is not the slope
    samples=tuple(Sample((3, 4), i, meta=meta, order=0 if meta else 2) for i, meta in _PICKS),
    methods=(),
)

embedding_grad = op(
    "embedding_grad",
    math=r"\textstyle\sum_{n : i_n = k,\ k \ne \mathrm{padding}} v_n",
    dmath=(r"g_{i}\,[i \ne \mathrm{padding}]", None),
    checks=True,
    kernel=_grad,
    shape=lambda v, index, *, rows, **_: (rows, v[-1]),
    exempt=("index",),
    ref=lambda v, index, *, rows, padding_idx=-1, scale_grad_by_freq=False: _grad_ref(
        v, index, rows, padding_idx=padding_idx, scale_grad_by_freq=scale_grad_by_freq
    ),
    vjp=(
        lambda g, index, padding_idx, scale_grad_by_freq: _forth(
            g, index, padding_idx, scale_grad_by_freq
        ),
        None,
    ),
    samples=tuple(
        Sample((*index.shape, 4), index, meta={"rows": 3, **meta}) for index, meta in _PICKS
    ),
    methods=(),
)

embedding_grad_grad = op(
    "embedding_grad_grad",
    math=r"x_{i}\,[i \ne \mathrm{padding}]",
    dmath=(r"\textstyle\sum_{n : i_n = k,\ k \ne \mathrm{padding}} g_n", None),
    checks=True,
    kernel=_grad_grad,
    shape=lambda x, index, **_: (*index, x[1]),
    exempt=("index",),
    ref=lambda x, index, *, padding_idx=-1, scale_grad_by_freq=False: (
        x[index] * _shares(index, padding_idx, scale_grad_by_freq)
    ),
    vjp=(
        lambda g, index, x_shape, padding_idx, scale_grad_by_freq: _back(
            g, index, x_shape, padding_idx, scale_grad_by_freq
        ),
        None,
    ),
    samples=tuple(Sample((3, 4), index, meta=meta) for index, meta in _PICKS),
    methods=(),
)
