"""Activations as layers."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import activations
from nn.keras.layers.base import Activated, Elementwise, described, resolve_all, weight
from nn.keras.spec import InputSpec, Shape
from nn.keras.variable import Variable


class Activation(Activated, Elementwise):
    """An activation function by name, or any function of a tensor."""

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activation

    def call(self, inputs: Tensor) -> Tensor:
        """The activation of the input."""
        activate = self._activate
        return inputs if activate is None else activate(inputs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(Elementwise):
    """max(x, 0); in general max_value above it, x between, negative_slope (x - threshold) below."""

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0.0:
            raise ValueError(
                f"max_value of a ReLU layer cannot be a negative value. Received:"
                f" max_value={max_value}"
            )
        for name, value in (("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None or value < 0.0:
                raise ValueError(
                    f"{name} of a ReLU layer cannot be None or a negative value. Received:"
                    f" {name}={value}"
                )
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Tensor) -> Tensor:
        """The activation of the input."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(Elementwise):
    """x where x > 0, else negative_slope x.  Its default is 0.3; that of the function 0.2."""

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                "The negative_slope value of a Leaky ReLU layer cannot be None or negative value."
                f" Expected a float. Received: negative_slope={negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Tensor) -> Tensor:
        """The activation of the input."""
        return ops.leaky_relu(inputs, negative_slope=float(self.negative_slope))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Elementwise):
    """x where x > 0, else alpha (e^x - 1)."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Tensor) -> Tensor:
        """The activation of the input."""
        return ops.elu(inputs, alpha=float(self.alpha))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(Elementwise):
    """x where x > 0, else alpha x; alpha is learned, per feature, and shared along `shared_axes`.

    The slope at 0 is 0, for x as for alpha.  (He et al. 2015)
    """

    alpha: Variable

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        resolve_all(
            self,
            alpha_initializer=alpha_initializer,
            alpha_regularizer=alpha_regularizer,
            alpha_constraint=alpha_constraint,
        )
        if shared_axes is not None:
            shared_axes = (
                list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
            )
        self.shared_axes = shared_axes

    def build(self, input_shape: Shape) -> None:
        """Create alpha."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = weight(self, "alpha", shape)
        axes = {}
        if self.shared_axes:
            rest = range(1, len(input_shape))
            axes = {i: input_shape[i] for i in rest if i not in self.shared_axes}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Tensor) -> Tensor:
        """The activation of the input."""
        return ops.sub(ops.relu(inputs), ops.mul(self.alpha, ops.relu(ops.neg(inputs))))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            **described(self, "alpha_initializer", "alpha_regularizer", "alpha_constraint"),
            "shared_axes": self.shared_axes,
        }


class Softmax(Elementwise):
    """e^x / sum(e^x) along `axis`; where a `mask` is given and False, 0."""

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        """The probabilities."""
        if mask is None:
            return activations.softmax(inputs, self.axis)
        shape, given = inputs.shape, tuple(mask.shape)
        fits = len(given) <= len(shape) and all(
            m in (1, n) for m, n in zip(given[::-1], shape[::-1])
        )
        if not fits:
            raise ValueError(
                "The `mask` must be broadcastable to `inputs`. Received:"
                f" inputs.shape={shape}, mask.shape={given}"
            )
        if mask.dtype != "bool":
            mask = ops.gt(mask, 0.5)
        out = activations.softmax(ops.where(mask, inputs, -1e9), self.axis)
        return ops.where(mask, out, 0.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}
