"""`nn.utils`: parameters as one vector, and clipping under PyTorch's names."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim.clip
from nn import utils
from tests.faces import PYTORCH, cases, check, data, fill, ours, pytorch


def net(fw: Any) -> Any:
    return fill(fw.nn.Sequential(fw.nn.Linear(3, 2), fw.nn.Tanh(), fw.nn.Linear(2, 1)))


def vector_gradient(fw: Any) -> dict[str, Any]:
    """The gradient of a function of the vector is that of the parameters."""
    model = net(fw)
    vector = fw.nn.utils.parameters_to_vector(model.parameters())
    (vector * fw.torch.tensor(data(*vector.shape))).sum().backward()
    return {"vector": vector, **{name: p.grad for name, p in model.named_parameters()}}


def there_and_back(fw: Any) -> dict[str, Any]:
    model = net(fw)
    vector = fw.nn.utils.parameters_to_vector(model.parameters()).detach()
    fw.nn.utils.vector_to_parameters(2 * vector + 1, model.parameters())
    return dict(model.named_parameters()) | {
        "out": model(fw.torch.tensor(data(4, 3))),
        "leaves": [p.is_leaf and p.requires_grad for p in model.parameters()],
    }


def from_a_graph(fw: Any) -> dict[str, Any]:
    """Nothing leads from the parameters back to the vector."""
    model = net(fw)
    vector = fw.torch.tensor(data(11), requires_grad=True)
    fw.nn.utils.vector_to_parameters(vector * 2, model.parameters())
    model(fw.torch.tensor(data(4, 3))).sum().backward()
    return {"vector": vector.grad, "weight": model[0].weight, "grad": model[0].weight.grad}


def one_parameter(fw: Any) -> dict[str, Any]:
    p = fw.nn.Parameter(fw.torch.tensor(data(2)))
    fw.nn.utils.vector_to_parameters(fw.torch.tensor(data(1, 2)), [p])
    return {"p": p, "scalar": fw.nn.utils.parameters_to_vector([p.sum(), p])}


def old_name(fw: Any) -> dict[str, Any]:
    model = net(fw)
    model(fw.torch.tensor(data(4, 3))).sum().backward()
    with pytest.warns(FutureWarning, match=r"nn\.utils\.clip_grad_norm_"):
        norm = fw.nn.utils.clip_grad_norm(model.parameters(), 0.5)
    return {"norm": norm, **{name: p.grad for name, p in model.named_parameters()}}


CASES = {
    f.__name__: f for f in (vector_gradient, there_and_back, from_a_graph, one_parameter, old_name)
}


@cases(CASES)
def test_like_pytorch(name, case):
    check("utils", name, case)


ERRORS = {
    "none": (ValueError, lambda fw: fw.nn.utils.parameters_to_vector([]), "non-empty"),
    "kind": (
        TypeError,
        lambda fw: fw.nn.utils.vector_to_parameters([1.0], net(fw).parameters()),
        "expected .*Tensor, but got: .*list",
    ),
    "short": (
        RuntimeError,
        lambda fw: fw.nn.utils.vector_to_parameters(fw.torch.zeros(10), net(fw).parameters()),
        "has 10 elements, but the parameters have 11",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str):
    kind, call, words = ERRORS[name]
    with pytest.raises(kind, match=words):
        call(ours())
    if PYTORCH:
        with pytest.raises(kind):
            call(pytorch())


def test_a_vector_that_is_too_short_changes_nothing():
    model = net(ours())
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError):
        utils.vector_to_parameters(autograd.zeros(10), model.parameters())
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())


def test_a_vector_that_is_too_long_warns():
    p = nn.Parameter(autograd.zeros(2))
    with pytest.warns(UserWarning, match="the last 3 elements of the vector belong to no") as found:
        utils.vector_to_parameters(autograd.arange(5.0), [p])
    assert found[0].filename == __file__
    assert p.tolist() == [0.0, 1.0]


def test_parameters_keep_their_memory_and_dtype():
    model = nn.Linear(2, 1)
    arrays = [p.array for p in model.parameters()]
    vector = autograd.tensor([1.0, 2.0, 3.0], dtype=autograd.float64)
    utils.vector_to_parameters(vector, model.parameters())
    vector += 1
    assert [a.tolist() for a in arrays] == [[[1.0, 2.0]], [3.0]]
    assert all(p.array is a and a.dtype == np.float32 for p, a in zip(model.parameters(), arrays))


def test_writing_counts_as_a_change():
    model = net(ours())
    loss = model(autograd.tensor(data(4, 3))).sum()
    vector = utils.parameters_to_vector(model.parameters()).detach()
    utils.vector_to_parameters(vector, model.parameters())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize(
    "name", ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]
)
def test_clipping_is_that_of_optim(name: str):
    assert getattr(utils, name) is getattr(optim.clip, name)
    assert name in utils.__all__


def test_unknown_names():
    with pytest.raises(AttributeError, match=r"'nn\.utils' has no attribute 'nothing'"):
        utils.nothing  # noqa: B018
