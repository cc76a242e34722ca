"""Cases that run on PyTorch and on tapegrad with one text: only the imports differ.

A case is a function of a face (a namespace with `torch`, `nn`, `F`, `optim`) that returns a dict
of named results: tensors, numbers, strings, or lists of numbers.  Where PyTorch is installed both
faces run and must agree; where it is not, what PyTorch gave is read from `tests/golden/AREA.json`,
which

    TAPEGRAD_GOLDEN=1 python -m pytest tests/test_AREA.py

in an environment with PyTorch writes anew.  Fixed inputs come from `data`, never from a generator
of a framework, since those differ.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "golden"
PYTORCH = importlib.util.find_spec("torch") is not None
Result = dict[str, Any]
Case = Callable[[Any], Result]


def ours() -> SimpleNamespace:
    """Our packages under PyTorch's names."""
    import autograd
    import nn
    import optim

    return SimpleNamespace(torch=autograd, nn=nn, F=nn.functional, optim=optim)


def pytorch() -> SimpleNamespace:
    """PyTorch."""
    import torch

    return SimpleNamespace(torch=torch, nn=torch.nn, F=torch.nn.functional, optim=torch.optim)


def data(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Fixed float64 numbers, uniform in [low, high)."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def fill(module: Any, seed: int = 0) -> Any:
    """`module` in float64 with fixed parameters; returns it."""
    module = module.double()
    for i, p in enumerate(module.parameters()):
        p.detach()[...] = type(p.detach())(data(*p.shape, seed=seed + i, low=-0.5, high=0.5))
    return module


def plain(value: Any) -> Any:
    """A result as what JSON holds: numbers, strings, None, lists of them."""
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return value


def check(area: str, name: str, case: Case, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Assert that `case` gives PyTorch's results on our face: same names, shapes, and numbers."""
    found = plain(case(ours()))
    stored = _stored(area)
    if PYTORCH:
        expected = plain(case(pytorch()))
        if os.environ.get("TAPEGRAD_GOLDEN") == "1":
            stored[name] = json.loads(json.dumps(expected))
            _write(area, stored)
        assert name in stored, f"{area}.json lacks {name}; write it with TAPEGRAD_GOLDEN=1"
        _same(f"{name}, stored", stored[name], expected, rtol, atol)
    else:
        assert name in stored, f"{area}.json lacks {name}; write it where PyTorch is installed"
        expected = stored[name]
    _same(name, found, expected, rtol, atol)


def cases(table: dict[str, Case]) -> Any:
    """`pytest.mark.parametrize` over a table of cases, as arguments `name, case`."""
    return pytest.mark.parametrize(("name", "case"), table.items(), ids=list(table))


def _stored(area: str) -> dict[str, Any]:
    path = FOLDER / f"{area}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _write(area: str, stored: dict[str, Any]) -> None:
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(stored.items())]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{area}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _same(where: str, found: Any, expected: Any, rtol: float, atol: float) -> None:
    if isinstance(expected, dict):
        assert isinstance(found, dict), where
        assert list(found) == list(expected), where
        for key in expected:
            _same(f"{where}: {key}", found[key], expected[key], rtol, atol)
    elif _numeric(expected):
        a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        assert a.shape == b.shape, f"{where}: {a.shape}, expected {b.shape}"
        np.testing.assert_allclose(a, b, rtol, atol, err_msg=where)
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, (a, b) in enumerate(zip(found, expected)):
            _same(f"{where}[{i}]", a, b, rtol, atol)
    else:
        assert found == expected, where


def _numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, str)
