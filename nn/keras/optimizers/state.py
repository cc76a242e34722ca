"""The state of an optimizer: its variables, by name, and saving them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from nn.keras.variable import Variable


class State:
    """The part of `Optimizer` that holds variables of its own, in Keras' order."""

    name: str
    built: bool
    _variables: list[Variable]

    @property
    def variables(self) -> list[Variable]:
        """`iteration`, `learning_rate`, and the state of every variable."""
        return list(self._variables)

    def _track(self, variable: Variable, at: int | None = None) -> Variable:
        variable.path = f"{self.name}/{variable.name}"
        self._variables.insert(len(self._variables) if at is None else at, variable)
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A variable of the optimizer's own."""
        return self._track(
            Variable(initializer, shape=shape, dtype=dtype, trainable=False, name=name)
        )

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A variable of the optimizer's own, of the shape and dtype of another one."""
        path = getattr(reference_variable, "path", None) or getattr(
            reference_variable, "name", "variable"
        )
        name = f"{str(path).replace('/', '_').replace(':', '_')}_{name or 'var'}"
        like = reference_variable
        return self.add_variable(like.shape, initializer, like.dtype.name, name=name)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Any], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """A variable of that name for each of `trainable_variables`; of several, lists."""
        names = [name] if isinstance(name, str) else list(name)
        starts = (
            initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        )
        if len(starts) != len(names):
            raise ValueError(
                "The number of provided names must match the number of provided initializers."
                f" Received name='{name}', initializer='{initializer}'"
            )
        found: tuple[list[Variable], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for kept, its_name, start in zip(found, names, starts):
                kept.append(self.add_variable_from_reference(variable, its_name, start))
        return found[0] if isinstance(name, str) else found

    def save_own_variables(self, store: Any) -> None:
        """Write the state into a mapping: "0", "1", ... to arrays."""
        for i, variable in enumerate(self._variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read the state from a mapping; a warning, and nothing else, where the number differs."""
        if len(store.keys()) != len(self._variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has"
                f" {len(self._variables)} variables whereas the saved optimizer has"
                f" {len(store.keys())} variables. "
                + ("" if self.built else "This is likely because it has not been built yet."),
                stacklevel=2,
            )
            return
        for i, variable in enumerate(self._variables):
            variable.assign(np.asarray(store[str(i)]))

    def get_weights(self) -> list[np.ndarray]:
        """The state as arrays."""
        return [variable.numpy() for variable in self._variables]

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Set the state from arrays; ValueError unless the optimizer is built and they fit."""
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built."
                " Please call `optimizer.build(trainable_variables)` to create the optimizer"
                " weights before calling `set_weights()`."
            )
        given = list(weights)
        if len(given) != len(self._variables):
            raise ValueError(
                f"{self.name}: {len(given)} weights were given; expected {len(self._variables)}"
            )
        for variable, weight in zip(self._variables, given):
            variable.assign(weight)
