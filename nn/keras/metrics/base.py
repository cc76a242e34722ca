"""Metric: state that batches add to, and a result of it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from autograd import no_grad
from nn.keras import config
from nn.keras.naming import to_snake_case
from nn.keras.variable import Variable

Self = TypeVar("Self", bound="Metric")


class Metric:
    """The base of all: `update_state(...)` after each batch, `result()`, `reset_state()`.

    A subclass makes its state in the constructor with `add_variable`, and writes `update_state` and
    `result` in ops, so that they are part of a compiled step; neither records a graph.
    """

    _direction: str | None = None
    """What is better: "up", "down", or None where that is not known."""
    _variables: list[Variable]
    _metrics: list[Metric]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("update_state", "result"):
            if name in vars(cls):
                setattr(cls, name, no_grad(vars(cls)[name]))

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.__dict__.update(_variables=[], _metrics=[])
        self.name = config.auto_name(to_snake_case(type(self).__name__)) if name is None else name
        self._dtype = np.dtype(config.standardize_dtype(dtype))

    @property
    def dtype(self) -> str:
        """The dtype of the result, and of most state."""
        return self._dtype.name

    @property
    def variables(self) -> list[Variable]:
        """The state, that of metrics inside this one included."""
        return [*self._variables, *(v for m in self._metrics for v in m.variables)]

    def __setattr__(self, name: str, value: Any) -> None:
        if "_variables" not in self.__dict__:
            raise RuntimeError(
                "You forgot to call `super().__init__()` in the `__init__()` method. Go add it!"
            )
        if isinstance(value, Metric) and not any(m is value for m in self._metrics):
            self._metrics.append(value)
        elif isinstance(value, Variable):
            self._own(value)
        super().__setattr__(name, value)

    def _own(self, variable: Variable) -> None:
        if not any(v is variable for v in self._variables):
            self._variables.append(variable)

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """A piece of state: zeros unless `initializer` says otherwise, of `floatx()`."""
        initializer = "zeros" if initializer is None else initializer
        variable = Variable(initializer, shape=shape, dtype=dtype, trainable=False, name=name)
        variable.path = f"{self.name.replace('/', '>')}/{variable.name}"
        self._own(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """`add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into account."""
        raise NotImplementedError(f"{type(self).__name__} defines no update_state()")

    def result(self) -> Any:
        """The value so far: a tensor, or a dict of tensors."""
        raise NotImplementedError(f"{type(self).__name__} defines no result()")

    def reset_state(self) -> None:
        """Start anew: all state is 0."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into account, and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The metric with these arguments, without state."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
