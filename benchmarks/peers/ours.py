"""tapegrad, as its README would have it written.

`--compiled`: steps by `autograd.compile`; `--loop`: 200 steps by one call of `step.loop`.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import autograd
import nn
import optim
from benchmarks.peers import MANY, Built, Step, number_of, serve

LOOP = "--loop" in sys.argv[1:]
COMPILED = LOOP or "--compiled" in sys.argv[1:]


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


def _training(model: Any, criterion: Any, optimizer: Any) -> Any:
    @recorded
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _on(batches: list[Any], step: Any) -> Step | Built:
    """The step on the next batch; or many steps at once."""
    if LOOP:
        epoch = list(itertools.islice(itertools.cycle(batches), MANY))
        return Built(lambda: step.loop(epoch), steps=MANY)
    if len(batches) == 1:
        x, y = batches[0]
        return lambda: step(x, y)
    turn = itertools.cycle(batches)
    return lambda: step(*next(turn))


def _batches(w: dict[str, Any]) -> list[Any]:
    return [(autograd.tensor(x), autograd.tensor(y)) for x, y in zip(w["x"], w["y"])]


def xor(w: dict[str, Any]) -> Step | Built:
    """Training on the four points."""
    model = MLP(w["layers"], nn.Sigmoid())
    step = _training(model, nn.BCELoss(), optim.Adam(model.parameters(), lr=w["lr"]))
    return _on([(autograd.tensor(w["x"]), autograd.tensor(w["y"]))], step)


def mlp(w: dict[str, Any]) -> Step | Built:
    """Training as a classifier."""
    model = MLP(w["layers"])
    step = _training(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=w["lr"]))
    return _on(_batches(w), step)


digits = mlp


def wide(w: dict[str, Any]) -> Step | Built:
    """Training as a regression."""
    model = MLP(w["layers"])
    optimizer = optim.SGD(model.parameters(), lr=w["lr"], momentum=w["momentum"])
    return _on(_batches(w), _training(model, nn.MSELoss(), optimizer))


def regularized(w: dict[str, Any]) -> Step | Built:
    """Training with normalisation, dropout, clipping and a schedule."""
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

    return _on(_batches(w), both)


def predict(w: dict[str, Any]) -> Step:
    """Logits of one row."""
    model, x = MLP(w["layers"]).eval(), autograd.tensor(w["x"])

    @recorded
    def step(x: Any) -> Any:
        with autograd.no_grad():
            return model(x)

    return lambda: step(x)


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

    @recorded
    def step() -> Any:
        inputs = [list(map(scalar, row)) for row in w["x"]]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(w["y"], scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        loss = data_loss + w["decay"] * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data -= w["lr"] * p.grad
        return loss

    return step


def moons_tensors(w: dict[str, Any]) -> Step | Built:
    """The demo of micrograd on whole arrays."""
    model = MLP(w["layers"])
    optimizer = optim.SGD(model.parameters(), lr=w["lr"])

    @recorded
    def step(x: Any, y: Any) -> Any:
        data_loss = (1 - y * model(x)).relu().mean()
        loss = data_loss + w["decay"] * sum((p * p).sum() for p in model.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _on([(autograd.tensor(w["x"]), autograd.tensor(w["y"]))], step)


STEPS = {"xor": xor, "digits": digits, "mlp": mlp}
MORE = {f.__name__: f for f in (regularized, wide, moons, moons_tensors, predict)}
SMALL = {f.__name__: f for f in (product_scalar, product_0d, product_1)}
CASES = STEPS if LOOP else {**STEPS, **MORE} if COMPILED else {**STEPS, **MORE, **SMALL}

if __name__ == "__main__":
    import numba

    versions = {"tapegrad": autograd.__version__, "numba": numba.__version__}
    serve(CASES, lambda x: number_of(x.detach().numpy()), versions)
