"""What comes before the first replay, in a fresh process: `-m benchmarks.peers.record_ CASE`.

Prints JSON: seconds of importing, of the first compiled step of the process (which loads what it
needs: Numba, kernels from the disk cache), and of a second model like it (which loads nothing);
seconds of the first two calls of each, which record, and of the third, which replays; and how often
a compiler ran.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def compilations() -> list[str]:
    """A list that grows by a name whenever Numba compiles a function."""
    from numba.core import event

    found: list[str] = []

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            dispatcher = event.data.get("dispatcher")
            found.append(dispatcher.py_func.__name__ if dispatcher else event.data.get("name", ""))

        def on_end(self, event: Any) -> None:
            pass

    listener = Listener()
    for kind in ("numba:compile", "numba:run_pass"):
        event.register(kind, listener)
    return found


def calls(name: str, count: int) -> list[float]:
    """Seconds of the first calls of a fresh compiled step."""
    from benchmarks import workloads
    from benchmarks.peers import Built, ours

    made = getattr(ours, name)(getattr(workloads, name)())
    step = made.step if isinstance(made, Built) else made
    spent = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        spent.append(time.perf_counter() - start)
    return spent


def main(name: str) -> dict[str, Any]:
    """All of it, for one workload."""
    start = time.perf_counter()
    from benchmarks.peers import ours

    imported = time.perf_counter() - start
    start = time.perf_counter()
    compiled = compilations()
    numba = time.perf_counter() - start
    ours.COMPILED = True
    first = calls(name, 12)
    second = calls(name, 12)
    return {
        "import": imported,
        "import_numba": numba,
        "first": first,
        "second": second,
        "compiled": len(compiled),
        "functions": sorted(set(compiled)),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
