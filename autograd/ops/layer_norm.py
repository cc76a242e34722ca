r"""Layer, RMS and group normalisation, with fused backward ops: three kinds of scaling rows.

`layer_norm_stats` and its kin give mean and 1 / deviation of every row.  The other ops take them as
`stats`, or find them themselves where that is None: they are a function of x either way, and
gradients with respect to x follow them.

In `*_grad` ops `v` is the gradient that arrives at the normalised output.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import buffers, kernel
from autograd.errors import DtypeError
from autograd.op import Op, Sample, op, ops
from autograd.rows import Kind
from autograd.shapes import Shape

_POSITION = inspect.Parameter.POSITIONAL_OR_KEYWORD


# References


def _standard(kind: Kind, x: np.ndarray, over: Any, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, groups, width) scaled to deviation 1, and the factor."""
    layout = kind.layout(x.shape, over)
    r, width = x.reshape(layout), max(layout[2], 1)
    d = r - r.sum(2, keepdims=True) / width if kind.centered else r
    scale = 1 / np.sqrt((d * d).sum(2, keepdims=True) / width + eps)
    return d * scale, scale


def _stats_ref(kind: Kind, x: Any, over: Any, eps: float) -> np.ndarray:
    layout = kind.layout(x.shape, over)
    scale = _standard(kind, x, over, eps)[1].ravel()
    mean = x.reshape(layout).sum(2).ravel() / max(layout[2], 1)
    found = np.stack([mean if kind.centered else np.zeros(mean.size), scale])
    return found if x.size else found * 0


def _ref(kind: Kind, x: Any, weight: Any, *rest: Any) -> np.ndarray:
    bias, _, over, eps = rest if kind.centered else (None, *rest)
    y, line = _standard(kind, x, over, eps)[0].reshape(x.shape), kind.line(x.shape, over)
    y = y if weight is None else y * weight.reshape(line)
    return y if bias is None else y + bias.reshape(line)


def _grad_ref(
    kind: Kind, v: Any, x: Any, weight: Any, stats: Any, over: Any, eps: float
) -> np.ndarray:
    y, scale = _standard(kind, x, over, eps)
    c = v if weight is None else v * weight.reshape(kind.line(x.shape, over))
    c, width = c.reshape(y.shape), max(y.shape[2], 1)
    level = c.sum(2, keepdims=True) / width if kind.centered else 0
    return (scale * (c - level - y * (c * y).sum(2, keepdims=True) / width)).reshape(x.shape)


def _weight_ref(kind: Kind, v: Any, x: Any, stats: Any, over: Any, eps: float) -> np.ndarray:
    terms = v * _standard(kind, x, over, eps)[0].reshape(x.shape)
    return terms.sum(kind.summed(x.shape, over))


# Derivatives.  `over` stands for the metadata of that kind


def _bound(kind: Kind, vjp: Callable[..., Any]) -> Callable[..., Any]:
    """`vjp` for one kind: what it reads as `over` has the name that the kind gives it."""
    names = [p for p in inspect.signature(vjp).parameters if p != "kind"]

    def bound(*args: Any) -> Any:
        return vjp(kind, *args)

    bound.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(kind.over if n == "over" else n, _POSITION) for n in names]
    )
    return bound


def _call(kind: Kind, step: str, *inputs: Any, over: Any, eps: float) -> Any:
    """One of the three ops of a kind: "" without bias, "_grad" or "_weight_grad"."""
    *arrays, stats = inputs
    bias = [None] if kind.centered and not step else []
    meta = {kind.over: over, "eps": eps}
    return getattr(ops, kind.name + step)(*arrays, *bias, stats, **meta)


def _wide(kind: Kind, weight: Any, shape: Shape, over: Any) -> Any:
    return ops.reshape(weight, shape=kind.line(shape, over))


def _narrow(kind: Kind, g: Any, shape: Shape, over: Any) -> Any:
    return ops.sum(g, dim=dims) if (dims := kind.summed(shape, over)) else g


def _dx(kind: Kind, g: Any, x: Any, weight: Any, stats: Any, over: Any, eps: float) -> Any:
    return _call(kind, "_grad", g, x, weight, stats, over=over, eps=eps)


def _dweight(kind: Kind, g: Any, x: Any, stats: Any, over: Any, eps: float) -> Any:
    return _call(kind, "_weight_grad", g, x, stats, over=over, eps=eps)


def _dbias(kind: Kind, g: Any, x_shape: Shape, over: Any) -> Any:
    return _narrow(kind, g, x_shape, over)


def _grad_dv(
    kind: Kind, g: Any, x: Any, weight: Any, stats: Any, x_shape: Shape, over: Any, eps: float
) -> Any:
    projected = _call(kind, "_grad", g, x, None, stats, over=over, eps=eps)
    return projected if weight is None else ops.mul(projected, _wide(kind, weight, x_shape, over))


def _grad_dweight(
    kind: Kind, g: Any, v: Any, x: Any, stats: Any, x_shape: Shape, over: Any, eps: float
) -> Any:
    projected = _call(kind, "_grad", g, x, None, stats, over=over, eps=eps)
    return _narrow(kind, ops.mul(v, projected), x_shape, over)


def _grad_dx(
    kind: Kind, g: Any, v: Any, x: Any, weight: Any, x_shape: Shape, over: Any, eps: float
) -> Any:
    """As for batch_norm_grad, with c = v w: -r^2 (y (g.c - g.y c.y) + (c.y) P g + (g.y) P c)."""
    layout = kind.layout(x_shape, over)

    def mean(a: Any) -> Any:
        return ops.mul(ops.sum(a, dim=2, keepdim=True), 1 / max(layout[2], 1))

    def deviation(a: Any) -> Any:
        return ops.sub(a, mean(a)) if kind.centered else a

    c = v if weight is None else ops.mul(v, _wide(kind, weight, x_shape, over))
    x, gm, cm = (deviation(ops.reshape(a, shape=layout)) for a in (x, g, c))
    r = ops.rsqrt(ops.add(mean(ops.mul(x, x)), eps))
    y = ops.mul(x, r)
    gy, cy, gc = (mean(ops.mul(a, b)) for a, b in ((gm, y), (cm, y), (gm, cm)))
    pg, pc = (ops.sub(a, ops.mul(y, ay)) for a, ay in ((gm, gy), (cm, cy)))
    total = ops.mul(y, ops.sub(gc, ops.mul(gy, cy)))
    total = ops.add(total, ops.add(ops.mul(cy, pg), ops.mul(gy, pc)))
    return ops.reshape(ops.mul(total, ops.neg(ops.mul(r, r))), shape=x_shape)


def _weight_dv(kind: Kind, g: Any, x: Any, stats: Any, over: Any, eps: float) -> Any:
    return _call(kind, "", x, g, stats, over=over, eps=eps)


def _weight_dx(kind: Kind, g: Any, v: Any, x: Any, stats: Any, over: Any, eps: float) -> Any:
    return _call(kind, "_grad", v, x, g, stats, over=over, eps=eps)


def _float_only(x: np.ndarray, *_: Any, **meta: Any) -> np.dtype:
    if x.dtype.kind != "f":
        raise DtypeError(f"normalization: x is {x.dtype.name}; expected float32 or float64")
    return x.dtype


def _named(kind: Kind, f: Callable[..., Any], *inputs: str) -> Any:
    """A reference for one kind: inputs, and the metadata under the name that the kind gives it."""

    def ref(*arrays: Any, eps: float = 1e-5, **over: Any) -> np.ndarray:
        return f(kind, *arrays, over[kind.over], eps)

    optional = {"weight": None, "bias": None, "stats": None}
    ref.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            *(
                inspect.Parameter(n, _POSITION, default=optional.get(n, inspect.Parameter.empty))
                for n in inputs
            ),
            inspect.Parameter(kind.over, inspect.Parameter.KEYWORD_ONLY),
            inspect.Parameter("eps", inspect.Parameter.KEYWORD_ONLY, default=1e-5),
        ]
    )
    return ref


def _kernel(run: Callable[..., None]) -> Callable[..., None]:
    return lambda out, *arrays, **meta: run(out, *arrays, *meta.values())


def _pull(kind: Kind) -> Callable[..., Any]:
    def pull(parents: tuple[int, ...], g: Any, x: Any, weight: Any, stats: Any) -> Any:
        """The gradients of x and weight in one pass over the rows."""
        if x is None or weight is None or stats is None or not kernel.JIT or not x.size:
            return None
        for a in (g, x):
            if type(a) is not np.ndarray or a.dtype is not x.dtype or not a.flags.c_contiguous:
                return None
        over = stats.shape[1] // len(x) if kind.grouped else weight.shape
        dx = buffers.empty(x.shape, x.dtype) if 0 in parents else None
        dweight = np.empty(weight.shape, x.dtype) if 1 in parents else None
        if dx is not None or dweight is not None:
            kind.gradients(dx, dweight, g, x, weight, stats, over)
        dbias = _narrow(kind, g, x.shape, over) if 2 in parents else None
        return [d for d in (dbias, dweight, dx) if d is not None]

    return pull


def _define(kind: Kind, math: str, project: str, samples: tuple[Any, ...]) -> tuple[Op, ...]:
    """The four ops of a kind.

    `math`: y, `project`: P % c in LaTeX.  `samples`: (x, weight, bias, metadata, order).
    """
    bias = int(kind.centered)
    over = kind.over
    forward = op(
        kind.name,
        math=rf"w\,\hat x{' + b' if bias else ''}, \quad \hat x = {math}",
        dmath=(
            project % "(g w)",
            r"\textstyle\sum g\,\hat x",
            *[r"\textstyle\sum g"] * bias,
            None,
        ),
        kernel=_kernel(kind.forward),
        shape=lambda x, weight, *rest, **meta: kind.check(
            x, meta[over], weight=weight, bias=rest[0] if bias else None
        ),
        types="same",
        result=_float_only,
        ref=_named(kind, _ref, "x", "weight", *["bias"] * bias, "stats"),
        vjp=(*[_bound(kind, f) for f in (_dx, _dweight, _dbias)[: 2 + bias]], None),
        pull=_pull(kind),
        samples=tuple(Sample(*s[: 2 + bias], None, meta=s[3], order=s[4]) for s in samples),
        methods=(),
    )
    backward = op(
        f"{kind.name}_grad",
        math=project % "(v w)",
        dmath=(
            f"w\\,{project % 'g'}",
            r"-\tfrac{1}{\sigma^2 + \epsilon} (\hat x (\overline{g c}"
            r" - \overline{g \hat x}\,\overline{c \hat x})"
            r" + \overline{c \hat x} P g + \overline{g \hat x} P c), c = v w",
            rf"\textstyle\sum v\,{project % 'g'}",
            None,
        ),
        kernel=_kernel(kind.backward),
        shape=lambda v, x, weight, stats, **meta: x,
        types="same",
        ref=_named(kind, _grad_ref, "v", "x", "weight", "stats"),
        vjp=(*[_bound(kind, f) for f in (_grad_dv, _grad_dx, _grad_dweight)], None),
        samples=tuple(Sample(s[0], s[0], s[1], None, meta=s[3], order=s[4]) for s in samples),
        methods=(),
    )
    weight = op(
        f"{kind.name}_weight_grad",
        math=r"\textstyle\sum v\,\hat x",
        dmath=(r"g\,\hat x", project % "(v g)", None),
        kernel=_kernel(kind.backward_weight),
        shape=lambda v, x, stats, **meta: kind.each(x, meta[over]),
        types="same",
        ref=_named(kind, _weight_ref, "v", "x", "stats"),
        vjp=(*[_bound(kind, f) for f in (_weight_dv, _weight_dx)], None),
        samples=tuple(Sample(s[0], s[0], None, meta=s[3], order=s[4]) for s in samples),
        methods=(),
    )
    stats = op(
        f"{kind.name}_stats",
        math=r"(\bar x,\ 1 / \sqrt{\sigma^2 + \epsilon})",
        kernel=_kernel(kind.statistics),
        shape=lambda x, **meta: kind.stats_shape(x, meta[over]),
        types="same",
        result=_float_only,
        ref=_named(kind, _stats_ref, "x"),
        samples=tuple(Sample(s[0], meta=s[3]) for s in samples),
        methods=(),
    )
    return forward, backward, weight, stats


_DEVIATION = r"\frac{x - \bar x}{\sqrt{\sigma^2 + \epsilon}}"
_PROJECT = (
    r"\tfrac{1}{\sqrt{\sigma^2 + \epsilon}} P %s, \quad"
    r" P c = c - \bar c - \hat x\,\overline{c \hat x}"
)


def _last(*shape: int) -> dict[str, Any]:
    return {"normalized_shape": shape, "eps": 0.1}


_LAYERS = (
    ((4, 5), (5,), (5,), _last(5), 2),
    ((2, 2, 6), None, None, _last(6), 2),
    ((2, 3, 4), (3, 4), (3, 4), _last(3, 4), 2),
    ((6,), (6,), None, _last(6), 2),
    ((2, 150), (150,), (150,), _last(150), 1),
    ((0, 4), (4,), (4,), _last(4), 2),
    ((3, 0), (0,), (0,), _last(0), 2),
)
layer_norm, layer_norm_grad, layer_norm_weight_grad, layer_norm_stats = _define(
    Kind("layer_norm", "normalized_shape"), _DEVIATION, _PROJECT, _LAYERS
)
rms_norm, rms_norm_grad, rms_norm_weight_grad, rms_norm_stats = _define(
    Kind("rms_norm", "normalized_shape", centered=False),
    r"\frac{x}{\sqrt{\overline{x^2} + \epsilon}}",
    r"\tfrac{1}{\sqrt{\overline{x^2} + \epsilon}} P %s, \quad"
    r" P c = c - \hat x\,\overline{c \hat x}",
    _LAYERS,
)
group_norm, group_norm_grad, group_norm_weight_grad, group_norm_stats = _define(
    Kind("group_norm", "num_groups"),
    _DEVIATION,
    _PROJECT,
    (
        ((2, 6), (6,), (6,), {"num_groups": 2, "eps": 0.1}, 2),
        ((2, 4, 3), (4,), None, {"num_groups": 2, "eps": 0.1}, 2),
        ((2, 3, 2, 2), None, None, {"num_groups": 3, "eps": 0.1}, 2),
        ((0, 4), (4,), (4,), {"num_groups": 2}, 2),
    ),
)
