"""Rows of a matrix: scaling each to a given deviation, for layer, RMS and group normalisation.

`Kind` says how the dimensions of each of the three become rows.  Kernels take x as (rows, width);
weight and bias as (groups, width), those of row r in row r modulo groups; `stats` (2, rows): mean
and 1 / deviation; `centered`: the mean is taken off, and deviations are from it, else from 0;
`lanes` (2, n): room for independent float64 sums, of differences from the row's first value.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.errors import ShapeError
from autograd.kernel import device, kernel
from autograd.reduction import total

Shape = shapes.Shape


@device
def _moments(lanes, row, centered):
    """The mean of a row (or 0), and its mean square from there."""
    s, q, width = lanes[0], lanes[1], lanes.shape[1]
    z = row[0] if centered and abs(row[0]) < np.inf else row.dtype.type(0)
    for k in range(width):
        s[k] = q[k] = 0.0
    full = row.size - row.size % (4 * width)
    for i in range(0, full, 4 * width):  # four at a time: 3.5 us for 64 x 256, else 10
        a, b = row[i : i + width], row[i + width : i + 2 * width]
        c, e = row[i + 2 * width : i + 3 * width], row[i + 3 * width : i + 4 * width]
        for k in range(width):
            da, db, dc, de = a[k] - z, b[k] - z, c[k] - z, e[k] - z
            s[k] += (da + db) + (dc + de)
            q[k] += (da * da + db * db) + (dc * dc + de * de)
    for i in range(full, row.size, width):
        a = row[i : i + width]
        for k in range(a.size):
            d = a[k] - z
            s[k] += d
            q[k] += d * d
    d = total(s) / row.size if centered else 0.0
    square = total(q) / row.size - d * d
    return z + d, (0.0 if square < 0.0 else square)  # NaN stays


@device
def _products(lanes, row, c, mean):
    """The means of c and of c (x - mean)."""
    t, p, width = lanes[0], lanes[1], lanes.shape[1]
    for k in range(width):
        t[k] = p[k] = 0.0
    full = row.size - row.size % (4 * width)
    for i in range(0, full, 4 * width):
        second, third, fourth, end = i + width, i + 2 * width, i + 3 * width, i + 4 * width
        xa, xb, xc, xd = row[i:second], row[second:third], row[third:fourth], row[fourth:end]
        ca, cb, cc, cd = c[i:second], c[second:third], c[third:fourth], c[fourth:end]
        for k in range(width):
            t[k] += (ca[k] + cb[k]) + (cc[k] + cd[k])
            p[k] += ((xa[k] - mean) * ca[k] + (xb[k] - mean) * cb[k]) + (
                (xc[k] - mean) * cc[k] + (xd[k] - mean) * cd[k]
            )
    for i in range(full, row.size, width):
        xa, ca = row[i : i + width], c[i : i + width]
        for k in range(xa.size):
            t[k] += ca[k]
            p[k] += (xa[k] - mean) * ca[k]
    return total(t) / row.size, total(p) / row.size


@kernel
def _statistics(stats, x, eps, centered, lanes):
    for r in range(x.shape[0]):
        mean, square = _moments(lanes, x[r], centered)
        stats[0, r], stats[1, r] = mean, 1 / np.sqrt(square + eps)


@kernel
def _normalize(out, x, weight, bias, stats):
    for r in range(x.shape[0]):
        row, to, mean, scale = x[r], out[r], stats[0, r], stats[1, r]
        w, b = weight[r % weight.shape[0]], bias[r % weight.shape[0]]
        for k in range(row.size):
            to[k] = (row[k] - mean) * scale * w[k] + b[k]


@kernel
def _backward(dx, dweight, v, x, weight, stats, centered, lanes):
    """The gradients of x and, float64, of weight: those that are not None."""
    if dweight is not None:
        dweight[:] = 0.0
    for r in range(x.shape[0]):
        row, g, mean, scale = x[r], v[r], stats[0, r], stats[1, r]
        if dweight is not None:
            sums = dweight[r % dweight.shape[0]]
            for k in range(row.size):
                sums[k] += g[k] * ((row[k] - mean) * scale)
        if dx is not None:
            to, w = dx[r], weight[r % weight.shape[0]]
            for k in range(row.size):
                to[k] = g[k] * w[k]
            level, along = _products(lanes, row, to, mean)
            slope = dx.dtype.type(scale * scale * along)
            shift = dx.dtype.type(level if centered else 0.0)
            for k in range(row.size):
                to[k] = scale * (to[k] - shift - (row[k] - mean) * slope)


def _room(width: int) -> np.ndarray:
    """Room for the sums of a row."""
    return np.empty((2, min(32, 1 << max(width.bit_length() - 3, 2))))


@kernel
def _by_channel(out, sums):
    for i in range(out.size):
        its = 0.0
        for k in range(sums.shape[1]):
            its += sums[i, k]
        out[i] = its


@dataclass(frozen=True)
class Kind:
    """One of the three: its name, and what it normalises.

    `over`: the name of the metadata that says so, "normalized_shape" or "num_groups".
    """

    name: str
    over: str
    centered: bool = True

    @property
    def grouped(self) -> bool:
        """True where weights belong to channels, False where they belong to places in a row."""
        return self.over == "num_groups"

    def layout(self, x: Shape, over: Any) -> Shape:
        """X as (n, groups, width); ShapeError where that does not go."""
        return _layout(self, x, over if self.grouped else tuple(over))

    def stats_shape(self, x: Shape, over: Any) -> Shape:
        """(2, rows)."""
        n, groups, _ = self.layout(x, over)
        return 2, n * groups

    def each(self, x: Shape, over: Any) -> Shape:
        """The shape of weight and bias."""
        return x[1:2] if self.grouped else tuple(over)

    def line(self, x: Shape, over: Any) -> Shape:
        """That shape so that it broadcasts to x."""
        return (x[1], *(1,) * (len(x) - 2)) if self.grouped else tuple(over)

    def summed(self, x: Shape, over: Any) -> Shape:
        """The dimensions in which weight and bias are repeated."""
        return (0, *range(2, len(x))) if self.grouped else tuple(range(len(x) - len(over)))

    def check(self, x: Shape, over: Any, **given: Shape | None) -> Shape:
        """The shape of the result; ShapeError where weight or bias do not fit."""
        self.layout(x, over)
        for what, shape in given.items():
            if shape is not None and shape != self.each(x, over):
                raise ShapeError(
                    f"{self.name}: Expected {what} to be of shape {self.each(x, over)} for x {x}"
                    f" and {self.over}={over}; it is {shape}"
                )
        return x

    # Running the kernels

    def _matrix(self, x: np.ndarray, sizes: Shape) -> np.ndarray:
        return x if x.ndim == 2 and sizes[1] == 1 else x.reshape(sizes[0] * sizes[1], sizes[2])

    def _row_of_each(self, each: Any, x: np.ndarray, sizes: Shape, default: float) -> np.ndarray:
        """Weight or bias as (groups, width), that of a channel repeated."""
        _, groups, width = sizes
        if each is None:
            return moves.full((groups, width), default, x.dtype)
        inner = groups * width // each.size
        return (
            each if inner == 1 else moves.spread(each.reshape(-1, 1), (each.size, inner))
        ).reshape(groups, width)

    def statistics(self, out: np.ndarray, x: np.ndarray, over: Any, eps: float) -> None:
        """Mean and 1 / sqrt(mean square + eps) of every row."""
        if x.size:
            sizes = self.layout(x.shape, over)
            _statistics.run(out, self._matrix(x, sizes), eps, self.centered, _room(sizes[2]))
        else:
            moves.fill(out, 0)

    def _known(self, stats: Any, x: np.ndarray, over: Any, eps: float) -> np.ndarray:
        if stats is None:
            stats = np.empty(self.stats_shape(x.shape, over), x.dtype)
            self.statistics(stats, x, over, eps)
        return stats

    def forward(self, out: Any, x: Any, weight: Any, *rest: Any) -> None:
        """Scale every row to mean 0 and deviation 1, then by weight and, where centered, bias."""
        bias, stats, over, eps = rest if self.centered else (None, *rest)
        if x.size:
            sizes = self.layout(x.shape, over)
            each = self._row_of_each(weight, x, sizes, 1), self._row_of_each(bias, x, sizes, 0)
            matrices = self._matrix(out, sizes), self._matrix(x, sizes)
            _normalize.run(*matrices, *each, self._known(stats, x, over, eps))

    def backward(
        self, out: Any, v: Any, x: Any, weight: Any, stats: Any, over: Any, eps: float
    ) -> None:
        """The gradient of x, from the gradient v of what `forward` made."""
        if x.size:
            self.gradients(out, None, v, x, weight, self._known(stats, x, over, eps), over)

    def backward_weight(self, out: Any, v: Any, x: Any, stats: Any, over: Any, eps: float) -> None:
        """The gradient of `weight`."""
        if x.size:
            self.gradients(None, out, v, x, None, self._known(stats, x, over, eps), over)
        else:
            moves.fill(out, 0)

    def gradients(
        self, dx: Any, dweight: Any, v: Any, x: Any, weight: Any, stats: Any, over: Any
    ) -> None:
        """Both, as far as they are not None."""
        sizes = self.layout(x.shape, over)
        to = dx if dx is None else self._matrix(dx, sizes)
        sums: Any = None if dweight is None else np.empty(sizes[1:])
        weight = weight if dx is None else self._row_of_each(weight, x, sizes, 1)
        matrices = self._matrix(v, sizes), self._matrix(x, sizes)
        _backward.run(to, sums, *matrices, weight, stats, self.centered, _room(sizes[2]))
        if dweight is not None:
            _by_channel.run(dweight.reshape(-1), sums.reshape(dweight.size, -1))


@functools.lru_cache(maxsize=4096)
def _layout(kind: Kind, x: Shape, over: Any) -> Shape:
    return (_group_layout if kind.grouped else _layer_layout)(kind.name, x, over)


def _layer_layout(name: str, x: Shape, over: Any) -> Shape:
    if not over:
        raise ShapeError(
            f"{name}: Expected normalized_shape to be at least 1-dimensional, but got ()"
        )
    if x[-len(over) :] != over:
        wanted = ", ".join(["*", *map(str, over)])
        raise ShapeError(
            f"{name}: Given normalized_shape={over}, expected input with shape [{wanted}], but got"
            f" input of size {x}"
        )
    return shapes.numel(x[: -len(over)]), 1, shapes.numel(over)


def _group_layout(name: str, x: Shape, over: Any) -> Shape:
    if len(x) < 2:
        raise ShapeError(f"{name}: Expected at least 2 dimensions for input but received {x}")
    if over < 1 or x[1] % over:
        raise ShapeError(
            f"{name}: Expected number of channels in input to be divisible by num_groups, but got"
            f" input of shape {x} and num_groups={over}"
        )
    return x[0], over, shapes.numel(x[1:]) // over
