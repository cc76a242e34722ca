"""The loops over scalar code: those that run it, and those that make it shorter before.

A value is an index: leaves (constants, parameters, arguments) first, then one value per
instruction.  `x` (3, n) holds the operands' indices; an operand that is not there is leaf 0.
"""

from __future__ import annotations

import math
from typing import Any

from autograd import kernel as kernels
from autograd.kernel import TUPLE_ITEMS, device, elements_of, kernel, layout_known, word_at


@device
def _rare(code, a, b, c):
    """Opcodes that are too rare for loops of their own, each of which costs 0.1 s to compile."""
    if code == 11:
        return a * (b * (1.0 - b))
    if code == 12:
        return math.exp(a)
    if code == 13:
        return math.log(a) if a > 0.0 else -math.inf if a == 0.0 else math.nan
    if code == 14:
        return math.sqrt(a) if a >= 0.0 else math.nan
    if code == 15:
        return 1.0 / a if a != 0.0 else math.copysign(math.inf, a)
    if code == 16:
        return math.pow(a, b)
    if code == 17:
        return abs(a)
    if code == 18:
        return 1.0 if a > 0.0 else -1.0 if a < 0.0 else 0.0
    if code == 19:
        return a if a > b or a != a else b
    if code == 20:
        return a if a < b or a != a else b
    if code == 21:
        return 0.0 if b < c else 0.5 * a if b == c else a
    if code == 22:
        return -a * (b / c) / c
    if code == 23:
        return 0.0
    if code == 24:
        return math.sin(a) if abs(a) < math.inf else math.nan
    return math.cos(a) if abs(a) < math.inf else math.nan


@kernel
def run(runs, x, y, z, values):
    """Run instructions; each of `runs` (opcode, start, stop) is many of one kind in a row.

    So the choice among opcodes is made once for hundreds of instructions: about 1 ns each instead
    of 4.  Instruction i writes value i of the last `x.size` values.
    """
    out = values[values.size - x.size :]
    for k in range(runs.shape[0]):
        code, start, stop = runs[k, 0], runs[k, 1], runs[k, 2]
        if code == 26:
            for i in range(start, stop):
                out[i] = values[z[i]] + values[x[i]] * values[y[i]]
        elif code == 27:
            for i in range(start, stop):
                out[i] = values[z[i]] - values[x[i]] * values[y[i]]
        elif code == 0:
            for i in range(start, stop):
                out[i] = values[x[i]] + values[y[i]]
        elif code == 1:
            for i in range(start, stop):
                out[i] = values[x[i]] - values[y[i]]
        elif code == 2:
            for i in range(start, stop):
                out[i] = values[x[i]] * values[y[i]]
        elif code == 3:
            for i in range(start, stop):
                out[i] = values[x[i]] / values[y[i]]
        elif code == 4:
            for i in range(start, stop):
                out[i] = -values[x[i]]
        elif code == 5:
            for i in range(start, stop):
                out[i] = values[x[i]]
        elif code == 6:
            for i in range(start, stop):
                a = values[x[i]]
                out[i] = 0.0 if a <= 0.0 else a
        elif code == 7:
            for i in range(start, stop):
                out[i] = 0.0 if values[y[i]] <= 0.0 else values[x[i]]
        elif code == 8:
            for i in range(start, stop):
                out[i] = math.tanh(values[x[i]])
        elif code == 9:
            for i in range(start, stop):
                b = values[y[i]]
                out[i] = values[x[i]] * (1.0 - b * b)
        elif code == 10:
            for i in range(start, stop):
                a = values[x[i]]
                e = math.exp(-abs(a))
                out[i] = 1.0 / (1.0 + e) if a >= 0.0 else e / (1.0 + e)
        else:
            for i in range(start, stop):
                out[i] = _rare(code, values[x[i]], values[y[i]], values[z[i]])


@kernel
def _move_numbers(arrays, count, like):
    for k in range(count):
        source = elements_of(word_at(arrays + 8 * (count + k)), like)
        elements_of(word_at(arrays + 8 * k), like)[0] = source[0]


def move_numbers(arrays: tuple[Any, ...]) -> None:
    """The arrays, float64 of one element, are targets and then as many sources."""
    count = len(arrays) // 2
    if layout_known() and kernels.JIT:
        _move_numbers.run(id(arrays) + TUPLE_ITEMS, count, arrays[0].reshape(-1))
    else:
        for target, source in zip(arrays[:count], arrays[count:]):
            target[...] = source


@kernel
def unify(same, code, x, table, copies, twins):
    """`same[i]` becomes the first value that is value i; operands are renamed to that.

    `copies`: a copy is what it copies.  `twins`: the same opcode on the same operands is the same
    value; `table`, a power of two of -1s, is where they are looked up.
    """
    first = same.size - code.size
    for r in range(code.size):
        for k in range(3):
            x[k, r] = same[x[k, r]]
        if copies and code[r] == 5:
            same[first + r] = x[0, r]
        elif twins:
            h = (int(x[0, r]) << 32) ^ (int(x[1, r]) << 12) ^ (int(x[2, r]) << 5) ^ int(code[r])
            h = (h ^ (h >> 31)) * 0x1E3779B97F4A7C15  # wraps around
            h = (h ^ (h >> 29)) & (table.size - 1)
            while table[h] >= 0:
                t = table[h]
                alike = code[t] == code[r] and x[0, t] == x[0, r]
                if alike and x[1, t] == x[1, r] and x[2, t] == x[2, r]:
                    same[first + r] = first + t
                    break
                h = (h + 1) & (table.size - 1)
            if table[h] < 0:
                table[h] = r


@kernel
def count_uses(uses, code, x, arity, everything):
    """Add to `uses` how often each value is read by instructions that are needed themselves."""
    first = uses.size - code.size
    for k in range(code.size):
        r = code.size - 1 - k
        if uses[first + r] > 0 or everything:
            for j in range(arity[code[r]]):
                uses[x[j, r]] += 1


@kernel
def fuse(code, x, uses, block):
    """A product whose only use is to be added or subtracted becomes part of that instruction."""
    first = uses.size - code.size
    for r in range(code.size):
        if uses[first + r] == 0 or code[r] > 1:
            continue
        for k in range(2):
            j = 1 - k
            m = x[j, r] - first
            if (j == 0 and code[r] == 1) or m < 0 or code[m] != 2 or uses[first + m] != 1:
                continue
            if block[m] == block[r]:
                x[2, r] = x[1 - j, r]
                x[0, r], x[1, r] = x[0, m], x[1, m]
                code[r] = 26 + code[r]
                uses[first + m] = 0
                break


@kernel
def rank(level, code, x, arity, uses, block):
    """`level[i]`: how many instructions of its block stand one behind the other up to value i."""
    first = level.size - code.size
    for r in range(code.size):
        if uses[first + r] == 0:
            continue
        deepest = 0
        for j in range(arity[code[r]]):
            i = x[j, r]
            if i >= first and block[i - first] == block[r] and level[i] > deepest:
                deepest = level[i]
        level[first + r] = deepest + 1


@kernel
def latest(stage, code, x, arity):
    """`stage[i]`: the last of the numbers taken from arrays that value i depends on."""
    first = stage.size - code.size
    for r in range(code.size):
        for j in range(arity[code[r]]):
            if stage[x[j, r]] > stage[first + r]:
                stage[first + r] = stage[x[j, r]]
