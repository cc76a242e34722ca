"""What a docstring of this project is to Markdown: a griffe extension, see mkdocs.yml.

The docstrings are written for readers of sources: formulas with `*`, `_` and `[...]` stand in them
as they are, examples begin with `>>>`.  Here the signs are escaped, and the examples fenced.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_SPAN = re.compile(r"(`+[^`]*`+)")
_SIGNS = re.compile(r"([*_\[\]>#])")
_RULE = re.compile(r"^(\s*)([-+=]|\d+[.)])(\s)")


def as_markdown(text: str) -> str:
    """A docstring as Markdown that shows what it says."""
    lines: list[str] = []
    example = False
    for line in text.splitlines():
        if line.startswith(">>>") and not example:
            lines += ["", "```python"]
            example = True
        elif example and not line.strip():
            lines.append("```")
            example = False
        indented = line.startswith("    ") and (not lines or not lines[-1] or lines[-1][:1] == " ")
        lines.append(line if example or indented else _escaped(line))
    return "\n".join([*lines, "```"] if example else lines)


def _escaped(line: str) -> str:
    parts = _SPAN.split(line)
    parts[::2] = [_SIGNS.sub(r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    text = "".join(parts)
    return text if line.lstrip().startswith("- ") else _RULE.sub(r"\1\\\2\3", text)


class Docstrings(griffe.Extension):
    """Rewrites each docstring as it is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
