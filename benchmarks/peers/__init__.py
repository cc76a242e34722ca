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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import workloads

Step = Callable[[], Any]
MANY = 200
"""Training steps of one call, for those who run a whole loop at once."""


@dataclass
class Built:
    """A step, and what else there is to know of it."""

    step: Step
    steps: int = 1
    """Training steps of one call."""
    reset: Callable[[], Any] | None = None
    """Back to the initial weights: for those who would compile again, were the step built anew."""
    wait: Callable[[Any], Any] | None = None
    """Wait for the last result, where a step returns before it is done."""
    losses: Callable[[int], list[float]] | None = None
    """The first losses, where the step's result is not the loss."""


Cases = Mapping[str, Callable[[dict[str, Any]], "Step | Built"]]


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


def measure(built: Built, seconds: float) -> float:
    """Seconds per training step: as many as fit into `seconds`, timed as one stretch."""
    step, wait = built.step, built.wait
    number, elapsed = 1, 0.0
    gc.collect()
    while True:
        start = time.perf_counter()
        for _ in range(number):
            result = step()
        if wait is not None:
            wait(result)
        elapsed = time.perf_counter() - start
        if elapsed > seconds / 2 or number >= 1 << 24:
            return elapsed / number / built.steps
        number = max(2 * number, int(number * seconds / max(elapsed, 1e-9) * 0.9))


def first_losses(built: Built, count: int, value: Callable[[Any], Any]) -> list[float]:
    """The losses of the first `count` steps; of a step that gives several numbers, all of them."""
    if built.losses is not None:
        return built.losses(count)
    found: list[float] = []
    for _ in range(-(-count // built.steps)):
        found += np.ravel(value(built.step())).tolist()
    return found[:count] if built.steps > 1 else found


def log_softmax(logits: Any) -> np.ndarray:
    """What predictions are compared by: one gives logits, another probabilities."""
    z = np.asarray(logits, np.float64)
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def number_of(value: Any) -> Any:
    """A loss as it is; rows of logits as their `log_softmax`."""
    array = np.asarray(value)
    return log_softmax(array) if array.ndim == 2 and array.shape[-1] > 1 else array


def serve(
    cases: Cases,
    value: Callable[[Any], Any],
    versions: dict[str, str],
    cannot: dict[str, str] | None = None,
) -> None:
    """Answer requests until stdin ends.

    {"do": "about"} names the cases, and why others are missing; {"do": "losses", "case", "count",
    "change"} runs a fresh step so many times; {"do": "time", "case", "seconds"} measures seconds
    per step, of a fresh step too: a network trained for long has vanishing gradients, and denormal
    numbers are slow.
    """
    kept: dict[str, Built] = {}

    def build(name: str, change: dict[str, Any]) -> Built:
        key = json.dumps([name, change])
        if key in kept:
            built = kept[key]
            assert built.reset is not None
            built.reset()
            return built
        made = cases[name]({**getattr(workloads, name)(), **change})
        built = made if isinstance(made, Built) else Built(made)
        if built.reset is not None:
            kept[key] = built
        return built

    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        name = request.get("case")
        try:
            if request["do"] == "about":
                about = {"python": platform.python_version(), "numpy": np.__version__, **versions}
                answer: Any = {"cases": list(cases), "versions": about, "cannot": cannot or {}}
            elif request["do"] == "losses":
                built = build(name, request["change"])
                answer = first_losses(built, request["count"], value)
            else:
                control = CONTROLS.get(name)
                built = Built(control()) if control else build(name, {})
                for _ in range(3):  # compiled steps record their first calls
                    built.step()
                measure(built, request["seconds"] / 4)  # warm
                answer = measure(built, request["seconds"])
        except Exception as error:  # the parent reports it and goes on
            words = str(error).strip().partition("\n")[0]
            answer = {"error": f"{type(error).__name__}: {words}"}
        print(json.dumps(answer), file=replies, flush=True)
