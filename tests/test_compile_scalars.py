"""Compiled programs of scalars do what they do in eager mode, to the last bit."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from autograd import RecordError, no_grad, scalar
from autograd.compiled import encode
from tests.scalar_programs import MLP, beside_eager, descend, forget, moons, numbers


def demo(model: Any, x: Any, y: Any) -> Any:
    """The loss of micrograd's demo: hinge, and L2."""
    scores = [model(row) for row in x]
    losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores)]
    data_loss = sum(losses) * (1.0 / len(losses))
    return data_loss + 1e-4 * sum(p * p for p in model.parameters())


def test_moons():
    """200 steps of the demo: losses, accuracies, parameters and gradients."""
    x, y = moons(6)

    def make():
        model = MLP(2, 8, 8, 1)

        def step():
            inputs = [list(map(scalar, row)) for row in x]
            scores = list(map(model, inputs))
            losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores)]
            loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
            accuracy = [(yi > 0) == (score.data > 0) for yi, score in zip(y, scores)]
            forget(model.parameters())
            loss.backward()
            descend(model.parameters(), 0.5)
            return loss, sum(accuracy) / len(accuracy)

        return step, model.parameters()

    step = beside_eager(make, 200)
    assert "scalars: " in str(step.plan)


def test_whole_demo_is_one_native_call():
    x, y = moons(100)
    model = MLP(2, 16, 16, 1)

    @autograd.compile
    def step():
        loss = demo(model, [list(map(scalar, row)) for row in x], y)
        forget(model.parameters())
        loss.backward()
        descend(model.parameters(), 0.5)
        return loss

    losses = [step().item() for _ in range(5)]
    assert losses[4] < losses[0]
    assert step.plan.native or not encode.available()
    assert type(step().value) is float
    text = str(step.plan)
    assert len(text.splitlines()) < 30
    assert "addmul 8" in text  # 85,238 of them
    assert "scalar_programs.py" in text


@pytest.mark.parametrize("passes", [(), ("prune",), ("merge",), ("forward",), None])
def test_passes(passes: Any):
    def make():
        p = numbers()

        def step():
            forget(p)
            unused = p[0].exp() * 2
            loss = (p[0] * p[1] + p[2]).tanh() * p[3] + p[0] * p[1] - (+p[4]) / p[5] + unused * 0
            loss.backward()
            descend(p)
            return loss

        return step, p

    beside_eager(make, **({} if passes is None else {"passes": passes}))
    beside_eager(make, check_every=2, **({} if passes is None else {"passes": passes}))


# Where numbers come from


def test_scalars_as_arguments():
    def make():
        model = MLP(2, 4, 1)

        def step(x, y, bonus):
            loss = demo(model, x, y) + bonus
            forget(model.parameters())
            loss.backward()
            descend(model.parameters())
            return {"loss": loss, "bonus": bonus * 2}

        return step, model.parameters()

    def args(i):
        x, y = moons(6, i)
        constant = [[scalar(v, requires_grad=False) for v in row] for row in x]
        return constant, [scalar(v, requires_grad=False) for v in y], scalar(i, False)

    beside_eager(make, 8, args)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scalars_of_a_tensor_argument(dtype: str):
    def make():
        model = MLP(2, 4, 1)

        def step(x, y):
            rows = [[scalar(v, requires_grad=False) for v in row] for row in x]
            loss = demo(model, rows, [scalar(v, requires_grad=False) for v in y])
            forget(model.parameters())
            loss.backward()
            descend(model.parameters())
            return loss

        return step, model.parameters()

    def args(i):
        x, y = moons(6, i)
        return autograd.tensor(x, dtype=dtype), autograd.tensor(y, dtype=dtype)

    beside_eager(make, 8, args)


def test_an_argument_given_twice():
    def make():
        p = numbers(1)

        def step(x, y):
            forget(p)
            loss = (x + y * 2) * p[0]
            loss.backward()
            descend(p)
            return loss

        return step, p

    x = scalar(0.7, requires_grad=False)
    beside_eager(make, 8, lambda i: (x, x))


def test_a_scalar_argument_is_no_array():
    """Eager computes tanh of a scalar by math.tanh, of an array by a kernel: so two plans."""

    @autograd.compile
    def f(x):
        with no_grad():
            return (x * 2).tanh()

    for _ in range(4):
        assert type(f(scalar(0.5, requires_grad=False)).value) is float
        assert type(f(autograd.tensor(0.5, dtype="float64")).value) is np.ndarray
    assert len(f.entries) == 2


def test_numbers_that_are_changed_outside():
    eager, fast = numbers(2), numbers(2)

    def make(p):
        def step():
            forget(p)
            loss = (p[0] * p[1]).exp()
            loss.backward()
            descend(p)
            return loss

        return step

    a, b = make(eager), autograd.compile(make(fast))
    for i in range(12):
        assert a().item() == b().item()
        if i % 3 == 2:
            for p in (eager, fast):
                p[0].data = 0.25 * i
                p[1].grad = None


def test_a_number_that_is_read_is_watched():
    lr, p = scalar(0.5, requires_grad=False), numbers(1)

    @autograd.compile
    @no_grad()
    def step():
        return p[0] * lr.item()

    for rate in (0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, -0.0, -0.0, 0.0, 0.0):
        lr.data = rate
        assert str(step().item()) == str(p[0].item() * rate)


# Scalars and tensors


def test_scalars_among_tensors():
    def make():
        w = autograd.ones(3, dtype="float64", requires_grad=True)
        p = numbers(5)
        optimizer = optim.Adam([w, *p], lr=0.05)

        def step(x, k):
            optimizer.zero_grad()
            h = (w * x * (p[0] * p[1]).tanh() * k).sum()
            loss = h * p[2] + p[3] * p[4] + (w * k).sum() * p[0].log1p()
            loss.backward()
            optimizer.step()
            return loss, w

        return (lambda x, k: step(x, k)[0].detach()), p

    def args(i):
        x = np.random.default_rng(i).standard_normal(3)
        return autograd.tensor(x), scalar(0.1 * i, requires_grad=False)

    beside_eager(make, 10, args)


@pytest.mark.parametrize(
    "f",
    [
        lambda a: a.log1p(),
        lambda a: a.erf() + a.rsqrt(),
        lambda a: autograd.where(a > 0, a * 2, a * 3),
        lambda a: a.clamp(0, 1) * 2,
        lambda a: a * autograd.tensor([1.0, 2.0], dtype="float64").sum(),
    ],
)
def test_ops_without_a_scalar_form(f: Any):
    """They run on arrays of no dimensions, in float64 throughout."""

    def make():
        p = numbers(2)

        def step():
            forget(p)
            loss = f(p[0] * p[1] * p[1] + 1) + p[0] * p[1]
            loss.backward()
            descend(p)
            return loss

        return step, p

    beside_eager(make)


def test_gradients_of_scalars_stay_float64():
    """Eager: an op without a scalar form once made the sum of two gradients float32."""
    a = scalar(1.3)
    (a.log1p() + a * 0.1 + a.log1p()).backward()
    assert a.grad.item() == pytest.approx(2 / 2.3 + 0.1, rel=1e-15)


# Threads and memory


def test_threads():
    def trainer(seed):
        model = MLP(2, 4, 1, seed=seed)

        @autograd.compile
        def step(x):
            loss = (model([x, x * x]) - 0.3) ** 2
            forget(model.parameters())
            loss.backward()
            descend(model.parameters())
            return loss

        def run():
            for i in range(100):
                step(scalar(i % 7 * 0.1, requires_grad=False))
            return [p.item() for p in model.parameters()]

        return run

    expected = [trainer(seed)() for seed in range(3)]
    found: dict[int, Any] = {}
    runs = {seed: trainer(seed) for seed in range(3)}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: runs[seed]()}))
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(3)] == expected


def test_threads_share_a_prediction():
    model = MLP(2, 4, 1)
    predict = autograd.compile(no_grad()(lambda x: model([x, x * x])))
    points = [scalar(0.1 * i, requires_grad=False) for i in range(20)]
    expected = [model([x, x * x]).item() for x in points]
    found: dict[int, Any] = {}

    def run(k):
        found[k] = [predict(x).item() for _ in range(10) for x in points]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[k] == expected * 10 for k in range(4))


def test_replays_leave_memory_flat():
    p = numbers(3)

    @autograd.compile
    def step():
        forget(p)
        loss = (p[0] + p[1]).tanh() * p[2]
        loss.backward()
        descend(p)
        return loss

    for _ in range(50):
        step()
    tracemalloc.start()
    for _ in range(50):
        step()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5000):
        step()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2000


def test_recording_leaves_the_collector_as_it_was():
    import gc

    def step():
        raise ValueError("on purpose")

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ValueError, match="on purpose"):
            autograd.compile(step)()
        assert gc.isenabled() is enabled
    gc.enable()


def test_an_exception_while_recording():
    p, broken = numbers(2), [True]

    @autograd.compile
    def step():
        forget(p)
        loss = p[0] * p[1]
        if broken:
            raise KeyboardInterrupt
        loss.backward()
        descend(p)
        return loss

    with pytest.raises(KeyboardInterrupt):
        step()
    broken.clear()
    start = [q.item() for q in p]
    losses = [step().item() for _ in range(5)]
    for q, value in zip(p, start):
        q.data, q.grad = value, None
    assert losses == [step.function().item() for _ in range(5)]


# What is refused


def test_compiled_steps_of_scalars_refuse_clearly():
    """Each names the line and the remedy."""
    p, outer, calls = numbers(2), [scalar(1.0)], [0]
    before = p[0] * p[1]

    def constant():
        calls[0] += 1
        return p[0].data * calls[0]

    def branch():
        calls[0] += 1
        return p[0].data * p[1].data if calls[0] % 2 else p[0].data + p[1].data

    def longer():
        calls[0] += 1
        y = p[0].data * 2
        for _ in range(calls[0] % 2):
            y = y * 2
        return y

    def replaced():
        return outer[0].data * 2

    def argument(x):
        (x * p[0]).backward()

    def changed(x):
        x.data = x * 2

    def slope(x):
        x.grad = None

    def unrecorded():
        y = p[0].data * 2
        p[0].value += 1
        return y

    def read():
        lr = p[1].item()
        p[1].data = p[1].data * 0.5
        return p[0].data * lr

    def clipped():
        import nn

        forget(p)
        (p[0] * p[1]).backward()
        nn.utils.clip_grad_norm_(p, 1.0)

    def graph():
        before.backward(retain_graph=True)

    given = (scalar(2.0),)
    for function, args, words in [
        (constant, (), r"test_compile_scalars.*in constant.*number 1.0 became 2.0.*Remedy"),
        (branch, (), r"in branch.*first time it ran mul, the second time add"),
        (longer, (), r"only the first time it ran mul"),
        (lambda: float(p[0].data * 2), (), r"in <lambda>.*item\(\) reads a value.*Remedy"),
        (lambda: p[0] if (p[0] * p[1]).data > 0 else p[1], (), r"reads a value"),
        (lambda: (p[0].data * 2).numpy(), (), r"reads a value"),
        (lambda: (p[0].data * 2).array, (), r"works on arrays.*Remedy"),
        (argument, given, r"reaches an argument.*requires_grad=False"),
        (changed, given, r"an argument of the step is changed in place"),
        (slope, given, r"the \.grad of an argument"),
        (unrecorded, (), r"changed in a way that is not recorded"),
        (read, (), r"was read that the step changes"),
        (clipped, (), r"works on arrays.*Remedy"),
        (graph, (), r"computed before the step"),
    ]:
        with pytest.raises(RecordError, match=words):
            several(autograd.compile(function), *args)

    step = autograd.compile(replaced)
    step()
    outer[0] = scalar(2.0)
    with pytest.raises(RecordError, match=r"in replaced.*from outside was replaced"):
        step()


def several(step: Any, *args: Any) -> None:
    for _ in range(4):
        step(*args)


def test_a_scalar_is_one_number():
    step = autograd.compile(no_grad()(lambda x: scalar(x) * 2))
    with pytest.raises(RuntimeError, match=r"shape \(3,\) has 3"):
        step(autograd.ones(3))
