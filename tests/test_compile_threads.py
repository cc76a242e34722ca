"""Threads: models trained side by side are those trained one after another."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

import autograd
import nn
import optim


class Trainer:
    """A model of its own, and a compiled step."""

    def __init__(self, seed: int):
        autograd.manual_seed(seed)
        self.seed = seed
        self.model = nn.Sequential(
            nn.Linear(6, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Linear(16, 3)
        )
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.criterion = nn.CrossEntropyLoss()
        self.fast = autograd.compile(self.step)

    def step(self, x: Any, y: Any) -> Any:
        """One step."""
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss

    def run(self) -> None:
        """300 steps: calls, then a loop."""
        rng = np.random.default_rng(self.seed)
        x = [autograd.tensor(rng.standard_normal((8, 6)), dtype="float32") for _ in range(300)]
        y = [autograd.tensor(rng.integers(0, 3, 8)) for _ in range(300)]
        for k in range(100):
            self.fast(x[k], y[k])
        self.fast.loop(zip(x[100:], y[100:]))

    def state(self) -> list[Any]:
        """All weights and statistics."""
        return [t.detach().numpy() for t in self.model.state_dict().values()]


def in_threads(*runs: Any) -> None:
    wrong: list[BaseException] = []

    def guarded(run: Any) -> None:
        try:
            run()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(run,)) for run in runs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong


def test_four_models_in_four_threads():
    together, alone = ([Trainer(seed) for seed in range(4)] for _ in range(2))
    in_threads(*[t.run for t in together])
    for a, b in zip(together, alone, strict=True):
        b.run()
        for x, y in zip(a.state(), b.state(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_calls_and_a_loop_predict_at_once():
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3)).eval()
    predict = autograd.compile(lambda x: model(x))
    rng = np.random.default_rng(0)
    x = [autograd.tensor(rng.standard_normal((4, 6)), dtype="float32") for _ in range(50)]
    with autograd.no_grad():
        expected = [model(each).numpy() for each in x]

    def one_by_one() -> None:
        with autograd.no_grad():
            for _ in range(20):
                for each, y in zip(x, expected):
                    np.testing.assert_array_equal(predict(each).numpy(), y)

    def looped() -> None:
        with autograd.no_grad():
            for _ in range(20):
                np.testing.assert_array_equal(predict.loop(x).numpy(), np.stack(expected))

    in_threads(one_by_one, looped, one_by_one, looped)
