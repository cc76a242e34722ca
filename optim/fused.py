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
from typing import Any

from autograd import Tensor, enable_grad
from autograd.modes import changes
from optim.group import ParamGroup
from optim.hooks import unwrapped
from optim.limits import check_flags, check_values
from optim.numbers import NumberBucket
from optim.optimizer import Optimizer
from optim.rule import Bucket, Rule
from optim.state import State


class Fused(Optimizer):
    """An optimizer whose `rule` is a jitted kernel.  Its state exists from the start.

    `foreach`, `fused` and `capturable` choose among PyTorch's implementations and are accepted:
    there is one here.  `differentiable=True` is refused: a kernel records no graph.
    """

    rule: Rule

    def _check(self, group: dict[str, Any]) -> None:
        check_values(group)
        check_flags(type(self).__name__, group)

    def _start_state(self) -> None:
        self._buckets: list[Bucket] = []
        self._bound: tuple[Any, int] = (None, 0)

    @property
    def state(self) -> State:
        """The state by parameter and name: tensors that share the kernels' memory."""
        self._refresh()
        return State(self._buckets)

    @state.setter
    def state(self, state: Any) -> None:
        self._refresh()
        self._load_state(state)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, e.g. layers that were frozen until now."""
        self._refresh()
        super().add_param_group(param_group)
        self._bind(len(self.param_groups) - 1)

    def _bind(self, place: int) -> None:
        groups = self.param_groups
        self._bound = groups, place + 1
        changes[0] += 1  # compiled steps know the memory of buckets
        by_kind: dict[Any, list[int]] = {}
        for i, p in enumerate(groups[place]["params"]):
            if p.is_floating_point():  # others have no gradients
                by_kind.setdefault(float if type(p.value) is float else p.dtype, []).append(i)
        some: Any = by_kind or {None: []}  # an empty group has a bucket too, which sees it grow
        self._buckets += [
            (NumberBucket if kind is float else Bucket)(self.rule, groups, place, indices)
            for kind, indices in some.items()
        ]

    def _refresh(self) -> None:
        """Bind again if groups or parameters are not those bound; the state is kept."""
        groups, count = self._bound
        same = self.param_groups is groups and len(groups) == count
        if groups is not None and not (same and all(bucket.fits() for bucket in self._buckets)):
            self._bind_again({p: dict(v) for p, v in State(self._buckets).items()})

    def _bind_again(self, state: dict[Tensor, dict[str, Any]]) -> None:
        """New buckets for what is in the groups now, with this state."""
        self._start_state()
        for i, group in enumerate(self.param_groups):
            if not isinstance(group, ParamGroup):
                self.param_groups[i] = ParamGroup({**self.defaults, **group}, self.read)
            self._bind(i)
        self._load_state(state)

    def _update_moved(self, done: list[Tensor]) -> None:
        """Bind what is in the groups now, and update all but the parameters that are `done`."""
        self._refresh()
        gradients = [p._grad for p in done]
        for p in done:
            p._grad = None
        for bucket in self._buckets:
            bucket.update()
        for p, g in zip(done, gradients):
            p._grad = g

    def __getstate__(self) -> dict[str, Any]:
        kept = {p: dict(values) for p, values in self.state.items()}
        return {**super().__getstate__(), "_buckets": kept, "_bound": None}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        super().__setstate__(saved)
        self._bind_again(saved["_buckets"])

    @unwrapped
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        `closure`: clears the gradients, computes the loss and its gradients, and returns the loss.
        """
        self._opt_called = True
        if self._step_hooks and not self._inside:
            return self._hooked(Fused.step, (self,) if closure is None else (self, closure), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        groups, count = self._bound
        if self.param_groups is not groups or len(groups) != count:
            self._update_moved([])
            return loss
        for bucket in self._buckets:
            if not bucket.update():
                done = self._buckets[: self._buckets.index(bucket)]
                self._update_moved([p for each in done for p in each.params])
                break
        return loss

    def _check_load(self, groups: list[dict[str, Any]], state: dict[Any, Any]) -> None:
        self._refresh()
        for group in groups:
            check_flags(type(self).__name__, group)
        for bucket in self._buckets:
            for slot, p in enumerate(bucket.slots):
                bucket.check(slot, state.get(p, {}))

    def _load_state(self, state: dict[Any, Any]) -> None:
        for bucket in self._buckets:
            for slot, p in enumerate(bucket.slots):
                bucket.restore(slot, state.get(p, {}))
