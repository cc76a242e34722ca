"""ModelCheckpoint."""

from __future__ import annotations

import os
import warnings
from typing import Any

from nn.keras.callbacks.callback import Logs
from nn.keras.callbacks.monitor import MonitorCallback, check_writable, say

_WEIGHTS = (".weights.h5", ".safetensors")


class BatchCount:
    """Says when so many batches have passed.  With `steps_per_execution`, not each is seen."""

    def __init__(self, every: int):
        self.every, self.passed, self.last = every, 0, -1

    def due(self, batch: int) -> bool:
        """True where `every` batches have passed; `batch` of an epoch has ended."""
        self.passed += batch + 1 if batch <= self.last else batch - self.last
        self.last = batch
        if self.passed < self.every:
            return False
        self.passed = 0
        return True


def checked_frequency(save_freq: Any) -> Any:
    """`save_freq`, if it is "epoch" or a positive number of batches."""
    if save_freq != "epoch" and (
        isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1
    ):
        raise ValueError(
            f"Unrecognized save_freq: {save_freq}. Expected 'epoch', or how many batches: an"
            " integer of at least 1"
        )
    return save_freq


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, at the end of epochs or every `save_freq` batches.

    `filepath` may name values: "{epoch:02d}-{val_loss:.2f}.keras"; epochs and, with an integer
    `save_freq`, `{batch}` count from 1.  It ends in `.keras`, or in `.weights.h5` or `.safetensors`
    with `save_weights_only`.  `save_best_only`: only where `monitor` is better than ever, and than
    `initial_value_threshold`.  Files are replaced whole or not at all.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = checked_frequency(save_freq)
        self.every_batch = save_freq != "epoch"
        self._count = BatchCount(save_freq if self.every_batch else 1)
        self._epoch = 0
        if save_weights_only and not self.filepath.endswith(_WEIGHTS):
            raise ValueError(
                "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided"
                " must end in `.weights.h5` or `.safetensors` (both are safetensors files)."
                f" Received: filepath={self.filepath}"
            )
        if not save_weights_only and not self.filepath.endswith((".keras", ".h5")):
            raise ValueError(
                "The filepath provided must end in `.keras` (Keras model format). Received:"
                f" filepath={self.filepath}"
            )

    def state_dict(self) -> dict[str, Any]:
        """The best value, and how many batches have passed since a file was saved."""
        return {"best": self.best, "passed": self._count.passed, "last": self._count.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them over."""
        self.best = state["best"]
        self._count.passed, self._count.last = state["passed"], state["last"]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See whether there can be files at that place."""
        super().on_train_begin(logs)
        check_writable("ModelCheckpoint", self.filepath)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Take note of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save where it is time."""
        if self.every_batch and self._count.due(batch):
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, unless batches count."""
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self._path(epoch, batch, logs)
        if not self._wanted(epoch, logs, path):
            return
        if os.path.isdir(path):
            raise IsADirectoryError(
                "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an"
                f" existing directory: {path}"
            )
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        said = f"\nEpoch {epoch + 1}:"
        if not self.save_best_only:
            if self.verbose > 0:
                say(f"{said} saving model to {path}")
            return True
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(
                f"Can save best model only with {self.monitor} available. Available metrics are:"
                f" {','.join(logs)}",
                stacklevel=4,
            )
            return True
        if getattr(current, "shape", ()) != ():
            warnings.warn(
                "Can save best model only when `monitor` is a scalar value. Received:"
                f" {current}. Falling back to `save_best_only=False`.",
                stacklevel=4,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        better = self._is_improvement(current, self.best)
        if better:
            self.best = current
        if self.verbose > 0 and better:
            say(
                f"{said} {self.monitor} improved from {best} to {current:.5f}, saving model to"
                f" {path}"
            )
        elif self.verbose > 0:
            say(f"{said} {self.monitor} did not improve from {best}")
        return better

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        values = {"epoch": epoch + 1, **logs}
        if batch is not None:
            values.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**values)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error} is'
                f" none of {', '.join(values)}"
            ) from None
