"""Programs that once gave wrong numbers or lost a gradient."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, buffers, tensor
from autograd.checkpoint import checkpoint


def leaf(values: Any) -> Tensor:
    return tensor(values, requires_grad=True)


def test_a_full_pool_hands_out_memory_of_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(buffers, "LIMIT", 2 * buffers.LARGE)
    u, v = autograd.ones(512, 512, requires_grad=True), autograd.ones(1 << 18, requires_grad=True)
    for _ in range(2):
        ((u.reshape(-1) + v) * autograd.ones(1 << 18)).sum().backward()
    assert (u.grad == 2).all()
    assert (v.grad == 2).all()
    assert not np.shares_memory(u.grad.numpy(), v.grad.numpy())


def test_memory_of_the_user_is_never_taken_for_ours():
    mine = np.zeros(1 << 16, np.uint8).view(np.float32)
    x = autograd.ones(mine.size, requires_grad=True)
    x.register_hook(lambda g: autograd.from_numpy(mine))
    x.sum().backward()
    x.sum().backward()
    assert not mine.any()


def test_a_view_follows_its_base_without_being_used():
    x = leaf([1.0, 2.0])
    y = x * 1
    v = y[:1]
    y.mul_(3)
    v.backward()
    assert x.grad.tolist() == [3, 0]
    w, b = leaf([2.0]), autograd.ones(3)
    v = b[:1]
    b.mul_(w)
    assert v.requires_grad
    assert not v.is_leaf


def test_a_view_made_under_no_grad_stays_apart():
    w = leaf([1.0, 2.0])
    with autograd.no_grad():
        v = w[:1]
        w.add_(1)
    assert not (v * 2).requires_grad


def test_retained_gradients_are_their_own():
    y = leaf([1.0, 2.0]) * 2
    z = y + 1
    y.retain_grad()
    z.retain_grad()
    (z * 3).sum().backward()
    z.grad.mul_(100)
    assert y.grad.tolist() == [3, 3]


def test_retain_grad_follows_in_place_changes():
    y = leaf([1.0]) * 1
    y.retain_grad()
    y.mul_(5)
    (y * 7).backward()
    assert y.grad.tolist() == [7]


@pytest.mark.parametrize("hook", [lambda g: g.sum(), lambda g: g.double()])
def test_a_hook_must_return_a_gradient_of_the_same_kind(hook: Callable[..., Any]):
    x = leaf([1.0, 2.0])
    x.register_hook(hook)
    with pytest.raises(RuntimeError, match=r"hook .* changed the gradient"):
        x.sum().backward()


def test_backward_inputs_leaves_other_roots_alone():
    a, b = leaf(1.0), leaf(2.0)
    autograd.backward([a * 2, b], inputs=[a])
    assert a.grad.item() == 2
    assert b.grad is None


class Hundredfold(autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.reshape(-1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return (g * 100).reshape(2, 1)


def test_a_function_that_returns_a_view_keeps_its_backward():
    x = leaf([[1.0], [2.0]])
    y = Hundredfold.apply(x)
    with autograd.no_grad():
        x.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [[100], [100]]


class Doubling(autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(autograd.scalar(2.0))
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g.double() * ctx.saved_tensors[0].item()


def test_a_gradient_of_a_function_takes_the_dtype_of_its_input():
    x, w = leaf([[1.0, 2.0]]), leaf([[1.0], [1.0]])
    Doubling.apply(x @ w).backward()
    assert w.grad.tolist() == [[2], [4]]


def test_numpy_functions_that_would_mean_something_else_raise():
    with pytest.raises(TypeError, match="norm of a matrix"):
        np.linalg.norm(autograd.ones(2, 2), 2)
    with pytest.raises(TypeError, match="more than two"):
        np.dot(autograd.ones(2, 3, 4), np.ones((2, 4, 6)))


def test_an_index_array_changed_afterwards_does_not_matter():
    x, i = leaf([1.0, 2.0, 3.0]), np.array([0, 1])
    y = x[i]
    i += 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 0]


def test_a_checkpoint_notices_a_changed_input():
    y = leaf([1.0, 2.0]) * 1
    out = checkpoint(lambda u: u * u, y).sum()
    with autograd.no_grad():
        y.mul_(10)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        out.backward()


def test_nested_checkpoints():
    def f(t: Tensor) -> Tensor:
        return checkpoint(lambda u: (u * u).sin(), t) * t

    x, plain = leaf([0.5, 2.0]), leaf([0.5, 2.0])
    checkpoint(f, x).sum().backward()
    ((plain * plain).sin() * plain).sum().backward()
    assert x.grad.tolist() == plain.grad.tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.mul_(y),
        lambda y: y.__setitem__(0, y[1] * y[2]),
        lambda y: y[:2].mul_(y[2:]),
    ],
)
def test_changes_in_place_make_no_cycles(change: Callable[[Tensor], Any]):
    gc.disable()
    try:
        y = leaf([1.0, 2.0, 3.0, 4.0]) * 1
        change(y)
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_nan_scalar_in_a_second_derivative():
    a = autograd.scalar(float("nan"))
    (g,) = autograd.grad(a * a, a, create_graph=True)
    assert np.isnan(g.item())


def test_a_gradient_that_is_read_only_is_added_to_out_of_place():
    x = leaf([1.0, 2.0])
    x.grad = tensor(3.0).expand(2)
    x.sum().backward()
    assert x.grad.tolist() == [4, 4]


def test_deepcopy_of_a_leaf_has_memory_of_its_own():
    x = leaf([1.0])
    y = copy.deepcopy(x)
    with autograd.no_grad():
        y.add_(1)
    assert x.tolist() == [1]
    assert y.requires_grad


def test_train_asks_a_submodule_that_overrides_it():
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def train(self, mode: bool = True) -> Any:
            super().train(mode)
            self.norm.eval()
            return self

    model = nn.Sequential(Frozen(), nn.Linear(2, 2)).train()
    assert [m.training for m in model.modules()] == [True, True, False, True]


def test_a_parameter_in_place_of_a_transient_buffer_is_saved():
    module = nn.Module()
    module.register_buffer("scale", tensor([1.0]), persistent=False)
    module.scale = nn.Parameter(tensor([2.0]))
    assert list(module.state_dict()) == ["scale"]


def test_a_compiled_step_sees_a_layer_that_was_appended():
    model = nn.Sequential(nn.Identity())
    step = autograd.compile(lambda x: model(x))
    for _ in range(4):
        step(tensor([2.0]))
    model.append(nn.ReLU())
    assert [step(tensor([-2.0])).tolist() for _ in range(4)] == [[0.0]] * 4


def test_a_function_refuses_tensors_by_keyword_and_lists():
    class Double(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, scale: Any = 2.0, listed: bool = False) -> Any:
            return [x * scale] if listed else x * scale

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2, None, None

    x = autograd.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="'scale' was given by keyword"):
        Double.apply(x, scale=autograd.tensor([2.0], requires_grad=True))
    with pytest.raises(TypeError, match="returned list"):
        Double.apply(x, 2.0, True)


def test_a_generator_without_grad_hears_what_is_thrown_at_it():
    heard = []

    @autograd.no_grad()
    def numbers() -> Any:
        while True:
            try:
                yield autograd.is_grad_enabled()
            except KeyError as error:  # noqa: PERF203 - it is the loop's purpose
                heard.append(error)

    stream = numbers()
    assert next(stream) is False
    assert stream.throw(KeyError("mine")) is False
    assert len(heard) == 1
    assert autograd.is_grad_enabled()


def test_what_scripts_ask_of_the_machine():
    torch = autograd
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = torch.ones(2, 3, device=device).to(device)
    assert str(device) == device.type == x.device == "cpu"
    assert nn.Linear(3, 1).to(device)(x).shape == torch.Size((2, 1))
    assert torch.equal(x, torch.ones(2, 3))
    assert not x.equal(torch.ones(3, 2))
    assert torch.numel(x) == 6
    assert torch.autograd.grad is torch.grad
    assert torch.utils.data.DataLoader is nn.utils.data.DataLoader
    with torch.inference_mode():
        assert not torch.is_grad_enabled()
    torch.set_default_dtype(torch.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
    for refused in (
        lambda: torch.device("cuda"),
        lambda: x.cuda(),
        lambda: torch.set_default_dtype(torch.float64),
    ):
        with pytest.raises(RuntimeError, match=r"only 'cpu'|default is float32"):
            refused()
    with pytest.raises(TypeError, match="float16 is not supported"):
        x.half()
