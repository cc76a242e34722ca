"""tinygrad on the CPU: a step under `TinyJit`.  It needs `clang` on the path."""

from __future__ import annotations

import itertools
from importlib.metadata import version
from typing import Any

import numpy as np
from tinygrad import Context, Device, Tensor, TinyJit, nn

from benchmarks.peers import Built, number_of, serve


def _linear(weight: Any, bias: Any) -> Any:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.assign(Tensor(weight)).realize()
    layer.bias.assign(Tensor(bias)).realize()
    return layer


def _net(w: dict[str, Any], between: Any = None) -> list[Any]:
    modules: list[Any] = []
    for i, pair in enumerate(w["layers"]):
        modules.append(_linear(*pair))
        if i < len(w["layers"]) - 1:
            modules += [*(between(len(pair[1])) if between else []), Tensor.relu]
            modules += [lambda x: x.dropout(w["dropout"])] if w.get("dropout") else []
    return modules


def _wait(_: Any = None) -> None:
    Device[Device.DEFAULT].synchronize()


def _training(batches: list[Any], modules: list[Any], loss_of: Any, optimizer: Any) -> Built:
    """A step on the next batch, kept: a new one would be compiled again."""
    batches = [tuple(Tensor(a).realize() for a in batch) for batch in batches]
    state = [*nn.state.get_parameters(modules), *nn.state.get_parameters(optimizer)]
    state = list({id(t): t for t in state}.values())
    start = [t.numpy().copy() for t in state]
    turn = itertools.cycle(batches)

    def reset() -> None:
        nonlocal turn
        for t, value in zip(state, start):
            t.assign(Tensor(value, dtype=t.dtype)).realize()
        turn = itertools.cycle(batches)

    @TinyJit
    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x.sequential(modules), y)
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    def step() -> Any:
        with Context(TRAINING=1):
            return train(*next(turn))

    return Built(step, reset=reset, wait=_wait)


def _adam(modules: list[Any], lr: float) -> Any:
    return nn.optim.Adam(nn.state.get_parameters(modules), lr=lr)


def _sgd(modules: list[Any], lr: float, momentum: float = 0.0) -> Any:
    return nn.optim.SGD(nn.state.get_parameters(modules), lr=lr, momentum=momentum)


def xor(w: dict[str, Any]) -> Built:
    """Training on the four points."""
    modules = [*_net(w), Tensor.sigmoid]

    def loss_of(p: Any, y: Any) -> Any:
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    return _training([(w["x"], w["y"])], modules, loss_of, _adam(modules, w["lr"]))


def _batches(w: dict[str, Any]) -> list[Any]:
    labels = w["y"].astype(np.int32) if w["y"].dtype == np.int64 else w["y"]
    return list(zip(w["x"], labels))


def mlp(w: dict[str, Any]) -> Built:
    """Training as a classifier."""
    modules = _net(w)
    loss_of = Tensor.sparse_categorical_crossentropy
    return _training(_batches(w), modules, loss_of, _adam(modules, w["lr"]))


def wide(w: dict[str, Any]) -> Built:
    """Training as a regression."""
    modules = _net(w)

    def loss_of(p: Any, y: Any) -> Any:
        return (p - y).square().mean()

    sgd = _sgd(modules, w["lr"], w["momentum"])
    return _training(_batches(w), modules, loss_of, sgd)


def moons_tensors(w: dict[str, Any]) -> Built:
    """The demo of micrograd on whole arrays."""
    modules = _net(w)
    params = nn.state.get_parameters(modules)

    def loss_of(p: Any, y: Any) -> Any:
        data_loss = (1 - y * p).relu().mean()
        return data_loss + w["decay"] * sum(((q * q).sum() for q in params), Tensor(0.0))

    return _training([(w["x"], w["y"])], modules, loss_of, _sgd(modules, w["lr"]))


def predict(w: dict[str, Any]) -> Built:
    """Logits of one row."""
    modules, x = _net(w), Tensor(w["x"]).realize()
    forward = TinyJit(lambda x: x.sequential(modules).realize())
    return Built(lambda: forward(x), reset=lambda: None, wait=_wait)


CASES: dict[str, Any] = {
    **{f.__name__: f for f in (xor, mlp, wide, moons_tensors, predict)},
    "digits": mlp,
}
CANNOT = {"regularized": "it has no clipping and no schedule of its own"}

if __name__ == "__main__":
    Tensor([1.0]).realize()  # fails here and now where there is no compiler
    found = {"tinygrad": version("tinygrad"), "tinygrad device": str(Device.DEFAULT)}
    serve(CASES, lambda x: number_of(x.numpy()), found, CANNOT)
