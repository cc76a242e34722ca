"""The committed notebooks: in step with their texts, run whole, with their outputs and pictures.

Running them anew takes minutes and the extra `notebooks`; it is left out unless it is asked for:
`python -m pytest -m notebooks`.
"""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = sorted(path.stem for path in (FOLDER / "text").glob("*.py"))
Cell = tuple[str, str]
"""(kind, source)."""


def cells_of_text(name: str) -> list[Cell]:
    """The percent format: a line `# %%` begins a cell of code, `# %% [markdown]` one of prose."""
    text = (FOLDER / "text" / f"{name}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"{name}: there is text before the first cell"
    found = []
    for title, body in zip(parts[1::2], parts[2::2]):
        assert title in ("", " [markdown]"), f"{name}: a cell of another kind: # %%{title}"
        if title:
            lines = body.strip().splitlines()
            assert all(line.startswith("#") for line in lines), f"{name}: code in prose: {lines}"
            found.append(("markdown", "\n".join(line[2:] for line in lines)))
        else:
            found.append(("code", body.strip()))
    return found


def cells(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each cell of code, and what to call it in a message."""
    for number, cell in enumerate(cells(name)):
        if cell["cell_type"] == "code":
            yield f"{name}, cell {number}: {source(cell).splitlines()[:1]}", cell


def run_here(tree: ast.AST) -> Iterator[ast.AST]:
    """What running a cell runs: everything but the bodies of functions and classes."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield child
            yield from run_here(child)


def calls(cell: dict[str, Any]) -> set[str]:
    tree = ast.parse(source(cell))
    return {ast.unparse(n.func) for n in run_here(tree) if isinstance(n, ast.Call)}


def pictures(cell: dict[str, Any]) -> list[bytes]:
    """The PNG, GIF and SVG files of a cell's outputs."""
    found = []
    for output in cell["outputs"]:
        for kind, content in output.get("data", {}).items():
            content = "".join(content)
            if kind in ("image/png", "image/gif"):
                found.append(base64.b64decode(content))
            elif kind == "image/svg+xml" or (kind == "text/html" and "<svg" in content):
                found.append(content.encode())
            elif kind == "text/html":
                found += map(base64.b64decode, re.findall(r"image/\w+;base64,([\w+/=]+)", content))
    return found


def test_the_course_is_whole() -> None:
    assert [name[:2] for name in NAMES] == [f"{n:02}" for n in range(1, 16)]
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_text_and_notebook_are_in_step(name: str) -> None:
    committed = [(cell["cell_type"], source(cell)) for cell in cells(name)]
    for number, (text, cell) in enumerate(zip_longest(cells_of_text(name), committed)):
        assert text == cell, f"{name}, cell {number}; build it: python notebooks/make.py {name}"


@pytest.mark.parametrize("name", NAMES)
def test_it_was_run_from_top_to_bottom(name: str) -> None:
    """In a clean kernel, without an error or a warning."""
    counts = [cell["execution_count"] for _, cell in code(name)]
    assert counts == list(range(1, len(counts) + 1))
    for where, cell in code(name):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", where
            assert output.get("name") != "stderr", f"{where}: {output['text']}"


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_there(name: str) -> None:
    """What prints has printed, and what shows has a picture that can be opened."""
    shown = 0
    for where, cell in code(name):
        called, files = calls(cell), pictures(cell)
        if "print" in called:
            assert any(o.get("name") == "stdout" for o in cell["outputs"]), where
        if called & {"plt.show", "autograd.draw"}:
            assert files, where
        for file in files:
            assert file.startswith((b"\x89PNG\r\n", b"GIF8")) or b"<svg" in file[:500], where
            assert len(file) > 500, where
            shown += 1
    assert shown or name.startswith("15"), f"{name} has no picture"


@pytest.mark.parametrize("name", NAMES)
def test_it_teaches(name: str) -> None:
    """A title first, a task for the reader last."""
    all_cells = cells(name)
    assert source(all_cells[0]).startswith(f"# {int(name[:2])} ")
    assert all_cells[-1]["cell_type"] == "markdown"
    assert re.search(r"^## (Exercise|Try)", source(all_cells[-1]), flags=re.MULTILINE)


@pytest.mark.notebooks
@pytest.mark.filterwarnings("default")  # Jupyter's own
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_in_a_clean_kernel(name: str) -> None:
    """In less than a minute; needs `pip install -e '.[notebooks]'`."""
    spec = importlib.util.spec_from_file_location("make_notebooks", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert make.build(name, check=True, pictures=None) is None
