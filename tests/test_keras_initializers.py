"""Initializers of `nn.keras`: distributions, fans, seeds, configs.

The streams are not Keras', so moments and bounds are tested; what draws nothing is compared with
Keras number by number.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import autograd
from nn import keras
from nn.keras import initializers
from tests.faces import data
from tests.keras_faces import check

SHAPE = (300, 500)
STD2 = 0.87962566103423978
"""The standard deviation of N(0, 1) on condition that it is in [-2, 2]."""
NORMAL, TRUNCATED, UNIFORM = "normal", "truncated", "uniform"
DRAWN: dict[str, tuple[Any, str, float]] = {
    # name: (initializer, distribution, its standard deviation)
    "glorot_uniform": (initializers.GlorotUniform(1), UNIFORM, math.sqrt(2 / 800)),
    "glorot_normal": (initializers.GlorotNormal(1), TRUNCATED, math.sqrt(2 / 800)),
    "he_uniform": (initializers.HeUniform(1), UNIFORM, math.sqrt(2 / 300)),
    "he_normal": (initializers.HeNormal(1), TRUNCATED, math.sqrt(2 / 300)),
    "lecun_uniform": (initializers.LecunUniform(1), UNIFORM, math.sqrt(1 / 300)),
    "lecun_normal": (initializers.LecunNormal(1), TRUNCATED, math.sqrt(1 / 300)),
    "random_normal": (initializers.RandomNormal(0.0, 0.3, seed=1), NORMAL, 0.3),
    "truncated_normal": (initializers.TruncatedNormal(0.0, 0.3, seed=1), TRUNCATED, 0.3 * STD2),
    "random_uniform": (initializers.RandomUniform(-0.3, 0.3, 1), UNIFORM, 0.3 / math.sqrt(3)),
    "scaled by fan_out": (
        initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=1),
        NORMAL,
        math.sqrt(2 / 500),
    ),
    "scaled, normal": (
        initializers.VarianceScaling(0.5, "fan_avg", "normal", seed=1),
        TRUNCATED,
        math.sqrt(0.5 / 400),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DRAWN)
def test_distribution(name: str, dtype: str):
    """Mean, deviation, kurtosis and bounds, within four standard errors."""
    initializer, kind, std = DRAWN[name]
    x = initializer(SHAPE, dtype=dtype)
    assert x.dtype == dtype
    assert x.shape == SHAPE
    assert not x.requires_grad
    z = x.numpy().astype(np.float64) / std
    n = z.size
    moments = {  # kurtosis, largest |z|
        NORMAL: (3.0, math.inf),
        TRUNCATED: (2.3675, 2 / STD2),
        UNIFORM: (1.8, math.sqrt(3)),
    }
    kurtosis, most = moments[kind]
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs((z**2).mean() - 1) < 4 * math.sqrt((kurtosis - 1) / n)
    assert abs((z**4).mean() - kurtosis) < 0.1
    assert abs(z).max() <= most * (1 + 1e-6)
    if kind != NORMAL:
        assert abs(z).max() > 0.999 * most
    else:
        assert abs(z).max() > 4
    rows, columns = z[:-1] * z[1:], z[:, :-1] * z[:, 1:]
    assert max(abs(rows.mean()), abs(columns.mean())) < 5 / math.sqrt(n)


def test_shifted():
    x = initializers.RandomUniform(1.0, 3.0, seed=2)((1000,)).numpy()
    assert x.min() >= 1
    assert x.max() < 3
    assert abs(x.mean() - 2) < 0.1
    x = initializers.TruncatedNormal(5.0, 1.0, seed=2)((1000,)).numpy()
    assert abs(x - 5).max() <= 2
    x = initializers.RandomNormal(5.0, 1.0, seed=2)((1000,)).numpy()
    assert abs(x.mean() - 5) < 0.2


FANS = {
    (): (1, 1),
    (7,): (7, 7),
    (3, 5): (3, 5),
    (2, 3, 5): (6, 10),
    (2, 4, 3, 5): (24, 40),
}


@pytest.mark.parametrize("shape", FANS)
def test_fans(shape: tuple[int, ...]):
    fans = initializers.compute_fans(shape)
    assert fans == FANS[shape]
    bound = math.sqrt(6 / max(1.0, fans[0] + fans[1]))
    x = initializers.GlorotUniform(0)((*shape,)).numpy()
    assert abs(x).max() <= bound * (1 + 1e-6)
    assert initializers.compute_fans((2, 3, 5), [0, 1], [2]) == (6, 5)


def test_seeds():
    make = initializers.HeNormal
    one = make(seed=3)
    a = one((4, 5)).numpy()
    np.testing.assert_array_equal(one((4, 5)).numpy(), a)  # an integer seed: the same each time
    np.testing.assert_array_equal(make(3)((4, 5)).numpy(), a)
    np.testing.assert_array_equal(one.clone()((4, 5)).numpy(), a)
    assert (make(4)((4, 5)).numpy() != a).all()
    free = make()
    b = free((4, 5)).numpy()
    np.testing.assert_array_equal(free((4, 5)).numpy(), b)
    assert (make()((4, 5)).numpy() != b).all()  # another instance draws otherwise
    autograd.manual_seed(5)
    c = make()((4, 5)).numpy()
    autograd.manual_seed(5)
    np.testing.assert_array_equal(make()((4, 5)).numpy(), c)
    assert (make(-1)((4, 5)).numpy() != make(1)((4, 5)).numpy()).all()
    layers = [keras.layers.Dense(3), keras.layers.Dense(3)]
    for layer in layers:
        layer.build((None, 4))
    assert (layers[0].get_weights()[0] != layers[1].get_weights()[0]).all()


def test_seed_generators_give_new_values():
    source = keras.random.SeedGenerator(1)
    one = initializers.RandomNormal(seed=source)
    a, b = one((4, 5)).numpy(), one((4, 5)).numpy()
    assert (a != b).all()
    again = initializers.RandomNormal(seed=keras.random.SeedGenerator(1))
    np.testing.assert_array_equal(again((4, 5)).numpy(), a)


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (2, 3, 4), (3, 1)])
def test_orthogonal(shape: tuple[int, ...]):
    x = initializers.Orthogonal(gain=1.5, seed=1)(shape, dtype="float64").numpy()
    flat = x.reshape(-1, shape[-1]) / 1.5
    product = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)


def test_orthogonal_is_uniform():
    """The corner of a uniform 2 x 2 rotation or reflection has mean 0 and variance 1/2."""
    found = [initializers.Orthogonal(seed=i)((2, 2)).numpy()[0, 0] for i in range(400)]
    assert abs(np.mean(found)) < 4 * math.sqrt(0.5 / 400)
    assert abs(np.var(found) - 0.5) < 0.1


FIXED = {
    "zeros": lambda i: i.Zeros(),
    "ones": lambda i: i.Ones(),
    "constant": lambda i: i.Constant(2.5),
    "identity": lambda i: i.Identity(),
    "identity, gain": lambda i: i.Identity(gain=3.0),
    "by name": lambda i: i.get("identity"),
    "by alias": lambda i: i.get("one"),
    "array": lambda i: i.get(data(3, 4)),
}


@pytest.mark.parametrize("name", FIXED)
def test_fixed(name: str):
    def case(face: Any) -> dict[str, Any]:
        i = face.keras.initializers
        return {"out": FIXED[name](i)((3, 4)), "single": FIXED[name](i)((3, 4), dtype="float32")}

    check("initializers", name, case)


CONFIGS = {
    "constant": lambda i: i.Constant(2.0),
    "random normal": lambda i: i.RandomNormal(0.5, 0.1, seed=3),
    "truncated normal": lambda i: i.TruncatedNormal(),
    "random uniform": lambda i: i.RandomUniform(seed=1),
    "variance scaling": lambda i: i.VarianceScaling(2.0, "fan_avg", "uniform", seed=4),
    "orthogonal": lambda i: i.Orthogonal(1.5, seed=2),
    "glorot": lambda i: i.GlorotUniform(),
    "he": lambda i: i.HeNormal(5),
    "lecun": lambda i: i.LecunNormal(5, [0], [1]),
    "zeros": lambda i: i.get("zeros"),
    "ones": lambda i: i.get("Ones"),
    "normal": lambda i: i.get("normal"),
    "uniform": lambda i: i.get("uniform"),
    "orthogonal by alias": lambda i: i.get("OrthogonalInitializer"),
    "dict": lambda i: i.get({"class_name": "HeUniform", "config": {"seed": 2}}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config(name: str):
    def case(face: Any) -> dict[str, Any]:
        i = face.keras.initializers
        one = CONFIGS[name](i)
        config = i.serialize(one)
        again = i.deserialize(json.loads(json.dumps(config)))
        assert i.serialize(again) == config
        return {"config": config}

    check("initializers", f"config {name}", case)
    assert repr(CONFIGS[name](initializers)).startswith(type(CONFIGS[name](initializers)).__name__)


def test_get():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Zeros), initializers.Zeros)
    own = lambda shape, dtype=None: np.full(shape, 7.0)  # noqa: E731
    assert initializers.get(own) is own
    layer = keras.layers.Dense(2, kernel_initializer=own, bias_initializer=np.array([1.0, 2.0]))
    layer.build((None, 3))
    assert layer.get_weights()[0].tolist() == [[7.0, 7.0]] * 3
    assert layer.get_weights()[1].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")
    with pytest.raises(ValueError, match="Could not interpret initializer"):
        initializers.get(3)
    with pytest.raises(ValueError, match=r"Expected `shape` to be \(2,\).*shape=\(3,\)"):
        initializers.get(np.ones(2))((3,))


ERRORS = {
    "scale": (lambda: initializers.VarianceScaling(0.0), "`scale` must be positive.*scale=0.0"),
    "mode": (lambda: initializers.VarianceScaling(mode="fan"), "Invalid `mode` argument: fan"),
    "distribution": (
        lambda: initializers.VarianceScaling(distribution="cauchy"),
        "Invalid `distribution` argument: cauchy",
    ),
    "seed": (lambda: initializers.HeNormal(seed="a"), "seed=a"),
    "orthogonal": (lambda: initializers.Orthogonal()((3,)), "at least two-dimensional.*rank 1"),
    "identity": (lambda: initializers.Identity()((3,)), "only be used for 2D matrices.*rank 1"),
    "integers": (lambda: initializers.HeNormal()((3, 3), dtype="int32"), "dtype=int32"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    f, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        f()
    with pytest.raises(NotImplementedError, match="must implement the `__call__"):
        initializers.Initializer()((2,))


def test_identity_keeps_its_gain():
    """Keras' config forgets it."""
    again = initializers.deserialize(initializers.serialize(initializers.Identity(2.0)))
    assert again((2, 2)).tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_empty_and_integers():
    assert initializers.GlorotUniform()((0, 3)).shape == (0, 3)
    assert initializers.TruncatedNormal()(()).shape == ()
    assert initializers.Zeros()((2,), dtype="int32").dtype == "int32"
    assert initializers.Ones()((2,)).dtype == "float32"
