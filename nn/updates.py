"""Changes in place of state that no gradient trains.

Each is one function that runs one kernel and raises the versions of what it changed, so that a
backward pass that needed the old values says so.  Nothing else in `nn` writes into an array during
a forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.kernel import kernel
from autograd.modes import modes


@kernel
def _follow(mean, var, batches, stats, count, momentum):
    share = momentum
    if batches is not None:
        batches[0] += 1
        if momentum != momentum:
            share = 1.0 / batches[0]
    if count == 0:
        return
    unbiased = count / (count - 1.0)
    for j in range(mean.size):
        mean[j] = (1.0 - share) * mean[j] + share * stats[0, j]
        var[j] = (1.0 - share) * var[j] + share * (stats[1, j] * unbiased)


def _change(name: str, run: Callable[[Any], None], inputs: Any, written: list[Any]) -> None:
    """`run` on the inputs' arrays, which changes those of `written`; a compiled step records it."""
    run(tuple([x.array if isinstance(x, Tensor) else x for x in inputs]))
    for t in written:
        t.version[0] += 1
    if modes.recorder is not None:
        modes.recorder.effect(name, run, inputs, written)


def update_running_stats(
    running_mean: Tensor,
    running_var: Tensor,
    num_batches_tracked: Tensor | None,
    stats: Tensor,
    count: int,
    momentum: float | None,
) -> None:
    """Move the running mean and variance (channels,) towards those of a batch.

    running = (1 - momentum) running + momentum batch.  `stats`: what `batch_stats` gave for `count`
    values per channel; the variance is made one over count - 1.  `momentum=None`: the average over
    all batches, which `num_batches_tracked` counts.
    """
    inputs = running_mean, running_var, num_batches_tracked, stats, count, momentum
    written = [running_mean, running_var, num_batches_tracked]
    _change("running_stats", _running_stats, inputs, written[: 2 + (written[2] is not None)])


def _running_stats(arrays: tuple[Any, ...]) -> None:
    mean, var, batches, stats, count, momentum = arrays
    share = math.nan if momentum is None else momentum
    batches = None if batches is None else batches.reshape(1)
    _follow.run(mean, var, batches, stats, count, share)


@kernel
def _decay(mean, var, stats, momentum):
    for j in range(mean.size):
        mean[j] = momentum * mean[j] + (1.0 - momentum) * stats[0, j]
        var[j] = momentum * var[j] + (1.0 - momentum) * stats[1, j]


def decay_running_stats(mean: Tensor, var: Tensor, stats: Tensor, momentum: float) -> None:
    """Keras' way: running = momentum running + (1 - momentum) batch, the variance as it is."""
    inputs = mean, var, stats, float(momentum)
    _change("decay_running_stats", _decayed_stats, inputs, [mean, var])


def _decayed_stats(arrays: tuple[Any, ...]) -> None:
    _decay.run(*arrays)


@kernel
def _limit(weight, index, done, max_norm, p):
    done[:] = False
    for i in range(index.size):
        k = np.int64(index[i])
        if k < 0 or k >= done.size or done[k]:
            continue
        done[k] = True
        row, total = weight[k], 0.0
        for j in range(row.size):
            size = np.float64(abs(row[j]))
            if p == np.inf:
                total = size if size > total else total
            else:
                total += size * size if p == 2.0 else size**p
        norm = total if p == np.inf else total ** (1.0 / p)
        if norm > max_norm:
            scale = row.dtype.type(max_norm / (norm + 1e-7))
            for j in range(row.size):
                row[j] *= scale


def limit_rows(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows of weight (n, features) that are in `index` down to a norm of max_norm."""
    inputs = weight, index, float(max_norm), float(norm_type)
    _change("limit_rows", _limit_rows, inputs, [weight])


def _limit_rows(arrays: tuple[Any, ...]) -> None:
    weight, index, max_norm, norm_type = arrays
    done = np.empty(weight.shape[0], np.bool_)
    _limit.run(weight, index.reshape(-1), done, max_norm, norm_type)
