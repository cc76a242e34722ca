"""What is written for readers is true: examples run, links lead somewhere, pages hold all ops.

A ```python block of a page runs after those before it; a ```text block behind it is what it prints.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import autograd
import nn
import optim
from autograd.op import FUNCTIONS, METHODS, NUMPY, TABLE, ops
from autograd.tensor import Tensor
from docs import formulas, generate, optable, reference
from nn import keras
from tests import test_ops
from tests.table import Case

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
PROSE = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md"]
EXTRAS = {"nn.plot": "matplotlib", "nn.sklearn": "sklearn"}
"""Packages that need an extra."""


# Examples of the pages


class Block(NamedTuple):
    """A ```python block, what it has to print (None: anything), and its line."""

    code: str
    printed: str | None
    line: int


_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[Block]:
    """The examples of a page."""
    found: list[Block] = []
    end = -1
    for match in _FENCED.finditer(text):
        language, body = match.groups()
        if language == "python":
            found.append(Block(body, None, text.count("\n", 0, match.start()) + 2))
        elif language in ("text", "") and found and not text[end : match.start()].strip():
            found[-1] = found[-1]._replace(printed=body)
        end = match.end()
    return found


@pytest.fixture
def table_as_it_was() -> Iterator[None]:
    """The op table, which an example adds to, is put back."""
    tables: Any = (TABLE, FUNCTIONS, METHODS, NUMPY, vars(ops))
    before = [dict(table) for table in tables]
    yield
    for table, old in zip(tables, before):
        table.clear()
        table.update(old)


def run(page: Path, folder: Path) -> dict[str, Any]:
    """Run the examples of a page, in turn, in one namespace of a file in `folder`."""
    file = folder / f"{page.stem.replace('-', '_')}_page.py"
    space: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
    for block in blocks(page.read_text(encoding="utf-8")):
        file.write_text("\n" * (block.line - 1) + block.code, encoding="utf-8")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(file.read_text(), str(file), "exec"), space)
        if block.printed is not None:
            assert out.getvalue().split() == block.printed.split(), f"{page.name}:{block.line}"
    return space


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.usefixtures("table_as_it_was")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # BLAS has its threads
def test_examples_print_what_they_say(page: Path, tmp_path: Path):
    code = "".join(block.code for block in blocks(page.read_text(encoding="utf-8")))
    if "plot" in code:
        pytest.importorskip("matplotlib", reason=f"an example of {page.name} draws with it")
    autograd.manual_seed(0)
    keras.utils.clear_session()  # names count from the start, as in a program of its own
    run(page, tmp_path)


@pytest.mark.usefixtures("table_as_it_was")
def test_the_new_op_of_the_page_passes_the_tests_of_the_table(tmp_path: Path):
    op = run(DOCS / "extend.md", tmp_path)["isru"]
    assert TABLE["isru"] is op
    for number in range(len(op.samples)):
        case = Case(op, number)
        for dtype in test_ops.TOLERANCE:
            test_ops.test_forward(case, dtype)
        test_ops.test_bare_arrays_give_the_same(case)
        test_ops.test_gradient(case)
        test_ops.test_gradient_of_gradient(case)
        test_ops.test_layouts(case)
        test_ops.test_what_is_not_saved_is_not_read(case)
    test_ops.test_record(op)


def test_an_example_that_prints_something_else_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        run(page, tmp_path)


# Doctests


def _modules() -> list[str]:
    found = []
    for package in (autograd, nn, optim):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            path = ROOT.joinpath(*module.name.split("."))
            source = path / "__init__.py" if module.ispkg else path.with_suffix(".py")
            if ">>> " in source.read_text(encoding="utf-8"):
                found.append(module.name)
    return ["autograd", "nn", "optim", *found]


@pytest.mark.parametrize("name", _modules())
def test_doctests(name: str):
    module = importlib.import_module(name)
    autograd.manual_seed(0)
    known = {"autograd": autograd, "nn": nn, "optim": optim, "keras": keras}
    options = doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, extraglobs=known, optionflags=options)
    assert result.failed == 0
    assert result.attempted > 0 or "doctest: +SKIP" in str(module.__doc__)


# Links, and the list of pages

_LINK = re.compile(r"(?<!`)\[[^\]`]*(?:`[^`]*`)?[^\]]*\]\(([^)\s#]+)(#[\w.-]+)?\)")


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path):
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for target, _ in _LINK.findall(text):
        if target.startswith(("http:", "https:")):
            continue
        path = (page.parent / target).resolve()
        made = DOCS in path.parents and str(path.relative_to(DOCS)) in generate.generated()
        assert path.exists() or made, f"{page.name} links to {target}"


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"[\w./-]+\.md", text.partition("\nnav:")[2])
    written = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted({*written, *generate.generated()})


# Generated pages


def test_every_op_has_its_place_on_one_page():
    pages = {title: optable.op_page(title, files) for title, files in optable.pages().items()}
    assert "More" not in pages, "give the new family a page: GROUPS in docs/optable.py"
    everything = "\n".join(pages.values())
    for name in (*TABLE, *(f"{n}-function" if n in TABLE else n for n in FUNCTIONS)):
        assert everything.count(f"{{ #{name} }}") == 1, name


def _missing(name: str) -> bool:
    return importlib.util.find_spec(name) is None


@pytest.fixture(autouse=True)
def formulas_without_converter(monkeypatch: Any) -> None:
    """The extra `docs` converts formulas; without it their LaTeX stands in the page."""
    if _missing("latex2mathml"):
        monkeypatch.setattr(optable, "mathml", lambda latex, block=False: latex)


def test_a_page_says_what_the_record_says():
    page = optable.op_section(TABLE["softmax"])
    for words in ("softmax(x, *, dim)", "softmax[0]", "autograd/ops/softmax.py:", "its result"):
        assert words in page
    assert "O(1)" in optable.op_section(TABLE["reshape"])
    assert "0 at 0." in optable.op_section(TABLE["relu"])


def test_costs_are_those_of_ops():
    assert not set(optable.COST) - set(TABLE)


def test_formulas_that_cannot_be_drawn_are_an_error():
    pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed")
    with pytest.raises(ValueError, match="nosuchsign"):
        formulas.mathml(r"\nosuchsign x")
    assert "<math" in formulas.with_math('<span class="arithmatex">\\(x &lt; 1\\)</span>')


def test_sources_of_ops_exist():
    for op in TABLE.values():
        path, _, line = optable.place(op).partition(":")
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        assert not line or f'"{op.name}"' in lines[int(line) - 1]


@pytest.mark.parametrize("title", reference.API)
def test_the_reference_holds_every_public_name(title: str):
    if title in EXTRAS:
        pytest.importorskip(EXTRAS[title], reason=f"{title} needs it")
    page = reference.api_page(title)
    package = reference.API[title][0]
    prefix = package.removeprefix("nn.") if ".keras" in package else package
    for name in reference.public(importlib.import_module(package)):
        if title == "autograd" and name in (*TABLE, *FUNCTIONS):
            continue
        assert re.search(rf"{re.escape(prefix)}\.{name}\b|`{name}` is", page), name


def test_saved_runs_become_tables(tmp_path: Path, monkeypatch: Any):
    from benchmarks.report import cell

    row = {"name": "xor", "title": "XOR", "seconds": {"compiled": cell([1e-6, 2e-6, 3e-6])}}
    control = {"name": "control_python", "title": "control", "seconds": {}}
    saved = generate.run_tables(
        {
            "command": "python -m benchmarks steps",
            "date": "2026-01-02T00:00:00",
            "machine": {"cpu": "a", "cores": 2},
            "rows": [row, control],
        }
    )
    assert "2.00 us" in saved
    assert "2026-01-02" in saved
    assert "control" not in saved
    monkeypatch.setattr(generate, "HERE", tmp_path)
    assert "No run is kept" in generate.measured("<!-- run: none.json -->")


def test_docstrings_become_markdown():
    pytest.importorskip("griffe", reason="the extra `docs` is not installed")
    docstrings = importlib.import_module("docs.docstrings")
    text = docstrings.as_markdown("out = x * w, x (n, *), `a*b`.\n\n>>> 1 * 2\n2\n\nMore [i].")
    assert r"x \* w" in text
    assert "`a*b`" in text
    assert "```python\n>>> 1 * 2\n2\n```" in text
    assert r"More \[i\]." in text


def test_tensors_know_no_op_of_the_examples():
    assert not hasattr(Tensor, "isru")
