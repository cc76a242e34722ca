"""Keras on TensorFlow: `train_on_batch` of a compiled model, `jit_compile="auto"`; `predict`.

`train_on_batch` gives a running mean, so the losses to compare are read with the metrics reset
before each step; what is timed leaves that out.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from benchmarks.peers import Built, number_of, serve

Layers = list[Any]


def _model(
    w: dict[str, Any], last: str | None = None, between: Any = None, decay: Any = None
) -> Any:
    layers: Layers = [keras.Input((w["x"].shape[-1],))]
    decays = {"kernel_regularizer": decay, "bias_regularizer": decay}
    for i, (weight, _) in enumerate(w["layers"]):
        final = i == len(w["layers"]) - 1
        if final:
            layers.append(keras.layers.Dense(len(weight), activation=last, **decays))
        elif between is None:
            layers.append(keras.layers.Dense(len(weight), activation="relu", **decays))
        else:
            layers += [keras.layers.Dense(len(weight)), *between()]
    model = keras.Sequential(layers)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer, (weight, bias) in zip(dense, w["layers"]):
        layer.set_weights([weight.T, bias])
    return model


def _training(w: dict[str, Any], model: Any, loss: Any, optimizer: Any, batched: bool) -> Built:
    """A step on the next batch."""
    x, y = (w["x"], w["y"]) if batched else (w["x"][None], w["y"][None])
    batches = [(tf.constant(a), tf.constant(b)) for a, b in zip(x, y)]
    model.compile(optimizer, loss, jit_compile="auto")
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    start = [np.array(v) for v in variables]
    turn = itertools.cycle(batches)

    def reset() -> None:
        nonlocal turn
        for v, value in zip(variables, start):
            v.assign(value)
        turn = itertools.cycle(batches)

    def step() -> Any:
        return model.train_on_batch(*next(turn))

    def losses(count: int) -> list[float]:
        found = []
        for _ in range(count):
            model.reset_metrics()
            found.append(float(np.ravel(step())[0]))
        return found

    return Built(step, reset=reset, losses=losses)


def xor(w: dict[str, Any]) -> Built:
    """Training on the four points."""
    model = _model(w, "sigmoid")
    adam = keras.optimizers.Adam(w["lr"], epsilon=1e-8)
    return _training(w, model, "binary_crossentropy", adam, batched=False)


def _classifier(w: dict[str, Any], model: Any, optimizer: Any) -> Built:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return _training(w, model, loss, optimizer, batched=True)


def mlp(w: dict[str, Any]) -> Built:
    """Training as a classifier."""
    return _classifier(w, _model(w), keras.optimizers.Adam(w["lr"], epsilon=1e-8))


def regularized(w: dict[str, Any]) -> Built:
    """Training with normalisation, dropout, clipping and a schedule."""

    def between() -> Layers:
        return [
            keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            keras.layers.ReLU(),
            keras.layers.Dropout(w["dropout"]),
        ]

    schedule = keras.optimizers.schedules.ExponentialDecay(
        w["lr"], w["step_size"], 0.9, staircase=True
    )
    adam = keras.optimizers.Adam(schedule, epsilon=1e-8, global_clipnorm=w["max_norm"])
    return _classifier(w, _model(w, between=between), adam)


def wide(w: dict[str, Any]) -> Built:
    """Training as a regression."""
    sgd = keras.optimizers.SGD(w["lr"], w["momentum"])
    return _training(w, _model(w), "mean_squared_error", sgd, batched=True)


def moons_tensors(w: dict[str, Any]) -> Built:
    """The demo of micrograd on whole arrays."""
    model = _model(w, decay=keras.regularizers.L2(w["decay"]))
    return _training(w, model, "hinge", keras.optimizers.SGD(w["lr"]), batched=False)


def predict(w: dict[str, Any]) -> Built:
    """Logits of one row, by `model.predict`."""
    model, x = _model(w), w["x"]
    return Built(lambda: model.predict(x, verbose=0), reset=lambda: None)


CASES: dict[str, Any] = {
    **{f.__name__: f for f in (xor, mlp, regularized, wide, moons_tensors, predict)},
    "digits": mlp,
}

if __name__ == "__main__":
    found = {"keras": keras.__version__, "tensorflow": tf.__version__}
    serve(CASES, number_of, found)
