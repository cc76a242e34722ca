"""Tools around the graph: Function, checkpoint, functional, gradcheck, anomaly detection."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import autograd
from autograd import Tensor, tensor
from autograd.errors import AnomalyError, GraphError, ModifiedError


def double(*values: float) -> Tensor:
    """A float64 leaf that requires grad."""
    return tensor(values, dtype=autograd.float64, requires_grad=True)


# Function


class Cube(autograd.Function):
    """x ** 3, which saves its input."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x * x


class Exp(autograd.Function):
    """exp, which saves its output."""

    @staticmethod
    def forward(ctx, x):
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class MaxAndWhere(autograd.Function):
    """Two outputs, one without a gradient; metadata that is no tensor."""

    @staticmethod
    def forward(ctx, x, dim):
        values, indices = x.max(dim)
        ctx.mark_non_differentiable(indices)
        ctx.shape, ctx.dim = x.shape, dim
        ctx.save_for_backward(indices)
        return values, indices

    @staticmethod
    def backward(ctx, g, _):
        (indices,) = ctx.saved_tensors
        zeros = autograd.zeros(ctx.shape, dtype=g.dtype)
        return zeros.scatter_add(ctx.dim, indices.unsqueeze(ctx.dim), g.unsqueeze(ctx.dim)), None


@pytest.mark.parametrize("function", [Cube, Exp])
def test_function_to_second_order(function):
    x = double(0.5, -1.5)
    assert autograd.gradcheck(function.apply, x)
    assert autograd.gradgradcheck(function.apply, x)


def test_function_with_several_outputs():
    x = tensor([[1.0, 5.0], [4.0, 2.0]], requires_grad=True)
    values, indices = MaxAndWhere.apply(x, 1)
    assert not indices.requires_grad
    (values * tensor([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [[0, 1], [10, 0]]


def test_function_counts_versions():
    x = double(2.0)
    y = x * 1
    z = Cube.apply(y)
    y.mul_(2)
    with pytest.raises(ModifiedError):
        z.sum().backward()


def test_function_of_wrong_backward():
    class Wrong(Cube):
        @staticmethod
        def backward(ctx, g):
            return g.sum()

    with pytest.raises(ValueError, match=r"Wrong.backward.*shape \(\).*shape \(2,\)"):
        Wrong.apply(double(1.0, 2.0)).sum().backward()


def test_function_is_freed_by_reference_counts():
    x = double(2.0)
    y = Exp.apply(x)
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


# checkpoint


def test_checkpoint_gives_the_same_gradient():
    w = double(0.5, -0.5)

    def block(x: Tensor) -> Tensor:
        return (x * w).tanh().exp()

    x = double(1.0, 2.0)
    plain = autograd.grad(block(x).sum(), [x, w])
    again = autograd.grad(autograd.checkpoint(block, x, use_reentrant=False).sum(), [x, w])
    for a, b in zip(plain, again, strict=True):
        assert a.tolist() == b.tolist()


def test_checkpoint_keeps_nothing_and_draws_the_same_numbers():
    inside = []

    def block(x: Tensor) -> Tensor:
        noise = autograd.rand(2)
        hidden = x * noise
        inside.append(weakref.ref(hidden))
        return hidden * hidden

    x = double(1.0, 2.0)
    y = autograd.checkpoint(block, x)
    assert inside[0]() is None
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * y.detach().numpy() / x.detach().numpy())


def test_checkpoint_to_second_order():
    x = double(2.0)
    y = autograd.checkpoint(lambda x: x**3, x)
    (first,) = autograd.grad(y, x, create_graph=True)
    (second,) = autograd.grad(first, x)
    assert (first.item(), second.item()) == (12, 12)


# functional


def quadratic(x: Tensor) -> Tensor:
    """x^T A x with A = [[1, 2], [3, 4]]: gradient (A + A^T) x, Hessian A + A^T."""
    return x @ tensor([[1.0, 2.0], [3.0, 4.0]], dtype=autograd.float64) @ x


POINT = (1.0, -2.0)
GRADIENT, HESSIAN = [-8.0, -11.0], [[2.0, 5.0], [5.0, 8.0]]


def test_vjp():
    out, g = autograd.vjp(lambda x: x * x, double(*POINT), tensor([1.0, 10.0]))
    assert out.tolist() == [1, 4]
    assert g.tolist() == [2, -40]


def test_jvp():
    out, tangent = autograd.jvp(quadratic, double(*POINT), double(1.0, 1.0))
    assert out.item() == 7
    assert tangent.item() == sum(GRADIENT)


def test_jacobian():
    assert autograd.jacobian(lambda x: x * x, double(*POINT)).tolist() == [[2, 0], [0, -4]]
    by_x, by_y = autograd.jacobian(lambda x, y: (x * y).sum(), (double(*POINT), double(3.0, 5.0)))
    assert (by_x.tolist(), by_y.tolist()) == ([3, 5], list(POINT))


def test_jacobian_of_constant():
    assert autograd.jacobian(lambda x: autograd.ones(2), double(1.0)).tolist() == [[0], [0]]


def test_jacobian_is_differentiable():
    x = double(2.0)
    autograd.jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    assert x.grad.item() == 12


def test_hessian():
    assert autograd.hessian(quadratic, double(*POINT)).tolist() == HESSIAN


def test_hvp():
    out, product = autograd.hvp(quadratic, double(*POINT), double(1.0, 0.0))
    assert out.item() == 7
    assert product.tolist() == HESSIAN[0]


def test_hessian_of_several_elements():
    with pytest.raises(ValueError, match=r"hessian.*shape \(2,\)"):
        autograd.hessian(lambda x: x * x, double(*POINT))


# gradcheck


class Wrong(Cube):
    """A derivative that is off by a factor of two."""

    @staticmethod
    def backward(ctx, g):
        return 2 * Cube.backward(ctx, g)


def test_gradcheck_finds_a_wrong_derivative():
    with pytest.raises(RuntimeError, match="output 0 with respect to input 0"):
        autograd.gradcheck(Wrong.apply, double(1.0))
    assert not autograd.gradcheck(Wrong.apply, double(1.0), raise_exception=False)


def test_gradcheck_asks_for_float64():
    with pytest.raises(ValueError, match="float32"):
        autograd.gradcheck(Cube.apply, tensor([1.0], requires_grad=True))


def test_gradgradcheck_finds_a_wrong_second_derivative():
    class Detached(Cube):
        @staticmethod
        def backward(ctx, g):
            return Cube.backward(ctx, g.detach())

    x = double(1.0)
    assert autograd.gradcheck(Detached.apply, x)
    assert not autograd.gradgradcheck(Detached.apply, x, raise_exception=False)


# detect_anomaly


def test_anomaly_in_forward():
    with autograd.detect_anomaly(), pytest.raises(AnomalyError) as error:
        tensor([1.0, -4.0]).sqrt()
    for part in ("sqrt", "nan", "1 of 2", "[-4, 1]", "test_tools.py", "tensor([1.0, -4.0]).sqrt()"):
        assert part in str(error.value)


def test_anomaly_in_backward():
    x = double(0.0)
    with autograd.detect_anomaly():
        y = x.sqrt()  # this line
        with pytest.raises(AnomalyError, match=r"(?s)backward of sqrt.*this line"):
            y.sum().backward()


def test_anomaly_lets_the_user_s_infinity_pass():
    with autograd.detect_anomaly():
        assert (tensor([float("inf")]) + 1).item() == float("inf")
    with autograd.detect_anomaly(check_inf=False):
        assert tensor([0.0]).log().item() == -float("inf")


# observe


def test_observer_sees_forward_and_backward():
    names = []
    x = double(2.0)
    with autograd.observe(lambda op, inputs, meta, result: names.append(op.name)):
        y = (x * x).exp().sum()
        forward = list(names)
        y.backward()
    assert forward == ["mul", "exp", "sum"]
    assert "mul" in names[len(forward) :]
    assert x.grad.item() == pytest.approx(4 * np.exp(4))


def test_checkpoint_that_changes_its_mind():
    flips = iter([True, False])
    x = double(2.0)
    y = autograd.checkpoint(lambda x: x.exp() if next(flips) else x.sin(), x)
    with pytest.raises(GraphError, match="exp became sin"):
        y.sum().backward()
