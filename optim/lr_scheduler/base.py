"""The base of all schedules, and how they write into parameter groups."""

from __future__ import annotations

import warnings
from typing import Any

from autograd import Tensor
from optim.optimizer import Optimizer

_ORDER = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite"
    " order: `optimizer.step()` before `lr_scheduler.step()`; otherwise the first value of the"
    " schedule is skipped."
)
_OVERRIDDEN = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler"
    " initialization. Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`."
)
_EPOCH = (
    "The epoch parameter in `scheduler.step()` is deprecated: use `scheduler.step()`. Where a"
    " schedule has a closed form, an epoch given is put into that."
)
_CYCLED = ("lr", "momentum", "betas")


class LRScheduler:
    """Sets the learning rates of an optimizer, one value per epoch; `step()` ends an epoch.

    Construction notes each group's `initial_lr` and sets the value of epoch 0.  A subclass defines
    `get_lr()`: the lr of each group in `last_epoch`, from `base_lrs` (a closed form), or from what
    the groups have now (a chainable form, which composes with other changes of the lr), and then
    perhaps `_get_closed_form_lr()` too.  An epoch is whatever lies between two calls of `step()`.

    `last_epoch`: to resume without a state dict, the last epoch done; the groups need `initial_lr`.
    """

    last_epoch: int
    _step_count: int
    _last_lr: list[Any]
    _is_initial = False
    _get_lr_called_within_step = False
    _found: dict[str, Any] | None = None
    """`optimizer._resumed` at construction, until the first step: see `_adopt`."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        self._adopt(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _own(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming a"
                    " scheduler with last_epoch >= 0: load the optimizer's state first, or leave"
                    " last_epoch out in a fresh run"
                )
        self.base_lrs = values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _adopt(self, optimizer: Optimizer) -> None:
        """Take an optimizer, before anything of it is changed.

        When its state was loaded already, what it then says stands in `optimizer._resumed`: it is
        put back if this scheduler's state is loaded too, so that the order does not matter.
        """
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        if optimizer._watched is None:
            optimizer._watched, optimizer._opt_called = (vars(optimizer).get("step"),), False
        self._found = optimizer._resumed
        if self._found == {}:
            self._found["groups"] = [
                {key: _own(group[key]) for key in _CYCLED if key in group}
                for group in optimizer.param_groups
            ]

    def _initial_step(self) -> None:
        self._step_count, self._is_initial = 0, True
        try:
            self.step()
        finally:
            del self._is_initial

    # State

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {key: v for key, v in vars(self).items() if key not in ("optimizer", "_found")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; before or after the optimizer's is loaded."""
        self._put_back()
        vars(self).update(state_dict)

    def _put_back(self) -> None:
        """Undo what construction did to an optimizer that had been loaded before: see `_adopt`."""
        if self._found and self._found is self.optimizer._resumed:
            for group, before in zip(self.optimizer.param_groups, self._found["groups"]):
                for key, value in before.items():
                    write(group, key, value)

    # Steps

    def get_last_lr(self) -> list[Any]:
        """The learning rates that the last step set."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`; for `step()` to call, others want `get_last_lr()`."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Set the learning rates of the next epoch; `epoch`, deprecated: of that one."""
        if self._step_count == 1:
            self._warn_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _warn_order(self) -> None:
        own = vars(self.optimizer).get("step")
        if self.optimizer._watched != (own,):
            warnings.warn(_OVERRIDDEN, UserWarning, stacklevel=3)
        elif own is None and not self.optimizer._opt_called:
            warnings.warn(_ORDER, UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        closed = getattr(self, "_get_closed_form_lr", None)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set(self.get_lr if epoch is None or closed is None else closed)

    def _set(self, compute: Any) -> None:
        if not self._is_initial:
            self._found = None
        self._get_lr_called_within_step = True
        try:
            rates = compute()
        finally:
            del self._get_lr_called_within_step
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            write(group, "lr", lr)
        self._last_lr = values(self.optimizer, "lr")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use"
                " `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )


def _own(value: Any) -> Any:
    """A value that no later in-place change reaches."""
    return value.clone() if isinstance(value, Tensor) else value


def values(optimizer: Optimizer, key: str) -> list[Any]:
    """An option of each group."""
    return [_own(group[key]) for group in optimizer.param_groups]


def write(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a group's option; one that is a Tensor changes in place, so that its owner sees it."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An argument as one value per group: a list of that length, or one for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [_own(value) for _ in range(count)]
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)}"
            f" values, param_groups has {count}."
        )
    return [_own(v) for v in value]
