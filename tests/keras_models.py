"""The table of models that `tests/test_keras_functional.py` and others run on both faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.faces import data

X = data(5, 4)
Y = data(5, 3, seed=1)
Maker = Callable[[Any], Any]


def sequential(k: Any) -> Any:
    l = k.layers  # noqa: E741
    stack = [k.Input((4,)), l.Dense(3, activation="relu"), l.BatchNormalization(), l.Dense(2)]
    return k.Sequential(stack)


def incremental(k: Any) -> Any:
    model = k.Sequential(name="grown")
    model.add(k.Input((4,)))
    model.add(k.layers.Dense(3, activation="tanh"))
    model.add(k.layers.Dense(7))
    model.pop()
    model.add(k.layers.Dropout(0.25))
    model.add(k.layers.Dense(1, activation="sigmoid"))
    return model


def deferred(k: Any) -> Any:
    model = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)])
    model.build((None, 4))
    return model


def branches(k: Any) -> Any:
    l = k.layers  # noqa: E741
    x, y = k.Input((4,), name="x"), k.Input((3,), name="y")
    a = l.Dense(3, activation="relu")(x)
    joined = l.Concatenate()([a, y])
    b = l.Dense(2, activation="softmax", name="classes")(joined)
    return k.Model([x, y], [b, l.Add()([a, y])])


def by_name(k: Any) -> Any:
    l = k.layers  # noqa: E741
    x, y = k.Input((4,), name="first"), k.Input((3,), name="second")
    joined = l.Concatenate(name="both")([l.Dense(2, name="d")(x), y])
    outputs = {"u": l.Dense(2, name="u")(joined), "v": l.Dense(1, name="v")(joined)}
    return k.Model({"first": x, "second": y}, outputs, name="named")


def shared(k: Any) -> Any:
    l = k.layers  # noqa: E741
    x = k.Input((3,))
    both = l.Dense(3, name="both")
    return k.Model(x, l.Average()([both(x), both(l.Dense(3, name="pre")(x))]))


def nested(k: Any) -> Any:
    l = k.layers  # noqa: E741
    x = k.Input((4,))
    h = l.Dense(3, name="one")(x)
    inner = k.Model(x, [h, l.Dense(2, name="two")(h)], name="inner")
    z = k.Input((4,), name="z")
    twice = inner(l.Dense(4, name="before")(z))
    stack = k.Sequential([k.Input((5,)), l.Dense(2, name="last")], name="stack")
    return k.Model(z, stack(l.Concatenate()(twice)), name="outer")


def operations(k: Any) -> Any:
    x = k.Input((4,))
    y = k.ops.sin(x * 2.0 + 1.0)[:, :2]
    return k.Model(x, k.layers.Dense(1)(y - k.ops.mean(x, axis=1, keepdims=True)))


def residual(k: Any) -> Any:
    l = k.layers  # noqa: E741
    x = h = k.Input((4,))
    for i in range(3):
        h = l.Add(name=f"add{i}")([h, l.Dense(4, activation="relu", name=f"dense{i}")(h)])
    return k.Model(x, h, name="residual")


def unordered(k: Any) -> Any:
    """Depths, not the order of creation, give the order of layers and weights."""
    l = k.layers  # noqa: E741
    a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
    late = l.Dense(2, name="late")
    deep = l.Dense(2, name="deep")(l.Dense(3, name="deepest")(b))
    joined = l.Concatenate(name="joined")([deep, late(a)])
    return k.Model([a, b], [l.Dense(1, name="out")(joined), deep])


def frozen(k: Any) -> Any:
    model = sequential(k)
    model.layers[0].trainable = False
    return model


def wide(k: Any) -> Any:
    layer = k.layers.Dense(1000, name="a_very_long_layer_name_that_does_not_fit")
    return k.Sequential([k.Input((1000,)), layer, k.layers.Flatten()])


def one_shape(k: Any) -> Any:
    return k.Sequential([k.Input(batch_shape=(5, 4)), k.layers.Dense(2)])


MODELS: dict[str, tuple[Maker, Any]] = {
    "sequential": (sequential, X),
    "incremental": (incremental, X),
    "deferred": (deferred, X),
    "branches": (branches, [X, Y]),
    "by name": (by_name, {"first": X, "second": Y}),
    "shared": (shared, Y),
    "nested": (nested, X),
    "operations": (operations, X),
    "residual": (residual, X),
    "unordered": (unordered, [X, Y]),
    "frozen": (frozen, X),
    "one shape": (one_shape, X),
}


def inputs_of(face: Any, x: Any) -> Any:
    """The arrays of a case as tensors of a face."""
    if isinstance(x, dict):
        return {name: face.tensor(v) for name, v in x.items()}
    if isinstance(x, list):
        return [face.tensor(v) for v in x]
    return face.tensor(x)


def leaves(y: Any) -> list[np.ndarray]:
    """The outputs of a model, flat, as arrays."""
    if isinstance(y, dict):
        y = [y[name] for name in sorted(y)]
    parts = y if isinstance(y, (list, tuple)) else [y]
    return [p.detach().numpy() if hasattr(p, "detach") else p.numpy() for p in parts]
