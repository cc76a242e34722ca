"""`watch`: note, while a step runs, what its graph does not keep, so that `why` knows everything.

Noted are the source line of every op, where values left the graph (detach, no_grad, numbers), the
first op that made NaN or infinity, and the gradient at every op with the reason where it changed.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.anomaly import user_line
from autograd.backward import _accumulate_leaf
from autograd.modes import modes, observe
from autograd.reasons.trail import Seen
from autograd.tensor import Tensor

_MOST = 100_000
"""Ops that a watch remembers; of a longer run, the last ones."""


class _Recent(threading.local):
    """The last watch of a thread, which `why` asks."""

    watch: Any = None


recent = _Recent()


@dataclass(frozen=True)
class Record:
    """One op as it ran.  `inputs`: the tag of each tensor's memory, and whether it was tracked."""

    name: str
    inputs: tuple[tuple[int, bool], ...]
    out: int
    tracked: bool
    grad: bool
    differentiable: bool
    line: str


@dataclass(frozen=True)
class Exit:
    """A tensor's values left the graph: `how` is "detach()", "item()" ..."""

    how: str
    tag: int
    line: str


class watch(observe):
    """Within it, every op is noted for `why`.  A context manager or decorator; slow, for one step.

    >>> x = autograd.tensor([-1.0], requires_grad=True)
    >>> with autograd.watch():
    ...     x.relu().sum().backward()
    >>> autograd.why(x).cause
    'dead_relu'
    """

    def __init__(self) -> None:
        super().__init__(self.look)
        self.records: deque[Record | Exit] = deque(maxlen=_MOST)
        self.nodes: deque[Any] = deque(maxlen=_MOST)
        self.bad: tuple[bool, str, str, str] | None = None
        """The first op with NaN or infinity: whether in data, name, line, ranges of its inputs."""
        self.tags: dict[Any, tuple[Any, int]] = {}
        self.made: set[int] = set()
        self.count = 0

    def _again(self) -> Any:
        return type(self)()

    def __enter__(self) -> watch:
        super().__enter__()
        recent.watch = self
        return self

    def tag(self, t: Tensor) -> int:
        """The number of a tensor's memory, which views, detached twins and stand-ins share."""
        held: Any = t.version
        if held is None:  # a scalar has none
            held = weakref.ref(t)
            known = self.tags.get(id(t))
            if known is not None and known[0]() is t:
                return known[1]
            key = id(t)
        else:
            key = id(held)
            known = self.tags.get(key)
            if known is not None and known[0] is held:
                return known[1]
        self.count += 1
        self.tags[key] = (held, self.count)
        return self.count

    def knows(self, t: Tensor) -> bool:
        """Some op inside has used or made this memory."""
        held: Any = t if t.version is None else t.version
        known = self.tags.get(id(held))
        return known is not None and (known[0] is held or t.version is None)

    def look(self, op: Any, inputs: Any, meta: Any, result: Tensor) -> None:
        """Observer of an op."""
        if modes.node is not None or sys._getframe(2).f_code is _accumulate_leaf.__code__:
            return  # of a backward pass, which the hooks on the nodes see
        line = user_line()
        given = tuple((self.tag(x), x.tracked) for x in inputs if isinstance(x, Tensor))
        out = self.tag(result)
        float_result = np.asarray(result.value).dtype.kind == "f"
        can = float_result and bool(op.vjp) and any(op.vjp)
        self.records.append(Record(op.name, given, out, result.tracked, modes.grad, can, line))
        self._check(op, inputs, result, line, [tag for tag, _ in given])
        self.made.add(out)
        node = result.node
        if node is not None and (node.hooks is None or not _seen(node)):
            node.where = line
            node.hooks = {} if node.hooks is None else node.hooks
            node.hooks[object()] = Seen(weakref.ref(node), line)
            self.nodes.append(node)

    def _check(self, op: Any, inputs: Any, result: Tensor, line: str, tags: list[int]) -> None:
        values = np.asarray(result.value)
        if self.bad is not None or values.dtype.kind != "f" or np.isfinite(values).all():
            return
        given = [np.asarray(x.value if isinstance(x, Tensor) else x) for x in inputs
                 if x is not None]  # fmt: skip
        real = [v for v in given if v.dtype.kind == "f"]
        kind = "NaN" if np.isnan(values).any() else "inf"
        if all(np.isfinite(v).all() for v in real):
            self.bad = False, op.name, line, f"{kind} from {_ranges(given)}"
        elif not any(tag in self.made for tag in tags):
            self.bad = True, op.name, line, f"given {_ranges(given)}"

    def left(self, t: Tensor, how: str) -> None:
        """Told by the tensor when its values leave the graph."""
        if modes.node is None:
            self.records.append(Exit(how, self.tag(t), user_line()))


def _seen(node: Any) -> bool:
    return any(type(hook) is Seen for hook in node.hooks.values())


def _ranges(given: list[np.ndarray]) -> str:
    shown = []
    for v in given:
        if v.dtype.kind != "f" or not v.size:
            shown.append(f"{v.dtype.name} {v.shape}")
            continue
        finite = v[np.isfinite(v)]
        bad = f", {v.size - finite.size} not finite" if finite.size < v.size else ""
        span = f"in [{finite.min():.4g}, {finite.max():.4g}]" if finite.size else "nothing finite"
        shown.append(f"{v.shape} {span}{bad}")
    return "; ".join(shown)
