"""Small callbacks: functions as hooks, and an end to training that has failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nn.keras.callbacks.callback import Callback, Logs
from nn.keras.callbacks.monitor import say
from nn.keras.registry import nearest


class LambdaCallback(Callback):
    """Calls functions at the hooks of these names: `on_epoch_end(epoch, logs)` and so on.

    Any hook of Callback may be given; other keywords become attributes.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__()
        hooks = [name for name in dir(Callback) if name.startswith("on_")]
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name in kwargs:
            if name.startswith("on_") and name not in hooks:
                near = nearest(name, hooks)
                raise TypeError(
                    f"LambdaCallback: there is no hook {name!r}"
                    + (f". Did you mean {near!r}?" if near else f"; hooks are {', '.join(hooks)}")
                )
        self.__dict__.update({k: v for k, v in {**given, **kwargs}.items() if v is not None})


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite; or raises, with `raise_error`."""

    _kept = ()

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating"
                " training immediately."
            )
        say(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
