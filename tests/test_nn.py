"""Losses against numbers computed with PyTorch 2.13; the perceptron; the demo."""

from __future__ import annotations

import gzip
import math
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


# The perceptron


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
    model = folder / "model.safetensors"
    options = ["--epochs", "2", "--save", str(model)]
    assert demo.main(["--data", str(folder), *options]) == 0
    out = capsys.readouterr().out
    assert "784-512" not in out
    assert "16-512-256-10" in out
    assert f"model saved to {model}" in out
    first = nn.load(model)
    assert list(first) == [f"layers.{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")]
    demo.main(["--data", str(folder), *options])
    for name, array in nn.load(model).items():
        np.testing.assert_array_equal(array, first[name])
    assert [p.name for p in folder.iterdir() if "model" in p.name] == ["model.safetensors"]


def test_demo_refuses(folder: Any, capsys: Any) -> None:
    labels = folder / "train-labels-idx1-ubyte"
    whole = labels.read_bytes()

    def error(*argv: str) -> str:
        assert demo.main([*argv]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    assert "no such directory: /nowhere" in error("--data", "/nowhere")
    assert "no such directory" in error("--save", "/nowhere/model.safetensors")
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
