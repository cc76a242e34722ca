"""Peers in processes of their own, measured in turn round after round; medians and spread."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.workloads import CONTROLS, Case

ROOT = Path(__file__).resolve().parent.parent
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def environment(threads: int) -> dict[str, str]:
    """The environment of a process that is to use so many threads; 0 leaves it to itself.

    JAX knows only all cores or one.
    """
    if not threads:
        return dict(os.environ)
    found = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    if threads == 1:
        found["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return found


class Peer:
    """One process that measures: `benchmarks.peers.<module>` under some Python."""

    def __init__(self, name: str, module: str, python: str, *options: str, threads: int = 0):
        self.name = name
        # a file, not a pipe: nobody would read the pipe, and TensorFlow fills it
        self.words = None if module == "ours" else tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, "-m", f"benchmarks.peers.{module}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words,
            text=True,
            cwd=ROOT,
            env=environment(threads),
        )
        try:
            self.about = self.ask(do="about")
        except RuntimeError:
            self.close()
            raise

    def ask(self, **request: Any) -> Any:
        """Send a request; RuntimeError with the peer's words where it fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self._last_words() or "the process ended")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def _last_words(self) -> str:
        if self.words is None:
            return ""
        self.process.wait()
        self.words.seek(0)
        return self.words.read().strip().rpartition("\n")[2]

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        if self.words is not None:
            self.words.close()


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
        if len(self.rounds) < 2 or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.rounds, n=4, method="inclusive")
        return (high - low) / 2 / self.median


Results = dict[str, dict[str, Times]]


@dataclass
class Agreement:
    """What came of comparing the first losses of one case."""

    able: list[str] = field(default_factory=list)
    """Peers whose losses are those of the first; only they are timed."""
    without: dict[str, str] = field(default_factory=dict)
    """The others that have the case: why not."""
    wrong: list[str] = field(default_factory=list)
    """Those among them that gave other numbers."""
    difference: float = 0.0
    """The greatest relative difference of two losses that agree."""


def agree(case: Case, peers: Sequence[Peer]) -> Agreement:
    """Compare the first losses of all peers that have the case with those of the first one.

    A peer without a loss (the floor) has nothing to compare, and passes.
    """
    found = Agreement()
    first: list[float] = []
    by = ""
    for peer in peers:
        if case.name not in peer.about["cases"]:
            if case.name in peer.about.get("cannot", {}):
                found.without[peer.name] = peer.about["cannot"][case.name]
            continue
        try:
            count, change = case.losses, case.check
            losses = peer.ask(do="losses", case=case.name, count=count, change=change)
        except RuntimeError as error:
            found.without[peer.name] = str(error)
            continue
        if losses and not first:
            first, by = losses, peer.name
        if losses and len(losses) != len(first):
            found.wrong.append(peer.name)
            found.without[peer.name] = f"{len(losses)} losses where {by} has {len(first)}"
            continue
        gaps = [abs(a - b) / max(abs(a), abs(b), 1e-12) for a, b in zip(first, losses)]
        bad = [i for i, gap in enumerate(gaps) if not gap <= case.tolerance]
        if bad:
            i = bad[0]
            found.wrong.append(peer.name)
            found.without[peer.name] = f"loss {i} is {losses[i]}, that of {by} {first[i]}"
            continue
        found.able.append(peer.name)
        found.difference = max([found.difference, *gaps])
    return found


def run(
    cases: Sequence[Case],
    peers: Sequence[Peer],
    rounds: int,
    seconds: float,
    agreements: Mapping[str, Agreement],
) -> Results:
    """Measure every case in every peer that is able, in turn, `rounds` times; controls as well.

    A peer that fails on the way is from then on without that case.
    """
    results: Results = {case.name: {} for case in (*cases, *CONTROLS)}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for case in (*cases, *CONTROLS):
            for peer in peers if number % 2 == 0 else peers[::-1]:
                found = agreements.get(case.name)
                if found is not None and peer.name not in found.able:
                    continue
                try:
                    spent = peer.ask(do="time", case=case.name, seconds=seconds)
                except RuntimeError as error:
                    results[case.name].pop(peer.name, None)
                    if found is not None:
                        found.able.remove(peer.name)
                        found.without[peer.name] = str(error)
                    continue
                results[case.name].setdefault(peer.name, Times()).rounds.append(spent)
    return {name: row for name, row in results.items() if row}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    cpu = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    known = hasattr(os, "sched_getaffinity")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if known else os.cpu_count(),
        "system": platform.platform(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
