"""CSVLogger."""

from __future__ import annotations

import csv
import os
from typing import Any

from nn.keras.callbacks.callback import Callback, Logs
from nn.keras.callbacks.monitor import check_writable


class CSVLogger(Callback):
    """Writes a row of the logs for each epoch to a file, which is closed again behind each row.

    `append`: keep the rows that are there.  The file is emptied only when the first row comes, so
    that a training that `BackupAndRestore` continues also continues its rows.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.keys: list[str] | None = None
        self._end = 0
        """How many bytes of the file hold rows that stay."""

    def state_dict(self) -> dict[str, Any]:
        """The columns, and how long the file is."""
        return {"keys": self.keys, "end": self._end}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the rows that were there."""
        if os.path.getsize(self.filename) >= state["end"]:
            self.keys, self._end = state["keys"], state["end"]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See that there is a file to write to."""
        folder = os.path.dirname(os.path.abspath(self.filename))
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f"CSVLogger cannot write {self.filename}: there is no folder {folder}"
            )
        if os.path.isdir(self.filename):
            raise IsADirectoryError(f"CSVLogger cannot write {self.filename}: it is a folder")
        check_writable("CSVLogger", self.filename)
        with open(self.filename, "a"):
            pass
        self._end = os.path.getsize(self.filename) if self.append else 0
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a row."""
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if self.keys and not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]  # there may be some later
        plain = os.path.isfile(self.filename)  # and not a pipe
        with open(self.filename, "r+" if plain else "a", newline="") as file:
            if plain:
                file.seek(self._end)
                file.truncate()
            writer = csv.DictWriter(file, fieldnames=["epoch", *self.keys], delimiter=self.sep)
            if not self._end:
                writer.writeheader()
            writer.writerow({"epoch": epoch, **{k: _shown(logs.get(k, "NA")) for k in self.keys}})
            self._end = file.tell() if plain else 1

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Cut off what an earlier training left, if no row has."""
        if os.path.isfile(self.filename):
            os.truncate(self.filename, self._end)


def _shown(value: Any) -> Any:
    """A value of the logs as it stands in a row: of several numbers a list in quotes."""
    if isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
