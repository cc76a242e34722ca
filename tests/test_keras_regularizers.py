"""Regularizers and constraints of `nn.keras` against Keras 3: values, gradients, configs.

To 1e-6: Keras holds the factors of L1 and OrthogonalRegularizer in float32.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import autograd
from nn.keras import constraints, layers, regularizers
from tests.faces import data
from tests.keras_faces import check

W = data(5, 4)
WITH_ZEROS = np.where(data(5, 4) > 0, data(5, 4), 0.0)
REGULARIZERS: dict[str, tuple[Any, np.ndarray]] = {
    "base": (lambda r: r.L2(0.0), W),
    "l1": (lambda r: r.L1(), W),
    "l1 at 0": (lambda r: r.L1(0.5), WITH_ZEROS),
    "l2": (lambda r: r.L2(0.3), W),
    "l1 l2": (lambda r: r.L1L2(0.5, 0.25), W),
    "l1 l2, one": (lambda r: r.L1L2(l2=0.25), W),
    "l1 l2, none": (lambda r: r.L1L2(), W),
    "l1 of a cube": (lambda r: r.l1(0.1), data(2, 3, 4)),
    "by name": (lambda r: r.get("l1l2"), W),
    "by class name": (lambda r: r.get("L2"), W),
}
CONSTRAINTS: dict[str, tuple[Any, np.ndarray]] = {
    "max norm": (lambda c: c.MaxNorm(), W),
    "max norm 1": (lambda c: c.MaxNorm(1.0, axis=1), W),
    "max norm over axes": (lambda c: c.max_norm(1.5, axis=[0, 1, 2]), data(2, 2, 3, 4)),
    "min max norm": (lambda c: c.MinMaxNorm(3.0, 4.0), W),
    "min max norm, slowly": (lambda c: c.MinMaxNorm(0.5, 1.0, rate=0.25, axis=1), W),
    "non neg": (lambda c: c.NonNeg(), W),
    "unit norm": (lambda c: c.UnitNorm(), W),
    "unit norm of zeros": (lambda c: c.get("unit_norm"), np.zeros((3, 2))),
    "by name": (lambda c: c.get("max_norm"), W),
}


@pytest.mark.parametrize("name", REGULARIZERS)
def test_regularizer(name: str):
    make, weights = REGULARIZERS[name]

    def case(face: Any) -> dict[str, Any]:
        penalty = make(face.keras.regularizers)
        out, dx, _ = face.grads(penalty, [face.tensor(weights)], list)
        return {"out": out, "dx": dx, "config": face.keras.regularizers.serialize(penalty)}

    check("regularizers", name, case, 1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal(mode: str):
    """In float32: Keras' factor is of that type and meets no other."""

    def case(face: Any) -> dict[str, Any]:
        penalty = face.keras.regularizers.OrthogonalRegularizer(0.5, mode)
        out = penalty(face.tensor(W.astype("float32")))
        return {"out": out, "config": face.keras.regularizers.serialize(penalty)}

    check("regularizers", f"orthogonal {mode}", case, 1e-5)
    penalty = regularizers.OrthogonalRegularizer(0.5, mode)
    x = autograd.tensor(W, requires_grad=True)
    assert autograd.gradcheck(penalty, (x,))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraint(name: str):
    make, weights = CONSTRAINTS[name]

    def case(face: Any) -> dict[str, Any]:
        project = make(face.keras.constraints)
        out = project(face.tensor(weights))
        return {"out": out, "config": face.keras.constraints.serialize(project)}

    check("regularizers", f"constraint {name}", case)


@pytest.mark.parametrize("area", [regularizers, constraints])
def test_configs_make_them_anew(area: Any):
    table = REGULARIZERS if area is regularizers else CONSTRAINTS
    for make, weights in table.values():
        one = make(area)
        again = area.deserialize(json.loads(json.dumps(area.serialize(one))))
        assert type(again) is type(one)
        assert again.get_config() == one.get_config()
        x = autograd.tensor(weights)
        np.testing.assert_array_equal(again(x).numpy(), one(x).numpy())


def test_get():
    class Own(regularizers.Regularizer):
        def __call__(self, x: Any) -> Any:
            return x.sum()

    for area in (regularizers, constraints):
        assert area.get(None) is None
        with pytest.raises(ValueError, match="Could not interpret"):
            area.get(3)
    assert isinstance(regularizers.get(regularizers.L1), regularizers.L1)
    own = Own()
    assert regularizers.get(own) is own
    assert isinstance(regularizers.get("l1_l2"), regularizers.L1L2)
    assert isinstance(regularizers.deserialize("Own", {"Own": Own}), Own)
    with pytest.raises(ValueError, match=r"regularizer.*Did you mean '[lL]2'"):
        regularizers.get("l22")
    with pytest.raises(
        ValueError, match=r"constraint.*'maxnrm'.*Did you mean '(max_norm|MaxNorm)'"
    ):
        constraints.get("maxnrm")
    with pytest.raises(NotImplementedError, match="does not implement get_config"):
        own.get_config()
    assert regularizers.Regularizer()(autograd.ones(2)) == 0.0
    w = autograd.ones(2)
    assert constraints.Constraint()(w) is w
    assert constraints.Constraint().get_config() == {}


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan, "a"])
def test_factors_are_checked(value: Any):
    for make in (regularizers.L1, regularizers.L2, regularizers.L1L2):
        with pytest.raises(ValueError, match=rf"non-negative float. Received: l[12]={value}"):
            make(value)
    with pytest.raises(ValueError, match="factor="):
        regularizers.OrthogonalRegularizer(value)


def test_orthogonal_errors():
    with pytest.raises(ValueError, match="mode=diagonal"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    with pytest.raises(ValueError, match=r"must have rank 2.*\(2, 3, 4\)"):
        regularizers.OrthogonalRegularizer()(autograd.ones(2, 3, 4))


def test_penalties_are_trained_on():
    layer = layers.Dense(2, kernel_regularizer=regularizers.L2(0.5), bias_regularizer="l1")
    layer.build((None, 3))
    kernel, bias = layer.weights
    losses = layer.losses
    assert len(losses) == 2
    (losses[0] + losses[1]).backward()
    np.testing.assert_allclose(kernel.grad.numpy(), kernel.detach().numpy(), rtol=1e-6)
    assert bias.grad.tolist() == [0.0, 0.0]  # 0 at 0
