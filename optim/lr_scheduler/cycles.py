"""Schedules that come back: cycles, one cycle, restarts; with the momentum going the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from optim.lr_scheduler.base import LRScheduler, per_group, write
from optim.lr_scheduler.factors import attributes
from optim.optimizer import Optimizer


class _Cycled(LRScheduler):
    """Common to schedules that cycle the momentum, or Adam's beta1, too."""

    cycle_momentum: bool

    def _start_momentum(self, optimizer: Optimizer, low: Any, high: Any, last_epoch: int) -> None:
        """Begin at the high momentum, unless resuming; note both in the groups."""
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled;"
                f" {type(optimizer).__name__} has neither, so say cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        self.base_momentums = per_group("base_momentum", optimizer, low)
        self.max_momentums = per_group("max_momentum", optimizer, high)
        if last_epoch == -1:
            self._set_momentum(self.max_momentums)
            both = zip(self.base_momentums, self.max_momentums)
            for group, (base, most) in zip(optimizer.param_groups, both):
                group.update(max_momentum=most, base_momentum=base)

    def _set_momentum(self, momentums: list[Any]) -> None:
        for group, momentum in zip(self.optimizer.param_groups, momentums, strict=True):
            if self.use_beta1:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


class CyclicLR(_Cycled):
    """The lr rises from base_lr to max_lr in step_size_up steps, falls in step_size_down; again.

    (Smith 2017.)  lr = base_lr + (max_lr - base_lr) h s, where h in [0, 1] is the triangle's height
    and s scales it: 1 ("triangular"), 1/2^(cycle - 1) ("triangular2"), gamma^step ("exp_range"), or
    `scale_fn` of the cycle (from 1) or the step, as `scale_mode` says.  The momentum falls from
    max_momentum as the lr rises, if `cycle_momentum`.  Step after every batch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ):
        self._adopt(optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"mode is invalid and scale_fn is None: mode {mode!r}")
        base_lrs = per_group("base_lr", optimizer, base_lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs):
                write(group, "lr", lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up) + float(down)
        self.step_ratio = float(step_size_up) / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        by_step = scale_mode == "iterations" if scale_fn is not None else mode == "exp_range"
        self.scale_mode = "iterations" if by_step else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of cycle, or of step, `x`."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular2":
            return 1 / 2.0 ** (x - 1)
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`; sets the momentum too."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rising = x <= self.step_ratio
        height = x / self.step_ratio if rising else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums)
            self._set_momentum([most - (most - base) * height * scale for base, most in pairs])
        lrs = zip(self.base_lrs, self.max_lrs)
        return [base + (most - base) * height * scale for base, most in lrs]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and `scale_fn`; if that is an object, its attributes."""
        saved = super().state_dict()
        saved["_scale_fn_custom"] = attributes(self._scale_fn_custom)
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; `scale_fn` is the one given at construction."""
        own, saved = self._scale_fn_custom, state_dict["_scale_fn_custom"]
        super().load_state_dict({**state_dict, "_scale_fn_custom": own})
        if saved is not None and own is not None:
            vars(own).update(saved)


class OneCycleLR(_Cycled):
    """One cycle over the whole training: up to max_lr, and down far below where it began.

    (Smith & Topin 2019.)  From max_lr / div_factor to max_lr in the share `pct_start` of the steps,
    then to initial / final_div_factor in the rest; with `three_phase`, down to the initial lr as
    fast as up, then the rest.  `anneal_strategy`: along a cosine, or "linear".  The momentum goes
    from max_momentum to base_momentum and back, if `cycle_momentum`.  `total_steps`, or `epochs`
    times `steps_per_epoch`: step after every batch, that often.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        self._adopt(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        self._phases = _phases(pct_start * self.total_steps, self.total_steps, three_phase)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, per_group("max_lr", optimizer, max_lr)):
                first = most / div_factor
                group.update(initial_lr=first, max_lr=most, min_lr=first / final_div_factor)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates of `last_epoch`; sets the momentum too."""
        self._warn_outside_step()
        step, begin = self.last_epoch, 0.0
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is"
                f" {self.total_steps}"
            )
        for end, lrs, momentums in self._phases:  # noqa: B007 - the last one, or where it breaks
            if step <= end:
                break
            begin = end
        else:
            begin = self._phases[-2][0]
        share = (step - begin) / (end - begin) if end != begin else 1.0
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            self._set_momentum([self._between(group, momentums, share) for group in groups])
        return [self._between(group, lrs, share) for group in groups]

    def _between(self, group: dict[str, Any], names: tuple[str, str], share: float) -> Any:
        start, end = (group[name] for name in names)
        if self._anneal_func_type == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _total(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is not None:
        return _positive("total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return value


def _phases(rise: float, total: int, three: bool) -> list[tuple[float, Any, Any]]:
    """(last step, names of the lrs between which it goes, names of the momentums)."""
    up = (rise - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
    if not three:
        return [up, (total - 1, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
    return [
        up,
        (2 * rise - 2, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")),
        (total - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")),
    ]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (initial_lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2.

    (Loshchilov & Hutter 2017.)  T_cur counts the epochs since the last restart, which comes after
    T_i: T_0, and `T_mult` times as many after each.  `step(epoch)` takes fractions: 2.5 is the
    middle of epoch 2.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ):
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates at `T_cur`."""
        self._warn_outside_step()
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the learning rates of the next epoch, or of this one, which may be a fraction."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            self._place(epoch)
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr)

    def _place(self, epoch: float) -> None:
        """The T_cur and T_i of an epoch."""
        if epoch < self.T_0:
            self.T_cur, self.T_i = epoch, self.T_0
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            ratio, r = epoch / self.T_0, self.T_mult
            restarts = int(math.log(ratio * (r - 1) + 1, r))
            self.T_cur = epoch - self.T_0 * (r**restarts - 1) / (r - 1)
            self.T_i = self.T_0 * r**restarts
