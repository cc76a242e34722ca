"""Einstein summation: `einsum` reads any equation, the primitive `contract` does the products.

`einsum` takes diagonals (`ii`), drops broadcast dimensions and sums what stands in one operand
only.  What is left is multilinear, so that its derivative is a contraction again.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from string import ascii_letters
from typing import Any

import numpy as np

from autograd import moves, shapes
from autograd.errors import ShapeError
from autograd.op import Sample, function, op, ops, quiet

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
    """Two at a time, as products of stacks of matrices."""
    labels, result = _terms(equation)
    terms, factors = list(labels), list(xs)
    for i, j in _path(equation, tuple(x.shape for x in xs)):
        b, y = terms.pop(j), factors.pop(j)
        a, x = terms.pop(i), factors.pop(i)
        kept, z = _pair(a, x, b, y, {*result, *"".join(terms)})
        terms.append(kept)
        factors.append(z)
    moves.copy(out, factors[0].transpose([terms[0].index(label) for label in result]))


@functools.lru_cache(maxsize=4096)
def _path(equation: str, shapes_: tuple[shapes.Shape, ...]) -> tuple[tuple[int, int], ...]:
    """Which two to multiply next, until one is left: those whose product has the fewest elements.

    They leave the list of factors, and their product joins it at the end.
    """
    sizes, (labels, result) = _sizes(equation, *shapes_), _terms(equation)
    terms, path = list(labels), []
    while len(terms) > 1:
        options = []
        for i, j in itertools.combinations(range(len(terms)), 2):
            rest = "".join(terms[:i] + terms[i + 1 : j] + terms[j + 1 :]) + result
            kept = {c for c in terms[i] + terms[j] if c in rest}
            options.append((math.prod(sizes[c] for c in kept), i, j, "".join(sorted(kept))))
        _, i, j, kept_labels = min(options)
        terms = [t for k, t in enumerate(terms) if k not in (i, j)] + [kept_labels]
        path.append((i, j))
    return tuple(path)


def _pair(a: str, x: np.ndarray, b: str, y: np.ndarray, wanted: set[str]) -> tuple[str, np.ndarray]:
    """The product of two factors with labels a and b: its labels, and it, summed over the rest."""
    stack = [c for c in a if c in b and c in wanted]
    summed = [c for c in a if c in b and c not in wanted]
    rows, columns = ([c for c in t if c not in o] for t, o in ((a, b), (b, a)))
    x = x.transpose([a.index(c) for c in (*stack, *rows, *summed)])
    y = y.transpose([b.index(c) for c in (*stack, *summed, *columns)])
    s, r = x.shape[: len(stack)], x.shape[len(stack) : len(stack) + len(rows)]
    n, c = x.shape[len(stack) + len(rows) :], y.shape[len(stack) + len(summed) :]
    out = np.empty((*s, *r, *c), x.dtype)
    flat = [(*s, math.prod(r), math.prod(n)), (*s, math.prod(n), math.prod(c))]
    stacks = [moves.packed(v).reshape(shape) for v, shape in zip((x, y), flat)]
    into = out.reshape(*s, math.prod(r), math.prod(c))
    quiet.run(np.matmul if summed else np.multiply, *stacks, into)
    return "".join((*stack, *rows, *columns)), out


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
