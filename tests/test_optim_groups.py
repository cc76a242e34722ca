"""Parameter groups: names, duplicates, changes by hand, tensors as hyper-parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim


def leaf(value: Any, dtype: Any = "float64") -> autograd.Tensor:
    """A leaf that requires grad."""
    return autograd.tensor(np.array(value, dtype), requires_grad=True)


def test_named_parameters() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    model(autograd.ones(1, 2)).sum().backward()
    optimizer.step()
    extra = autograd.zeros(1, requires_grad=True)
    optimizer.add_param_group({"params": [("extra", extra)]})
    with pytest.raises(ValueError, match="cannot add param group without names"):
        optimizer.add_param_group({"params": autograd.zeros(1, requires_grad=True)})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", leaf(1.0)), leaf(1.0)])
    plain = optim.SGD([leaf(1.0)])
    with pytest.raises(ValueError, match="cannot add param group with names"):
        plain.add_param_group({"params": [("extra", extra)]})


def test_names_load_or_stay() -> None:
    named, plain = optim.SGD([("a", leaf(1.0))]), optim.SGD([leaf(1.0)])
    without, with_names = plain.state_dict(), named.state_dict()
    named.load_state_dict(without)
    plain.load_state_dict(with_names)
    assert named.param_groups[0]["param_names"] == plain.param_groups[0]["param_names"] == ["a"]


def test_required_options() -> None:
    from optim.optimizer import required

    class Mine(optim.Optimizer):
        def __init__(self, params: Any):
            super().__init__(params, {"lr": required})

    with pytest.raises(ValueError, match=r"didn't specify a value of required .* lr"):
        Mine([leaf(1.0)])
    assert Mine([{"params": leaf(1.0), "lr": 2.0}]).param_groups[0]["lr"] == 2.0


def test_a_parameter_given_twice_has_one_state() -> None:
    """As PyTorch counts: two steps of Adam, whose second begins where the first ended."""
    p, q = leaf(1.0), leaf(1.0)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        twice = optim.Adam([p, p], lr=0.1)
    once = optim.Adam([q], lr=0.1)
    p.grad, q.grad = leaf(0.5), leaf(0.5)
    twice.step()
    once.step()
    once.step()
    assert p.item() == q.item()
    assert twice.state[p]["step"].item() == 2.0
    assert list(twice.state_dict()["state"]) == [0]


def test_groups_and_parameters_may_change_by_hand() -> None:
    p, q, r = leaf(1.0), leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([p], lr=0.5, momentum=0.5)

    def step() -> list[float]:
        for t in (p, q, r):
            t.grad = leaf(1.0)
        optimizer.step()
        return [t.item() for t in (p, q, r)]

    assert step() == [0.5, 1.0, 1.0]
    optimizer.param_groups[0]["params"].append(q)
    assert step() == [-0.25, 0.5, 1.0]  # p kept its momentum
    optimizer.param_groups[0]["params"][1] = r
    assert step() == [-1.125, 0.5, 0.5]
    optimizer.param_groups.append({"params": [q], "lr": 0.25})  # type: ignore[arg-type]
    assert step() == [-2.0625, 0.25, -0.25]
    optimizer.param_groups.pop()
    before = q.item()
    assert step()[1] == before
    optimizer.param_groups = [{"params": [q], "lr": 1.0, "momentum": 0}]  # type: ignore[list-item]
    assert step()[1] == before - 1


def test_what_changed_by_hand_is_saved_and_loaded_too() -> None:
    p, q = leaf(1.0), leaf(1.0)
    source = optim.Adam([leaf(1.0), leaf(1.0)])
    for t in source.param_groups[0]["params"]:
        t.grad = leaf(3.0)
    source.step()
    optimizer = optim.Adam([{"params": []}, {"params": [leaf(0.0)]}])
    optimizer.param_groups[0]["params"] += [p, q]
    del optimizer.param_groups[1]
    optimizer.load_state_dict(source.state_dict())
    assert optimizer.state[q]["exp_avg"].item() == pytest.approx(0.3)
    optimizer.param_groups = optimizer.param_groups[:]
    optimizer.add_param_group({"params": leaf(1.0), "lr": 0.0})
    p.grad = q.grad = leaf(3.0)
    optimizer.step()
    assert [s["step"].item() for s in optimizer.state.values()] == [2.0, 2.0]
    assert len(optimizer.state_dict()["param_groups"]) == 2


def test_a_moved_parameter_of_the_second_group_steps_once() -> None:
    p, q = leaf(1.0), leaf(1.0)
    optimizer = optim.Adam([{"params": [p]}, {"params": [q]}], lr=0.1)
    for t in (p, q):
        t.grad = leaf(1.0)
    optimizer.step()
    q.data = q.data.clone()
    optimizer.step()
    assert [s["step"].item() for s in optimizer.state.values()] == [2.0, 2.0]
    assert p.item() == q.item()
    assert p.grad.item() == 1.0


def test_integers_among_the_parameters_are_left_alone() -> None:
    p, q = leaf(1.0), autograd.ones(2, dtype=autograd.int64)
    optimizer = optim.Adam([p, q], lr=0.1)
    p.grad = leaf(1.0)
    optimizer.step()
    assert p.item() == pytest.approx(0.9)
    np.testing.assert_array_equal(q.numpy(), [1, 1])


def test_scalars_are_trained() -> None:
    x = autograd.scalar(2.0).requires_grad_()
    optimizer = optim.SGD([x], lr=0.25)
    (x * x).backward()
    optimizer.step()
    assert x.item() == 1.0


# Hyper-parameters that are tensors


def test_lr_as_a_tensor_is_live() -> None:
    p, lr = leaf(1.0), autograd.tensor(0.5)
    optimizer = optim.SGD([p], lr=lr)
    p.grad = leaf(1.0)
    optimizer.step()
    lr.fill_(0.25)
    optimizer.step()
    assert p.item() == 0.25
    assert optimizer.param_groups[0]["lr"] is lr
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    assert p.item() == -0.75
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        optim.SGD([p], lr=autograd.tensor([0.1, 0.2]))


def test_betas_as_tensors_and_lists() -> None:
    p, q = leaf(1.0), leaf(1.0)
    tensors = tuple(autograd.tensor(np.array(b)) for b in (0.5, 0.75))
    a, b = optim.Adam([p], betas=tensors), optim.Adam([q], betas=[0.5, 0.75])  # type: ignore[arg-type]
    for optimizer, t in ((a, p), (b, q)):
        t.grad = leaf(2.0)
        optimizer.step()
        optimizer.step()
    assert p.item() == q.item()
    with pytest.raises(TypeError):
        b.param_groups[0]["betas"][0] = 0.1  # a tuple now: the kernel would not see it
