"""Train a multilayer perceptron and test it on what it has not seen: `python -m nn.demo --help`."""

from __future__ import annotations

import argparse
import math
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from tqdm import tqdm

import autograd
import nn
import optim
from nn.demo.data import FASHION, TOYS, DataError, Split, images
from nn.utils.data import DataLoader, TensorDataset

RECIPES = {  # hidden sizes, epochs, batch, learning rate
    "digits": ((64,), 40, 32, 3e-3),
    "images": ((512, 256), 10, 128, 1e-3),
    "moons": ((16, 16), 50, 32, 1e-2),
    "spirals": ((64, 64), 100, 32, 1e-2),
    **dict.fromkeys(("xor", "and", "or"), ((8,), 500, 4, 3e-2)),
}

_NAME = "tapegrad-{}.safetensors"


class MLP(nn.Module):
    """Linear layers with ReLU between them: `MLP(64, 64, 10)` has one hidden layer of 64."""

    def __init__(self, *sizes: int):
        super().__init__()
        self.layers = nn.Sequential()
        for n, m in pairwise(sizes):
            self.layers.extend([nn.Linear(n, m), nn.ReLU()])
        del self.layers[-1]

    def forward(self, x: autograd.Tensor) -> autograd.Tensor:
        """Logits (batch, classes) of inputs (batch, features)."""
        return self.layers(x)


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """The share of inputs whose largest logit is their class's."""
    model.eval()
    right = 0
    with autograd.no_grad():
        for start in range(0, len(x), 1000):
            logits = model(autograd.from_numpy(x[start : start + 1000]))
            right += int((logits.numpy().argmax(1) == y[start : start + 1000]).sum())
    return right / len(x)


def train_step(model: nn.Module, optimizer: optim.Optimizer) -> Any:
    """One step of training, recorded at its first calls and replayed natively after that."""
    criterion = nn.CrossEntropyLoss()

    @autograd.compile
    def step(x: autograd.Tensor, y: autograd.Tensor) -> autograd.Tensor:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def train_epoch(step: Any, loader: DataLoader[Any], bar: Any) -> float:
    """One pass over the training data in random order; returns the mean loss."""
    total = count = 0
    for x, y in loader:
        total += step(x, y).item() * len(x)
        count += len(x)
        bar.update()
    return total / count


def how(step: Any) -> str:
    """How the steps were run, and why."""
    if not step.enabled:
        return "eager, because TAPEGRAD_COMPILE=0"
    if step.plan is None:
        return "eager, because no step was met a third time"
    calls = len(step.plan.first.parts)
    through = "" if step.plan.native else "; some ops have no native form here"
    return f"replayed from a recorded plan, {calls} native call{'s' * (calls > 1)} each{through}"


def train(data: Split, task: str, epochs: int, batch: int, lr: float) -> nn.Module:
    """Train the task's network and report each epoch; returns the network."""
    hidden = RECIPES[task][0]
    sizes = (data.x.shape[1], *hidden, int(data.y.max()) + 1)
    model = MLP(*sizes)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    count = sum(p.numel() for p in model.parameters())
    print(f"{task}: {len(data.x):,} to learn from, {len(data.x_test):,} held out")
    print(f"{'-'.join(map(str, sizes))}: {count:,} parameters; Adam, lr {lr:g}, batch {batch}")
    dataset = TensorDataset(data.x, data.y)
    loader: DataLoader[Any] = DataLoader(dataset, batch_size=batch, shuffle=True)
    step, steps = train_step(model, optimizer), len(loader)
    seconds, shown = 0.0, max(1, epochs // 10)
    with tqdm(total=epochs * steps, unit="step", disable=None, leave=False) as bar:
        for epoch in range(1, epochs + 1):
            model.train()
            start = time.perf_counter()
            loss = train_epoch(step, loader, bar)
            seconds += time.perf_counter() - start
            if epoch % shown == 0 or epoch == epochs:
                right = accuracy(model, data.x_test, data.y_test)
                bar.write(f"epoch {epoch:4d}  loss {loss:.4f}  test accuracy {right:.2%}")
    rate = epochs * steps / max(seconds, 1e-9)
    print(f"{rate:,.0f} steps/s, {epochs * len(data.x) / max(seconds, 1e-9):,.0f} samples/s")
    print(f"steps: {how(step)}")
    return model


def load(task: str, where: str | None) -> Split:
    """The data of a task; `where` is the directory of IDX files, for "images"."""
    if task != "images":
        return TOYS[task]()
    if where in (None, "fashion"):
        where = str(FASHION)
    if where == str(FASHION) and not FASHION.is_dir():
        raise DataError(
            "--task images needs --data DIR with MNIST's or Fashion-MNIST's four files"
            " (Debian and Ubuntu: apt-get install dataset-fashion-mnist)"
        )
    return images(Path(where))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, in place of the whole usage."""
        raise DataError(message)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line, its defaults filled in from the task's recipe."""
    parser = _Parser(prog="python -m nn.demo", description=__doc__)
    parser.add_argument("--task", choices=RECIPES, help="default: digits, or images with --data")
    parser.add_argument(
        "--data", metavar="DIR", help="directory of IDX files, or the names digits and fashion"
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help=f"default: {_NAME.format('TASK')}"
    )
    args = parser.parse_args(argv)
    implied = {None: None, "digits": "digits"}.get(args.data, "images")
    if args.task and implied and args.task != implied:
        parser.error(f"--task {args.task} does not go with --data {args.data}")
    args.task = args.task or implied or "digits"
    _, epochs, batch, lr = RECIPES[args.task]
    for name, default in (("epochs", epochs), ("batch", batch), ("lr", lr)):
        if getattr(args, name) is None:
            setattr(args, name, default)
        if not 0 < getattr(args, name) < math.inf:
            parser.error(f"--{name} must be greater than 0")
    args.save = args.save or Path(_NAME.format(args.task))
    if not args.save.absolute().parent.is_dir():
        parser.error(f"no such directory: {args.save.absolute().parent}")
    return args


def main(argv: list[str] | None = None) -> int:
    """Train, test, save.  Returns the exit code."""
    try:
        args = parse(argv)
        data = load(args.task, args.data)
    except DataError as error:
        print(f"nn.demo: {error}", file=sys.stderr)
        return 2
    autograd.manual_seed(args.seed)
    model = train(data, args.task, args.epochs, args.batch, args.lr)
    print(f"test accuracy {accuracy(model, data.x_test, data.y_test):.2%}")
    nn.save(model.state_dict(), args.save)
    print(f"model saved to {args.save}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
