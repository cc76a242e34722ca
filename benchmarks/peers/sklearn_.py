"""scikit-learn: `partial_fit` of its MLP, with weights put in by hand; `predict_proba`.

One call is one step: the batch is the whole array, without shuffling and without weight decay.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.peers import Built, Step, number_of, serve


def _started(w: dict[str, Any], model: Any, x: Any, y: Any, **more: Any) -> Any:
    """The model with the workload's weights and a fresh optimizer."""
    model.partial_fit(x, y, **more)
    for own, (weight, bias) in zip(zip(model.coefs_, model.intercepts_), w["layers"]):
        own[0][...], own[1][...] = weight.T, bias
    del model._optimizer  # the next call makes one, as at the first
    return model


def _options(w: dict[str, Any], batch: int, **more: Any) -> dict[str, Any]:
    hidden = tuple(len(bias) for _, bias in w["layers"][:-1])
    lr = w.get("lr", 1e-3)
    common = {"batch_size": batch, "alpha": 0.0, "shuffle": False, "learning_rate_init": lr}
    return {"hidden_layer_sizes": hidden, **common, **more}


def _training(model: Any, batches: list[Any], scale: float = 1.0) -> Built:
    turn = itertools.cycle(batches)

    def step() -> Any:
        return model.partial_fit(*next(turn))

    return Built(step, losses=lambda count: [float(step().loss_) * scale for _ in range(count)])


def xor(w: dict[str, Any]) -> Built:
    """Training on the four points."""
    x, y = w["x"], w["y"].ravel().astype(int)
    model = MLPClassifier(**_options(w, len(x)))
    return _training(_started(w, model, x, y, classes=[0, 1]), [(x, y)])


def _classifier(w: dict[str, Any], x: Any, y: Any) -> Any:
    model = MLPClassifier(**_options(w, len(x)))
    return _started(w, model, x, y, classes=np.arange(10))


def mlp(w: dict[str, Any]) -> Built:
    """Training as a classifier."""
    return _training(_classifier(w, w["x"][0], w["y"][0]), list(zip(w["x"], w["y"])))


def wide(w: dict[str, Any]) -> Built:
    """Training as a regression.  Its loss is half the squared error, summed over the outputs."""
    x, y = w["x"], w["y"]
    more = {"solver": "sgd", "momentum": w["momentum"], "nesterovs_momentum": False}
    options = _options({**w, "lr": w["lr"] * 2 / y.shape[-1]}, x.shape[1], **more)
    model = _started(w, MLPRegressor(**options), x[0], y[0])
    return _training(model, list(zip(x, y)), 2.0)


def predict(w: dict[str, Any]) -> Step:
    """Probabilities of one row."""
    rows = np.resize(w["x"], (10, w["x"].shape[1]))
    model, x = _classifier(w, rows, np.arange(10)), w["x"]
    return lambda: model.predict_proba(x)


CASES: dict[str, Any] = {
    **{f.__name__: f for f in (xor, mlp, wide, predict)},
    "digits": mlp,
}
CANNOT = {
    "regularized": "its MLP has neither batch normalisation nor dropout",
    "moons_tensors": "its MLP has no hinge loss",
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    versions = {"scikit-learn": sklearn.__version__}
    serve(CASES, lambda p: number_of(np.log(p)), versions, CANNOT)
