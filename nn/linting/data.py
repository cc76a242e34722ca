"""Mistakes in a batch: values, scales, shapes, labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from nn.linting.report import Finding
from nn.linting.trial import Trial
from nn.module import Module
from nn.norm import _BatchNorm
from nn.sparse import Embedding

_LARGE, _UNEVEN = 20.0, 1e3


def check_inputs(model: Module, inputs: tuple[Any, ...], target: Any) -> list[Finding]:
    """NaN, scale, and a batch of one for batch normalisation."""
    found = []
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x.numel():
            found += _check_values(model, np.asarray(x.value), f"input {i}" if i else "input")
    if isinstance(target, Tensor) and target.is_floating_point():
        y = np.asarray(target.value)
        if not np.isfinite(y).all():
            found.append(_bad("target", y))
        elif y.size and np.sqrt(np.mean(np.square(y))) > 100:
            found.append(
                Finding(
                    "unscaled_target", f"the target's root mean square is {_rms(y):.3g}",
                    "standardise the target: (y - mean) / std", "target",
                )
            )  # fmt: skip
    normed = [name for name, m in model.named_modules() if isinstance(m, _BatchNorm) and m.training]
    first = next((x for x in inputs if isinstance(x, Tensor) and x.shape), None)
    if normed and first is not None and first.shape[0] == 1 and first.ndim == 2:
        found.append(
            Finding(
                "batch_of_one", "batch normalisation in training got a batch of one sample, whose"
                " variance is 0", "use a larger batch, drop_last=True, or LayerNorm", normed[0],
            )
        )  # fmt: skip
    return found


def _check_values(model: Module, x: np.ndarray, what: str) -> list[Finding]:
    if x.dtype.kind != "f":
        first = next((m for m in model.modules() if any(True for _ in m.parameters(False))), None)
        if x.dtype == np.uint8 and not isinstance(first, Embedding):
            return [Finding("unscaled_input", f"the {what} holds uint8 up to {x.max()}",
                            "x.float() / 255", what)]  # fmt: skip
        return []
    if not np.isfinite(x).all():
        return [_bad(what, x)]
    if _rms(x) > _LARGE:
        return [
            Finding(
                "unscaled_input", f"the {what} lies in [{x.min():.4g}, {x.max():.4g}], its root"
                f" mean square is {_rms(x):.3g}",
                "standardise: (x - mean) / std per feature; images: x / 255", what,
            )
        ]  # fmt: skip
    if x.ndim == 2 and x.shape[0] > 1:
        scale = np.sqrt(np.mean(np.square(x), axis=0))
        scale = scale[scale > 0]
        if scale.size > 1 and scale.max() > _UNEVEN * np.median(scale) and scale.max() > 1:
            return [
                Finding(
                    "unscaled_input", f"the features of the {what} have scales from"
                    f" {scale.min():.3g} to {scale.max():.3g}",
                    "standardise each feature: (x - mean) / std", what,
                )
            ]  # fmt: skip
    return []


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x.astype(np.float64))))) if x.size else 0.0


def _bad(what: str, x: np.ndarray) -> Finding:
    nans, infs = int(np.isnan(x).sum()), int(np.isinf(x).sum())
    return Finding(
        f"nan_{what.split()[0]}", f"the {what} holds {nans} NaN and {infs} infinite values of"
        f" {x.size}", "drop or fill those samples before training", what,
    )  # fmt: skip


def check_target(trial: Trial, target: Any) -> list[Finding]:
    """Labels that do not fit the output."""
    out = trial.output
    if not isinstance(out, Tensor) or not isinstance(target, Tensor):
        return []
    name = _loss_name(trial)
    y = np.asarray(target.value)
    found = []
    if name == "classes" and out.ndim >= 2:
        found += _check_classes(y, out)
    if name == "binary" and y.size and (y.min() < 0 or y.max() > 1):
        found.append(
            Finding(
                "labels_out_of_range", f"binary cross-entropy got targets in [{y.min():.4g},"
                f" {y.max():.4g}], not in [0, 1]", "use targets 0 and 1", "target",
            )
        )  # fmt: skip
    if name in ("distance", "binary") and out.shape != target.shape and out.ndim and target.ndim:
        shapes = {out.shape, target.shape}
        if any(s[-1:] == (1,) for s in shapes) and out.numel() == target.numel():
            found.append(
                Finding(
                    "shape_mismatch", f"the output has shape {out.shape} and the target"
                    f" {target.shape}: they broadcast to a matrix of all pairs, and the loss is"
                    " of that", f"target.reshape({out.shape}), or output.squeeze(-1)", "target",
                )
            )  # fmt: skip
    return found


def _check_classes(y: np.ndarray, out: Tensor) -> list[Finding]:
    classes = out.shape[1]
    if y.dtype.kind == "f":
        if y.shape != out.shape:
            return [
                Finding(
                    "label_dtype", f"the classes are of {y.dtype.name} and shape {y.shape}; class"
                    " labels are integers", "target.long()", "target",
                )
            ]  # fmt: skip
        return []
    valid = y[y != -100]
    if valid.size and (valid.min() < 0 or valid.max() >= classes):
        low = (
            ": the labels seem to start from 1"
            if valid.min() == 1 == valid.max() - classes + 1
            else ""
        )
        return [
            Finding(
                "labels_out_of_range", f"labels lie in [{valid.min()}, {valid.max()}], and the"
                f" output has {classes} classes, 0 to {classes - 1}{low}",
                "shift the labels to start from 0, or give the last layer more outputs", "target",
            )
        ]  # fmt: skip
    return []


_CLASSES = ("cross_entropy_index", "cross_entropy_rows", "nll_loss", "multi_margin_loss")
_BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
_DISTANCES = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "distance")


def _loss_name(trial: Trial) -> str:
    """The family of the loss: by the ops that ran in it, or by the line where it stopped."""
    text = " ".join(e.op for e in trial.events if e.loss)
    if trial.error is not None:
        text += " " + _trace(trial.error)
    for family, names in (("classes", (*_CLASSES, "cross_entropy")), ("binary", _BINARY),
                          ("distance", _DISTANCES)):  # fmt: skip
        if any(name in text for name in names):
            return "binary" if "binary" in text else family
    # (x - y).square().mean() and the like, written by hand
    return "distance" if "sub" in text.split() else ""


def _trace(error: BaseException) -> str:
    names, tb = [], error.__traceback__
    while tb is not None:
        names.append(tb.tb_frame.f_code.co_name)
        tb = tb.tb_next
    return " ".join(names) + " " + str(error)
