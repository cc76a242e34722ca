"""Files of models: everything comes back, nothing is run, and damage is named."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from nn import keras
from nn.keras import layers
from nn.keras.archive import CONFIG, WEIGHTS
from tests.faces import data
from tests.keras_models import MODELS, inputs_of, leaves

X = data(6, 4).astype(np.float32)
Y = data(6, 1, seed=2).astype(np.float32)


class OurFace:
    def tensor(self, x: np.ndarray) -> Any:
        return x.astype(np.float32)


def same(a: Any, b: Any, x: Any) -> None:
    x = inputs_of(OurFace(), x)
    for p, q in zip(leaves(a(x)), leaves(b(x)), strict=True):
        assert np.array_equal(p, q)


@pytest.mark.parametrize("name", MODELS)
def test_round_trip(name: str, tmp_path: Path):
    make, x = MODELS[name]
    model = make(keras)
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.models.load_model(path)
    same(model, again, x)
    assert again.to_json() == model.to_json()
    assert type(again) is type(model)
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    assert [w.trainable for w in again.weights] == [w.trainable for w in model.weights]
    from_json = keras.models.model_from_json(model.to_json())
    from_json.set_weights(model.get_weights())
    same(model, from_json, x)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", MODELS)
def test_clones(name: str):
    make, x = MODELS[name]
    model = make(keras)
    twin = keras.models.clone_model(model)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    assert not any(a is b for a in twin.weights for b in model.weights)
    twin.set_weights(model.get_weights())
    same(model, twin, x)


def test_clones_in_other_ways():
    model = MODELS["nested"][0](keras)
    seen: list[str] = []

    def wider(layer: Any) -> Any:
        seen.append(layer.name)
        return type(layer).from_config({**layer.get_config(), "name": f"{layer.name}_b"})

    twin = keras.models.clone_model(model, clone_function=wider, recursive=True)
    assert {"one", "two", "before", "last"} <= set(seen)
    assert twin(X).shape == (6, 2)
    on = keras.Input((4,), name="another")
    based = keras.models.clone_model(model, input_tensors=on)
    assert based.input is on
    stack = keras.models.clone_model(MODELS["sequential"][0](keras), input_tensors=on)
    assert stack(X).shape == (6, 2)
    calls: list[str] = []
    keras.models.clone_model(
        model, call_function=lambda layer, *a, **k: (calls.append(layer.name), layer(*a, **k))[1]
    )
    assert "before" in calls
    own = Counted(5)
    assert keras.models.clone_model(own).units == 5
    with pytest.raises(ValueError, match="subclassed"):
        keras.models.clone_model(own, input_tensors=on)
    with pytest.raises(ValueError, match="call_function"):
        keras.models.clone_model(keras.Sequential(), call_function=print)
    with pytest.raises(ValueError, match="one symbolic tensor"):
        keras.models.clone_model(keras.Sequential(), input_tensors=[1])
    with pytest.raises(ValueError, match="1 inputs"):
        keras.models.clone_model(model, input_tensors=[on, on])


def compiled_model() -> Any:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            layers.Dropout(0.5, seed=3),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01, beta_1=0.8), "mse", metrics=["mae"])
    return model


def test_training_goes_on(tmp_path: Path):
    keras.utils.set_random_seed(1)
    model = compiled_model()
    model.fit(X, Y, epochs=3, batch_size=2, verbose=0)
    path = str(tmp_path / "model.keras")
    model.save(path)
    again = keras.models.load_model(path)
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for a, b in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    for m in (model, again):
        m.layers[1].rate = 0.0  # its stream is not part of the file
        m.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights()):
        assert np.array_equal(a, b)
    bare = keras.models.load_model(path, compile=False)
    with pytest.raises(ValueError, match="compile"):
        bare.fit(X, Y, verbose=0)
    model.save(path, include_optimizer=False)
    assert not keras.models.load_model(path).compiled


def test_a_model_not_built(tmp_path: Path):
    model = keras.Sequential([layers.Dense(3)])
    path = tmp_path / "model.keras"
    with pytest.warns(UserWarning, match="before it is built"):
        model.save(path)
    again = keras.models.load_model(path)
    assert not again.built
    assert again(X).shape == (6, 3)


def test_dtypes(tmp_path: Path):
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layers.Dense(2, dtype="float64")])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert [w.dtype.name for w in again.weights] == ["float64"] * 2
    assert np.array_equal(again(X).detach().numpy(), model(X).detach().numpy())


# Classes of one's own


class Counted(keras.Model):
    def __init__(self, units: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = layers.Dense(units)
        self.steps = self.add_weight((), "zeros", dtype="int64", trainable=False, name="steps")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.steps.assign_add(1)
        return self.inner(x)


@keras.saving.register_keras_serializable(package="tests")
class Shifted(keras.layers.Layer):
    def __init__(self, by: float, activation: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.by, self.activation = by, keras.activations.get(activation)

    def call(self, x: Any) -> Any:
        return self.activation(x + self.by)

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "by": self.by, "activation": activation}


@keras.saving.register_keras_serializable(package="tests")
def doubled(x: Any) -> Any:
    return 2 * x


def test_own_classes(tmp_path: Path):
    path = tmp_path / "m.keras"
    model = Counted(3)
    model(X, training=True)
    model.save(path)
    with pytest.raises(TypeError, match=r"Could not locate class 'Counted'.*custom_objects"):
        keras.models.load_model(path)
    again = keras.models.load_model(path, custom_objects={"Counted": Counted})
    same(model, again, X)
    assert again.steps.numpy() == 1
    with keras.saving.custom_object_scope({"Counted": Counted}):
        assert keras.models.load_model(path).units == 3
    x = keras.Input((4,))
    layered = keras.Model(x, layers.Dense(2, activation=doubled)(Shifted(2.0, "relu", name="s")(x)))
    layered.save(path)
    again = keras.models.load_model(path)
    same(layered, again, X)
    assert isinstance(again.get_layer("s"), Shifted)
    assert again.layers[-1].activation is doubled


def test_what_has_no_config(tmp_path: Path):
    class Wraps(keras.layers.Layer):
        def __init__(self, f: Any, **kwargs: Any):
            super().__init__(**kwargs)
            self.f = f

        def call(self, x: Any) -> Any:
            return x

    model = keras.Sequential([keras.Input((4,)), Wraps(object())])
    with pytest.raises(NotImplementedError, match=r"(?s)Wraps.*get_config"):
        model.save(tmp_path / "m.keras")
    with_module = keras.Sequential([keras.Input((4,)), nn.Linear(4, 2)])
    with pytest.raises(NotImplementedError, match="Linear, which has no config"):
        with_module.save(tmp_path / "m.keras")
    with_module.save_weights(tmp_path / "m.weights.h5")
    before = with_module(X).tolist()
    with_module.set_weights([w * 0 for w in with_module.get_weights()])
    with_module.load_weights(tmp_path / "m.weights.h5")
    assert with_module(X).tolist() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "m.weights.h5"]

    class Strict(keras.layers.Layer):
        def __init__(self, units: int):
            super().__init__()
            self.units = units

    assert Strict.from_config(Strict(3).get_config()).units == 3

    class Forgets(keras.layers.Layer):
        def __init__(self, units: int, **kwargs: Any):
            super().__init__(**kwargs)

        def get_config(self) -> dict[str, Any]:
            return super().get_config()

    with pytest.raises(TypeError, match=r"(?s)Forgets.*config=.*units"):
        Forgets.from_config(Forgets(3).get_config())


def test_lambdas(tmp_path: Path):
    path = tmp_path / "m.keras"
    shift = 3.0
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x, by=1.0: x * by + shift)])
    model.save(path)
    with pytest.raises(ValueError, match=r"lambda.*safe_mode=False"):
        keras.models.load_model(path)
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.models.model_from_json(model.to_json())
    same(model, keras.models.load_model(path, safe_mode=False), X)
    with pytest.raises(ValueError, match="safe_mode"):  # the permission was for one file
        keras.models.load_model(path)
    named = keras.Sequential([keras.Input((4,)), layers.Lambda(doubled)])
    named.save(path)
    same(named, keras.models.load_model(path), X)


HOSTILE = {
    "a module": {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
    "a function of Python": {"module": "builtins", "class_name": "eval", "config": {}},
    "a private name": {"module": "keras.layers", "class_name": "__loader__", "config": {}},
    "a function as a class": {
        "module": "keras.utils",
        "class_name": "set_random_seed",
        "config": {},
    },
    "a module inside": {"module": "keras.layers", "class_name": "saving", "config": {}},
    "another root": {"module": "subprocess", "class_name": "Popen", "config": {"args": "true"}},
    "keras in front": {"module": "keras.os", "class_name": "system", "config": {}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_name_no_code(name: str):
    with pytest.raises(TypeError, match="Could not locate class"):
        keras.models.model_from_json(json.dumps(HOSTILE[name]))


def test_functions_name_no_code():
    for function in ("eval", "exec", "__import__", "set_random_seed"):
        described = {"module": "builtins", "class_name": "function", "config": function}
        with pytest.raises(TypeError, match="Could not locate function"):
            keras.saving.deserialize_keras_object(described)


# Weights


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".keras"])
def test_weights(ending: str, tmp_path: Path):
    path = tmp_path / f"w{ending}"
    model, other = MODELS["nested"][0](keras), MODELS["nested"][0](keras)
    model.save(path) if ending == ".keras" else model.save_weights(path)
    other.load_weights(path)
    same(model, other, X)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite"):
        model.save_weights(tmp_path / "w.safetensors", overwrite=False) if (
            ending == ".safetensors"
        ) else model.save(path, overwrite=False) if ending == ".keras" else model.save_weights(
            path, overwrite=False
        )
    assert path.read_bytes() == before


def stack(*units: int) -> Any:
    return keras.Sequential([keras.Input((4,)), *map(layers.Dense, units)], name="s")


def test_mismatched_weights(tmp_path: Path):
    path = tmp_path / "w.weights.h5"
    stack(3, 2).save_weights(path)
    other = stack(3, 5)
    before = other.get_weights()
    with pytest.raises(
        ValueError,
        match=r"(?s)2 of 4.*dense\w*/kernel' \(3, 2\) for .*\(3, 5\) of layer 'dense\w*'",
    ):
        other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))
    with pytest.raises(ValueError, match=r"4 weights, but 's' has 2.*In the model"):
        stack(3).load_weights(path)
    with pytest.warns(UserWarning, match="not all weights"):
        other.load_weights(path, skip_mismatch=True)
    assert np.array_equal(other.get_weights()[3], before[3])
    assert not np.array_equal(other.get_weights()[0], before[0])
    with pytest.raises(ValueError, match="not built"):
        keras.Sequential([layers.Dense(3)]).load_weights(path)
    with pytest.raises(ValueError, match="by_name"):
        other.load_weights(path, by_name=True)
    with pytest.raises(ValueError, match="unexpected"):
        other.load_weights(path, foo=True)


def test_a_state_dict(tmp_path: Path):
    model = stack(3)
    nn.save(model.state_dict(), tmp_path / "state.safetensors")
    twin = stack(3)
    twin.load_weights(tmp_path / "state.safetensors")
    same(model, twin, X)


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "ending": (lambda p: stack(1).save(p / "m.foo"), "Please add a `.keras`"),
    "ending of weights": (lambda p: stack(1).save_weights(p / "m.foo"), "must end in"),
    "no path": (lambda p: stack(1).save(3), "expected a path"),
    "folder": (lambda p: stack(1).save(p / "nowhere" / "m.keras"), "no folder"),
    "format": (lambda p: stack(1).save(p / "m.keras", save_format="tf"), "only format"),
    "unzipped": (lambda p: stack(1).save(p / "m.keras", zipped=False), "zipped=False"),
    "missing file": (lambda p: keras.models.load_model(p / "m.keras"), "File not found"),
    "missing weights": (lambda p: stack(1).load_weights(p / "m.keras"), "File not found"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str, tmp_path: Path):
    call, text = WRONG[name]
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=text):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_hdf5_names(tmp_path: Path):
    with pytest.warns(UserWarning, match="not HDF5"):
        stack(2).save(tmp_path / "m.h5")
    assert keras.models.load_model(tmp_path / "m.h5")(X).shape == (6, 2)


# Damage


def saved(tmp_path: Path) -> tuple[Any, Path, bytes]:
    model = compiled_model()
    model.fit(X, Y, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    return model, path, path.read_bytes()


def test_any_damage_is_found(tmp_path: Path):
    model, path, raw = saved(tmp_path)
    rng = np.random.default_rng(0)
    same_result, messages = 0, []
    for i in range(120):
        broken = bytearray(raw)
        if i % 3 == 0:
            broken = broken[: int(rng.integers(0, len(raw)))]
        else:
            broken[int(rng.integers(0, len(raw)))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(broken))
        try:
            again = keras.models.load_model(path)
        except nn.FileError as error:
            messages.append(str(error))
        else:  # a byte that means nothing, such as the time in a header of the zip archive
            same(model, again, X)
            same_result += 1
    assert same_result < 20
    assert all(str(path) in message for message in messages)


def test_a_changed_architecture_is_found(tmp_path: Path):
    """A file put together by hand, whose parts do not fit."""
    _, path, raw = saved(tmp_path)

    def with_parts(**changed: bytes | None) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                content = changed.get(name.split(".")[0], old.read(name))
                if content is not None:
                    new.writestr(name, content)
        path.write_bytes(out.getvalue())

    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read(CONFIG))
        assert archive.namelist() == ["metadata.json", "config.json", WEIGHTS]
    config["config"]["layers"][-1]["config"]["units"] = 9
    with_parts(config=json.dumps(config).encode())
    with pytest.raises(ValueError, match=r"shapes of \d of \d+ weights do not match"):
        keras.models.load_model(path)
    for changes, text in (
        ({"config": b"[]"}, "no object"),
        ({"config": b"{"}, "damaged"),
        ({"config": None}, "without config.json"),
        ({"model": b"123"}, "damaged|empty|not"),
        ({"metadata": b'{"format": 99}'}, "newer tapegrad"),
        ({"metadata": b"{}"}, "newer tapegrad"),
        (
            {"config": json.dumps(keras.saving.serialize_keras_object(X[:1])).encode()},
            "not a model",
        ),
    ):
        with_parts(**changes)
        with pytest.raises(nn.FileError, match=text) as caught:
            keras.models.load_model(path)
        assert str(path) in str(caught.value)


def test_an_endless_architecture_is_refused(tmp_path: Path):
    _, path, raw = saved(tmp_path)
    config = b"1"
    for _ in range(600):
        config = (
            b'{"class_name": "Sequential", "module": "keras", "config": {"layers": [%b]}}' % config
        )
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, config if name == CONFIG else old.read(name))
    with pytest.raises(nn.FileError, match=r"nested too deeply|damaged"):
        keras.models.load_model(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "an empty file"),
        (b"hello", "not a .keras file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5"),
    ],
)
def test_other_files(content: bytes, text: str, tmp_path: Path):
    path = tmp_path / "m.keras"
    path.write_bytes(content)
    with pytest.raises(nn.FileError, match=text):
        keras.models.load_model(path)
    with pytest.raises(nn.FileError):
        stack(1).load_weights(path)


def test_files_of_keras_itself(tmp_path: Path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    with pytest.raises(nn.FileError, match="written by Keras itself"):
        keras.models.load_model(path)


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model, path, raw = saved(tmp_path)

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        model.save(path)
    assert path.read_bytes() == raw
    assert list(tmp_path.iterdir()) == [path]


def test_configs_of_real_keras_are_read():
    """A description as Keras 3.15 writes it, with its own modules and entries."""
    text = (Path(__file__).parent / "golden" / "keras_functional.json").read_text()
    stored = json.loads(text)
    for name, (_, x) in MODELS.items():
        with pytest.MonkeyPatch.context():
            model = keras.models.model_from_json(stored[name]["config"])
        assert [layer.name for layer in model.layers] == stored[name]["layers"]
        assert [w.path for w in model.weights] == stored[name]["paths"]
        assert model.weights[0].dtype == np.float64
        y = leaves(model(inputs_of(Doubles(), x)))
        assert [list(v.shape) for v in y] == [
            list(np.shape(v)) for v in stored[name]["out"].values()
        ] or len(y) == 1


class Doubles:
    def tensor(self, x: np.ndarray) -> Any:
        return autograd.tensor(x)
