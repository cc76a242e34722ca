"""L-BFGS: a quasi-Newton method, for whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Tensor, enable_grad
from autograd.modes import modes
from optim.limits import check_values
from optim.optimizer import Optimizer, Params
from optim.wolfe import Point, strong_wolfe


class LBFGS(Optimizer):
    """Limited-memory BFGS (Liu & Nocedal 1989): p = p - t H g, where H is built from past steps.

    With s = the last step, y = the change of g over it, rho = 1 / (s . y):
    H = (1 - rho s y^T) H (1 - rho y s^T) + rho s s^T, unrolled over the last `history_size` steps
    and begun at (s . y) / (y . y).

    One call of `step(closure)` makes up to `max_iter` iterations, of at most `max_eval` evaluations
    (default 5/4 `max_iter`), until max |g| <= `tolerance_grad`, or the loss or all parameters
    change by less than `tolerance_change`.  t is `lr`, or with `line_search_fn="strong_wolfe"` what
    the line search finds from there.  One parameter group only.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        check_values(group)
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError(
                "only 'strong_wolfe' is supported as line_search_fn, or None; got"
                f" {group['line_search_fn']!r}"
            )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Called once: there is one group."""
        if self.param_groups:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        super().add_param_group(param_group)

    # The parameters as one vector

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _gradient(self) -> np.ndarray:
        parts = [
            np.zeros(p.numel(), p.dtype) if p._grad is None else p._grad.array.ravel()
            for p in self._params
        ]
        return np.concatenate(parts)

    def _move(self, t: Any, d: np.ndarray) -> None:
        """p = p + t d."""
        start = 0
        for p in self._params:
            part = d[start : start + p.numel()].reshape(p.shape)
            np.add(p.array, t * part, out=p.array, casting="same_kind")
            p.version[0] += 1
            start += p.numel()

    def _put(self, values: list[np.ndarray]) -> None:
        for p, value in zip(self._params, values):
            np.copyto(p.array, value)
            p.version[0] += 1

    # Iterations

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Iterate; returns the loss before.

        `closure`: clears the gradients, computes the loss and its gradients, and returns the loss.
        """
        if modes.recorder is not None:
            modes.recorder.refuse(
                "LBFGS.step calls its closure as often as the values it reads ask for",
                "compile the closure, and call step(closure) outside of the compiled step",
            )
        closure, group = enable_grad()(closure), self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        before = closure()
        now, evaluations = Point(0.0, _number(before), self._gradient(), 0.0), 1
        state["func_evals"] += 1
        if np.abs(now.gradient).max() <= group["tolerance_grad"]:
            return before
        memory = _Memory(state, group["history_size"])
        for i in range(group["max_iter"]):
            state["n_iter"] += 1
            t = memory.turn(now, _number(group["lr"]), first=state["n_iter"] == 1)
            start = now._replace(t=0.0, slope=float(now.gradient.dot(memory.d)))
            if start.slope > -group["tolerance_change"]:
                break
            last, tries = i == group["max_iter"] - 1, group["max_eval"] - evaluations
            now, made = self._advance(closure, start, t, memory.d, tries, last)
            memory.t, evaluations = now.t, evaluations + made
            state["func_evals"] += made
            if last or evaluations >= group["max_eval"] or self._settled(start, now, memory.d):
                break
        memory.save(state)
        return before

    def _advance(
        self,
        closure: Callable[[], Any],
        start: Point,
        t: float,
        d: np.ndarray,
        tries: int,
        last: bool,
    ) -> tuple[Point, int]:
        """Go t d, or what a line search finds in `tries`; what is known there, evaluations made.

        The `last` iteration does not look where it went, as nobody would ask.
        """

        def here(t: float) -> Point:
            loss, g = _number(closure()), self._gradient()
            return Point(t, loss, g, float(g.dot(d)))

        def there(t: float) -> Point:
            self._move(t, d)
            point = here(t)
            self._put(values)
            return point

        if self.param_groups[0]["line_search_fn"] is None:
            self._move(t, d)
            return (start._replace(t=t), 0) if last else (here(t), 1)
        values = [p.array.copy() for p in self._params]
        least, longest = self.param_groups[0]["tolerance_change"], float(np.abs(d).max())
        point, made = strong_wolfe(there, start, t, longest, least, tries)
        self._move(point.t, d)
        return point, made

    def _settled(self, start: Point, now: Point, d: np.ndarray) -> bool:
        """True when the gradient is small, or hardly anything changed."""
        group = self.param_groups[0]
        least = group["tolerance_change"]
        return bool(
            np.abs(now.gradient).max() <= group["tolerance_grad"]
            or np.abs(now.t * d).max() <= least
            or abs(now.f - start.f) < least
        )


class _Memory:
    """What an optimizer remembers: the last direction and gradient, and the history (s, y, rho)."""

    def __init__(self, state: dict[str, Any], size: int):
        self.size = size
        self.d, self.g = _array(state.get("d")), _array(state.get("prev_flat_grad"))
        self.t, self.loss = _number(state.get("t", 0.0)), _number(state.get("prev_loss", 0.0))
        self.steps = [_array(s) for s in state.get("old_stps") or ()]
        self.changes = [_array(y) for y in state.get("old_dirs") or ()]
        self.rhos = [_number(rho) for rho in state.get("ro") or ()]
        self.scale = _number(state.get("H_diag", 1.0))

    def save(self, state: dict[str, Any]) -> None:
        """Write what is known into the optimizer's state, under PyTorch's names."""
        state.update(
            d=Tensor.wrap(self.d),
            t=self.t,
            old_dirs=[Tensor.wrap(y) for y in self.changes],
            old_stps=[Tensor.wrap(s) for s in self.steps],
            ro=list(self.rhos),
            H_diag=self.scale,
            prev_flat_grad=Tensor.wrap(self.g),
            prev_loss=self.loss,
        )

    def turn(self, now: Point, lr: float, first: bool) -> float:
        """Set the direction d = -H g from here; returns the t to try first."""
        g = now.gradient
        if first:
            self.steps, self.changes, self.rhos, self.scale = [], [], [], 1.0
            self.d = -g
        else:
            self._learn(g - self.g, self.d * self.t)
            self.d = self._direction(g)
        self.g, self.loss = g, now.f
        with np.errstate(divide="ignore"):
            self.t = float(min(1.0, 1.0 / np.abs(g).sum())) * lr if first else lr
        return self.t

    def _learn(self, y: np.ndarray, s: np.ndarray) -> None:
        """Add a step and what it changed, if the curvature along it is positive."""
        curvature = y.dot(s)
        if not curvature > 1e-10:
            return
        if len(self.steps) == self.size:
            for history in (self.steps, self.changes, self.rhos):
                history.pop(0)
        self.steps.append(s)
        self.changes.append(y)
        self.rhos.append(float(1.0 / curvature))
        self.scale = float(curvature / y.dot(y))

    def _direction(self, g: np.ndarray) -> np.ndarray:
        """-H g by the two-loop recursion (Nocedal & Wright, algorithm 7.4)."""
        q, shares = -g, []
        for s, y, rho in zip(self.steps[::-1], self.changes[::-1], self.rhos[::-1]):
            shares.append(float(s.dot(q)) * rho)
            q -= shares[-1] * y
        q *= self.scale
        for s, y, rho, share in zip(self.steps, self.changes, self.rhos, shares[::-1]):
            q += (share - float(y.dot(q)) * rho) * s
        return q


def _number(value: Any) -> float:
    """A loss, or an option, as a Python number."""
    return float(value.item() if isinstance(value, Tensor) else value)


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else value
