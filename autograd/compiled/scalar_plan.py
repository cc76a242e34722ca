"""From a recording of scalars to code: instructions of one kind side by side, in one native loop.

    micrograd's moons demo: 192,201 recorded, 184,800 after prune and merge, 99,600 after fuse,
    in 475 runs of one opcode: 80 us a step; 400 us in the order of recording, 850 us unfused

A value is an index: leaves (constants, parameters, arguments) first, then one per instruction.
What is computed only depends on what is less deep; so, sorted by depth and then by opcode, hundreds
of instructions of one kind stand side by side, and the choice among opcodes is made once for all of
them.  Tensor instructions that read or make scalars cut the code into blocks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autograd import kernel as kernels
from autograd.compiled import scalar_kernels
from autograd.compiled.scalar_codes import ARITY, NAMES
from autograd.compiled.scalar_stream import Block, Stream
from autograd.compiled.scalar_tape import ENTRY, LOADED, OUTSIDE as FROM_OUTSIDE, ScalarTape
from autograd.compiled.trace import NUMBER, OUTSIDE, Instruction, Slot, Trace
from autograd.tensor import Tensor

_ARITY = np.array(ARITY, np.int32)


class Code:
    """Instructions over values (leaves, then results): each pass writes into its arrays."""

    def __init__(self, tape: ScalarTape):
        rows = np.frombuffer(tape.rows, np.int32).reshape(-1, 4)
        self.leaves, self.size = len(tape.leaves), len(rows)
        self.code = rows[:, 0].copy()
        self.x = np.ascontiguousarray(self.index(rows[:, 1:]).T)
        self.same = np.arange(self.leaves + self.size, dtype=np.int32)
        self.uses = np.zeros(self.leaves + self.size, np.int32)
        self.block = np.zeros(self.size, np.int32)

    def index(self, names: np.ndarray) -> np.ndarray:
        """Names of a tape, rows r and leaves -1 - k, as indices of values."""
        return np.where(names < 0, -1 - names, names + np.int32(self.leaves))

    def found(self, names: list[int]) -> np.ndarray:
        """Where the values of these names are found, after `unify`."""
        return self.same[self.index(np.array(names, np.int32))]

    def unify(self, copies: bool, twins: bool) -> None:
        """See `scalar_kernels.unify`."""
        room = 1 << max(4, (2 * self.size).bit_length())
        table = np.full(room if twins else 1, -1, np.int32)
        scalar_kernels.unify.run(self.same, self.code, self.x, table, copies, twins)

    def stages(self, loaded: np.ndarray) -> np.ndarray:
        """For each value, how many of the leaves `loaded` have to be there, in their order."""
        stage = np.zeros(self.leaves + self.size, np.int32)
        stage[loaded] = np.arange(1, len(loaded) + 1)
        if len(loaded):
            scalar_kernels.latest.run(stage, self.code, self.x, _ARITY)
        return stage

    def shorten(self, roots: np.ndarray, prune: bool, fuse: bool) -> None:
        """Find what is needed for `roots`; fuse products into sums."""
        self.uses[roots] = 2  # so that no root is fused away
        if not prune:
            self.uses[self.leaves :] += 2
        scalar_kernels.count_uses.run(self.uses, self.code, self.x, _ARITY, not prune)
        if fuse:
            scalar_kernels.fuse.run(self.code, self.x, self.uses, self.block)

    def order(self) -> tuple[np.ndarray, np.ndarray]:
        """The instructions that are left, in the order in which they will run; and their depth."""
        level = np.zeros(self.leaves + self.size, np.int32)
        arguments = self.code, self.x, _ARITY, self.uses, self.block
        scalar_kernels.rank.run(level, *arguments)
        level = level[self.leaves :]
        left = np.flatnonzero(self.uses[self.leaves :] > 0)
        depths = np.int64(level.max(initial=0) + 1)
        key = (self.block[left] * depths + level[left]) * len(NAMES) + self.code[left]
        order = left[np.argsort(key, kind="stable")]
        return order, level[order]


def lower(trace: Trace, passes: tuple[str, ...]) -> Trace:
    """The trace with its scalars as code: blocks between its other instructions."""
    tape: ScalarTape = trace.scalars
    if not tape:
        return replace(trace, scalars=None)
    code = Code(tape)
    code.unify("forward" in passes, "merge" in passes)
    names = dict(zip(tape.slots.values(), code.found(list(tape.slots)).tolist()))
    places = _blocks(trace, code, names, code.stages(_leaves(tape, LOADED)))
    grads = {
        t: None if slot is None else names[slot]
        for t, slot in trace.grads.items()
        if type(t.value) is float and (slot is None or slot in names)
    }
    updates = [(t, int(code.found([n])[0])) for t, n in tape.updates]
    used = {slot for i in trace.instructions for slot in i.slots()} | trace.kept
    roots = [k for slot, k in names.items() if slot in used] + [k for _, k in updates]
    roots += [k for k in grads.values() if k is not None]
    code.shorten(np.array(roots, np.int64), "prune" in passes, "forward" in passes)
    stream, place = _stream(tape, code, len(places), updates, grads)
    for slot, k in names.items():
        slot.array = stream.values[place[k] : place[k] + 1].reshape(())
    return replace(
        trace,
        scalars=stream,
        instructions=_with_blocks(trace, stream, places),
        grads={t: slot for t, slot in trace.grads.items() if t not in grads},
        before=[*trace.before, stream.load],
        after=[*trace.after, stream.store],
    )


def _stream(
    tape: ScalarTape,
    code: Code,
    blocks: int,
    updates: list[tuple[Tensor, int]],
    grads: dict[Tensor, int | None],
) -> tuple[Stream, np.ndarray]:
    """The code in the order in which it runs; and where each value stands then."""
    order, depth = code.order()
    place = np.arange(len(code.same), dtype=np.uint32)
    place[code.leaves + order] = code.leaves + np.arange(len(order), dtype=np.uint32)
    values = np.zeros(code.leaves + len(order))
    values[: code.leaves] = tape.leaves
    read = [(k, t) for k, t in tape.things.items() if code.uses[k]]
    stream = Stream(
        tape=tape,
        values=values,
        operands=(place[code.x[0, order]], place[code.x[1, order]], place[code.x[2, order]]),
        blocks=_runs(code, order, depth, blocks),
        order=order,
        sources=[(k, t) for k, t in read if tape.kinds[k] == FROM_OUTSIDE],
        entries=[(k, t) for k, t in read if tape.kinds[k] == ENTRY],
        updates=[(t, int(place[k])) for t, k in updates],
        grads=[(t, int(place[k])) for t, k in grads.items() if k is not None],
        cleared=[t for t, k in grads.items() if k is None],
        reads=tape.reads,
    )
    stream.exact = kernels.JIT and not stream.differing(tape)
    return stream, place


def _leaves(tape: ScalarTape, kind: int) -> np.ndarray:
    return np.flatnonzero(np.frombuffer(tape.kinds, np.int8) == kind)


def _blocks(trace: Trace, code: Code, names: dict[Slot, int], stage: np.ndarray) -> list[int]:
    """Cut the code into blocks: before which instructions of the trace they stand.

    A block stands where something first needs it, and does all that can be done there.
    """
    places: list[int] = []
    known: list[int] = []
    loads = 0
    for at, instruction in enumerate(trace.instructions):
        if instruction.name == "load":
            loads += len(instruction.inputs) // 2
            continue
        needed = [names[s] for s in instruction.slots() if s in names]
        latest = max((int(stage[k]) for k in needed if k >= code.leaves), default=-1)
        if latest > (known[-1] if known else -1):
            places.append(at)
            known.append(loads)
    if not known or known[-1] < loads or not places:
        places.append(len(trace.instructions))
        known.append(loads)
    code.block[:] = np.searchsorted(known, stage[code.leaves :])
    return places


def _runs(code: Code, order: np.ndarray, depth: np.ndarray, count: int) -> list[np.ndarray]:
    """For each block its runs: stretches of one opcode and one depth."""
    opcode, block = code.code[order], code.block[order]
    change = (np.diff(opcode) != 0) | (np.diff(depth) != 0) | (np.diff(block) != 0)
    starts = np.concatenate([[0], np.flatnonzero(change) + 1]) if len(order) else np.zeros(0, int)
    stops = np.append(starts[1:], len(order))[: len(starts)]
    runs = np.stack([opcode[starts], starts, stops], axis=1).astype(np.uint32)
    return [np.ascontiguousarray(runs[block[starts] == k]) for k in range(count)]


def _with_blocks(trace: Trace, stream: Stream, places: list[int]) -> list[Instruction]:
    """The trace's instructions with the blocks at their places.

    Numbers are taken from arrays when they are needed, many at once; but before anything might
    change the arrays.
    """
    memory = Slot(len(trace.slots), OUTSIDE, stream.values)
    found: list[Instruction] = []
    waiting: list[Instruction] = []
    blocks = dict(zip(places, range(len(places))))
    for at, instruction in enumerate([*trace.instructions, None]):
        number = blocks.get(at)
        read = [] if instruction is None else [s for s in instruction.slots() if s.kind == NUMBER]
        if instruction is not None and instruction.name == "load":
            read = []
        elif instruction is None or instruction.effect:
            read = [memory]
        if number is not None or read:
            found += _together(waiting)
            waiting = []
        if number is not None and len(stream.blocks[number]):
            run = Block(stream, number)
            found.append(Instruction("scalars", (memory,), {}, None, run=run))
        if instruction is not None:
            (waiting if instruction.name == "load" else found).append(instruction)
    return found


def _together(loads: list[Instruction]) -> list[Instruction]:
    """Several loads as one."""
    if not loads:
        return []
    halves = [len(i.inputs) // 2 for i in loads]
    targets = [s for i, n in zip(loads, halves) for s in i.inputs[:n]]
    sources = [s for i, n in zip(loads, halves) for s in i.inputs[n:]]
    return [replace(loads[0], inputs=(*targets, *sources))]
