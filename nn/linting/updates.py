"""Mistakes in what a step changes: the learning rate, and gradients of earlier steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Tensor
from nn.linting.report import Finding
from nn.linting.trial import Trial, twin_step, unchanged
from nn.module import Module

_FAST, _SLOW = 0.5, 1e-7
"""Ratios of update to weight, both by their norm over all weights, outside which a step is off."""


def check(
    trial: Trial, model: Module, optimizer: Any, before: dict[str, np.ndarray | None]
) -> list[Finding]:
    """The update that a step would make, and the gradients that were there."""
    found = _left_over(trial, before)
    if optimizer is None or not any(g is not None for g in trial.grads.values()):
        return found
    named = dict(model.named_parameters())
    grads = {id(named[name]): g for name, g in trial.grads.items() if g is not None}
    if not all(np.isfinite(g).all() for g in grads.values()):
        return found
    return found + _rate(optimizer, grads)


def _norm(arrays: Any) -> float:
    return float(np.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in arrays)))


def _rate(optimizer: Any, grads: dict[int, np.ndarray]) -> list[Finding]:
    rates = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
    if rates and not any(rates):
        return [Finding("learning_rate_zero", "the learning rate is 0", "set lr", "optimizer")]
    changes = twin_step(optimizer, grads)
    if changes is None:
        return []
    weights = [(np.asarray(p.value), d) for p, d in changes if p.ndim > 1 and id(p) in grads]
    size, step = _norm(w for w, _ in weights), _norm(d for _, d in weights)
    if not size or not _norm(grads.values()):
        return []
    ratio = step / size
    shown = (
        f"a step changes the weights by {ratio:.2g} of their norm (lr {', '.join(map(str, rates))})"
    )
    if not ratio < _FAST:
        return [
            Finding("learning_rate_high", f"{shown}; about 0.001 is usual",
                    f"try a learning rate near {rates[0] * 1e-2 / ratio:.1g}" if rates and
                    np.isfinite(ratio) and ratio else "a lower learning rate", "optimizer")
        ]  # fmt: skip
    if ratio < _SLOW:
        return [
            Finding("learning_rate_low", f"{shown}; about 0.001 is usual: nothing will be learned",
                    "a higher learning rate", "optimizer")
        ]  # fmt: skip
    return []


def _left_over(trial: Trial, before: dict[str, np.ndarray | None]) -> list[Finding]:
    """Gradients from before that are many times those of one batch."""
    pairs = [
        (old, new) for name, new in trial.grads.items()
        if new is not None and (old := before.get(name)) is not None
    ]  # fmt: skip
    there, fresh = _norm(a for a, _ in pairs), _norm(b for _, b in pairs)
    if not pairs or not fresh or there < 10 * fresh:
        return []
    return [
        Finding(
            "forgotten_zero_grad", f"the gradients present have norm {there:.3g},"
            f" {there / fresh:.0f} times that of this batch: they look like the sum of many"
            " backward passes", "optimizer.zero_grad() in each step, before backward()",
        )
    ]  # fmt: skip


def check_step(
    model: Module, optimizer: Any, step: Callable[..., Any], batch: tuple[Any, ...]
) -> list[Finding]:
    """Run the user's step on gradients that were planted: they must not be there at the update.

    The optimizer's own step is held back, so that nothing of it changes.
    """
    if optimizer is None:
        raise TypeError("lint: to look at a step, give the optimizer that it uses too")
    seen: list[dict[int, np.ndarray]] = []
    params = [p for p in model.parameters() if p.requires_grad]

    def hold(closure: Any = None) -> Any:
        seen.append({id(p): np.array(p._grad.value) for p in params if p._grad is not None})

    had = "step" in vars(optimizer)
    own = vars(optimizer).get("step")
    optimizer.step = hold
    try:
        for planted in (0.0, 1.0):
            with unchanged(model):
                for p in params:
                    p._grad = Tensor.wrap(np.full(p.shape, planted, p.dtype))
                step(*batch)
    finally:
        if had:
            optimizer.step = own
        else:
            del optimizer.step
    if len(seen) != 2:
        return [] if len(seen) > 2 else [
            Finding("no_step", "the training step does not call optimizer.step()",
                    "call it after backward()")
        ]  # fmt: skip
    clean, planted_ = seen
    kept = [i for i in clean if i in planted_ and
            np.abs(planted_[i] - clean[i]).max(initial=0) > 1e-3]  # fmt: skip
    if not kept:
        return []
    return [
        Finding(
            "forgotten_zero_grad", f"gradients of an earlier step are still there at the update,"
            f" in {len(kept)} of {len(clean)} parameters: they add up from step to step",
            "optimizer.zero_grad() in each step, before backward()",
        )
    ]  # fmt: skip
