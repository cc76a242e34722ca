"""Build and check the notebooks: `text/NN_name.py` is written, `NN_name.ipynb` is read.

    python notebooks/make.py              build all: run each in a clean kernel, keep its outputs
    python notebooks/make.py 04 dropout   only those whose names contain one of the words
    python notebooks/make.py --check      change nothing: text and notebook are in step, and all run
    python notebooks/make.py --pictures DIR   also save every picture of the outputs, to look at

The text is jupytext's percent format: `# %% [markdown]` and `# %%` begin a cell. The extra
`notebooks` brings what this needs.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

HERE = Path(__file__).parent
ROOT = HERE.parent
SECONDS = 60
"""What a notebook may take, from a clean kernel."""
SUFFIXES = {"image/png": ".png", "image/svg+xml": ".svg", "image/gif": ".gif"}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def names(words: list[str]) -> list[str]:
    """The notebooks that have a text, in order: all, or those that contain one of `words`."""
    found = sorted(path.stem for path in (HERE / "text").glob("*.py"))
    for word in words:
        if not any(word in name for name in found):
            raise SystemExit(f"no notebook is called {word!r}; there are {', '.join(found)}")
    return [name for name in found if not words or any(word in name for word in words)]


def from_text(name: str) -> NotebookNode:
    """The notebook that `text/<name>.py` describes, with no outputs; ids follow the positions."""
    notebook = jupytext.read(HERE / "text" / f"{name}.py", fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for position, cell in enumerate(notebook.cells):
        cell["id"], cell["metadata"] = f"cell-{position}", nbformat.from_dict({})
    return notebook


def drift(name: str) -> str | None:
    """Where `<name>.ipynb` differs from its text, in words; None where they are in step."""
    path = HERE / f"{name}.ipynb"
    if not path.exists():
        return f"{name}.ipynb is missing; build it: python notebooks/make.py {name}"
    texts, cells = from_text(name).cells, nbformat.read(path, as_version=4).cells
    for position, (text, cell) in enumerate(zip(texts, cells)):
        if (text.cell_type, text.source) != (cell.cell_type, cell.source):
            begins = text.source.splitlines()[:1]
            return f"{name}: cell {position} ({begins}) differs; python notebooks/make.py {name}"
    if len(texts) != len(cells):
        return f"{name}: {len(texts)} cells in the text, {len(cells)} in the notebook"
    return None


def execute(notebook: NotebookNode) -> float:
    """Run `notebook` in a clean kernel, in this folder, with this tree's packages; the seconds."""
    # two BLAS threads on two busy cores took up to 20 times as long as one
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # what is printed in pieces is one output, whenever they arrive
        resources={"metadata": {"path": str(HERE)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of the local TCP it runs over
    )
    begin = time.perf_counter()
    client.execute(env=environment)
    return time.perf_counter() - begin


def save_pictures(name: str, notebook: NotebookNode, folder: Path) -> None:
    """Write each picture of the outputs to `folder/<name>-<cell>-<n>.<suffix>`."""
    folder.mkdir(parents=True, exist_ok=True)
    for position, cell in enumerate(notebook.cells):
        for count, output in enumerate(cell.get("outputs", [])):
            for kind, suffix in SUFFIXES.items():
                if (data := output.get("data", {}).get(kind)) is not None:
                    raw = data.encode() if suffix == ".svg" else base64.b64decode(data)
                    (folder / f"{name}-{position:02}-{count}{suffix}").write_bytes(raw)


def build(name: str, *, check: bool, pictures: Path | None) -> str | None:
    """Run one notebook and, unless `check`, write it; what is wrong with it, in words, or None."""
    if check and (wrong := drift(name)):
        return wrong
    notebook = from_text(name)
    try:
        seconds = execute(notebook)
    except CellExecutionError as error:
        return f"{name}: {error}"
    if pictures:
        save_pictures(name, notebook, pictures)
    if not check:
        nbformat.validate(notebook)
        nbformat.write(notebook, HERE / f"{name}.ipynb")
    print(f"{name}: {seconds:.1f} s", flush=True)
    return f"{name}: took {seconds:.0f} s of {SECONDS}" if seconds > SECONDS else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="notebooks whose names contain one of these")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument("--pictures", type=Path, help="save the pictures of the outputs here")
    arguments = parser.parse_args()
    wrong = [
        text
        for name in names(arguments.words)
        if (text := build(name, check=arguments.check, pictures=arguments.pictures))
    ]
    print(*wrong, sep="\n", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
