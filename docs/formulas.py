"""LaTeX as MathML, which browsers draw without scripts; docstrings as HTML."""

from __future__ import annotations

import html
import inspect
import re

_WORD = re.compile(
    r"\\(?:operatorname|mathrm|mathbin|mathord)\{([a-zA-Z]\w+)\}|\\(argmax|argmin)\b"
)
_NAMED = re.compile(r"<mo>([a-z]{2,})</mo>")
_APPLIED = re.compile(
    r"(<mi>(?:\w{2,})</mi>|<msu[bp]><mi>\w{2,}</mi>(?:<m[ion]>[^<]*</m[ion]>)</msu[bp]>)"
    r"(?=<(?:mi|mn|msu|mov|mst))"
)
_BAR = '<mo stretchy="false">&#x0007C;</mo>'


def mathml(latex: str, block: bool = False) -> str:
    """A formula as MathML; ValueError for what has none."""
    from latex2mathml.converter import convert

    words = _WORD.sub(r"\\text{\1\2}", latex)
    found = convert(words, display="block" if block else "inline")
    if "\\" in found:
        raise ValueError(f"docs: no MathML for {latex!r}; it gives {found}")
    return _spaced(found)


def _spaced(found: str) -> str:
    """Names upright and set off as names of functions are; bars in pairs; lines that stretch."""
    found = _NAMED.sub(r"<mi>\1</mi>", found)
    found = re.sub(r"<mtext>(\w{2,})</mtext>", r"<mi>\1</mi>", found)
    found = _APPLIED.sub(r'\1<mspace width="0.167em" />', found)
    found = found.replace('<mo accent="true">&#x02015;</mo>', '<mo stretchy="true">&#x000AF;</mo>')
    parts = found.split(_BAR)
    if len(parts) % 2:  # an even number of bars
        for k in range(len(parts) - 1):
            form = "postfix" if k % 2 else "prefix"
            parts[k] += f'<mo stretchy="false" form="{form}">&#x0007C;</mo>'
        return "".join(parts)
    return found


_MATH = re.compile(r"<(?P<tag>span|div) class=\"arithmatex\">(?P<text>.*?)</(?P=tag)>", re.DOTALL)


def with_math(page: str) -> str:
    r"""Replace what arithmatex marked, `\(...\)` and `\[...\]`, by MathML."""

    def one(match: re.Match[str]) -> str:
        text = html.unescape(match["text"]).strip()
        return mathml(text[2:-2], block=text.startswith(r"\["))

    return _MATH.sub(one, page)


def prose(text: str | None) -> str:
    """A docstring as HTML: paragraphs, `code`, indented blocks."""
    parts = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        if block.startswith((">>>", "    ")):
            parts.append(f"<pre><code>{html.escape(inspect.cleandoc(block))}</code></pre>")
        elif block:
            parts.append(f"<p>{code_of(block)}</p>")
    return "".join(parts)


def code_of(text: str) -> str:
    """A sentence as HTML, with `code`."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
