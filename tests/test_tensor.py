"""Tensors: creation, dtypes and promotion, values in and out, NumPy, DLPack, copies, printing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Tensor, tensor

# Creation


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.0, "float32", ()),
        ([1.0, 2.0], "float32", (2,)),
        ([1, 2.5], "float32", (2,)),
        ([[1, 2]], "int64", (1, 2)),
        (True, "bool", ()),
        ([], "float32", (0,)),
        (np.float64(1), "float64", ()),
        (np.ones(2), "float64", (2,)),
        (np.ones(2, np.float32), "float32", (2,)),
        (np.ones(2, np.int32), "int32", (2,)),
        (np.ones(2, ">f4"), "float32", (2,)),
        (range(3), "int64", (3,)),
        ([tensor(1.0), tensor(2.0)], "float32", (2,)),
    ],
)
def test_tensor(data: Any, dtype: str, shape: tuple[int, ...]):
    t = tensor(data)
    assert (t.dtype, t.shape) == (dtype, shape)


@pytest.mark.parametrize(
    ("make", "values", "dtype"),
    [
        (lambda: autograd.zeros(2), [0, 0], "float32"),
        (lambda: autograd.ones((1, 2)), [[1, 1]], "float32"),
        (lambda: autograd.full((2,), 7), [7, 7], "int64"),
        (lambda: autograd.full((2,), 0.5), [0.5, 0.5], "float32"),
        (lambda: autograd.eye(2), [[1, 0], [0, 1]], "float32"),
        (lambda: autograd.eye(1, 2), [[1, 0]], "float32"),
        (lambda: autograd.arange(3), [0, 1, 2], "int64"),
        (lambda: autograd.arange(1, 0, -0.5), [1, 0.5], "float32"),
        (lambda: autograd.linspace(0, 1, 3), [0, 0.5, 1], "float32"),
        (lambda: autograd.ones_like(tensor([1, 2])), [1, 1], "int64"),
        (lambda: autograd.zeros_like(tensor([1]), dtype=autograd.float64), [0], "float64"),
        (lambda: autograd.full_like(tensor([1.0]), 3), [3], "float32"),
    ],
)
def test_creation(make: Callable[[], Tensor], values: list, dtype: str):
    t = make()
    assert (t.tolist(), t.dtype) == (values, dtype)


def test_empty_has_shape_and_dtype():
    t = autograd.empty(2, 3, dtype=autograd.float64)
    assert (t.shape, t.dtype) == ((2, 3), autograd.float64)
    assert autograd.empty_like(t).shape == (2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: tensor([1 + 2j]),
        lambda: tensor(["a"]),
        lambda: tensor([[1.0], [1.0, 2.0]]),
        lambda: autograd.arange(0, 1, 0),
        lambda: autograd.arange(0, 1, -1),
        lambda: autograd.zeros(2, device="cuda"),
        lambda: autograd.zeros(-1),
        lambda: autograd.from_numpy([1.0]),
        lambda: autograd.randint(3, 3, (2,)),
        lambda: autograd.zeros(2, dtype="complex64"),
    ],
)
def test_creation_refuses(wrong: Callable[[], Any]):
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        wrong()


# Random numbers


@pytest.mark.parametrize(
    "draw",
    [
        lambda **g: autograd.rand(3, 4, **g),
        lambda **g: autograd.randn(3, 4, **g),
        lambda **g: autograd.randint(0, 10, (5,), **g),
        lambda **g: autograd.randperm(10, **g),
        lambda **g: autograd.normal(1.0, 2.0, (4,), **g),
        lambda **g: autograd.bernoulli(autograd.full((6,), 0.5), **g),
    ],
)
def test_random_streams(draw: Callable[..., Tensor]):
    """Seeds repeat, generators are independent of the default one, and a state can be restored."""
    autograd.manual_seed(1)
    state = autograd.get_rng_state()
    first, second = draw(), draw()
    assert first.tolist() != second.tolist()
    autograd.set_rng_state(state)
    assert draw().tolist() == first.tolist()
    own = autograd.Generator().manual_seed(1)
    assert draw(generator=own).tolist() == first.tolist()
    assert draw().tolist() == second.tolist()


def test_random_ranges():
    assert 0 <= autograd.rand(1000).min().item() < autograd.rand(1000).max().item() < 1
    assert set(autograd.randint(2, 5, (100,)).tolist()) == {2, 3, 4}
    assert sorted(autograd.randperm(5).tolist()) == [0, 1, 2, 3, 4]
    assert abs(autograd.randn(10_000).mean().item()) < 0.05


# Promotion: a number never widens float32

F32, F64, I64 = (lambda t=t: tensor([1, 2], dtype=t) for t in ("float32", "float64", "int64"))
ZERO_D = {t: (lambda t=t: tensor(1, dtype=t)) for t in ("float32", "float64", "int64")}


@pytest.mark.parametrize(
    ("result", "dtype"),
    [
        (lambda: F32() + 1.5, "float32"),
        (lambda: F32() + np.float64(1.5), "float32"),
        (lambda: np.float64(1.5) + F32(), "float32"),
        (lambda: F32() + ZERO_D["float64"](), "float32"),
        (lambda: F32() + F64(), "float64"),
        (lambda: F32() * np.ones(2), "float64"),
        (lambda: I64() + 1.5, "float32"),
        (lambda: I64() + ZERO_D["float32"](), "float32"),
        (lambda: I64() + F32(), "float32"),
        (lambda: I64() + True, "int64"),
        (lambda: tensor([True]) + 1, "int64"),
        (lambda: tensor([1], dtype="int32") + tensor([1], dtype="int8"), "int32"),
        (lambda: tensor([1], dtype="uint8") + tensor([1], dtype="int8"), "int16"),
        (lambda: ZERO_D["float32"]() + ZERO_D["float64"](), "float64"),
        (lambda: I64() / I64(), "float32"),
        (lambda: I64().exp(), "float32"),
        (lambda: I64() > 1.5, "bool"),
        (lambda: F32() ** 2, "float32"),
        (lambda: autograd.where(tensor([True, False]), 1.0, F32()), "float32"),
        (lambda: autograd.cat([F32(), F64()]), "float64"),
    ],
)
def test_promotion(result: Callable[[], Tensor], dtype: str):
    assert result().dtype == dtype


def test_matmul_does_not_promote():
    with pytest.raises(RuntimeError, match=r"float32.*float64"):
        F32() @ F64()


def test_number_keeps_its_precision_in_float64():
    assert (tensor([1.0], dtype="float64") * 0.1).item() == 0.1


def test_casts():
    x = tensor([1.5, -1.5], requires_grad=True)
    assert x.long().tolist() == [1, -1]
    assert x.to(autograd.float64).dtype == autograd.float64
    assert x.to("cpu") is x
    assert x.float() is x
    x.double().sum().backward()
    assert x.grad.dtype == autograd.float32


# Values out


def test_item_and_numbers():
    assert tensor([[2.5]]).item() == 2.5
    assert float(tensor(2.5)) == 2.5
    assert int(tensor([3.7])) == 3
    assert [10, 20, 30][tensor(1)] == 20
    assert f"{tensor(2.5):.2f}" == "2.50"
    with pytest.raises(RuntimeError, match=r"shape \(2,\)"):
        tensor([1.0, 2.0]).item()
    with pytest.raises(TypeError):
        [1, 2][tensor(1.0)]


def test_truth_and_length():
    assert tensor([1.0])
    assert not tensor(0)
    assert len(autograd.zeros(3, 2)) == 3
    assert 2.0 in tensor([1.0, 2.0])
    assert [row.tolist() for row in tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(TypeError, match="0-d"):
        len(tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(tensor(1.0))


def test_attributes():
    t = autograd.zeros(2, 3, dtype=autograd.float64)
    assert (t.ndim, t.dim(), t.numel(), t.size(), t.size(-1)) == (2, 2, 6, (2, 3), 3)
    assert (t.nbytes, t.element_size(), t.stride(), t.device) == (48, 8, (3, 1), "cpu")
    assert t.is_contiguous()
    assert not t.t().is_contiguous()
    assert t.t().contiguous().is_contiguous()


# NumPy


def test_from_numpy_shares_and_tensor_copies():
    a = np.ones(2, np.float32)
    shared, copied = autograd.from_numpy(a), tensor(a)
    a[0] = 5
    assert shared.tolist() == [5, 1]
    assert copied.tolist() == [1, 1]
    assert np.shares_memory(shared.numpy(), a)
    assert np.shares_memory(np.asarray(shared), a)
    assert autograd.as_tensor(shared) is shared


def test_asarray_with_dtype():
    t = tensor([1.0, 2.0])
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(t), t.numpy())


@pytest.mark.parametrize(
    "f",
    [
        np.exp,
        np.sin,
        lambda t: np.ones(2) * t,
        lambda t: np.ones(2, np.float32) + t,
        lambda t: np.float64(2) * t,
        lambda t: np.add(t, 1),
        lambda t: np.concatenate([t, np.ones(2), t]),
        lambda t: np.stack([t, t]),
        lambda t: np.sum(t, axis=0),
        lambda t: np.mean(t),
        lambda t: np.max(t),
        lambda t: np.where(np.array([True, False]), t, 0.0),
        lambda t: np.clip(t, 0.0, 1.5),
        lambda t: np.reshape(t, (2, 1)),
        lambda t: np.transpose(np.outer(t, t)),
        lambda t: np.dot(t, t),
        lambda t: np.ones((3, 2)) @ t,
        lambda t: np.einsum("i,j->ij", t, t),
        lambda t: np.linalg.norm(t),
        lambda t: np.add.reduce(t),
        lambda t: np.cumsum(t),
        lambda t: np.sort(t),
        lambda t: np.var(t, ddof=1),
    ],
)
def test_numpy_functions_trace(f: Callable[[Any], Any]):
    """They give a Tensor with a history, and NumPy's values."""
    t = tensor([1.0, 2.0], dtype=autograd.float64, requires_grad=True)
    out = f(t)
    assert isinstance(out, Tensor)
    np.testing.assert_allclose(out.detach().numpy(), f(np.array([1.0, 2.0])), rtol=1e-15)
    out.sum().backward()
    assert t.grad.shape == (2,)


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (np.fft.fft, "fft"),
        (np.histogram, "histogram"),
        (np.gcd, "gcd"),
        (np.add.accumulate, "add.accumulate"),
        (lambda t: np.exp(t, where=np.array([True, False])), "exp with where"),
    ],
)
def test_unsupported_numpy_function_names_itself(f: Callable[[Any], Any], name: str):
    with pytest.raises(TypeError, match=name):
        f(tensor([1.0, 2.0], requires_grad=True))


def test_writing_into_an_array_that_meets_a_tensor():
    a = np.ones(2)
    with pytest.raises((TypeError, RuntimeError)):
        a[:] = tensor([1.0, 2.0], requires_grad=True)
    a += np.asarray(tensor([1.0, 2.0]))
    assert a.tolist() == [2, 3]


def test_dlpack():
    t = tensor([1.0, 2.0])
    a = np.from_dlpack(t)
    assert np.shares_memory(a, t.numpy())
    b = np.ones(2)
    assert np.shares_memory(autograd.from_dlpack(b).numpy(), b)
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(tensor([1.0], requires_grad=True))


# Copies


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize(
    "copier", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"]
)
def test_copies_of_leaves(copier: Callable[[Tensor], Tensor], requires_grad: bool):
    t = tensor([1.0, 2.0], requires_grad=requires_grad)
    twin = copier(t)
    assert (twin.tolist(), twin.dtype, twin.requires_grad) == ([1, 2], t.dtype, requires_grad)
    with autograd.no_grad():
        twin.zero_()
    assert t.tolist() == [1, 2]


def test_copies_of_a_set_stay_shared():
    """A tensor that stands twice in what is copied stands twice in the copy."""
    t = tensor([1.0])
    for twin in (copy.deepcopy([t, t]), pickle.loads(pickle.dumps([t, t]))):
        assert twin[0] is twin[1]


def test_copy_of_view_holds_only_itself():
    t = autograd.zeros(1000)[:2]
    assert len(pickle.dumps(t)) < 1000


def test_clone_is_recorded_and_detach_clone_is_not():
    t = tensor([1.0], requires_grad=True)
    assert t.clone().grad_fn is not None
    assert t.detach().clone().is_leaf


# Views


def test_views_share_memory():
    base = autograd.arange(6).float()
    for view in (base.view(2, 3), base[1:4], base.reshape(3, 2).t(), base.unsqueeze(0), base[2]):
        assert np.shares_memory(view.numpy(), base.numpy())
    assert not np.shares_memory(base[[0, 1]].numpy(), base.numpy())


def test_view_of_what_cannot_be_viewed():
    with pytest.raises(RuntimeError, match="reshape"):
        autograd.zeros(2, 3).t().view(6)


# Indexing

GRID = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "index",
    [
        1,
        -1,
        slice(None, None, 2),
        (0, 1, 2),
        (..., 1),
        (None, 0),
        (slice(None), None, 1),
        [1, 0, 1],
        (slice(None), [0, 2]),
        ([0, 1], [1, 2]),
        ([0, 1], slice(None), [1, 2]),
        np.array([True, False]),
        GRID > 5,
        (0, GRID[0] > 3),
        (slice(0, 0),),
        ([[0, 1], [1, 0]],),
        (..., None),
        (),
        True,
    ],
    ids=str,
)
def test_index(index: Any):
    """Values as NumPy's; the gradient marks what was taken; assignment writes the same places."""
    t = tensor(GRID, requires_grad=True)
    out = t[index]
    np.testing.assert_array_equal(out.detach().numpy(), GRID[index])
    out.sum().backward()
    expected = np.zeros_like(GRID)
    np.add.at(expected, index, 1)
    np.testing.assert_array_equal(t.grad.numpy(), expected)

    written, mirror = t.detach().clone(), GRID.copy()
    written[index] = mirror[index] = -1
    np.testing.assert_array_equal(written.numpy(), mirror)


def test_index_by_tensors():
    t = tensor(GRID)
    assert t[tensor(1), tensor([0, 2])].tolist() == GRID[1, [0, 2]].tolist()
    assert t[t > 5].tolist() == GRID[GRID > 5].tolist()


@pytest.mark.parametrize("index", [2, (0, 0, 0, 0), [3], "a", 0.5, np.array([True])])
def test_index_refuses(index: Any):
    with pytest.raises((IndexError, TypeError, ValueError)):
        tensor(GRID)[index]


# Printing


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
        (lambda: tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: tensor([1, 2]), "tensor([1, 2])"),
        (lambda: tensor(True), "tensor(True)"),
        (lambda: tensor(1.0, requires_grad=True), "tensor(1., requires_grad=True)"),
        (lambda: tensor([1.0], dtype="float64"), "tensor([1.], dtype=float64)"),
        (lambda: tensor([1], dtype="int32"), "tensor([1], dtype=int32)"),
        (lambda: tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (lambda: autograd.zeros(0), "tensor([])"),
        (lambda: autograd.scalar(2.0), "scalar(2.0, requires_grad=True)"),
    ],
)
def test_repr(make: Callable[[], Tensor], text: str):
    assert repr(make()) == text


def test_repr_of_many_is_short():
    assert len(repr(autograd.zeros(1000, 1000))) < 1000
