"""L-BFGS against PyTorch: with and without line search, saved and resumed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import autograd
import optim
from optim.wolfe import FLAT, SUFFICIENT, Point, cubic_minimum, strong_wolfe
from tests.faces import PYTORCH, cases, check, ours, pytorch


def valley(fw: Any, start: Any = None) -> tuple[list[Any], Any]:
    """Rosenbrock's function of five numbers, in parameters of three shapes."""
    start = np.array([-1.2, 1.0, 0.5, 0.3, -0.4]) if start is None else start
    parts = [start[:3], start[3:4].reshape(1, 1), start[4]]
    params = [fw.torch.tensor(np.array(part), requires_grad=True) for part in parts]

    def loss() -> Any:
        x, y, z = params
        bend = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        return bend + ((y - x[2]) ** 2).sum() + (z - y.sum()) ** 2

    return params, loss


def descend(fw: Any, optimizer: Any, loss: Any, calls: int) -> list[float]:
    def closure() -> Any:
        optimizer.zero_grad()
        out = loss()
        out.backward()
        return out

    return [optimizer.step(closure).item() for _ in range(calls)]


def run(**options: Any) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        params, loss = valley(fw)
        optimizer = fw.optim.LBFGS(params, **options)
        losses = descend(fw, optimizer, loss, 3)
        state = optimizer.state[params[0]]
        counts = {name: state[name] for name in ("func_evals", "n_iter")}
        numbers = {name: float(state[name]) for name in ("t", "H_diag", "prev_loss")}
        return {
            "losses": losses,
            **dict(zip("abc", params)),
            **counts,
            **numbers,
            "kept": len(state["old_dirs"]),
            "d": state["d"],
        }

    return case


TABLE = {
    "LBFGS": run(max_iter=8),
    "LBFGS slow": run(lr=0.01, max_iter=4),
    "LBFGS short": run(lr=0.5, history_size=2, max_iter=3),
    "LBFGS wolfe": run(line_search_fn="strong_wolfe", max_iter=6),
    "LBFGS wolfe short": run(line_search_fn="strong_wolfe", history_size=3, max_iter=7),
    "LBFGS wolfe few": run(line_search_fn="strong_wolfe", max_eval=3),
    "LBFGS wolfe one": run(line_search_fn="strong_wolfe", max_eval=2, max_iter=3),
    "LBFGS wolfe timid": run(line_search_fn="strong_wolfe", lr=1e-5, max_iter=2),
    "LBFGS wolfe bold": run(line_search_fn="strong_wolfe", lr=100.0, max_iter=3),
    "LBFGS tolerant": run(tolerance_grad=50.0, max_iter=5),
    "LBFGS change": run(tolerance_change=0.5, line_search_fn="strong_wolfe"),
    "LBFGS single": run(max_iter=1),
}


@cases(TABLE)
def test_as_pytorch(name: str, case: Any) -> None:
    check("optim", name, case, rtol=1e-7)  # 20 iterations multiply what rounding does


def test_finds_the_minimum() -> None:
    params, loss = valley(ours())
    optimizer = optim.LBFGS(params, line_search_fn="strong_wolfe", max_iter=100)
    descend(ours(), optimizer, loss, 1)
    for p in params:
        np.testing.assert_allclose(p.detach().numpy(), np.ones(p.shape), rtol=1e-5)


def test_float32() -> None:
    p = autograd.tensor([3.0, -2.0], requires_grad=True)
    optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")
    descend(ours(), optimizer, lambda: ((p - autograd.tensor([1.0, 2.0])) ** 2).sum(), 1)
    np.testing.assert_allclose(p.detach().numpy(), [1.0, 2.0], rtol=1e-5)
    assert p.dtype == autograd.float32


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("after", [0, 2])
def test_resume(search: str | None, after: int) -> None:
    options: Any = dict(lr=0.5, max_iter=4, line_search_fn=search)
    params, loss = valley(ours())
    optimizer = optim.LBFGS(params, **options)
    descend(ours(), optimizer, loss, after)
    saved = copy.deepcopy(optimizer.state_dict())
    start = np.concatenate([p.detach().numpy().ravel() for p in params])
    again, same_loss = valley(ours(), start)
    resumed = optim.LBFGS(again)
    resumed.load_state_dict(saved)
    assert descend(ours(), resumed, same_loss, 3) == descend(ours(), optimizer, loss, 3)


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch")
def test_state_crosses() -> None:
    import torch

    options: Any = dict(max_iter=4, line_search_fn="strong_wolfe")
    params, loss = valley(pytorch())
    theirs = torch.optim.LBFGS(params, **options)
    descend(pytorch(), theirs, loss, 2)
    saved = copy.deepcopy(theirs.state_dict())
    start = np.concatenate([p.detach().numpy().ravel() for p in params])
    expected = descend(pytorch(), theirs, loss, 2)

    params, loss = valley(ours(), start)
    optimizer = optim.LBFGS(params, **options)
    optimizer.load_state_dict(saved)

    def crossed(value: Any) -> Any:
        if isinstance(value, autograd.Tensor):
            return torch.tensor(value.numpy())
        return [crossed(v) for v in value] if isinstance(value, list) else value

    back = {k: crossed(v) for k, v in optimizer.state_dict()["state"][0].items()}
    back = copy.deepcopy(back)
    np.testing.assert_allclose(descend(ours(), optimizer, loss, 2), expected, 1e-9)
    params, loss = valley(pytorch(), start)
    theirs = torch.optim.LBFGS(params, **options)
    theirs.load_state_dict({**saved, "state": {0: back}})
    np.testing.assert_allclose(descend(pytorch(), theirs, loss, 2), expected, 1e-9)


def test_refuses() -> None:
    p, q = (autograd.zeros(1, requires_grad=True) for _ in range(2))
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        optim.LBFGS([p]).add_param_group({"params": q})
    with pytest.raises(RuntimeError, match=r"only 'strong_wolfe' is supported.*'armijo'"):
        optim.LBFGS([p], line_search_fn="armijo")
    with pytest.raises(ValueError, match="learning rate: nan"):
        optim.LBFGS([p], lr=float("nan"))
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([p]).step()  # type: ignore[call-arg]


def test_closures_and_gradients_of_every_kind() -> None:
    """A closure that returns a number; no gradient for q; under no_grad; lr as a tensor; hooks."""
    p, q = (autograd.ones(2, requires_grad=True) for _ in range(2))
    optimizer = optim.LBFGS([p, q], lr=autograd.tensor(1.0))
    told = []
    optimizer.register_step_post_hook(lambda *given: told.append(given))

    def closure() -> float:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss.item()

    with autograd.no_grad():
        assert optimizer.step(closure) == 2.0
    np.testing.assert_allclose(p.detach().numpy(), [0, 0], atol=1e-6)
    np.testing.assert_array_equal(q.detach().numpy(), [1, 1])
    assert len(told) == 1


def test_a_step_counts_as_an_in_place_change() -> None:
    p = autograd.ones(2, requires_grad=True)
    out = (p * p).sum()
    optimizer = optim.LBFGS([p], max_iter=1)
    descend(ours(), optimizer, lambda: (p * p).sum(), 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_nan_ends_quietly() -> None:
    p = autograd.ones(2, requires_grad=True)
    for search in (None, "strong_wolfe"):
        optimizer = optim.LBFGS([p], line_search_fn=search)
        losses = descend(ours(), optimizer, lambda: (p * float("nan")).sum(), 1)
        assert np.isnan(losses).all()


# The line search by itself


def along(f: Any, slope: Any) -> Any:
    d = np.array([1.0])
    return lambda t: Point(t, f(t), np.array([slope(t)]), float(slope(t) * d[0]))


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0])
def test_both_wolfe_conditions_hold(first: float) -> None:
    """The first function of More and Thuente (1994): -t / (t^2 + 2)."""
    evaluate = along(lambda t: -t / (t**2 + 2), lambda t: (t**2 - 2) / (t**2 + 2) ** 2)
    start = evaluate(0.0)
    point, made = strong_wolfe(evaluate, start, first, 1.0, 1e-9, 25)
    assert point.f <= start.f + SUFFICIENT * point.t * start.slope
    assert abs(point.slope) <= FLAT * abs(start.slope)
    assert made <= 25


def test_cubic_minimum() -> None:
    f, slope = (lambda t: t**3 - 3 * t), (lambda t: 3 * t**2 - 3)
    a, b = (Point(t, f(t), np.zeros(1), slope(t)) for t in (0.0, 3.0))
    assert cubic_minimum(a, b, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(b, a, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(a, b, 1.5, 3.0) == 1.5
    a, b = (Point(t, -t, np.zeros(1), -1.0) for t in (0.0, 1.0))
    assert cubic_minimum(a, b, 0.0, 2.0) == 2.0  # a line that falls
    a, b = (Point(t, t**3 + t, np.zeros(1), 3 * t**2 + 1) for t in (0.0, 1.0))
    assert cubic_minimum(a, b, 0.0, 1.0) == 0.5  # rises everywhere
    assert cubic_minimum(a, a, 0.0, 2.0) == 1.0  # no cubic through one point
