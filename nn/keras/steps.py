"""One of a model's steps (train, test, predict), run in Python or as a recorded plan.

A program stands for one form and one set of shapes of a batch.  It runs in Python until it has
been called often enough for a recording to pay; from then on natively, many batches in one call.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any

import numpy as np

import autograd
from autograd import Tensor, dtypes
from autograd.modes import modes
from nn.keras import nests
from nn.keras.callbacks.callback import sorted_logs
from nn.keras.data import pack_x_y_sample_weight
from nn.keras.recording import Recorded, Unrecordable

Batch = tuple[np.ndarray, ...]
WORTH = 16
"""A recording is made where so many calls are known to come; it costs about 50 steps of XOR."""
PATIENCE = 8
"""Where it is not known how many come: after so many."""
_MOST = 32
"""Programs that are kept."""
_AGAIN = 16
_UNSTEADY = (
    "It was recorded again and again, since attributes of a module, or what is trainable, were"
    " changed between steps. Remedy: keep such values elsewhere, e.g. on the callback"
)


class _Call:
    """A step as a function of tensors, which does not keep the model alive."""

    def __init__(self, model: Any, name: str, form: Any):
        self._model = weakref.ref(model)
        self.__name__ = name
        self.__func__ = getattr(type(model), name)
        self.form = form
        self.layout: list[tuple[str, tuple[int, ...]]] = []
        self.numbers = True
        """True where all values of the logs are numbers, and none an array of one."""
        self.out_form: Any = nests.LEAF

    @property
    def __self__(self) -> Any:
        return self._model()

    def __call__(self, *tensors: Tensor) -> Any:
        data = nests.together(self.form, tensors)
        if len(data) == 1:
            data = pack_x_y_sample_weight(*data)
        before = modes.grad
        try:
            modes.grad = self.__name__ == "train_step"
            out = getattr(self._model(), self.__name__)(data)
        finally:
            modes.grad = before
        if self.__name__ == "predict_step":
            self.out_form, leaves = nests.apart(out)
            return leaves[0] if len(leaves) == 1 else leaves
        if not isinstance(out, (dict, type(None))):
            raise ValueError(
                f"{self.__name__} returns a dict of the names and values to be shown, or None; got"
                f" {type(out).__name__}"
            )
        return out if modes.recorder is None else self._packed(out)

    def _packed(self, logs: Any) -> Any:
        """All values of the logs in one tensor, so that many batches run in one native call."""
        flat = _flat_logs(logs)
        if not flat or not all(_is_number(v) for v in flat.values()):
            return logs
        parts = [v.detach() if isinstance(v, Tensor) else _constant(v) for v in flat.values()]
        wide = any(p.dtype is dtypes.float64 for p in parts)
        dtype = dtypes.float64 if wide else dtypes.float32
        self.layout = [(name, p.shape) for name, p in zip(flat, parts)]
        self.numbers = not any(p.shape for p in parts)
        rows = [p.to(dtype).reshape(p.numel()) for p in parts]
        return autograd.cat(rows) if len(rows) > 1 else rows[0]

    def unpacked(self, values: Any) -> dict[str, Any]:
        """The logs of a step, from what it returned or from its row of a replay."""
        if values is None or isinstance(values, dict):
            return sorted_logs(_flat_logs(values))
        row = values.detach().array if isinstance(values, Tensor) else values
        if self.numbers:
            return dict(zip([name for name, _ in self.layout], row.tolist()))
        logs, at = {}, 0
        for name, shape in self.layout:
            size = int(np.prod(shape))
            part = row[at : at + size]
            logs[name] = part.reshape(shape).copy() if shape else part.item()
            at += size
        return logs


def _flat_logs(logs: Any) -> dict[str, Any]:
    if logs is None:
        return {}
    flat: dict[str, Any] = {}
    for name, value in sorted(logs.items()):
        flat.update(_flat_logs(value) if isinstance(value, dict) else {name: value})
    return flat


def _is_number(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray, np.generic, int, float))


def _constant(value: Any) -> Tensor:
    return Tensor.wrap(
        np.asarray(value, np.float64 if isinstance(value, np.float64) else np.float32)
    )


class Program:
    """A step on batches of one form and one set of shapes."""

    def __init__(self, model: Any, name: str, form: Any, strict: bool):
        self.call = _Call(model, name, form)
        self.strict = strict
        """RecordError where it cannot be recorded."""
        self.calls = 0
        self.recorded: Recorded | None = None
        self.reason = ""
        """Why it is not recorded, where it cannot be."""

    @property
    def native(self) -> bool:
        """True where the next batches would be replayed."""
        return self.recorded is not None and self.recorded.ready

    def prepare(self, wanted: bool, expected: int) -> None:
        """Record from the next call on, if that is `wanted` and pays for `expected` calls."""
        pays = expected >= WORTH or self.calls >= PATIENCE
        if pays and wanted and self.recorded is None and not self.reason:
            self.recorded = Recorded(self.call)

    def all(self, batches: list[Batch]) -> Any:
        """The results of a step on each: stacked in one array where all were replayed natively."""
        given = [tuple([Tensor.wrap(a) for a in batch]) for batch in batches]
        results: Any = []
        at = 0
        while at < len(given):
            found = self._many(given[at:] if at else given)
            if found is None or not len(found):
                results.append(self.one(given[at]))
                at += 1
                continue
            self.calls += len(found)
            if len(found) == len(given):
                return found
            results += list(found)
            at += len(found)
        return results

    def _many(self, batches: list[tuple[Tensor, ...]]) -> Any:
        if self.recorded is None:
            return None
        try:
            return self.recorded.many(batches)
        except IndexError:
            self._explain(batches)
            raise

    def one(self, tensors: tuple[Tensor, ...]) -> Any:
        """The result of a step; where it is replayed, in a third of the time of a list of one."""
        self.calls += 1
        recorded = self.recorded
        if recorded is None:
            return self.call(*tensors)
        try:
            result = recorded(*tensors)
        except Unrecordable as stop:
            if self.strict:
                raise stop.reason from None
            self.recorded, self.reason = None, str(stop.reason)
            return stop.result
        except IndexError:
            self._explain([tensors])
            raise
        again = recorded.recordings
        if again >= _AGAIN and 2 * again > self.calls and not self.strict:
            self.recorded, self.reason = None, _UNSTEADY
        return result

    def _explain(self, batches: list[tuple[Tensor, ...]]) -> None:
        """Raise what Python says of the labels: with the layer, shapes and a remedy, if it can."""
        model = self.call.__self__
        if self.call.__name__ != "predict_step":
            judge = _Call(model, "test_step", self.call.form)
            for tensors in batches:
                judge(*tensors)

    def logs(self, results: Any) -> dict[str, Any]:
        """The logs after the last of the steps."""
        return self.call.unpacked(results[-1])


class Runner:
    """The programs of one step of a model."""

    def __init__(self, model: Any, name: str, compiled: bool, strict: bool = False):
        self._model = weakref.ref(model)
        self.name, self.compiled, self.strict = name, compiled, strict
        self.programs: OrderedDict[Any, Program] = OrderedDict()
        self.told = False

    def program(self, form: Any, batch: Batch, expected: int = 0) -> Program:
        """The program for batches like this one; `expected`: how many are known to come."""
        key = (form, *[(a.shape, a.dtype) for a in batch])
        program = self.programs.get(key)
        if program is None:
            program = self.programs[key] = Program(self._model(), self.name, form, self.strict)
            if len(self.programs) > _MOST:
                self.programs.popitem(last=False)
        self.programs.move_to_end(key)
        program.prepare(self.compiled, expected)
        return program

    def reason(self) -> str:
        """Why the step runs in Python, said once; "" where it does not, or was said."""
        if self.told:
            return ""
        found = next((p.reason for p in self.programs.values() if p.reason), "")
        self.told = bool(found)
        return found

    def __deepcopy__(self, memo: Any) -> None:
        return None

    def __reduce__(self) -> Any:
        return (_nothing, ())


def _nothing() -> None:
    """In place of a Runner in a file or a copy: the model makes a new one."""
