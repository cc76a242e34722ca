"""Optimizers of the Keras face against Keras: trajectories, options, state, and compiled steps."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.kernel import JIT
from nn import keras
from nn.keras import optimizers
from nn.keras.variable import Variable
from tests.keras_faces import check, data

# name: (class, options)
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "sgd momentum": ("SGD", {"momentum": 0.9}),
    "sgd nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "sgd decay": ("SGD", {"weight_decay": 0.1}),
    "sgd momentum decay": ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam eps": ("Adam", {"epsilon": 0.5}),
    "adam betas": ("Adam", {"beta_1": 0.7, "beta_2": 0.9}),
    "adam amsgrad": ("Adam", {"amsgrad": True, "beta_2": 0.5}),
    "adam decay": ("Adam", {"weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
    "adamw decay": ("AdamW", {"weight_decay": 0.1, "amsgrad": True}),
    "adamax": ("Adamax", {}),
    "adamax decay": ("Adamax", {"weight_decay": 0.1, "epsilon": 0.01}),
    "nadam": ("Nadam", {}),
    "nadam decay": ("Nadam", {"weight_decay": 0.1, "beta_1": 0.7}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop momentum": ("RMSprop", {"momentum": 0.9}),
    "rmsprop centered": ("RMSprop", {"centered": True}),
    "rmsprop both": ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    "adagrad": ("Adagrad", {}),
    "adagrad start": ("Adagrad", {"initial_accumulator_value": 0.5, "epsilon": 0.1}),
    "adadelta": ("Adadelta", {}),
    "adadelta decay": ("Adadelta", {"rho": 0.5, "epsilon": 1e-3, "weight_decay": 0.1}),
    "lion": ("Lion", {}),
    "lion decay": ("Lion", {"beta_1": 0.5, "beta_2": 0.7, "weight_decay": 0.1}),
    "ftrl": ("Ftrl", {}),
    "ftrl all": (
        "Ftrl",
        {
            "learning_rate_power": -0.3,
            "l1_regularization_strength": 0.1,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.05,
            "beta": 0.3,
        },
    ),
}
COMMON: dict[str, dict[str, Any]] = {
    "clipnorm": {"clipnorm": 0.5},
    "clipnorm high": {"clipnorm": 50.0},
    "clipvalue": {"clipvalue": 0.3},
    "global_clipnorm": {"global_clipnorm": 0.7},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "ema overwrite": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation clip": {"gradient_accumulation_steps": 2, "clipnorm": 0.4},
    "accumulation ema": {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
    },
    "loss scale": {"loss_scale_factor": 8.0},
    "loss scale clip": {"loss_scale_factor": 0.1, "global_clipnorm": 0.7},
}
SHAPES = ((4, 3), (3,), ())


def _states(optimizer: Any) -> list[Any]:
    return [np.asarray(v.numpy()) for v in optimizer.variables]


def _trajectory(face: Any, make: Any, steps: int = 7, dtype: str = "float64") -> dict[str, Any]:
    """What becomes of three variables, and of all state."""
    variables = [
        face.keras.Variable(data(*s, seed=i), dtype=dtype, name=f"v{i}")
        for i, s in enumerate(SHAPES)
    ]
    optimizer, found = make(), {}
    for step in range(steps):
        grads = [
            face.tensor(data(*s, seed=10 * step + i).astype(dtype)) for i, s in enumerate(SHAPES)
        ]
        optimizer.apply(grads, variables)
        found[f"step {step}"] = {f"v{i}": v.numpy() for i, v in enumerate(variables)}
    found["state"] = {f"{i}": s for i, s in enumerate(_states(optimizer))}
    found["shapes"] = str([tuple(s.shape) for s in _states(optimizer)])
    found["names"] = [v.name for v in optimizer.variables]
    return found


def _one(face: Any, make: Any) -> list[float]:
    """p0 = 1 and the gradients 1, 1/2, -2."""
    p, optimizer, found = face.keras.Variable(1.0, dtype="float64"), make(), []
    for g in (1.0, 0.5, -2.0):
        optimizer.apply([face.tensor(np.array(g))], [p])
        found.append(float(p.numpy()))
    return found


@pytest.mark.parametrize("name", RULES)
def test_rule_is_that_of_keras(name: str) -> None:
    """Weights and state in float64, in Keras' order and under its names."""
    kind, options = RULES[name]

    def case(face: Any) -> dict[str, Any]:
        def make() -> Any:
            return getattr(face.keras.optimizers, kind)(learning_rate=0.1, **options)

        found = _trajectory(face, make)
        if name.startswith("nadam"):  # Keras gives the product an automatic name
            found["names"] = found["names"][:-1]
        return {"one": _one(face, make), **found}

    check("optimizers", name, case, rtol=1e-10)


@pytest.mark.parametrize("rule", ["sgd momentum", "adam"])
@pytest.mark.parametrize("option", COMMON)
def test_option_is_that_of_keras(rule: str, option: str) -> None:
    """Clipping, averages, accumulation, loss scale."""
    kind, options = RULES[rule]
    options = {**options, **COMMON[option], "weight_decay": 0.05}

    def case(face: Any) -> dict[str, Any]:
        return _trajectory(
            face, lambda: getattr(face.keras.optimizers, kind)(learning_rate=0.1, **options)
        )

    check("optimizers", f"{rule}, {option}", case, rtol=1e-7, atol=1e-9)  # norms in float32 there


@pytest.mark.parametrize("name", RULES)
def test_float32_is_that_of_keras(name: str) -> None:
    """The default precision, where Keras' order of operations shows."""
    kind, options = RULES[name]

    def case(face: Any) -> dict[str, Any]:
        face.keras.config.set_floatx("float32")
        found = _trajectory(
            face,
            lambda: getattr(face.keras.optimizers, kind)(learning_rate=0.1, **options),
            dtype="float32",
        )
        return {"step 6": found["step 6"]}

    check("optimizers", f"{name}, float32", case, rtol=2e-5, atol=2e-6)


def test_defaults_and_configurations_are_those_of_keras() -> None:
    """get_config of every optimizer without arguments."""

    def case(face: Any) -> dict[str, Any]:
        names = sorted({kind for kind, _ in RULES.values()})
        found = {}
        for name in names:
            config = getattr(face.keras.optimizers, name)(name="it").get_config()
            found[name] = {k: config[k] for k in sorted(config)}
        return found

    check("optimizers", "defaults", case, rtol=1e-12)


def test_exclusion_constraints_and_missing_gradients() -> None:
    """Weight decay leaves out what it is told; constraints come last; None is no gradient."""

    def case(face: Any) -> dict[str, Any]:
        its, found = face.keras, {}
        kernel = its.Variable(data(4, 3), dtype="float64", name="kernel")
        bias = its.Variable(data(3), dtype="float64", name="bias")
        free = its.Variable(data(2), dtype="float64", name="free")
        kernel.constraint = its.constraints.MaxNorm(0.5)
        variables = [kernel, bias, free]
        optimizer = its.optimizers.Adam(0.05, weight_decay=0.2)
        optimizer.exclude_from_weight_decay(var_list=[free], var_names=["bias"])
        optimizer.build(variables)
        for step in range(4):
            grads = [face.tensor(data(*v.shape, seed=step + 3)) for v in variables]
            if step == 2:
                with pytest.warns(UserWarning, match="Gradients do not exist"):
                    optimizer.apply([grads[0], None, grads[2]], variables)
            elif step == 3:  # another order, and not all
                optimizer.apply([grads[2], grads[0]], [free, kernel])
            else:
                optimizer.apply_gradients(zip(grads, variables))
            found[f"step {step}"] = [v.numpy() for v in variables]
        found["iterations"] = int(optimizer.iterations.numpy())
        return found

    check("optimizers", "exclusion", case, rtol=1e-9)


def test_a_learning_rate_that_is_set() -> None:
    """By the attribute and by assign; what momentum holds is lr g, so the two part from PyTorch."""

    def case(face: Any) -> dict[str, Any]:
        p = face.keras.Variable(1.0, dtype="float64")
        optimizer, found = face.keras.optimizers.SGD(0.1, momentum=0.9), []
        for step in range(6):
            if step == 2:
                optimizer.learning_rate = 0.01
            if step == 4:
                optimizer.learning_rate.assign(0.5)
            optimizer.apply([face.tensor(np.array(1.0))], [p])
            found.append(float(p.numpy()))
        return {"p": found, "rate": float(optimizer.learning_rate.numpy())}

    check("optimizers", "rate set", case, rtol=1e-7)


def test_averages_replace_weights_in_the_end() -> None:
    """finalize_variable_values."""

    def case(face: Any) -> dict[str, Any]:
        p = face.keras.Variable(data(3), dtype="float64")
        optimizer = face.keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
        for step in range(3):
            optimizer.apply([face.tensor(data(3, seed=step))], [p])
        optimizer.finalize_variable_values([p])
        return {"p": p.numpy()}

    check("optimizers", "finalize", case, rtol=1e-9)


# Ours alone


def _grads(step: int, dtype: str = "float32") -> list[Tensor]:
    return [
        Tensor.wrap(np.asarray(data(*s, seed=10 * step + i), dtype)) for i, s in enumerate(SHAPES)
    ]


def _variables(dtype: Any = "float32") -> list[Variable]:
    dtypes = [dtype] * 3 if isinstance(dtype, str) else dtype
    return [
        Variable(data(*s, seed=i), dtype=d, name=f"v{i}")
        for (i, s), d in zip(enumerate(SHAPES), dtypes)
    ]


def _bytes(optimizer: Any, variables: list[Variable]) -> list[bytes]:
    return [v.array.tobytes() for v in (*variables, *optimizer.variables)]


@pytest.mark.parametrize(
    "options",
    [{}, *COMMON.values(), {"weight_decay": 0.1, "clipvalue": 0.4, "use_ema": True}],
    ids=str,
)
@pytest.mark.parametrize("name", ["sgd nesterov", "adam amsgrad", "nadam", "ftrl all"])
def test_without_kernels_it_is_the_same(name: str, options: dict[str, Any]) -> None:
    """The NumPy path that serves where kernels cannot go."""
    kind, own = RULES[name]
    ends = []
    for native in (True, False):
        variables = _variables("float64")
        optimizer = getattr(optimizers, kind)(0.1, **{**own, **options})
        optimizer.build(variables)
        optimizer._binding.native &= native
        for step in range(6):
            optimizer.apply(_grads(step, "float64"), variables)
        ends.append([v.array.copy() for v in (*variables, *optimizer.variables)])
    for a, b in zip(*ends):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 0.5, "use_ema": True}], ids=str)
def test_variables_of_two_dtypes(options: dict[str, Any]) -> None:
    """One bucket each, one count of steps; a global norm is that of both."""
    mixed = _variables(("float32", "float64", "float32"))
    alike = _variables("float64")
    optimizer, other = optimizers.Adam(0.1, **options), optimizers.Adam(0.1, **options)
    for step in range(5):
        grads = _grads(step, "float64")
        optimizer.apply(
            [autograd.tensor(g.array, dtype=v.dtype) for g, v in zip(grads, mixed)], mixed
        )
        other.apply(grads, alike)
    assert optimizer.iterations.item() == 5
    for a, b in zip(mixed, alike):
        np.testing.assert_allclose(a.array, b.array, rtol=2e-4, atol=1e-5)


def test_strided_and_foreign_gradients() -> None:
    """Taken as their variable is laid out; another shape is an error that names it."""
    v = Variable(data(3, 4), dtype="float32", name="kernel")
    same = Variable(data(3, 4), dtype="float32", name="kernel")
    a, b = optimizers.SGD(0.1), optimizers.SGD(0.1)
    turned = Tensor.wrap(np.asarray(data(4, 3), np.float32).T)
    a.apply([turned], [v])
    b.apply([np.ascontiguousarray(turned.array).astype(np.float64)], [same])
    assert v.array.tobytes() == same.array.tobytes()
    with pytest.raises(
        ValueError, match=r"gradient of kernel has shape \(4, 3\); expected \(3, 4\)"
    ):
        a.apply([Tensor.wrap(np.zeros((4, 3), np.float32))], [v])


def test_infinite_and_nan_gradients_clip_as_in_keras() -> None:
    """A global norm that is not finite makes all gradients NaN."""
    for bad in (np.inf, np.nan):
        variables = [Variable(np.ones(2), dtype="float32"), Variable(np.ones(2), dtype="float32")]
        grads = [Tensor.wrap(np.array(g, np.float32)) for g in ([bad, 1.0], [1.0, 1.0])]
        optimizers.SGD(0.1, global_clipnorm=1.0).apply(grads, variables)
        assert np.isnan(np.concatenate([v.array for v in variables])).all()
        variables = [Variable(np.ones(2), dtype="float32")]
        optimizers.SGD(0.1, clipvalue=0.5).apply(grads[:1], variables)
        clipped = 0.95 if np.isinf(bad) else np.nan
        np.testing.assert_allclose(variables[0].array, [clipped, 0.95], rtol=1e-6)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "options", [{}, {"gradient_accumulation_steps": 3, "global_clipnorm": 0.5}], ids=["", "more"]
)
def test_compiled_is_eager(name: str, options: dict[str, Any]) -> None:
    """Bit for bit over 50 steps, natively, and an assigned learning rate is followed."""
    kind, own = RULES[name]
    ends = []
    for compiled in (False, True):
        variables = _variables()
        optimizer = getattr(optimizers, kind)(0.05, **{**own, **options})
        optimizer.build(variables)
        step = _step(optimizer, variables)
        if compiled:
            step = autograd.compile(step)
        for k in range(50):
            if k == 25:
                optimizer.learning_rate = 0.02
            step(autograd.tensor(data(5, 4, seed=k), dtype=autograd.float32))
        if compiled:
            assert step.plan is not None
            assert step.plan.native or not JIT
        ends.append(_bytes(optimizer, variables))
        assert optimizer._iterations.item() == 50
    assert ends[0] == ends[1]


def _step(optimizer: Any, variables: list[Variable]) -> Any:
    kernel, bias, scale = variables

    def step(x: Any) -> Any:
        for v in variables:
            v.grad = None
        loss = (((x @ kernel + bias).tanh() * scale) ** 2).mean()
        loss.backward()
        optimizer.apply([v.grad for v in variables], variables)
        return loss

    return step


def _run(make: Any, compiled: bool, steps: int = 20, between: Any = None) -> list[bytes]:
    variables = _variables()
    optimizer = make()
    optimizer.build(variables)
    step = _step(optimizer, variables)
    step = autograd.compile(step) if compiled else step
    for k in range(steps):
        if between is not None:
            between(optimizer, k)
        step(autograd.tensor(data(5, 4, seed=k), dtype=autograd.float32))
    return _bytes(optimizer, variables)


_ATTRIBUTES = ("momentum", "weight_decay", "clipnorm", "ema_momentum", "loss_scale_factor")


@pytest.mark.parametrize("attribute", _ATTRIBUTES)
def test_compiled_steps_follow_attributes(attribute: str) -> None:
    """A hyper-parameter set between steps is in the next replay, also one that adds a kernel."""

    def make() -> Any:
        return optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.9)

    def change(optimizer: Any, k: int) -> None:
        if k == 10:
            setattr(optimizer, attribute, 0.5)

    assert _run(make, False, between=change) == _run(make, True, between=change)
    assert _run(make, True, between=change) != _run(make, True)


def test_compiled_steps_follow_a_rate_that_becomes_a_schedule() -> None:
    """The learning rate's kind changes between steps."""

    def change(optimizer: Any, k: int) -> None:
        if k == 10:
            optimizer.learning_rate = optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)

    def make() -> Any:
        return optimizers.Adam(0.01)

    assert _run(make, False, between=change) == _run(make, True, between=change)


def test_constraints_compile() -> None:
    """They are ops after the update."""
    ends = []
    for compiled in (False, True):
        variables = _variables()
        variables[0].constraint = keras.constraints.NonNeg()
        optimizer = optimizers.Adam(0.1)
        optimizer.build(variables)
        step = _step(optimizer, variables)
        step = autograd.compile(step) if compiled else step
        for k in range(6):
            step(autograd.tensor(data(5, 4, seed=k), dtype=autograd.float32))
        assert (variables[0].array >= 0).all()
        assert (variables[0].array > 0).any()
        ends.append(_bytes(optimizer, variables))
    assert ends[0] == ends[1]


def test_a_rate_is_not_set_inside_a_compiled_step() -> None:
    """It would be set once, and not by replays."""
    v = Variable(np.ones(2), dtype="float32")
    optimizer = optimizers.SGD(0.1, momentum=0.5)
    optimizer.build([v])

    def rate(x: Any) -> Any:
        optimizer.learning_rate = 0.2
        return x * 1.0

    def momentum(x: Any) -> Any:
        optimizer.momentum = 0.2
        return x * 1.0

    for step in (rate, momentum):
        with pytest.raises(autograd.RecordError, match="outside of the step"):
            autograd.compile(step)(autograd.tensor([1.0]))


def test_iterations_inside_a_compiled_step() -> None:
    """Read as a tensor, they are those of each replay."""
    v = Variable(np.zeros(1), dtype="float32")
    optimizer = optimizers.SGD(1.0)
    optimizer.build([v])

    @autograd.compile
    def step(x: Any) -> Any:
        before = optimizer.iterations * 10.0
        optimizer.apply([x], [v])
        return before + optimizer.iterations

    found = [step(autograd.tensor([-1.0])).item() for _ in range(5)]
    assert found == [1.0, 12.0, 23.0, 34.0, 45.0]
    assert v.array.tolist() == [5.0]


class Halving(optimizers.Optimizer):
    """An optimizer of a user's, in ops."""

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.last = self.add_optimizer_variables(variables, "last")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        last = self.last[self._index[id(variable)]]
        self.assign_sub(variable, (gradient + last.detach()) * 0.5 * learning_rate)
        self.assign(last, gradient)


@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 0.1}, {"clipnorm": 0.2}, {"clipvalue": 0.2}, {"global_clipnorm": 0.2}],
    ids=str,
)
def test_optimizers_of_users(options: dict[str, Any]) -> None:
    """`update_step` in ops: eager and compiled alike, with the options that need no kernel."""
    assert _run(lambda: Halving(0.1, **options), False) == _run(
        lambda: Halving(0.1, **options), True
    )
    v = Variable(np.ones(2), dtype="float32")
    Halving(0.5).apply([Tensor.wrap(np.ones(2, np.float32))], [v])
    assert v.array.tolist() == [0.75, 0.75]
    with pytest.raises(NotImplementedError, match="use_ema"):
        Halving(0.5, use_ema=True).apply([Tensor.wrap(np.ones(2, np.float32))], [v])
    with pytest.raises(NotImplementedError, match="update_step"):
        optimizers.Optimizer(0.5).apply([Tensor.wrap(np.ones(2, np.float32))], [v])


@pytest.mark.parametrize("name", RULES)
def test_state_is_saved_and_loaded(name: str) -> None:
    """save_own_variables, set_weights, deepcopy and pickle: training goes on bit for bit."""
    kind, own = RULES[name]

    def make() -> Any:
        return getattr(optimizers, kind)(0.05, use_ema=True, **own)

    variables, optimizer = _variables(), make()
    for step in range(3):
        optimizer.apply(_grads(step), variables)
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    others = []
    for way in ("store", "weights", "pickle", "deepcopy"):
        its = [Variable(v.array, name=v.name) for v in variables]
        twin = make()
        if way == "store":
            twin.build(its)
            twin.load_own_variables(store)
        elif way == "weights":
            twin.build(its)
            twin.set_weights(optimizer.get_weights())
        elif way == "pickle":
            its, twin = pickle.loads(pickle.dumps((variables, optimizer)))
        else:
            its, twin = copy.deepcopy((variables, optimizer))
        others.append((its, twin))
    for step in range(3, 6):
        for its, twin in (*others, (variables, optimizer)):
            twin.apply(_grads(step), its)
    for its, twin in others:
        assert _bytes(twin, its) == _bytes(optimizer, variables)


def test_variables_with_new_memory_are_bound_again() -> None:
    """A variable whose array was replaced is updated where it is now."""
    v = Variable(np.ones(2), dtype="float32")
    optimizer = optimizers.Adam(0.1)
    optimizer.apply([Tensor.wrap(np.ones(2, np.float32))], [v])
    old = v.array
    v.value = np.array([5.0, 5.0], np.float32)
    optimizer.apply([Tensor.wrap(np.ones(2, np.float32))], [v])
    assert (v.array < 5).all()
    assert (old > 0.8).all()
    assert optimizer.iterations.item() == 2


def test_names() -> None:
    """By name in any case, by configuration, by object; automatic names count."""
    keras.utils.clear_session()
    assert type(optimizers.get("adam")) is optimizers.Adam
    assert type(optimizers.get("RMSprop")) is optimizers.RMSprop
    assert type(optimizers.get("rmsprop")) is optimizers.RMSprop
    assert optimizers.SGD().name == "sgd"
    assert optimizers.SGD().name == "sgd_1"
    made = optimizers.Adam(0.01, beta_1=0.8, clipnorm=1.0)
    again = optimizers.deserialize(optimizers.serialize(made))
    assert again.get_config() == made.get_config()
    assert optimizers.get(made) is made
    assert optimizers.get(None) is None
    schedule = optimizers.schedules.CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=2)
    again = optimizers.deserialize(optimizers.serialize(optimizers.SGD(schedule)))
    assert again.get_config()["learning_rate"]["config"] == schedule.get_config()


def test_a_loss_scale_is_undone() -> None:
    """scale_loss multiplies by what gradients are divided by."""
    assert optimizers.SGD(0.1, loss_scale_factor=4.0).scale_loss(autograd.tensor(2.0)).item() == 8.0
    assert optimizers.SGD(0.1).scale_loss(3.0) == 3.0


def test_old_files_are_not_loaded_by_halves() -> None:
    """Another number of variables: a warning, and nothing changes."""
    v = Variable(np.ones(2), dtype="float32")
    optimizer = optimizers.Adam(0.1)
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    optimizer.build([v])
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        optimizer.load_own_variables(store)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optimizers.get("addam"), ValueError, "'Adam'"),
        (lambda: optimizers.get(3), ValueError, "optimizer identifier"),
        (lambda: optimizers.SGD(1), ValueError, "should be float"),
        (lambda: optimizers.SGD("0.1"), ValueError, "should be float"),
        (lambda: optimizers.SGD(0.1, momentum=1), ValueError, "momentum"),
        (lambda: optimizers.SGD(0.1, momentum=1.5), ValueError, "momentum"),
        (lambda: optimizers.SGD(0.1, learnrate=1), ValueError, "learnrate"),
        (lambda: optimizers.SGD(0.1, clipnorm=1.0, clipvalue=1.0), ValueError, "Only one of"),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=2.0), ValueError, "ema_momentum=2"),
        (
            lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=0.5),
            ValueError,
            "ema_overwrite_frequency",
        ),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), ValueError, ">= 2"),
        (lambda: optimizers.AdamW(weight_decay=None), ValueError, "weight_decay=None"),
        (lambda: optimizers.Lion(beta_1=0.0), ValueError, "SignSGD"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), ValueError, "learning_rate_power"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1.0), ValueError, "l1_reg"),
        (lambda: optimizers.SGD().apply([1.0]), ValueError, "must already be built"),
        (lambda: optimizers.SGD().set_weights([]), ValueError, "not yet been built"),
        (lambda: _built().apply([None], [_V]), ValueError, "No gradients provided"),
        (lambda: _built().apply([_G, _G]), ValueError, "2 gradients were given for 1"),
        (lambda: _built().apply([_G], [_OTHER]), ValueError, "Unknown variable"),
        (lambda: _built().exclude_from_weight_decay([_V]), ValueError, "before the optimizer"),
        (lambda: _built().set_weights([1.0]), ValueError, "1 weights were given"),
        (lambda: setattr(_built(), "momentum", 0.5), ValueError, "Make a new optimizer"),
        (lambda: setattr(_built(), "use_ema", True), ValueError, "Make a new optimizer"),
        (lambda: setattr(_built(), "clipvalue", 0.5), ValueError, "Only one of"),
        (
            lambda: setattr(
                optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)),
                "learning_rate",
                0.5,
            ),
            TypeError,
            "not settable",
        ),
        (
            lambda: _built(use_ema=True).finalize_variable_values([_V, _V]),
            ValueError,
            "length of model variables",
        ),
        (
            lambda: optimizers.SGD().add_optimizer_variables([_V], ["a", "b"], ["zeros"]),
            ValueError,
            "number of provided names",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """A wrong call names what was met and the remedy."""
    with pytest.raises(error, match=message):
        call()


_V = Variable(np.ones(2), dtype="float32", name="v")
_OTHER = Variable(np.ones(2), dtype="float32", name="other")
_G = Tensor.wrap(np.ones(2, np.float32))


def _built(**options: Any) -> Any:
    options = options or {"clipnorm": 1.0}
    optimizer = optimizers.SGD(0.1, **options)
    optimizer.build([_V])
    return optimizer


def test_decay_is_told_to_be_gone() -> None:
    """An argument of Keras 2, which Keras 3 ignores with a warning."""
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        optimizers.SGD(0.1, decay=1e-6)
