"""Recording programs of scalars: rows of small integers instead of an object per op.

A micrograd-style step makes 200,000 numbers.  Each is a row (opcode, operands) of a compact array;
a value is named by an integer: row r by r, leaf k (a constant, a scalar from outside, a gradient
that was there before, a number taken from an array) by -1 - k.  What is named how stands in the
scalar itself, as the `version` that scalars have no other use for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiled.errors import Lines, RecordError, user_line
from autograd.compiled.scalar_codes import codes
from autograd.compiled.scalar_kernels import move_numbers
from autograd.compiled.trace import INPUT, NUMBER, Instruction, Slot, exact
from autograd.modes import modes
from autograd.op import TABLE, Op, ops
from autograd.tensor import Tensor

if TYPE_CHECKING:
    from autograd.compiled.recorder import Recorder

CONSTANT, OUTSIDE, ENTRY, LOADED = range(4)
"""Kinds of leaves."""


class ScalarTape:
    """The scalars of one recording.  `rows` holds (opcode, x, y, z) each; leaf 0 is 0.0."""

    def __init__(self, recorder: Recorder):
        self.recorder, self.serial = recorder, object()
        self.rows, self.lines = array("i"), array("i")
        self.values, self.leaves = array("d"), array("d")
        self.kinds = array("b")
        self.things: dict[int, Tensor] = {}
        """By leaf: the scalar from outside, or the one whose `.grad` was there."""
        self.by_tensor: dict[int, int] = {}
        self.gradients: dict[int, Tensor] = {}
        """By the id of a gradient that was there: whose it is."""
        self.by_node: dict[int, int] = {}
        self.constants: dict[Any, int] = {}
        self.places = Lines()
        self.slots: dict[int, Slot] = {}
        self.written: dict[int, Tensor] = {}
        self.reads: list[tuple[Tensor, float]] = []
        self.add = self._adder()
        self._leaf(CONSTANT, 0.0)

    def __bool__(self) -> bool:
        return len(self.leaves) > 1

    # Names

    def _leaf(self, kind: int, value: float, thing: Tensor | None = None) -> int:
        self.kinds.append(kind)
        self.leaves.append(value)
        if thing is not None:
            self.things[len(self.kinds) - 1] = thing
        return -len(self.kinds)

    def value_of(self, number: int) -> float:
        """What it was while recording."""
        return self.values[number] if number >= 0 else self.leaves[-1 - number]

    def _known(self, t: Tensor) -> int | None:
        """The name of a scalar that this recording has met."""
        mark = t.version
        if type(mark) is tuple and mark[1] is self.serial:
            return mark[0]
        number = self.by_tensor.get(id(t))
        if number is None and t.node is not None:
            number = self.by_node.get(id(t.node))
        return number

    def name(self, t: Tensor) -> int:
        """The name of a scalar; one that is not known is from outside, and read at each replay."""
        number = self._known(t)
        if number is None:
            number = self.by_tensor[id(t)] = self._leaf(OUTSIDE, t.value, t)
        return number

    def _constant(self, x: Any) -> int:
        x = float(x)
        key = x if x else str(x)  # 0.0 and -0.0 are equal; NaN is not, and may stand there twice
        number = self.constants.get(key)
        if number is None:
            number = self.constants[key] = self._leaf(CONSTANT, x)
        return number

    def _named(self, value: float, number: int) -> Tensor:
        t = Tensor.wrap(value)
        t.version = (number, self.serial)
        return t

    def slot(self, t: Tensor) -> Slot:
        """A scalar as a 0-d array that tensor instructions read."""
        number = self.name(t)
        slot = self.slots.get(number)
        if slot is None:
            slot = Slot(len(self.recorder.trace.slots), NUMBER, np.array(self.value_of(number)))
            self.slots[number] = slot
            self.recorder.trace.slots.append(slot)
        return slot

    # What happens

    def _adder(self) -> Callable[[Op, Any, Tensor], None]:
        """`add(op, inputs, result)`: an op gave a float.  A closure: 200,000 calls a recording."""
        serial, get_code, by_node = self.serial, codes().get, self.by_node
        name, constant, line = self.name, self._constant, self._line
        extend, append, note = self.rows.extend, self.values.append, self.lines.append
        row = -1

        def add(op: Op, inputs: Any, result: Tensor) -> None:
            nonlocal row
            found = get_code(op)
            if found is None:
                raise RecordError(
                    f"{op.name} of scalars has no instruction", "use autograd.tensor(...)"
                )
            code, places = found
            operands = [code]
            for place in places:
                x = inputs[place]
                if isinstance(x, Tensor):
                    mark = x.version
                    operands.append(mark[0] if mark is not None and mark[-1] is serial else name(x))
                else:
                    operands.append(constant(x))
            while len(operands) < 4:
                operands.append(-1)
            row += 1
            result.version = (row, serial)
            if result.node is not None:
                by_node[id(result.node)] = row
            extend(operands)
            append(result.value)
            note(line())

        return add

    def _line(self) -> int:
        """The user's line; in a backward pass that of the op whose gradient is computed."""
        row = None if modes.node is None else self.by_node.get(id(modes.node))
        return self.places.here() if row is None else self.lines[row]

    def where(self, row: int) -> str:
        """'file.py:12, in step' of a row."""
        return self.places.show(self.lines[row])

    def same(self, t: Tensor, source: Tensor) -> None:
        """`t` is a new Tensor around the number of the scalar `source`."""
        if type(source.value) is float:
            t.version = (self.name(source), self.serial)

    def make(self, value: Any) -> Tensor:
        """A new scalar: of a Python number, a constant; of a Tensor, that number."""
        if isinstance(value, Tensor):
            t = self.number_of(value)
            return self._named(t.value, self.name(t))
        return self._named(float(value), self._constant(value))

    def number_of(self, t: Tensor) -> Tensor:
        """A Tensor of one element as a scalar; what is one already, as it is."""
        if type(t.value) is float:
            return t
        number = _only(t.value)
        source = t.detach()
        if source.dtype != np.float64:
            source = TABLE["cast"](source, dtype=np.dtype(np.float64))
        source = ops.reshape(source, ()) if source.shape else source
        self.recorder.alive.append(source)
        return self._load([number], [self.recorder._slot(source)])[0]

    def _load(self, numbers: list[float], sources: list[Slot]) -> list[Tensor]:
        """New scalars from arrays of one element."""
        found = [self._named(x, self._leaf(LOADED, x)) for x in numbers]
        self._move("load", [self.slot(t) for t in found], sources)
        return found

    def _move(self, name: str, targets: list[Slot], sources: list[Slot]) -> None:
        inputs = (*targets, *sources)
        self.recorder.trace.instructions.append(
            Instruction(name, inputs, {}, None, run=move_numbers, where=user_line())
        )

    def store(self, arrays: list[np.ndarray], scalars: list[Tensor]) -> None:
        """Into each of these arrays of one element goes the number of a scalar."""
        self._move("store", list(map(self.recorder._slot, arrays)), list(map(self.slot, scalars)))

    def load(self, arrays: list[np.ndarray], scalars: list[Tensor]) -> None:
        """Each scalar becomes the number in an array of one element."""
        numbers = [a.item() for a in arrays]
        for t, found in zip(scalars, self._load(numbers, list(map(self.recorder._slot, arrays)))):
            self.set(t, found)

    def take(self, t: Tensor) -> None:
        """`t` is an argument of the step."""
        source = self.recorder._enter(INPUT, np.array(t.value))
        self.by_tensor[id(t)] = self.name(self._load([t.value], [source])[0])

    def set(self, t: Tensor, value: Any) -> None:
        """`t` becomes the number of `value`: a Tensor or a number."""
        if id(t) in self.recorder.given:
            raise RecordError(
                "an argument of the step is changed in place; a replay works on copies",
                "clone() the argument first, or do not pass it: use it from outside",
            )
        known = self.name(t)
        source = value if isinstance(value, Tensor) else self.make(value)
        number = self.name(source if type(source.value) is float else self.number_of(source))
        if type(t.version) is tuple and t.version[1] is self.serial:
            t.version = (number, self.serial)
        else:
            self.by_tensor[id(t)] = number
            if id(t) in self.gradients:
                self.recorder.trace.grads.setdefault(self.gradients[id(t)], None)
            elif number != known:
                self.written[id(t)] = t

    def gradient_read(self, leaf: Tensor) -> None:
        """`leaf.grad` is looked at: what it is at the beginning is read at each replay."""
        g = leaf._grad
        if g is None or type(g.value) is not float or self._known(g) is not None:
            return
        if not self._inside(leaf):
            self.by_tensor[id(g)] = self._leaf(ENTRY, g.value, leaf)
            self.gradients[id(g)] = leaf
            self.recorder.alive.append(g)
            self.recorder.trace.looked.append(leaf)

    def gradient_set(self, leaf: Tensor) -> None:
        """`leaf.grad` becomes another: what it is in the end is set at each replay."""
        if id(leaf) in self.recorder.given:
            raise RecordError(
                "the .grad of an argument of the step is set, and a replay has no arguments to"
                " leave a gradient in",
                "make the argument by scalar(x, requires_grad=False), or do not pass it",
            )
        if not self._inside(leaf):
            self.recorder.trace.grads.setdefault(leaf, None)

    def _inside(self, t: Tensor) -> bool:
        """True for a scalar that the step itself made."""
        return type(t.version) is tuple and t.version[1] is self.serial

    def saved(self, node: Any, place: int, value: float) -> Any:
        """What a node kept of its input `place`: the number itself where it is a constant."""
        row = self.by_node.get(id(node))
        if row is None:
            raise RecordError(
                f"a backward pass goes through {node.op.name}, which was computed before the step",
                "compute it inside the step",
            )
        number = self.rows[4 * row + 1 + place]
        if number < 0 and self.kinds[-1 - number] == CONSTANT:
            return value
        return self._named(value, number)

    def reading(self, t: Tensor) -> bool:
        """True where the value of this scalar is one that the step computes or is given."""
        number = self._known(t)
        if number is None or (number < 0 and self.kinds[-1 - number] == OUTSIDE):
            self.reads.append((t, t.value))
            self.recorder.alive.append(t)
            return False
        return number >= 0 or self.kinds[-1 - number] != CONSTANT

    def becomes_array(self, t: Tensor) -> None:
        """A scalar is given to what works on arrays, in their memory."""
        if self.reading(t):
            raise RecordError(
                "a scalar that the step computes is given to something that works on arrays",
                "compute with operators and functions of autograd, or use autograd.tensor(...)"
                " instead of autograd.scalar(...)",
            )

    def finish(self) -> None:
        """Check that nothing happened behind the recorder's back."""
        for k, t in self.things.items():
            if self.kinds[k] != OUTSIDE:
                continue
            value = self.value_of(self.by_tensor[id(t)])
            if type(t.value) is not float or exact(t.value) != exact(value):
                raise RecordError(
                    "a scalar was changed in a way that is not recorded",
                    "change it by p.data = ..., or outside of the compiled step",
                )
        for t, _ in self.reads:
            if id(t) in self.written:
                raise RecordError(
                    "the number of a scalar was read that the step changes",
                    "compute with the scalar itself, or read it outside",
                )
        self.updates = [(t, self.by_tensor[id(t)]) for t in self.written.values()]

    def release(self) -> None:
        """Forget what only the recording needs, and the recorder, which knows this tape."""
        self.by_node, self.by_tensor, self.constants = {}, {}, {}
        del self.recorder, self.add


def _only(x: np.ndarray) -> float:
    """The one element of an array."""
    if x.size != 1:
        raise RuntimeError(f"a scalar is one number; a tensor of shape {x.shape} has {x.size}")
    return float(x.item())
