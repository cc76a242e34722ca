"""Peers in processes of their own, measured in turn round after round; medians and spread."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.workloads import Case

ROOT = Path(__file__).resolve().parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Peer:
    """One process that measures: `benchmarks.peers.<module>` under some Python."""

    def __init__(self, name: str, module: str, python: str, *options: str, threads: int = 0):
        self.name = name
        self.process = subprocess.Popen(
            [python, "-m", f"benchmarks.peers.{module}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if module not in ("ours", "numpy_") else None,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(dict.fromkeys(THREADS, str(threads)) if threads else {})},
        )
        self.about = self.ask(do="about")

    def ask(self, **request: Any) -> Any:
        """Send a request; RuntimeError with the peer's words where it fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = ""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            pass
        if not line:
            words = self.process.stderr.read().strip() if self.process.stderr else ""
            raise RuntimeError(words.rpartition("\n")[2] or "the process ended")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Times:
    """Seconds per step of one peer in one case, one entry per round."""

    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, relative to the median."""
        if len(self.rounds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.rounds, n=4, method="inclusive")
        return (high - low) / 2 / self.median


Results = dict[str, dict[str, Times]]


def compare_losses(case: Case, peers: list[Peer]) -> float:
    """The greatest relative difference between the first losses of all peers that have the case."""
    series = {p.name: p.ask(do="losses", case=case.name, count=case.losses) for p in peers}
    first = next(iter(series.values()))
    worst = 0.0
    for name, losses in series.items():
        for step, (a, b) in enumerate(zip(first, losses)):
            difference = abs(a - b) / max(abs(a), abs(b), 1e-12)
            if not difference <= case.tolerance:
                raise RuntimeError(
                    f"{case.name}: loss {step} of {name} is {b}, that of {next(iter(series))} {a}"
                )
            worst = max(worst, difference)
    return worst


def run(cases: tuple[Case, ...], peers: list[Peer], rounds: int, seconds: float) -> Results:
    """Measure every case in every peer in turn, `rounds` times; controls in each round as well."""
    controls = (Case("control_python", ""), Case("control_numpy", ""))
    results: Results = {case.name: {} for case in (*cases, *controls)}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for case in (*cases, *controls):
            for peer in peers if number % 2 == 0 else peers[::-1]:
                if case in controls or case.name in peer.about["cases"]:
                    times = results[case.name].setdefault(peer.name, Times())
                    times.rounds.append(peer.ask(do="time", case=case.name, seconds=seconds))
    return results


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    cpu = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.platform(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
