"""How values are spread in each layer: activations, gradients, anything by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.module import Module
from nn.plot.asking import as_input, evaluating
from nn.plot.canvas import array, axes, colour, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def histograms(
    values: Mapping[str, Any],
    *,
    bins: int = 60,
    span: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One histogram per name, below each other on one axis of values, each scaled to its own peak.

    Beside each stands its standard deviation.  Exact zeros, as a ReLU gives them, and values that
    are not finite would hide the others: they are not drawn but counted in the text.
    span: the values shown, by default from the least to the greatest.
    """
    flat = {name: array(v).astype(np.float64).ravel() for name, v in values.items()}
    finite = {name: v[np.isfinite(v)] for name, v in flat.items()}
    if not any(v.size for v in finite.values()):
        raise ValueError("histograms: there is no finite value to draw")
    ax = axes(ax, (6.4, 0.9 + 0.55 * len(flat)))
    low, high = _span(finite, span)
    edges = np.linspace(low, high, bins + 1)
    for row, (name, v) in enumerate(finite.items()):
        counts = np.histogram(v[v != 0], edges)[0]
        height = 0.85 * counts / max(counts.max(), 1)
        ax.stairs(height - row, edges, baseline=-row, fill=True, color=colour(row), alpha=0.75)
        ax.text(1.02, -row + 0.3, _facts(v, flat[name].size), transform=_beside(ax), size=8)
    ax.set_yticks([-row for row in range(len(flat))], list(flat))
    tidy(ax, "value", "")
    ax.grid(visible=False, axis="y")
    return ax


def _span(
    finite: Mapping[str, np.ndarray], span: tuple[float, float] | None
) -> tuple[float, float]:
    if span is not None:
        return span
    low = min(v.min() for v in finite.values() if v.size)
    high = max(v.max() for v in finite.values() if v.size)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _facts(v: np.ndarray, size: int) -> str:
    parts = [f"std {v.std():.2g}"] if v.size else []
    if v.size and (v == 0).any():
        parts.append(f"{(v == 0).mean():.0%} zero")
    if v.size < size:
        parts.append(f"{size - v.size} not finite")
    return "\n".join(parts)


def _beside(ax: Axes) -> Any:
    """x in widths of the axes, y in data."""
    return ax.get_yaxis_transform()


def activation_histograms(
    model: Module,
    x: Any,
    kinds: type | tuple[type, ...] | None = None,
    *,
    training: bool = False,
    bins: int = 60,
    span: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """What each layer gives for inputs x, as `histograms`.

    kinds: classes of modules to look at, such as nn.Tanh; by default all without submodules.
    training: leave the modules' modes as they are; else the model is in evaluation mode.
    Raises ValueError where no such module is called.
    """
    found: dict[str, Any] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, out: found.update({name: array(out)})

    handles = [
        m.register_forward_hook(keep(f"{name or 'model'} {type(m).__name__}"))
        for name, m in model.named_modules()
        if (isinstance(m, kinds) if kinds else not any(True for _ in m.children()))
    ]
    try:
        with evaluating(None if training else model):
            model(as_input(model, x))
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError(f"activation_histograms: no module of {kinds or 'the model'} was called")
    return histograms(found, bins=bins, span=span, ax=ax)


def gradient_histograms(
    model: Module,
    *,
    weights_only: bool = True,
    bins: int = 60,
    span: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The gradients that `backward()` left in the parameters, as `histograms`.

    weights_only: leave out biases and the like, parameters of fewer than 2 dimensions.
    Raises ValueError where there are none.
    """
    found = {
        name: p.grad
        for name, p in model.named_parameters()
        if p.grad is not None and (p.ndim > 1 or not weights_only)
    }
    if not found:
        raise ValueError("gradient_histograms: no parameter has a gradient; call backward() first")
    return histograms(found, bins=bins, span=span, ax=ax)
