"""What a suite hands over: tables, a JSON file, a comparison with an older one, a picture.

A row is a dict: `name` (unique in its suite), `title` (for readers) and `seconds`, which maps a
column (a peer, or "eager", "compiled", ...) to {"median", "spread", "rounds"}.  More keys are kept
as they are.  Rows named `control_...` measure the machine, not us; `against` divides by them.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.timing import Times, machine

CONTROL = "control_"
MET = {True: "yes", False: "**no**", None: ""}
"""How a table says whether what was asked is met."""
LEAST = 0.03
"""A change below this ratio is no change: two runs of one program differ by as much."""
ENOUGH = 3
"""Rounds: with fewer there is no spread to speak of."""


def in_units(seconds: float) -> str:
    """Readable: 12.3 us, 4.00 ms; a dash where nothing was measured."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    units = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
    unit, scale = next((u, s) for u, s in units if seconds * s >= 0.9995 or s == 1e9)
    value = seconds * scale
    return f"{value:.0f} {unit}" if value >= 99.95 else f"{value:#.3g} {unit}"


def in_times(ratio: float) -> str:
    """A ratio to three digits: 0.93x, 12.4x, 1,870x."""
    return f"{ratio:,.0f}x" if ratio >= 99.95 else f"{ratio:#.3g}x"


def cell(times: Times | Sequence[float]) -> dict[str, Any]:
    """What `seconds` holds of one measurement: its rounds, their median and spread."""
    times = times if isinstance(times, Times) else Times(list(times))
    return {"median": times.median, "spread": times.spread, "rounds": times.rounds}


def shown(times: Mapping[str, Any] | None) -> str:
    """A cell for readers: `4.35 us ±2%`; empty where there is none."""
    return f"{in_units(times['median'])} ±{times['spread']:.0%}" if times else ""


def markdown(rows: Iterable[Any], columns: Sequence[str]) -> str:
    """A table of Markdown; a row is a sequence of cells, or a mapping from columns to cells.

    A missing column is an empty cell.  Numbers are shown to four digits.
    """
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = [row.get(c, "") for c in columns] if isinstance(row, Mapping) else list(row)
        if len(cells) != len(columns):
            raise ValueError(f"markdown: a row has {len(cells)} cells for {len(columns)} columns")
        words = [f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells]
        lines.append("| " + " | ".join(w.replace("|", "\\|") for w in words) + " |")
    return "\n".join(lines)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], base: str = "") -> str:
    """Medians and spread; in brackets, each column's time over that of the column `base`."""
    lines = []
    for row in rows:
        seconds = row["seconds"]
        cells = [row["title"]]
        for column in columns:
            text = shown(seconds.get(column))
            if text and base in seconds and column != base:
                text += f" ({in_times(seconds[column]['median'] / seconds[base]['median'])})"
            cells.append(text)
        lines.append(cells)
    return markdown(lines, ["", *columns])


def document(suite: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Everything of one run, for JSON: the suite, its date, the machine, `rows`, and `more`.

    `versions`: a peer's name -> {"python": ..., "numpy": ...}; by default this process's.
    """
    names = [row["name"] for row in rows]
    if len(set(names)) != len(names):
        raise ValueError(f"document: two rows of {suite} have one name: {sorted(names)}")
    more.setdefault("versions", {"here": versions()})
    return {
        "suite": suite,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "machine": machine(),
        **more,
        "rows": list(rows),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of what this process has imported of the packages that matter."""
    found = {"python": sys.version.split()[0]}
    for name in ("numpy", "numba", "autograd"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found["tapegrad" if name == "autograd" else name] = version
    return found


def save(path: Path | str, report: Mapping[str, Any]) -> None:
    """Write a document as JSON; the file is whole or as it was."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def load(path: Path | str) -> dict[str, Any]:
    """Read a document; ValueError where the file holds none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict) or "rows" not in found or "suite" not in found:
        raise ValueError(f"{path} was not written by --save: it has no suite or no rows")
    return found


def _drift(old: Mapping[str, Any], new: Mapping[str, Any], column: str) -> tuple[float, float]:
    """How much slower the machine is than it was, and how far that is to be trusted (a spread).

    The geometric mean of the control rows: of those in this column where it has any (it may be
    another Python), else of all columns.
    """
    logs, spreads = [], []
    for name in set(old) & set(new):
        if not name.startswith(CONTROL):
            continue
        a, b = old[name]["seconds"], new[name]["seconds"]
        both = [column] if column in a and column in b else sorted(set(a) & set(b))
        logs += [math.log(b[c]["median"] / a[c]["median"]) for c in both]
        spreads += [a[c]["spread"] + b[c]["spread"] for c in both]
    if not logs:
        return 1.0, 0.0
    return math.exp(sum(logs) / len(logs)), sum(spreads) / len(spreads)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each time that both documents have: old, new, their ratio, what is left of it, a verdict.

    `corrected` is the ratio over that of the control rows.  The verdict is "slower" or "faster"
    where it leaves 1 by more than all their spreads together (and `LEAST`), else "same"; "unsure"
    where one of the two was measured in fewer than three rounds.
    """
    if old["suite"] != new["suite"]:
        raise ValueError(f"against: the old run is of {old['suite']}, this one of {new['suite']}")
    before, after = ({row["name"]: row for row in d["rows"]} for d in (old, new))
    found = []
    for name in (n for n in after if n in before):
        for column, time in after[name]["seconds"].items():
            past = before[name]["seconds"].get(column)
            if past is None:
                continue
            ratio = time["median"] / past["median"]
            factor, doubt = _drift(before, after, column)
            corrected = ratio if name.startswith(CONTROL) else ratio / factor
            found.append(
                {
                    "name": name,
                    "column": column,
                    "old": past["median"],
                    "new": time["median"],
                    "ratio": ratio,
                    "corrected": corrected,
                    "verdict": _verdict(name, past, time, corrected, doubt),
                }
            )
    return found


def _verdict(
    name: str, past: Mapping[str, Any], time: Mapping[str, Any], corrected: float, doubt: float
) -> str:
    if name.startswith(CONTROL):
        return "control"
    if min(len(past["rounds"]), len(time["rounds"])) < ENOUGH:
        return "unsure"
    margin = 1 + max(past["spread"] + time["spread"] + doubt, LEAST)
    return "slower" if corrected > margin else "faster" if corrected < 1 / margin else "same"


def against(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The regression table of two documents of one suite, in Markdown; slowest first."""
    found = sorted(changes(old, new), key=lambda c: (c["verdict"] == "control", -c["corrected"]))
    columns = ("name", "column", "old", "new", "ratio", "corrected", "verdict")
    rows = [
        {
            **change,
            "old": in_units(change["old"]),
            "new": in_units(change["new"]),
            "ratio": f"{change['ratio']:.3f}",
            "corrected": f"{change['corrected']:.3f}",
        }
        for change in found
    ]
    return markdown(rows, columns)


def options(
    suite: str, description: str | None, *, rounds: int = 9, seconds: float = 0.2
) -> argparse.ArgumentParser:
    """A command line with the options that every suite has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {suite}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rounds", type=int, default=rounds, help="how often each is measured (%(default)s)")
    add("--seconds", type=float, default=seconds, help="of each measurement (%(default)s)")
    add("--only", nargs="+", metavar="NAME", help="these rows")
    add("--threads", type=int, default=0, help="of BLAS and the peers; 0: their own choice")
    add("--save", "--json", type=Path, metavar="FILE", help="write all that was measured: JSON")
    add("--against", type=Path, metavar="FILE", help="compare with what --save wrote before")
    add("--markdown", type=Path, metavar="FILE", help="write the table")
    add("--picture", type=Path, metavar="FILE", help="draw it (.svg, .png; needs matplotlib)")
    return parser


def deliver(args: argparse.Namespace, report: Mapping[str, Any], text: str) -> int:
    """Print `text`, write what the options ask for; 1 where `--against` found one slower.

    `report["ours"]`: the columns that are ours; others may be slower than before.
    """
    print(text)
    old = load(args.against) if args.against else None  # before --save, which may be the same file
    if args.save:
        save(args.save, report)
    if args.markdown:
        args.markdown.write_text(text + "\n", encoding="utf-8")
    if args.picture:
        from benchmarks.picture import draw

        draw(report, args.picture)
    if old is None:
        return 0
    print("\n" + against(old, report))
    ours = report.get("ours")
    slower = [
        f"{change['name']} ({change['column']})"
        for change in changes(old, report)
        if change["verdict"] == "slower" and (ours is None or change["column"] in ours)
    ]
    if slower:
        print("slower than before: " + ", ".join(slower), file=sys.stderr)
    return int(bool(slower))
