"""Metrics of the Keras face against Keras: results over batches, weights, state, compiled steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.kernel import JIT
from nn.keras import metrics
from nn.keras.marks import set_mask
from nn.keras.variable import Variable
from tests.keras_faces import check, data, plain


def _rows(seed: int, n: int = 6, c: int = 4) -> np.ndarray:
    x = data(n, c, seed=seed, low=0.05, high=1.0)
    return x / x.sum(-1, keepdims=True)


def _numbers(seed: int, n: int = 6, c: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, c, n)


def _bits(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(float)


def _real(seed: int) -> tuple[Any, Any]:
    return data(6, 3, seed=seed), data(6, 3, seed=seed + 50)


def _positive(seed: int) -> tuple[Any, Any]:
    return data(6, 3, seed=seed, low=0.1), data(6, 3, seed=seed + 50, low=0.1)


def _chance(seed: int) -> tuple[Any, Any]:
    p = data(6, 3, seed=seed, low=0.0, high=1.0)
    p[0, 0], p[1, 1], p[2, 2] = 0.0, 0.5, 1.0
    return _bits(seed, 6, 3), p


def _column(seed: int) -> tuple[Any, Any]:
    return _bits(seed, 6, 1), data(6, 1, seed=seed, low=0.0, high=1.0)


def _signs(seed: int) -> tuple[Any, Any]:
    return 2 * _bits(seed, 6, 3) - 1, data(6, 3, seed=seed)


def _one_hot(seed: int) -> tuple[Any, Any]:
    return np.eye(4)[_numbers(seed)], _rows(seed)


def _one_hot_single(seed: int) -> tuple[Any, Any]:  # TensorFlow's in_top_k takes float32 alone
    return np.eye(4)[_numbers(seed)], _rows(seed).astype(np.float32)


def _sparse_single(seed: int) -> tuple[Any, Any]:
    return _numbers(seed), _rows(seed).astype(np.float32)


def _sparse(seed: int) -> tuple[Any, Any]:
    return _numbers(seed), _rows(seed)


def _sparse_column(seed: int) -> tuple[Any, Any]:
    return _numbers(seed).reshape(-1, 1), _rows(seed)


def _steps(seed: int) -> tuple[Any, Any]:
    return _numbers(seed, 12).reshape(6, 2), _rows(seed, 12).reshape(6, 2, 4)


def _logits(seed: int) -> tuple[Any, Any]:
    return _bits(seed, 6, 3), 3 * data(6, 3, seed=seed)


def _equal(seed: int) -> tuple[Any, Any]:
    return _numbers(seed).reshape(6, 1), _numbers(seed + 1).reshape(6, 1)


def _classes(seed: int) -> tuple[Any, Any]:
    return _numbers(seed, 9), _numbers(seed + 1, 9)


# name: (class, arguments, data)
METRICS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "accuracy": ("Accuracy", {}, _equal),
    "binary accuracy": ("BinaryAccuracy", {}, _chance),
    "binary accuracy 0.3": ("BinaryAccuracy", {"threshold": 0.3}, _column),
    "categorical accuracy": ("CategoricalAccuracy", {}, _one_hot),
    "sparse accuracy": ("SparseCategoricalAccuracy", {}, _sparse),
    "sparse accuracy column": ("SparseCategoricalAccuracy", {}, _sparse_column),
    "sparse accuracy steps": ("SparseCategoricalAccuracy", {}, _steps),
    "top 2": ("TopKCategoricalAccuracy", {"k": 2}, _one_hot_single),
    "top 9": ("TopKCategoricalAccuracy", {"k": 9}, _one_hot_single),
    "sparse top 2": ("SparseTopKCategoricalAccuracy", {"k": 2}, _sparse_single),
    "mse": ("MeanSquaredError", {}, _real),
    "rmse": ("RootMeanSquaredError", {}, _real),
    "mae": ("MeanAbsoluteError", {}, _real),
    "mape": ("MeanAbsolutePercentageError", {}, _real),
    "msle": ("MeanSquaredLogarithmicError", {}, _positive),
    "cosine": ("CosineSimilarity", {}, _real),
    "logcosh": ("LogCoshError", {}, _real),
    "hinge": ("Hinge", {}, _signs),
    "squared hinge": ("SquaredHinge", {}, _signs),
    "categorical hinge": ("CategoricalHinge", {}, _one_hot),
    "kl": ("KLDivergence", {}, _one_hot),
    "poisson": ("Poisson", {}, _positive),
    "bce": ("BinaryCrossentropy", {}, _chance),
    "bce logits": ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, _logits),
    "cce": ("CategoricalCrossentropy", {}, _one_hot),
    "cce smoothing": ("CategoricalCrossentropy", {"label_smoothing": 0.1}, _one_hot),
    "scce": ("SparseCategoricalCrossentropy", {}, _sparse),
    "pearson": ("PearsonCorrelation", {}, _real),
    "concordance": ("ConcordanceCorrelation", {}, _real),
    "r2": ("R2Score", {}, _real),
    "r2 each": ("R2Score", {"class_aggregation": None}, _real),
    "r2 weighted": ("R2Score", {"class_aggregation": "variance_weighted_average"}, _real),
    "r2 adjusted": ("R2Score", {"num_regressors": 2}, _real),
    "tp": ("TruePositives", {}, _chance),
    "fp": ("FalsePositives", {"thresholds": [0.2, 0.7]}, _chance),
    "tn": ("TrueNegatives", {"thresholds": 0.3}, _chance),
    "fn": ("FalseNegatives", {"thresholds": [0.0, 0.5, 1.0]}, _chance),
    "precision": ("Precision", {}, _chance),
    "precision thresholds": ("Precision", {"thresholds": [0.1, 0.5, 0.8]}, _chance),
    "precision top": ("Precision", {"top_k": 2}, _one_hot),
    "precision top class": ("Precision", {"top_k": 2, "class_id": 1}, _one_hot),
    "recall": ("Recall", {}, _column),
    "recall class": ("Recall", {"class_id": 2, "thresholds": 0.25}, _one_hot),
    "recall top": ("Recall", {"top_k": 1}, _one_hot),
    "auc": ("AUC", {}, _chance),
    "auc column": ("AUC", {}, _column),
    "auc few": ("AUC", {"num_thresholds": 5}, _chance),
    "auc major": ("AUC", {"num_thresholds": 7, "summation_method": "majoring"}, _chance),
    "auc minor": ("AUC", {"num_thresholds": 7, "summation_method": "minoring"}, _chance),
    "auc pr": ("AUC", {"curve": "PR"}, _chance),
    "auc pr major": ("AUC", {"curve": "PR", "summation_method": "majoring"}, _chance),
    "auc prgain": ("AUC", {"curve": "PRGAIN"}, _chance),
    "auc thresholds": ("AUC", {"thresholds": [0.1, 0.5, 0.6]}, _chance),
    "auc logits": ("AUC", {"from_logits": True}, _logits),
    "auc labels": ("AUC", {"multi_label": True, "num_thresholds": 11}, _chance),
    "auc labels weighted": (
        "AUC",
        {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 2.0, 0.5]},
        _chance,
    ),
    "auc weighted": ("AUC", {"label_weights": [1.0, 2.0, 0.5], "thresholds": [0.4]}, _chance),
    "sensitivity": ("SensitivityAtSpecificity", {"specificity": 0.5}, _chance),
    "specificity": ("SpecificityAtSensitivity", {"sensitivity": 0.6}, _chance),
    "precision at": ("PrecisionAtRecall", {"recall": 0.6, "num_thresholds": 9}, _chance),
    "recall at": ("RecallAtPrecision", {"precision": 0.6}, _chance),
    "recall at one": ("RecallAtPrecision", {"precision": 0.55, "num_thresholds": 1}, _column),
    "f1": ("F1Score", {"threshold": 0.4}, _chance),
    "f1 best": ("F1Score", {}, _one_hot),
    "f1 micro": ("F1Score", {"average": "micro"}, _one_hot),
    "f1 macro": ("F1Score", {"average": "macro"}, _one_hot),
    "f2 weighted": ("FBetaScore", {"average": "weighted", "beta": 2.0}, _one_hot),
    "iou": ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, _classes),
    "mean iou": ("MeanIoU", {"num_classes": 4}, _classes),
    "mean iou ignore": ("MeanIoU", {"num_classes": 3, "ignore_class": 1}, _classes),
    "binary iou": ("BinaryIoU", {"threshold": 0.4}, _chance),
    "one-hot iou": ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1]}, _one_hot),
    "one-hot mean iou": ("OneHotMeanIoU", {"num_classes": 4}, _one_hot),
}
UNWEIGHTED = ("iou", "mean iou", "mean iou ignore", "one-hot iou", "one-hot mean iou")
"""Their state is of whole numbers."""
PER_LABEL = ("auc labels", "auc labels weighted")


@pytest.mark.parametrize("name", METRICS)
def test_metric_is_that_of_keras(name: str) -> None:
    """After one batch, two, a reset; with a weight per sample; and the state by name."""
    kind, arguments, make = METRICS[name]

    def case(face: Any) -> dict[str, Any]:
        metric = getattr(face.keras.metrics, kind)(**arguments)
        found: dict[str, Any] = {}
        if kind not in ("F1Score", "FBetaScore", "R2Score") and name != "auc labels":
            found["before"] = plain(metric.result())
        for seed in (0, 1):
            metric.update_state(*map(face.tensor, make(seed)))
            found[f"after {seed}"] = plain(metric.result())  # now: it may be a variable of Keras'
        found["names"] = [v.name for v in metric.variables]
        found["state"] = {v.name: v.numpy() for v in metric.variables}
        metric.reset_state()
        found["called"] = plain(metric(*map(face.tensor, make(2))))
        if name not in UNWEIGHTED:
            metric.reset_state()
            for seed in (0, 1):
                y_true, y_pred = make(seed)
                n = 18 if name == "binary iou" else 6
                w = data(n, seed=seed, low=0.1, high=2.0)
                w = np.round(w).astype(np.int64) if name == "binary iou" else w
                metric.update_state(face.tensor(y_true), face.tensor(y_pred), face.tensor(w))
            found["weighted"] = plain(metric.result())
        return found

    check("metrics", name, case, rtol=2e-7, atol=1e-9)  # IoU is float32 always


def test_float32_and_defaults_are_those_of_keras() -> None:
    """Without anything said: names, dtypes, results of plain arrays and of lists."""

    def case(face: Any) -> dict[str, Any]:
        face.keras.config.set_floatx("float32")
        its, found = face.keras.metrics, {}
        for name in ("mse", "AUC", "binary_accuracy", "Precision", "top_k_categorical_accuracy"):
            metric = its.get(name)
            metric.update_state(
                np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.3, 0.8], [0.6, 0.7]], np.float32)
            )
            found[name] = {
                "result": metric.result(),
                "dtype": metric.dtype,
                "state": str({str(np.asarray(v.numpy()).dtype) for v in metric.variables}),
            }
        named = [(kind, arguments) for kind, arguments, _ in METRICS.values()]
        made = [getattr(its, kind)(**arguments).name for kind, arguments in named]
        counted = [name.rstrip("0123456789").rstrip("_") for name in made]  # auto names: auc_3
        found["names"] = counted
        return found

    check("metrics", "float32", case, rtol=1e-6, atol=1e-7)


def test_means_and_sums_of_values() -> None:
    """Mean and Sum, of numbers and arrays, weighted."""

    def case(face: Any) -> dict[str, Any]:
        its, found = face.keras.metrics, {}
        for kind in ("Mean", "Sum"):
            metric = getattr(its, kind)()
            metric.update_state(face.tensor(np.array(3.0)))
            metric.update_state(face.tensor(data(4)))
            found[kind] = metric.result()
            metric.update_state(face.tensor(data(4, 3)), face.tensor(data(4, low=0.1)))
            metric.update_state(face.tensor(data(4, 3)), face.tensor(data(4, 3, low=0.1)))
            metric.update_state(face.tensor(data(4, 3)), face.tensor(data(4, 1, low=0.1)))
            found[f"{kind} weighted"] = metric.result()
        return found

    check("metrics", "means", case, rtol=1e-10)


def test_functions_are_those_of_keras() -> None:
    """The functional forms that are no losses."""

    def case(face: Any) -> dict[str, Any]:
        its = face.keras.metrics
        found = {}
        for name, make in (
            ("binary_accuracy", _chance),
            ("categorical_accuracy", _one_hot),
            ("sparse_categorical_accuracy", _sparse),
            ("sparse_categorical_accuracy", _sparse_column),
            ("sparse_categorical_accuracy", _steps),
            ("top_k_categorical_accuracy", _one_hot_single),
            ("sparse_top_k_categorical_accuracy", _sparse_single),
            ("pearson_correlation", _real),
            ("concordance_correlation", _real),
            ("mean_squared_error", _real),
        ):
            options = {"k": 2} if "top_k" in name else {}
            value = getattr(its, name)(*map(face.tensor, make(0)), **options)
            found[f"{name}, {make.__name__}"] = value
        return found

    check("metrics", "functions", case, rtol=1e-7)


def test_ties_count_among_the_best() -> None:
    """A tie for the k-th place counts as within it; numbers that are no class never do."""
    p = np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [np.nan, 1.0, 2.0], [1.0, 2.0, 3.0]])
    found = metrics.sparse_top_k_categorical_accuracy(np.array([1, 2, 0, 5]), p, k=1)
    assert found.tolist() == [1.0, 1.0, 0.0, 0.0]
    ids = metrics.sparse_top_k_categorical_accuracy(
        np.array([3, 1]), np.array([[2, 3, 1], [2, 3, 1]]), k=2, from_sorted_ids=True
    )
    assert ids.tolist() == [1.0, 0.0]


def test_updates_record_no_graph() -> None:
    """A metric of what is being differentiated keeps nothing of the graph alive."""
    x = autograd.tensor(_rows(0), dtype=autograd.float32, requires_grad=True)
    y = x * 2.0
    metric = metrics.MeanSquaredError()
    metric.update_state(_rows(1), y)
    assert not metric.result().requires_grad
    assert not any(v.requires_grad for v in metric.variables)
    y.sum().backward()
    assert (x.grad.numpy() == 2).all()


def test_masks_leave_samples_out() -> None:
    """The mask of y_pred is a weight of 0 or 1."""
    y_true, y_pred = _real(0)
    pred = autograd.tensor(y_pred)
    set_mask(pred, autograd.tensor([True, False, True, True, False, False]))
    metric = metrics.MeanAbsoluteError(dtype="float64")
    metric.update_state(y_true, pred)
    kept = [0, 2, 3]
    expected = np.abs(y_true - y_pred)[kept].mean()
    assert metric.result().item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("name", [n for n in METRICS if n not in ("r2 adjusted",)])
def test_compiled_is_eager(name: str) -> None:
    """Bit for bit over batches: the update and the result inside one plan."""
    kind, arguments, make = METRICS[name]
    ends = []
    for compiled in (False, True):
        metric = getattr(metrics, kind)(**arguments)

        def step(t: Any, p: Any, metric: Any = metric) -> Any:
            metric.update_state(t, p)
            return metric.result()

        metric.update_state(*make(0))
        run = autograd.compile(step) if compiled else step
        found = []
        for seed in range(5):
            t, p = make(seed)
            single = p.dtype == np.float64
            p = autograd.tensor(p, dtype=autograd.float32 if single else autograd.int64)
            found.append(np.asarray(run(autograd.tensor(t), p)).tobytes())
        if compiled:
            assert run.plan is not None
        ends.append((found, [v.array.tobytes() for v in metric.variables]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "name",
    ["binary accuracy", "categorical accuracy", "sparse accuracy", "mse", "precision", "auc"],
)
def test_common_metrics_compile_to_native_code(name: str) -> None:
    """No Python between the ops of a step that updates them."""
    kind, arguments, make = METRICS[name]
    metric = getattr(metrics, kind)(**arguments)

    @autograd.compile
    def step(t: Any, p: Any) -> Any:
        metric.update_state(t, p)
        return metric.result()

    t, p = make(0)
    for _ in range(3):
        step(autograd.tensor(t), autograd.tensor(p, dtype=autograd.float32))
    assert step.plan.native or not JIT, str(step.plan)


class Largest(metrics.Metric):
    """A metric of a user's."""

    def __init__(self, name: str = "largest", **options: Any):
        super().__init__(name=name, **options)
        self.value = self.add_weight(name="value")
        self.extra = Variable(np.zeros(2), dtype="float32", trainable=False, name="extra")
        self.inner = metrics.Mean(name="inner")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.value.assign(autograd.maximum(self.value, abs(y_true - y_pred).max()))
        self.inner.update_state(y_pred)

    def result(self) -> Any:
        return {"largest": self.value * 1.0, "mean": self.inner.result()}


def test_metrics_of_users() -> None:
    """State by add_weight and by assignment, metrics inside, results as a dict."""
    metric = Largest()
    assert [v.name for v in metric.variables] == ["value", "extra", "total", "count"]
    for t, p in ((1.0, 4.0), (2.0, 1.5)):
        found = metric(*(autograd.tensor(np.full(2, x, np.float32)) for x in (t, p)))
    assert found["largest"].item() == 3.0
    assert found["mean"].item() == 2.75
    metric.reset_state()
    assert all((v.array == 0).all() for v in metric.variables)
    assert metric.value.path == "largest/value"
    again = metrics.deserialize(metrics.serialize(metric), {"Largest": Largest})
    assert again.name == "largest"
    assert Metric2().name.startswith("metric2")


class Metric2(metrics.Metric):
    """No state, and no methods."""


def test_wrapped_functions() -> None:
    """A function of y_true, y_pred as a metric: the mean over samples."""

    def off_by(y_true: Any, y_pred: Any, factor: float = 1.0) -> Any:
        return abs(y_true - y_pred).mean(-1) * factor

    metric = metrics.MeanMetricWrapper(off_by, name="off", factor=2.0)
    t, p = (x.astype(np.float32) for x in _real(0))
    metric.update_state(t, p)
    metric.update_state(t, p, np.zeros(6, np.float32))
    assert metric.result().item() == pytest.approx(2 * np.abs(t - p).mean(), rel=1e-5)
    wrapped = metrics.MeanMetricWrapper(metrics.mean_absolute_error, name="mae")
    assert wrapped._direction == "down"
    again = metrics.deserialize(metrics.serialize(wrapped))
    assert again._fn is metrics.mean_absolute_error


@pytest.mark.parametrize("name", METRICS)
def test_configurations_go_round(name: str) -> None:
    """get_config and back; `get` by class name and by snake_case."""
    kind, arguments, _ = METRICS[name]
    made = getattr(metrics, kind)(**arguments)
    again = metrics.deserialize(metrics.serialize(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert metrics.get(made) is made


def test_names() -> None:
    """Classes by their name, snake_case and short names."""
    assert type(metrics.get("MeanSquaredError")) is metrics.MeanSquaredError
    assert type(metrics.get("mean_squared_error")) is metrics.MeanSquaredError
    assert type(metrics.get("sparse_categorical_accuracy")) is metrics.SparseCategoricalAccuracy
    assert type(metrics.get("mae")) is metrics.MeanAbsoluteError
    assert type(metrics.get("f1_score")) is metrics.F1Score
    assert type(metrics.get("auc")) is metrics.AUC
    assert metrics.get(None) is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.get("acuracy"), ValueError, "ccuracy'"),
        (lambda: metrics.get(3), ValueError, "metric identifier"),
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), ValueError, r"\[1.5\]"),
        (lambda: metrics.AUC(curve="pear"), ValueError, "pear"),
        (lambda: metrics.AUC(summation_method="x"), ValueError, "summation method"),
        (lambda: metrics.AUC(num_thresholds=1), ValueError, "integer > 1"),
        (lambda: metrics.AUC(num_labels=2), ValueError, "multi_label"),
        (
            lambda: metrics.AUC(multi_label=True).update_state(np.ones(3), np.ones(3)),
            ValueError,
            "must have rank 2",
        ),
        (lambda: metrics.F1Score(average="x"), ValueError, "average=x"),
        (lambda: metrics.FBetaScore(beta=1), ValueError, "Python float"),
        (lambda: metrics.FBetaScore(beta=0.0), ValueError, "> 0"),
        (lambda: metrics.F1Score(threshold=1), ValueError, "Python float"),
        (lambda: metrics.F1Score(threshold=2.0), ValueError, "0 < threshold"),
        (
            lambda: metrics.F1Score().update_state(np.ones(3), np.ones(3)),
            ValueError,
            "expects 2D inputs",
        ),
        (lambda: metrics.R2Score(class_aggregation="x"), ValueError, "class_aggregation=x"),
        (lambda: metrics.R2Score(num_regressors=-1), ValueError, "num_regressors=-1"),
        (
            lambda: metrics.R2Score().update_state(np.ones(3), np.ones(3)),
            ValueError,
            "expects 2D inputs",
        ),
        (lambda: metrics.IoU(2, [2]), ValueError, "class id 2"),
        (lambda: metrics.RecallAtPrecision(1.5), ValueError, "precision=1.5"),
        (lambda: metrics.RecallAtPrecision(0.5, 0), ValueError, "num_thresholds=0"),
        (
            lambda: metrics.Precision(class_id=1).update_state(np.ones(3), np.ones(3)),
            ValueError,
            "must be a 2D array",
        ),
        (
            lambda: metrics.Recall().update_state(np.ones((3, 2)), np.ones((3, 4))),
            ValueError,
            r"y_true is \(3, 2\) but y_pred is \(3, 4\)",
        ),
        (
            lambda: metrics.CategoricalAccuracy().update_state(np.ones((3, 4)), np.ones((2, 4))),
            ValueError,
            r"labels are \(3,\)",
        ),
        (
            lambda: metrics.Mean().update_state(np.ones(3), np.ones(2)),
            ValueError,
            "one weight per sample",
        ),
        (lambda: Metric2().update_state(), NotImplementedError, "update_state"),
        (lambda: Metric2().result(), NotImplementedError, "result"),
        (lambda: Forgetful(), RuntimeError, "super"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """A wrong call names what was met and the remedy."""
    with pytest.raises(error, match=message):
        call()


class Forgetful(metrics.Metric):
    """No super().__init__()."""

    def __init__(self) -> None:
        self.value = Tensor.wrap(np.zeros(1))


def test_too_many_regressors_warn() -> None:
    """Adjusted R2 needs more samples than predictors."""
    metric = metrics.R2Score(num_regressors=40)
    metric.update_state(*_real(0))
    with pytest.warns(UserWarning, match="Falling back"):
        metric.result()
