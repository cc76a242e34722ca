"""Every op of the table, compiled: eager's bytes, also on other data than it was recorded with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
from autograd.tensor import Tensor
from tests.table import Arrays, Case, cases, is_float


def other(inputs: Arrays) -> Arrays:
    """The same floats in another order; integers and masks as they are."""
    return [x.ravel()[::-1].reshape(x.shape).copy() if is_float(x) else x for x in inputs]


def step_of(case: Case) -> Any:
    """The op and its gradients, as a step whose arguments are the arrays of the sample."""

    def step(*tensors: Any) -> Any:
        given = iter(tensors)
        inputs = [next(given) if isinstance(x, np.ndarray) else x for x in case.inputs()]
        wanted = [t.detach().requires_grad_() if is_float(t) else t for t in inputs]
        out = case.run(wanted)
        if not out.requires_grad:
            return [out]
        sources = [t for t in wanted if isinstance(t, Tensor) and t.requires_grad]
        weights = autograd.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
        return [out, *autograd.grad(out, sources, weights, allow_unused=True)]

    return step


def compilable(case: Case) -> bool:
    """Not the random ops, whose samples stand on a stream of their own."""
    return "stream" not in case.meta


@cases(compilable)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_is_eager(case: Case, dtype: Any):
    arrays = [x for x in case.inputs(dtype) if isinstance(x, np.ndarray)]
    step = step_of(case)
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
