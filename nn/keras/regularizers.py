"""Penalties on weights or on a layer's output, under Keras' names.

A regularizer is a function of a tensor that returns a scalar tensor.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from autograd import Tensor, as_tensor
from autograd.op import ops
from nn.keras import config, saving
from nn.keras.naming import by_name

Self = TypeVar("Self", bound="Regularizer")


class Regularizer:
    """The base of all: subclass it, and write `__call__(x)` and `get_config()`."""

    def __call__(self, x: Any) -> Any:
        """The penalty: here none."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; NotImplementedError until a subclass says them."""
        raise NotImplementedError(f"{self} does not implement get_config()")

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The regularizer with these arguments."""
        return cls(**config)


def _factor(value: Any, name: str, default: float) -> float:
    """`value` as a factor; ValueError for what is negative, not finite or no number."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        value = getattr(value, "item", lambda: value)()
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. Received:"
            f" {name}={value}"
        )
    return float(value)


def _l1(x: Any, factor: float) -> Tensor:
    return ops.mul(ops.sum(ops.abs(x)), factor)


def _l2(x: Any, factor: float) -> Tensor:
    return ops.mul(ops.sum(ops.square(x)), factor)


class L1(Regularizer):
    """l1 sum(|x|)."""

    def __init__(self, l1: float = 0.01):
        self.l1 = _factor(l1, "l1", 0.01)

    def __call__(self, x: Any) -> Tensor:
        """The penalty."""
        return _l1(as_tensor(x), self.l1)

    def get_config(self) -> dict[str, Any]:
        """`l1`."""
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 sum(x^2), without the half that weight decay has."""

    def __init__(self, l2: float = 0.01):
        self.l2 = _factor(l2, "l2", 0.01)

    def __call__(self, x: Any) -> Tensor:
        """The penalty."""
        return _l2(as_tensor(x), self.l2)

    def get_config(self) -> dict[str, Any]:
        """`l2`."""
        return {"l2": self.l2}


class L1L2(Regularizer):
    """l1 sum(|x|) + l2 sum(x^2)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = _factor(l1, "l1", 0.0), _factor(l2, "l2", 0.0)

    def __call__(self, x: Any) -> Tensor:
        """The penalty."""
        x = as_tensor(x)
        parts = [f(x, c) for f, c in ((_l1, self.l1), (_l2, self.l2)) if c]
        if not parts:
            return ops.mul(ops.sum(x), 0.0)
        return parts[0] if len(parts) == 1 else ops.add(*parts)

    def get_config(self) -> dict[str, Any]:
        """`l1`, `l2`."""
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor times the mean |cosine| between the rows (or "columns") of a matrix.

    The mean is over pairs of different ones: factor / 2 sum_{i != j} |cos_ij| / (n (n - 1) / 2).
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor(factor, "factor", 0.01)
        if mode not in ("rows", "columns"):
            raise ValueError(
                'Invalid value for argument `mode`. Expected one of {"rows", "columns"}. Received:'
                f" mode={mode}"
            )
        self.mode = mode

    def __call__(self, inputs: Any) -> Tensor:
        """The penalty; ValueError for what is no matrix."""
        x = as_tensor(inputs)
        if x.ndim != 2:
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2. Received:"
                f" inputs.shape={x.shape}"
            )
        axis = 1 if self.mode == "rows" else 0
        lengths = ops.rsqrt(ops.sum(ops.square(x), dim=axis, keepdim=True))
        x = ops.mul(x, ops.clamp(lengths, max=1.0 / config.epsilon()))
        cosines = ops.matmul_nt(x, x) if axis else ops.matmul_tn(x, x)
        size = cosines.shape[0]
        off = ops.sub(cosines, ops.diag(ops.diag(cosines)))
        pairs = size * (size - 1.0) / 2.0
        return ops.mul(ops.sum(ops.abs(off)), self.factor * 0.5 / pairs if pairs else math.nan)

    def get_config(self) -> dict[str, Any]:
        """`factor`, `mode`."""
        return {"factor": self.factor, "mode": self.mode}


TABLE: dict[str, Any] = {
    **by_name(Regularizer, L1, L2, L1L2, OrthogonalRegularizer),
    "l1_l2": L1L2,
}
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """The regularizer of a name, config, class or function; None for None."""
    return saving.resolve("regularizer", identifier, TABLE)


def serialize(regularizer: Any) -> Any:
    """Its config, as JSON holds it."""
    return saving.serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer of a config."""
    return saving.resolve("regularizer", config, {**TABLE, **(custom_objects or {})})
