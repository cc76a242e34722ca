"""What is measured: data and initial weights, the same in every peer's process.  NumPy only.

A workload is a function that makes arrays; each peer has a function of the same name that makes a
step of them.  A `Case` says how many first losses of it are compared before anything is timed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """One workload.  `losses`: how many first losses must agree to `tolerance` (relative).

    `check` replaces entries of the workload while they are compared: frameworks drop other units.
    """

    name: str
    title: str
    losses: int = 5
    tolerance: float = 1e-4
    check: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("xor", "XOR 2-4-1, batch 4, BCE, Adam", 100),
    Case("digits", "digits 64-32-10, batch 32, cross-entropy, Adam", 10),
    Case("mlp", "784-512-256-10, batch 128, cross-entropy, Adam", 10, 1e-3),
    Case(
        "regularized",
        "784-256-128-10, BatchNorm, Dropout, clipping, StepLR, batch 64",
        3,
        5e-3,
        {"dropout": 0.0},
    ),
    Case("wide", "1024-2048-2048-1024, batch 512, MSE, SGD with momentum", 3, 1e-3),
    Case("moons", "micrograd's moons 2-16-16-1, 100 samples, in scalars", 5, 1e-4),
    Case("moons_tensors", "micrograd's moons 2-16-16-1, 100 samples, as tensors", 5),
    Case("predict", "one row through 64-32-10", 1, 1e-3),
)
SMALL = (
    Case("product_scalar", "a*b+c forward + backward, scalars", 1),
    Case("product_0d", "a*b+c forward + backward, 0-d tensors", 1),
    Case("product_1", "a*b+c forward + backward, 1-element tensors", 1),
)
SUITES = {"steps": (*CASES, *SMALL), "compare": CASES}
CONTROLS = (
    Case("control_python", "control: a loop of pure Python", 0),
    Case("control_numpy", "control: a NumPy product", 0),
)


@dataclass(frozen=True)
class Target:
    """What `column` is to reach in a case: at least `times` faster than `peer`.

    With `most`, at most so many times the time of `peer`.
    """

    case: str
    column: str
    peer: str
    times: float
    most: bool = False


TARGETS = (
    Target("xor", "compiled", "PyTorch fused", 150),
    Target("xor", "compiled", "JAX jit", 20),
    Target("xor", "loop", "JAX scan", 2),
    Target("xor", "compiled", "NumPy", 50),
    Target("xor", "tapegrad", "PyTorch", 5),
    Target("digits", "compiled", "PyTorch", 25),
    Target("digits", "compiled", "JAX jit", 4),
    Target("digits", "loop", "JAX scan", 1.4),
    Target("digits", "tapegrad", "PyTorch", 3),
    Target("mlp", "compiled", "floor", 1.18, most=True),
    Target("mlp", "loop", "JAX scan", 1),
    Target("mlp", "tapegrad", "PyTorch fused", 1),
    Target("regularized", "compiled", "PyTorch fused", 3),
    Target("regularized", "compiled", "JAX jit", 1.3),
    Target("regularized", "tapegrad", "PyTorch", 1.5),
    Target("moons", "compiled", "micrograd", 200),
    Target("moons", "tapegrad", "micrograd", 1),
    Target("moons_tensors", "compiled", "JAX jit", 4),
    Target("wide", "compiled", "floor", 1.08, most=True),
    Target("wide", "tapegrad", "floor", 1.15, most=True),
    Target("predict", "compiled", "PyTorch", 20),
    Target("predict", "compiled", "Keras", 500),
    Target("predict", "tapegrad", "PyTorch", 3),
)


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


def wide() -> dict[str, Any]:
    """Two batches of 512 vectors, with vectors to fit."""
    rng = np.random.default_rng(6)
    return {
        "x": rng.standard_normal((2, 512, 1024), np.float32),
        "y": rng.standard_normal((2, 512, 1024), np.float32),
        "layers": layers(rng, 1024, 2048, 2048, 1024),
        "lr": 0.1,
        "momentum": 0.9,
    }


def predict() -> dict[str, Any]:
    """The network of `digits`, and one row."""
    made = digits()
    return {"x": made["x"][0][:1], "layers": made["layers"]}


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
        "lr": 0.5,
        "decay": 1e-4,
    }


def moons_tensors() -> dict[str, Any]:
    """The same numbers as arrays: x (100, 2), y (100, 1), layers of weights and zero biases."""
    made = moons()
    weights = [np.array(w, np.float32) for w in made["weights"]]
    return {
        **made,
        "x": np.array(made["x"], np.float32),
        "y": np.array(made["y"], np.float32)[:, None],
        "layers": [(w, np.zeros(len(w), np.float32)) for w in weights],
    }
