"""Files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Any

Chunk = bytes | memoryview


def write_file(path: str, chunks: Iterable[Chunk]) -> None:
    """Write beside `path`, flush to the disk, rename: at any moment one of the two files is there.

    What is no regular file (a pipe, /dev/null) is written to directly.
    """
    target = os.path.realpath(path)  # a link stays a link
    present = os.path.exists(target)
    if present and not os.path.isfile(target):
        with open(target, "wb") as file:
            write_to(file, chunks)
        return
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot write {path}: there is no folder {folder}")
    if present and not os.access(target, os.W_OK):
        raise PermissionError(f"cannot write {path}: it is read-only")
    temporary = os.path.join(folder, f".tapegrad-{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            write_to(file, chunks)
            file.flush()
            os.fsync(file.fileno())
        if present:
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_folder(folder)


def write_to(file: Any, chunks: Iterable[Chunk]) -> None:
    """Write all of it, also to a file that takes less than it is given at a time."""
    if not hasattr(file, "write"):
        raise TypeError(
            f"save: expected a path or a file opened with 'wb', got {type(file).__name__}"
        )
    for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest):
            written = file.write(rest)
            rest = rest[written if isinstance(written, int) else len(rest) :]


def _flush_folder(folder: str) -> None:
    """Make the renaming last, where the system lets a folder be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
