"""What things cost by themselves: `python -m benchmarks overhead`.

In this process: a call of the engine, a node, an instruction of a plan, a replay, a recording.
What is too short for a clock is the slope between a short and a long chain.  In fresh processes
(`benchmarks.probes`): imports, the first step with a cold and a warm cache of kernels, and memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import autograd
import nn
import optim
from benchmarks import workloads
from benchmarks.probes import MEMORY, PROCESSES, bytes_of, seconds_of
from benchmarks.report import cell, deliver, document, load, markdown, options, shown
from benchmarks.stopwatch import Controls, Run, number_for, timed, undisturbed, warn_if_busy

HERE = "here"
"""The one column."""
SHORT, LONG = 10, 210
"""Links of the two chains that a slope is taken between."""


@dataclass(frozen=True)
class Cost:
    """One row: `prepare()` gives a function that measures, in so many seconds, seconds per unit."""

    name: str
    title: str
    prepare: Callable[[], Callable[[float], float]]


def each(run: Run) -> Callable[[float], float]:
    """Seconds of one call of `run`."""
    number = 0

    def sample(seconds: float) -> float:
        nonlocal number
        number = number or number_for(run, seconds)
        return timed(run, number)

    return sample


def least(runs: Sequence[Run], seconds: float, numbers: list[int]) -> list[float]:
    """The least seconds of each run, five stretches of each in turn.

    Differences are taken of these: a disturbance only adds, and would be all that is left.
    """
    if not numbers:
        numbers += [number_for(run, seconds / 5 / len(runs)) for run in runs]
    stretches = [[timed(run, n) for run, n in zip(runs, numbers)] for _ in range(5)]
    return [min(its) for its in zip(*stretches)]


def slope(chain: Callable[[int], Run], less: Callable[[int], Run] | None = None) -> Any:
    """Seconds per link: the long chain's time minus the short one's; `less`: what is no part."""
    runs = [chain(LONG), chain(SHORT), *((less(LONG), less(SHORT)) if less else ())]
    numbers: list[int] = []

    def sample(seconds: float) -> float:
        long, short, *part = least(runs, seconds, numbers)
        without = part[0] - part[1] if part else 0.0
        return (long - short - without) / (LONG - SHORT)

    return sample


def _arrays(count: int, *shape: int) -> list[np.ndarray]:
    return [np.full(shape, 0.5 + i, np.float32) for i in range(count)]


def numpy_add() -> Callable[[float], float]:
    """The same addition by NumPy alone."""
    a, b = _arrays(2, 4)
    return each(lambda: np.add(a, b))


def apply(grad: bool, recorded: bool = True) -> Callable[[float], float]:
    """An addition through the engine."""
    a, b = (autograd.tensor(x, requires_grad=grad) for x in _arrays(2, 4))
    if recorded:
        return each(lambda: a + b)

    def without() -> Any:
        with autograd.no_grad():
            return a + b

    return each(without)


def scalars() -> Callable[[float], float]:
    """An addition of numbers, recorded."""
    a, b = autograd.scalar(2.0), autograd.scalar(3.0)
    return each(lambda: a + b)


def _chain(count: int) -> Run:
    """Forward through `count` additions; a node each."""
    start, b = autograd.tensor(_arrays(1, 4)[0], requires_grad=True), autograd.ones(4)

    def forward() -> Any:
        x = start
        for _ in range(count):
            x = x + b
        return x

    return forward


def _chain_and_back(count: int) -> Run:
    forward, seed = _chain(count), autograd.ones(4)
    return lambda: forward().backward(seed)


def _plan(link: Callable[[Any], Any], *shape: int) -> Callable[[int], Run]:
    """Replays of a plan with `count` times `link`."""

    def made(count: int) -> Run:
        start = autograd.tensor(_arrays(1, *shape)[0])

        @autograd.compile
        def step() -> Any:
            x = start
            for _ in range(count):
                x = link(x)
            return x

        return step

    return made


def instruction_linear() -> Any:
    """A layer of 8 units on 4 rows, replayed."""
    weight, bias = (autograd.tensor(a) for a in (np.eye(8, dtype=np.float32), _arrays(1, 8)[0]))
    return slope(_plan(lambda x: nn.functional.linear(x, weight, bias), 4, 8))


def replay(arguments: int) -> Callable[[float], float]:
    """A step of one addition, replayed; the arguments are copied in, the result out."""
    tensors = [autograd.tensor(a) for a in _arrays(2, 4)]
    if arguments:
        step = autograd.compile(lambda a, b: a + b)
        return each(lambda: step(*tensors))
    return each(autograd.compile(lambda: tensors[0] + tensors[1]))


def training_step(name: str) -> tuple[Callable[[], Any], tuple[Any, Any]]:
    """The training step of a workload, not yet compiled, and its arguments."""
    w = getattr(workloads, name)()
    model = nn.Sequential()
    for weight, bias in w["layers"]:
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        model.extend([layer, nn.ReLU()])
    del model[-1]
    criterion = nn.BCEWithLogitsLoss() if name == "xor" else nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=w["lr"])

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = (w["x"], w["y"]) if name == "xor" else (w["x"][0], w["y"][0])
    return step, (autograd.tensor(x), autograd.tensor(y))


def recording(name: str, planned: bool) -> Callable[[float], float]:
    """What a step compiled anew takes more than eager: its first call, or all until its plan."""
    step, arguments = training_step(name)

    def eager() -> Any:
        return step(*arguments)

    def compiled() -> float:
        fresh, spent, calls = autograd.compile(step), 0.0, 0
        while fresh.plan is None and (planned or not calls):
            spent += timed(lambda: fresh(*arguments), 1)
            calls += 1
        return spent - calls * min(timed(eager, 1) for _ in range(3))

    return lambda seconds: min(compiled() for _ in range(3))


COSTS = (
    Cost("numpy_add", "NumPy: add of 4 numbers", numpy_add),
    Cost("apply", "the same through the engine, no gradient wanted", lambda: apply(False)),
    Cost("apply_no_grad", "... within `no_grad`, entered each time", lambda: apply(True, False)),
    Cost("apply_grad", "... recorded: with a node of the graph", lambda: apply(True)),
    Cost("apply_scalar", "an addition of scalars, recorded", scalars),
    Cost(
        "node_forward", "a node, made and freed again (per link of a chain)", lambda: slope(_chain)
    ),
    Cost(
        "node_backward",
        "a node in backward (per link)",
        lambda: slope(_chain_and_back, _chain),
    ),
    Cost("replay_0", "a replay of one addition, without arguments", lambda: replay(0)),
    Cost("replay_2", "... with two arguments", lambda: replay(2)),
    Cost(
        "instruction_ufunc",
        "an instruction of a plan: a ufunc on 4 numbers",
        lambda: slope(_plan(lambda x: -x, 4)),
    ),
    Cost(
        "instruction_kernel",
        "... a jitted kernel on 4 numbers (ReLU)",
        lambda: slope(_plan(lambda x: x.relu(), 4)),
    ),
    Cost("instruction_linear", "... a linear layer, 4 rows of 8 to 8", instruction_linear),
    Cost("record_xor", "recording XOR 2-4-1, batch 4", lambda: recording("xor", False)),
    Cost("plan_xor", "... until its plan is there", lambda: recording("xor", True)),
    Cost("record_mlp", "recording 784-512-256-10, batch 128", lambda: recording("mlp", False)),
    Cost("plan_mlp", "... until its plan is there", lambda: recording("mlp", True)),
)


def measured(costs: Sequence[Cost], rounds: int, seconds: float, controls: Controls) -> list[Any]:
    """The rows of `costs`, all of them in turn, round after round."""
    samples = {cost.name: cost.prepare() for cost in costs}
    times: dict[str, list[float]] = {name: [] for name in samples}
    for sample in samples.values():
        sample(seconds)
    for _ in range(rounds):
        controls.look()
        for name, sample in samples.items():
            times[name].append(sample(seconds))
    return [
        {"name": cost.name, "title": cost.title, "seconds": {HERE: cell(times[cost.name])}}
        for cost in costs
    ]


def processes(only: Any, rounds: int) -> list[Any]:
    """The rows of fresh processes, in turn; those with a cold cache of kernels once or twice."""
    chosen = {n: p for n, p in PROCESSES.items() if not only or n in only}
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for turn in range(rounds):
        for name, probe in chosen.items():
            if turn < probe.most:
                print(f"\r{name:<40}", end="", file=sys.stderr)
                times[name].append(seconds_of(name))
    return [
        {"name": name, "title": probe.title, "seconds": {HERE: cell(times[name])}}
        for name, probe in chosen.items()
    ]


def memory(only: Any, rounds: int) -> list[Any]:
    """The rows of bytes, each round in a fresh process."""
    chosen = {n: title for n, title in MEMORY.items() if not only or n in only}
    found: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name in chosen:
            print(f"\r{name:<40}", end="", file=sys.stderr)
            found[name].append(bytes_of(name))
    return [
        {"name": name, "title": title, "seconds": {}, "bytes": {HERE: cell(found[name])}}
        for name, title in chosen.items()
    ]


def in_bytes(count: float) -> str:
    """Readable: 312 B, 1.2 kB, 41 MB."""
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.3g} B"


def _time(found: Any) -> str:
    """A difference may drown in the noise of what it is taken between."""
    return shown(found) if found["median"] > 0 else "below the noise"


def text_of(rows: Sequence[Any], old: Any = None) -> str:
    """The two tables; with an older document the memory of then as well."""
    past = {row["name"]: row for row in old["rows"]} if old else {}
    times = [(row["title"], _time(row["seconds"][HERE])) for row in rows if row["seconds"]]
    lines = []
    for row in rows:
        if "bytes" in row:
            before = past.get(row["name"], {}).get("bytes", {}).get(HERE)
            cells = (row["title"], in_bytes(row["bytes"][HERE]["median"]))
            lines.append((*cells, in_bytes(before["median"]) if before else ""))
    tables = [markdown(times, ("time", "")), markdown(lines, ("memory", "", "before"))]
    return "\n\n".join(t for t, its in zip(tables, (times, lines)) if its)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, print the tables."""
    parser = options("overhead", __doc__, rounds=7, seconds=0.05)
    args = parser.parse_args(arguments)
    names = [*(cost.name for cost in COSTS), *PROCESSES, *MEMORY]
    unknown = set(args.only or ()) - set(names)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    costs = [cost for cost in COSTS if not args.only or cost.name in args.only]
    if args.threads:
        autograd.set_num_threads(args.threads)
    warn_if_busy()
    controls = Controls()
    controls.look()
    with undisturbed():
        rows = measured(costs, args.rounds, args.seconds, controls)
    rows += processes(args.only, args.rounds)
    rows += memory(args.only, min(args.rounds, 3))
    print(file=sys.stderr)
    rows += controls.rows(HERE)
    old = load(args.against) if args.against else None
    return deliver(args, document("overhead", rows), text_of(rows, old))


if __name__ == "__main__":
    sys.exit(main())
