"""Activations as layers."""

from __future__ import annotations

import warnings
from typing import Any

from autograd import Tensor, full
from autograd.op import Op, ops
from nn import functional
from nn.errors import OptionError
from nn.module import Layer
from nn.parameter import Parameter


class _Plain(Layer):
    """An activation without options: `op` of the input."""

    op: Op

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element."""
        return self.op(input)


class _Inplace(Layer):
    """An activation that can overwrite its input: `op` of the input and of the options.

    Options are attributes under the op's names for them; `options` lists those.
    """

    op: Op
    options: tuple[str, ...] = ()

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element, written over the input if `inplace`."""
        if not self.options and not self.inplace:
            return self.op(input)
        options = {name: getattr(self, name) for name in self.options}
        return functional.activate(self.op, input, self.inplace, **options)

    def extra_repr(self) -> str:
        """The options, and inplace where it is set."""
        parts = [f"{name}={getattr(self, name)}" for name in self.options]
        return ", ".join([*parts, *(["inplace=True"] if self.inplace else [])])


class ReLU(_Inplace):
    """max(x, 0)."""

    op = ops.relu


class ReLU6(_Inplace):
    """min(max(x, 0), 6)."""

    op = ops.relu6


class SELU(_Inplace):
    """Scaled ELU whose constants keep mean 0 and variance 1 (Klambauer et al. 2017)."""

    op = ops.selu


class SiLU(_Inplace):
    """x sigmoid(x), also called swish."""

    op = ops.silu


class Mish(_Inplace):
    """x tanh(softplus(x))."""

    op = ops.mish


class Hardsigmoid(_Inplace):
    """min(max(x + 3, 0), 6) / 6."""

    op = ops.hardsigmoid


class Hardswish(_Inplace):
    """x hardsigmoid(x)."""

    op = ops.hardswish


class LeakyReLU(_Inplace):
    """x, or negative_slope x where x <= 0."""

    op = ops.leaky_relu
    options = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__(inplace)
        self.negative_slope = negative_slope


class ELU(_Inplace):
    """x, or alpha (e^x - 1) where x <= 0."""

    op = ops.elu
    options = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(inplace)
        self.alpha = alpha


class CELU(_Inplace):
    """x, or alpha (e^(x / alpha) - 1) where x <= 0."""

    op = ops.celu
    options = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(inplace)
        self.alpha = alpha


class Hardtanh(_Inplace):
    """x limited to [min_val, max_val]."""

    op = ops.hardtanh
    options = ("min_val", "max_val")

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ):
        super().__init__(inplace)
        self.min_val = _renamed("min_value", min_value, "min_val", min_val)
        self.max_val = _renamed("max_value", max_value, "max_val", max_val)
        if not self.min_val < self.max_val:
            raise OptionError(
                f"Hardtanh: max_val ({self.max_val}) must be greater than min_val ({self.min_val})"
            )


def _renamed(old: str, given: float | None, new: str, value: float) -> float:
    if given is None:
        return value
    warnings.warn(
        f"keyword argument `{old}` is deprecated and renamed to `{new}`",
        FutureWarning,
        stacklevel=3,
    )
    return given


class Threshold(_Inplace):
    """x, or `value` where x <= threshold."""

    op = ops.threshold
    options = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__(inplace)
        self.threshold, self.value = threshold, value


class Sigmoid(_Plain):
    """1 / (1 + e^-x)."""

    op = ops.sigmoid


class LogSigmoid(_Plain):
    """log(sigmoid(x))."""

    op = ops.logsigmoid


class Tanh(_Plain):
    """The hyperbolic tangent."""

    op = ops.tanh


class Tanhshrink(_Plain):
    """x - tanh(x)."""

    op = ops.tanhshrink


class Softsign(_Plain):
    """x / (1 + |x|)."""

    op = ops.softsign


class Softplus(Layer):
    """log(1 + e^(beta x)) / beta; x itself where beta x > threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element."""
        return ops.softplus(input, beta=self.beta, threshold=self.threshold)

    def extra_repr(self) -> str:
        """beta, threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"


class _Shrink(Layer):
    op: Op

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element."""
        return self.op(input, lambd=self.lambd)

    def extra_repr(self) -> str:
        """Its threshold."""
        return f"{self.lambd}"


class Softshrink(_Shrink):
    """x moved by lambd towards 0, and 0 within it."""

    op = ops.softshrink


class Hardshrink(_Shrink):
    """x, or 0 where |x| <= lambd."""

    op = ops.hardshrink


class GELU(Layer):
    """x Phi(x), Phi the normal distribution function; `approximate="tanh"` is cheaper."""

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element."""
        return ops.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """How Phi is computed."""
        return f"approximate={self.approximate!r}"


class PReLU(Layer):
    """Leaky ReLU whose slope is learned: one, or one per channel (dimension 1)."""

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), float(init), dtype=dtype, device=device))

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element."""
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """num_parameters."""
        return f"num_parameters={self.num_parameters}"


class RReLU(_Inplace):
    """Leaky ReLU whose slopes are drawn from U(lower, upper) in training; else their mean."""

    options = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        super().__init__(inplace)
        self.lower, self.upper = lower, upper

    def forward(self, input: Tensor) -> Tensor:
        """The activation of each element."""
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)
