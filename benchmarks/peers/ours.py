"""tapegrad, as its README would have it written.  `--compiled`: steps by `autograd.compile`."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import autograd
import nn
import optim
from benchmarks.peers import Step, serve

COMPILED = "--compiled" in sys.argv[1:]


def recorded(step: Any) -> Any:
    """The step, compiled where that is asked for."""
    return autograd.compile(step) if COMPILED else step


class MLP(nn.Module):
    """Linear layers with ReLU between them, and `last` at the end."""

    def __init__(self, layers: Any, last: Any = None):
        super().__init__()
        self.layers = nn.Sequential()
        for weight, bias in layers:
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": bias})
            self.layers.extend([layer, nn.ReLU()])
        del self.layers[-1]
        if last is not None:
            self.layers.append(last)

    def forward(self, x: Any) -> Any:
        """The output of all layers."""
        return self.layers(x)


def xor(w: dict[str, Any]) -> Step:
    """One training step on the four points."""
    x, y = autograd.tensor(w["x"]), autograd.tensor(w["y"])
    model, criterion = MLP(w["layers"], nn.Sigmoid()), nn.BCELoss()
    optimizer = optim.Adam(model.parameters(), lr=w["lr"])

    @recorded
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step(x, y)


def _on_batches(w: dict[str, Any], step: Any) -> Step:
    batches = [(autograd.tensor(x), autograd.tensor(y)) for x, y in zip(w["x"], w["y"])]
    turn = itertools.cycle(batches)
    return lambda: step(*next(turn))


def mlp(w: dict[str, Any]) -> Step:
    """One training step on the next batch."""
    model, criterion = MLP(w["layers"]), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=w["lr"])

    @recorded
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return _on_batches(w, step)


digits = mlp


def regularized(w: dict[str, Any]) -> Step:
    """One training step on the next batch, with all that the seed's guide regularises with."""
    modules = list(MLP(w["layers"]).layers)
    for i, size in ((1, 256), (4, 128)):
        modules[i:i] = [nn.BatchNorm1d(size)]
    for i in (3, 7):
        modules[i:i] = [nn.Dropout(w["dropout"])]
    model, criterion = nn.Sequential(*modules), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=w["lr"])
    scheduler = optim.lr_scheduler.StepLR(optimizer, w["step_size"], 0.9)

    @recorded
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), w["max_norm"])
        optimizer.step()
        return loss

    def both(x: Any, y: Any) -> Any:
        loss = step(x, y)
        scheduler.step()
        return loss

    return _on_batches(w, both)


def _product(a: Any, b: Any, c: Any) -> Step:
    def step() -> Any:
        a.grad = b.grad = c.grad = None
        out = a * b + c
        out.backward()
        return out

    return step


def product_scalar(w: dict[str, Any]) -> Step:
    """a*b+c of three scalars."""
    return _product(*[autograd.scalar(w[name]) for name in "abc"])


def product_0d(w: dict[str, Any]) -> Step:
    """a*b+c of three 0-d tensors."""
    return _product(*[autograd.tensor(w[name], requires_grad=True) for name in "abc"])


def product_1(w: dict[str, Any]) -> Step:
    """a*b+c of three tensors of one element."""
    return _product(*[autograd.tensor([w[name]], requires_grad=True) for name in "abc"])


def moons(w: dict[str, Any]) -> Step:
    """The demo of micrograd with `Value` replaced by `scalar`."""
    scalar = autograd.scalar
    net = [[([scalar(v) for v in row], scalar(0.0)) for row in layer] for layer in w["weights"]]
    parameters = [p for layer in net for weights, bias in layer for p in (*weights, bias)]

    def neuron(weights: Any, bias: Any, x: Any, nonlinear: bool) -> Any:
        act = sum((wi * xi for wi, xi in zip(weights, x)), bias)
        return act.relu() if nonlinear else act

    def model(x: Any) -> Any:
        for layer in net:
            x = [neuron(*unit, x, layer is not net[-1]) for unit in layer]
        return x[0]

    def step() -> Any:
        inputs = [list(map(scalar, row)) for row in w["x"]]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(w["y"], scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + 1e-4 * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data -= 0.5 * p.grad
        return loss

    return step


STEPS = {"xor": xor, "mlp": mlp, "digits": digits, "regularized": regularized}
SMALL = {f.__name__: f for f in (product_scalar, product_0d, product_1, moons)}
CASES = STEPS if COMPILED else {**STEPS, **SMALL}

if __name__ == "__main__":
    import numba

    serve(CASES, lambda x: x.item(), {"tapegrad": autograd.__version__, "numba": numba.__version__})
