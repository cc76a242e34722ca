"""The floor: a step's matrix products alone, in NumPy, into arrays made once.  It has no loss."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.peers import Built, serve


def products(w: dict[str, Any]) -> Built:
    """Per layer x @ weight.T, g.T @ x and, but for the first, g @ weight: what no step saves."""
    x = w["x"] if w["x"].ndim == 3 else w["x"][None]
    weights = [weight for weight, _ in w["layers"]]
    outs = [np.empty((x.shape[1], len(weight)), np.float32) for weight in weights]
    rng = np.random.default_rng(0)
    gs: list[Any] = [rng.standard_normal(out.shape, np.float32) for out in outs]
    turn, d_weights = itertools.cycle(x), [np.empty_like(weight) for weight in weights]

    def step() -> Any:
        first: Any
        first = below = next(turn)
        for weight, out in zip(weights, outs):
            np.matmul(below, weight.T, out=out)
            below = out
        for i in range(len(weights) - 1, -1, -1):
            np.matmul(gs[i].T, outs[i - 1] if i else first, out=d_weights[i])
            if i:
                np.matmul(gs[i], weights[i], out=gs[i - 1])
        return first

    return Built(step)


def forward_products(w: dict[str, Any]) -> Built:
    """Per layer x @ weight.T."""
    weights = [weight.T for weight, _ in w["layers"]]
    outs = [np.empty((len(w["x"]), weight.shape[1]), np.float32) for weight in weights]

    def step() -> Any:
        below = w["x"]
        for weight, out in zip(weights, outs):
            np.matmul(below, weight, out=out)
            below = out
        return below

    return Built(step)


NAMES = ("xor", "digits", "mlp", "regularized", "wide", "moons_tensors")
CASES: Any = {**dict.fromkeys(NAMES, products), "predict": forward_products}

if __name__ == "__main__":
    serve(CASES, lambda x: [], {})
