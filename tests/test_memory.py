"""Graphs are freed by reference counts alone, however deep; training does not grow the process."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

import autograd
import nn
import optim
from autograd import tensor

DEPTH = 200_000


@pytest.fixture
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("create_graph", [False, True])
def test_dropping_the_loss_frees_the_graph(create_graph: bool):
    x = autograd.ones(3, requires_grad=True)
    hidden = (x * 2).relu()
    loss = (hidden.view(3, 1) @ hidden.view(1, 3)).sum()
    nodes = [weakref.ref(hidden.grad_fn), weakref.ref(loss.grad_fn)]
    del hidden
    (g,) = autograd.grad(loss, x, create_graph=create_graph)
    del loss, g
    assert [node() for node in nodes] == [None, None]


@pytest.mark.usefixtures("no_gc")
def test_intermediates_go_while_the_graph_stays():
    """What no vjp reads is not kept alive: exp saves its result, not what went in."""
    x = autograd.ones(3, requires_grad=True)
    y = x + 1
    gone = weakref.ref(y)
    z = y.exp()
    del y
    assert gone() is None
    z.sum().backward()


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("start", [tensor(1.0, requires_grad=True), autograd.scalar(1.0)])
def test_deep_chain(start: autograd.Tensor):
    """Builds, runs backward, is freed, without recursion."""
    x = start
    for _ in range(DEPTH):
        x = x + 1.0
    first = weakref.ref(x.grad_fn)
    x.backward()
    assert start.grad.item() == 1
    del x
    assert first() is None


@pytest.mark.usefixtures("no_gc")
def test_deep_chain_freed_without_backward():
    start = tensor(1.0, requires_grad=True)
    x = start * 1.0
    first = weakref.ref(x.grad_fn)
    for _ in range(DEPTH):
        x = x * 1.0
    del x
    assert first() is None


@pytest.mark.usefixtures("no_gc")
def test_training_does_not_grow_the_process():
    """100,000 steps; the first 10,000 fill the allocator's and the interpreter's free lists."""
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())
    optimizer, criterion = optim.SGD(model.parameters(), lr=0.01, momentum=0.9), nn.BCELoss()
    x = tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = tensor([[0.0], [1], [1], [0]])

    def train(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()

    train(10_000)
    before = resident()
    train(90_000)
    assert resident() - before < 2**20


def resident() -> int:
    """Bytes of this process in memory now."""
    try:
        with open("/proc/self/statm") as status:
            return int(status.read().split()[1]) * 4096
    except FileNotFoundError:
        pytest.skip("needs /proc to read the size of the process")
