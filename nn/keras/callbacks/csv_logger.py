"""CSVLogger."""

from __future__ import annotations

import csv
import os
from typing import Any, TextIO

from nn.keras.callbacks.callback import Callback, Logs
from nn.keras.callbacks.monitor import check_writable


class CSVLogger(Callback):
    """Writes a row of the logs for each epoch to a file.

    `append`: keep the rows that are there.  The file is emptied only when the first row comes, so
    that a training that `BackupAndRestore` continues also continues its rows.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.keys: list[str] | None = None
        self.csv_file: TextIO | None = None
        self.writer: Any = None
        self._kept_bytes = 0
        """How much of the file that was there is kept."""
        self._begun = False

    def state_dict(self) -> dict[str, Any]:
        """The columns, and how long the file is."""
        at = self.csv_file.tell() if self.csv_file and self._begun else self._kept_bytes
        return {"keys": self.keys, "bytes": at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the rows that were there."""
        size = os.path.getsize(self.filename)
        self.keys = state["keys"]
        self._kept_bytes = state["bytes"] if size >= state["bytes"] else 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self._close()
        if os.path.isdir(self.filename):
            raise IsADirectoryError(f"CSVLogger cannot write {self.filename}: it is a folder")
        folder = os.path.dirname(os.path.abspath(self.filename))
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f"CSVLogger cannot write {self.filename}: there is no folder {folder}"
            )
        check_writable("CSVLogger", self.filename)
        there = os.path.exists(self.filename)
        self.csv_file = open(self.filename, "r+" if there else "w+", newline="")  # noqa: SIM115
        size = os.path.getsize(self.filename) if there else 0
        self._kept_bytes = size if self.append else 0
        self.keys, self.writer, self._begun = None, None, False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a row."""
        logs = logs or {}
        if self.csv_file is None:
            raise RuntimeError("CSVLogger: on_epoch_end before on_train_begin")
        if self.keys is None:
            self.keys = sorted(logs)
            if self.keys and not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]  # there may be some later
        if self.writer is None:
            self._begin()
        row = {"epoch": epoch, **{key: _shown(logs.get(key, "NA")) for key in self.keys}}
        self.writer.writerow(row)
        self.csv_file.flush()

    def _begin(self) -> None:
        """Cut off what is not kept, and write the header unless there is one."""
        assert self.csv_file is not None
        assert self.keys is not None
        if self.csv_file.seekable():
            self.csv_file.seek(self._kept_bytes)
            self.csv_file.truncate()
        self._begun = True
        self.writer = csv.DictWriter(
            self.csv_file, fieldnames=["epoch", *self.keys], delimiter=self.sep
        )
        if not self._kept_bytes:
            self.writer.writeheader()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None and not self.csv_file.closed:
            if not self._begun and not self._kept_bytes and self.csv_file.seekable():
                self.csv_file.truncate(0)
            self.csv_file.close()
        self.csv_file = self.writer = None


def _shown(value: Any) -> Any:
    """A value of the logs as it stands in a row: of several numbers a list in quotes."""
    if isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
