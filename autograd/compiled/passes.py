"""Passes over a Trace, each Trace -> Trace: prune, merge, forward.  And `place`, for the memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from autograd.compiled.trace import MADE, VIEW, Instruction, Slot, Trace, exact, mapped

ALIGNMENT = 64
"""Bytes: a cache line, and what vector instructions like."""


def _with(trace: Trace, instructions: list[Instruction]) -> Trace:
    return replace(trace, instructions=instructions)


def prune(trace: Trace) -> Trace:
    """Leave out what nothing reads: no effect, and it is not returned or a gradient."""
    needed = set(trace.kept)
    kept = []
    for instruction in reversed(trace.instructions):
        out = instruction.out
        must = instruction.effect or (instruction.op is not None and instruction.op.checks)
        if must or (out is not None and _reads(out, needed)):
            kept.append(instruction)
            needed.update(slot for slot in instruction.slots())
            needed.update(slot.root for slot in instruction.slots())
    return _with(trace, kept[::-1])


def _reads(out: Slot, needed: set[Slot]) -> bool:
    return out in needed or (out.kind != VIEW and out.root in needed)


def _memories(trace: Trace) -> dict[Slot, int]:
    """By result: in how many memories the inputs of its instruction stand."""
    return {i.out: len({s.root for s in i.slots()}) for i in trace.instructions if i.out}


def _told_apart(trace: Trace, before: dict[Slot, int]) -> Trace:
    """`apart` set where inputs stand in fewer memories now: x @ x.T is not BLAS's x @ y.T."""
    after = _memories(trace)
    return _with(
        trace,
        [
            replace(i, apart=True) if i.out and after[i.out] < before[i.out] else i
            for i in trace.instructions
        ],
    )


def merge(trace: Trace) -> Trace:
    """Compute once what is computed twice from the same inputs, with no effect in between."""
    before = _memories(trace)
    known: dict[Any, Slot] = {}
    same: dict[Slot, Slot] = {}
    kept = []
    changed = _changed(trace)
    for instruction in trace.instructions:
        instruction = _renamed(instruction, same)
        if instruction.effect:
            known.clear()
        key = _key(instruction)
        out = instruction.out
        if out is None or key is None or out.root in changed:
            kept.append(instruction)
            continue
        twin = known.setdefault(key, out)
        if twin is out or {out.root, twin.root} & trace.kept:
            kept.append(instruction)
        else:
            same[out] = twin
    return _told_apart(_rename(_with(trace, kept), same), before)


def _key(instruction: Instruction) -> Any:
    if instruction.op is None or instruction.effect:
        return None
    try:
        inputs = tuple(x if isinstance(x, Slot) else exact(x) for x in instruction.inputs)
        key = (instruction.op, inputs, tuple((k, exact(v)) for k, v in instruction.meta.items()))
        hash(key)
    except TypeError:
        return None
    return key


def _changed(trace: Trace) -> set[Slot]:
    """The roots that effects read or write: their memory is not to be shared."""
    return {slot.root for i in trace.instructions if i.op is None for slot in i.slots()}


def forward(trace: Trace) -> Trace:
    """Use a copied value itself where the copy was its only use."""
    before = _memories(trace)
    uses: dict[Slot, int] = {}
    for instruction in trace.instructions:
        for slot in instruction.slots():
            uses[slot] = uses.get(slot, 0) + 1
            if slot.root is not slot:
                uses[slot.root] = uses.get(slot.root, 0) + 1
    same: dict[Slot, Slot] = {}
    kept = []
    for instruction in trace.instructions:
        instruction = _renamed(instruction, same)
        out = instruction.out
        if instruction.name == "clone" and out is not None:
            source = instruction.inputs[0]
            plain = isinstance(source, Slot) and source.kind == MADE and uses[source] == 1
            if plain and source.root not in trace.kept and source.array.flags.c_contiguous:
                same[out] = source
                uses[source] = uses.get(out, 0)
                continue
        kept.append(instruction)
    return _told_apart(_rename(_with(trace, kept), same), before)


def _renamed(instruction: Instruction, same: dict[Slot, Slot]) -> Instruction:
    if not any(slot in same for slot in instruction.slots()):
        return instruction
    inputs = tuple(same.get(x, x) if isinstance(x, Slot) else x for x in instruction.inputs)
    return replace(instruction, inputs=inputs)


def _rename(trace: Trace, same: dict[Slot, Slot]) -> Trace:
    """`same` applied to what looks into, returns or keeps a slot."""
    if not same:
        return trace
    for slot in trace.slots:
        if slot.base in same:
            slot.base = same[slot.base]
    return replace(
        trace,
        result=mapped(trace.result, lambda x: same.get(x, x) if isinstance(x, Slot) else x),
        grads={k: same.get(v, v) if v is not None else None for k, v in trace.grads.items()},
    )


PASSES: dict[str, Callable[[Trace], Trace]] = {"prune": prune, "merge": merge, "forward": forward}
"""In the order in which they run."""


# Memory


@dataclass
class Placement:
    """Where each root that the step makes stands: bytes from the start of one arena."""

    offsets: dict[Slot, int]
    size: int
    before: int
    """Bytes if nothing were used again."""


def place(trace: Trace, reuse: bool = True) -> Placement:
    """Give roots whose lives do not overlap the same memory; what is kept has memory of its own."""
    lives: dict[Slot, list[int]] = {}
    for i, instruction in enumerate(trace.instructions):
        touched = [slot.root for slot in instruction.slots()]
        if instruction.out is not None:
            touched.append(instruction.out.root)
        for slot in touched:
            if slot.kind == MADE:
                lives.setdefault(slot, [i, i])[1] = i
    for slot in trace.kept:
        if slot in lives:
            lives[slot] = [-1, len(trace.instructions)]
    offsets: dict[Slot, int] = {}
    taken: list[tuple[int, int, int, int]] = []  # (start, stop) in memory, (first, last) in time
    size = before = 0
    for slot in sorted(lives, key=lambda s: -s.array.nbytes):
        first, last = lives[slot]
        need = max(-(-slot.array.nbytes // ALIGNMENT) * ALIGNMENT, ALIGNMENT)
        before += need
        at = 0 if reuse else size
        for start, stop, born, died in sorted(taken) if reuse else ():
            if born <= last and first <= died and at < stop and start < at + need:
                at = stop
        offsets[slot] = at
        taken.append((at, at + need, first, last))
        size = max(size, at + need)
    return Placement(offsets, size, before)
