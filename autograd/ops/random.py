"""Ops that draw from a random stream.  Their results are constants of the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.op import Sample, op


def _dropout_mask(out: np.ndarray, x: np.ndarray, *, p: float, stream: np.random.Generator) -> None:
    if p == 1.0:
        out[...] = 0
        return
    np.greater_equal(stream.random(x.shape, np.float32), p, out=out, casting="unsafe")
    np.multiply(out, 1 / (1 - p), out=out)


class _Middle:
    """A stream whose every draw is 0.5, so that the table's tests know the mask."""

    def random(self, shape: Any, dtype: Any) -> np.ndarray:
        return np.full(shape, 0.5, dtype)


dropout_mask = op(
    "dropout_mask",
    math=r"\mathrm{Bernoulli}(1 - p) / (1 - p)",
    kernel=_dropout_mask,
    shape=lambda x, *, p, stream: x,
    ref=lambda x, *, p, stream: (
        (stream.random(x.shape, np.float32) >= p) / (1 - p) if p < 1 else np.zeros(x.shape)
    ),
    samples=tuple(
        Sample(shape, meta={"p": p, "stream": _Middle()})
        for shape, p in (((3, 4), 0.2), ((), 0.6), ((2, 0), 0.5), ((2,), 1.0))
    ),
    methods=(),
)
