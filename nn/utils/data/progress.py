"""Where a loader is in its epoch, as something that can be saved and continued from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autograd.generator import Generator, default_generator

State = dict[str, Any]


class Progress:
    """Of one epoch: `batches` handed out, its `seed`, the state `before` its order was drawn."""

    def __init__(self, seed: int, before: State):
        self.seed = seed
        self.before = before
        self.batches = 0
        self.done = False


def save(progress: Progress | None, facts: State, own: Mapping[str, Generator]) -> State:
    """What `DataLoader.state_dict` returns."""
    running = progress is not None and not progress.done
    epoch = None
    if progress is not None and running:
        epoch = {"batches": progress.batches, "seed": progress.seed, "order": progress.before}
    return {**facts, "epoch": epoch, **{name: g.get_state() for name, g in own.items()}}


def load(state: Any, facts: State, own: Mapping[str, Generator]) -> Progress | None:
    """What `state` says of a running epoch; sets the generators; ValueError if it does not fit."""
    wanted = {*facts, "epoch", *own}
    if not isinstance(state, Mapping) or set(state) != wanted:
        found = sorted(state) if isinstance(state, Mapping) else type(state).__name__
        raise ValueError(
            f"DataLoader.load_state_dict: expected the keys {sorted(wanted)}, got {found}; a"
            " loader continues from a state of its own kind: same dataset, sampler and generator"
        )
    for name, value in facts.items():
        if state[name] != value:
            raise ValueError(
                f"DataLoader.load_state_dict: the state is of a loader with {name}={state[name]!r};"
                f" this one has {value!r}"
            )
    for name, generator in own.items():
        generator.set_state(state[name])
    if state["epoch"] is None:
        return None
    progress = Progress(state["epoch"]["seed"], state["epoch"]["order"])
    progress.batches = state["epoch"]["batches"]
    return progress


def continued(before: State) -> Generator:
    """A generator of its own at the point `before`."""
    generator = Generator()
    generator.set_state(before)
    return generator


@contextmanager
def rewound(generator: Generator | None, before: State) -> Iterator[None]:
    """Inside, `generator` (or the default one) is at `before`; then again where it was."""
    chosen = default_generator if generator is None else generator
    now = chosen.get_state()
    chosen.set_state(before)
    try:
        yield
    finally:
        chosen.set_state(now)
