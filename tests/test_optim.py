"""Optimizers and clipping, against numbers computed with PyTorch 2.13."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from optim.fused import Bucket

GRADIENTS = (1, 0.5, -2, 0.25, -1, 3, 0, -0.5, 2, 1)


@dataclass(frozen=True)
class Case:
    """Ten steps in float64 from p = 1 with GRADIENTS: where PyTorch's optimizer goes."""

    optimizer: str
    options: dict[str, Any]
    path: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.optimizer}({', '.join(f'{k}={v}' for k, v in self.options.items())})"


# fmt: off
CASES = (
    Case("SGD", dict(lr=0.1), (0.9, 0.85, 1.05, 1.025, 1.125, 0.825, 0.825, 0.875, 0.675, 0.575)),
    Case("SGD", dict(lr=0.1, momentum=0.9),
         (0.9, 0.76, 0.834, 0.8756, 1.01304, 0.836736, 0.6780624, 0.58525616, 0.301730544,
          -0.0534425104)),
    Case("SGD", dict(lr=0.1, momentum=0.9, dampening=0.5),
         (0.9, 0.785, 0.7815, 0.76585, 0.801765, 0.6840885, 0.57817965, 0.507861685, 0.3445755165,
          0.14761796485)),
    Case("SGD", dict(lr=0.1, momentum=0.9, nesterov=True),
         (0.81, 0.634, 0.9006, 0.91304, 1.136736, 0.6780624, 0.53525616, 0.501730544, 0.0465574896,
          -0.37309825936)),
    Case("SGD", dict(lr=0.1, weight_decay=0.1),
         (0.89, 0.8311, 1.022789, 0.98756111, 1.0776854989, 0.766908643911, 0.759239557472,
          0.801647161897, 0.593630690278, 0.487694383375)),
    Case("SGD", dict(lr=0.1, momentum=0.9, weight_decay=0.1, maximize=True),
         (1.09, 1.2101, 1.106089, 1.02641821, 0.8444503169, 0.972234709941, 1.07751831658,
          1.11149837939, 1.33096545212, 1.61517616306)),
    Case("Adam", dict(lr=0.1),
         (0.900000001, 0.806782038298, 0.827417740862, 0.837913710642, 0.867784002446,
          0.844245508175, 0.823689243795, 0.812007756663, 0.780624688995, 0.742603475822)),
    Case("Adam", dict(lr=0.1, eps=0.5),
         (0.933333333333, 0.876233742454, 0.891210413458, 0.898530586186, 0.919202056458,
          0.901271906948, 0.885907732106, 0.877308504114, 0.853871303447, 0.825678607742)),
    Case("Adam", dict(lr=0.1, weight_decay=0.1),
         (0.900000000909, 0.805771796892, 0.819653866743, 0.822562638377, 0.844983186956,
          0.816447788098, 0.790488944061, 0.772976196774, 0.736572342718, 0.693698814004)),
    Case("Adam", dict(lr=0.1, amsgrad=True),
         (0.900000001, 0.806782038298, 0.827417740862, 0.837913710642, 0.867784002446,
          0.844245508175, 0.823699524498, 0.812018037366, 0.780634969698, 0.742613756525)),
    Case("Adam", dict(lr=0.1, betas=(0.5, 0.6), maximize=True),
         (1.099999999, 1.19146590982, 1.13496011707, 1.11131856906, 1.05126626401, 1.10847776789,
          1.14547372865, 1.14913315816, 1.21270661487, 1.28509525014)),
    Case("AdamW", dict(lr=0.1, weight_decay=0.1),
         (0.890000001, 0.787882038288, 0.800638920469, 0.803128501045, 0.824967507838,
          0.793179338489, 0.764691280724, 0.745362880784, 0.706526184309, 0.661439709293)),
    Case("AdamW", dict(lr=0.1, amsgrad=True),
         (0.899000001, 0.804883038297, 0.824713857823, 0.834385113745, 0.863421020435,
          0.839019105144, 0.817634102362, 0.805134981127, 0.772946778478, 0.734152618527)),
    Case("AdamW", dict(),
         (0.99899000001, 0.998047830483, 0.99824420703, 0.998339184286, 0.998627903812,
          0.99838253259, 0.998166986121, 0.99804018958, 0.997716378502, 0.997326189206)),
)
# fmt: on


def leaf(value: Any, dtype: Any = "float64") -> autograd.Tensor:
    """A leaf that requires grad."""
    return autograd.tensor(np.array(value, dtype), requires_grad=True)


def walk(optimizer: Any, p: Any, gradients: Any) -> list[float]:
    """Where p (its first element) goes."""
    path = []
    for g in gradients:
        p.grad = autograd.full_like(p, float(g))
        optimizer.step()
        path.append(p.detach().numpy().ravel()[0].item())
    return path


@pytest.mark.parametrize("native", [True, False], ids=["kernel", "numpy"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_path(case: Case, dtype: str, native: bool) -> None:
    p = leaf(np.ones((3, 7)), dtype)
    optimizer = getattr(optim, case.optimizer)([p], **case.options)
    optimizer._buckets[0].native &= native
    path = walk(optimizer, p, GRADIENTS)
    rtol = 1e-10 if dtype == "float64" else 3e-6
    np.testing.assert_allclose(path, case.path, rtol=rtol, atol=rtol)
    assert (p.detach().numpy() == p.detach().numpy().ravel()[0]).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_resume(case: Case) -> None:
    p = leaf(1.0)
    optimizer = getattr(optim, case.optimizer)([p], **case.options)
    walk(optimizer, p, GRADIENTS[:4])
    q = leaf(p.item())
    resumed = getattr(optim, case.optimizer)([q], lr=99.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    path = walk(resumed, q, GRADIENTS[4:])
    np.testing.assert_allclose(path, case.path[4:], rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", dict(lr=-1.0), "learning rate: -1.0; expected lr >= 0"),
        ("SGD", dict(lr=math.nan), "learning rate: nan"),
        ("SGD", dict(momentum=-0.1), "momentum value: -0.1"),
        ("SGD", dict(weight_decay=-1), "weight_decay value: -1"),
        ("SGD", dict(nesterov=True), "Nesterov momentum requires a momentum and zero dampening"),
        ("SGD", dict(nesterov=True, momentum=0.9, dampening=0.5), "dampening 0.5"),
        ("Adam", dict(lr=-1e-3), "learning rate: -0.001"),
        ("Adam", dict(eps=-1e-8), "epsilon value: -1e-08"),
        ("Adam", dict(betas=(1.0, 0.9)), "beta parameter at index 0: 1.0; expected 0 <= beta < 1"),
        ("Adam", dict(betas=(0.9, -0.1)), "beta parameter at index 1: -0.1"),
        ("AdamW", dict(weight_decay=-0.5), "weight_decay value: -0.5"),
    ],
)
def test_refuses(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([leaf(1.0)], **options)


def test_refuses_what_are_no_parameters() -> None:
    p = leaf(1.0)
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(p)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="one of the params is float"):
        optim.SGD([1.0])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([p * 2])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {p}}])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [p]}, {"params": [p]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])


def test_groups_have_their_own_options_and_live_ones() -> None:
    p, q = leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([{"params": [p], "lr": 1.0}, {"params": q}], lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.1]
    p.grad, q.grad = leaf(1.0), leaf(1.0)
    optimizer.step()
    assert (p.item(), q.item()) == (0.0, 0.9)
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    optimizer.step()
    np.testing.assert_allclose((p.item(), q.item()), (-0.5, 0.4))
    optimizer.param_groups[0].update(lr=0.0, momentum=0.9)
    optimizer.step()
    assert p.item() == -0.5


def test_a_missing_gradient_is_a_step_not_taken() -> None:
    p, q = leaf(1.0), leaf(1.0)
    optimizer = optim.Adam([p, q], lr=0.1)
    p.grad = leaf(1.0)
    version = q.version[0]
    optimizer.step()
    assert q.item() == 1.0
    assert q.version[0] == version
    assert set(optimizer.state) == {p}
    q.grad = leaf(1.0)
    optimizer.step()
    assert q.item() == pytest.approx(0.9)  # its own first step
    assert [s["step"].item() for s in optimizer.state.values()] == [2.0, 1.0]


def test_gradients_of_any_layout_and_parameters_that_move() -> None:
    start = np.arange(6.0).reshape(2, 3)
    p, q = leaf(start), leaf(start)
    a, b = optim.Adam([p], lr=0.1), optim.Adam([q], lr=0.1)
    strided = autograd.tensor(np.arange(6.0).reshape(3, 2)).t()
    for _ in range(3):
        p.grad, q.grad = strided, strided.contiguous()
        a.step()
        b.step()
        p.data = p.data.clone()
    np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    turned = autograd.tensor(start).t().detach().requires_grad_()
    optimizer = optim.SGD([turned], lr=1.0)
    turned.grad = autograd.ones(3, 2, dtype=autograd.float64)
    optimizer.step()
    np.testing.assert_array_equal(turned.detach().numpy(), start.T - 1)


def test_a_model_that_changes_its_dtype_keeps_its_state() -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(autograd.ones(4, 3)).sum().backward()
    optimizer.step()
    model.double()
    optimizer.step()
    state = optimizer.state[model.weight]
    assert state["step"].item() == 2
    assert state["exp_avg"].dtype == autograd.float64
    np.testing.assert_allclose(state["exp_avg"].numpy(), np.full((2, 3), 4 * 0.19), rtol=1e-6)


def test_mixed_dtypes_in_a_group() -> None:
    p, q = leaf(1.0, "float32"), leaf(1.0, "float64")
    optimizer = optim.SGD([p, q], lr=0.5)
    p.grad, q.grad = autograd.tensor(1.0), autograd.tensor(np.array(1.0))
    optimizer.step()
    assert (p.item(), q.item()) == (0.5, 0.5)


def test_one_kernel_for_any_model() -> None:
    from optim.adam import _adam

    for count in (1, 2, 30):
        params = [leaf(np.ones((i + 1, 2)), "float32") for i in range(count)]
        optimizer = optim.Adam(params)
        for p in params:
            p.grad = autograd.ones_like(p)
        optimizer.step()
    if hasattr(_adam.run, "signatures"):
        float32 = [s for s in _adam.run.signatures if "float32" in str(s[-1])]
        assert len(float32) == 1


def test_a_step_counts_as_an_in_place_change() -> None:
    p = leaf(2.0)
    out = p * p
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = leaf(1.0)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_zero_grad_and_closure() -> None:
    p = leaf(1.0)
    optimizer = optim.SGD([p], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = p * p
        loss.backward()
        return loss

    with autograd.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert p.item() == pytest.approx(0.8)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.item() == 0.0
    optimizer.zero_grad()
    assert p.grad is None


def test_state_dict_is_pytorchs() -> None:
    p, q = leaf([1.0, 2.0]), leaf(1.0)
    optimizer = optim.Adam([{"params": [p]}, {"params": [q], "lr": 0.5}])
    assert optimizer.state_dict()["state"] == {}
    p.grad, q.grad = autograd.ones_like(p), autograd.ones_like(q)
    optimizer.step()
    saved = optimizer.state_dict()
    assert list(saved["state"]) == [0, 1]
    assert list(saved["state"][0]) == ["step", "exp_avg", "exp_avg_sq"]
    assert saved["state"][0]["exp_avg"].shape == (2,)
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1]]
    assert set(saved["param_groups"][1]) == {
        "params", "lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach",
        "capturable", "differentiable", "fused", "decoupled_weight_decay",
    }  # fmt: skip
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optim.Adam([p]).load_state_dict(saved)
    with pytest.raises(ValueError, match="doesn't match the size"):
        optim.Adam([{"params": [p, q]}, {"params": [leaf(1.0)]}]).load_state_dict(saved)


def test_copies_have_memory_of_their_own() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(autograd.ones(1, 2)).sum().backward()
    optimizer.step()
    for twin, twin_optimizer in (
        copy.deepcopy((model, optimizer)),
        pickle.loads(pickle.dumps((model, optimizer))),
    ):
        twin.zero_grad()
        before = model.weight.detach().numpy().copy()
        twin(autograd.ones(1, 2)).sum().backward()
        twin_optimizer.param_groups[0]["lr"] = 0.5
        twin_optimizer.step()
        assert twin_optimizer.state[twin.weight]["step"].item() == 2
        assert twin.weight[0, 0].item() == pytest.approx(before[0, 0] - 0.5, abs=1e-5)
        np.testing.assert_array_equal(model.weight.detach().numpy(), before)


def test_an_optimizer_in_python() -> None:
    class Sign(optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            with autograd.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        count = self.state[p].setdefault("count", 0)
                        self.state[p]["count"] = count + 1
                        p -= group["lr"] * p.grad.sign()

    p = leaf([1.0, 2.0])
    optimizer = Sign([p], {"lr": 0.5})
    p.grad = autograd.tensor(np.array([3.0, -3.0]))
    optimizer.step()
    np.testing.assert_array_equal(p.detach().numpy(), [0.5, 2.5])
    assert optimizer.state_dict()["state"] == {0: {"count": 1}}
    assert "lr: 0.5" in repr(optimizer)


def test_bucket_sees_an_unreadable_gradient() -> None:
    p = leaf([1.0, 2.0])
    optimizer = optim.SGD([p], lr=1.0)
    p._grad = autograd.Tensor.wrap(np.ones(2, np.float32))  # what the setter would refuse
    optimizer.step()
    np.testing.assert_array_equal(p.detach().numpy(), [0.0, 1.0])
    p._grad = autograd.Tensor.wrap(np.ones(3))
    with pytest.raises(RuntimeError, match="gradient has shape"):
        optimizer.step()
    assert isinstance(optimizer._buckets[0], Bucket)


# Clipping


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
