"""The variables of an optimizer that share a dtype, as its kernels see them."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import layout_known
from nn.keras.optimizers.rule import DECAYS, PLACE, ROWS, Rule, decayed


class Bucket:
    """Variables of one dtype: `book`, their addresses and those of their state.

    `places`: which they are among all variables.  `numbers`: the rule's own state that is one
    number, an array of one element and of the variables' dtype.  `last`: it is the last bucket,
    whose update counts.
    """

    def __init__(
        self, places: list[int], entries: list[tuple[Any, ...]], numbers: np.ndarray, last: bool
    ):
        self.places, self.numbers, self.last = places, numbers, last
        self.arrays = [entry[0] for entry in entries]
        self.decays = [entry[1] for entry in entries]
        self.sums = [entry[2] for entry in entries]
        self.means = [entry[3] for entry in entries]
        self.rows = [entry[4] for entry in entries]
        width = max([len(rows) for rows in self.rows], default=0)
        self.book = np.zeros((len(places), ROWS + width), np.int64)
        for k, (p, decays, sums, mean, rows) in enumerate(entries):
            known = [p, None, None, sums, mean, *rows]
            self.book[k] = [id(p if a is None else a) for a in known]  # what is not there is unread
            self.book[k, PLACE], self.book[k, DECAYS] = places[k], decays
        everything = [a for entry in entries for a in (entry[0], *entry[2:4], *entry[4])]
        self.native = layout_known() and all(
            a is None or (type(a) is np.ndarray and a.flags.carray) for a in everything
        )

    def update_in_numpy(
        self, rule: Rule, gradients: list[Any], t: int, rate: Any, decay: float, own: np.ndarray
    ) -> None:
        """The rule's reference for every variable with a gradient."""
        if rule.shared is not None:
            rule.shared(t, own, self.numbers)
        for k, place in enumerate(self.places):
            g, p = gradients[place], self.arrays[k]
            if g is not None:
                real = p.dtype.type
                lr = real(rate)
                p[...] = decayed(p, real(decay) if self.decays[k] else real(0), lr)
                rule.reference(p, g, self.rows[k], t, lr, own, self.numbers)
