"""Layers: against PyTorch, in float32, copied, strided, empty, and where they refuse."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import autograd
import nn
import nn.functional as F
from tests.faces import PYTORCH, Case, cases, check, data, fill, ours, pytorch
from tests.layer_errors import ERRORS
from tests.layers import ALL, NORMS, Layer

every_layer = pytest.mark.parametrize("layer", ALL.values(), ids=list(ALL))


@cases({name: layer.run for name, layer in ALL.items()})
def test_layer(name: str, case: Case):
    """Outputs, gradients, gradients of gradients, running statistics, keys and repr."""
    # PyTorch has the slope of Hardsigmoid in float32
    check("layers", name, case, rtol=1e-7 if name == "Hardsigmoid" else 1e-9)


def test_every_layer_is_a_case():
    """What `nn` exports as a layer stands in the table."""
    classes = {type(fill(layer.make(ours()))) for layer in ALL.values()}
    exported = {c for c in vars(nn).values() if isinstance(c, type) and issubclass(c, nn.Module)}
    apart = {nn.Module, nn.Perceptron, nn.ModuleList, nn.ModuleDict}
    apart |= {nn.ParameterList, nn.ParameterDict}
    losses = {c for c in exported if c.__name__.endswith("Loss")}
    assert exported - classes == apart | losses


@every_layer
def test_float32(layer: Layer):
    """float32 in, float32 out, near the result in float64."""
    module = fill(layer.make(ours())).train(layer.modes[0])
    double = module(*layer.tensors(ours())).detach().numpy()
    single = module.float()(*layer.tensors(ours(), dtype="float32"))
    assert single.dtype == autograd.float32
    np.testing.assert_allclose(single.detach().numpy(), double, 2e-5, 2e-5)


@every_layer
def test_copies_and_layouts(layer: Layer):
    """A deep copy, a pickled one, strided input, and no recording all give the same bits."""
    module = fill(layer.make(ours())).train(layer.modes[0])
    twins = [copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
    strided, quiet = copy.deepcopy(module), copy.deepcopy(module)
    tensors = layer.tensors(ours())
    expected = module(*tensors).detach().numpy()
    apart = [autograd.stack([t.detach(), t.detach()], -1)[..., 0] for t in tensors]
    results = [twin(*tensors) for twin in twins] + [strided(*apart)]
    with autograd.no_grad():
        results.append(quiet(*tensors))
    assert results[-1] is tensors[0] or not results[-1].requires_grad
    for found in results:
        np.testing.assert_array_equal(found.detach().numpy(), expected)
    for twin in twins:
        for a, b in zip(twin.buffers(), module.buffers(), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@every_layer
def test_empty_batch(layer: Layer):
    if layer in (ALL["Linear(vector)"], ALL["GLU(0)"]):
        pytest.skip("its first dimension is no batch")
    module = fill(layer.make(ours())).train(layer.modes[0])
    before = [b.numpy().copy() for b in module.buffers()]
    inputs = [t[:0].detach().requires_grad_(t.requires_grad) for t in layer.tensors(ours())]
    out = module(*inputs)
    assert out.numel() == 0
    wanted = [t for t in inputs if t.requires_grad] + list(module.parameters())
    for g in autograd.grad(out.sum(), wanted):
        assert not g.numpy().any()
    for a, b in zip(before[:2], module.buffers()):
        np.testing.assert_array_equal(a, b.numpy())


# Normalisation


@pytest.mark.parametrize("layer", NORMS.values(), ids=list(NORMS))
def test_statistics_given_or_not(layer: Layer):
    """Backward with saved statistics, in one call, is that which finds them, op by op."""
    module = fill(layer.make(ours()))
    (x,) = layer.tensors(ours())
    out = module(x)
    weights = autograd.tensor(data(*out.shape))
    wanted = [x, *module.parameters()]
    fast = autograd.grad(out, wanted, weights, retain_graph=True)
    slow = autograd.grad(out, wanted, weights, create_graph=True)
    for a, b in zip(fast, slow):
        np.testing.assert_array_equal(a.numpy(), b.detach().numpy())
    op, meta = out.grad_fn.op, out.grad_fn.meta
    again = op(
        x,
        *(module.weight, getattr(module, "bias", None))[: op.arity - 2],
        None,
        **meta,
    )
    np.testing.assert_array_equal(again.detach().numpy(), out.detach().numpy())
    for a, b in zip(autograd.grad(again, wanted, weights), fast):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12, 1e-14)


def test_batch_norm_rows_of_the_reference():
    """One step on [1, 2, 3, 4]: biased variance to normalise, unbiased for the running one."""
    layer = nn.BatchNorm1d(1)
    out = layer(autograd.tensor([[1.0], [2.0], [3.0], [4.0]]))
    expected = (np.array([1, 2, 3, 4]) - 2.5) / math.sqrt(1.25 + 1e-5)
    np.testing.assert_allclose(out.detach().numpy()[:, 0], expected, rtol=1e-6)
    assert layer.running_mean.item() == pytest.approx(0.25)
    assert layer.running_var.item() == pytest.approx(1.06667, rel=1e-5)
    assert layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert (layer.running_mean.item(), layer.running_var.item()) == (0, 1)
    assert layer.num_batches_tracked.item() == 0
    with autograd.no_grad():
        layer.weight.fill_(3.0)
    layer.reset_parameters()
    assert layer.weight.item() == 1


def test_batch_norm_of_large_means():
    """Moments of float32 are as good as those of float64, whatever the mean."""
    x = (data(1000, 700) * 0.01 + 1000).astype(np.float32)
    layer = nn.BatchNorm1d(700, eps=0.0)
    layer(autograd.from_numpy(x))
    wide = x.astype(np.float64)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * wide.mean(0), 1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * wide.var(0, ddof=1), 1e-6)


def test_running_statistics_are_an_in_place_change():
    """A graph that needs the old ones says so."""
    layer = nn.BatchNorm1d(2).eval()
    x = autograd.ones(3, 2, requires_grad=True)
    out = layer(x * 2).sum()
    mean = layer.running_mean
    layer.train()(autograd.rand(3, 2))
    assert layer.running_mean is mean
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_momentum_of_zero_and_frozen_layer():
    layer = nn.BatchNorm1d(2, momentum=0.0)
    layer(autograd.rand(4, 2))
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.num_batches_tracked.item() == 1
    layer.requires_grad_(False)
    x = autograd.rand(4, 2, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None
    layer(autograd.rand(4, 2))  # nothing wants a gradient


# Errors


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    """The message is ours, the type also PyTorch's."""
    kind, message, call = ERRORS[name]
    with pytest.raises(kind, match=message):
        call(nn, autograd.tensor)
    if PYTORCH:
        with pytest.raises(kind):
            call(pytorch().nn, pytorch().torch.tensor)


def test_what_is_ours_to_refuse():
    with pytest.raises(NotImplementedError, match="sparse gradients"):
        nn.Embedding(3, 2, sparse=True)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(math.nan)
    with pytest.raises(TypeError, match="dim is 'a'; expected an int"):
        nn.Unflatten("a", (2,))  # type: ignore[arg-type]


def test_old_names_warn():
    with pytest.warns(FutureWarning, match="`min_value` is deprecated and renamed to `min_val`"):
        assert nn.Hardtanh(min_value=-2.0).min_val == -2
    for layer, name in ((nn.Softmax(), "softmax"), (nn.LogSoftmax(), "log_softmax")):
        with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}") as record:
            layer(autograd.ones(2, 3))
        assert record[0].filename == __file__
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        empty = nn.Linear(0, 3)
    assert empty(autograd.ones(2, 0)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_initial_values():
    """Bounds and means of what layers start from."""
    layer = nn.Linear(64, 300)
    bound = 1 / 8
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    assert 0.99 * bound < abs(weight).max() <= bound
    assert 0.9 * bound < abs(bias).max() <= bound
    form = nn.Bilinear(16, 9, 50)
    assert 0.99 / 4 < abs(form.weight.detach().numpy()).max() <= 1 / 4
    table = nn.Embedding(200, 50, padding_idx=3).weight.detach().numpy()
    assert abs(table.std() - 1) < 0.03
    assert not table[3].any()
    assert nn.PReLU().weight.item() == 0.25
    frozen = nn.Embedding.from_pretrained(autograd.tensor(data(3, 2)))
    assert not frozen.weight.requires_grad
    assert nn.Embedding.from_pretrained(
        autograd.tensor(data(3, 2)), freeze=False
    ).weight.requires_grad


def test_embedding_limits_rows_in_place():
    layer = nn.Embedding(4, 2, max_norm=1.0)
    with autograd.no_grad():
        layer.weight.fill_(3.0)
    version = layer.weight.version[0]
    layer(autograd.tensor([1, 1, 2]))
    norms = np.linalg.norm(layer.weight.detach().numpy(), axis=1)
    np.testing.assert_allclose(norms, [18**0.5, 1, 1, 18**0.5], rtol=1e-6)
    assert layer.weight.version[0] > version
    for p in (1.0, math.inf):
        table = autograd.tensor(np.array([[3.0, -4.0]]))
        F.embedding(autograd.tensor([0]), table, max_norm=2.0, norm_type=p)
        assert np.linalg.norm(table.numpy()[0], p) == pytest.approx(2)
