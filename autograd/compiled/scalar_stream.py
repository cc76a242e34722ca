"""Scalar code that runs: its numbers, its blocks, and what a replay reads and writes around it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from sys import getrefcount

import numpy as np

from autograd.compiled import scalar_kernels
from autograd.compiled.scalar_codes import ARITY, NAMES, references
from autograd.compiled.scalar_tape import CONSTANT, ScalarTape
from autograd.compiled.trace import exact
from autograd.tensor import Tensor

_SHOWN = 12
"""Instructions of each block that a listing shows."""


@dataclass
class Stream:
    """Scalar code that runs, and what a replay reads and writes around it."""

    tape: ScalarTape
    """What it was made of."""
    values: np.ndarray
    """Leaves, then results."""
    operands: tuple[np.ndarray, np.ndarray, np.ndarray]
    blocks: list[np.ndarray]
    """Each is the runs of one block: (opcode, start, stop)."""
    order: np.ndarray
    """The recorded row of each instruction."""
    sources: list[tuple[int, Tensor]]
    """Places of leaves, and the scalars from outside that are read into them."""
    entries: list[tuple[int, Tensor]]
    """Places of leaves, and the scalars whose `.grad` is read into them."""
    updates: list[tuple[Tensor, int]]
    """Scalars that get the number of a place."""
    grads: list[tuple[Tensor, int]]
    """Scalars whose `.grad` gets it."""
    cleared: list[Tensor]
    """Scalars that have no `.grad` in the end."""
    reads: list[tuple[Tensor, float]]
    """Scalars from outside whose numbers the step read, and what they were."""
    exact: bool = True
    """The native loop gives what eager gives."""

    def __post_init__(self) -> None:
        self._from = [t for _, t in self.sources], np.array([k for k, _ in self.sources], int)
        self._before = [t for _, t in self.entries], np.array([k for k, _ in self.entries], int)
        self._to = [t for t, _ in self.updates], np.array([k for _, k in self.updates], int)
        self._slopes = [t for t, _ in self.grads], np.array([k for _, k in self.grads], int)

    def current(self) -> bool:
        """True while what comes from outside are scalars still, and those read are as they were."""
        found = [t.value for t in self._from[0]]
        found += [getattr(t._grad, "value", None) for t in self._before[0]]
        steady = all(exact(t.value) == exact(value) for t, value in self.reads)
        return steady and set(map(type, found)) <= {float}

    def load(self) -> None:
        """Read what comes from outside: before a replay."""
        scalars, places = self._from
        if scalars:
            self.values[places] = [t.value for t in scalars]
        scalars, places = self._before
        if scalars:
            self.values[places] = [t._grad.value for t in scalars]  # type: ignore[union-attr]

    def store(self) -> None:
        """Write what the step changed: after a replay."""
        for t, value in zip(self._to[0], self.values[self._to[1]].tolist()):
            t.value = value
        for t, value in zip(self._slopes[0], self.values[self._slopes[1]].tolist()):
            g = t._grad
            if g is not None and getrefcount(g) == _ALONE and type(g.value) is float:
                g.value = value  # 0.2 us less than a new one
            else:
                t._grad = Tensor.wrap(value)
        for t in self.cleared:
            t._grad = None

    def run(self, block: int) -> None:
        """Run one block."""
        if self.exact:
            scalar_kernels.run.run(self.blocks[block], *self.operands, self.values)
        else:
            self._run_in_python(block)

    def _run_in_python(self, block: int) -> None:
        """By the functions that eager calls, for a machine on which the loop computes otherwise."""
        x, y, z = self.operands
        first = self.values.size - x.size
        for code, start, stop in self.blocks[block].tolist():
            f, n = references()[code], ARITY[code]
            for i in range(start, stop):
                operands = [self.values[k[i]].item() for k in (x, y, z)[:n]]
                self.values[first + i] = f(*operands)

    def differing(self, tape: ScalarTape) -> list[str]:
        """The opcodes that do not give the recorded numbers when run on the recorded leaves."""
        leaves = self.values.size - self.order.size
        self.values[:leaves] = tape.leaves
        for block in range(len(self.blocks)):
            self.run(block)
        expected, found = np.array(tape.values)[self.order], self.values[leaves:]
        same = found.view(np.int64) == expected.view(np.int64)
        same |= np.isnan(found) & np.isnan(expected)
        return sorted({NAMES[code] for code in self._codes()[~same]})

    def _codes(self) -> np.ndarray:
        """The opcode of each instruction."""
        runs = np.concatenate([np.zeros((0, 3), np.uint32), *self.blocks]).astype(np.int64)
        return np.repeat(runs[:, 0], runs[:, 2] - runs[:, 1])

    def listing(self, block: int) -> str:
        """A summary of a block: how many there are of each opcode, and the first instructions."""
        runs = self.blocks[block].astype(np.int64)
        counts: Counter[str] = Counter()
        for code, start, stop in runs.tolist():
            counts[NAMES[code]] += stop - start
        total, first = sum(counts.values()), int(runs[0, 1])
        lines = [
            f"scalars: {total:,} instructions in {len(runs):,} runs"
            + ("" if self.exact else "   [Python]"),
            "  " + ", ".join(f"{name} {n:,}" for name, n in counts.most_common()),
        ]
        if block == 0:
            size = self.values.nbytes + sum(x.nbytes for x in (*self.operands, *self.blocks))
            lines[0] += f", of {len(self.tape.values):,} recorded; {size:,} bytes"
        lines += ["  " + self._line(i) for i in range(first, first + min(total, _SHOWN))]
        return "\n".join([*lines, "  ..."] if total > _SHOWN else lines)

    def _line(self, i: int) -> str:
        leaves, row = self.values.size - self.order.size, int(self.order[i])
        code = int(self._codes()[i])
        operands = ", ".join(self._shown(int(x[i])) for x in self.operands[: ARITY[code]])
        return f"s{leaves + i} = {NAMES[code]}({operands})   # {self.tape.where(row)}"

    def _shown(self, place: int) -> str:
        kinds = self.tape.kinds
        if place < len(kinds) and kinds[place] == CONSTANT:
            return repr(self.tape.leaves[place])
        return f"s{place}"


class Block:
    """One block of scalar code as the effect of an instruction."""

    def __init__(self, stream: Stream, number: int):
        self.stream, self.number = stream, number

    def __call__(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Run it."""
        self.stream.run(self.number)

    def __str__(self) -> str:
        return self.stream.listing(self.number)


def _count() -> int:
    """The references to a gradient that only its scalar holds, as `Stream.store` meets them."""
    t = Tensor.wrap(0.0)
    t._grad = Tensor.wrap(0.0)
    g = t._grad
    return getrefcount(g)


_ALONE = _count()
