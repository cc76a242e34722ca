"""What a backup keeps of callbacks, so that they go on where they stood."""

from __future__ import annotations

from typing import Any

from nn.nested import encode


class Kept:
    """The part of Callback that a backup knows: see `BackupAndRestore`."""

    _kept: tuple[str, ...] | None = None
    """The attributes that are its state; None: all that are plain data."""
    _last = False
    """True for one that is called behind all others, wherever it stands in the list."""

    def state_dict(self) -> dict[str, Any]:
        """What this callback has come to know in training, as data that `nn.save` takes.

        By default all attributes that are numbers, texts, arrays, or lists and dicts of them.
        Override it, with `load_state_dict`, where that is too little or too much.
        """
        own = vars(self)
        if self._kept is not None:
            return {name: own[name] for name in self._kept if name in own}
        hidden = ("params", "_model")
        return {k: v for k, v in own.items() if k not in hidden and _is_plain(v)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        vars(self).update(state)

    def set_list(self, callbacks: Any) -> None:
        """Take note of the CallbackList that this one is in."""


def _is_plain(value: Any) -> bool:
    try:
        encode(value)
    except (TypeError, ValueError):
        return False
    return True
