"""What is measured: data and initial weights, the same in every peer's process.  NumPy only.

A workload is a function that makes arrays; each peer has a function of the same name that makes a
step of them.  `SUITES` says which belong together and how many first losses are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """One row of a table.  `losses`: how many first losses must agree to `tolerance` (relative)."""

    name: str
    title: str
    losses: int = 5
    tolerance: float = 1e-4


SUITES = {
    "steps": (
        Case("xor", "XOR 2-4-1, batch 4, BCE, Adam: one step", 100),
        Case("mlp", "784-512-256-10, batch 128, cross-entropy, Adam: one step", 10, 1e-3),
        Case("digits", "64-32-10, batch 32, cross-entropy, Adam: one step", 10),
        Case(
            "regularized",
            "784-256-128-10, BatchNorm, Dropout, clipping, StepLR, batch 64: one step",
            1,
            0.2,  # each framework drops other units
        ),
        Case("product_scalar", "a*b+c forward + backward, scalars", 1),
        Case("product_0d", "a*b+c forward + backward, 0-d tensors", 1),
        Case("product_1", "a*b+c forward + backward, 1-element tensors", 1),
        Case("moons", "micrograd's moons 2-16-16-1, 100 samples: one step in scalars", 5, 1e-6),
    ),
}


def layers(rng: np.random.Generator, *sizes: int) -> Layers:
    """Weights (out, in) and biases (out,) as `nn.Linear` draws them, float32."""
    made = []
    for n, m in pairwise(sizes):
        bound = 1 / math.sqrt(n)
        weight = rng.uniform(-bound, bound, (m, n)).astype(np.float32)
        made.append((weight, rng.uniform(-bound, bound, m).astype(np.float32)))
    return made


def xor() -> dict[str, Any]:
    """The four points of XOR."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    return {"x": x, "y": y, "layers": layers(np.random.default_rng(1), 2, 4, 1), "lr": 0.01}


def mlp() -> dict[str, Any]:
    """Eight batches of 128 images' worth of numbers, with labels.

    Centred numbers: with positive ones some units are dead but for one input next to the corner,
    and Adam makes a whole step of what rounding decides there.
    """
    rng = np.random.default_rng(2)
    return {
        "x": rng.standard_normal((8, 128, 784), np.float32),
        "y": rng.integers(0, 10, (8, 128)),
        "layers": layers(rng, 784, 512, 256, 10),
        "lr": 1e-3,
    }


def digits() -> dict[str, Any]:
    """Eight batches of 32 small images' worth of numbers, with labels."""
    rng = np.random.default_rng(4)
    return {
        "x": rng.standard_normal((8, 32, 64), np.float32),
        "y": rng.integers(0, 10, (8, 32)),
        "layers": layers(rng, 64, 32, 10),
        "lr": 1e-3,
    }


def regularized() -> dict[str, Any]:
    """Eight batches of 64 images' worth of numbers, with labels."""
    rng = np.random.default_rng(5)
    return {
        "x": rng.standard_normal((8, 64, 784), np.float32),
        "y": rng.integers(0, 10, (8, 64)),
        "layers": layers(rng, 784, 256, 128, 10),
        "lr": 1e-3,
        "dropout": 0.2,
        "max_norm": 1.0,
        "step_size": 100,
    }


def product_scalar() -> dict[str, Any]:
    """Three numbers."""
    return {"a": 2.0, "b": -3.0, "c": 10.0}


product_0d = product_1 = product_scalar


def moons() -> dict[str, Any]:
    """Two interleaving half circles, labels -1 and 1; weights from U(-1, 1), biases 0."""
    rng = np.random.default_rng(3)
    angle = np.linspace(0, np.pi, 50)
    outer = np.stack([np.cos(angle), np.sin(angle)], 1)
    inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    x = np.concatenate([outer, inner]) + rng.normal(0, 0.1, (100, 2))
    sizes = (2, 16, 16, 1)
    return {
        "x": x.tolist(),
        "y": [-1] * 50 + [1] * 50,
        "weights": [rng.uniform(-1, 1, (m, n)).tolist() for n, m in pairwise(sizes)],
    }
