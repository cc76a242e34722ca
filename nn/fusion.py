"""A small linear layer and the activation behind it, called as one op if nothing looks between."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.op import ops
from autograd.products import SMALL
from nn.activation import ReLU, Sigmoid, Tanh
from nn.linear import Linear

_OPS = {ReLU: ops.linear_relu, Sigmoid: ops.linear_sigmoid, Tanh: ops.linear_tanh}


def _hooked(module: Any) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


class LinearAct:
    """`activation(linear(x))`; one op, forward and backward, for as many rows as it pays."""

    def __init__(self, linear: Linear, activation: Any):
        self.linear, self.activation = linear, activation
        self.op = _OPS[type(activation)]
        self.most = SMALL // max(1, linear.out_features)
        """Elements of x up to which one op is faster."""

    @staticmethod
    def joins(first: Any, second: Any) -> bool:
        """True where two modules may be called as one: of exactly these classes, and no hooks."""
        return (
            type(first) is Linear
            and type(second) in _OPS
            and "forward" not in vars(first)
            and "forward" not in vars(second)
            and not getattr(second, "inplace", False)
            and not _hooked(first)
            and not _hooked(second)
        )

    def __call__(self, x: Any) -> Any:
        """The activation of the affine map of x (..., in_features)."""
        if type(x) is Tensor and type(x.value) is not float and x.value.size <= self.most:
            return self.op(x, self.linear.weight, self.linear.bias)
        return self.activation(self.linear(x))
