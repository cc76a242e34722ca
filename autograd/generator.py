"""Random number streams: `Generator`, and the default one that `manual_seed` seeds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd.modes import modes


class Generator:
    """A stream of random numbers with its own state (NumPy's PCG64)."""

    def __init__(self, device: str = "cpu"):
        self.device = device
        self.numpy = np.random.Generator(np.random.PCG64(0))
        self.seed()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream anew from `seed`; negative seeds count from 2**64, as in PyTorch."""
        if modes.recorder is not None and hasattr(self, "_seed"):
            modes.recorder.changed(
                "the seed of a random stream", "call manual_seed() outside of the compiled step"
            )
        self._seed = int(seed)
        # the state of the same stream: compiled steps draw from it by address
        self.numpy.bit_generator.state = np.random.PCG64(self._seed % 2**64).state
        return self

    def seed(self) -> int:
        """Start the stream anew from the system's entropy; returns the seed."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1)
        return self._seed

    def initial_seed(self) -> int:
        """The seed the stream started from."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """The position in the stream, to be saved and given to `set_state`."""
        state = {"seed": self._seed, **self.numpy.bit_generator.state}
        if modes.recorder is not None:
            modes.recorder.state_kept(self, state)
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position from `get_state`."""
        self._seed = state["seed"]
        self.numpy.bit_generator.state = {k: v for k, v in state.items() if k != "seed"}
        if modes.recorder is not None:
            modes.recorder.state_set(self, state)

    def __repr__(self) -> str:
        return f"Generator(seed={self._seed})"


default_generator = Generator()
"""What every random function draws from when it is given no generator."""


class _Thread(threading.local):
    """What one thread has in place of the default generator."""

    source: Callable[[], Generator] | None = None


_thread = _Thread()


def stream(generator: Generator | None) -> np.random.Generator:
    """The NumPy generator behind `generator`, or behind the default one."""
    if generator is None:
        source = _thread.source
        generator = default_generator if source is None else source()
    if modes.recorder is not None:
        modes.recorder.trace.drawn += 1
    return generator.numpy


@contextmanager
def drawing_from(source: Callable[[], Generator]) -> Iterator[None]:
    """Inside, what this thread draws without a generator comes from `source()`."""
    before, _thread.source = _thread.source, source
    try:
        yield
    finally:
        _thread.source = before


def manual_seed(seed: int) -> Generator:
    """Seed the default generator; returns it."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    """Set the state of the default generator."""
    default_generator.set_state(state)
