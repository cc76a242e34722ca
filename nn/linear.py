"""Layers that are linear in their weights."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from autograd import Tensor, empty
from autograd.op import ops
from nn import functional, init
from nn.module import Layer, Module
from nn.parameter import Parameter


class Linear(Layer):
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
        if not self.in_features or not self.out_features:
            warnings.warn("Initializing zero-element tensors is a no-op", UserWarning, stacklevel=3)
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Compute input @ weight.T + bias."""
        return ops.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The two sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features},"
            f" bias={self.bias is not None}"
        )


class Bilinear(Module):
    """out[k] = x1^T weight[k] x2 + bias[k].  x1 (..., i), x2 (..., j), weight (o, i, j), bias (o,).

    Weight and bias start from U(-1/sqrt(i), 1/sqrt(i)).
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(out_features, in1_features, in2_features, **options))
        self.bias: Parameter | None
        if bias:
            self.bias = Parameter(empty(out_features, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    if TYPE_CHECKING:

        def __call__(self, input1: Tensor, input2: Tensor) -> Tensor: ...  # noqa: D102

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Compute the form of the two inputs for every output."""
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The three sizes, and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features},"
            f" out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Layer):
    """Its input; any arguments to the constructor are ignored."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input itself."""
        return input
