"""Channels of x (n, channels, ...): their moments, and scaling by them, for batch normalisation.

Sums are of differences from the channel's first value: since that is one of those averaged, what
cancels is at most n times the variance.  They are float64; a float32 column is added in fours.

Kernels take x as (n, channels * inner); `stats` (3, channels): mean, variance, 1 / deviation; and
room: `sums` (2, tile + lanes) float64, `lines` (3, tile) of the dtype of x.
"""

from __future__ import annotations

import numpy as np

from autograd import moves
from autograd.errors import DtypeError, ShapeError
from autograd.kernel import device, kernel
from autograd.reduction import total
from autograd.shapes import Shape

TILE = 512
"""Channels side by side that are worked on together: their sums stay in the first-level cache."""
LANES = 32
"""Independent sums of one channel whose values are neighbours in memory."""


@device
def _add_columns(sums, x, start, stop, first):
    """Sums of d = x - first (row 0) and of d^2 (row 1)."""
    n, size = x.shape[0], stop - start
    s, q = sums[0], sums[1]
    for j in range(size):
        s[j] = q[j] = 0.0
    full = n - n % 4
    for i in range(0, full, 4):
        a, b = x[i, start:stop], x[i + 1, start:stop]
        c, e = x[i + 2, start:stop], x[i + 3, start:stop]
        for j in range(size):
            z = first[j]
            da, db, dc, de = a[j] - z, b[j] - z, c[j] - z, e[j] - z
            s[j] += (da + db) + (dc + de)
            q[j] += (da * da + db * db) + (dc * dc + de * de)
    for i in range(full, n):
        a = x[i, start:stop]
        for j in range(size):
            d = a[j] - first[j]
            s[j] += d
            q[j] += d * d


@device
def _add_runs(sums, x, start, stop, inner, first):
    """The same where a channel's values are neighbours, `inner` at a time."""
    width = sums.shape[1] - LANES
    s, q = sums[0, width:], sums[1, width:]
    for j in range(stop - start):
        z = first[j]
        for k in range(LANES):
            s[k] = q[k] = 0.0
        for i in range(x.shape[0]):
            for at in range((start + j) * inner, (start + j + 1) * inner, LANES):
                part = x[i, at : min(at + LANES, (start + j + 1) * inner)]
                for k in range(part.size):
                    d = part[k] - z
                    s[k] += d
                    q[k] += d * d
        sums[0, j], sums[1, j] = total(s), total(q)


@kernel
def statistics(stats, x, eps, inner, sums):
    """Mean, variance and 1 / sqrt(variance + eps) of every channel."""
    tile, share = sums.shape[1] - LANES, 1.0 / (x.shape[0] * inner)
    s, q = sums[0], sums[1]
    for start in range(0, stats.shape[1], tile):
        stop = min(start + tile, stats.shape[1])
        mean, var, scale = stats[0, start:stop], stats[1, start:stop], stats[2, start:stop]
        first = x[0, start * inner : stop * inner : inner]
        for j in range(stop - start):
            mean[j] = first[j] if abs(first[j]) < np.inf else 0.0
        if inner == 1:
            _add_columns(sums, x, start, stop, mean)
        else:
            _add_runs(sums, x, start, stop, inner, mean)
        for j in range(stop - start):
            d = s[j] * share
            spread = q[j] * share - d * d
            spread = 0.0 if spread < 0.0 else spread  # NaN stays
            mean[j], var[j], scale[j] = mean[j] + d, spread, 1.0 / np.sqrt(spread + eps)


@device
def _scale(out, x, start, stop, inner, center, slope, shift):
    """(x - center) slope + shift, for channels start ... stop - 1."""
    for i in range(x.shape[0]):
        if inner == 1:
            row, to = x[i, start:stop], out[i, start:stop]
            for j in range(stop - start):
                to[j] = (row[j] - center[j]) * slope[j] + shift[j]
            continue
        for j in range(stop - start):
            at = (start + j) * inner
            row, to = x[i, at : at + inner], out[i, at : at + inner]
            c, a, b = center[j], slope[j], shift[j]
            for k in range(inner):
                to[k] = (row[k] - c) * a + b


@kernel
def normalize(out, x, weight, bias, stats, inner, lines):
    """Scale every channel to mean `bias` and deviation `weight`."""
    slope, tile = lines[0], lines.shape[1]
    for start in range(0, bias.size, tile):
        stop = min(start + tile, bias.size)
        w, scale = weight[start:stop], stats[2, start:stop]
        for j in range(stop - start):
            slope[j] = w[j] * scale[j]
        _scale(out, x, start, stop, inner, stats[0, start:stop], slope, bias[start:stop])


@kernel
def scale(out, x, mean, var, weight, bias, eps, inner, lines):
    """The same with a mean and a variance that are given."""
    slope, tile = lines[0], lines.shape[1]
    for start in range(0, bias.size, tile):
        stop = min(start + tile, bias.size)
        for j in range(stop - start):
            slope[j] = weight[start + j] / np.sqrt(np.float64(var[start + j]) + eps)
        _scale(out, x, start, stop, inner, mean[start:stop], slope, bias[start:stop])


# The way back


@device
def _add_column_products(sums, x, v, start, stop, center):
    """Sums of v (row 0) and of v (x - center) (row 1)."""
    n, size = v.shape[0], stop - start
    t, p = sums[0], sums[1]
    for j in range(size):
        t[j] = p[j] = 0.0
    full = n - n % 4
    for i in range(0, full, 4):
        a, b = x[i, start:stop], x[i + 1, start:stop]
        c, e = x[i + 2, start:stop], x[i + 3, start:stop]
        f, g = v[i, start:stop], v[i + 1, start:stop]
        h, k = v[i + 2, start:stop], v[i + 3, start:stop]
        for j in range(size):
            z = center[j]
            t[j] += (f[j] + g[j]) + (h[j] + k[j])
            p[j] += ((a[j] - z) * f[j] + (b[j] - z) * g[j]) + (
                (c[j] - z) * h[j] + (e[j] - z) * k[j]
            )
    for i in range(full, n):
        a, f = x[i, start:stop], v[i, start:stop]
        for j in range(size):
            t[j] += f[j]
            p[j] += (a[j] - center[j]) * f[j]


@device
def _add_run_products(sums, x, v, start, stop, inner, center):
    """The same where a channel's values are neighbours."""
    width = sums.shape[1] - LANES
    t, p = sums[0, width:], sums[1, width:]
    for j in range(stop - start):
        z = center[j]
        for k in range(LANES):
            t[k] = p[k] = 0.0
        for i in range(x.shape[0]):
            for at in range((start + j) * inner, (start + j + 1) * inner, LANES):
                end = min(at + LANES, (start + j + 1) * inner)
                part, its = x[i, at:end], v[i, at:end]
                for k in range(part.size):
                    t[k] += its[k]
                    p[k] += (part[k] - z) * its[k]
        sums[0, j], sums[1, j] = total(t), total(p)


@device
def _project(out, v, x, start, stop, inner, center, lines):
    """lines[0] (v - lines[1] - (x - center) lines[2]), for channels start ... stop - 1."""
    factor, shift, slope = lines[0], lines[1], lines[2]
    for i in range(x.shape[0]):
        if inner == 1:
            row, g, to = x[i, start:stop], v[i, start:stop], out[i, start:stop]
            for j in range(stop - start):
                to[j] = factor[j] * (g[j] - shift[j] - (row[j] - center[j]) * slope[j])
            continue
        for j in range(stop - start):
            at = (start + j) * inner
            row, g, to = x[i, at : at + inner], v[i, at : at + inner], out[i, at : at + inner]
            c, a, b, m = center[j], factor[j], shift[j], slope[j]
            for k in range(inner):
                to[k] = a * (g[k] - b - (row[k] - c) * m)


@kernel
def backward(dx, dweight, dbias, v, x, weight, stats, inner, sums, lines):
    """The gradients, those that are not None, from the gradient v of what `normalize` made."""
    tile, share = lines.shape[1], 1.0 / (x.shape[0] * inner)
    factor, shift, slope = lines[0], lines[1], lines[2]
    t, p = sums[0], sums[1]
    for start in range(0, stats.shape[1], tile):
        stop = min(start + tile, stats.shape[1])
        center, scale = stats[0, start:stop], stats[2, start:stop]
        if inner == 1:
            _add_column_products(sums, x, v, start, stop, center)
        else:
            _add_run_products(sums, x, v, start, stop, inner, center)
        if dbias is not None:
            to = dbias[start:stop]
            for j in range(stop - start):
                to[j] = t[j]
        if dweight is not None:
            to = dweight[start:stop]
            for j in range(stop - start):
                to[j] = p[j] * scale[j]
        if dx is not None:
            w = weight[start:stop]
            for j in range(stop - start):
                factor[j], shift[j] = w[j] * scale[j], t[j] * share
                slope[j] = scale[j] * scale[j] * p[j] * share
            _project(dx, v, x, start, stop, inner, center, lines)


def rows(x: np.ndarray) -> tuple[np.ndarray, int]:
    """For the kernels: x as (n, channels * inner), and inner."""
    if x.ndim == 2:
        return x, 1
    flat = x.reshape(x.shape[0], -1)
    return flat, flat.shape[1] // x.shape[1]


def room_for_sums(channels: int) -> np.ndarray:
    """Room for the sums of a tile of channels."""
    return np.empty((2, min(channels, TILE) + LANES))


def room_for_lines(x: np.ndarray) -> np.ndarray:
    """Room for three numbers per channel of a tile."""
    return np.empty((3, min(x.shape[1], TILE)), x.dtype)


def like(out: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """`out` in the shape that `rows` gave x."""
    return out if out.ndim == 2 else out.reshape(flat.shape)


def ones(weight: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """`weight`, or ones."""
    return moves.full(x.shape[1:2], 1.0, x.dtype) if weight is None else weight


def zeros(bias: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """`bias`, or zeros."""
    return moves.full(x.shape[1:2], 0.0, x.dtype) if bias is None else bias


def affine(y: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None) -> np.ndarray:
    """Y scaled and shifted, in NumPy: for references."""
    line = (-1, *(1,) * (y.ndim - 2))
    y = y if weight is None else y * weight.reshape(line)
    return y if bias is None else y + bias.reshape(line)


def summed(shape: Shape) -> Shape:
    """The dimensions in which what belongs to channels is repeated."""
    return (0, *range(2, len(shape)))


def check(name: str, x: Shape, **given: Shape | None) -> Shape:
    """The shape of x; ShapeError unless it has channels, and one value given for each."""
    if len(x) < 2:
        raise ShapeError(f"{name}: x is {x}; expected (n, channels) or (n, channels, ...)")
    for what, shape in given.items():
        if shape is not None and shape != x[1:2]:
            raise ShapeError(
                f"{name}: {what} should contain {x[1]} elements, one per channel of x {x};"
                f" it is {shape}"
            )
    return x


def float_only(x: np.ndarray, *_: object, **meta: object) -> np.dtype:
    """The dtype of x; DtypeError where it is not a float."""
    if x.dtype.kind != "f":
        raise DtypeError(f"batch_norm: x is {x.dtype.name}; expected float32 or float64")
    return x.dtype
