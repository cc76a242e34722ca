"""Callbacks of `fit`, `evaluate` and `predict`."""

from nn.keras.callbacks.backup import BackupAndRestore
from nn.keras.callbacks.callback import Callback, CallbackList, History
from nn.keras.callbacks.csv_logger import CSVLogger
from nn.keras.callbacks.early_stopping import EarlyStopping
from nn.keras.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from nn.keras.callbacks.model_checkpoint import ModelCheckpoint
from nn.keras.callbacks.monitor import MonitorCallback
from nn.keras.callbacks.progress import Progbar, ProgbarLogger
from nn.keras.callbacks.simple import LambdaCallback, TerminateOnNaN
from nn.keras.callbacks.swap_ema import SwapEMAWeights
from nn.keras.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "Progbar",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
