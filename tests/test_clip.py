"""Gradient clipping: PyTorch's numbers, and the traps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from tests.faces import cases, check, data


def leaf(value: Any, dtype: Any = "float64") -> autograd.Tensor:
    """A leaf that requires grad."""
    return autograd.tensor(np.array(value, dtype), requires_grad=True)


def gradients(*values: Any) -> list[autograd.Tensor]:
    """Leaves with these gradients, float32."""
    leaves = [leaf(np.zeros(np.shape(v)), "float32") for v in values]
    for p, value in zip(leaves, values, strict=True):
        p.grad = autograd.tensor(np.array(value, "float32"))
    return leaves


@pytest.mark.parametrize(
    ("given", "options", "norm", "left"),
    [
        ([[3.0, 4.0]], dict(max_norm=1), 5.0, [0.5999999, 0.7999998]),
        ([[3.0, 4.0]], dict(max_norm=10), 5.0, [3, 4]),
        ([[0.0, 0.0]], dict(max_norm=1), 0.0, [0, 0]),
        ([[3.0, 4.0]], dict(max_norm=0), 5.0, [0, 0]),
        ([[3.0, 4.0]], dict(max_norm=1, norm_type=1), 7.0, [0.4285714, 0.5714285]),
        ([[3.0, 4.0]], dict(max_norm=1, norm_type=math.inf), 4.0, [0.75, 0.9999998]),
        ([[3.0, 4.0]], dict(max_norm=1, norm_type="inf"), 4.0, [0.75, 0.9999998]),
        ([3.0, [[4.0]]], dict(max_norm=1), 5.0, [0.5999999, 0.7999998]),
        ([[math.inf, 4.0]], dict(max_norm=1), math.inf, [math.nan, 0]),
        ([[math.nan, 4.0]], dict(max_norm=1), math.nan, [math.nan, math.nan]),
        ([[math.nan, 4.0]], dict(max_norm=1, norm_type=1), math.nan, [math.nan, math.nan]),
    ],
)
def test_clip_grad_norm(given: Any, options: Any, norm: float, left: Any) -> None:
    params = gradients(*given)
    before = nn.utils.clip_grad_norm_((p for p in params), **options)
    np.testing.assert_allclose(before.item(), norm, rtol=1e-6)
    found = np.concatenate([p.grad.numpy().ravel() for p in params])
    np.testing.assert_allclose(found, left, rtol=1e-6)


def test_clip_grad_norm_of_what_is_not_finite_or_not_there() -> None:
    (p,) = gradients([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(p.grad.numpy(), [math.inf, 1.0])
    (p,) = gradients([3.0, 4.0])
    assert nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True).item() == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-5)
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0.0
    assert nn.utils.clip_grad_norm_([leaf(1.0)], 1.0).item() == 0.0


def test_clip_grad_norm_of_strided_and_mixed_gradients() -> None:
    p, q = leaf(np.zeros((2, 1)), "float32"), leaf(0.0)
    p.grad = autograd.tensor([[3.0, 0.0]]).t()
    q.grad = leaf(4.0)
    assert nn.utils.clip_grad_norm_([p, q], 1.0).item() == 5.0
    np.testing.assert_allclose([p.grad[0, 0].item(), q.grad.item()], [0.6, 0.8], rtol=1e-5)


def test_clip_grad_value() -> None:
    (p,) = gradients([-3.0, 0.5, math.nan, math.inf])
    nn.utils.clip_grad_value_([p, leaf(1.0)], 1.0)
    np.testing.assert_array_equal(p.grad.numpy(), [-1.0, 0.5, math.nan, 1.0])
    assert nn.utils.clip_grad_value_ is optim.clip_grad_value_


# Against PyTorch


def clipped(function: str, *given: Any, dtype: str = "float64", **options: Any) -> Any:
    """Gradients of three shapes after a function of `nn.utils`, and what that returned."""

    def case(fw: Any) -> dict[str, Any]:
        # PyTorch has no inf-norm of an empty gradient; ours is 0.
        sizes = (5, 1, 2 if math.inf in map(float, given) else 0)
        params = [fw.torch.tensor(np.zeros(n, dtype), requires_grad=True) for n in sizes]
        for i, p in enumerate(params):
            p.grad = fw.torch.tensor(data(*p.shape, seed=i).astype(dtype))
        bare = fw.torch.tensor(np.zeros(2, dtype), requires_grad=True)
        call = getattr(fw.nn.utils, function)
        if function == "get_total_norm":
            out = call([p.grad for p in params], *given, **options)
        else:
            out = call([*params, bare], *given, **options)
        return {"out": out, **dict(zip("abc", (p.grad for p in params)))}

    return case


TABLE = {
    "norm": clipped("clip_grad_norm_", 1.0),
    "norm float32": clipped("clip_grad_norm_", 1.0, dtype="float32"),
    "norm above": clipped("clip_grad_norm_", 100.0),
    "norm 1": clipped("clip_grad_norm_", 1.0, norm_type=1),
    "norm 3": clipped("clip_grad_norm_", 0.5, 3.0),
    "norm inf": clipped("clip_grad_norm_", 0.5, "inf", foreach=False),
    "norm 0": clipped("clip_grad_norm_", 0.5, 0),
    "norm negative": clipped("clip_grad_norm_", -1.0),
    "value": clipped("clip_grad_value_", 0.5),
    "value float32": clipped("clip_grad_value_", 0.3, dtype="float32", foreach=False),
    "value negative": clipped("clip_grad_value_", -0.5),
    "total": clipped("get_total_norm"),
    "total 4": clipped("get_total_norm", 4.0),
    "total inf": clipped("get_total_norm", math.inf),
}


@cases(TABLE)
def test_as_pytorch(name: str, case: Any) -> None:
    rtol = 1e-6 if "float32" in name else 1e-9
    check("clip", name, case, rtol=rtol)


def with_a_known_norm(fw: Any) -> dict[str, Any]:
    p, q = (fw.torch.tensor(np.zeros(3), requires_grad=True) for _ in range(2))
    p.grad, q.grad = (fw.torch.tensor(data(3, seed=i)) for i in range(2))
    total = fw.nn.utils.get_total_norm([p.grad, q.grad])
    fw.nn.utils.clip_grads_with_norm_([p, q], 0.5, total)
    fw.nn.utils.clip_grads_with_norm_(p, 0.25, fw.torch.tensor(np.array(1.0)))
    fw.nn.utils.clip_grads_with_norm_([], 0.25, total)
    return {"total": total, "p": p.grad, "q": q.grad}


def nothing(fw: Any) -> dict[str, Any]:
    p = fw.torch.tensor(np.zeros(3), requires_grad=True)
    clip = fw.nn.utils.clip_grad_norm_
    return {"empty": clip([], 1.0), "none": clip([p], 1.0), "p": fw.nn.utils.get_total_norm([])}


@cases({"with a known norm": with_a_known_norm, "nothing to clip": nothing})
def test_more_as_pytorch(name: str, case: Any) -> None:
    check("clip", name, case)


def test_an_empty_generator_is_told_of() -> None:
    with pytest.warns(UserWarning, match="empty generator, no gradient clipping will occur"):
        optim.clip_grad_norm_((p for p in []), 1.0)
    model = nn.Linear(2, 1)
    parameters = model.parameters()
    optim.clip_grad_norm_(parameters, 1.0)  # no gradients yet
    with pytest.warns(UserWarning, match="empty generator"):
        optim.clip_grad_norm_(parameters, 1.0)  # consumed


def test_total_norm_that_is_not_finite() -> None:
    with pytest.raises(RuntimeError, match=r"total norm of order 2.0 .* is non-finite"):
        optim.get_total_norm([leaf([1.0, math.nan])], error_if_nonfinite=True)
    assert optim.get_total_norm(leaf([math.inf, 1.0])).item() == math.inf
    assert optim.get_total_norm(t for t in [leaf([3.0]), leaf([4.0])]).item() == 5.0


def test_gradients_of_scalars() -> None:
    x = autograd.scalar(2.0).requires_grad_()
    (x * x).backward()
    assert optim.clip_grad_norm_([x], 1.0).item() == 4.0
    assert x.grad.item() == pytest.approx(1.0, rel=1e-6)
    optim.clip_grad_value_(x, 0.5)
    assert x.grad.item() == 0.5


def test_strided_and_mixed_gradients_by_value() -> None:
    p, q = leaf(np.zeros((2, 1)), "float32"), leaf(0.0)
    p.grad = autograd.tensor([[3.0, 0.0]]).t()
    q.grad = leaf(-4.0)
    optim.clip_grad_value_([p, q], 1.0)
    np.testing.assert_array_equal(p.grad.numpy().ravel(), [1.0, 0.0])
    assert q.grad.item() == -1.0


def test_clipping_counts_as_an_in_place_change() -> None:
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        p = leaf([1.0, 2.0])
        p.grad = leaf([3.0, 4.0])
        out = (p.grad * p.grad).sum()
        clip([p], 1.0)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.backward()


def test_large_float32_gradients_have_a_finite_norm() -> None:
    (p,) = gradients(np.full(4, 1e20))
    assert optim.clip_grad_norm_([p], 1.0).item() == pytest.approx(2e20)
    np.testing.assert_allclose(p.grad.numpy(), 0.5, rtol=1e-6)
