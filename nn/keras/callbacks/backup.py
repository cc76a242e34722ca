"""BackupAndRestore: training that goes on after a kill as if nothing had happened."""

from __future__ import annotations

import contextlib
import copy
import glob
import os
import warnings
from collections import Counter
from typing import Any

import numpy as np

import autograd
from autograd import Generator
from autograd.generator import default_generator
from nn import files
from nn.files import FileError
from nn.keras.callbacks.callback import Callback, CallbackList, Logs
from nn.keras.callbacks.model_checkpoint import BatchCount, checked_frequency
from nn.keras.callbacks.monitor import check_writable, say
from nn.keras.tracking import set_value

FORMAT = 1
NAME = "latest.safetensors"
State = dict[str, Any]
_PARTS = (
    *("format", "position", "stopped", "logs", "weights", "optimizer", "metrics"),
    *("generator", "generators", "callbacks"),
)


class BackupAndRestore(Callback):
    """Backs up the whole state of `fit`, and lets a `fit` that was killed go on from there.

    The same script is simply run again: the weights at the end are, to the last bit, those of a
    training that was not interrupted.  The file in `backup_dir` holds weights, optimizer, metrics,
    the History, the place in the data and what its order was drawn from, the engine's random
    streams, and the state of all callbacks (`Callback.state_dict`).  It is replaced whole or not at
    all, and deleted at the end of training if `delete_checkpoint`; not after Ctrl-C.

    `save_freq`: "epoch", or the number of batches between two backups; where `fit` runs many
    batches in one native call, which takes some 50 ms, it is made behind that.
    `double_checkpoint`: keep the one before too, to be used where the last is damaged.

    A generator of your own is read again from its start, so it must give the same batches; random
    numbers that are not drawn from the engine are yours to restore.
    """

    _last = True
    every_batch = False

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = checked_frequency(save_freq)
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self.path = os.path.join(self.backup_dir, NAME)
        self.previous = f"{self.path}.bkp"
        self._count = BatchCount(1 if save_freq == "epoch" else save_freq)
        self._list: CallbackList | None = None
        self._again: State | None = None

    def set_list(self, callbacks: CallbackList) -> None:
        """Take note of whose state is to be kept."""
        self._list = callbacks

    # Hooks

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore what a killed training left, if there is anything."""
        if os.path.lexists(self.backup_dir) and not os.path.isdir(self.backup_dir):
            raise NotADirectoryError(
                f"BackupAndRestore cannot write in {self.backup_dir}: it is not a folder"
            )
        check_writable("BackupAndRestore", self.path)
        self._sweep()
        state = self._read()
        self._again = None
        self._count = BatchCount(self._count.every)
        if state is None:
            return
        self._restore(state)
        position = self.model.fit_position
        position.load_state_dict(state["position"])
        self._count.last = position.batch - 1
        if state["stopped"]:
            self.model.stop_training = True
        elif position.batch:
            position.logs, self._again = state["logs"], state
        else:
            self.model.reset_metrics()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """In the middle of an epoch: undo what this hook of others did for a second time."""
        if self._again is not None:
            self._restore(self._again)
            self._again = None

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Back up where it is time."""
        due = self.save_freq != "epoch" and self._count.due(batch)
        if due and not self.model.stop_training:  # then at the end of the epoch, which is near
            self._write(self.model.fit_position.state_dict(), logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Back up what the next epoch begins with."""
        if self.save_freq == "epoch" or self.model.stop_training:
            self._write(self.model.fit_position.next_epoch(), None)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete the backup: it is not needed any more."""
        if not self.delete_checkpoint or self.model.fit_position.interrupted:
            return
        for path in (self.path, self.previous):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        with contextlib.suppress(OSError):  # other files are in it
            os.rmdir(self.backup_dir)

    # The file

    def _sweep(self) -> None:
        """Delete what kills in the middle of writing have left."""
        for path in glob.glob(os.path.join(glob.escape(self.backup_dir), ".tapegrad-*.tmp")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _write(self, position: State, logs: Logs | None) -> None:
        model = self.model
        state = {
            "format": FORMAT,
            "position": position,
            "stopped": bool(model.stop_training),
            "logs": logs,
            "weights": _arrays(model.weights),
            "optimizer": _arrays(_optimizer_variables(model)),
            "metrics": [_arrays(m.variables) for m in model.metrics],
            "generator": autograd.get_rng_state(),
            "generators": [g.get_state() for g in _generators(model)],
            "callbacks": [[name, c.state_dict()] for name, c in self._others()],
        }
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and os.path.exists(self.path):
            os.replace(self.path, self.previous)
        files.save(state, self.path)

    def _read(self) -> State | None:
        """What the newest backup holds that can be read; None where there is none."""
        found = [path for path in (self.path, self.previous) if os.path.exists(path)]
        if not found:
            return None
        try:
            return _load(found[0])
        except FileError as error:
            if len(found) == 1:
                raise FileError(
                    f"BackupAndRestore: {error}. Nothing was restored: delete {found[0]} to train"
                    " from the beginning"
                ) from None
            say(f"BackupAndRestore: {error}. Going on from the backup before it.")
        return _load(found[1])

    # The state

    def _others(self) -> list[tuple[str, Any]]:
        callbacks = [] if self._list is None else self._list.callbacks
        kept = [c for c in callbacks if c is not self and hasattr(c, "state_dict")]
        return [(type(c).__name__, c) for c in kept]

    def _restore(self, state: State) -> None:
        model = self.model
        metrics = model.metrics
        pairs = [
            *_pairs("weights", model.weights, state["weights"]),
            *_pairs("optimizer", _optimizer_variables(model), state["optimizer"]),
        ]
        _same_number("metrics", len(metrics), len(state["metrics"]))
        for m, arrays in zip(metrics, state["metrics"]):
            pairs += _pairs(f"metric {m.name}", m.variables, arrays)
        streams = _generators(model)
        _same_number("random streams", len(streams), len(state["generators"]))
        for variable, array in pairs:
            set_value(variable, array)
        for generator, its in zip(streams, state["generators"]):
            generator.set_state(its)
        self._restore_callbacks(state["callbacks"])
        autograd.set_rng_state(state["generator"])

    def _restore_callbacks(self, kept: list[Any]) -> None:
        seen: Counter[str] = Counter()
        states = {}
        for name, its in kept:
            seen[name] += 1
            states[name, seen[name]] = its
        seen.clear()
        for name, callback in self._others():
            seen[name] += 1
            its = states.pop((name, seen[name]), None)
            if its is not None:
                callback.load_state_dict(copy.deepcopy(its))  # it may be restored twice
        left = sorted({name for (name, _), its in states.items() if its})
        if left:
            warnings.warn(
                f"BackupAndRestore: {self.path} holds the state of {', '.join(left)}, which is not"
                " among the callbacks of this fit; it is dropped",
                UserWarning,
                stacklevel=5,
            )


def _load(path: str) -> State:
    state = files.load(path)
    if not isinstance(state, dict) or not isinstance(state.get("format"), int):
        raise FileError(f"{path}: not a backup of BackupAndRestore")
    if state["format"] > FORMAT:
        raise FileError(
            f"{path}: a backup of a newer tapegrad (format {state['format']}, this one knows"
            f" {FORMAT}); upgrade tapegrad"
        )
    if set(state) != set(_PARTS):
        raise FileError(f"{path}: a damaged backup: it has {sorted(state)}")
    return state


def _arrays(variables: Any) -> list[np.ndarray]:
    return [v.detach().array for v in variables]


def _optimizer_variables(model: Any) -> list[Any]:
    return [] if model.optimizer is None else model.optimizer.variables


def _pairs(what: str, variables: list[Any], arrays: list[np.ndarray]) -> list[tuple[Any, Any]]:
    """Variables with their values; ValueError where they are those of something else."""
    _same_number(what, len(variables), len(arrays))
    for i, (v, a) in enumerate(zip(variables, arrays)):
        if v.shape != a.shape:
            raise _other(what, f"{getattr(v, 'path', i)!r} is {v.shape}, in the backup {a.shape}")
    return list(zip(variables, arrays))


def _same_number(what: str, here: int, there: int) -> None:
    if here != there:
        raise _other(what, f"there are {here}, in the backup {there}")


def _other(what: str, difference: str) -> ValueError:
    return ValueError(
        f"BackupAndRestore: the backup is of another model, or was compiled otherwise: {what}:"
        f" {difference}. Delete the backup, or use another backup_dir"
    )


def _generators(model: Any) -> list[Generator]:
    """The random streams that belong to layers."""
    found: dict[int, Generator] = {}
    for module in model.modules():
        for value in vars(module).values():
            inner = value if isinstance(value, (list, tuple)) else [value]
            for each in inner:
                if isinstance(each, Generator) and each is not default_generator:
                    found[id(each)] = each
    return list(found.values())
