"""Averages of a model's weights over training: stochastic (SWA) or exponential (EMA).

An average of a model is a model, so `AveragedModel` is a Module; `optim` alone imports no `nn`, so
the class is made when it is first asked for.

>>> import autograd, nn, optim
>>> model = nn.Linear(2, 1)
>>> average = optim.swa_utils.AveragedModel(model)
>>> average.update_parameters(model)  # after a step, or an epoch
>>> average(autograd.zeros(3, 2)).shape
(3, 1)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from autograd import Tensor, no_grad, tensor
from autograd.kernel import elements_of, is_flat, kernel, same_shape, word_at
from optim.clip import address_of, flat_model
from optim.lr_scheduler.base import LRScheduler, per_group
from optim.optimizer import Optimizer

if TYPE_CHECKING:
    from nn.module import Module
else:
    Module = object

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]
Average = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def _decay(decay: float) -> float:
    if not 0 <= decay <= 1:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )
    return decay


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """`(average, current, n) -> decay average + (1 - decay) current`, as a new tensor."""
    _decay(decay)

    @no_grad()
    def ema(average: Tensor, current: Tensor, n: Any) -> Tensor:
        return decay * average + (1 - decay) * current

    return ema


def get_swa_avg_fn() -> Average:
    """`(average, current, n) -> average + (current - average) / (n + 1)`, as a new tensor."""

    @no_grad()
    def swa(average: Tensor, current: Tensor, n: Any) -> Tensor:
        return average + (current - average) / (n + 1)

    return swa


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """average = decay average + (1 - decay) current, in place, for lists of tensors."""
    _decay(decay)

    @no_grad()
    def ema(averages: Sequence[Tensor], currents: Sequence[Tensor], n: Any) -> None:
        if averages and averages[0].is_floating_point():
            _approach(averages, currents, 1 - decay)
        else:
            for average, current in zip(averages, currents, strict=True):
                average.copy_(average * decay + current * (1 - decay))

    return ema


def get_swa_multi_avg_fn() -> MultiAverage:
    """average = average + (current - average) / (n + 1), in place, for lists of tensors."""

    @no_grad()
    def swa(averages: Sequence[Tensor], currents: Sequence[Tensor], n: Any) -> None:
        if averages and averages[0].is_floating_point():
            _approach(averages, currents, 1 / (float(n) + 1))
        else:
            for average, current in zip(averages, currents, strict=True):
                average.copy_(average + (current - average) / (n + 1))

    return swa


def _approach(averages: Sequence[Tensor], currents: Sequence[Tensor], share: float) -> None:
    """average = average + share (current - average), in place, in one jitted call."""
    into, source = tuple([t.value for t in averages]), tuple([t.value for t in currents])
    like = flat_model(into)
    done = like is not None and _lerp.run(
        address_of(into), address_of(source), len(into), like, id(into[0]), share
    )
    for average, current in zip(averages, currents, strict=True):
        if done:
            average.version[0] += 1
        else:
            average.lerp_(current, share)


@kernel
def _lerp(averages, currents, count, like, model, share):
    for k in range(count):
        a, c = word_at(averages + 8 * k), word_at(currents + 8 * k)
        if not (is_flat(a, model) and is_flat(c, model) and same_shape(a, c)):
            return False
    real = like.dtype.type
    near, far = real(share), real(1 - share)
    for k in range(count):
        a = elements_of(word_at(averages + 8 * k), like)
        c = elements_of(word_at(currents + 8 * k), like)
        for i in range(a.size):  # from the nearer end, so that a share of 1 gives c
            d = c[i] - a[i]
            a[i] = a[i] + near * d if share < 0.5 else c[i] - far * d
    return True


class _Averaged(Module):
    """A copy of `model` whose parameters are averages of those it is shown.

    `update_parameters(model)` takes the first parameters as they are, later ones by `multi_avg_fn`
    (in place, all at once: `get_ema_multi_avg_fn(0.999)`), or `avg_fn` (one at a time, returning
    the new average); by default the equal average of all, SWA (Izmailov et al. 2018).  Buffers are
    copied, or with `use_buffers` averaged too.  `n_averaged` counts.  After SWA of a model with
    batch norm: `update_bn`.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype="int64"))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model computes."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of `model`, which has the shapes of the one given, in."""
        averages, currents = self._averaged(self.module), self._averaged(model)
        shapes = [[t.shape for t in each] for each in (averages, currents)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"update_parameters: the model has tensors of shapes {shapes[1]}, the average"
                f" {shapes[0]}"
            )
        if self.n_averaged.item() == 0:
            for average, current in zip(averages, currents):
                average.copy_(current)
        elif self.avg_fn is not None:
            for average, current in zip(averages, currents):
                average.copy_(self.avg_fn(average, current, self.n_averaged))
        else:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            for kind in dict.fromkeys(t.dtype for t in averages):
                same = [i for i, t in enumerate(averages) if t.dtype == kind]
                update([averages[i] for i in same], [currents[i] for i in same], self.n_averaged)
        if not self.use_buffers:
            for average, current in zip(self.module.buffers(), model.buffers(), strict=True):
                average.copy_(current)
        self.n_averaged += 1

    def _averaged(self, module: Module) -> list[Tensor]:
        buffers = module.buffers() if self.use_buffers else ()
        return [t.detach() for t in (*module.parameters(), *buffers)]


if TYPE_CHECKING:

    class AveragedModel(_Averaged):
        """See `_Averaged`."""


def _averaged_model() -> type:
    from nn.module import Module

    names = {"__doc__": _Averaged.__doc__, "__module__": __name__}
    return type("AveragedModel", (_Averaged, Module), names)


def __getattr__(name: str) -> Any:
    """`AveragedModel`, at its first use."""
    if name != "AveragedModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = _averaged_model()
    return found


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of batch norm anew: the mean over all batches of `loader`.

    A batch is the input, or a list or tuple that begins with it.  The model runs in training mode,
    and is left in the one it was in; without batch norm nothing runs.
    """
    norms: list[Any] = [m for m in model.modules() if hasattr(m, "reset_running_stats")]
    if not norms:
        return
    momenta, training = [m.momentum for m in norms], model.training
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    model.train()
    try:
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
    finally:
        for m, momentum in zip(norms, momenta):
            m.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """The lr goes from what it is to `swa_lr` in `anneal_epochs`, and stays: for averaging (SWA).

    `anneal_strategy`: along a cosine, or "linear".  `swa_lr`: one, or a list of one per group.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ):
        self._adopt(optimizer)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        for group, lr in zip(optimizer.param_groups, per_group("swa_lr", optimizer, swa_lr)):
            group["swa_lr"] = lr
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates of this epoch, from the present ones."""
        self._warn_outside_step()
        step = max(1, self._step_count - 1) if self.anneal_epochs == 0 else self._step_count - 1
        done, share = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            end = group["swa_lr"]
            begin = end if done == 1 else (group["lr"] - done * end) / (1 - done)
            rates.append(end * share + begin * (1 - share))
        return rates

    def _share(self, step: int) -> float:
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2
