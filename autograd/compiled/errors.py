"""What can go wrong with a compiled step, said with the user's line and a remedy."""

from __future__ import annotations

import os
import sys

from autograd.errors import GraphError

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = tuple(os.path.join(_HOME, name) + os.sep for name in ("autograd", "nn", "optim"))


class RecordError(GraphError):
    """A step that cannot be recorded: the message names the line and the remedy."""

    def __init__(self, what: str, remedy: str, where: str | None = None):
        where = user_line() if where is None else where
        super().__init__(f"compile: {where + ': ' if where else ''}{what}. Remedy: {remedy}")


def user_line() -> str:
    """'file.py:12, in step', of the innermost frame that is not the engine's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_OURS) and not name.startswith("<"):
            return f"{os.path.basename(name)}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
