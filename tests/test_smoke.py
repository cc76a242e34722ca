"""The whole stack in a second: engine, module, loss, optimizer; also with the JIT switched off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import autograd
import nn
import optim
from autograd import tensor
from autograd.kernel import COLD_CACHE

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


def test_without_jit():
    """NUMBA_DISABLE_JIT=1 runs every op's NumPy reference instead, without Numba."""
    code = (
        "import sys; from tests.test_smoke import test_xor; test_xor();"
        "sys.exit('numba' in sys.modules)"
    )
    python(code, NUMBA_DISABLE_JIT="1")


def test_cold_cache_says_what_it_waits_for(tmp_path: Path):
    """One line when kernels are compiled for the first time on a machine, none from then on."""
    code = "import autograd; autograd.ones(3).exp().tanh()"
    cold, warm = (python(code, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert cold.splitlines() == [COLD_CACHE]
    assert warm == ""


def test_hips_autograd_in_the_same_place_is_an_error(tmp_path: Path):
    """Its package has a folder `numpy`, which installing it over ours would leave in ours."""
    shutil.copytree(ROOT / "autograd", tmp_path / "autograd")
    (tmp_path / "autograd" / "numpy").mkdir()
    code = "import sys\ntry: import autograd\nexcept ImportError as e: print(e, file=sys.stderr)"
    assert "HIPS autograd" in python(code, cwd=tmp_path)


def python(code: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run `code` in a new process; returns what it wrote to stderr."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr
