"""PyTorch: the same programs.  `--fused` for its fused optimizers.

`--compile`: `torch.compile` of forward and loss as it is by default (Inductor, which needs a C++
compiler), backward as it makes it, fused optimizers.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import torch
from torch import nn

from benchmarks.peers import Built, Step, number_of, serve

COMPILED = "--compile" in sys.argv[1:]
FUSED = COMPILED or "--fused" in sys.argv[1:]


def _net(layers: Any, *last: Any) -> Any:
    modules: list[Any] = []
    for weight, bias in layers:
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1], *last)


class MLP(nn.Module):
    """Linear layers with ReLU between them, and `last` at the end."""

    def __init__(self, layers: Any, *last: Any):
        super().__init__()
        self.layers = _net(layers, *last)

    def forward(self, x: Any) -> Any:
        """The output of all layers."""
        return self.layers(x)


def _adam(model: Any, lr: float) -> Any:
    return torch.optim.Adam(model.parameters(), lr=lr, fused=FUSED or None)


def _sgd(model: Any, lr: float, momentum: float = 0.0) -> Any:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, fused=FUSED or None)


def _maybe_compiled(function: Any) -> Any:
    return torch.compile(function) if COMPILED else function


def _built(step: Step, model: Any, optimizer: Any = None) -> Step | Built:
    """The step; a compiled one is kept, and its model put back to where it began."""
    if not COMPILED:
        return step
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def reset() -> None:
        model.load_state_dict(start)
        if optimizer is not None:
            optimizer.state.clear()

    return Built(step, reset=reset)


def _training(w: dict[str, Any], model: Any, criterion: Any, optimizer: Any) -> Step | Built:
    """A step on the next batch."""
    batches = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(w["x"], w["y"])]
    turn = itertools.cycle(batches)
    forward = _maybe_compiled(lambda x, y: criterion(model(x), y))

    def step() -> Any:
        x, y = next(turn)
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return _built(step, model, optimizer)


def xor(w: dict[str, Any]) -> Step | Built:
    """Training on the four points."""
    model = MLP(w["layers"], nn.Sigmoid())
    one_batch = {**w, "x": w["x"][None], "y": w["y"][None]}
    return _training(one_batch, model, nn.BCELoss(), _adam(model, w["lr"]))


def mlp(w: dict[str, Any]) -> Step | Built:
    """Training as a classifier."""
    model = MLP(w["layers"])
    return _training(w, model, nn.CrossEntropyLoss(), _adam(model, w["lr"]))


digits = mlp


def wide(w: dict[str, Any]) -> Step | Built:
    """Training as a regression."""
    model = MLP(w["layers"])
    return _training(w, model, nn.MSELoss(), _sgd(model, w["lr"], w["momentum"]))


def regularized(w: dict[str, Any]) -> Step | Built:
    """Training with normalisation, dropout, clipping and a schedule."""
    batches = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(w["x"], w["y"])]
    modules = list(_net(w["layers"]))
    for i, size in ((1, 256), (4, 128)):
        modules[i:i] = [nn.BatchNorm1d(size)]
    for i in (3, 7):
        modules[i:i] = [nn.Dropout(w["dropout"])]
    model, criterion = nn.Sequential(*modules), nn.CrossEntropyLoss()
    optimizer = _adam(model, w["lr"])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, w["step_size"], 0.9)
    turn = itertools.cycle(batches)
    forward = _maybe_compiled(lambda x, y: criterion(model(x), y))

    def step() -> Any:
        x, y = next(turn)
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), w["max_norm"])
        optimizer.step()
        scheduler.step()
        return loss

    return _built(step, model, optimizer)


def moons_tensors(w: dict[str, Any]) -> Step | Built:
    """The demo of micrograd on whole arrays."""
    model = MLP(w["layers"])
    optimizer = _sgd(model, w["lr"])

    def loss_of(x: Any, y: Any) -> Any:
        data_loss = (1 - y * model(x)).relu().mean()
        return data_loss + w["decay"] * sum((p * p).sum() for p in model.parameters())

    forward = _maybe_compiled(loss_of)
    x, y = torch.tensor(w["x"]), torch.tensor(w["y"])

    def step() -> Any:
        loss = forward(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _built(step, model, optimizer)


def predict(w: dict[str, Any]) -> Step | Built:
    """Logits of one row."""
    model, x = MLP(w["layers"]).eval(), torch.tensor(w["x"])
    forward = _maybe_compiled(model)

    def step() -> Any:
        with torch.inference_mode():
            return forward(x)

    return _built(step, model)


def _product(a: Any, b: Any, c: Any) -> Step:
    def step() -> Any:
        a.grad = b.grad = c.grad = None
        out = a * b + c
        out.backward()
        return out

    return step


def product_0d(w: dict[str, Any]) -> Step:
    """a*b+c of three 0-d tensors."""
    return _product(*[torch.tensor(w[name], requires_grad=True) for name in "abc"])


product_scalar = product_0d


def product_1(w: dict[str, Any]) -> Step:
    """a*b+c of three tensors of one element."""
    return _product(*[torch.tensor([w[name]], requires_grad=True) for name in "abc"])


STEPS: dict[str, Any] = {
    "xor": xor,
    "digits": digits,
    "mlp": mlp,
    "regularized": regularized,
    "wide": wide,
    "moons_tensors": moons_tensors,
    "predict": predict,
}
SMALL: dict[str, Any] = {
    "product_scalar": product_scalar,
    "product_0d": product_0d,
    "product_1": product_1,
}

if __name__ == "__main__":
    cases = STEPS if FUSED else {**STEPS, **SMALL}
    if FUSED and not COMPILED:
        del cases["predict"]  # there is nothing to fuse
    serve(cases, lambda x: number_of(x.detach().numpy()), {"torch": torch.__version__})
