"""The call that is running in this thread: whether it trains, and whose it is."""

from __future__ import annotations

import threading
from typing import Any


class CallContext(threading.local):
    """What an outer call tells the layers inside it."""

    training: bool | None = None
    """What `training` resolved to in the nearest call that decided it; None outside of one."""
    entry: Any = None
    """The outermost layer being called, to which losses are told."""
    scope: tuple[Any, ...] = ()
    """The layers being built, outermost first: the path of new variables."""
    unknown: int | None = None
    """While shapes are probed: the size that stands for an unknown batch size."""


_context = CallContext()


def call_context() -> CallContext:
    """The context of this thread."""
    return _context
