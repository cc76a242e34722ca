"""`nn.lint`: what it leaves alone, what it does not complain of, and wrong calls.

The mistakes that it finds are planted in `test_mistakes.py`.
"""

from __future__ import annotations

import random
import types
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from tests.layers import ALL
from tests.seed import CELLS, OURS, Notebook

FACE = types.SimpleNamespace(torch=autograd, nn=nn)


def state_of(model: nn.Module, optimizer: Any) -> list[Any]:
    """Everything that a trial step could change, as plain values."""
    tensors = [*model.parameters(), *model.buffers()]
    return [
        [t.tolist() for t in tensors],
        [t.version[0] for t in tensors],
        [None if p.grad is None else p.grad.tolist() for p in model.parameters()],
        [id(p.grad) for p in model.parameters()],
        [(m.training, sorted(vars(m)), len(m._forward_hooks)) for m in model.modules()],
        repr(optimizer), repr(optimizer.state_dict()),
        autograd.get_rng_state(), str(np.random.get_state()), random.getstate(),  # noqa: NPY002
    ]  # fmt: skip


class Odd(nn.Module):
    """Draws random numbers, counts its calls, and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.last = x
        return self.head(self.body(x) + random.random() * 1e-3 + np.random.rand() * 1e-3)  # noqa: NPY002


@pytest.mark.parametrize("trained", [False, True])
def test_everything_is_as_it_was(trained: bool):
    model, loss_fn = Odd(), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters())
    batch = autograd.randn(16, 4), autograd.randint(0, 3, (16,))

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad()
        loss_fn(model(x), y).backward()
        optimizer.step()

    if trained:
        step(*batch)
    before = state_of(model, optimizer)
    assert not nn.lint(model, loss_fn, batch, optimizer, step)
    assert state_of(model, optimizer) == before
    model.eval()
    before = state_of(model, optimizer)
    assert nn.lint(model, loss_fn, batch, optimizer).rules == ("eval_mode",)
    assert state_of(model, optimizer) == before


def test_everything_is_as_it_was_after_an_error():
    model = Odd()
    optimizer = optim.Adam(model.parameters())
    wrong = autograd.randn(5, 3), autograd.zeros(5).long()
    before = state_of(model, optimizer)
    report = nn.lint(model, nn.CrossEntropyLoss(), wrong)
    assert report.rules == ("error",)
    assert "linear" in str(report)
    assert state_of(model, optimizer) == before


@pytest.mark.parametrize("name", [name for name, layer in ALL.items() if True in layer.modes])
def test_no_false_alarm_on_a_layer(name: str):
    layer = ALL[name]
    model = layer.make(FACE)
    given = [t.detach() for t in layer.tensors(FACE, dtype="float32")]
    out = model(*given)
    params = list(model.parameters())

    def loss_fn(out: Any, weights: Any) -> Any:
        return (out * weights).sum()

    if params:
        report = nn.lint(model, loss_fn, (*given, autograd.randn(*out.shape)), optim.Adam(params))
        assert not report, report
    else:
        given[0].requires_grad = given[0].is_floating_point()
        assert not nn.lint(model, loss_fn, (*given, autograd.randn(*out.shape)))


@pytest.mark.parametrize("number", [n for n in CELLS if n != 7])
def test_no_false_alarm_on_the_models_of_the_seed(number: int):
    cell = Notebook(OURS).run(CELLS[number].setup)
    x = autograd.rand(8, 2)
    y = autograd.rand(8, 1).round()
    model = cell.model
    report = nn.lint(model, nn.BCELoss(), (x, y), optim.Adam(model.parameters(), lr=0.01))
    expected = ("bias_before_batch_norm",) if "BatchNorm" in CELLS[number].setup else ()
    assert report.rules == expected, report


# More of what it finds


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def batch() -> tuple[Any, Any]:
    return autograd.randn(32, 4), autograd.randint(0, 3, (32,))


def rules(model: Any, loss: Any, given: Any, *more: Any) -> tuple[str, ...]:
    return nn.lint(model, loss, given, *more).rules


CE = nn.CrossEntropyLoss()


def test_frozen_parameters_in_the_optimizer():
    model = small()
    optimizer = optim.SGD(model.parameters(), 0.1)
    model[0].requires_grad_(False)
    assert rules(model, CE, batch(), optimizer) == ("frozen_in_optimizer",)
    kept = optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    assert rules(model, CE, batch(), kept) == ()


def test_learning_rate_of_zero():
    model = small()
    assert rules(model, CE, batch(), optim.SGD(model.parameters(), 0.0)) == ("learning_rate_zero",)


def test_an_optimizer_that_needs_a_closure():
    model = small()
    assert rules(model, CE, batch(), optim.LBFGS(model.parameters())) == ()


def test_activations_before_a_cross_entropy():
    x, y = batch()
    with_sigmoid = nn.Sequential(small(), nn.Sigmoid())
    assert "sigmoid_before_cross_entropy" in rules(with_sigmoid, CE, (x, y))
    assert "relu_before_loss" in rules(nn.Sequential(small(), nn.ReLU()), CE, (x, y))

    class Reshaped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = small()

        def forward(self, x: Any) -> Any:
            return self.body(x).softmax(-1).reshape(-1, 3)

    report = nn.lint(Reshaped(), CE, (x, y))
    assert report.rules == ("softmax_before_cross_entropy",)
    assert "softmax(-1)" in report.findings[0].where


def test_targets():
    x, _ = batch()
    model = nn.Sequential(nn.Linear(4, 1))
    y = autograd.full((32, 1), 2.0)
    assert rules(model, nn.BCEWithLogitsLoss(), (x, y)) == ("labels_out_of_range",)
    assert "unscaled_target" in rules(model, nn.MSELoss(), (x, y * 1000))
    y[0] = float("inf")
    assert "nan_target" in rules(model, nn.MSELoss(), (x, y))


def test_features_of_uneven_scale():
    x, y = batch()
    x[:, 0] *= 1e-5
    x[:, 1] *= 30.0
    assert rules(small(), CE, (x, y)) == ()
    x[:, 2] *= 1e-4
    x[:, 3] *= 1e-4
    assert "unscaled_input" in rules(small(), CE, (x, y))


def test_losses_that_cannot_be_differentiated():
    given = batch()
    assert rules(small(), lambda out, y: CE(out.detach(), y), given) == ("loss_without_graph",)
    by_sample = nn.CrossEntropyLoss(reduction="none")
    assert rules(small(), by_sample, given) == ("loss_not_scalar",)


def test_warnings_are_findings():
    def warned(out: Any, y: Any) -> Any:
        import warnings

        warnings.warn("something odd", UserWarning, stacklevel=2)
        return CE(out, y)

    assert rules(small(), warned, batch()) == ("warning",)


def test_a_constant_output():
    model = small()
    nn.init.zeros_(model[2].weight)
    assert "constant_output" in rules(model, CE, batch())


def test_a_step_without_an_update():
    model = small()
    optimizer = optim.SGD(model.parameters(), 0.1)
    assert rules(model, CE, batch(), optimizer, lambda x, y: None) == ("no_step",)


def test_arrays_are_taken():
    x, y = batch()
    assert rules(small(), CE, (x.numpy(), y.numpy())) == ()


def test_a_report_reads_well():
    report = nn.lint(small().requires_grad_(False), CE, batch())
    assert "all_frozen [0.weight, 0.bias, 2.weight]: no parameter" in str(report)
    assert "Remedy: model.requires_grad_(True)" in str(report)
    assert len(report) == len(list(report)) == 2
    assert str(nn.lint(small(), CE, batch())) == "lint: nothing found"


def test_wrong_calls():
    given = batch()
    with pytest.raises(TypeError, match="lint: expected a Module, got function"):
        nn.lint(lambda x: x, CE, given)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="batch must be"):
        nn.lint(small(), CE, given[0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give the optimizer"):
        nn.lint(small(), CE, given, None, lambda x, y: None)
