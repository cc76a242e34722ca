"""Scalar code: each opcode gives what its op gives, and where it would not, Python runs."""

from __future__ import annotations

import itertools
import math
import struct
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import RecordError, kernel, scalar
from autograd.compiled import scalar_kernels
from autograd.compiled.scalar_codes import (
    ADD,
    ADDMUL,
    ARITY,
    COPY,
    MUL,
    NAMES,
    SUB,
    SUBMUL,
    codes,
    references,
)
from autograd.compiled.scalar_stream import Stream
from autograd.op import TABLE
from tests.scalar_programs import MLP, beside_eager, bits

SPECIAL = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    0.5,
    -3.0,
    1e-310,
    1e300,
    -1e300,
    math.inf,
    -math.inf,
    math.nan,
)


def operands(arity: int) -> np.ndarray:
    """Special numbers in all combinations, and random ones of all sizes."""
    rng = np.random.default_rng(arity)
    drawn = rng.standard_normal((2000, arity)) * 10.0 ** rng.integers(-3, 3, (2000, arity))
    return np.concatenate([list(itertools.product(SPECIAL, repeat=arity)), drawn])


def executed(code: int, columns: np.ndarray) -> list[float]:
    """The native loop on rows of operands."""
    n, arity = columns.shape
    values = np.concatenate([columns.ravel(), np.zeros(n)])
    places = np.zeros((3, n), np.uint32)
    places[:arity] = np.arange(n * arity, dtype=np.uint32).reshape(n, arity).T
    runs = np.array([[code, 0, n]], np.uint32)
    scalar_kernels.run.run(runs, *[np.ascontiguousarray(p) for p in places], values)
    return values[n * arity :].tolist()


native = pytest.mark.skipif(not kernel.JIT, reason="the native loop is compiled")


@native
@pytest.mark.parametrize("name", NAMES)
def test_opcode(name: str):
    """Bit for bit, also where a result is inf or NaN."""
    code = NAMES.index(name)
    rows = operands(ARITY[code])
    expected = [references()[code](*row) for row in rows.tolist()]
    assert bits(executed(code, rows)) == bits(expected)


def test_every_scalar_op_has_an_instruction():
    pure = {op.name for op in TABLE.values() if op.pure}
    assert pure == {op.name for op in codes()}
    assert [NAMES[c] for c in (ADD, SUB, MUL, COPY, ADDMUL, SUBMUL)] == [
        "add", "sub", "mul", "copy", "addmul", "submul",
    ]  # fmt: skip
    assert len(ARITY) == len(NAMES)


UNARY = ("relu", "tanh", "sigmoid", "exp", "log", "sqrt", "reciprocal", "abs", "sign", "sin", "cos",
         "neg", "square", "positive", "clone")  # fmt: skip
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "pow")


@pytest.mark.parametrize("name", UNARY + BINARY)
def test_op_forward_and_backward(name: str):
    """Through a compiled step, on numbers that change from call to call."""
    op = TABLE[name]
    points = itertools.cycle(list(itertools.product((0.3, 2.0, 1.5, 3.0, 0.9), repeat=2)))
    drawn = [next(points) for _ in range(10)]

    def make():
        p = [scalar(0.7), scalar(1.3)]

        def step(x, y):
            for q in p:
                q.grad = None
            a, b = p[0] * x, p[1] * y
            out = op(a) if name in UNARY else op(a, b) + op(a, 2.5) + op(0.5, b)
            (out * 3 + a * b).backward()
            return out

        return step, p

    beside_eager(make, 10, lambda i: tuple(scalar(v, requires_grad=False) for v in drawn[i]))


@pytest.mark.parametrize("exponent", [2, 3, 2.0, 0, -1, 0.5, 1])
def test_powers(exponent: Any):
    def make():
        p = [scalar(1.3), scalar(0.7)]

        def step():
            for q in p:
                q.grad = None
            out = (p[0] * p[1]) ** exponent + 2 ** p[1]
            out.backward()
            for q in p:
                q.data -= 0.01 * q.grad
            return out

        return step, p

    beside_eager(make)


def test_a_machine_that_computes_otherwise(monkeypatch):
    """There the step runs through Python, and says so."""
    monkeypatch.setattr(Stream, "differing", lambda self, tape: ["exp"])

    def make():
        p = [scalar(1.3), scalar(0.7)]

        def step(x):
            for q in p:
                q.grad = None
            loss = (p[0] * p[1] * x).exp() - p[0] * p[1]
            loss.backward()
            for q in p:
                q.data -= 0.01 * q.grad
            return loss

        return step, p

    step = beside_eager(make, 6, lambda i: (scalar(0.1 * i, requires_grad=False),))
    assert "[Python]" in str(step.plan)


@native
def test_a_wrong_instruction_is_found(monkeypatch):
    """At planning: the loop is tried on the recorded numbers.  By `check_every`: on later ones."""
    p = [scalar(1.3)]

    @autograd.compile(check_every=2)
    def step():
        with autograd.no_grad():
            return p[0].exp() + 1

    for _ in range(3):
        step()
    stream = step.plan.trace.scalars
    assert stream.exact
    assert stream.differing(step.plan.recorded.scalars) == []
    stream.blocks[0][:, 0] = NAMES.index("abs")
    assert stream.differing(step.plan.recorded.scalars) == ["abs"]
    p[0].data = 1.5
    step.calls = 1
    with pytest.raises(RecordError, match="abs of scalars give other numbers"):
        step()


def test_code_is_short():
    """What is not needed is not run; products are added in one instruction; twins are one."""
    model = MLP(3, 5, 1)

    @autograd.compile
    def step():
        x = [scalar(v) for v in (0.1, 0.2, 0.3)]
        out = model(x)
        for p in model.parameters():
            p.grad = None
        (out * out + (out * 2) * (out * 2)).backward()

    for _ in range(4):
        step()
    stream = step.plan.trace.scalars
    assert stream.order.size < 0.6 * len(stream.tape.values)
    assert "addmul" in str(step.plan)
    runs = sum(len(block) for block in stream.blocks)
    assert runs < stream.order.size / 2


def test_a_listing_shows_constants_and_lines():
    p = [scalar(1.5)]

    @autograd.compile
    def step():
        with autograd.no_grad():
            return p[0].exp() * 0.25

    for _ in range(3):
        step()
    text = str(step.plan)
    assert "mul(s" in text
    assert "0.25)" in text
    assert "test_scalar_code.py" in text
    assert struct.pack("d", step().item()) == struct.pack("d", math.exp(1.5) * 0.25)
