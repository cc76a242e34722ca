"""Layers that are linear in their input."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, empty
from autograd.op import ops
from nn import init
from nn.module import Module
from nn.parameter import Parameter


class Linear(Module):
    """Affine map: out = x @ weight.T + bias.  x (..., i), weight (o, i), bias (o,), out (..., o).

    Weight and bias start from U(-1/sqrt(i), 1/sqrt(i)), which is kaiming_uniform_(a=sqrt(5)).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(out_features, in_features, **options))
        self.bias: Parameter | None
        if bias:
            self.bias = Parameter(empty(out_features, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        if self.in_features:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.weight, -bound, bound)
            if self.bias is not None:
                init.uniform_(self.bias, -bound, bound)
        elif self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Compute input @ weight.T + bias."""
        return ops.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The two sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features},"
            f" bias={self.bias is not None}"
        )


class Identity(Module):
    """Its input; any arguments to the constructor are ignored."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input itself."""
        return input
