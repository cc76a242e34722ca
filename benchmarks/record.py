"""What a compiled step costs before its first replay: two recordings, and a plan from them.

Each round is a fresh process with a warm kernel cache (it has run once before).  "first in the
process" includes loading Numba's kernels from the disk; "next" is another model of that shape.
What is taken off is the time of as many replays: those calls train as well.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import report
from benchmarks.timing import ROOT, Times, environment
from benchmarks.workloads import CASES

NAMES = tuple(c.name for c in CASES if c.name not in ("moons", "predict"))
CALLS = 2
"""The calls that record; the second one makes the plan as well."""
ASKED = 0.05
"""Seconds of recording and planning, of the case `mlp`."""


def fresh(name: str, threads: int) -> dict[str, Any]:
    """What `peers/record_.py` prints, from a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.record_", name],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(threads),
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    return json.loads(done.stdout)


def before_replay(calls: Sequence[float]) -> float:
    """Seconds of the recording calls beyond those of as many replays."""
    return sum(calls[:CALLS]) - CALLS * statistics.median(calls[CALLS + 1 :])


def measure(names: Sequence[str], rounds: int, threads: int) -> list[dict[str, Any]]:
    """A row per case."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for name in names:
        fresh(name, threads)  # fills the kernel cache
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for name in names:
            found[name].append(fresh(name, threads))
    rows = []
    for name, runs in found.items():
        columns = {
            "first in the process": [before_replay(run["first"]) for run in runs],
            "next": [before_replay(run["second"]) for run in runs],
            "a replay": [statistics.median(run["second"][CALLS + 1 :]) for run in runs],
        }
        row: dict[str, Any] = {
            "name": name,
            "title": name,
            "seconds": {column: report.cell(Times(times)) for column, times in columns.items()},
            "compiled": max(run["compiled"] for run in runs),
            "functions": sorted({f for run in runs for f in run["functions"]}),
        }
        if name == "mlp":
            row["asked"] = f"next < {ASKED * 1e3:.0f} ms, nothing compiled"
            row["met"] = row["seconds"]["next"]["median"] < ASKED and not row["compiled"]
        rows.append(row)
    return rows


def text_of(rows: Sequence[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    columns = ("first in the process", "next", "a replay")
    lines = []
    for row in rows:
        times = [report.shown(row["seconds"][column]) for column in columns]
        met = report.MET[row.get("met")]
        lines.append((row["title"], *times, row["compiled"], row.get("asked", ""), met))
    return report.markdown(lines, ("", *columns, "compiler runs", "asked", "met"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, report."""
    args = report.options("record", __doc__, rounds=5).parse_args(arguments)
    unknown = set(args.only or ()) - set(NAMES)
    if unknown:
        sys.exit(f"benchmarks: no case {sorted(unknown)}; there are {', '.join(NAMES)}")
    names = [name for name in NAMES if not args.only or name in args.only]
    rows = measure(names, args.rounds, args.threads)
    return report.deliver(args, report.document("record", rows), text_of(rows))
