"""A guarded replay: what it is not to overlook, each change made between two of them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd.compiled import guards
from autograd.modes import changes

pytestmark = pytest.mark.skipif(not guards.layout_known(), reason="no native replay here")


class Training:
    """A small net with its optimizer; `step` compiled or as it is."""

    def __init__(self, compiled: bool = True, middle: Callable[[], nn.Module] = nn.ReLU):
        autograd.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(3, 4), middle(), nn.Linear(4, 2))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.x, self.y = autograd.randn(5, 3), autograd.randn(5, 2)
        model, optimizer = self.model, self.optimizer

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        self.step = autograd.compile(step) if compiled else step

    def run(self, count: int = 1) -> float:
        for _ in range(count):
            loss = self.step(self.x, self.y)
        return loss.item()

    @property
    def weight(self) -> Any:
        return self.model[0].weight

    def state(self) -> list[bytes]:
        return [p.detach().numpy().tobytes() for p in self.model.parameters()]


def keep_gradient(t: Training) -> Any:
    g = t.weight.grad
    return lambda: g.numpy().tobytes()


def keep_array(t: Training) -> Any:
    array = t.weight.grad.numpy()
    return lambda: array.tobytes()


def keep_view(t: Training) -> Any:
    view = t.weight.grad[0]
    return lambda: view.numpy().tobytes()


def new_value(t: Training) -> None:
    t.weight.data = autograd.ones(4, 3)


def loaded(t: Training) -> None:
    t.model.load_state_dict({k: v * 0.5 for k, v in t.model.state_dict().items()})


def no_gradients(t: Training) -> None:
    t.optimizer.zero_grad()


def other_gradient(t: Training) -> None:
    t.weight.grad = autograd.ones(4, 3)


def learning_rate(t: Training) -> None:
    t.optimizer.param_groups[0]["lr"] = 0.5


def group_replaced(t: Training) -> None:
    t.optimizer.load_state_dict(t.optimizer.state_dict())


def frozen(t: Training) -> None:
    t.weight.requires_grad_(False)


def parameters_left_out(t: Training) -> None:
    t.optimizer.param_groups[0]["params"] = list(t.model.parameters())[:2]


def parameter_removed(t: Training) -> None:
    t.optimizer.param_groups[0]["params"].pop()


def arguments_of_other_values(t: Training) -> None:
    t.x, t.y = t.x * 2, t.y - 1


def arguments_of_other_shape(t: Training) -> None:
    t.x, t.y = t.x[:3], t.y[:3]


def arguments_not_contiguous(t: Training) -> None:
    t.x = autograd.randn(3, 5).T


def argument_an_array(t: Training) -> None:
    t.x = t.x.numpy()


CHANGES = [
    keep_gradient, keep_array, keep_view, new_value, loaded, no_gradients, other_gradient,
    learning_rate, group_replaced, frozen, parameters_left_out, parameter_removed,
    arguments_of_other_values, arguments_of_other_shape, arguments_not_contiguous,
    argument_an_array,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_change_between_replays_is_seen(change: Callable[[Training], Any]) -> None:
    losses, states, kept = [], [], []
    for compiled in (True, False):
        t = Training(compiled)
        t.run(8)
        if compiled:
            assert t.step.fast is not None
        look = change(t)
        before = look() if look else None
        losses.append([t.run() for _ in range(6)])
        states.append(t.state())
        kept.append(look() if look else None)
        assert kept[-1] == before
    assert losses[0] == losses[1]
    assert states[0] == states[1]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("middle", [lambda: nn.BatchNorm1d(4), lambda: nn.Dropout(0.5), nn.Tanh])
def test_ordinary_models_are_guarded(middle: Callable[[], nn.Module]) -> None:
    t = Training(middle=middle)
    t.run(8)
    assert t.step.fast is not None
    assert t.step.fast.replay((t.x, t.y)) is not guards.MISS


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2, 3), ("x", None), (2.0, [1])])
def test_arguments_of_another_kind_are_a_miss(arguments: Any) -> None:
    t = Training()
    t.run(8)
    state = t.state()
    assert t.step.fast.replay(arguments) is guards.MISS
    assert t.state() == state


def test_a_tracked_argument_is_a_miss() -> None:
    t = Training()
    t.run(8)
    assert t.step.fast.replay((t.x * t.weight.sum(), t.y)) is guards.MISS


def test_a_graph_from_before_a_replay_knows_that_its_weights_changed() -> None:
    t = Training()
    t.run(8)
    loss = t.model(t.x * 1.0).sum()
    t.run()
    with pytest.raises(RuntimeError, match="inplace operation"):
        loss.backward()


def test_variables_of_a_closure_are_watched() -> None:
    factor = 2.0

    @autograd.compile
    def step(x: Any) -> Any:
        return x * factor

    x = autograd.ones(3)
    with autograd.no_grad():
        for _ in range(6):
            assert step(x).tolist() == [2.0] * 3
        assert step.fast is not None
        factor = 3.0
        assert step(x).tolist() == [3.0] * 3


def test_grad_mode_is_watched() -> None:
    t = Training()
    t.run(8)
    state = t.state()
    with autograd.no_grad(), pytest.raises(RuntimeError, match="does not require grad"):
        t.run()
    assert t.state() == state


def test_threads_share_a_guarded_prediction() -> None:
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3)).eval()
    predict = autograd.compile(model.forward)
    xs = [autograd.randn(4, 6) for _ in range(4)]
    with autograd.no_grad():
        expected = [model(x).numpy() for x in xs]
        for x in xs * 3:
            predict(x)
    assert predict.fast is not None
    wrong = []

    def work(k: int) -> None:
        with autograd.no_grad():
            wrong.extend(
                1 for _ in range(500) if not np.array_equal(predict(xs[k]).numpy(), expected[k])
            )

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_result_is_used_again_only_when_nobody_holds_it() -> None:
    t = Training()
    t.run(8)
    eager = Training(compiled=False)
    eager.run(8)
    losses = [t.step(t.x, t.y) for _ in range(6)]
    assert len({id(loss) for loss in losses}) == 6
    assert [loss.item() for loss in losses] == [eager.run() for _ in range(6)]


@pytest.mark.parametrize(
    "use",
    [
        lambda loss: loss.numpy(),
        lambda loss: loss.reshape(1),
        lambda loss: memoryview(loss.numpy()),
        lambda loss: loss.add_(1),
        lambda loss: loss.requires_grad_(),
        lambda loss: loss.__setattr__("grad", autograd.ones(())),
        lambda loss: loss.numpy().setflags(write=False),
        weakref.ref,
    ],
)
def test_what_was_done_to_a_result_does_not_come_back(use: Callable[[Any], Any]) -> None:
    t, eager = Training(), Training(compiled=False)
    t.run(8)
    eager.run(8)
    kept = []
    for _ in range(5):
        loss = t.step(t.x, t.y)
        assert loss.item() == eager.run()
        assert (loss.requires_grad, loss.grad, loss.version[0]) == (False, None, 0)
        assert loss.numpy().flags.writeable
        assert loss.add(0).item() == loss.item()
        kept.append((use(loss), loss.item()))
    for held, value in kept:
        if isinstance(held, (np.ndarray, autograd.Tensor)):
            assert held.reshape(-1)[0] == value


def test_a_tensor_of_the_closure_that_begins_to_want_a_gradient_is_seen() -> None:
    scale, x = autograd.ones(3), autograd.ones(3)
    weight = autograd.ones(3, requires_grad=True)

    @autograd.compile
    def step(x: Any) -> Any:
        scale.grad = weight.grad = None
        loss = (weight * scale * x).sum()
        loss.backward()
        return loss

    for _ in range(8):
        step(x)
    assert step.fast is not None
    scale.requires_grad_()
    for _ in range(8):
        step(x)
        assert scale.grad.tolist() == [1.0] * 3
    scale.requires_grad_(False)
    step(x)
    assert scale.grad is None


def test_new_leaves_elsewhere_do_not_disturb() -> None:
    t = Training()
    t.run(8)
    fast = t.step.fast
    for _ in range(3):
        autograd.ones(2, requires_grad=True)
        assert t.step.fast is fast
        assert fast.replay((t.x, t.y)) is not guards.MISS
        assert fast.stamp == changes[0]
