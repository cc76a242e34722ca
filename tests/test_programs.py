"""Random programs of views and in-place changes: the gradient is right, or there is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
from tests.table import slope

STEPS: tuple[Callable[[list[Any], Any, Any, float], Any], ...] = (
    lambda v, t, u, c: v.append(t.t()),
    lambda v, t, u, c: v.append(t[:1]),
    lambda v, t, u, c: v.append(t[:, -1].unsqueeze(1)),
    lambda v, t, u, c: v.append(t.reshape(t.shape[1], t.shape[0])),
    lambda v, t, u, c: v.append(t.sin()),
    lambda v, t, u, c: v.append(t * u.sum()),
    lambda v, t, u, c: t.mul_(c),
    lambda v, t, u, c: t.add_(u.mean()),
    lambda v, t, u, c: t.copy_(u.sum()),
    lambda v, t, u, c: t.sigmoid_(),
    lambda v, t, u, c: t.masked_fill_(t.detach() > 0, c),
    lambda v, t, u, c: t.__setitem__((slice(None), 0), u.mean()),
    lambda v, t, u, c: t.__setitem__(-1, c),
    lambda v, t, u, c: t.__setitem__([0], t[[-1]] * c),
)
"""What a program does: `v` are its tensors so far, `t` and `u` two of them, `c` a number."""
SEEDS = range(300)


def play(m: Any, seed: int, shift: float = 0.0) -> tuple[Any, list[Any], list[Any]]:
    """Run program `seed` with `m` (autograd or torch): its loss, its leaves, all its tensors."""
    rng = np.random.default_rng(seed)
    leaves = [
        m.tensor(rng.uniform(-1, 1, (2, 3)) + shift * direction(k), requires_grad=True)
        for k in range(2)
    ]
    v = [x * 1.0 for x in leaves]
    for step in rng.integers(len(STEPS), size=8):
        i, j, c = rng.integers(len(v)), rng.integers(len(v)), rng.uniform(-2, 2)
        STEPS[step](v, v[i], v[j], float(c))
    weights = (m.tensor(rng.uniform(-1, 1, tuple(t.shape))) for t in v)
    return sum((t * w).sum() for t, w in zip(v, weights, strict=True)), leaves, v


def direction(k: int) -> np.ndarray:
    return np.cos(np.arange(6.0) + k).reshape(2, 3)


def gradients(m: Any, seed: int) -> list[np.ndarray] | None:
    """The gradients of the leaves, or None where something that backward needs was changed."""
    loss, leaves, _ = play(m, seed)
    try:
        loss.backward()
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        return None
    return [x.grad.numpy() for x in leaves]


@pytest.mark.parametrize("seed", SEEDS)
def test_program(seed: int):
    grads = gradients(autograd, seed)
    if grads is not None:
        exact = sum(np.sum(g * direction(k)) for k, g in enumerate(grads))
        numeric = slope(lambda t: play(autograd, seed, t)[0].item(), step=1e-5)
        np.testing.assert_allclose(exact, numeric, rtol=1e-6, atol=1e-6)


def test_most_programs_have_a_gradient():
    """Else the test above would be empty."""
    assert sum(gradients(autograd, seed) is not None for seed in SEEDS) > len(SEEDS) / 3
