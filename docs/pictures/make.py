"""The pictures of the README and the first pages: `python docs/pictures/make.py` draws them anew.

Needs the extra `plot`.  `path.svg` is drawn by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import autograd  # noqa: E402
import nn  # noqa: E402
import optim  # noqa: E402


def graph() -> None:
    """graph.svg: XOR's net and loss after a backward, one example."""
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    x, y = autograd.tensor([[0.0, 1.0]]), autograd.tensor([[1.0]])
    with autograd.remember(model) as seen:
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        loss.backward(retain_graph=True)
    names = {"x": x, "y": y, "loss": loss}
    autograd.draw(loss, model=model, names=names, seen=seen).save(HERE / "graph.svg")


def moons(count: int) -> tuple[Any, Any]:
    """Two half circles that reach into each other."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, count)
    side = np.arange(count) % 2
    x = np.where(side, 1 - np.cos(angle), np.cos(angle))
    y = np.where(side, 0.5 - np.sin(angle), np.sin(angle))
    points = np.stack([x, y], 1) + rng.normal(0, 0.15, (count, 2))
    return autograd.tensor(points).float(), autograd.tensor(side).float().unsqueeze(1)


def boundary() -> None:
    """boundary.png: where a net of 16 hidden units draws the line between two moons."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from nn import plot

    autograd.manual_seed(0)
    x, y = moons(240)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.03)

    @autograd.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(600):
        step(x, y)
    figure, ax = plt.subplots(figsize=(5.2, 3.6), dpi=130)
    plot.decision_boundary(model, x, y, ax=ax)
    figure.tight_layout()
    figure.savefig(HERE / "boundary.png", metadata={"Software": ""})


if __name__ == "__main__":
    graph()
    boundary()
