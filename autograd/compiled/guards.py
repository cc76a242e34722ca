"""What has to hold for a replay, checked by the native call itself.

A step's parameters must still be the tensors with the arrays that were bound, their gradients
those which the plan made and nobody else's, and so on: some fifty facts, 30 ns each in Python, 1 ns
each where the driver reads them as words of memory.  A `Guarded` is a plan with those facts as a
table; where one does not hold it says `MISS`, has done nothing, and the caller asks in Python.

Objects are read where CPython keeps them: a slot of a Tensor, the items of a list, the count of
references.  `layout_known()` tries that out once; where it is not so there are no Guarded plans.
"""

from __future__ import annotations

import functools
import sys
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiled import encode, native
from autograd.compiled.depends import Cell
from autograd.compiled.native import MISSED
from autograd.compiled.results import (
    COUNT,
    ITEMS,
    SIZE,
    Facts,
    Results,
    slot,
    tensor_layout,
    word,
)
from autograd.compiled.turns import Turn
from autograd.kernel import layout_known as arrays_known
from autograd.modes import changes, modes
from autograd.tensor import Tensor

if TYPE_CHECKING:
    from autograd.compiled.plan import Plan
    from autograd.compiled.program import Program

MISS: Any = object()
"""Instead of a result: something is not as it was, and nothing was done."""
_TYPE = object.__basicsize__ - 8
_CONTENT = object.__basicsize__  # of a closure's cell
_TABLE = object.__basicsize__ + 16  # of a dict; behind it that of values alone, or 0
_HEAD = sys.getsizeof({}) - {}.__sizeof__()  # the garbage collector's


@functools.cache
def layout_known() -> bool:
    """True when objects of this interpreter lie in memory as this module reads them."""
    if not encode.available() or not arrays_known():
        return False
    items, mark = [None, object()], object()
    cell: Any = (lambda: mark).__closure__
    held = [mark, mark, mark]
    before = word(id(mark)) & COUNT
    held.clear()
    return (
        before - (word(id(mark)) & COUNT) == 3
        and word(id(items) + SIZE) == 2
        and word(word(id(items) + ITEMS) + 8) == id(items[1])
        and word(id((None,) * 5) + SIZE) == 5
        and word(id(items) + _TYPE) == id(list)
        and word(id(cell[0]) + _CONTENT) == id(mark)
        and all(slot(name) > 0 for name in ("value", "tracked", "_grad"))
        and getattr(sys, "_is_gil_enabled", lambda: True)()
    )


class Guarded:
    """A plan that is one native call, and the facts under which it may be made."""

    def __init__(self, plan: Plan, program: Program, facts: Facts, count: int, watched: Any):
        self.watched = watched  # alive, so that nothing else comes to stand where they are
        self.plan, self.layout = plan, plan.grads
        self.stamp, self.grad = changes[0], modes.grad
        self.turn = (Turn() if plan.pure else plan.lock).tokens
        self.program = program
        self.result = None if plan.single is None else program.arrays[plan.single]
        results = None if self.result is None else Results(self.result)
        self.tensors: Any = results and results.tensors
        self.written = [t for t in plan.trace.written if not _native_version(t)]
        counters = [t.version for t in plan.trace.written if _native_version(t)]
        versions = np.array([c.buffer_info()[0] for c in counters], np.int64)
        (code,) = program.parts
        rows, room = facts.table(), np.zeros(max(count, 1), np.int64)
        self.keep = code, rows, versions, counters, room, results
        numbers = [encode.address(code), len(code), encode.address(rows), len(rows)]
        numbers += [encode.address(versions), len(versions), encode.address(room), count]
        numbers += tensor_layout()
        numbers += [0, 0, 0, 0] if results is None else results.numbers
        self.record = np.array(numbers, np.int64)
        self.at = encode.address(self.record)
        self.run = native.entry(native.replay_guarded, self.at, 0)

    def replay(self, args: tuple[Any, ...]) -> Any:
        """The result of a replay with these arguments, or MISS."""
        try:
            del self.turn[0]
        except IndexError:  # another thread runs it
            return MISS
        try:
            failed = self.run(self.at, id(args))
            if failed < MISSED and not self.written:
                return self.tensors[MISSED - 1 - failed]
            if failed == MISSED or 0 <= failed < self.program.heads:
                return MISS
            for t in self.written if failed < 0 else self.plan.trace.written:
                t.version[0] += 1
            if failed < MISSED:
                return self.tensors[MISSED - 1 - failed]
            if failed >= 0:
                self.program.resume(failed)  # special data, on which the op may raise
            if self.result is not None:
                return Tensor.wrap(self.result.copy())
            return self.plan.result(self.program)
        finally:
            self.turn.append(None)


def _native_version(t: Tensor) -> bool:
    """True if the driver can count this tensor's version up: made so where nobody shares it."""
    if type(t.version) is list and sys.getrefcount(t.version) == 2:
        t.version = array("q", t.version)
    return type(t.version) is array


def guarded(plan: Plan, leaves: list[Tensor], pattern: Any, watched: Any, count: int) -> Any:
    """The plan as a Guarded for calls with `count` tensors, or None where it cannot be one.

    `leaves`, `pattern`: whose gradients matter, and whether they are None.  `watched`: variables
    that the function reads.
    """
    if not layout_known() or not plan.native or len(plan.first.parts) != 1:
        return None
    if plan.entries or plan.trace.before or plan.reads:
        return None
    facts = Facts()
    if plan.pure:  # nothing to do with gradients; other threads take other programs
        program = plan.take()
    else:
        program = plan.first
        _unshared(facts, plan)
        made = dict(plan.grads)
        for leaf, none in zip(leaves, pattern):
            g = made.get(leaf)
            if none != (g is None):
                return None
            facts.word(id(leaf) + slot("_grad"), id(g))
    for t, values, tracked in plan.outside:
        facts.word(id(t) + slot("value"), id(values))
        facts.word(id(t) + slot("tracked"), id(tracked))
    for bucket, held in plan.buckets:
        facts.word(id(bucket.groups) + SIZE, len(bucket.groups))
        facts.word(id(bucket.groups) + ITEMS, id(bucket.group), 8 * bucket.place)
        params = bucket.group["params"]
        facts.word(id(params) + SIZE, len(held))
        for k, p in enumerate(held):
            facts.word(id(params) + ITEMS, id(p), 8 * k)
    if not all(_variable(facts, *row) for row in watched):
        return None
    return Guarded(plan, program, facts, count, watched)


def _variable(facts: Facts, space: Any, name: str, value: Any) -> bool:
    """That a variable is what it was; False where it is not to be found in memory."""
    if isinstance(space, Cell):
        facts.word(id(space.cell) + _CONTENT, id(value))
        return True
    if type(space) is not dict or dict.__basicsize__ != _TABLE + 16:
        return False
    shared = word(id(space) + _TABLE + 8)  # values apart from the keys: those of an instance
    table = shared or word(id(space) + _TABLE)
    if shared:
        places = [8 * k for k in range(len(space)) if word(shared + 8 * k) == id(value)]
    else:  # pairs of key and value somewhere in the table
        size = sys.getsizeof(space) - dict.__basicsize__ - _HEAD
        pair = id(sys.intern(name)), id(value)
        words = [word(table + at) for at in range(0, size, 8)]
        places = [8 * k + 8 for k in range(len(words) - 1) if (words[k], words[k + 1]) == pair]
    if len(places) != 1:
        return False
    facts.word(id(space) + _TABLE + 8 * bool(shared), table)
    facts.word(id(space) + _TABLE + 8 * bool(shared), id(value), places[0])
    return True


def _unshared(facts: Facts, plan: Plan) -> None:
    """Nobody but the plan holds the gradients of the last replay, or their memory."""
    places = [(id(g), id(array), id(base)) for _, g, array, base, *_ in plan.held]
    counts = [(word(g), word(array), word(base)) for g, array, base in places]
    for place, count in zip(places, counts):
        for address, references in dict(zip(place, count)).items():
            facts.references(address, references & COUNT)
