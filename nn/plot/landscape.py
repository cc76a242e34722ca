"""The loss around the weights a model has, along two directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Tensor
from nn.module import Module
from nn.parameter import Parameter
from nn.plot.asking import as_input, evaluating
from nn.plot.canvas import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Direction = list[np.ndarray]
Named = list[tuple[str, Parameter]]


def loss_landscape(
    model: Module,
    loss_fn: Callable[[Tensor, Any], Tensor],
    x: Any,
    y: Any,
    *,
    span: float = 1.0,
    points: int = 25,
    directions: Sequence[Sequence[Any]] | None = None,
    seed: int = 0,
    levels: int = 20,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """loss_fn(model(x), y) at the weights + a d1 + b d2, for a and b in [-span, span].

    Random directions are filter-normalised (Li et al. 2018, arXiv:1712.09913): the part that
    belongs to one unit, a row of a weight or a column of a kernel, is as long as that unit's own
    weights, and biases and other vectors are left alone; only so do the widths of two landscapes
    compare.
    directions: two lists of arrays, one per parameter with its shape, used as they are.
    The model is in evaluation mode, and has its own weights again at the end.
    log: colour by the logarithm of the loss.  The cross marks the weights as they are.
    """
    named = list(model.named_parameters())
    parameters = [p for _, p in named]
    d1, d2 = _directions(named, directions, seed)
    steps = np.linspace(-span, span, points)
    losses = _losses(
        model, lambda: loss_fn(model(as_input(model, x)), y), parameters, d1, d2, steps
    )
    ax = axes(ax, (5.4, 4.2))
    shown = np.log10(np.maximum(losses, 1e-12)) if log else losses
    picture = ax.contourf(steps, steps, shown, levels=levels, cmap="viridis")
    ax.figure.colorbar(picture, ax=ax, label="log10 loss" if log else "loss")
    ax.plot(0, 0, "+", color="white", markersize=12, markeredgewidth=2)
    ax.locator_params(nbins=5)
    ax.set_xlabel("along the first direction")
    ax.set_ylabel("along the second direction")
    return ax


def _directions(
    named: Named, given: Sequence[Sequence[Any]] | None, seed: int
) -> tuple[Direction, Direction]:
    if given is None:
        rng = np.random.default_rng(seed)
        return _random(named, rng), _random(named, rng)
    found = [[np.asarray(part) for part in direction] for direction in given]
    shapes = [p.shape for _, p in named]
    if len(found) != 2 or any([part.shape for part in d] != shapes for d in found):
        raise ValueError(
            f"loss_landscape: directions have shapes {[[p.shape for p in d] for d in found]};"
            f" expected two lists with the parameters' {shapes}"
        )
    return found[0], found[1]


def _random(named: Named, rng: np.random.Generator) -> Direction:
    return [_like(p.detach().numpy(), name.endswith("kernel"), rng) for name, p in named]


def _like(weight: np.ndarray, units_last: bool, rng: np.random.Generator) -> np.ndarray:
    """Random numbers, as long for each unit as its own weights are; nothing for vectors."""
    if weight.ndim < 2:
        return np.zeros(weight.shape)
    drawn = rng.standard_normal(weight.shape)
    one_unit = tuple(range(weight.ndim - 1) if units_last else range(1, weight.ndim))
    own, new = (np.sqrt((a**2).sum(one_unit, keepdims=True)) for a in (weight, drawn))
    return drawn * own / np.maximum(new, 1e-12)


def _losses(
    model: Module,
    loss: Callable[[], Any],
    parameters: list[Parameter],
    d1: Direction,
    d2: Direction,
    steps: np.ndarray,
) -> np.ndarray:
    """Losses (b, a) on the grid."""
    own = [p.detach().numpy().copy() for p in parameters]
    losses = np.empty((len(steps), len(steps)))
    with evaluating(model):
        try:
            for i, j in np.ndindex(losses.shape):
                b, a = steps[i], steps[j]
                for p, w, u, v in zip(parameters, own, d1, d2):
                    p.copy_(Tensor.wrap((w + a * u + b * v).astype(w.dtype)))
                losses[i, j] = float(loss())
        finally:
            for p, w in zip(parameters, own):
                p.copy_(Tensor.wrap(w))
    return losses
