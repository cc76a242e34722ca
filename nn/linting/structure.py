"""Mistakes in how model, loss and optimizer are put together."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from nn.dropout import _Dropout
from nn.linting.report import Finding
from nn.linting.trial import Event, Trial
from nn.module import Module
from nn.norm import _BatchNorm

_LOGITS = {
    "cross_entropy_index": "CrossEntropyLoss",
    "cross_entropy_rows": "CrossEntropyLoss",
    "cross_entropy_probability": "CrossEntropyLoss",
}
_AFFINE = ("linear", "dense", "linear_relu", "linear_sigmoid", "linear_tanh")
_NORMS = ("batch_norm", "batch_norm_fixed")


def check_modes(model: Module) -> list[Finding]:
    """Layers left in evaluation mode."""
    inside = [
        (name, m) for name, m in model.named_modules() if isinstance(m, (_Dropout, _BatchNorm))
    ]
    off = [name for name, m in inside if not m.training]
    if not off:
        return []
    what = (
        f"{len(off)} dropout and batch normalisation layers are in evaluation mode: dropout drops\
 nothing, batch normalisation learns no statistics"
    )
    return [Finding("eval_mode", what, "model.train() before training", ", ".join(off[:3]))]


def check(trial: Trial, model: Module, optimizer: Any) -> list[Finding]:
    """Activations before losses that have their own, biases before normalisation, optimizers."""
    found = []
    for event in trial.events:
        found += _before_loss(trial, event)
        if event.op in _NORMS:
            found += _bias_before_norm(trial, event)
    return found + _parameters(model, optimizer)


def _where(event: Event) -> str:
    return event.path or event.line


def _before_loss(trial: Trial, event: Event) -> list[Finding]:
    if not event.inputs:
        return []
    maker = trial.maker(event.inputs[0])
    if maker is None:
        return []
    if event.op in _LOGITS and maker.op == "softmax":
        return [
            Finding(
                "softmax_before_cross_entropy", "CrossEntropyLoss has softmax inside, and got what"
                " softmax made: the gradient is small and the loss cannot reach 0",
                "leave out the softmax; apply it for predictions only", _where(maker),
            )
        ]  # fmt: skip
    if event.op in _LOGITS and maker.op in ("sigmoid", "linear_sigmoid"):
        return [
            Finding(
                "sigmoid_before_cross_entropy", "CrossEntropyLoss expects logits and got what"
                " sigmoid made", "leave out the sigmoid", _where(maker),
            )
        ]  # fmt: skip
    if event.op in _LOGITS and maker.op in ("relu", "linear_relu"):
        return [
            Finding(
                "relu_before_loss", "the logits pass a ReLU: none can be below 0, and a class"
                " whose logit is 0 gets no gradient", "leave out the last ReLU", _where(maker),
            )
        ]  # fmt: skip
    if event.op == "binary_cross_entropy_with_logits" and maker.op in ("sigmoid", "linear_sigmoid"):
        return [
            Finding(
                "sigmoid_before_bce_with_logits", "BCEWithLogitsLoss has sigmoid inside, and got"
                " what sigmoid made", "leave out the sigmoid, or use BCELoss", _where(maker),
            )
        ]  # fmt: skip
    if event.op == "nll_loss" and maker.op not in ("log_softmax", "log", "logsigmoid"):
        text = f"NLLLoss expects log-probabilities and got what {maker.op} made"
        if maker.op in ("softmax", "linear", "dense", "sigmoid", "linear_sigmoid"):
            remedy = "use CrossEntropyLoss on the logits, or LogSoftmax before NLLLoss"
            return [Finding("nll_without_log_softmax", text, remedy, _where(maker))]
    if event.loss and maker.op == "mul" and _is_mask(trial, maker):
        return [
            Finding(
                "dropout_before_loss", "dropout acts on the output itself: it zeroes predictions",
                "put dropout before the last layer", _where(maker),
            )
        ]  # fmt: skip
    return []


def _is_mask(trial: Trial, event: Event) -> bool:
    makers = [trial.makers.get(id(x)) for x in event.inputs if isinstance(x, Tensor)]
    ops = [m.op for m in makers if m is not None]
    return "dropout_mask" in ops and len(ops) > 1 and not event.loss


def _bias_before_norm(trial: Trial, event: Event) -> list[Finding]:
    maker = trial.maker(event.inputs[0])
    if maker is None or maker.op not in _AFFINE[:2] or len(maker.inputs) < 3:
        return []
    bias = maker.inputs[2]
    if not isinstance(bias, Tensor) or not bias.requires_grad:
        return []
    return [
        Finding(
            "bias_before_batch_norm", "the bias is subtracted again with the mean by the batch"
            " normalisation behind it: it has no effect and no gradient",
            "bias=False in this layer", _where(maker),
        )
    ]  # fmt: skip


def _parameters(model: Module, optimizer: Any) -> list[Finding]:
    names = {id(p): name for name, p in model.named_parameters()}
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    found = []
    if names and len(frozen) == len(names):
        found.append(
            Finding("all_frozen", "no parameter requires a gradient: nothing can be learned",
                    "model.requires_grad_(True)", ", ".join(frozen[:3]))
        )  # fmt: skip
    if optimizer is None:
        return found
    held = {id(p): p for group in optimizer.param_groups for p in group["params"]}
    missing = [
        name for name, p in model.named_parameters() if id(p) not in held and p.requires_grad
    ]
    if missing:
        found.append(
            Finding(
                "not_in_optimizer", f"{len(missing)} parameters are not in the optimizer and will"
                f" not change: {', '.join(missing[:5])}",
                "make the optimizer of model.parameters(), after all layers exist; freeze on"
                " purpose with requires_grad_(False)", missing[0],
            )
        )  # fmt: skip
    strangers = [p for i, p in held.items() if i not in names]
    if strangers:
        shapes = ", ".join(str(p.shape) for p in strangers[:5])
        found.append(
            Finding(
                "not_in_model", f"{len(strangers)} parameters of the optimizer are not the"
                f" model's (shapes {shapes}): made of another or an older model?",
                "make the optimizer after the model, of model.parameters()", "optimizer",
            )
        )  # fmt: skip
    in_vain = [
        name for name in frozen if any(p is model.get_parameter(name) for p in held.values())
    ]
    if in_vain and len(frozen) < len(names):
        found.append(
            Finding(
                "frozen_in_optimizer", f"{len(in_vain)} frozen parameters are in the optimizer and"
                f" will not change: {', '.join(in_vain[:5])}",
                "unfreeze them, or leave them out:"
                " [p for p in model.parameters() if p.requires_grad]", in_vain[0],
            )
        )  # fmt: skip
    return found
