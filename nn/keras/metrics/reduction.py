"""Sums and means of what batches bring, weighted by samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd.op import ops
from nn.keras.losses.base import apply_mask, converted, divide_no_nan, squeeze_or_expand
from nn.keras.marks import get_mask
from nn.keras.metrics.base import Metric

Self = TypeVar("Self", bound="MeanMetricWrapper")


def per_sample(
    values: Any, sample_weight: Any, reduce: Callable[..., Any], dtype: np.dtype
) -> tuple[Any, Any]:
    """One value per sample, times its weight; and the weights, one per sample."""
    mask = get_mask(values)
    values = converted(values, dtype)
    if sample_weight is not None:
        weight = converted(sample_weight, dtype)
        if mask is not None:
            weight = apply_mask(weight, mask, dtype, "sum")
        values, weight = squeeze_or_expand(values, weight)
        a, b = values.shape, weight.shape
        if len(a) > len(b):
            values = reduce(values, dim=tuple(range(len(b), len(a))))
        if weight.shape != values.shape:
            if any(w not in (1, v) for v, w in zip(values.shape[::-1], b[::-1])):
                raise ValueError(
                    f"sample_weight is {b} but the metric's values are {a}; expected one weight per"
                    f" sample, {a[:1]}"
                )
            weight = ops.broadcast_to(weight, shape=values.shape)
        values = ops.mul(values, weight)
        if len(weight.shape) > 1:
            weight = reduce(weight, dim=tuple(range(1, len(weight.shape))))
        sample_weight = weight
    if len(values.shape) > 1:
        values = reduce(values, dim=tuple(range(1, len(values.shape))))
    return values, sample_weight


def total(values: Any) -> Any:
    """The sum; a number is one."""
    return ops.sum(values) if values.shape else values


class Sum(Metric):
    """The (weighted) sum of all values."""

    def __init__(self, name: str = "sum", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values."""
        values, _ = per_sample(values, sample_weight, ops.sum, self._dtype)
        self.total.assign_add(total(values))

    def result(self) -> Any:
        """The sum so far."""
        return ops.clone(self.total)


class Mean(Metric):
    """The (weighted) mean of all values; 0 before there are any."""

    def __init__(self, name: str = "mean", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(dtype=self.dtype, name="total")
        self.count = self.add_variable(dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values: each sample counts as much as its weight, which is 1 without weights."""
        values, weight = per_sample(values, sample_weight, ops.mean, self._dtype)
        self.total.assign_add(total(values))
        samples = values.shape[0] if values.shape else 1
        self.count.assign_add(float(samples) if weight is None else total(weight))

    def result(self) -> Any:
        """The mean so far."""
        return divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """The mean of a function `fn(y_true, y_pred, **kwargs)` of one value per sample."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ):
        from nn.keras import losses

        super().__init__(name=name, dtype=dtype)  # type: ignore[arg-type]
        self._fn, self._fn_kwargs = fn, kwargs
        if fn in losses.ALL_OBJECTS.values() or isinstance(fn, losses.Loss):
            self._direction = "down"
        for key, value in kwargs.items():
            if not hasattr(type(self), key):
                setattr(self, key, value)

    def update_state(  # type: ignore[override]  # what is averaged is made of the two
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add the values of a batch."""
        y_pred = converted(y_pred)
        values = self._fn(converted(y_true), y_pred, **self._fn_kwargs)
        mask = get_mask(y_pred)
        if mask is not None:
            weight = None if sample_weight is None else converted(sample_weight, self._dtype)
            sample_weight = apply_mask(weight, mask, self._dtype, "sum")
        super().update_state(values, sample_weight=sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the function by its name, where it is one of ours."""
        shown = {**super().get_config(), **self._fn_kwargs}
        if type(self) is MeanMetricWrapper:
            from nn.keras import saving

            shown["fn"] = saving.serialize_keras_object(self._fn)
        return shown

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The metric with these arguments, without state."""
        if isinstance(config.get("fn"), (str, dict)):
            from nn.keras import metrics

            config = {**config, "fn": metrics.function(config["fn"])}
        return cls(**config)
