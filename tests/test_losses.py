"""Losses: every option against PyTorch, its errors and warnings, and rows of SEMANTICS.md 3C."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
from tests.faces import PYTORCH, Case, Result, cases, check, data, ours, pytorch
from tests.loss_errors import ERRORS, refused
from tests.losses import FUNCTIONS, W3, Loss, chance, ints, named, tensor

LOSSES = named()
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))


@cases({name: loss.run for name, loss in LOSSES.items()})
def test_loss(name: str, case: Case):
    """Value and gradients with every reduction."""
    check("losses", name, case)


@every_loss
def test_function_and_module_are_one(loss: Loss):
    for reduction in loss.reductions[1:]:
        tensors, _ = loss.leaves(ours())
        values = [
            loss.criterion(ours(), reduction, function)(*tensors).detach().numpy()
            for function in (False, True)
        ]
        np.testing.assert_array_equal(*values)


@every_loss
def test_float32(loss: Loss):
    """float32 in, float32 out, near the loss in float64; strided inputs give the same."""
    single, double = (loss.leaves(ours(), dtype)[0] for dtype in ("float32", "float64"))
    strided = [
        autograd.stack([t, t], -1)[..., 0] if isinstance(t, autograd.Tensor) else t for t in single
    ]
    criterion = loss.criterion(ours(), "none").__call__
    if not loss.options.keys() & {"weight", "pos_weight"}:
        out = criterion(*single).detach()
        assert out.dtype == autograd.float32
        np.testing.assert_allclose(out.numpy(), criterion(*double).detach().numpy(), 2e-5, 2e-5)
        np.testing.assert_array_equal(out.numpy(), criterion(*strided).detach().numpy())


@every_loss
def test_no_grad_and_copies(loss: Loss):
    """A module, a copy of it and what comes out of a pickle give the same, and no graph if none."""
    tensors, _ = loss.leaves(ours())
    module = loss.criterion(ours(), "sum")
    with autograd.no_grad():
        expected = module(*tensors)
    assert not expected.requires_grad
    if isinstance(module, nn.Module):
        for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            np.testing.assert_array_equal(other(*tensors).detach().numpy(), expected.numpy())


SMOOTH = [
    Loss("MSELoss", (data(2, 3), data(2, 3, seed=1)), {"weight": chance(2, 3)}, (), True),
    Loss("PoissonNLLLoss", (data(3), data(3, low=2, high=4)), {"full": True}),
    Loss("GaussianNLLLoss", (data(2, 3), data(2, 3, seed=1), data(2, low=0.2))),
    Loss("CrossEntropyLoss", (data(2, 3), chance(2, 3)), {"weight": W3, "label_smoothing": 0.1}),
    Loss("KLDivLoss", (data(3), chance(2, 3))),
    Loss("CosineEmbeddingLoss", (data(2, 3), data(2, 3, seed=1), ints(1, 1))),
    Loss("SoftMarginLoss", (data(3), ints(1, -1, 1))),
    Loss("MultiLabelSoftMarginLoss", (data(2, 3), chance(2, 3)), {"weight": W3}),
    Loss("TripletMarginLoss", (data(2, 3), data(2, 3, seed=1), data(2, 3, seed=2)), {"margin": 9}),
    Loss("MultiMarginLoss", (data(2, 3), ints(2, 0)), {"p": 2, "margin": 9.0, "weight": W3}),
]
"""Losses away from their kinks; those that are one primitive stand in test_ops.py too."""


@pytest.mark.parametrize("loss", SMOOTH, ids=[loss.module for loss in SMOOTH])
def test_gradients_of_gradients(loss: Loss):
    tensors, wanted = loss.leaves(ours())
    weight = [w for w in (loss.options.get("weight"),) if loss.module == "CrossEntropyLoss"]

    def run(*leaves: Any) -> Any:
        given = iter(leaves)
        xs = [next(given) if any(t is w for w in wanted) else t for t in tensors]
        if weight:  # which is differentiable too where the target holds probabilities
            return F.cross_entropy(*xs, weight=next(given), label_smoothing=0.1)
        return loss.criterion(ours(), "sum")(*xs)

    leaves = [*wanted, *(autograd.tensor(w, requires_grad=True) for w in weight)]
    assert autograd.gradcheck(run, leaves)
    assert autograd.gradgradcheck(run, leaves)


# Signatures, attributes, state


def signature(function: Any) -> list[list[str]]:
    parameters = inspect.signature(function).parameters.values()
    return [
        [p.name, p.kind.name, "" if p.default is p.empty else repr(p.default)] for p in parameters
    ]


def signatures(fw: Any) -> Result:
    found = {name: signature(getattr(fw.F, name)) for name in FUNCTIONS.values()}
    for name in FUNCTIONS:
        module = getattr(fw.nn, name)
        found[name] = [*signature(module.__init__), *signature(module.forward)]
    return found


def attributes(fw: Any) -> Result:
    """What a module shows of itself, with a weight where it takes one."""
    weight = tensor(fw, W3)
    modules = {
        **{name: getattr(fw.nn, name)() for name in FUNCTIONS},
        "CrossEntropyLoss(w)": fw.nn.CrossEntropyLoss(weight, None, 1, None, "sum", 0.1),
        "NLLLoss(w)": fw.nn.NLLLoss(weight, ignore_index=1, reduction="none"),
        "BCELoss(w)": fw.nn.BCELoss(weight),
        "BCEWithLogitsLoss(w)": fw.nn.BCEWithLogitsLoss(weight, pos_weight=weight),
        "MultiMarginLoss(w)": fw.nn.MultiMarginLoss(2, 0.5, weight, None, None, "sum"),
        "MultiLabelSoftMarginLoss(w)": fw.nn.MultiLabelSoftMarginLoss(weight),
        "HuberLoss(2)": fw.nn.HuberLoss("sum", 2.0),
        "SmoothL1Loss(2)": fw.nn.SmoothL1Loss(None, None, "sum", 2.0),
    }
    return {
        name: {
            "repr": repr(module),
            "state": list(module.state_dict()),
            "numbers": {
                k: v
                for k, v in sorted(vars(module).items())
                if not k.startswith("_") and isinstance(v, int | float | str)
            },
        }
        for name, module in modules.items()
    }


@cases({"signatures": signatures, "attributes": attributes})
def test_face(name: str, case: Case):
    check("losses", name, case)


def test_weights_are_buffers_and_follow_the_module():
    criterion = nn.CrossEntropyLoss(autograd.tensor([1.0, 2.0]))
    assert criterion.double().weight.dtype == autograd.float64
    assert list(nn.Sequential(nn.Linear(1, 1), criterion).state_dict())[-1] == "1.weight"


# Errors


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    expected, message, _ = ERRORS[name]
    error = refused(ours(), name)
    assert isinstance(error, expected), repr(error)
    assert re.search(message, str(error)), f"{message!r} is not in {error}"
    if PYTORCH:
        assert isinstance(refused(pytorch(), name), expected)


def test_errors_without_the_compiler():
    """The checks that stand in kernels stand in the references too."""
    code = (
        "from tests.faces import ours; from tests.loss_errors import ERRORS, refused\n"
        "for name, (expected, _, _) in ERRORS.items():\n"
        "    error = refused(ours(), name)\n"
        "    assert isinstance(error, expected), (name, error)\n"
        "    assert not isinstance(error, AssertionError), name"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env=environment)
