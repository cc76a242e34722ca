"""Activation functions, under Keras' names and with its values and slopes, also at the kinks.

`get` finds them by name.  On a symbolic tensor each is an operation of the functional API.  Every
one that is a single op of the engine carries it as `direct`, which a layer calls without detour.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from autograd import Tensor, arange, as_tensor
from autograd.op import ops
from nn.keras import saving
from nn.keras.marks import set_logits
from nn.keras.node import KerasTensor

F = TypeVar("F", bound=Callable[..., Any])
TABLE: dict[str, Callable[..., Any]] = {}
"""What `get` knows."""


def _activation(*aliases: str, direct: Any = None) -> Callable[[F], F]:
    """Enter a function of a tensor in the table; `direct` is the same for a Tensor, at once."""

    def enter(f: F) -> F:
        @functools.wraps(f)
        def call(x: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(x, Tensor):
                return f(x, *args, **kwargs)
            if isinstance(x, KerasTensor):
                from nn.keras.ops import symbolic

                return symbolic(call, x, *args, **kwargs)
            return f(as_tensor(x), *args, **kwargs)

        call.direct = f if direct is None else direct  # type: ignore[attr-defined]
        TABLE.update(dict.fromkeys((f.__name__, *aliases), call))
        return cast("F", call)

    return enter


@_activation()
def linear(x: Any) -> Any:
    """`x` itself."""
    return x


# With kinks


@_activation(direct=ops.relu)
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Tensor:
    """max(x, 0); in general max_value above it, x between, negative_slope (x - threshold) below."""
    if not (negative_slope or threshold) and max_value is None:
        return ops.relu(x)
    if negative_slope and not threshold and max_value is None:
        return ops.leaky_relu(x, negative_slope=float(negative_slope))
    above = x
    if threshold:
        above = ops.threshold(x, threshold=float(threshold), value=0.0)
    elif max_value == 6:
        above = ops.relu6(x)
    else:
        above = ops.relu(x)
    if max_value is not None and (threshold or max_value != 6):
        above = ops.clamp(above, min=0.0, max=float(max_value))
    if not negative_slope:
        return above
    below = ops.relu(ops.sub(float(threshold), x) if threshold else ops.neg(x))
    return ops.sub(above, ops.mul(below, float(negative_slope)))


@_activation(direct=lambda x: ops.leaky_relu(x, negative_slope=0.2))
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """x where x > 0, else negative_slope x."""
    return ops.leaky_relu(x, negative_slope=float(negative_slope))


@_activation(direct=ops.relu6)
def relu6(x: Any) -> Tensor:
    """min(max(x, 0), 6)."""
    return ops.relu6(x)


@_activation(direct=ops.elu)
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha (e^x - 1)."""
    return ops.elu(x, alpha=float(alpha))


@_activation(direct=ops.selu_right)
def selu(x: Any) -> Tensor:
    """1.0507 (x where x > 0, else 1.67326 (e^x - 1)).  The slope at 0 is 1.0507."""
    return ops.selu_right(x)


@_activation(direct=ops.celu)
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha (e^(x / alpha) - 1).

    The slope at 0 is 1; Keras on TensorFlow says 2 there, adding up that from both sides.
    """
    return ops.celu(x, alpha=float(alpha))


@_activation(direct=ops.hardsigmoid)
def hard_sigmoid(x: Any) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    return ops.hardsigmoid(x)


@_activation("hard_swish", direct=ops.hardswish)
def hard_silu(x: Any) -> Tensor:
    """x hard_sigmoid(x)."""
    return ops.hardswish(x)


@_activation(direct=lambda x: ops.clamp(x, min=-1.0, max=1.0))
def hard_tanh(x: Any) -> Tensor:
    """min(max(x, -1), 1).  The slope at -1 and 1 is 1."""
    return ops.clamp(x, min=-1.0, max=1.0)


@_activation(direct=ops.hardshrink)
def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x where |x| > threshold, else 0."""
    return ops.hardshrink(x, lambd=float(threshold))


@_activation(direct=ops.softshrink)
def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x moved towards 0 by threshold, and 0 where it would get beyond."""
    return ops.softshrink(x, lambd=float(threshold))


@_activation()
def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """x where x > threshold, else default_value."""
    return ops.threshold(x, threshold=float(threshold), value=float(default_value))


@_activation()
def sparse_plus(x: Any) -> Tensor:
    """0 up to -1, (x + 1)^2 / 4 from there to 1, x beyond."""
    curve = ops.mul(ops.square(ops.relu(ops.add(x, 1.0))), 0.25)
    return ops.where(ops.lt(x, 1.0), curve, x)


@_activation()
def sparse_sigmoid(x: Any) -> Tensor:
    """0 up to -1, (x + 1) / 2 from there to 1, 1 beyond."""
    return ops.mul(ops.add(ops.hardtanh(x), 1.0), 0.5)


# Smooth


@_activation()
def sigmoid(x: Any) -> Tensor:
    """1 / (1 + e^-x)."""
    out = ops.sigmoid(x)
    set_logits(out, x)
    return out


@_activation(direct=ops.tanh)
def tanh(x: Any) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x)."""
    return ops.tanh(x)


@_activation(direct=ops.tanhshrink)
def tanh_shrink(x: Any) -> Tensor:
    """x - tanh(x)."""
    return ops.tanhshrink(x)


@_activation(direct=ops.exp)
def exponential(x: Any) -> Tensor:
    """e^x."""
    return ops.exp(x)


@_activation(direct=ops.softplus)
def softplus(x: Any) -> Tensor:
    """log(1 + e^x)."""
    return ops.softplus(x)


@_activation(direct=ops.softsign)
def softsign(x: Any) -> Tensor:
    """x / (1 + |x|)."""
    return ops.softsign(x)


@_activation("swish", direct=ops.silu)
def silu(x: Any) -> Tensor:
    """x sigmoid(x)."""
    return ops.silu(x)


@_activation(direct=ops.gelu)
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """x Phi(x), Phi the normal distribution function; by tanh if `approximate`."""
    return ops.gelu(x, approximate="tanh" if approximate else "none")


@_activation(direct=ops.mish)
def mish(x: Any) -> Tensor:
    """x tanh(softplus(x))."""
    return ops.mish(x)


@_activation(direct=ops.logsigmoid)
def log_sigmoid(x: Any) -> Tensor:
    """log(sigmoid(x))."""
    return ops.logsigmoid(x)


@_activation()
def squareplus(x: Any, b: float = 4) -> Tensor:
    """(x + sqrt(x^2 + b)) / 2."""
    root = ops.sqrt(ops.add(ops.square(x), float(b)))
    return ops.mul(ops.add(x, root), 0.5)


# Along an axis


def _along(op: Any, x: Any, axis: Any) -> Tensor:
    """`op` along an axis; None: over all elements; several: over these together."""
    if isinstance(axis, int):
        return op(x, dim=axis)
    if axis is None:
        return ops.reshape(op(ops.reshape(x, shape=(-1,)), dim=0), shape=x.shape)
    axes = [a % x.ndim for a in axis]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    turned = ops.permute(x, order)
    kept = x.ndim - len(axes)
    flat = op(ops.reshape(turned, shape=(*turned.shape[:kept], -1)), dim=-1)
    back = [order.index(a) for a in range(x.ndim)]
    return ops.permute(ops.reshape(flat, shape=turned.shape), back)


@_activation()
def softmax(x: Any, axis: Any = -1) -> Tensor:
    """e^x / sum(e^x) along `axis`, which may be several; None is all."""
    out = _along(ops.softmax, x, axis)
    set_logits(out, x)
    return out


@_activation()
def log_softmax(x: Any, axis: Any = -1) -> Tensor:
    """log(softmax(x)) along `axis`."""
    return _along(ops.log_softmax, x, axis)


@_activation()
def glu(x: Any, axis: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the halves of x along `axis`."""
    if x.shape[axis] % 2:
        raise ValueError(
            f"axis size must be divisible by 2. Received: x.shape={x.shape} with axis={axis}"
        )
    return ops.glu(x, dim=axis)


@_activation()
def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The probabilities nearest to x: max(x - tau, 0), tau such that they sum to 1.

    tau = (sum of the k largest - 1) / k, k the most for which the k-th exceeds tau.  (Martins and
    Astudillo 2016.)  Keras 3.15 sums up the partial sums instead, so that its results sum to less
    than 1 wherever k > 1; that is not repeated here.
    """
    ranked = ops.sort(x, dim=axis, descending=True)[0]
    sums = ops.cumsum(ranked, dim=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(shape)
    support = ops.gt(ops.mul(ranked, rank), ops.sub(sums, 1.0))
    k = ops.sum(ops.cast(support, dtype=x.dtype), dim=axis, keepdim=True)
    total = ops.sum(ops.where(support, ranked, 0.0), dim=axis, keepdim=True)
    return ops.relu(ops.sub(x, ops.div(ops.sub(total, 1.0), k)))


swish, hard_swish = silu, hard_silu


# By name


def get(identifier: Any) -> Callable[..., Any]:
    """The activation of a name, config or function; `linear` for None."""
    if identifier is None:
        return linear
    return cast("Callable[..., Any]", saving.resolve("activation function", identifier, TABLE))


def direct(activation: Callable[..., Any]) -> Any:
    """What a layer calls on its Tensor; None for `linear`."""
    return None if activation is linear else getattr(activation, "direct", activation)


def serialize(activation: Any) -> Any:
    """Its name, or its config where it is not one of these."""
    name = getattr(activation, "__name__", None)
    if name in TABLE and TABLE[name] is activation:
        return name
    return saving.serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation of a name or config."""
    table = {**TABLE, **(custom_objects or {})}
    return saving.resolve("activation function", config, table)
