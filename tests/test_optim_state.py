"""The state of optimizers: read, written, saved, loaded; and the hooks around that."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from tests.faces import cases, check


def leaf(value: Any, dtype: Any = "float64") -> autograd.Tensor:
    """A leaf that requires grad."""
    return autograd.tensor(np.array(value, dtype), requires_grad=True)


def test_state_is_writable() -> None:
    p, q = leaf([1.0, 2.0]), leaf(1.0)
    optimizer = optim.Adam([p, q], lr=0.1)
    assert len(optimizer.state) == 0
    assert dict(optimizer.state[p]) == {}
    p.grad = leaf([1.0, 1.0])
    optimizer.step()
    assert list(optimizer.state) == [p]
    state = optimizer.state[p]
    assert list(state) == ["step", "exp_avg", "exp_avg_sq"]
    state["exp_avg"][...] = 0.0
    state["step"] += 4
    state["exp_avg_sq"] = np.array([1.0, 4.0])
    assert optimizer.state[p]["step"].item() == 5.0
    optimizer.step()
    first = 0.1 / (1 - 0.9**6) * 0.1
    root = np.sqrt((0.999 * np.array([1.0, 4.0]) + 0.001) / (1 - 0.999**6))
    expected = np.array([0.9, 1.9]) - first / (root + 1e-8)
    np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-7)


def test_state_starts_anew() -> None:
    p, q = leaf(1.0), leaf(1.0)
    optimizer = optim.Adagrad([p, q], initial_accumulator_value=0.25)
    assert [s["sum"].item() for s in optimizer.state.values()] == [0.25, 0.25]
    for _ in range(2):
        p.grad = q.grad = leaf(1.0)
        optimizer.step()
    assert optimizer.state[p]["sum"].item() == 2.25
    assert optimizer.state.pop(p)["sum"].item() == 2.25
    assert optimizer.state[p]["sum"].item() == 0.25
    optimizer.state.clear()
    assert optimizer.state[q]["step"].item() == 0.0
    optimizer.state = {q: {"step": 7, "sum": 3.0}}
    assert optimizer.state[q]["sum"].item() == 3.0
    assert "sum" in repr(optimizer.state)
    optimizer.state[q] = {}
    assert optimizer.state[q]["sum"].item() == 0.25


def test_state_refuses() -> None:
    p = leaf([1.0, 2.0])
    optimizer = optim.SGD([p], momentum=0.9)
    p.grad = leaf([1.0, 1.0])
    optimizer.step()
    with pytest.raises(KeyError, match="no parameter of this optimizer"):
        optimizer.state[leaf(1.0)]
    with pytest.raises(KeyError, match=r"'velocity'; this optimizer has \['momentum_buffer'\]"):
        optimizer.state[p]["velocity"] = 1.0
    with pytest.raises(TypeError, match="cannot be deleted alone"):
        del optimizer.state[p]["momentum_buffer"]
    with pytest.raises(ValueError, match=r"shape \(3,\), its parameter \(2,\)"):
        optimizer.state[p]["momentum_buffer"] = np.zeros(3)


def test_loading_what_does_not_fit_changes_nothing() -> None:
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0, 3.0])
    optimizer = optim.Adam([p], lr=0.5)
    p.grad = leaf([1.0, 1.0])
    optimizer.step()
    other = optim.Adam([q], lr=0.25)
    with pytest.raises(ValueError, match=r"'exp_avg' has shape \(2,\), its parameter \(3,\)"):
        other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.25
    saved = optimizer.state_dict()
    saved["param_groups"][0]["differentiable"] = True
    with pytest.raises(NotImplementedError, match="differentiable"):
        optimizer.load_state_dict(saved)


def test_loaded_state_is_a_copy_in_the_parameters_dtype() -> None:
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0], "float32")
    optimizer, other = optim.Adam([p]), optim.Adam([q])
    p.grad = leaf([1.0, 3.0])
    optimizer.step()
    saved = optimizer.state_dict()
    other.load_state_dict(saved)
    assert other.state[q]["exp_avg"].dtype == autograd.float32
    before = other.state[q]["exp_avg"].tolist()
    saved["state"][0]["exp_avg"][...] = 9.0
    assert other.state[q]["exp_avg"].tolist() == before


class Counting(optim.Optimizer):
    def step(self, closure: Any = None) -> None:
        for p in self.param_groups[0]["params"]:
            self.state[p] = {"mean": p.detach() * 1.0, "step": 3, "past": [p.detach() * 2.0]}
        self.state["calls"] = 1


def test_a_state_of_the_users_own() -> None:
    p, q = leaf([1.0, 2.0]), leaf([1.0, 2.0], "float32")
    one, two = Counting([p], {}), Counting([q], {})
    one.step()
    two.load_state_dict(one.state_dict())
    assert two.state[q]["mean"].dtype == two.state[q]["past"][0].dtype == autograd.float32
    assert (two.state[q]["step"], two.state["calls"]) == (3, 1)
    one.state[p]["mean"][...] = 0.0
    assert two.state[q]["mean"].tolist() == [1.0, 2.0]
    assert pickle.loads(pickle.dumps(one)).state_dict()["state"]["calls"] == 1


# Hooks


def hooked(fw: Any) -> dict[str, Any]:
    told: list[str] = []
    p = fw.torch.tensor(np.ones(2), requires_grad=True)
    p.grad = fw.torch.tensor(np.ones(2))
    optimizer = fw.optim.SGD([p], lr=0.25)

    def before(optimizer: Any, args: Any, kwargs: Any) -> None:
        told.append(f"before {args[0] is optimizer} {len(args)} {sorted(kwargs)}")

    def closing(optimizer: Any, args: Any, kwargs: Any) -> Any:
        return (*args, lambda: 7.0), kwargs

    handle = optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(lambda o, args, kwargs: told.append(f"after {len(args)}"))
    optimizer.step()
    optimizer.step(lambda: 1.0)
    second = optimizer.register_step_pre_hook(closing)
    out = optimizer.step()
    second.remove()
    handle.remove()
    optimizer.step()
    return {"told": told, "out": out, "p": p}


def dict_hooked(fw: Any) -> dict[str, Any]:
    told: list[str] = []
    p = fw.torch.tensor(np.ones(2), requires_grad=True)
    optimizer = fw.optim.SGD([p], lr=0.25)
    optimizer.register_state_dict_pre_hook(lambda o: told.append("save"))
    optimizer.register_state_dict_pre_hook(lambda o: told.append("save first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "extra": 1})
    optimizer.register_state_dict_post_hook(lambda o, d: told.append(str(sorted(d))))
    optimizer.register_load_state_dict_pre_hook(
        lambda o, d: {**d, "param_groups": [{**d["param_groups"][0], "lr": 0.5}]}
    )
    optimizer.register_load_state_dict_post_hook(
        lambda o: told.append(f"loaded {o.param_groups[0]['lr']}")
    )
    optimizer.load_state_dict(optimizer.state_dict())
    copy.deepcopy(optimizer).state_dict()  # a copy has no hooks
    return {"told": told}


@cases({"hooks of steps": hooked, "hooks of state dicts": dict_hooked})
def test_as_pytorch(name: str, case: Any) -> None:
    check("optim", name, case)


def test_a_hook_that_returns_nonsense() -> None:
    optimizer = optim.SGD([leaf(1.0)])
    optimizer.register_step_pre_hook(lambda *given: 3)
    with pytest.raises(RuntimeError, match=r"None or a tuple of .* but got 3"):
        optimizer.step()


def test_hooks_run_once_around_an_override() -> None:
    class Twice(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step()
            return super().step(closure)

    p, told = leaf(1.0), []
    optimizer = Twice([p], lr=0.25)
    optimizer.register_step_post_hook(lambda *given: told.append(1))
    p.grad = leaf(1.0)
    optimizer.step()
    optimizer.step()
    assert (p.item(), told) == (0.0, [1, 1])
