"""PyTorch: the same programs.  `--fused` for its fused Adam."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from benchmarks.peers import Step, serve

FUSED = "--fused" in sys.argv[1:]


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


def xor(w: dict[str, Any]) -> Step:
    """One training step on the four points."""
    x, y = torch.tensor(w["x"]), torch.tensor(w["y"])
    model, criterion = MLP(w["layers"], nn.Sigmoid()), nn.BCELoss()
    optimizer = _adam(model, w["lr"])

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def mlp(w: dict[str, Any]) -> Step:
    """One training step on the next batch."""
    batches = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(w["x"], w["y"])]
    model, criterion = MLP(w["layers"]), nn.CrossEntropyLoss()
    optimizer = _adam(model, w["lr"])
    count = 0

    def step() -> Any:
        nonlocal count
        x, y = batches[count % len(batches)]
        count += 1
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


digits = mlp


def regularized(w: dict[str, Any]) -> Step:
    """One training step on the next batch, with all that the seed's guide regularises with."""
    batches = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(w["x"], w["y"])]
    modules = list(_net(w["layers"]))
    for i, size in ((1, 256), (4, 128)):
        modules[i:i] = [nn.BatchNorm1d(size)]
    for i in (3, 7):
        modules[i:i] = [nn.Dropout(w["dropout"])]
    model, criterion = nn.Sequential(*modules), nn.CrossEntropyLoss()
    optimizer = _adam(model, w["lr"])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, w["step_size"], 0.9)
    count = 0

    def step() -> Any:
        nonlocal count
        x, y = batches[count % len(batches)]
        count += 1
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), w["max_norm"])
        optimizer.step()
        scheduler.step()
        return loss

    return step


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


CASES: dict[str, Any] = {
    "product_scalar": product_scalar,
    "product_0d": product_0d,
    "product_1": product_1,
}

if __name__ == "__main__":
    cases = {"xor": xor, "mlp": mlp, "digits": digits, "regularized": regularized}
    serve(cases if FUSED else {**cases, **CASES}, lambda x: x.item(), {"torch": torch.__version__})
