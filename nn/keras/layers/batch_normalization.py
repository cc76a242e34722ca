"""BatchNormalization, with Keras' numerics."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import config
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
from nn.updates import decay_running_stats

_PARTS = ("beta", "gamma", "moving_mean", "moving_variance")


class BatchNormalization(Elementwise):
    """(x - mean) / sqrt(var + epsilon) gamma + beta, per index of `axis`.

    In training mean and (biased) variance are those of the batch, and
    moving = momentum moving + (1 - momentum) batch; else, and where `trainable` is False, they are
    the moving ones.  A batch of one value per feature gives beta, without an error.  Steps that a
    `mask` leaves out do not count for the statistics.  (Ioffe and Szegedy 2015)
    """

    gamma: Variable | None
    beta: Variable | None
    moving_mean: Variable
    moving_variance: Variable

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        refuse("BatchNormalization", renorm=renorm, synchronized=synchronized)
        super().__init__(**kwargs)
        self.axis, self.momentum, self.epsilon = int(axis), float(momentum), float(epsilon)
        self.center, self.scale = center, scale
        self.renorm_clipping, self.renorm_momentum = renorm_clipping, renorm_momentum
        resolve_all(
            self,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer,
            moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.gamma = self.beta = None

    def build(self, input_shape: Shape) -> None:
        """Create scale, shift and the moving statistics."""
        check_axis(self, self.axis, input_shape)
        size = input_shape[self.axis]
        if size is None:
            raise ValueError(
                f"layer '{self.name}': axis {self.axis} of the input must have a known size."
                f" Received: input_shape={input_shape}"
            )
        self.gamma = weight(self, "gamma", (size,)) if self.scale else None
        self.beta = weight(self, "beta", (size,)) if self.center else None
        for name in ("moving_mean", "moving_variance"):
            initializer = getattr(self, f"{name}_initializer")
            moving = self.add_weight((size,), initializer, trainable=False, name=name)
            setattr(self, name, moving)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Normalise with the batch's statistics in training, with the moving ones else."""
        x = floating(self, inputs)
        if mask is not None and training and self._trainable:
            return self._masked(x, mask)
        shape, axis = x.shape, self.axis % x.ndim
        if axis == 1:
            return self._normalised(x, training)
        if axis == len(shape) - 1:  # all other dimensions are one
            flat = ops.reshape(x, shape=(-1 if 0 not in shape else 0, shape[-1]))
            return ops.reshape(self._normalised(flat, training), shape=shape)
        if axis == 0:
            turned = ops.unsqueeze(x, 0)
            return ops.squeeze(self._normalised(turned, training), 0)
        swapped = ops.transpose(x, dim0=1, dim1=axis)
        return ops.transpose(self._normalised(swapped, training), dim0=1, dim1=axis)

    def _normalised(self, x: Tensor, training: bool | None) -> Tensor:
        """`x` (n, channels, ...) normalised per channel."""
        mean, var, eps = self.moving_mean, self.moving_variance, self.epsilon
        if not training or not self._trainable:
            return ops.batch_norm_fixed(x, mean, var, self.gamma, self.beta, eps=eps)
        stats = ops.batch_stats(x, eps=eps)
        out = ops.batch_norm(x, self.gamma, self.beta, stats, eps=eps)
        if x.numel():
            decay_running_stats(mean, var, stats, self.momentum)
        return out

    def _masked(self, x: Tensor, mask: Any) -> Tensor:
        """`x` normalised with the statistics of what the mask keeps."""
        if mask.ndim != x.ndim - 1 or self.axis % x.ndim != x.ndim - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs, whose last axis is"
                f" normalised. Received: mask.shape={mask.shape}, inputs.shape={x.shape}"
            )
        flat = ops.reshape(x, shape=(-1 if 0 not in x.shape else 0, x.shape[-1]))
        kept = ops.cast(ops.reshape(mask, shape=(-1, 1)), dtype=self._dtype)
        count = ops.add(ops.sum(kept), config.epsilon())
        mean = ops.div(ops.sum(ops.mul(flat, kept), dim=0), count)
        apart = ops.sub(flat, mean)
        variance = ops.div(ops.sum(ops.mul(ops.square(apart), kept), dim=0), count)
        stats = ops.stack([mean.detach(), variance.detach()])
        decay_running_stats(self.moving_mean, self.moving_variance, stats, self.momentum)
        out = ops.mul(apart, ops.rsqrt(ops.add(variance, self.epsilon)))
        out = out if self.gamma is None else ops.mul(out, self.gamma)
        out = out if self.beta is None else ops.add(out, self.beta)
        return ops.reshape(out, shape=x.shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **described(
                self,
                *(f"{part}_initializer" for part in _PARTS),
                "beta_regularizer",
                "gamma_regularizer",
                "beta_constraint",
                "gamma_constraint",
            ),
            "synchronized": False,
            "renorm": False,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }
