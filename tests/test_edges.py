"""Values and gradients where functions are not smooth, not finite or not defined (SEMANTICS 3B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograd
from autograd import Tensor, tensor

INF, NAN = float("inf"), float("nan")


class Row(NamedTuple):
    """At `inputs` the function `f` has the value `out` and, one each, gradients `grads`."""

    name: str
    f: Callable[..., Tensor]
    inputs: tuple[Any, ...]
    out: Any
    grads: tuple[Any, ...] = ()


ROWS = (
    # Ties
    Row("max", lambda x: x.max(), ([2.0, 2.0, 1.0],), 2, ([0.5, 0.5, 0],)),
    Row("amax", lambda x: x.amax(), ([2.0, 2.0, 1.0],), 2, ([0.5, 0.5, 0],)),
    Row("min", lambda x: x.min(), ([2.0, 1.0, 1.0],), 1, ([0, 0.5, 0.5],)),
    Row("amin", lambda x: x.amin(), ([2.0, 1.0, 1.0],), 1, ([0, 0.5, 0.5],)),
    Row("median", lambda x: x.median(), ([2.0, 2.0, 1.0],), 2, ([0.5, 0.5, 0],)),
    Row("max(dim)", lambda x: x.max(0)[0], ([2.0, 2.0, 1.0],), 2, ([1, 0, 0],)),
    Row("min(dim)", lambda x: x.min(0)[0], ([2.0, 1.0, 1.0],), 1, ([0, 1, 0],)),
    Row("maximum", autograd.maximum, (1.0, 1.0), 1, (0.5, 0.5)),
    Row("minimum", autograd.minimum, (1.0, 1.0), 1, (0.5, 0.5)),
    Row("argmax", lambda x: x.argmax(), ([1.0, 2.0, 2.0],), 1),
    # Bounds and corners
    Row(
        "clamp",
        lambda x: x.clamp(0, 1),
        ([-1.0, 0.0, 0.5, 1.0, 2.0],),
        [0, 0, 0.5, 1, 1],
        ([0, 1, 1, 1, 0],),
    ),
    Row("clamp NaN", lambda x: x.clamp(0, 1), (NAN,), NAN),
    Row("relu", lambda x: x.relu(), ([0.0, NAN],), [0, NAN]),
    Row("relu at 0", lambda x: x.relu(), (0.0,), 0, (0,)),
    Row("relu6", autograd.relu6, ([0.0, 6.0],), [0, 6], ([0, 0],)),
    Row("hardtanh", autograd.hardtanh, ([-1.0, 1.0],), [-1, 1], ([0, 0],)),
    Row("leaky_relu", lambda x: autograd.leaky_relu(x, 0.1), (0.0,), 0, (0.1,)),
    Row("elu", autograd.elu, (0.0,), 0, (1,)),
    Row("abs", lambda x: x.abs(), (0.0,), 0, (0,)),
    Row("sign", lambda x: x.sign(), (0.0,), 0, (0,)),
    # Poles
    Row("sqrt", lambda x: x.sqrt(), ([0.0, -1.0],), [0, NAN], ([INF, NAN],)),
    Row("log", lambda x: x.log(), (0.0,), -INF, (INF,)),
    Row("rsqrt", lambda x: x.rsqrt(), (0.0,), INF, (-INF,)),
    Row("sqrt of sum of squares", lambda x: (x**2).sum().sqrt(), ([0.0, 0.0],), 0, ([NAN, NAN],)),
    # Powers
    Row("x ** 0", lambda x: x**0, (0.0,), 1, (0,)),
    Row("x ** 1", lambda x: x**1, (0.0,), 0, (1,)),
    Row("x ** 0.5", lambda x: x**0.5, (0.0,), 0, (INF,)),
    Row("0.0 ** y", lambda y: 0.0**y, (2.0,), 0, (0,)),
    Row("pow(0, 2)", autograd.pow, (0.0, 2.0), 0, (0, 0)),
    Row("pow(0, 0)", autograd.pow, (0.0, 0.0), 1, (0, 0)),
    Row("pow(0, -1)", autograd.pow, (0.0, -1.0), INF, (-INF, -INF)),
    Row("pow(-2, 3)", autograd.pow, (-2.0, 3.0), -8, (12, NAN)),
    # Norms and moments
    *(
        Row(f"norm {p} at 0", lambda x, p=p: x.norm(p), ([0.0, 0.0],), 0, ([0, 0],))
        for p in (1, 2, 3)
    ),
    Row("norm inf", lambda x: x.norm(INF), ([3.0, -3.0],), 3, ([0.5, -0.5],)),
    Row("std of constant", lambda x: x.std(), ([2.0, 2.0],), 0, ([0, 0],)),
    Row("var of constant", lambda x: x.var(), ([2.0, 2.0],), 0, ([0, 0],)),
    # Products with zeros
    Row("prod, one 0", lambda x: x.prod(), ([0.0, 2.0, 3.0],), 0, ([6, 0, 0],)),
    Row("prod, two 0", lambda x: x.prod(), ([0.0, 0.0, 3.0],), 0, ([0, 0, 0],)),
    Row("cumprod", lambda x: x.cumprod(0), ([0.0, 2.0, 3.0],), [0, 0, 0], ([9, 0, 0],)),
    # Two arguments at 0
    Row("xlogy", autograd.xlogy, (0.0, 0.0), 0, (0, NAN)),
    Row("atan2", autograd.atan2, (0.0, 0.0), 0, (0, 0)),
    Row("hypot", autograd.hypot, (0.0, 0.0), 0, (NAN, NAN)),
    # Far out
    Row("softmax", lambda x: autograd.softmax(x, 0), ([1000.0, 0.0],), [1, 0], ([0, 0],)),
    Row("log_softmax", lambda x: autograd.log_softmax(x, 0), ([1000.0, 0.0],), [0, -1000]),
    Row("softmax of -inf", lambda x: autograd.softmax(x, 0), ([-INF, -INF],), [NAN, NAN]),
    Row("logsumexp of -inf", lambda x: x.logsumexp(0), ([-INF, -INF],), -INF, ([NAN, NAN],)),
    Row("sigmoid", autograd.sigmoid, ([1000.0, -1000.0],), [1, 0], ([0, 0],)),
    Row("softplus", autograd.softplus, ([1000.0, -1000.0],), [1000, 0], ([1, 0],)),
    Row("logsigmoid", autograd.logsigmoid, ([1000.0, -1000.0],), [0, -1000], ([0, 1],)),
    # NaN in what was not selected leaks: 0 * inf
    Row("where", lambda x: autograd.where(x != 0, 1 / x, 0.0), (0.0,), 0, (NAN,)),
    # Nothing at all
    Row("mean of empty", lambda x: x.mean(), ([],), NAN),
    Row("sum of empty", lambda x: x.sum(), ([],), 0, ([],)),
    Row("median of empty", lambda x: x.median(), ([],), NAN),
    Row("prod of empty", lambda x: x.prod(), ([],), 1, ([],)),
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row, dtype: str):
    inputs = [tensor(x, dtype=dtype, requires_grad=True) for x in row.inputs]
    out = row.f(*inputs)
    np.testing.assert_allclose(out.detach().numpy(), row.out, rtol=1e-6)
    if row.grads:
        grads = autograd.grad(out.sum(), inputs, materialize_grads=True)
        for g, expected in zip(grads, row.grads, strict=True):
            np.testing.assert_allclose(g.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["amax", "amin", "max", "min", "argmax", "argmin"])
def test_extremum_of_nothing(name: str):
    with pytest.raises((RuntimeError, ValueError, IndexError), match=name):
        getattr(autograd, name)(autograd.zeros(0))


@pytest.mark.parametrize("function", [autograd.std, autograd.var])
def test_deviation_of_one_element(function: Callable[..., Tensor]):
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert np.isnan(function(tensor([1.0])).item())


# Integers


def test_mean_of_integers():
    with pytest.raises((RuntimeError, TypeError), match="mean"):
        tensor([1, 2]).mean()


@pytest.mark.parametrize(
    ("result", "expected", "dtype"),
    [
        (lambda: tensor(7) / tensor(2), 3.5, "float32"),
        (lambda: tensor(-7) // 2, -4, "int64"),
        (lambda: tensor(-7) % 3, 2, "int64"),
        (lambda: tensor([True, True]).sum(), 2, "int64"),
        (lambda: tensor([1, 2], dtype="int32").sum(), 3, "int64"),
        (lambda: tensor(4).sqrt(), 2, "float32"),
    ],
)
def test_integers(result: Callable[[], Tensor], expected: float, dtype: str):
    assert (result().item(), result().dtype) == (expected, dtype)
