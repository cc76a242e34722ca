"""Einstein summation: `einsum` reads any equation, the primitive `contract` does the products.

`einsum` takes diagonals (`ii`), drops broadcast dimensions and sums what stands in one operand
only.  What is left is multilinear, so that its derivative is a contraction again.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from string import ascii_letters
from typing import Any

import numpy as np

from autograd import shapes
from autograd.errors import ShapeError
from autograd.op import Sample, function, op, ops, quiet

_SEARCH = 20_000
"""Products from which looking for an order of contraction, and BLAS, repay their 15 us."""

Terms = tuple[tuple[str, ...], str]
"""The labels of each operand, and those of the result."""


def _terms(equation: str) -> Terms:
    left, _, right = equation.partition("->")
    return tuple(left.split(",")), right


def _sizes(equation: str, *xs: shapes.Shape) -> dict[str, int]:
    terms, _ = _terms(equation)
    return {label: size for term, x in zip(terms, xs, strict=True) for label, size in zip(term, x)}


def _contract_shape(*xs: shapes.Shape, equation: str) -> shapes.Shape:
    sizes = _sizes(equation, *xs)
    return tuple(sizes[label] for label in _terms(equation)[1])


def _contract(out: np.ndarray, *xs: np.ndarray, equation: str) -> None:
    products = math.prod(_sizes(equation, *(x.shape for x in xs)).values())
    quiet.run(np.einsum, equation, *xs, out=out, optimize=products > _SEARCH)


def _contract_vjp(g: Any, xs: tuple[Any, ...], i: int, equation: str) -> Any:
    terms, result = _terms(equation)
    others = [term for k, term in enumerate(terms) if k != i]
    return ops.contract(
        g,
        *(x for k, x in enumerate(xs) if k != i),
        equation=f"{','.join((result, *others))}->{terms[i]}",
    )


contract = op(
    "contract",
    math=r"\textstyle\sum x_1 x_2 \cdots",
    dmath=(r"\textstyle\sum g \prod_{k \neq i} x_k",),
    kernel=_contract,
    shape=_contract_shape,
    types="same",
    ref=lambda *xs, equation: np.einsum(equation, *xs),
    vjp=(_contract_vjp,),
    samples=(
        Sample((3, 4), (4, 2), meta={"equation": "ij,jk->ik"}),
        Sample((3,), (4,), meta={"equation": "i,j->ji"}),
        Sample((), (4,), meta={"equation": ",j->j"}),
        Sample((2, 3, 4), (2, 4), (3,), meta={"equation": "bij,bj,i->b"}),
        Sample((30, 30), (30, 31), meta={"equation": "ij,ik->kj"}),
        Sample((3, 0), (0, 2), meta={"equation": "ij,jk->ik"}),
    ),
    methods=(),
)


@function(methods=())
def einsum(equation: Any, *operands: Any) -> Any:
    """Sum of products by Einstein's convention: `einsum("ij,jk->ik", x, y)` is `x @ y`.

    A label is a letter.  Labels that the result does not name are summed; without `->` the result
    has those that occur once, in alphabetical order.  `...` stands for further dimensions, which
    broadcast; a repeated label (`ii`) for the diagonal.  Labels can also be given as lists of
    numbers: `einsum(x, [0, 1], y, [1, 2], [0, 2])`.
    """
    if not isinstance(equation, str):
        equation, operands = _from_lists((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    terms, result = _expand(equation, tuple(x.ndim for x in operands))
    sizes = _common_sizes(equation, terms, operands)
    uses = Counter(label for term in terms for label in set(term))
    labels, factors = [], []
    for term, x in zip(terms, operands, strict=True):
        term, x = _diagonals(term, x)
        drop = [i for i, label in enumerate(term) if x.shape[i] != sizes[label]]
        if drop:
            uses.subtract(term[i] for i in drop)
            x = ops.squeeze(x, dim=tuple(drop))
            term = "".join(label for i, label in enumerate(term) if i not in drop)
        labels.append(term)
        factors.append(x)
    for k, term in enumerate(labels):
        alone = [i for i, label in enumerate(term) if uses[label] == 1 and label not in result]
        if alone:
            factors[k] = ops.sum(factors[k], dim=tuple(alone))
            labels[k] = "".join(label for i, label in enumerate(term) if i not in alone)
    if len(factors) > 1:
        return ops.contract(*factors, equation=f"{','.join(labels)}->{result}")
    if labels[0] == result:
        return factors[0]
    return ops.permute(factors[0], dims=tuple(labels[0].index(label) for label in result))


def _diagonals(term: str, x: Any) -> tuple[str, Any]:
    """`x` with every repeated label of its term replaced by the diagonal, which comes last."""
    while len(set(term)) < len(term):
        label = next(c for c in term if term.count(c) > 1)
        first = term.index(label)
        second = term.index(label, first + 1)
        x = ops.diagonal(x, dim1=first, dim2=second)
        term = term[:first] + term[first + 1 : second] + term[second + 1 :] + label
    return term, x


def _common_sizes(equation: str, terms: tuple[str, ...], operands: Any) -> dict[str, int]:
    """The size of every label; a dimension of size 1 broadcasts."""
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for label, size in zip(term, x.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known):
                listed = ", ".join(str(x.shape) for x in operands)
                raise ShapeError(
                    f"einsum: {equation!r} with operands of shape {listed}: label {label!r} has"
                    f" sizes {known} and {size}"
                )
        for label in set(term):
            if len({n for c, n in zip(term, x.shape, strict=True) if c == label}) > 1:
                raise ShapeError(
                    f"einsum: {equation!r}: label {label!r} is repeated in an operand of shape"
                    f" {x.shape} for dimensions of different size"
                )
    return sizes


@functools.lru_cache(maxsize=512)
def _expand(equation: str, ndims: tuple[int, ...]) -> Terms:
    """The terms of `equation` with letters for `...`, and with the result written out."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    given = left.split(",")
    if len(given) != len(ndims):
        raise ValueError(f"einsum: {equation!r} has {len(given)} operands, {len(ndims)} were given")
    extra = [_unnamed(equation, term, ndim) for term, ndim in zip(given, ndims, strict=True)]
    free = [c for c in ascii_letters if c not in equation]
    if max(extra) > len(free):
        raise ValueError(f"einsum: {equation!r} needs more than {len(ascii_letters)} labels")
    dots = "".join(free[: max(extra)])
    terms = tuple(
        term.replace("...", dots[len(dots) - n :]) for term, n in zip(given, extra, strict=True)
    )
    if not arrow:
        once = Counter(c for term in given for c in term.replace("...", ""))
        return terms, dots + "".join(sorted(c for c, count in once.items() if count == 1))
    named = right.replace("...", "", 1)
    unknown = set(named) - set("".join(given)) | set(named) - set(ascii_letters)
    if unknown or len(set(named)) < len(named):
        raise ValueError(
            f"einsum: {equation!r}: the result must name labels of the operands, each once"
        )
    return terms, right.replace("...", dots)


def _unnamed(equation: str, term: str, ndim: int) -> int:
    """How many dimensions of an operand `...` stands for."""
    named = term.replace("...", "", 1)
    if not set(named) <= set(ascii_letters):
        raise ValueError(f"einsum: {equation!r}: labels are letters, or one '...' in each operand")
    if len(named) > ndim or (len(named) < ndim and named == term):
        raise ShapeError(
            f"einsum: {equation!r}: an operand with {ndim} dimensions is given for {term!r}"
        )
    return ndim - len(named)


def _from_lists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of `einsum(x, [0, 1], y, [1, 2], [0, 2])`."""

    def term(labels: Any) -> str:
        return "".join("..." if n is Ellipsis else ascii_letters[n] for n in labels)

    result = "->" + term(arguments[-1]) if len(arguments) % 2 else ""
    pairs = arguments[: len(arguments) // 2 * 2]
    return ",".join(map(term, pairs[1::2])) + result, pairs[::2]
