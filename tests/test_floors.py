"""The house has floors (DESIGN.md): an import points down, or sideways where its room allows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = (
    *("errors", "modes", "dtypes", "shapes", "buffers", "kernel_cache", "kernel", "vmath", "plan"),
    *("op", "bare", "moves", "products", "order"),
    *("axes", "reduction", "channels", "rows", "classes"),
)
"""Floor 0 in order: each imports only those before it."""
LAZY = {
    ("autograd.tensor", "autograd.show"): "only printing a tensor needs what prints it",
    ("optim.swa_utils", "nn.module"): "AveragedModel is a Module; optim itself needs none",
    ("nn.utils", "optim.clip"): "PyTorch has clipping in nn.utils; the code is optim's",
}
"""Upward imports inside a function, and why."""
FLOORS = {
    **{f"autograd.{name}": i / 10 for i, name in enumerate(GROUND)},
    **{f"autograd.{name}": 1 for name in ("tensor", "graph", "trace", "inplace", "backward")},
    "autograd.ops.*": 2,
    "autograd": 3,
    "nn": 4,
    "optim": 4,
    **{f"nn.{name}": 5 for name in ("keras", "training", "demo")},
    "nn.plot": 5.5,
    "nn.sklearn": 6,
}
COMPILERS = (
    *("autograd.kernel", "autograd.kernel_cache"),
    *("autograd.compiled.native", "autograd.compiled.encode"),
)
"""Modules that may import Numba, inside functions."""
SIDEWAYS = (1, 3, 4, 5, 5.5, 6)
"""Floors whose modules may import others of the same room."""


def room(module: str) -> str:
    """The entry of FLOORS that `module` belongs to: the longest that fits."""
    if module.startswith("autograd.ops."):
        return "autograd.ops.*"
    parts = module.split(".")
    return next(p for n in range(len(parts), 0, -1) if (p := ".".join(parts[:n])) in FLOORS)


def allowed(source: str, target: str) -> bool:
    here, there = FLOORS[room(source)], FLOORS[room(target)]
    if here == there and here in SIDEWAYS:
        return here == 1 or room(source) == room(target)
    return there < here


def imports(tree: ast.AST, inside: bool = True) -> Iterator[str]:
    """Modules that the code imports, but for type checkers only; `inside`: in functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else str(node.module) for name in names)
        elif inside or not isinstance(node, ast.FunctionDef):
            yield from imports(node, inside)


def modules() -> dict[str, Path]:
    paths = (p for package in ("autograd", "nn", "optim") for p in (ROOT / package).rglob("*.py"))
    return {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in paths
    }


MODULES = modules()


def parse(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str):
    for target in imports(parse(module)):
        if target.split(".")[0] in ("autograd", "nn", "optim"):
            assert allowed(module, target) or (module, target) in LAZY, f"{module} imports {target}"
        else:
            assert target.split(".")[0] != "numba" or module in COMPILERS


@pytest.mark.parametrize(("module", "target"), LAZY)
def test_lazy_imports_stand_in_functions(module: str, target: str):
    assert target in imports(parse(module))
    assert target not in imports(parse(module), inside=False)


def test_import_does_not_load_numba():
    code = "import sys, autograd, nn, optim; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
