"""Loss: what all losses share, which is shapes, sample weights, masks, and the reduction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras import config
from nn.keras.marks import get_mask
from nn.keras.naming import to_snake_case

Self = TypeVar("Self", bound="Loss")
MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
REDUCTIONS = (*MEANS, "sum", "none", None)


class Loss:
    """How far predictions are from the truth: `loss(y_true, y_pred, sample_weight=None)`.

    A subclass writes `call(y_true, y_pred)`, one loss per sample.  `reduction`: "sum",
    "sum_over_batch_size" or "mean" (the sum divided by the number of losses, whatever their
    weights), "mean_with_sample_weight" (divided by the sum of the weights), "none".  `dtype`: what
    both are cast to, `floatx()` by default.
    """

    whole: Callable[..., Any] | None = None
    """`whole(y_true, y_pred, **options)`: the mean over all samples in one fused pass; it may give
    None where it does not apply."""
    exact = False
    """y_true is passed on in its own dtype: it holds class numbers."""

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ):
        kind = type(self).__name__
        self.name = config.auto_name(to_snake_case(kind)) if name is None else name
        self.reduction = checked_reduction(reduction)
        self._dtype = np.dtype(config.standardize_dtype(dtype))
        self._options: dict[str, Any] = {}

    @property
    def dtype(self) -> str:
        """What y_true and y_pred are cast to."""
        return self._dtype.name

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss: a scalar, or one loss per sample where `reduction` is None."""
        mask = get_mask(y_pred)
        y_pred = converted(y_pred, self._dtype)
        y_true = converted(y_true, None if self.exact else self._dtype)
        fused = self.whole if mask is None and sample_weight is None else None
        if fused is not None and self.reduction in MEANS and y_pred.value.size:
            result = fused(y_true, y_pred, **self._options)
            if result is not None:
                return result
        losses = self.call(y_true, y_pred)
        its_mask = get_mask(losses)
        if mask is not None and its_mask is not None:
            mask = ops.logical_and(mask, its_mask)
        elif mask is None:
            mask = its_mask
        return reduce_weighted_values(losses, sample_weight, mask, self.reduction, self._dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss per sample; a subclass writes it."""
        raise NotImplementedError(f"{type(self).__name__} defines no call(y_true, y_pred)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "reduction": self.reduction, **self._options}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The loss with these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"<{type(self).__name__}({given})>"


class LossFunctionWrapper(Loss):
    """A function `fn(y_true, y_pred, **options)` of one loss per sample as a Loss."""

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn, self._options = fn, kwargs
        self.whole = getattr(fn, "whole", None)
        self.exact = getattr(fn, "exact", False)
        for key, value in kwargs.items():
            setattr(self, key, value)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss per sample: `fn` of the two, at one rank."""
        if isinstance(y_true, Tensor) and isinstance(y_pred, Tensor):
            y_true, y_pred = squeeze_or_expand(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._options)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the function by its name, where it is one of ours."""
        shown = super().get_config()
        if type(self) is LossFunctionWrapper:
            from nn.keras import saving

            shown["fn"] = saving.serialize_keras_object(self.fn)
        return shown

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The loss with these arguments."""
        if isinstance(config.get("fn"), (str, dict)):
            from nn.keras import losses

            config = {**config, "fn": losses.deserialize(config["fn"])}
        return cls(**config)


def checked_reduction(reduction: Any) -> str | None:
    """ValueError where there is no such reduction."""
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"Invalid value for argument `reduction`. Expected one of {REDUCTIONS}. Received:"
            f" reduction={reduction}"
        )
    return reduction


def converted(x: Any, dtype: Any = None) -> Any:
    """As a tensor of that dtype, sharing memory where it can; nested values stay nested."""
    if isinstance(x, Tensor):
        return x if dtype is None or x.dtype == dtype else ops.cast(x, dtype=np.dtype(dtype))
    if isinstance(x, dict):
        return {key: converted(part, dtype) for key, part in x.items()}
    if isinstance(x, tuple) or (isinstance(x, list) and any(isinstance(p, Tensor) for p in x)):
        return type(x)(converted(part, dtype) for part in x)
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"a loss or a metric was given {type(x).__name__} of dtype {array.dtype}; expected"
            " numbers: encode text as class numbers first"
        )
    if dtype is None:
        dtype = {"f": config.floatx(), "u": "int64"}.get(array.dtype.kind, array.dtype)
    return Tensor.wrap(np.ascontiguousarray(array, dtype).reshape(array.shape))


def squeeze_or_expand(x: Any, y: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """The two at one rank: where one has a last axis of size 1 more, as in (n, 1) and (n,).

    Of a vector the rank is raised, unless `expand_rank_1=False`; else the axis is dropped.
    """
    a, b = x.shape, y.shape
    if len(a) == len(b) + 1 and a[-1] == 1:
        if len(b) == 1 and expand_rank_1:
            return x, ops.unsqueeze(y, -1)
        return ops.squeeze(x, -1), y
    if len(b) == len(a) + 1 and b[-1] == 1:
        if len(a) == 1 and expand_rank_1:
            return ops.unsqueeze(x, -1), y
        return x, ops.squeeze(y, -1)
    return x, y


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: Any = None,
) -> Any:
    """Losses times their weights, reduced; masked ones count as none."""
    values = converted(values, dtype)
    weight = None if sample_weight is None else converted(sample_weight, values.dtype)
    weight = apply_mask(weight, mask, values.dtype, reduction)
    if weight is not None:
        values, weight = squeeze_or_expand(values, weight)
        _check_weight(values.shape, weight.shape)
        values = ops.mul(values, weight)
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    if reduction == "mean_with_sample_weight" and weight is not None:
        return divide_no_nan(ops.sum(values), ops.sum(weight))
    if reduction == "sum" or not values.value.size:
        return ops.sum(values)
    return ops.mean(values)


def _check_weight(values: tuple[int, ...], weight: tuple[int, ...]) -> None:
    """ValueError for weights that do not fit; a warning where there is one loss in all."""
    if not values and weight:
        warnings.warn(
            f"sample_weight is {weight}, but y_pred is 1-d, so that there is one loss in all;"
            " reshape both to (n, 1) to weight samples",
            UserWarning,
            stacklevel=4,
        )
        return
    pairs = zip(values[::-1], weight[::-1])
    if len(weight) <= len(values) and all(w in (1, v) or v == 1 for v, w in pairs):
        return
    raise ValueError(
        f"sample_weight is {weight} but the losses have shape {values}; expected one weight per"
        f" loss, {values}, or one per sample, {(*values[:1], *[1] * (len(values) - 1))}"
    )


def apply_mask(weight: Any, mask: Any, dtype: Any, reduction: str | None) -> Any:
    """Sample weights that leave out what is masked.

    For a mean, what counts has the weight (all / counted), so that the mean is one of what counts.
    """
    if mask is None:
        return weight
    kept = converted(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        kept = ops.mul(kept, divide_no_nan(float(math.prod(kept.shape)), ops.sum(kept)))
    if weight is None:
        return kept
    kept, weight = squeeze_or_expand(kept, weight)
    return ops.mul(weight, kept)


def divide_no_nan(x: Any, y: Any) -> Any:
    """x / y, and 0 where y is 0."""
    zero = ops.eq(y, 0.0)
    return ops.masked_fill(ops.div(x, ops.masked_fill(y, zero, 1.0)), zero, 0.0)


def pair(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both as tensors of the dtype of `y_pred`, at one rank.

    ValueError for shapes that do not broadcast; a warning for those that do and differ.
    """
    y_pred = converted(y_pred)
    y_true = converted(y_true, y_pred.dtype)
    if y_true.shape != y_pred.shape:
        y_true, y_pred = squeeze_or_expand(y_true, y_pred)
        a, b = y_true.shape, y_pred.shape
        if a != b:
            if any(m != n and 1 not in (m, n) for m, n in zip(a[::-1], b[::-1])):
                raise ValueError(
                    f"{name}: y_true is {a} but y_pred is {b}; expected targets of shape {b}: the"
                    " last layer must have one unit per target"
                )
            warnings.warn(
                f"{name}: y_true is {a} but y_pred is {b}; they are broadcast against each other,"
                f" which is rarely meant. Give targets of shape {b}",
                UserWarning,
                stacklevel=4,
            )
    return y_true, y_pred


def same_shape(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both as tensors of the dtype of `y_pred`; ValueError unless they have one shape."""
    y_pred = converted(y_pred)
    y_true = converted(y_true, y_pred.dtype)
    if y_true.shape != y_pred.shape:
        y_true, y_pred = squeeze_or_expand(y_true, y_pred)
        if y_true.shape != y_pred.shape:
            hint = {
                "categorical_crossentropy": "one-hot targets (keras.utils.to_categorical), or use"
                " sparse_categorical_crossentropy for class numbers",
                "binary_crossentropy": "a last layer with one unit per label",
            }.get(name, "targets like the predictions")
            raise ValueError(
                f"{name}: y_true is {y_true.shape} but y_pred is {y_pred.shape}: Arguments"
                f" `target` and `output` must have the same shape; it takes {hint}"
            )
    return y_true, y_pred
