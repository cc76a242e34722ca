"""The table of trainings, which `tests/test_keras_fit.py` runs on both faces.

Each is a function of a face; models begin with fixed weights, and batches come in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.faces import data
from tests.keras_faces import Face, set_weights

X = data(22, 5)
REAL = data(22, 1, seed=1)
SEVERAL = data(22, 3, seed=2)
BITS = (data(22, 1, seed=3) > 0).astype("float64")
MANY_BITS = (data(22, 3, seed=4) > 0).astype("float64")
CLASSES = np.arange(22) * 7 % 3
ONE_HOT = np.eye(3)[CLASSES]
SIGNS = 2 * BITS - 1
WEIGHT = data(22, seed=5, low=0.1, high=3.0)
Case = Callable[[Face], dict[str, Any]]


def dense(k: Any, units: int = 1, activation: Any = None, **options: Any) -> Any:
    """A network of two layers with fixed weights."""
    model = k.Sequential(
        [
            k.Input((5,)),
            k.layers.Dense(4, activation="tanh", name="hidden", **options),
            k.layers.Dense(units, activation=activation, name="out"),
        ]
    )
    set_weights(model)
    return model


def trained(
    make: Callable[[Any], Any], y: Any, compiled: Callable[[Any], dict[str, Any]], **options: Any
) -> Case:
    """Fit, and then say all that can be asked."""

    def case(face: Face) -> dict[str, Any]:
        k = face.keras
        model = make(k)
        model.compile(**compiled(k))
        given = {"batch_size": 5, "epochs": 3, "shuffle": False, "verbose": 0, **options}
        history = model.fit(given.pop("x", X), y, **given)
        return {
            "history": history.history,
            "epochs": history.epoch,
            "weights": list(model.get_weights()),
        }

    return case


def named(loss: Any, *metrics: Any, optimizer: Any = "sgd", **more: Any) -> Any:
    """Arguments of `compile` by name."""
    return lambda k: {"optimizer": optimizer, "loss": loss, "metrics": list(metrics), **more}


REGRESSION = ("mse", "mae", "mean_absolute_percentage_error", "msle", "log_cosh", "huber")
LOSSES: dict[str, Case] = {
    **{
        f"{loss}": trained(lambda k: dense(k, 3), SEVERAL, named(loss, "mae", "mse"))
        for loss in (*REGRESSION, "cosine_similarity")
    },
    "poisson": trained(lambda k: dense(k, 3, "softplus"), MANY_BITS, named("poisson")),
    "kl": trained(lambda k: dense(k, 3, "softmax"), ONE_HOT, named("kl_divergence", "accuracy")),
    "hinge": trained(lambda k: dense(k, 1, "tanh"), SIGNS, named("hinge")),
    "squared hinge": trained(lambda k: dense(k, 1), SIGNS, named("squared_hinge")),
    "categorical hinge": trained(lambda k: dense(k, 3), ONE_HOT, named("categorical_hinge")),
    "binary": trained(lambda k: dense(k, 1, "sigmoid"), BITS, named("bce", "accuracy", "AUC")),
    "binary of several": trained(
        lambda k: dense(k, 3, "sigmoid"), MANY_BITS, named("binary_crossentropy", "accuracy")
    ),
    "binary, flat labels": trained(
        lambda k: dense(k, 1, "sigmoid"), BITS[:, 0], named("binary_crossentropy", "acc")
    ),
    "binary from logits": trained(
        lambda k: dense(k, 1),
        BITS,
        lambda k: {"optimizer": "sgd", "loss": k.losses.BinaryCrossentropy(from_logits=True)},
    ),
    "categorical": trained(
        lambda k: dense(k, 3, "softmax"), ONE_HOT, named("categorical_crossentropy", "accuracy")
    ),
    "sparse": trained(
        lambda k: dense(k, 3, "softmax"),
        CLASSES,
        named("sparse_categorical_crossentropy", "accuracy"),
    ),
    "sparse, labels as a column": trained(
        lambda k: dense(k, 3, "softmax"),
        CLASSES[:, None],
        named("sparse_categorical_crossentropy", "accuracy"),
    ),
    "sparse from logits": trained(
        lambda k: dense(k, 3),
        CLASSES,
        lambda k: {
            "optimizer": "sgd",
            "loss": k.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": [k.metrics.SparseCategoricalAccuracy(name="right")],
        },
    ),
    "crossentropy, binary": trained(
        lambda k: dense(k, 1, "sigmoid"), BITS, named("crossentropy", "accuracy")
    ),
    "crossentropy, sparse": trained(lambda k: dense(k, 3, "softmax"), CLASSES, named("ce")),
    "crossentropy, categorical": trained(
        lambda k: dense(k, 3, "softmax"), ONE_HOT, named("crossentropy")
    ),
    "loss by function": trained(
        dense,
        REAL,
        lambda k: {
            "loss": lambda y, p: k.ops.mean(k.ops.square(y - p) * 3.0, axis=-1),
            "optimizer": "sgd",
            "metrics": [k.metrics.mean_absolute_error],
        },
    ),
}

OPTIMIZERS: dict[str, Case] = {
    name: trained(lambda k: dense(k, 3, "softmax"), CLASSES, made)
    for name, made in {
        **{
            name: named("sparse_categorical_crossentropy", "accuracy", optimizer=name)
            for name in ("sgd", "adam", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "lion")
        },
        "momentum": lambda k: {
            "optimizer": k.optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipnorm=0.5),
            "loss": "sparse_categorical_crossentropy",
        },
        "adamw": lambda k: {
            "optimizer": k.optimizers.AdamW(0.05, weight_decay=0.1, global_clipnorm=0.3),
            "loss": "sparse_categorical_crossentropy",
        },
        "schedule": lambda k: {
            "optimizer": k.optimizers.Adam(
                k.optimizers.schedules.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5)
            ),
            "loss": "sparse_categorical_crossentropy",
        },
        "average": lambda k: {
            "optimizer": k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5),
            "loss": "sparse_categorical_crossentropy",
        },
    }.items()
}


def penalised(k: Any) -> Any:
    """Penalties of weights and of an activity."""
    r = k.regularizers
    return dense(k, kernel_regularizer=r.L2(0.25), activity_regularizer=r.L2(0.5))


def normalised(k: Any) -> Any:
    """BatchNormalization, whose statistics are state."""
    layers = [k.layers.Dense(4), k.layers.BatchNormalization(), k.layers.Dense(1)]
    model = k.Sequential([k.Input((5,)), *layers])
    set_weights(model)
    return model


def frozen(k: Any) -> Any:
    """A layer that training leaves alone."""
    model = dense(k)
    model.layers[0].trainable = False
    return model


def two_in_two_out(k: Any) -> Any:
    """A functional model of two inputs and two outputs with a layer that both share."""
    a, b = k.Input((5,), name="a"), k.Input((3,), name="b")
    shared = k.layers.Dense(4, activation="tanh", name="shared")
    joined = k.layers.Concatenate()([shared(a), k.layers.Dense(2, name="own")(b)])
    real = k.layers.Dense(1, name="real")(joined)
    kind = k.layers.Dense(3, activation="softmax", name="kind")(joined)
    model = k.Model([a, b], [real, kind])
    set_weights(model)
    return model


def named_outputs(k: Any) -> Any:
    """The same with a dict of outputs."""
    model = two_in_two_out(k)
    return k.Model(model.inputs, {"real": model.outputs[0], "kind": model.outputs[1]})


BOTH = [X, SEVERAL]
TWO = ["mse", "sparse_categorical_crossentropy"]
BY_NAME = {"real": "mse", "kind": "sparse_categorical_crossentropy"}
# In whole batches: in Keras on TensorFlow the mean of one output's loss counts all batches alike.
WHOLE: dict[str, Any] = {"x": BOTH, "batch_size": 11}
OUTPUTS: dict[str, Case] = {
    "two outputs, lists": trained(
        two_in_two_out, [REAL, CLASSES], named(TWO, ["mae", "mse"], "accuracy"), **WHOLE
    ),
    "two outputs, dicts": trained(
        two_in_two_out,
        {"real": REAL, "kind": CLASSES},
        lambda k: {
            "optimizer": "adam",
            "loss": BY_NAME,
            "loss_weights": {"real": 0.5, "kind": 2.0},
            "metrics": {"kind": "accuracy"},
            "weighted_metrics": {"real": ["mae"], "kind": ["accuracy"]},
        },
        x={"a": X, "b": SEVERAL},
        batch_size=11,
    ),
    "two outputs, weighted alike": trained(
        two_in_two_out,
        [REAL, CLASSES],
        named(TWO, weighted_metrics=[["mae"], ["accuracy"]]),
        sample_weight=WEIGHT,
        **WHOLE,
    ),
    "two outputs, weighted apart": trained(
        two_in_two_out,
        [REAL, CLASSES],
        named(TWO, loss_weights=[1.0, 0.1], weighted_metrics=[["mae"], None]),
        sample_weight=[WEIGHT, WEIGHT[::-1].copy()],
        **WHOLE,
    ),
    "one loss for two outputs": trained(
        two_in_two_out, [REAL, ONE_HOT], named("mse"), validation_split=0.5, **WHOLE
    ),
    "a dict of outputs": trained(
        named_outputs,
        {"real": REAL, "kind": CLASSES},
        lambda k: {"optimizer": "sgd", "loss": BY_NAME, "metrics": {"real": ["mae"]}},
        **WHOLE,
    ),
}

SIMPLE = named("mse", "mae")
OPTIONS: dict[str, Case] = {
    "whole batches": trained(dense, REAL, SIMPLE, batch_size=11),
    "one batch": trained(dense, REAL, SIMPLE, epochs=30),
    "default batch": trained(dense, REAL, SIMPLE, batch_size=None),
    "sample weights": trained(
        dense, REAL, named("mse", "mae", weighted_metrics=["mae", "mse"]), sample_weight=WEIGHT
    ),
    "class weights": trained(
        lambda k: dense(k, 3, "softmax"),
        CLASSES,
        named("sparse_categorical_crossentropy", weighted_metrics=["accuracy"]),
        class_weight={0: 2.0, 2: 0.25},
    ),
    "class weights, one hot": trained(
        lambda k: dense(k, 3, "softmax"),
        ONE_HOT,
        named("categorical_crossentropy"),
        class_weight={0: 2.0, 1: 0.5},
    ),
    "validation split": trained(dense, REAL, SIMPLE, validation_split=0.3),
    "validation data": trained(
        dense,
        REAL,
        SIMPLE,
        validation_data=(X[::2], REAL[::2], WEIGHT[::2]),
        validation_batch_size=4,
        validation_steps=2,
    ),
    "validation every second epoch": trained(
        dense, REAL, SIMPLE, epochs=5, validation_data=(X, REAL), validation_freq=2
    ),
    "validation at some epochs": trained(
        dense, REAL, SIMPLE, epochs=5, validation_data=(X, REAL), validation_freq=[1, 4]
    ),
    "initial epoch": trained(dense, REAL, SIMPLE, initial_epoch=1),
    "steps": trained(dense, REAL, SIMPLE, batch_size=None, steps_per_epoch=4),
    "fewer steps than batches": trained(dense, REAL, SIMPLE, epochs=2, steps_per_epoch=2),
    "penalties": trained(penalised, REAL, SIMPLE),
    "normalised": trained(normalised, REAL, SIMPLE, validation_split=0.25),
    "frozen": trained(frozen, REAL, SIMPLE),
    "float32 data": trained(dense, REAL.astype("float32"), SIMPLE, x=X.astype("float32")),
    "whole numbers": trained(dense, CLASSES[:, None], SIMPLE, x=np.round(X * 3).astype("int32")),
    "flat labels": trained(dense, REAL[:, 0], SIMPLE),
    "many names": trained(
        dense, REAL, named("mse", "mae", "mae", "mse", weighted_metrics=["mae", "mse"])
    ),
    "eager": trained(dense, REAL, named("mse", "mae", run_eagerly=True)),
    "several steps per execution": trained(dense, REAL, named("mse", steps_per_execution=3)),
}
