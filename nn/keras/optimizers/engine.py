"""How an optimizer is built for variables, and how gradients are applied to them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.modes import changes, modes
from autograd.op import ops
from nn.keras.optimizers.binding import Binding
from nn.keras.optimizers.rule import as_tensor_number


class Engine:
    """The part of `Optimizer` that builds and applies.

    `_trainables`: the variables it was built for.  `_rows[i]`: the state of variable i.
    """

    def _start(self) -> None:
        self._trainables: list[Any] = []
        self._rows: list[list[Any]] = []
        self._averages: list[Any] = []
        self._accumulators: list[Any] = []
        self._excluded: list[Any] = []
        self._excluded_names: Any = None
        self._product: Any = None
        """State that is one number for all variables."""
        self._binding: Binding | None = None
        self._index: dict[int, int] = {}

    # Building

    def build(self: Any, variables: Iterable[Any]) -> None:
        """Make the state for these variables.  A second call changes nothing."""
        if self.built:
            return
        self._trainables = variables = list(variables)
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
        self._rows = [[] for _ in variables]
        for group in self._slots():
            starts = [_constant(as_tensor_number(start)) for _, start in group]
            made = self.add_optimizer_variables(variables, [name for name, _ in group], starts)
            for row in made:
                for rows, variable in zip(self._rows, row):
                    rows.append(variable)
        self._build_numbers(variables)
        self.built = True
        self._bind()

    def _build_numbers(self, variables: list[Any]) -> None:
        """Make state that is one number for all variables."""

    def _bind(self: Any) -> None:
        """Note anew where everything lies, and what is launched."""
        if self.built:
            changes[0] += 1  # compiled steps know the binding
            self._index = {id(v): i for i, v in enumerate(self._trainables)}
            self._binding = Binding(self)

    def _renew(self: Any) -> None:
        """Let the kernels see the hyper-parameters."""
        binding = self._binding
        if binding is not None and binding.read(self) != binding.launches:
            self._bind()

    def __getstate__(self: Any) -> dict[str, Any]:
        return {**vars(self), "_binding": None, "_index": {}}

    def __setstate__(self: Any, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        self._bind()

    # One step

    def apply_gradients(self: Any, grads_and_vars: Iterable[tuple[Any, Any]]) -> Any:
        """`apply` of (gradient, variable) pairs; returns `iterations`."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> None:
        """Update variables by their gradients; None is no gradient.

        Without variables, the gradients are those of the variables it was built for.
        """
        if not len(grads):
            return
        tensors = self._in_order(grads, trainable_variables)
        if None in [g if g is None else 0 for g in tensors]:
            self._tell_missing(tensors, trainable_variables)
        if not self._binding.fits():
            self._bind()
        if self.rule is None:
            self._apply_in_ops(tensors)
        else:
            self._update(tensors)
        for v, g in zip(self._trainables, tensors):
            if g is not None and getattr(v, "constraint", None) is not None:
                self._constrain(v)

    def _update(self: Any, tensors: list[Any]) -> None:
        binding: Binding = self._binding
        before = binding.rate.before
        if before is not None:
            before()
        binding.update(tuple([None if g is None else g.value for g in tensors]))
        changed = [v for v, g in zip(self._trainables, tensors) if g is not None]
        if self.use_ema and self.ema_overwrite_frequency:
            changed = list(self._trainables)
        changed.append(self._iterations)
        for v in changed:
            v.version[0] += 1
        if modes.recorder is not None:
            name, status = type(self).__name__, -1 if binding.native else None
            modes.recorder.effect(name, binding.update, tensors, changed, before, status=status)

    def _in_order(self: Any, grads: Any, variables: Any) -> list[Any]:
        """The gradients of all variables that it was built for."""
        if variables is not None:
            variables = list(variables)
            if not self.built:
                self.build(variables)
        elif not self.built:
            raise ValueError(
                "When passing `grads` without `variables`, the optimizer must already be built on a"
                " list of variables. Call `optimizer.build(trainable_variables)` first."
            )
        known = self._trainables
        expected = len(known) if variables is None else len(variables)
        if len(grads) != expected:
            raise ValueError(
                f"{self.name}: {len(grads)} gradients were given for {expected} variables; expected"
                " one each"
            )
        tensors = [g if g is None or isinstance(g, Tensor) else _tensor(g) for g in grads]
        if variables is None or (expected == len(known) and all(map(_is, variables, known))):
            return tensors
        ordered: list[Any] = [None] * len(known)
        for v, g in zip(variables, tensors):
            ordered[self._place(v)] = g
        return ordered

    def _place(self: Any, v: Any) -> int:
        place = self._index.get(id(v))
        if place is None:
            raise ValueError(
                f"Unknown variable: {v!r}. This optimizer can only be called for the variables it"
                " was originally built with. When working with a new set of variables, you should"
                " recreate a new optimizer instance."
            )
        return place

    def _tell_missing(self: Any, tensors: list[Any], given: Any) -> None:
        missing = [v for v, g in zip(self._trainables, tensors) if g is None]
        if len(missing) == len(tensors):
            raise ValueError("No gradients provided for any variable.")
        asked = missing if given is None else [v for v in missing if any(v is g for g in given)]
        if asked:
            warnings.warn(
                f"Gradients do not exist for variables {[getattr(v, 'path', v) for v in asked]}"
                " when minimizing the loss. If using `model.compile()`, did you forget to provide a"
                " `loss` argument?",
                UserWarning,
                stacklevel=4,
            )

    def _constrain(self, v: Any) -> None:
        before, modes.grad = modes.grad, False
        try:
            v.assign(v.constraint(v))
        finally:
            modes.grad = before

    # Optimizers of the user's

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable; a subclass without a rule of the engine's writes it in ops."""
        raise NotImplementedError(
            f"{type(self).__name__} defines no update_step(gradient, variable, learning_rate)"
        )

    def _apply_in_ops(self: Any, tensors: list[Any]) -> None:
        """Clipping, decay, and `update_step` of the subclass."""
        unsupported = ("gradient_accumulation_steps", "use_ema")
        asked = [name for name in unsupported if getattr(self, name)]
        if asked:
            raise NotImplementedError(
                f"{type(self).__name__}: {' and '.join(asked)} need a rule of the engine's; leave"
                " them out of an optimizer that defines update_step()"
            )
        before, modes.grad = modes.grad, False
        try:
            rate = self.learning_rate
            for v, g in zip(self._trainables, self._clipped(tensors)):
                if g is None:
                    continue
                if self.weight_decay is not None and self._use_weight_decay(v):
                    v.assign_sub(ops.mul(ops.mul(v.detach(), float(self.weight_decay)), rate))
                self.update_step(g, v, rate)
            self._iterations.assign_add(1)
        finally:
            modes.grad = before

    def _clipped(self: Any, tensors: list[Any]) -> list[Any]:
        given = [g for g in tensors if g is not None]
        if self.loss_scale_factor is not None:
            given = [ops.div(g, float(self.loss_scale_factor)) for g in given]
        if self.clipnorm:
            given = [_to_norm(g, self.clipnorm, ops.norm(g)) for g in given]
        elif self.global_clipnorm:
            squares = [ops.sum(ops.square(g)) for g in given]
            whole = ops.sqrt(ops.sum(ops.stack(squares)))
            given = [_to_norm(g, self.global_clipnorm, whole) for g in given]
        elif self.clipvalue:
            given = [ops.clamp(g, min=-self.clipvalue, max=self.clipvalue) for g in given]
        rest = iter(given)
        return [None if g is None else next(rest) for g in tensors]

    def assign(self, variable: Any, value: Any) -> None:
        """`variable.assign(value)`."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """`variable.assign_add(value)`."""
        variable.assign_add(value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        """`variable.assign_sub(value)`."""
        variable.assign_sub(value)


def _is(a: Any, b: Any) -> bool:
    return a is b


def _tensor(g: Any) -> Tensor:
    return Tensor.wrap(np.asarray(g))


def _constant(value: float) -> Any:
    return lambda shape, dtype: np.full(shape, value, dtype)


def _to_norm(g: Any, bound: float, norm: Any) -> Any:
    return ops.div(ops.mul(g, float(bound)), ops.clamp(norm, min=float(bound)))
