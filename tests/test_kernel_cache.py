"""Compiled kernels on disk: several processes at once, no folder, stale and damaged files."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd.kernel import COLD_CACHE, JIT
from autograd.kernel_cache import KernelFiles

pytestmark = pytest.mark.skipif(not JIT, reason="Numba's compiler is off")
ROOT = Path(__file__).parent.parent
PROGRAM = """
import numpy, {package} as k
x = numpy.linspace(-1, 1, 7)
outs = []
for dtype in ("float32", "float64"):
    out = numpy.zeros(7, dtype)
    k.scaled.run(out, x.astype(dtype))
    outs.append(out.tolist())
print(outs)
"""
SOURCE = """
from autograd.kernel import kernel
from .{part} import factor

@kernel
def scaled(out, x):
    for i in range(out.size):
        out[i] = factor(x[i])
"""
PART = """
from autograd.kernel import device

@device
def factor(x):
    return x * {number}
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a kernel whose scalar function stands in another file."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "__init__.py").write_text(SOURCE.format(part="part"))
    (folder / "part.py").write_text(PART.format(number="2"))
    return folder


def start(package: Path, **environment: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), str(package.parent)])
    given = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(package=package.name)],
        env=given, cwd=package.parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[Any, str]:
    out, said = process.communicate()
    assert process.returncode == 0, said
    return eval(out), said


def doubled(number: float = 2) -> Any:
    return [[pytest.approx(number * (i - 3) / 3) for i in range(7)]] * 2


def test_processes_fill_the_cache_at_once(package: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    running = [start(package, NUMBA_CACHE_DIR=cache) for _ in range(3)]
    assert [finish(p)[0] for p in running] == [doubled()] * 3
    assert finish(start(package, NUMBA_CACHE_DIR=cache)) == (doubled(), "")
    assert len(list(Path(cache).rglob("*.kernel"))) == 2
    assert [p for p in Path(cache).rglob("*") if p.is_file() and p.suffix != ".kernel"] == []


def test_no_folder_can_be_written(package: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    (package / "__pycache__").write_text("")
    nowhere = {k: str(blocked / "x") for k in ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME")}
    found, said = finish(start(package, **nowhere))
    assert found == doubled()
    assert said.splitlines() == [
        "tapegrad: no folder for compiled kernels can be written, so that each process compiles"
        " them; set NUMBA_CACHE_DIR to one",
        COLD_CACHE,
    ]


def test_a_changed_scalar_function_makes_the_kernel_stale(package: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    finish(start(package, NUMBA_CACHE_DIR=cache))
    (package / "part.py").write_text(PART.format(number="3.0"))
    assert finish(start(package, NUMBA_CACHE_DIR=cache)) == (doubled(3), f"{COLD_CACHE}\n")
    assert finish(start(package, NUMBA_CACHE_DIR=cache)) == (doubled(3), "")


def test_damaged_files_are_compiled_anew(package: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    finish(start(package, NUMBA_CACHE_DIR=cache))
    for path in Path(cache).rglob("*.kernel"):
        raw = path.read_bytes()
        path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert finish(start(package, NUMBA_CACHE_DIR=cache)) == (doubled(), f"{COLD_CACHE}\n")


@pytest.mark.parametrize("damage", ["empty", "cut", "altered", "text", "directory"])
def test_damaged_files_are_seen(tmp_path: Path, damage: str) -> None:
    files = KernelFiles(str(tmp_path), "k", "1", [1], pickle.dumps)
    files.save("key", "code")
    path = Path(files.path("key"))
    raw = path.read_bytes()
    if damage == "directory":
        path.unlink()
        path.mkdir()
    else:
        altered = raw[:40] + bytes([raw[40] ^ 1]) + raw[41:]
        path.write_bytes({"empty": b"", "cut": raw[:-1], "altered": altered}.get(damage, b"text"))
    assert files.load("key") is None


def test_what_cannot_be_written_is_told_once(tmp_path: Path, capsys: Any) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    files = KernelFiles(str(blocked), "k", "1", [], pickle.dumps)
    files.save("a", 1)
    files.save("b", 2)
    assert files.load("a") is None
    assert capsys.readouterr().err.count("kernels are not kept") == 1


def test_an_entry_is_of_one_version_and_one_state_of_the_sources(tmp_path: Path) -> None:
    def files(version: str, stamp: Any) -> KernelFiles:
        return KernelFiles(str(tmp_path), "k", version, stamp, pickle.dumps)

    files("1", [1]).save("key", "code")
    assert files("1", [1]).load("key") == "code"
    assert files("1", [2]).load("key") is None
    assert files("2", [1]).load("key") is None
    assert files("1", [1]).load("other") is None
    files("1", [1]).flush()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["<stdin>", "/tmp/ipykernel_1/2345.py"])
def test_a_kernel_of_a_prompt_or_a_notebook_is_compiled_and_not_kept(
    name: str, capsys: Any
) -> None:
    """Its text is in no file; in a notebook the name looks as if it were."""
    space: dict[str, Any] = {}
    text = "from autograd.kernel import kernel\n@kernel\ndef k(out, x):\n    out[0] = 2 * x[0]\n"
    exec(compile(text, name, "exec"), space)
    out = np.zeros(1)
    space["k"].run(out, np.array([3.0]))
    assert out[0] == 6
    assert "kernels can be written" not in capsys.readouterr().err
