"""What a node keeps of its inputs, read off the parameters of the op's vjps."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd.op import Op


@dataclass(frozen=True)
class Plan:
    """What a node keeps, given which inputs want a gradient."""

    parents: tuple[int, ...]
    keep: tuple[int, ...]
    """Inputs that a vjp reads."""
    keeps_out: bool
    calls: tuple[tuple[Callable[..., Any], Any, Any], ...]
    """For each parent, last first, (vjp, pick, sources).

    `pick` takes the arguments out of (g, out, *kept inputs); where that does not give them all it
    is None and `sources` says where each comes from, or is None too where `g` is the only one.
    """
    specs: bool
    """True when a vjp asks for shapes or dtypes."""


def make_plan(op: Op, wanted: list[bool]) -> Plan:
    """The plan for a backward pass to the inputs where `wanted` is true."""
    parents = [i for i, want in enumerate(wanted) if want and op.vjp and op.vjp_of(i)]
    found = []
    for i in parents:
        vjp = op.vjp_of(i)
        found.append((vjp, [_source(op, name, i) for name in inspect.signature(vjp).parameters]))
    sources = {source for _, its in found for source in its}
    keep = {detail for kind, detail in sources if kind == "input"}
    if ("rest", None) in sources:
        keep.update(range(len(op.inputs) - 1, len(wanted)))
    order = sorted(keep)
    calls: list[tuple[Callable[..., Any], Any, Any]] = []
    for vjp, its in found:
        placed = [("input", order.index(d)) if kind == "input" else (kind, d) for kind, d in its]
        slots = {"g": 0, "out": 1, "input": 2}
        if placed == [("g", None)]:
            calls.append((vjp, None, None))
        elif len(placed) > 1 and all(kind in slots for kind, _ in placed):
            pick = operator.itemgetter(*(slots[kind] + (d or 0) for kind, d in placed))
            calls.append((vjp, pick, None))
        else:
            calls.append((vjp, None, tuple(placed)))
    return Plan(
        parents=tuple(parents),
        keep=tuple(order),
        keeps_out=("out", None) in sources,
        calls=tuple(reversed(calls)),
        specs=any(kind in ("shape", "dtype", "shapes") for kind, _ in sources),
    )


def _source(op: Op, name: str, i: int) -> tuple[str, Any]:
    """Where a vjp's parameter `name` comes from."""
    base, _, suffix = name.rpartition("_")
    rest = op.inputs[-1] if op.variadic else None
    if name in ("g", "out"):
        return name, None
    if name == "i" and op.variadic:
        return "constant", i - len(op.inputs) + 1
    if name in op.defaults or name in op.required:
        return "meta", name
    if name == rest:
        return "rest", None
    if base == rest and suffix == "shapes":
        return "shapes", len(op.inputs) - 1
    if name in op.inputs:
        return "input", op.inputs.index(name)
    if base in op.inputs and base != rest and suffix in ("shape", "dtype"):
        return suffix, op.inputs.index(base)
    raise TypeError(f"op {op.name}: a vjp asks for {name!r}, which is not an input or metadata")
