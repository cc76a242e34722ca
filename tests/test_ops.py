"""Every primitive, by its own record: nothing here lists ops by hand except the skips."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import autograd
from autograd.errors import ModifiedError
from autograd.op import METHODS, NUMPY, TABLE, Op, ops as public
from autograd.tensor import Tensor
from tests.table import (
    LAYOUTS,
    RESTRICTED,
    SPECIAL,
    Arrays,
    Case,
    cases,
    differentiable,
    is_float,
    leaves,
    moved,
    ops,
    slope,
    special,
)

TOLERANCE = {"float64": {"rtol": 1e-12, "atol": 1e-12}, "float32": {"rtol": 2e-5, "atol": 2e-6}}


def differentiable_case(case: Case) -> bool:
    return case.differentiable


# Forward


@pytest.mark.parametrize("dtype", TOLERANCE)
@cases()
def test_forward(case: Case, dtype: str):
    inputs = case.inputs(dtype)
    expected = case.reference([x.astype(np.float64) if is_float(x) else x for x in inputs])
    out = case.run(leaves(inputs))
    assert out.shape == expected.shape
    if expected.dtype.kind == "f":
        default = dtype if any(map(is_float, inputs)) else "float32"
        assert out.dtype == (case.meta.get("dtype") or default)
    np.testing.assert_allclose(out.detach().numpy(), expected, **TOLERANCE[dtype])
    if not is_float(expected):
        assert out.dtype.kind == expected.dtype.kind


@pytest.mark.parametrize("dtype", TOLERANCE)
@cases(lambda case: case.op.name not in RESTRICTED)
def test_forward_of_special_values(case: Case, dtype: str):
    """Zeros, infinities and NaN go in without a warning, and come out as from the reference."""
    inputs = special(case, dtype)
    expected = case.reference([x.astype(np.float64) if is_float(x) else x for x in inputs])
    out = case.run(leaves(inputs)).detach().numpy()
    np.testing.assert_allclose(out, expected, **TOLERANCE[dtype])


@cases()
def test_bare_arrays_give_the_same(case: Case):
    """Backward passes run ops on arrays: the result is an array (or a number), bit for bit."""
    inputs = case.inputs()
    bare = case.run(inputs)
    assert not isinstance(bare, Tensor)
    np.testing.assert_array_equal(bare, case.run(leaves(inputs)).detach().numpy())


# Gradients


@cases(lambda case: case.differentiable and case.sample.order > 0)
def test_gradient(case: Case):
    """<gradient, direction> against the central difference along the direction."""
    inputs, rng = case.inputs(), case.generator()
    wanted = differentiable(case.op, inputs)
    tensors = leaves(inputs)
    out = case.run(tensors)
    cotangent = rng.uniform(-1, 1, out.shape)
    directions = {i: rng.uniform(-1, 1, inputs[i].shape) for i in wanted}

    grads = autograd.grad(out, [tensors[i] for i in wanted], Tensor.wrap(cotangent))
    for i, g in zip(wanted, grads, strict=True):
        assert (g.shape, g.dtype) == (inputs[i].shape, inputs[i].dtype)

    def along(t: float) -> float:
        return float(np.sum(cotangent * case.run(moved(inputs, directions, t))))

    exact = sum(np.sum(g.numpy() * directions[i]) for i, g in zip(wanted, grads, strict=True))
    numeric = slope(along) if any(d.size for d in directions.values()) else 0.0
    np.testing.assert_allclose(exact, numeric, rtol=1e-7, atol=1e-8)


@cases(lambda case: case.differentiable and case.sample.order > 1)
def test_gradient_of_gradient(case: Case):
    """The same one order up, where the gradient with respect to `out` is an input too."""
    inputs, rng = case.inputs(), case.generator()
    cotangent = rng.uniform(-1, 1, case.reference(inputs).shape)
    wanted = differentiable(case.op, inputs)
    inner = {i: rng.uniform(-1, 1, inputs[i].shape) for i in wanted}
    inputs.append(cotangent)
    outer = {i: rng.uniform(-1, 1, inputs[i].shape) for i in (*wanted, len(inputs) - 1)}

    def first_order(point: Arrays, create_graph: bool) -> tuple[Tensor, Arrays]:
        *tensors, g = leaves(point)
        grads = autograd.grad(
            case.run(tensors), [tensors[i] for i in wanted], g, create_graph=create_graph
        )
        return sum((g * inner[i]).sum() for i, g in zip(wanted, grads, strict=True)), [*tensors, g]

    value, tensors = first_order(inputs, create_graph=True)
    sources = [tensors[i] for i in outer]
    grads = autograd.grad(value, sources, materialize_grads=True)
    exact = sum(np.sum(g.numpy() * d) for g, d in zip(grads, outer.values(), strict=True))
    numeric = slope(lambda t: first_order(moved(inputs, outer, t), create_graph=False)[0].item())
    np.testing.assert_allclose(exact, numeric, rtol=1e-6, atol=1e-7)


@cases(differentiable_case)
def test_inputs_without_vjp_get_no_gradient(case: Case):
    inputs = case.inputs()
    tensors = leaves(inputs)
    sources = [i for i, x in enumerate(inputs) if is_float(x)]
    out = case.run(tensors)
    grads = autograd.grad(
        out, [tensors[i] for i in sources], autograd.ones_like(out), allow_unused=True
    )
    reached = [i for i, g in zip(sources, grads, strict=True) if g is not None]
    assert reached == differentiable(case.op, inputs)


@cases(lambda case: not case.differentiable)
def test_without_gradient_nothing_is_recorded(case: Case):
    assert not case.run(leaves(case.inputs())).requires_grad


@cases(differentiable_case)
def test_both_kinds_of_backward_agree(case: Case):
    """A first-order pass works on bare values, create_graph on Tensors: the same bits."""
    assert_same(
        gradients(case, case.inputs(), create_graph=False),
        gradients(case, case.inputs(), create_graph=True),
    )


# Memory


@cases()
def test_layouts(case: Case):
    """However the inputs lie in memory: the same result, the same gradient, inputs unchanged.

    The same to the last bits: NumPy's loops over strided memory differ from those over contiguous.
    """
    for name, layout in LAYOUTS.items():
        laid = [layout(x) if isinstance(x, np.ndarray) else x for x in case.inputs()]
        copies = [x.copy() if isinstance(x, np.ndarray) else x for x in laid]
        run = gradients if case.differentiable else value
        for found, expected in zip(run(case, laid), run(case, copies), strict=True):
            if expected is not None:
                np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14, err_msg=name)
        assert_same(laid, copies)


@cases(differentiable_case)
def test_what_is_not_saved_is_not_read(case: Case):
    """NaN written behind the engine's back into what the plan does not keep changes no gradient."""
    inputs = case.inputs()
    expected = gradients(case, inputs)
    tensors = leaves(inputs)
    out = case.run(tensors)
    plan = out.grad_fn.plan
    kept = [inputs[i] for i in plan.keep] + ([out.detach().numpy()] if plan.keeps_out else [])
    for array in (*inputs, out.detach().numpy()):
        unread = isinstance(array, np.ndarray) and not any(np.shares_memory(array, k) for k in kept)
        if unread and array.flags.writeable:
            array[...] = np.nan if is_float(array) else array.dtype.type(1)
    assert_same(pull(case, tensors, out), expected[1:])


@cases(differentiable_case)
def test_what_is_saved_may_not_change(case: Case):
    inputs = leaves(case.inputs())
    plan = case.run(inputs).grad_fn.plan
    for i in plan.keep:
        tensors = leaves(case.inputs())
        out = case.run(tensors)
        if isinstance(tensors[i], Tensor):
            refuses_after_change(case, tensors, out, tensors[i])
    if plan.keeps_out:
        out = case.run(inputs)
        refuses_after_change(case, inputs, out, out)


def refuses_after_change(case: Case, tensors: Arrays, out: Tensor, saved: Tensor) -> None:
    with autograd.no_grad():
        saved.zero_()
    with pytest.raises(ModifiedError, match="modified by an inplace operation"):
        pull(case, tensors, out)


def value(case: Case, inputs: Arrays) -> Arrays:
    """The result of the op, as the only one of a list."""
    return [case.run(leaves(inputs)).detach().numpy()]


def gradients(case: Case, inputs: Arrays, create_graph: bool = False) -> Arrays:
    """The result of the op and its gradients for a fixed cotangent, as arrays."""
    tensors = leaves(inputs)
    out = case.run(tensors)
    return [out.detach().numpy(), *pull(case, tensors, out, create_graph)]


def pull(case: Case, tensors: Arrays, out: Tensor, create_graph: bool = False) -> Arrays:
    sources = [t for t in tensors if isinstance(t, Tensor) and t.requires_grad]
    g = Tensor.wrap(case.generator().uniform(-1, 1, out.shape).astype(out.dtype))
    grads = autograd.grad(out, sources, g, create_graph=create_graph, allow_unused=True)
    return [None if g is None else g.detach().numpy() for g in grads]


def assert_same(found: Arrays, expected: Arrays) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


# Scalars


@ops(lambda op: op.scalar)
def test_scalar_form_is_the_kernel(op: Op):
    """On Python floats as on arrays, special values included."""
    metas = [s.meta for s in op.samples if set(map(np.shape, s.inputs)) == {(0,)}] or [{}]
    for meta, values in itertools.product(metas, itertools.product(SPECIAL, repeat=op.arity)):
        scalar = op(*map(autograd.scalar, values), **meta)
        (array,) = op(*[np.array([v]) for v in values], **meta)
        assert type(scalar.value) is (float if array.dtype.kind == "f" else np.ndarray)
        np.testing.assert_allclose(
            scalar.item(), array, rtol=1e-14, atol=0, err_msg=f"{op.name}{values}"
        )


# The record

NO_ZERO_D = {
    **dict.fromkeys(
        ("matmul", "matmul_nt", "matmul_tn"), "a product needs a dimension to sum over"
    ),
    **dict.fromkeys(("diagonal", "tril", "triu"), "a matrix has two dimensions"),
    **dict.fromkeys(("glu", "glu_grad"), "there are no halves of a number"),
    **dict.fromkeys(
        ("batch_stats", "channel_sum", "layer_norm_stats", "rms_norm_stats", "group_norm_stats"),
        "moments are over dimensions",
    ),
    "cat": "PyTorch refuses to concatenate numbers",
}
NO_KINK = {"softsign": "smooth once at 0; only its second derivative jumps"}
"""Ops whose samples lack something, and why."""


@ops()
def test_record(op: Op):
    """Formulas, samples and conventions are there; metadata of the samples exists."""
    assert op.math
    for formula, vjp in zip(op.dmath, op.vjp, strict=True):
        assert (formula is None) == (vjp is None)
    shapes = [x if isinstance(x, tuple) else np.shape(x) for s in op.samples for x in s.inputs]
    assert () in shapes or op.name in NO_ZERO_D
    assert any(0 in shape for shape in shapes)
    for sample in op.samples:
        assert set(op.required) <= sample.meta.keys() <= {*op.required, *op.defaults}
        backward = op.name.endswith("_grad")  # its kinks are those of the op it belongs to
        assert op.kink or not sample.avoid or backward or op.name in NO_KINK


def test_reasons_are_needed():
    """No reason stands in this file for an op that is not in the table."""
    assert {*NO_ZERO_D, *NO_KINK, *RESTRICTED} <= TABLE.keys()


def test_methods_and_numpy_functions_are_bound():
    for name, function in METHODS.items():
        assert hasattr(Tensor, name), f"Tensor has no method {name} for {function}"
    for function in NUMPY.values():
        assert callable(function)


def test_every_public_op_has_a_docstring_or_formula():
    for name, function in vars(public).items():
        assert name in TABLE or inspect.getdoc(function), name
