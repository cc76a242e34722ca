"""Sequential, functional and subclassed models against Keras 3.

Outputs, gradients, the order and paths of weights, JSON and printed summaries are Keras' own,
in float64.
"""

from __future__ import annotations

import copy
import gc
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from nn import keras
from nn.keras import layers
from tests.faces import data
from tests.keras_faces import check, set_weights
from tests.keras_models import MODELS, X, Y, incremental, inputs_of, leaves, wide


def described(config: Any) -> Any:
    """A config without the masks that Keras notes even where there is none."""
    if isinstance(config, dict):
        kept = {k: described(v) for k, v in config.items()}
        if kept.get("kwargs") == {"mask": None}:
            kept["kwargs"] = {}
        return kept
    return [described(part) for part in config] if isinstance(config, list) else config


def run(make: Any, x: Any) -> Any:
    """What a model is and gives, with fixed weights."""

    def case(face: Any) -> dict[str, Any]:
        face.keras.utils.clear_session()
        model = make(face.keras)
        set_weights(model)
        given = inputs_of(face, x)
        tensors = list(given.values()) if isinstance(given, dict) else given
        flat = tensors if isinstance(tensors, list) else [tensors]

        def total(*parts: Any) -> Any:
            nest = dict(zip(given, parts)) if isinstance(given, dict) else list(parts)
            nest = nest if isinstance(given, (dict, list)) else parts[0]
            y = model(nest, training=make is not incremental)  # whose dropout would draw
            y = list(y.values()) if isinstance(y, dict) else y
            y = y if isinstance(y, list) else [y]
            return sum(face.keras.ops.sum(t * t * (i + 1.0)) for i, t in enumerate(y))

        before = leaves(model(given))
        _, by_input, by_weight = face.grads(total, flat, lambda: model.trainable_weights)
        return {
            "out": before,
            "out of arrays": leaves(model(x)),
            "by input": by_input,
            "by weight": by_weight,
            "after training": leaves(model(given)),
            "name": model.name,
            "layers": [layer.name for layer in model.layers],
            "paths": [w.path for w in model.weights],
            "trainable": [w.path for w in model.trainable_weights],
            "shapes": [str(tuple(w.shape)) for w in model.weights],
            "params": model.count_params(),
            "config": json.dumps(described(json.loads(model.to_json())), sort_keys=True),
        }

    return case


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str):
    check("functional", name, run(*MODELS[name]))


SUMMARIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "expanded": {"expand_nested": True},
    "trainable": {"show_trainable": True},
    "narrow": {"line_length": 60},
    "broad": {"line_length": 140, "show_trainable": True, "expand_nested": True},
    "positions": {"positions": [0.5, 0.75, 0.9, 1.0]},
}


CHAINS = ("sequential", "incremental", "deferred", "frozen", "one shape", "wide")


def summary(make: Any, options: dict[str, Any]) -> Any:
    def case(face: Any) -> dict[str, Any]:
        face.keras.utils.clear_session()
        lines: list[str] = []
        make(face.keras).summary(print_fn=lines.append, **options)
        return {"text": lines}

    return case


@pytest.mark.parametrize("options", SUMMARIES)
@pytest.mark.parametrize("name", [*MODELS, "wide"])
def test_summary(name: str, options: str, monkeypatch: pytest.MonkeyPatch):
    make = wide if name == "wide" else MODELS[name][0]
    given = dict(SUMMARIES[options])
    if options == "positions" and name in CHAINS:
        given["positions"] = [0.5, 0.75, 1.0]
    monkeypatch.setenv("COLUMNS", "160" if options == "broad" else "80")
    check("summary", f"{name}, {options}", summary(make, given))


def test_summary_with_an_optimizer(monkeypatch: pytest.MonkeyPatch):
    def case(face: Any) -> dict[str, Any]:
        face.keras.utils.clear_session()
        model = MODELS["frozen"][0](face.keras)
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        lines: list[str] = []
        model.summary(print_fn=lines.append)
        return {"text": [line for line in lines[0].split("\n") if "Optimizer params" in line]}

    monkeypatch.setenv("COLUMNS", "80")
    check("summary", "with an optimizer", case)


class Residual(keras.layers.Layer):
    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.first = layers.Dense(units, activation="relu")
        self.rest = [layers.Dropout(0.5)]

    def build(self, input_shape: Any) -> None:
        self.rest.append(layers.Dense(input_shape[-1]))

    def call(self, x: Any, training: bool | None = None) -> Any:
        h = self.first(x)
        for layer in self.rest:
            h = layer(h)
        return x + h


class Net(keras.Model):
    def __init__(self, units: int = 3, **kwargs: Any):
        super().__init__(**kwargs)
        self.body = Residual(units)
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}
        self.scale = self.add_weight((1,), initializer="ones", name="scale")

    def call(self, x: Any) -> Any:
        h = self.body(x)
        return self.heads["a"](h) * self.scale, self.heads["b"](h)


def test_subclassed():
    keras.utils.clear_session()
    model = Net()
    assert not model.built
    assert [w.path for w in model.weights] == ["net/scale"]
    a, b = model(X)
    assert (a.shape, b.shape) == ((5, 1), (5, 2))
    assert [w.path for w in model.weights] == [
        "net/scale",
        *("net/residual/dense/kernel", "net/residual/dense/bias"),
        *("net/residual/dense_3/kernel", "net/residual/dense_3/bias"),
        *("net/dense_1/kernel", "net/dense_1/bias", "net/dense_2/kernel", "net/dense_2/bias"),
    ]
    assert model.count_params() == 1 + 15 + 16 + 5 + 10
    assert len(list(model.parameters())) == len(model.weights)
    assert np.array_equal(a.detach().numpy(), model(X)[0].detach().numpy())  # no dropout
    assert not np.array_equal(model(X, training=True)[0].detach().numpy(), a.detach().numpy())
    assert [layer.name for layer in model.layers] == ["residual", "dense_1", "dense_2"]


def test_subclassed_in_a_functional_model():
    x = keras.Input((4,))
    net = Net()
    outputs = net(x)
    assert [y.shape for y in outputs] == [(None, 1), (None, 2)]
    model = keras.Model(x, outputs)
    before = [w.numpy() for w in net.weights]
    a, b = model(X)
    assert np.array_equal(a.detach().numpy(), net(X)[0].detach().numpy())
    assert all(np.array_equal(v, w.numpy()) for v, w in zip(before, net.weights))
    assert b.shape == (5, 2)


def test_build_by_shape():
    model = Net()
    model.build((None, 4))
    assert model.built
    assert len(model.weights) == 9
    assert model.compute_output_shape((7, 4)) == ((7, 1), (7, 2))


def test_functional_subclass():
    class Named(keras.Model):
        def __init__(self, units: int):
            x = keras.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), name="own")
            self.units = units

    model = Named(3)
    assert model.name == "own"
    assert model(X).shape == (5, 3)
    assert model.output_shape == (None, 3)


def test_intermediate_outputs():
    x = keras.Input((4,))
    h = layers.Dense(3, name="hidden")(x)
    model = keras.Model(x, layers.Dense(2)(h))
    part = keras.Model(model.input, model.get_layer("hidden").output)
    kernel, bias = model.get_layer("hidden").get_weights()
    np.testing.assert_allclose(part(X).detach().numpy(), X @ kernel + bias, atol=1e-5)
    assert part.weights[0] is model.weights[0]
    stack = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="h"), layers.Dense(1)])
    features = keras.Model(stack.inputs, stack.get_layer("h").output)
    assert features(X).shape == (5, 3)
    assert stack.get_layer(index=1).output_shape == (None, 1)


def test_declared_shapes():
    with pytest.warns(UserWarning, match="input_shape"):
        model = keras.Sequential([layers.Dense(3, input_shape=(4,)), layers.Dense(2)])
    assert (model.built, model.input_shape, model.output_shape) == (True, (None, 4), (None, 2))
    with pytest.warns(UserWarning, match="input_dim"):
        model = keras.Sequential([layers.Dense(3, input_dim=4)])
    assert model.input_shape == (None, 4)


def test_first_data_builds():
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    assert not model.built
    assert model.weights == []
    assert model(X).shape == (5, 2)
    assert model.built
    assert model(X[:2]).shape == (2, 2)  # the batch size of the first data binds nothing
    index = keras.Sequential([layers.Embedding(5, 3), layers.Flatten()])
    assert index(np.array([[1, 4], [0, 2]])).shape == (2, 6)


def test_ranks_are_adjusted():
    x = keras.Input((1,))
    model = keras.Model(x, layers.Dense(2)(x))
    assert model(np.ones(3)).shape == (3, 2)
    x = keras.Input(())
    assert keras.Model(x, x * 2.0)(np.ones((3, 1))).shape == (3,)


def test_dtypes_of_inputs():
    x = keras.Input((2,), dtype="int32")
    model = keras.Model(x, layers.Embedding(5, 3)(x))
    assert model(np.array([[1.0, 2.0]])).shape == (1, 2, 3)
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layers.Dense(2, dtype="float64")])
    assert model(X).dtype == np.float64
    assert model.weights[0].dtype == np.float64


def test_both_faces_mix():
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    model = keras.Sequential([keras.Input((4,)), module, layers.Dense(2)])
    assert len(model.weights) == 4
    quiet = model(X)
    assert np.array_equal(quiet.detach().numpy(), model(X).detach().numpy())
    assert not np.array_equal(quiet.detach().numpy(), model(X, training=True).detach().numpy())
    assert not module[1].training or not np.array_equal(model(X).detach().numpy(), 0)
    model.get_layer(index=0).trainable = False
    assert len(model.trainable_weights) == 2

    class Mixed(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.Linear(4, 2)
            self.drop = nn.Dropout(0.5)

        def call(self, x: Any) -> Any:
            return self.drop(self.inside(x))

    mixed = Mixed()
    mixed(X)
    assert not mixed.drop.training
    mixed(X, training=True)
    assert mixed.drop.training
    assert [w.shape for w in mixed.trainable_weights] == [(2, 4), (2,)]
    mixed.set_weights([np.ones((2, 4)), np.zeros(2)])
    np.testing.assert_allclose(mixed(np.ones((1, 4))).detach().numpy(), [[4, 4]])
    keras_inside = nn.Sequential(layers.Dense(3), layers.Dropout(0.5), nn.Linear(3, 1))
    x = autograd.tensor(X.astype(np.float32))
    keras_inside.train()
    assert len({keras_inside(x).sum().item() for _ in range(5)}) > 1
    keras_inside.eval()
    assert len({keras_inside(x).sum().item() for _ in range(5)}) == 1
    keras_inside.double()
    assert keras_inside(autograd.tensor(X)).dtype == np.float64
    step = optim.SGD(keras_inside.parameters(), lr=0.1)
    keras_inside(autograd.tensor(X)).sum().backward()
    step.step()
    state = keras_inside.state_dict()
    assert list(state) == ["0.kernel", "0.bias", "2.weight", "2.bias"]
    keras_inside.load_state_dict({k: v * 0 for k, v in state.items()})
    assert keras_inside(autograd.tensor(X)).sum().item() == 0


def test_hooks():
    layer, seen = layers.Dense(2), []
    layer(X)
    layer(X)
    handle = layer.register_forward_hook(lambda m, args, out: seen.append(out.shape))
    layer(X)
    handle.remove()
    layer(X)
    assert seen == [(5, 2)]
    model = keras.Sequential([keras.Input((4,)), layer])
    model.register_forward_pre_hook(lambda m, args: (args[0] * 0,))
    assert np.array_equal(model(X).detach().numpy(), np.zeros((5, 2)) + layer.bias.numpy())


def test_copies():
    model = MODELS["nested"][0](keras)
    model(X)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(twin(X).detach().numpy(), model(X).detach().numpy())
        twin.set_weights([w * 0 for w in twin.get_weights()])
        assert not np.array_equal(twin(X).detach().numpy(), model(X).detach().numpy())
        assert twin.weights[0].path == model.weights[0].path


def test_freezing():
    model = MODELS["branches"][0](keras)
    model.trainable = False
    assert model.trainable_weights == []
    assert not any(p.requires_grad for p in model.parameters())
    model.trainable = True
    model.layers[1].trainable = False
    total = len(model.weights)
    assert len(model.trainable_weights) + len(model.non_trainable_weights) == total
    out = model([X, Y])[0].sum()
    out.backward()
    assert all(w.grad is None for w in model.layers[1].weights)
    late = layers.Dense(2, trainable=False)
    late(X)
    assert late.trainable_weights == []
    assert not late.kernel.requires_grad


def test_compiled():
    model = MODELS["sequential"][0](keras)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    eager = copy.deepcopy(model)
    eager_optimizer = optim.SGD(eager.parameters(), lr=0.1)
    x = autograd.tensor(X.astype(np.float32))

    def step(m: Any, o: Any, x: Any) -> Any:
        o.zero_grad()
        loss = (m(x, training=True) ** 2).sum()
        loss.backward()
        o.step()
        return loss

    @autograd.compile
    def compiled(x: Any) -> Any:
        return step(model, optimizer, x)

    for _ in range(5):
        assert compiled(x).item() == step(eager, eager_optimizer, x).item()
    assert compiled.plan is not None
    for a, b in zip(model.get_weights(), eager.get_weights()):
        assert np.array_equal(a, b)


def test_a_model_keeps_no_graph():
    gc.collect()
    gc.disable()
    try:
        model = MODELS["sequential"][0](keras)
        out = model(X)
        node = out.grad_fn
        import weakref

        seen = weakref.ref(node)
        del out, node
        assert seen() is None
    finally:
        gc.enable()


def names_it(text: str) -> Any:
    return pytest.raises((ValueError, TypeError, AttributeError, NotImplementedError), match=text)


def functional() -> Any:
    x = keras.Input((4,), name="a")
    return keras.Model(x, layers.Dense(2)(x), name="m")


def stack(*given: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), *given], name="s")


ERRORS: dict[str, tuple[Callable[[], Any], str]] = {
    "wrong size": (
        lambda: functional()(np.ones((2, 5))),
        r"'a' of layer 'm'.*\(None, 4\).*\(2, 5\)",
    ),
    "wrong rank": (lambda: functional()(np.ones((2, 3, 4))), r"expected shape=\(None, 4\)"),
    "too many": (lambda: functional()([X, X]), r"expects 1 input\(s\).*'a'.*received 2"),
    "missing": (lambda: functional()({"b": X}), r"Missing data for input \"a\".*'b'"),
    "no tensor": (lambda: functional()("abc"), "tensor"),
    "not connected": (
        lambda: keras.Model(keras.Input((4,)), layers.Dense(1)(keras.Input((4,)))),
        "not connected",
    ),
    "an array as output": (lambda: keras.Model(keras.Input((4,)), np.ones(3)), "KerasTensors"),
    "an array as input": (lambda: keras.Model(X, keras.Input((4,))), "KerasTensors"),
    "the same input twice": (
        lambda: (lambda x: keras.Model([x, x], layers.Dense(1)(x)))(keras.Input((4,))),
        "different tensors",
    ),
    "positional arguments": (lambda: keras.Model(3), "keyword arguments only"),
    "two layers of one name": (
        lambda: (lambda x: keras.Model(x, layers.Dense(1, name="d")(layers.Dense(1, name="d")(x))))(
            keras.Input((4,))
        ),
        "'d' is used 2 times",
    ),
    "no call": (lambda: keras.Model()(X), "does not have a `call"),
    "no such layer": (lambda: functional().get_layer("dens"), "No such layer: dens"),
    "near layer": (
        lambda: stack(layers.Dense(1, name="hidden")).get_layer("hiden"),
        "Did you mean",
    ),
    "no such index": (lambda: functional().get_layer(index=5), "index 5"),
    "neither": (lambda: functional().get_layer(), "Provide either"),
    "no shape": (lambda: keras.Input(), "pass one of `shape`"),
    "sparse": (lambda: keras.Input((2,), sparse=True), "dense tensors"),
    "add a number": (lambda: keras.Sequential([3]), "keras.Layer"),
    "no list": (lambda: keras.Sequential(layers.Dense(1)), "list of layers"),
    "a name twice": (
        lambda: stack(layers.Dense(1, name="a"), layers.Dense(1, name="a")),
        "unique names",
    ),
    "another input": (lambda: stack(layers.Dense(1)).add(keras.Input((3,))), "already been config"),
    "pop of nothing": (lambda: keras.Sequential().pop(), "no layer to pop"),
    "build of nothing": (lambda: keras.Sequential().build((None, 2)), "no layers"),
    "build without a shape": (lambda: keras.Sequential([layers.Dense(1)]).build(), "not known"),
    "shape of the unbuilt": (lambda: keras.Sequential([layers.Dense(1)]).input_shape, "not built"),
    "inputs of a subclass": (lambda: Net().inputs, "no flat_inputs|no inputs"),
    "inner mismatch": (
        lambda: stack(layers.Dense(3), layers.Reshape((4,))),
        "reshape",
    ),
    "no text": (lambda: keras.models.model_from_json("{"), "no JSON"),
    "too narrow": (lambda: functional().summary(line_length=8), "Insufficient"),
    "positions": (lambda: functional().summary(positions=[0.5, 1.0]), "3 columns"),
    "range of one": (lambda: functional().summary(layer_range=["a"]), "length 2|two strings"),
    "range of none": (lambda: functional().summary(layer_range=["x", "y"]), "do not match"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str):
    call, text = ERRORS[name]
    with names_it(text):
        call()


def test_errors_inside_name_the_layer():
    class Odd(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x @ autograd.ones(7, 2)

    with pytest.raises(Exception, match=r"Odd.call\(\) of layer 'odd'.*\n.*\n.*\n") as caught:
        keras.Sequential([Odd(name="odd")])(X)
    assert "(5, 4)" in str(caught.value)


def test_layer_range(capsys: pytest.CaptureFixture[str]):
    MODELS["residual"][0](keras).summary(layer_range=["dense0", "add1"])
    text = capsys.readouterr().out
    assert "add0" in text
    assert "add1" in text
    assert "dense2" not in text
    assert text.startswith('Model: "residual"\n┏')


def test_deep_models():
    x = h = keras.Input((2,))
    shift = layers.Rescaling(1.0, offset=1.0)
    for _ in range(1500):  # deeper than Python's stack
        h = shift(h)
    model = keras.Model(x, h)
    assert model(np.zeros((1, 2))).tolist() == [[1500.0, 1500.0]]


def test_order_of_a_dict():
    keras.utils.clear_session()
    model = MODELS["by name"][0](keras)
    x = {"second": data(2, 3, seed=3), "first": data(2, 4, seed=3)}
    assert sorted(model(x)) == ["u", "v"]
    assert model.input_shape == {"first": (None, 4), "second": (None, 3)}
    assert model.output_names == ["u", "v"]
    with_more = model({**x, "unused": 3.0 * x["first"]})
    assert np.array_equal(with_more["u"].detach().numpy(), model(x)["u"].detach().numpy())
