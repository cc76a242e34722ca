"""The generated part of the documentation: pages of ops, the API reference, measured tables.

mkdocs loads this file as a hook (see mkdocs.yml), so the pages cannot drift from the op table and
the docstrings: they are made of them at each build.  To look at the Markdown:

    python -m docs.generate FOLDER
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
if str(ROOT) not in sys.path:  # this tree's packages and benchmarks, whatever is installed
    sys.path.insert(0, str(ROOT))

import autograd  # noqa: E402
from docs import formulas, optable, reference  # noqa: E402

# Benchmarks


_RUN = re.compile(r"<!-- run: (\S+) -->")


def measured(page: str) -> str:
    """Tables of the saved runs that a page names: `<!-- run: compare.json -->`."""

    def one(match: re.Match[str]) -> str:
        path = HERE / "data" / match[1]
        if not path.exists():
            return f"*No run is kept in `docs/data/{match[1]}` yet.*"
        return run_tables(json.loads(path.read_text(encoding="utf-8")))

    return _RUN.sub(one, page)


def run_tables(run: dict[str, Any]) -> str:
    """A saved run of `python -m benchmarks SUITE --save FILE`, as Markdown."""
    from benchmarks.report import CONTROL, markdown, shown

    machine, rows = run["machine"], [r for r in run["rows"] if not r["name"].startswith(CONTROL)]
    met = dict.fromkeys(c for row in rows for c in row["seconds"])
    order = [*(c for c in run.get("columns", ()) if c in met), *met]
    columns = list(dict.fromkeys(order))
    about = f"{machine.get('cpu', '?')}, {machine.get('cores', '?')} cores, {run['date'][:10]}"
    if len(columns) <= 4:
        body = [[row["title"], *(shown(row["seconds"].get(c)) for c in columns)] for row in rows]
        table = markdown(body, ["", *columns])
    else:
        body = [
            [column, *(shown(row["seconds"].get(column)) for row in rows)] for column in columns
        ]
        table = markdown(body, ["", *(row["title"] for row in rows)])
    return f"`{run['command']}`, on {about}: median and spread.\n\n{table}\n"


# mkdocs


def generated() -> dict[str, Callable[[], str]]:
    """Every generated page and what makes it."""
    made: dict[str, Callable[[], str]] = {"ops/index.md": optable.op_index}
    for title, families in optable.pages().items():
        made[optable.file_of(title)] = lambda title=title, families=families: optable.op_page(
            title, families
        )
    for title in reference.API:
        made[f"api/{title}.md"] = lambda title=title: reference.api_page(title)
    return made


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (a hook of mkdocs)."""
    from mkdocs.structure.files import File

    if str(ROOT) not in sys.path:  # mkdocs puts the path back after loading a hook
        sys.path.insert(0, str(ROOT))
    for path, make in generated().items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put measured tables in (a hook of mkdocs)."""
    return measured(markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Draw formulas (a hook of mkdocs)."""
    return formulas.with_math(html)


def main() -> None:
    """Write the generated pages into the folder that the command line names."""
    (folder,) = map(Path, sys.argv[1:])
    for path, make in generated().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(make(), encoding="utf-8")
        print(target)


if __name__ == "__main__":
    if getattr(autograd, "ENGINE", None) != "tapegrad":
        raise SystemExit("docs: the `autograd` found here is not this one")
    main()
