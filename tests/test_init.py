"""`nn.init`: bounds, moments, structure, reproducibility, errors and warnings."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from nn import init
from tests.faces import PYTORCH, check, pytorch

W = (200, 100)
FANS = {(200, 100): (100, 200), (40, 20, 3, 2): (120, 240)}
NAMES = [n for n in vars(init) if n.endswith("_") and not n.startswith("_")]


def drawn(fill: Any, shape: tuple[int, ...] = W, *args: Any, **options: Any) -> np.ndarray:
    t = autograd.empty(*shape, dtype=autograd.float64)
    assert fill(t, *args, **options) is t
    return t.numpy()


@pytest.mark.parametrize("shape", FANS, ids=str)
def test_uniform_bounds(shape: tuple[int, ...]):
    fan_in, fan_out = FANS[shape]
    for fill, options, bound in (
        (init.xavier_uniform_, {"gain": 2.0}, 2 * math.sqrt(6 / (fan_in + fan_out))),
        (init.kaiming_uniform_, {}, math.sqrt(6 / fan_in)),
        (init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / math.sqrt(fan_in)),
        (init.kaiming_uniform_, {"mode": "fan_out"}, math.sqrt(6 / fan_out)),
        (init.kaiming_uniform_, {"nonlinearity": "tanh"}, 5 / 3 * math.sqrt(3 / fan_in)),
        (init.lecun_uniform_, {}, math.sqrt(3 / fan_in)),
    ):
        values = drawn(fill, shape, **options)
        assert 0.99 * bound < abs(values).max() <= bound
        assert abs(values.mean()) < 0.05 * bound


@pytest.mark.parametrize("shape", FANS, ids=str)
def test_normal_deviations(shape: tuple[int, ...]):
    fan_in, fan_out = FANS[shape]
    for fill, options, deviation in (
        (init.xavier_normal_, {"gain": 2.0}, 2 * math.sqrt(2 / (fan_in + fan_out))),
        (init.kaiming_normal_, {}, math.sqrt(2 / fan_in)),
        (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(2 / fan_out)),
        (init.kaiming_normal_, {"nonlinearity": "linear"}, math.sqrt(1 / fan_in)),
        (init.lecun_normal_, {}, math.sqrt(1 / fan_in)),
        (init.normal_, {"std": 3.0}, 3.0),
    ):
        values = drawn(fill, shape, **options)
        assert values.std() == pytest.approx(deviation, rel=0.05)
        assert abs(values).max() > 3 * deviation  # not truncated


def test_trunc_normal():
    from statistics import NormalDist

    for mean, std, a, b in ((0, 1, -2, 2), (1, 0.5, 0, 1.2), (0, 1, 1.5, 9), (0, 1, -0.1, 0.1)):
        values = drawn(init.trunc_normal_, (400, 100), mean, std, a, b)
        assert a <= values.min()
        assert values.max() <= b
        law = NormalDist(mean, std)
        low, high = law.cdf(a), law.cdf(b)
        for q in (0.1, 0.5, 0.9):
            expected = law.inv_cdf(low + q * (high - low))
            assert np.quantile(values, q) == pytest.approx(expected, abs=0.02 * std)


def test_the_inverse_of_the_error_function():
    x = np.concatenate([np.linspace(-5, 5, 1001), [1e-12, -1e-300]])
    np.testing.assert_allclose(
        init._erfinv(np.vectorize(math.erf)(x[:1001])), x[:1001], 2e-4, 1e-14
    )
    inner = x[abs(x) < 2]
    np.testing.assert_allclose(init._erfinv(np.vectorize(math.erf)(inner)), inner, 1e-13, 1e-300)


def test_orthogonal():
    for shape in ((5, 5), (3, 7), (7, 3), (4, 2, 3)):
        flat = drawn(init.orthogonal_, shape, gain=2.0).reshape(shape[0], -1)
        small = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
        np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)
    first = np.array([drawn(init.orthogonal_, (2, 2))[0, 0] for _ in range(400)])
    assert abs((first > 0).mean() - 0.5) < 0.1  # the signs of Q R are not left to LAPACK
    assert drawn(init.orthogonal_, (0, 3)).size == 0


def test_sparse():
    values = drawn(init.sparse_, (50, 20), 0.33, std=2.0)
    assert ((values == 0).sum(0) == 17).all()
    assert values[values != 0].std() == pytest.approx(2, rel=0.1)
    assert len({tuple(column) for column in (values == 0).T}) > 15
    assert not drawn(init.sparse_, (5, 2), 1.0).any()


def constants(fw: Any) -> dict[str, Any]:
    n, t = fw.nn.init, fw.torch
    p = fw.nn.Parameter(t.empty(2, 3))
    return {
        "constant": n.constant_(t.empty(2), 1.5),
        "ones": n.ones_(t.empty(2)),
        "zeros": n.zeros_(t.empty(2)),
        "eye": n.eye_(t.empty(2, 3)),
        "eye tall": n.eye_(t.empty(3, 2)),
        "parameter": n.ones_(p).detach(),
        "leaf": [str(p.requires_grad), str(p.grad_fn)],
        "gains": [
            n.calculate_gain(name)
            for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
        ],
        "slope": n.calculate_gain("leaky_relu", 0.2),
        "fans": list(n._calculate_fan_in_and_fan_out(t.empty(2, 3, 4, 5))),
    }


def test_constants():
    check("init", "constants", constants)


@pytest.mark.parametrize("name", NAMES)
def test_every_function(name: str):
    """In place and without history, in the tensor's dtype, from the generator that is given."""
    fill = getattr(init, name)
    options = {"constant_": (2.0,), "sparse_": (0.5,)}.get(name, ())
    layer = nn.Linear(6, 4)
    version, address = layer.weight.version[0], layer.weight.data_ptr()
    assert fill(layer.weight, *options) is layer.weight
    assert layer.weight.version[0] > version
    assert layer.weight.data_ptr() == address
    assert layer.weight.is_leaf
    assert layer.weight.requires_grad
    assert layer.weight.dtype == autograd.float32
    if "generator" not in inspect.signature(fill).parameters:
        return
    first, second = (
        fill(autograd.empty(4, 5), *options, generator=autograd.Generator().manual_seed(seed))
        for seed in (3, 3)
    )
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    state = autograd.get_rng_state()
    fill(autograd.empty(4, 5), *options, generator=autograd.Generator())
    assert autograd.get_rng_state() == state
    fill(autograd.empty(4, 5), *options)
    assert autograd.get_rng_state() != state


def test_signatures_are_those_of_pytorch():
    if not PYTORCH:
        pytest.skip("PyTorch is not installed")
    for name in {*NAMES, "calculate_gain"} - {"lecun_uniform_", "lecun_normal_"}:
        theirs = inspect.signature(getattr(pytorch().nn.init, name)).parameters.values()
        found = inspect.signature(getattr(init, name)).parameters.values()
        assert [(p.name, p.default) for p in found] == [(p.name, p.default) for p in theirs], name


ERRORS: dict[str, tuple[Any, str, Any]] = {
    "gain": (ValueError, "Unsupported nonlinearity swish", lambda n, m: n.calculate_gain("swish")),
    "slope": (
        ValueError,
        "negative_slope x not a valid number",
        lambda n, m: n.calculate_gain("leaky_relu", "x"),
    ),
    "slope of bool": (
        ValueError,
        "negative_slope True not a valid",
        lambda n, m: n.calculate_gain("leaky_relu", True),
    ),
    "fans": (ValueError, "fewer than 2 dimensions", lambda n, m: n.xavier_uniform_(m.empty(3))),
    "fans of He": (
        ValueError,
        "fewer than 2 dimensions",
        lambda n, m: n.kaiming_normal_(m.empty(3)),
    ),
    "mode": (
        ValueError,
        "Mode fan not supported",
        lambda n, m: n.kaiming_normal_(m.empty(2, 2), mode="fan"),
    ),
    "eye": (ValueError, "Only tensors with 2 dimensions", lambda n, m: n.eye_(m.empty(3))),
    "sparse": (ValueError, "Only tensors with 2 dim", lambda n, m: n.sparse_(m.empty(3), 0.5)),
    "orthogonal": (
        ValueError,
        "Only tensors with 2 or more dimensions",
        lambda n, m: n.orthogonal_(m.empty(3)),
    ),
    "uniform": (RuntimeError, "found a=2 > b=1", lambda n, m: n.uniform_(m.empty(3), 2, 1)),
    "normal": (RuntimeError, "found std -1", lambda n, m: n.normal_(m.empty(3), std=-1)),
    "trunc": (
        (ValueError, RuntimeError),
        "expects std > 0 and a <= b",
        lambda n, m: n.trunc_normal_(m.empty(3), a=2, b=1),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    """The message is ours, the type also PyTorch's."""
    kind, message, call = ERRORS[name]
    with pytest.raises(kind, match=message):
        call(init, autograd)
    if PYTORCH:
        with pytest.raises(kind):
            call(pytorch().nn.init, pytorch().torch)


def test_what_is_ours_to_refuse():
    with pytest.raises(ValueError, match=r"sparsity 1\.5 is not between 0 and 1"):
        init.sparse_(autograd.empty(2, 2), 1.5)


def test_warnings():
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
            fill(autograd.empty(0, 3))
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        init.trunc_normal_(autograd.empty(3), mean=5.0)
    for fill in (init.uniform_, init.normal_, init.xavier_normal_, init.eye_):
        fill(autograd.empty(0, 3))  # in silence


def test_the_same_seed_is_the_same_network():
    made = []
    for _ in range(2):
        autograd.manual_seed(3)
        made.append(nn.Linear(4, 4).weight.detach().numpy())
    np.testing.assert_array_equal(*made)
