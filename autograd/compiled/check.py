"""`check_every`: one step run eagerly, and the plan's instructions held against it one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.compiled import encode
from autograd.compiled.bind import Binder
from autograd.compiled.compare import difference
from autograd.compiled.errors import RecordError
from autograd.compiled.passes import place
from autograd.compiled.plan import Plan
from autograd.compiled.trace import MADE, OUTSIDE, Trace


def checked(step: Any, plan: Plan, tensors: Any, objects: Any, args: Any, kwargs: Any) -> Any:
    """Run the step eagerly.  RecordError if it is another program now, or computes other bytes."""
    before = {s.number: s.array.copy() for s in plan.recorded.slots if s.kind == OUTSIDE}
    trace, result = step.run_recorded(tensors, objects, args, kwargs)
    found = difference(plan.recorded, trace)
    if found is not None:
        what, instruction = found
        raise RecordError(
            f"check_every: {step.__name__} no longer does what was recorded: {what}",
            "pass what changes as a tensor argument; compile the function anew",
            instruction.where if instruction is not None else "",
        )
    scalars = plan.trace.scalars
    if scalars is not None:
        with plan.lock:
            wrong = scalars.differing(trace.scalars)
        if wrong:
            raise RecordError(
                f"check_every: {', '.join(wrong)} of scalars give other numbers when replayed",
                "report this; compile with passes=() or TAPEGRAD_COMPILE=0 meanwhile",
                "",
            )
    compare(trace, before)
    return result


def compare(trace: Trace, before: dict[int, np.ndarray]) -> None:
    """Replay a recorded trace and hold each result against the recorded one.

    `before`: what the outside slots held when it was recorded, by number.
    """
    binder = Binder(trace, place(trace, reuse=False))
    for slot in trace.slots:
        if slot.kind == OUTSIDE and slot.number in before:
            binder.arrays[slot] = before[slot.number]
    changed = {s.root for i in trace.instructions if i.op is None for s in i.slots()}
    program = binder.program()
    for bound in program.bound:
        instruction, out = bound.instruction, bound.instruction.out
        if instruction.op is None and instruction.name != "copy":
            continue  # an effect on state that the eager step has changed already
        if "stream" in instruction.meta and out is not None:
            program.arrays[out][...] = out.array  # the eager step has drawn its numbers
            continue
        if bound.rows and encode.run(bound.rows, ()) >= 0 and bound.again is not None:
            bound.again()
        if bound.python is not None:
            bound.python()
        if out is None or out.kind != MADE or out in changed:
            continue
        if program.arrays[out].tobytes() != out.array.tobytes():
            raise RecordError(
                f"check_every: {instruction.name} gives {program.arrays[out]} when replayed, but"
                f" {out.array} in eager mode",
                "report this; compile with passes=() or TAPEGRAD_COMPILE=0 meanwhile",
                instruction.where,
            )
