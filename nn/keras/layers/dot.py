"""Dot: sample by sample the product of two tensors along one axis of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import config
from nn.keras.layers.merging import Merge
from nn.keras.spec import Shape


class Dot(Merge):
    """sum over `axes` of x y, for each sample: (n, ..., k, ...), (n, ..., k, ...) -> (n, ..., ...).

    `axes`: one axis of both, or one of each; not 0, the batch.  `normalize`: the vectors along them
    are scaled to length 1 first, so that the result is their cosine.
    """

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise TypeError(
                    f"Invalid type for argument `axes`: it should be a list or an int. Received:"
                    f" axes={axes}"
                )
            if len(axes) != 2 or not all(isinstance(a, int) for a in axes):
                raise ValueError(
                    "Invalid format for argument `axes`: it should contain two integers. Received:"
                    f" axes={axes}"
                )
        self.axes, self.normalize = axes, normalize

    def _places(self, *shapes: Shape) -> tuple[int, int]:
        """The axis of each input, counted from 0; ValueError for one that is the batch or none."""
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for a, shape in zip(given, shapes):
            if not -len(shape) <= a < len(shape) or a % len(shape) == 0:
                raise ValueError(
                    f"Dot: axes={self.axes} has no place in inputs of shapes {shapes[0]} and"
                    f" {shapes[1]}; expected an axis after the batch, which is 0"
                )
        first, second = (a % len(shape) for a, shape in zip(given, shapes))
        return first, second

    def build(self, input_shape: Any) -> None:
        """Check that the inputs go together."""
        if (
            not input_shape
            or not isinstance(input_shape[0], (tuple, list))
            or len(input_shape) != 2
        ):
            raise ValueError(
                f"A `Dot` layer should be called on a list of 2 inputs. Received:"
                f" input_shape={input_shape}"
            )
        a, b = self._places(*input_shape)
        m, n = input_shape[0][a], input_shape[1][b]
        if m != n and None not in (m, n):
            raise ValueError(
                f"Incompatible input shapes: axis values {m} (at axis {a}) != {n} (at axis {b})."
                f" Full input shapes: {input_shape[0]}, {input_shape[1]}"
            )

    def call(self, inputs: Any) -> Tensor:
        """The product."""
        x, y = inputs
        a, b = self._places(x.shape, y.shape)
        if x.shape[0] != y.shape[0]:
            raise ValueError(
                "Cannot do batch_dot on inputs with different batch sizes. Received inputs with"
                f" shapes {x.shape} and {y.shape}."
            )
        if self.normalize:
            x, y = _unit(x, a), _unit(y, b)
        if x.ndim == y.ndim == 2:
            return ops.sum(ops.mul(x, y), dim=1, keepdim=True)
        middle = [x.shape[d] for d in range(1, x.ndim) if d != a]
        trail = [y.shape[d] for d in range(1, y.ndim) if d != b]
        x = _with_axis_last(x, a, (x.shape[0], math.prod(middle), x.shape[a]))
        y = _with_axis_last(y, b, (y.shape[0], math.prod(trail), y.shape[b]))
        return ops.reshape(ops.matmul_nt(x, y), shape=(x.shape[0], *middle, *trail))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: the product has no steps to mask."""
        return None

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """(n, the rest of the first, the rest of the second)."""
        if not isinstance(input_shape, (list, tuple)) or len(input_shape) != 2:
            raise ValueError(
                "A `Dot` layer should be called on a list of 2 inputs. Received:"
                f" input_shape={input_shape}"
            )
        x, y = list(input_shape[0]), list(input_shape[1])
        a, b = self._places(tuple(x), tuple(y))
        del x[a], y[b]
        out = (*x, *y[1:])
        return out if len(out) > 1 else (*out, 1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _unit(x: Tensor, axis: int) -> Tensor:
    """The vectors along an axis with length 1."""
    scale = ops.rsqrt(ops.sum(ops.square(x), dim=axis, keepdim=True))
    return ops.mul(x, ops.clamp(scale, max=1.0 / config.epsilon()))


def _with_axis_last(x: Tensor, axis: int, shape: tuple[int, ...]) -> Tensor:
    if axis != x.ndim - 1:
        x = ops.permute(x, dims=(*(d for d in range(x.ndim) if d != axis), axis))
    return x if x.shape == shape else ops.reshape(x, shape=shape)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """`Dot(axes)(inputs)`."""
    return Dot(axes, **kwargs)(inputs)
