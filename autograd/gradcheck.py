"""Derivatives against finite differences: `gradcheck`, `gradgradcheck`, for your own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import dtypes
from autograd.backward import grad
from autograd.modes import enable_grad, no_grad
from autograd.tensor import Tensor


class GradcheckError(RuntimeError):
    """The derivative of a function differs from its finite differences."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compare the Jacobian of `func` with central differences of step `eps`.

    Give float64 inputs with requires_grad.  True, or GradcheckError (False with
    `raise_exception=False`) naming the input, the output and both Jacobians.
    """
    try:
        _check(func, _tuple(inputs), eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """`gradcheck` of the gradient: second derivatives, also with respect to `grad_outputs`.

    `grad_outputs`: one per output; random numbers from a fixed seed where left out.
    """
    xs = _tuple(inputs)
    outs = [o for o in _tuple(func(*xs)) if o.is_floating_point()]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        grad_outputs = [Tensor.wrap(np.asarray(rng.standard_normal(o.shape))) for o in outs]
        for g in grad_outputs:
            g.tracked = True
    seeds = _tuple(grad_outputs)

    def gradient(*args: Tensor) -> Any:
        values = [o for o in _tuple(func(*args[: len(xs)])) if o.is_floating_point()]
        wanted = [x for x in args[: len(xs)] if isinstance(x, Tensor) and x.tracked]
        return grad(
            values,
            wanted,
            args[len(xs) :],
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )

    return gradcheck(gradient, (*xs, *seeds), eps, atol, rtol, raise_exception)


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _check(
    func: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float
) -> None:
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.tracked]
    if not wanted:
        raise ValueError(
            "gradcheck: none of the inputs requires grad, so there is nothing to check"
        )
    for i in wanted:
        if inputs[i].dtype != dtypes.float64:
            raise ValueError(
                f"gradcheck: input {i} is {inputs[i].dtype.name}; finite differences need float64"
            )
    with enable_grad():
        outs = [o for o in _tuple(func(*inputs)) if isinstance(o, Tensor) and o.is_floating_point()]
    for i in wanted:
        numeric = _numeric(func, inputs, i, eps)
        for j, out in enumerate(outs):
            analytic = _analytic(out, inputs[i])
            if not np.allclose(analytic, numeric[j], rtol, atol):
                raise GradcheckError(
                    f"gradcheck: the derivative of output {j} with respect to input {i} differs by"
                    f" {np.abs(analytic - numeric[j]).max():.3g}.\nbackward:\n{analytic}\n"
                    f"finite differences:\n{numeric[j]}"
                )


def _analytic(out: Tensor, x: Tensor) -> np.ndarray:
    table = np.zeros((x.numel(), out.numel()))
    if not out.tracked:
        return table
    for k in range(out.numel()):
        seed = np.zeros(out.numel())
        seed[k] = 1
        g = grad(
            out, x, Tensor.wrap(seed.reshape(out.shape)), retain_graph=True, allow_unused=True
        )[0]
        if g is not None:
            table[:, k] = g.array.ravel()
    return table


def _numeric(
    func: Callable[..., Any], inputs: tuple[Any, ...], i: int, eps: float
) -> list[np.ndarray]:
    """Central differences of every output by every element of input `i`: (elements, outputs)."""
    shape = inputs[i].shape
    values = inputs[i].array.astype(np.float64).ravel()
    columns: list[list[np.ndarray]] = []
    for k in range(values.size):
        sides = []
        for step in (eps, -eps):
            moved = values.copy()
            moved[k] += step
            args = list(inputs)
            args[i] = Tensor.wrap(moved.reshape(shape))
            args[i].tracked = True
            with enable_grad():
                outs = _tuple(func(*args))
            sides.append([o.array.ravel() for o in outs if o.is_floating_point()])
        columns.append([(up - down) / (2 * eps) for up, down in zip(*sides, strict=True)])
    if not columns:
        with no_grad():
            return [np.zeros((0, o.numel())) for o in _tuple(func(*inputs))]
    return [np.array(per_output) for per_output in zip(*columns, strict=True)]
