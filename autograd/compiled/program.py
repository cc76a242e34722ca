"""A program: a bound trace, as native segments and Python calls that run one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.compiled import native
from autograd.compiled.trace import Instruction, Slot, layout
from autograd.kernel import TUPLE_ITEMS


@dataclass
class Bound:
    """One instruction of the trace, bound."""

    instruction: Instruction
    rows: list[Any] = field(default_factory=list)
    python: Callable[[], Any] | None = None
    """What is called instead of the rows, or after them, where the op is not native."""
    why: str = ""
    again: Callable[[], Any] | None = None
    """What eager would do, for when a native instruction reports that the data is special."""


@dataclass
class Program:
    """A bound trace: its memory, and parts that run one after the other."""

    arena: np.ndarray
    arrays: dict[Slot, np.ndarray]
    bound: list[Bound]
    parts: list[Any]
    """Native segments, each an array of instructions, and functions to call between them."""
    keep: list[Any]
    ends: list[list[tuple[int, Bound]]]
    """For each part: where the instructions of each Bound end."""
    heads: int
    """How many instructions copy arguments, and refuse those that are not like the recorded."""
    inputs: tuple[np.ndarray, ...] = ()
    """Where arguments are copied to, if no instruction does that."""

    def run(self, given: tuple[np.ndarray, ...]) -> None:
        """Run all parts.  Refused is raised where an instruction did not do as it was recorded."""
        at = id(given) + TUPLE_ITEMS
        for buffer, array in zip(self.inputs, given):
            if type(array) is not np.ndarray or buffer.dtype != array.dtype:
                raise Refused(0)
            if buffer.shape != array.shape:
                raise Refused(0)
            np.copyto(buffer, array)
        for place, part in enumerate(self.parts):
            if type(part) is np.ndarray:
                failed = native.replay.run(part, 0, len(part), at)
                if failed >= 0:
                    self.resume(failed, place)
            else:
                part()

    def resume(self, failed: int, place: int = 0) -> None:
        """Go on where an instruction of a part failed: with what eager does there, which may raise.

        So an index out of range is eager's error, and what came before it happened once.  Refused,
        with nothing done, where it was an argument that is not like the recorded one.
        """
        part, ends = self.parts[place], self.ends[place]
        while failed >= 0:
            if place == 0 and failed < self.heads:
                raise Refused(failed)
            end, bound = next((e, b) for e, b in ends if failed < e)
            assert bound.again is not None
            bound.again()
            failed = native.replay.run(part, end, len(part), 0) if end < len(part) else -1


class Refused(Exception):
    """A native instruction reported that this call is not like the recorded one."""


def parts_of(rows: list[Any], bounds: list[Bound]) -> tuple[list[Any], list[Any]]:
    """Native segments and Python calls in order; and where in a segment each Bound's rows end."""
    parts: list[Any] = []
    ends: list[Any] = []
    marks: list[tuple[int, Bound]] = []
    rows = list(rows)
    for bound in bounds:
        rows += bound.rows
        if bound.rows:
            marks.append((len(rows), bound))
        if bound.python is not None:
            if rows:
                parts.append(np.array(rows, np.int64))
                ends.append(marks)
            parts.append(bound.python)
            ends.append([])
            rows, marks = [], []
    if rows:
        parts.append(np.array(rows, np.int64))
        ends.append(marks)
    return parts, ends


# Memory that lies like the recorded


def laid_like(like: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
    """An array of the shape, dtype and layout of `like`, in `memory` or new."""
    order = layout(like) or tuple(range(like.ndim))
    shape = [like.shape[d] for d in order]
    made = np.empty(shape, like.dtype) if memory is None else memory.view(like.dtype).reshape(shape)
    return made if order == tuple(range(like.ndim)) else made.transpose(np.argsort(order))


def stack_like(one: np.ndarray, count: int) -> np.ndarray:
    """Room for `count` arrays whose bytes stand one behind the other, each laid like `one`."""
    order = layout(one) or tuple(range(one.ndim))
    made = np.empty((count, *[one.shape[d] for d in order]), one.dtype)
    return made.transpose(0, *(1 + np.argsort(order))) if one.ndim else made
