"""Module: registration, modes, dtypes, copies, errors; see test_hooks.py and test_state.py."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from tests.faces import PYTORCH, check, data, fill, pytorch


class Net(nn.Module):
    """Two layers, a parameter and two buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 3)
        self.two = nn.Sequential(nn.ReLU(), nn.Linear(3, 1))
        self.scale = nn.Parameter(autograd.ones(1))
        self.register_buffer("count", autograd.zeros(1))
        self.register_buffer("scratch", autograd.zeros(1), persistent=False)
        self.plain = [1, 2]

    def forward(self, x: autograd.Tensor) -> autograd.Tensor:
        return self.two(self.one(x)) * self.scale


NAMES = ["scale", "one.weight", "one.bias", "two.1.weight", "two.1.bias"]


def make(fw: Any) -> Any:
    """The same on either face, with a shared module and a shared parameter."""

    class Twin(fw.nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.act = fw.nn.Linear(2, 3), fw.nn.Tanh()
            self.two = fw.nn.ModuleDict({"b": fw.nn.Linear(3, 2), "a": self.act})
            self.three = self.one
            self.four = fw.nn.Linear(2, 3)
            self.four.weight = self.one.weight
            self.scale = fw.nn.Parameter(fw.torch.ones(1))
            self.register_buffer("count", fw.torch.zeros(1))
            self.register_buffer("scratch", fw.torch.zeros(2), persistent=False)
            self.register_buffer("none", None)
            self.register_parameter("nothing", None)

        def forward(self, x):
            return self.four(self.two["b"](self.act(self.three(x)))) * self.scale

        def extra_repr(self):
            return "first line\nsecond line"

    return fill(Twin())


def what_is_found(fw: Any) -> dict[str, Any]:
    """Names and order of everything a module lists."""
    net = make(fw)

    def names(found: Any) -> list[str]:
        return [name for name, _ in found]

    seen: list[str] = []
    net.apply(lambda m: seen.append(type(m).__name__))
    net.eval()
    net.two.train()
    modes = [f"{name}: {m.training}" for name, m in net.named_modules()]
    net.one.requires_grad_(False)
    return {
        "parameters": names(net.named_parameters()),
        "all parameters": names(net.named_parameters(remove_duplicate=False)),
        "own parameters": names(net.named_parameters(recurse=False)),
        "prefixed": names(net.named_parameters(prefix="p")),
        "buffers": names(net.named_buffers()),
        "children": names(net.named_children()),
        "modules": names(net.named_modules()),
        "all modules": names(net.named_modules(remove_duplicate=False)),
        "counts": [len(list(f())) for f in (net.parameters, net.buffers, net.modules)],
        "state": list(net.state_dict()),
        "prefixed state": list(net.state_dict(prefix="x.")),
        "repr": repr(net),
        "applied": seen,
        "modes": modes,
        "wanting": [str(p.requires_grad) for p in net.parameters()],
        "paths": [
            str(net.get_submodule("two.b") is net.two["b"]),
            str(net.get_parameter("one.bias") is net.one.bias),
            str(net.get_buffer("count") is net.count),
        ],
        "digits": [name for name in dir(fw.nn.Sequential(fw.nn.ReLU())) if name.isdigit()],
    }


def tied_gradients(fw: Any) -> dict[str, Any]:
    """A parameter used twice gets the sum; SGD moves it once."""
    net = make(fw)
    x = fw.torch.tensor(data(5, 2))
    (net(x) ** 2).sum().backward()
    result = {f"grad {name}": p.grad.clone() for name, p in net.named_parameters()}
    fw.optim.SGD(net.parameters(), lr=0.1).step()
    return result | {f"new {name}": t for name, t in net.state_dict().items()}


@pytest.mark.parametrize("case", [what_is_found, tied_gradients], ids=lambda case: case.__name__)
def test_as_in_pytorch(case: Any):
    check("module", case.__name__, case)


# Registration


def test_registration():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_buffers()] == ["count", "scratch"]
    assert list(net.state_dict()) == ["scale", "count", *NAMES[1:]]
    net.one = nn.Identity()  # replaces
    net.scale = None  # keeps the name
    net.count = autograd.ones(2)
    assert [name for name, _ in net.named_parameters()] == NAMES[3:]
    assert net.state_dict()["count"].shape == (2,)
    net.register_buffer("scratch", autograd.zeros(1))  # persistent from now on
    assert "scratch" in net.state_dict()
    del net.two
    assert not hasattr(net, "two")
    assert list(net.named_parameters()) == []
    net.two = nn.Parameter(autograd.ones(1))
    net.two = nn.ReLU()  # a module takes the place of a parameter
    assert list(net.parameters()) == []
    assert [name for name, _ in net.named_children()] == ["one", "two"]


ERRORS: dict[str, tuple[Any, str, Any]] = {
    "assign a tensor": (
        TypeError,
        "cannot assign '.*Tensor' as parameter 'weight'",
        lambda n, t: setattr(n.Linear(1, 1), "weight", t([1.0])),
    ),
    "assign a number as module": (
        TypeError,
        "cannot assign 'int' as child module '0'",
        lambda n, t: setattr(n.Sequential(n.ReLU()), "0", 3),
    ),
    "assign a number as buffer": (
        TypeError,
        "cannot assign 'float' as buffer 'running_mean'",
        lambda n, t: setattr(n.BatchNorm1d(1), "running_mean", 1.0),
    ),
    "buffer: taken": (
        KeyError,
        "attribute 'weight' already exists",
        lambda n, t: n.Linear(1, 1).register_buffer("weight", None),
    ),
    "buffer: dot": (KeyError, "contain", lambda n, t: n.ReLU().register_buffer("a.b", None)),
    "buffer: type": (
        TypeError,
        "cannot assign 'int' object to buffer 'p'",
        lambda n, t: n.ReLU().register_buffer("p", 3),
    ),
    "parameter: tensor": (
        TypeError,
        "cannot assign '.*Tensor' object to parameter 'p'",
        lambda n, t: n.ReLU().register_parameter("p", t([1.0])),
    ),
    "parameter: empty name": (
        KeyError,
        "be empty",
        lambda n, t: n.ReLU().register_parameter("", None),
    ),
    "parameter: name": (
        TypeError,
        "parameter name should be a string",
        lambda n, t: n.ReLU().register_parameter(3, None),
    ),
    "module: type": (TypeError, "int", lambda n, t: n.ReLU().add_module("m", 3)),
    "forward": (
        NotImplementedError,
        'Module .Module. is missing the required "forward" function',
        lambda n, t: n.Module()(1),
    ),
    "no submodule": (
        AttributeError,
        "no submodule 'three'",
        lambda n, t: n.Sequential(n.ReLU()).get_submodule("0.three"),
    ),
    "no parameter": (AttributeError, "no parameter 'x'", lambda n, t: n.ReLU().get_parameter("x")),
    "no buffer": (
        AttributeError,
        "no buffer 'weight'",
        lambda n, t: n.Linear(1, 1).get_buffer("weight"),
    ),
    "no attribute": (AttributeError, "no attribute 'x'", lambda n, t: n.ReLU().x),
    "train": (
        ValueError,
        "training mode is expected to be boolean",
        lambda n, t: n.ReLU().train("yes"),
    ),
    "to an integer dtype": (
        TypeError,
        "only accepts floating point",
        lambda n, t: n.Linear(1, 1).to(t([1]).dtype),
    ),
    "type": (
        (RuntimeError, TypeError),
        "floating point",
        lambda n, t: n.Linear(1, 1).type(t([1]).dtype),
    ),
    "to: unknown": (TypeError, "unexpected", lambda n, t: n.Linear(1, 1).to(color="red")),
    "load: list": (
        TypeError,
        "Expected state_dict to be dict-like, got list",
        lambda n, t: n.ReLU().load_state_dict([]),
    ),
    "load: number": (
        RuntimeError,
        'While copying the parameter named "weight", expected',
        lambda n, t: n.Linear(1, 1).load_state_dict({"weight": 1}),
    ),
    "load: shape": (
        RuntimeError,
        "size mismatch for bias",
        lambda n, t: n.Linear(1, 1).load_state_dict({"bias": t([1.0, 2.0])}, strict=False),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    """The message is ours, the type also PyTorch's."""
    kind, message, call = ERRORS[name]
    with pytest.raises(kind, match=message):
        call(nn, autograd.tensor)
    if PYTORCH:
        with pytest.raises(kind):
            call(pytorch().nn, pytorch().torch.tensor)


def test_forgotten_init():
    class Forgot(nn.Module):
        def __init__(self, what: Any) -> None:
            self.what = what

    with pytest.raises(AttributeError, match=r"cannot assign parameter before Module\.__init__"):
        Forgot(nn.Parameter(autograd.ones(1)))
    with pytest.raises(AttributeError, match=r"cannot assign module before Module\.__init__"):
        Forgot(nn.ReLU())
    with pytest.raises(AttributeError, match=r"call the module before Module\.__init__"):
        Forgot(1)(2)


def test_what_is_ours_to_refuse():
    layer = nn.Linear(1, 1)
    for refuse in (layer.half, layer.bfloat16):
        with pytest.raises(TypeError, match="computes in float32 and float64"):
            refuse()
    with pytest.raises(TypeError, match="float16 is not supported"):
        layer.to("float16")
    for refuse in (layer.cuda, lambda: layer.to("cuda"), lambda: layer.to(device="cuda:0")):
        with pytest.raises(RuntimeError, match="only 'cpu'"):
            refuse()
    with pytest.raises(NotImplementedError, match="threads of one process"):
        layer.share_memory()


def test_tied_parameters_count_once_but_are_saved_twice():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    net = nn.Sequential(a, b)
    assert len(list(net.parameters())) == 3
    assert len(net.state_dict()) == 4
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin[0].weight is twin[1].weight
        assert twin[0].weight is twin[1]._parameters["weight"]
        assert twin[0].weight is not a.weight
    net.double()
    assert a.weight is b.weight
    assert a.weight.dtype == autograd.float64


# Modes, gradients, dtypes


def test_modes_and_gradients():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    net(autograd.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.item() == 0
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.one.requires_grad_(False)
    net(autograd.ones(1, 2)).sum().backward()
    assert net.one.weight.grad is None


def test_to():
    net = Net()
    net.register_buffer("number", autograd.tensor(3))
    scale = net.scale
    net(autograd.ones(1, 2)).sum().backward()
    assert net.double() is net
    assert net.scale is scale
    assert {t.dtype.name for t in net.state_dict().values()} == {"float64", "int64"}
    assert net.scale.grad.dtype == autograd.float64
    assert net(autograd.ones(1, 2, dtype=autograd.float64)).dtype == autograd.float64
    assert net.to("cpu").to(autograd.float32).float().scale.dtype == autograd.float32
    assert net.to("cpu", autograd.float64, non_blocking=True).scale.dtype == autograd.float64
    assert net.to(autograd.ones(1)).scale.dtype == autograd.float32
    assert net.cpu() is net
    assert net.type("float64").number.dtype == autograd.float64


# Copies


def test_copies():
    net = Net()
    x = autograd.ones(1, 2)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin(x).item() == net(x).item()
        assert type(twin.scale) is nn.Parameter
        with autograd.no_grad():
            twin.scale.fill_(0.0)
        assert twin(x).item() == 0
        assert twin.scale is twin._parameters["scale"]
    assert net.scale.item() == 1


def double_output(module: Any, args: Any, output: Any) -> Any:
    return output * 2


def test_copies_with_hooks():
    net = nn.Sequential(nn.Linear(1, 1))
    handle = net.register_forward_hook(double_output)
    x = autograd.ones(1, 1)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin(x).item() == net(x).item()
    twin = copy.deepcopy(net)
    handle.remove()
    assert twin(x).item() == 2 * net(x).item()


def test_a_copy_in_the_middle_of_training_goes_on_alike():
    """Running statistics and dropout included, gradients not, as in PyTorch; each goes its way."""
    autograd.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.3))
    x = autograd.tensor(data(6, 3).astype("f"))

    def step(model: Any) -> None:
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        optimizer.zero_grad()
        (model(x) ** 2).sum().backward()
        optimizer.step()

    step(net)
    twin = copy.deepcopy(net)
    assert all(p.grad is None for p in twin.parameters())
    assert all(p.grad is not None for p in net.parameters())
    random = autograd.get_rng_state()
    step(net)
    autograd.set_rng_state(random)
    step(twin)
    for (name, a), b in zip(net.state_dict().items(), twin.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)
    assert net[1].num_batches_tracked.item() == 2


# Parameter


def test_parameter():
    p = nn.Parameter(autograd.ones(2))
    assert p.requires_grad
    assert p.is_leaf
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert isinstance(p * 2, autograd.Tensor)
    assert not isinstance(p * 2, nn.Parameter)
    assert not nn.Parameter(autograd.ones(2, dtype=autograd.int64), requires_grad=False).tracked
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(autograd.ones(2, dtype=autograd.int64))
    with autograd.no_grad():
        assert nn.Parameter(autograd.ones(1)).requires_grad


def test_a_compiled_step_notices_the_mode():
    """The next call after train() or eval() does what eager would."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(1.0))
    step = autograd.compile(lambda x: net(x).detach())
    x = autograd.ones(1, 2)
    for mode in (True, False, True, False):
        net.train(mode)
        for _ in range(4):
            np.testing.assert_array_equal(step(x).numpy(), net(x).detach().numpy())
