"""What weights are projected to after each update, under Keras' names.

A constraint is a function of a weight that returns the projected one.  `axis`: the dimensions that
one norm is of; 0 for the weights into each unit of a Dense layer.
"""

from __future__ import annotations

from typing import Any, TypeVar

from autograd import Tensor, as_tensor
from autograd.op import ops
from nn.keras import config, saving
from nn.keras.naming import by_name

Self = TypeVar("Self", bound="Constraint")


class Constraint:
    """The base of all: subclass it, and write `__call__(w)`."""

    def __call__(self, w: Any) -> Any:
        """The projected weight: here itself."""
        return w

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The constraint with these arguments."""
        return cls(**config)


def _norms(w: Tensor, axis: Any) -> Tensor:
    axis = tuple(axis) if isinstance(axis, list) else axis
    return ops.sqrt(ops.sum(ops.square(w), dim=axis, keepdim=True))


class MaxNorm(Constraint):
    """w scaled down to a norm of `max_value` where it is greater.  (Srivastava et al. 2014)."""

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Tensor:
        """The projected weight."""
        w = as_tensor(w)
        norms = _norms(w, self.axis)
        desired = ops.clamp(norms, min=0.0, max=float(self.max_value))
        return ops.mul(w, ops.div(desired, ops.add(norms, config.epsilon())))

    def get_config(self) -> dict[str, Any]:
        """`max_value`, `axis`."""
        return {"max_value": self.max_value, "axis": self.axis}


class MinMaxNorm(Constraint):
    """w moved to a norm in [min_value, max_value]; by the share `rate` of the way at a time."""

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Any = 0,
    ):
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Tensor:
        """The projected weight."""
        w = as_tensor(w)
        norms = _norms(w, self.axis)
        inside = ops.clamp(norms, min=float(self.min_value), max=float(self.max_value))
        desired = ops.add(ops.mul(inside, self.rate), ops.mul(norms, 1 - self.rate))
        return ops.mul(w, ops.div(desired, ops.add(norms, config.epsilon())))

    def get_config(self) -> dict[str, Any]:
        """`min_value`, `max_value`, `rate`, `axis`."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


class NonNeg(Constraint):
    """max(w, 0)."""

    def __call__(self, w: Any) -> Tensor:
        """The projected weight."""
        return ops.clamp(as_tensor(w), min=0.0)


class UnitNorm(Constraint):
    """w / (epsilon + norm)."""

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        """The projected weight."""
        w = as_tensor(w)
        return ops.div(w, ops.add(_norms(w, self.axis), config.epsilon()))

    def get_config(self) -> dict[str, Any]:
        """`axis`."""
        return {"axis": self.axis}


TABLE: dict[str, Any] = by_name(Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm)
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


def get(identifier: Any) -> Any:
    """The constraint of a name, config, class or function; None for None."""
    return saving.resolve("constraint", identifier, TABLE)


def serialize(constraint: Any) -> Any:
    """Its config, as JSON holds it."""
    return saving.serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint of a config."""
    return saving.resolve("constraint", config, {**TABLE, **(custom_objects or {})})
