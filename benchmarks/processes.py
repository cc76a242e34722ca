"""A whole fresh process: import, build, train on XOR for 1,000 epochs, exit.

Wall time and peak memory of each framework, interleaved round by round, with a warm kernel cache:
each program has run once before, and its losses are compared with ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import environments, report
from benchmarks.environments import HERE, Kind, python_of
from benchmarks.timing import ROOT, Times, environment
from benchmarks.workloads import xor

HERE_FILES = Path(__file__).resolve().parent / "peers"
TOLERANCE = 1e-2
"""Of losses after 100 epochs; after 1,000, rounding has grown."""


@dataclass(frozen=True)
class Program:
    """A column: its name, its function in `peers/whole.py`, its Python, its epochs, its limits."""

    name: str
    function: str
    environment: str = HERE
    package: str = ""
    epochs: int = 1000
    most_seconds: float = 0.0
    most_bytes: float = 0.0


PROGRAMS = (
    Program("compiled", "ours_compiled", most_seconds=0.9, most_bytes=130e6),
    Program("tapegrad", "ours", most_seconds=1.0),
    Program("NumPy", "numpy_"),
    Program("PyTorch", "torch_", "torch", "torch"),
    Program("JAX jit", "jax_", "jax", "jax"),
    Program("scikit-learn", "sklearn_", "others", "sklearn"),
    Program("Keras", "keras_", "keras", "keras", epochs=100),
)
TITLE = "a whole process: import, train XOR for 1,000 epochs, exit"
CONTROL = "control_python"


def launch(python: str, *arguments: str, given: str, threads: int = 0) -> dict[str, Any]:
    """Run Python on `arguments`: wall seconds, CPU seconds, peak bytes, output."""
    child = environment(threads)
    if python == sys.executable:
        child["PYTHONPATH"] = str(ROOT)  # ours; elsewhere it would hide HIPS autograd
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(HERE_FILES / "launch.py"), python, *arguments],
        input=given,
        capture_output=True,
        text=True,
        env=child,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    found = json.loads(done.stdout)
    if found["status"]:
        words = done.stderr.strip().rpartition("\n")[2]
        raise RuntimeError(words or f"it ended with status {found['status']}")
    return found


def train(program: Program, python: str, given: str, threads: int = 0) -> dict[str, Any]:
    """One run of a program; `losses` are those of the hundredth epoch and of the last."""
    script = str(HERE_FILES / "whole.py")
    epochs = str(program.epochs)
    found = launch(python, script, program.function, epochs, given=given, threads=threads)
    return {**found, "losses": json.loads(found["out"])}


def weights() -> str:
    """The initial weights of the workload, as JSON."""
    return json.dumps([array.tolist() for pair in xor()["layers"] for array in pair])


def compare_first(
    programs: Sequence[Program], known: Mapping[str, str], given: str, threads: int
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Run each once: the Python of those that gave our loss, why not the others, who was wrong."""
    able: dict[str, str] = {}
    without: dict[str, str] = {}
    wrong: list[str] = []
    first = None
    for program in programs:
        kind = Kind(program.name, "", program.environment, package=program.package)
        python = python_of(kind, dict(known))
        if python is None:
            without[program.name] = "not installed here"
            continue
        try:
            loss = train(program, python, given, threads)["losses"][0]
        except RuntimeError as error:
            without[program.name] = str(error)
            continue
        first = loss if first is None else first
        if abs(loss - first) > TOLERANCE * first:
            without[program.name] = f"after 100 epochs its loss is {loss}, ours {first}"
            wrong.append(program.name)
            continue
        able[program.name] = python
    return able, without, wrong


def measure(
    programs: Sequence[Program], able: Mapping[str, str], given: str, rounds: int, threads: int
) -> tuple[dict[str, Times], dict[str, list[float]]]:
    """Wall seconds and peak bytes of each, in turn; the control is `python -c pass`."""
    walls = {name: Times() for name in (*able, CONTROL)}
    peaks: dict[str, list[float]] = {name: [] for name in walls}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        turn = [program for program in programs if program.name in able]
        for program in turn if number % 2 == 0 else turn[::-1]:
            found = train(program, able[program.name], given, threads)
            walls[program.name].rounds.append(found["seconds"])
            peaks[program.name].append(found["bytes"])
        found = launch(sys.executable, "-c", "pass", given="", threads=threads)
        walls[CONTROL].rounds.append(found["seconds"])
        peaks[CONTROL].append(found["bytes"])
    return walls, peaks


def _rows(
    programs: Sequence[Program], walls: Mapping[str, Times], peaks: Mapping[str, list[float]]
) -> list[dict[str, Any]]:
    asked = {program.name: program for program in programs}
    rows = []
    for name in walls:
        program = asked.get(name, Program("control: an empty program", "", epochs=0))
        row: dict[str, Any] = {
            "name": name,
            "title": program.name
            + (f" ({program.epochs} epochs)" if program.epochs == 100 else ""),
            "seconds": {"process": report.cell(walls[name])},
            "bytes": max(peaks[name]),
        }
        limits = []
        if program.most_seconds:
            limits.append(f"<= {program.most_seconds:g} s")
            row["met"] = walls[name].median <= program.most_seconds
        if program.most_bytes:
            limits.append(f"<= {program.most_bytes / 1e6:g} MB")
            row["met"] = row["met"] and row["bytes"] <= program.most_bytes
        row["asked"] = ", ".join(limits)
        rows.append(row)
    return rows


def text_of(rows: Sequence[Mapping[str, Any]], without: Mapping[str, str]) -> str:
    """The table, in Markdown."""
    base = next((r["seconds"]["process"]["median"] for r in rows if r["name"] == "compiled"), None)
    lines = []
    for row in rows:
        time = row["seconds"]["process"]
        met = report.MET[row.get("met")]
        ratio = report.in_times(time["median"] / base) if base else ""
        memory = f"{row['bytes'] / 1e6:.0f} MB"
        lines.append((row["title"], report.shown(time), ratio, memory, row["asked"], met))
    heads = ("a whole process", "wall time", "over compiled", "peak memory", "asked", "met")
    text = report.markdown(lines, heads)
    return text + "".join(f"\n- without {name}: {why}" for name, why in without.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, compare, measure, report."""
    parser = report.options("processes", __doc__, rounds=5)
    parser.epilog = environments.HELP
    environments.add_options(parser)
    args = parser.parse_args(arguments)
    names = [program.name for program in PROGRAMS]
    wanted = args.only or args.peers
    unknown = set(wanted or ()) - set(names)
    if unknown:
        parser.error(f"no program {sorted(unknown)}; there are {', '.join(names)}")
    try:
        known = environments.pythons(args.python)
    except ValueError as error:
        parser.error(str(error))
    programs = [p for p in PROGRAMS if not wanted or p.name in wanted or p.name == "compiled"]
    given = weights()
    able, without, wrong = compare_first(programs, known, given, args.threads)
    walls, peaks = measure(programs, able, given, args.rounds, args.threads)
    rows = _rows(programs, walls, peaks)
    document = report.document("processes", rows, title=TITLE, without=without, rounds=args.rounds)
    status = report.deliver(args, document, text_of(rows, without))
    if wrong:
        print("other losses than ours: " + ", ".join(wrong), file=sys.stderr)
    return status or int(bool(wrong))
