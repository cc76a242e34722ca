"""One of the others at any size: `python -m benchmarks.peers.scaling_ torch_ --fused`.

What it builds, and how, stands in the module that the first argument names; the rest are options of
that module.  A request carries batch, width and depth; answers are as those of `serve`.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
import threading
import time
from typing import Any

import numpy as np

from benchmarks.peers import CONTROLS, Built, first_losses, measure
from benchmarks.workloads import layers


def workload(batch: int, width: int, depth: int) -> dict[str, Any]:
    """A classifier of `width` numbers into 10, with `depth` hidden layers of that width.

    Weights have He's variance: with `nn.Linear`'s a deep net's numbers would become denormal, and
    those are slow.
    """
    rng = np.random.default_rng([batch, width, depth])
    made = layers(rng, *[width] * (depth + 1), 10)
    return {
        "x": rng.standard_normal((2, batch, width), np.float32),
        "y": rng.integers(0, 10, (2, batch)),
        "layers": [(weight * np.float32(6**0.5), bias) for weight, bias in made],
        "lr": 1e-3,
    }


def warm(built: Built) -> None:
    """Call it until it is as it will be: a compiled step records and plans in its first calls."""
    for _ in range(8):
        built.step()


def in_parallel(steps: list[Built], seconds: float) -> float:
    """Seconds per step of all together, each stepping in a thread of its own for so long."""
    for built in steps:
        warm(built)
    start, counts = threading.Barrier(len(steps) + 1), [0] * len(steps)

    def train(place: int) -> None:
        step, done = steps[place].step, 0
        start.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            step()
            done += 1
        counts[place] = done

    threads = [threading.Thread(target=train, args=(k,)) for k in range(len(steps))]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - began) / sum(counts)


def main(module: Any) -> None:
    """Answer requests until stdin ends."""
    floor = not hasattr(module, "mlp")
    build = module.products if floor else module.mlp

    def made(request: dict[str, Any]) -> Built:
        w = workload(*(request[name] for name in ("batch", "width", "depth")))
        step = build(w)
        return step if isinstance(step, Built) else Built(step)

    def answer(request: dict[str, Any]) -> Any:
        seconds = request.get("seconds", 0.0)
        if request["do"] == "about":
            versions = {"python": platform.python_version(), "numpy": np.__version__}
            return {"cases": [], "versions": versions, "floor": floor}
        if request["do"] == "losses":
            return first_losses(made(request), request["count"], lambda x: x.item())
        if request["do"] == "parallel":
            return in_parallel([made(request) for _ in range(request["threads"])], seconds)
        control = CONTROLS.get(request.get("case", ""))
        built = Built(control()) if control else made(request)
        warm(built)
        return measure(built, seconds)

    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # the parent reports it and goes on
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(importlib.import_module(f"benchmarks.peers.{sys.argv[1]}"))
