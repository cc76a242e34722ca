"""Layers that prepare numbers: a fixed affine map, or the data's own mean and variance."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras import config, saving
from nn.keras.layers.base import Elementwise, check_axis, floating
from nn.keras.node import KerasTensor
from nn.keras.spec import Shape
from nn.keras.variable import Variable


class _Prepared(Elementwise):
    """A layer whose output is of its own float dtype, whatever its input is."""

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output."""
        x = args[0] if args else kwargs["inputs"]
        return KerasTensor(self.compute_output_shape(x.shape), self.compute_dtype)


def _constant(layer: Any, value: Any) -> Any:
    """A number as it is, anything else as a tensor of the layer's dtype."""
    if isinstance(value, (int, float)):
        return float(value)
    value = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return Tensor.wrap(np.array(value, layer._dtype))


class Rescaling(_Prepared):
    """x scale + offset; each a number, or an array that broadcasts to x."""

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self._factors = _constant(self, scale), _constant(self, offset)

    def call(self, inputs: Tensor) -> Tensor:
        """The rescaled input."""
        scale, offset = self._factors
        return ops.add(ops.mul(floating(self, inputs), scale), offset)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "scale": saving.serialize_keras_object(self.scale),
            "offset": saving.serialize_keras_object(self.offset),
        }


class Normalization(_Prepared):
    """(x - mean) / sqrt(variance) per index of `axis`, from `adapt(data)` or as given.

    `axis=None`: one mean and variance of all numbers.  `invert=True`: back from there.
    """

    adapt_mean: Variable
    adapt_variance: Variable
    count: Variable

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        if (mean is None) != (variance is None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. Received:"
                f" mean={mean} and variance={variance}"
            )
        if np.shape(mean) != np.shape(variance) or np.ndim(mean) > max(len(self.axis), 0):
            raise ValueError(
                "When setting values directly, `mean` and `variance` must have the same shape, of"
                f" at most as many dimensions as there are axes. Received: mean shape"
                f" {np.shape(mean)} and variance shape {np.shape(variance)} for axis {self.axis}"
            )

    def build(self, input_shape: Shape) -> None:
        """Create the statistics, where none are given."""
        check_axis(self, self.axis, input_shape)
        rank = len(input_shape)
        self._kept = tuple(sorted(a % rank for a in self.axis))
        self._reduced = tuple(d for d in range(rank) if d not in self._kept)
        sizes = [input_shape[d] for d in self._kept]
        if None in sizes:
            raise ValueError(
                "All `axis` values to be kept must have a known shape. Received"
                f" axis={self.axis}, inputs.shape={input_shape} in layer '{self.name}'"
            )
        wide: Any = [input_shape[d] if d in self._kept else 1 for d in range(rank)]
        self._wide: tuple[int, ...] = tuple(wide)
        self._given: Any = None
        if self.input_mean is None:
            options: Any = {"trainable": False}
            self.adapt_mean = self.add_weight(sizes, "zeros", name="mean", **options)
            self.adapt_variance = self.add_weight(sizes, "ones", name="variance", **options)
            self.count = self.add_weight((), "zeros", "int", name="count", **options)
        else:
            self._given = tuple(self._spread(v) for v in (self.input_mean, self.input_variance))

    def _spread(self, value: Any) -> Tensor:
        """A mean or variance that was given, in the shape that broadcasts to the input."""
        array = np.asarray(value, self._dtype)
        shape = [1] * len(self._wide)
        for place, size in zip(self._kept[::-1], array.shape[::-1]):
            shape[place] = size
        return Tensor.wrap(np.broadcast_to(array.reshape(shape), self._wide).copy())

    @property
    def mean(self) -> Tensor | None:
        """The mean, in the shape that broadcasts to the input; None before the layer is built."""
        return self._statistics()[0] if self.built else None

    @property
    def variance(self) -> Tensor | None:
        """The variance likewise."""
        return self._statistics()[1] if self.built else None

    def _statistics(self) -> tuple[Tensor, Tensor]:
        if self._given is not None:
            return self._given
        pair = self.adapt_mean, self.adapt_variance
        if self._kept and self._kept[0] == len(self._wide) - len(self._kept):
            return pair  # they broadcast as they are
        mean, variance = (ops.reshape(v, shape=self._wide) for v in pair)
        return mean, variance

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data: an array, or batches of it (of pairs, the first)."""
        if self.input_mean is not None:
            raise ValueError(
                f"layer '{self.name}' was given its mean and variance: nothing to adapt"
            )
        batches = iter([data] if hasattr(data, "shape") else _batches(data))
        first = next(batches, None)
        if first is None:
            raise ValueError(
                "adapt() received an empty iterable (no batches). Expected at least one batch."
            )
        shape = np.shape(_first_of(first))
        if not self.built:
            self.build(shape)
        mean = variance = np.zeros([shape[d] for d in self._kept])
        total = 0
        for batch in itertools.chain([first], batches):
            x = np.asarray(_values(_first_of(batch)), np.float64)
            if len(x.shape) != len(self._wide) or any(
                x.shape[d] != self._wide[d] for d in self._kept
            ):
                raise ValueError(
                    f"layer '{self.name}' was built for inputs that broadcast to {self._wide}, but"
                    f" adapt() is being called with data of an incompatible shape, {x.shape}"
                )
            count = math.prod(x.shape[d] for d in self._reduced)
            total += count
            share = count / total if total else 0.0
            batch_mean, batch_variance = x.mean(self._reduced), x.var(self._reduced)
            new = mean * (1 - share) + batch_mean * share
            variance = (variance + (mean - new) ** 2) * (1 - share)
            variance = variance + (batch_variance + (batch_mean - new) ** 2) * share
            mean = new
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def call(self, inputs: Tensor) -> Tensor:
        """The normalised input."""
        mean, variance = self._statistics()
        x = floating(self, inputs)
        deviation = ops.clamp(ops.sqrt(variance), min=config.epsilon())
        if self.invert:
            return ops.add(ops.mul(x, deviation), mean)
        return ops.div(ops.sub(x, mean), deviation)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": np.array(self.input_mean).tolist(),
            "variance": np.array(self.input_variance).tolist(),
        }


def _batches(data: Any) -> Any:
    if not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise TypeError(
            f"Unsupported data type: {type(data)}. `adapt` takes an array, a tensor, or an iterable"
            " of batches"
        )
    return data if hasattr(data, "__iter__") else (data[i] for i in range(len(data)))


def _first_of(batch: Any) -> Any:
    return batch[0] if isinstance(batch, tuple) else batch


def _values(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Tensor) else x
