"""Schedules made of schedules: at the same time, one after another, after a warm-up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from optim.lr_scheduler.base import LRScheduler, values, write
from optim.lr_scheduler.factors import LinearLR
from optim.lr_scheduler.plateau import ReduceLROnPlateau
from optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Common to schedules of schedules: what they accept, and their state."""

    _schedulers: Sequence[LRScheduler]

    def _accept(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires"
                    " additional kwargs to be specified when calling `step`, but got one at index"
                    f" {i} in the given schedulers sequence."
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got"
                    f" scheduler {type(scheduler).__name__} at index {i} of another one"
                )
        self._adopt(optimizer)
        self._schedulers = schedulers

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; the schedulers as their state dicts."""
        saved = super().state_dict()
        saved["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave."""
        self._put_back()
        vars(self).update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, saved in zip(self._schedulers, state_dict["_schedulers"]):
            scheduler.load_state_dict(saved)


class ChainedScheduler(_Composed):
    """Steps several schedulers at once; chainable ones multiply."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        if len(schedulers) < 1:
            raise ValueError(
                "ChainedScheduler expects at least one scheduler to be chained, but got no"
                " scheduler."
            )
        self._accept(schedulers, optimizer or getattr(schedulers[0], "optimizer", None))  # type: ignore[arg-type]
        self._last_lr = values(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """End an epoch for each of them."""
        if not self._is_initial:
            self._found = None
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = values(self.optimizer, "lr")


class SequentialLR(_Composed):
    """One scheduler after another: the i-th from epoch `milestones[i - 1]` on, as its epoch 0.

    Construction sets the groups back to `initial_lr` and starts the first.  A first one that is
    itself composed is stepped once by that, with a warning, as in PyTorch; a later one is refused.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ):
        if len(schedulers) < 1:
            raise ValueError("SequentialLR expects at least one scheduler, but got no scheduler.")
        self._accept(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than"
                f" the number of milestone points, but got number of schedulers {len(schedulers)}"
                f" and the number of milestones to be equal to {len(milestones)}"
            )
        for i, scheduler in enumerate(schedulers):
            if i > 0 and isinstance(scheduler, _Composed):
                raise NotImplementedError(
                    f"SequentialLR: the {type(scheduler).__name__} at index {i} cannot start at a"
                    " milestone; only the first one may be composed. Give its parts instead"
                )
        self._milestones, self.last_epoch = milestones, last_epoch + 1
        for group in optimizer.param_groups:
            write(group, "lr", group["initial_lr"])
        _undo(schedulers)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """End an epoch for the one whose turn it is."""
        if not self._is_initial:
            self._found = None
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(schedulers: Sequence[LRScheduler]) -> None:
    """Take back the epoch that the construction of each of them began."""
    for scheduler in schedulers:
        if isinstance(scheduler, _Composed):
            _undo(scheduler._schedulers)
        else:
            scheduler.last_epoch -= 1


def warmup(
    scheduler: LRScheduler, total_iters: int = 5, start_factor: float = 1 / 3
) -> SequentialLR:
    """`scheduler`, after `total_iters` epochs in which the lr rises from start_factor initial_lr.

    PyTorch has no name for it; it is its LinearLR and then `scheduler` in its SequentialLR, so that
    what is saved is PyTorch's too:

    >>> import autograd, optim
    >>> optimizer = optim.SGD([autograd.zeros(1, requires_grad=True)], lr=1.0)
    >>> after = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = optim.lr_scheduler.warmup(after, total_iters=2, start_factor=0.25)
    """
    optimizer = scheduler.optimizer
    rise = LinearLR(optimizer, start_factor, total_iters=total_iters)
    return SequentialLR(optimizer, [rise, scheduler], [total_iters])
