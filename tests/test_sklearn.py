"""`nn.sklearn`: scikit-learn's own checks, its numbers, and its pipelines and searches."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
from nn import keras
from nn.keras import layers

pytest.importorskip("sklearn", minversion="1.6")
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from nn import sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = make_classification(200, 8, n_informative=5, n_classes=3, random_state=0)
BITS = (Y > 0).astype(int)
ROWS, NUMBERS = make_regression(150, 6, n_targets=2, noise=1.0, random_state=1)
NUMBERS = NUMBERS / 100
DIGITS, DIGIT = load_digits(return_X_y=True)


def network(X: Any, y: Any, units: int = 8, out: str = "softmax", loss: Any = None) -> Any:
    """A function that makes a classifier."""
    model = keras.Sequential(
        [
            keras.Input((X.shape[1],)),
            layers.Dense(units, "relu"),
            layers.Dense(y.shape[1], out),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), loss or "categorical_crossentropy")
    return model


def regression(X: Any, y: Any, units: int = 8) -> Any:
    width = y.shape[1] if y.ndim > 1 else 1
    layered = [keras.Input((X.shape[1],)), layers.Dense(units, "relu"), layers.Dense(width)]
    model = keras.Sequential(layered)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


# Conventions


ESTIMATORS = {
    "MLPClassifier": lambda: ours.MLPClassifier(),
    "MLPClassifier, sgd": lambda: ours.MLPClassifier(solver="sgd", learning_rate="adaptive"),
    "MLPRegressor": lambda: ours.MLPRegressor(),
    "MLPRegressor, sgd": lambda: ours.MLPRegressor(solver="sgd", batch_size=50),
    "KerasClassifier": lambda: ours.KerasClassifier(network),
    "KerasClassifier, seeded": lambda: ours.KerasClassifier(network, random_state=0),
    "KerasRegressor": lambda: ours.KerasRegressor(regression, random_state=0),
    "KerasTransformer": lambda: ours.KerasTransformer(regression, random_state=0),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_scikit_learn_finds_nothing_wrong(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks are scikit-learn's, and so are their data
        found = check_estimator(ESTIMATORS[name](), on_fail=None, on_skip=None)
    failed = {c["check_name"]: c["exception"] for c in found if c["status"] == "failed"}
    assert not failed
    assert sum(c["status"] == "passed" for c in found) >= 40


# The numbers of scikit-learn


EXACT = {"learning_rate_init": 2**-7, "beta_1": 0.875, "beta_2": 1 - 2**-9, "momentum": 0.875}
"""Numbers that float32 holds exactly: Keras' optimizers round to it."""
SAME: dict[str, tuple[str, Any, Any, dict[str, Any]]] = {
    "classes": ("MLPClassifier", X, Y, {}),
    "two classes": ("MLPClassifier", X, BITS, {"hidden_layer_sizes": (9, 5)}),
    "labels": ("MLPClassifier", X, np.stack([BITS, Y == 2], 1).astype(int), {}),
    "texts": ("MLPClassifier", X, np.array(["c", "a", "b"])[Y], {"activation": "tanh"}),
    "small batches": ("MLPClassifier", X, Y, {"batch_size": 33, "activation": "logistic"}),
    "in order": ("MLPClassifier", X, Y, {"shuffle": False, "alpha": 0.5}),
    "early stopping": ("MLPClassifier", X, Y, {"early_stopping": True, "n_iter_no_change": 2}),
    "stops": ("MLPClassifier", X, Y, {"tol": 0.05, "n_iter_no_change": 3}),
    "float32": ("MLPClassifier", X.astype("f"), Y, {}),
    "sgd": ("MLPClassifier", X, Y, {"solver": "sgd"}),
    "sgd without nesterov": ("MLPClassifier", X, Y, {"solver": "sgd", "nesterovs_momentum": False}),
    "sgd without momentum": ("MLPClassifier", X, Y, {"solver": "sgd", "momentum": 0.0}),
    "adaptive": ("MLPClassifier", X, BITS, {
        "solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 2}),
    "invscaling": ("MLPClassifier", X, BITS, {"solver": "sgd", "learning_rate": "invscaling"}),
    "numbers": ("MLPRegressor", ROWS, NUMBERS[:, 0], {}),
    "several numbers": ("MLPRegressor", ROWS, NUMBERS, {"hidden_layer_sizes": 7}),
    "no hidden layer": ("MLPRegressor", ROWS, NUMBERS[:, 0], {"hidden_layer_sizes": ()}),
    "identity": ("MLPRegressor", ROWS, NUMBERS, {"activation": "identity", "batch_size": 64}),
    "numbers, early": ("MLPRegressor", ROWS, NUMBERS[:, :1].ravel(), {"early_stopping": True}),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_training_goes_as_in_scikit_learn(name: str) -> None:
    kind, x, y, options = SAME[name]
    options = {"max_iter": 25, "random_state": 3, **EXACT, **options}
    theirs = getattr(neural_network, kind)(**options).fit(x, y)
    mine = getattr(ours, kind)(**options).fit(x, y)
    single = name == "float32"
    # rates that are computed (divided, or a power) are rounded to float32 by our optimizer
    rough = options.get("learning_rate") is not None
    rtol = 1e-3 if single else 1e-5 if rough else 1e-9
    assert mine.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(mine.loss_curve_, theirs.loss_curve_, rtol)
    for a, b in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol, rtol)
    for attribute in ("best_loss_", "best_validation_score_", "validation_scores_", "n_layers_",
                      "n_outputs_", "out_activation_", "t_", "n_features_in_"):  # fmt: skip
        found, wanted = getattr(mine, attribute), getattr(theirs, attribute)
        assert found == wanted or np.allclose(found, wanted, rtol), attribute
    if kind == "MLPClassifier":
        np.testing.assert_array_equal(mine.predict(x), theirs.predict(x))
        for asked in ("predict_proba", "predict_log_proba"):
            found, wanted = getattr(mine, asked)(x), getattr(theirs, asked)(x)
            np.testing.assert_allclose(found, wanted, 10 * rtol, rtol)
    else:
        np.testing.assert_allclose(mine.predict(x), theirs.predict(x), 10 * rtol, rtol)


def test_partial_fit_and_warm_start_go_as_in_scikit_learn() -> None:
    for module in (neural_network, ours):
        made = module.MLPClassifier(random_state=1, **EXACT)
        for _ in range(3):
            made.partial_fit(X[:70], Y[:70], classes=[0, 1, 2])
        made.partial_fit(X[70:], Y[70:])
        warm = module.MLPRegressor(random_state=1, warm_start=True, max_iter=4, **EXACT)
        warm.fit(ROWS, NUMBERS).fit(ROWS, NUMBERS)
        found = made.loss_curve_, made.coefs_[0], warm.loss_curve_, warm.coefs_[0]
        if module is neural_network:
            wanted = found
    for a, b in zip(found, wanted):
        np.testing.assert_allclose(a, b, 1e-9)


def test_partial_fit_goes_on_after_pickling() -> None:
    made = ours.MLPRegressor(random_state=1)
    for i in range(6):
        if i == 3:
            other = pickle.loads(pickle.dumps(made))
            assert other.loss_curve_ == made.loss_curve_
        made.partial_fit(ROWS, NUMBERS)
    for _ in range(3):
        other.partial_fit(ROWS, NUMBERS)
    for a, b in zip(made.coefs_, other.coefs_):
        np.testing.assert_array_equal(a, b)


def test_says_what_it_does(capsys: Any) -> None:
    options = {"verbose": True, "tol": 0.5, "n_iter_no_change": 1, "solver": "sgd"}
    ours.MLPClassifier(learning_rate="adaptive", learning_rate_init=3e-6, **options).fit(X, Y)
    said = capsys.readouterr().out
    assert "Iteration 1, loss = " in said
    assert "Training loss did not improve more than tol=0.500000 for 1 consecutive" in said
    assert "Setting learning rate to" in said
    assert said.endswith("Stopping.\n")


def test_learns_digits_in_a_pipeline() -> None:
    pipe = make_pipeline(StandardScaler(), ours.MLPClassifier((32,), max_iter=80, random_state=0))
    assert cross_val_score(pipe, DIGITS, DIGIT, cv=3).min() > 0.9


def test_grid_search_finds_the_better_rate() -> None:
    base = ours.MLPClassifier((16,), max_iter=20, random_state=0)
    search = GridSearchCV(base, {"learning_rate_init": [1e-7, 0.01], "alpha": [1e-4]}, cv=3)
    search.fit(X, Y)
    assert search.best_params_["learning_rate_init"] == 0.01


def test_trains_in_threads() -> None:
    alone = [ours.MLPClassifier(random_state=i, max_iter=15).fit(X, Y).loss_curve_ for i in (0, 1)]
    found: dict[int, Any] = {}

    def run(i: int) -> None:
        with warnings.catch_warnings():
            found[i] = ours.MLPClassifier(random_state=i, max_iter=15).fit(X, Y).loss_curve_

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=run, args=(i,)) for i in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [found[0], found[1]] == alone


# Models of nn.keras


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (Y, {}),
        (np.array(["x", "y", "z"])[Y], {"loss": "sparse_categorical_crossentropy"}),
        (BITS == 1, {}),
        (BITS, {"loss": "sparse_categorical_crossentropy"}),
    ],
)
def test_a_function_makes_a_classifier(labels: Any, options: dict[str, Any]) -> None:
    made = ours.KerasClassifier(network, model_kwargs=options, fit_kwargs={"epochs": 30})
    made.fit(X, labels, batch_size=16)
    assert len(made.history_["loss"]) == 30
    assert made.score(X, labels) > 0.8
    found = made.predict_proba(X)
    assert found.shape == (200, len(set(labels)))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-6)
    assert set(made.predict(X)) == set(labels)


def test_logits_become_probabilities() -> None:
    for loss in (
        keras.losses.CategoricalCrossentropy(from_logits=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ):
        made = ours.KerasClassifier(network, model_kwargs={"out": None, "loss": loss})
        found = made.fit(X, Y, epochs=3).predict_proba(X)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        assert found.min() >= 0
        np.testing.assert_array_equal(found.argmax(1), made.model_.predict(X, verbose=0).argmax(1))


@pytest.mark.parametrize("out", ["sigmoid", None])
def test_one_output_is_the_second_of_two_classes(out: Any) -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1, out)])
    loss = keras.losses.BinaryCrossentropy(from_logits=out is None)
    model.compile(keras.optimizers.Adam(0.1), loss)
    before = model.get_weights()
    made = ours.KerasClassifier(model, random_state=5).fit(X, np.array(["no", "yes"])[BITS],
                                                           epochs=20)  # fmt: skip
    assert made.score(X, np.array(["no", "yes"])[BITS]) > 0.6
    np.testing.assert_allclose(made.predict_proba(X).sum(axis=1), 1.0)
    for a, b in zip(before, model.get_weights()):  # a clone was trained
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="one output, but there are 3 classes; give it 3 outputs"):
        made.fit(X, Y)


def test_keras_estimators_in_pipelines_and_searches() -> None:
    made = ours.KerasClassifier(network, fit_kwargs={"epochs": 15}, random_state=0)
    grid = {
        "kerasclassifier__model_kwargs": [{"units": 1}, {"units": 24}],
        "kerasclassifier__fit_kwargs": [{"epochs": 1}, {"epochs": 25}],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), made), grid, cv=3).fit(X, Y)
    assert search.best_params_["kerasclassifier__model_kwargs"] == {"units": 24}
    assert search.best_params_["kerasclassifier__fit_kwargs"] == {"epochs": 25}
    numbers = ours.KerasRegressor(regression, fit_kwargs={"epochs": 60}, random_state=0)
    assert cross_val_score(make_pipeline(StandardScaler(), numbers), ROWS, NUMBERS).min() > 0.8
    features = ours.KerasTransformer(regression, model_kwargs={"units": 3}, random_state=0)
    assert make_pipeline(features, ours.MLPRegressor(max_iter=5)).fit(ROWS, NUMBERS).predict(
        ROWS
    ).shape == (150, 2)


def test_a_seed_gives_the_same_and_leaves_the_stream_alone() -> None:
    def weights(seed: Any) -> Any:
        made = ours.KerasClassifier(network, random_state=seed)
        return made.fit(X, Y, epochs=2).model_.get_weights()[0]

    state = autograd.get_rng_state()
    first = weights(1)
    assert autograd.get_rng_state() == state
    np.testing.assert_array_equal(first, weights(1))
    assert not np.array_equal(first, weights(2))
    assert not np.array_equal(weights(None), weights(None))


def test_warm_start_goes_on_with_the_model() -> None:
    made = ours.KerasRegressor(regression, warm_start=True).fit(ROWS, NUMBERS, epochs=2)
    model, steps = made.model_, made.model_.optimizer.iterations.numpy()
    made.fit(ROWS, NUMBERS, epochs=2)
    assert made.model_ is model
    assert model.optimizer.iterations.numpy() == 2 * steps
    given = regression(ROWS, NUMBERS)
    assert ours.KerasRegressor(given, warm_start=True).fit(ROWS, NUMBERS).model_ is given
    assert clone(ours.KerasRegressor(given, warm_start=True)).model is not given
    assert clone(ours.KerasRegressor(given)).model is given
    classes = ours.KerasClassifier(network, warm_start=True).fit(X, BITS)
    with pytest.raises(ValueError, match=r"y has the classes \[0 1 2\]; the model was made for"):
        classes.fit(X, Y)


def test_keras_estimators_can_be_pickled() -> None:
    made = ours.KerasClassifier(network).fit(X, Y)
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(made.predict_proba(X), again.predict_proba(X))


# Errors


def _uncompiled(X: Any, y: Any) -> Any:
    return keras.Sequential([layers.Dense(1)])


ERRORS = {
    "solver": (lambda: ours.MLPClassifier(solver="lbfgs").fit(X, Y), ValueError, "'solver'"),
    "sizes": (lambda: ours.MLPClassifier((3, 0)).fit(X, Y), ValueError, "must be > 0, got"),
    "early": (lambda: ours.MLPClassifier(early_stopping=True).partial_fit(X, Y, [0, 1, 2]),
              ValueError, "partial_fit does not support"),
    "held out": (lambda: ours.MLPRegressor(early_stopping=True).fit(X[:9], Y[:9]), ValueError,
                 "validation set is too small"),
    "warm": (lambda: ours.MLPClassifier(warm_start=True).fit(X, Y).fit(X, BITS), ValueError,
             "the same classes as in the previous"),
    "new class": (lambda: ours.MLPClassifier().partial_fit(X, BITS, [0, 1]).partial_fit(X, Y),
                  ValueError, "`y` has classes not in"),
    "diverges": (lambda: ours.MLPRegressor(solver="sgd", learning_rate_init=1e9, max_iter=50).fit(
        ROWS * 1e6, NUMBERS), ValueError, "non-finite parameter weights.*StandardScaler"),
    "no model": (lambda: ours.KerasClassifier("mlp").fit(X, Y), TypeError, "got 'mlp'"),
    "not compiled": (lambda: ours.KerasClassifier(_uncompiled).fit(X, Y), RuntimeError,
                     "needs to be compiled with a loss"),
    "kwargs of a model": (lambda: ours.KerasRegressor(regression(ROWS, NUMBERS), model_kwargs={
        "units": 2}).fit(ROWS, NUMBERS), ValueError, "is a Sequential already"),
    "kinds of labels": (lambda: ours.KerasClassifier(network).fit(X, np.eye(3)[Y]), ValueError,
                        "should be a 1d array"),
    "one class": (lambda: ours.KerasClassifier(network).fit(X, np.zeros(200)), ValueError,
                  "only one class"),
    "weights": (lambda: ours.KerasClassifier(network).fit(X, BITS, sample_weight=BITS), ValueError,
                "only one class is present.*sample_weight"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    call, kind, said = ERRORS[name]
    with np.errstate(all="ignore"), pytest.raises(kind, match=said):
        call()


def test_warns_where_it_has_not_converged() -> None:
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        ours.MLPClassifier(max_iter=2).fit(X, Y)
    with pytest.warns(UserWarning, match="larger than sample size 200. It is going to be clipped"):
        ours.MLPClassifier(max_iter=2, batch_size=999).fit(X, Y)


def test_without_scikit_learn_the_import_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import nn, nn.keras\n"
        "try:\n    import nn.sklearn\n"
        "except ImportError as error:\n    sys.exit(\"'tapegrad[sklearn]'\" not in str(error))\n"
        "sys.exit(2)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)
