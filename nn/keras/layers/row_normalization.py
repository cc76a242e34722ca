"""Layers that normalise each sample by itself."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.modes import modes
from autograd.op import ops
from nn.functional.norm import layer_norm, rms_norm
from nn.keras.layers.base import (
    Elementwise,
    check_axis,
    described,
    floating,
    refuse,
    resolve_all,
    weight,
)
from nn.keras.spec import InputSpec, Shape
from nn.keras.variable import Variable


class _Scaled(Elementwise):
    """A layer that ends with a learned scale and shift, `gamma` and `beta`."""

    gamma: Variable | None
    beta: Variable | None
    center: bool
    scale: bool

    def __init__(
        self,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.center, self.scale = center, scale
        resolve_all(
            self,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.gamma = self.beta = None

    def _add_scale(self, shape: tuple[int, ...]) -> None:
        self.gamma = weight(self, "gamma", shape) if self.scale else None
        self.beta = weight(self, "beta", shape) if self.center else None

    def _described(self) -> dict[str, Any]:
        return {
            "center": self.center,
            "scale": self.scale,
            **described(
                self,
                "beta_initializer",
                "gamma_initializer",
                "beta_regularizer",
                "gamma_regularizer",
                "beta_constraint",
                "gamma_constraint",
            ),
        }


def _axes(layer: Any, axis: Any, shape: Shape) -> list[int]:
    """The axes, sorted as they were given; ValueError for one that is not there."""
    check_axis(layer, axis, shape)
    return sorted(axis) if isinstance(axis, (list, tuple)) else [axis]


def _sizes(layer: Any, axes: list[int], shape: Shape) -> tuple[int, ...]:
    sizes = tuple(shape[a] for a in axes)
    if None in sizes:
        raise ValueError(
            f"layer '{layer.name}': the sizes along axis {axes} must be known. Received:"
            f" input_shape={shape}"
        )
    return sizes  # type: ignore[return-value]


def _with_axes_last(x: Tensor, axes: Any, f: Any) -> Tensor:
    """`f` of `x` with these axes at its end; the result with them where they were."""
    places = [a % x.ndim for a in axes]
    rest = [d for d in range(x.ndim) if d not in places]
    order = rest + places
    if order == list(range(x.ndim)):
        return f(x)
    out = f(ops.permute(x, dims=tuple(order)))
    return ops.permute(out, dims=tuple(order.index(d) for d in range(x.ndim)))


def _check_axis_type(axis: Any) -> Any:
    if isinstance(axis, bool) or not isinstance(axis, (int, list, tuple)):
        raise TypeError(
            "Expected an int or a list/tuple of ints for the argument 'axis', but received:"
            f" {axis!r}"
        )
    return list(axis) if isinstance(axis, (list, tuple)) else axis


class LayerNormalization(_Scaled):
    """(x - mean) / sqrt(var + epsilon) gamma + beta over `axis`, sample by sample.

    The variance is the biased one; epsilon is 1e-3, where PyTorch's is 1e-5.  (Ba, Kiros, Hinton
    2016)
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ):
        refuse(
            "LayerNormalization (for rms_scaling take RMSNormalization)", rms_scaling=rms_scaling
        )
        super().__init__(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        self.axis, self.epsilon = _check_axis_type(axis), epsilon

    def build(self, input_shape: Shape) -> None:
        """Create scale and shift."""
        self.axis = _axes(self, self.axis, input_shape)
        self._add_scale(_sizes(self, self.axis, input_shape))

    def call(self, inputs: Tensor) -> Tensor:
        """Normalise every sample."""
        x = floating(self, inputs)
        shape = tuple([x.shape[a] for a in self.axis])

        def normalised(x: Tensor) -> Tensor:
            return layer_norm(x, shape, self.gamma, self.beta, self.epsilon)

        return normalised(x) if self.axis == [-1] else _with_axes_last(x, self.axis, normalised)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "axis": list(self.axis) if isinstance(self.axis, list) else self.axis,
            "epsilon": self.epsilon,
            "rms_scaling": False,
            **self._described(),
            **super().get_config(),
        }


class RMSNormalization(Elementwise):
    """x / sqrt(mean(x^2) + epsilon) scale over `axis`, sample by sample.

    (Zhang and Sennrich 2019)
    """

    scale: Variable

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis, self.epsilon = _check_axis_type(axis), epsilon

    def build(self, input_shape: Shape) -> None:
        """Create the scale."""
        self.axis = _axes(self, self.axis, input_shape)
        sizes = _sizes(self, self.axis, input_shape)
        self.scale = self.add_weight(name="scale", shape=sizes, initializer="ones")

    def call(self, inputs: Tensor) -> Tensor:
        """Scale every sample."""
        x = floating(self, inputs)
        shape = tuple([x.shape[a] for a in self.axis])

        def scaled(x: Tensor) -> Tensor:
            return rms_norm(x, shape, self.scale, self.epsilon)

        return _with_axes_last(x, self.axis, scaled)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        axis = list(self.axis) if isinstance(self.axis, list) else self.axis
        return {"axis": axis, "epsilon": self.epsilon, **super().get_config()}


class GroupNormalization(_Scaled):
    """Normalise groups of neighbouring channels of each sample; then scale each channel.

    `groups=-1`: each channel by itself, which is instance normalisation.  (Wu and He 2018)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer (or"
                f" `-1` for instance normalization). Received: groups={groups}"
            )
        super().__init__(
            center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        self.groups, self.axis, self.epsilon = groups, axis, epsilon

    def build(self, input_shape: Shape) -> None:
        """Create scale and shift."""
        check_axis(self, self.axis, input_shape)
        size = _sizes(self, [self.axis], input_shape)[0]
        if self.groups == -1:
            self.groups = size
        if size % self.groups:
            raise ValueError(
                f"layer '{self.name}': the number of channels ({size}) must be a multiple of the"
                f" number of groups ({self.groups})."
            )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        self._add_scale((size,))

    def call(self, inputs: Tensor) -> Tensor:
        """Normalise every group of every sample."""
        x = floating(self, inputs)
        axis = self.axis % x.ndim
        if axis != 1:
            order = (0, axis, *(d for d in range(1, x.ndim) if d != axis))
            x = ops.permute(x, dims=order)
        meta: Any = {"num_groups": self.groups, "eps": self.epsilon}
        stats = ops.group_norm_stats(x, **meta) if modes.grad else None
        out = ops.group_norm(x, self.gamma, self.beta, stats, **meta)
        if axis != 1:
            out = ops.permute(out, dims=tuple(order.index(d) for d in range(out.ndim)))
        return out

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            **self._described(),
        }


class UnitNormalization(Elementwise):
    """x over its length along `axis`, sample by sample; vectors shorter than 1e-12 stay short."""

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        if isinstance(axis, bool) or not isinstance(axis, (int, list, tuple)):
            raise TypeError(
                "Invalid value for `axis` argument: expected an int or a list/tuple of ints."
                f" Received: axis={axis}"
            )
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis

    def build(self, input_shape: Shape) -> None:
        """Check the axis."""
        check_axis(self, self.axis, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Scale every vector to length 1."""
        x = floating(self, inputs)
        dim = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        squares = ops.sum(ops.square(x), dim=dim, keepdim=True)
        return ops.mul(x, ops.rsqrt(ops.clamp(squares, min=1e-24)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}
