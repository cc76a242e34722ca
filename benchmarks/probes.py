"""Measurements that need a process of their own: `python -m benchmarks.probes NAME`.

A process is timed from its start to its end.  What it holds is counted by tracemalloc, which sees
Python's objects and NumPy's arrays, or by the pages that the system gave it (RSS), which also sees
compiled code; a page is 4 kB, so growth is looked at over many steps.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")
XOR = """
import autograd, nn, optim
x = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
y = autograd.tensor([[0.0], [1], [1], [0]])
model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.05)
@autograd.compile
def step(x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss
for _ in range({steps}):
    loss = step(x, y)
print(loss.item())
"""


@dataclass(frozen=True)
class Process:
    """A program to time as a whole; `cold`: what it may not find."""

    title: str
    code: str
    cold: str = ""
    most: int = 100
    """Rounds at most: a cold cache of kernels takes long."""


IMPORT = "import autograd, nn, optim"
PROCESSES = {
    "control_process": Process("control: a process of Python that does nothing", "pass"),
    "import_numpy": Process("import numpy", "import numpy"),
    "import": Process(IMPORT, IMPORT),
    "import_cold": Process(f"{IMPORT}, its bytecode not yet written", IMPORT, "bytecode"),
    "first_step": Process("import, record, replay a step of XOR", XOR.format(steps=4)),
    "thousand_steps": Process("... 1,000 steps of XOR", XOR.format(steps=1000)),
    "first_step_cold": Process(
        "... 4 steps, no kernel in the cache", XOR.format(steps=4), "kernels", most=1
    ),
}


def seconds_of(name: str) -> float:
    """Seconds of one run of that process; RuntimeError with its words where it fails."""
    process = PROCESSES[name]
    with tempfile.TemporaryDirectory() as folder:
        environment, home = dict(os.environ), ROOT
        if process.cold == "kernels":
            environment["NUMBA_CACHE_DIR"] = folder
        elif process.cold == "bytecode":  # of ours alone: NumPy's is there
            home = Path(folder)
            for package in PACKAGES:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / package, home / package, ignore=ignored)
        start = time.perf_counter()
        _run([sys.executable, "-c", process.code], home, environment)
        return time.perf_counter() - start


def bytes_of(name: str) -> float:
    """What the function of that name counts, in a process of its own."""
    words = _run([sys.executable, "-m", "benchmarks.probes", name], ROOT, dict(os.environ))
    return float(words.split()[-1])


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def resident() -> float:
    """Bytes of this process in memory; their greatest number so far where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return float(pages * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return peak()


def peak() -> float:
    """The most bytes of this process that were in memory at once."""
    try:  # not getrusage: there a process inherits the peak of the one that started it
        status = Path("/proc/self/status").read_text()
        return float(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def traced(make: Callable[[], Any]) -> tuple[float, Any]:
    """Bytes that are held because of what `make` gives, and that."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made = make()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return float(held), made


def numpy_alone() -> float:
    """A process that imported NumPy."""
    import numpy  # noqa: F401, ICN001

    return resident()


def imported() -> float:
    """A process that imported us."""
    import autograd  # noqa: F401
    import nn  # noqa: F401
    import optim  # noqa: F401

    return resident()


def trained() -> float:
    """The most that a process takes which trains XOR, compiled."""
    exec(XOR.format(steps=1000), {})
    return peak()


def _links(grad: bool) -> float:
    import autograd

    start, one, count = autograd.ones(4, requires_grad=grad), autograd.ones(4), 1000

    def chain() -> Any:
        x, kept = start, []
        for _ in range(count):
            x = x + one
            kept.append(x)
        return kept

    chain()
    return traced(chain)[0] / count


def bytes_result() -> float:
    """A result of 4 numbers, with its tensor."""
    return _links(False)


def bytes_node() -> float:
    """What a node adds to that."""
    return _links(True) - _links(False)


def _plan(name: str) -> float:
    import autograd
    from benchmarks.overhead import training_step

    def held() -> float:
        step, arguments = training_step(name)
        step(*arguments)

        def make() -> Any:
            fast = autograd.compile(step)
            for _ in range(5):
                fast(*arguments)
            return fast

        return traced(make)[0]

    held()  # kernels are loaded, and other things made once
    return held()


def bytes_plan_xor() -> float:
    """The plan of XOR's training step, with its memory."""
    return _plan("xor")


def bytes_plan_mlp() -> float:
    """The plan of 784-512-256-10, batch 128."""
    return _plan("mlp")


def _growth(compiled: bool, steps: int, pages: bool) -> float:
    import autograd
    from benchmarks.overhead import training_step

    step, arguments = training_step("xor")
    step = autograd.compile(step) if compiled else step

    def several() -> None:
        for _ in range(steps):
            step(*arguments)

    several()
    if not pages:
        return traced(several)[0] / steps
    before = resident()
    several()
    return (resident() - before) / steps


def growth_eager() -> float:
    """By tracemalloc, in 2,000 steps."""
    return _growth(False, 2_000, pages=False)


def growth_compiled() -> float:
    """By tracemalloc, in 20,000 replays."""
    return _growth(True, 20_000, pages=False)


def pages_eager() -> float:
    """By pages, in 20,000 steps."""
    return _growth(False, 20_000, pages=True)


def pages_compiled() -> float:
    """By pages, in 200,000 replays."""
    return _growth(True, 200_000, pages=True)


MEMORY = {
    "numpy_alone": "control: a process that imported NumPy",
    "imported": f"... that did {IMPORT}",
    "trained": "... that trained XOR for 1,000 compiled steps, at its peak",
    "bytes_result": "a result of 4 numbers: its array and tensor",
    "bytes_node": "a node of the graph (an addition)",
    "bytes_plan_xor": "a plan of XOR 2-4-1, batch 4",
    "bytes_plan_mlp": "a plan of 784-512-256-10, batch 128, gradients included",
    "growth_eager": "growth per eager step of XOR, objects and arrays",
    "growth_compiled": "growth per replay",
    "pages_eager": "growth per eager step, pages of the process",
    "pages_compiled": "growth per replay, pages",
}
"""Functions of this module, and what they count."""

if __name__ == "__main__":
    print(globals()[sys.argv[1]]())
