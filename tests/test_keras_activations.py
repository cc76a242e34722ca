"""Activations of `nn.keras` against Keras 3: values and slopes, also at every kink and far out.

In float64, to 1e-6: Keras' TensorFlow kernels hold some constants (the slope of leaky ReLU, those
of GELU) in float32.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import autograd
from nn.keras import activations
from nn.keras.marks import get_logits
from tests.faces import data
from tests.keras_faces import check

FAR = [-1000.0, -30.0, 25.0, 80.0]
ROUND_KINKS = [-7.0, -4.0, -3.0, -2.0, -1.0, -0.5, -0.3, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0]
POINTS = np.array([*FAR, *ROUND_KINKS, -1e-8, -0.0, 0.0, 1e-8])
ROWS = data(4, 6)
FUNCTIONS: dict[str, tuple[Any, np.ndarray]] = {
    **{
        name: (lambda a, x, name=name: getattr(a, name)(x), POINTS)
        for name in (
            "elu",
            "exponential",
            "gelu",
            "hard_shrink",
            "hard_sigmoid",
            "hard_silu",
            "hard_swish",
            "hard_tanh",
            "leaky_relu",
            "linear",
            "log_sigmoid",
            "mish",
            "relu",
            "relu6",
            "selu",
            "sigmoid",
            "silu",
            "soft_shrink",
            "softplus",
            "softsign",
            "sparse_plus",
            "sparse_sigmoid",
            "squareplus",
            "swish",
            "tanh",
            "tanh_shrink",
        )
    },
    "celu": (lambda a, x: a.celu(x), POINTS[POINTS != 0]),
    "celu 0.5": (lambda a, x: a.celu(x, 0.5), POINTS[POINTS != 0]),
    "elu 0.5": (lambda a, x: a.elu(x, alpha=0.5), POINTS),
    "gelu by tanh": (lambda a, x: a.gelu(x, approximate=True), POINTS),
    "hard_shrink 2": (lambda a, x: a.hard_shrink(x, threshold=2.0), POINTS),
    "soft_shrink 2": (lambda a, x: a.soft_shrink(x, 2.0), POINTS),
    "leaky_relu 0.5": (lambda a, x: a.leaky_relu(x, negative_slope=0.5), POINTS),
    "threshold": (lambda a, x: a.threshold(x, 0.5, 3.0), POINTS),
    "squareplus 1": (lambda a, x: a.squareplus(x, b=1), POINTS),
    "relu, slope": (lambda a, x: a.relu(x, negative_slope=0.1), POINTS),
    "relu, bound": (lambda a, x: a.relu(x, max_value=3.0), POINTS),
    "relu, bound 6": (lambda a, x: a.relu(x, max_value=6), POINTS),
    "relu, threshold": (lambda a, x: a.relu(x, threshold=0.5), POINTS),
    "relu, threshold below": (lambda a, x: a.relu(x, threshold=-0.5), POINTS),
    "relu, slope and bound": (lambda a, x: a.relu(x, 0.1, 3.0), POINTS),
    "relu, slope and bound 6": (lambda a, x: a.relu(x, 0.1, 6), POINTS),
    "relu, slope and threshold": (lambda a, x: a.relu(x, 0.1, None, -0.5), POINTS),
    "relu, all": (lambda a, x: a.relu(x, 0.1, 3.0, 0.5), POINTS),
    "softmax": (lambda a, x: a.softmax(x), ROWS),
    "softmax along 0": (lambda a, x: a.softmax(x, axis=0), ROWS),
    "softmax far out": (lambda a, x: a.softmax(x), np.array([[1000.0, 0.0], [-1000.0, -1001.0]])),
    "softmax of all": (lambda a, x: a.softmax(x, axis=None), ROWS),
    "log_softmax": (lambda a, x: a.log_softmax(x), ROWS),
    "log_softmax along 0": (lambda a, x: a.log_softmax(x, axis=0), ROWS),
    "glu": (lambda a, x: a.glu(x), ROWS),
    "glu along 0": (lambda a, x: a.glu(x, axis=0), ROWS),
    "sparsemax of one": (lambda a, x: a.sparsemax(x), np.array([[3.0, 1.0, 0.5], [0.0, 0.2, 5.0]])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activation(name: str):
    function, points = FUNCTIONS[name]

    def case(face: Any) -> dict[str, Any]:
        a = face.keras.activations
        out, dx, _ = face.grads(lambda x: function(a, x), [face.tensor(points)], list)
        return {"out": out, "dx": dx}

    check("activations", name, case, 1e-6, 1e-9)


def test_the_table_is_keras_table():
    def case(face: Any) -> dict[str, Any]:
        a = face.keras.activations
        names = sorted(n for n in dir(a) if n in KNOWN)
        found = {name: a.serialize(a.get(name)) for name in names}
        return {"names": names, "serialized": found}

    check("activations", "table", case)
    assert set(activations.TABLE) == set(KNOWN)


KNOWN = [
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu",
    "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink",
    "threshold",
]  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_direct_is_the_function(name: str):
    """What layers call instead computes the same."""
    if name == "threshold":
        return
    function = activations.get(name)
    x = autograd.tensor(data(3, 6))
    quick = activations.direct(function) or (lambda x: x)
    np.testing.assert_array_equal(quick(x).numpy(), function(x).numpy())
    assert pickle.loads(pickle.dumps(function)) is function
    assert function(data(3, 6)).dtype == "float64"  # arrays become tensors


def test_celu_at_0_has_the_slope_of_both_sides():
    x = autograd.zeros(1, requires_grad=True)
    activations.celu(x, alpha=0.5).backward()
    assert x.grad.item() == 1.0


def test_sparsemax_is_the_nearest_probability():
    x = autograd.tensor(data(50, 7), requires_grad=True)
    out = activations.sparsemax(x)
    p = out.detach().numpy()
    np.testing.assert_allclose(p.sum(1), 1.0, rtol=1e-12)
    assert (p >= 0).all()
    assert (p == 0).any()
    # nearest: x - p is the same, tau, where p > 0, and at most that where p = 0
    tau = (data(50, 7) - p) * (p > 0)
    tau = tau.sum(1, keepdims=True) / (p > 0).sum(1, keepdims=True)
    assert (np.abs(data(50, 7) - p - tau) * (p > 0)).max() < 1e-12
    assert ((data(50, 7) - tau) * (p == 0)).max() < 1e-12
    g = data(50, 7, seed=2)
    (out * autograd.tensor(g)).sum().backward()
    kept = p > 0  # dp = dx - its mean, within the support
    expected = (g - (g * kept).sum(1, keepdims=True) / kept.sum(1, keepdims=True)) * kept
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-12)
    other = activations.sparsemax(autograd.tensor(data(7, 50)), axis=0).numpy()
    np.testing.assert_allclose(other.sum(0), 1.0, rtol=1e-12)


def test_probabilities_know_their_logits():
    x = autograd.tensor(data(3, 6))
    assert get_logits(activations.sigmoid(x)) is x
    assert get_logits(activations.softmax(x)) is x
    assert get_logits(activations.tanh(x)) is None


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get(activations.relu) is activations.relu
    own = lambda x: x * 2  # noqa: E731
    assert activations.get(own) is own
    assert activations.get({"class_name": "function", "config": "relu"}) is activations.relu
    assert activations.deserialize("gelu") is activations.gelu
    assert activations.deserialize("twice", custom_objects={"twice": own}) is own
    assert activations.serialize(activations.get("hard_swish")) == "hard_silu"
    with pytest.raises(ValueError, match=r"activation function.*'rellu'.*Did you mean 'relu'"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="Could not interpret activation function"):
        activations.get(3)
    with pytest.raises(ValueError, match="must be divisible by 2"):
        activations.glu(np.ones((2, 3)))


def test_on_symbolic_tensors():
    from nn import keras

    x = keras.Input((4,))
    out = activations.relu(x, max_value=1.0)
    assert out.shape == (None, 4)
    model = keras.Model(x, out)
    found = model(np.array([[-1.0, 0.5, 2.0, 0.0]], "float32"))
    assert found.tolist() == [[0.0, 0.5, 1.0, 0.0]]
