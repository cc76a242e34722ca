"""Variables and their state, bound to kernels: what one step of an optimizer runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import TUPLE_ITEMS
from nn.keras.optimizers.bucket import Bucket
from nn.keras.optimizers.rule import (
    DECAY,
    EVERY,
    GLOBAL,
    KEEP,
    NORM,
    OVERWRITE,
    OWN,
    SCALE,
    VALUE,
    as_tensor_number,
    average,
    average_in_numpy,
    clip,
    clip_in_numpy,
    gather,
    gather_in_numpy,
)
from nn.keras.optimizers.schedules.base import Rate

_NONE = id(None)


class Binding:
    """Where everything lies in memory, and which kernels a step launches.

    A compiled step knows one of these: where memory or launches change, the optimizer makes
    another.  `live`: the hyper-parameters.  `count`: steps so far.
    """

    def __init__(self, optimizer: Any):
        self.rule = optimizer.rule
        self.variables = list(optimizer._trainables)
        self.arrays = [v.array for v in self.variables]
        self.sums = [v.array for v in optimizer._accumulators]
        self.means = [v.array for v in optimizer._averages]
        self.live = np.zeros(OWN + len(optimizer._own()), np.float64)
        self.count = optimizer._iterations.array.reshape(1)
        self.total = np.zeros(1, np.float64)
        self.rate = Rate(optimizer._learning_rate, optimizer._iterations)
        self.rooms: dict[Any, tuple[Any, ...]] = {}
        self.buckets: list[Bucket] = []
        by_dtype: dict[np.dtype, list[int]] = {}
        for i, array in enumerate(self.arrays):
            by_dtype.setdefault(array.dtype, []).append(i)
        kinds: Any = by_dtype or {np.dtype(np.float32): []}
        product = optimizer._product
        for n, (dtype, places) in enumerate(kinds.items()):
            shared = product is not None and product.dtype == dtype
            numbers = product.array.reshape(1) if shared else np.ones(1, dtype)
            entries = [self._entry(optimizer, i) for i in places]
            self.buckets.append(Bucket(places, entries, numbers, n == len(kinds) - 1))
        self.native = all(bucket.native for bucket in self.buckets)
        self.launches = self.read(optimizer)

    def _entry(self, optimizer: Any, i: int) -> tuple[Any, ...]:
        return (
            self.arrays[i],
            optimizer._use_weight_decay(self.variables[i]),
            self.sums[i] if self.sums else None,
            self.means[i] if self.means else None,
            [row.array for row in optimizer._rows[i]],
        )

    def read(self, optimizer: Any) -> tuple[bool, bool]:
        """Read the hyper-parameters: whether gradients are gathered, and averages taken."""
        live = self.live
        live[DECAY] = as_tensor_number(optimizer.weight_decay or 0.0)
        live[EVERY] = optimizer.gradient_accumulation_steps or 1
        scale = optimizer.loss_scale_factor
        live[SCALE] = 1.0 if scale is None else scale
        live[NORM], live[GLOBAL] = optimizer.clipnorm or 0.0, optimizer.global_clipnorm or 0.0
        live[VALUE], live[KEEP] = optimizer.clipvalue or 0.0, optimizer.ema_momentum
        live[OVERWRITE] = optimizer.ema_overwrite_frequency or 0
        live[OWN:] = optimizer._own()
        clips = bool((live[[NORM, GLOBAL, VALUE]] > 0).any())
        return clips or live[EVERY] > 1 or live[SCALE] != 1, bool(self.means)

    def fits(self) -> bool:
        """True while the variables have the arrays that were bound."""
        return all(v.value is array for v, array in zip(self.variables, self.arrays))

    def update(self, values: tuple[Any, ...]) -> None:
        """One step, from the gradients of all variables as arrays or None."""
        if not self.native:
            self._update_in_numpy(values)
        elif self._step(values) >= 0:
            self._step(tuple(map(_fitting, values, self.variables)))

    def _step(self, values: tuple[Any, ...]) -> int:
        """All kernels of a step; not -1, and nothing done, where one cannot read a gradient."""
        self.rate.launch()
        at = id(values) + TUPLE_ITEMS
        live, count, total = self.live, self.count, self.total
        gathers, averages = self.launches
        if gathers:
            out = id(self._room(values)) + TUPLE_ITEMS
            for b in self.buckets:
                status = gather.run(at, _NONE, b.book, out, live, count, total, b.numbers)
                if status >= 0:
                    return status
            at = out
            for b in self.buckets:
                clip.run(at, _NONE, b.book, live, total, b.last, b.numbers)
        run, rate = self.rule.kernel.run, self.rate.array
        for b in self.buckets:
            status = run(at, _NONE, b.book, live, rate, count, b.numbers, int(b.last))
            if status >= 0:
                return status
        if averages:
            for b in self.buckets:
                average.run(b.book, live, count, b.numbers)
        return -1

    def _room(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Memory for the gradients to use: kept, since compiled steps know where it is."""
        key = tuple([g is None for g in values])
        room = self.rooms.get(key)
        if room is None:
            arrays = zip(values, self.arrays)
            room = tuple([None if g is None else np.zeros_like(p) for g, p in arrays])
            self.rooms[key] = room
        return room

    def _update_in_numpy(self, values: tuple[Any, ...]) -> None:
        """The same without kernels."""
        self.rate.launch()
        live, count = self.live, self.count
        given = list(map(_fitting, values, self.variables))
        every = int(live[EVERY])
        updates = (int(count[0]) + 1) % every == 0
        gathers, averages = self.launches
        with np.errstate(all="ignore"):
            if gathers:
                given = gather_in_numpy(given, self.sums, live, count)
                given = clip_in_numpy(given, live)
            if updates:
                t, rate = int(count[0]) // every + 1, self.rate.array[0]
                for b in self.buckets:
                    b.update_in_numpy(self.rule, given, t, rate, live[DECAY], live[OWN:])
            count[0] += 1
            if averages:
                for p, a in zip(self.arrays, self.means):
                    average_in_numpy(p, a, live, count)


def _fitting(g: Any, v: Any) -> Any:
    """A gradient that is strided or of another dtype, as its variable is."""
    if g is None:
        return None
    if np.shape(g) != v.shape:
        raise ValueError(
            f"optimizer: the gradient of {getattr(v, 'path', 'a variable')} has shape"
            f" {np.shape(g)}; expected {v.shape}"
        )
    return np.array(g, v.dtype, order="C", copy=None)
