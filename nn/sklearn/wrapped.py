"""KerasClassifier, KerasRegressor, KerasTransformer: models of `nn.keras` as estimators.

`model`: a compiled model, which is cloned with new weights for each fit, or a function
`model(X=..., y=..., **model_kwargs)` that makes a compiled one.  `fit_kwargs`: arguments of every
`model.fit`, such as epochs; those given to `fit` itself come before them.  `warm_start`: go on with
the model of the last fit.  `random_state`: seeds the engine for a fit, whose own stream of numbers
is put back behind it; None: draw on from that.

After `fit`: `model_`, `history_` (the values of the epochs by name), `n_features_in_`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import autograd
from nn.keras.model import Model
from nn.keras.models import clone_model

Self = Any


class _Wrapped(BaseEstimator):
    """What the three share."""

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
        random_state: Any = None,
    ):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.random_state = random_state

    def __sklearn_clone__(self) -> Self:
        given = self.get_params(deep=False)
        model = given.pop("model")  # a model is not changed by `fit`, unless it is fitted on
        if isinstance(model, Model) and self.warm_start:
            model = copy.deepcopy(model)
        return type(self)(model, **copy.deepcopy(given))

    def _make(self, X: np.ndarray, y: np.ndarray) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            made: Any = self.model if self.warm_start else _again(self.model)
            if self.model_kwargs:
                raise ValueError(
                    f"{type(self).__name__}: model_kwargs are for a function that makes the model;"
                    f" model is a {type(self.model).__name__} already"
                )
        elif callable(self.model):
            made = self.model(X=X, y=y, **(self.model_kwargs or {}))
        else:
            made = self.model
        name = type(self).__name__
        if not isinstance(made, Model):
            raise TypeError(
                f"{name}: model should be a keras.Model, or a function that returns one; got"
                f" {made!r}"
            )
        if not made.compiled or made.loss is None or made.optimizer is None:
            raise RuntimeError(
                f"{name}: the model needs to be compiled with a loss and an optimizer, e.g."
                " model.compile('adam', 'mse')"
            )
        return made

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Self:
        """Train a new model; keywords go to `model.fit`."""
        X, y = self._checked(X, y)
        if kwargs.get("sample_weight") is not None:
            kwargs["sample_weight"] = self._weights(kwargs["sample_weight"], X, y)
        with _seeded(self.random_state):
            model = self._make(X, y)
            targets = self._targets(model, y)
            options = {"verbose": 0, **(self.fit_kwargs or {}), **kwargs}
            self.history_ = model.fit(X, targets, **options).history
        self.model_ = model
        return self

    def _checked(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        return validate_data(self, X, y, y_numeric=True, multi_output=True)

    def _weights(self, sample_weight: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        return _check_sample_weight(sample_weight, X)

    def _targets(self, model: Model, y: np.ndarray) -> np.ndarray:
        """What the model is trained on."""
        self._flat = y.ndim == 1
        return y.reshape(-1, 1) if self._flat else y

    def _outputs(self, X: Any) -> np.ndarray:
        """What the model gives for rows: (n, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        found = self.model_.predict(X, verbose=0)
        return found.reshape(len(found), -1) if found.ndim == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        return tags


class KerasRegressor(RegressorMixin, _Wrapped):
    """A model of `nn.keras` that predicts numbers, as a regressor; see `nn.sklearn.wrapped`."""

    def predict(self, X: Any) -> np.ndarray:
        """What the model gives for rows X."""
        found = self._outputs(X).astype(np.float64)
        return found.ravel() if self._flat and found.shape[1:] == (1,) else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # nobody knows what is wrapped
        tags.target_tags.multi_output = True
        return tags


class KerasClassifier(ClassifierMixin, _Wrapped):
    """A model of `nn.keras` that gives a number for each class, as a classifier.

    Labels of any kind become what the loss takes: numbers for a sparse one, 0 or 1 for a single
    output, else one column for each class; a function that makes the model gets these columns as
    `y`.  For the arguments see `nn.sklearn.wrapped`.
    """

    def _checked(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        known = getattr(self, "classes_", None) if self.warm_start else None
        classes = np.unique(y)
        if known is None:
            self.classes_ = known = classes
        elif len(np.setdiff1d(classes, known)):
            raise ValueError(
                f"warm_start: y has the classes {classes}; the model was made for {known}"
            )
        if len(known) < 2:
            raise self._too_few(known)
        return X, np.eye(len(known), dtype=np.float32)[np.searchsorted(known, y)]

    def _too_few(self, classes: Any) -> ValueError:
        return ValueError(
            f"{type(self).__name__} can't train when only one class is present: {classes}"
        )

    def _weights(self, sample_weight: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        weights = super()._weights(sample_weight, X, y)
        seen = self.classes_[y[weights > 0].any(axis=0)]
        if len(seen) < 2:
            raise self._too_few(f"{seen}, without those that sample_weight leaves out")
        return weights

    def _targets(self, model: Model, y: np.ndarray) -> np.ndarray:
        if _loss_name(model).startswith("sparse"):
            return y.argmax(axis=1)
        outputs = model.output_shape[-1] if model.built else None
        if outputs == 1 and y.shape[1] != 2:
            raise ValueError(
                f"{type(self).__name__}: the model has one output, but there are {y.shape[1]}"
                f" classes; give it {y.shape[1]} outputs with softmax"
            )
        return y[:, 1:] if outputs == 1 else y

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the classes: (n, classes)."""
        found = self._outputs(X).astype(np.float64)
        if getattr(self.model_.loss, "from_logits", False):
            t = autograd.tensor(found, dtype=autograd.float64)
            found = (t.sigmoid() if found.shape[1] == 1 else t.softmax(-1)).numpy()
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row."""
        found = self.predict_proba(X)
        return self.classes_[found.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # nobody knows what is wrapped
        return tags


class KerasTransformer(TransformerMixin, _Wrapped):
    """A model of `nn.keras` whose outputs are new features; see `nn.sklearn.wrapped`."""

    def transform(self, X: Any) -> np.ndarray:
        """What the model gives for rows X."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = True
        return tags


def _again(model: Model) -> Model:
    """The same model with new weights, compiled in the same way."""
    made: Any = clone_model(model)
    if model.compiled and not made.compiled:
        made.compile_from_config(model.get_compile_config())
    return made


def _loss_name(model: Any) -> str:
    from nn.keras.naming import to_snake_case

    loss = model.loss
    named = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return to_snake_case(named)


@contextmanager
def _seeded(random_state: Any) -> Iterator[None]:
    """Inside, the engine draws from a stream that `random_state` seeds."""
    if random_state is None:
        yield
        return
    before = autograd.get_rng_state()
    autograd.manual_seed(int(check_random_state(random_state).randint(2**31 - 1)))
    try:
        yield
    finally:
        autograd.set_rng_state(before)
