"""Cases that run on Keras and on `nn.keras` with one text, as `tests/faces.py` for PyTorch.

Where Keras is installed both run and must agree; where it is not, what Keras gave is read from
`tests/golden/keras_AREA.json`, which

    TAPEGRAD_GOLDEN=1 python -m pytest -p no:cacheprovider tests/test_keras_AREA.py

in an environment with Keras and TensorFlow writes anew.  All is computed in float64.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.faces import _same, _stored, _write, data

KERAS = all(importlib.util.find_spec(name) is not None for name in ("keras", "tensorflow"))
Face = Any
Case = Callable[[Face], dict[str, Any]]


class Ours:
    """Our Keras face."""

    def __init__(self) -> None:
        from nn import keras

        self.keras: Any = keras

    def tensor(self, x: np.ndarray) -> Any:
        import autograd

        return autograd.tensor(x, dtype=x.dtype)

    def grads(self, f: Callable[..., Any], inputs: list[Any], weights: Any) -> tuple[Any, ...]:
        """(f(*inputs), its gradients by the float inputs, and by `weights()` after the call).

        They are of the sum of all outputs, weighted so that no two elements are alike.
        """
        import autograd

        inputs = [t.requires_grad_() if t.is_floating_point() else t for t in inputs]
        out = f(*inputs)
        sources = [t for t in inputs if t.requires_grad]
        wanted = [*sources, *weights()]
        if not out.is_floating_point():
            return out.detach().numpy(), [], []
        if not wanted or not out.requires_grad:
            zeros = [np.zeros(t.shape) for t in wanted]
            return out.detach().numpy(), zeros[: len(sources)], zeros[len(sources) :]
        loss = (out * self.tensor(spread(out.shape))).sum()
        found = autograd.grad(loss, wanted, materialize_grads=True)
        arrays = [g.numpy() for g in found]
        return out.detach().numpy(), arrays[: len(sources)], arrays[len(sources) :]


class Theirs:
    """Keras on TensorFlow."""

    def __init__(self) -> None:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras

        self.keras: Any = keras

    def tensor(self, x: np.ndarray) -> Any:
        import tensorflow as tf

        return tf.constant(x)

    def grads(self, f: Callable[..., Any], inputs: list[Any], weights: Any) -> tuple[Any, ...]:
        """As above."""
        import tensorflow as tf

        sources = [t for t in inputs if t.dtype.is_floating]
        with tf.GradientTape() as tape:
            for t in sources:
                tape.watch(t)
            out = f(*inputs)
            wanted = [*sources, *[w.value for w in weights()]]
            loss = 0.0
            if wanted and out.dtype.is_floating:
                loss = tf.reduce_sum(out * tf.constant(spread(out.shape)))
        if not wanted or not out.dtype.is_floating:
            return out.numpy(), [], []
        found = tape.gradient(loss, wanted, unconnected_gradients="zero")
        arrays = [tf.convert_to_tensor(g).numpy() for g in found]
        return out.numpy(), arrays[: len(sources)], arrays[len(sources) :]


def spread(shape: Any) -> np.ndarray:
    """Weights of a sum, no two alike."""
    shape = tuple(shape)
    return np.linspace(0.5, 1.5, max(int(np.prod(shape)), 1))[: int(np.prod(shape))].reshape(shape)


@contextmanager
def in_float64(keras: Any) -> Iterator[None]:
    """Layers made inside compute in float64."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def check(area: str, name: str, case: Case, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Assert that `case` gives Keras' results on our face: same names, shapes, and numbers."""
    area = f"keras_{area}"
    found = plain(_run(case, Ours()))
    stored = _stored(area)
    if KERAS:
        expected = shortened(plain(_run(case, Theirs())))
        if os.environ.get("TAPEGRAD_GOLDEN") == "1":
            stored[name] = json.loads(json.dumps(expected))
            _write(area, stored)
        assert name in stored, f"{area}.json lacks {name}; write it with TAPEGRAD_GOLDEN=1"
        _same(f"{name}, stored", stored[name], expected, rtol, atol)
    else:
        assert name in stored, f"{area}.json lacks {name}; write it where Keras is installed"
        expected = stored[name]
    _same(name, found, json.loads(json.dumps(expected)), rtol, atol)


def _run(case: Case, face: Face) -> dict[str, Any]:
    with in_float64(face.keras):
        return case(face)


def plain(value: Any) -> Any:
    """A result as what JSON holds."""
    if hasattr(value, "detach"):
        value = value.detach()
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        if any(hasattr(v, "shape") for v in value):  # they need not be of one shape
            value = dict(enumerate(value))
        else:
            return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(value[k]) for k in sorted(value)}
    return value


def shortened(value: Any) -> Any:
    """Numbers with the 13 digits that a comparison needs, so that the stored files are smaller."""
    if isinstance(value, float):
        return float(f"{value:.13g}")
    if isinstance(value, list):
        return [shortened(v) for v in value]
    return {k: shortened(v) for k, v in value.items()} if isinstance(value, dict) else value


def set_weights(layer: Any, seed: int = 0) -> None:
    """Fixed weights: variances in [0.5, 1.5), all others in [-0.5, 0.5)."""
    low = [0.5 if "variance" in w.name else -0.5 for w in layer.weights]
    values = [
        data(*w.shape, seed=seed + i, low=a, high=a + 1)
        for i, (w, a) in enumerate(zip(layer.weights, low))
    ]
    layer.set_weights(values)
