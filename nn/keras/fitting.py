"""The loops of `fit`, `evaluate` and `predict` over batches."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nn.keras import nests
from nn.keras.callbacks.callback import CallbackList, History, sorted_logs
from nn.keras.callbacks.progress import write
from nn.keras.data import split_validation, unpack_x_y_sample_weight
from nn.keras.looping import Feed, Loop, outputs_of
from nn.keras.position import FitPosition
from nn.keras.sources import ran_out, source_of
from nn.keras.steps import Program


def _list_of(model: Any, callbacks: Any, verbose: int, epochs: int, steps: Any, fit: bool) -> Any:
    if isinstance(callbacks, CallbackList):
        if fit:
            callbacks.complete(model)
        return callbacks
    return CallbackList(
        callbacks,
        add_history=fit,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )


class Testing:
    """`evaluate`."""

    def __init__(
        self, model: Any, data: Any, batch_size: Any, steps: Any, verbose: int, callbacks: Any
    ):
        self.model = model
        x, y, weight = data
        self.source = source_of(x, y, weight, batch_size, steps)
        self.feed = Feed(self.source, steps, FitPosition())
        self.callbacks = _list_of(model, callbacks, verbose, 1, self.feed.steps, False)
        model._make_ready(*self.source.first(), False)
        self.loop = Loop(model, "test", self.feed, self.callbacks, 0)
        self.resets = model._resets()
        self.interrupted = [False]

    def run(self, passes: int = 1) -> dict[str, Any]:
        """The logs at the end.  `passes`: how often it is known to be run."""
        self.callbacks.on_test_begin()
        for reset in self.resets:
            reset()
        self.feed.close()
        self.feed.position.begin_epoch(0)
        self.feed.begin()
        self.loop.expected = (self.feed.steps or 0) * passes
        last = self.loop.run(self.interrupted)
        logs = {} if last is None else last[0].logs(last[1])
        self.callbacks.on_test_end(logs)
        return logs


class Asking:
    """`predict`."""

    def __init__(self, model: Any, x: Any, batch_size: Any, steps: Any, verbose: int, cbs: Any):
        self.model = model
        self.feed = Feed(source_of(x, None, None, batch_size, steps), steps, FitPosition())
        self.callbacks = _list_of(model, cbs, verbose, 1, self.feed.steps, False)

    def run(self) -> Any:
        """The predictions of all batches, one behind the other."""
        self.callbacks.on_predict_begin()
        self.feed.begin()
        loop = Loop(self.model, "predict", self.feed, self.callbacks, self.feed.steps or 0)
        parts: list[list[np.ndarray]] = []

        def keep(program: Program, results: Any) -> None:
            if isinstance(results, np.ndarray):  # of one output, stacked
                parts.append([results.reshape(-1, *results.shape[2:])])
            else:
                found = [nests.apart(each)[1] for each in outputs_of(program, results)]
                parts.extend([[np.array(leaf) for leaf in leaves] for leaves in found])

        last = loop.run([False], keep)
        self.callbacks.on_predict_end()
        if last is None:
            raise ValueError("predict: there was no batch to predict for")
        columns = [np.concatenate(c) if len(c) > 1 else c[0] for c in zip(*parts)]
        return nests.together(last[0].call.out_form, columns)


class Fit:
    """One call of `fit`."""

    def __init__(
        self,
        model: Any,
        x: Any,
        y: Any,
        *,
        batch_size: Any,
        epochs: int,
        verbose: int,
        callbacks: Any,
        validation_split: float,
        validation_data: Any,
        shuffle: Any,
        class_weight: Any,
        sample_weight: Any,
        initial_epoch: int,
        steps_per_epoch: Any,
        validation_steps: Any,
        validation_batch_size: Any,
        validation_freq: Any,
    ):
        self.model, self.verbose = model, verbose
        self.epochs, self.initial_epoch = epochs, initial_epoch
        if not isinstance(validation_freq, (int, list, tuple, set)):
            raise ValueError(
                "Expected `validation_freq` to be a list or int. Received: validation_freq="
                f"{validation_freq} of the type {type(validation_freq)}."
            )
        self.frequency = validation_freq
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_validation(
                (x, y, sample_weight), validation_split
            )
        source = source_of(
            x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight, True
        )
        self.position = FitPosition()
        model.__dict__["fit_position"] = self.position
        self.feed = Feed(source, steps_per_epoch, self.position)
        model._make_ready(*source.first(), True)
        self.callbacks = _list_of(model, callbacks, verbose, epochs, self.feed.steps, True)
        self.loop = Loop(model, "train", self.feed, self.callbacks, 0)
        self.resets = model._resets()
        self.interrupted = [False]
        self.validation: Testing | None = None
        if validation_data is not None:
            data = unpack_x_y_sample_weight(validation_data)
            size = validation_batch_size or batch_size
            self.validation = Testing(model, data, size, validation_steps, 0, self.callbacks)
            self.validation.interrupted = self.interrupted

    def run(self) -> History:
        """Train."""
        model, logs = self.model, None
        vars(model)["stop_training"] = False
        self.callbacks.on_train_begin()
        first = self.position.epoch if self.position.resumed else self.initial_epoch
        try:
            with _heard(self.interrupted):
                for epoch in range(first, self.epochs):
                    if self.position.resumed and model.stop_training:
                        break  # it was stopped behind the epoch that was resumed
                    found = self._epoch(epoch)
                    if self.interrupted[0]:
                        break
                    if found is None:
                        break
                    logs = found
                    if model.stop_training:
                        break
        except KeyboardInterrupt:
            self.interrupted[0] = True
        self.feed.close()
        if self.interrupted[0]:
            self.position.interrupted = True
            self._say_where()
        if self.epochs > 0 and hasattr(model.optimizer, "finalize_variable_values"):
            model.optimizer.finalize_variable_values(model.trainable_variables)
        self.callbacks.on_train_end(logs)
        return model.history

    def _epoch(self, epoch: int) -> dict[str, Any] | None:
        """The logs of an epoch; None where there was no batch left."""
        position, callbacks = self.position, self.callbacks
        if position.resumed:
            position.epoch = epoch
        else:
            for reset in self.resets:
                reset()
            position.begin_epoch(epoch)
        callbacks.on_epoch_begin(epoch)
        self.feed.begin()
        position.resumed = False
        self.loop.expected = (self.feed.steps or 0) * (self.epochs - epoch) - position.batch
        last = self.loop.run(self.interrupted)
        if self.interrupted[0]:
            return None
        if last is None and not position.batch:
            if not self.feed.limit:  # else the feed has warned
                ran_out()
            return None
        logs = self._logs(last)
        if self.verbose:
            self._say_why()
        if self.validation is not None and self._due(epoch):
            found = self.validation.run(self.epochs - epoch)
            logs.update({f"val_{name}": value for name, value in found.items()})
            if self.interrupted[0]:
                return None
            logs = sorted_logs(logs)
        callbacks.on_epoch_end(epoch, logs)
        return logs

    def _logs(self, last: Any) -> dict[str, Any]:
        """The epoch's values: of its last step, or as they were where it had none left to do."""
        if last is not None:
            return last[0].logs(last[1])
        if self.position.logs is not None:
            return dict(self.position.logs)
        return sorted_logs(self.model.get_metrics_result())

    def _due(self, epoch: int) -> bool:
        """True where this epoch is followed by a validation."""
        if isinstance(self.frequency, int):
            return (epoch + 1) % self.frequency == 0
        return epoch + 1 in self.frequency

    def _say_why(self) -> None:
        reason = self.loop.runner.reason()
        if reason:
            write(f"fit: train_step runs in Python, not as a compiled step. {reason}\n")

    def _say_where(self) -> None:
        position, steps = self.position, self.feed.steps
        done = len(self.model.history.epoch)
        write(
            f"\nfit: interrupted in epoch {position.epoch + 1}/{self.epochs}, after batch"
            f" {position.batch}/{steps or '?'}; the weights are kept, the History has"
            f" {done} epoch{'s' * (done != 1)}\n"
        )


@contextmanager
def _heard(interrupted: list[bool]) -> Iterator[None]:
    """Inside, the first Ctrl-C sets `interrupted`; a second one raises KeyboardInterrupt."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: Any) -> None:
        if interrupted[0]:
            raise KeyboardInterrupt
        interrupted[0] = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
