"""Optimizers over scalars (`autograd.scalar`), which have no memory that a kernel could write."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.modes import modes
from optim.rule import Bucket


class NumberBucket(Bucket):
    """The scalars of a group: at each step their numbers go into one array, and back from there.

    `cells`: one 0-d array per parameter, looking into that array; `slopes`: the same for gradients.
    """

    def _memory(self, params: list[Tensor]) -> list[np.ndarray]:
        self.flat = np.zeros((2, len(params)))
        self.cells = [self.flat[0, k : k + 1].reshape(()) for k in range(len(params))]
        self.slopes = [Tensor.wrap(self.flat[1, k : k + 1].reshape(())) for k in range(len(params))]
        first: dict[Tensor, int] = {}
        return [self.cells[first.setdefault(p, k)] for k, p in enumerate(params)]

    def fits(self) -> bool:
        """True when the group and its parameters are those bound, and scalars still."""
        params = self.group["params"]
        return (
            self.groups[self.place] is self.group
            and len(params) == self.count
            and all(type(params[i].value) is float for i in self.indices)
        )

    def update(self) -> bool:
        """One step for each parameter that has a gradient.  False, and nothing done: see `fits`."""
        if not self.fits():
            return False
        everything = self.group["params"]
        params = [everything[i] for i in self.indices]
        given = [(p, p.grad, k) for k, p in enumerate(params) if p._grad is not None]
        gradients: list[Any] = [None] * len(params)
        for p, g, k in given:
            self.arrays[k][...] = p.value
            self.slopes[k].value[...] = g.value
            gradients[k] = self.slopes[k].value
        if self.group.moving:
            self.group.renew()
        scalars = None if modes.recorder is None else modes.recorder.scalars
        if scalars is not None:
            scalars.store([self.arrays[k] for _, _, k in given], [p for p, _, _ in given])
            scalars.store([self.slopes[k].value for _, _, k in given], [g for _, g, _ in given])
        if self.native:
            self._run(tuple(gradients))
        else:
            self._update_in_numpy(tuple(gradients))
        if scalars is not None:
            slopes = [None if g is None else s for g, s in zip(gradients, self.slopes)]
            self._effect(slopes, [])
            scalars.load([self.arrays[k] for _, _, k in given], [p for p, _, _ in given])
        for p, _, k in given:
            p.value = self.arrays[k].item()
        return True
