"""Update rules with Keras' numbers, and what their kernels are given.

A step is at most five launches, whatever the number of variables, and none of them is Python's in a
compiled step: the learning rate of a schedule, gradients that are accumulated or scaled (`gather`)
and clipped (`clip`), the rule's own update, and averages of the weights (`average`).  All read one
`book` of addresses and one array of numbers, `hyper`, that attributes of the optimizer write into.

Keras turns some numbers into float32 tensors before it casts them to the variable's dtype: those
are rounded here too, also for float64 variables (`as_tensor_number`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.kernel import Kernel, device, elements_of, is_flat, kernel, same_shape, word_at

DECAY, EVERY, SCALE, NORM, GLOBAL, VALUE, KEEP, OVERWRITE, OWN = range(9)
"""Places in `hyper`: weight decay, accumulation steps, loss scale, clipnorm, global_clipnorm,
clipvalue, EMA momentum and frequency, and the first of the rule's own numbers."""
ARRAY, PLACE, DECAYS, SUMS, MEANS, ROWS = range(6)
"""Columns of `book`: the `id` of a variable's array, its place among the gradients, whether it
decays, the `id`s of its accumulated gradient and its average, and of the first row of its state."""


@dataclass(frozen=True)
class Rule:
    """An update rule, twice: `kernel` for all variables at once, `reference` for one, in NumPy.

    `kernel(gradients, none, book, hyper, rate, counter, numbers, advance)`: see `begin`; it adds
    `advance` to `counter`, and returns -1, or the index of a gradient that it cannot read, having
    changed nothing.  `reference(p, g, rows, t, lr, own, numbers)` changes `p` and `rows`; `own` are
    the rule's numbers, `t` counts updates from 1.  `shared(t, own, numbers)` comes before, and
    changes the state that is one number for all variables.
    """

    kernel: Kernel
    reference: Callable[..., None]
    shared: Callable[..., None] | None = None


def as_tensor_number(x: float) -> float:
    """A number as it is after Keras made a float32 tensor of it."""
    return float(np.float32(x))


@device
def elements(book, k, column, like):
    """The elements of the array whose `id` stands in a column of row `k`."""
    return elements_of(book[k, column], like)


@device
def given(gradients, book, k):
    """The address of the gradient of row `k`."""
    return word_at(gradients + 8 * book[k, PLACE])


@device
def begin(gradients, none, book, hyper, counter):
    """t of this update, from 1; 0 where gradients are only accumulated; -1 - k if k is unreadable.

    `gradients`: the address of a tuple's items, arrays or None, whose address is `none`.
    """
    for k in range(book.shape[0]):
        g = given(gradients, book, k)
        if g != none and not (is_flat(g, book[k, ARRAY]) and same_shape(g, book[k, ARRAY])):
            return -1 - k
    every = np.int64(hyper[EVERY])
    if every > 1 and (counter[0] + 1) % every != 0:
        return np.int64(0)
    return counter[0] // every + 1


@device
def decayed(x, decay, lr):
    """x - x decay lr; x as it is without decay, also where it is infinite."""
    return x - x * decay * lr if decay != 0 else x


@device
def moment(old, new, share):
    """The moving average: share of the new, the rest of the old."""
    return old + (new - old) * share


# Gradients: accumulated over steps, divided by the loss scale, clipped


@kernel
def gather(gradients, none, book, out, hyper, counter, total, like):
    """Write the gradients to use to `out`; add their squares to `total[0]`."""
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    real = like.dtype.type
    every, scale = real(hyper[EVERY]), real(hyper[SCALE])
    squares = 0.0
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        sums = elements(book, k, SUMS, like)
        if place == none:
            if every > 1 and t > 0:
                sums[:] = real(0)
            continue
        g, o = elements_of(place, like), elements_of(given(out, book, k), like)
        for i in range(g.size):
            x = g[i] / scale if scale != 1 else g[i]
            if every > 1:
                x += sums[i]
                sums[i] = x if t == 0 else real(0)
                x /= every
            o[i] = x
            squares += np.float64(x) * np.float64(x)
    total[0] += squares
    return -1


@kernel
def clip(gradients, none, book, hyper, total, last, like):
    """Clip by the norm of each gradient, by that of all, or each component.

    `last`: this is the last launch of the step, so `total` starts again from 0.
    """
    real = like.dtype.type
    norm = np.sqrt(total[0])
    everything = real(1)
    if hyper[GLOBAL] > 0:  # NaN, too, where the norm is inf or NaN
        bound = hyper[GLOBAL]
        everything = real(bound * min(1.0 / norm, 1.0 / bound) + (norm - norm))
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        g = elements_of(place, like)
        factor = everything
        if hyper[NORM] > 0:
            squares = 0.0
            for i in range(g.size):
                squares += np.float64(g[i]) * np.float64(g[i])
            own = np.sqrt(squares)
            factor = real(hyper[NORM] / (own if own > hyper[NORM] or own != own else hyper[NORM]))
        if hyper[VALUE] > 0:
            high = real(hyper[VALUE])
            for i in range(g.size):
                x = g[i] if g[i] > -high or g[i] != g[i] else -high
                g[i] = x if x < high or x != x else high
        else:
            for i in range(g.size):
                g[i] *= factor
    if last:
        total[0] = 0.0
    return -1


# Averages of the weights


@kernel
def average(book, hyper, counter, like):
    """a = m a + (1 - m) p, m = 0 at the first update; every so often p = a."""
    real = like.dtype.type
    done = (counter[0] - 1) // np.int64(hyper[EVERY])
    keep = real(hyper[KEEP]) if done != 0 else real(0)
    every = np.int64(hyper[OVERWRITE])
    overwrite = every > 0 and (done + 1) % every == 0
    for k in range(book.shape[0]):
        p, a = elements(book, k, ARRAY, like), elements(book, k, MEANS, like)
        for i in range(p.size):
            a[i] = keep * a[i] + (real(1) - keep) * p[i]
            if overwrite:
                p[i] = a[i]
    return -1


# The same in NumPy, where kernels cannot go


def gather_in_numpy(
    given: list[Any], sums: list[Any], hyper: np.ndarray, counter: np.ndarray
) -> list[Any]:
    """The gradients to use, or none at all where they are only accumulated."""
    every, scale = int(hyper[EVERY]), hyper[SCALE]
    wanted = [None if g is None else g / g.dtype.type(scale) if scale != 1 else g for g in given]
    if every <= 1:
        return wanted
    if (int(counter[0]) + 1) % every:
        for g, s in zip(wanted, sums):
            if g is not None:
                s += g
        return [None] * len(given)
    wanted = [None if g is None else (g + s) / g.dtype.type(every) for g, s in zip(wanted, sums)]
    for s in sums:
        s[...] = 0
    return wanted


def clip_in_numpy(gradients: list[Any], hyper: np.ndarray) -> list[Any]:
    """See `clip`."""

    def norm(arrays: list[Any]) -> Any:
        return np.sqrt(sum(np.sum(np.square(a, dtype=np.float64)) for a in arrays))

    if hyper[GLOBAL] > 0:
        bound, size = hyper[GLOBAL], norm([g for g in gradients if g is not None])
        factor = bound * np.minimum(1 / size, 1 / bound) + (size - size)
        return [None if g is None else g * g.dtype.type(factor) for g in gradients]
    if hyper[NORM] > 0:
        bound = hyper[NORM]
        return [
            None if g is None else g * g.dtype.type(bound / np.maximum(norm([g]), bound))
            for g in gradients
        ]
    if hyper[VALUE] > 0:
        return [None if g is None else np.clip(g, -hyper[VALUE], hyper[VALUE]) for g in gradients]
    return gradients


def average_in_numpy(p: Any, a: Any, hyper: np.ndarray, counter: np.ndarray) -> None:
    """See `average`."""
    done = (int(counter[0]) - 1) // int(hyper[EVERY])
    keep = p.dtype.type(hyper[KEEP] if done else 0)
    a[...] = keep * a + (1 - keep) * p
    if hyper[OVERWRITE] > 0 and (done + 1) % int(hyper[OVERWRITE]) == 0:
        p[...] = a
