"""Every op of the table, compiled: eager's bytes, also on other data than it was recorded with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
from autograd.compiled import encode
from autograd.generator import stream
from autograd.op import TABLE, Op
from autograd.tensor import Tensor
from tests.table import Arrays, Case, cases, is_float, ops

THROUGH_PYTHON: dict[str, str] = {}
"""Ops that a plan may call through Python, and why."""


def other(inputs: Arrays) -> Arrays:
    """The same numbers in another order: floats, indices within their range, masks."""
    return [x.ravel()[::-1].reshape(x.shape).copy() for x in inputs]


def step_of(case: Case, turned: bool = False) -> Any:
    """The op with its gradients and theirs, as a step whose arguments are the sample's arrays.

    `turned`: the arrays come transposed, and the step turns them back, so that the op is given
    memory that is not contiguous.
    """

    def step(*tensors: Any) -> Any:
        given = iter(tensors)
        inputs = [next(given) if isinstance(x, np.ndarray) else x for x in case.inputs()]
        if turned:
            inputs = [t.permute(*range(t.ndim)[::-1]) if is_tensor(t) else t for t in inputs]
        wanted = [t.detach().requires_grad_() if is_float(t) else t for t in inputs]
        out = case.run(wanted)
        if not out.requires_grad:
            return [out]
        sources = [t for t in wanted if isinstance(t, Tensor) and t.requires_grad]
        twice = case.sample.order > 1 and not turned
        first = gradients(out, sources, create_graph=twice)
        if not twice:
            return [out, *first]
        known = [g for g in first if g is not None and g.requires_grad]
        return [out, *first, *(d for g in known for d in gradients(g, sources))]

    return step


def is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


def gradients(out: Tensor, sources: list[Tensor], create_graph: bool = False) -> Any:
    weights = autograd.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
    return autograd.grad(out, sources, weights, allow_unused=True, create_graph=create_graph)


def check(step: Any, arrays: Arrays) -> Any:
    """Eager and compiled on the same data and on other data; the plan."""
    fast = autograd.compile(step)
    for data in (arrays, arrays, other(arrays), arrays, other(arrays)):
        tensors = [autograd.tensor(a, dtype=a.dtype) for a in data]
        expected, found = step(*tensors), fast(*tensors)
        for a, b in zip(found, expected, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert fast.plan is not None
    return fast.plan


def through_python(plan: Any) -> dict[str, str]:
    """The instructions of a plan that are called through Python, and why."""
    return {b.instruction.name: b.why for b in plan.first.bound if b.python is not None}


def compilable(case: Case) -> bool:
    """Not the random ops, whose samples stand on a stream of their own."""
    return "stream" not in case.meta


@cases(compilable)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_is_eager(case: Case, dtype: Any):
    arrays = [x for x in case.inputs(dtype) if isinstance(x, np.ndarray)]
    plan = check(step_of(case), arrays)
    if encode.available():
        assert through_python(plan).keys() <= THROUGH_PYTHON.keys(), through_python(plan)


def spacious(case: Case) -> bool:
    return compilable(case) and any(np.ndim(x) > 1 and np.size(x) for x in case.inputs())


@cases(spacious)
def test_compiled_is_eager_on_turned_memory(case: Case):
    arrays = [x.T.copy() for x in case.inputs(np.float32) if isinstance(x, np.ndarray)]
    plan = check(step_of(case, turned=True), arrays)
    if encode.available():
        assert through_python(plan).keys() <= THROUGH_PYTHON.keys(), through_python(plan)


@ops(lambda op: "stream" in op.names)
def test_random_ops_draw_as_eager_does(op: Op):
    meta = {k: v for k, v in op.samples[0].meta.items() if k != "stream"}

    def step(x: Any) -> Any:
        return op(x, **meta, stream=stream(None))

    fast, x = autograd.compile(step), autograd.ones(30, 4)
    drawn = []
    for f in (step, fast):
        autograd.manual_seed(1)
        drawn.append([f(x).numpy().copy() for _ in range(5)])
    np.testing.assert_array_equal(*drawn)
    assert not encode.available() or not through_python(fast.plan)


def test_exceptions_exist():
    assert THROUGH_PYTHON.keys() <= TABLE.keys()
