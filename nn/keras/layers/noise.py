"""Layers that disturb their input in training, and are the identity else.

Without a `seed` they draw from the default generator, which `set_random_seed` seeds; with one, from
a stream of their own, `seed_generator`.
"""

from __future__ import annotations

import math
from typing import Any

from autograd import Generator, Tensor
from autograd.generator import stream
from autograd.op import ops
from nn.keras import regularizers
from nn.keras.layers.base import Elementwise
from nn.keras.spec import InputSpec

_SELU_LIMIT = 1.6732632423543772 * 1.0507009873554805
"""What SELU tends to for large negative inputs, negated."""


class Noise(Elementwise):
    """A layer with a random stream, if it has a seed."""

    seed_generator: Generator | None

    def __init__(self, seed: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        self.seed = seed
        self.seed_generator = None if seed is None else Generator().manual_seed(seed)


def _check_share(name: str, value: Any, below: bool = False) -> None:
    if not 0 <= value <= 1 or (below and value == 1):
        end = ", 1 excluded" if below else ""
        raise ValueError(
            f"Invalid value received for argument `{name}`. Expected a float value between 0 and"
            f" 1{end}. Received: {name}={value}"
        )


def _noise_shape(given: Any) -> tuple[int | None, ...] | None:
    """A noise shape as a tuple; ValueError for what is none."""
    if given is None:
        return None
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise ValueError(
            "Invalid value received for argument `noise_shape`. Expected an iterable of integers"
            f" (e.g., a tuple or list). Received: noise_shape={given}"
        )
    shape = tuple(given)
    for i, size in enumerate(shape):
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size <= 0):
            raise ValueError(
                "Invalid value received for argument `noise_shape`. Expected all dimensions to be"
                f" positive integers or None. Received element at index {i}: {size!r}"
            )
    return shape


def _corner(x: Tensor, shape: tuple[int | None, ...] | None) -> Tensor:
    """The part of `x` that has the noise's shape: what is 1 there broadcasts to the rest."""
    x = x.detach()
    if shape is None or shape == x.shape:
        return x
    if len(shape) != x.ndim or any(n not in (None, 1, m) for n, m in zip(shape, x.shape)):
        raise ValueError(
            f"noise_shape={shape} does not broadcast to an input of shape {x.shape}: give one size"
            " per dimension, 1 or None or that of the input"
        )
    return ops.slice(x, index=tuple(slice(0, 1) if n == 1 else slice(None) for n in shape))


class Dropout(Noise):
    """Zero each element with probability `rate` in training, and scale the rest by 1 / (1 - rate).

    `noise_shape`: the shape of the mask, with 1 where it is to be the same along a dimension.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        _check_share("rate", rate)
        self.rate = rate
        self.noise_shape = _noise_shape(noise_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """In training a new mask at each call; else the input itself."""
        if not training or self.rate == 0:
            return inputs
        shape = self.noise_shape
        like = inputs.detach() if shape is None else _corner(inputs, shape)
        mask = ops.dropout_mask(like, p=float(self.rate), stream=stream(self.seed_generator))
        return ops.mul(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "rate": self.rate,
            "seed": self.seed,
            "noise_shape": self.noise_shape,
        }


class SpatialDropout(Dropout):
    """Dropout of whole feature maps; a subclass says how many dimensions its input has."""

    rank: int

    def __init__(
        self, rate: float, data_format: Any = None, seed: Any = None, name: Any = None,
        dtype: Any = None, **kwargs: Any,
    ):  # fmt: skip
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(
                "The `data_format` argument must be one of {'channels_first', 'channels_last'}."
                f" Received: data_format={data_format}"
            )
        self.data_format = data_format or "channels_last"
        middle = (1,) * (self.rank - 2)
        first = self.data_format == "channels_first"
        self.noise_shape = (None, None, *middle) if first else (None, *middle, None)
        self.input_spec = InputSpec(ndim=self.rank)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {**super().get_config(), "dtype": self.dtype, "data_format": self.data_format}
        return {k: v for k, v in config.items() if k not in ("trainable", "noise_shape")}


class SpatialDropout1D(SpatialDropout):
    """Dropout of whole features of (n, steps, features)."""

    rank = 3

    def __init__(self, rate: float, seed: Any = None, name: Any = None, dtype: Any = None):
        super().__init__(rate, None, seed, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {k: v for k, v in super().get_config().items() if k != "data_format"}


class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of images (n, rows, columns, channels)."""

    rank = 4


class SpatialDropout3D(SpatialDropout):
    """Dropout of whole channels of volumes (n, x, y, z, channels)."""

    rank = 5


class AlphaDropout(Noise):
    """Dropout for SELU networks: keeps mean and variance.  (Klambauer et al. 2017).

    What is dropped becomes SELU's limit L for large negative inputs; then all is scaled by
    a = ((1 - rate)(1 + rate L^2))^-1/2 and shifted by -a L rate.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        _check_share("rate", rate, below=True)
        self.rate = rate
        self.noise_shape = _noise_shape(noise_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """In training a new mask at each call; else the input itself."""
        rate = float(self.rate)
        if not training or rate == 0:
            return inputs
        like = _corner(inputs, self.noise_shape)
        mask = ops.dropout_mask(like, p=rate, stream=stream(self.seed_generator))
        a = 1 / math.sqrt((1 - rate) * (1 + rate * _SELU_LIMIT**2))
        # mask (1 - rate) is 1 where kept: out = inputs a kept + a L (kept - 1) + a L rate
        kept = a * (1 - rate)
        shift = ops.add(ops.mul(mask, kept * _SELU_LIMIT), a * _SELU_LIMIT * (rate - 1))
        return ops.add(ops.mul(inputs, ops.mul(mask, kept)), shift)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "rate": self.rate,
            "seed": self.seed,
            "noise_shape": self.noise_shape,
        }


class GaussianDropout(Noise):
    """In training x times N(1, rate / (1 - rate)).  (Srivastava et al. 2014)."""

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        _check_share("rate", rate, below=True)
        self.rate = rate

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """In training new factors at each call; else the input itself."""
        if not training or self.rate == 0:
            return inputs
        std = math.sqrt(self.rate / (1.0 - self.rate))
        source = stream(self.seed_generator)
        return ops.mul(inputs, ops.normal_noise(inputs.detach(), mean=1.0, std=std, stream=source))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class GaussianNoise(Noise):
    """In training x plus N(0, stddev^2)."""

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        _check_share("stddev", stddev)
        self.stddev = stddev

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """In training new noise at each call; else the input itself."""
        if not training or self.stddev == 0:
            return inputs
        source, std = stream(self.seed_generator), float(self.stddev)
        return ops.add(inputs, ops.normal_noise(inputs.detach(), mean=0.0, std=std, stream=source))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class ActivityRegularization(Elementwise):
    """The identity, which adds l1 sum(|x|) + l2 sum(x^2) to the loss."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Tensor) -> Tensor:
        """The input itself."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {**super().get_config(), "l1": self.l1, "l2": self.l2}
        config.pop("activity_regularizer", None)
        return config
