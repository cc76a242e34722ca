"""micrograd: its demo notebook's program, and a*b+c."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from micrograd.engine import Value
from micrograd.nn import MLP

from benchmarks.peers import Step, serve


def product_scalar(w: dict[str, Any]) -> Step:
    """a*b+c of three Values."""
    a, b, c = (Value(w[name]) for name in "abc")

    def step() -> Any:
        a.grad = b.grad = c.grad = 0
        out = a * b + c
        out.backward()
        return out

    return step


def moons(w: dict[str, Any]) -> Step:
    """One step of the demo."""
    model = MLP(2, [16, 16, 1])
    for layer, weights in zip(model.layers, w["weights"]):
        for neuron, row in zip(layer.neurons, weights):
            for value, start in zip(neuron.w, row):
                value.data = start

    def step() -> Any:
        inputs = [list(map(Value, row)) for row in w["x"]]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(w["y"], scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + w["decay"] * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= w["lr"] * p.grad
        return loss

    return step


CASES = {"product_scalar": product_scalar, "moons": moons}

if __name__ == "__main__":
    serve(CASES, lambda x: float(x.data), {"micrograd": version("micrograd")})
