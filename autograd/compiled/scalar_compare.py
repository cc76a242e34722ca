"""Comparing two recordings of scalars: all rows at once, and one by one where they differ."""

from __future__ import annotations

import numpy as np

from autograd.compiled.scalar_codes import NAMES
from autograd.compiled.scalar_tape import CONSTANT, ScalarTape
from autograd.compiled.trace import exact


def unlike(first: ScalarTape, second: ScalarTape) -> tuple[str, str] | None:
    """How the scalars of a second recording differ, and the line; None if they do the same."""
    names = ("rows", "kinds", "leaves")
    a, b = ([getattr(tape, name).tobytes() for name in names] for tape in (first, second))
    if a != b:  # leaves from outside may have other numbers
        found = _columns_unlike(first, second)
        if found is not None:
            return found
    for k in first.things.keys() | second.things.keys():
        if first.things.get(k) is not second.things.get(k):
            rows = np.frombuffer(second.rows, np.int32).reshape(-1, 4)
            used = np.flatnonzero((rows[:, 1:] == -1 - k).any(axis=1))
            where = second.where(int(used[0])) if used.size else ""
            return "a scalar from outside was replaced by another one", where
    pairs = [(x, y) for (_, x), (_, y) in zip(first.updates, second.updates)]
    pairs += list(zip(first.slots, second.slots))
    owners = [[id(t) for t, _ in tape.updates] for tape in (first, second)]
    places = [[slot.number for slot in tape.slots.values()] for tape in (first, second)]
    if owners[0] != owners[1] or places[0] != places[1]:
        return "it changed or returned other scalars", ""
    for x, y in pairs:
        what = _operand_unlike(first, second, x, y)
        if what:
            return what, ""
    return None


def _columns_unlike(first: ScalarTape, second: ScalarTape) -> tuple[str, str] | None:
    a, b = _columns(first), _columns(second)
    shared = min(len(a), len(b))
    rows = np.flatnonzero((a[:shared] != b[:shared]).any(axis=1))
    if rows.size:
        return _rows_unlike(first, second, int(rows[0]))
    if len(a) == len(b):
        return None
    longer, when = (first, "first") if len(a) > len(b) else (second, "second")
    return f"only the {when} time it ran {NAMES[longer.rows[4 * shared]]}", longer.where(shared)


def _columns(tape: ScalarTape) -> np.ndarray:
    """The rows with the bits of a constant in place of its name: what has to be the same."""
    rows = np.frombuffer(tape.rows, np.int32).reshape(-1, 4).astype(np.int64)
    kinds, leaves = np.frombuffer(tape.kinds, np.int8), np.frombuffer(tape.leaves, np.int64)
    names = rows[:, 1:]
    leaf = np.where(names < 0, -1 - names, 0)
    constant = (names < 0) & (kinds[leaf] == CONSTANT)
    return np.hstack([rows[:, :1], np.where(constant, leaves[leaf], names), constant])


def _rows_unlike(first: ScalarTape, second: ScalarTape, row: int) -> tuple[str, str]:
    (code, *xs), (other, *ys) = (tape.rows[4 * row : 4 * row + 4] for tape in (first, second))
    found = [_operand_unlike(first, second, x, y) for x, y in zip(xs, ys)]
    what = next(filter(None, found), None)
    if code != other or what is None:
        what = f"the first time it ran {NAMES[code]}, the second time {NAMES[other]}"
    return what, second.where(row)


def _operand_unlike(first: ScalarTape, second: ScalarTape, x: int, y: int) -> str | None:
    constant = [n < 0 and tape.kinds[-1 - n] == CONSTANT for tape, n in ((first, x), (second, y))]
    if all(constant):
        a, b = first.value_of(x), second.value_of(y)
        return None if exact(a) == exact(b) else f"the Python number {a} became {b}"
    return "an input is another value" if x != y or any(constant) else None
