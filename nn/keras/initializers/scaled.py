"""Initializers whose variance follows from the number of inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autograd import Tensor
from nn.keras.initializers.drawn import RandomInitializer, normal, truncated, uniform

_TRUNCATED = 0.87962566103423978
"""The standard deviation of N(0, 1) on condition that it is in [-2, 2]."""


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (...receptive field, in, out), or of the axes that are given.

    The fans of a vector are its size, those of a number 1.
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return (int(shape[0]), int(shape[0])) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")


class VarianceScaling(RandomInitializer):
    """Values of variance scale / n, with n = fan_in, fan_out or their mean, by `mode`.

    `distribution`: "uniform", "untruncated_normal", or "truncated_normal", whose normal numbers
    are within two of their deviations, and so are drawn with a 1 / 0.8796 times greater one.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in _MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of {set(_MODES)}")
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Please use one of"
                f" {set(_DISTRIBUTIONS)}"
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return uniform(self._stream(), shape, -limit, limit, dtype)
        if self.distribution == "truncated_normal":
            std = math.sqrt(variance) / _TRUNCATED
            return truncated(self._stream(), shape, 0.0, std, dtype)
        return normal(self._stream(), shape, 0.0, math.sqrt(variance), dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Named(VarianceScaling):
    """A VarianceScaling with a name; a subclass says its arguments."""

    fixed: tuple[float, str, str]

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(*self.fixed, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        """`seed`, `input_axes`, `output_axes`."""
        full = super().get_config()
        return {key: full[key] for key in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Named):
    """U(-b, b) with b = sqrt(6 / (fan_in + fan_out)).  (Glorot and Bengio 2010)."""

    fixed = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out).  (Glorot and Bengio 2010)."""

    fixed = 1.0, "fan_avg", "truncated_normal"


class LecunUniform(_Named):
    """U(-b, b) with b = sqrt(3 / fan_in).  (LeCun et al. 1998)."""

    fixed = 1.0, "fan_in", "uniform"


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in, for SELU networks.  (LeCun et al. 1998)."""

    fixed = 1.0, "fan_in", "truncated_normal"


class HeUniform(_Named):
    """U(-b, b) with b = sqrt(6 / fan_in).  (He et al. 2015)."""

    fixed = 2.0, "fan_in", "uniform"


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in, for ReLU networks.  (He et al. 2015)."""

    fixed = 2.0, "fan_in", "truncated_normal"
