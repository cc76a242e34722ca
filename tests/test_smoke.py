"""The whole stack in a second: engine, module, loss, optimizer; also with the JIT switched off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autograd
import nn
import optim
from autograd import tensor

ROOT = Path(__file__).parent.parent


def test_xor():
    """A small network learns XOR and remembers it through its state_dict."""
    autograd.manual_seed(0)
    x = tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = tensor([[0.0], [1], [1], [0]])
    model = network()
    optimizer, criterion = optim.Adam(model.parameters(), lr=0.1), nn.BCELoss()
    for _ in range(200):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    twin = network()
    twin.load_state_dict(model.state_dict())
    assert twin(x).round().tolist() == y.tolist()


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())


def test_readme(capsys: pytest.CaptureFixture[str]):
    """The README's model prints what the README says."""
    readme = (ROOT / "README.md").read_text()
    code, output = re.findall(r"```(?:python)?\n(.*?)```", readme, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out == output


def test_without_jit():
    """NUMBA_DISABLE_JIT=1 runs every op's NumPy reference instead, without Numba."""
    code = (
        "import sys; from tests.test_smoke import test_xor; test_xor();"
        "sys.exit('numba' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=True,
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )
