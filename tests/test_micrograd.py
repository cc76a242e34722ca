"""Programs of scalars, as micrograd's users write them: the same numbers, on the same op table."""

from __future__ import annotations

import math

import pytest

import autograd
from autograd import Tensor


def expression(a: Tensor, b: Tensor) -> Tensor:
    """The tour through the operators that micrograd's README makes."""
    c, d = a + b, a * b + b**3
    c = c + c + 1
    c = c + 1 + c - a
    d = d + 2 * d + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    return f / 2.0 + 10.0 / f


@pytest.mark.parametrize(
    "make", [autograd.scalar, lambda x: autograd.tensor(x, dtype="float64", requires_grad=True)]
)
def test_expression(make):
    a, b = make(-4.0), make(2.0)
    g = expression(a, b)
    g.backward()
    assert g.item() == pytest.approx(24.70408163265306, rel=1e-14)
    assert a.grad.item() == pytest.approx(138.83381924198252, rel=1e-14)
    assert b.grad.item() == pytest.approx(645.5772594752186, rel=1e-14)


def test_scalars_stay_python_numbers():
    a = autograd.scalar(2.0)
    b = (a * 3 + 1).tanh().exp() ** 2
    assert type(b.value) is float
    b.backward()
    assert type(a.grad.value) is float
    assert a.grad.dtype == b.dtype == autograd.float64


def test_scalar_meets_array():
    a, x = autograd.scalar(2.0), autograd.ones(3, requires_grad=True)
    out = (a * x).sum()
    out.backward()
    assert out.dtype == autograd.float32
    assert a.grad.item() == 3
    assert x.grad.tolist() == [2, 2, 2]


def test_assignment_operators_make_new_scalars():
    """`loss += term` leaves what `loss` was before alone: numbers are not containers."""
    a = autograd.scalar(1.0)
    total = a
    total += 2 * a
    assert (total.item(), a.item()) == (3, 1)
    total.backward()
    assert a.grad.item() == 3


def test_second_derivative():
    x = autograd.scalar(2.0)
    (first,) = autograd.grad(x**3, x, create_graph=True)
    (second,) = autograd.grad(first, x)
    assert (first.item(), second.item()) == (12, 12)


@pytest.mark.parametrize(
    ("f", "value", "slope"),
    [
        (lambda x: x / 0.0, math.inf, math.inf),
        (lambda x: x.log(), 0.0, 1.0),
        (lambda x: (x - 1).log(), -math.inf, math.inf),
        (lambda x: (1000 * x).exp(), math.inf, math.inf),
        (lambda x: (x - 1).sqrt(), 0.0, math.inf),
    ],
)
def test_ieee_instead_of_python_errors(f, value: float, slope: float):
    x = autograd.scalar(1.0)
    y = f(x)
    y.backward()
    assert (y.item(), x.grad.item()) == (value, slope)


def test_sums_of_scalars_and_integers_stay_numbers():
    """`sum` starts from the integer 0: no array may slip in, forward or backward."""
    a = autograd.scalar(3.0)
    total = sum([a * a, 1 - a, 2 / a, -1 * a])
    total.backward()
    assert type(total.value) is float
    assert type(a.grad.value) is float
    assert total.item() == 9 - 2 + 2 / 3 - 3
    assert a.grad.item() == 6 - 1 - 2 / 9 - 1
