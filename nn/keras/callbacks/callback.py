"""Callbacks: what is called at the beginning and the end of training, epochs and batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nn.keras.callbacks.keeping import Kept

Logs = dict[str, Any]

_BATCH_HOOKS = {
    "train": (
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_batch_begin",
        "on_batch_end",
    ),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Callback(Kept):
    """Subclass it and define the hooks wanted; give it to `fit`, `evaluate` or `predict`.

    `model`: the model.  `params`: `verbose`, `epochs`, `steps` of the call.  `logs`: running means
    of the loss and the metrics as floats, by name; what `on_epoch_end` puts into them is seen by
    the callbacks after it and by the History.
    `model.stop_training = True` ends `fit` after the batch.

    `every_batch`: None: batch hooks are called at every batch if this class defines any, and
    batches then run one by one.  False: they may be called for the last of many batches that ran
    in one native call.  `model.fit_position` says where `fit` stands: see `nn.keras.position`.
    """

    every_batch: bool | None = None

    def __init__(self) -> None:
        self.params: Any = None
        self._model: Any = None

    def set_params(self, params: Any) -> None:
        """Take note of the arguments of the call."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take note of the model."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model that is trained, evaluated or asked."""
        return self._model

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch of `fit` begins."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch has ended, its validation included."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `fit` begins."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `fit` has ended."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `evaluate`, or of a validation, begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `evaluate`, or of a validation, has ended."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `predict` begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of `predict` has ended; `logs["outputs"]` is what it gave."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """`fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """`fit` ends; also after Ctrl-C."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """`evaluate`, or a validation, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """`evaluate`, or a validation, ends."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """`predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """`predict` ends."""


class History(Callback):
    """What `fit` returns: `history`, for each name a list with one value per epoch; `epoch`."""

    _kept = ("history", "epoch")

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epochs of an earlier fit."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Take note of the epoch's logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class CallbackList(Callback):
    """Calls several callbacks in order.

    `add_history`, `add_progbar`: add a History, a ProgbarLogger, if there is none among them.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        from nn.keras.callbacks.progress import ProgbarLogger

        super().__init__()
        self.callbacks: list[Callback] = list(_flat(callbacks))
        self._history = self._find(History)
        self._progbar = self._find(ProgbarLogger)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self._arrange()
        self.set_model(model)
        self.set_params(params)

    def _find(self, kind: type) -> Any:
        return next((c for c in reversed(self.callbacks) if isinstance(c, kind)), None)

    def append(self, callback: Callback) -> None:
        """Add one at the end."""
        self.callbacks.append(callback)
        self._arrange()

    def _arrange(self) -> None:
        """Find out who is called when."""
        self.callbacks.sort(key=lambda callback: getattr(callback, "_last", False))
        self._wanted = {kind: self._with_batches(kind) for kind in _BATCH_HOOKS}

    def complete(self, model: Any) -> None:
        """Add the History that `fit` returns, if there is none, and tell the model."""
        if self._history is None:
            self._history = History()
            self.append(self._history)
        self.set_model(model)

    def set_params(self, params: Any) -> None:
        """Tell each callback the arguments of the call."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tell each callback the model; the model gets the History as its `history`."""
        if model is None:
            return
        self._model = model
        if self._history is not None:
            model.__dict__["history"] = self._history  # no attribute that compiled steps look at
        for callback in self.callbacks:
            callback.set_model(model)
            if isinstance(callback, Kept):
                callback.set_list(self)

    def _with_batches(self, kind: str) -> list[Callback]:
        return [c for c in self.callbacks if any(_defines(c, n) for n in _BATCH_HOOKS[kind])]

    def called_at_batches(self, kind: str) -> list[Callback]:
        """Those with batch hooks of "train", "test" or "predict"."""
        return self._wanted[kind]

    def every_batch_of(self, kind: str) -> bool:
        """True where a callback has to be called at every batch of "train", "test", "predict"."""
        return any(c.every_batch is not False for c in self._wanted[kind])

    def _each(self, hook: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*args)

    def _batch(self, kind: str, when: str, batch: int, logs: Logs | None) -> None:
        for callback in self._wanted[kind]:
            getattr(callback, f"on_{kind}_batch_{when}")(batch, logs={} if logs is None else logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call those that define it."""
        self._batch("train", "begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call those that define it."""
        self._batch("train", "end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call those that define it."""
        self._batch("test", "begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call those that define it."""
        self._batch("test", "end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call those that define it."""
        self._batch("predict", "begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call those that define it."""
        self._batch("predict", "end", batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.on_batch_begin(batch, logs=logs or {})

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call each."""
        for callback in self.callbacks:
            callback.on_batch_end(batch, logs=logs or {})

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_epoch_begin", epoch, sorted_logs(logs))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_epoch_end", epoch, sorted_logs(logs))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_train_begin", sorted_logs(logs))

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_train_end", sorted_logs(logs))

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_test_begin", sorted_logs(logs))

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_test_end", sorted_logs(logs))

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_predict_begin", sorted_logs(logs))

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call each."""
        self._each("on_predict_end", sorted_logs(logs))


def sorted_logs(logs: Logs | None) -> Logs:
    """A copy in the order of the names, with nested ones flattened and numbers as floats."""
    found: Logs = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, dict):
            found.update(sorted_logs(value))
            continue
        if hasattr(value, "detach"):
            value = value.detach().numpy()
        try:
            found[name] = float(value)
        except (TypeError, ValueError):  # an array of several numbers, a text
            found[name] = value
    return found


def _defines(callback: Any, hook: str) -> bool:
    """True where it has its own method of this name, by its class or set on the object."""
    method = getattr(callback, hook)
    return getattr(method, "__func__", method) is not getattr(Callback, hook)


def _flat(callbacks: Any) -> Iterable[Callback]:
    if callbacks is None:
        return
    if not isinstance(callbacks, (list, tuple)):
        callbacks = [callbacks]
    for callback in callbacks:
        if isinstance(callback, (list, tuple)):
            yield from _flat(callback)
        elif isinstance(callback, type) or not hasattr(callback, "on_train_begin"):
            raise TypeError(
                f"callbacks: expected instances of keras.callbacks.Callback, got {callback!r}"
            )
        else:
            yield callback
