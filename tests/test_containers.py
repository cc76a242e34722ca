"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import autograd
import nn
from tests.faces import PYTORCH, check, pytorch


def test_sequential():
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    assert len(net) == 3
    assert isinstance(net[-1], nn.Linear)
    assert [type(m).__name__ for m in net[:2]] == ["Linear", "ReLU"]
    net.append(nn.Sigmoid()).insert(0, nn.Identity())
    assert list(net._modules) == list("01234")
    del net[0]
    net[1] = nn.Tanh()
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=4, bias=True)\n"
        "  (1): Tanh()\n"
        "  (2): Linear(in_features=4, out_features=1, bias=True)\n"
        "  (3): Sigmoid()\n"
        ")"
    )
    named = nn.Sequential({"first": nn.Linear(2, 2), "last": nn.ReLU()})
    assert list(named.state_dict()) == ["first.weight", "first.bias"]
    assert list(named[1:]._modules) == ["last"]
    with pytest.raises(IndexError):
        net[9]
    double = net[:1] * 2 + nn.Sequential(nn.ReLU())
    assert double[0] is double[1]
    assert len(double) == 3
    assert isinstance(net.pop(1), nn.Tanh)
    net += [nn.ELU()]
    assert [type(m).__name__ for m in net] == ["Linear", "Linear", "Sigmoid", "ELU"]
    del net[1:]
    assert len(net) == 1
    assert nn.Sequential()(3) == 3


def containers(fw: Any) -> dict[str, Any]:
    """Lists and dicts of modules and parameters: order, names and shapes of what is found."""
    torch, n = fw.torch, fw.nn
    modules = n.ModuleList([n.Linear(1, 2), n.Linear(1, 2), n.ReLU()])
    modules.append(n.Tanh()).extend([n.ELU()]).insert(0, n.Identity())
    modules[1] = n.Linear(2, 1)
    popped = type(modules.pop(-1)).__name__
    by_name = n.ModuleDict([["b", n.ReLU()], ["a", n.Linear(1, 1)]])
    by_name.update({"c": n.Tanh()})
    del by_name["b"]
    by_name["d"] = n.Linear(1, 3)
    some = n.ParameterList([torch.ones(2), n.Parameter(torch.zeros(1, 2)), 3])
    some.append(torch.ones(1))
    some += [torch.ones(3)]
    some[0] = torch.zeros(5)
    named = n.ParameterDict({"b": torch.ones(1), "a": n.Parameter(torch.ones(2)), "c": 3})
    named["z"] = torch.ones(3)
    default = named.setdefault("y", torch.ones(4))
    last = named.popitem()[0]
    joined = named | {"k": torch.ones(1)}

    class Net(n.Module):
        def __init__(self):
            super().__init__()
            self.modules_, self.by_name = modules, by_name
            self.some, self.named = some, named

    net = Net()
    return {
        "list": repr(modules),
        "dict": repr(by_name),
        "empty": repr(n.ModuleList()),
        "popped": popped,
        "slice": [type(m).__name__ for m in modules[1:3] + modules[:1]],
        "keys": list(by_name.keys()) + [type(v).__name__ for v in by_name.values()],
        "in": [str("a" in by_name), str("b" in by_name), str(len(by_name))],
        "parameters": [f"{name} {tuple(p.shape)}" for name, p in net.named_parameters()],
        "state": list(net.state_dict()),
        "some": [len(some), len(some[1:3])],
        "named": [*named.keys(), last, str(named.get("q", 7)), str("a" in named)],
        "joined": list(joined),
        "default": default.shape[0],
        "reversed": list(reversed(named)),
        "copy": list(named.copy()),
        "from keys": list(named.fromkeys(["q", "r"], 1)),
        "popped parameter": named.pop("a").shape[0],
    }


def test_containers():
    check("containers", "containers", containers)


def test_containers_are_found_and_copied():
    some, named = nn.ParameterList([autograd.ones(2), 5]), nn.ParameterDict({"a": autograd.ones(3)})
    for box in (some, named):
        for twin in (copy.deepcopy(box), pickle.loads(pickle.dumps(box))):
            assert len(twin) == len(box)
            assert [p.shape for p in twin.parameters()] == [p.shape for p in box.parameters()]
    assert list(some)[1] == 5
    assert "Object of type: int" in repr(some)
    assert "(a): Parameter containing: [float32 of size 3]" in repr(named)
    named.clear()
    assert not list(named.items())
    modules = nn.ModuleDict({"a": nn.ReLU()})
    assert dict(modules.items())["a"] is modules["a"]
    modules.clear()
    assert len(modules) == 0


ERRORS: dict[str, tuple[Any, str, Any]] = {
    "Sequential: int": (
        TypeError,
        "cannot assign 'int' object to module '0'",
        lambda n, t: n.Sequential(1),
    ),
    "Sequential: index": (
        IndexError,
        "index 3 is out of range",
        lambda n, t: n.Sequential(n.ReLU())[3],
    ),
    "Sequential: set": (
        TypeError,
        "cannot assign 'int' as child module '0'",
        lambda n, t: n.Sequential(n.ReLU()).__setitem__(0, 3),
    ),
    "Sequential: times 0": (
        ValueError,
        "Non-positive multiplication factor 0",
        lambda n, t: n.Sequential() * 0,
    ),
    "Sequential: times x": (TypeError, "by an int, not float", lambda n, t: n.Sequential() * 1.5),
    "Sequential: plus": (
        ValueError,
        "add operator supports only objects of Sequential class",
        lambda n, t: n.Sequential() + 3,
    ),
    "ModuleList: call": (
        NotImplementedError,
        'missing the required "forward"',
        lambda n, t: n.ModuleList()(1),
    ),
    "ModuleList: extend": (
        TypeError,
        "ModuleList.extend should be called with an iterable, but got int",
        lambda n, t: n.ModuleList().extend(3),
    ),
    "ModuleDict: list": (
        TypeError,
        "sequence element #0 is a int; a pair",
        lambda n, t: n.ModuleDict([1]),
    ),
    "ModuleDict: triple": (
        ValueError,
        "sequence element #0 has length 3",
        lambda n, t: n.ModuleDict([(1, 2, 3)]),
    ),
    "ModuleDict: int": (
        TypeError,
        "should be called with a mapping or pairs",
        lambda n, t: n.ModuleDict(1),
    ),
    "ModuleDict: key": (
        TypeError,
        "module name should be a string. Got int",
        lambda n, t: n.ModuleDict({1: n.ReLU()}),
    ),
    "ModuleDict: taken": (
        KeyError,
        "attribute 'keys' already exists",
        lambda n, t: n.ModuleDict({"keys": n.ReLU()}),
    ),
    "ModuleDict: missing": (KeyError, "b", lambda n, t: n.ModuleDict()["b"]),
    "ParameterList: call": (
        RuntimeError,
        "ParameterList should not be called",
        lambda n, t: n.ParameterList()(1),
    ),
    "ParameterList: index": (
        IndexError,
        "index 9 is out of range",
        lambda n, t: n.ParameterList()[9],
    ),
    "ParameterList: extend": (
        TypeError,
        "should be called with an iterable, but got int",
        lambda n, t: n.ParameterList(3),
    ),
    "ParameterDict: key": (
        TypeError,
        r"not a string \(type is 'int'\)",
        lambda n, t: n.ParameterDict([(1, 2)]),
    ),
    "ParameterDict: missing": (
        (KeyError, AttributeError),
        "b",
        lambda n, t: n.ParameterDict()["b"],
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


def test_what_is_ours_to_refuse():
    with pytest.raises(TypeError, match="insert: int is not a Module subclass"):
        nn.ModuleList().insert(0, 3)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="attribute 'keys' already exists"):
        nn.ParameterDict({"keys": autograd.ones(1)})
