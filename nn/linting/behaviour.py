"""Mistakes that show in the values of a trial step: dead units, missing gradients, the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from nn.linting.report import Finding
from nn.linting.trial import Trial
from nn.module import Module

_ENOUGH = 16
"""Samples from which a unit that never fires is called dead."""


def check(trial: Trial, model: Module, target: Any, reasons: dict[str, Any]) -> list[Finding]:
    """All of them."""
    loss = trial.loss
    if not isinstance(loss, Tensor):
        return [
            Finding(
                "loss_not_tensor",
                f"the loss is a {type(loss).__name__}, so nothing can be learned from it",
                "return a Tensor, without .item() or float()",
            )
        ]
    if not loss.requires_grad:
        return [
            Finding(
                "loss_without_graph", "the loss does not require a gradient: backward() will fail",
                "look for detach(), no_grad() or NumPy between model and loss",
            )
        ]  # fmt: skip
    if loss.numel() != 1:
        return [Finding("loss_not_scalar", f"the loss has shape {loss.shape}", "loss.mean()")]
    found = [*_gradients(reasons), *_units(trial), *_saturated(trial), *_symmetric(model, trial)]
    found += [Finding("warning", text, "see the message") for text in trial.warned
              if "they broadcast" not in text]  # fmt: skip
    if np.isfinite(np.asarray(loss.value)).all():
        return found + _first_loss(trial, target) + _collapsed(trial)
    if not any(f.rule == "bad_gradient" for f in found):
        found.append(Finding("bad_loss", f"the loss is {loss.item()}", "look at the data"))
    return found


def _gradients(reasons: dict[str, Any]) -> list[Finding]:
    """What `why` says, once for each cause."""
    found: dict[tuple[str, str], Finding] = {}
    names: dict[tuple[str, str], list[str]] = {}
    for name, answer in reasons.items():
        rule = {"none": "no_gradient", "zero": "zero_gradient"}.get(answer.kind, "bad_gradient")
        if rule == "zero_gradient" and answer.cause in ("cancelled", "partly_zero"):
            continue
        names.setdefault((rule, answer.cause), []).append(name)
        shown = names[rule, answer.cause]
        found[rule, answer.cause] = Finding(
            rule, f"{', '.join(shown[:4])}{' ...' if len(shown) > 4 else ''}: {answer.text}",
            answer.remedy, shown[0],
        )  # fmt: skip
    return list(found.values())


def _units(trial: Trial) -> list[Finding]:
    found = []
    for event in trial.events:
        if event.op not in ("relu", "linear_relu") or event.loss:
            continue
        out = np.asarray(event.out.value)
        if out.ndim < 2 or out.shape[0] < _ENOUGH:
            continue
        axes = (0, *range(2, out.ndim)) if out.ndim > 2 else (0,)
        dead = ~(out > 0).any(axes)
        if dead.mean() >= 0.5:
            found.append(
                Finding(
                    "dead_units", f"{int(dead.sum())} of {dead.size} units of the ReLU give 0 for"
                    f" all {out.shape[0]} samples: they get no gradient",
                    "initialise by He with bias 0, scale the inputs, lower the learning rate, or"
                    " use LeakyReLU", event.path or event.line,
                )
            )  # fmt: skip
    return found


def _saturated(trial: Trial) -> list[Finding]:
    found = []
    for event in trial.events:
        kind = event.op.removeprefix("linear_")
        if kind not in ("sigmoid", "tanh") or event.loss:
            continue
        out = np.asarray(event.out.value, np.float64)
        low, high = (0.0, 1.0) if kind == "sigmoid" else (-1.0, 1.0)
        near = np.minimum(out - low, high - out) < 0.005 * (high - low)
        if out.size >= _ENOUGH and near.mean() > 0.7:
            found.append(
                Finding(
                    "saturated", f"{near.mean():.0%} of the outputs of the {kind} lie at {low:g}"
                    f" or {high:g}, where its derivative is nearly 0",
                    "scale the inputs, use smaller initial weights or normalisation before it",
                    event.path or event.line,
                )
            )  # fmt: skip
    return found


def _symmetric(model: Module, trial: Trial) -> list[Finding]:
    """Units that are equal and get equal gradients stay equal."""
    found = []
    for name, p in model.named_parameters():
        g, w = trial.grads.get(name), np.asarray(p.value)
        if g is None or w.ndim != 2 or w.shape[0] < 2 or not p.requires_grad:
            continue
        same = np.ptp(w, axis=0).max(initial=0) == 0
        if same and np.allclose(g, g[:1], rtol=1e-4, atol=1e-12):
            found.append(
                Finding(
                    "symmetric_weights", f"all {w.shape[0]} units of this layer have the same"
                    " weights and the same gradient: they will stay one unit",
                    "initialise at random (nn.init.kaiming_uniform_), not with a constant", name,
                )
            )  # fmt: skip
    return found


def _collapsed(trial: Trial) -> list[Finding]:
    out = trial.output
    if not isinstance(out, Tensor) or out.ndim < 2 or out.shape[0] < _ENOUGH:
        return []
    values = np.asarray(out.value)
    if values.dtype.kind == "f" and np.ptp(values, axis=0).max(initial=0) == 0:
        return [
            Finding(
                "constant_output", f"the output is the same for all {out.shape[0]} samples",
                "look for dead units, weights of 0, or an input that is not used",
            )
        ]  # fmt: skip
    return []


def _first_loss(trial: Trial, target: Any) -> list[Finding]:
    """The loss of a model that knows nothing is log(classes); far above, the logits are large."""
    event = next(
        (e for e in trial.events if e.loss and ("cross_entropy" in e.op or e.op == "nll_loss")),
        None,
    )
    if event is None or event.meta.get("reduction", "mean") != "mean":
        return []
    x = event.inputs[0]
    binary = event.op.startswith("binary")
    if not isinstance(x, Tensor) or (x.ndim < 2 and not binary):
        return []
    value = float(np.asarray(event.out.value))
    expected = float(np.log(2 if binary else max(2, x.shape[1])))
    if value <= 3 * expected + 1:
        return []
    return [
        Finding(
            "high_first_loss", f"the loss is {value:.3g}; a model that knows nothing has"
            f" {'log(2)' if binary else f'log({x.shape[1]})'} = {expected:.3g}: the logits are"
            f" large, up to {float(np.abs(np.asarray(x.value)).max()):.3g}",
            "scale the inputs, and use smaller weights in the last layer", event.line,
        )
    ]  # fmt: skip
