"""Random models, optimizers, losses and passes: what is compiled gives eager's bits."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd.compiled.step import ALL_PASSES
from autograd.modes import changes

WIDTH, ROWS, STEPS = 6, 4, 6
LAYERS: dict[str, Any] = {
    "Linear": lambda: nn.Linear(WIDTH, WIDTH),
    "no bias": lambda: nn.Linear(WIDTH, WIDTH, bias=False),
    "Dropout": lambda: nn.Dropout(0.3),
    "BatchNorm1d": lambda: nn.BatchNorm1d(WIDTH),
    "BatchNorm1d average": lambda: nn.BatchNorm1d(WIDTH, momentum=None),
    "LayerNorm": lambda: nn.LayerNorm(WIDTH),
    "RMSNorm": lambda: nn.RMSNorm(WIDTH),
    "GroupNorm": lambda: nn.GroupNorm(3, WIDTH),
    "Residual": lambda: Residual(),
    **{
        name: getattr(nn, name)
        for name in (
            "ReLU", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish",
            "Softplus", "Tanh", "Sigmoid", "Hardtanh", "Softsign", "LogSigmoid", "Identity",
        )
    },
}  # fmt: skip
FINITE = {"BCELoss": nn.Sigmoid, "NLLLoss": lambda: nn.LogSoftmax(1)}
LOSSES: dict[str, str] = {
    "MSELoss": "real", "L1Loss": "real", "SmoothL1Loss": "real", "HuberLoss": "real",
    "CrossEntropyLoss": "class", "NLLLoss": "class", "MultiMarginLoss": "class",
    "BCEWithLogitsLoss": "chance", "BCELoss": "chance", "SoftMarginLoss": "sign",
    "KLDivLoss": "chance", "PoissonNLLLoss": "chance",
}  # fmt: skip
OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.01}),
    ("AdamW", {"maximize": True}),
    *[(name, {}) for name in ("Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "Adagrad")],
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adadelta", {}),
]


class Residual(nn.Module):
    """x + f(x), with views and an assignment within."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Any) -> Any:
        """Both, and the first column again."""
        y = self.inner(x).tanh()
        z = y.clone()
        z[:, 0] = y[:, 1] * 2
        return x + z.view(-1).reshape(x.shape[0], WIDTH)


def target(kind: str, rng: np.random.Generator, dtype: str) -> Any:
    shape = (ROWS, WIDTH)
    if kind == "class":
        return autograd.tensor(rng.integers(0, WIDTH, ROWS))
    if kind == "sign":
        return autograd.tensor(rng.choice([-1.0, 1.0], shape), dtype=dtype)
    values = rng.random(shape) if kind == "chance" else rng.standard_normal(shape)
    return autograd.tensor(values, dtype=dtype)


class Case:
    """What a seed draws; `train` runs it, and returns everything that it changed."""

    def __init__(self, seed: int):
        draw = random.Random(seed)
        self.seed, self.dtype = seed, draw.choice(["float32", "float64"])
        self.layers = ["Linear", *draw.choices(list(LAYERS), k=draw.randint(1, 4)), "Linear"]
        self.loss = list(LOSSES)[seed % len(LOSSES)]
        self.optimizer, self.options = OPTIMIZERS[seed % len(OPTIMIZERS)]
        self.passes = [name for name in ALL_PASSES if draw.random() < 0.6]
        self.clip = draw.choice([None, "norm", "value"])
        self.micro = draw.choice([1, 2])
        self.clear = draw.choice(["before", "zeros", "after"])

    def __repr__(self) -> str:
        parts = [*self.layers, self.loss, self.optimizer, *self.options, self.dtype, *self.passes]
        return f"{self.seed}: {' '.join(map(str, [*parts, self.clip, self.micro, self.clear]))}"

    def train(self, fast: bool) -> tuple[list[Any], Any]:
        """Results, parameters, buffers, gradients and the optimizer's state, step by step."""
        autograd.manual_seed(self.seed)
        layers = [LAYERS[name]() for name in self.layers]
        if self.loss in FINITE:
            layers.append(FINITE[self.loss]())
        model = nn.Sequential(*layers)
        model = model.double() if self.dtype == "float64" else model
        criterion = getattr(nn, self.loss)()
        optimizer = getattr(optim, self.optimizer)(model.parameters(), lr=0.01, **self.options)

        def step(x: Any, y: Any) -> Any:
            if self.clear != "after":
                optimizer.zero_grad(set_to_none=self.clear == "before")
            losses = []
            for k in range(self.micro):
                part = slice(k * ROWS // self.micro, (k + 1) * ROWS // self.micro)
                loss = criterion(model(x[part]), y[part]) / self.micro
                loss.backward()
                losses.append(loss)
            if self.clip == "norm":
                losses.append(nn.utils.clip_grad_norm_(model.parameters(), 0.05))
            elif self.clip == "value":
                nn.utils.clip_grad_value_(model.parameters(), 0.01)
            optimizer.step()
            if self.clear == "after":
                optimizer.zero_grad()
            return losses

        run = autograd.compile(step, passes=self.passes) if fast else step
        seen: list[Any] = []
        for i in range(STEPS):
            rng = np.random.default_rng([self.seed, i])
            x = autograd.tensor(rng.standard_normal((ROWS, WIDTH)), dtype=self.dtype)
            results = run(x, target(LOSSES[self.loss], rng, self.dtype))
            seen += [r.detach().numpy().copy() for r in results]
            seen += [t.detach().numpy().copy() for t in model.state_dict().values()]
            seen += [p.grad.numpy().copy() for p in model.parameters() if p.grad is not None]
            for state in optimizer.state_dict()["state"].values():
                seen += [np.array(value) for value in state.values()]
        return seen, getattr(run, "plan", None)


@pytest.mark.filterwarnings("ignore:kl_div")
@pytest.mark.parametrize("case", [Case(seed) for seed in range(65)], ids=lambda case: case.seed)
def test_random_models(case: Case):
    (expected, _), (found, plan) = case.train(False), case.train(True)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes(), (case, plan)
    assert plan is not None, case


# One trap each


class Small:
    """A small model in training, whose step is `body(self, x)`."""

    def __init__(self, body: Any, fast: bool, **options: Any):
        autograd.manual_seed(0)
        self.model = nn.Linear(3, 2).double()
        self.optimizer = optim.SGD(self.model.parameters(), **{"lr": 0.1, **options})
        self.body = body
        self.run = autograd.compile(self.step) if fast else self.step

    def step(self, x: Any) -> Any:
        """One step."""
        return self.body(self, x)

    def loss(self, x: Any) -> Any:
        """A loss, after its backward pass."""
        loss = self.model(x).square().mean()
        loss.backward()
        return loss


def plain(self: Small, x: Any) -> Any:
    self.optimizer.zero_grad()
    loss = self.loss(x)
    self.optimizer.step()
    return loss


def rows(i: int, n: int = 4) -> Any:
    return autograd.tensor(np.random.default_rng(i).standard_normal((n, 3)))


def drive(body: Any, between: Any = None, steps: int = 10, **options: Any) -> None:
    """Eager and compiled side by side, with `between(small, i)` before each step."""
    eager, fast = Small(body, False, **options), Small(body, True, **options)
    for i in range(steps):
        results = []
        for small in (eager, fast):
            if between is not None:
                between(small, i)
            autograd.manual_seed(i)
            results.append(small.run(rows(i)).detach().numpy())
            results.append(small.model.weight.detach().numpy().copy())
        np.testing.assert_array_equal(results[2], results[0])
        np.testing.assert_array_equal(results[3], results[1])


def test_a_learning_rate_that_becomes_a_tensor():
    def between(small: Small, i: int) -> None:
        group = small.optimizer.param_groups[0]
        if i == 4:
            group["lr"] = autograd.tensor(0.5)
        elif i > 4:
            group["lr"].fill_(0.1 / i)

    drive(plain, between)


def test_a_group_added_later():
    def body(self: Any, x: Any) -> Any:
        self.optimizer.zero_grad()
        self.more.grad = None
        loss = (self.model(x) * self.more).square().mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def between(small: Any, i: int) -> None:
        if i == 0:
            small.more = autograd.ones(2, dtype="float64", requires_grad=True)
        if i == 5:
            small.optimizer.add_param_group({"params": [small.more], "lr": 0.3})

    drive(body, between)


def test_a_hook_that_comes_and_goes():
    def between(small: Any, i: int) -> None:
        if i == 4:
            small.handle = small.model.register_forward_hook(lambda m, args, out: out * 2)
        if i == 6:
            small.handle.remove()

    drive(plain, between)


def test_gradients_that_the_user_keeps():
    def kept(fast: bool, take: Any) -> list[Any]:
        small = Small(plain, fast)
        held = []
        for i in range(8):
            small.run(rows(i))
            held.append(take(small.model.weight))
        return [np.asarray(h) for h in held]

    def cleared(w: Any) -> Any:
        g, w.grad = w.grad, None
        return g

    takes = [lambda w: w.grad, lambda w: w.grad.numpy(), lambda w: w.grad[0], cleared]
    takes += [lambda w: w.grad.numpy()[1:], lambda w: w.grad.detach().T]
    for take in takes:
        for a, b in zip(kept(True, take), kept(False, take), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_checkpoint_draws_the_same_dropout_again():
    def body(self: Small, x: Any) -> Any:
        self.optimizer.zero_grad()
        out = autograd.checkpoint(lambda x: nn.functional.dropout(self.model(x), 0.5).tanh(), x)
        loss = out.square().mean()
        loss.backward()
        self.optimizer.step()
        return loss

    drive(body)


def test_norms_of_ones_own_are_recorded():
    def body(self: Small, x: Any) -> Any:
        self.optimizer.zero_grad()
        self.loss(x)
        norm = optim.get_total_norm([p.grad for p in self.model.parameters()])
        optim.clip_grads_with_norm_(self.model.parameters(), 0.01, norm)
        self.optimizer.step()
        return norm

    drive(body)


def test_a_strided_parameter():
    def body(self: Any, x: Any) -> Any:
        if not self.model.weight.value.flags.f_contiguous:
            self.model.weight.value = np.asfortranarray(self.model.weight.value)
        return plain(self, x)

    drive(body)


def test_rows_are_limited_at_each_replay():
    def trained(fast: bool) -> Any:
        autograd.manual_seed(0)
        table = nn.Embedding(6, 4, max_norm=1.0)
        optimizer = optim.SGD(table.parameters(), lr=0.5)

        def step(index: Any) -> Any:
            optimizer.zero_grad()
            loss = (table(index) ** 3).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = autograd.compile(step) if fast else step
        for i in range(12):
            run(autograd.tensor(np.random.default_rng(i).integers(0, 6, (3, 4))))
        return table.weight.detach().numpy()

    np.testing.assert_array_equal(trained(True), trained(False))


def test_one_tensor_for_two_arguments():
    fast = autograd.compile(lambda x, y: x * 2 + y)
    for i in range(6):
        fast(rows(i), rows(i)) if i % 2 else [fast(t, t) for t in (rows(i),)]
        x, y = rows(i), rows(i + 1)
        np.testing.assert_array_equal(fast(x, y).numpy(), (x * 2 + y).numpy())
        np.testing.assert_array_equal(fast(x, x).numpy(), (x * 2 + x).numpy())


def test_structure_and_numbers_are_part_of_the_key():
    @autograd.compile
    def step(x: Any, given: Any = None, scale: Any = 1) -> Any:
        part = given["a"] * 2 if "a" in given else given["b"] * 3
        return x * scale + part

    x = autograd.tensor([1.0])
    for i in range(24):
        name, scale = "ab"[i % 2], [1, True, 1.0, np.float32(2), np.int64(3), 0.0, -0.0][i % 7]
        expected = float(scale) + (2 if name == "a" else 3)
        with pytest.MonkeyPatch.context():
            step.limit = 32
            assert step(x, given={name: x}, scale=scale).item() == expected


def test_the_sign_of_zero_is_kept():
    fast = autograd.compile(lambda x: (x * 0.0, x * -0.0))
    for _ in range(4):
        a, b = fast(autograd.tensor([1.0]))
    assert [np.signbit(t.item()) for t in (a, b)] == [False, True]


def test_a_value_read_outside_is_watched():
    scale = autograd.tensor(2.0)
    fast = autograd.compile(lambda x: x * scale.item())
    for i in range(9):
        if i % 3 == 0:
            scale.fill_(float(i + 1))
        assert fast(autograd.tensor([1.0])).item() == i // 3 * 3 + 1


def test_accumulating_in_a_loop():
    def accumulated(fast: bool) -> Any:
        small = Small(lambda self, x: self.loss(x), fast)
        for _ in range(4):
            small.model.zero_grad()
            small.run(rows(0))
        small.model.zero_grad()
        batches = [(rows(i),) for i in range(40)]
        small.run.loop(batches) if fast else [small.run(*b) for b in batches]
        return small.model.weight.grad.numpy()

    np.testing.assert_array_equal(accumulated(True), accumulated(False))


def scheduled(self: Small, x: Any) -> Any:
    loss = plain(self, x)
    optim.lr_scheduler.StepLR(self.optimizer, 2).step()
    return loss


def seeded(self: Small, x: Any) -> Any:
    autograd.manual_seed(0)
    return nn.functional.dropout(x, 0.5)


def averaged(self: Small, x: Any) -> Any:
    loss = plain(self, x)
    optim.swa_utils.AveragedModel(self.model).update_parameters(self.model)
    return loss


def searched(self: Small, x: Any) -> Any:
    return optim.LBFGS(self.model.parameters()).step(lambda: self.loss(x))


def in_place(self: Small, x: Any) -> Any:
    return x.add_(1.0)


def of_an_argument(self: Small, x: Any) -> Any:
    (x * x).sum().backward()
    return x.detach()


def unrecorded(self: Small, x: Any) -> Any:
    y = x * 2
    y.value[0] = 0.0
    y.version[0] += 1
    return y


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (scheduled, "scheduler.step"),
        (seeded, "seed"),
        (averaged, "read|changed"),
        (searched, "LBFGS.step"),
        (in_place, "argument of the step in place"),
        (of_an_argument, "argument"),
        (unrecorded, "not recorded"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
@pytest.mark.filterwarnings("ignore")
def test_refused(body: Any, named: str):
    small = Small(body, True)
    x = rows(0).requires_grad_(body is of_an_argument)
    with pytest.raises(autograd.RecordError, match=named):
        small.run(x)


def test_a_long_training_leaves_memory_flat():
    import tracemalloc

    small = Small(plain, True)
    x = rows(0)
    for _ in range(100):
        small.run(x)
    before = changes[0]
    tracemalloc.start()
    for _ in range(20_000):
        small.run(x)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 10_000
    assert changes[0] == before
