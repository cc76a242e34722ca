"""Those who are measured, each in a process of its own: `python -m benchmarks.peers.ours`.

A peer maps names of cases to functions that build a step from a workload, and calls `serve`, which
speaks JSON lines: one request on stdin, one answer on stdout.
"""

from __future__ import annotations

import gc
import json
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import workloads

Step = Callable[[], Any]
Cases = dict[str, Callable[[dict[str, Any]], Step]]


def control_python() -> Step:
    """A fixed loop of pure Python: the interpreter's speed, here and now."""

    def step() -> int:
        total = 0
        for i in range(1000):
            total += i
        return total

    return step


def control_numpy() -> Step:
    """A fixed product of NumPy, too small for threads: the machine's speed, here and now."""
    a = np.full((64, 64), 0.5, np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


CONTROLS = {"control_python": control_python, "control_numpy": control_numpy}


def measure(step: Step, seconds: float) -> float:
    """Seconds per step: as many steps as fit into `seconds`, timed as one stretch."""
    number, elapsed = 1, 0.0
    gc.collect()
    while True:
        start = time.perf_counter()
        for _ in range(number):
            step()
        elapsed = time.perf_counter() - start
        if elapsed > seconds / 2 or number >= 1 << 24:
            return elapsed / number
        number = max(2 * number, int(number * seconds / max(elapsed, 1e-9) * 0.9))


def serve(cases: Cases, value: Callable[[Any], float], versions: dict[str, str]) -> None:
    """Answer requests until stdin ends.

    {"do": "about"} names the cases; {"do": "losses", "case", "count"} runs a fresh step so many
    times; {"do": "time", "case", "seconds"} measures seconds per step, of a fresh step too: a
    network trained for long has vanishing gradients, and denormal numbers are slow.
    """

    def make(name: str) -> dict[str, Any]:
        return getattr(workloads, name)()

    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        name = request.get("case")
        try:
            if request["do"] == "about":
                about = {"python": platform.python_version(), "numpy": np.__version__, **versions}
                answer: Any = {"cases": list(cases), "versions": about}
            elif request["do"] == "losses":
                step = cases[name](make(name))
                answer = [value(step()) for _ in range(request["count"])]
            else:
                step = CONTROLS[name]() if name in CONTROLS else cases[name](make(name))
                measure(step, request["seconds"] / 4)  # warm
                answer = measure(step, request["seconds"])
        except Exception as error:  # the parent reports it and goes on
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=replies, flush=True)
