"""`autograd.explain`: the formulas with their numbers are computed again and give the result."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd.errors import GraphError
from autograd.op import TABLE
from autograd.pictures.formula import parse

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh, "sin": math.sin, "cos": math.cos, "tan": math.tan, "ln": math.log,
    "sinh": math.sinh, "cosh": math.cosh, "sign": lambda x: math.copysign(1.0, x),
    "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan, "arsinh": math.asinh,
    "arcosh": math.acosh, "artanh": math.atanh, "erf": math.erf, "trunc": math.trunc,
    "σ": lambda x: 1 / (1 + math.exp(-x)), "Φ": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
    "φ": lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}  # fmt: skip
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": float.__gt__, "<": float.__lt__, "≥": float.__ge__, "≤": float.__le__,
}  # fmt: skip


class Unread(Exception):
    """A formula with words, sums or indices: not arithmetic on numbers."""


class Reader:
    """Computes a row of a formula's tree: sums of products, functions, powers, brackets."""

    def __init__(self, part: Any):
        self.parts = [p for p in part[1] if p[0] != "space"] if part[0] == "row" else [part]
        self.i = 0

    def value(self) -> float:
        result = self.sum()
        if self.i < len(self.parts):
            raise Unread(self.parts[self.i])
        return result

    def sign(self, *signs: str) -> str:
        if self.i < len(self.parts) and self.parts[self.i][0] == "op":
            found = self.parts[self.i][1]
            if found in signs:
                self.i += 1
                return found
        return ""

    def sum(self) -> float:
        total = -self.product() if self.sign("-") else self.product()
        while sign := self.sign("+", "-"):
            total += self.product() if sign == "+" else -self.product()
        return total

    def product(self) -> float:
        result = self.factor()
        while self.i < len(self.parts):
            if self.sign("·"):
                result *= self.factor()
            elif self.sign("/"):
                result /= self.factor()
            elif self.parts[self.i][0] == "op" and self.parts[self.i][1] not in ("(", "["):
                break
            else:
                result *= self.factor()
        return result

    def factor(self) -> float:
        if self.i >= len(self.parts):
            raise Unread("nothing")
        if self.sign("("):
            return self.closed(")")
        if self.sign("["):
            left = self.sum()
            chain = [left]
            true = True
            while sign := self.sign(*COMPARE):
                chain.append(self.sum())
                true = true and COMPARE[sign](float(chain[-2]), float(chain[-1]))
            if not self.sign("]") or len(chain) < 2:
                raise Unread("[")
            return float(true)
        if self.sign("|"):
            result = self.sum()
            if not self.sign("|"):
                raise Unread("|")
            return abs(result)
        part = self.parts[self.i]
        self.i += 1
        return self.atom(part)

    def closed(self, sign: str) -> float:
        result = self.sum()
        if self.sign(sign):
            return result
        if self.i < len(self.parts) and self.parts[self.i][:2] == ("sup", ("op", sign)):
            self.i += 1
            return result ** Reader(self.parts[self.i - 1][2]).value()
        raise Unread(sign)

    def atom(self, part: Any) -> float:
        kind = part[0]
        if kind == "num":
            return float(part[1])
        if kind == "frac":
            return Reader(part[1]).value() / Reader(part[2]).value()
        if kind == "sqrt":
            return math.sqrt(Reader(part[1]).value())
        if kind == "row":
            return Reader(part).value()
        if kind == "sup" and part[1][0] in ("word", "id") and part[1][1] in FUNCTIONS:
            return FUNCTIONS[part[1][1]](self.factor()) ** Reader(part[2]).value()
        if kind == "sup":
            return Reader(part[1]).value() ** Reader(part[2]).value()
        if kind in ("word", "id") and part[1] in FUNCTIONS:
            return FUNCTIONS[part[1]](self.factor())
        if part == ("id", "e"):
            return math.e
        if part == ("id", "π"):
            return math.pi
        raise Unread(part)


def compute(latex: str) -> float:
    return Reader(parse(latex)).value()


def numbers() -> dict[str, autograd.Tensor]:
    return {n: autograd.scalar(v, requires_grad=True) for n, v in zip("abc", (2.0, -3.0, 0.7))}


def by_name(explanation: Any) -> dict[str, Any]:
    return {e.left: e for e in explanation.backward}


# Numbers


def test_each_line_computed_again_gives_its_result_and_the_gradient():
    named = numbers()
    a, b, c = named.values()
    d = a * b + c
    loss = (d * 0.5).tanh() / b - a**3 * c.exp() + (c.log() - b).sigmoid() * d
    explanation = autograd.explain(loss, numbers=True, names={**named, "d": d}, digits=17)
    assert len(explanation.forward) == len({e.left for e in explanation.forward}) == 14
    assert explanation.notes == []
    for equation in [*explanation.forward, *explanation.backward[1:]]:
        assert compute(equation.filled) == pytest.approx(equation.value, rel=1e-12), equation.text
    loss.backward()
    found = by_name(explanation)
    for name, leaf in named.items():
        equation = found[rf"\frac{{\partial L}}{{\partial {name}}}"]
        assert equation.value == pytest.approx(leaf.grad.item(), rel=1e-12)
        assert sum(equation.parts) == pytest.approx(equation.value, rel=1e-12)


def scalar_ops() -> list[str]:
    return [name for name, op in TABLE.items() if op.pure and op.vjp]


WORDS = {"relu", "maximum", "minimum", "copy_to"}
"""Ops whose formulas are words, or functions of two numbers."""


def test_the_tables_formulas_give_the_gradients_of_its_vjps():
    """Where a formula is arithmetic: as a line of `explain`, with the numbers put in."""
    read, unread = set(), set()
    for name in scalar_ops():
        op = TABLE[name]
        points = (1.7,) if name == "acosh" else (0.6, 1.3, 0.4)[: len(op.inputs)]
        out = op(*[autograd.scalar(v, requires_grad=True) for v in points])
        explanation = autograd.explain(out * 1.5, numbers=True, digits=17)
        for equation in [explanation.forward[0], *explanation.backward[2:]]:
            if not equation.filled:  # a constant: there is nothing to put in
                assert equation.right in ("0", ""), equation.text
                continue
            try:
                computed = compute(equation.filled)
            except Unread:
                unread.add(name)
                continue
            about = pytest.approx(equation.value, rel=1e-6, abs=1e-9)
            assert computed == about, (name, equation.text)
            read.add(name)
    assert unread == WORDS
    assert read >= {"add", "mul", "div", "pow", "tanh", "sigmoid", "exp", "log", "sqrt", "abs"}
    assert set(scalar_ops()) - read - WORDS == {"flat_grad"}


def test_tensors_have_the_gradients_of_grad():
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x, y = autograd.randn(4, 2), autograd.zeros(4, 1)
    loss = nn.MSELoss()(model(x), y)
    explanation = autograd.explain(loss, numbers=True, model=model, names={"x": x})
    expected = autograd.grad(loss, list(model.parameters()), retain_graph=True)
    found = by_name(explanation)
    for (name, _), g in zip(model.named_parameters(), expected):
        equation = found[rf"\frac{{\partial L}}{{\partial \text{{{name}}}}}"]
        np.testing.assert_allclose(equation.value, g.numpy(), rtol=1e-6)
    assert r"\begin{pmatrix}" in explanation.latex
    line = next(t for t in str(explanation).splitlines() if "∂L/∂0.weight =" in t)
    assert "tanh²(x 0.weightᵀ + 0.bias)" in line
    assert all(p.grad is None for p in model.parameters())
    loss.backward()


def test_what_is_broadcast_is_summed():
    x, w = autograd.ones(4, 3), autograd.ones(3, requires_grad=True)
    loss = (x * w).sum()
    equation = autograd.explain(loss, numbers=True, names={"w": w, "x": x}).backward[-1]
    assert equation.right == (
        r"\textstyle\sum_{\text{broadcast}} \frac{\partial L}{\partial v_{1}}\,x"
    )
    assert equation.value.tolist() == [4.0, 4.0, 4.0]


def test_a_quantity_used_twice_gets_both_contributions():
    a = autograd.scalar(3.0, requires_grad=True)
    equation = autograd.explain(a * a + a, numbers=True, names={"a": a}).backward[-1]
    assert sorted(equation.parts) == [1.0, 3.0, 3.0]
    assert equation.value == 7.0


# Text


def test_text_and_latex_of_a_small_expression():
    a, b = autograd.scalar(2.0, requires_grad=True), autograd.scalar(-3.0, requires_grad=True)
    explanation = autograd.explain((a * b).exp(), names={"a": a, "w_1": b})
    assert str(explanation) == (
        "Forward\n  v₁ = a · w₁\n  L = e^v₁\n"
        "Backward\n  ∂L/∂L = 1\n  ∂L/∂v₁ = ∂L/∂L e^v₁\n  ∂L/∂a = ∂L/∂v₁ w₁\n  ∂L/∂w₁ = ∂L/∂v₁ a"
    )
    assert explanation.latex.startswith("$$\n\\begin{aligned}\nv_{1} &= a \\cdot w_{1} \\\\\n")
    assert explanation._repr_latex_() == explanation.latex
    markdown = explanation._repr_markdown_()
    assert markdown.startswith("**Forward**\n\n$$\n")
    assert markdown.count("$$") == 4


def test_every_op_of_the_table_can_be_explained():
    """Braces match, no subscript on a subscript, and a text comes out, for every op."""
    for name, op in TABLE.items():
        if not op.vjp:
            continue
        sample = op.samples[0]
        chance = np.random.default_rng(0)
        inputs: list[Any] = []
        for given in sample.inputs:
            if isinstance(given, tuple):
                value = chance.uniform(max(sample.low, 0.1), max(sample.high, 0.5), given)
                inputs.append(autograd.tensor(value, requires_grad=True))
            elif isinstance(given, np.ndarray) and given.dtype.kind == "f":
                inputs.append(autograd.tensor(given, requires_grad=True))
            else:
                inputs.append(given)
        try:
            out = op(*inputs, **sample.meta)
        except Exception:  # a sample that needs its own preparation
            continue
        if not (isinstance(out, autograd.Tensor) and out.requires_grad):
            continue
        explanation = autograd.explain(out.sum(), numbers=True)
        latex = explanation.latex
        assert latex.count("{") == latex.count("}"), name
        assert not re.search(r"_\{[^{}]*\}\s*_", re.sub(r"\{\{", "{ {", latex)) or "{v_" in latex
        assert "\\" not in str(explanation).replace("\\_", ""), name


def test_structure_without_numbers_after_backward_too():
    named = numbers()
    loss = named["a"] * named["b"]
    loss.backward()
    assert "∂L/∂a = ∂L/∂L b" in str(autograd.explain(loss, names=named))
    with pytest.raises(GraphError, match=r"explain\(numbers=True\): backward\(\) has freed"):
        autograd.explain(loss, numbers=True)


def test_functions_and_hooks_are_named():
    class Double(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    x = autograd.ones(2, requires_grad=True)
    y = Double.apply(x)
    y.register_hook(lambda g: g * 100)
    explanation = autograd.explain(y.sum(), numbers=True, names={"x": x})
    assert "Double.backward" in str(explanation)
    assert explanation.backward[-1].value.tolist() == [2.0, 2.0]
    assert "hooks that change gradients are not taken into account" in explanation.notes


def test_wrong_calls():
    with pytest.raises(TypeError, match="explain: expected a Tensor, got int"):
        autograd.explain(1)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="explain: nothing is recorded"):
        autograd.explain(autograd.ones(1))
    with pytest.raises(GraphError, match=r"the root has shape \(2,\)"):
        autograd.explain(autograd.ones(2, requires_grad=True) * 2, numbers=True)
