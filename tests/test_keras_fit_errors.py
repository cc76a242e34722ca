"""What `compile`, `fit`, `evaluate` and `predict` of `nn.keras` say where something is wrong."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nn import keras
from nn.keras import layers
from nn.keras.pydataset import PyDataset
from nn.utils.data import DataLoader, TensorDataset
from tests.faces import data

X = data(10, 3).astype(np.float32)
Y = data(10, 1, seed=1).astype(np.float32)
CLASSES = np.arange(10) % 3
SPARSE = "sparse_categorical_crossentropy"
QUIET: Any = {"verbose": 0}


def model(units: int = 1, activation: Any = None, loss: Any = "mse", **options: Any) -> Any:
    made = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.Dense(units, activation, name="out")]
    )
    made.compile("sgd", loss, **options)
    return made


def two_outputs() -> Any:
    x = keras.Input((3,))
    return keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(3, name="b")(x)])


def compiled(*args: Any, **options: Any) -> Any:
    made = two_outputs()
    made.compile("sgd", *args, **options)
    return made


def batches(*batch: Any, count: int = 3) -> Any:
    return (batch for _ in range(count))


class Empty(PyDataset):
    """No batch."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> Any:
        raise AssertionError


class Wordless(PyDataset):
    """Neither length nor items."""


LOADER = DataLoader(TensorDataset(*map(keras.ops.convert_to_tensor, (X, Y))))

Wrong = tuple[Callable[[], Any], type[Exception], str]
NAMES: dict[str, Wrong] = {
    "fit before compile": (
        lambda: keras.Sequential([layers.Dense(1)]).fit(X, Y),
        ValueError,
        r"You must call `compile\(\)` before calling `fit\(\)`: e\.g\. model\.compile",
    ),
    "evaluate before compile": (
        lambda: two_outputs().evaluate(X, Y),
        ValueError,
        r"`evaluate\(\)`",
    ),
    "train_on_batch before compile": (
        lambda: two_outputs().train_on_batch(X, Y),
        ValueError,
        r"`train_on_batch\(\)`",
    ),
    "test_on_batch before compile": (
        lambda: two_outputs().test_on_batch(X, Y),
        ValueError,
        r"`test_on_batch\(\)`",
    ),
    "unknown loss": (
        lambda: model(loss="mean_squard_error"),
        ValueError,
        "'mean_squard_error'.*Did you mean 'mean_squared_error'",
    ),
    "unknown loss of an output": (lambda: compiled(["mse", "msee"]), ValueError, "'msee'.*'mse'"),
    "unknown metric": (
        lambda: model(metrics=["accuracyy"]),
        ValueError,
        "'accuracyy'.*Did you mean 'Accuracy'",
    ),
    "unknown optimizer": (
        lambda: two_outputs().compile("adamm"),
        ValueError,
        "'adamm'.*Did you mean 'Adam",
    ),
    "metrics as a name": (
        lambda: model(metrics="accuracy"),
        ValueError,
        "Expected `metrics` argument to be a list",
    ),
    "weighted metrics as a name": (
        lambda: model(weighted_metrics="mae"),
        ValueError,
        "Expected `weighted_metrics`",
    ),
    "loss weights as text": (
        lambda: model(loss_weights="a"),
        ValueError,
        "Expected `loss_weights` argument to be a float",
    ),
    "steps per execution": (
        lambda: model(steps_per_execution=0),
        ValueError,
        "steps_per_execution should be a positive integer, got 0",
    ),
    "jit_compile": (lambda: model(jit_compile="yes"), ValueError, '"auto", True or False'),
}

DATA: dict[str, Wrong] = {
    "lists of numbers": (
        lambda: model().fit([[1, 2, 3], [1, 2, 3]], [1, 2]),
        ValueError,
        r"Unrecognized data type: x=\[\[1, 2, 3\].*np\.array\(x\)",
    ),
    "labels as a list": (
        lambda: model().fit(X, [1.0] * 10),
        ValueError,
        r"y=\[1\.0, .*np\.array\(y\)",
    ),
    "predict of a list": (lambda: model().predict([[1, 2, 3]]), ValueError, "Unrecognized data"),
    "a number": (lambda: model().fit(3, Y), ValueError, "Unrecognized data type: x=3"),
    "text": (
        lambda: model().fit(np.array([["a", "b", "c"]]), Y[:1]),
        ValueError,
        "x has dtype <U1.*encode it first",
    ),
    "objects": (
        lambda: model().fit(np.array([[1, "b", None]], object), Y[:1]),
        ValueError,
        "x has dtype object",
    ),
    "a 0-d array": (
        lambda: model().fit(np.array(3.0), Y[:1]),
        ValueError,
        "x is a single number",
    ),
    "nothing": (lambda: model().fit(), ValueError, "no data: x is None"),
    "no samples": (
        lambda: model().fit(X[:0], Y[:0]),
        ValueError,
        r"no data: x has shape \(0, 3\), which is 0 samples",
    ),
    "predict of no samples": (lambda: model().predict(X[:0], **QUIET), ValueError, "0 samples"),
    "different lengths": (
        lambda: model().fit(X, Y[:5]),
        ValueError,
        r"same number of samples\. 'x' sizes: 10; 'y' sizes: 5",
    ),
    "different lengths on a batch": (
        lambda: model().train_on_batch(X, Y[:5]),
        ValueError,
        "'x' sizes: 10; 'y' sizes: 5",
    ),
    "no labels": (lambda: model().fit(X), ValueError, "mse for output out needs labels"),
    "no loss": (
        lambda: model(loss=None).fit(X, Y),
        ValueError,
        r"No loss to compute\. Provide a `loss` argument",
    ),
    "too few features": (
        lambda: model().fit(X[:, :2], Y),
        ValueError,
        r"(?s)Sequential.*expected shape=\(None, 3\), found shape=\(10, 2\)",
    ),
    "predict with too few features": (
        lambda: model().predict(X[:, :2], **QUIET),
        ValueError,
        r"(?s)expected shape=\(None, 3\), found shape=\(10, 2\)",
    ),
    "too few features for a layer": (
        lambda: _unbuilt().fit(X[:, :2], Y, **QUIET),
        ValueError,
        r"(?s)first.*3",
    ),
    "an exhausted generator": (
        lambda: model().fit(iter(())),
        ValueError,
        "the generator gave no batch",
    ),
    "an empty dataset": (lambda: model().fit(Empty()), ValueError, r"len\(\) of the Empty is 0"),
    "a dataset without a length": (
        lambda: model().fit(Wordless()),
        NotImplementedError,
        "Wordless must define __len__",
    ),
    "a batch of four": (
        lambda: model().fit(batches(X, Y, Y, Y)),
        ValueError,
        r"a tuple of 4 elements of the shapes \[\(10, 3\)",
    ),
    "labels beside a generator": (
        lambda: model().fit(batches(X, Y), Y),
        ValueError,
        "`x` as a generator, `y` should not be passed",
    ),
    "weights beside a loader": (
        lambda: model().fit(LOADER, sample_weight=Y),
        ValueError,
        "`x` as a DataLoader, `sample_weight` should not be passed",
    ),
}


def _unbuilt() -> Any:
    """A subclass that was built for three features."""

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(1, name="first")

        def call(self, x: Any) -> Any:
            return self.first(x)

    made = Own()
    made.compile("sgd", "mse")
    made.fit(X, Y, verbose=0)
    return made


LABELS: dict[str, Wrong] = {
    "wrong number of targets": (
        lambda: model(3).fit(X, data(10, 4)),
        ValueError,
        r"output 'out', of shape \(10, 3\), with labels of shape \(10, 4\).*one unit per target",
    ),
    "one unit for several": (
        lambda: model(1, "sigmoid", "binary_crossentropy").fit(X, data(10, 3)),
        ValueError,
        r"output 'out', of shape \(10, 1\).*one unit per label",
    ),
    "class numbers for categorical": (
        lambda: model(3, "softmax", "categorical_crossentropy").fit(X, CLASSES),
        ValueError,
        "output 'out'.*to_categorical.*sparse_categorical_crossentropy",
    ),
    "one hot for sparse": (
        lambda: model(3, "softmax", SPARSE).fit(X, np.eye(3)[CLASSES]),
        ValueError,
        "output 'out'.*one-hot targets are for categorical_crossentropy",
    ),
    "out of range": (
        lambda: model(3, "softmax", SPARSE).fit(X, CLASSES + 1),
        ValueError,
        r"output 'out'.*label 3 is outside the valid range of \[0, 3\)",
    ),
    "negative": (
        lambda: model(3, None, keras.losses.SparseCategoricalCrossentropy(True)).fit(X, -CLASSES),
        ValueError,
        "label -[12] is outside",
    ),
    "too few of them": (
        lambda: compiled("mse").fit(X, Y),
        ValueError,
        r"y \(labels\): one was given, but the model has 2 outputs",
    ),
    "by unknown names": (
        lambda: compiled("mse").fit(X, {"a": Y, "c": Y}),
        ValueError,
        r"y \(labels\): expected the keys \['a', 'b'\].*\['a', 'c'\]",
    ),
    "wrong for the second output": (
        lambda: compiled("mse").fit(X, [Y, data(10, 2)]),
        ValueError,
        r"output 'b', of shape \(10, 3\), with labels of shape \(10, 2\)",
    ),
    "losses for fewer outputs": (
        lambda: compiled(["mse"]).fit(X, [Y, Y]),
        ValueError,
        r"loss: 1 were given, but the model has 2 outputs \['a', 'b'\]",
    ),
    "losses by unknown names": (
        lambda: compiled({"a": "mse", "c": "mse"}).fit(X, [Y, Y]),
        ValueError,
        r"loss: expected the keys \['a', 'b'\]",
    ),
    "metrics for fewer outputs": (
        lambda: compiled("mse", metrics=["mae"]).fit(X, [Y, data(10, 3)]),
        ValueError,
        "metrics: 1 were given, but the model has 2 outputs",
    ),
    "a loss that is no number": (
        lambda: model(loss=keras.losses.MeanSquaredError(reduction=None)).fit(X, Y),
        ValueError,
        r"gave a value of shape \(10,\); expected a number",
    ),
}

OPTIONS: dict[str, Wrong] = {
    "all for validation": (
        lambda: model().fit(X, Y, validation_split=0.99),
        ValueError,
        "10 samples, which is not sufficient to split it",
    ),
    "more than all": (
        lambda: model().fit(X, Y, validation_split=1.5),
        ValueError,
        "validation_split should be between 0 and 1, got 1.5",
    ),
    "part of a generator": (
        lambda: model().fit(batches(X, Y), validation_split=0.5),
        ValueError,
        "only supported for tensors or NumPy arrays; got generator",
    ),
    "weights twice": (
        lambda: model().fit(X, Y, class_weight={0: 1.0}, sample_weight=np.ones(10)),
        ValueError,
        "cannot be specified at the same time",
    ),
    "class weights as a list": (
        lambda: model().fit(X, Y, class_weight=[1.0, 2.0]),  # type: ignore[arg-type]
        ValueError,
        "class_weight: expected a dict",
    ),
    "class weights for two outputs": (
        lambda: compiled("mse").fit(X, [Y, data(10, 3)], class_weight={0: 2.0}),
        ValueError,
        "only supported for Models with a single output",
    ),
    "weights of another shape": (
        lambda: compiled("mse").fit(X, [Y, data(10, 3)], sample_weight=data(10, 3)),
        ValueError,
        r"should have the shape \(samples,\), got \(10, 3\)",
    ),
    "weights for three outputs": (
        lambda: compiled("mse").fit(X, [Y, data(10, 3)], sample_weight=[Y[:, 0]] * 3),
        ValueError,
        "one `sample_weight` array per output",
    ),
    "batch size": (
        lambda: model().fit(X, Y, batch_size=0),
        ValueError,
        "batch_size should be a positive integer, got 0",
    ),
    "steps": (
        lambda: model().fit(X, Y, steps_per_epoch=-1),
        ValueError,
        "number of steps should be a positive integer, got -1",
    ),
    "verbose": (lambda: model().fit(X, Y, verbose=7), ValueError, 'should be 0, 1, 2 or "auto"'),
    "validation frequency": (
        lambda: model().fit(X, Y, validation_freq="a"),
        ValueError,
        "Expected `validation_freq` to be a list or int",
    ),
    "a callback's class": (
        lambda: model().fit(X, Y, callbacks=[keras.callbacks.History]),
        TypeError,
        "expected instances of keras.callbacks.Callback",
    ),
    "unknown arguments": (
        lambda: model().evaluate(X, Y, bach_size=3),
        ValueError,
        "Arguments not recognized.*bach_size",
    ),
}
TABLES = {**NAMES, **DATA, **LABELS, **OPTIONS}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_wrong_is_said(name: str) -> None:
    wrong, kind, message = TABLES[name]
    with pytest.raises(kind, match=message):
        wrong()


@pytest.mark.parametrize("epochs", [1, 30])
def test_a_label_out_of_range_is_found_in_a_replay_too(epochs: int) -> None:
    made = model(3, "softmax", SPARSE)
    x, y = np.tile(X, (50, 1)), np.tile(CLASSES, 50)
    made.fit(x, y, batch_size=5, verbose=0)
    assert all(p.native for p in made._runner("train_step").programs.values())
    y[-3] = 7
    with pytest.raises(ValueError, match=r"'out', of shape \(5, 3\).*label 7 is outside"):
        made.fit(x, y, batch_size=5, shuffle=False, epochs=epochs, verbose=0)
    with pytest.raises(ValueError, match="label 7 is outside"):
        made.evaluate(x, y, batch_size=5, verbose=0)
    y[-3] = 0
    made.fit(x, y, batch_size=5, verbose=0)


@pytest.mark.parametrize("what", ["x", "y", "sample_weight"])
def test_nan_is_warned_of_with_its_place(what: str) -> None:
    given = {"x": X.copy(), "y": Y.copy(), "sample_weight": np.ones((10, 1))}
    given[what][4, 0] = np.nan
    with pytest.warns(UserWarning, match=rf"{what} \(shape .*1 NaN, the first at {what}\[4, 0\]"):
        model().fit(**given, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().fit(X * np.inf, Y, verbose=0)


def test_targets_that_broadcast_are_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"y_true is \(10, 3\) but y_pred is \(10, 1\)"):
        model().fit(X, data(10, 3), verbose=0)


def test_data_that_runs_out_is_warned_of_and_ends_training() -> None:
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model().fit(batches(X, Y), steps_per_epoch=2, epochs=2, verbose=0)
    assert len(history.epoch) == 2
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model().fit(batches(X, Y), epochs=4, verbose=0)
    assert history.epoch == [0]


def test_a_model_without_trainable_weights_is_warned_of() -> None:
    made = model()
    made.trainable = False
    made.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        made.fit(X, Y, verbose=0)


def test_a_step_must_return_a_dict() -> None:
    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return [1.0]

    made = Own([keras.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    with pytest.raises(ValueError, match="returns a dict of the names and values"):
        made.fit(X, Y, verbose=0)


def test_an_error_in_a_callback_or_a_step_leaves_signals_as_they_were() -> None:
    import signal

    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise RuntimeError("of the callback")

    made = model()
    with pytest.raises(RuntimeError, match="of the callback"):
        made.fit(X, Y, verbose=0, callbacks=[Failing()])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    made.fit(X, Y, verbose=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_in_a_dataset_comes_through(workers: int) -> None:
    class Failing(PyDataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise KeyError("of the dataset")
            return X, Y

    with pytest.raises(KeyError, match="of the dataset"):
        model().fit(Failing(workers=workers), shuffle=False, verbose=0)
