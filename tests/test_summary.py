"""`nn.summary`: what it counts, and that it leaves the model as it was."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import autograd
import nn


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(784, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Sequential(nn.Linear(256, 128), nn.Tanh()),
        nn.Linear(128, 10),
    )


def test_numbers():
    net = network()
    net[0].requires_grad_(False)
    found = nn.summary(net, (64, 784))
    first, second, third, bn = 784 * 256 + 256, 256 * 128 + 128, 128 * 10 + 10, 2 * 256
    assert found.parameters == first + second + third + bn
    assert found.frozen == first
    assert found.trainable == second + third + bn
    assert found.parameters == sum(p.numel() for p in net.parameters())
    assert found.parameter_bytes == 4 * found.parameters
    assert found.buffer_bytes == 4 * 512 + 8
    assert found.multiply_adds == 64 * (784 * 256 + 256 * 128 + 128 * 10)
    assert found.input_shapes == [(64, 784)]
    assert found.input_bytes == 4 * 64 * 784
    assert found.activation_bytes == 4 * 64 * (256 * 3 + 128 * 2 + 10)
    rows = {row.path: row for row in found.layers}
    assert [row.kind for row in found.layers][:3] == ["Sequential", "Linear", "BatchNorm1d"]
    assert rows["4.0"].output_shape == (64, 128)
    assert rows["4.0"].multiply_adds == 64 * 256 * 128
    assert rows["4"].parameters == 0
    assert rows["0"].trainable == 0


def test_table():
    assert str(nn.summary(network(), (784,), batch_size=2)) == "\n".join(
        [
            "Layer              Output shape  Parameters  Multiply-adds   Memory",
            "-------------------------------------------------------------------",
            "Sequential         (2, 10)                -              -        -",
            "├─ 0: Linear       (2, 256)         200,960        401,408  2.0 KiB",
            "├─ 1: BatchNorm1d  (2, 256)             512              -  2.0 KiB",
            "├─ 2: ReLU         (2, 256)               -              -  2.0 KiB",
            "├─ 3: Dropout      (2, 256)               -              -        -",
            "├─ 4: Sequential   (2, 128)               -              -        -",
            "│  ├─ 0: Linear    (2, 128)          32,896         65,536  1.0 KiB",
            "│  └─ 1: Tanh      (2, 128)               -              -  1.0 KiB",
            "└─ 5: Linear       (2, 10)            1,290          2,560     80 B",
            "-------------------------------------------------------------------",
            "Input (2, 784): 6.1 KiB",
            "Parameters: 235,658 (235,658 trainable, 0 frozen), 920.5 KiB; buffers 2.0 KiB",
            "Multiply-adds: 469,504",
            "Activations: 8.1 KiB",
        ]
    )


def test_forms_of_input():
    net = nn.Linear(4, 2)
    for given, options, shape in (
        ((3, 4), {}, (3, 4)),
        ([3, 4], {}, (3, 4)),
        ((4,), {}, (4,)),
        ((4,), {"batch_size": 5}, (5, 4)),
        ([(3, 4)], {}, (3, 4)),
        ((np.int64(3), np.int64(4)), {}, (3, 4)),
        (autograd.ones(6, 4), {}, (6, 4)),
        (np.ones((6, 4), "f"), {}, (6, 4)),
        ({"input": (7, 4)}, {}, (7, 4)),
    ):
        found = nn.summary(net, given, **options)
        assert found.input_shapes == [shape]
        assert found.layers[0].output_shape == (*shape[:-1], 2)
    assert nn.summary(net.double(), (3, 4)).input_bytes == 8 * 12
    words = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 1))
    assert nn.summary(words, (4, 2), dtype=autograd.int64).layers[1].output_shape == (4, 2, 3)


class Pair(nn.Module):
    """Several inputs and outputs, ops of its own, a layer used twice and one not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.shared = nn.Linear(3, 3)
        self.unused = nn.Linear(9, 9)
        self.out = nn.Linear(3, 5, bias=False)
        self.out.weight = self.embed.weight
        self.form = nn.Bilinear(3, 3, 2)

    def forward(self, words: Any, x: Any, scale: float = 1.0) -> Any:
        h = self.shared(self.shared(self.embed(words)))
        product = h @ x.T
        einsum = autograd.einsum("ij,kj->ik", h, x)
        self.seen = h  # an attribute that comes and goes
        return self.out(h), (product * einsum, self.form(h, h))


def test_shared_tied_unused_and_functional():
    found = nn.summary(Pair(), [(4,), (2, 3)], dtype=[autograd.int64, None])
    rows = {row.path: row for row in found.layers}
    assert rows["shared"].calls == 2
    assert rows["shared"].parameters == 12
    assert rows["shared"].multiply_adds == 2 * 4 * 9
    assert rows["unused"].calls == 0
    assert rows["unused"].output_shape is None
    assert (rows["out"].parameters, rows["out"].tied) == (0, 15)
    assert rows[""].output_shape == ((4, 5), ((4, 2), (4, 2)))
    assert rows[""].multiply_adds == 2 * (4 * 2 * 3)
    assert rows["form"].multiply_adds == 4 * 3 * 3 * 2
    assert found.parameters == sum(p.numel() for p in Pair().parameters())
    text = str(found)
    assert "not called" in text
    assert "(15 tied)" in text
    named = nn.summary(Pair(), {"words": autograd.tensor([1, 2]), "x": (2, 3)})
    assert named.input_shapes == [(2,), (2, 3)]


class Careless(nn.Module):
    """Changes whatever a forward pass can change."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.5)
        self.rows = nn.Embedding(4, 3, max_norm=0.1)
        self.steps = 0
        self.register_buffer("mean", autograd.zeros(3))
        self.register_buffer("count", autograd.zeros(1))

    def forward(self, x: Any) -> Any:
        self.steps += 1
        self.norm.train()
        self.drop.train()
        self.count = self.count + 1
        with autograd.no_grad():
            self.mean.add_(x.mean(0) + 1)
        self.cache = x
        x = self.drop(self.norm(x)) + self.rows(autograd.tensor([0])) + autograd.randn(3)
        self.register_forward_hook(lambda *_: None)
        return x


def test_the_model_is_left_as_it_was():
    net = Careless()
    net.drop.eval()
    net.register_forward_hook(lambda *_: None)
    net.rows(autograd.tensor([0])).sum().backward()
    grads = [p.grad for p in net.parameters()]
    versions = [t.version[0] for t in net.state_dict(keep_vars=True).values()]
    before, attributes = copy.deepcopy(net), dict(net.__dict__)
    tensors = net.state_dict(keep_vars=True)
    random = autograd.get_rng_state()
    hooks = [dict(m._forward_hooks) for m in net.modules()]
    nn.summary(net, (5, 3))
    assert autograd.get_rng_state() == random
    assert net.__dict__ == attributes
    assert [m.training for m in net.modules()] == [m.training for m in before.modules()]
    assert not hasattr(net, "cache")
    assert [dict(m._forward_hooks) for m in net.modules()] == hooks
    assert not any(m._forward_pre_hooks for m in net.modules())
    for name, t in net.state_dict(keep_vars=True).items():
        assert t is tensors[name]
        np.testing.assert_array_equal(t.detach().numpy(), before.state_dict()[name].numpy())
    assert [t.version[0] for t in tensors.values()] == versions
    assert all(p.grad is g for p, g in zip(net.parameters(), grads, strict=True))


def test_a_failing_layer_is_named_and_the_model_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Linear(2, 1)))
    with pytest.raises(RuntimeError) as error:
        nn.summary(net, (5, 4))
    assert "summary: Linear at '1.1' failed on input (5, 3): linear: x is (5, 3)" in str(
        error.value
    )
    assert error.value.__cause__ is not None
    assert all(m.training for m in net.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_errors():
    net = nn.Linear(4, 2)
    with pytest.raises(TypeError, match="input_shape is 3; expected a shape such as"):
        nn.summary(net, 3)
    with pytest.raises(TypeError, match="'ab' is no shape"):
        nn.summary(net, ["ab"])
    with pytest.raises(ValueError, match="2 dtypes for 1 inputs"):
        nn.summary(net, (3, 4), dtype=["float32", "float32"])
    with pytest.raises(RuntimeError, match=r"Linear at 'the top' failed on input \(3, 5\)"):
        nn.summary(net, (3, 5))


def test_sizes_are_readable():
    table = str(nn.summary(nn.Linear(2000, 2000), (1, 2000)))
    assert "15.3 MiB" in table
    assert "4,002,000" in table
