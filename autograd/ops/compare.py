"""Comparisons, logic and predicates: results are bool and have no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import shapes
from autograd.dtypes import bool_
from autograd.errors import DtypeError
from autograd.op import Sample, function, op, ops, quiet

_TIES = np.array([[-1.0, 0.0, 1.0, 2.0]])
_PAIRS = (
    Sample((3, 4), (3, 4)),
    Sample((3, 4), (4,)),
    Sample(_TIES, _TIES.T),
    Sample((), (2, 3)),
    Sample((), ()),
    Sample((2, 0), (1, 1)),
)
_ODD = (
    Sample(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -2.5])),
    Sample((3, 4)),
    Sample(()),
    Sample((2, 0)),
)

equal = op(
    "eq",
    math=r"[x = y]",
    kernel=np.equal,
    result=bool_,
    ref=lambda x, y: np.equal(x, y),
    samples=_PAIRS,
    methods=("__eq__", "eq"),
    numpy=(np.equal,),
)

not_equal = op(
    "ne",
    math=r"[x \ne y]",
    kernel=np.not_equal,
    result=bool_,
    ref=lambda x, y: np.not_equal(x, y),
    samples=_PAIRS,
    methods=("__ne__", "ne", "not_equal"),
    numpy=(np.not_equal,),
)

less = op(
    "lt",
    math=r"[x < y]",
    kernel=np.less,
    result=bool_,
    ref=lambda x, y: np.less(x, y),
    samples=_PAIRS,
    methods=("__lt__", "lt", "less"),
    numpy=(np.less,),
)

less_equal = op(
    "le",
    math=r"[x \le y]",
    kernel=np.less_equal,
    result=bool_,
    ref=lambda x, y: np.less_equal(x, y),
    samples=_PAIRS,
    methods=("__le__", "le", "less_equal"),
    numpy=(np.less_equal,),
)

greater = op(
    "gt",
    math=r"[x > y]",
    kernel=np.greater,
    result=bool_,
    ref=lambda x, y: np.greater(x, y),
    samples=_PAIRS,
    methods=("__gt__", "gt", "greater"),
    numpy=(np.greater,),
)

greater_equal = op(
    "ge",
    math=r"[x \ge y]",
    kernel=np.greater_equal,
    result=bool_,
    ref=lambda x, y: np.greater_equal(x, y),
    samples=_PAIRS,
    methods=("__ge__", "ge", "greater_equal"),
    numpy=(np.greater_equal,),
)


# Logic: any number but 0 counts as true


logical_and = op(
    "logical_and",
    math=r"x \land y",
    kernel=np.logical_and,
    result=bool_,
    ref=lambda x, y: np.logical_and(x, y),
    samples=_PAIRS,
    numpy=(np.logical_and,),
)

logical_or = op(
    "logical_or",
    math=r"x \lor y",
    kernel=np.logical_or,
    result=bool_,
    ref=lambda x, y: np.logical_or(x, y),
    samples=_PAIRS,
    numpy=(np.logical_or,),
)

logical_xor = op(
    "logical_xor",
    math=r"x \oplus y",
    kernel=np.logical_xor,
    result=bool_,
    ref=lambda x, y: np.logical_xor(x, y),
    samples=_PAIRS,
    numpy=(np.logical_xor,),
)

logical_not = op(
    "logical_not",
    math=r"\lnot x",
    kernel=np.logical_not,
    result=bool_,
    ref=lambda x: np.logical_not(x),
    samples=_ODD,
    numpy=(np.logical_not,),
)


# Bits: the operators & | ^ ~ of integers and bools

_MASKS = (np.array([[True, False]]), np.array([[True], [False]]))
_BITS = (
    Sample(np.array([12, 5, -1]), np.array([10, 3, 6])),
    Sample(*_MASKS),
    Sample(np.array(6), np.array(3)),
    Sample(np.zeros((2, 0), bool), np.array([True])),
)


def _whole(name: str, sign: str) -> Callable[..., np.dtype]:
    """The dtype rule of bitwise ops: that of the inputs, which must not be floats."""

    def result(*arrays: np.ndarray) -> np.dtype:
        dtype = arrays[0].dtype
        if dtype.kind == "f":
            raise DtypeError(
                f"{name}: {sign} takes integers and bools, got {dtype.name}; compare first (x > 0"
                f" is bool), or use {name.replace('bitwise', 'logical')}()"
            )
        return dtype

    return result


bitwise_and = op(
    "bitwise_and",
    math=r"x \mathbin{\&} y",
    kernel=lambda out, x, y: quiet.run(np.bitwise_and, x, y, out),
    shape=lambda x, y: shapes.broadcast("bitwise_and", x, y),
    result=_whole("bitwise_and", "&"),
    ref=lambda x, y: np.bitwise_and(x, y),
    samples=_BITS,
    methods=("__and__", "bitwise_and"),
    numpy=(np.bitwise_and,),
)

bitwise_or = op(
    "bitwise_or",
    math=r"x \mathbin{|} y",
    kernel=lambda out, x, y: quiet.run(np.bitwise_or, x, y, out),
    shape=lambda x, y: shapes.broadcast("bitwise_or", x, y),
    result=_whole("bitwise_or", "|"),
    ref=lambda x, y: np.bitwise_or(x, y),
    samples=_BITS,
    methods=("__or__", "bitwise_or"),
    numpy=(np.bitwise_or,),
)

bitwise_xor = op(
    "bitwise_xor",
    math=r"x \mathbin{\wedge} y",
    kernel=lambda out, x, y: quiet.run(np.bitwise_xor, x, y, out),
    shape=lambda x, y: shapes.broadcast("bitwise_xor", x, y),
    result=_whole("bitwise_xor", "^"),
    ref=lambda x, y: np.bitwise_xor(x, y),
    samples=_BITS,
    methods=("__xor__", "bitwise_xor"),
    numpy=(np.bitwise_xor,),
)

bitwise_not = op(
    "bitwise_not",
    math=r"\mathord{\sim} x",
    kernel=lambda out, x: quiet.run(np.invert, x, out),
    shape=lambda x: x,
    result=_whole("bitwise_not", "~"),
    ref=lambda x: np.invert(x),
    samples=(
        Sample(np.array([5, -1])),
        Sample(_MASKS[0]),
        Sample(np.array(True)),
        Sample(np.zeros((2, 0), np.int64)),
    ),
    methods=("__invert__", "bitwise_not"),
    numpy=(np.invert,),
)


# Predicates


isnan = op(
    "isnan",
    math=r"[x \text{ is NaN}]",
    kernel=np.isnan,
    result=bool_,
    ref=lambda x: np.isnan(x),
    samples=_ODD,
    numpy=(np.isnan,),
)

isinf = op(
    "isinf",
    math=r"[|x| = \infty]",
    kernel=np.isinf,
    result=bool_,
    ref=lambda x: np.isinf(x),
    samples=_ODD,
    numpy=(np.isinf,),
)

isfinite = op(
    "isfinite",
    math=r"[|x| < \infty]",
    kernel=np.isfinite,
    result=bool_,
    ref=lambda x: np.isfinite(x),
    samples=_ODD,
    numpy=(np.isfinite,),
)


@function(numpy=(np.isclose,))
def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Where |x - y| <= atol + rtol |y|; equal infinities are close, NaNs only if `equal_nan`."""
    x, y = (ops.mul(v, 1.0) for v in (x, y))  # integers as floats, so that no difference wraps
    way = ops.abs(ops.sub(x, y))
    near = ops.le(way, ops.add(ops.mul(ops.abs(y), rtol), atol))
    close = ops.logical_or(ops.eq(x, y), ops.logical_and(near, ops.isfinite(way)))
    if equal_nan:
        close = ops.logical_or(close, ops.logical_and(ops.isnan(x), ops.isnan(y)))
    return close


@function(numpy=(np.allclose,))
def allclose(
    x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """True when every element of x and y is close, as `isclose` says."""
    return bool(np.asarray(isclose(x, y, rtol, atol, equal_nan)).all())
