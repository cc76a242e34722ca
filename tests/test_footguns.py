"""What goes wrong with recorded steps elsewhere, each trap as a test."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import RecordError
from autograd.compiled import encode

X = np.random.default_rng(0).standard_normal((8, 5))
Y = np.random.default_rng(1).integers(0, 3, 8)


def batch(n: int = 8, seed: int = 0) -> tuple[Any, Any]:
    """A batch of n rows and their classes."""
    rng = np.random.default_rng([seed, n])
    return autograd.tensor(rng.standard_normal((n, 5))), autograd.tensor(rng.integers(0, 3, n))


class Training:
    """A model, its optimizer, and one step of training it, compiled or not."""

    def __init__(self, fast: bool, *layers: Any, clip: float | None = None, **options: Any):
        autograd.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(5, 7), *layers, nn.Linear(7, 3)).double()
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.05, **options)
        self.criterion = nn.CrossEntropyLoss()
        self.clip = clip
        autograd.manual_seed(2)
        self.run = autograd.compile(self.step) if fast else self.step

    def step(self, x: Any, y: Any) -> Any:
        """One step."""
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return loss

    def state(self) -> list[Any]:
        """Everything that training changes."""
        values = [t.detach().numpy().copy() for t in self.model.state_dict().values()]
        moments = self.optimizer.state_dict()["state"]
        return values + [np.asarray(v) for s in moments.values() for v in s.values()]


def same(a: list[Any], b: list[Any]) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def pair(*layers: Any, **options: Any) -> tuple[Training, Training]:
    """The same training twice: eager, and compiled."""
    return (
        Training(False, *map(copy.deepcopy, layers), **options),
        Training(True, *map(copy.deepcopy, layers), **options),
    )


def both(eager: Training, fast: Training, steps: int, n: int = 8) -> None:
    for i in range(steps):
        autograd.manual_seed(i)
        expected = eager.run(*batch(n, i))
        autograd.manual_seed(i)
        found = fast.run(*batch(n, i))
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())
    same(fast.state(), eager.state())


@pytest.mark.parametrize(
    "layers",
    [
        (nn.ReLU(),),
        (nn.Tanh(), nn.Dropout(0.4)),
        (nn.BatchNorm1d(7), nn.ReLU()),
        (nn.LayerNorm(7), nn.GELU()),
        (nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(0.2)),
    ],
    ids=lambda layers: "-".join(type(x).__name__ for x in layers),
)
@pytest.mark.parametrize("clip", [None, 0.1])
def test_compiled_is_eager(layers: Any, clip: Any):
    eager, fast = pair(*layers, clip=clip)
    both(eager, fast, 30)
    assert fast.run.plan is not None
    assert fast.run.plan.native or not encode.available(), str(fast.run.plan)


def test_arguments_are_copied_in():
    x = autograd.tensor([1.0, 2.0])
    step = autograd.compile(lambda x: x * 2)
    for _ in range(3):
        step(x)
    x.fill_(5.0)
    assert step(x).tolist() == [10.0, 10.0]
    assert step(autograd.tensor([3.0, 4.0])).tolist() == [6.0, 8.0]


def test_results_are_copied_out():
    step = autograd.compile(lambda x: x * 2)
    results = [step(autograd.tensor([float(i)])) for i in range(5)]
    assert [r.item() for r in results] == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_a_scheduler_is_seen():
    eager, fast = pair(nn.ReLU())
    schedules = [optim.lr_scheduler.StepLR(t.optimizer, 3, 0.5) for t in (eager, fast)]
    for i in range(12):
        for t in (eager, fast):
            t.run(*batch(8, i))
        for schedule in schedules:
            schedule.step()
    same(fast.state(), eager.state())
    assert fast.run.plan is not None


def test_hyper_parameters_are_live():
    eager, fast = pair(nn.ReLU(), weight_decay=0.1)
    both(eager, fast, 4)
    for t in (eager, fast):
        t.optimizer.param_groups[0]["weight_decay"] = 0.0
        t.optimizer.param_groups[0]["betas"] = (0.5, 0.9)
    both(eager, fast, 4)


def test_a_last_partial_batch_is_a_second_plan():
    eager, fast = pair(nn.Dropout(0.3))
    for _ in range(4):
        both(eager, fast, 3, 8)
        both(eager, fast, 1, 5)
    assert sum(e.plan is not None for e in fast.run.entries.values()) == 2


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda loss: loss.item(), "item"),
        (lambda loss: float(loss.detach()), "item"),
        (lambda loss: 1 if loss > 1 else 0, "item"),
        (lambda loss: loss.detach().numpy(), "numpy"),
        (lambda loss: loss.tolist(), "tolist"),
        (lambda loss: f"{loss.detach():.3f}", "item"),
    ],
    ids=["item", "float", "if", "numpy", "tolist", "format"],
)
def test_reading_a_value_names_the_line(read: Any, named: str):
    def step(x: Any) -> Any:
        loss = (x * x).sum()
        read(loss)
        return loss

    with pytest.raises(RecordError, match=rf"test_footguns\.py:\d+.*{named}.*Remedy"):
        autograd.compile(step)(autograd.tensor([1.0, 2.0]))


def test_shapes_that_depend_on_data_are_refused():
    x = autograd.tensor([1.0, -2.0, 3.0])
    with pytest.raises(RecordError):
        autograd.compile(lambda x: x[x > 0])(x)
    with pytest.raises(RecordError):
        autograd.compile(lambda x: autograd.masked_select(x, x > 0))(x)


def test_a_constant_that_changes_is_refused():
    count = iter(range(10))

    def step(x: Any) -> Any:
        return x * next(count)

    fast = autograd.compile(step)
    fast(autograd.tensor([1.0]))
    with pytest.raises(RecordError, match=r"0 became 1.*Remedy"):
        fast(autograd.tensor([1.0]))


def test_a_branch_that_flips_is_refused():
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        return x.exp() if len(seen) == 1 else x.log()

    fast = autograd.compile(step)
    fast(autograd.tensor([1.0]))
    with pytest.raises(RecordError, match="exp, the second time log"):
        fast(autograd.tensor([1.0]))


def test_random_numbers_made_in_the_step_are_refused():
    fast = autograd.compile(lambda x: x + autograd.randn(2))
    fast(autograd.tensor([1.0, 2.0]))
    with pytest.raises(RecordError, match="from outside"):
        fast(autograd.tensor([1.0, 2.0]))


SCALE = 2.0


def test_a_global_number_that_changes_is_seen(monkeypatch: Any):
    fast = autograd.compile(lambda x: x * SCALE)
    x = autograd.tensor([1.0])
    assert [fast(x).item() for _ in range(3)] == [2.0, 2.0, 2.0]
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert [fast(x).item() for _ in range(3)] == [3.0, 3.0, 3.0]


def test_a_tensor_of_the_closure_that_is_replaced_is_seen():
    w = autograd.tensor([2.0])

    def step(x: Any) -> Any:
        return x * w

    fast = autograd.compile(step)
    x = autograd.tensor([1.0])
    assert [fast(x).item() for _ in range(3)] == [2.0, 2.0, 2.0]
    w.fill_(3.0)
    assert fast(x).item() == 3.0
    w = autograd.tensor([4.0])
    assert [fast(x).item() for _ in range(3)] == [4.0, 4.0, 4.0]


def test_train_and_eval_are_plans_of_their_own():
    model = nn.Sequential(nn.Linear(5, 7), nn.Dropout(0.5)).double()
    with autograd.no_grad():
        fast = autograd.compile(lambda x: model(x))
        x, _ = batch()
        for _ in range(3):
            autograd.manual_seed(0)
            dropped = fast(x)
        model.eval()
        for _ in range(3):
            kept = fast(x)
        assert (kept.numpy() == model(x).numpy()).all()
        model.train()
        autograd.manual_seed(0)
        np.testing.assert_array_equal(fast(x).numpy(), dropped.numpy())
        assert (dropped.numpy() == 0).any()


def test_loading_a_state_is_seen():
    eager, fast = pair(nn.ReLU())
    both(eager, fast, 4)
    state = {k: autograd.zeros_like(v) for k, v in eager.model.state_dict().items()}
    for t in (eager, fast):
        t.model.load_state_dict(state)
    both(eager, fast, 4)


def test_freezing_is_seen():
    eager, fast = pair(nn.ReLU())
    both(eager, fast, 4)
    for t in (eager, fast):
        t.model[0].requires_grad_(False)
    both(eager, fast, 4)
    for t in (eager, fast):
        t.model[0].requires_grad_(True)
    both(eager, fast, 4)


def test_a_model_cast_to_another_dtype_is_seen():
    eager, fast = pair(nn.ReLU())
    both(eager, fast, 4)
    for t in (eager, fast):
        t.model.float()
    x, y = batch()
    x = x.float()
    for _ in range(4):
        expected = eager.run(x, y)
        np.testing.assert_array_equal(fast.run(x, y).numpy(), expected.detach().numpy())


def test_tied_weights():
    def make(fast: bool) -> tuple[Any, Any]:
        autograd.manual_seed(0)
        a, b = nn.Linear(4, 4), nn.Linear(4, 4)
        b.weight = a.weight
        optimizer = optim.SGD([*a.parameters(), b.bias], lr=0.1, momentum=0.9)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = (b(a(x).tanh()) - x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return (autograd.compile(step) if fast else step), a

    x = autograd.tensor(np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32))
    (eager, a), (fast, b) = make(False), make(True)
    for _ in range(10):
        assert eager(x).item() == fast(x).item()
    np.testing.assert_array_equal(a.weight.detach().numpy(), b.weight.detach().numpy())


def test_gradients_accumulate_over_calls():
    def make(fast: bool) -> tuple[Any, Any]:
        autograd.manual_seed(0)
        model = nn.Linear(5, 3).double()

        def step(x: Any, y: Any) -> Any:
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return (autograd.compile(step) if fast else step), model

    (eager, a), (fast, b) = make(False), make(True)
    for i in range(12):
        for f in (eager, fast):
            f(*batch(8, i))
        np.testing.assert_array_equal(a.weight.grad.numpy(), b.weight.grad.numpy())
        if i % 4 == 3:
            a.zero_grad()
            b.zero_grad()


def test_an_exception_while_recording_leaves_nothing_behind():
    def step(x: Any, fail: bool) -> Any:
        if fail:
            raise KeyError("mine")
        return x * 2

    fast = autograd.compile(step)
    x = autograd.tensor([1.0])
    with pytest.raises(KeyError, match="mine"):
        fast(x, True)
    assert [fast(x, False).item() for _ in range(3)] == [2.0, 2.0, 2.0]
    assert (x * x).item() == 1.0


def test_a_compiled_step_in_a_compiled_step():
    inner = autograd.compile(lambda x: x * 2)
    outer = autograd.compile(lambda x: inner(x) + 1)
    x = autograd.tensor([1.0])
    assert [inner(x).item() for _ in range(3)] == [2.0] * 3
    assert [outer(x).item() for _ in range(4)] == [3.0] * 4


class Scaled:
    def __init__(self, factor: float):
        self.factor = autograd.tensor([factor])

    @autograd.compile
    def run(self, x: Any) -> Any:
        return x * self.factor


def test_methods_belong_to_their_instances():
    x, a, b = autograd.tensor([1.0]), Scaled(2.0), Scaled(3.0)
    assert [(a.run(x).item(), b.run(x).item()) for _ in range(4)] == [(2.0, 3.0)] * 4


def test_a_compiled_method_does_not_keep_its_instance():
    x, a = autograd.tensor([1.0]), Scaled(2.0)
    for _ in range(4):
        a.run(x)
    alive = weakref.ref(a)
    del a
    gc.collect()
    assert alive() is None


def test_a_ninth_shape_warns_and_drops_the_oldest():
    fast = autograd.compile(lambda x: x * 2)
    for n in range(1, 9):
        fast(autograd.ones(n))
    with pytest.warns(RuntimeWarning, match="more than 8 kinds"):
        fast(autograd.ones(9))
    assert len(fast.entries) == 8


def test_it_can_be_turned_off(monkeypatch: Any):
    monkeypatch.setenv("TAPEGRAD_COMPILE", "0")
    fast = autograd.compile(lambda x: x.item())
    assert fast(autograd.tensor([2.0])) == 2.0


def test_a_result_with_a_graph_is_refused():
    w = autograd.tensor([2.0], requires_grad=True)
    with pytest.raises(RecordError, match="requires grad"):
        autograd.compile(lambda x: x * w)(autograd.tensor([1.0]))


def test_scalars_are_refused():
    w = autograd.scalar(2.0)
    with pytest.raises(RecordError, match="scalar"):
        autograd.compile(lambda: w * 2)()


def test_wrong_labels_are_an_error_in_a_replay_too():
    _, fast = pair(nn.ReLU())
    for i in range(4):
        fast.run(*batch(8, i))
    x, y = batch()
    y[3] = 7
    with pytest.raises(IndexError, match="7"):
        fast.run(x, y)


def test_probabilities_out_of_range_are_an_error_in_a_replay_too():
    fast = autograd.compile(lambda p, y: nn.functional.binary_cross_entropy(p, y))
    good = autograd.tensor([0.2, 0.7]), autograd.tensor([0.0, 1.0])
    for _ in range(3):
        fast(*good)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        fast(autograd.tensor([0.2, 1.5]), good[1])


def test_versions_are_counted():
    _, fast = pair(nn.ReLU())
    for i in range(4):
        fast.run(*batch(8, i))
    weight = fast.model[0].weight
    kept = (weight * weight).sum()
    fast.run(*batch())
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        kept.backward()


def test_views_and_assignments():
    buffer = autograd.zeros(4)

    def step(x: Any) -> Any:
        y = x * 1
        y[1:3] = 0.0
        y[0].add_(10.0)
        buffer[:2] = y[2:]
        buffer.mul_(2.0)
        return y.view(2, 2).T.reshape(4), buffer

    expected = step(autograd.arange(4.0))
    kept = buffer.clone()
    fast = autograd.compile(step)
    for _ in range(4):
        found = fast(autograd.arange(4.0))
        assert [t.tolist() for t in found] == [expected[0].tolist(), found[1].tolist()]
    assert buffer.tolist() == found[1].tolist() != kept.tolist() or buffer.tolist() == kept.tolist()


def test_check_every_notices_a_change_of_program():
    factor = [2.0]
    fast = autograd.compile(lambda x: x * factor[0], check_every=2)
    x = autograd.tensor([1.0])
    for _ in range(6):
        assert fast(x).item() == 2.0
    factor[0] = 3.0
    fast(x)
    with pytest.raises(RecordError, match=r"2\.0 became 3\.0"):
        fast(x)


def test_check_every_leaves_training_as_it_is():
    eager, fast = pair(nn.BatchNorm1d(7), nn.Dropout(0.2))
    fast.run = autograd.compile(fast.step, check_every=3)
    both(eager, fast, 20)


def test_threads_predict_with_one_plan():
    model = nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Linear(64, 3)).double().eval()

    @autograd.compile
    def predict(x: Any) -> Any:
        return model(x)

    data = [batch(8, i)[0] for i in range(20)]
    with autograd.no_grad():
        expected = [model(x).numpy() for x in data]
        for _ in range(3):
            predict(data[0])
    wrong: list[int] = []

    def work() -> None:
        with autograd.no_grad():
            for _ in range(50):
                for i, x in enumerate(data):
                    if not np.array_equal(predict(x).numpy(), expected[i]):
                        wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_loop_is_the_same_as_its_calls():
    eager, fast = pair(nn.BatchNorm1d(7), nn.Dropout(0.2), clip=0.5)
    data = [batch(8 if i % 10 else 5, i) for i in range(60)]
    autograd.manual_seed(3)
    expected = [eager.run(*b).item() for b in data]
    autograd.manual_seed(3)
    assert fast.run.loop(data).tolist() == expected
    same(fast.state(), eager.state())
