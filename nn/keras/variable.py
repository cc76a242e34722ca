"""Variable: a parameter under Keras' names, with assignment that a compiled step records."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, dtypes, inplace
from autograd.modes import modes
from autograd.op import ops
from nn.keras import config
from nn.parameter import Parameter


class Variable(Parameter):
    """State of a layer, metric or optimizer: a tensor with a name, changed by `assign`.

    `initializer`: the start value, or a function of (shape, dtype) with `shape` given.  It gets a
    gradient if `trainable` and of a float dtype.  `regularizer` and `constraint` are functions of
    the variable, of which training takes note.  `aggregation`, `synchronization` and `autocast`
    change nothing on one machine in one precision.
    """

    name: str
    path: str
    regularizer: Any
    constraint: Any

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        *,
        path: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ):
        self._fill(_initial(initializer, shape, dtype))
        self.name = config.auto_name("variable") if name is None else _checked_name(name)
        self.path = self.name if path is None else path
        self.regularizer, self.constraint = regularizer, constraint
        self.trainable = trainable

    @property
    def trainable(self) -> bool:
        """True where training changes it: it gets a gradient, if it holds floats."""
        return self._trainable

    @trainable.setter
    def trainable(self, wanted: bool) -> None:
        self._trainable = bool(wanted)
        if self.tracked != (self._trainable and self.is_floating_point()):
            self.requires_grad = self._trainable and self.is_floating_point()

    def assign(self, value: Any) -> Variable:
        """Set all values, in place; cast to the variable's dtype.  ValueError for another shape."""
        new = value.detach() if isinstance(value, Tensor) else Tensor.wrap(_array(value))
        if new.shape != self.shape:
            raise ValueError(
                "The shape of the target variable and the shape of the target value in"
                f" `variable.assign(value)` must match. variable.shape={self.shape}, Received:"
                f" value.shape={new.shape}. Target variable: {self.path}"
            )
        before, modes.grad = modes.grad, False
        try:
            if new.dtype != self.dtype:
                new = ops.cast(new, dtype=self.dtype)
            inplace.update("assign", _second, self, new)
        finally:
            modes.grad = before
        return self

    def assign_add(self, value: Any) -> Variable:
        """Add to the values, in place."""
        return self.assign(ops.add(self.detach(), _operand(value)))

    def assign_sub(self, value: Any) -> Variable:
        """Subtract from the values, in place."""
        return self.assign(ops.sub(self.detach(), _operand(value)))

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """A copy of the values."""
        if modes.recorder is not None:
            modes.recorder.reading(self, "numpy()")
        return self.array.copy()

    def __repr__(self) -> str:
        return (
            f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype.name},"
            f" value={self.array}>"
        )

    __str__ = __repr__


def _second(old: Tensor, new: Tensor) -> Tensor:
    return new


def _operand(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    return value if isinstance(value, (int, float)) else Tensor.wrap(_array(value))


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a variable holds numbers; got {type(value).__name__} {value!r}")
    if array.dtype not in dtypes.SUPPORTED:
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
    return dtypes.canonical(array)


def _initial(initializer: Any, shape: Any, dtype: Any) -> np.ndarray:
    """The start value, in memory of its own."""
    if callable(initializer) and not isinstance(initializer, (Tensor, np.ndarray)):
        if shape is None:
            raise ValueError(
                "When creating a Variable from an initializer, the `shape` argument should be"
                f" specified. Received: initializer={initializer} and shape=None"
            )
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        made = initializer(shape, dtype=config.standardize_dtype(dtype))
        array = made.array if isinstance(made, Tensor) else _array(made)
        if array.shape != shape:
            raise ValueError(
                f"initializer {initializer} gave a value of shape {array.shape}; expected {shape}"
            )
    elif isinstance(initializer, str):
        from nn.keras import initializers

        return _initial(initializers.get(initializer), () if shape is None else shape, dtype)
    else:
        array = initializer.array if isinstance(initializer, Tensor) else _array(initializer)
        if dtype is None and not isinstance(initializer, (Tensor, np.ndarray, np.generic)):
            dtype = {"f": config.floatx(), "b": "bool"}.get(array.dtype.kind, "int32")
    wanted = array.dtype if dtype is None else np.dtype(config.standardize_dtype(dtype))
    return dtypes.canonical(np.array(array, wanted, order="C"))


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or "/" in name:
        raise ValueError(f"Argument `name` must be a string and cannot contain `/`. Got {name!r}")
    return name
