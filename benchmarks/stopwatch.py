"""Timing in this process: stretches of calls, several runs in turn, the machine's own speed."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.peers import control_numpy, control_python
from benchmarks.report import cell

Run = Callable[[], Any]


def warn_if_busy() -> None:
    """Say so where others use this machine: two threads that wait for each other suffer most."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > cores / 2:
        words = f"{load:.1f} processes already run on {cores} cores: trust the ratios little"
        print(f"benchmarks: {words}, and those of several threads not at all", file=sys.stderr)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, no collection of garbage falls into a measurement, and NumPy does not warn."""
    gc.collect()
    gc.disable()
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        gc.enable()


def timed(run: Run, number: int) -> float:
    """Seconds per call of so many in a row."""
    start = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - start) / number


def number_for(run: Run, seconds: float) -> int:
    """How many calls fill about so many seconds.

    The first calls are not like the others: kernels are compiled, steps recorded twice, guarded.
    """
    number, spent = 1, 0.0
    for turn in range(8):
        once = timed(run, number)
        spent += number * once
        number = max(1, min(2 * number, int(seconds / once)))
        if turn >= 4 and spent > 10 * seconds:
            break
    while number * once < seconds / 2 and number < 1 << 20:
        number = max(2 * number, int(0.9 * seconds / once))
        once = timed(run, number)
    return number


def measure(runs: dict[str, Run], rounds: int, seconds: float) -> dict[str, Any]:
    """Each run in turn, round after round: the cells of a row."""
    numbers = {name: number_for(run, seconds) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in runs if turn % 2 == 0 else reversed(runs):
            times[name].append(timed(runs[name], numbers[name]))
    return {name: cell(found) for name, found in times.items()}


class Controls:
    """The speed of the machine, looked at again and again during the run."""

    def __init__(self) -> None:
        self.runs = {"control_python": control_python(), "control_numpy": control_numpy()}
        self.times: dict[str, list[float]] = {name: [] for name in self.runs}

    def look(self) -> None:
        """Measure each once, for a millisecond or so."""
        for name, run in self.runs.items():
            self.times[name].append(timed(run, 100))

    def rows(self, column: str) -> list[dict[str, Any]]:
        """A row each, with its cell in `column`."""
        titles = {
            "control_python": "control: a loop of pure Python",
            "control_numpy": "control: a NumPy product",
        }
        return [
            {"name": name, "title": titles[name], "seconds": {column: cell(times)}}
            for name, times in self.times.items()
        ]
