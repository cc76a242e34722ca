"""Losses of the Keras face against Keras: values, gradients, weights, masks, reductions, errors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import autograd
from autograd.kernel import JIT
from nn.keras import activations, losses
from nn.keras.marks import get_logits, set_logits, set_mask
from tests.keras_faces import check, data


def _probabilities(*shape: int, seed: int = 0) -> np.ndarray:
    x = data(*shape, seed=seed, low=0.05, high=1.0)
    return x / x.sum(-1, keepdims=True)


def _one_hot(numbers: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[numbers]


_REAL = (data(4, 3, seed=1), data(4, 3, seed=2))
_POSITIVE = (data(4, 3, seed=3, low=0.1), data(4, 3, seed=4, low=0.1))
_BITS = np.array([[0.0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 0]])
_CHANCE = (_BITS, data(4, 3, seed=5, low=0.02, high=0.98))
_EDGES = (_BITS, np.array([[0.0, 0, 1], [1, 1, 0.5], [1e-9, 1 - 1e-9, 0.3], [0.1, 0.9, 0]]))
_CLASSES = (_one_hot([0, 2, 1, 2], 3), _probabilities(4, 3))
_NUMBERS = np.array([0, 2, 1, 2])
_STEPS = (np.array([[0, 2], [1, 2], [2, 0]]), _probabilities(3, 2, 3))
_SETS = (_BITS, data(4, 3, seed=6, low=0.0, high=1.0))

# name: (class, function, options, y_true, y_pred)
LOSSES: dict[str, tuple[str, str, dict[str, Any], Any, Any]] = {
    "mse": ("MeanSquaredError", "mean_squared_error", {}, *_REAL),
    "mae": ("MeanAbsoluteError", "mean_absolute_error", {}, *_REAL),
    "mape": ("MeanAbsolutePercentageError", "mean_absolute_percentage_error", {}, *_REAL),
    "mape zeros": (
        "MeanAbsolutePercentageError",
        "mean_absolute_percentage_error",
        {},
        *(_BITS, _REAL[1]),
    ),
    "msle": ("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", {}, *_POSITIVE),
    "msle negative": ("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", {}, *_REAL),
    "huber": ("Huber", "huber", {}, *_REAL),
    "huber 0.5": ("Huber", "huber", {"delta": 0.5}, *_REAL),
    "log_cosh": ("LogCosh", "log_cosh", {}, *_REAL),
    "log_cosh far": ("LogCosh", "log_cosh", {}, _REAL[0], 300 * _REAL[1]),
    "cosine": ("CosineSimilarity", "cosine_similarity", {}, *_REAL),
    "cosine axis": ("CosineSimilarity", "cosine_similarity", {"axis": 0}, *_REAL),
    "poisson": ("Poisson", "poisson", {}, *_POSITIVE),
    "kl": ("KLDivergence", "kl_divergence", {}, _probabilities(4, 3, seed=7), _CLASSES[1]),
    "kl one-hot": ("KLDivergence", "kl_divergence", {}, *_CLASSES),
    "hinge": ("Hinge", "hinge", {}, 2 * _BITS - 1, _REAL[1]),
    "hinge of bits": ("Hinge", "hinge", {}, _BITS, _REAL[1]),
    "squared hinge": ("SquaredHinge", "squared_hinge", {}, _BITS, _REAL[1]),
    "categorical hinge": ("CategoricalHinge", "categorical_hinge", {}, _CLASSES[0], _REAL[1]),
    "bce": ("BinaryCrossentropy", "binary_crossentropy", {}, *_CHANCE),
    "bce edges": ("BinaryCrossentropy", "binary_crossentropy", {}, *_EDGES),
    "bce soft": ("BinaryCrossentropy", "binary_crossentropy", {}, _SETS[1], _CHANCE[1]),
    "bce beyond": ("BinaryCrossentropy", "binary_crossentropy", {}, 2 * _BITS - 1, _CHANCE[1]),
    "bce logits": (
        "BinaryCrossentropy",
        "binary_crossentropy",
        {"from_logits": True},
        *(_BITS, 4 * _REAL[1]),
    ),
    "bce smoothing": (
        "BinaryCrossentropy",
        "binary_crossentropy",
        {"label_smoothing": 0.2},
        *_CHANCE,
    ),
    "bce smoothing logits": (
        "BinaryCrossentropy",
        "binary_crossentropy",
        {"label_smoothing": 0.2, "from_logits": True},
        *(_BITS, _REAL[1]),
    ),
    "bce axis": ("BinaryCrossentropy", "binary_crossentropy", {"axis": 0}, *_CHANCE),
    "focal": ("BinaryFocalCrossentropy", "binary_focal_crossentropy", {}, *_CHANCE),
    "focal balanced": (
        "BinaryFocalCrossentropy",
        "binary_focal_crossentropy",
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.1},
        *_CHANCE,
    ),
    "focal logits": (
        "BinaryFocalCrossentropy",
        "binary_focal_crossentropy",
        {"from_logits": True, "gamma": 3.0},
        *(_BITS, _REAL[1]),
    ),
    "cce": ("CategoricalCrossentropy", "categorical_crossentropy", {}, *_CLASSES),
    "cce unnormalised": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {},
        *(_CLASSES[0], _POSITIVE[0]),
    ),
    "cce logits": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {"from_logits": True},
        *(_CLASSES[0], 3 * _REAL[1]),
    ),
    "cce smoothing": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {"label_smoothing": 0.1},
        *_CLASSES,
    ),
    "cce smoothing logits": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {"label_smoothing": 0.1, "from_logits": True},
        *(_CLASSES[0], _REAL[1]),
    ),
    "cce steps logits": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {"from_logits": True},
        *(np.eye(3)[_STEPS[0]], 5 * _STEPS[1]),
    ),
    "cce axis": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {"axis": 1},
        *(np.swapaxes(np.eye(3)[_STEPS[0]], 1, 2), np.swapaxes(_STEPS[1], 1, 2)),
    ),
    "cce axis logits": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        {"axis": 1, "from_logits": True},
        *(np.swapaxes(np.eye(3)[_STEPS[0]], 1, 2), 4 * np.swapaxes(_STEPS[1], 1, 2)),
    ),
    "categorical focal": (
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        {},
        *_CLASSES,
    ),
    "categorical focal logits": (
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        {"from_logits": True, "alpha": 0.5, "gamma": 1.5, "label_smoothing": 0.1},
        *(_CLASSES[0], _REAL[1]),
    ),
    "scce": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {},
        *(_NUMBERS, _CLASSES[1]),
    ),
    "scce unnormalised": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {},
        *(_NUMBERS, data(4, 3, seed=8, low=0.0, high=1.0)),
    ),
    "scce column": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {},
        *(_NUMBERS.reshape(4, 1), _CLASSES[1]),
    ),
    "scce logits": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {"from_logits": True},
        *(_NUMBERS, 3 * _REAL[1]),
    ),
    "scce steps": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {},
        *_STEPS,
    ),
    "scce steps logits": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {"from_logits": True},
        *(_STEPS[0], 5 * _STEPS[1]),
    ),
    "scce ignore": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {"ignore_class": 2},
        *(_NUMBERS, _CLASSES[1]),
    ),
    "scce ignore logits": (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        {"ignore_class": -1, "from_logits": True},
        *(np.array([0, -1, 1, -1]), _REAL[1]),
    ),
    "dice": ("Dice", "dice", {}, *_SETS),
    "dice axis": ("Dice", "dice", {"axis": -1}, *_SETS),
    "tversky": ("Tversky", "tversky", {"alpha": 0.3, "beta": 0.8}, *_SETS),
    "generalized": (
        "CategoricalGeneralizedCrossEntropy",
        "categorical_generalized_cross_entropy",
        {"q": 0.6},
        *(_NUMBERS, _CLASSES[1]),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_that_of_keras(name: str) -> None:
    """Function, reductions, sample weights, and the gradients of both."""
    kind, function, options, y_true, y_pred = LOSSES[name]

    def case(face: Any) -> dict[str, Any]:
        t = face.tensor(y_true)
        found: dict[str, Any] = {}

        def run(key: str, f: Any) -> None:
            value, grads, _ = face.grads(f, [face.tensor(y_pred)], list)
            found[key] = value
            found[f"{key} grad"] = grads[0]

        make = getattr(face.keras.losses, kind)
        run("function", lambda p: getattr(face.keras.losses, function)(t, p, **options))
        for reduction in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight"):
            run(reduction, lambda p, r=reduction: make(reduction=r, **options)(t, p))
        shape = np.shape(found["none"])
        if shape:
            w = face.tensor(data(*shape, low=0.1, high=2.0))
            for reduction in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight"):
                run(
                    f"{reduction} weighted",
                    lambda p, r=reduction: make(reduction=r, **options)(t, p, w),
                )
            c = face.tensor(data(shape[0], 1, low=0.1, high=2.0))
            run("column of weights", lambda p: make(**options)(t, p, c))
        return found

    # Keras' constants are float32 in some of these (its epsilon, log 2): 1e-7 of a loss
    check("losses", name, case, rtol=1e-10, atol=1e-12)


def test_loss_in_float32_is_that_of_keras() -> None:
    """The default: whatever the inputs, in float32; edges of the clip included."""

    def case(face: Any) -> dict[str, Any]:
        face.keras.config.set_floatx("float32")
        found = {}
        for p in (0.0, 1e-8, 1e-7, 0.5, 1 - 1e-7, 1.0):
            for t in (0.0, 1.0):
                loss = face.keras.losses.BinaryCrossentropy()(np.array([[t]]), np.array([[p]]))
                found[f"bce {t} {p}"] = loss
        both = np.array([[1.0, 0.0]]), np.array([[2.0, 2.0]])
        found["cce"] = face.keras.losses.CategoricalCrossentropy()(*both)
        found["dtype"] = str(np.asarray(found["cce"]).dtype)
        return found

    check("losses", "float32", case, rtol=1e-6)


def test_probabilities_of_an_activation_use_its_logits() -> None:
    """As Keras on TensorFlow: exact where a probability rounds to 0 or 1, p - y as gradient."""

    def case(face: Any) -> dict[str, Any]:
        acts, its = face.keras.activations, face.keras.losses
        logits = 30 * data(4, 3, seed=9)
        found: dict[str, Any] = {}
        for key, act, loss, labels in (
            ("binary", "sigmoid", its.BinaryCrossentropy(), _BITS),
            ("focal", "sigmoid", its.BinaryFocalCrossentropy(), _BITS),
            ("categorical", "softmax", its.CategoricalCrossentropy(), _CLASSES[0]),
            ("smoothed", "softmax", its.CategoricalCrossentropy(label_smoothing=0.1), _CLASSES[0]),
            ("sparse", "softmax", its.SparseCategoricalCrossentropy(), _NUMBERS),
        ):
            t = face.tensor(labels)
            activation = getattr(acts, act)
            value, grads, _ = face.grads(
                lambda x, f=activation, loss=loss, t=t: loss(t, f(x)),
                [face.tensor(logits)],
                list,
            )
            found[key], found[f"{key} grad"] = value, grads[0]
        return found

    check("losses", "logits behind", case, rtol=1e-6, atol=1e-9)


def test_from_logits_of_probabilities_warns() -> None:
    """As in Keras: the logits behind are used."""
    p = activations.sigmoid(autograd.tensor([[0.3, -2.0]]))
    assert get_logits(p) is not None
    with pytest.warns(UserWarning, match="does not represent logits"):
        found = losses.BinaryCrossentropy(from_logits=True)(np.array([[1.0, 0.0]]), p)
    expected = losses.BinaryCrossentropy(from_logits=True)(
        np.array([[1.0, 0.0]]), np.array([[0.3, -2.0]], np.float32)
    )
    assert found.item() == expected.item()


def test_logits_behind_another_dtype_are_not_used() -> None:
    """A cast makes another tensor, of which nothing is known."""
    p = autograd.tensor([[0.25]], dtype=autograd.float64)
    set_logits(p, autograd.tensor([[100.0]], dtype=autograd.float64))
    assert losses.BinaryCrossentropy()(np.array([[1.0]]), p).item() == pytest.approx(np.log(4))
    found = losses.BinaryCrossentropy(dtype="float64")(np.array([[1.0]]), p)
    assert found.item() == pytest.approx(0.0, abs=1e-30)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_mask_leaves_samples_out(reduction: str) -> None:
    """A mean is one of what counts; nothing at all counts as 0."""
    t, p = _REAL
    make = losses.MeanSquaredError
    pred = autograd.tensor(p)
    set_mask(pred, autograd.tensor([True, False, True, False]))
    found = make(reduction=reduction, dtype="float64")(t, pred)
    expected = make(reduction=reduction, dtype="float64")(t[[0, 2]], p[[0, 2]])
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    set_mask(pred, autograd.tensor([False] * 4))
    assert make(reduction=reduction)(t, pred).item() == 0.0


def test_mask_and_weights() -> None:
    """Both: sum(w loss) over what counts, divided by how many count."""
    t, p = _REAL
    pred = autograd.tensor(p)
    set_mask(pred, autograd.tensor([True, False, True, True]))
    w = np.array([1.0, 5.0, 2.0, 0.5])
    found = losses.MeanAbsoluteError(dtype="float64")(t, pred, w)
    kept = [0, 2, 3]
    expected = (np.abs(t - p).mean(-1)[kept] * w[kept]).sum() / 3
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_ignored_classes_are_masked_and_all_may_be() -> None:
    """ignore_class: the mean is over the rest; over nothing it is 0, with gradient 0."""
    x = autograd.tensor(_REAL[1], dtype=autograd.float64, requires_grad=True)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2, dtype="float64")
    found = loss(np.array([2, 2, 2, 2]), x)
    found.backward()
    assert found.item() == 0.0
    assert (x.grad.numpy() == 0).all()


def test_shapes_are_brought_to_one_rank() -> None:
    """(n,) against (n, 1), either way round."""
    t, p = data(5, seed=1), data(5, 1, seed=2)
    expected = ((t - p[:, 0]) ** 2).mean()
    for a, b in ((t, p), (t[:, None], p[:, 0]), (t[:, None], p)):
        for options in ({}, {"sample_weight": np.ones(5)}):
            if np.ndim(b) == 1 and options:
                continue
            found = losses.MeanSquaredError(dtype="float64")(a, b, **options)
            assert found.item() == pytest.approx(expected, rel=1e-12)


def test_an_empty_batch_is_zero() -> None:
    """No samples: 0, as Keras' divide_no_nan gives, not NaN; alone they are no losses."""
    none = np.zeros((0, 3))
    assert losses.MeanSquaredError()(none, none).numpy().sum() == 0.0
    assert losses.CategoricalCrossentropy(reduction="sum")(none, none).numpy().sum() == 0.0
    assert losses.MeanSquaredError(reduction=None)(none, none).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.get("mean_sqared_error"), ValueError, "mean_squared_error"),
        (lambda: losses.get(3), ValueError, "loss identifier"),
        (lambda: losses.MeanSquaredError(reduction="average"), ValueError, "reduction=average"),
        (
            lambda: losses.mean_squared_error(np.ones((4, 3)), np.ones((4, 2))),
            ValueError,
            r"y_true is \(4, 3\) but y_pred is \(4, 2\)",
        ),
        (
            lambda: losses.BinaryCrossentropy()(np.ones((4, 1)), np.full((4, 2), 0.5)),
            ValueError,
            r"must have the same shape.*one unit per label",
        ),
        (
            lambda: losses.CategoricalCrossentropy()(np.ones(4), np.full((4, 2), 0.5)),
            ValueError,
            "to_categorical",
        ),
        (
            lambda: losses.CategoricalCrossentropy(axis=True)(np.eye(2), np.eye(2)),
            ValueError,
            "axis=True",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.eye(3), np.full((3, 3), 0.5)),
            ValueError,
            "one-hot targets are for categorical_crossentropy",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy(axis=0)(np.ones(3), np.ones((3, 3))),
            ValueError,
            "axis=0",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.array([0, 5]), np.full((2, 3), 0.3)),
            ValueError,
            r"label 5 is outside the valid range of \[0, 3\)",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.array([0, -1]), np.full((2, 3), 0.3)),
            ValueError,
            "label -1",
        ),
        (
            lambda: losses.MeanSquaredError()(np.ones((4, 2)), np.ones((4, 2)), np.ones(3)),
            ValueError,
            r"sample_weight is \(3,\)",
        ),
        (lambda: losses.MeanSquaredError()(["a"], np.ones(1)), TypeError, "expected numbers"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), ValueError, "interval"),
        (lambda: losses.Loss()(np.ones(2), np.ones(2)), NotImplementedError, "call"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """A wrong call names what was met and the remedy."""
    with pytest.raises(error, match=message):
        call()


def test_broadcast_targets_warn() -> None:
    """The numbers are Keras'; that they are rarely meant is said."""
    with pytest.warns(UserWarning, match="broadcast"):
        losses.MeanSquaredError()(np.ones((4, 1)), np.ones((4, 3)))
    with pytest.warns(UserWarning, match="one loss in all"):
        losses.MeanSquaredError()(np.ones(4), np.ones(4), np.ones(4))
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.CategoricalCrossentropy()(np.ones((4, 1)), np.ones((4, 1)))


def test_custom_losses() -> None:
    """A subclass with `call`, and a function wrapped."""

    class Cubed(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            assert y_true.dtype == y_pred.dtype == np.float32
            return (abs(y_true - y_pred) ** 3).mean(-1)

    t, p = (x.astype(np.float32) for x in _REAL)
    cubes = (np.abs(t - p) ** 3).mean(-1)
    assert Cubed().name == "cubed" or Cubed().name.startswith("cubed_")
    assert Cubed()(t, p).item() == pytest.approx(cubes.mean(), rel=1e-6)
    assert Cubed()(t, p, np.ones(4) / 2).item() == pytest.approx(cubes.mean() / 2, rel=1e-6)

    def scaled(y_true: Any, y_pred: Any, factor: float) -> Any:
        return (y_true - y_pred).mean(-1) * factor

    wrapped = losses.LossFunctionWrapper(scaled, name="scaled", factor=3.0)
    assert wrapped(t, p).item() == pytest.approx(3 * (t - p).mean(), rel=1e-5)


@pytest.mark.parametrize("name", sorted({kind for kind, *_ in LOSSES.values()}))
def test_configurations_go_round(name: str) -> None:
    """get_config / from_config, serialize / deserialize, and get by either name."""
    made = getattr(losses, name)(reduction="sum", name="mine")
    again = losses.deserialize(losses.serialize(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert type(losses.get(name)) is type(made)
    assert losses.get(made) is made


def test_short_names() -> None:
    """bce, mse ... are functions; None is None."""
    for name in ("bce", "BCE", "mse", "MSE", "mae", "mape", "msle", "kld", "KLD"):
        assert callable(losses.get(name))
    assert losses.get("mse") is losses.mean_squared_error
    assert losses.get(None) is None


@pytest.mark.parametrize(
    "name", ["mse", "bce", "cce logits", "scce ignore", "scce", "hinge of bits"]
)
def test_compiled_is_eager(name: str) -> None:
    """Bit for bit, with and without sample weights, and a wrong label is still an error."""
    kind, _, options, y_true, y_pred = LOSSES[name]
    loss, weights = getattr(losses, kind)(**options), data(4, low=0.1, high=2.0)
    x = autograd.tensor(y_pred, dtype=autograd.float32, requires_grad=True)

    def step(t: Any, w: Any) -> Any:
        x.grad = None
        value = loss(t, x * 1.0) + loss(t, x * 1.0, w)
        value.backward()
        return value

    t, w = autograd.tensor(y_true), autograd.tensor(weights)
    expected, gradient = step(t, w).item(), x.grad.numpy().copy()
    compiled = autograd.compile(step)
    for _ in range(4):
        assert compiled(t, w).item() == expected
        assert (x.grad.numpy() == gradient).all()
    assert compiled.plan is not None
    assert compiled.plan.native or not JIT
    if name == "scce":
        with pytest.raises(IndexError, match="target 7 is out of bounds for 3 classes"):
            compiled(autograd.tensor([0, 7, 1, 2]), w)


def test_one_pass_where_logits_are_known() -> None:
    """A softmax output feeds the fused loss: no log, no clip, one op."""
    seen: list[str] = []
    x = autograd.tensor(_REAL[1], requires_grad=True)
    with autograd.observe(lambda op, *_: seen.append(op.name)), warnings.catch_warnings():
        p = activations.softmax(x)
        losses.SparseCategoricalCrossentropy(dtype="float64")(autograd.tensor(_NUMBERS), p)
    assert seen == ["softmax", "cross_entropy_index"]
