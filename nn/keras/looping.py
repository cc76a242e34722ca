"""Steps over the batches of an epoch, many in one native call where nobody wants to see each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Tensor
from nn.keras import nests
from nn.keras.callbacks.callback import CallbackList
from nn.keras.position import FitPosition
from nn.keras.sources import Source, ran_out
from nn.keras.steps import Program

CHUNK = 0.05
"""Seconds of one native call: so soon is Ctrl-C heard, and the bar moved."""
_LIMIT = 1024
_STOPPING = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}
"""What a callback sets on the model to end it."""


class Feed:
    """The batches of a source, epoch by epoch: an epoch is a pass, or `steps` batches."""

    def __init__(self, source: Source, steps: int | None, position: FitPosition):
        if steps is not None and (not isinstance(steps, (int, np.integer)) or steps < 1):
            raise ValueError(f"the number of steps should be a positive integer, got {steps!r}")
        self.source, self.limit, self.position = source, steps, position
        self.open = False

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, if that is known."""
        return self.limit or self.source.steps

    def begin(self) -> None:
        """Begin an epoch, or go on in the middle of one."""
        if self.open and self.limit:
            return
        if not self.position.resumed:
            self.position.begin_pass()
        self.source.begin(self.position)
        self.open = self.position.passing = True

    def take(self, count: int) -> tuple[Any, list[Any]]:
        """(form, the next batches); none at the end of the epoch."""
        if self.ended():
            return None, []
        if self.limit:
            count = min(count, self.limit - self.position.batch)
        if not self.source.ahead:
            count = 1
        form, batches = self.source.take(count)
        if not batches:
            self.close()
            if self.limit:
                ran_out()
        return form, batches

    def ended(self) -> bool:
        """True where the epoch is known to be over; so the pass may be, which is closed then."""
        position, steps = self.position, self.source.steps
        exhausted = steps is not None and position.taken >= steps
        if exhausted:
            self.close()
        return position.batch >= self.limit if self.limit else exhausted

    def close(self) -> None:
        """The pass is over."""
        if self.open:
            self.open = self.position.passing = False
            self.source.end()


class Loop:
    """Steps over the batches of an epoch, many at a time where nobody wants to see each.

    `kind`: "train", "test" or "predict".  `expected`: how many steps are known to come in all.
    """

    def __init__(self, model: Any, kind: str, feed: Feed, callbacks: CallbackList, expected: int):
        self.model, self.kind, self.feed, self.expected = model, kind, feed, expected
        self.runner = model._runner(f"{kind}_step")
        self.begin = getattr(callbacks, f"on_{kind}_batch_begin")
        self.end = getattr(callbacks, f"on_{kind}_batch_end")
        self.hooked = bool(callbacks.called_at_batches(kind))
        self.each = callbacks.every_batch_of(kind)
        self.stopping = _STOPPING[kind]
        self._size = model.steps_per_execution if self.each else 1
        self.alone = self._size == 1 and (self.each or feed.steps == 1)
        """Batches never come in numbers."""
        self._known: Any = None
        self._program: Any = None

    def run(self, interrupted: list[bool], sink: Callable[..., None] | None = None) -> Any:
        """Run the epoch: (program, results) of the last steps, None where there was none.

        `sink(program, results)` is given all of them.
        """
        feed, own, size = self.feed, vars(self.model), self._size
        own[self.stopping] = False
        last: Any = None
        while not interrupted[0]:
            first, done = feed.position.batch, 0
            while done < size:
                form, batches = feed.take(size - done)
                if not batches:
                    break
                if self.hooked and not done:
                    self.begin(first)
                last = self._steps(form, batches)
                done += len(batches)
                if sink is not None:
                    sink(*last)
                if not self.each:
                    break  # at the size that it takes now
            if not done:
                break
            if self.hooked:
                self.end(first + (size if self.each else done) - 1, self._seen(*last))
            if own[self.stopping] or feed.ended():
                break
            size = self._size
        return last

    def _steps(self, form: Any, batches: list[Any]) -> tuple[Program, Any]:
        program = self._program_for(form, batches[0])
        if self.alone:
            results: Any = [program.one(tuple([Tensor.wrap(a) for a in batches[0]]))]
        else:
            started = time.perf_counter()
            results = program.all(batches)
            if not self.each:
                self._pace(results, len(batches), time.perf_counter() - started)
        self.feed.position.advance(len(batches))
        self.expected -= len(batches)
        return program, results

    def _program_for(self, form: Any, batch: Any) -> Program:
        kind = [(a.shape, a.dtype) for a in batch]
        if self._known != (form, kind) or self._program.recorded is None:
            self._known = form, kind
            self._program = self.runner.program(form, batch, self.expected)
        return self._program

    def _seen(self, program: Program, results: Any) -> Any:
        if self.kind == "predict":
            return {"outputs": outputs_of(program, results)[-1]}
        return program.logs(results)

    def _pace(self, results: Any, done: int, spent: float) -> None:
        """How many batches are to be run in the next call: more only where they run natively."""
        if isinstance(results, np.ndarray):
            self._size = max(1, min(_LIMIT, 2 * self._size, int(done * CHUNK / max(spent, 1e-6))))
        else:
            self._size = 1


def outputs_of(program: Program, results: Any) -> list[Any]:
    """The predictions of each step, as arrays in the form of the model's output."""
    form = program.call.out_form
    found = []
    for result in results:
        leaves = result if isinstance(result, list) else [result]
        arrays = [t.detach().array if isinstance(t, Tensor) else t for t in leaves]
        found.append(nests.together(form, arrays))
    return found
