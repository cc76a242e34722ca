"""Training steps side by side: `steps` (ours, NumPy, the floor) and `compare` (all frameworks).

Before anything is timed, each peer's first losses from the same weights are compared with ours;
one that gives other numbers is left out, and the exit status is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import environments, report
from benchmarks.environments import BY_HAND, KINDS, OTHERS, OURS
from benchmarks.timing import Agreement, Peer, Results, agree, run
from benchmarks.workloads import CONTROLS, SUITES, TARGETS, Case, Target

BASE = "compiled"


def rows_of(
    cases: Sequence[Case], results: Results, agreements: Mapping[str, Agreement]
) -> list[dict[str, Any]]:
    """The rows of the document."""
    rows = []
    for case in (*cases, *CONTROLS):
        found = agreements.get(case.name, Agreement())
        seconds = {name: report.cell(t) for name, t in results.get(case.name, {}).items()}
        rows.append(
            {
                "name": case.name,
                "title": case.title,
                "seconds": seconds,
                "loss_difference": found.difference,
                "without": found.without,
            }
        )
    return rows


def reached(target: Target, row: Mapping[str, Any]) -> tuple[float, bool] | None:
    """The ratio measured, and whether it is what was asked; None where one is not measured."""
    ours, theirs = (row["seconds"].get(n) for n in (target.column, target.peer))
    if ours is None or theirs is None:
        return None
    if target.most:
        got = ours["median"] / theirs["median"]
        return got, got <= target.times
    got = theirs["median"] / ours["median"]
    return got, got >= target.times


def targets(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line per target: case, column, against whom, asked, got, met."""
    found = []
    by_name = {row["name"]: row for row in rows}
    for target in TARGETS:
        if target.case not in by_name:
            continue
        got, met = reached(target, by_name[target.case]) or (None, None)
        line = {"case": target.case, "column": target.column, "peer": target.peer}
        line["asked"] = (
            f"<= {target.times:g}x the time of {target.peer}"
            if target.most
            else f">= {target.times:g}x as fast as {target.peer}"
        )
        found.append({**line, "got": got, "met": met})
    return found


def _targets_table(lines: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            line["case"],
            line["column"],
            line["asked"],
            "not measured" if line["got"] is None else report.in_times(line["got"]),
            report.MET[line["met"]],
        )
        for line in lines
    ]
    return report.markdown(rows, ("case", "column", "asked", "measured", "met"))


def _case_table(row: Mapping[str, Any]) -> str:
    """All peers of one case, fastest first."""
    seconds = row["seconds"]
    base, floor = (seconds.get(name, {}).get("median") for name in (BASE, "floor"))
    lines = []
    for name, t in sorted(seconds.items(), key=lambda item: item[1]["median"]):
        ratios = [report.in_times(t["median"] / b) if b else "" for b in (base, floor)]
        lines.append((name, report.in_units(t["median"]), f"±{t['spread']:.0%}", *ratios))
    text = report.markdown(lines, ("", "a step", "spread", f"over {BASE}", "over the floor"))
    without = [f"{name}: {why}" for name, why in row["without"].items()]
    return f"### {row['title']}\n\n{text}" + "".join(f"\n- without {w}" for w in without)


def overview(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """One line per peer, one column per case: medians."""
    shown = [row for row in rows if row["seconds"] and not row["name"].startswith(report.CONTROL)]
    lines = []
    for name in columns:
        times = [row["seconds"].get(name) for row in shown]
        if any(times):
            lines.append((name, *(report.in_units(t["median"]) if t else "" for t in times)))
    return report.markdown(lines, ("", *(row["name"] for row in shown)))


def text_of(document: Mapping[str, Any]) -> str:
    """The whole output, in Markdown."""
    rows, columns = document["rows"], document["columns"]
    cases = [r for r in rows if not r["name"].startswith(report.CONTROL)]
    controls = [r for r in rows if r["name"].startswith(report.CONTROL) and r["seconds"]]
    parts = [_case_table(row) for row in cases]
    parts.append("### All\n\n" + overview(rows, columns))
    if document["targets"]:
        parts.append("### Asked and measured\n\n" + _targets_table(document["targets"]))
    names = [name for name in columns if any(name in r["seconds"] for r in controls)]
    lines = [(name, *(report.shown(r["seconds"].get(name)) for r in controls)) for name in names]
    heads = ("", *(r["title"].removeprefix("control: ") for r in controls))
    parts.append("### Controls: the same in every process\n\n" + report.markdown(lines, heads))
    machine = document["machine"]
    parts.append(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}, {document['date']}"
    )
    return "\n\n".join(parts)


def measure(
    suite: str, cases: Sequence[Case], peers: Sequence[Peer], args: Any, missing: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Compare, then time: the document, and who gave wrong numbers."""
    agreements = {}
    for case in cases:
        agreements[case.name] = found = agree(case, peers)
        for name, why in found.without.items():
            print(f"{case.name} without {name}: {why}", file=sys.stderr, flush=True)
    results = run(cases, peers, args.rounds, args.seconds, agreements)
    rows = rows_of(cases, results, agreements)
    document = report.document(
        suite,
        rows,
        columns=[peer.name for peer in peers],
        ours=[peer.name for peer in peers if peer.name in {kind.name for kind in OURS}],
        missing=dict(missing),
        targets=targets(rows),
        versions={peer.name: peer.about["versions"] for peer in peers},
        rounds=args.rounds,
        seconds_each=args.seconds,
        threads=args.threads,
    )
    wrong = [f"{name} in {case}" for case, found in agreements.items() for name in found.wrong]
    return document, wrong


def select(cases: Sequence[Case], only: Sequence[str] | None) -> list[Case]:
    """Those that `--only` names; ValueError where there is no such case."""
    unknown = set(only or ()) - {case.name for case in cases}
    if unknown:
        names = ", ".join(case.name for case in cases)
        raise ValueError(f"no case {sorted(unknown)}; there are {names}")
    return [case for case in cases if not only or case.name in only]


def main(suite: str, arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, compare, measure, report."""
    parser = report.options(suite, __doc__)
    kinds = [*OURS, *BY_HAND]
    if suite == "compare":
        parser.epilog = environments.HELP
        kinds += OTHERS
    environments.add_options(parser)
    args = parser.parse_args(arguments)
    try:
        cases = select(SUITES[suite], args.only)
        known = environments.pythons(args.python)
        extra = [KINDS[n] for n in args.peers or () if n in KINDS and KINDS[n] not in kinds]
        kinds = environments.chosen([*kinds, *extra], args.peers)
    except ValueError as error:
        parser.error(str(error))
    peers, missing = environments.start(kinds, known, args.threads)
    try:
        document, wrong = measure(suite, cases, peers, args, missing)
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
    finally:
        for peer in peers:
            peer.close()
    status = report.deliver(args, document, text_of(document))
    if wrong:
        print("other numbers than ours: " + "; ".join(wrong), file=sys.stderr)
    return status or int(bool(wrong))
