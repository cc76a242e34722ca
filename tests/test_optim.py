"""Parameter groups, steps, copies and hooks of optimizers; rules: test_optim_rules.py."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from optim.rule import Bucket


def leaf(value: Any, dtype: Any = "float64") -> autograd.Tensor:
    """A leaf that requires grad."""
    return autograd.tensor(np.array(value, dtype), requires_grad=True)


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
