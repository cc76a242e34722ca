"""What a functional model is called with, put in the order and the form of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from nn.keras.graph import Graph
from nn.keras.node import KerasTensor, leaves, node_of

_MOST = 256
"""Kinds of inputs that a model remembers to fit."""


class Fed:
    """The part of Model that looks at its inputs."""

    name: str
    _fitted: set[tuple[int, tuple[int, ...], Any]]
    """(which, shape, dtype) of inputs that were found to fit."""

    def _flat_inputs(self, graph: Graph, inputs: Any) -> list[Any]:
        """The inputs in the order of the graph, with their ranks and dtypes; or a ValueError."""
        wanted = graph.flat_inputs
        if isinstance(inputs, dict):
            keys = _keys(graph)
            missing = [key for key in keys if key not in inputs]
            if missing:
                raise ValueError(
                    f"Missing data for input \"{missing[0]}\" of model '{self.name}'. You passed a"
                    f" data dictionary with keys {list(inputs)}. Expected the following keys:"
                    f" {keys}"
                )
            given = [inputs[key] for key in keys]
        else:
            given = list(leaves(inputs))
        if len(given) != len(wanted):
            raise ValueError(
                f"Model '{self.name}' expects {len(wanted)} input(s) with keys {_keys(graph)}, but"
                f" it received {len(given)} input tensors."
            )
        return [self._fitting(i, x, symbol) for i, (x, symbol) in enumerate(zip(given, wanted))]

    def _fitting(self, i: int, x: Any, symbol: KerasTensor, cast: bool = True) -> Any:
        """One input as the model's `Input` wants it; the batch size may be any."""
        if type(x) is Tensor and (known := (i, x.shape, x.dtype)) in self._fitted:
            return x
        if not isinstance(x, (Tensor, KerasTensor)):
            if x is None and node_of(symbol).operation.optional:
                return None
            raise ValueError(
                f"Model '{self.name}': input {i} '{symbol.name}' is {x!r} of type"
                f" {type(x).__name__}, not a tensor; convert it with np.asarray"
            )
        original, wanted, shape = x, symbol.shape, x.shape
        if len(shape) == len(wanted) + 1 and shape[-1] == 1 and isinstance(x, Tensor):
            x = x.squeeze(-1)
        elif len(shape) == len(wanted) - 1 and wanted[-1] == 1 and isinstance(x, Tensor):
            x = x.unsqueeze(-1)
        shape = x.shape
        if len(shape) != len(wanted) or any(
            a != b and a is not None and b is not None for a, b in zip(shape[1:], wanted[1:])
        ):
            raise ValueError(
                f"Input {i} with name '{symbol.name}' of layer '{self.name}' is incompatible with"
                f" the layer: expected shape={wanted}, found shape={tuple(shape)}"
            )
        if cast and isinstance(x, Tensor) and x.dtype.name != symbol.dtype:
            x = x.to(np.dtype(symbol.dtype))
        if type(x) is Tensor and x is original and len(self._fitted) < _MOST:
            self._fitted.add(known)
        return x


def _keys(graph: Graph) -> list[str]:
    """The keys under which inputs are found in a dict."""
    if isinstance(graph.inputs, dict):
        return sorted(graph.inputs)
    return [x.name for x in graph.flat_inputs]
