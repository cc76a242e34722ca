"""Comparing two recordings: a compiled step must be the same program at each call."""

from __future__ import annotations

from typing import Any

from autograd.compiled.scalar_compare import unlike
from autograd.compiled.trace import OUTSIDE, Instruction, Slot, Trace, exact, leaves


def difference(first: Trace, second: Trace) -> tuple[str, Instruction | None] | None:
    """How the second recording differs, and at which instruction; None if they are one step."""
    if first.scalars and second.scalars:
        found = unlike(first.scalars, second.scalars)
        if found is not None:
            return found[0], Instruction("scalars", (), {}, None, where=found[1])
    for a, b in zip(first.instructions, second.instructions):
        if a.name == b.name and _constants(a.run) != _constants(b.run):
            return f"{a.name} had other options", b
        if a.name != b.name or a.op is not b.op:
            return f"the first time it ran {a.name}, the second time {b.name}", b
        if (a.out and a.out.number) != (b.out and b.out.number):
            return "its result is another one", b
        if (
            a.out
            and b.out
            and (a.out.array.shape, a.out.array.dtype)
            != (
                b.out.array.shape,
                b.out.array.dtype,
            )
        ):
            return f"its result was {a.out.array.shape}, then {b.out.array.shape}", b
        if len(a.inputs) != len(b.inputs):
            return "the number of its inputs changed", b
        for x, y in zip(a.inputs, b.inputs):
            what = _unlike(x, y)
            if what:
                return what, b
        what = _unlike_meta(a.meta, b.meta)
        if what:
            return what, b
    longer = max(first, second, key=lambda t: len(t.instructions)).instructions
    shared = min(len(first.instructions), len(second.instructions))
    if len(longer) > shared:
        when = "first" if longer is first.instructions else "second"
        return f"only the {when} time it ran {longer[shared].name}", longer[shared]
    if first.before != second.before:
        return "the hyper-parameters of an optimizer became tensors, or numbers", None
    if _shape_of(first.result) != _shape_of(second.result):
        return "it returned something else", None
    for x, y in zip(leaves(first.result), leaves(second.result), strict=True):
        what = _unlike(x, y)
        if what:
            return f"it returned something else: {what}", None
    if first.grads.keys() != second.grads.keys():
        return "it left other gradients", None
    for leaf, x in first.grads.items():
        what = _unlike(x, second.grads[leaf])
        if what:
            return f"it left other gradients: {what}", None
    random = sum("stream" in i.meta for i in second.instructions)
    if second.drawn > random:
        return "random numbers were drawn into a tensor from outside", None
    return None


def _constants(run: Any) -> Any:
    """Whose method an effect is, or the numbers that it closes over."""
    owner = getattr(run, "__self__", None)
    if owner is not None:
        return id(owner)
    cells = [c.cell_contents for c in getattr(run, "__closure__", None) or ()]
    return [exact(x) for x in cells if isinstance(x, (type(None), bool, int, float, str))]


def _shape_of(tree: Any) -> Any:
    """The nesting of a tree, with its keys, but without its leaves."""
    if isinstance(tree, (tuple, list)):
        return (type(tree), tuple(_shape_of(part) for part in tree))
    if isinstance(tree, dict):
        return (dict, tuple((key, _shape_of(part)) for key, part in tree.items()))
    return None


def _unlike(x: Any, y: Any) -> str | None:
    if isinstance(x, Slot) != isinstance(y, Slot):
        return "an input was a tensor one time and a number the other"
    if not isinstance(x, Slot):
        same = x is y or exact(x) == exact(y)
        return None if same else f"the Python number {x} became {y}"
    if x.number != y.number or x.kind != y.kind:
        return "an input is another value"
    if x.kind != OUTSIDE or x.array is y.array:
        return None
    alike = x.array.shape == y.array.shape and x.array.dtype == y.array.dtype
    if alike and x.array.tobytes() == y.array.tobytes():
        return None
    return "a tensor from outside was replaced by another one"


def _unlike_meta(a: dict[str, Any], b: dict[str, Any]) -> str | None:
    for key in a:
        try:
            same = a[key] is b[key] or bool(exact(a[key]) == exact(b[key]))
        except (ValueError, KeyError):
            same = False
        if not same:
            return f"{key} was {a[key]!r}, then {b.get(key)!r}"
    return None
