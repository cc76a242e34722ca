"""Update rules, and what their kernels are given: a group's parameters, and their state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd import Tensor
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
from autograd.modes import modes
from optim.group import ParamGroup
from optim.optimizer import bare

_NONE = id(None)


@dataclass(frozen=True)
class Rule:
    """An update rule, twice: `kernel` for all parameters at once, `reference` for one, in NumPy.

    `kernel(gradients, none, book, hyper, steps, state)` with the signature's meaning in `Bucket`;
    it counts `steps` up, writes parameters and state, and returns -1, or the index of a gradient
    that it cannot read, having changed nothing.  `reference(p, g, rows, hyper, steps)` changes `p`,
    and `rows` and `steps`, its share of the state.

    `slots(group)`: the names of the rows of `state` in `state_dict`, "" for one that is not in use.
    `initial(group)`: what the rows start from, where it is not 0.  `numbers`: names and starts of
    the rows of `steps` after the first.  `counts`: "step" is among the state.  `from_start`: there
    is state before the first step.
    """

    kernel: Kernel
    reference: Callable[..., None]
    slots: Callable[[dict[str, Any]], tuple[str, ...]]
    rows: int
    initial: Callable[[dict[str, Any]], tuple[float, ...]] = lambda group: ()
    numbers: tuple[tuple[str, float], ...] = ()
    counts: bool = True
    from_start: bool = False


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


@device
def decayed(g, decay, p):
    """g + decay p; without decay g, also where p is infinite."""
    return g + decay * p if decay != 0 else g


@device
def larger(x, y):
    """max(x, y), and NaN where either is."""
    return x if x > y or x != x else y


class Bucket:
    """The parameters of a group that share a dtype, and their state, which is one flat array.

    `book` (n, 3): for each parameter the `id` of its array, where its part of `state` begins, and
    its column of `steps`; a parameter that is there twice has one state.
    `state` (rows, elements): e.g. the first and second moments.
    `steps` (1 + numbers, parameters): updates so far, and further numbers of the rule's, in the
    float32 that PyTorch keeps them in.
    """

    def __init__(self, rule: Rule, groups: list[ParamGroup], place: int, indices: list[int]):
        self.rule, self.groups, self.place, self.indices = rule, groups, place, indices
        self.group = groups[place]
        everything = self.group["params"]
        self.count, self.whole = len(everything), len(everything) == len(indices)
        self.params = params = [everything[i] for i in indices]
        self.arrays = self._memory(params)
        self.slots = {p: slot for slot, p in enumerate(dict.fromkeys(params))}
        ends = np.cumsum([p.numel() for p in self.slots])
        starts = [int(end) - p.numel() for end, p in zip(ends, self.slots)]
        places = [
            (id(array), starts[self.slots[p]], self.slots[p])
            for p, array in zip(params, self.arrays)
        ]
        self.book = np.array(places, np.int64).reshape(-1, 3)
        dtype = self.arrays[0].dtype if params else np.dtype(np.float32)
        self.state = np.zeros((rule.rows, int(ends[-1]) if params else 0), dtype)
        self.rows = [
            [row[start : start + p.numel()].reshape(p.shape) for row in self.state]
            for start, p in zip(starts, self.slots)
        ]
        self.steps = np.zeros((1 + len(rule.numbers), len(self.slots)), np.float32)
        self.native = layout_known() and all(
            type(a) is np.ndarray and a.flags.carray for a in self.arrays
        )
        for slot in range(len(self.slots)):
            self._clear(slot)

    def _memory(self, params: list[Tensor]) -> list[np.ndarray]:
        """What the kernel reads and writes in place of each parameter."""
        return [p.array for p in params]

    def fits(self) -> bool:
        """True when the group and its parameters are those bound, and have the same arrays."""
        params = self.group["params"]
        return (
            self.groups[self.place] is self.group
            and len(params) == self.count
            and all(params[i].value is array for i, array in zip(self.indices, self.arrays))
        )

    def update(self) -> bool:
        """One step for each parameter that has a gradient.

        False, and nothing done, unless it `fits`: after `model.double()`, `p.data = ...`,
        `group["params"].append(p)`, a group replaced.
        """
        group = self.group
        params = group["params"]
        if self.groups[self.place] is not group or len(params) != self.count:
            return False
        if not self.whole:
            params = [params[i] for i in self.indices]
        gradients: Any = []
        for p, array in zip(params, self.arrays):
            if p.value is not array:
                return False
            g = p._grad
            if g is None:
                gradients.append(None)
            else:
                p.version[0] += 1
                gradients.append(g.value)
        gradients = tuple(gradients)
        if group.moving:
            group.renew()
        if not self.native:
            self._update_in_numpy(gradients)
        elif self._run(gradients) >= 0:
            self._run(tuple(map(_fitting, gradients, self.arrays)))
        if modes.recorder is not None:
            self._tell(params)
        return True

    def _run(self, gradients: tuple[Any, ...]) -> int:
        """The kernel, on gradients as arrays or None; not -1 where it cannot read one of them."""
        at = id(gradients) + TUPLE_ITEMS
        return self.rule.kernel.run(at, _NONE, self.book, self.group.live, self.steps, self.state)

    def _tell(self, params: list[Tensor]) -> None:
        """Tell the recorder of a compiled step about this update."""
        self._effect([p._grad for p in params], [p for p in params if p._grad is not None])

    def _effect(self, gradients: list[Any], changed: list[Tensor]) -> None:
        run = self._run if self.native else self._update_in_numpy
        before = self.group.renew if self.group.moving else None
        name = self.rule.kernel.function.__name__.strip("_")
        status = -1 if self.native else None
        modes.recorder.effect(name, run, gradients, changed, before, status=status)

    def _update_in_numpy(self, gradients: tuple[Any, ...]) -> None:
        given = [_fitting(g, array) for g, array in zip(gradients, self.arrays)]
        with np.errstate(all="ignore"):
            for p, array, g in zip(self.params, self.arrays, given):
                if g is not None:
                    slot = self.slots[p]
                    steps = self.steps[:, slot]
                    self.rule.reference(array, g, self.rows[slot], self.group.live, steps)

    def started(self, slot: int) -> bool:
        """True when a parameter has state to show."""
        return self.rule.from_start or (self.steps[0, slot] > 0 and bool(self._names()))

    def _names(self) -> list[str]:
        slots = [name for name in self.rule.slots(self.group) if name]
        return ["step", *(name for name, _ in self.rule.numbers), *slots][not self.rule.counts :]

    def saved(self, slot: int) -> dict[str, Any]:
        """The state of a parameter as tensors that share its memory."""
        found = {
            name: self.steps[i, slot : slot + 1].reshape(())
            for i, name in enumerate(("step", *(name for name, _ in self.rule.numbers)))
        }
        found.update(zip(self.rule.slots(self.group), self.rows[slot], strict=False))
        return {name: Tensor.wrap(found[name]) for name in self._names()}

    def _clear(self, slot: int) -> None:
        for row in self.rows[slot]:
            row[...] = 0
        for row, value in zip(self.rows[slot], self.rule.initial(self.group), strict=False):
            row[...] = value
        self.steps[0, slot] = 0
        self.steps[1:, slot] = [start for _, start in self.rule.numbers]

    def check(self, slot: int, state: Any) -> None:
        """ValueError where the state given for a parameter does not fit it."""
        numbers, shape = ("step", *(n for n, _ in self.rule.numbers)), self.rows[slot][0].shape
        for name, value in state.items():
            if value is not None and name not in numbers and np.shape(value) != shape:
                raise ValueError(
                    f"optimizer state {name!r} has shape {tuple(np.shape(value))}, its parameter"
                    f" {shape}"
                )

    def restore(self, slot: int, state: Any) -> None:
        """Take over the state of a parameter; what is not in it starts anew."""
        self.check(slot, state)
        given = {name: np.array(bare(v)) for name, v in state.items() if v is not None}
        self._clear(slot)
        named = [name for name in self._names() if name in given]
        self.steps[0, slot] = given.get("step", bool(named))
        for i, (name, _) in enumerate(self.rule.numbers):
            if name in given:
                self.steps[1 + i, slot] = given[name]
        for row, name in zip(self.rows[slot], self.rule.slots(self.group), strict=False):
            if name in given:
                row[...] = given[name]


def _fitting(g: Any, array: np.ndarray) -> np.ndarray | None:
    """A gradient that is strided or of another dtype, as its parameter is."""
    if g is None:
        return None
    if np.shape(g) != array.shape:
        raise RuntimeError(
            f"optimizer step: a gradient has shape {np.shape(g)}, its parameter {array.shape}"
        )
    return np.array(g, array.dtype, order="C", copy=None)
