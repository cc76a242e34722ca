"""Layers of `nn.keras` against Keras 3: outputs, gradients, state, penalties, shapes, configs.

All in float64.  Where Keras' TensorFlow kernels hold float32 constants inside (the slopes of
leaky ReLU, the 0.01 of L1), 1e-6 is what can be asked for; see LOOSE.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nn.keras import layers
from nn.keras.marks import get_mask
from tests.faces import data
from tests.keras_faces import check, plain, set_weights
from tests.keras_layers import LAYERS, NOISY, X

ROWS = [[1, 2, 0], [3, 0, 0]]
LOOSE = {"leaky relu", "relu in general", "dense penalised"}


def call(layer: Any, tensors: list[Any], training: bool) -> Any:
    given = tensors if len(tensors) > 1 else tensors[0]
    return layer(given, training=training)


def shapes(inputs: list[np.ndarray]) -> Any:
    found = [(None, *x.shape[1:]) for x in inputs]
    return found if len(found) > 1 else found[0]


def run(make: Any, inputs: list[np.ndarray], training: bool) -> Any:
    """The case of a layer: built, given fixed weights, and called once."""

    def case(face: Any) -> dict[str, Any]:
        layer = make(face.keras)
        tensors = [face.tensor(x) for x in inputs]
        if not layer.built:
            built = [x.shape for x in inputs]
            layer.build(built if len(built) > 1 else built[0])
        set_weights(layer)

        def weights() -> list[Any]:
            return layer.trainable_weights

        out, dx, dw = face.grads(lambda *xs: call(layer, list(xs), training), tensors, weights)
        return {
            "out": out,
            "dx": dx,
            "dw": dw,
            "weights": [w.name for w in layer.weights],
            "trainable": [w.name for w in layer.trainable_weights],
            "after": list(layer.get_weights()),
            "losses": list(layer.losses),
        }

    return case


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, training: bool):
    make, inputs = LAYERS[name]
    rtol = 1e-6 if name in LOOSE else 1e-9
    key = f"{name}, {'training' if training else 'inference'}"
    check("layers", key, run(make, inputs, training), rtol, 1e-9)


@pytest.mark.parametrize("name", [*LAYERS, *(f"noisy {name}" for name in NOISY)])
def test_config_and_shape(name: str):
    """The same config as JSON, which makes the layer anew; and the symbolic output's shape."""
    noisy = name.startswith("noisy ")
    make, given = NOISY[name[6:]] if noisy else LAYERS[name]
    inputs = [given] if noisy else given

    def case(face: Any) -> dict[str, Any]:
        layer = make(face.keras)
        config = json.loads(json.dumps(layer.get_config()))
        again = type(layer).from_config(layer.get_config())
        assert json.loads(json.dumps(again.get_config())) == config
        spec = [
            face.keras.Input(batch_shape=(None, *x.shape[1:]), dtype=x.dtype.name) for x in inputs
        ]
        out = layer(spec if len(spec) > 1 else spec[0])
        return {
            "config": config,
            "shape": list(out.shape),
            "dtype": str(out.dtype),
            "computed": list(make(face.keras).compute_output_shape(shapes(inputs))),
        }

    check("layer_configs", name, case, 1e-6)


# Layers that learn from data


def adapted(make: Any, *arguments: Any) -> Any:
    def case(face: Any) -> dict[str, Any]:
        layer = make(face.keras)
        layer.adapt(*arguments)
        out = layer(face.tensor(X))
        found = {"out": out, "weights": list(layer.get_weights())}
        if hasattr(layer, "bin_boundaries"):
            found["boundaries"] = layer.bin_boundaries
        return found

    return case


ADAPTED = {
    "of an array": (lambda k: k.layers.Normalization(), data(50, 6)),
    "per element": (lambda k: k.layers.Normalization(axis=(0, 1)), X),
    "of all": (lambda k: k.layers.Normalization(axis=None), data(50, 6)),
    "of batches": (lambda k: k.layers.Normalization(), [data(20, 6), data(7, 6)]),
    "of pairs": (lambda k: k.layers.Normalization(), [(data(20, 6), 0), (data(7, 6), 0)]),
    "bins": (lambda k: k.layers.Discretization(num_bins=4), data(200, 6)),
    "bins of batches": (
        lambda k: k.layers.Discretization(num_bins=3, epsilon=0.05),
        [data(200, 6), data(50, 6, seed=3)],
    ),
    "bins, one hot": (
        lambda k: k.layers.Discretization(num_bins=4, output_mode="one_hot"),
        data(200, 6),
    ),
}


@pytest.mark.parametrize("name", ADAPTED)
def test_adapt(name: str):
    check("layers", f"adapt {name}", adapted(*ADAPTED[name]), 1e-6)  # batches: float32 in Keras


def test_adapt_on_images_and_again():
    layer = layers.Normalization(axis=-1)
    images = data(2, 3, 4, 6)
    layer.adapt(images)
    np.testing.assert_allclose(layer.mean.numpy(), images.mean((0, 1, 2)), rtol=1e-6)
    layer.adapt(images + 1)
    np.testing.assert_allclose(layer.mean.numpy(), images.mean((0, 1, 2)) + 1, rtol=1e-6)
    out = layer(images + 1).numpy()
    assert abs(out.mean()) < 1e-6
    assert abs(out.std() - 1) < 1e-6
    back = layers.Normalization(invert=True)
    back.adapt(images + 1)
    np.testing.assert_allclose(back(out).numpy(), images + 1, rtol=1e-4, atol=1e-5)
    assert layers.Normalization(axis=1).mean is None


# Masks


def masked(run: Any) -> Any:
    def case(face: Any) -> dict[str, Any]:
        k = face.keras
        tokens = face.tensor(np.array(ROWS))
        embedding = k.layers.Embedding(4, 3, mask_zero=True)
        embedding.build()
        embedding.set_weights([data(4, 3)])
        x = embedding(tokens)
        steps = data(2, 3, 3)
        steps[1, 0] = 9.0
        y = k.layers.Masking(9.0)(face.tensor(steps))
        out = run(k.layers, x, y, face)
        mask = out._keras_mask if hasattr(out, "_keras_mask") else get_mask(out)
        mask = None if mask is None else np.asarray(plain(mask)).astype(float)
        return {"out": out, "mask": mask}

    return case


MASKED = {
    "embedding": lambda layers, x, y, face: x,
    "masking": lambda layers, x, y, face: y,
    "passed on": lambda layers, x, y, face: layers.Activation("tanh")(x),
    "add": lambda layers, x, y, face: layers.Add()([x, y]),
    "add, one masked": lambda layers, x, y, face: layers.Add()([x, face.tensor(data(2, 3, 3))]),
    "subtract": lambda layers, x, y, face: layers.Subtract()([x, y]),
    "multiply": lambda layers, x, y, face: layers.Multiply()([x, y]),
    "multiply, one masked": lambda layers, x, y, face: layers.Multiply()(
        [x, face.tensor(data(2, 3, 3))]
    ),
    "maximum": lambda layers, x, y, face: layers.Maximum()([x, y]),
    "minimum": lambda layers, x, y, face: layers.Minimum()([y, x]),
    "concatenate": lambda layers, x, y, face: layers.Concatenate()([x, y]),
    "concatenate steps": lambda layers, x, y, face: layers.Concatenate(1)(
        [x, face.tensor(data(2, 3, 3))]
    ),
    "batch norm": lambda layers, x, y, face: layers.BatchNormalization()(x, training=True),
    "dot": lambda layers, x, y, face: layers.Dot(2)([x, y]),
}


@pytest.mark.parametrize("name", MASKED)
def test_masks(name: str):
    check("layers", f"mask {name}", masked(MASKED[name]))


def test_softmax_with_a_mask():
    mask = np.array([[1.0, 0, 1], [0, 1, 1]])

    def case(face: Any) -> dict[str, Any]:
        layer = face.keras.layers.Softmax()
        x = face.tensor(data(2, 3))
        return {
            "out": layer(x, mask=face.tensor(mask)),
            "bool": layer(x, mask=face.tensor(mask > 0)),
        }

    check("layers", "softmax with a mask", case)


def test_masked_batch_norm_updates_with_what_the_mask_keeps():
    x, mask = data(2, 3, 4), np.array([[True, True, False], [True, False, False]])

    def case(face: Any) -> dict[str, Any]:
        layer = face.keras.layers.BatchNormalization(name="a")
        layer.build(x.shape)
        set_weights(layer)
        out, dx, dw = face.grads(
            lambda t: layer(t, training=True, mask=face.tensor(mask)),
            [face.tensor(x)],
            lambda: layer.trainable_weights,
        )
        return {"out": out, "dx": dx, "dw": dw, "after": list(layer.get_weights())}

    check("layers", "masked batch norm", case)
