"""Up to which size we are ahead: `python -m benchmarks scaling --python torch=/path/to/python`.

A training step of a classifier (ReLU, cross-entropy, Adam; PyTorch's is the fused one), its batch,
width or depth growing, with one and with two threads of BLAS; next to it the floor, the step's
matrix products alone.  Then several models, trained at once in as many threads of one process,
with one thread of BLAS each: seconds per step of all together.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import HERE, Kind, add_options, pythons, start
from benchmarks.picture import COLOURS, INK, figure_of, finish
from benchmarks.report import cell, deliver, document, in_times, options, table
from benchmarks.stopwatch import warn_if_busy
from benchmarks.timing import Peer

Row = dict[str, Any]

KINDS = (
    Kind("compiled", "scaling_", HERE, ("ours", "--compiled")),
    Kind("tapegrad", "scaling_", HERE, ("ours",)),
    Kind("PyTorch", "scaling_", "torch", ("torch_", "--fused"), "torch"),
    Kind("floor", "scaling_", HERE, ("floor_",)),
)
COLUMNS = tuple(kind.name for kind in KINDS)
BASE = {"batch": 32, "width": 64, "depth": 2}
"""What a sweep leaves as it is."""
SWEEPS: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "width": (8, 16, 32, 64, 128, 256, 512, 1024, 2048),
    "depth": (1, 2, 4, 8, 16, 32),
}
PARALLEL = ({"batch": 32, "width": 64, "depth": 2}, {"batch": 64, "width": 512, "depth": 2})
LOSSES, TOLERANCE = 5, 2e-3
AHEAD = 1.1
"""Times faster than PyTorch: below it the advantage has vanished."""


@dataclass(frozen=True)
class Case:
    """One row: sizes, and how many threads BLAS may use; `models` of them at once."""

    sweep: str
    sizes: dict[str, int]
    threads: int
    models: int = 0

    @property
    def name(self) -> str:
        """Unique in the suite."""
        if self.models:
            return f"models[{self.models}]x{self.sizes['width']}"
        return f"{self.sweep}[{self.sizes[self.sweep]}]x{self.threads}"

    @property
    def title(self) -> str:
        """For readers."""
        sizes = ", ".join(f"{name} {n}" for name, n in self.sizes.items())
        if self.models:
            return f"{self.models} model{'s in as many threads' * (self.models > 1)}: {sizes}"
        return f"{sizes}: {in_threads(self.threads)}"


def in_threads(count: int) -> str:
    """For readers."""
    return f"{count} thread{'s' * (count > 1)}"


def cases_of(sweeps: Sequence[str], threads: int) -> list[Case]:
    """The rows of the sweeps at so many threads."""
    return [Case(s, {**BASE, s: n}, threads) for s in sweeps for n in SWEEPS[s]]


def compare(case: Case, peers: Sequence[Peer]) -> None:
    """Compare the first losses of all who have one; RuntimeError where they differ."""
    known: list[float] = []
    for peer in peers:
        if peer.about["floor"]:
            continue
        losses = peer.ask(do="losses", count=LOSSES, **case.sizes)
        known = known or losses
        if not all(abs(a - b) <= TOLERANCE * max(abs(a), 1e-6) for a, b in zip(known, losses)):
            raise RuntimeError(f"{case.name}: {peer.name} has the losses {losses}, not {known}")


def rows_of(
    cases: Sequence[Case], peers: Sequence[Peer], rounds: int, seconds: float
) -> Iterator[Row]:
    """A row per case; within it the peers in turn, round after round."""
    for case in cases:
        print(f"\r{case.title:<70}", end="", file=sys.stderr, flush=True)
        its = [p for p in peers if not (case.models and p.about["floor"])]
        compare(case, its)
        what = {"do": "parallel", "threads": case.models} if case.models else {"do": "time"}
        times: dict[str, list[float]] = {peer.name: [] for peer in its}
        for turn in range(rounds):
            for peer in its if turn % 2 == 0 else its[::-1]:
                times[peer.name].append(peer.ask(**what, seconds=seconds, **case.sizes))
        yield {
            "name": case.name,
            "title": case.title,
            "sweep": case.sweep,
            "size": case.sizes.get(case.sweep, case.models),
            "threads": case.threads,
            "seconds": {name: cell(found) for name, found in times.items()},
        }


def controls(peers: Sequence[Peer], threads: int, rounds: int, seconds: float) -> Iterator[Row]:
    """The speed of the machine in each peer's process."""
    for name, title in (("python", "a loop of pure Python"), ("numpy", "a NumPy product")):
        times: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for _ in range(rounds):
            for peer in peers:
                found = peer.ask(do="time", case=f"control_{name}", seconds=seconds)
                times[peer.name].append(found)
        yield {
            "name": f"control_{name}x{threads}",
            "title": f"control: {title}",
            "seconds": {peer: cell(found) for peer, found in times.items()},
        }


def ratios(rows: Sequence[Row], sweep: str, threads: int, over: str, under: str) -> Any:
    """(sizes, time of `over` / time of `under`) of a sweep; empty where one was not measured."""
    found = [
        (row["size"], row["seconds"][over]["median"] / row["seconds"][under]["median"])
        for row in rows
        if row.get("sweep") == sweep
        and row["threads"] == threads
        and {over, under} <= row["seconds"].keys()
    ]
    return tuple(zip(*found)) or ((), ())


def summary(rows: Sequence[Row]) -> str:
    """Where the advantage over PyTorch vanishes, how far the floor is, what threads bring."""
    lines = []
    for sweep, threads in dict.fromkeys((r["sweep"], r["threads"]) for r in rows if "sweep" in r):
        if sweep == "models":
            continue
        head = f"{sweep}, {in_threads(threads)}"
        for column in ("compiled", "tapegrad"):
            sizes, times = ratios(rows, sweep, threads, "PyTorch", column)
            if not sizes:
                continue
            behind = [n for n, ratio in zip(sizes, times) if ratio < AHEAD]
            first, last = in_times(times[0]), in_times(times[-1])
            span = f"{first} PyTorch's speed at {sizes[0]}, {last} at {sizes[-1]}"
            where = f"below {AHEAD}x from {behind[0]} on" if behind else f"never below {AHEAD}x"
            lines.append(f"{head}: {column} {span}; {where}")
        sizes, times = ratios(rows, sweep, threads, "compiled", "floor")
        if sizes:
            text = ", ".join(f"{n}: {in_times(ratio)}" for n, ratio in zip(sizes, times))
            lines.append(f"{head}: compiled over the floor of its products, by size: {text}")
    alone = {r["name"]: r for r in rows if r.get("sweep") == "models" and r["size"] == 1}
    for row in rows:
        if row.get("sweep") == "models" and row["size"] > 1:
            one = alone.get("models[1]" + row["name"].partition("]")[2])
            if one is not None:
                gains = [
                    f"{c} {in_times(one['seconds'][c]['median'] / t['median'])}"
                    for c, t in row["seconds"].items()
                ]
                lines.append(f"{row['title']}: steps per second over one model: {', '.join(gains)}")
    return "\n".join(lines)


def draw(rows: Sequence[Row], path: Path) -> None:
    """The time of PyTorch over ours, and ours over the floor, against size; needs matplotlib."""
    sweeps = [s for s in SWEEPS if any(row.get("sweep") == s for row in rows)]
    threads = sorted({row["threads"] for row in rows if row.get("sweep") in sweeps})
    figure, panels = figure_of(len(sweeps), [3.6])
    lines = (
        ("PyTorch", "compiled", COLOURS["compiled"], "PyTorch / compiled"),
        ("PyTorch", "tapegrad", COLOURS["tapegrad"], "PyTorch / eager"),
        ("compiled", "floor", COLOURS["floor"], "compiled / its matrix products"),
    )
    for axes, sweep in zip(panels[0], sweeps):
        for count, style in zip(threads, ("-", "--", ":")):
            for over, under, colour, label in lines:
                sizes, times = ratios(rows, sweep, count, over, under)
                if sizes:
                    text = f"{label}, {in_threads(count)}"
                    axes.plot(sizes, times, style, color=colour, marker=".", label=text)
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.grid(color=INK, alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        rest = ", ".join(f"{name} {n}" for name, n in BASE.items() if name != sweep)
        axes.set_title(f"{sweep} ({rest})", loc="left", fontsize=10)
    panels[0][0].set_ylabel("ratio of times of a training step")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    finish(figure, path)


def run(args: argparse.Namespace, known: dict[str, str]) -> tuple[list[Row], dict[str, Any]]:
    """All rows; versions by peer."""
    cores = os.cpu_count() or 1
    counts = [args.threads] if args.threads else sorted({1, min(2, cores)})
    sweeps = [s for s in SWEEPS if not args.only or s in args.only]
    rows: list[Row] = []
    versions: dict[str, Any] = {}
    for count in counts:
        peers, _ = start(KINDS, known, count)
        try:
            versions |= {peer.name: peer.about["versions"] for peer in peers}
            cases = cases_of(sweeps, count)
            if count == 1 and (not args.only or "models" in args.only):
                numbers = (1, 2, 4)
                cases += [Case("models", sizes, 1, k) for sizes in PARALLEL for k in numbers]
            rows += rows_of(cases, peers, args.rounds, args.seconds)
            rows += controls(peers, count, args.rounds, args.seconds)
        finally:
            for peer in peers:
                peer.close()
    return rows, versions


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, print the table, and where the advantage ends."""
    parser = options("scaling", __doc__, rounds=5, seconds=0.1)
    add_options(parser)
    args = parser.parse_args(arguments)
    unknown = set(args.only or ()) - {*SWEEPS, "models"}
    if unknown:
        parser.error(
            f"no sweep {', '.join(sorted(unknown))}; there are {', '.join(SWEEPS)}, models"
        )
    warn_if_busy()
    try:
        rows, versions = run(args, pythons(args.python))
    except (RuntimeError, ValueError) as error:
        sys.exit(f"benchmarks: {error}")
    print(file=sys.stderr)
    if args.picture:
        draw(rows, args.picture)
        args.picture = None  # ours is drawn, of other things than times
    text = table(rows, COLUMNS, base="compiled") + "\n\n" + summary(rows)
    return deliver(args, document("scaling", rows, versions=versions), text)


if __name__ == "__main__":
    sys.exit(main())
