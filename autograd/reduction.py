"""The reduction of a loss over its elements, "mean", "sum" or "none", inside its one pass.

A forward loop is `(out, *arrays, terms, count, *numbers)`: it computes as many losses as `terms`
holds and adds them up.  A backward loop is `(out, v, *arrays, count, *numbers)`, where `v` is the
gradient that arrives at the loss.  `count` divides the sum; it is None where nothing is reduced,
and `terms` is `out`.  All arrays are flat and of one size.  float32 losses are summed in float64,
in an order that the size alone fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.errors import DtypeError, ShapeError
from autograd.kernel import Kernel, device
from autograd.op import ops

_PART = 256
"""Losses that are computed before they are added up."""


@device
def total(terms):
    """Their sum in float64.  Eight sums, since one would wait four cycles for its last addition."""
    size = terms.size
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for i in range(0, size - 7, 8):
        s0 += terms[i]
        s1 += terms[i + 1]
        s2 += terms[i + 2]
        s3 += terms[i + 3]
        s4 += terms[i + 4]
        s5 += terms[i + 5]
        s6 += terms[i + 6]
        s7 += terms[i + 7]
    for i in range(size - size % 8, size):
        s0 += terms[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


def reduced_shape(op: str, shape: shapes.Shape, reduction: str) -> shapes.Shape:
    """The shape of a loss; ValueError where there is no such reduction."""
    if reduction == "mean" or reduction == "sum":
        return ()
    if reduction == "none":
        return shape
    raise ValueError(f"{op}: reduction is {reduction!r}; expected 'mean', 'sum' or 'none'")


def same_shape(name: str) -> Callable[..., shapes.Shape]:
    """The shape rule: target like the input, weights broadcast to it."""

    def shape(
        x: shapes.Shape, target: shapes.Shape, *weights: shapes.Shape | None, reduction: str
    ) -> shapes.Shape:
        if x != target:
            raise ShapeError(f"{name}: x is {x} but target is {target}; expected target {x}")
        for weight in weights:
            if weight is not None and weight != x and shapes.broadcast(name, x, weight) != x:
                raise ShapeError(f"{name}: weight {weight} does not broadcast to x, {x}")
        return reduced_shape(name, x, reduction)

    return shape


def weighted(g: Any, weight: Any) -> Any:
    """`g` times a weight that may be None, in ops."""
    return g if weight is None else ops.mul(g, weight)


def _flat(shape: shapes.Shape, arrays: tuple[Any, ...]) -> list[Any]:
    return [a if a is None else moves.spread(a, shape).reshape(-1) for a in arrays]


def run_loss(
    loop: Kernel, out: np.ndarray, arrays: tuple[Any, ...], reduction: str, *numbers: Any
) -> Any:
    """Run a forward loop; `arrays` broadcast, the first is there, others may be None.

    What the loop returns: more than 0 where it met data that the loss does not take.
    """
    shape = arrays[0].shape
    if arrays[1].shape != shape:
        shape = shapes.broadcast("loss", shape, arrays[1].shape)
    flat, out = _flat(shape, arrays), out.ravel()
    if reduction == "none":
        return loop.run(out, *flat, out, None, *numbers) if out.size else 0
    count = float(flat[0].size) if reduction == "mean" else 1.0
    return loop.run(out, *flat, np.empty(_PART, out.dtype), count, *numbers)


def run_grad(
    loop: Kernel,
    out: np.ndarray,
    v: np.ndarray,
    arrays: tuple[Any, ...],
    reduction: str,
    *numbers: Any,
) -> None:
    """Run a backward loop; `arrays` broadcast to the shape of `out`."""
    count = float(out.size) if reduction == "mean" else None if reduction == "none" else 1.0
    loop.run(out.ravel(), v.ravel(), *_flat(out.shape, arrays), count, *numbers)


def require_float(op: str, out: np.ndarray) -> None:
    """DtypeError for the loss of integers."""
    if out.dtype.kind != "f":
        raise DtypeError(
            f"{op}: expected float32 or float64, got {out.dtype.name}; use input.float()"
        )


def reduce(values: Any, reduction: str) -> Any:
    """The reduction in NumPy, for references."""
    by_name: dict[str, Callable[[Any], Any]]
    by_name = {"mean": lambda v: np.sum(v) / np.size(v), "sum": np.sum, "none": lambda v: v}
    return by_name[reduction](values)  # np.mean would warn of what is empty


def reduced(g: Any, reduction: str) -> Any:
    """The reduction in ops: the gradient with respect to `v` of a backward loop."""
    return {"mean": ops.mean, "sum": ops.sum, "none": lambda v: v}[reduction](g)


def share(v: Any, reduction: str, *its: shapes.Shape) -> Any:
    """The gradient of one element's loss; the elements have the shape `its` broadcast to."""
    if reduction != "mean":
        return v
    return ops.div(v, float(shapes.numel(shapes.broadcast("loss", *its))))
