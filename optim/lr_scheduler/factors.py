"""Schedules that multiply: each epoch's lr is a factor times the one before, or times the first."""

from __future__ import annotations

import math
import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from optim.lr_scheduler.base import LRScheduler
from optim.optimizer import Optimizer

Lambdas = Callable[[int], float] | list[Callable[[int], float]]


class _Given(LRScheduler):
    """A schedule by functions of the epoch: one for all groups, or one for each."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambdas, last_epoch: int = -1):
        self._adopt(optimizer)
        count = len(optimizer.param_groups)
        given = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(given) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(given)}")
        for each in given:
            if not callable(each):
                raise TypeError(f"lr_lambda should be a function, but got {type(each).__name__}")
        self.lr_lambdas = given
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions; of a callable object its attributes."""
        saved = super().state_dict()
        saved["lr_lambdas"] = [attributes(each) for each in self.lr_lambdas]
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; the functions are those given at construction."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "lr_lambdas"})
        for each, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"]):
            if saved is not None:
                vars(each).update(saved)


def attributes(function: Any) -> dict[str, Any] | None:
    """What `state_dict` keeps of a callable: nothing of a function, the attributes of an object."""
    if isinstance(function, types.FunctionType) or not hasattr(function, "__dict__"):
        return None
    return vars(function).copy()


class LambdaLR(_Given):
    """lr_t = initial_lr lr_lambda(t).

    `lr_lambda`: one function of the epoch, or a list of one per group.
    """

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`."""
        self._warn_outside_step()
        return [base * each(self.last_epoch) for base, each in zip(self.base_lrs, self.lr_lambdas)]


class MultiplicativeLR(_Given):
    """lr_t = lr_(t-1) lr_lambda(t), from t = 1 on.

    `lr_lambda`: one function of the epoch, or a list of one per group.
    """

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`, from the present ones."""
        self._warn_outside_step()
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._is_initial:
            return rates
        return [lr * each(self.last_epoch) for lr, each in zip(rates, self.lr_lambdas)]


class _Factor(LRScheduler):
    """A schedule that is the same for all groups, up to a scale.

    `_factor(t)` = lr_t / lr_(t-1), at construction lr_t / lr;  `_total(t)` = lr_t / initial_lr.
    """

    def _factor(self, t: int) -> float:
        raise NotImplementedError

    def _total(self, t: int) -> float:
        raise NotImplementedError

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`, from the present ones."""
        self._warn_outside_step()
        factor = self._factor(self.last_epoch)
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self._total(self.last_epoch) for base in self.base_lrs]


class StepLR(_Factor):
    """lr_t = initial_lr gamma^floor(t / step_size)."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ):
        if not step_size > 0:
            raise ValueError(f"Expected positive step_size, but got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, t: int) -> float:
        return 1.0 if t == 0 or t % self.step_size else self.gamma

    def _total(self, t: int) -> float:
        return self.gamma ** (t // self.step_size)


class MultiStepLR(_Factor):
    """lr_t = initial_lr gamma^(number of milestones <= t); one given twice counts twice."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, t: int) -> float:
        return self.gamma ** self.milestones[t] if t in self.milestones else 1.0

    def _total(self, t: int) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), t)


class ConstantLR(_Factor):
    """lr_t = initial_lr factor, and from t = total_iters on initial_lr."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 <= factor <= 1:
            raise ValueError(
                f"Constant multiplicative factor expected to be between 0 and 1, got {factor}"
            )
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`, from the present ones."""
        if self.factor == 0 and self.last_epoch == self.total_iters:
            return self._get_closed_form_lr()  # no factor leads from 0
        return super().get_lr()

    def _factor(self, t: int) -> float:
        if t == 0:
            return self.factor
        return 1 / self.factor if t == self.total_iters else 1.0

    def _total(self, t: int) -> float:
        return 1.0 if t >= self.total_iters else self.factor


class LinearLR(_Factor):
    """lr_t = initial_lr times a factor that goes from start to end in total_iters epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to"
                f" 1, got {start_factor}"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(
                f"Ending multiplicative factor expected to be between 0 and 1, got {end_factor}"
            )
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, t: int) -> float:
        if t == 0:
            return self.start_factor
        if self._is_initial or t > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1 + rise / (self.total_iters * self.start_factor + (t - 1) * rise)

    def _total(self, t: int) -> float:
        done = min(self.total_iters, t) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class ExponentialLR(_Factor):
    """lr_t = initial_lr gamma^t; the decay e^(-k t) has gamma = e^-k."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, t: int) -> float:
        return 1.0 if self._is_initial else self.gamma

    def _total(self, t: int) -> float:
        return self.gamma**t


class PolynomialLR(_Factor):
    """lr_t = initial_lr (1 - t / total_iters)^power, and 0 from t = total_iters on."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _factor(self, t: int) -> float:
        if self._is_initial or t > self.total_iters:
            return 1.0
        return (self._left(t) / self._left(t - 1)) ** self.power

    def _total(self, t: int) -> float:
        return self._left(min(self.total_iters, t)) ** self.power

    def _left(self, t: int) -> float:
        return 1.0 - t / self.total_iters


class CosineAnnealingLR(LRScheduler):
    """lr_t = eta_min + (initial_lr - eta_min) (1 + cos(pi t / T_max)) / 2.

    (Loshchilov & Hutter 2017, without the restarts: after T_max it rises again.)  Chainable: each
    value comes from the one before, so that other changes of the lr last.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ):
        if not T_max > 0:
            raise ValueError(f"Expected positive T_max, but got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`, from the present ones."""
        self._warn_outside_step()
        rates, t = [group["lr"] for group in self.optimizer.param_groups], self.last_epoch
        if self._is_initial:
            return rates
        if self._step_count == 1 and t > 0:
            return self._get_closed_form_lr()
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # from the bottom no factor leads up
            first = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (b - self.eta_min) * first for lr, b in zip(rates, self.base_lrs)]
        factor = (1 + self._cosine(t)) / (1 + self._cosine(t - 1))
        return [factor * (lr - self.eta_min) + self.eta_min for lr in rates]

    def _cosine(self, t: int) -> float:
        return math.cos(math.pi * t / self.T_max)

    def _get_closed_form_lr(self) -> list[Any]:
        share = (1 + self._cosine(self.last_epoch)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]
