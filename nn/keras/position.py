"""Where `fit` stands, so that training can be continued after a kill as if nothing had happened."""

from __future__ import annotations

from typing import Any

_FIELDS = ("epoch", "batch", "taken", "total", "order", "loader")


class FitPosition:
    """`model.fit_position`: the epoch, and how many of its batches are done.

    To resume with the very same bytes, a checkpoint holds, all taken at one batch boundary (in
    `on_epoch_begin`, `on_train_batch_end` or `on_train_end`):

    - `model.variables`, `model.optimizer.variables`, and the variables of `model.metrics`, which
      are the epoch's running means;
    - `model.fit_position.state_dict()`: epoch, batch, and what the order of this epoch's samples
      was drawn from (or the state of the DataLoader);
    - `autograd.get_rng_state()`, the generator that `keras.utils.set_random_seed` seeds: orders are
      drawn from it, and by layers without a `seed` their masks; and the seed generators of layers;
    - what the other callbacks know, and the History.

    `callbacks.BackupAndRestore` does that.  A callback restores it all in `on_train_begin`, ending
    with `load_state_dict`: `fit` then goes on behind that batch: it draws the order again from its
    own state, without moving the generator, skips the batches done, and does not reset the metrics.
    `on_epoch_begin` is called again for the epoch it is in.  Batches of a generator of the user's
    are read again and dropped.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.batch = 0
        """Batches of this epoch that are done."""
        self.taken = 0
        """Batches of this pass over the data that are done; with `steps_per_epoch`, an epoch is
        no pass."""
        self.total = 0
        """Batches done in all."""
        self.order: dict[str, Any] | None = None
        """The state of the default generator before the order of this pass was drawn; None: it was
        not drawn yet, or there is nothing to draw."""
        self.loader: dict[str, Any] | None = None
        self.passing = False
        """True while a pass over the data is under way."""
        self.logs: dict[str, Any] | None = None
        """The logs of the last batch, where `fit` was resumed behind it."""
        self.interrupted = False
        """True where Ctrl-C has ended `fit`."""
        self.resumed = False
        """True after `load_state_dict`, until `fit` has gone on from there."""

    def begin_epoch(self, epoch: int) -> None:
        """An epoch begins."""
        self.epoch, self.batch, self.logs = epoch, 0, None

    def begin_pass(self) -> None:
        """A pass over the data begins."""
        self.taken, self.order, self.loader = 0, None, None

    def advance(self, batches: int) -> None:
        """So many batches were done."""
        self.batch += batches
        self.taken += batches
        self.total += batches

    def state_dict(self) -> dict[str, Any]:
        """The position, as numbers and dicts: fit for JSON."""
        loader = self.loader
        if loader is not None and loader.get("epoch"):
            loader = {**loader, "epoch": {**loader["epoch"], "batches": self.taken}}
        return {name: getattr(self, name) for name in _FIELDS} | {"loader": loader}

    def next_epoch(self) -> dict[str, Any]:
        """The state where the next epoch begins: that of `on_epoch_end`."""
        state = {**self.state_dict(), "epoch": self.epoch + 1, "batch": 0}
        if self.passing:
            return state
        loader = state["loader"]  # the next pass draws on from the loader's own generators
        return {
            **state,
            "taken": 0,
            "order": None,
            "loader": None if loader is None else {**loader, "epoch": None},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the `fit` that has just begun continue behind the batch where `state` was taken."""
        if not isinstance(state, dict) or set(state) != set(_FIELDS):
            found = sorted(state) if isinstance(state, dict) else type(state).__name__
            raise ValueError(
                f"FitPosition.load_state_dict: expected the keys {sorted(_FIELDS)}, got {found}"
            )
        for name in _FIELDS:
            setattr(self, name, state[name])
        self.resumed = True

    def __repr__(self) -> str:
        return f"FitPosition(epoch={self.epoch}, batch={self.batch})"
