"""Layers that normalise."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from autograd import Tensor, int64, ones, tensor, zeros
from autograd.op import ops
from nn import functional, init
from nn.functional.norm import batch_norm_training
from nn.module import Layer
from nn.parameter import Parameter


class _Affine(Layer):
    """A layer that ends with a learned scale and shift, which start from 1 and 0."""

    weight: Parameter | None
    bias: Parameter | None

    def _add_affine(self, shape: tuple[int, ...], weight: bool, bias: bool, options: Any) -> None:
        self.register_parameter("weight", Parameter(ones(shape, **options)) if weight else None)
        self.register_parameter("bias", Parameter(zeros(shape, **options)) if bias else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _BatchNorm(_Affine):
    """Batch normalisation; a subclass says how many dimensions its input has."""

    ndims: tuple[int, ...]
    expected: str
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        options = {"device": device, "dtype": dtype}
        self._add_affine((num_features,), affine, affine and bias, options)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **options) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **options) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget all batches: mean 0, variance 1, none seen."""
        if self.running_mean is not None and self.running_var is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0; forget all batches."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise with the batch's statistics in training, with the running ones else."""
        if len(input.shape) not in self.ndims:
            raise ValueError(f"expected {self.expected} input (got {len(input.shape)}D input)")
        mean, var = self.running_mean, self.running_var
        if not self.training and mean is not None and var is not None:
            return ops.batch_norm_fixed(input, mean, var, self.weight, self.bias, eps=self.eps)
        batches = self.num_batches_tracked
        if not self.training or not self.track_running_stats:
            mean = var = batches = None
        return batch_norm_training(
            input, mean, var, batches, self.weight, self.bias, self.momentum, self.eps
        )

    def extra_repr(self) -> str:
        """The number of features, and all options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine},"
            f" bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the batch: x (n, features) or (n, features, length).

    out = (x - mean) / sqrt(var + eps) weight + bias.  In training mean and (biased) variance are
    those of the batch, and running = (1 - momentum) running + momentum batch, with the unbiased
    variance; in evaluation the running ones are used.  `momentum=None`: the average over all
    batches.  `track_running_stats=False`: the batch's own in evaluation too.  (Ioffe, Szegedy 2015)
    """

    ndims, expected = (2, 3), "2D or 3D"


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images (n, channels, height, width); see `BatchNorm1d`."""

    ndims, expected = (4,), "4D"


class _LastDimensions(_Affine):
    """What layer and RMS normalisation share."""

    eps: float | None

    def __init__(self, normalized_shape: int | Sequence[int], elementwise_affine: bool):
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(map(operator.index, sizes))
        self.elementwise_affine = elementwise_affine

    def extra_repr(self) -> str:
        """The shape, eps, and whether there is a scale."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LayerNorm(_LastDimensions):
    """Normalise over the last dimensions: out = (x - mean) / sqrt(var + eps) weight + bias.

    `normalized_shape`: their sizes, and the shape of weight and bias.  (Ba, Kiros, Hinton 2016)
    """

    eps: float

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(normalized_shape, elementwise_affine)
        self.eps = eps
        options = {"device": device, "dtype": dtype}
        each = elementwise_affine, elementwise_affine and bias
        self._add_affine(self.normalized_shape, *each, options)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every row."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape, and all options."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


class RMSNorm(_LastDimensions):
    """Scale the last dimensions: out = x / sqrt(mean(x^2) + eps) weight.

    `eps=None`: the rounding unit of the input's dtype.  (Zhang, Sennrich 2019)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(normalized_shape, elementwise_affine)
        self.eps = eps
        options = {"device": device, "dtype": dtype}
        scale = Parameter(ones(self.normalized_shape, **options)) if elementwise_affine else None
        self.register_parameter("weight", scale)

    def reset_parameters(self) -> None:
        """Scale 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Scale every row."""
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(_Affine):
    """Normalise groups of neighbouring channels of (n, channels, ...); then scale each channel.

    out = (x - mean) / sqrt(var + eps) weight + bias, weight and bias (channels,).  (Wu, He 2018)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        options = {"device": device, "dtype": dtype}
        self._add_affine((num_channels,), affine, affine and bias, options)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every group of every sample."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The two numbers, and all options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine},"
            f" bias={self.bias is not None}"
        )
