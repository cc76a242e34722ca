"""Derivatives of functions: vjp, jvp, jacobian, hessian, hvp, as in `torch.autograd.functional`.

`func` takes tensors and returns a tensor (for hessian and hvp: a single number); `inputs` is a
tensor or a tuple of them, and results have the same structure.  `create_graph=True` keeps results
differentiable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.backward import grad
from autograd.errors import ShapeError
from autograd.modes import enable_grad
from autograd.op import ops
from autograd.tensor import Tensor

Structure = Tensor | tuple[Tensor, ...]


def vjp(
    func: Callable[..., Any], inputs: Structure, v: Any = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(outputs, v^T J): func's gradient weighted by `v` (of the output's shape; 1 for a number)."""
    xs = _fresh(inputs, create_graph)
    with enable_grad():
        out = func(*xs)
    grads = grad(out, xs, v, create_graph=create_graph, allow_unused=True, materialize_grads=True)
    return _done(out, create_graph), _like(inputs, grads)


def jvp(
    func: Callable[..., Any], inputs: Structure, v: Any = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(outputs, J v): the directional derivative along `v` (of the inputs' structure).

    Reverse mode twice: u -> u^T J is linear in u, and its derivative is J.
    """
    xs = _fresh(inputs, create_graph)
    vs = [Tensor.wrap(np.ones(x.shape, x.dtype)) for x in xs] if v is None else list(_tuple(v))
    _match(xs, vs)
    with enable_grad():
        out = func(*xs)
        outs = _tuple(out)
        us = [_leaf(np.zeros(o.shape, o.dtype)) for o in outs]
        grads: Any = grad(
            outs, xs, us, create_graph=True, allow_unused=True, materialize_grads=True
        )
        tracked = [(g, d) for g, d in zip(grads, vs, strict=True) if g.tracked]
        if tracked:
            gs, ds = zip(*tracked, strict=True)
            found = grad(
                gs, us, ds, create_graph=create_graph, allow_unused=True, materialize_grads=True
            )
        else:
            found = tuple(Tensor.wrap(np.zeros(o.shape, o.dtype)) for o in outs)
    return _done(out, create_graph), _like(out, found)


def jacobian(func: Callable[..., Any], inputs: Structure, create_graph: bool = False) -> Any:
    """D out / d input, of shape (*out.shape, *input.shape); tuples nest as output, then input."""
    xs = _fresh(inputs, create_graph)
    with enable_grad():
        out = func(*xs)
    table = [_like(inputs, _rows(o, xs, create_graph)) for o in _tuple(out)]
    return tuple(table) if isinstance(out, tuple) else table[0]


def hessian(func: Callable[..., Any], inputs: Structure, create_graph: bool = False) -> Any:
    """Second derivatives of a func that returns one number; shape (*input.shape, *input.shape)."""

    def gradient(*xs: Tensor) -> Any:
        grads = grad(
            _number("hessian", func(*xs)),
            xs,
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return grads if isinstance(inputs, tuple) else grads[0]

    return jacobian(gradient, inputs, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Structure, v: Any = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """(output, H v) for a func that returns one number, at the cost of two backward passes."""
    xs = _fresh(inputs, create_graph)
    vs = [Tensor.wrap(np.ones(x.shape, x.dtype)) for x in xs] if v is None else list(_tuple(v))
    _match(xs, vs)
    with enable_grad():
        out = _number("hvp", func(*xs))
        grads: Any = grad(out, xs, create_graph=True, allow_unused=True, materialize_grads=True)
        products = [ops.sum(ops.mul(g, d)) for g, d in zip(grads, vs, strict=True) if g.tracked]
        found: Any = [None] * len(xs)
        if products:
            total = products[0]
            for p in products[1:]:
                total = ops.add(total, p)
            found = grad(total, xs, create_graph=create_graph, allow_unused=True)
    zeros = [
        Tensor.wrap(np.zeros(x.shape, x.dtype)) if h is None else h
        for h, x in zip(found, xs, strict=True)
    ]
    return _done(out, create_graph), _like(inputs, zeros)


vhp = hvp
"""H is symmetric, so v^T H is H v."""


def _rows(out: Tensor, xs: tuple[Tensor, ...], create_graph: bool) -> list[Tensor]:
    """The Jacobian of one output, a backward pass per element."""
    rows: list[list[Any]] = [[] for _ in xs]
    for i in range(out.numel()):
        seed = np.zeros(out.numel(), out.dtype)
        seed[i] = 1
        if out.tracked:
            grads = grad(
                out,
                xs,
                Tensor.wrap(seed.reshape(out.shape)),
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
                materialize_grads=True,
            )
        else:
            grads = tuple(Tensor.wrap(np.zeros(x.shape, x.dtype)) for x in xs)
        for row, g in zip(rows, grads, strict=True):
            row.append(g)
    return [
        ops.reshape(ops.stack(row), (*out.shape, *x.shape))
        if row
        else Tensor.wrap(np.zeros((*out.shape, *x.shape), x.dtype))
        for row, x in zip(rows, xs, strict=True)
    ]


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _leaf(value: Any) -> Tensor:
    t = Tensor.wrap(value)
    t.tracked = True
    return t


def _fresh(inputs: Structure, create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs as tensors to differentiate by; part of the caller's graph with create_graph."""
    xs = []
    for x in _tuple(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"inputs must be Tensors, got {type(x).__name__}")
        if create_graph and x.tracked:
            with enable_grad():
                xs.append(ops.clone(x))
        else:
            xs.append(_leaf(x.value))
    return tuple(xs)


def _done(out: Any, create_graph: bool) -> Any:
    if create_graph:
        return out
    return _like(out, [Tensor.wrap(o.value) for o in _tuple(out)])


def _like(structure: Any, found: Any) -> Any:
    return tuple(found) if isinstance(structure, (tuple, list)) else found[0]


def _number(name: str, out: Any) -> Tensor:
    if not isinstance(out, Tensor) or out.numel() != 1:
        raise ShapeError(f"{name}: the function must return one number, got shape {out.shape}")
    return ops.reshape(out, ()) if out.ndim else out


def _match(xs: Any, vs: Any) -> None:
    if len(xs) != len(vs) or any(x.shape != v.shape for x, v in zip(xs, vs, strict=True)):
        raise ShapeError(
            f"v has the shapes {[v.shape for v in vs]}; expected those of the inputs,"
            f" {[x.shape for x in xs]}"
        )
