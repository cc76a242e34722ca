"""The Keras face: Keras 3's names, defaults and numerics, on the same graph and modules.

>>> from nn import keras
>>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any as _Any

_HOME = {
    "Sequential": "sequential",
    "Model": "model",
    "Functional": "model",
    "Input": "input_layer",
    "Layer": "layer",
    "InputSpec": "spec",
    "KerasTensor": "node",
    "Variable": "variable",
    "DTypePolicy": "config",
    "FloatDTypePolicy": "config",
    "Operation": "ops",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Initializer": "initializers",
    "Regularizer": "regularizers",
}
"""Where each name of the package itself comes from; modules are loaded at first use."""
_AREAS = (
    *("activations", "backend", "callbacks", "config", "constraints", "initializers", "layers"),
    *("losses", "metrics", "models", "ops", "optimizers", "random", "regularizers", "saving"),
    "utils",
)

__version__ = "3.15.0"
"""The version of Keras whose behaviour this follows."""
__all__ = [*_HOME, *_AREAS]


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        found = getattr(_import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _AREAS:
        found = _import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def version() -> str:
    """The version of Keras whose behaviour this follows."""
    return __version__
