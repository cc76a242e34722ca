"""A layout as SVG text: one element, its own style, nothing from outside."""

from __future__ import annotations

import textwrap
from html import escape
from typing import Any

import numpy as np

from autograd.pictures.fold import Box, contents
from autograd.pictures.layout import Frame, Layout, Stop
from autograd.pictures.nodes import Item

SMALL, LARGE = 11, 12.5
_CHAR = 0.605
"""Width of a monospaced character in units of its height."""
_ROW = 14.5
_WIDE = 1400
"""Pictures from this width on are scrolled: made smaller they could not be read."""
_EDGE = 16.0
_LONGEST = 34

LIGHT = {
    "page": "#ffffff", "text": "#1b2530", "soft": "#55616e", "grad": "#a83227", "edge": "#7a8794",
    "op": "#eaf2fb", "op-line": "#4f7fb5", "leaf": "#e7f5ea", "leaf-line": "#4c9160",
    "data": "#f2f2f2", "data-line": "#979797", "fold": "#fcf4e1", "fold-line": "#ac8124",
    "root": "#fbeaea", "root-line": "#b5514c", "frame": "#f6f3fb", "frame-line": "#a893cc",
    "mark": "#e8890c",
}  # fmt: skip
DARK = {
    "page": "#14181e", "text": "#e8edf3", "soft": "#a5b1be", "grad": "#ff9d8f", "edge": "#8794a2",
    "op": "#1d2c3e", "op-line": "#6fa3dd", "leaf": "#1c3325", "leaf-line": "#6dbb84",
    "data": "#2a2d31", "data-line": "#8d939a", "fold": "#352b14", "fold-line": "#d3a649",
    "root": "#3a2122", "root-line": "#e0837d", "frame": "#1b1a25", "frame-line": "#8672b3",
    "mark": "#ffb04d",
}  # fmt: skip


def colours(scope: str, theme: str) -> str:
    """The colours as CSS variables on `scope`: one theme, or both where `theme` is "auto"."""

    def rule(table: dict[str, str]) -> str:
        return f"{scope}{{{''.join(f'--tg-{name}:{value};' for name, value in table.items())}}}"

    if theme != "auto":
        return rule(DARK if theme == "dark" else LIGHT)
    return f"{rule(LIGHT)}@media (prefers-color-scheme:dark){{{rule(DARK)}}}"


def number(x: Any) -> str:
    """A number in at most four significant digits."""
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    text = f"{x:.4g}"
    return text.replace("-", "−")


def values_text(value: Any, room: int = _LONGEST) -> str:
    """The first values of an array, as many as there is room for; a number in full."""
    flat = np.asarray(value).reshape(-1)
    if not np.ndim(value):
        return number(flat[0])
    words: list[str] = []
    for k in range(flat.size):
        word = number(flat[k])
        rest = 2 if k + 1 < flat.size else 0
        if sum(map(len, words)) + len(words) + len(word) + rest > room:
            words.append("…")
            break
        words.append(word)
    return " ".join(words) or "empty"


def shape_text(shape: tuple[int, ...] | None) -> str:
    """`4 × 2`; nothing for a number or where it is not known."""
    return " × ".join(map(str, shape)) if shape else ""


def measure(box: Box, root: Item) -> None:
    """Write the lines of a box, and find its size."""
    head = box.head
    box.title = head.title if not box.folded else f"{len(box.items)} nodes"
    if box.folded and head.path and box.path:
        box.title = f"{box.path[-1]}: {box.title}"
    if head.name and head.node is not None:
        box.title = f"{head.name} = {box.title}" if not box.folded else f"{box.title} → {head.name}"
    size = shape_text(head.shape)
    lines = []
    if box.folded:
        lines += [("soft", line) for line in textwrap.wrap(contents(box), _LONGEST)]
    if size:
        lines.append(("soft", size))
    if not box.folded:
        numbers = [f"{i.name} = {number(i.value)}" for i in head.inputs.values()
                   if i.kind == "number"]  # fmt: skip
        lines += [("soft", ", ".join(numbers))] if numbers else []
    if head.value is not None:
        lines.append(("value", values_text(head.value)))
    elif not box.folded or not size:
        lines.append(("soft", "value not known"))
    if head.grad is not None:
        lines.append(("grad", "∇ " + values_text(head.grad)))
    box.lines = lines
    widest = max([len(box.title) * LARGE, *(len(text) * SMALL for _, text in lines)])
    box.width = max(64.0, widest * _CHAR + 20)
    box.height = 24 + _ROW * len(lines) + 4


def hover(box: Box) -> str:
    """What a pointer resting on the box shows: formulas, values, the line of code."""
    if box.folded:
        names = [f"{item.title}{f' ({item.name})' if item.node and item.name else ''}"
                 for item in box.items[:40]]  # fmt: skip
        more = len(box.items) - 40
        return contents(box) + "\n" + ", ".join(names) + (f" and {more} more" if more > 0 else "")
    item = box.head
    lines = [item.title if item.node is not None else f"{item.kind} {item.name}"]
    lines += item.formulas()
    if item.op is not None and item.node.meta:
        lines.append(", ".join(f"{k}={v}" for k, v in item.node.meta.items())[:200])
    if item.value is not None:
        dtype = "scalar" if isinstance(item.value, (float, int)) else item.value.dtype.name
        how = ", computed again for this picture" if item.recomputed else ""
        lines.append(f"value ({dtype}{how}): {values_text(item.value, 160)}")
    if item.grad is not None:
        lines.append(f"gradient: {values_text(item.grad, 160)}")
    if item.path:
        lines.append("in " + ".".join(item.path))
    if item.source:
        lines.append(item.source)
    return "\n".join(lines)


def kind_of(box: Box, root: Item) -> str:
    """The class of a box, which gives its colours."""
    if box.folded:
        return "fold"
    return "root" if box.head is root else box.head.kind


def render(layout: Layout, root: Item, titles: dict[Any, str], notes: list[str], theme: str) -> str:
    """The picture."""
    width = max(layout.width, 260.0) + 2 * _EDGE
    if any(style == "grad" for box in layout.boxes for style, _ in box.lines):
        notes = [*notes, "∇: gradient"]
    columns = max(30, int((width - 2 * _EDGE) / 6.5))
    rows = [row for note in notes for row in textwrap.wrap(note, columns)]
    height = layout.height + 2 * _EDGE + (len(rows) * 15 + 6 if rows else 0)
    shift = (width - layout.width) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tg tg-{theme}" role="img"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        f' style="{"max-width:100%;height:auto" if width < _WIDE else ""}" font-family="{_FONT}">',
        f"<title>{escape('graph of ' + root.title)}</title>",
        f"<style>{colours(f'.tg-{theme}', theme)}{_RULES}</style>",
        f'<rect class="tg-page" width="100%" height="100%" fill="{LIGHT["page"]}"/>',
        f'<g transform="translate({shift:.1f} {_EDGE})">',
    ]
    parts += [_frame(frame, titles) for frame in layout.frames]
    parts += [_edge(a, b, stops, layout) for a, b, stops in layout.edges]
    parts += [_box(box, k, root) for k, box in enumerate(layout.boxes)]
    parts.append("</g>")
    for k, row in enumerate(rows):
        y = layout.height + 2 * _EDGE + 8 + 15 * k
        parts.append(_text(_EDGE, y, row, "soft", SMALL - 0.5, 'text-anchor="start"'))
    parts.append("</svg>")
    return "\n".join(parts)


_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace"
_RULES = (
    ".tg-page{fill:var(--tg-page)}.tg .tg-text,.tg .tg-value{fill:var(--tg-text)}"
    ".tg .tg-soft{fill:var(--tg-soft)}.tg .tg-grad{fill:var(--tg-grad)}"
    ".tg .tg-edge{stroke:var(--tg-edge)}.tg .tg-tip{fill:var(--tg-edge)}"
    ".tg .tg-frame{fill:var(--tg-frame);stroke:var(--tg-frame-line)}"
    + "".join(
        f".tg-{k}>rect{{fill:var(--tg-{k});stroke:var(--tg-{k}-line)}}"
        for k in ("op", "leaf", "data", "fold", "root")
    )
)


def _text(x: float, y: float, text: str, kind: str, size: float, more: str = "") -> str:
    colour = LIGHT["text" if kind == "value" else kind]
    return (
        f'<text class="tg-{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"'
        f" {more}>{escape(text)}</text>"
    )


def _frame(frame: Frame, titles: dict[Any, str]) -> str:
    title = titles.get(frame.path, ".".join(frame.path[1:]) or frame.path[0])
    room = int((frame.width - 16) / (SMALL * _CHAR))
    title = title if len(title) <= room else title[: max(room - 1, 1)] + "…"
    return (
        f'<g><rect class="tg-frame" x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}"'
        f' height="{frame.height:.1f}" rx="10" fill="{LIGHT["frame"]}"'
        f' stroke="{LIGHT["frame-line"]}"/>'
        + _text(frame.x + 9, frame.y + 15, title, "soft", SMALL)
        + "</g>"
    )


def _box(box: Box, k: int, root: Item) -> str:
    kind = kind_of(box, root)
    x, y = box.x - box.width / 2, box.y - box.height / 2
    dashed = ' stroke-dasharray="5 3"' if box.folded else ""
    parts = [
        f'<g class="tg-box tg-{kind}" data-box="{k}"><title>{escape(hover(box))}</title>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
        f' rx="{6 if box.ops else 14}" fill="{LIGHT[kind]}" stroke="{LIGHT[kind + "-line"]}"'
        f' stroke-width="1.2"{dashed}/>'
    ]
    bold = 'text-anchor="middle" font-weight="600"'
    parts.append(_text(box.x, y + 17, box.title, "text", LARGE, bold))
    for i, (style, line) in enumerate(box.lines):
        row = y + 17 + _ROW * (i + 1)
        parts.append(_text(box.x, row, line, style, SMALL, 'text-anchor="middle"'))
    return "".join(parts) + "</g>"


def _edge(a: Box, b: Box, stops: list[Stop], layout: Layout) -> str:
    """A smooth line from the bottom of `a` to the top of `b` by way of its stops."""
    sources = sorted(b.inputs, key=lambda box: box.x)
    spread = min(b.width - 24, 18.0 * (len(sources) - 1))
    at = sources.index(a) / (len(sources) - 1) - 0.5 if len(sources) > 1 else 0.0
    x, y = a.x, a.y + a.height / 2
    path = [f"M{x:.1f} {y:.1f}"]
    for stop in stops:
        tall = max((t.height for t in layout.layers[stop.layer]), default=0.0)
        top, bottom = stop.y - tall / 2, stop.y + tall / 2
        path.append(_curve(x, y, stop.x, top) + f"L{stop.x:.1f} {bottom:.1f}")
        x, y = stop.x, bottom
    end_x, end_y = b.x + spread * at, b.y - b.height / 2
    path.append(_curve(x, y, end_x, end_y - 6))
    return (
        f'<path class="tg-edge" d="{"".join(path)}" fill="none" stroke="{LIGHT["edge"]}"'
        f' stroke-width="1.3"/><path class="tg-tip" d="M{end_x:.1f} {end_y:.1f}l-4 -7h8z"'
        f' fill="{LIGHT["edge"]}"/>'
    )


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (y + to_y) / 2
    return f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
