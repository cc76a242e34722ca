"""Layers that move elements without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras.layers.base import Rearranging
from nn.keras.spec import InputSpec, Shape


class Flatten(Rearranging):
    """(n, ...) as (n, product of the rest)."""

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(
                "The `data_format` argument must be one of {'channels_first', 'channels_last'}."
                f" Received: data_format={data_format}"
            )
        self.data_format = data_format or "channels_last"
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Tensor) -> Tensor:
        """All dimensions but the first made one."""
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = ops.permute(inputs, dims=(0, *range(2, inputs.ndim), 1))
        shape = inputs.shape
        return ops.reshape(inputs, shape=(shape[0], math.prod(shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(n, product of the rest)."""
        sizes = input_shape[1:]
        unknown = any(d is None for d in sizes)
        return (input_shape[0], None if unknown else math.prod(sizes))  # type: ignore[arg-type]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Rearranging):
    """(n, ...) as (n, *target_shape); one size of it may be -1."""

    def __init__(self, target_shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        target = tuple(target_shape)
        unknown = [d for d in target if d in (None, -1)]
        if len(unknown) > 1 or any(d is not None and d < -1 for d in target):
            raise ValueError(
                "There must be at most one unknown dimension (-1) in target_shape, and no other"
                f" negative one. Received: target_shape={target}."
            )
        self.target_shape = target

    def _resolved(self, sizes: Shape) -> Shape:
        """The target for these sizes, None where it is not known."""
        target = self.target_shape
        known = math.prod(d for d in target if d not in (None, -1))
        if any(d is None for d in sizes):
            return tuple(None if d in (None, -1) else d for d in target)
        total = math.prod(sizes)  # type: ignore[arg-type]
        free = len([d for d in target if d in (None, -1)])
        if (free and (not known or total % known)) or (not free and total != known):
            raise ValueError(
                "The total size of the tensor must be unchanged. Received:"
                f" input_shape={tuple(sizes)}, target_shape={target} in layer '{self.name}'"
            )
        return tuple(total // known if d in (None, -1) else d for d in target)

    def call(self, inputs: Tensor) -> Tensor:
        """The same elements in the target's shape."""
        shape = inputs.shape
        return ops.reshape(inputs, shape=(shape[0], *self._resolved(shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(n, *target_shape)."""
        return (input_shape[0], *self._resolved(tuple(input_shape[1:])))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Rearranging):
    """The dimensions after the first in another order; `dims` counts from 1."""

    def __init__(self, dims: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in"
                f" `dims` must be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        """The permuted input."""
        return ops.permute(inputs, dims=(0, *self.dims))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The sizes in the other order."""
        return (input_shape[0], *(input_shape[d] for d in self.dims))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Rearranging):
    """(n, features) as (n, times, features), the same vector each time."""

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        if isinstance(n, bool) or not isinstance(n, int):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        if n <= 0:
            raise ValueError(f"Argument `n` should be a positive integer. Received: n={n}")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        """The repeated input."""
        n, features = inputs.shape
        return ops.broadcast_to(ops.unsqueeze(inputs, 1), shape=(n, self.n, features))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(n, times, features)."""
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "n": self.n}
