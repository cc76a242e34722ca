"""Who is compared with us, and under which Python each of them runs."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Peer

VARIABLE = "TAPEGRAD_PEERS"
ENVIRONMENTS = {
    "torch": "torch numpy",
    "jax": "jax optax numpy",
    "keras": "keras tensorflow numpy",
    "others": "tinygrad mygrad scikit-learn micrograd numpy",
    "hips": "autograd numpy",
}
"""What each environment holds.  HIPS autograd has our import name, and never shares one with us."""
HERE = "here"
"""The Python that runs the suite."""

HELP = f"""\
Each framework is measured in an environment of its own, so that none disturbs another:

{
    chr(10).join(
        f"  python3 -m venv .peers/{n} && .peers/{n}/bin/pip install {what}"
        for n, what in ENVIRONMENTS.items()
    )
}

(PyTorch without CUDA: --index-url https://download.pytorch.org/whl/cpu.  tinygrad needs clang.)
Then name them, on the command line or in a JSON file that {VARIABLE} names:

  --python torch=.peers/torch/bin/python --python jax=.peers/jax/bin/python ...
  {VARIABLE}=.peers/where.json     {{"torch": ".peers/torch/bin/python", "jax": ...}}

A framework that is installed nowhere is left out, and the output says so.
"""


@dataclass(frozen=True)
class Kind:
    """A column: its name, its module under `benchmarks/peers`, its environment, its options."""

    name: str
    module: str
    environment: str
    options: tuple[str, ...] = ()
    package: str = ""
    """What `environment` must have, where that is this Python by default."""


OURS = (
    Kind("compiled", "ours", HERE, ("--compiled",)),
    Kind("loop", "ours", HERE, ("--loop",)),
    Kind("tapegrad", "ours", HERE),
)
BY_HAND = (
    Kind("floor", "floor_", HERE),
    Kind("NumPy", "numpy_", HERE),
    Kind("NumPy tuned", "numpy_tuned", HERE),
)
OTHERS = (
    Kind("PyTorch", "torch_", "torch", (), "torch"),
    Kind("PyTorch fused", "torch_", "torch", ("--fused",), "torch"),
    Kind("torch.compile", "torch_", "torch", ("--compile",), "torch"),
    Kind("JAX jit", "jax_", "jax", (), "jax"),
    Kind("JAX scan", "jax_", "jax", ("--scan",), "jax"),
    Kind("Keras", "keras_", "keras", (), "keras"),
    Kind("tinygrad", "tinygrad_", "others", (), "tinygrad"),
    Kind("scikit-learn", "sklearn_", "others", (), "sklearn"),
    Kind("MyGrad", "mygrad_", "others", (), "mygrad"),
    Kind("HIPS autograd", "hips_", "hips"),
    Kind("micrograd", "micrograd_", "others", (), "micrograd"),
)
KINDS = {kind.name: kind for kind in (*OURS, *BY_HAND, *OTHERS)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--python` and `--peers`."""
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"the Python of an environment: {', '.join(ENVIRONMENTS)}; may be repeated",
    )
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="compare with these only")


def pythons(given: Sequence[str]) -> dict[str, str]:
    """Environments and their Pythons: from `--python`, and from the file that a variable names."""
    found: dict[str, str] = {}
    if os.environ.get(VARIABLE):
        path = Path(os.environ[VARIABLE])
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{VARIABLE}={path}: {error}") from None
        if not isinstance(found, dict):
            raise ValueError(f"{VARIABLE}={path}: expected an object of names and paths")
    for text in given:
        name, equals, path_text = text.partition("=")
        if not equals:
            raise ValueError(
                f"--python {text}: expected NAME=PATH, e.g. torch=.peers/torch/bin/python"
            )
        found[name] = path_text
    for name, python in found.items():
        if name not in ENVIRONMENTS:
            known = ", ".join(ENVIRONMENTS)
            raise ValueError(f"no environment {name!r}; there are {known}")
        if not Path(python).is_file():
            raise ValueError(f"the Python of {name} is not there: {python}")
    return {name: os.path.abspath(path) for name, path in found.items()}


def python_of(kind: Kind, known: dict[str, str]) -> str | None:
    """The Python for one peer; None where there is none."""
    if kind.environment == HERE:
        return sys.executable
    if kind.environment in known:
        return known[kind.environment]
    here = kind.package and importlib.util.find_spec(kind.package) is not None
    return sys.executable if here else None


def start(
    kinds: Sequence[Kind], known: dict[str, str], threads: int = 0
) -> tuple[list[Peer], dict[str, str]]:
    """Start the peers; those that are missing, and why."""
    peers, missing = [], {}
    for kind in kinds:
        python = python_of(kind, known)
        if python is None:
            what = f"not installed here, and no --python {kind.environment}=PATH"
            missing[kind.name] = what
            continue
        try:
            peers.append(Peer(kind.name, kind.module, python, *kind.options, threads=threads))
        except RuntimeError as error:
            missing[kind.name] = str(error)
    for name, why in missing.items():
        print(f"without {name}: {why}", file=sys.stderr)
    return peers, missing


def chosen(kinds: Sequence[Kind], names: Sequence[str] | None) -> list[Kind]:
    """Those that `--peers` names, and ours and the floor in any case."""
    if names is None:
        return list(kinds)
    unknown = set(names) - set(KINDS)
    if unknown:
        raise ValueError(f"no peer {sorted(unknown)}; there are {', '.join(KINDS)}")
    always = {kind.name for kind in OURS} | {"floor"}
    return [kind for kind in kinds if kind.name in always or kind.name in names]
