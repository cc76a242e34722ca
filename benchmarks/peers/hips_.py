"""HIPS autograd: `value_and_grad` of a NumPy program; the update by hand, in NumPy.

It has our import name: the tree's own packages are taken off the path before it is imported.
"""

from __future__ import annotations

import itertools
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers import Step, number_of, serve
from benchmarks.peers.numpy_ import SGD, Adam, arrays

ROOT = Path(__file__).resolve().parents[2]
sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != ROOT]

import autograd.numpy as np  # noqa: E402

from autograd import value_and_grad  # noqa: E402


def _forward(params: Any, x: Any) -> Any:
    for weight, bias in zip(params[:-2:2], params[1:-2:2]):
        x = np.maximum(np.dot(x, weight.T) + bias, 0)
    return np.dot(x, params[-2].T) + params[-1]


def _training(batches: list[Any], params: Any, loss_of: Any, optimizer: Any) -> Step:
    turn = itertools.cycle(batches)
    both = value_and_grad(loss_of)

    def step() -> Any:
        loss, grads = both(params, *next(turn))
        optimizer.step(grads)
        return loss

    return step


def xor(w: dict[str, Any]) -> Step:
    """Training on the four points."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        p = 1 / (1 + np.exp(-_forward(params, x)))
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    params = arrays(w["layers"])
    return _training([(w["x"], w["y"])], params, loss_of, Adam(params, w["lr"]))


def mlp(w: dict[str, Any]) -> Step:
    """Training as a classifier."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        z = _forward(params, x)
        z = z - np.max(z, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(x)), y])

    params = arrays(w["layers"])
    return _training(list(zip(w["x"], w["y"])), params, loss_of, Adam(params, w["lr"]))


def wide(w: dict[str, Any]) -> Step:
    """Training as a regression."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        return np.mean((_forward(params, x) - y) ** 2)

    params = arrays(w["layers"])
    sgd = SGD(params, w["lr"], w["momentum"])
    return _training(list(zip(w["x"], w["y"])), params, loss_of, sgd)


def moons_tensors(w: dict[str, Any]) -> Step:
    """The demo of micrograd on whole arrays."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        data_loss = np.mean(np.maximum(1 - y * _forward(params, x), 0))
        return data_loss + w["decay"] * sum(np.sum(p * p) for p in params)

    params = arrays(w["layers"])
    return _training([(w["x"], w["y"])], params, loss_of, SGD(params, w["lr"]))


CASES: dict[str, Any] = {
    **{f.__name__: f for f in (xor, mlp, wide, moons_tensors)},
    "digits": mlp,
}
CANNOT = {
    "regularized": "it has no layers: batch normalisation and dropout are the user's",
    "predict": "it only differentiates: prediction is NumPy",
}

if __name__ == "__main__":
    serve(CASES, number_of, {"HIPS autograd": version("autograd")}, CANNOT)
