"""Callbacks of `fit`, `evaluate` and `predict`."""

from nn.keras.callbacks.callback import Callback, CallbackList, History
from nn.keras.callbacks.progress import Progbar, ProgbarLogger

__all__ = ["Callback", "CallbackList", "History", "Progbar", "ProgbarLogger"]
