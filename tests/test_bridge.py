"""`from_torch` and `to_torch`: live modules and states, exactly, or an error."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from nn.torch_bridge import from_torch, to_torch
from tests.faces import PYTORCH, data, fill

needs_torch = pytest.mark.skipif(not PYTORCH, reason="PyTorch is not installed")
if PYTORCH:
    import torch

REQUIRED = {
    "in_features": 3,
    "out_features": 2,
    "in1_features": 2,
    "in2_features": 3,
    "num_features": 4,
    "num_embeddings": 5,
    "embedding_dim": 2,
    "normalized_shape": (3,),
    "num_groups": 2,
    "num_channels": 4,
    "threshold": 0.1,
    "value": 2.0,
    "dim": 1,
    "unflattened_size": (2, 2),
    "padding": 1,
}
OTHERWISE = [
    ("Linear", (3, 2, False), {}),
    ("Dropout", (0.3, True), {}),
    ("ReLU", (True,), {}),
    ("LeakyReLU", (0.2,), {}),
    ("GELU", ("tanh",), {}),
    ("Softmax", (), {}),
    ("PReLU", (3, 0.1), {}),
    ("Hardtanh", (-2.0, 3.0), {}),
    ("CrossEntropyLoss", (), {"ignore_index": 3, "label_smoothing": 0.1, "reduction": "sum"}),
    ("BatchNorm1d", (4,), {"eps": 0.1, "momentum": None}),
    ("BatchNorm1d", (4,), {"affine": False}),
    ("BatchNorm2d", (4,), {"track_running_stats": False}),
    ("LayerNorm", (3,), {"bias": False}),
    ("LayerNorm", ((2, 3),), {"elementwise_affine": False}),
    ("Embedding", (5, 2), {"padding_idx": 1, "max_norm": 2.0}),
    ("Bilinear", (2, 3, 4), {"bias": False}),
    ("Flatten", (0, 1), {}),
    ("PairwiseDistance", (3.0,), {"keepdim": True}),
    ("MultiMarginLoss", (2, 0.5), {}),
    ("Unflatten", (1, (2, 3)), {}),
    ("GroupNorm", (2, 4), {"affine": False}),
    ("RMSNorm", ((2, 3), 0.1), {}),
]
"""Layers with arguments other than the defaults."""


def state(module: Any) -> dict[str, np.ndarray]:
    tensors = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    return {name: t.detach().numpy() for name, t in tensors.items()}


def assert_same(a: Any, b: Any) -> None:
    """Same layers with the same arguments, state, dtypes, flags."""
    if "Parameter containing" not in repr(a):  # PyTorch prints those in several ways
        assert repr(a) == repr(b)
    left, right = state(a), state(b)
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype, name
        assert np.array_equal(left[name], right[name], equal_nan=True), name
        assert not np.shares_memory(left[name], right[name]), name
    training = [{path: m.training for path, m in each.named_modules()} for each in (a, b)]
    assert training[0] == training[1]
    frozen = [{name: p.requires_grad for name, p in each.named_parameters()} for each in (a, b)]
    assert frozen[0] == frozen[1]


def shared_layers() -> list[str]:
    """Names of what is a module in both and can be built alone."""
    names = []
    for name in dir(nn):
        ours, theirs = getattr(nn, name), getattr(torch.nn, name, None)
        if isinstance(ours, type) and issubclass(ours, nn.Module) and isinstance(theirs, type):
            names.append(name)
    return [name for name in names if name != "Module"]


@needs_torch
def test_every_layer_that_both_have():
    names = shared_layers()
    assert len(names) > 30
    failed = []
    for name in names:
        kind = getattr(torch.nn, name)
        required = {
            n: REQUIRED[n]
            for n, p in inspect.signature(kind).parameters.items()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        }
        theirs = kind(**required).double()
        try:
            ours = from_torch(theirs)
            assert_same(ours, theirs)
            assert_same(to_torch(ours), ours)
        except Exception as error:
            failed.append(f"{name}: {error}")
    assert not failed, "\n".join(failed)


@needs_torch
def test_arguments_arrive():
    for name, args, kwargs in OTHERWISE:
        if not hasattr(nn, name):
            continue
        theirs = getattr(torch.nn, name)(*args, **kwargs)
        ours = from_torch(theirs)
        try:
            assert_same(ours, theirs)
            assert_same(to_torch(ours), theirs)
        except Exception as error:
            raise AssertionError(f"{name}{args}{kwargs}: {error}") from error
        for key in inspect.signature(type(theirs)).parameters:
            value = getattr(theirs, key, None)
            if key != "init" and isinstance(value, (int, float, str)):
                assert getattr(ours, key) == value, (name, key)


def net(fw: Any) -> Any:
    layers = [fw.Linear(4, 3), fw.Tanh(), fw.Dropout(0.3)]
    return fill(fw.Sequential(*layers, fw.Sequential(fw.Linear(3, 3, bias=False), fw.GELU("tanh"))))


@needs_torch
def test_a_model_computes_the_same():
    theirs = net(torch.nn)
    theirs[0].bias.requires_grad_(False)
    theirs[2].eval()
    ours = from_torch(theirs)
    assert_same(ours, theirs)
    assert type(ours) is nn.Sequential
    assert ours[0].bias.grad is ours[0].weight.grad is None
    x = data(5, 4)
    results = []
    for module, tensor in ((ours, autograd.tensor(x)), (theirs, torch.tensor(x))):
        out = module(tensor)
        out.sum().backward()
        results.append([out.detach().numpy(), *(p.grad.numpy() for p in module[3].parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, 1e-12)
    optim.SGD([p for p in ours.parameters() if p.requires_grad], 0.1).step()
    assert not np.array_equal(state(ours)["0.weight"], state(theirs)["0.weight"])


@needs_torch
def test_containers():
    t = torch.nn
    parts = {"list": t.ModuleList([t.ReLU(), t.Linear(1, 2)]), "none": t.Sequential()}
    parts["several"] = t.ParameterList([torch.ones(2), torch.zeros(1, dtype=torch.float64)])
    parts["named"] = t.ParameterDict({"b": torch.ones(1), "a": torch.zeros(2)})
    theirs = t.ModuleDict(parts)
    ours = from_torch(theirs)
    assert_same(ours, theirs)
    assert_same(to_torch(ours), ours)
    assert list(ours["named"].keys()) == list(theirs["named"].keys())
    assert len(ours["list"]) == 2


@needs_torch
def test_ties_and_layers_used_twice():
    a, b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    b.weight = a.weight
    theirs = torch.nn.Sequential(a, b, a)
    ours = from_torch(theirs)
    assert ours[0].weight is ours[1].weight
    assert ours[0] is ours[2]
    assert len(list(ours.parameters())) == 3
    back = to_torch(ours)
    assert back[0].weight is back[1].weight
    assert back[0] is back[2]
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    tied[2] = tied[0]
    assert from_torch(theirs, into=tied) is tied
    assert_same(tied, theirs)


class Ours(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(2, 3), nn.Linear(3, 3)
        self.register_buffer("scale", autograd.ones(2))
        self.register_buffer("cache", autograd.ones(1), persistent=False)


def of_torch() -> Any:
    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = torch.nn.Linear(2, 3), torch.nn.Linear(3, 3)
            self.register_buffer("scale", torch.ones(2))
            self.register_buffer("cache", torch.ones(1), persistent=False)

    return fill(Theirs()).float()


@needs_torch
def test_into_a_module_of_ones_own():
    theirs, ours = of_torch(), Ours()
    theirs.scale += 3
    theirs.cache += 4
    theirs.norm.eval()
    theirs.first.weight.requires_grad_(False)
    arrays = [p.array for p in ours.parameters()]
    versions = [p.version[0] for p in ours.parameters()]
    assert from_torch(theirs, into=ours) is ours
    assert all(p.array is a for p, a in zip(ours.parameters(), arrays, strict=True))
    assert all(p.version[0] > v for p, v in zip(ours.parameters(), versions, strict=True))
    left, right = state(ours), state(theirs)
    assert left.keys() == right.keys()
    assert all(np.array_equal(left[k], right[k]) for k in left)
    assert [m.training for m in ours.modules()] == [True, True, False]
    assert not ours.first.weight.requires_grad
    fresh = of_torch()
    assert to_torch(ours, into=fresh) is fresh
    assert all(np.array_equal(v, state(ours)[k]) for k, v in state(fresh).items())
    assert [m.training for m in fresh.modules()] == [True, True, False]


@needs_torch
def test_a_state_dict_into_a_module():
    theirs, ours = of_torch(), Ours()
    from_torch(theirs.state_dict(), into=ours)
    assert all(np.array_equal(v, state(ours)[k]) for k, v in state(theirs).items())
    fresh = of_torch()
    fresh.first.weight.data += 1
    to_torch(ours.state_dict(), into=fresh)
    assert all(np.array_equal(v, state(ours)[k]) for k, v in state(fresh).items())


@needs_torch
def test_flags_where_the_modules_differ_in_depth():
    theirs = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())
    theirs[0].eval()
    ours = nn.Sequential(nn.Linear(1, 1))
    ours[0].add_module("more", nn.Sequential(nn.ReLU()))
    from_torch(theirs, into=ours)
    assert [m.training for m in ours.modules()] == [True, False, False, False]


@needs_torch
def test_states():
    source = {
        "t": torch.arange(3),
        "nested": [torch.zeros(2, 0), (torch.tensor(True), 1.5, None, "x")],
        "shared": torch.ones(3),
    }
    source["again"] = source["shared"].detach()
    found = from_torch(source)
    assert found["t"].dtype == autograd.int64
    assert found["nested"][0].shape == (2, 0)
    assert found["nested"][1][0].dtype == autograd.bool
    assert found["nested"][1][1:] == (1.5, None, "x")
    found["shared"][0] = 7
    assert found["again"].tolist() == [7, 1, 1]
    assert source["shared"].tolist() == [1, 1, 1]
    back = to_torch(found)
    assert back["t"].dtype == torch.int64
    assert back["again"].data_ptr() == back["shared"].data_ptr()
    assert to_torch(autograd.scalar(2.5)).dtype == torch.float64
    assert from_torch(torch.ones(2, 1).T).tolist() == [[1, 1]]


@needs_torch
def test_the_state_of_an_optimizer():
    theirs, ours = net(torch.nn), net(nn)
    pair = torch.optim.Adam(theirs.parameters(), 0.1), optim.Adam(ours.parameters(), 0.1)
    x = data(5, 4)
    theirs(torch.tensor(x)).sum().backward()
    pair[0].step()
    from_torch(theirs, into=ours)
    pair[1].load_state_dict(from_torch(pair[0].state_dict()))
    for p, q in zip(theirs.parameters(), ours.parameters(), strict=True):
        q.grad = from_torch(p.grad)
    for optimizer in pair:
        optimizer.step()
    for p, q in zip(theirs.parameters(), ours.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), 1e-12)


@needs_torch
def test_half_precision_is_widened_with_a_warning():
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3).bfloat16(), torch.nn.Linear(3, 1).half())
    with pytest.warns(UserWarning, match=r"0.weight is torch.bfloat16") as found:
        ours = from_torch(theirs)
    assert len(found) == 1
    assert found[0].filename == __file__
    for name, p in theirs.named_parameters():
        assert state(ours)[name].dtype == np.float32
        assert np.array_equal(state(ours)[name], p.detach().float().numpy())
    with pytest.warns(UserWarning, match="widened"):
        from_torch(theirs, into=ours.double())


def unknown() -> Any:
    return torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(torch.nn.LSTM(1, 1)))


def hooked() -> Any:
    module = torch.nn.Sequential(torch.nn.ReLU())
    module[0].register_forward_hook(print)
    return module


def parametrized() -> Any:
    return torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(1, 1))


def tied_in_one() -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    return module


def twice() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))


ERRORS = {
    "unknown": (
        TypeError,
        lambda: from_torch(unknown()),
        r"'1\.0' is a torch\..*\.LSTM, for which",
    ),
    "class": (TypeError, lambda: from_torch(of_torch()), "the module is a .*Theirs, .*into=module"),
    "perceptron": (TypeError, lambda: to_torch(nn.Perceptron(2)), "for which PyTorch has no layer"),
    "hooks": (TypeError, lambda: from_torch(hooked()), "'0' has hooks"),
    "parametrized": (TypeError, lambda: from_torch(parametrized()), "ParametrizedLinear"),
    "kind": (TypeError, lambda: from_torch(3, into=nn.ReLU()), "module or a state_dict .*got int"),
    "ours": (TypeError, lambda: from_torch(nn.ReLU()), "source is a ReLU of tapegrad"),
    "theirs": (TypeError, lambda: to_torch(torch.nn.ReLU()), "source is a ReLU of PyTorch"),
    "into": (
        TypeError,
        lambda: from_torch(torch.nn.ReLU(), into=torch.nn.ReLU()),
        "module of tapegrad, got ReLU",
    ),
    "complex": (
        TypeError,
        lambda: from_torch({"a": [torch.zeros(1, dtype=torch.complex64)]}),
        r"source\['a'\]\[0\] is a torch\.complex64",
    ),
    "sparse": (TypeError, lambda: from_torch(torch.ones(2).to_sparse()), "sparse_coo, on cpu"),
    "meta": (TypeError, lambda: from_torch(torch.ones(2, device="meta")), "on meta"),
    "state": (
        TypeError,
        lambda: from_torch({"weight": 3}, into=nn.Linear(1, 1)),
        "'weight' in the state_dict is a int, not a tensor of PyTorch",
    ),
    "missing": (
        RuntimeError,
        lambda: from_torch(torch.nn.Linear(2, 2, bias=False), into=nn.Linear(2, 2)),
        "missing in the source: bias",
    ),
    "unexpected": (
        RuntimeError,
        lambda: from_torch(torch.nn.Linear(2, 2), into=nn.Linear(2, 2, bias=False)),
        "unknown to `into`: bias",
    ),
    "shapes": (
        RuntimeError,
        lambda: from_torch(torch.nn.Linear(3, 2), into=nn.Linear(2, 2)),
        r"weight has shape \(2, 3\), but \(2, 2\) in `into`",
    ),
    "dtypes": (
        RuntimeError,
        lambda: from_torch(torch.nn.Linear(2, 2).double(), into=nn.Linear(2, 2)),
        r"weight is float64, whose values float32 in `into` cannot hold .*into\.double\(\)",
    ),
    "bfloat16": (
        RuntimeError,
        lambda: to_torch(nn.Linear(2, 2), into=torch.nn.Linear(2, 2).bfloat16()),
        r"weight is float32, whose values torch\.bfloat16",
    ),
    "tied_here": (
        RuntimeError,
        lambda: from_torch(twice(), into=tied_in_one()),
        r"1\.weight is one tensor with 0\.weight in `into` only; tie both or none",
    ),
    "tied_there": (
        RuntimeError,
        lambda: to_torch(tied_in_one(), into=twice()),
        r"1\.weight is one tensor with 0\.weight in the source only",
    ),
    "tied_state": (
        RuntimeError,
        lambda: from_torch(twice().state_dict(), into=tied_in_one()),
        r"1\.weight and 0\.weight are one tensor in `into`, but differ",
    ),
}


@needs_torch
@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str):
    kind, call, words = ERRORS[name]
    with pytest.raises(kind, match=words):
        call()


@needs_torch
def test_an_option_that_the_other_does_not_have():
    class Linear(nn.Linear):
        def __init__(self, in_features: int, out_features: int, bias: bool = True, spice: int = 1):
            super().__init__(in_features, out_features, bias)
            self.spice = spice

    from nn.torch_bridge import _arguments
    from nn.torch_sides import Ours as Here, Torch as There

    sides = Here("to_torch"), There("to_torch")
    assert _arguments(Linear(1, 2), torch.nn.Linear, "x", *sides) == {
        "in_features": 1,
        "out_features": 2,
        "bias": True,
    }
    with pytest.raises(TypeError, match="x is a Linear with spice=2, which PyTorch's does not"):
        _arguments(Linear(1, 2, spice=2), torch.nn.Linear, "x", *sides)
    module = Linear(1, 2)
    del module.in_features
    with pytest.raises(TypeError, match="that does not keep its argument in_features"):
        _arguments(module, torch.nn.Linear, "x", *sides)


@needs_torch
def test_an_error_changes_nothing():
    ours = nn.Linear(2, 2)
    before = {k: v.copy() for k, v in state(ours).items()}
    with pytest.raises(RuntimeError):
        from_torch({"weight": torch.ones(2, 2), "bias": torch.ones(3)}, into=ours)
    assert all(np.array_equal(v, before[k]) for k, v in state(ours).items())


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for convert in (from_torch, to_torch):
        words = rf"nn\.{convert.__name__} needs PyTorch.*pip install"
        with pytest.raises(ImportError, match=words):
            convert({})
