"""Optimizer: what all of Keras' optimizers share, which is everything but the rule.

`apply(grads, variables)` is one effect for a compiled step: accumulation, clipping, decay, update
and averages are kernels, in the order in which Keras does them, and constraints are ops after them.
The learning rate, `iterations` and all hyper-parameters stand in memory that replays read.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from autograd import Tensor, no_grad
from autograd.modes import modes
from autograd.op import ops
from nn.keras import config
from nn.keras.naming import to_snake_case
from nn.keras.optimizers.engine import Engine
from nn.keras.optimizers.rule import Rule
from nn.keras.optimizers.schedules.base import LearningRateSchedule, current
from nn.keras.optimizers.state import State
from nn.keras.variable import Variable

Self = TypeVar("Self", bound="Optimizer")
Slot = tuple[str, float]
"""The name of a row of state, and what it starts from."""
Numbers = tuple[Any, ...]

_LIVE = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
)
_LAYOUT = ("use_ema", "gradient_accumulation_steps", "amsgrad", "centered")
"""Options that decide what state there is."""


class Optimizer(State, Engine):
    """The base of all optimizers.

    `weight_decay`: p shrinks by lr weight_decay before each update.  One of `clipnorm` (each
    gradient has at most this norm), `global_clipnorm` (all together), `clipvalue` (each component).
    `use_ema`: averages of the weights, a = m a + (1 - m) p with m = `ema_momentum`; they replace
    the weights every `ema_overwrite_frequency` steps, and in `finalize_variable_values`.
    `loss_scale_factor`: gradients are divided by it.  `gradient_accumulation_steps`: one update in
    so many, with the mean of their gradients.

    `learning_rate`: a float, a schedule of the step, or a function without arguments.

    A subclass of the user's defines `update_step(gradient, variable, learning_rate)` in ops.
    """

    rule: Rule | None = None
    hyper: tuple[str, ...] = ()
    """Attributes that are the rule's numbers; a write to one reaches the kernels."""
    fixed: tuple[str, ...] = ()
    """Attributes without which, when the optimizer is built, it has less state."""
    built = False

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        if kwargs.pop("decay", None) is not None:
            warnings.warn(
                "Argument `decay` is no longer supported and will be ignored.", stacklevel=3
            )
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        self.name = config.auto_name(to_snake_case(type(self).__name__)) if name is None else name
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._check()
        self._start()
        self._variables: list[Variable] = []
        self._iterations = self._track(
            Variable(0, dtype="int64", trainable=False, name="iteration")
        )
        self._learning_rate: Any = None
        self.learning_rate = learning_rate

    def _check(self) -> None:
        steps, every = self.gradient_accumulation_steps, self.ema_overwrite_frequency
        if steps and not (isinstance(steps, int) and steps >= 2):
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer >= 2. Received:"
                f" gradient_accumulation_steps={steps}"
            )
        if self.use_ema:
            if not 0 <= self.ema_momentum <= 1:
                raise ValueError(
                    "`ema_momentum` must be in the range [0, 1]. Received:"
                    f" ema_momentum={self.ema_momentum}"
                )
            if every and (not isinstance(every, int) or every < 1):
                raise ValueError(
                    "`ema_overwrite_frequency` must be an integer >= 1 or None. Received:"
                    f" ema_overwrite_frequency={every}"
                )
        clips = (self.clipnorm, self.clipvalue, self.global_clipnorm)
        if sum(c is not None for c in clips) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received:"
                f" clipnorm={clips[0]}, clipvalue={clips[1]}, global_clipnorm={clips[2]}"
            )

    # Hyper-parameters

    def __setattr__(self, name: str, value: Any) -> None:
        if self.built and (name in _LAYOUT or name in self.fixed):
            old = getattr(self, name)
            if old != value and (name in _LAYOUT or not old):
                raise ValueError(
                    f"{self.name}: {name} cannot become {value}: it was {old} when the optimizer"
                    " was built, and its state was made for that. Make a new optimizer"
                )
        super().__setattr__(name, value)
        if self.built and (name in _LIVE or name in self.hyper):
            if modes.recorder is not None:
                modes.recorder.changed(
                    "a hyper-parameter of an optimizer", "set it outside of the step"
                )
            self._check()
            self._renew()

    def _own(self) -> Numbers:
        """The rule's numbers; those that Keras makes tensors of, rounded as it rounds them."""
        return tuple(getattr(self, name) for name in self.hyper)

    def _slots(self) -> list[list[Slot]]:
        """The rows of state: groups whose rows alternate in `variables`, as Keras lists them."""
        return []

    @property
    def iterations(self) -> Any:
        """Updates so far: of gradients that are accumulated, one in so many."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The rate of the next update: a variable, or what the schedule gives now."""
        rate = self._learning_rate
        return rate if isinstance(rate, Variable) else current(rate, self._iterations)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        known = self._learning_rate
        if modes.recorder is not None:
            modes.recorder.changed(
                "the learning rate of an optimizer",
                "set it outside of the step, e.g. in a callback",
            )
        if callable(value) and not isinstance(value, (Tensor, type)):
            if isinstance(known, Variable):
                self._variables = [v for v in self._variables if v is not known]
            self._learning_rate = value
        elif isinstance(known, LearningRateSchedule):
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its"
                " `learning_rate` constructor argument, hence its learning rate is not settable. If"
                " you need the learning rate to be settable, you should instantiate the optimizer"
                " with a float `learning_rate` argument."
            )
        elif isinstance(known, Variable):
            known.assign(value)
            return
        elif isinstance(value, (float, np.floating)):
            self._learning_rate = self._track(
                Variable(
                    float(value), dtype=config.floatx(), trainable=False, name="learning_rate"
                ),
                at=1,
            )
        else:
            raise ValueError(
                "Argument `learning_rate` should be float, or an instance of LearningRateSchedule,"
                " or a callable (that takes in the current iteration value and returns the"
                f" corresponding learning rate value). Received instead: learning_rate={value!r}"
            )
        self._bind()

    # Weight decay

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave variables out of weight decay, by identity or by a pattern in their name.

        ValueError once the optimizer is built.
        """
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` can only be configured before the optimizer is"
                " built."
            )
        self._excluded = list(var_list or ())
        self._excluded_names = re.compile("|".join(sorted(set(var_names)))) if var_names else None

    def _use_weight_decay(self, variable: Any) -> bool:
        if any(variable is v for v in self._excluded):
            return False
        pattern = self._excluded_names
        return pattern is None or pattern.search(getattr(variable, "name", "")) is None

    # Use

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, if there is one."""
        return loss if self.loss_scale_factor is None else ops.mul(loss, self.loss_scale_factor)

    @no_grad()
    def finalize_variable_values(self, var_list: Iterable[Any]) -> None:
        """Replace the weights by their averages, if `use_ema`: at the end of training."""
        if not self.use_ema or not self.built:
            return
        given = list(var_list)
        if len(given) != len(self._averages):
            raise ValueError(
                f"The length of model variables ({len(given)}) to override does not match the"
                f" length of model variables stored in the optimizer ({len(self._averages)})."
                " Please check if the optimizer was called on your model."
            )
        for variable, average in zip(given, self._averages):
            variable.assign(average)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        rate = self._learning_rate
        if isinstance(rate, Variable):
            rate = float(rate.numpy())
        else:
            from nn.keras import saving

            rate = saving.serialize_keras_object(rate)
        names = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema")
        more = ("ema_momentum", "ema_overwrite_frequency", "loss_scale_factor")
        shown = (*names, *more, "gradient_accumulation_steps", *self.hyper)
        return {
            "name": self.name,
            "learning_rate": rate,
            **{name: getattr(self, name) for name in shown},
        }

    @classmethod
    def from_config(
        cls: type[Self], config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The optimizer with these arguments, without state."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            from nn.keras.optimizers import schedules

            config["learning_rate"] = schedules.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
