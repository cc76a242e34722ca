"""Hooks of modules: forward, forward-pre, full backward, and those around errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
import nn
from tests.faces import PYTORCH, Case, cases, check, data, fill, pytorch


def tensor(fw: Any, *shape: int, seed: int = 0) -> Any:
    return fw.torch.tensor(data(*shape, seed=seed)).requires_grad_()


def shown(grads: Any) -> list[Any]:
    """A tuple of gradients as a list; None as "none"."""
    return ["none" if g is None else g.detach().clone() for g in grads]


def two_outputs(fw: Any) -> Any:
    class Two(fw.nn.Module):
        def forward(self, a, b, factor=2):
            return a * factor, a * b, "text"

    return Two()


def gradients_seen(fw: Any) -> dict[str, Any]:
    """The tuples of every combination: inputs with and without gradient, outputs used or not."""
    result: dict[str, Any] = {}
    for name, a_wants, b, used in (
        ("both", True, tensor(fw, 2, seed=1), 2),
        ("one output", True, tensor(fw, 2, seed=1), 1),
        ("second detached", True, tensor(fw, 2, seed=1).detach(), 2),
        ("number", True, 3.0, 2),
    ):
        module, seen = two_outputs(fw), []
        module.register_full_backward_hook(lambda m, gi, go, seen=seen: seen.append((gi, go)))
        module.register_full_backward_pre_hook(lambda m, go, seen=seen: seen.append((go,)))
        a = tensor(fw, 2).requires_grad_(a_wants)
        outs = module(a, b, factor=3)
        sum((o * (i + 1)).sum() for i, o in enumerate(outs[:used])).backward()
        result |= {f"{name} {i}{j}": shown(g) for i, s in enumerate(seen) for j, g in enumerate(s)}
        result[f"{name} a"] = a.grad
    return result


def gradients_replaced(fw: Any) -> dict[str, Any]:
    """What hooks return takes the place of the gradients, in order of registration."""
    layer = fill(fw.nn.Linear(2, 3))
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] + go[0].sum(),))
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,), prepend=True)
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] + 1,))
    layer.register_full_backward_pre_hook(lambda m, go: None)
    x = tensor(fw, 4, 2)
    (layer(x) ** 2).sum().backward()
    return {"x": x.grad, "weight": layer.weight.grad, "bias": layer.bias.grad}


def nested(fw: Any) -> dict[str, Any]:
    """Hooks of modules inside each other, of an input used elsewhere too, twice backward."""
    inner, seen = fill(fw.nn.Linear(2, 2)), []
    outer = fw.nn.Sequential(inner, fw.nn.Tanh(), inner)
    for name, module in (("inner", inner), ("outer", outer), ("tanh", outer[1])):
        module.register_full_backward_hook(
            lambda m, gi, go, name=name: seen.append([name, *shown(gi), *shown(go)])
        )
    x = tensor(fw, 3, 2)
    loss = (outer(x) * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    return {
        "names": [s[0] for s in seen],
        **{f"seen {i}": s[1:] for i, s in enumerate(seen)},
        "x": x.grad,
        "weight": inner.weight.grad,
    }


def second_order(fw: Any) -> dict[str, Any]:
    """With create_graph the hooks' tensors are part of the graph."""
    layer, seen = fw.nn.Tanh(), []
    layer.register_full_backward_hook(
        lambda m, gi, go: seen.append(str(gi[0].requires_grad)) or (gi[0] * go[0],)
    )
    x = tensor(fw, 3)
    grad = getattr(fw.torch, "autograd", fw.torch).grad
    (g,) = grad((layer(x) ** 2).sum(), [x], create_graph=True)
    (second,) = grad((g * g).sum(), [x])
    return {"first": g.detach(), "second": second, "in graph": seen[:1]}


def forward_hooks(fw: Any) -> dict[str, Any]:
    """Order, replacement of arguments and outputs, keywords, removal."""

    class Keyed(fw.nn.Module):
        def forward(self, x, factor=1):
            return x * factor

    layer, calls = Keyed(), []
    first = layer.register_forward_pre_hook(lambda m, args: calls.append("pre") or args[0] + 1)
    layer.register_forward_pre_hook(lambda m, args: calls.append("early"), prepend=True)
    second = layer.register_forward_hook(lambda m, args, out: calls.append("post") or out * 2)
    layer.register_forward_hook(lambda m, args, out: calls.append("first"), prepend=True)
    layer.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"factor": kwargs["factor"] + 1}), with_kwargs=True
    )
    layer.register_forward_hook(
        lambda m, args, kwargs, out: out + kwargs["factor"], with_kwargs=True
    )
    found = [layer(fw.torch.tensor(1.0), factor=5)]
    first.remove()
    second.remove()
    second.remove()
    found.append(layer(fw.torch.tensor(1.0), factor=5))
    with layer.register_forward_hook(lambda m, args, out: out * 0):
        found.append(layer(fw.torch.tensor(1.0), factor=5))
    found.append(layer(fw.torch.tensor(1.0), factor=5))
    return {"calls": calls, "found": found}


@cases(
    {
        f.__name__: f
        for f in (gradients_seen, gradients_replaced, nested, second_order, forward_hooks)
    }
)
def test_hooks(name: str, case: Case):
    check("hooks", name, case)


class Fails(nn.Module):
    def forward(self, x: Any) -> Any:
        raise ValueError("no")


def test_always_call():
    """Such hooks run although forward or another hook raised; what they raise is a warning."""
    module, seen = Fails(), []
    module.register_forward_hook(lambda m, args, out: seen.append("never"))
    module.register_forward_hook(
        lambda m, args, kwargs, out: seen.append((args, kwargs, out)),
        with_kwargs=True,
        always_call=True,
    )
    with pytest.raises(ValueError, match="no"):
        module(3)
    assert seen == [((3,), {}, None)]
    module.register_forward_hook(lambda m, args, out: 1 / 0, always_call=True)
    with (
        pytest.warns(RuntimeWarning, match="silenced as another error .*division by zero"),
        pytest.raises(ValueError, match="no"),
    ):
        module(3)
    identity = nn.Identity()
    identity.register_forward_hook(lambda m, args, out: 1 / 0)
    identity.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ZeroDivisionError):
        identity(7)
    assert seen[-1] == 7


def hooked(n: Any, hook: Any, before: bool = False) -> Any:
    layer = n.Linear(2, 2)
    (layer.register_full_backward_pre_hook if before else layer.register_full_backward_hook)(hook)
    return layer


ERRORS: dict[str, tuple[Any, str, Any, bool]] = {
    "too many inputs": (
        RuntimeError,
        "invalid number of grad_input, got 2, but expected 1",
        lambda n: hooked(n, lambda m, gi, go: (gi[0], gi[0])),
        True,
    ),
    "too many outputs": (
        RuntimeError,
        "invalid number of grad_output, got 2, but expected 1",
        lambda n: hooked(n, lambda m, go: (go[0], go[0]), before=True),
        True,
    ),
    "another shape": (
        RuntimeError,
        r"returned a gradient of shape \(1,\)",
        lambda n: hooked(n, lambda m, gi, go: gi[0].sum().reshape(1)),
        True,
    ),
    "no tensor": (
        TypeError,
        "expected Tensors or None, got int",
        lambda n: hooked(n, lambda m, gi, go: 3),
        True,
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    """The message is ours, the type also PyTorch's."""
    kind, message, make, wants = ERRORS[name]
    with pytest.raises(kind, match=message):
        make(nn)(autograd.ones(1, 2, requires_grad=wants)).sum().backward()
    if PYTORCH:
        with pytest.raises(kind):
            make(pytorch().nn)(pytorch().torch.ones(1, 2, requires_grad=wants)).sum().backward()


def test_where_no_input_wants_a_gradient():
    """The hook fires when the gradients of the outputs are known, and may not replace anything."""
    seen: list[Any] = []
    layer = hooked(nn, lambda m, gi, go: seen.append((gi, go)))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        layer(autograd.ones(1, 2)).sum().backward()
    assert seen[0][0] == (None,)
    assert seen[0][1][0].tolist() == [[1, 1]]
    assert layer.weight.grad.tolist() == [[1, 1], [1, 1]]
    layer = hooked(nn, lambda m, gi, go: (autograd.ones(1),))
    with (
        pytest.warns(UserWarning, match="no inputs require gradients"),
        pytest.raises(RuntimeError, match="should always return None"),
    ):
        layer(autograd.ones(1, 2)).sum().backward()


def test_where_backward_hooks_cannot_be():
    class Dict(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"y": x * 2}

    module, seen = Dict(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append(1))
    x = autograd.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="should be a Tensor or a tuple of Tensors"):
        module(x)["y"].backward()
    assert x.grad.item() == 2
    assert not seen


def test_backward_hooks_without_recording():
    layer = hooked(nn, lambda m, gi, go: None)
    x = autograd.ones(1, 2, requires_grad=True)
    with autograd.no_grad():
        assert not layer(x).requires_grad


def test_what_is_given_to_a_hooked_module_stays():
    """An in-place layer works on a copy, so that the gradient stays right."""
    layer = nn.ReLU(inplace=True)
    layer.register_full_backward_hook(lambda m, gi, go: None)
    x = autograd.tensor([-1.0, 2.0], requires_grad=True)
    y = x * 3
    layer(y).sum().backward()
    assert x.grad.tolist() == [0, 3]
    np.testing.assert_array_equal(y.detach().numpy(), [-3, 6])


def test_one_gradient_needs_no_tuple():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, gi, go: gi[0] * 0)
    x = autograd.ones(3, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_nothing_is_kept_alive(rng: np.random.Generator):
    """Hooks make no reference cycle: the graph goes when the loss goes."""
    import gc
    import weakref

    layer = hooked(nn, lambda m, gi, go: None)
    gc.collect()
    gc.disable()
    try:
        out = layer(autograd.ones(1, 2, requires_grad=True))
        node = weakref.ref(out.grad_fn)
        out.sum().backward()
        del out
        assert node() is None
    finally:
        gc.enable()
