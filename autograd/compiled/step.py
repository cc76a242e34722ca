"""`autograd.compile`: a function recorded at its first calls, and replayed from then on."""

from __future__ import annotations

import functools
import gc
import os
import threading
import time
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autograd.compiled.compare import difference
from autograd.compiled.depends import (
    aliases_of,
    bare,
    frozen,
    layout_of,
    parameters_of,
    reachable,
    split,
    tensor_of,
    watched_by,
)
from autograd.compiled.errors import RecordError
from autograd.compiled.guards import MISS, Guarded, guarded
from autograd.compiled.passes import PASSES
from autograd.compiled.plan import Plan
from autograd.compiled.program import Refused
from autograd.compiled.recorder import Recorder
from autograd.compiled.trace import Trace, leaves, mapped
from autograd.modes import changes, modes
from autograd.tensor import Tensor

ALL_PASSES = (*PASSES, "place")
_CHUNK = 0.05
"""Seconds of one native call of `loop`."""


def name_of(function: Any) -> str:
    """What a callable is called; of what has no name, such as a partial, its type's."""
    return getattr(function, "__name__", type(function).__name__)


class _Method:
    """A bound method that does not keep its instance alive."""

    def __init__(self, function: Callable[..., Any], instance: Any, gone: Callable[[Any], Any]):
        self.__func__, self.__name__ = function, name_of(function)
        try:
            self._instance = weakref.ref(instance, gone)
        except TypeError as error:
            raise TypeError(
                f"compile: {self.__name__} is a method of {type(instance).__name__}, whose"
                " __slots__ leave no room for weak references: add '__weakref__'"
            ) from error

    @property
    def __self__(self) -> Any:
        return self._instance()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        instance = self._instance()
        if instance is None:
            raise ReferenceError(
                f"compile: the instance of the method {self.__name__} is gone; a compiled method"
                " does not keep it: keep it in a variable"
            )
        return self.__func__(instance, *args, **kwargs)


class _Entry:
    """What is known under one key: a recording, and once a second one agrees, a plan."""

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self.plan: Plan | None = None
        self.stamp = -1
        self.pattern: Any = None
        self.fast: Guarded | None = None
        self.layout: Any = None
        self.tries = 100


class Step:
    """A compiled function.  Call it like the function; `plan` is what the last call replayed."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        check_every: int = 0,
        passes: Iterable[str] = ALL_PASSES,
        plans: int = 8,
    ):
        functools.update_wrapper(self, function)
        self.__name__ = name_of(function)
        self.function = function
        self.check_every, self.limit = check_every, plans
        self.passes = tuple(passes)
        unknown = set(self.passes) - set(ALL_PASSES)
        if unknown:
            raise ValueError(f"compile: no pass {sorted(unknown)}; there are {ALL_PASSES}")
        self.enabled = os.environ.get("TAPEGRAD_COMPILE", "1") != "0"
        self.entries: OrderedDict[Any, _Entry] = OrderedDict()
        self.leaves: list[Tensor] = []
        self.last: tuple[Plan, _Entry, Any, Any] | None = None
        self.fast: Guarded | None = None
        self.calls = 0
        self.lock = threading.RLock()
        self.bound: dict[int, Step] = {}  # by the id of an instance that is alive

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        at, bound = id(instance), self.bound
        if at not in bound:
            bound[at] = Step(
                _Method(self.function, instance, lambda _: bound.pop(at, None)),
                check_every=self.check_every,
                passes=self.passes,
                plans=self.limit,
            )
        return bound[at]

    def __reduce__(self) -> str:
        """Copied and pickled as a function is: by its name."""
        return getattr(self, "__qualname__", self.__name__)

    @property
    def plan(self) -> Plan | None:
        """The plan that was replayed last, or else the newest; None while there is none yet."""
        if self.last is not None:
            return self.last[0]
        made = [entry.plan for entry in self.entries.values() if entry.plan is not None]
        return made[-1] if made else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result; tensors in it are copies without history."""
        fast, stamp = self.fast, changes[0]
        if fast is not None and fast.stamp == stamp and not kwargs:
            state = modes.__dict__  # this thread's: one look-up for two
            if state.get("grad", True) is fast.grad and not state.get("observers"):
                result = fast.replay(args)
                if result is not MISS:
                    return result
        if not self.enabled or modes.observers or modes.recorder is not None:
            result = self.function(*mapped(args, tensor_of), **mapped(kwargs, tensor_of))
            return result if self.enabled else mapped(result, bare)
        if self.last is not None and not kwargs and not self.check_every:
            plan, entry, static, watched = self.last
            same = entry.stamp == stamp and static == (len(args), modes.grad)
            if same and self._fits(plan, entry, watched):
                try:
                    for a in args:
                        if a.tracked:
                            return self._slowly(args, kwargs)
                    result = plan.replay(tuple([a.value for a in args]))
                    self._guard(plan, entry, watched, len(args))
                    return result
                except (Refused, AttributeError):  # other shapes, or no tensors
                    pass
        return self._slowly(args, kwargs)

    def loop(self, batches: Iterable[Any]) -> Any:
        """Run the step on each of `batches` (tuples of arguments, e.g. a DataLoader): the results.

        From the third batch on many are run in one native call, of about 50 ms, so that Ctrl-C is
        heard.  The results are stacked (number of batches, ...) where a step returns one tensor; a
        list otherwise.  Up to 1,024 batches are read ahead: each needs arrays of its own, and what
        changes between batches (a scheduler) goes between loops.
        """
        results: list[Any] = []
        waiting: list[Any] = []
        size = 1
        for batch in batches:
            if type(batch) is not tuple:
                batch = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
            waiting.append(batch)
            if len(waiting) >= size:
                started = time.perf_counter()
                done = len(waiting)
                self._run_all(waiting, results)
                waiting = []
                spent = time.perf_counter() - started
                if self.last is not None:
                    size = max(1, min(1024, int(done * _CHUNK / max(spent, 1e-6))))
        self._run_all(waiting, results)
        if results and all(isinstance(r, np.ndarray) for r in results):
            return Tensor.wrap(np.concatenate(results))
        return [
            r
            for result in results
            for r in (map(Tensor.wrap, result) if isinstance(result, np.ndarray) else [result])
        ]

    def _run_all(self, batches: list[Any], results: list[Any]) -> None:
        while batches:
            found = self._natively(batches)
            if found is None or not len(found):
                result = self(*batches[0])
                single = isinstance(result, Tensor)
                results.append(result.detach().numpy()[np.newaxis] if single else result)
                batches = batches[1:]
            else:
                results.append(found)
                batches = batches[len(found) :]

    def _natively(self, batches: list[Any]) -> Any:
        if self.last is None or not self.enabled or modes.recorder or modes.observers:
            return None
        plan, entry, static, watched = self.last
        if entry.stamp != changes[0] or static != (len(batches[0]), modes.grad):
            return None
        if self.check_every or not self._fits(plan, entry, watched):
            return None
        after = {leaf: slot is None for leaf, slot in plan.trace.grads.items()}
        if any(after.get(t, none) != none for t, none in zip(self.leaves, entry.pattern)):
            return None  # the second step in a row is another program: it accumulates
        return plan.replay_each(batches)

    def _fits(self, plan: Plan, entry: _Entry, watched: Any) -> bool:
        if entry.pattern != tuple([t._grad is None for t in self.leaves]):
            return False
        for space, name, value in watched:
            if space.get(name) is not value:
                return False
        return plan.current()

    def _slowly(self, args: Any, kwargs: Any) -> Any:
        args, kwargs = mapped(args, tensor_of), mapped(kwargs, tensor_of)
        tensors, static = split((args, kwargs))
        watched = watched_by(self.function)
        modules, objects = reachable(self.function, args, watched)
        pattern = tuple([t._grad is None for t in self.leaves])
        aliases = aliases_of(tensors, objects, watched)
        key = (
            pattern,
            static,
            tuple((t.shape, t.dtype, t.requires_grad, layout_of(t)) for t in tensors),
            aliases,
            modes.grad,
            tuple((name, frozen(value)) for _, name, value in watched),
            tuple(m.training for m in modules),
            tuple(p.requires_grad for m in modules for p in m.parameters()),
        )
        with self.lock:
            entry = self._entry(key, pattern)
        plan = entry.plan
        fresh = entry.stamp == changes[0] and plan is not None and plan.current()
        if plan is None or not fresh:
            return self._record(entry, tensors, objects, args, kwargs)
        plain = not kwargs and not any(aliases)
        plain = plain and all(isinstance(a, Tensor) and type(a.value) is not float for a in args)
        self.last = (plan, entry, (len(args), modes.grad) if plain else None, watched)
        self.calls += 1
        given = tuple([np.ascontiguousarray(t.value).reshape(t.shape) for t in tensors])
        if self.check_every and self.calls % self.check_every == 0:
            from autograd.compiled.check import checked

            return checked(self, plan, tensors, objects, args, kwargs)
        try:
            return plan.replay(given)
        except Refused:
            result = self.function(*args, **kwargs)  # which says what is wrong with the data
            return mapped(result, bare)

    def _guard(self, plan: Plan, entry: _Entry, watched: Any, count: int) -> None:
        """Guard the next replays of this plan, once it has stayed as it is."""
        fast = entry.fast
        if fast is None or fast.layout is not plan.grads:
            fast, steady = None, entry.layout is plan.grads
            if steady and entry.tries:
                entry.tries -= 1
                fast = guarded(plan, self.leaves, entry.pattern, watched, count)
            entry.fast, entry.layout = fast, plan.grads
        self.fast = fast

    def _entry(self, key: Any, pattern: Any) -> _Entry:
        entry = self.entries.get(key)
        if entry is not None:
            self.entries.move_to_end(key)
        else:
            entry = self.entries[key] = _Entry()
            entry.pattern = pattern
            if len(self.entries) > self.limit:
                self.entries.popitem(last=False)
                self._forget()
                warnings.warn(
                    f"compile: {self.__name__} has met more than {self.limit} kinds of"
                    " arguments; the plan used least was dropped. Pad the inputs to a few shapes,"
                    " or pass compile(plans=...)",
                    RuntimeWarning,
                    stacklevel=4,
                )
        return entry

    def _forget(self) -> None:
        """Let go of the leaves that no entry knows, here and in the patterns of the keys."""
        traces = [entry.trace for entry in self.entries.values() if entry.trace is not None]
        known = {leaf for t in traces for leaf in (*t.grads, *t.entries, *t.looked)}
        kept = [k for k, leaf in enumerate(self.leaves) if leaf in known]
        if len(kept) == len(self.leaves):
            return
        self.leaves = [self.leaves[k] for k in kept]
        self.last = self.fast = None
        entries, self.entries = self.entries, OrderedDict()
        for (pattern, *rest), entry in entries.items():
            entry.fast = None  # it reads the leaves that go
            entry.pattern = tuple([pattern[k] for k in kept if k < len(pattern)])
            self.entries[(entry.pattern, *rest)] = entry

    def _record(
        self, entry: _Entry, tensors: list[Tensor], objects: list[Any], args: Any, kwargs: Any
    ) -> Any:
        """Run the step eagerly, and keep what it did."""
        began = changes[0]
        trace, result = self.run_recorded(tensors, objects, args, kwargs)
        with self.lock:
            self._learn(entry, trace, began)
        return result

    def _learn(self, entry: _Entry, trace: Trace, began: int) -> None:
        self.last = self.fast = entry.fast = None
        known = entry.plan.recorded if entry.plan is not None else entry.trace
        found = None if known is None else difference(known, trace)
        steady = entry.stamp == began  # nothing was changed since the other recording
        if known is not None and found is not None and entry.plan is None and steady:
            what, instruction = found
            raise RecordError(
                f"{self.__name__} did not do the same the second time: {what}",
                "a compiled step must be the same program at each call: pass what changes as a"
                " tensor argument, and use where() instead of `if`",
                instruction.where if instruction is not None else "",
            )
        if known is None or found is not None:
            entry.trace, entry.plan = trace, None
        elif entry.plan is None or not entry.plan.current():
            entry.plan = Plan(trace, self.passes)
        entry.stamp = changes[0]
        seen = set(self.leaves)
        for leaf in (*trace.grads, *trace.entries, *trace.looked):
            if leaf not in seen:
                seen.add(leaf)
                self.leaves.append(leaf)

    def run_recorded(
        self, tensors: list[Tensor], objects: list[Any], args: Any, kwargs: Any
    ) -> tuple[Trace, Any]:
        """Run the step eagerly: what it did, and its result without history."""
        params = [p for thing in objects for p in parameters_of(thing)]
        entry = {p: p._grad for p in params if p._grad is not None}
        buffers = [b for thing in objects if hasattr(thing, "buffers") for b in thing.buffers()]
        recorder = Recorder(tensors, entry, [*params, *buffers])
        modes.recorder, modes.observers = recorder, (recorder.observe,)
        collecting = gc.isenabled()
        gc.disable()  # nothing dies meanwhile: with 200,000 scalars it would take half of the time
        try:
            result = self.function(*args, **kwargs)
            trace = recorder.finish(result)
        finally:
            modes.recorder, modes.observers = None, ()
            recorder.scalars.release()
            if collecting:
                gc.enable()
        for t in leaves(result):
            if isinstance(t, Tensor) and t.tracked and not recorder.went_back:
                raise RecordError(
                    "the step returns a tensor that requires grad, and a replay records no graph",
                    "call backward() inside the step, or run it under autograd.no_grad()",
                )
        return trace, mapped(result, bare)


def compile(
    function: Callable[..., Any] | None = None,
    *,
    check_every: int = 0,
    passes: Iterable[str] = ALL_PASSES,
    plans: int = 8,
) -> Any:
    """Record `function` at its first calls, and replay what it did natively from then on.

    The first calls run eagerly, and are real steps; two recordings must agree.  A plan belongs to
    the shapes and dtypes of the arguments, to train or eval, to grad mode and to the set of
    trainable parameters.  Numbers of Python are constants of the plan; hyper-parameters of
    optimizers are not.  Reading a value inside (`loss.item()`, `if loss > 1`) is an error.  What
    Python does besides (`losses.append(loss)`, a counter, a hook of the user's) happens in the
    recorded calls alone: do it outside, with what the step returns.
    Scalars (`autograd.scalar`) become one float64 array and a loop over their instructions.

    `check_every`: compare each so-manieth replay with eager.  `passes`: those to run, of "prune",
    "merge", "forward", "place".  `plans`: how many are kept.  TAPEGRAD_COMPILE=0 turns it off.
    """
    if function is None:
        return functools.partial(compile, check_every=check_every, passes=passes, plans=plans)
    return Step(function, check_every=check_every, passes=passes, plans=plans)
