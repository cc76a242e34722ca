"""Graph, gradients, in-place changes: PyTorch's behaviour, trap by trap (SEMANTICS 3A)."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor, tensor
from autograd.errors import GraphError, ModifiedError


def leaf(*values: float, dtype: str = "float32") -> Tensor:
    """A leaf that requires grad: 0-d of one value, 1-d of several."""
    return tensor(values[0] if len(values) == 1 else values, dtype=dtype, requires_grad=True)


# Accumulation and reuse


def test_diamond_runs_each_node_once():
    a, calls = leaf(1.0), []
    b = a + a
    b.register_hook(lambda g: calls.append(g.item()))
    c = b + b
    c.backward()
    assert a.grad.item() == 4
    assert calls == [2.0]


def test_fresh_graphs_accumulate():
    a = leaf(2.0)
    (a * a).backward()
    assert a.grad.item() == 4
    (a * a).backward()
    assert a.grad.item() == 8


def test_second_backward_names_retain_graph():
    a = leaf(2.0)
    loss = a * a
    loss.backward()
    with pytest.raises(GraphError, match=r"mul a second time.*retain_graph=True"):
        loss.backward()
    assert a.grad.item() == 4


def test_second_backward_with_retain_graph():
    a = leaf(2.0)
    loss = a * a
    loss.backward(retain_graph=True)
    loss.backward()
    assert a.grad.item() == 8


def test_second_backward_through_ops_that_save_nothing():
    a = leaf(1.0)
    loss = a + a
    loss.backward()
    loss.backward()
    assert a.grad.item() == 4


def test_view_and_slice_accumulate():
    x = tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    (x.view(2, 2).sum() + x[:2].sum()).backward()
    assert x.grad.tolist() == [2, 2, 1, 1]


def test_repeated_index_accumulates():
    x = leaf(1.0, 2.0, 3.0)
    x[[0, 0, 2]].sum().backward()
    assert x.grad.tolist() == [2, 0, 1]


def test_repeated_index_in_assignment():
    x = autograd.zeros(3)
    x[[0, 0]] += 1
    assert x.tolist() == [1, 0, 0]
    x.index_put_((tensor([0, 0]),), tensor(1.0), accumulate=True)
    assert x.tolist() == [3, 0, 0]


def test_broadcast_sums_over_sizes_zero_and_one():
    x, y = autograd.ones(0, 1, requires_grad=True), autograd.ones(4, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.shape == (0, 1)
    assert y.grad.tolist() == [0, 0, 0, 0]


def test_several_roots():
    a = leaf(2.0)
    autograd.backward([a * a, 3 * a], [tensor(1.0), tensor(10.0)])
    assert a.grad.item() == 34


def test_backward_into_chosen_leaves():
    a, b = leaf(2.0), leaf(3.0)
    (a * b).backward(inputs=[a])
    assert a.grad.item() == 3
    assert b.grad is None


# What cannot be


def test_backward_of_several_elements():
    with pytest.raises(GraphError, match="grad can be implicitly created only for scalar outputs"):
        leaf(1.0, 2.0).backward()


def test_backward_of_one_element_with_dimensions():
    x = tensor([[3.0]], requires_grad=True)
    (2 * x).backward()
    assert x.grad.tolist() == [[2]]


def test_backward_without_history():
    with pytest.raises(GraphError, match="does not require grad and does not have a grad_fn"):
        tensor(1.0).backward()


def test_gradient_of_another_shape():
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"grad_output\[0\] has a shape of \(3,\)"):
        (x * 1).backward(autograd.ones(3))
    with pytest.raises(RuntimeError, match="shape"):
        x.grad = autograd.ones(3)


@pytest.mark.parametrize("values", [[1, 2], [True, False]])
def test_integers_have_no_gradient(values: list):
    with pytest.raises(RuntimeError, match="floating point"):
        tensor(values, requires_grad=True)
    with pytest.raises(RuntimeError, match="floating point"):
        tensor(values).requires_grad_()


def test_requires_grad_of_non_leaf_stays():
    with pytest.raises(RuntimeError, match=r"leaf tensors.*detach"):
        (leaf(1.0) * 2).requires_grad = False


def test_unused_input():
    a, b = leaf(1.0), leaf(1.0)
    with pytest.raises(GraphError, match="allow_unused=True"):
        autograd.grad(a * 2, [a, b])
    assert autograd.grad(a * 2, [a, b], allow_unused=True)[1] is None
    assert autograd.grad(a * 2, [a, b], materialize_grads=True)[1].item() == 0
    (a * 2).backward()
    assert b.grad is None


# .grad


def test_grad_of_non_leaf_warns():
    y = leaf(1.0) * 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert y.grad is None


def test_retain_grad():
    x = leaf(3.0)
    y = x * 2
    y.retain_grad()
    (y * y).backward()
    assert y.grad.item() == 12
    assert x.grad.item() == 24


def test_grad_leaves_grad_alone():
    x = leaf(3.0)
    y = x * x
    (g,) = autograd.grad(y, x)
    assert g.item() == 6
    assert x.grad is None


def test_grad_of_intermediate():
    x = leaf(3.0)
    y = x * x
    (g,) = autograd.grad(y * y, y)
    assert g.item() == 18


def test_grad_has_the_dtype_of_the_leaf():
    single, double = leaf(1.0, 2.0), leaf(1.0, 2.0, dtype="float64")
    (single * double).sum().backward()
    assert single.grad.dtype == np.float32
    assert double.grad.dtype == np.float64


def test_grads_own_their_memory():
    """One array passed on to two leaves must not become the .grad of both."""
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    g = autograd.ones(2)
    (a + b).backward(g)
    a.grad.zero_()
    assert b.grad.tolist() == [1, 1]
    assert g.tolist() == [1, 1]


def test_third_derivative():
    x = leaf(2.0)
    (first,) = autograd.grad(x**3, x, create_graph=True)
    (second,) = autograd.grad(first, x, create_graph=True)
    (third,) = autograd.grad(second, x)
    assert (first.item(), second.item(), third.item()) == (12, 12, 6)


# Hooks


def test_hooks_run_in_order_and_replace():
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    x.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 3).backward()
    assert seen == [3, 30]
    assert x.grad.item() == 30


def test_hook_on_intermediate_changes_what_flows_on():
    x = leaf(1.0)
    y = x * 3
    handle = y.register_hook(lambda g: g * 2)
    y.backward(retain_graph=True)
    assert x.grad.item() == 6
    handle.remove()
    y.backward()
    assert x.grad.item() == 9


def test_hook_after_accumulation():
    x, seen = leaf(1.0), []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    (x * 3).backward()
    (x * 3).backward()
    assert seen == [3, 6]


# Detached, switched off


def test_detach_shares_memory():
    x = leaf(1.0, 2.0)
    y = x.detach()
    assert not y.requires_grad
    y[0] = 5
    assert x.tolist() == [5, 2]


def test_change_through_detached_is_noticed():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    x.detach().zero_()
    with pytest.raises(ModifiedError):
        loss.backward()


def test_change_through_data_is_noticed():
    """PyTorch computes a silently wrong gradient here."""
    w = leaf(2.0)
    loss = w * w
    w.data.mul_(2)
    with pytest.raises(ModifiedError):
        loss.backward()


def test_eval_keeps_grad():
    model = nn.Linear(2, 1).eval()
    assert model(autograd.ones(1, 2)).requires_grad


def test_no_grad_as_context_and_decorator():
    x = leaf(1.0)

    @autograd.no_grad()
    def frozen() -> Tensor:
        return x * 2

    with autograd.no_grad():
        assert not (x * 2).requires_grad
        with autograd.enable_grad():
            assert (x * 2).requires_grad
    assert not frozen().requires_grad
    with autograd.set_grad_enabled(False):
        assert not autograd.is_grad_enabled()
    assert autograd.is_grad_enabled()


def test_no_grad_around_a_generator_is_off_outside_it():
    @autograd.no_grad()
    def modes():
        yield autograd.is_grad_enabled()
        yield autograd.is_grad_enabled()

    walk = modes()
    assert next(walk) is False
    assert autograd.is_grad_enabled()
    assert next(walk) is False


def test_grad_mode_is_of_one_thread():
    seen = []
    with autograd.no_grad():
        thread = threading.Thread(target=lambda: seen.append(autograd.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# In place


def test_leaf_refuses_in_place():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"leaf Tensor that requires grad.*no_grad"):
        x.mul_(2)
    with pytest.raises(RuntimeError, match="view of a leaf"):
        x[:1].mul_(2)
    with autograd.no_grad():
        x.mul_(2)
    assert x.tolist() == [2, 4]


def test_in_place_of_saved_names_op_and_versions():
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(ModifiedError, match=r"mul .*shape \(2,\).*version 1; expected version 0"):
        z.sum().backward()


def test_optimizer_step_between_forward_and_backward():
    w = leaf(2.0)
    loss = w * w
    w.grad = tensor(1.0)
    optim.SGD([w], lr=0.1).step()
    with pytest.raises(ModifiedError):
        loss.backward()


def test_in_place_is_recorded():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.mul_(3)
    y += x
    y.sum().backward()
    assert y.tolist() == [7, 14]
    assert x.grad.tolist() == [7, 7]


def test_in_place_with_a_factor_that_wants_the_old_value():
    """The gradient of x is the old y, which is gone: PyTorch refuses too."""
    x = leaf(1.0, 2.0)
    y = x * 2
    y.mul_(x)
    with pytest.raises(ModifiedError):
        y.sum().backward()


def test_assignment_stops_the_gradient_of_what_it_overwrites():
    x, v = leaf(1.0, 2.0, 3.0), leaf(5.0)
    y = x * 2
    y[0] = v
    y.sum().backward()
    assert x.grad.tolist() == [0, 2, 2]
    assert v.grad.item() == 1


def test_in_place_through_view_reaches_base():
    x = autograd.ones(4, requires_grad=True)
    y = x * 1
    y[:2].mul_(3)
    y.sum().backward()
    assert y.tolist() == [3, 3, 1, 1]
    assert x.grad.tolist() == [3, 3, 1, 1]


def test_in_place_on_base_reaches_view():
    x = autograd.ones(4, requires_grad=True)
    y = x * 1
    v = y[:2]
    y.mul_(3)
    v.sum().backward()
    assert v.tolist() == [3, 3]
    assert x.grad.tolist() == [3, 3, 0, 0]


def test_in_place_through_view_of_view():
    x = autograd.ones(2, 3, requires_grad=True)
    y = x * 1
    y.t()[1].mul_(4)
    y.sum().backward()
    assert x.grad.tolist() == [[1, 4, 1], [1, 4, 1]]


def test_in_place_keeps_shape_and_dtype():
    with pytest.raises(RuntimeError, match="shape"):
        autograd.ones(1).add_(autograd.ones(3))
    with pytest.raises(RuntimeError, match="int64"):
        tensor([1, 2]).add_(0.5)


def test_in_place_on_expanded():
    with pytest.raises(RuntimeError, match="clone"):
        autograd.ones(1).expand(3).add_(1)


# Copies, comparison, NumPy


def test_deepcopy_of_leaf_and_non_leaf():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    twin = copy.deepcopy(x)
    assert twin.requires_grad
    assert twin.grad.tolist() == [2, 4]
    assert not np.shares_memory(twin.detach().numpy(), x.detach().numpy())
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(x * 2)


def test_pickle_of_non_leaf_is_a_leaf():
    y = pickle.loads(pickle.dumps(leaf(1.0, 2.0) * 2))
    assert y.is_leaf
    assert y.requires_grad
    assert y.tolist() == [2, 4]


def test_comparison_is_elementwise_and_hash_identity():
    x = tensor([1.0, 2.0])
    y = tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False]
    assert len({x, y, x}) == 2
    assert x in [x]
    with pytest.raises(RuntimeError, match="truth value"):
        assert y in [x]
    with pytest.raises(RuntimeError, match="truth value"):
        bool(x)


def test_leaving_the_graph_says_detach():
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        np.asarray(x)
    with pytest.warns(UserWarning, match="requires grad"):
        assert float(x) == 1


def test_anomaly_names_op_and_line():
    x = leaf(0.0)
    with autograd.detect_anomaly(), pytest.raises(RuntimeError, match=r"(?s)sqrt.*test_graph\.py"):
        (x.sqrt() * 0).backward()


def test_accumulating_into_a_repeated_gradient():
    """The gradient of a sum is one number seen many times: nothing may be added into it."""
    x = autograd.randn(200, 1000, 3, requires_grad=True)
    b = x * 1.0
    w = b * b
    y = b.sum(-1) * 2.0
    (y.sum() + w.sum()).backward()
    np.testing.assert_allclose(x.grad, 2 + 2 * x.detach().numpy(), rtol=1e-5, atol=1e-5)
