"""Training mistakes, each named by `lint`, `why`, anomaly detection or an error; healthy ones pass.

A planted mistake is a function that returns what was said of it; the table names what must be in
it.  A healthy training is a model, a loss, data and an optimizer of which nothing may be said.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import autograd
import nn
import nn.functional as F
import optim

MISTAKES: dict[str, tuple[str, Callable[[], str]]] = {}


def mistake(expected: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Enter a mistake, and what must be said of it."""

    def enter(f: Callable[[], str]) -> Callable[[], str]:
        MISTAKES[f.__name__] = expected, f
        return f

    return enter


def data(classes: int = 3, n: int = 32) -> tuple[Any, Any]:
    return autograd.randn(n, 4), autograd.randint(0, classes, (n,))


def mlp(*head: nn.Module, out: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, out), *head)


def sgd(model: nn.Module, lr: float = 0.1) -> optim.SGD:
    return optim.SGD(model.parameters(), lr=lr)


def linted(model: Any, loss: Any, batch: Any, optimizer: Any = None, step: Any = None) -> str:
    return str(nn.lint(model, loss, batch, optimizer, step))


def raised(error: type[BaseException], f: Callable[[], Any]) -> str:
    with pytest.raises(error) as caught:
        f()
    return str(caught.value)


CE = nn.CrossEntropyLoss()


@mistake("softmax_before_cross_entropy [3]")
def softmax_before_cross_entropy() -> str:
    return linted(mlp(nn.Softmax(-1)), CE, data())


@mistake("sigmoid_before_bce_with_logits [3]")
def sigmoid_before_bce_with_logits() -> str:
    x, y = data(2)
    return linted(mlp(nn.Sigmoid(), out=1), nn.BCEWithLogitsLoss(), (x, y.float().reshape(-1, 1)))


@mistake("shape_mismatch")
def column_against_vector() -> str:
    x, _ = data()
    return linted(mlp(out=1), nn.MSELoss(), (x, x.sum(1)))


@mistake("forgotten_zero_grad")
def forgotten_zero_grad() -> str:
    model = mlp()
    optimizer = sgd(model)

    def step(x: Any, y: Any) -> None:
        CE(model(x), y).backward()
        optimizer.step()

    return linted(model, CE, data(), optimizer, step)


@mistake("forgotten_zero_grad")
def gradients_of_many_steps() -> str:
    model, (x, y) = mlp(), data()
    for _ in range(30):
        CE(model(x), y).backward()
    return linted(model, CE, (x, y))


@mistake("not_in_optimizer [2.weight]")
def layer_not_in_optimizer() -> str:
    model = mlp()
    return linted(model, CE, data(), sgd(model[0]))


@mistake("not_in_model")
def optimizer_of_an_older_model() -> str:
    optimizer = sgd(mlp())
    return linted(mlp(), CE, data(), optimizer)


@mistake("bias_before_batch_norm [0]")
def bias_before_batch_norm() -> str:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    return linted(model, CE, data())


@mistake("dead_units [1]")
def dead_units() -> str:
    model = mlp()
    nn.init.constant_(model[0].bias, -50.0)
    return linted(model, CE, data())


@mistake("start from 1")
def labels_from_one() -> str:
    x, y = data()
    return linted(mlp(), CE, (x, y + 1))


@mistake("label_dtype")
def labels_of_floats() -> str:
    x, y = data()
    return linted(mlp(), CE, (x, y.float()))


@mistake("unscaled_input")
def pixels_not_scaled() -> str:
    x, y = data()
    return linted(mlp(), CE, (x.abs() * 100, y))


@mistake("learning_rate_high")
def learning_rate_too_high() -> str:
    model = mlp()
    return linted(model, CE, data(), sgd(model, 500.0))


@mistake("learning_rate_low")
def learning_rate_too_low() -> str:
    model = mlp()
    return linted(model, CE, data(), sgd(model, 1e-8))


@mistake("eval_mode")
def left_in_evaluation_mode() -> str:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3)).eval()
    return linted(model, CE, data())


@mistake("batch_of_one [1]")
def batch_norm_of_one_sample() -> str:
    model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 3))
    return linted(model, CE, data(n=1))


@mistake("all_frozen")
def everything_frozen() -> str:
    return linted(mlp().requires_grad_(False), CE, data())


@mistake("nan_input")
def nan_in_the_data() -> str:
    x, y = data()
    x[0, 0] = float("nan")
    return linted(mlp(), CE, (x, y))


@mistake("symmetric_weights")
def constant_weights() -> str:
    model = mlp()
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    return linted(model, CE, data())


@mistake("nll_without_log_softmax")
def nll_of_logits() -> str:
    return linted(mlp(), nn.NLLLoss(), data())


@mistake("no_gradient [spare.weight]")
def layer_made_but_not_called() -> str:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.spare = mlp(), nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            return self.body(x)

    return linted(Net(), CE, data())


@mistake("loss_not_tensor")
def loss_as_a_number() -> str:
    return linted(mlp(), lambda out, y: CE(out, y).item(), data())


@mistake("dropout_before_loss [3]")
def dropout_on_the_output() -> str:
    return linted(mlp(nn.Dropout()), CE, data())


@mistake("hidden = model[0](x).detach()")
def detached_in_the_middle() -> str:
    model, (x, y) = mlp(), data()
    with autograd.watch():
        hidden = model[0](x).detach()
        loss = CE(model[2](hidden.relu()), y)
        loss.backward()
    return str(autograd.why(model[0].weight, loss))


@mistake("no_grad")
def forward_in_no_grad() -> str:
    model, (x, y) = mlp(), data()
    with autograd.watch(), autograd.no_grad():
        loss = CE(model(x), y)
    assert "does not require grad" in raised(RuntimeError, loss.backward)
    return str(autograd.why(loss))


@mistake("argmax has no derivative")
def accuracy_as_the_loss() -> str:
    model, (x, y) = mlp(), data()
    with autograd.watch():
        loss = (model(x).argmax(1) == y).float().mean()
    assert "does not require grad" in raised(RuntimeError, loss.backward)
    return str(autograd.why(model[0].weight))


@mistake("where_leak")
def nan_from_the_branch_not_taken() -> str:
    x = autograd.tensor([0.0, 4.0], requires_grad=True)
    with autograd.watch():
        autograd.where(x > 0, x.sqrt(), 0.0).sum().backward()
    return autograd.why(x).cause


@mistake("log returned inf")
def log_of_a_zero_probability() -> str:
    p = autograd.tensor([0.0, 1.0], requires_grad=True)

    def step() -> None:
        with autograd.detect_anomaly():
            (-p.log()).mean().backward()

    return raised(autograd.AnomalyError, step)


@mistake("vanishing through depth")
def deep_sigmoids() -> str:
    layers = [layer for _ in range(30) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    model = nn.Sequential(nn.Linear(4, 8), *layers, nn.Linear(8, 3))
    x, y = data()
    with autograd.watch():
        CE(model(x), y).backward()
    return str(autograd.why(model[0].weight))


@mistake("saturated [1]")
def saturated_sigmoids() -> str:
    model = nn.Sequential(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 3))
    nn.init.normal_(model[0].weight, std=100.0)
    return linted(model, CE, data())


@mistake("overwritten")
def item_assignment_over_a_result() -> str:
    w = autograd.ones(3, requires_grad=True)
    with autograd.watch():
        h = w * 2
        h[:] = 1.0
        h.sum().backward()
    return autograd.why(w).cause


@mistake("modified by an inplace operation")
def saved_value_changed_in_place() -> str:
    w = autograd.ones(3, requires_grad=True)
    h = w.exp()
    h += 1
    return raised(autograd.ModifiedError, h.sum().backward)


@mistake("a second time")
def backward_twice() -> str:
    w = autograd.ones(3, requires_grad=True)
    loss = w.exp().sum()
    loss.backward()
    return raised(autograd.GraphError, loss.backward)


@pytest.mark.parametrize("name", MISTAKES)
def test_no_mistake_passes_silently(name: str):
    expected, planted = MISTAKES[name]
    assert expected in planted()


def test_the_catalogue_is_of_25_and_more():
    assert len(MISTAKES) >= 25 <= len(HEALTHY)


# Healthy trainings


def regression(n: int = 32) -> tuple[Any, Any]:
    x = autograd.randn(n, 4)
    return x, (x[:, :1] * 2 - x[:, 1:2]).tanh()


def separable(n: int = 32) -> tuple[Any, Any]:
    x = autograd.randn(n, 4)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()


def binary(n: int = 32) -> tuple[Any, Any]:
    x = autograd.randn(n, 4)
    return x, (x[:, :1] > 0).float()


def words(n: int = 32) -> tuple[Any, Any]:
    x = autograd.randint(0, 10, (n, 4))
    return x, (x[:, 0] > 4).long()


def xor() -> tuple[Any, Any]:
    x = autograd.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return x, autograd.tensor([[0.0], [1.0], [1.0], [0.0]])


def net(activation: Callable[[], nn.Module], *, out: int = 3, width: int = 16) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, width), activation(), nn.Linear(width, out))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.last = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.last(x + self.second(F.relu(self.first(x))))


def adam(model: nn.Module) -> Any:
    return optim.Adam(model.parameters(), lr=0.01)


def normed(norm: nn.Module, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16, bias=bias), norm, nn.ReLU(), nn.Linear(16, 3))


HEALTHY: dict[str, tuple[Callable[[], nn.Module], Any, Callable[[], Any], Callable[[Any], Any]]] = {
    "perceptron": (lambda: nn.Linear(4, 3), CE, separable, sgd),
    "relu, SGD": (lambda: net(nn.ReLU), CE, separable, sgd),
    "relu, Adam": (lambda: net(nn.ReLU), CE, separable, adam),
    "tanh, RMSprop": (
        lambda: net(nn.Tanh), CE, separable, lambda m: optim.RMSprop(m.parameters(), 0.005)
    ),
    "sigmoid, momentum": (
        lambda: net(nn.Sigmoid), CE, separable,
        lambda m: optim.SGD(m.parameters(), 0.1, momentum=0.9),
    ),
    "gelu, AdamW": (
        lambda: net(nn.GELU), CE, separable, lambda m: optim.AdamW(m.parameters(), 0.01)
    ),
    "silu, Adamax": (
        lambda: net(nn.SiLU), CE, separable, lambda m: optim.Adamax(m.parameters(), 0.01)
    ),
    "elu, NAdam": (
        lambda: net(nn.ELU), CE, separable, lambda m: optim.NAdam(m.parameters(), 0.01)
    ),
    "leaky relu, RAdam": (
        lambda: net(nn.LeakyReLU), CE, separable, lambda m: optim.RAdam(m.parameters(), 0.01)
    ),
    "selu, Adagrad": (
        lambda: net(nn.SELU), CE, separable, lambda m: optim.Adagrad(m.parameters(), 0.05)
    ),
    "softplus": (lambda: net(nn.Softplus), CE, separable, adam),
    "mish": (lambda: net(nn.Mish), CE, separable, adam),
    "prelu": (lambda: net(nn.PReLU), CE, separable, adam),
    "log-softmax and NLL": (
        lambda: nn.Sequential(net(nn.ReLU), nn.LogSoftmax(-1)), nn.NLLLoss(), separable, adam
    ),
    "label smoothing": (
        lambda: net(nn.ReLU), nn.CrossEntropyLoss(label_smoothing=0.1), separable, adam
    ),
    "BCE with logits": (lambda: net(nn.ReLU, out=1), nn.BCEWithLogitsLoss(), binary, adam),
    "sigmoid and BCE": (
        lambda: nn.Sequential(net(nn.ReLU, out=1), nn.Sigmoid()), nn.BCELoss(), binary, adam
    ),
    "regression, MSE": (lambda: net(nn.Tanh, out=1), nn.MSELoss(), regression, adam),
    "regression, Huber": (lambda: net(nn.ReLU, out=1), nn.HuberLoss(), regression, adam),
    "regression, L1": (lambda: net(nn.ReLU, out=1), nn.L1Loss(), regression, adam),
    "batch norm without bias": (
        lambda: normed(nn.BatchNorm1d(16), bias=False), CE, separable, adam
    ),
    "layer norm": (lambda: normed(nn.LayerNorm(16)), CE, separable, adam),
    "dropout": (
        lambda: nn.Sequential(
            nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 3)
        ), CE, separable, adam,
    ),
    "residual": (Residual, CE, separable, adam),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(10, 8), nn.Flatten(), nn.Linear(32, 2)), CE, words, adam
    ),
    "XOR of the seed": (
        lambda: nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid()),
        nn.BCELoss(), xor, lambda m: optim.Adam(m.parameters(), 0.05),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_training(name: str):
    make, loss_fn, batch, optimizer_of = HEALTHY[name]
    model, (x, y) = make(), batch()
    optimizer = optimizer_of(model)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    report = nn.lint(model, loss_fn, (x, y), optimizer, step)
    assert not report, report
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = step(x, y).item()
        with autograd.detect_anomaly():
            step(x, y)
        with autograd.verify(rate=0.5) as checks:
            step(x, y)
        assert not checks.failures
        for _ in range(40):
            step(x, y)
        with autograd.watch():
            loss = step(x, y)
    assert loss.item() < first
    kinds = {n: autograd.why(p, loss).kind for n, p in model.named_parameters()}
    assert set(kinds.values()) <= {"healthy", "partly zero"}, kinds
    assert not nn.lint(model, loss_fn, (x, y), optimizer)
