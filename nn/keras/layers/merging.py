"""Layers that make one tensor of several, as classes and as functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.op import ops
from nn.keras.layer import Layer
from nn.keras.marks import get_mask, set_mask
from nn.keras.spec import Shape


class Merge(Layer):
    """The base: elementwise on a list of inputs, which broadcast; a subclass says how.

    Inputs of fewer dimensions get new ones after the batch.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs, of one rank, as one."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        """Check that the inputs go together."""
        if not input_shape or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A merge layer should be called on a list of inputs. Received:"
                f" input_shape={input_shape} (not a list of shapes)"
            )
        batches = {s[0] for s in input_shape if s} - {None}
        if len(batches) > 1:
            raise ValueError(
                "Cannot merge tensors with different batch sizes. Received tensors with shapes"
                f" {input_shape}"
            )
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Tensor:
        """The inputs as one."""
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: inputs={inputs}"
                " (not a list of tensors)"
            )
        rank = inputs[0].ndim
        for x in inputs:
            if x.ndim != rank:
                most = max(x.ndim for x in inputs)
                raised = [_raised(x, most) for x in inputs]
                for x, y in zip(inputs, raised):
                    set_mask(y, get_mask(x))
                return self.merge(raised)
        return self.merge(list(inputs))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """What one of the inputs has; None unless all have a mask."""
        if previous_mask is None or any(m is None for m in previous_mask):
            return None
        return reduce(ops.logical_or, previous_mask)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape that the inputs broadcast to."""
        rest: Shape = tuple(input_shape[0][1:])
        for shape in input_shape[1:]:
            rest = _broadcast(rest, tuple(shape[1:]), input_shape)
        batches = {s[0] for s in input_shape} - {None}
        return (batches.pop() if len(batches) == 1 else None, *rest)


def _raised(x: Tensor, rank: int) -> Tensor:
    if x.ndim == rank:
        return x
    return ops.reshape(x, shape=(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:]))


def _broadcast(a: Shape, b: Shape, shown: Any) -> Shape:
    if len(a) < len(b):
        a, b = b, a
    lead = len(a) - len(b)
    sizes: list[int | None] = list(a[:lead])
    for m, n in zip(a[lead:], b):
        if m is None or n is None:
            sizes.append(None)
        elif m == 1 or n == 1 or m == n:
            sizes.append(n if m == 1 else m)
        else:
            raise ValueError(
                f"Inputs have incompatible shapes. Received shapes {a} and {b}, of {shown}"
            )
    return tuple(sizes)


def _wide(mask: Any, x: Tensor) -> Any:
    """A mask over steps as one over all elements of `x`; None for None."""
    return None if mask is None else ops.broadcast_to(ops.unsqueeze(mask, -1), shape=x.shape)


def _extreme(choose: Any, inputs: list[Tensor]) -> Tensor:
    """`choose` of the inputs, in turn; what is masked in one of a pair gives way to the other."""
    out, known = inputs[0], _wide(get_mask(inputs[0]), inputs[0])
    for x in inputs[1:]:
        mask = _wide(get_mask(x), x)
        x = x if mask is None else ops.where(mask, x, out)
        out = choose(out if known is None else ops.where(known, out, x), x)
        known = None if mask is None or known is None else ops.logical_or(known, mask)
    return out


class Add(Merge):
    """The sum."""

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs as one."""
        return reduce(ops.add, inputs)


class Multiply(Merge):
    """The product, elementwise; what is masked counts as 1, and as 0 if it is in all inputs."""

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs as one."""
        masks = [_wide(get_mask(x), x) for x in inputs]
        kept = [x if m is None else ops.where(m, x, 1.0) for x, m in zip(inputs, masks)]
        out = reduce(ops.mul, kept)
        if any(m is None for m in masks):
            return out
        return ops.where(reduce(ops.logical_or, masks), out, 0.0)


class Average(Merge):
    """The mean."""

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs as one."""
        return ops.div(reduce(ops.add, inputs), len(inputs))


class Maximum(Merge):
    """The greatest of each element; its gradient goes to the first of several."""

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs as one."""
        return _extreme(lambda x, y: ops.where(ops.lt(x, y), y, x), inputs)


class Minimum(Merge):
    """The least of each element; its gradient goes to the first of several."""

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs as one."""
        return _extreme(lambda x, y: ops.where(ops.gt(x, y), y, x), inputs)


class Subtract(Merge):
    """The first of two inputs minus the second."""

    def build(self, input_shape: Any) -> None:
        """Check that the inputs go together."""
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                "A `Subtract` layer should be called on exactly 2 inputs. Received:"
                f" input_shape={input_shape}"
            )

    def merge(self, inputs: list[Tensor]) -> Tensor:
        """The inputs as one."""
        return ops.sub(*inputs)


class Concatenate(Merge):
    """The inputs one after the other along `axis`; their other sizes are equal."""

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Check that the inputs go together."""
        if not input_shape or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A `Concatenate` layer should be called on a list of at least 1 input. Received:"
                f" input_shape={input_shape}"
            )
        ranks = {len(shape) for shape in input_shape}
        rank = next(iter(ranks))
        if len(ranks) == 1 and not -rank <= self.axis < rank:
            raise ValueError(f"Concatenate: axis {self.axis} is not one of {input_shape[0]}")
        differ = len(ranks) != 1 or any(
            len({s[d] for s in input_shape} - {None}) > 1
            for d in range(rank)
            if d != self.axis % rank
        )
        if differ:
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the"
                f" concatenation axis, {self.axis}. Received: input_shape={input_shape}"
            )

    def call(self, inputs: Any) -> Tensor:
        """The inputs as one."""
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                f"A `Concatenate` layer should be called on a list of inputs. Received: {inputs}"
            )
        return ops.cat(list(inputs), dim=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The masks one after the other; an input without one counts throughout."""
        if previous_mask is None or all(m is None for m in previous_mask):
            return None
        parts = []
        for x, mask in zip(inputs, previous_mask):
            if mask is None:
                mask = ops.broadcast_to(Tensor.wrap(np.array(True)), shape=x.shape)
            elif mask.ndim < x.ndim:
                mask = _wide(mask, x)
            parts.append(mask)
        return ops.any(ops.cat(parts, dim=self.axis), dim=-1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The sizes added up along the axis."""
        if not input_shape or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A `Concatenate` layer should be called on a list of inputs. Received:"
                f" input_shape={input_shape}"
            )
        sizes = [shape[self.axis] for shape in input_shape]
        out = list(input_shape[0])
        out[self.axis] = None if None in sizes else sum(sizes)
        for d in range(len(out)):
            if d != self.axis % len(out):
                out[d] = next((s[d] for s in input_shape if s[d] is not None), None)
        return tuple(out)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add()(inputs)`."""
    return Add(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply()(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average()(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum()(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum()(inputs)`."""
    return Minimum(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract()(inputs)`."""
    return Subtract(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis)(inputs)`."""
    return Concatenate(axis, **kwargs)(inputs)
