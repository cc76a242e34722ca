"""Optimizers whose update is one jitted kernel over all parameters of a group.

Whatever the number of parameters, a step is one call: the kernel is given the address of a tuple
of gradient arrays and finds their elements itself.  Adam, float32, on the reference machine:

    parameters x elements          4 x 8     40 x 8    6 x 90,000
    one call, a tuple's address    1.5 us    7.2 us    212 us
    one call, ids in an array      2.0       7.8       213
    one call per parameter         2.6      26.9       216
    one call, `a.ctypes.data`      6        48         217
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd import Tensor, enable_grad
from autograd.kernel import (
    TUPLE_ITEMS,
    Kernel,
    device,
    elements_of,
    is_flat,
    layout_known,
    same_shape,
    word_at,
)
from optim.optimizer import Optimizer, ParamGroup

_NONE = id(None)


@dataclass(frozen=True)
class Rule:
    """An update rule, twice: `kernel` for all parameters at once, `reference` for one, in NumPy.

    `kernel(gradients, none, book, hyper, steps, state)` with the signature's meaning in `Bucket`;
    it counts `steps` up, writes parameters and state, and returns -1, or the index of a gradient
    that it cannot read, having changed nothing.  `reference(p, g, rows, hyper, steps)` changes `p`,
    and `rows` and `steps`, its share of the state.  `slots(group)` are the names of those rows in
    `state_dict`, `rows` their greatest number; `counts`: "step" is among the state.
    """

    kernel: Kernel
    reference: Callable[..., None]
    slots: Callable[[dict[str, Any]], tuple[str, ...]]
    rows: int
    counts: bool = True


@device
def unreadable(gradients, none, book):
    """The index of the first gradient that is no array as its parameter is; -1 if all are."""
    for k in range(book.shape[0]):
        g = word_at(gradients + 8 * k)
        if g != none and not (is_flat(g, book[k, 0]) and same_shape(g, book[k, 0])):
            return k
    return -1


@device
def elements(book, k, like):
    """The elements of parameter `k`."""
    return elements_of(book[k, 0], like)


@device
def gradient(gradients, k, like):
    """The elements of gradient `k`."""
    return elements_of(word_at(gradients + 8 * k), like)


class Bucket:
    """The parameters of a group that share a dtype, and their state, which is one flat array.

    `book` (n, 2): for each parameter the `id` of its array, and where its part of `state` begins.
    `state` (rows, elements): e.g. the first and second moments.  `steps` (n): updates so far.
    """

    def __init__(self, rule: Rule, group: ParamGroup, params: list[Tensor]):
        self.rule, self.group, self.params = rule, group, params
        self.arrays = [p.array for p in params]
        ends = np.cumsum([a.size for a in self.arrays], dtype=np.int64)
        starts = [int(end) - a.size for end, a in zip(ends, self.arrays)]
        self.book = np.array([(id(a), start) for a, start in zip(self.arrays, starts)], np.int64)
        self.state = np.zeros((rule.rows, int(ends[-1])), self.arrays[0].dtype)
        self.rows = [
            [row[start : start + a.size].reshape(a.shape) for row in self.state]
            for a, start in zip(self.arrays, starts)
        ]
        self.steps = np.zeros(len(params))
        self.native = layout_known() and all(
            type(a) is np.ndarray and a.flags.carray for a in self.arrays
        )

    def moved(self) -> bool:
        """True when a parameter has a new array: `model.double()`, or `p.data = ...`."""
        for p, array in zip(self.params, self.arrays):  # noqa: SIM110 - half the time of any()
            if p.value is not array:
                return True
        return False

    def update(self) -> None:
        """One step for each parameter that has a gradient."""
        gradients: list[Any] = []
        for p in self.params:
            g = p._grad
            if g is None:
                gradients.append(None)
            else:
                p.version[0] += 1
                gradients.append(g.value)
        if not self.native:
            self._update_in_numpy(gradients)
        elif self._run(tuple(gradients)) >= 0:
            self._run(tuple(map(_fitting, gradients, self.arrays)))

    def _run(self, gradients: tuple[Any, ...]) -> int:
        return self.rule.kernel.run(
            id(gradients) + TUPLE_ITEMS, _NONE, self.book, self.group.live, self.steps, self.state
        )

    def _update_in_numpy(self, gradients: list[Any]) -> None:
        with np.errstate(all="ignore"):
            for k, (array, g) in enumerate(zip(self.arrays, gradients)):
                if g is not None:
                    g, steps = _fitting(g, array), self.steps[k : k + 1]
                    self.rule.reference(array, g, self.rows[k], self.group.live, steps)

    def saved(self, k: int) -> dict[str, Any]:
        """The state of parameter `k` as tensors that share its memory."""
        names = self.rule.slots(self.group)
        found: dict[str, Any] = {
            name: Tensor.wrap(row) for name, row in zip(names, self.rows[k], strict=False)
        }
        if self.rule.counts:
            return {"step": Tensor.wrap(np.array(self.steps[k], np.float32)), **found}
        return found

    def restore(self, k: int, state: dict[str, Any]) -> None:
        """Take over the state of parameter `k`; what is not in it starts from zero."""
        for row in self.rows[k]:
            row[...] = 0
        present = [name for name in self.rule.slots(self.group) if state.get(name) is not None]
        self.steps[k] = float(state["step"]) if "step" in state else bool(present)
        for row, name in zip(self.rows[k], self.rule.slots(self.group), strict=False):
            if name in present:
                value = state[name].numpy() if isinstance(state[name], Tensor) else state[name]
                if np.shape(value) != row.shape:
                    raise ValueError(
                        f"optimizer state {name!r} of parameter {k} has shape {np.shape(value)},"
                        f" the parameter {row.shape}"
                    )
                row[...] = value


def _fitting(g: Any, array: np.ndarray) -> np.ndarray | None:
    """A gradient that is strided or of another dtype, as its parameter is."""
    if g is None:
        return None
    if np.shape(g) != array.shape:
        raise RuntimeError(
            f"optimizer step: a gradient has shape {np.shape(g)}, its parameter {array.shape}"
        )
    return np.array(g, array.dtype, order="C", copy=None)


class Fused(Optimizer):
    """An optimizer whose `rule` is a jitted kernel.  Its state exists from the start, as zeros."""

    rule: Rule

    def _start_state(self) -> None:
        self._buckets: list[Bucket] = []

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """For each parameter updated so far its state by name: tensors that share its memory."""
        return {
            p: bucket.saved(k)
            for bucket in self._buckets
            for k, p in enumerate(bucket.params)
            if bucket.steps[k]
        }

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, e.g. layers that were frozen until now."""
        super().add_param_group(param_group)
        self._buckets += self._bind(self.param_groups[-1])

    def _bind(self, group: ParamGroup) -> list[Bucket]:
        by_dtype: dict[np.dtype, list[Tensor]] = {}
        for p in group["params"]:
            by_dtype.setdefault(p.dtype, []).append(p)
        return [Bucket(self.rule, group, params) for params in by_dtype.values()]

    def _bind_again(self) -> None:
        """New buckets for parameters whose arrays, perhaps dtypes, are new; their state is kept."""
        state = self.state
        self._buckets = [bucket for group in self.param_groups for bucket in self._bind(group)]
        self._load_state(state)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_buckets": self.state}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        self._buckets = [bucket for group in self.param_groups for bucket in self._bind(group)]
        self._load_state(saved["_buckets"])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        `closure`: clears the gradients, computes the loss and its gradients, and returns the loss.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for bucket in self._buckets:
            if bucket.moved():
                self._bind_again()
                break
        for bucket in self._buckets:
            bucket.update()
        return loss

    def _load_state(self, state: dict[Any, dict[str, Any]]) -> None:
        for bucket in self._buckets:
            for k, p in enumerate(bucket.params):
                bucket.restore(k, state.get(p, {}))
