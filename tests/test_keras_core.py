"""Variables, layers, names, settings, registry and utilities of the Keras face."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
from nn import keras
from nn.keras import layers
from nn.keras.marks import get_mask, set_mask
from nn.keras.registry import nearest
from tests.faces import data
from tests.keras_faces import check

X = data(5, 4)
ERRORS = (ValueError, TypeError, AttributeError, RuntimeError, NotImplementedError)


# Variables


def test_variable():
    v = keras.Variable([[1.0, 2.0]], name="v")
    assert (v.shape, v.dtype.name, v.path, v.trainable, v.requires_grad) == (
        *((1, 2), "float32", "v", True, True),
    )
    before, array = v.version[0], v.array
    v.assign([[3, 4]])
    v.assign_add(1.0)
    v.assign_sub(np.array([[1.0, 2.0]]))
    assert v.numpy().tolist() == [[3, 3]]
    assert v.array is array  # in place
    assert v.version[0] == before + 3
    assert v.is_leaf
    copied = v.numpy()
    copied[...] = 0
    assert v.numpy().sum() == 6
    v.assign(autograd.ones(1, 2, requires_grad=True) * 2)
    assert v.is_leaf
    assert v.numpy().tolist() == [[2, 2]]
    assert (v * v).sum().item() == 8
    assert repr(v).startswith("<Variable path=v, shape=(1, 2), dtype=float32, value=[[2. 2.]]>")


def test_kinds_of_variables():
    count = keras.Variable(0, dtype="int64", trainable=True)
    assert not count.requires_grad
    count.assign_add(2)
    assert count.numpy() == 2
    assert keras.Variable([1, 2]).dtype == np.int32
    assert keras.Variable(np.ones(2)).dtype == np.float64
    made = keras.Variable(lambda shape, dtype: np.full(shape, 3, dtype), shape=(2,))
    assert made.numpy().tolist() == [3, 3]
    assert keras.Variable("zeros", shape=(2,)).numpy().tolist() == [0, 0]
    frozen = keras.Variable(1.0, trainable=False)
    assert not frozen.requires_grad
    frozen.trainable = True
    assert frozen.requires_grad
    for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(keras.Variable([1.0], name="p")))):
        assert isinstance(twin, keras.Variable)
        assert twin.trainable
    owned = np.ones(2)
    keras.Variable(owned).assign([5, 5])
    assert owned.tolist() == [1, 1]


def test_assignment_in_a_compiled_step():
    total, steps = keras.Variable(0.0, trainable=False), keras.Variable(0, trainable=False)

    @autograd.compile
    def step(x: Any) -> Any:
        total.assign_add(x.sum())
        steps.assign_add(1)
        return total * 2.0

    for i in range(6):
        assert step(autograd.ones(3)).item() == 6.0 * (i + 1)
    assert (total.numpy(), steps.numpy()) == (18, 6)
    assert step.plan is not None


# Layers


class Scale(keras.layers.Layer):
    """out = x * scale + shift, with everything that a layer may have."""

    def __init__(self, start: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.start = start
        self.calls: list[Any] = []

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(
            (input_shape[-1],), keras.initializers.Constant(self.start), name="scale"
        )
        self.seen = self.add_weight((), "zeros", dtype="int32", trainable=False, name="seen")

    def call(self, x: Any, training: bool | None = None) -> Any:
        self.calls.append(training)
        if training:
            self.seen.assign_add(1)
        return x * self.scale


def test_a_layer():
    keras.utils.clear_session()
    layer = Scale(2.0)
    assert (layer.name, layer.built, layer.weights) == ("scale", False, [])
    np.testing.assert_allclose(layer(X).detach().numpy(), 2 * X, rtol=1e-6)
    assert [w.path for w in layer.weights] == ["scale/scale", "scale/seen"]
    assert [w.name for w in layer.trainable_weights] == ["scale"]
    assert [w.name for w in layer.non_trainable_weights] == ["seen"]
    assert [n for n, _ in layer.named_parameters()] == ["scale"]
    assert [n for n, _ in layer.named_buffers()] == ["seen"]
    layer(X, training=True)
    layer(X, training=False)
    assert layer.calls == [False, True, False]
    assert layer.seen.numpy() == 1
    assert layer.count_params() == 5
    policy = keras.saving.serialize_keras_object(keras.DTypePolicy("float32"))
    assert layer.get_config() == {"start": 2.0, "trainable": True, "dtype": policy}
    assert layer.compute_output_shape((None, 4)) == (None, 4)
    assert layer.seen.numpy() == 1  # a trial of shapes leaves no trace
    assert repr(layer) == "<Scale name=scale, built=True>"


def test_training_is_passed_on():
    inner = Scale()

    class Outer(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def call(self, x: Any) -> Any:
            return self.inner(x)

    outer = Outer()
    model = keras.Sequential([outer])
    model(X)
    assert set(inner.calls) == {False}  # to find the shapes, and once with the data
    inner.calls.clear()
    model(X)
    model(X, training=True)
    outer(X, training=True)
    outer(autograd.tensor(X), training=None)
    model.train()
    model(X)
    model.eval()
    model(X)
    outer.register_forward_hook(_fail)
    with pytest.raises(RuntimeError, match="no"):
        model(X, training=True)
    outer._forward_hooks.clear()
    model(X)
    assert inner.calls == [False, True, True, False, True, False, True, False]

    class Always(keras.layers.Layer):
        def call(self, x: Any, training: bool = True) -> Any:
            return x * float(training)

    assert Always()(np.ones(2)).sum().item() == 2
    assert Always()(np.ones(2), training=False).sum().item() == 0


def _fail(*_: Any) -> None:
    raise RuntimeError("no")


def test_context_is_of_one_thread():
    seen: list[bool] = []

    class Waits(keras.layers.Layer):
        def call(self, x: Any, training: bool | None = None) -> Any:
            other = threading.Thread(
                target=lambda: seen.append(bool(probe(np.ones(2)).sum().item()))
            )
            other.start()
            other.join()
            return x

    class Tells(keras.layers.Layer):
        def call(self, x: Any, training: bool | None = None) -> Any:
            return x * float(bool(training))

    probe = Tells()
    Waits()(X, training=True)
    assert seen == [False]


def test_names():
    keras.utils.clear_session()
    assert [layers.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert layers.BatchNormalization().name == "batch_normalization"
    assert layers.Dense(1, name="own").name == "own"
    keras.backend.clear_session()
    assert layers.Dense(1).name == "dense"
    assert [keras.backend.get_uid("a") for _ in range(2)] == [1, 2]


def test_state_in_lists_and_dicts():
    class Holder(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = []
            for units in (3, 2):
                self.blocks.append(layers.Dense(units))
            self.pair = (layers.Dense(2), {"deep": [layers.Dense(1)]})
            self.own = [keras.Variable([1.0], name="own")]
            self.plain = [1, 2]
            self.table: dict[str, Any] = {}
            self.table["x"] = layers.Dense(1)

        def call(self, x: Any) -> Any:
            for layer in self.blocks:
                x = layer(x)
            return x

    holder = Holder()
    holder(X)
    assert len(list(holder.children())) == 5
    assert [w.name for w in holder.weights] == ["own", *["kernel", "bias"] * 2]
    assert type(holder.plain) is list
    assert holder.blocks == [holder.blocks[0], holder.blocks[1]]
    twin = copy.deepcopy(holder)
    assert twin.blocks[0] is not holder.blocks[0]
    assert len(twin.weights) == 5
    again = pickle.loads(pickle.dumps(keras.Sequential([keras.Input((4,)), layers.Dense(2)])))
    assert again(X).shape == (5, 2)
    with pytest.raises(ValueError, match="already built"):
        holder.late = layers.Dense(2)
    free = Holder()
    free.blocks.pop()
    assert len(list(free.children())) == 4
    del free.table["x"]
    assert len(list(free.children())) == 3


def test_weights_are_listed_once():
    shared = layers.Dense(4)
    model = keras.Sequential([keras.Input((4,)), shared, keras.Sequential([shared])])
    assert len(model.weights) == 2
    assert len(model.get_weights()) == 2


def test_losses():
    class Penalty(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(keras.ops.sum(x))
            return x

    penalty = Penalty()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2, kernel_regularizer="l2", kernel_initializer="ones"),
            penalty,
            penalty_again := Penalty(),
        ]
    )
    assert len(model.losses) == 1
    for _ in range(3):
        model(np.ones((1, 2)))
    assert [round(x.item(), 4) for x in model.losses] == [4.0, 4.0, 0.04]
    penalty(np.ones((1, 2)))
    penalty(np.ones((1, 2)))
    assert [x.item() for x in penalty.losses] == [2.0]
    assert len(penalty_again.losses) == 1
    sum(model.losses).backward()
    assert model.layers[0].kernel.grad is not None
    model.layers[0].trainable = False
    model(np.ones((1, 2)))
    assert len(model.losses) == 2  # penalties are for what is trained
    with pytest.raises(ValueError, match="add_loss"):
        penalty.add_loss(3.0)


def test_activity_regularizer():
    def case(face: Any) -> dict[str, Any]:
        layer = face.keras.layers.Dense(3, activity_regularizer=face.keras.regularizers.L2(0.5))
        layer.build((None, 4))
        layer.set_weights([data(4, 3), data(3)])
        layer(face.tensor(X))
        layer(face.tensor(X))
        return {"losses": list(layer.losses)}

    check("core", "activity", case)


def test_metrics_of_a_layer():
    class Counts(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.mean = keras.metrics.Mean(name="m")

        def call(self, x: Any) -> Any:
            self.mean.update_state(x)
            return x

    layer = Counts()
    layer(np.ones((2, 2)))
    outer = keras.Sequential([layer])
    assert [m.name for m in layer.metrics] == ["m"]
    assert layer.weights == []
    assert [m.name for m in outer._flatten_layers() for m in getattr(m, "_metrics", [])] == ["m"]


def test_casting():
    layer = layers.Dense(2)
    assert layer(X).dtype == np.float32  # float64 is cast to what the layer computes in
    assert layer(autograd.tensor(X)).dtype == np.float32
    kept = layers.Dense(2, dtype="float64")
    assert kept(X.astype(np.float32)).dtype == np.float64
    assert layer(np.ones((2, 4), np.uint16)).dtype == np.float32
    assert layers.Rescaling(2.0)(X.astype(">f4")).dtype == np.float32

    class Free(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    assert Free(autocast=False)(X).dtype == np.float64
    assert Free()(np.array([1, 2])).dtype == np.int64
    layer.double()
    assert (layer.dtype, layer(X).dtype) == ("float64", np.float64)
    assert layer(X.astype(np.float32)).dtype == np.float64


def test_settings():
    assert (keras.config.floatx(), keras.backend.epsilon()) == ("float32", 1e-7)
    try:
        keras.config.set_floatx("float64")
        assert layers.Dense(2)(X).dtype == np.float64
        assert keras.ops.zeros((2,)).dtype == np.float64
        keras.config.set_dtype_policy("float32")
        assert layers.Dense(2)(X).dtype == np.float32
        keras.config.set_epsilon(1e-3)
        assert keras.config.epsilon() == 1e-3
        with pytest.raises(ValueError, match="float16"):
            keras.config.set_floatx("float16")
        with pytest.raises(ValueError, match="mixed_float16"):
            layers.Dense(2, dtype="mixed_float16")
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
    assert keras.config.dtype_policy() == keras.DTypePolicy("float32")
    assert keras.config.backend() == "tapegrad"
    assert keras.config.image_data_format() == "channels_last"
    keras.config.disable_interactive_logging()
    assert not keras.config.is_interactive_logging_enabled()
    keras.config.enable_interactive_logging()


def test_masks_pass_through():
    class Keeps(keras.layers.Layer):
        def __init__(self, keeps: bool) -> None:
            super().__init__()
            self.supports_masking = keeps

        def call(self, x: Any) -> Any:
            return x * 1.0

    class Uses(keras.layers.Layer):
        def call(self, x: Any, mask: Any = None) -> Any:
            return x if mask is None else x * mask.unsqueeze(-1)

    x = autograd.ones(1, 2, 3)
    set_mask(x, autograd.tensor([[True, False]]))
    kept = Keeps(True)
    assert get_mask(kept(x)).tolist() == [[True, False]]
    assert get_mask(kept(x)) is not None  # on the short way too
    assert get_mask(kept(autograd.ones(1, 2, 3))) is None
    uses = Uses()
    uses.supports_masking = True
    assert uses(kept(x)).sum().item() == 3
    with pytest.warns(UserWarning, match="does not support masking"):
        assert get_mask(Keeps(False)(x)) is None


def test_shapes_of_symbolic_calls():
    x = keras.Input((None, 3))
    layer = layers.Dense(2)
    y = layer(x)
    assert (layer.input is x, layer.output is y) == (True, True)
    assert (layer.input_shape, layer.output_shape) == ((None, None, 3), (None, None, 2))
    free = layers.Lambda(lambda t: t.sum(1))(x)
    assert (free.shape, free.dtype) == ((None, 3), "float32")
    assert repr(keras.Input((3,), name="i")) == (
        "<KerasTensor shape=(None, 3), dtype=float32, sparse=False, ragged=False, name=i>"
    )


def test_several_inputs_to_build():
    class Mix(keras.layers.Layer):
        def build(self, left_shape: Any, right_shape: Any) -> None:
            self.shapes = (left_shape, right_shape)

        def call(self, left: Any, right: Any) -> Any:
            return left + right.sum()

    mix = Mix()
    mix(np.ones((2, 3)), right=np.ones((4, 5)))
    assert mix.shapes == ((2, 3), (4, 5))
    assert mix.get_build_config() == {"shapes_dict": {"left_shape": (2, 3), "right_shape": (4, 5)}}


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "axis": (lambda: _dense()(np.ones((2, 5))), r"layer 'd'.*axis -1.*value 4.*\(2, 5\)"),
    "axis, again": (lambda: (_dense()(X), _dense()(np.ones((2, 5)))), "axis -1"),
    "rank": (lambda: _dense()(np.ones(4)), "min_ndim=2, found ndim=1"),
    "a list": (lambda: layers.Dense(3)([[1.0, 2.0]]), "np.asarray"),
    "text": (lambda: layers.Dense(3)(np.array(["a"])), "dtype <U1|encode text"),
    "nothing": (lambda: layers.Dense(3)(), "without an input"),
    "unknown keyword": (lambda: layers.Dense(3, foo=1), "Unrecognized keyword.*Dense.*foo"),
    "bad name": (lambda: layers.Dense(3, name="a/b"), "cannot contain `/`"),
    "weights": (lambda: _dense().set_weights([np.ones((4, 3))]), "'d'.*length 1.*expecting 2"),
    "shapes": (
        lambda: _dense().set_weights([np.ones((4, 2)), np.ones(3)]),
        r"d/kernel.*\(4, 3\).*\(4, 2\)",
    ),
    "no output": (lambda: layers.Dense(3).output, "never been called"),
    "unbuilt": (lambda: layers.Dense(3).count_params(), "isn't built"),
    "no call": (lambda: layers.Layer()(X), "does not have a `call"),
    "forgotten init": (lambda: _forgetful()(X), "super\\(\\).__init__"),
    "assign": (lambda: keras.Variable([1.0, 2.0], name="v").assign([1.0]), r"\(2,\).*\(1,\).*v"),
    "text as a variable": (lambda: keras.Variable(["a"]), "numbers"),
    "no shape": (lambda: keras.Variable(lambda s, dtype: s), "shape"),
    "wrong initializer": (
        lambda: keras.Variable(lambda s, dtype: np.ones(3), shape=(2,)),
        r"\(3,\).*\(2,\)",
    ),
    "variable name": (lambda: keras.Variable(1.0, name="a/b"), "cannot contain"),
    "float of a symbol": (lambda: float(keras.Input((2,))), "symbolic"),
    "int of a symbol": (lambda: int(keras.Input((2,))), "symbolic"),
    "array of a symbol": (lambda: np.asarray(keras.Input((2,))), "symbolic"),
    "bool of a symbol": (lambda: bool(keras.Input((2,))), "symbolic"),
    "iteration of a symbol": (lambda: list(keras.Input((2,))), "symbolic"),
    "unknown name": (lambda: keras.nothing, "no attribute 'nothing'"),
    "a dtype": (lambda: keras.Input((2,), dtype="float16"), "float16"),
    "a string": (lambda: keras.Input((2,), dtype="string"), "encode text"),
    "seed": (lambda: keras.utils.set_random_seed("a"), "integer"),
}


def _dense() -> Any:
    layer = layers.Dense(3, name="d")
    layer.build((None, 4))
    return layer


def _forgetful() -> Any:
    class Forgetful(keras.layers.Layer):
        def __init__(self) -> None:
            self.units = 3

    return Forgetful()


@pytest.mark.parametrize("name", BAD)
def test_errors(name: str):
    call, text = BAD[name]
    with pytest.raises(ERRORS, match=text):
        call()


def test_input_spec():
    spec = keras.InputSpec(shape=(None, 3), name="x")
    assert spec.failure((2, 3), "float32") is None
    assert "expected shape" in spec.failure((2, 4), "float32")
    assert "ndim=2" in spec.failure((2, 3, 1), "float32")
    squeezes = keras.InputSpec(shape=(None, 1), allow_last_axis_squeeze=True)
    assert squeezes.failure((5,), "float32") is None
    assert "max_ndim" in keras.InputSpec(max_ndim=1).failure((2, 2), "float32")
    assert "dtype" in keras.InputSpec(dtype="int32").failure((2,), "float32")
    assert keras.InputSpec.from_config(spec.get_config()).shape == (None, 3)
    assert repr(spec) == "InputSpec(shape=(None, 3), ndim=2, name=x)"

    class Two(keras.layers.Layer):
        def __init__(self, spec: Any) -> None:
            super().__init__()
            self.input_spec = spec

        def call(self, x: Any) -> Any:
            return x

    two = [keras.InputSpec(ndim=1), keras.InputSpec(ndim=2, name="b")]
    Two(two)([np.ones(2), np.ones((2, 2))])
    with pytest.raises(ValueError, match=r"expects 2 input\(s\). Received 1"):
        Two(two)(np.ones(2))
    with pytest.raises(ValueError, match="Input 1 with name 'b'"):
        Two(two)([np.ones(2), np.ones(2)])
    named = {"a": keras.InputSpec(ndim=1), "b": keras.InputSpec(ndim=1)}
    Two(named)({"b": np.ones(2), "a": np.ones(3)})
    with pytest.raises(ValueError, match='Missing data for input "b"'):
        Two(named)({"a": np.ones(3)})


# Names of things


def test_registry():
    @keras.saving.register_keras_serializable(package="mine", name="Other")
    class Own(keras.layers.Layer):
        pass

    @keras.utils.register_keras_serializable()
    def triple(x: Any) -> Any:
        return 3 * x

    try:
        assert keras.saving.get_registered_name(Own) == "mine>Other"
        assert keras.saving.get_registered_object("mine>Other") is Own
        assert keras.activations.get("triple") is triple
        described = keras.saving.serialize_keras_object(triple)
        assert described["registered_name"] == "Custom>triple"
        assert keras.saving.deserialize_keras_object(described) is triple
    finally:
        for name in ("mine>Other", "Custom>triple"):
            del keras.utils.get_custom_objects()[name]
    with keras.utils.custom_object_scope({"quad": lambda x: 4 * x}):
        assert keras.activations.get("quad")(2) == 8
    with pytest.raises(ValueError, match="quad"):
        keras.activations.get("quad")
    with pytest.raises(ValueError, match="get_config"):

        @keras.saving.register_keras_serializable()
        class Bare:
            pass


@pytest.mark.parametrize(
    ("get", "name", "near"),
    [
        (keras.activations.get, "relo", "relu"),
        (keras.losses.get, "mean_squard_error", "mean_squared_error"),
        (keras.optimizers.get, "adm", "adam"),
        (keras.initializers.get, "glorot_unifrm", "glorot_uniform"),
        (keras.metrics.get, "binary_acuracy", "binary_accuracy"),
        (keras.regularizers.get, "l3", "l2"),
    ],
)
def test_nearest_names(get: Any, name: str, near: str):
    with pytest.raises(ValueError, match=rf"interpret .*{name}.*Did you mean '(?i:{near})'"):
        get(name)


def test_resolve():
    table = {"SomeThing": keras.regularizers.L1}
    resolve = keras.saving.resolve
    assert resolve("thing", None, table) is None
    for name in ("SomeThing", "some_thing", "SOMETHING"):
        assert isinstance(resolve("thing", name, table), keras.regularizers.L1)
    one = keras.regularizers.L1()
    assert resolve("thing", one, table) is one
    assert isinstance(resolve("thing", keras.regularizers.L1, table), keras.regularizers.L1)
    made = resolve("thing", {"class_name": "SomeThing", "config": {"l1": 0.5}}, table)
    assert made.l1 == pytest.approx(0.5)
    for wrong in (3, {"config": {}}, {"class_name": "Nothing", "config": {}}):
        with pytest.raises(ValueError, match="Could not interpret thing identifier"):
            resolve("thing", wrong, table)
    assert nearest("zzzzzzzz", ["a"]) is None


def test_serialisation_of_values():
    values = {
        "a": [1, 2.5, "x", None, True],
        "b": (1, 2),
        "c": np.float32(2),
        "d": slice(1, None),
        "e": b"\x00\xff",
        "f": Ellipsis,
    }
    found = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(values))
    assert found == {**values, "b": [1, 2], "c": 2.0}
    for array in (np.arange(3), autograd.arange(3)):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(array))
        assert again.tolist() == [0, 1, 2]
        assert type(again) is type(array)
    with pytest.raises(TypeError, match="get_config"):
        keras.saving.serialize_keras_object(object())


# Utilities


def test_to_categorical():
    assert keras.utils.to_categorical([0, 2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert keras.utils.to_categorical(np.array([[1], [0]]), 2).tolist() == [[0, 1], [1, 0]]
    assert keras.utils.to_categorical(np.zeros((2, 3)), 4).shape == (2, 3, 4)
    assert keras.utils.to_categorical(autograd.tensor([1]), 3).tolist() == [[0, 1, 0]]
    for wrong in ([0, 3], [-1]):
        with pytest.raises(ValueError, match=r"out of range for 3"):
            keras.utils.to_categorical(wrong, 3)


def test_normalize():
    found = keras.utils.normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]])
    assert keras.utils.normalize(autograd.tensor([[3.0, 4.0]])).numpy().sum() == pytest.approx(1.4)


def test_pad_sequences():
    pad = keras.utils.pad_sequences
    assert pad([[1], [2, 3]]).tolist() == [[0, 1], [2, 3]]
    assert pad([[1], [2, 3, 4]], 2, padding="post", truncating="post").tolist() == [[1, 0], [2, 3]]
    assert pad([[1, 2, 3]], maxlen=2, value=9).tolist() == [[2, 3]]
    assert pad([[[1, 2]], []]).shape == (2, 1, 2)
    with pytest.raises(ValueError, match='"pre" or "post"'):
        pad([[1]], padding="left")
    with pytest.raises(ValueError, match="iterables"):
        pad([1, 2])
    with pytest.raises(ValueError, match="position 1"):
        pad([[[1, 2]], [[1, 2, 3]]])


def test_split_dataset():
    left, right = keras.utils.split_dataset((np.arange(10), np.arange(10) * 2), left_size=0.8)
    assert (len(left[0]), right[1].tolist()) == (8, [16, 18])
    left, right = keras.utils.split_dataset(np.arange(10), right_size=3, shuffle=True, seed=1)
    assert sorted([*left, *right]) == list(range(10))
    with pytest.raises(ValueError, match="At least one"):
        keras.utils.split_dataset(np.arange(3))
    with pytest.raises(ValueError, match="does not fit"):
        keras.utils.split_dataset(np.arange(3), left_size=4)
    with pytest.raises(ValueError, match="do not fit"):
        keras.utils.split_dataset(np.arange(3), left_size=2, right_size=2)
    with pytest.raises(ValueError, match="several lengths"):
        keras.utils.split_dataset((np.arange(3), np.arange(2)), left_size=1)


def test_set_random_seed():
    def draw() -> Any:
        keras.utils.set_random_seed(7)
        drop = layers.Dropout(0.5)
        return [layers.Dense(3)(np.ones((1, 2))).tolist(), drop(np.ones(9), training=True).tolist()]

    assert draw() == draw()


def test_other_utilities():
    x = keras.Input((2,))
    y = layers.Dense(1)(x)
    assert keras.utils.is_keras_tensor(y)
    assert keras.utils.get_source_inputs(y) == [x] or keras.utils.get_source_inputs(y)[0] is x
    assert keras.version() == keras.__version__
    assert "layers" in dir(keras)


def test_import_is_lazy():
    code = (
        "import sys, nn; from nn import keras; assert 'nn.keras.layer' not in sys.modules;"
        " keras.layers.Dense(2); sys.exit('numba' in sys.modules or 'safetensors' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)
