"""Run a suite of benchmarks: `python -m benchmarks SUITE`; `SUITE --help` shows its options.

  steps      a training step of each workload: ours, NumPy by hand, the floor
  compare    the same, with every framework that is installed
  processes  a whole program: import, build, train, exit; its time and memory
  record     what a compiled step costs before its first replay
  ops        each op of the table: NumPy, the kernel, eager, with backward, compiled
  overhead   what an op, a node, an instruction, an import cost by themselves
  scaling    batch, width, depth and threads
  loader     data from memory

All of them take --rounds, --seconds, --only, --threads, --save, --against, --markdown, --picture.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

MODULES = {
    "steps": "compare",
    "compare": "compare",
    "processes": "processes",
    "record": "record",
    "ops": "ops",
    "overhead": "overhead",
    "scaling": "scaling",
    "loader": "loader",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite that the first argument names."""
    suite, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if suite in ("-h", "--help"):
        print(__doc__)
        return 0
    if suite not in MODULES:
        print(f"no suite {suite!r}; there are {', '.join(MODULES)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"benchmarks.{MODULES[suite]}")
    if MODULES[suite] == "compare":
        return module.main(suite, rest) or 0
    return module.main(rest) or 0


if __name__ == "__main__":
    sys.exit(main())
