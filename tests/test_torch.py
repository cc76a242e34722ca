"""Forward and gradient of every op and function against PyTorch, where PyTorch is installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import autograd
from autograd.op import FUNCTIONS, TABLE
from tests.table import RESTRICTED, Arrays, Case, cases, differentiable, leaves, special
from tests.test_programs import SEEDS, gradients, play

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed; where it is, every op is compared with it"
)
F = torch.nn.functional

OURS = {
    **dict.fromkeys(
        (name for name in TABLE if name.endswith("_grad")),
        "a fused backward, compared through the op it belongs to",
    ),
    **dict.fromkeys(
        ("tie_shares", "median_place", "extreme_places", "topk_places", "nonzero_places"),
        "a step of a function that is compared",
    ),
    **dict.fromkeys(("spread", "embed", "erase", "put_view", "unindex"), "a step of backward"),
    **dict.fromkeys(("recurrence", "shift"), "a step of the backward of cumprod"),
    "cross_entropy_rows": "a step of cross_entropy_index",
    **dict.fromkeys(("dropout_mask", "uniform_noise", "normal_noise"), "random"),
    **dict.fromkeys(
        ("batch_stats", "layer_norm_stats", "rms_norm_stats", "group_norm_stats"),
        "what a normalization shares with its backward",
    ),
    "embedding_grad_grad": "a step of the backward of embedding",
    "selu_right": "selu with the other slope at 0",
}
"""Primitives without a counterpart, and why."""


def _index_put(x, update, *indices, dims=None, accumulate=False):
    if accumulate:
        return x.index_put(indices, update, accumulate=True)
    result = x.clone()
    result[_at(x, indices, dims or range(len(indices)))] = update
    return result


def _at(x, indices, dims):
    at = dict(zip(dims, indices, strict=True))
    return tuple(at.get(d, slice(None)) for d in range(x.ndim))


def _index(x, *indices, dims, last=False):
    if last:
        pytest.skip("what a repeated index overwrites has gradient 0; PyTorch leaves it undefined")
    return x[_at(x, indices, dims)]


def _gather(x, index, dim):
    if index.ndim < x.ndim:  # one index per line: the dimension goes
        return torch.gather(x, dim, index.unsqueeze(dim)).squeeze(dim)
    return torch.gather(x, dim, index)


def _ungather(x, index, dim, shape):
    if index.ndim < len(shape):
        x, index = x.unsqueeze(dim), index.unsqueeze(dim)
    return torch.zeros(shape, dtype=x.dtype).scatter_add(dim, index, x)


def _reversible(function):
    def run(x, *, dim, dtype=None, reverse=False):
        return function(x.flip(dim), dim).flip(dim) if reverse else function(x, dim)

    return run


THEIRS: dict[str, Callable[..., Any]] = {
    "amax": lambda x, dim=(), keepdim=False: torch.amax(x, dim, keepdim),
    "amin": lambda x, dim=(), keepdim=False: torch.amin(x, dim, keepdim),
    "binary_cross_entropy": lambda x, y, w, **meta: F.binary_cross_entropy(x, y, w, **meta),
    "multi_margin_loss": lambda x, y, w, **meta: F.multi_margin_loss(x, y, weight=w, **meta),
    "binary_cross_entropy_with_logits": lambda x, y, w, pos_weight, **meta: (
        F.binary_cross_entropy_with_logits(x, y, w, pos_weight=pos_weight, **meta)
    ),
    "batch_norm": lambda x, w, b, _, **meta: F.batch_norm(
        x, None, None, w, b, training=True, **meta
    ),
    "batch_norm_fixed": lambda x, mean, var, w, b, **meta: F.batch_norm(x, mean, var, w, b, **meta),
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
    "cast": lambda x, dtype: x.to(dtype),
    "channel_sum": lambda x: x.sum((0, *range(2, x.ndim))),
    "count_nonzero": lambda x, dim=None, keepdim=False: (x != 0).sum(
        tuple(range(x.ndim)) if dim is None else dim, keepdim
    ),
    "cat": lambda *xs, dim: torch.cat(xs, dim),
    "contract": lambda *xs, equation: torch.einsum(equation, *xs),
    "copy_to": lambda x, src: x.clone().copy_(src),
    "dense": lambda x, w, b=None: F.linear(x, w.T, b),
    "linear_relu": lambda x, w, b=None: F.linear(x, w, b).relu(),
    "linear_sigmoid": lambda x, w, b=None: F.linear(x, w, b).sigmoid(),
    "linear_tanh": lambda x, w, b=None: F.linear(x, w, b).tanh(),
    "cross_entropy_index": lambda x, y, w, **meta: F.cross_entropy(x, y, w, **meta),
    "cross_entropy_probability": lambda x, y, w, **meta: F.cross_entropy(x, y, w, **meta),
    "cumsum": _reversible(torch.cumsum),
    "embedding": lambda w, index, padding_idx=None, **meta: F.embedding(
        index, w, padding_idx, **meta
    ),
    "gather": _gather,
    "group_norm": lambda x, w, b, _, num_groups, **meta: F.group_norm(x, num_groups, w, b, **meta),
    "hardsigmoid": lambda x: F.relu6(x + 3) / 6,  # theirs has a slope of float32
    "index": _index,
    "index_put": _index_put,
    "kl_div": F.kl_div,
    "layer_norm": lambda x, w, b, _, normalized_shape, **meta: F.layer_norm(
        x, normalized_shape, w, b, **meta
    ),
    "logsumexp": lambda x, dim=None, keepdim=False: torch.logsumexp(
        x, tuple(range(x.ndim)) if dim is None else dim, keepdim
    ),
    "masked_fill": lambda x, mask, value: torch.where(mask, value, x),
    "matmul_nt": lambda x, y: x @ y.mT,
    "matmul_tn": lambda x, y: x.mT @ y,
    "norm": lambda x, p=2, dim=None, keepdim=False: torch.linalg.vector_norm(x, p, dim, keepdim),
    "pad": lambda x, widths, value=0.0: F.pad(x, sum(reversed(widths), ()), value=value),
    "prelu": lambda x, weight: torch.where(x > 0, x, weight * x),
    "reshape": lambda x, shape, strict=False: torch.reshape(x, shape),
    "rms_norm": lambda x, w, _, normalized_shape, eps=1e-5: F.rms_norm(x, normalized_shape, w, eps),
    "roll": lambda x, shifts, dims=None: torch.roll(x, shifts, dims) if x.ndim else x.clone(),
    "slice": lambda x, index: x[index],
    "stack": lambda *xs, dim: torch.stack(xs, dim),
    "sum_to": lambda x, shape: x.sum_to_size(shape),
    "trunc_divide": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "ungather": _ungather,
}
"""PyTorch's counterpart where its name or signature differs from the primitive's."""

NO_DERIVATIVE = {
    "heaviside": "ours is zero, PyTorch has none",
    **dict.fromkeys(("floor_divide", "trunc_divide"), "ours is zero, PyTorch has none"),
    "index_put": "where an index repeats, what is overwritten has none here; PyTorch: undefined",
}
ELSEWHERE = {
    **RESTRICTED,
    "kl_div": "targets must be probabilities",
    "pow": "(-0.0) ** -0.5 is inf by IEEE and here, -inf in PyTorch",
}
"""Ops not compared at special values, and why."""


def has_counterpart(case: Case) -> bool:
    return case.op.name not in OURS


def counterpart(name: str) -> Callable[..., Any]:
    for place in (torch, F, torch.special):
        if name in THEIRS or hasattr(place, name):
            return THEIRS.get(name) or getattr(place, name)
    raise AssertionError(f"{name} is not in PyTorch: add it to THEIRS, or to OURS with a reason")


def theirs(x: Any) -> Any:
    """An array, or what stands in metadata, as PyTorch takes it."""
    if isinstance(x, np.ndarray):
        return torch.from_numpy(x.copy())
    return getattr(torch, x.name) if isinstance(x, np.dtype) else x


def run_ours(f: Callable[..., Any], inputs: Arrays, wanted: Sequence[int]) -> Arrays:
    """Results of `f` and gradients of their sum, weighted so that no two elements are alike."""
    tensors = leaves(inputs)
    outs = as_tuple(f(*tensors))
    loss = sum((o * weights(o.shape)).sum() for o in outs if o.requires_grad)
    grads = (
        autograd.grad(loss, [tensors[i] for i in wanted], materialize_grads=True) if wanted else ()
    )
    return [t.detach().numpy() for t in (*outs, *grads)]


def run_theirs(f: Callable[..., Any], inputs: Arrays, wanted: Sequence[int]) -> Arrays:
    tensors = [theirs(x) for x in inputs]
    for i in wanted:
        tensors[i].requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outs = as_tuple(f(*tensors))
    loss = sum((o * torch.from_numpy(weights(o.shape))).sum() for o in outs if o.requires_grad)
    grads = (
        torch.autograd.grad(loss, [tensors[i] for i in wanted], materialize_grads=True)
        if wanted
        else ()
    )
    return [t.detach().numpy() for t in (*outs, *grads)]


def as_tuple(outs: Any) -> tuple[Any, ...]:
    return tuple(outs) if isinstance(outs, tuple | list) else (outs,)


def weights(shape: Sequence[int]) -> np.ndarray:
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(tuple(shape))


def compare(case: Case, inputs: Arrays) -> None:
    name = case.op.name
    meta = {key: theirs(value) for key, value in case.sample.meta.items()}
    wanted = differentiable(case.op, inputs) if case.differentiable else []
    if name in NO_DERIVATIVE:
        wanted = []
    found = run_ours(lambda *xs: case.run(xs), inputs, wanted)
    expected = run_theirs(lambda *xs: counterpart(name)(*xs, **meta), inputs, wanted)
    assert_like(found, expected)


def assert_like(found: Arrays, expected: Arrays) -> None:
    for ours, their in zip(found, expected, strict=True):
        assert (ours.shape, ours.dtype) == (their.shape, their.dtype)
        np.testing.assert_allclose(ours, their, rtol=1e-9, atol=1e-9)


@cases(has_counterpart)
def test_op(case: Case):
    compare(case, case.inputs())


@cases(lambda case: has_counterpart(case) and case.op.name not in ELSEWHERE)
def test_op_at_special_values(case: Case):
    """Kinks and poles: the same conventions."""
    compare(case, special(case, finite=True))


# Functions composed of primitives: the same call on both sides, `m` being autograd or PyTorch

CALLS: dict[str, tuple[Any, ...]] = {
    "T": (lambda m, x: x.T, (3, 4)),
    "add": (lambda m, x, y: m.add(x, y, alpha=2.0), (3, 4), (4,)),
    "addcdiv": (lambda m, x, y, z: m.addcdiv(x, y, z, value=0.5), (3, 4), (4,), (3, 1)),
    "addcmul": (lambda m, x, y, z: m.addcmul(x, y, z, value=0.5), (3, 4), (4,), (3, 1)),
    "addmm": (lambda m, b, x, y: m.addmm(b, x, y, beta=0.5, alpha=2.0), (5,), (3, 4), (4, 5)),
    "allclose": (lambda m, x: m.tensor([m.allclose(x, x + 1e-9), m.allclose(x, x + 1)]), (3,)),
    "aminmax": (lambda m, x: m.aminmax(x, dim=1), (3, 4)),
    "argwhere": (lambda m, x: m.argwhere(x > 0), (3, 4)),
    "bilinear": (lambda m, *xs: m.bilinear(*xs), (2, 3), (2, 4), (5, 3, 4), (5,)),
    "bincount": (lambda m: m.bincount(m.tensor([0, 2, 2]), minlength=4),),
    "bincount(weights)": (lambda m, w: m.bincount(m.tensor([0, 2, 2]), w.detach()), (3,)),
    "bmm": (lambda m, x, y: m.bmm(x, y), (2, 3, 4), (2, 4, 5)),
    "broadcast_tensors": (lambda m, x, y: m.broadcast_tensors(x, y), (3, 1), (4,)),
    "bucketize": (lambda m, x: m.bucketize(x, m.tensor([-1.0, 0.0, 1.0])), (3, 4)),
    "cat": (lambda m, x, y: m.cat([x, y], dim=-1), (3, 4), (3, 2)),
    "chunk": (lambda m, x: m.chunk(x, 3, 1), (2, 7)),
    "clamp": (lambda m, x, low: m.clamp(x, low, low + 1), (3, 4), (4,)),
    "concat": (lambda m, x, y: m.concat([x, y]), (3, 4), (2, 4)),
    "concatenate": (lambda m, x, y: m.concatenate([x, y]), (3, 4), (2, 4)),
    "contiguous": (lambda m, x: x.t().contiguous(), (3, 4)),
    "cummax": (lambda m, x: m.cummax(x, 1), (3, 4)),
    "cummin": (lambda m, x: m.cummin(x, 0), (3, 4)),
    "diag": (lambda m, x: m.diag(x, 1), (3,)),
    "diag(matrix)": (lambda m, x: m.diag(x, -1), (3, 4)),
    "diag_embed": (lambda m, x: m.diag_embed(x, offset=1), (2, 3)),
    "diff": (lambda m, x: m.diff(x, n=2, dim=0), (4, 3)),
    "div": (lambda m, x, y: m.div(x, y), (3, 4), (4,)),
    "div(floor)": (lambda m, x, y: m.div(x, y, rounding_mode="floor").detach(), (3, 4), (4,)),
    "div(trunc)": (lambda m, x, y: m.div(x, y, rounding_mode="trunc").detach(), (3, 4), (4,)),
    "dot": (lambda m, x, y: m.dot(x, y), (4,), (4,)),
    "einsum": (lambda m, x, y: m.einsum("ij,jk->ki", x, y), (3, 4), (4, 5)),
    "einsum(implicit)": (lambda m, x, y: m.einsum("ba,cb", x, y), (3, 4), (5, 3)),
    "einsum(diagonal)": (lambda m, x: m.einsum("bii->ib", x), (2, 3, 3)),
    "einsum(batch)": (lambda m, x, y: m.einsum("...ij,jk->...ik", x, y), (2, 3, 4), (4, 5)),
    "einsum(three)": (lambda m, *xs: m.einsum("i,ij,j->", *xs), (3,), (3, 4), (4,)),
    "expand": (lambda m, x: x.expand(2, -1, 4), (3, 1)),
    "expand_as": (lambda m, x, y: x.expand_as(y), (3, 1), (2, 3, 4)),
    "flatten": (lambda m, x: m.flatten(x, 1), (2, 3, 4)),
    "flip": (lambda m, x: m.flip(x, (0, -1)), (3, 4)),
    "gather": (lambda m, x: m.gather(x, 1, m.tensor([[0, 0], [3, 1]])), (3, 4)),
    "getitem": (lambda m, x: x[1:, None, [0, 2, 2]], (3, 4)),
    "hstack": (lambda m, x, y: m.hstack([x, y]), (3, 4), (3, 2)),
    "index_add": (lambda m, x, y: m.index_add(x, 0, m.tensor([2, 0, 2]), y), (3, 4), (3, 4)),
    "index_copy": (lambda m, x, y: m.index_copy(x, 0, m.tensor([2, 0]), y), (3, 4), (2, 4)),
    "index_fill": (lambda m, x: m.index_fill(x, 1, m.tensor([2, 0]), 7.0), (3, 4)),
    "index_put": (lambda m, x, y: m.index_put(x, (m.tensor([2, 0]),), y), (3, 4), (2, 4)),
    "index_select": (lambda m, x: m.index_select(x, 1, m.tensor([2, 2, 0])), (3, 4)),
    "inner": (lambda m, x, y: m.inner(x, y), (2, 4), (3, 4)),
    "isclose": (lambda m, x: m.isclose(x, m.where(x > 0, x, x + 1)), (3, 4)),
    "kthvalue": (lambda m, x: m.kthvalue(x, 2, 1), (3, 4)),
    "lerp": (lambda m, x, y, w: m.lerp(x, y, w), (3, 4), (4,), (3, 1)),
    "lerp(number)": (lambda m, x, y: m.lerp(x, y, 0.3), (3, 4), (4,)),
    "mT": (lambda m, x: x.mT, (2, 3, 4)),
    "masked_scatter": (lambda m, x, y: m.masked_scatter(x, x > 0, y), (3, 4), (12,)),
    "masked_select": (lambda m, x: m.masked_select(x, x > 0), (3, 4)),
    "max": (lambda m, x: m.max(x, 1, keepdim=True), (3, 4)),
    "max(two)": (lambda m, x, y: m.max(x, y), (3, 4), (4,)),
    "median": (lambda m, x: m.median(x, 1), (3, 4)),
    "meshgrid": (lambda m, x, y: m.meshgrid(x, y, indexing="xy"), (3,), (4,)),
    "min": (lambda m, x: m.min(x, 0), (3, 4)),
    "mm": (lambda m, x, y: m.mm(x, y), (3, 4), (4, 5)),
    "movedim": (lambda m, x: m.movedim(x, (0, 1), (-1, 0)), (2, 3, 4)),
    "msort": (lambda m, x: m.msort(x), (3, 4)),
    "mv": (lambda m, x, y: m.mv(x, y), (3, 4), (4,)),
    "nanmean": (lambda m, x: m.nanmean(m.where(x > 0, x, float("nan")), 1), (3, 4)),
    "nansum": (lambda m, x: m.nansum(m.where(x > 0, x, float("nan")), 1), (3, 4)),
    "narrow": (lambda m, x: m.narrow(x, 1, 1, 2), (3, 4)),
    "nonzero": (lambda m, x: m.nonzero(x > 0), (3, 4)),
    "one_hot": (lambda m: m.one_hot(m.tensor([[0, 2]]), 4),),
    "outer": (lambda m, x, y: m.outer(x, y), (3,), (4,)),
    "pad": (lambda m, x: m.pad(x, (1, 2, -1, 1), value=3.0), (3, 4)),
    "permute": (lambda m, x: m.permute(x, (2, 0, 1)), (2, 3, 4)),
    "pow": (lambda m, x: x**2 + x**3 + 2.0**x, (3, 4)),
    "prelu": (lambda m, x, w: m.prelu(x, w), (2, 3, 2), (3,)),
    "ravel": (lambda m, x: m.ravel(x), (3, 4)),
    "repeat": (lambda m, x: x.repeat(2, 1, 3), (3, 4)),
    "repeat_interleave": (lambda m, x: m.repeat_interleave(x, 2, 1), (3, 4)),
    "reshape": (lambda m, x: m.reshape(x, (2, -1)), (3, 4)),
    "reshape_as": (lambda m, x, y: x.reshape_as(y), (3, 4), (2, 6)),
    "scatter": (
        lambda m, x, y: m.scatter(x, 1, m.tensor([[0, 2], [3, 1]]), y),
        (3, 4),
        (2, 2),
    ),
    "scatter_add": (
        lambda m, x, y: m.scatter_add(x, 0, m.tensor([[0, 2], [0, 1]]), y),
        (3, 4),
        (2, 2),
    ),
    "select": (lambda m, x: m.select(x, 1, 2), (3, 4)),
    "sort": (lambda m, x: m.sort(x, 1, descending=True), (3, 4)),
    "split": (lambda m, x: m.split(x, 3, 1), (2, 7)),
    "split(sizes)": (lambda m, x: m.split(x, [1, 4, 2], 1), (2, 7)),
    "squeeze": (lambda m, x: m.squeeze(x, 1), (3, 1, 1)),
    "stack": (lambda m, x, y: m.stack([x, y], 1), (3, 4), (3, 4)),
    "std": (lambda m, x: m.std(x, 1), (3, 4)),
    "std_mean": (lambda m, x: m.std_mean(x, 1), (3, 4)),
    "sub": (lambda m, x, y: m.sub(x, y, alpha=2.0), (3, 4), (4,)),
    "t": (lambda m, x: m.t(x), (3, 4)),
    "take": (lambda m, x: m.take(x, m.tensor([[0, 11], [5, 5]])), (3, 4)),
    "take_along_dim": (lambda m, x: m.take_along_dim(x, m.argsort(x, 1), 1), (3, 4)),
    "tensor_split": (lambda m, x: m.tensor_split(x, 3, 1), (2, 7)),
    "tensordot": (lambda m, x, y: m.tensordot(x, y, dims=([1, 0], [0, 1])), (3, 4), (4, 3, 5)),
    "tile": (lambda m, x: m.tile(x, (2, 1, 2)), (3, 4)),
    "topk": (lambda m, x: m.topk(x, 2, 1), (3, 4)),
    "trace": (lambda m, x: m.trace(x), (3, 4)),
    "unbind": (lambda m, x: m.unbind(x, 1), (3, 4)),
    "unflatten": (lambda m, x: m.unflatten(x, 1, (2, -1)), (3, 4)),
    "unique": (lambda m, x: m.unique(x.round().detach()), (3, 4)),
    "unsqueeze": (lambda m, x: m.unsqueeze(x, -1), (3, 4)),
    "var": (lambda m, x: m.var(x, 1, correction=0), (3, 4)),
    "var_mean": (lambda m, x: m.var_mean(x, 1), (3, 4)),
    "view": (lambda m, x: x.view(2, 6), (3, 4)),
    "view_as": (lambda m, x, y: x.view_as(y), (3, 4), (2, 6)),
    "vstack": (lambda m, x, y: m.vstack([x, y]), (3, 4), (4,)),
}
OURS_TOO = {
    "setitem": "a statement; see test_tensor.py",
    "step": "PyTorch has it only as heaviside",
}


class Torch:
    """PyTorch's functions in one place, as ours are."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name) if hasattr(torch, name) else getattr(F, name)


@pytest.mark.parametrize("call", CALLS)
def test_function(call: str, rng: np.random.Generator):
    f, *shapes = CALLS[call]
    inputs = [rng.uniform(-2, 2, shape) for shape in shapes]
    wanted = range(len(inputs)) if any_grad(f, inputs) else ()
    found = run_ours(lambda *xs: f(autograd, *xs), inputs, wanted)
    expected = run_theirs(lambda *xs: f(Torch(), *xs), inputs, wanted)
    assert_like(found, expected)


def any_grad(f: Callable[..., Any], inputs: Arrays) -> bool:
    return any(o.requires_grad for o in as_tuple(f(autograd, *leaves(inputs))))


def test_every_name_is_compared_or_has_a_reason():
    compared = {call.split("(")[0] for call in CALLS}
    assert set(FUNCTIONS) == compared | OURS_TOO.keys()
    assert {*OURS, *THEIRS, *NO_DERIVATIVE, *ELSEWHERE} <= TABLE.keys()


# Random programs of views and in-place changes


@pytest.mark.parametrize("seed", SEEDS)
def test_program(seed: int):
    """The same values and gradients.  Where PyTorch finds a changed tensor, we may not need it."""
    found, expected = (play(m, seed)[2] for m in (autograd, torch))
    assert_like([t.detach().numpy() for t in found], [t.detach().numpy() for t in expected])
    expected = gradients(torch, seed)
    if expected is not None:
        assert_like(gradients(autograd, seed), expected)
