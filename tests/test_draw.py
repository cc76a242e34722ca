"""`autograd.draw`: what the picture says is true, and nothing in it overlaps."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd.errors import GraphError
from autograd.op import TABLE
from autograd.pictures import svg
from autograd.pictures.formula import parse, substitute, to_mathml, to_text, tokens

SVG = "{http://www.w3.org/2000/svg}"


class Xor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x: autograd.Tensor) -> autograd.Tensor:
        return self.out(self.hidden(x).tanh()).sigmoid()


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: autograd.Tensor) -> autograd.Tensor:
        h = self.a(x).relu()
        return self.c(h + self.b(h).relu() + x)


def xor() -> tuple[Xor, autograd.Tensor, dict[str, autograd.Tensor]]:
    autograd.manual_seed(0)
    x = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = autograd.tensor([[0.0], [1], [1], [0]])
    model = Xor()
    loss = nn.BCELoss()(model(x), y)
    return model, loss, {"x": x, "y": y, "loss": loss}


def residual() -> tuple[Residual, autograd.Tensor]:
    autograd.manual_seed(0)
    model = Residual()
    return model, model(autograd.randn(8, 4, requires_grad=True)).square().mean()


def neurons(layers: tuple[int, ...] = (8, 8, 1)) -> autograd.Tensor:
    chance = np.random.default_rng(0)

    def weight() -> autograd.Tensor:
        return autograd.scalar(float(chance.normal()), requires_grad=True)

    values: list[Any] = [1.0, 2.0, -1.0]
    for n in layers:
        values = [sum((weight() * v for v in values), weight()).tanh() for _ in range(n)]
    return (values[0] - 1.0) ** 2


def deep() -> tuple[nn.Module, autograd.Tensor]:
    autograd.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU()) for _ in range(45)]
    model = nn.Sequential(*blocks)
    return model, model(autograd.randn(8, 4)).square().mean()


def parts(picture: Any, kind: str = "") -> list[ET.Element]:
    return [
        g
        for g in ET.fromstring(str(picture)).iter(f"{SVG}g")
        if "tg-box" in g.get("class", "") and kind in g.get("class", "")
    ]


def texts(picture: Any) -> list[list[str]]:
    return [["".join(t.itertext()) for t in g.findall(f"{SVG}text")] for g in parts(picture)]


def box_of(picture: Any, title: str) -> list[str]:
    found = [lines for lines in texts(picture) if lines[0] == title]
    assert len(found) == 1, (title, texts(picture))
    return found[0]


# What the boxes say


def test_values_gradients_names_and_formulas():
    a = autograd.scalar(2.0, requires_grad=True)
    b = autograd.scalar(-3.0, requires_grad=True)
    c = a * b
    loss = c * c
    c.retain_grad()
    loss.backward(retain_graph=True)
    picture = autograd.draw(loss, names={"a": a, "b": b, "c": c, "text": "no tensor"})
    assert box_of(picture, "a") == ["a", "2", "∇ 36"]
    assert box_of(picture, "b") == ["b", "−3", "∇ −24"]
    assert box_of(picture, "c = mul") == ["c = mul", "−6", "∇ −12"]
    assert box_of(picture, "mul") == ["mul", "36"]
    hover = parts(picture, "tg-root")[0].find(f"{SVG}title")
    assert hover is not None
    assert "mul: x · y\nto x: g y\nto y: g x" in (hover.text or "")


def test_what_a_graph_keeps_equals_what_was_computed():
    model, loss, names = xor()
    with autograd.remember(model) as seen:
        again = nn.BCELoss()(model(names["x"]), names["y"])
    kept, watched = autograd.draw(loss, model=model), autograd.draw(again, model=model, seen=seen)
    assert texts(kept) == texts(watched)
    assert not any("not known" in line for lines in texts(kept) for line in lines)


def test_after_backward_what_can_be_known_is_shown_and_the_rest_said():
    a = autograd.scalar(2.0, requires_grad=True)
    b = autograd.scalar(-3.0, requires_grad=True)
    e = (a * b) * 0.5
    loss = e.tanh()
    loss.backward()
    picture = autograd.draw(loss, names={"a": a, "b": b})
    assert box_of(picture, "a")[1:] == ["2", "∇ −0.0148"]
    assert ["mul", "−6"] in texts(picture)  # from its leaves
    assert ["mul", "value not known"] in texts(picture)  # 0.5 is gone
    assert any("1 of 3 values are unknown: freed by backward()" in n for n in picture.notes)


def test_remember_knows_what_is_freed_and_the_lines():
    x = autograd.scalar(3.0, requires_grad=True)
    with autograd.remember() as seen:
        y = (x + 1) * 2
    y.backward()
    picture = autograd.draw(y, seen=seen)
    assert box_of(picture, "add") == ["add", "y = 1", "4"]
    assert box_of(picture, "mul") == ["mul", "y = 2", "8"]
    assert "y = (x + 1) * 2" in str(picture)
    assert picture.notes == []


def test_values_that_are_no_longer_those_of_the_graph_are_left_out():
    x, w = autograd.ones(2), autograd.ones(2, requires_grad=True)
    loss = ((x * w) + w).tanh().sum()
    with autograd.no_grad():
        w.add_(1.0)
    picture = autograd.draw(loss)
    assert box_of(picture, "add") == ["add", "value not known"]
    assert box_of(picture, "tanh")[2] == "0.964 0.964"
    assert any("changed in place" in note for note in picture.notes)
    v = autograd.scalar(2.0, requires_grad=True)
    y = (v + v).tanh()
    with autograd.no_grad():
        v.fill_(5.0)  # nothing recorded its number: tanh(10) tells that it is another
    assert box_of(autograd.draw(y), "add") == ["add", "value not known"]


def test_data_changed_since_is_not_shown_as_what_was_read():
    x, w = autograd.ones(2), autograd.ones(2, requires_grad=True)
    loss = (x * w).sum()
    x.mul_(5.0)
    assert ["x", "value not known"] in texts(autograd.draw(loss, names={"x": x}))
    assert ["mul", "2", "value not known"] in texts(autograd.draw(loss))


def test_what_was_remembered_stays_after_a_step_of_training():
    model, _, names = xor()
    with autograd.remember(model) as seen:
        loss = nn.BCELoss()(model(names["x"]), names["y"])
    before = box_of(autograd.draw(loss, seen=seen), "tanh")
    loss.backward()
    with autograd.no_grad():
        for p in model.parameters():
            p.sub_(p.grad)
    picture = autograd.draw(loss, seen=seen)
    assert box_of(picture, "tanh") == before
    assert picture.notes == []


def test_gradients_of_all_nodes_on_request():
    x = autograd.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    loss = y.exp().sum()
    picture = autograd.draw(loss, grads="all")
    assert box_of(picture, "sum")[-1] == "∇ 1"
    assert box_of(picture, "exp")[-1] == "∇ 1 1"
    assert box_of(picture, "mul")[-1] == "∇ 2.718 54.6"  # exp(x^2)
    assert box_of(picture, "leaf 1")[-1] == "∇ 5.437 218.4"
    assert x.grad is None
    loss.backward()  # nothing was freed or accumulated
    with pytest.raises(GraphError, match="freed what this graph saved"):
        autograd.draw(loss, grads="all")


def test_drawing_runs_no_hooks_and_changes_no_gradient():
    x = autograd.ones(3, requires_grad=True)
    y = x * 2
    calls = []
    y.register_hook(calls.append)
    loss = y.sum()
    autograd.draw(loss, grads="all")
    assert calls == []
    assert x.grad is None
    loss.backward()
    assert len(calls) == 1
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_leaves_functions_checkpoints_and_odd_shapes():
    class Double(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    x = autograd.ones(3, requires_grad=True)
    assert texts(autograd.draw(x, names={"x": x})) == [["x", "3", "1 1 1"]]
    assert "Double" in str(autograd.draw(Double.apply(x).sum(), grads="all"))
    regional = autograd.checkpoint(lambda t: (t * t).tanh(), x).sum()
    assert box_of(autograd.draw(regional), "sum")[1] == "2.285"
    empty = autograd.ones((0, 3), dtype=autograd.float64, requires_grad=True)
    assert ["leaf 1", "0 × 3", "empty"] in texts(autograd.draw((empty * 2).sum()))
    joined = autograd.cat([x, autograd.zeros(2)]).tanh().sum()
    assert box_of(autograd.draw(joined), "cat") == ["cat", "value not known"]
    strided = x.reshape(3, 1).expand(3, 4).T
    assert box_of(autograd.draw(strided.exp().sum()), "exp")[1] == "4 × 3"


def test_in_place_changes_and_views_are_drawn():
    x = autograd.ones(4, requires_grad=True)
    y = x * 1
    y[:2].mul_(3)
    titles = [lines[0] for lines in texts(autograd.draw(y.sum()))]
    assert "put_view" in titles


def test_one_gradient_is_not_shown_as_another():
    xor()[1].backward()
    _, other, _ = xor()
    assert not any("∇" in line for lines in texts(autograd.draw(other)) for line in lines)


# Modules


def frames(picture: Any) -> list[str]:
    return [".".join(frame.path) for frame in picture.layout.frames]


def test_modules_are_told_by_their_parameters():
    model, loss, names = xor()
    picture = autograd.draw(loss, model=model, names=names)
    assert frames(picture) == ["Xor", "Xor.hidden", "Xor.out"]
    inside = {f.path: {b.head.title for b in f.boxes} for f in picture.layout.frames}
    assert inside[("Xor", "hidden")] == {"linear", "hidden.weight", "hidden.bias", "x"}
    assert "tanh" in inside[("Xor",)]
    assert "sigmoid" not in inside[("Xor",)]  # after the last parameter: not known
    assert any("one without parameters is not seen" in note for note in picture.notes)
    assert "hidden · Linear" in str(picture)


def test_a_memory_of_the_model_knows_all_modules():
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Softplus(), nn.Linear(3, 1))
    with autograd.remember(model) as seen:
        loss = model(autograd.randn(4, 2)).abs().sum()
    picture = autograd.draw(loss, model=model, seen=seen)
    assert frames(picture) == ["Sequential", *(f"Sequential.{k}" for k in range(4))]
    inside = {b.head.title for b in picture.layout.frames[0].boxes}
    assert "softplus" in inside
    assert not {"abs", "sum"} & inside
    assert not any(m._forward_hooks for m in model.modules())


def test_a_model_whose_parameters_are_not_read_has_no_frames():
    model, _, _ = xor()
    x = autograd.ones(2, requires_grad=True)
    picture = autograd.draw(x.sum(), model=model)
    assert frames(picture) == []
    assert any("no op here reads a parameter of this Xor" in note for note in picture.notes)


# Layout


def rectangle(thing: Any) -> tuple[float, float, float, float]:
    return thing.x - thing.width / 2, thing.y - thing.height / 2, thing.width, thing.height


def apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]


def within(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return (
        a[0] >= b[0] and a[1] >= b[1] and a[0] + a[2] <= b[0] + b[2] and a[1] + a[3] <= b[1] + b[3]
    )


PICTURES = {
    "xor": lambda: autograd.draw(xor()[1], model=xor()[0]),
    "xor in frames": lambda: (lambda m, t, n: autograd.draw(t, model=m, names=n))(*xor()),
    "residual": lambda: (lambda m, t: autograd.draw(t, model=m))(*residual()),
    "scalars": lambda: autograd.draw(neurons((3, 1))),
    "scalars, folded": lambda: autograd.draw(neurons()),
    "scalars, wide": lambda: autograd.draw(neurons((4, 1)), limit=500),
    "deep": lambda: (lambda m, t: autograd.draw(t, model=m))(*deep()),
    "deep, whole": lambda: (lambda m, t: autograd.draw(t, model=m, limit=1000))(*deep()),
    "residual, small": lambda: (lambda m, t: autograd.draw(t, model=m, limit=3))(*residual()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_overlaps(name: str):
    layout = PICTURES[name]().layout
    for a, b in combinations(layout.boxes, 2):
        assert apart(rectangle(a), rectangle(b)), (a.title, b.title)
    sides = [(f.x, f.y, f.width, f.height) for f in layout.frames]
    for a, b in combinations(sides, 2):
        assert apart(a, b) or within(a, b) or within(b, a)
    for frame, side in zip(layout.frames, sides):
        for box in layout.boxes:
            inside = box in frame.boxes
            assert (within if inside else apart)(rectangle(box), side), (frame.path, box.title)
    page = (0.0, 0.0, layout.width + 0.1, layout.height + 0.1)
    assert all(within(thing, page) for thing in (*map(rectangle, layout.boxes), *sides))


@pytest.mark.parametrize("name", PICTURES)
def test_inputs_stand_above_and_lines_fit_their_boxes(name: str):
    layout = PICTURES[name]().layout
    assert all(a.layer < b.layer for b in layout.boxes for a in b.inputs)
    for box in layout.boxes:
        assert len(box.title) * svg.LARGE * 0.605 <= box.width
        assert all(len(line) * svg.SMALL * 0.605 <= box.width for _, line in box.lines)
        assert 24 + 14.5 * len(box.lines) <= box.height


# Many nodes


def test_three_hundred_nodes_are_folded_and_it_says_so():
    picture = autograd.draw(neurons())
    assert picture.nodes > 200
    assert picture.boxes <= 40
    assert f"{picture.nodes} nodes: {picture.folded} of them are folded" in picture.notes[0]
    assert picture.notes[0][:20] in str(picture)
    assert len(parts(picture, "tg-fold")) == sum(b.folded for b in picture.layout.boxes) > 0
    more = autograd.draw(neurons(), limit=120)
    assert picture.boxes < more.boxes <= 120
    whole = autograd.draw(neurons(), limit=10_000)
    assert whole.folded == 0
    assert whole.boxes == whole.nodes == picture.nodes


def test_modules_fold_before_ops_do():
    model, loss = deep()
    picture = autograd.draw(loss, model=model, limit=120)
    assert picture.boxes <= 120
    held = [box.items for box in picture.layout.boxes if box.folded]
    assert all(len({item.path for item in items if item.kind == "op"}) <= 2 for items in held)
    assert sum(len(box.items) for box in picture.layout.boxes) == picture.nodes


def test_a_chain_of_many_thousand_ops():
    x = autograd.scalar(1.0, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * 1.0001
    picture = autograd.draw(y)
    assert picture.nodes == 20_001
    assert picture.boxes <= 40


@pytest.mark.parametrize("limit", [1, 2, 5, 13, 40, 100])
def test_no_way_of_folding_makes_a_cycle_or_loses_a_node(limit: int):
    for loss in (neurons((3, 3, 1)), residual()[1]):
        picture = autograd.draw(loss, limit=limit)
        items = [item for box in picture.layout.boxes for item in box.items]
        assert len(items) == len(set(items)) == picture.nodes
        assert all(a.layer < b.layer for b in picture.layout.boxes for a in b.inputs)


# The file


def test_the_file_needs_nothing_from_outside(tmp_path: Path):
    model, loss, names = xor()
    picture = autograd.draw(loss, model=model, names=names)
    text = picture.save(tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert text == str(picture) == picture._repr_svg_()
    assert set(re.findall(r"https?://[^\"' <]*", text)) == {"http://www.w3.org/2000/svg"}
    for word in ("<script", "href", "url(", "@import", "<image"):
        assert word not in text
    assert "11 nodes in 11 boxes" in repr(picture)


def test_both_colour_schemes_and_a_fallback_without_style():
    loss = neurons((2, 1))
    auto, dark = str(autograd.draw(loss)), str(autograd.draw(loss, theme="dark"))
    assert "prefers-color-scheme:dark" in auto
    assert "prefers-color-scheme" not in dark
    assert f"--tg-page:{svg.DARK['page']}" in dark
    assert f'fill="{svg.LIGHT["page"]}"' in auto
    assert set(svg.LIGHT) == set(svg.DARK)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("table", [svg.LIGHT, svg.DARK])
def test_text_has_contrast_on_everything_behind_it(table: dict[str, str]):
    for ground in ("page", "frame", "op", "leaf", "data", "fold", "root"):
        for ink in ("text", "soft", "grad"):
            low, high = sorted((luminance(table[ground]), luminance(table[ink])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ground, ink)


def test_names_are_escaped():
    a = autograd.scalar(2.0, requires_grad=True)
    picture = autograd.draw(a * a, names={"<b>&": a})
    assert ["<b>&", "2"] in texts(picture)


def test_wrong_calls(tmp_path: Path):
    x = autograd.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="draw: expected a Tensor, got list"):
        autograd.draw([1.0])  # type: ignore[arg-type]
    with pytest.raises(GraphError, match=r"nothing is recorded behind this tensor of shape \(2,\)"):
        autograd.draw(autograd.ones(2))
    with pytest.raises(ValueError, match="grads='some'; expected one of stored, all"):
        autograd.draw(x, grads="some")
    with pytest.raises(ValueError, match="theme='blue'; expected one of auto, light, dark"):
        autograd.draw(x, theme="blue")
    with pytest.raises(ValueError, match="limit=0; expected at least 1"):
        autograd.draw(x, limit=0)
    with pytest.raises(ValueError, match=r"saved as \.svg, not 'x\.png'"):
        autograd.draw(x).save(tmp_path / "x.png")
    with pytest.raises(GraphError, match=r"the root has shape \(2,\)"):
        autograd.draw(x * 2, grads="all")


def test_pictures_cost_nothing_until_they_are_used():
    code = "import sys, autograd; assert 'autograd.pictures' not in sys.modules; autograd.draw"
    subprocess.run([sys.executable, "-c", code], check=True)


# Formulas


@pytest.mark.parametrize("name", TABLE)
def test_every_formula_reads_as_text_and_as_mathml(name: str):
    op = TABLE[name]
    for latex in (op.math, *filter(None, op.dmath)):
        text = to_text(latex)
        assert text
        assert "\\" not in text
        assert "  " not in text
        assert text.count("(") == text.count(")")
        assert "".join(tokens(latex)) == latex
        ET.fromstring(to_mathml(latex))


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{g}{2\sqrt{x}}", "g / (2√x)"),
        (r"g\,(1 - \tanh^2 x)", "g (1 − tanh² x)"),
        (r"\frac{2 g}{n}(x - t)", "((2 g) / n)(x − t)"),
        (r"x\,W^T + b", "x Wᵀ + b"),
        (r"-g\,\frac{x}{y^2}", "−g (x / y²)"),
        (r"\max(x, 0)", "max(x, 0)"),
        (r"e^{-x^2}", "e^(−x²)"),
        (r"x_{ij}\,[j - i \le d]", "xᵢⱼ [j − i ≤ d]"),
        (r"\frac{\partial L}{\partial v_{3}}\,x", "∂L/∂v₃ x"),
    ],
)
def test_formulas_as_text(latex: str, text: str):
    assert to_text(latex) == text


def test_names_put_into_formulas():
    names = {"x": "v_{1}", "g": r"\frac{a}{b}", "y": "3"}
    assert substitute(r"g\,x^2", names) == r"\frac{a}{b}\,{v_{1}}^2"
    assert substitute(r"g^T \max(x, y)", names) == (r"\left(\frac{a}{b}\right)^T \max(v_{1}, 3)")
    assert substitute(r"\text{x if y}", names) == r"\text{x if y}"
    with pytest.raises(ValueError, match="is missing"):
        parse(r"\frac{a}{b")
