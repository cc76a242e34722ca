"""Whose turn it is: one replay of a plan at a time, for what a lock costs least of."""

from __future__ import annotations

import threading
import time

_NAP = 2e-5  # seconds


class Turn:
    """A lock that one thread may hold several times over, and a token for who does not wait.

    `del tokens[0]` takes the turn or raises IndexError, `tokens.append(None)` gives it back: 50 ns
    for both, where a lock takes 130.  `with turn:` waits.  A deletion, for behind a call CPython
    may raise a KeyboardInterrupt, and the token would be lost.
    """

    def __init__(self) -> None:
        self.tokens = [None]
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            while self._depth == 0:
                try:
                    del self.tokens[0]
                    break
                except IndexError:  # a guarded replay is running
                    time.sleep(_NAP)
        except BaseException:
            self._lock.release()
            raise
        self._depth += 1

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.tokens.append(None)
        self._lock.release()
