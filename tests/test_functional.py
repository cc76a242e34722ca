"""`nn.functional` but for the losses: against PyTorch, in place, and where it refuses."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn.functional as F
from tests.faces import PYTORCH, Case, cases, check, data, ours, pytorch
from tests.layers import grad

Call = Callable[..., Any]


def case(call: Call, *shapes: Any) -> Case:
    """The result of `call(F, *tensors)` and its gradients; an array stands for itself."""

    def run(fw: Any) -> dict[str, Any]:
        tensors = []
        for i, x in enumerate(shapes):
            t = fw.torch.tensor(data(*x, seed=i) if isinstance(x, tuple) else x)
            tensors.append(t.requires_grad_() if t.is_floating_point() else t)
        out = call(fw.F, *tensors)
        result = {"out": out.detach(), "dtype": str(out.dtype).removeprefix("torch.")}
        wanted = [t for t in tensors if t.requires_grad]
        if out.requires_grad:
            loss = (out * fw.torch.tensor(data(*out.shape, seed=99))).sum()
            grads = grad(fw)(loss, wanted)
            result |= {f"gradient {i}": g for i, g in enumerate(grads)}
        return result

    return run


KINKS = np.array([[-3.0, -1.0, -0.5, 0.0], [0.5, 1.0, 3.0, 6.0]])
TABLE = data(5, 3)
PICK = np.array([[1, 4], [1, 0]])
ZERO = np.array([[0.0, 0.0, 0.0], [3.0, -4.0, 0.0]])
MEAN, VAR = data(3), data(3, low=0.3)

CALLS: dict[str, Case] = {
    **{
        name: case(lambda F, x, name=name: getattr(F, name)(x), KINKS)
        for name in (
            *("relu", "relu6", "selu", "silu", "mish", "hardswish", "leaky_relu", "elu", "celu"),
            *("hardtanh", "sigmoid", "tanh", "tanhshrink", "softsign", "logsigmoid", "softplus"),
            *("softshrink", "hardshrink", "gelu", "glu"),
        )
    },
    **{
        name: case(lambda F, x, name=name, o=options: getattr(F, name)(x * 1, *o), KINKS)
        for name, options in {
            "relu_": (),
            "selu_": (),
            "leaky_relu_": (0.3,),
            "elu_": (2.0,),
            "celu_": (2.0,),
            "hardtanh_": (-0.7, 0.7),
            "threshold_": (0.1, 5.0),
            "rrelu_": (0.2, 0.4),
        }.items()
    },
    **{
        f"{name}(inplace)": case(
            lambda F, x, name=name: getattr(F, name)(x * 1, inplace=True), KINKS
        )
        for name in ("relu6", "silu", "mish", "hardswish", "leaky_relu", "elu")
    },
    "leaky_relu(0.3)": case(lambda F, x: F.leaky_relu(x, negative_slope=0.3), (3, 4)),
    "elu(2)": case(lambda F, x: F.elu(x, 2.0), (3, 4)),
    "hardtanh(options)": case(lambda F, x: F.hardtanh(x, -0.5, 0.5), (3, 4)),
    "threshold": case(lambda F, x: F.threshold(x, 0.1, 20.0), (3, 4)),
    "softplus(options)": case(lambda F, x: F.softplus(x, 3.0, threshold=1.0), (3, 4)),
    "softshrink(options)": case(lambda F, x: F.softshrink(x, 1.0), (3, 4)),
    "hardshrink(options)": case(lambda F, x: F.hardshrink(x, 1.0), (3, 4)),
    "gelu(tanh)": case(lambda F, x: F.gelu(x, approximate="tanh"), (3, 4)),
    "glu(0)": case(lambda F, x: F.glu(x, 0), (4, 3)),
    "rrelu(eval)": case(lambda F, x: F.rrelu(x, 0.1, 0.3), (3, 4)),
    "prelu(channels)": case(lambda F, x, w: F.prelu(x, w), (2, 3, 2, 2), (3,)),
    "prelu(one)": case(lambda F, x, w: F.prelu(x, w), (2, 3), (1,)),
    "prelu(0-d)": case(lambda F, x, w: F.prelu(x, w), np.array(-2.0), (1,)),
    "softmax": case(lambda F, x: F.softmax(x, 1), (2, 3, 4)),
    "softmax(dtype)": case(
        lambda F, x: F.softmax(x, dim=-1, dtype=x.new_ones(1).double().dtype), PICK
    ),
    "log_softmax": case(lambda F, x: F.log_softmax(x, dim=0), (2, 3)),
    "softmin": case(lambda F, x: F.softmin(x, dim=1), (2, 3)),
    "linear": case(lambda F, x, w, b: F.linear(x, w, b), (2, 3, 4), (5, 4), (5,)),
    "linear(vector)": case(lambda F, x, w: F.linear(x, w), (3, 4), (4,)),
    "bilinear": case(lambda F, x, y, w, b: F.bilinear(x, y, w, b), (3, 2), (3, 4), (5, 2, 4), (5,)),
    "bilinear(vectors)": case(lambda F, x, y, w: F.bilinear(x, y, w), (2,), (4,), (5, 2, 4)),
    "embedding": case(lambda F, i, w: F.embedding(i, w), PICK, TABLE),
    "embedding(padding)": case(lambda F, i, w: F.embedding(i, w, padding_idx=-4), PICK, TABLE),
    "embedding(by count)": case(
        lambda F, i, w: F.embedding(i, w, scale_grad_by_freq=True), PICK, TABLE
    ),
    "one_hot": case(lambda F, i: F.one_hot(i), PICK),
    "one_hot(7)": case(lambda F, i: F.one_hot(i, 7), PICK),
    "normalize": case(lambda F, x: F.normalize(x), (3, 4)),
    "normalize(1, 0)": case(lambda F, x: F.normalize(x, p=1, dim=0, eps=0.1), (3, 4)),
    "normalize(zeros)": case(lambda F, x: F.normalize(x), ZERO),
    "normalize(long eps)": case(lambda F, x: F.normalize(x, eps=7.0), (3, 4)),
    "cosine_similarity": case(lambda F, x, y: F.cosine_similarity(x, y), (3, 4), (3, 4)),
    "cosine_similarity(wide)": case(
        lambda F, x, y: F.cosine_similarity(x, y, dim=-1), (3, 1, 4), (2, 4)
    ),
    "cosine_similarity(zeros)": case(lambda F, x, y: F.cosine_similarity(x, y), ZERO, (2, 3)),
    "cosine_similarity(eps)": case(
        lambda F, x, y: F.cosine_similarity(x, y, 1, 2.5), (3, 4), (3, 4)
    ),
    "pairwise_distance": case(lambda F, x, y: F.pairwise_distance(x, y), (3, 4), (3, 4)),
    "pairwise_distance(1)": case(
        lambda F, x, y: F.pairwise_distance(x, y, p=1.0, keepdim=True), (3, 4), (4,)
    ),
    "pairwise_distance(vectors)": case(lambda F, x, y: F.pairwise_distance(x, y), (4,), (4,)),
    "pairwise_distance(same)": case(lambda F, x: F.pairwise_distance(x, x), (3, 4)),
    "pad": case(lambda F, x: F.pad(x, (1, 2)), (2, 3)),
    "pad(value)": case(lambda F, x: F.pad(x, (1, 0, 2, 1), value=7.0), (2, 3)),
    "pad(crop)": case(lambda F, x: F.pad(x, [-1, 1, 0, -1], "constant", 1), (3, 4)),
    "pad(int)": case(lambda F, x: F.pad(x, (1, 1), value=7), PICK),
    **{
        f"pad({mode}, {len(widths) // 2}d)": case(
            lambda F, x, mode=mode, widths=widths: F.pad(x, widths, mode=mode), shape
        )
        for mode in ("reflect", "replicate", "circular")
        for widths, shape in (
            ((2, 3), (2, 2, 4)),
            ((-1, 2), (2, 2, 4)),
            ((1, 2, 2, 1), (1, 2, 3, 4)),
            ((1, 1, 1, 0, 0, 1), (1, 2, 2, 3, 2)),
        )
    },
    "batch_norm": case(
        lambda F, x, w, b: F.batch_norm(x, None, None, w, b, training=True), (4, 3), (3,), (3,)
    ),
    "batch_norm(running)": case(
        lambda F, x, w: F.batch_norm(x, x.new_tensor(MEAN), x.new_tensor(VAR), w, eps=0.1),
        *((4, 3), (3,)),
    ),
    "layer_norm": case(
        lambda F, x, w, b: F.layer_norm(x, [3, 4], w, b, 0.1), (2, 3, 4), (3, 4), (3, 4)
    ),
    "rms_norm": case(lambda F, x, w: F.rms_norm(x, (4,), w), (2, 3, 4), (4,)),
    "group_norm": case(lambda F, x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
    "group_norm(bare)": case(lambda F, x: F.group_norm(x, 1, eps=0.1), (2, 4)),
    "dropout(eval)": case(lambda F, x: F.dropout(x, 0.5, training=False), (3, 4)),
    "dropout(1)": case(lambda F, x: F.dropout(x, 1.0), (3, 4)),
    "alpha_dropout(eval)": case(lambda F, x: F.alpha_dropout(x, 0.5), (3, 4)),
    "alpha_dropout(1)": case(lambda F, x: F.alpha_dropout(x, 1.0, True), (3, 4)),
}


@cases(CALLS)
def test_function(name: str, case: Case):
    check("functional", name, case)


def running(fw: Any) -> dict[str, Any]:
    """F.batch_norm moves the statistics it is given, with its momentum."""
    mean, var = fw.torch.tensor(MEAN), fw.torch.tensor(VAR)
    for i in range(2):
        x = fw.torch.tensor(data(4, 3, 2, seed=i))
        fw.F.batch_norm(x, mean, var, training=True, momentum=0.3)
    return {"mean": mean, "var": var}


def limited(fw: Any) -> dict[str, Any]:
    """`max_norm` scales rows down, each once, before the look-up."""
    table = fw.torch.tensor(data(5, 3))
    out = fw.F.embedding(fw.torch.tensor(PICK), table, max_norm=1.0, norm_type=3.0)
    return {"out": out, "table": table}


@pytest.mark.parametrize("case", [running, limited], ids=lambda case: case.__name__)
def test_changes_in_place(case: Case):
    check("functional", case.__name__, case)


def test_signatures_are_those_of_pytorch():
    """Names, order and defaults of the parameters, where PyTorch's can be read."""
    if not PYTORCH:
        pytest.skip("PyTorch is not installed")
    losses = {n for n in vars(F) if n.endswith("_loss") or "cross_entropy" in n or n == "kl_div"}
    functions = {n for n, f in vars(F).items() if inspect.isfunction(f)} - losses
    functions -= {"activate"}
    assert len(functions) == 49
    for name in functions:
        theirs = getattr(pytorch().F, name)
        try:
            expected = inspect.signature(theirs).parameters.values()
        except (TypeError, ValueError):
            continue
        found = inspect.signature(getattr(F, name)).parameters.values()
        assert [(p.name, p.default) for p in found] == [(p.name, p.default) for p in expected], name


@pytest.mark.parametrize("name", ["relu", "relu6", "selu", "silu", "mish", "hardswish", "elu"])
def test_in_place(name: str):
    x = autograd.tensor(KINKS)
    expected = getattr(F, name)(x).numpy()
    assert getattr(F, name)(x, inplace=True) is x
    np.testing.assert_array_equal(x.numpy(), expected)
    leaf = autograd.tensor(KINKS, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Tensor that requires grad"):
        getattr(F, name)(leaf, inplace=True)


def test_functions_can_be_copied_and_pickled():
    """So that a module may keep one as an attribute."""
    for name, f in vars(F).items():
        if inspect.isfunction(f):
            assert f.__name__ == name
            assert f.__doc__
            assert copy.deepcopy(f) is f
            assert pickle.loads(pickle.dumps(f)) is f


def t(*shape: int) -> Any:
    return lambda m: m.tensor(data(*shape))


INTS = lambda m: m.tensor([1, 3])  # noqa: E731
ERRORS: dict[str, tuple[Any, str, Any]] = {
    "linear": (
        RuntimeError,
        r"x is \(3, 4\) but weight is \(5, 3\)",
        lambda F, m: F.linear(t(3, 4)(m), t(5, 3)(m)),
    ),
    "bilinear: sizes": (
        RuntimeError,
        r"x2 is \(3, 4\)",
        lambda F, m: F.bilinear(t(3, 4)(m), t(3, 4)(m), t(2, 4, 3)(m)),
    ),
    "bilinear: bias": (
        RuntimeError,
        r"bias is \(3,\).*expected bias \(2,\)",
        lambda F, m: F.bilinear(t(3, 4)(m), t(3, 4)(m), t(2, 4, 4)(m), t(3)(m)),
    ),
    "dropout": (ValueError, "between 0 and 1, but got 1.5", lambda F, m: F.dropout(t(3)(m), 1.5)),
    "alpha_dropout": (
        ValueError,
        "between 0 and 1, but got -1",
        lambda F, m: F.alpha_dropout(t(3)(m), -1),
    ),
    "rrelu": (RuntimeError, "Lower bound", lambda F, m: F.rrelu(t(3)(m), 0.5, 0.1)),
    "hardtanh": (
        ValueError,
        "cannot be greater than max_val",
        lambda F, m: F.hardtanh(t(3)(m), 2, 1),
    ),
    "prelu": (
        RuntimeError,
        r"x is \(3, 4\) but weight is \(3,\)",
        lambda F, m: F.prelu(t(3, 4)(m), t(3)(m)),
    ),
    "glu": (RuntimeError, "glu", lambda F, m: F.glu(t(3)(m))),
    "gelu": (RuntimeError, "approximate", lambda F, m: F.gelu(t(3)(m), approximate="x")),
    "softmax: int": (
        NotImplementedError,
        "not implemented for int64",
        lambda F, m: F.softmax(INTS(m), 0),
    ),
    "softmax: dim": (IndexError, "out of range", lambda F, m: F.softmax(t(3)(m), 1)),
    "one_hot: class": (
        RuntimeError,
        "class 3 is out of range; expected 0 to 1",
        lambda F, m: F.one_hot(INTS(m), 2),
    ),
    "one_hot: negative": (RuntimeError, "class -1|negative", lambda F, m: F.one_hot(-INTS(m), 2)),
    "one_hot: float": (
        RuntimeError,
        "only applicable to index tensor of type int64, not float64",
        lambda F, m: F.one_hot(t(3)(m)),
    ),
    "one_hot: empty": (RuntimeError, "give num_classes", lambda F, m: F.one_hot(INTS(m)[:0])),
    "embedding: range": (
        IndexError,
        "index 3 is out of range",
        lambda F, m: F.embedding(INTS(m), t(2, 3)(m)),
    ),
    "embedding: 1-d": (
        RuntimeError,
        "'weight' must be 2-D",
        lambda F, m: F.embedding(INTS(m), t(5)(m)),
    ),
    "embedding: padding": (
        AssertionError,
        "Padding_idx must be within num_embeddings",
        lambda F, m: F.embedding(INTS(m), t(5, 2)(m), padding_idx=5),
    ),
    "cosine_similarity: shapes": (
        RuntimeError,
        "broadcast",
        lambda F, m: F.cosine_similarity(t(2, 3)(m), t(2, 4)(m)),
    ),
    "cosine_similarity: int": (
        RuntimeError,
        "expected common dtype to be floating point",
        lambda F, m: F.cosine_similarity(INTS(m), INTS(m), 0),
    ),
    "pairwise_distance": (
        RuntimeError,
        "broadcast",
        lambda F, m: F.pairwise_distance(t(2, 3)(m), t(2, 4)(m)),
    ),
    "pad: mode": (
        NotImplementedError,
        "Unrecognised padding mode 'zeros'",
        lambda F, m: F.pad(t(2, 3)(m), (1, 1), mode="zeros"),
    ),
    "pad: odd": (RuntimeError, "must be pairs", lambda F, m: F.pad(t(2, 3)(m), (1,))),
    "pad: many": (RuntimeError, "must be pairs", lambda F, m: F.pad(t(3)(m), (1, 1, 1, 1))),
    "pad: value": (
        RuntimeError,
        "doesn't take in value argument",
        lambda F, m: F.pad(t(2, 3)(m), (1, 1), "reflect", 2.0),
    ),
    "pad: reflect": (
        RuntimeError,
        "reflect padding",
        lambda F, m: F.pad(t(2, 3)(m), (3, 0), "reflect"),
    ),
    "pad: circular": (
        RuntimeError,
        "circular padding",
        lambda F, m: F.pad(t(2, 3)(m), (4, 0), "circular"),
    ),
    "batch_norm: eval": (
        RuntimeError,
        "running_mean must be defined in evaluation mode",
        lambda F, m: F.batch_norm(t(3, 2)(m), None, None),
    ),
    "batch_norm: eval var": (
        RuntimeError,
        "running_var must be defined in evaluation mode",
        lambda F, m: F.batch_norm(t(3, 2)(m), t(2)(m), None),
    ),
    "batch_norm: one of two": (
        ValueError,
        "must either both be None or neither be None",
        lambda F, m: F.batch_norm(t(3, 2)(m), t(2)(m), None, training=True),
    ),
    "batch_norm: 1-d": (
        (RuntimeError, IndexError),
        r"x is \(3,\); expected \(n, channels\)",
        lambda F, m: F.batch_norm(t(3)(m), None, None, training=True),
    ),
    "batch_norm: running": (
        RuntimeError,
        "running_mean should contain 2 elements",
        lambda F, m: F.batch_norm(t(3, 2)(m), t(3)(m), t(3)(m), training=True),
    ),
    "layer_norm: int": (
        TypeError,
        "must be tuple of ints, not int",
        lambda F, m: F.layer_norm(t(3, 2)(m), 2),
    ),
    "layer_norm: empty": (
        RuntimeError,
        "at least 1-dimensional",
        lambda F, m: F.layer_norm(t(3, 2)(m), ()),
    ),
    "layer_norm: weight": (
        RuntimeError,
        r"Expected weight to be of shape \(2,\)",
        lambda F, m: F.layer_norm(t(3, 2)(m), (2,), t(3)(m)),
    ),
    "layer_norm: bias": (
        RuntimeError,
        r"Expected bias to be of shape \(2,\)",
        lambda F, m: F.layer_norm(t(3, 2)(m), (2,), t(2)(m), t(3)(m)),
    ),
    "rms_norm: weight": (
        RuntimeError,
        r"Expected weight to be of shape \(2,\)",
        lambda F, m: F.rms_norm(t(3, 2)(m), (2,), t(3)(m)),
    ),
    "group_norm: groups": (
        RuntimeError,
        "divisible by num_groups",
        lambda F, m: F.group_norm(t(3, 4)(m), 3),
    ),
    "group_norm: 1-d": (
        RuntimeError,
        "at least 2 dimensions",
        lambda F, m: F.group_norm(t(4)(m), 2),
    ),
    "group_norm: one value": (
        ValueError,
        "Expected more than 1 value per channel",
        lambda F, m: F.group_norm(t(1, 2)(m), 2),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str):
    """The message is ours, the type also PyTorch's."""
    kind, message, call = ERRORS[name]
    with pytest.raises(kind, match=message):
        call(F, autograd)
    if PYTORCH:
        with pytest.raises(kind):
            call(pytorch().F, pytorch().torch)


def test_what_is_ours_to_refuse():
    x = autograd.ones(2, 2)
    with pytest.raises(NotImplementedError, match="sparse gradients"):
        F.embedding(autograd.tensor([0]), x, sparse=True)
    with pytest.raises(NotImplementedError, match="there is no out="):
        F.normalize(x, out=x)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="divisible by num_groups, but got"):
        F.group_norm(x, 0)


def test_constants_of_evaluation():
    """What needs no draw returns its input itself."""
    x = autograd.ones(3)
    assert F.dropout(x, 0.5, False) is x
    assert F.dropout(x, 0.0) is x
    assert F.alpha_dropout(x, 0.5) is x
    assert ours().F is F
