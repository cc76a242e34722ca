"""`why`: a gradient in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.reasons.answer import Answer, Cause, Stats, stats
from autograd.reasons.causes import values_of
from autograd.reasons.missing import explain_missing, latest_root, seed_of
from autograd.reasons.trail import Trail, line_of, seen_of, trail_of
from autograd.reasons.watching import recent
from autograd.tensor import Tensor

TINY, HUGE = 1e-7, 1e4
"""Largest magnitudes below and above which a gradient is called tiny or huge."""
_FREED = (
    "the values in the graph are freed by the backward pass: run the step inside `with"
    " autograd.watch():`, or call loss.backward(retain_graph=True), and ask again"
)


def why(t: Tensor, loss: Tensor | None = None) -> Answer:
    """Say in words why the gradient of `t` is None, zero, tiny, huge or NaN, and what to do.

    The answer prints as an explanation (cause, evidence, source line, remedy); `kind`, `cause`,
    `op`, `line` and `numbers` are its fields.  `loss`: what backward() was called on; without it
    the newest living result of `t` is taken.  After an ordinary backward() the values of the graph
    are gone, and the answer says what it cannot know; inside `with autograd.watch():` it knows all.

    TypeError for what is not a Tensor.
    """
    if not isinstance(t, Tensor) or not isinstance(loss, (Tensor, type(None))):
        wrong = t if not isinstance(t, Tensor) else loss
        raise TypeError(
            f"why: expected a Tensor, got {type(wrong).__name__}; for a module ask for one of its"
            " parameters, e.g. why(model.weight)"
        )
    if t._grad is None:
        return explain_missing(t, loss)
    about = stats(t._grad.value)
    root = loss.node if loss is not None else latest_root(t)
    trail = None if root is None else trail_of(root, seed_of(root))
    edge = t.node if t.node is not None else t
    if trail is not None and edge is not root and edge not in trail.consumers:
        trail = None
    return _explain(t, edge, about, trail)


def _explain(t: Tensor, edge: Any, about: Stats, trail: Trail | None) -> Answer:
    if about.nans or about.infs:
        return _nonfinite(t, edge, about, trail)
    if about.zero:
        return _zero(edge, about, trail)
    if about.size and about.largest < TINY:
        return _scaled("tiny", edge, about, trail)
    if about.largest > HUGE:
        return _scaled("huge", edge, about, trail)
    if about.size and about.zeros > about.size // 4:
        return _partly(t, edge, about, trail)
    return Answer(
        "healthy", "healthy", f"nothing is wrong with this gradient: {about}",
        numbers=_numbers(about), chain=_chain(edge, trail),
    )  # fmt: skip


def _numbers(about: Stats) -> dict[str, float]:
    return {
        "size": about.size, "zeros": about.zeros, "nans": about.nans, "infs": about.infs,
        "largest": about.largest, "rms": about.rms,
    }  # fmt: skip


def _chain(edge: Any, trail: Trail | None) -> tuple[tuple[str, str | None, float], ...]:
    if trail is None or not trail.steps:
        return ()
    return tuple(
        (node.name, line_of(node), trail.steps[node].factor(part))
        for node, part in trail.chain(edge)
        if node in trail.steps
    )


def _unknowable(kind: str, about: Stats, edge: Any, trail: Trail | None) -> Answer:
    """What can be said where the values are gone."""
    if trail is None:
        text, names = f"the gradient is {kind}: {about}", ""
    else:
        ops = [node.name for node, _ in trail.chain(edge)]
        names = " -> ".join(ops[:12]) + (" -> ..." if len(ops) > 12 else "")
        text = f"the gradient is {kind}: {about}; it came by {names}"
    gone = "the graph that it came from is not alive any more; " if trail is None else ""
    return Answer(kind, "unknown", text, numbers=_numbers(about), unknown=gone + _FREED)


def _by(kind: str, found: list[tuple[Node, int, Cause]], about: Stats, chain: Any) -> Answer:
    node, _, cause = found[0]
    others = {c.key + c.text: c for _, _, c in found[1:]}
    others.pop(cause.key + cause.text, None)
    line = line_of(node)
    return Answer(
        kind, cause.key, f"the gradient is {kind} ({about}): {cause.text}", cause.remedy,
        node.name, line, {**_numbers(about), **cause.numbers}, chain, tuple(others.values())[:3],
        "" if line else "the source line: it is noted inside `with autograd.watch():`",
    )  # fmt: skip


def _zero(edge: Any, about: Stats, trail: Trail | None) -> Answer:
    if trail is None or not trail.steps:
        return _unknowable("zero", about, edge, trail)
    found = trail.culprits(edge, "zero")
    if found:
        return _by("zero", found, about, _chain(edge, trail))
    return Answer(
        "zero", "cancelled",
        f"the gradient is zero ({about}) although no single op made it so: the contributions of"
        " several ways cancel, or products of small numbers underflowed",
        "look for x - x, for a loss at its exact minimum, and at the factors below",
        numbers=_numbers(about), chain=_chain(edge, trail),
    )  # fmt: skip


def _nonfinite(t: Tensor, edge: Any, about: Stats, trail: Trail | None) -> Answer:
    kind = "nan" if about.nans else "inf"
    found = trail.culprits(edge, "nonfinite") if trail is not None else []
    from_forward = not found or found[0][2].key in ("forward_nonfinite", "overflow")
    noted = _noted(t, trail)
    if noted is not None and from_forward:
        in_data, name, line, ranges = noted
        said = "was given data that is" if in_data else "made values in the forward pass that are"
        return Answer(
            kind, "nan_in_data" if in_data else "forward_nonfinite",
            f"the gradient is {kind} ({about}): {name} {said} not finite, {ranges}",
            "clean the data: drop or fill the rows with NaN" if in_data
            else "keep its inputs in range: clamp, add eps, or lower the learning rate",
            name, line, _numbers(about), _chain(edge, trail),
        )  # fmt: skip
    if trail is None or not trail.steps:
        return _unknowable(kind, about, edge, trail)
    if found:
        origin = _origin(trail) if from_forward else None
        return origin or _by(kind, found, about, _chain(edge, trail))
    return _unknowable(kind, about, edge, trail)


def _noted(t: Tensor, trail: Trail | None) -> Any:
    """The first NaN or infinity of the last watch, if that is where this gradient came from."""
    seen = recent.watch
    if seen is None or not seen.knows(t):
        return None
    if trail is not None and not any(seen_of(node) for node in trail.nodes):
        return None
    return seen.bad


def _origin(trail: Trail) -> Answer | None:
    """The op of the forward pass that made the first NaN or infinity, from what nodes saved."""
    for node in reversed(trail.nodes):
        for name, v in values_of(node).items():
            if v.dtype.kind != "f" or np.isfinite(v).all():
                continue
            kind = "nan" if np.isnan(v).any() else "inf"
            if name == "out":
                return _made(kind, node)
            i = node.op.inputs.index(name) if name in node.op.inputs else -1
            parents = node.plan.parents
            maker = node.edges[parents.index(i)] if i in parents else None
            if type(maker) is Node:
                return _made(kind, maker)
            what = "the tensor that is differentiated" if maker is not None else "the data"
            return Answer(
                kind, "nan_in_data",
                f"the gradient is {kind}: {what} given to {node.name} as {name}, of shape"
                f" {v.shape}, holds {int(v.size - np.isfinite(v).sum())} values that are not"
                " finite",
                "clean the data: drop or fill the rows with NaN; for a parameter, look for the"
                " step that diverged", node.name, line_of(node),
            )  # fmt: skip
    return None


def _made(kind: str, node: Node) -> Answer:
    saved = {n: v for n, v in values_of(node).items() if n != "out" and v.dtype.kind == "f"}
    given = ", ".join(f"{n} in [{v.min():.4g}, {v.max():.4g}]" for n, v in saved.items() if v.size)
    return Answer(
        kind, "forward_nonfinite",
        f"the gradient is {kind}: {node.name} made values that are not finite in the forward pass"
        + (f" from {given}" if given else ""),
        "keep its inputs in range: clamp, add eps, or lower the learning rate", node.name,
        line_of(node),
    )  # fmt: skip


def _scaled(kind: str, edge: Any, about: Stats, trail: Trail | None) -> Answer:
    if trail is None or not trail.steps:
        return _unknowable(kind, about, edge, trail)
    way = [(n, p) for n, p in trail.chain(edge) if n in trail.steps]
    chain = _chain(edge, trail)
    sign = -1.0 if kind == "tiny" else 1.0
    logs = [sign * float(np.log10(max(f, 1e-45))) for _, _, f in chain]
    total = sum(x for x in logs if x > 0)
    if not total:
        return Answer(kind, "from_the_loss", f"the gradient is {kind} ({about}) from the loss on:"
                      " no op on the way changed it much", "scale the loss",
                      numbers=_numbers(about), chain=chain)  # fmt: skip
    worst = int(np.argmax(logs))
    several = [x for x in logs if x > 0.2]
    if logs[worst] < 0.5 * total and len(several) >= 3:
        return _through_depth(kind, about, chain, several, way, trail)
    node, part = way[worst]
    cause = trail.steps[node].causes[part]
    if cause is None:
        cause = Cause(
            f"{'small' if kind == 'tiny' else 'large'}_factor",
            f"{node.name} changed it by a factor of {chain[worst][2]:.3g}, more than any other op",
            "rescale the loss or the data",
        )
    return _by(kind, [(node, part, cause)], about, chain)


def _through_depth(
    kind: str, about: Stats, chain: Any, several: list[float], way: Any, trail: Trail
) -> Answer:
    factor = 10 ** (float(np.mean(several)) * (-1 if kind == "tiny" else 1))
    word = "vanishing" if kind == "tiny" else "exploding"
    noted = [trail.steps[n].causes[p] for n, p in way]
    others = {c.key: c for c in noted if c is not None}
    remedy = (
        "use ReLU and He initialisation, normalisation layers or residual connections"
        if kind == "tiny"
        else "clip gradients (nn.utils.clip_grad_norm_), use smaller initial weights or"
        " normalisation layers"
    )
    return Answer(
        kind, f"{word}_through_depth",
        f"the gradient is {kind} ({about}): it is {word} through depth, multiplied by about"
        f" {factor:.2g} at each of {len(several)} of the {len(chain)} ops on the way",
        remedy, numbers={**_numbers(about), "factor": factor, "ops": len(several)}, chain=chain,
        others=tuple(others.values())[:3],
    )  # fmt: skip


def _partly(t: Tensor, edge: Any, about: Stats, trail: Trail | None) -> Answer:
    if trail is None or not trail.steps:
        return _unknowable("partly zero", about, edge, trail)
    jumps: list[tuple[float, Node | None]] = [(0.0, None)]
    for node, part in trail.chain(edge):
        step = trail.steps.get(node)
        sent = step.parts[part] if step is not None else None
        if step is not None and step.came is not None and sent is not None and sent.size:
            before = step.came.zeros / max(1, step.came.size)
            jumps.append((sent.zeros / sent.size - before, node))
    where = max(jumps, key=lambda jump: jump[0])[1]
    line = line_of(where) if where is not None else None
    by = "" if where is None else f"; most of them became 0 in {where.name}"
    return Answer(
        "partly zero", "partly_zero", f"{about.zeros} of {about.size} elements of the gradient are"
        f" zero, the others up to {about.largest:.3g}{by}",
        "units of a ReLU that are negative for every sample, values that an index, a maximum or a"
        " mask did not choose, and inputs that are 0 get none: often this is as it should be",
        where.name if where is not None else None, line, _numbers(about), _chain(edge, trail),
        unknown="" if line else "the source line: it is noted inside `with autograd.watch():`",
    )  # fmt: skip
