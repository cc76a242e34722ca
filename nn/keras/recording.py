"""A step that is recorded if it can be, and else runs on in Python without having been disturbed.

`autograd.compile` raises where a step does what no replay would do: here the recording ends at that
point instead, and the step goes on, since it is a real one.  So a custom `train_step` that reads
values trains as it would have, only slower.
"""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.compiled import RecordError
from autograd.compiled.depends import bare
from autograd.compiled.recorder import Recorder
from autograd.compiled.step import Step, _Entry
from autograd.compiled.trace import Trace, mapped
from autograd.modes import changes, modes
from autograd.op import Op


class _Patient(Recorder):
    """A recorder that gives up quietly."""

    reason: RecordError | None = None

    def _give_up(self, error: RecordError) -> None:
        self.reason = error
        modes.recorder, modes.observers = None, ()

    def observe(self, op: Op, inputs: Any, meta: dict[str, Any], result: Tensor) -> None:
        try:
            super().observe(op, inputs, meta, result)
        except RecordError as error:
            self._give_up(error)

    def effect(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().effect(*args, **kwargs)
        except RecordError as error:
            self._give_up(error)

    def accumulated(self, leaf: Tensor) -> None:
        try:
            super().accumulated(leaf)
        except RecordError as error:
            self._give_up(error)

    def changed(self, what: str, remedy: str) -> None:
        try:
            super().changed(what, remedy)
        except RecordError as error:
            self._give_up(error)

    def reading(self, t: Tensor, what: str) -> None:
        try:
            super().reading(t, what)
        except RecordError as error:
            self._give_up(error)


class Unrecordable(Exception):
    """The step was made, in Python: its `result`, and the `reason` why it cannot be recorded."""

    def __init__(self, reason: RecordError, result: Any):
        super().__init__(str(reason))
        self.reason, self.result = reason, result


class Recorded(Step):
    """A compiled function of tensors; Unrecordable, with its result, where it cannot be one."""

    recordings = 0

    def _record(
        self, entry: _Entry, tensors: list[Tensor], objects: list[Any], args: Any, kwargs: Any
    ) -> Any:
        began = changes[0]
        self.recordings += 1
        trace, result = self.run_recorded(tensors, objects, args, kwargs)
        try:
            with self.lock:
                self._learn(entry, trace, began)
        except RecordError as error:
            raise Unrecordable(error, result) from None
        return result

    def run_recorded(
        self, tensors: list[Tensor], objects: list[Any], args: Any, kwargs: Any
    ) -> tuple[Trace, Any]:
        """Run the step eagerly: what it did, and its result without history."""
        recorder = self._recorder(tensors, objects)
        modes.recorder, modes.observers = recorder, (recorder.observe,)
        try:
            result = self.function(*args, **kwargs)
            if recorder.reason is None:
                trace = recorder.finish(result)
        except RecordError as error:  # of `finish`, after the step
            recorder.reason = error
        finally:
            modes.recorder, modes.observers = None, ()
        result = mapped(result, bare)
        if recorder.reason is not None:
            raise Unrecordable(recorder.reason, result)
        return trace, result

    def _recorder(self, tensors: list[Tensor], objects: list[Any]) -> _Patient:
        from autograd.compiled.depends import parameters_of

        params = [p for thing in objects for p in parameters_of(thing)]
        entry = {p: p._grad for p in params if p._grad is not None}
        buffers = [b for thing in objects if hasattr(thing, "buffers") for b in thing.buffers()]
        return _Patient(tensors, entry, [*params, *buffers])

    @property
    def ready(self) -> bool:
        """True where a call like the last one would replay a plan."""
        if self.last is None:
            return False
        plan, entry, _, watched = self.last
        return entry.stamp == changes[0] and self._fits(plan, entry, watched)

    def many(self, batches: list[tuple[Tensor, ...]]) -> Any:
        """The stacked results of the first batches, run in one native call; None where it cannot.

        Fewer results than batches where one is refused: a call with that one says why.
        """
        return self._natively(batches)
