"""Layers of `nn.keras` by themselves: noise, copies, compiled steps, what scripts do with them."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
from nn import keras
from nn.keras import layers
from tests.faces import data
from tests.keras_faces import set_weights
from tests.keras_layer_errors import ERRORS
from tests.keras_layers import LAYERS
from tests.test_keras_layers import call

# Noise


def drawn(layer: Any, x: Any, times: int = 30) -> np.ndarray:
    return np.stack([layer(x, training=True).numpy() for _ in range(times)])


def test_dropout_draws():
    x = autograd.ones(2000, 3)
    found = drawn(layers.Dropout(0.3), x)
    np.testing.assert_allclose(np.unique(found), [0, 1 / 0.7], rtol=1e-6)
    assert abs((found > 0).mean() - 0.7) < 4 * (0.21 / found.size) ** 0.5
    assert (found[0] != found[1]).any()
    layer = layers.Dropout(0.3)
    assert layer(x) is x
    assert layer(x, training=False) is x
    assert not drawn(layers.Dropout(1.0), x).any()


def test_noise_shapes():
    rows = drawn(layers.Dropout(0.5, noise_shape=(None, 1)), autograd.ones(500, 3))
    assert (rows == rows[..., :1]).all()
    steps = drawn(layers.SpatialDropout1D(0.5), autograd.ones(20, 5, 30))
    assert (steps == steps[:, :, :1]).all()
    assert 0.4 < (steps > 0).mean() < 0.6
    first = layers.SpatialDropout2D(0.5, data_format="channels_first")
    maps = drawn(first, autograd.ones(4, 30, 3, 3))
    assert (maps == maps[..., :1, :1]).all()
    assert (maps != maps[:, :, :1]).any()
    columns = drawn(layers.AlphaDropout(0.5, noise_shape=(1, None)), autograd.ones(30, 50))
    assert (columns == columns[:, :1]).all()


def test_gaussian_layers_draw():
    x = autograd.full((200, 50), 2.0)
    noise = drawn(layers.GaussianNoise(0.5), x) - 2
    assert abs(noise.mean()) < 4 * 0.5 / noise.size**0.5
    assert abs(noise.std() - 0.5) < 0.01
    factors = drawn(layers.GaussianDropout(0.2), x) / 2
    assert abs(factors.mean() - 1) < 4 * 0.5 / factors.size**0.5
    assert abs(factors.std() - 0.5) < 0.01  # sqrt(0.2 / 0.8)


def test_alpha_dropout_keeps_moments():
    x = autograd.randn(1000, 50, generator=autograd.Generator().manual_seed(3))
    found = drawn(layers.AlphaDropout(0.3), x)
    assert abs(found.mean()) < 0.01
    assert abs(found.std() - 1) < 0.01
    limit = np.unique(drawn(layers.AlphaDropout(0.3), autograd.zeros(100)).round(5))
    a = (0.7 * (1 + 0.3 * 1.7580993**2)) ** -0.5  # dropped: a (-1.758) + b; kept: b
    np.testing.assert_allclose(limit, [-a * 1.7580993 * 0.7, a * 1.7580993 * 0.3], rtol=1e-4)


@pytest.mark.parametrize("make", [
    lambda seed: layers.Dropout(0.5, seed=seed),
    lambda seed: layers.AlphaDropout(0.5, seed=seed),
    lambda seed: layers.GaussianNoise(0.5, seed=seed),
    lambda seed: layers.GaussianDropout(0.5, seed=seed),
    lambda seed: layers.SpatialDropout1D(0.5, seed=seed),
])  # fmt: skip
def test_seeds(make: Any):
    x = autograd.ones(4, 5, 30)
    autograd.manual_seed(1)
    a = drawn(make(7), x, 3)
    b = drawn(make(7), x, 3)
    np.testing.assert_array_equal(a, b)  # a stream of its own
    assert (a[0] != a[1]).any()
    free = make(None)
    autograd.manual_seed(1)
    a = drawn(free, x, 2)
    autograd.manual_seed(1)
    np.testing.assert_array_equal(drawn(free, x, 2), a)  # the default stream
    layer = make(7)
    drawn(layer, x, 1)
    twin, again = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))
    expected = drawn(layer, x, 2)
    np.testing.assert_array_equal(drawn(twin, x, 2), expected)
    np.testing.assert_array_equal(drawn(again, x, 2), expected)


@pytest.mark.parametrize("name", ["dense relu", "batch norm", "layer norm", "prelu", "embedding"])
def test_copies_compute_the_same(name: str):
    make, inputs = LAYERS[name]
    layer = make(keras)
    x = autograd.tensor(inputs[0].astype("float32" if name != "embedding" else "int64"))
    out = layer(x).detach().numpy()
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x).detach().numpy(), out)
        assert [w.name for w in twin.weights] == [w.name for w in layer.weights]
        assert all(a is not b for a, b in zip(twin.weights, layer.weights))


# Compiled


@pytest.mark.parametrize("name", [
    "dense relu", "dense sigmoid", "dense, large", "batch norm", "batch norm of images",
    "layer norm", "group norm of images", "embedding", "prelu", "einsum dense", "unit norm",
    "softmax", "rescaling", "maximum with ties", "dot of cubes", "concatenate",
    "time distributed batch norm",
    "reshape", "repeat", "categories",
])  # fmt: skip
def test_compiled_is_eager(name: str):
    make, inputs = LAYERS[name]
    tensors = [autograd.tensor(x.astype("float32") if x.dtype == float else x) for x in inputs]
    layer, twin = make(keras), make(keras)
    for each in (layer, twin):
        each.build([x.shape for x in inputs] if len(inputs) > 1 else inputs[0].shape)
        set_weights(each)

    def step(layer: Any, *xs: Any) -> Any:
        xs = [x.detach().requires_grad_() if x.is_floating_point() else x for x in xs]
        out = call(layer, xs, training=True)
        sources = [t for t in (*xs, *layer.trainable_weights) if t.requires_grad]
        if not out.requires_grad:
            return [out.detach()]
        return [out.detach(), *autograd.grad((out * out).sum(), sources)]

    fast = autograd.compile(lambda *xs: step(layer, *xs))
    for _ in range(4):
        for a, b in zip(fast(*tensors), step(twin, *tensors), strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    for a, b in zip(layer.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_compiled_noise_is_eager():
    made = [layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.AlphaDropout(0.5, seed=1)]
    x = autograd.ones(8, 6)

    def step(x: Any) -> Any:
        for layer in made:
            x = layer(x, training=True)
        return x

    fast = autograd.compile(step)
    results = []
    for f in (step, fast):
        autograd.manual_seed(4)
        made[2].seed_generator.manual_seed(1)
        results.append([f(x).numpy() for _ in range(5)])
    np.testing.assert_array_equal(*results)


# What a script meets


def test_activation_can_be_replaced():
    layer = layers.Dense(2, activation="relu")
    x = -np.ones((1, 3), "float32")
    layer.build((None, 3))
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    assert layer(x).tolist() == [[0.0, 0.0]]
    layer.activation = keras.activations.linear
    assert layer(x).tolist() == [[-3.0, -3.0]]
    assert layer.get_config()["activation"] == "linear"


def test_dense_takes_integers_and_noncontiguous_inputs():
    layer = layers.Dense(2)
    layer.build((None, 3))
    kernel = layer.get_weights()[0]
    whole = np.arange(12).reshape(4, 3)
    np.testing.assert_allclose(layer(whole).detach().numpy(), whole @ kernel, rtol=1e-5)
    turned = np.arange(12, dtype="float32").reshape(3, 4).T
    np.testing.assert_allclose(layer(turned).detach().numpy(), turned @ kernel, rtol=1e-5)


def test_functional_forms():
    x, y = (autograd.tensor(data(4, 6, seed=s)) for s in (1, 2))
    pairs = [
        (layers.add, layers.Add()), (layers.multiply, layers.Multiply()),
        (layers.average, layers.Average()), (layers.maximum, layers.Maximum()),
        (layers.minimum, layers.Minimum()), (layers.subtract, layers.Subtract()),
        (layers.concatenate, layers.Concatenate()), (layers.dot, layers.Dot(-1)),
    ]  # fmt: skip
    for function, layer in pairs:
        np.testing.assert_array_equal(function([x, y]).numpy(), layer([x, y]).numpy())


def test_embedding_weights_and_floats():
    table = data(5, 3).astype("float32")
    layer = layers.Embedding(5, 3, weights=[table])
    np.testing.assert_array_equal(layer(np.array([[1.7, 4.0]])).detach().numpy(), table[[[1, 4]]])
    assert layers.Embedding(5, 3, weights=table).get_weights()[0].shape == (5, 3)


def test_einsum_dense_knows_open_sizes():
    layer = layers.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="e")
    assert layer.compute_output_shape((None, 4, 6)) == (None, 4, 2, 5)
    assert layer(np.ones((3, 4, 6), "float32")).shape == (3, 4, 2, 5)
    layer = layers.EinsumDense("ab...,bc->ac...", 5, bias_axes="c")
    x = data(3, 4, 2).astype("float32")
    kernel = layer(x) is not None and layer.get_weights()[0]
    expected = np.einsum("abx,bc->acx", x, kernel)
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert layer.bias.shape == (5, 1)


def test_einsum_dense_fans():
    """The fans of a kernel (6, 2, 5) with one input axis are 6 and 10."""
    layer = layers.EinsumDense("abc,cde->abde", (None, 20, 50), kernel_initializer="he_uniform")
    layer.build((None, 4, 600))
    bound = (6 / 600) ** 0.5
    values = layer.get_weights()[0]
    assert abs(values).max() <= bound
    assert abs(values).max() > 0.99 * bound


def test_lambda():
    layer = layers.Lambda(lambda x, times: x * times, arguments={"times": 3})
    assert layer(np.ones(2, "float32")).tolist() == [3.0, 3.0]
    assert layer.compute_output_shape((None, 4)) == (None, 4)
    given = layers.Lambda(lambda x: x, output_shape=(7,))
    assert given.compute_output_shape((None, 4)) == (None, 7)
    assert layers.Lambda(abs, output_shape=lambda s: (*s, 1)).compute_output_shape((2,)) == (2, 1)
    trained = layers.Lambda(lambda x, training: x if training else -x)
    assert trained(np.ones(1, "float32"), training=True).tolist() == [1.0]
    assert trained(np.ones(1, "float32")).tolist() == [-1.0]
    two = layers.Lambda(lambda xs: xs[0] + xs[1])
    assert two([np.ones(2, "float32"), np.ones(2, "float32")]).tolist() == [2.0, 2.0]
    named = layers.Lambda(keras.activations.relu)
    again = layers.Lambda.from_config(named.get_config())
    assert again.function is keras.activations.relu
    with pytest.raises(ValueError, match="safe_mode=False"):
        layers.Lambda.from_config(layer.get_config())


def test_unit_normalization_of_zero_has_a_gradient():
    x = autograd.zeros(1, 3, requires_grad=True)
    layers.UnitNormalization()(x).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_unknown_layers_are_named():
    with pytest.raises(AttributeError, match=r"Conv2D is not part of this engine"):
        _ = layers.Conv2D
    with pytest.raises(AttributeError, match=r"did you mean BatchNormalization"):
        _ = layers.BatchNormalisation
    assert layers.get("flatten").name.startswith("flatten")
    assert layers.get(None) is None
    dense = layers.Dense(2)
    assert layers.get(dense) is dense
    again = layers.deserialize(layers.serialize(dense))
    assert again.get_config() == dense.get_config()
    with pytest.raises(ValueError, match="class_name"):
        layers.deserialize({"units": 2})


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    f, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        f()


def test_dense_op_names_the_shapes():
    dense, ones = autograd.op.ops.dense, autograd.ones
    with pytest.raises(
        autograd.ShapeError, match=r"dense: x is \(2, 3\) but weight is \(4, 5\).*x \(..., 4\)"
    ):
        dense(ones(2, 3), ones(4, 5), None)
    with pytest.raises(autograd.ShapeError, match=r"bias is \(3,\).*expected bias \(5,\)"):
        dense(ones(2, 4), ones(4, 5), ones(3))
    with pytest.raises(autograd.ShapeError, match=r"expected weight \(inputs, outputs\)"):
        dense(ones(2, 4), ones(4), None)
    with pytest.raises(TypeError, match="one dtype"):
        dense(ones(2, 4), ones(4, 5, dtype="float64"), None)


def test_normal_noise_has_the_normal_distribution():
    noise, stream = autograd.op.ops.normal_noise, autograd.generator.stream
    source = autograd.Generator().manual_seed(11)
    for dtype in ("float32", "float64"):
        x = autograd.zeros(400_000, dtype=dtype)
        z = noise(x, mean=0.0, std=1.0, stream=stream(source)).numpy()
        assert z.dtype == dtype
        for edge in (-3.0, -2.0, -1.0, -0.3, 0.0, 0.7, 1.5, 2.5, 3.5):
            share = 0.5 * (1 + math.erf(edge / math.sqrt(2)))
            error = math.sqrt(share * (1 - share) / z.size)
            assert abs((z < edge).mean() - share) < 4.5 * error
        assert abs((z[1:] * z[:-1]).mean()) < 4 / math.sqrt(z.size)
    a = noise(x, mean=2.0, std=0.0, stream=stream(source)).numpy()
    assert (a == 2).all()
