"""Layers that drop values in training."""

from __future__ import annotations

from autograd import Tensor
from nn import functional
from nn.module import Module


class Dropout(Module):
    """Zero each element with probability p in training, and scale the others by 1 / (1 - p).

    This is inverted dropout: the mean is kept in training, so evaluation is the identity.  Classic
    dropout (Srivastava et al. 2014) scales by 1 - p in evaluation instead.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        functional.check_probability(p)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """In training a new mask at each call; in evaluation the input itself."""
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """p, inplace."""
        return f"p={self.p}, inplace={self.inplace}"
