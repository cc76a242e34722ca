"""Asking a model for outputs without leaving a trace on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd import Tensor, as_tensor, no_grad
from nn.module import Module
from nn.plot.canvas import array


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """`model.eval()` for the block, and no gradients; each module's mode is put back after it."""
    modules = list(model.modules()) if isinstance(model, Module) else []
    modes = [m.training for m in modules]
    try:
        if modules:
            model.eval()
        with no_grad():
            yield
    finally:
        for m, mode in zip(modules, modes):
            m.training = mode


def as_input(model: Any, x: Any) -> Tensor:
    """Inputs as a tensor, floats in the dtype of the model's parameters."""
    values = array(x)
    if values.dtype.kind != "f":
        return as_tensor(values)
    first = next(iter(model.parameters()), None) if isinstance(model, Module) else None
    return as_tensor(values.astype(np.float32 if first is None else first.dtype, copy=False))


def outputs(model: Any, x: Any) -> np.ndarray:
    """What a module, or any function of a tensor, gives for inputs x, in evaluation mode."""
    with evaluating(model):
        return array(model(as_input(model, x)))
