"""`lint`: run one trial step, and look for mistakes in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from nn.linting import behaviour, data, structure, updates
from nn.linting.report import Finding, Report
from nn.linting.trial import Trial, run, unchanged
from nn.module import Module


def lint(
    model: Module,
    loss_fn: Callable[..., Any],
    batch: tuple[Any, ...],
    optimizer: Any = None,
    step: Callable[..., Any] | None = None,
) -> Report:
    """Look for mistakes in a training set-up by one trial step on `batch`; nothing is changed.

    `batch`: (input, target), or (input, ..., target).  `loss_fn(model(input), target)`.
    `optimizer`: also its parameters and its learning rate are looked at.  `step`: your training
    step, called as step(*batch) twice with gradients planted, which shows a forgotten zero_grad.
    Returns a Report, empty where nothing was found; each finding has the rule, what was met, the
    module path or source line, and the remedy.  TypeError where the model is not a Module.
    """
    if not isinstance(model, Module):
        raise TypeError(f"lint: expected a Module, got {type(model).__name__}")
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise TypeError("lint: batch must be (input, target)")
    *inputs, target = (_tensor(x) for x in batch)
    criterion = (loss_fn,) if isinstance(loss_fn, Module) else ()
    left = {name: p._grad for name, p in model.named_parameters()}
    before = {name: None if g is None else np.array(g.value) for name, g in left.items()}
    found = [*data.check_inputs(model, tuple(inputs), target), *structure.check_modes(model)]
    with unchanged(model, *criterion):
        trial = run(model, loss_fn, tuple(inputs), target)
        reasons = _reasons(model, trial)
    found += data.check_target(trial, target)
    found += structure.check(trial, model, optimizer)
    if trial.error is not None:
        found += _failed(trial, found)
    else:
        found += behaviour.check(trial, model, target, reasons)
        found += updates.check(trial, model, optimizer, before)
        if step is not None:
            with unchanged(model, *criterion):
                found += updates.check_step(model, optimizer, step, batch)
    return Report(_once(found))


def _tensor(x: Any) -> Any:
    return autograd.tensor(x) if isinstance(x, (np.ndarray, list)) else x


def _reasons(model: Module, trial: Trial) -> dict[str, Any]:
    """What `why` says of the parameters whose gradient is missing, zero or not finite."""
    reasons = {}
    if trial.error is None and isinstance(trial.loss, Tensor):
        for name, g in trial.grads.items():
            p = model.get_parameter(name)
            if p.requires_grad and (g is None or not g.any() or not np.isfinite(g).all()):
                reasons[name] = autograd.why(p, trial.loss)
    return reasons


def _failed(trial: Trial, found: list[Finding]) -> list[Finding]:
    error = trial.error
    if any(f.rule in ("labels_out_of_range", "label_dtype", "batch_of_one") for f in found):
        return []
    return [
        Finding(
            "error", f"the trial step stopped in the {trial.stage} with {type(error).__name__}:"
            f" {error}", "see the message", trial.events[-1].line if trial.events else "",
        )
    ]  # fmt: skip


def _once(found: list[Finding]) -> list[Finding]:
    return list(dict.fromkeys(found))
