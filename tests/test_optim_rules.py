"""Each update rule with each option: ten steps and the state after, against PyTorch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from autograd.kernel import TUPLE_ITEMS
from tests.faces import PYTORCH, cases, check, data, ours, pytorch

SHAPES = ((2, 3), (4,), ())
RULES: dict[str, tuple[dict[str, Any], ...]] = {
    "SGD": (
        {},
        dict(lr=0.1, momentum=0.9),
        dict(lr=0.1, momentum=0.9, dampening=0.5),
        dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        dict(lr=0.1, weight_decay=0.1, maximize=True),
    ),
    "Adam": (
        {},
        dict(lr=0.1, eps=0.5, betas=(0.5, 0.6)),
        dict(lr=0.1, weight_decay=0.1),
        dict(lr=0.1, amsgrad=True),
        dict(lr=0.1, maximize=True, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "AdamW": ({}, dict(lr=0.1, weight_decay=0.1), dict(lr=0.1, amsgrad=True, maximize=True)),
    "NAdam": (
        {},
        dict(lr=0.1, eps=0.5, betas=(0.5, 0.6)),
        dict(lr=0.1, momentum_decay=0.3, maximize=True),
        dict(lr=0.1, weight_decay=0.1),
        dict(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "RAdam": (
        {},
        dict(lr=0.1, eps=0.5, betas=(0.5, 0.6)),
        dict(lr=0.1, maximize=True),
        dict(lr=0.1, weight_decay=0.1),
        dict(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "Adamax": (
        {},
        dict(lr=0.1, eps=0.5, betas=(0.5, 0.6)),
        dict(lr=0.1, weight_decay=0.1, maximize=True),
    ),
    "RMSprop": (
        {},
        dict(lr=0.1, alpha=0.9, eps=0.5, weight_decay=0.1),
        dict(lr=0.1, momentum=0.9),
        dict(lr=0.1, centered=True, maximize=True),
        dict(lr=0.1, alpha=0.5, centered=True, momentum=0.5),
    ),
    "Adagrad": (
        {},
        dict(lr=0.1, lr_decay=0.1, eps=0.5),
        dict(lr=0.1, weight_decay=0.1, initial_accumulator_value=0.3, maximize=True),
    ),
    "Adadelta": ({}, dict(lr=0.5, rho=0.5, eps=0.1), dict(weight_decay=0.1, maximize=True)),
    "Rprop": (
        {},
        dict(lr=0.1, etas=(0.3, 1.5), step_sizes=(0.01, 0.2)),
        dict(lr=0.1, maximize=True),
    ),
}


def label(name: str, options: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{k}={v}' for k, v in options.items())})"


def gradients(step: int) -> list[Any]:
    """Those of one step; the second parameter has none in the third, the last one a 0."""
    given: list[Any] = [data(*shape, seed=100 + step) for shape in SHAPES]
    if step == 2:
        given[1] = None
    return [*given[:2], given[2] * (step != 4)]


def parameters(torch: Any, dtype: str = "float64") -> list[Any]:
    starts = [data(*shape, seed=i) for i, shape in enumerate(SHAPES)]
    return [torch.tensor(start.astype(dtype), requires_grad=True) for start in starts]


def take_step(torch: Any, optimizer: Any, params: list[Any], step: int) -> None:
    dtype = str(params[0].dtype).removeprefix("torch.")
    for p, g in zip(params, gradients(step)):
        p.grad = None if g is None else torch.tensor(g.astype(dtype))
    optimizer.step()


def walk(name: str, options: dict[str, Any]) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        params = parameters(fw.torch)
        optimizer = getattr(fw.optim, name)(params, **options)
        group = optimizer.state_dict()["param_groups"][0]
        found: dict[str, Any] = {"options": group, "sums": []}
        for step in range(10):
            take_step(fw.torch, optimizer, params, step)
            found["sums"].append(sum(p.sum().item() for p in params))
        return {**found, **dict(zip("abc", params)), "state": optimizer.state_dict()["state"]}

    return case


TABLE = {label(name, o): walk(name, o) for name, given in RULES.items() for o in given}
EACH = [(name, options) for name, given in RULES.items() for options in given]
each = pytest.mark.parametrize(("name", "options"), EACH, ids=[label(n, o) for n, o in EACH])


@cases(TABLE)
def test_as_pytorch(name: str, case: Any) -> None:
    check("optim", name, case)


ROWS = {
    "SGD": (dict(lr=0.1), (0.9, 0.85, 1.05)),
    "SGD momentum": (dict(lr=0.1, momentum=0.9), (0.9, 0.76, 0.834)),
    "SGD dampening": (dict(lr=0.1, momentum=0.9, dampening=0.5), (0.9, 0.785, 0.7815)),
    "SGD nesterov": (dict(lr=0.1, momentum=0.9, nesterov=True), (0.81, 0.634, 0.9006)),
    "SGD decay": (dict(lr=0.1, weight_decay=0.1), (0.89, 0.8311, 1.022789)),
    "Adam": (dict(lr=0.1), (0.900000001, 0.8067820, 0.8274177)),
    "Adam eps": (dict(lr=0.1, eps=0.5), (0.93333, 0.87623, 0.89121)),
    "Adam decay": (dict(lr=0.1, weight_decay=0.1), (0.9000000009, 0.80577, 0.81965)),
    "AdamW": (dict(lr=0.1, weight_decay=0.1), (0.89, 0.78788, 0.80064)),
    "RMSprop": (dict(lr=0.1), (1e-7, -0.449, 0.4257)),
    "RMSprop centered": (dict(lr=0.1, centered=True), (-0.0050, -0.4581, 0.4168)),
    "RMSprop momentum": (dict(lr=0.1, momentum=0.9), (1e-7, -1.349, -1.688)),
}
"""SEMANTICS.md 3D: where p = 1 goes with gradients 1, 0.5, -2."""


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_semantics(name: str) -> None:
    options, path = ROWS[name]
    p = autograd.tensor(np.array(1.0), requires_grad=True)
    optimizer = getattr(optim, name.split()[0])([p], **options)
    for g, expected in zip((1.0, 0.5, -2.0), path):
        p.grad = autograd.tensor(np.array(g))
        optimizer.step()
        digits = 3 if name.startswith("RMSprop") else 4  # as the table rounds
        assert p.item() == pytest.approx(expected, abs=0.6 * 10**-digits)


def test_defaults_of_the_semantics() -> None:
    p = parameters(autograd)
    assert optim.SGD(p).defaults["lr"] == 1e-3
    assert (optim.Adam(p).defaults["lr"], optim.Adam(p).defaults["eps"]) == (1e-3, 1e-8)
    assert optim.AdamW(p).defaults["weight_decay"] == 1e-2
    assert (optim.RMSprop(p).defaults["lr"], optim.RMSprop(p).defaults["alpha"]) == (1e-2, 0.99)
    assert optim.Adagrad(p).defaults["eps"] == 1e-10


@each
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernel_as_its_reference(name: str, options: dict[str, Any], dtype: str) -> None:
    ours, slow = parameters(autograd, dtype), parameters(autograd, dtype)
    a, b = (getattr(optim, name)(params, **options) for params in (ours, slow))
    b._buckets[0].native = False
    rtol = 1e-12 if dtype == "float64" else 1e-5
    for step in range(10):
        take_step(autograd, a, ours, step)
        take_step(autograd, b, slow, step)
        for p, q in zip(ours, slow):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol, rtol)
    np.testing.assert_allclose(a._buckets[0].state, b._buckets[0].state, rtol, rtol)
    np.testing.assert_array_equal(a._buckets[0].steps, b._buckets[0].steps)
    assert all(p.dtype == dtype for p in ours)


@each
def test_float32_is_near_float64(name: str, options: dict[str, Any]) -> None:
    single, double = parameters(autograd, "float32"), parameters(autograd)
    for params in (single, double):
        optimizer = getattr(optim, name)(params, **options)
        for step in range(10):
            take_step(autograd, optimizer, params, step)
    for p, q in zip(single, double):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), 2e-5, 2e-6)


@each
@pytest.mark.parametrize("after", [0, 1, 4])
def test_resume(name: str, options: dict[str, Any], after: int) -> None:
    whole, halves = parameters(autograd), parameters(autograd)
    optimizer, first = (getattr(optim, name)(params, **options) for params in (whole, halves))
    for step in range(after):
        take_step(autograd, first, halves, step)
    saved = copy.deepcopy(first.state_dict())
    again = [autograd.tensor(p.detach().numpy().copy(), requires_grad=True) for p in halves]
    second = getattr(optim, name)(again, lr=99.0)
    second.load_state_dict(saved)
    for step in range(after, 10):
        take_step(autograd, second, again, step)
    for step in range(10):
        take_step(autograd, optimizer, whole, step)
    for p, q in zip(again, whole):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch")
@each
def test_state_crosses(name: str, options: dict[str, Any]) -> None:
    """Three steps there, the state over to the other side, three more: as six there."""
    import torch

    def start(there: Any, values: Any = None) -> tuple[Any, Any]:
        params = parameters(there.torch)
        for p, value in zip(params, values or ()):
            p.detach()[...] = there.torch.tensor(value)
        return params, getattr(there.optim, name)(params, **options)

    def steps(there: Any, params: Any, optimizer: Any, some: range) -> list[np.ndarray]:
        for step in some:
            take_step(there.torch, optimizer, params, step)
        return [p.detach().numpy().copy() for p in params]

    here, there = ours(), pytorch()
    theirs, optimizer = start(there)
    middle = steps(there, theirs, optimizer, range(3))
    saved = copy.deepcopy(optimizer.state_dict())
    expected = steps(there, theirs, optimizer, range(3, 6))

    params, mine = start(here, middle)
    mine.load_state_dict(saved)
    back = {
        index: {k: torch.tensor(v.numpy()) for k, v in values.items()}
        for index, values in mine.state_dict()["state"].items()
    }
    for a, b in zip(steps(here, params, mine, range(3, 6)), expected):
        np.testing.assert_allclose(a, b, 1e-9, 1e-12)
    # Loading turns the float32 of `mu_product` into the parameter's float64 there, so that PyTorch
    # resumed differs from PyTorch uninterrupted.
    rtol = 1e-6 if name == "NAdam" else 1e-12
    params, theirs_again = start(there, middle)
    theirs_again.load_state_dict({**mine.state_dict(), "state": back})
    for a, b in zip(steps(there, params, theirs_again, range(3, 6)), expected):
        np.testing.assert_allclose(a, b, rtol)


@each
def test_nan_reaches_only_its_element(name: str, options: dict[str, Any]) -> None:
    p = autograd.tensor(np.ones(20), requires_grad=True)
    optimizer = getattr(optim, name)([p], **options)
    for _ in range(2):
        g = np.ones(20)
        g[3] = np.nan
        p.grad = autograd.tensor(g)
        optimizer.step()
    good = np.delete(p.detach().numpy(), 3)
    assert np.isfinite(good).all()
    assert np.isnan(p[3].item()) == (name != "Rprop")  # which reads signs, and NaN has none


@each
def test_infinite_parameters_stay(name: str, options: dict[str, Any]) -> None:
    p = autograd.tensor(np.array([-np.inf, 1.0]), requires_grad=True)
    options = {k: v for k, v in options.items() if k != "weight_decay"}
    optimizer = getattr(optim, name)([p], **{**options, **NO_DECAY.get(name, {})})
    p.grad = autograd.tensor(np.array([0.0, 1.0]))
    optimizer.step()
    assert p[0].item() == -np.inf


NO_DECAY = {"AdamW": dict(weight_decay=0)}


@each
def test_empty_parameters(name: str, options: dict[str, Any]) -> None:
    p = autograd.zeros(0, 3, requires_grad=True)
    optimizer = getattr(optim, name)([p], **options)
    p.grad = autograd.zeros(0, 3)
    optimizer.step()
    assert p.shape == (0, 3)


@each
def test_a_replay_needs_no_python(name: str, options: dict[str, Any]) -> None:
    """All that a step reads and writes stands in the arrays of a bucket, also a schedule's lr."""
    whole, params = parameters(autograd), parameters(autograd)
    eager, recorded = (getattr(optim, name)(given, **options) for given in (whole, params))
    bucket = recorded._buckets[0]
    arrays = [np.zeros(shape) for shape in SHAPES]
    held: tuple[Any, ...] = tuple(arrays)
    if not bucket.native:
        pytest.skip("without the JIT there are no kernels to replay")
    for step in range(10):
        lr = 0.1 / (1 + step)
        eager.param_groups[0]["lr"] = recorded.param_groups[0]["lr"] = lr
        given = gradients(step)
        held = tuple(None if g is None else array for g, array in zip(given, arrays))
        for g, array in zip(given, arrays):
            np.copyto(array, 0 if g is None else g)
        steps, state = bucket.steps, bucket.state
        address = id(held) + TUPLE_ITEMS
        done = bucket.rule.kernel.run(
            address, id(None), bucket.book, bucket.group.live, steps, state
        )
        assert done == -1
        take_step(autograd, eager, whole, step)
    for p, q in zip(params, whole):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_kernels_have_one_signature_per_dtype() -> None:
    seen = set()
    for name in RULES:
        for dtype in ("float32", "float64"):
            params = parameters(autograd, dtype)
            optimizer = getattr(optim, name)(params)
            take_step(autograd, optimizer, params, 0)
        run = optimizer.rule.kernel.run
        if hasattr(run, "signatures"):
            assert len(run.signatures) == 2
            seen |= {str(signature) for signature in run.signatures}
    assert len(seen) in (0, 2)  # the same two for all of them; none without the JIT
