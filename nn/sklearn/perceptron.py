"""MLPClassifier and MLPRegressor: scikit-learn's arguments, attributes and numbers."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state, column_or_1d, shuffle
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from nn.sklearn.network import ACTIVATIONS, Network, Training, initial, optimizer_for

Self = Any
_DTYPES = (np.float64, np.float32)


def _real(low: float, high: float | None, closed: str) -> list[Any]:
    return [Interval(Real, low, high, closed=closed)]


def _count() -> list[Any]:
    return [Interval(Integral, 1, None, closed="left")]


class _Perceptron(BaseEstimator):
    """What the two share: arguments, and the training loop."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"sgd", "adam"})],
        "alpha": _real(0, None, "left"),
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": _real(0, None, "neither"),
        "power_t": _real(0, None, "left"),
        "max_iter": _count(),
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": _real(0, None, "left"),
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": _real(0, 1, "both"),
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": _real(0, 1, "left"),
        "beta_1": _real(0, 1, "left"),
        "beta_2": _real(0, 1, "left"),
        "epsilon": _real(0, None, "neither"),
        "n_iter_no_change": _count(),
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change

    # What differs

    def _targets(self, X: Any, y: Any, partial: bool, reset: bool) -> Any:
        """(X, y as numbers (rows, outputs))."""
        raise NotImplementedError

    def _out(self) -> str:
        """The activation of the outputs."""
        return "identity"

    def _labels(self, outputs: np.ndarray) -> np.ndarray:
        """What is predicted where these are the outputs, or the targets."""
        raise NotImplementedError

    # Training

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows X (n, features) and targets y (n,) or (n, outputs)."""
        return self._fit(X, y, False)

    def _fit(self, X: Any, y: Any, partial: bool) -> Self:
        if partial and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        sizes = [int(n) for n in np.atleast_1d(self.hidden_layer_sizes)]
        if any(n <= 0 for n in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        begin = not hasattr(self, "coefs_") or not (self.warm_start or partial)
        X, targets = self._targets(X, y, partial, begin)
        self.n_outputs_ = targets.shape[1]
        random = self._random = check_random_state(self.random_state)
        if begin:
            self._begin([X.shape[1], *sizes, self.n_outputs_], X.dtype, random)
        training = self._training(partial)
        held = None
        if self.early_stopping:
            stratified = is_classifier(self) and self.n_outputs_ == 1
            X, held_x, targets, held_y = train_test_split(
                X,
                targets,
                random_state=random,
                test_size=self.validation_fraction,
                stratify=targets if stratified else None,
            )
            if len(held_x) < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size"
                    " of your dataset."
                )
            held = held_x, self._labels(held_y)
        self._run(training, X, targets, held, partial)
        if not all(np.isfinite(a).all() for a in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                "Training produced non-finite parameter weights. The input data may contain large"
                " values and need to be preprocessed, e.g. with StandardScaler."
            )
        return self

    def _begin(self, units: list[int], dtype: Any, random: Any) -> None:
        self.n_iter_ = self.t_ = self._no_improvement = 0
        self.n_layers_ = len(units)
        self.coefs_, self.intercepts_ = initial(units, self.activation, random, dtype)
        self.out_activation_ = self._out()
        self.loss_curve_: list[float] = []
        self._memory: list[np.ndarray] | None = None
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_: Any = -np.inf if self.early_stopping else None
        self.best_loss_: Any = None if self.early_stopping else np.inf

    def _network(self) -> Network:
        return Network(
            self.coefs_, self.intercepts_, self.activation, self.out_activation_, self.alpha
        )

    def _training(self, partial: bool) -> Training:
        training = Training(self._network(), optimizer_for(self))
        if partial and self._memory is not None:
            training.optimizer.set_weights(self._memory)
        return training

    def _batch_size(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, rows)
        if self.batch_size > rows:
            warnings.warn(
                f"Got `batch_size` {self.batch_size} larger than sample size {rows}. It is going"
                " to be clipped",
                stacklevel=5,
            )
        return min(self.batch_size, rows)

    def _run(self, training: Training, X: Any, y: Any, held: Any, partial: bool) -> None:
        size, order = self._batch_size(len(X)), np.arange(len(X))
        best = None
        self.n_iter_ = 0
        for _ in range(self.max_iter):
            if self.shuffle:
                order = shuffle(order, random_state=self._random)
                self.loss_ = training.epoch(X[order], y[order], size)
            else:
                self.loss_ = training.epoch(X, y, size)
            self.n_iter_ += 1
            self.t_ += len(X)
            self.loss_curve_.append(self.loss_)
            if self.verbose:
                print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
            if self._improved(held):
                best = [a.copy() for a in (*self.coefs_, *self.intercepts_)]
            self._end_epoch(training.optimizer)
            if self._no_improvement > self.n_iter_no_change and self._stops(training.optimizer):
                break
            if partial:
                break
            if self.n_iter_ == self.max_iter:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the"
                    " optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=5,
                )
        self._memory = training.state()
        if held is not None and best is not None:
            for kept, a in zip(best, (*self.coefs_, *self.intercepts_)):
                a[...] = kept

    def _improved(self, held: Any) -> bool:
        """Count epochs without improvement; True where the held-out score is the best so far."""
        if held is None:
            self._no_improvement += 1
            if self.loss_ <= self.best_loss_ - self.tol:
                self._no_improvement = 0
            self.best_loss_ = min(self.best_loss_, self.loss_)
            return False
        x, labels = held
        score = self._score(labels, self._labels(self._network().predict(x)))
        assert self.validation_scores_ is not None
        self.validation_scores_.append(score)
        self._no_improvement += 1
        if score >= self.best_validation_score_ + self.tol:
            self._no_improvement = 0
        if score <= self.best_validation_score_:
            return False
        self.best_validation_score_ = score
        return True

    def _score(self, labels: np.ndarray, found: np.ndarray) -> float:
        if not np.isfinite(found if found.dtype.kind == "f" else 0.0).all():
            return float("-inf")
        return float((accuracy_score if is_classifier(self) else r2_score)(labels, found))

    def _end_epoch(self, optimizer: Any) -> None:
        if self.solver == "sgd" and self.learning_rate == "invscaling":
            optimizer.learning_rate = float(self.learning_rate_init / (self.t_ + 1) ** self.power_t)

    def _stops(self, optimizer: Any) -> bool:
        """Stop; or, with an adaptive rate, go on with a smaller one."""
        what = "Validation score" if self.early_stopping else "Training loss"
        said = (
            f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change}"
            " consecutive epochs."
        )
        stops = True
        if self.solver == "sgd" and self.learning_rate == "adaptive":
            rate = float(optimizer.learning_rate.numpy())
            stops = rate <= 1e-6
            if not stops:
                optimizer.learning_rate = rate / 5.0
        if self.verbose:
            print(said + (" Stopping." if stops else f" Setting learning rate to {rate / 5:f}"))
        if not stops:
            self._no_improvement = 0
        return stops

    # Use

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_DTYPES, reset=False)
        return self._network().predict(X.astype(self.coefs_[0].dtype, copy=False))

    def predict(self, X: Any) -> np.ndarray:
        """What is predicted for rows X."""
        return self._labels(self._outputs(X))


class MLPClassifier(ClassifierMixin, _Perceptron):
    """A multi-layer perceptron that classifies, with scikit-learn's arguments and numbers.

    Given the same `random_state`, it goes through the same weights as
    `sklearn.neural_network.MLPClassifier`: to the last digits, but that rates and betas are rounded
    to float32, as Keras rounds them.  There is no solver "lbfgs", no sparse input, and no
    `sample_weight`.
    """

    def _targets(self, X: Any, y: Any, partial: bool, reset: bool) -> Any:
        X, y = validate_data(self, X, y, multi_output=True, dtype=_DTYPES, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or partial):
            self._binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        return X, self._binarizer.transform(y).astype(X.dtype)

    def _check_classes(self, found: np.ndarray) -> None:
        if self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous"
                f" call to fit. Previously got {self.classes_}, `y` has {found}"
            )
        if len(np.setdiff1d(found, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y'"
                f" has {found}."
            )

    def _out(self) -> str:
        return "softmax" if self._binarizer.y_type_ == "multiclass" else "logistic"

    def _labels(self, outputs: np.ndarray) -> np.ndarray:
        if self.n_outputs_ == 1:
            outputs = outputs.ravel()
        return self._binarizer.inverse_transform(outputs)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train for one epoch more; `classes`: all that will ever come, at the first call."""
        if _check_partial_fit_first_call(self, classes):
            several = np.ndim(y) == 2 and np.shape(y)[1] > 1
            self._binarizer = LabelBinarizer().fit(y if several else classes)
        return self._fit(X, y, True)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the classes: (n, classes)."""
        found = self._outputs(X)
        return np.hstack([1 - found, found]) if self.n_outputs_ == 1 else found

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Their logarithms."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, _Perceptron):
    """A multi-layer perceptron that predicts numbers, with scikit-learn's arguments and numbers.

    Given the same `random_state`, it goes through the same weights as
    `sklearn.neural_network.MLPRegressor`: to the last digits, but that rates and betas are rounded
    to float32, as Keras rounds them.  The loss is half the squared error.  There is no solver
    "lbfgs", no sparse input, and no `sample_weight`.
    """

    def _targets(self, X: Any, y: Any, partial: bool, reset: bool) -> Any:
        X, y = validate_data(
            self, X, y, multi_output=True, y_numeric=True, dtype=_DTYPES, reset=reset
        )
        y = y.astype(X.dtype, copy=False)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y.reshape(-1, 1) if y.ndim == 1 else y

    def _labels(self, outputs: np.ndarray) -> np.ndarray:
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train for one epoch more."""
        return self._fit(X, y, True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
