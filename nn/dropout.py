"""Layers that drop values in training."""

from __future__ import annotations

from autograd import Tensor
from nn import functional
from nn.functional.dropout import check_probability
from nn.module import Layer


class _Dropout(Layer):
    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """p, inplace."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zero each element with probability p in training, and scale the others by 1 / (1 - p).

    This is inverted dropout: the mean is kept in training, so evaluation is the identity.  Classic
    dropout (Srivastava et al. 2014) scales by 1 - p in evaluation instead.
    """

    def forward(self, input: Tensor) -> Tensor:
        """In training a new mask at each call; in evaluation the input itself."""
        return functional.dropout(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks: keeps mean 0 and variance 1.  (Klambauer et al. 2017).

    What is dropped becomes SELU's limit for large negative inputs; then all is scaled and shifted.
    """

    def forward(self, input: Tensor) -> Tensor:
        """In training a new mask at each call; in evaluation the input itself."""
        return functional.alpha_dropout(input, self.p, self.training, self.inplace)
