"""MyGrad: tensors over NumPy; the update by hand, in NumPy."""

from __future__ import annotations

import itertools
from importlib.metadata import version
from typing import Any

import mygrad as mg
from mygrad.nnet.activations import sigmoid
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.peers import Step, number_of, serve
from benchmarks.peers.numpy_ import SGD, Adam, arrays


def _forward(params: Any, x: Any) -> Any:
    for weight, bias in zip(params[:-2:2], params[1:-2:2]):
        x = mg.nnet.relu(mg.matmul(x, weight.T) + bias)
    return mg.matmul(x, params[-2].T) + params[-1]


def _training(batches: list[Any], w: dict[str, Any], loss_of: Any, optimizer: Any) -> Step:
    turn = itertools.cycle(batches)
    params = [mg.tensor(a) for a in arrays(w["layers"])]
    update = optimizer([p.data for p in params])

    def step() -> Any:
        loss = loss_of(params, *next(turn))
        loss.backward()
        update.step([p.grad for p in params])
        return loss

    return step


def xor(w: dict[str, Any]) -> Step:
    """Training on the four points."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        p = sigmoid(_forward(params, x))
        return -mg.mean(y * mg.log(p) + (1 - y) * mg.log(1 - p))

    return _training([(w["x"], w["y"])], w, loss_of, lambda p: Adam(p, w["lr"]))


def mlp(w: dict[str, Any]) -> Step:
    """Training as a classifier."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        return softmax_crossentropy(_forward(params, x), y)

    return _training(list(zip(w["x"], w["y"])), w, loss_of, lambda p: Adam(p, w["lr"]))


def wide(w: dict[str, Any]) -> Step:
    """Training as a regression."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        return mg.mean((_forward(params, x) - y) ** 2)

    batches = list(zip(w["x"], w["y"]))
    return _training(batches, w, loss_of, lambda p: SGD(p, w["lr"], w["momentum"]))


def moons_tensors(w: dict[str, Any]) -> Step:
    """The demo of micrograd on whole arrays."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        data_loss = mg.mean(mg.maximum(1 - y * _forward(params, x), 0))
        return data_loss + w["decay"] * sum(mg.sum(p * p) for p in params)

    return _training([(w["x"], w["y"])], w, loss_of, lambda p: SGD(p, w["lr"]))


def predict(w: dict[str, Any]) -> Step:
    """Logits of one row."""
    params, x = [mg.tensor(a) for a in arrays(w["layers"])], mg.tensor(w["x"])

    def step() -> Any:
        with mg.no_autodiff:
            return _forward(params, x)

    return step


CASES: dict[str, Any] = {
    **{f.__name__: f for f in (xor, mlp, wide, moons_tensors, predict)},
    "digits": mlp,
}
CANNOT = {"regularized": "its batch normalisation has no running statistics"}

if __name__ == "__main__":
    serve(CASES, lambda x: number_of(x.data), {"mygrad": version("mygrad")}, CANNOT)
