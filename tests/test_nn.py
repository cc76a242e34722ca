"""Modules, layers and losses, against numbers computed with PyTorch 2.13."""

from __future__ import annotations

import copy
import gzip
import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
from nn.demo import __main__ as demo


def real(values: Any) -> autograd.Tensor:
    """Values as a float64 tensor."""
    return autograd.tensor(np.array(values, "float64"))


# Losses


@dataclass(frozen=True)
class Case:
    """A loss in float64: its value, and the gradient of its sum."""

    loss: str
    options: dict[str, Any]
    input: Any
    target: Any
    value: Any
    gradient: Any

    def __str__(self) -> str:
        options = ", ".join(f"{k}={v}" for k, v in self.options.items())
        return f"{self.loss}({options})({type(np.array(self.target).flat[0]).__name__})"


L = [[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [-2.0, 0.3, 0.1], [0.0, 3.0, 1.0]]
Y = [2, 0, 1, 2]
W = [1.0, 2.0, 0.5]
P = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]
Q, B, X = [0.9, 0.2, 0.5, 0.7], [1.0, 0.0, 1.0, 0.0], [3.0, -1.0, 0.5, -2.0]
# fmt: off
CASES = (
    Case("MSELoss", dict(), X, Q, 3.285, [1.05, -0.6, 0.0, -1.35]),
    Case("MSELoss", dict(reduction="sum"), X, Q, 13.14, [4.2, -2.4, 0.0, -5.4]),
    Case("MSELoss", dict(reduction="none"), X, Q, [4.41, 1.44, 0.0, 7.29], [4.2, -2.4, 0.0, -5.4]),
    Case("L1Loss", dict(), X, Q, 1.5, [0.25, -0.25, 0.0, -0.25]),
    Case("L1Loss", dict(reduction="sum"), X, Q, 6.0, [1.0, -1.0, 0.0, -1.0]),
    Case("BCELoss", dict(), Q, B, 0.556406, [-0.2777778, 0.3125, -0.5, 0.8333333]),
    Case("BCELoss", dict(reduction="none"), Q, B, [0.1053605, 0.2231436, 0.6931472, 1.203973],
         [-1.111111, 1.25, -2.0, 3.333333]),
    Case("BCELoss", dict(weight=[1.0, 2.0, 3.0, 4.0]), Q, B, 1.861745, [-0.2777778, 0.625, -1.5,
         3.333333]),
    Case("BCELoss", dict(), [0.0, 1.0], [1.0, 1.0], 50.0, [-5e11, 0.0]),
    Case("BCELoss", dict(), [0.0, 1.0], [1.0, 0.0], 100.0, [-5e11, 5e11]),
    Case("BCEWithLogitsLoss", dict(), X, B, 0.2407135, [-0.01185647, 0.06723536, -0.09438517,
         0.02980073]),
    Case("BCEWithLogitsLoss", dict(pos_weight=[1.0, 2.0, 3.0, 4.0]), X, B, 0.477752, [-0.01185647,
         0.06723536, -0.2831555, 0.02980073]),
    Case("BCEWithLogitsLoss", dict(weight=[1.0, 2.0, 3.0, 4.0], reduction="sum"), X, B, 2.605054,
         [-0.04742587, 0.5378828, -1.132622, 0.4768117]),
    Case("BCEWithLogitsLoss", dict(), [1000.0, -1000.0], [0.0, 1.0], 1000.0, [0.5, -0.5]),
    Case("CrossEntropyLoss", dict(), L, Y, 0.8818312, [[0.0438226, 0.009778143, -0.05360074],
         [-0.09286707, 0.05780597, 0.0350611], [0.01306141, -0.1197231, 0.1066617], [0.01050252,
         0.2109487, -0.2214512]]),
    Case("CrossEntropyLoss", dict(reduction="none"), L, Y, [0.2413113, 0.4643688, 0.6517988,
         2.169846], [[0.1752904, 0.03911257, -0.214403], [-0.3714683, 0.2312239, 0.1402444],
         [0.05224564, -0.4788924, 0.4266468], [0.04201007, 0.8437947, -0.8858048]]),
    Case("CrossEntropyLoss", dict(weight=W), L, Y, 0.7433863, [[0.0219113, 0.004889072,
         -0.02680037], [-0.09286707, 0.05780597, 0.0350611], [0.02612282, -0.2394462, 0.2133234],
         [0.005251258, 0.1054743, -0.1107256]]),
    Case("CrossEntropyLoss", dict(weight=W, reduction="sum"), L, Y, 2.973545, [[0.0876452,
         0.01955629, -0.1072015], [-0.3714683, 0.2312239, 0.1402444], [0.1044913, -0.9577849,
         0.8532936], [0.02100503, 0.4218974, -0.4429024]]),
    Case("CrossEntropyLoss", dict(ignore_index=2), L, Y, 0.5580838, [[0.0, 0.0, 0.0], [-0.1857341,
         0.1156119, 0.07012219], [0.02612282, -0.2394462, 0.2133234], [0.0, 0.0, 0.0]]),
    Case("CrossEntropyLoss", dict(label_smoothing=0.1), L, Y, 0.9526646, [[0.03548926, 0.00144481,
         -0.03693407], [-0.0762004, 0.04947264, 0.02672776], [0.004728077, -0.1030564, 0.09832836],
         [0.002169183, 0.2026154, -0.2047845]]),
    Case("CrossEntropyLoss", dict(label_smoothing=0.1, weight=W), L, Y, 0.8523446, [[0.01649947,
         -0.01112572, -0.005373753], [-0.07358152, 0.04210274, 0.03147878], [0.01670104, -0.2169693,
         0.2002683], [-0.002381907, 0.1028709, -0.100489]]),
    Case("CrossEntropyLoss", dict(label_smoothing=0.1, weight=W, ignore_index=0), L, Y, 0.9485345,
         [[0.0219993, -0.01483429, -0.007165005], [0.0, 0.0, 0.0], [0.02226805, -0.2892924,
         0.2670243], [-0.003175876, 0.1371612, -0.1339854]]),
    Case("CrossEntropyLoss", dict(), L, P, 1.169331, [[-0.006177402, -0.06522186, 0.07139926],
         [-0.09286707, 0.05780597, 0.0350611], [-0.01193859, -0.06972311, 0.0816617], [-0.06449749,
         0.1359487, -0.0714512]]),
    Case("CrossEntropyLoss", dict(weight=W), L, P, 1.421306, [[-0.003986272, -0.139733, 0.1437192],
         [-0.09286707, 0.05780597, 0.0350611], [-0.002142532, -0.1720154, 0.174158], [-0.06344723,
         0.08204355, -0.01859632]]),
    Case("CrossEntropyLoss", dict(label_smoothing=0.1), L, P, 1.211415, [[-0.009510735, -0.06605519,
         0.07556593], [-0.0762004, 0.04947264, 0.02672776], [-0.01777192, -0.05805644, 0.07582837],
         [-0.06533082, 0.1351154, -0.06978453]]),
    Case("CrossEntropyLoss", dict(), [1.0, 2.0, 3.0], 1, 1.407606, [0.09003057, -0.7552715,
         0.665241]),
    Case("NLLLoss", dict(), L, Y, -1.075, [[0.0, 0.0, -0.25], [-0.25, 0.0, 0.0], [0.0, -0.25, 0.0],
         [0.0, 0.0, -0.25]]),
    Case("NLLLoss", dict(weight=W), L, Y, -0.775, [[0.0, 0.0, -0.125], [-0.25, 0.0, 0.0], [0.0,
         -0.5, 0.0], [0.0, 0.0, -0.125]]),
    Case("NLLLoss", dict(ignore_index=0, reduction="sum"), L, Y, -3.3, [[0.0, 0.0, -1.0], [0.0, 0.0,
         0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]),
)
# fmt: on


@pytest.mark.parametrize("case", CASES, ids=str)
def test_loss(case: Case) -> None:
    options = {k: real(v) if isinstance(v, list) else v for k, v in case.options.items()}
    criterion = getattr(nn, case.loss)(**options)
    x, y = real(case.input).requires_grad_(), autograd.tensor(np.array(case.target))
    loss = criterion(x, y)
    loss.sum().backward()
    np.testing.assert_allclose(loss.detach().numpy(), case.value, rtol=2e-6)
    np.testing.assert_allclose(x.grad.numpy(), case.gradient, rtol=2e-6, atol=1e-7)


def test_losses_of_nothing() -> None:
    target = autograd.tensor(np.array([0, 0]))
    x = real([[1.0, 2.0], [3.0, 4.0]])
    assert math.isnan(nn.CrossEntropyLoss(ignore_index=0)(x, target).item())
    assert nn.CrossEntropyLoss(ignore_index=0, reduction="sum")(x, target).item() == 0
    empty = F.cross_entropy(autograd.zeros(0, 3), autograd.zeros(0, dtype=autograd.int64))
    assert math.isnan(empty.item())


def test_losses_refuse() -> None:
    x, y = real([0.5, 0.5]), real([1.0, 0.0])
    with pytest.raises(ValueError, match=r"target is \(2, 1\); expected target \(2,\)"):
        F.binary_cross_entropy(x, y.reshape(2, 1))
    with pytest.raises(RuntimeError, match=r"\[0, 1\]|between 0 and 1"):
        F.binary_cross_entropy(x * 3, y)
    with pytest.raises(ValueError, match=r"target is \(2, 1\)"):
        F.binary_cross_entropy_with_logits(x, y.reshape(2, 1))
    with pytest.warns(UserWarning, match="broadcast"):
        F.mse_loss(x, y.reshape(2, 1))
    with pytest.raises(IndexError, match="5"):
        F.cross_entropy(real([[1.0, 2.0]]), autograd.tensor([5]))
    with pytest.raises(ValueError, match="reduction"):
        F.mse_loss(x, y, reduction="average")
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert nn.MSELoss(size_average=False).reduction == "sum"


# Layers


LAYERS = (
    (nn.ReLU(), "ReLU()", [-2.0, 0.5], [0, 0.5]),
    (nn.ReLU(inplace=True), "ReLU(inplace=True)", [-2.0, 0.5], [0, 0.5]),
    (nn.ReLU6(), "ReLU6()", [-2.0, 8.0], [0, 6]),
    (nn.LeakyReLU(0.1), "LeakyReLU(negative_slope=0.1)", [-2.0, 0.5], [-0.2, 0.5]),
    (nn.ELU(2.0), "ELU(alpha=2.0)", [-2.0, 0.5], [2 * math.expm1(-2), 0.5]),
    (nn.CELU(2.0), "CELU(alpha=2.0)", [-2.0, 0.5], [2 * math.expm1(-1), 0.5]),
    (nn.SELU(), "SELU()", [-2.0, 0.5], [-1.5201664686, 0.5253504938]),
    (nn.GELU(), "GELU(approximate='none')", [-2.0, 0.5], [-0.0455002639, 0.3457312306]),
    (nn.GELU("tanh"), "GELU(approximate='tanh')", [-2.0, 0.5], [-0.0454023059, 0.3457140243]),
    (nn.SiLU(), "SiLU()", [-2.0, 0.5], [-0.2384058440, 0.3112296656]),
    (nn.Mish(), "Mish()", [-2.0, 0.5], [-0.2525014822, 0.3752452528]),
    (nn.Sigmoid(), "Sigmoid()", [-2.0, 0.5], [0.1192029220, 0.6224593312]),
    (nn.LogSigmoid(), "LogSigmoid()", [-2.0, 0.5], [-2.1269280110, -0.4740769842]),
    (nn.Hardsigmoid(), "Hardsigmoid()", [-2.0, 0.5], [1 / 6, 3.5 / 6]),
    (nn.Hardswish(), "Hardswish()", [-2.0, 0.5], [-1 / 3, 1.75 / 6]),
    (nn.Hardtanh(), "Hardtanh(min_val=-1.0, max_val=1.0)", [-2.0, 0.5], [-1, 0.5]),
    (nn.Tanh(), "Tanh()", [-2.0, 0.5], [math.tanh(-2), math.tanh(0.5)]),
    (nn.Tanhshrink(), "Tanhshrink()", [-2.0, 0.5], [math.tanh(2) - 2, 0.5 - math.tanh(0.5)]),
    (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)", [-2.0, 30.0], [0.1269280110, 30]),
    (nn.Softsign(), "Softsign()", [-2.0, 0.5], [-2 / 3, 1 / 3]),
    (nn.Softshrink(), "Softshrink(0.5)", [-2.0, 0.5], [-1.5, 0]),
    (nn.Hardshrink(), "Hardshrink(0.5)", [-2.0, 0.5], [-2, 0]),
    (nn.Threshold(0.1, 20.0), "Threshold(threshold=0.1, value=20.0)", [-2.0, 0.5], [20, 0.5]),
    (nn.PReLU(), "PReLU(num_parameters=1)", [-2.0, 0.5], [-0.5, 0.5]),
    (nn.Softmax(dim=0), "Softmax(dim=0)", [1.0, 1.0], [0.5, 0.5]),
    (nn.LogSoftmax(dim=0), "LogSoftmax(dim=0)", [1.0, 1.0], [math.log(0.5)] * 2),
    (nn.GLU(), "GLU(dim=-1)", [3.0, 0.0], [1.5]),
    (nn.Identity(1, a=2), "Identity()", [-2.0, 0.5], [-2, 0.5]),
    (nn.Dropout(0.3).eval(), "Dropout(p=0.3, inplace=False)", [-2.0, 0.5], [-2, 0.5]),
)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer[1])
def test_layer(layer: Any) -> None:
    module, shown, given, expected = layer
    assert repr(module) == shown
    out = module(autograd.tensor(given))
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-6)


def test_linear() -> None:
    layer = nn.Linear(64, 3)
    bound = 1 / math.sqrt(64)
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    assert weight.shape == (3, 64)
    assert bias.shape == (3,)
    assert 0.9 * bound < abs(weight).max() <= bound
    assert abs(bias).max() <= bound
    x = np.random.default_rng(0).standard_normal((2, 5, 64)).astype("float32")
    out = layer(autograd.from_numpy(x))
    np.testing.assert_allclose(out.detach().numpy(), x @ weight.T + bias, atol=1e-6)
    bare = nn.Linear(2, 3, bias=False)
    assert bare.bias is None
    assert list(bare.state_dict()) == ["weight"]
    assert repr(bare) == "Linear(in_features=2, out_features=3, bias=False)"
    with pytest.raises(ValueError, match=r"x is \(5, 4\) but weight is \(3, 2\)"):
        bare(autograd.zeros(5, 4))
    with pytest.raises(RuntimeError, match=r"float64|dtype"):
        bare(autograd.zeros(5, 2, dtype=autograd.float64))


def test_dropout() -> None:
    layer, x = nn.Dropout(0.3), autograd.ones(10_000)
    first, second = layer(x).numpy(), layer(x).numpy()
    np.testing.assert_allclose(np.unique(first), [0, 1 / 0.7], rtol=1e-6)
    assert abs(first.mean() - 1) < 0.03
    assert (first != second).any()
    layer.eval()
    assert layer(x) is x
    ones = autograd.ones(4, requires_grad=True)
    F.dropout(ones, 1.0).sum().backward()
    np.testing.assert_array_equal(ones.grad.numpy(), np.zeros(4))
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            nn.Dropout(p)


def test_sequential() -> None:
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
    with pytest.raises(IndexError):
        net[9]


# Module


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


def test_registration() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_buffers()] == ["count", "scratch"]
    assert [name for name, _ in net.named_children()] == ["one", "two"]
    assert [name for name, _ in net.named_modules()] == ["", "one", "two", "two.0", "two.1"]
    assert list(net.state_dict()) == ["scale", "count", *NAMES[1:]]
    assert net.get_parameter("two.1.bias") is net.two[1].bias
    assert net.get_submodule("two.1") is net.two[1]
    assert len(list(net.parameters(recurse=False))) == 1
    net.one = nn.Identity()  # replaces
    net.scale = None  # keeps the name
    net.count = autograd.ones(2)
    assert [name for name, _ in net.named_parameters()] == NAMES[3:]
    assert net.state_dict()["count"].shape == (2,)
    del net.two
    assert not hasattr(net, "two")
    assert list(net.named_parameters()) == []


def test_tied_parameters_count_once_but_are_saved_twice() -> None:
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    net = nn.Sequential(a, b)
    assert len(list(net.parameters())) == 3
    assert len(net.state_dict()) == 4
    twin = copy.deepcopy(net)
    assert twin[0].weight is twin[1].weight


def test_registration_errors() -> None:
    class Forgot(nn.Module):
        def __init__(self, what: Any) -> None:
            self.what = what

    with pytest.raises(AttributeError, match=r"cannot assign parameter before Module\.__init__"):
        Forgot(nn.Parameter(autograd.ones(1)))
    with pytest.raises(AttributeError, match=r"cannot assign module before Module\.__init__"):
        Forgot(nn.ReLU())
    with pytest.raises(AttributeError, match=r"call the module before Module\.__init__"):
        Forgot(1)(2)
    net = Net()
    with pytest.raises(TypeError, match="cannot assign 'Tensor' as parameter 'scale'"):
        net.scale = autograd.ones(1)
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'one'"):
        net.one = 3
    with pytest.raises(TypeError, match="cannot assign 'float' as buffer 'count'"):
        net.count = 1.0
    with pytest.raises(KeyError, match="attribute 'plain' already exists"):
        net.register_buffer("plain", None)
    with pytest.raises(KeyError, match="be empty or contain"):
        net.register_parameter("a.b", None)
    with pytest.raises(TypeError, match="cannot assign 'Tensor' object to parameter 'p'"):
        net.register_parameter("p", autograd.ones(1))  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match='missing the required "forward"'):
        nn.Module()(1)
    with pytest.raises(AttributeError, match="no submodule 'three'"):
        net.get_submodule("two.three")
    assert next(net.parameters()) is net.scale


def test_modes_and_gradients() -> None:
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    with pytest.raises(ValueError, match="boolean"):
        net.train("yes")  # type: ignore[arg-type]
    net(autograd.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.item() == 0
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.one.requires_grad_(False)
    net(autograd.ones(1, 2)).sum().backward()
    assert net.one.weight.grad is None
    seen: list[str] = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Net"]


def test_to() -> None:
    net, scale = Net(), None
    net.register_buffer("number", autograd.tensor(3))
    scale = net.scale
    net(autograd.ones(1, 2)).sum().backward()
    assert net.double() is net
    assert net.scale is scale
    assert {t.dtype.name for t in net.state_dict().values()} == {"float64", "int64"}
    assert net.scale.grad.dtype == autograd.float64
    assert net(autograd.ones(1, 2, dtype=autograd.float64)).dtype == autograd.float64
    assert net.to("cpu").to(autograd.float32).float().scale.dtype == autograd.float32
    with pytest.raises(TypeError, match="floating point"):
        net.to(autograd.int64)
    with pytest.raises(RuntimeError, match="cuda"):
        net.to("cuda")


def test_state_dict() -> None:
    a, b = Net(), Net()
    address = b.scale.data_ptr()
    assert str(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    assert b.scale.data_ptr() == address
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    halves = {name: t.numpy().astype("float64") / 2 for name, t in a.state_dict().items()}
    b.load_state_dict(halves)
    assert b.scale.dtype == autograd.float32
    assert b.scale.item() == 0.5
    shared = a.state_dict()["scale"]
    with autograd.no_grad():
        a.scale.fill_(7.0)
    assert shared.item() == 7.0
    assert not shared.requires_grad


def test_load_state_dict_names_what_is_wrong_and_changes_nothing() -> None:
    net = Net()
    before = {name: t.numpy().copy() for name, t in net.state_dict().items()}
    wrong = {**before, "scale": np.ones(1, "f"), "one.bias": np.zeros(4), "extra": np.zeros(1)}
    del wrong["count"]
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(wrong)
    assert str(error.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "count".\n'
        '\tUnexpected key(s) in state_dict: "extra".\n'
        "\tsize mismatch for one.bias: copying a param with shape (4,) from checkpoint,"
        " the shape in current model is (3,)."
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(wrong, strict=False)
    for name, t in net.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), before[name])
    del wrong["one.bias"]
    keys = net.load_state_dict(wrong, strict=False)
    assert keys.missing_keys == ["count", "one.bias"]
    assert keys.unexpected_keys == ["extra"]
    with pytest.raises(TypeError, match="dict-like"):
        net.load_state_dict([])  # type: ignore[arg-type]


def test_loading_is_an_in_place_change() -> None:
    net = nn.Linear(1, 1)
    x = autograd.ones(1, 1, requires_grad=True)
    out = net(x)
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_copies() -> None:
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


def test_hooks() -> None:
    layer, calls = nn.Identity(), []
    first = layer.register_forward_pre_hook(lambda m, args: calls.append("pre") or (args[0] + 1,))
    layer.register_forward_pre_hook(lambda m, args: calls.append("early"), prepend=True)
    second = layer.register_forward_hook(lambda m, args, out: calls.append("post") or out * 2)
    assert layer(autograd.tensor(1.0)).item() == 4
    assert calls == ["early", "pre", "post"]
    first.remove()
    second.remove()
    assert layer(autograd.tensor(1.0)).item() == 1

    class Keyed(nn.Module):
        def forward(self, x: Any, factor: int = 1) -> Any:
            return x * factor

    keyed = Keyed()
    keyed.register_forward_pre_hook(lambda m, args, kwargs: (args, {"factor": 3}), with_kwargs=True)
    keyed.register_forward_hook(
        lambda m, args, kwargs, out: out + kwargs["factor"], with_kwargs=True
    )
    assert keyed(2, factor=5) == 9


def test_parameter() -> None:
    data = autograd.ones(2)
    p = nn.Parameter(data)
    assert p.requires_grad
    assert p.is_leaf
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert isinstance(p * 2, autograd.Tensor)
    assert not isinstance(p * 2, nn.Parameter)
    assert not nn.Parameter(autograd.ones(2, dtype=autograd.int64), requires_grad=False).tracked
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(autograd.ones(2, dtype=autograd.int64))


def test_init() -> None:
    w = autograd.empty(200, 100)
    bounds = {
        nn.init.kaiming_uniform_: math.sqrt(6 / 100),
        nn.init.xavier_uniform_: math.sqrt(6 / 300),
    }
    for fill, bound in bounds.items():
        values = fill(w).numpy()
        assert 0.99 * bound < abs(values).max() <= bound
    deviations = {
        nn.init.kaiming_normal_: math.sqrt(2 / 100),
        nn.init.xavier_normal_: math.sqrt(2 / 300),
    }
    for fill, deviation in deviations.items():
        assert fill(w).numpy().std() == pytest.approx(deviation, rel=0.02)
    assert nn.init.ones_(w).numpy().min() == 1
    assert nn.init.calculate_gain("tanh") == 5 / 3
    assert nn.init.calculate_gain("leaky_relu", 0.01) == pytest.approx(1.41414, abs=1e-5)
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        nn.init.xavier_uniform_(autograd.empty(3))
    with pytest.raises(ValueError, match="Mode fan not supported"):
        nn.init.kaiming_normal_(w, mode="fan")


def test_the_same_seed_is_the_same_network() -> None:
    made = []
    for _ in range(2):
        autograd.manual_seed(3)
        made.append(nn.Linear(4, 4).weight.detach().numpy())
    np.testing.assert_array_equal(*made)


def test_perceptron() -> None:
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    for labels in ([0, 0, 0, 1], [0, 1, 1, 1], [-1, -1, -1, 1], [1, 0, 0, 0]):
        model = nn.Perceptron(2)
        fit = model.fit(points, labels)
        assert fit.converged
        assert fit.bound is not None
        assert 0 < fit.updates <= fit.bound
        assert model(points).tolist() == labels
        assert "no mistakes left" in str(fit)
    for labels in ([0, 1, 1, 0], [-1, 1, 1, -1]):
        fit = nn.Perceptron(2).fit(points, labels)
        assert not fit.converged
        assert fit.cycles
        assert fit.bound is None
        assert "never gets there" in str(fit)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    fit = nn.Perceptron(3).fit(x, rng.integers(0, 2, 200), lr=0.1, max_epochs=5)
    assert not fit.converged
    assert fit.epochs == 5
    with pytest.raises(ValueError, match=r"x is \(4, 2\) and y has 4 labels; expected x \(n, 3\)"):
        nn.Perceptron(3).fit(points, [0, 1, 1, 0])
    with pytest.raises(ValueError, match="labels are"):
        nn.Perceptron(2).fit(points, [0, 1, 2, 3])


# The demo


def write_idx(path: Any, array: np.ndarray) -> None:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype("uint8").tobytes())


@pytest.fixture
def folder(tmp_path: Any, rng: np.random.Generator) -> Any:
    """Tiny images in IDX files; the files for testing are gzipped."""
    for part, n in (("train", 40), ("t10k", 10)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (n, 4, 4)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    for path in tmp_path.glob("t10k*"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return tmp_path


def test_demo(folder: Any, capsys: Any) -> None:
    model = folder / "model.npz"
    options = ["--epochs", "2", "--save", str(model)]
    assert demo.main(["--data", str(folder), *options]) == 0
    out = capsys.readouterr().out
    assert "784-512" not in out
    assert "16-512-256-10" in out
    assert f"model saved to {model}" in out
    first = dict(np.load(model))
    assert list(first) == [f"layers.{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")]
    demo.main(["--data", str(folder), *options])
    for name, array in np.load(model).items():
        np.testing.assert_array_equal(array, first[name])
    assert sorted(p.name for p in folder.iterdir() if "model" in p.name) == ["model.npz"]


def test_demo_refuses(folder: Any, capsys: Any) -> None:
    labels = folder / "train-labels-idx1-ubyte"
    whole = labels.read_bytes()

    def error(*argv: str) -> str:
        assert demo.main([*argv]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    assert "no such directory: /nowhere" in error("--data", "/nowhere")
    assert "no such directory" in error("--save", "/nowhere/model.npz")
    assert "does not go with" in error("--task", "xor", "--data", str(folder))
    assert "invalid choice: 'chess'" in error("--task", "chess")
    assert "--epochs must be greater than 0" in error("--epochs", "0")
    labels.write_bytes(whole[:-1])
    assert "holds 39 values, but says it holds (40,)" in error("--data", str(folder))
    write_idx(labels, np.zeros(39))
    assert "40 train images but 39 labels" in error("--data", str(folder))
    labels.write_bytes((folder / "train-images-idx3-ubyte").read_bytes())
    assert "is not an IDX file of bytes in 1 dimensions" in error("--data", str(folder))
    labels.write_bytes(gzip.compress(whole)[:-9])
    assert "train-labels-idx1-ubyte:" in error("--data", str(folder))
    labels.unlink()
    assert "holds no train-labels-idx1-ubyte" in error("--data", str(folder))
