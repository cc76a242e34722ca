"""What can go wrong with a compiled step, said with the user's line and a remedy."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

from autograd.errors import GraphError

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = tuple(os.path.join(_HOME, name) + os.sep for name in ("autograd", "nn", "optim"))


class RecordError(GraphError):
    """A step that cannot be recorded: the message names the line and the remedy."""

    def __init__(self, what: str, remedy: str, where: str | None = None):
        where = user_line() if where is None else where
        super().__init__(f"compile: {where + ': ' if where else ''}{what}. Remedy: {remedy}")


@functools.cache
def is_ours(file: str) -> bool:
    """True for the engine's own files."""
    return file.startswith((*_OURS, "<"))


class Lines:
    """Lines of the user's, as numbers: `user_line` for 200,000 ops."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, int], int] = {}
        self.lines: list[tuple[Any, int]] = []
        self.depth = 4

    def here(self) -> int:
        """The number of the line that the user's innermost frame is at; -1 where there is none."""
        frame = self._user_frame()
        if frame is None:
            return -1
        key = id(frame.f_code), frame.f_lasti
        number = self.known.get(key)
        if number is None:
            number = self.known[key] = len(self.lines)
            self.lines.append((frame.f_code, frame.f_lineno))
        return number

    def _user_frame(self) -> Any:
        """Mostly it is as far away as last time; to walk there costs 0.2 us a frame."""
        try:
            frame: Any = sys._getframe(self.depth)
            inner = sys._getframe(self.depth - 1)
            if is_ours(inner.f_code.co_filename) and not is_ours(frame.f_code.co_filename):
                return frame
        except ValueError:  # there are not so many
            pass
        depth, frame = 1, sys._getframe(1)
        while frame is not None and is_ours(frame.f_code.co_filename):
            depth, frame = depth + 1, frame.f_back
        self.depth = depth
        return frame

    def show(self, number: int) -> str:
        """'file.py:12, in step'."""
        if number < 0:
            return ""
        code, line = self.lines[number]
        return f"{os.path.basename(code.co_filename)}:{line}, in {code.co_name}"


def user_line() -> str:
    """'file.py:12, in step', of the innermost frame that is not the engine's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not is_ours(name):
            return f"{os.path.basename(name)}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
