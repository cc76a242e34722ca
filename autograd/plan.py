"""What a node keeps of its inputs, and how its gradients are computed from that.

Both are read off the parameters of the op's vjps, once for each set of inputs that want a gradient.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd.op import Op

Pull = Callable[[Any, Any, Any, Any], list[Any]]
Source = tuple[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a node keeps, given which inputs want a gradient.

    `pull(g, out, kept, node)` gives the gradients of the parents, last first.  It is one generated
    line, e.g. for a product `[f1(g, kept[0]), f0(g, kept[1])]`, where f0, f1 are the op's vjps:
    interpreting the sources of their arguments took 1 us per node.  It exists three times, for the
    ops that the vjps call take Tensors, bare arrays or floats each by a shorter way.
    """

    parents: tuple[int, ...]
    keep: tuple[int, ...]
    """Inputs that a vjp reads."""
    keeps_out: bool
    specs: bool
    """True when a vjp asks for shapes or dtypes."""
    text: str
    edges: Callable[[Any], list[Any]]
    """The edges to the parents, of the inputs; generated too."""
    kept: Callable[[Any], tuple[Any, ...]]
    """Those of the inputs, or of their values, that a vjp reads."""
    versions: Callable[[Any], tuple[int, ...]]
    """The versions of those inputs, Tensors of arrays or None."""
    pull: Pull
    pull_arrays: Pull
    pull_numbers: Pull


def plan_of(op: Op, wanted: list[bool], arrays: Any, numbers: Any) -> Plan:
    """The plan for a backward pass to the inputs where `wanted` is true.

    `arrays`, `numbers`: what the name `ops` means inside the vjps when they run on bare values.
    """
    parents = [i for i, want in enumerate(wanted) if want and op.vjp and op.vjp_of(i)]
    vjps = {i: op.vjp_of(i) for i in parents}
    read = {
        i: [_source(op, name, i) for name in inspect.signature(vjps[i]).parameters] for i in vjps
    }
    sources = {source for its in read.values() for source in its}
    keep = {detail for kind, detail in sources if kind == "input"}
    tail = len(op.inputs) - 1
    if ("rest", None) in sources:
        keep.update(range(tail, len(wanted)))
    order = sorted(keep)
    version = "None if x[{0}] is None else x[{0}].version[0],"
    calls = [
        f"f{i}({', '.join(_argument(source, order, tail) for source in read[i])})"
        for i in reversed(parents)
    ]
    text = f"lambda g, out, kept, node: [{', '.join(calls)}]"
    return Plan(
        parents=tuple(parents),
        keep=tuple(order),
        keeps_out=("out", None) in sources,
        specs=any(kind in ("shape", "dtype", "shapes") for kind, _ in sources),
        text=text,
        edges=eval(f"lambda x: [{', '.join(f'x[{i}].node or x[{i}]' for i in parents)}]"),
        kept=eval(f"lambda x: ({''.join(f'x[{i}],' for i in order)})"),
        versions=eval(f"lambda x: ({''.join(version.format(i) for i in order)})"),
        pull=_generated(text, vjps, None),
        pull_arrays=_at_once(op, text, vjps, order, tuple(parents), arrays),
        pull_numbers=_generated(text, vjps, numbers),
    )


def _generated(text: str, vjps: dict[int, Callable[..., Any]], ops: Any) -> Pull:
    return eval(text, {f"f{i}": _over(vjp, ops) for i, vjp in vjps.items()})


def _at_once(
    op: Op,
    text: str,
    vjps: dict[int, Callable[..., Any]],
    order: list[int],
    parents: tuple[int, ...],
    ops: Any,
) -> Pull:
    """`pull` on arrays: by the op's own where it has one and that applies."""
    one_by_one = _generated(text, vjps, ops)
    if op.pull is None:
        return one_by_one
    kept = []
    for name in list(inspect.signature(op.pull).parameters)[2:]:
        i = -1 if name == "out" else op.inputs.index(name)
        kept.append("out" if i < 0 else f"kept[{order.index(i)}]" if i in order else "None")
    return eval(
        f"lambda g, out, kept, node: at_once({parents}, {', '.join(['g', *kept])})"
        " or one_by_one(g, out, kept, node)",
        {"at_once": op.pull, "one_by_one": one_by_one},
    )


def _over(vjp: Callable[..., Any], ops: Any) -> Callable[..., Any]:
    """`vjp` with `ops` in the place of what it knows under that name."""
    if ops is None or not isinstance(vjp, types.FunctionType) or "ops" not in vjp.__globals__:
        return vjp
    space = {**vjp.__globals__, "ops": ops}
    return types.FunctionType(vjp.__code__, space, vjp.__name__, vjp.__defaults__, vjp.__closure__)


def _source(op: Op, name: str, i: int) -> Source:
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


def _argument(source: Source, order: list[int], tail: int) -> str:
    """The expression for one argument of a vjp; `order`: which inputs stand in `kept`."""
    kind, detail = source
    if kind == "input":
        return f"kept[{order.index(detail)}]"
    return {
        "g": "g",
        "out": "out",
        "rest": f"tuple(kept[{sum(i < tail for i in order)}:])",
        "meta": f"node.meta[{detail!r}]",
        "shape": f"node.specs[{detail}][0]",
        "dtype": f"node.specs[{detail}][1]",
        "shapes": f"tuple([shape for shape, _ in node.specs[{detail}:]])",
        "constant": repr(detail),
    }[kind]
