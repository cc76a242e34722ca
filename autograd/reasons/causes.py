"""What an op does to a gradient that passes it: why it became zero, small, large, or NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.reasons.answer import Cause

_RECTIFIERS = ("relu", "linear_relu")
_FLAT = {
    "relu6": (0.0, 6.0),
    "hardsigmoid": (-3.0, 3.0),
    "hardtanh": ("min_val", "max_val"),
    "clamp": ("min", "max"),
}
_SATURATING = {
    "sigmoid": (0.0, 1.0),
    "linear_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "linear_tanh": (-1.0, 1.0),
}
_STEPS = ("floor", "ceil", "trunc", "round", "sign", "heaviside", "floor_divide", "trunc_divide")
_SELECTING = ("amax", "amin", "maximum", "minimum", "fmax", "fmin", "median", "gather", "index",
              "slice", "where", "embedding", "diagonal")  # fmt: skip
_WRITING = ("put_view", "copy_to", "index_put", "erase")
_PRODUCTS = ("linear", "dense", "matmul", "matmul_nt", "matmul_tn", "contract", *_RECTIFIERS,
             "linear_sigmoid", "linear_tanh")  # fmt: skip


def values_of(node: Node) -> dict[str, np.ndarray]:
    """What the node saved, by the names of its op's inputs, and "out"; empty once it is freed."""
    plan = node.plan
    if plan is None or node.saved is None or not isinstance(node.saved, (list, tuple)):
        return {}
    found = {}
    for i, x in zip(plan.keep, node.saved):
        if x is not None:
            name = node.op.inputs[i] if i < len(node.op.inputs) else f"{node.op.inputs[-1]} {i}"
            found[name] = np.asarray(getattr(x, "value", x))
    if plan.keeps_out and node.out is not None:
        found["out"] = np.asarray(node.out[0])
    return found


def input_name(node: Node, part: int) -> str:
    """The name of the input that edge `part` leads to."""
    return node.op.name_of(node.plan.parents[part]) if node.plan is not None else str(part)


def cause_of_zero(node: Node, part: int, g: Any) -> Cause:
    """Why none of the gradient `g` got through `node` to its edge `part`."""
    name, saved, wanted = node.op.name, values_of(node), input_name(node, part)
    if name in _RECTIFIERS and "out" in saved and not np.any(saved["out"] > 0):
        return _dead(name, saved["out"])
    if name in _FLAT or name in ("threshold", "hardshrink", "softshrink"):
        return _clamped(node, saved)
    if name in _SATURATING:
        return _saturated(name, saved)
    if name in _STEPS:
        return Cause(
            "step_function",
            f"{name} is a step function: its derivative is 0 wherever it exists, so nothing"
            " passes back",
            f"use a smooth stand-in for {name}, or a straight-through estimate:"
            f" x + ({name}(x) - x).detach()",
        )
    if name in _SELECTING:
        return _not_chosen(name, wanted)
    if name in _WRITING:
        return _overwritten(name)
    if name == "masked_fill":
        return Cause(
            "masked", "masked_fill replaced every value that the gradient came from",
            "look at the mask: it is true where values are replaced",
        )  # fmt: skip
    factor = _other_factor(node, saved, wanted)
    if factor is not None:
        return factor
    if name.startswith(("softmax", "log_softmax", "cross_entropy", "softplus", "logsigmoid")):
        return _saturated_softmax(name, saved)
    if name == "binary_cross_entropy_with_logits":
        return _saturated_softmax(name, saved)
    return Cause(
        "zero_derivative",
        f"the derivative of {name} by {wanted} was 0 at every value that a gradient came to"
        f" (max|g| there: {_largest(g):.3g})",
        f"look at what goes into {name}",
    )


def _dead(name: str, out: np.ndarray) -> Cause:
    return Cause(
        "dead_relu",
        f"{name} gave 0 for all {out.size} values of shape {out.shape}: every one of its inputs"
        " was negative or 0, where its derivative is 0. All its units are dead",
        "lower the learning rate, initialise the bias before it at 0 or slightly above (and the"
        " weights by He), scale the inputs, or use LeakyReLU",
        {"values": out.size, "dead": out.size},
    )


def _clamped(node: Node, saved: dict[str, np.ndarray]) -> Cause:
    name = node.op.name
    low, high = (node.meta.get(b) if isinstance(b, str) else b for b in _FLAT.get(name, (0, 0)))
    x = saved.get("x", saved.get("out"))
    span = "" if x is None or not x.size else f" of {x.size} values in {_span(x)}"
    return Cause(
        "clamped",
        f"all{span} lie outside the range in which {name}"
        + (f" (from {low} to {high})" if name in _FLAT else "")
        + " lets a gradient through; its derivative is 0 there",
        f"widen the range of {name}, or keep its input inside by initialisation or normalisation",
    )


def _saturated(name: str, saved: dict[str, np.ndarray]) -> Cause:
    low, high = _SATURATING[name]
    out = saved.get("out")
    kind = name.removeprefix("linear_")
    share, where = 1.0, ""
    if out is not None and out.size:
        distance = np.minimum(out - low, high - out)
        share = float(np.mean(distance < 0.01 * (high - low)))
        where = (
            f" {share:.0%} of its {out.size} outputs lie within 1% of {low:g} or {high:g}"
            f" (outputs in {_span(out)});"
        )
    return Cause(
        f"saturated_{kind}",
        f"{kind} is saturated:{where} its derivative there is nearly 0",
        "make its inputs smaller: scale the data, use smaller initial weights or normalisation"
        f" before it, or replace {kind} in hidden layers by ReLU",
        {"saturated": share},
    )


def _saturated_softmax(name: str, saved: dict[str, np.ndarray]) -> Cause:
    x = saved.get("x", saved.get("out"))
    span = f" (what it saved lies in {_span(x)})" if x is not None and x.size else ""
    return Cause(
        "saturated_softmax",
        f"{name} is saturated: its probabilities are 0 and 1 to the last digit{span}, so its"
        " derivative is 0",
        "make the logits smaller: scale the data, lower the learning rate or the initial weights;"
        " give logits, not probabilities, to the cross-entropy",
    )


def _not_chosen(name: str, wanted: str) -> Cause:
    return Cause(
        "not_chosen",
        f"{name} chose other values: nothing of its input {wanted} is in its result, so that"
        " input gets no gradient",
        f"look at what {name} selects (condition, index or maximum); a soft form (softmax"
        " weights, logsumexp) gives every candidate a gradient",
    )


def _overwritten(name: str) -> Cause:
    return Cause(
        "overwritten",
        "item assignment or an in-place copy overwrote the values before they were used"
        f" ({name}); what is overwritten gets no gradient",
        "write into a new tensor, or combine by where() or cat() instead of x[...] = ...",
    )


def _other_factor(node: Node, saved: dict[str, np.ndarray], wanted: str) -> Cause | None:
    """A product of which every other factor is 0."""
    name = node.op.name
    others = {n: v for n, v in saved.items() if n not in (wanted, "out", "bias", "stats")}
    if name not in ("mul", "prod", "pow", *_PRODUCTS) or not others:
        return None
    zero = next((n for n, v in others.items() if v.size and not np.any(v)), None)
    if zero is None:
        return None
    shape = others[zero].shape
    if name in _PRODUCTS and wanted in ("weight", "y") and zero == "x":
        return Cause(
            "zero_input",
            f"the input of {name} is 0 everywhere (shape {shape}), so its weights get no gradient",
            "look at what feeds it: dead units, a mask, dropout of everything, or data of zeros",
        )
    return Cause(
        "multiplied_by_zero",
        f"{name} multiplies it by {zero}, which is 0 everywhere (shape {shape})",
        f"look at where {zero} comes from: a mask, a coefficient, or weights initialised to 0",
    )


# NaN and infinity

_POLES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str, str]] = {
    "div": ("y", lambda v: v == 0, "a division by 0", "add a small eps to the divisor"),
    "reciprocal": ("out", np.isinf, "a division by 0", "add a small eps to the divisor"),
    "log": ("x", lambda v: v <= 0, "log of 0 or less", "log(x + eps), or clamp x before the log"),
    "log2": ("x", lambda v: v <= 0, "log of 0 or less", "log2(x + eps), or clamp x before it"),
    "log10": ("x", lambda v: v <= 0, "log of 0 or less", "log10(x + eps), or clamp x before it"),
    "log1p": ("x", lambda v: v <= -1, "log1p of -1 or less", "clamp x above -1 before it"),
    "sqrt": ("out", lambda v: ~(v > 0), "sqrt at 0 or below", "sqrt(x + eps), or clamp x"),
    "rsqrt": ("out", lambda v: ~np.isfinite(v), "1/sqrt at 0 or below", "rsqrt(x + eps)"),
    "norm": ("out", lambda v: v == 0, "the norm of a zero vector", "(x * x + eps).sum().sqrt()"),
    "pow": ("x", lambda v: v <= 0, "a power of 0 or less", "add eps, or clamp the base above 0"),
    "asin": ("x", lambda v: np.abs(v) >= 1, "asin at +-1", "clamp its input inside (-1, 1)"),
    "acos": ("x", lambda v: np.abs(v) >= 1, "acos at +-1", "clamp its input inside (-1, 1)"),
    "atanh": ("x", lambda v: np.abs(v) >= 1, "atanh at +-1", "clamp its input inside (-1, 1)"),
    "exp": ("out", np.isinf, "exp overflowed", "subtract the maximum first, or use logsumexp"),
    "std": ("out", lambda v: v == 0, "the std of equal values", "(var + eps).sqrt()"),
    "binary_cross_entropy": (
        "p", lambda v: (v < 0) | (v > 1) | ~np.isfinite(v), "probabilities outside 0 and 1",
        "use BCEWithLogitsLoss on the logits",
    ),
}  # fmt: skip


def cause_of_nonfinite(node: Node, part: int, g: Any, behind: str | None) -> Cause:
    """Why a finite `g` became NaN or inf in `node`; `behind`: the op that the gradient came from.

    A `where` or mask that did not choose the value sends 0 back, and 0 times infinity is NaN.
    """
    name, saved = node.op.name, values_of(node)
    pole = _POLES.get(name)
    if pole is None or pole[0] not in saved:
        return _not_from_a_pole(node, saved, g)
    at = pole[1](saved[pole[0]])
    met, total = int(np.count_nonzero(at)), int(at.size)
    if met and behind in ("where", "masked_fill", "mul", "maximum", "minimum", "clamp"):
        g = np.asarray(g)
        cut = g.shape == at.shape and not np.any(g[at])
        if cut:
            return Cause(
                "where_leak" if behind in ("where", "masked_fill") else "zero_times_infinity",
                f"{pole[2]} in {met} of {total} values that {behind} did not choose: {behind}"
                f" sends 0 back there, the derivative of {name} is infinite, and 0 * inf is NaN",
                f"guard the input, not the result: {name} of where(condition, x, 1), then where"
                f" once more outside",
                {"values": total, "met": met},
            )
    if met:
        return Cause(
            f"{name}_at_pole",
            f"{pole[2]}: {met} of {total} values; the derivative of {name} is infinite there",
            pole[3],
            {"values": total, "met": met},
        )
    return _not_from_a_pole(node, saved, g)


def _not_from_a_pole(node: Node, saved: dict[str, np.ndarray], g: Any) -> Cause:
    name = node.op.name
    for what, v in saved.items():
        if v.dtype.kind == "f" and not np.isfinite(v).all():
            nans = int(np.isnan(v).sum())
            infs = int(np.isinf(v).sum())
            return Cause(
                "forward_nonfinite",
                f"{what} of {name} (shape {v.shape}) already held {nans} NaN and {infs} infinite"
                " values in the forward pass",
                "look for what made them: data with NaN, a learning rate that diverged, an"
                " overflow. `with autograd.detect_anomaly():` stops at the first op that does",
                {"nan": nans, "inf": infs},
            )
    return Cause(
        "overflow",
        f"the backward of {name} overflowed: it met a finite gradient of up to {_largest(g):.3g}",
        "clip gradients, lower the learning rate or the initial weights",
    )


# Small and large


def cause_of_shrinking(node: Node, part: int, g: Any) -> Cause:
    """What made the gradient much smaller in `node`."""
    name, saved, wanted = node.op.name, values_of(node), input_name(node, part)
    if name in _SATURATING:
        return _saturated(name, saved)
    if name.startswith(("softmax", "log_softmax", "cross_entropy")):
        return _saturated_softmax(name, saved)
    return _factor(node, saved, wanted, "small", "larger initial weights, a residual connection,"
                   " or normalisation keep the gradient's scale")  # fmt: skip


def cause_of_growth(node: Node, part: int, g: Any) -> Cause:
    """What made the gradient much larger in `node`."""
    name, saved, wanted = node.op.name, values_of(node), input_name(node, part)
    pole = _POLES.get(name)
    if pole is not None and pole[0] in saved and saved[pole[0]].size:
        v = saved[pole[0]]
        return Cause(
            f"near_pole_{name}",
            f"{name} is near {pole[2]}: the smallest magnitude that it saved is"
            f" {float(np.abs(v).min()):.3g}, where its derivative is very large",
            pole[3],
            {"smallest": float(np.abs(v).min())},
        )
    return _factor(node, saved, wanted, "large", "scale the data, use smaller initial weights, or"
                   " clip the gradient (nn.utils.clip_grad_norm_)")  # fmt: skip


def _factor(node: Node, saved: dict[str, np.ndarray], wanted: str, how: str, remedy: str) -> Cause:
    others = {
        n: v for n, v in saved.items() if n not in (wanted, "out", "stats") and v.dtype.kind == "f"
    }
    shown = ", ".join(f"{n} {v.shape} up to {_largest(v):.3g}" for n, v in others.items())
    return Cause(
        f"{how}_factor",
        f"{node.op.name} multiplied it by {how} numbers" + (f": {shown}" if shown else ""),
        remedy,
    )


def _largest(v: Any) -> float:
    values = np.asarray(v)
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max()) if finite.size else 0.0


def _span(v: np.ndarray) -> str:
    finite = v[np.isfinite(v)]
    return f"[{finite.min():.4g}, {finite.max():.4g}]" if finite.size else "nothing finite"
