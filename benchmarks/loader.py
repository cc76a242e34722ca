"""Loading data from memory: `python -m benchmarks loader --torch-python /path/to/python`.

A step is an epoch in batches of 32, and nothing else.  Before anything is timed, the peers show by
a sum over one epoch that each sample comes once, with its label.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Peer, compare_losses, run
from benchmarks.workloads import Case

BATCH = 32
LARGE, SMALL = (60_000, 784), (1_797, 64)
OPTIONS: dict[str, tuple[tuple[int, int], bool, bool]] = {
    "large": (LARGE, True, True),
    "large_in_order": (LARGE, False, True),
    "small": (SMALL, True, True),
    "small_in_order": (SMALL, False, True),
    "own": (SMALL, True, False),
}
"""Samples and features; shuffled; a TensorDataset, or a Dataset of one's own."""
CASES = (
    Case("large", "60,000 x 784, shuffled: one epoch", 1, 1e-12),
    Case("large_in_order", "60,000 x 784, in order: one epoch", 1, 1e-12),
    Case("small", "1,797 x 64, shuffled: one epoch", 1, 1e-12),
    Case("small_in_order", "1,797 x 64, in order: one epoch", 1, 1e-12),
    Case("own", "1,797 x 64, shuffled, a Dataset of one's own: one epoch", 1, 1e-12),
)


@functools.cache
def arrays(samples: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of numbers that begin with their label: x (samples, features) float32, y int64."""
    x = np.random.default_rng(0).standard_normal((samples, features), np.float32)
    y = np.random.default_rng(1).integers(0, 10, samples)
    x[:, 0] = y
    return x, y


def epochs(tools: Any, tensor: Callable[[np.ndarray], Any], name: str) -> Callable[[], Any]:
    """A function that runs through one epoch; `tools` is a framework's `utils.data`."""
    size, shuffle, together = OPTIONS[name]
    x, y = map(tensor, arrays(*size))

    class Own(tools.Dataset):
        def __getitem__(self, i: int) -> Any:
            return x[i], y[i]

        def __len__(self) -> int:
            return len(x)

    dataset = tools.TensorDataset(x, y) if together else Own()
    loader = tools.DataLoader(dataset, BATCH, shuffle=shuffle)

    def epoch() -> Any:
        for _ in loader:
            pass
        return loader

    return epoch


def total(loader: Any) -> float:
    """The sum of first feature times label, and of labels, over one epoch; exact."""
    return sum(
        float((x[:, 0].numpy() * y.numpy()).sum(dtype=np.float64)) + y.sum().item() / 2**20
        for x, y in loader
    )


def per_batch(case: str, seconds: float) -> float:
    """Seconds per batch."""
    return seconds / -(-OPTIONS[case][0][0] // BATCH)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, measure, print the table."""
    from benchmarks.__main__ import in_units, report, table

    parser = argparse.ArgumentParser(prog="python -m benchmarks loader", description=__doc__)
    parser.add_argument("--torch-python", help="a Python that has PyTorch")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch; 0: its own choice")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="per case, peer and round")
    parser.add_argument("--only", nargs="+", metavar="CASE", choices=list(OPTIONS))
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    args = parser.parse_args(arguments)
    cases = tuple(c for c in CASES if not args.only or c.name in args.only)
    peers = [Peer("tapegrad", "loader_", sys.executable, threads=args.threads)]
    try:
        python = args.torch_python or sys.executable
        peers.append(Peer("PyTorch", "loader_", python, "--torch", threads=args.threads))
    except RuntimeError as error:
        print(f"without PyTorch: {error}", file=sys.stderr)
    try:
        agreement = {case.name: compare_losses(case, peers) for case in cases}
        results = run(cases, peers, args.rounds, args.seconds)
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
    finally:
        for peer in peers:
            peer.close()
    print(table(cases, results, peers))
    for case in cases:
        times = [(p.name, per_batch(case.name, results[case.name][p.name].median)) for p in peers]
        print(f"{case.name}, per batch: " + ", ".join(f"{n} {in_units(t)}" for n, t in times))
    if args.json:
        text = json.dumps(report(results, peers, "loader", agreement), indent=1)
        args.json.write_text(text + "\n")
