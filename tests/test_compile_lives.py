"""Compiled steps and what else happens to a model: copies, files, an interrupt in a loop."""

from __future__ import annotations

import copy
import pickle
import signal
import sys
from typing import Any

import pytest

import autograd
import nn
import optim
from autograd.compiled import encode


class Net(nn.Module):
    """A model that brings its own compiled step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))
        self.optimizer = optim.AdamW(self.layers.parameters(), lr=0.01)

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.layers(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    fast = autograd.compile(step)

    def weights(self) -> list[bytes]:
        return [t.detach().numpy().tobytes() for t in self.layers.state_dict().values()]


@pytest.fixture
def batch() -> tuple[autograd.Tensor, autograd.Tensor]:
    autograd.manual_seed(1)
    return autograd.randn(5, 6), autograd.randn(5, 2)


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"]
)
def test_a_copy_goes_on_by_itself(twin: Any, batch: Any) -> None:
    net = Net()
    for _ in range(6):
        net.fast(*batch)
    other = twin(net)
    weights = net.weights()
    assert other.weights() == weights
    losses = [other.fast(*batch).item() for _ in range(6)]
    assert net.weights() == weights
    assert [net.fast(*batch).item() for _ in range(6)] == losses
    assert net.weights() == other.weights()


def test_a_saved_state_goes_on_where_it_was(batch: Any) -> None:
    net, other = Net(), Net()
    for _ in range(6):
        net.fast(*batch)
        other.fast(*batch)
    other.layers.load_state_dict(copy.deepcopy(net.layers.state_dict()))
    other.optimizer.load_state_dict(copy.deepcopy(net.optimizer.state_dict()))
    for _ in range(6):
        assert net.fast(*batch).item() == other.fast(*batch).item()
    assert net.weights() == other.weights()


@pytest.mark.skipif(sys.platform == "win32", reason="no timers that signal")
@pytest.mark.skipif(not encode.available(), reason="no native replay here")
def test_an_interrupt_ends_a_loop_between_two_steps(batch: Any) -> None:
    autograd.manual_seed(2)
    net = Net()
    start = copy.deepcopy(net)

    def endless() -> Any:
        while True:
            yield batch

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        with pytest.raises(KeyboardInterrupt):
            net.fast.loop(endless())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    state = next(iter(net.optimizer.state_dict()["state"].values()))
    done = int(state["step"].item())
    assert done > 100
    start.fast.loop([batch] * done)
    assert start.weights() == net.weights()
