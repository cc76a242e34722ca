"""Layers that make categories of numbers, and vectors of categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras.layer import Layer
from nn.keras.layers.base import refuse
from nn.keras.node import KerasTensor
from nn.keras.spec import Shape

_MODES = ("one_hot", "multi_hot", "count")


def encode(x: Tensor, mode: str, depth: int, dtype: np.dtype, weights: Any = None) -> Tensor:
    """Integers as vectors of length `depth`.

    "one_hot": one for each, a last dimension of 1 being dropped; "multi_hot": one for all along
    the last dimension, with 1 where a category occurs; "count": how often, times `weights`.
    """
    if x.ndim == 0:
        x = ops.reshape(x, shape=(1,))
    if mode == "one_hot" and x.ndim > 1 and x.shape[-1] == 1:
        x = ops.squeeze(x, -1)
    hot = ops.eq(ops.unsqueeze(x, -1), Tensor.wrap(np.arange(depth)))
    if mode == "one_hot":
        return ops.cast(hot, dtype=dtype)
    if mode == "multi_hot":
        return ops.cast(ops.any(hot, dim=-2), dtype=dtype)
    hot = ops.cast(hot, dtype=dtype)
    if weights is not None:
        hot = ops.mul(hot, ops.unsqueeze(weights, -1))
    return ops.sum(hot, dim=-2)


def encoded_shape(shape: Shape, mode: str, depth: int) -> Shape:
    """The shape that `encode` gives."""
    if not shape:
        return (1, depth) if mode == "one_hot" else (depth,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)


class CategoryEncoding(Layer):
    """Integers in [0, num_tokens) as vectors: "one_hot", "multi_hot" or "count"."""

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ):
        refuse("CategoryEncoding", sparse=sparse)
        super().__init__(**kwargs)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        if output_mode not in _MODES:
            raise ValueError(
                f"Unknown arg for output_mode: {output_mode}; expected one of {_MODES}"
            )
        if num_tokens is None or num_tokens < 1:
            raise ValueError(
                "num_tokens must be set to use this layer, to 1 or more. Received:"
                f" num_tokens={num_tokens}"
            )
        self.num_tokens, self.output_mode = num_tokens, output_mode

    def call(self, inputs: Tensor, count_weights: Any = None) -> Tensor:
        """The vectors."""
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "`count_weights` is not used when `output_mode` is not `'count'`. Received"
                f" `count_weights={count_weights}`."
            )
        return encode(inputs, self.output_mode, self.num_tokens, self._dtype, count_weights)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the vectors."""
        return encoded_shape(tuple(input_shape), self.output_mode, self.num_tokens)

    def compute_output_spec(self, inputs: Any, count_weights: Any = None) -> KerasTensor:
        """The symbolic vectors."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"num_tokens": self.num_tokens, "output_mode": self.output_mode}
        return {**super().get_config(), **own}


class Discretization(Layer):
    """The number of the bin that each value is in: bin i is [boundary i - 1, boundary i).

    `bin_boundaries` as given, or `num_bins` with boundaries from `adapt(data)`, at which the bins
    hold about as many values each; `epsilon` is the error of these shares.  `output_mode`: "int",
    or vectors as in CategoryEncoding.
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        refuse("Discretization", sparse=sparse)
        super().__init__(name=name, dtype=dtype)
        if output_mode not in ("int", *_MODES):
            raise ValueError(
                f"Invalid value for argument `output_mode`: {output_mode}; expected one of"
                f" {('int', *_MODES)}"
            )
        if num_bins is not None and num_bins < 0:
            raise ValueError(f"`num_bins` must be greater than or equal to 0. Received: {num_bins}")
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(
                "Exactly one of `num_bins` and `bin_boundaries` must be set. Received:"
                f" num_bins={num_bins} and bin_boundaries={bin_boundaries}"
            )
        self.num_bins, self.epsilon, self.output_mode = num_bins, epsilon, output_mode
        self.bin_boundaries = None if bin_boundaries is None else sorted(map(float, bin_boundaries))
        self._summary = np.zeros((2, 0), np.float32)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries from an array, or from (the first `steps`) batches of it."""
        if self.num_bins is None:
            raise ValueError(
                "Cannot adapt a Discretization layer that has been initialized with"
                " `bin_boundaries`, use `num_bins` instead."
            )
        self._summary = np.zeros((2, 0), np.float32)
        batches = [data] if hasattr(data, "shape") else data
        for i, batch in enumerate(batches):
            if steps is not None and i >= steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take values into the summary."""
        values = data.detach().numpy() if isinstance(data, Tensor) else np.asarray(data)
        summary = _summary(values.astype(np.float32), self.epsilon)
        merged = np.concatenate((summary, self._summary), axis=1)
        self._summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Make boundaries of the summary."""
        if self.num_bins is not None:
            found = _compressed(self._summary, 1.0 / self.num_bins)[0, :-1]
            self.bin_boundaries = found.tolist()

    def reset_state(self) -> None:
        """Forget what was seen."""
        if self.num_bins is not None:
            self._summary = np.zeros((2, 0), np.float32)

    def call(self, inputs: Tensor) -> Tensor:
        """The bins, or vectors of them."""
        if self.bin_boundaries is None:
            raise ValueError(
                "You need to either pass the `bin_boundaries` argument at construction time or"
                " call `adapt(data)` before you can start using the `Discretization` layer."
            )
        edges = Tensor.wrap(np.asarray(self.bin_boundaries, self._dtype))
        places = ops.searchsorted(edges, inputs, right=True)
        if self.output_mode == "int":
            return ops.cast(places, dtype=np.dtype("int32"))
        return encode(places, self.output_mode, len(self.bin_boundaries) + 1, self._dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input, or that of the vectors."""
        if self.output_mode == "int":
            return input_shape
        boundaries = self.bin_boundaries
        depth = self.num_bins if boundaries is None else len(boundaries) + 1
        return encoded_shape(tuple(input_shape), self.output_mode, depth or 0)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """The symbolic result."""
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": False,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        """The layer that `get_config` described."""
        boundaries = config.get("bin_boundaries")
        if boundaries is None or config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**{**config, "bin_boundaries": None})
        layer.bin_boundaries = list(boundaries)
        return layer


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """(values, weights) of about 1 / epsilon of the sorted values, evenly spaced among them."""
    values = np.sort(values.reshape(-1))
    step = max(values.size * epsilon, 1.0)
    chosen = values[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """The summary at the quantiles epsilon, 2 epsilon ... where it is longer than that."""
    if summary.shape[1] * epsilon < 1:
        return summary
    wanted = epsilon + np.arange(0.0, 1.0, epsilon)
    weights = summary[1].cumsum()
    shares = weights / weights[-1]
    total = np.interp(wanted, shares, weights)
    new = np.stack((np.interp(wanted, shares, summary[0]), np.diff(total, prepend=0.0)))
    return new.astype(np.float32)
