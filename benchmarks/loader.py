"""Loading data from memory, ours and PyTorch's: the same program but for the imports.

A step is an epoch in batches of 32, and nothing else.  Before anything is timed, the peers show by
a sum over one epoch that each sample comes once, with its label.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, compare, measure, report."""
    from benchmarks import environments, report  # a peer's process needs none of them
    from benchmarks.compare import measure, select
    from benchmarks.environments import HERE, Kind

    kinds = (
        Kind("tapegrad", "loader_", HERE),
        Kind("PyTorch", "loader_", "torch", ("--torch",), "torch"),
    )
    parser = report.options("loader", __doc__, seconds=0.5)
    parser.epilog = environments.HELP
    environments.add_options(parser)
    args = parser.parse_args(arguments)
    try:
        cases = select(CASES, args.only)
        known = environments.pythons(args.python)
        wanted = environments.chosen(kinds, args.peers)
    except ValueError as error:
        parser.error(str(error))
    peers, missing = environments.start(wanted, known, args.threads)
    try:
        document, wrong = measure("loader", cases, peers, args, missing)
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
    finally:
        for peer in peers:
            peer.close()
    rows = document["rows"]
    text = report.table(rows, document["columns"], "tapegrad")
    for row in rows[: len(cases)]:
        times = [
            f"{name} {report.in_units(per_batch(row['name'], t['median']))}"
            for name, t in row["seconds"].items()
        ]
        text += f"\n- {row['name']}, per batch: " + ", ".join(times)
    return report.deliver(args, document, text) or int(bool(wrong))
