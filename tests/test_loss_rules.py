"""Losses: warnings, rows of SEMANTICS.md 3C, and where we part from PyTorch on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
from tests.faces import PYTORCH, data, ours, pytorch
from tests.losses import FUNCTIONS, INF, chance, floats, named, tensor

LOSSES = named()


def both() -> list[Any]:
    """The faces there are on this machine."""
    return [ours(), pytorch()] if PYTORCH else [ours()]


# Warnings


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_shapes_that_broadcast_warn(name: str):
    """Every time, at the line of the call; whether the module or the function is called."""
    module = next(m for m, function in FUNCTIONS.items() if function == name)
    for fw in both():
        x, y = tensor(fw, data(3, 1)), tensor(fw, data(3))
        expected = getattr(fw.F, name)(tensor(fw, np.tile(data(3, 1), 3)), y.repeat(3, 1))
        for call in 2 * (getattr(fw.F, name), getattr(fw.nn, module)()):
            with pytest.warns(UserWarning, match="broadcast") as caught:
                assert call(x, y).item() == pytest.approx(expected.item())
            assert fw.nn is not nn or caught[0].filename == __file__


def test_kl_div_mean_warns():
    x, y = data(2, 3), chance(2, 3)
    for fw in both():
        with pytest.warns(UserWarning, match="batchmean"):
            mean = fw.F.kl_div(tensor(fw, x), tensor(fw, y))
        assert mean.item() == pytest.approx(np.mean(y * (np.log(y) - x)))
        batchmean = fw.nn.KLDivLoss(reduction="batchmean")(tensor(fw, x), tensor(fw, y))
        assert batchmean.item() == pytest.approx(np.sum(y * (np.log(y) - x)) / 2)


WITHOUT_FLAGS = {"HuberLoss", "GaussianNLLLoss", "TripletMarginWithDistanceLoss"}


@pytest.mark.parametrize(
    ("flags", "reduction"),
    [
        (dict(size_average=True), "mean"),
        (dict(size_average=False), "sum"),
        (dict(reduce=False), "none"),
        (dict(size_average=False, reduce=False), "none"),
        (dict(size_average=False, reduce=True), "sum"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - WITHOUT_FLAGS))
def test_old_flags(name: str, flags: dict[str, bool], reduction: str):
    loss = next(loss for loss in LOSSES.values() if loss.module == name)
    for fw in both():
        message = f"size_average and reduce args.*reduction='{reduction}'"
        with pytest.warns(UserWarning, match=message) as caught:
            assert getattr(fw.nn, name)(**flags).reduction == reduction
        assert fw.nn is not nn or caught[0].filename == __file__
        if reduction != "mean":
            with pytest.warns(UserWarning, match=message):
                value = getattr(fw.F, FUNCTIONS[name])(*loss.leaves(fw)[0], **flags)
            expected = loss.criterion(fw, reduction)(*loss.leaves(fw)[0])
            np.testing.assert_array_equal(value.detach().numpy(), expected.detach().numpy())


# SEMANTICS.md 3C, row by row


def slope(fw: Any, f: Callable[[Any], Any], *values: float) -> list[float]:
    x = tensor(fw, floats(*values)).requires_grad_()
    f(x).backward()
    return x.grad.tolist()


ROWS: dict[str, tuple[Callable[[Any, Callable[..., Any]], Any], Any]] = {
    "BCE(0, 1)": (lambda fw, t: fw.F.binary_cross_entropy(t([0.0]), t([1.0])), 100.0),
    "BCE(1, 0)": (lambda fw, t: fw.F.binary_cross_entropy(t([1.0]), t([0.0])), 100.0),
    "BCE gradient": (
        lambda fw, t: slope(fw, lambda x: fw.F.binary_cross_entropy(x, t([1.0, 0.0])), 0.0, 1.0),
        [-5e11, 5e11],
    ),
    "BCE gradient at p = t": (
        lambda fw, t: slope(fw, lambda x: fw.F.binary_cross_entropy(x, t([1.0])), [1.0]),
        [0.0],
    ),
    "logits(1000, 0)": (
        lambda fw, t: fw.F.binary_cross_entropy_with_logits(t([1000.0]), t([0.0])),
        1000.0,
    ),
    "pos_weight scales positives only": (
        lambda fw, t: fw.F.binary_cross_entropy_with_logits(
            t([0.0, 0.0]), t([1.0, 0.0]), pos_weight=t([3.0, 3.0]), reduction="none"
        ),
        [3 * np.log(2), np.log(2)],
    ),
    "CE ignores all, mean": (
        lambda fw, t: fw.F.cross_entropy(t([[1.0, 2.0]]), fw.torch.tensor([1]), ignore_index=1),
        np.nan,
    ),
    "CE ignores all, sum": (
        lambda fw, t: fw.F.cross_entropy(
            t([[1.0, 2.0]]), fw.torch.tensor([1]), ignore_index=1, reduction="sum"
        ),
        0.0,
    ),
    "CE weights, classes: by the sum of weights": (
        lambda fw, t: fw.F.cross_entropy(
            t([[0.0, 0.0], [0.0, 0.0]]), fw.torch.tensor([0, 1]), t([1.0, 3.0])
        ),
        np.log(2),
    ),
    "CE weights, probabilities: by the rows": (
        lambda fw, t: fw.F.cross_entropy(
            t([[0.0, 0.0], [0.0, 0.0]]), t([[1.0, 0.0], [0.0, 1.0]]), t([1.0, 3.0])
        ),
        2 * np.log(2),
    ),
    "label smoothing": (
        lambda fw, t: fw.F.cross_entropy(
            t([[2.0, 1.0, 0.0]]), fw.torch.tensor([0]), label_smoothing=0.1
        ),
        0.9 * np.log(1 + np.exp(-1) + np.exp(-2)) + 0.1 * (np.log(1 + np.e + np.e**2) - 1),
    ),
    "CE of nothing": (
        lambda fw, t: fw.F.cross_entropy(fw.torch.zeros(0, 3), fw.torch.zeros(0).long()),
        np.nan,
    ),
    "CE -inf, classes": (
        lambda fw, t: fw.F.cross_entropy(t([[-INF, 1.0]]), fw.torch.tensor([1])),
        0.0,
    ),
    "CE -inf, classes, gradient": (
        lambda fw, t: slope(
            fw, lambda x: fw.F.cross_entropy(x, fw.torch.tensor([1])), [[-INF, 1.0]]
        ),
        [[0.0, 0.0]],
    ),
    "CE -inf, probabilities": (
        lambda fw, t: fw.F.cross_entropy(t([[-INF, 1.0]]), t([[0.0, 1.0]])),
        np.nan,
    ),
    "SmoothL1, beta 2": (lambda fw, t: fw.nn.SmoothL1Loss(beta=2.0)(t([3.0]), t([0.0])), 2.0),
    "SmoothL1, beta 0": (lambda fw, t: fw.nn.SmoothL1Loss(beta=0.0)(t([3.0]), t([0.0])), 3.0),
    "Huber, delta 2": (lambda fw, t: fw.nn.HuberLoss(delta=2.0)(t([3.0]), t([0.0])), 4.0),
    "Huber": (lambda fw, t: fw.nn.HuberLoss()(t([3.0]), t([0.0])), 2.5),
    "l1 of integers": (
        lambda fw, t: fw.F.l1_loss(
            fw.torch.tensor([1, 2]), fw.torch.tensor([1, 5]), reduction="sum"
        ),
        3,
    ),
    "one class as (1,)": (lambda fw, t: fw.F.nll_loss(t([1.0, 2.0]), fw.torch.tensor([1])), -2.0),
    "a weight of another dtype": (
        lambda fw, t: fw.F.binary_cross_entropy(
            t([0.5]).float(), t([1.0]).float(), fw.torch.tensor([2])
        ).double(),
        2 * np.log(2),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row: str):
    f, expected = ROWS[row]
    for fw in both():
        found = f(fw, lambda values, fw=fw: fw.torch.tensor(values, dtype=fw.torch.float64))
        found = np.asarray(found if isinstance(found, list) else found.numpy())
        assert found.dtype.kind == np.asarray(expected).dtype.kind
        np.testing.assert_allclose(found, expected, rtol=1e-7)


# Where we part from PyTorch, on purpose


def test_soft_margin_does_not_overflow():
    """PyTorch's is inf with a gradient of NaN."""
    x = autograd.tensor([1000.0, -1000.0], requires_grad=True)
    loss = F.soft_margin_loss(x, autograd.tensor([-1.0, 1.0]), reduction="sum")
    loss.backward()
    assert loss.item() == 2000
    assert x.grad.tolist() == [1, -1]


def test_one_class_as_a_vector_has_a_gradient():
    """PyTorch takes a target (1,) for an input (C,), and then fails in backward."""
    x = autograd.tensor(data(3), requires_grad=True)
    for reduction in ("mean", "none"):
        (g,) = autograd.grad(F.cross_entropy(x, autograd.tensor([1]), reduction=reduction), x)
        (expected,) = autograd.grad(F.cross_entropy(x, autograd.tensor(1)), x)
        np.testing.assert_array_equal(g.numpy(), expected.numpy())


def test_margins_of_an_empty_batch():
    """PyTorch gives what stood in memory."""
    nothing, labels = autograd.zeros(0, 3), autograd.zeros(0, 3).long()
    for loss in (
        lambda **kw: F.multi_margin_loss(nothing, labels[:, 0], **kw),
        lambda **kw: F.multilabel_margin_loss(nothing, labels, **kw),
    ):
        assert np.isnan(loss().item())
        assert loss(reduction="sum").item() == 0
        assert loss(reduction="none").shape == (0,)


def test_negative_label_smoothing_is_refused():
    """PyTorch leaves it out in silence."""
    with pytest.raises(RuntimeError, match=r"label_smoothing must be .* got -0\.5"):
        F.cross_entropy(autograd.zeros(1, 2), autograd.tensor([0]), label_smoothing=-0.5)


@pytest.mark.parametrize("name", ["mse_loss", "binary_cross_entropy_with_logits", "kl_div"])
def test_what_is_no_tensor_is_named(name: str):
    """PyTorch: "'float' object has no attribute 'size'"."""
    with pytest.raises(TypeError, match=f"{name}: target is float; expected a Tensor"):
        getattr(F, name)(autograd.zeros(2), 1.0)
    with pytest.raises(TypeError, match=f"{name}: input is list, target is int; expected"):
        getattr(F, name)([1.0], 2)


def test_a_variance_may_be_an_integer():
    """PyTorch wants 2.0."""
    x, y = autograd.tensor(data(3)), autograd.tensor(data(3, seed=1))
    assert F.gaussian_nll_loss(x, y, 2).item() == F.gaussian_nll_loss(x, y, 2.0).item()
