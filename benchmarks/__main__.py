"""Run a suite of benchmarks: `python -m benchmarks steps --torch-python /path/to/python`.

Loading data has a command line of its own: `python -m benchmarks loader --help`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.timing import Peer, Results, compare_losses, machine, run
from benchmarks.workloads import SUITES, Case


def start_peers(python: str | None, threads: int) -> list[Peer]:
    """Start tapegrad and NumPy here, PyTorch and micrograd under `python` if it has them."""
    peers = [
        Peer("tapegrad", "ours", sys.executable, threads=threads),
        Peer("compiled", "ours", sys.executable, "--compiled", threads=threads),
        Peer("NumPy", "numpy_", sys.executable, threads=threads),
        Peer("NumPy tuned", "numpy_", sys.executable, "--tuned", threads=threads),
    ]
    for name, module, *options in (
        ("PyTorch", "torch_"),
        ("PyTorch fused", "torch_", "--fused"),
        ("micrograd", "micrograd_"),
    ):
        try:
            peer = Peer(name, module, python or sys.executable, *options, threads=threads)
            peers.append(peer)
        except RuntimeError as error:  # noqa: PERF203 - a peer that is not installed
            print(f"without {name}: {error}", file=sys.stderr)
    return peers


def in_units(seconds: float) -> str:
    """Readable: 12.3 us, 4.56 ms."""
    unit, scale = next(
        (u, s) for u, s in (("s", 1), ("ms", 1e3), ("us", 1e6)) if seconds * s >= 1 or s == 1e6
    )
    return f"{seconds * scale:.3g} {unit}"


def table(cases: tuple[Case, ...], results: Results, peers: list[Peer]) -> str:
    """Medians and half the quartile distance; in brackets, each peer's time over ours."""
    names = [peer.name for peer in peers]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    controls = (
        Case("control_python", "control: a loop of pure Python"),
        Case("control_numpy", "control: a NumPy product"),
    )
    for case in (*cases, *controls):
        row = results[case.name]
        cells = []
        for name in names:
            if name not in row:
                cells.append("")
                continue
            text = f"{in_units(row[name].median)} ±{row[name].spread:.0%}"
            if name != names[0] and names[0] in row:
                text += f" ({row[name].median / row[names[0]].median:.2f}x)"
            cells.append(text)
        lines.append(f"| {case.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(results: Results, peers: list[Peer], suite: str, agreement: dict[str, float]) -> Any:
    """Everything, for `--json`."""
    return {
        "suite": suite,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {peer.name: peer.about["versions"] for peer in peers},
        "loss_difference": agreement,
        "seconds": {
            case: {
                name: {"median": t.median, "spread": t.spread, "rounds": t.rounds}
                for name, t in row.items()
            }
            for case, row in results.items()
        },
    }


def main() -> None:
    """Parse the command line, measure, print the table."""
    if sys.argv[1:2] == ["loader"]:
        from benchmarks import loader

        loader.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=sorted(SUITES), nargs="?", default="steps")
    parser.add_argument("--torch-python", help="a Python that has PyTorch and micrograd")
    parser.add_argument("--threads", type=int, default=0, help="of BLAS and PyTorch; 0: their own")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="per case, peer and round")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="these cases of the suite")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    args = parser.parse_args()
    cases = tuple(c for c in SUITES[args.suite] if not args.only or c.name in args.only)
    if not cases:
        parser.error(
            f"no such case; {args.suite} has {', '.join(c.name for c in SUITES[args.suite])}"
        )
    peers = start_peers(args.torch_python, args.threads)
    try:
        agreement = {
            case.name: compare_losses(case, [p for p in peers if case.name in p.about["cases"]])
            for case in cases
        }
        results = run(cases, peers, args.rounds, args.seconds)
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
    finally:
        for peer in peers:
            peer.close()
    print(table(cases, results, peers))
    if args.json:
        text = json.dumps(report(results, peers, args.suite, agreement), indent=1)
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
