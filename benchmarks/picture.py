"""A picture of a document, with matplotlib (the `benchmarks` extra): bars, or lines over sizes.

The ground is transparent and all ink is of middle lightness, so that one file serves a light and
a dark page.  Of a saved run: `python -m benchmarks.picture RUN.json PICTURE.svg`.
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import CONTROL, in_times, in_units, load

INK = "#7d8590"
OURS, EAGER, THEIRS, FLOOR = "#e8590c", "#f2a65e", "#6f9bd1", "#9aa0a6"
COLOURS = {"compiled": OURS, "loop": OURS, "tapegrad": EAGER, "floor": FLOOR}
LABELS = {
    "compiled": "tapegrad, compiled",
    "loop": "tapegrad, compiled loop",
    "tapegrad": "tapegrad, eager",
    "floor": "floor: matrix products alone",
    "NumPy": "NumPy by hand",
    "NumPy tuned": "NumPy by hand, tuned",
    "JAX scan": "JAX scan of 200 steps",
    "PyTorch fused": "PyTorch, fused optimizer",
}
LINES = ("-", "--", ":", "-.")


def figure_of(columns: int, heights: Sequence[float]) -> tuple[Any, Any]:
    """A figure and its panels, in rows of these heights (inches); SystemExit without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise SystemExit(
            "benchmarks: --picture needs matplotlib: pip install 'tapegrad[benchmarks]'"
        ) from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    style = {
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "font.size": 9,
        "svg.fonttype": "none",  # text stays text: it can be searched, and the file is small
        "savefig.transparent": True,
    }
    plt.rcParams.update(style)
    return plt.subplots(
        len(heights),
        columns,
        figsize=(5.2 * columns, sum(heights)),
        squeeze=False,
        gridspec_kw={"height_ratios": list(heights)},
        layout="constrained",
    )


def finish(figure: Any, path: Path | str) -> None:
    """Write a figure to a file, and let go of it."""
    from matplotlib import pyplot as plt

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.1)
    plt.close(figure)


def _tick(seconds: float, _: Any = None) -> str:
    """1 us, not 1.00 us: ticks are round."""
    number, unit = in_units(seconds).split()
    return f"{float(number):g} {unit}"


def _bare(axes: Any) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=INK, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def bars(
    rows: Sequence[Mapping[str, Any]], path: Path | str, base: str = "compiled", note: str = ""
) -> None:
    """A panel per row: horizontal bars of its columns, fastest on top, on a logarithmic axis.

    Beside each bar stand its time and its ratio to the column `base`; below all of it, `note`.
    """
    columns = 1 if len(rows) == 1 else 2
    grid = [list(rows[i : i + columns]) for i in range(0, len(rows), columns)]
    slots = [max(len(row["seconds"]) for row in line) for line in grid]
    heights = [0.9 + 0.22 * count for count in slots]
    figure, panels = figure_of(columns, heights)
    headings = []
    for line, axes_line, count in zip(grid, panels, slots):
        for axes in axes_line[len(line) :]:
            axes.set_axis_off()
        for row, axes in zip(line, axes_line):
            headings.append((axes, _bar_panel(axes, row, base)))
            axes.set_ylim(count - 0.5, -0.5)  # all bars are of one height, fastest on top
    figure.supxlabel(note, fontsize=8)
    figure.draw_without_rendering()
    for axes, heading in headings:  # titles begin where the labels do: long ones find room
        left = min(label.get_window_extent().x0 for label in axes.get_yticklabels())
        heading.set_x(axes.transAxes.inverted().transform((left, 0))[0])
    finish(figure, path)


def _bar_panel(axes: Any, row: Mapping[str, Any], base: str) -> Any:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    found = sorted(row["seconds"].items(), key=lambda item: item[1]["median"])
    names = [LABELS.get(name, name) for name, _ in found]
    times = [t["median"] for _, t in found]
    low = 10 ** math.floor(math.log10(times[0]) - 0.3)
    colours = [COLOURS.get(name, THEIRS) for name, _ in found]
    axes.barh(names, [t - low for t in times], left=low, color=colours, height=0.72)
    axes.set_xscale("log")
    axes.set_xlim(low, times[-1] * (times[-1] / low) ** 0.55)  # room for the words
    of = row["seconds"].get(base, {}).get("median")
    for i, (name, _) in enumerate(found):
        ratio = f"  {in_times(times[i] / of)}" if of and name != base else ""
        axes.annotate(
            in_units(times[i]) + ratio,
            (times[i], i),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    for label, (name, _) in zip(axes.get_yticklabels(), found):
        label.set_fontweight("bold" if name in ("compiled", "loop", "tapegrad") else "normal")
    title = textwrap.fill(row["title"], 52)
    heading = axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    _bare(axes)
    return heading


def lines(rows: Sequence[Mapping[str, Any]], path: Path | str) -> None:
    """A panel per `sweep`: the time of each column over `size`, both axes logarithmic."""
    sweeps: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        sweeps[row["sweep"]].append(row)
    figure, panels = figure_of(len(sweeps), [3.4])
    from matplotlib.ticker import FuncFormatter

    for axes, (sweep, found) in zip(panels[0], sweeps.items()):
        names = list(dict.fromkeys(name for row in found for name in row["seconds"]))
        for i, name in enumerate(names):
            points = [
                (row["size"], row["seconds"][name]["median"])
                for row in sorted(found, key=lambda r: r["size"])
                if name in row["seconds"]
            ]
            axes.plot(
                *zip(*points),
                marker="o",
                markersize=3,
                color=COLOURS.get(name),
                linestyle=LINES[i // 6 % len(LINES)],
                label=LABELS.get(name, name),
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
        axes.set_title(sweep, loc="left", fontsize=10, fontweight="bold")
        axes.grid(color=INK, alpha=0.25, linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    finish(figure, path)


def draw(document: Mapping[str, Any], path: Path | str) -> None:
    """The picture of a document: lines where its rows have `sweep` and `size`, else bars.

    A suite with one column is drawn as one panel with a bar per row.
    """
    rows = [r for r in document["rows"] if r["seconds"] and not r["name"].startswith(CONTROL)]
    if not rows:
        raise ValueError("picture: the document has no times")
    if all("sweep" in row and "size" in row for row in rows):
        lines(rows, path)
        return
    machine = document["machine"]
    note = f"{machine['cpu']}, {machine['cores']} cores, {document['date'][:10]}"
    columns = {name for row in rows for name in row["seconds"]}
    if len(columns) == 1:
        (column,) = columns
        merged = {row["title"]: row["seconds"][column] for row in rows}
        columns = set(merged)
        rows = [{"title": document.get("title", document["suite"]), "seconds": merged}]
    if "compiled" in columns:
        note = f"time, and its ratio to tapegrad compiled: {note}"
    bars(rows, path, note=note)


if __name__ == "__main__":
    draw(load(sys.argv[1]), sys.argv[2])
