"""Layers that change the shape alone."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from nn.module import Layer


class Flatten(Layer):
    """Make dimensions start_dim ... end_dim one; by default all but the batch."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """(n, a, b, ...) as (n, a b ...)."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """start_dim, end_dim."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Layer):
    """Make dimension `dim` several, of sizes `unflattened_size`; one of them may be -1."""

    def __init__(self, dim: int, unflattened_size: Any):
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(
                f"Unflatten: dim is {dim!r}; expected an int (there are no named dimensions)"
            )
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type"
                f" {type(unflattened_size).__name__}"
            )
        for i, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type"
                    f" {type(size).__name__} at pos {i}"
                )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """(n, a b) as (n, a, b), for dim 1."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """dim, unflattened_size."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
