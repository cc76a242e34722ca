"""SwapEMAWeights."""

from __future__ import annotations

from autograd import no_grad
from nn.keras.callbacks.callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Puts the averages of the weights (`use_ema` of the optimizer) in place for validation.

    They are swapped in for every evaluation and prediction, and out again behind it.
    `swap_on_epoch`: also at the end of each epoch, so that what other callbacks save has them.
    """

    _kept = ("_ema_weights_in_model",)

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    @no_grad()
    def _swap(self, averages_in: bool) -> None:
        if self._ema_weights_in_model == averages_in:
            return
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. Received:"
                f" use_ema={getattr(optimizer, 'use_ema', None)}"
            )
        for variable, average in zip(optimizer._trainables, optimizer._averages):
            kept = variable.numpy().copy()
            variable.assign(average)
            average.assign(kept)
        self._ema_weights_in_model = averages_in

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Train on with the weights themselves."""
        if self.swap_on_epoch:
            self._swap(False)

    @no_grad()
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Show the averages to the callbacks behind this one."""
        if not self.swap_on_epoch or self._ema_weights_in_model:
            return
        self._swap(True)
        if epoch == self.params["epochs"] - 1:  # `fit` will make the averages the weights
            optimizer = self.model.optimizer
            for variable, average in zip(optimizer._trainables, optimizer._averages):
                average.assign(variable)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Evaluate the averages."""
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Predict with the averages."""
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._swap(False)
