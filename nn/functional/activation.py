"""Activations as functions.  `inplace=True`, or the name with `_`: written over the input."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

from autograd import Tensor, inplace as _inplace
from autograd.generator import stream
from autograd.modes import modes
from autograd.op import FUNCTIONS, Op, ops


def activate(f: Op, input: Tensor, inplace: bool = False, **options: Any) -> Tensor:
    """`f` of the input, written over it where `inplace`."""
    if not inplace:
        return f(input, **options)
    if modes.grad and input.tracked and _reads_input(f):
        return _inplace.update(f"{f.name}_", functools.partial(_of_copy, f), input, **options)
    return _inplace.update(f"{f.name}_", f, input, **options)


@functools.cache
def _reads_input(f: Op) -> bool:
    """True where backward needs the input, which is then copied before it is written over."""
    return f.inputs[0] in inspect.signature(f.vjp[0]).parameters


def _of_copy(f: Op, input: Tensor, *others: Tensor, **options: Any) -> Tensor:
    return f(ops.clone(input), *others, **options)


def _plain(f: Op) -> Callable[[Tensor], Tensor]:
    """A function of a Tensor alone; unlike the op itself it can be copied and pickled."""

    def function(input: Tensor) -> Tensor:
        return f(input)

    return _described(function, f.name, f"The activation `autograd.{f.name}` of each element.")


def _in_both_forms(f: Op) -> Callable[..., Tensor]:
    def function(input: Tensor, inplace: bool = False) -> Tensor:
        return activate(f, input, inplace)

    return _described(function, f.name, f"The activation `autograd.{f.name}` of each element.")


def _in_place(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(input: Tensor, *options: Any, **named: Any) -> Tensor:
        return f(input, *options, **named, inplace=True)

    return _described(function, f"{f.__name__}_", f"`{f.__name__}`, written over the input.")


def _described(function: Any, name: str, text: str) -> Callable[..., Tensor]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return function


sigmoid = _plain(ops.sigmoid)
tanh = _plain(ops.tanh)
tanhshrink = _plain(ops.tanhshrink)
softsign = _plain(ops.softsign)
logsigmoid = _plain(ops.logsigmoid)
relu = _in_both_forms(ops.relu)
relu6 = _in_both_forms(ops.relu6)
selu = _in_both_forms(ops.selu)
silu = _in_both_forms(ops.silu)
mish = _in_both_forms(ops.mish)
hardsigmoid = _in_both_forms(ops.hardsigmoid)
hardswish = _in_both_forms(ops.hardswish)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta input)) / beta; the input itself where beta input > threshold."""
    return ops.softplus(input, beta=beta, threshold=threshold)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """The input moved by lambd towards 0, and 0 within it."""
    return ops.softshrink(input, lambd=lambd)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """The input, or 0 where |input| <= lambd."""
    return ops.hardshrink(input, lambd=lambd)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Input Phi(input), Phi the normal distribution function; approximate="tanh" is cheaper."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return ops.gelu(input, approximate=approximate)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """A sigmoid(b), where a and b are the halves of the input along `dim`."""
    return ops.glu(input, dim=dim)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """The input where positive, else weight input; `weight` is one, or one per channel."""
    return FUNCTIONS["prelu"](input, weight)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """The input, or negative_slope input where it is not positive."""
    return activate(ops.leaky_relu, input, inplace, negative_slope=negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """The input, or alpha (e^input - 1) where it is not positive."""
    return activate(ops.elu, input, inplace, alpha=alpha)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """The input, or alpha (e^(input / alpha) - 1) where it is not positive."""
    return activate(ops.celu, input, inplace, alpha=alpha)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Limit the input to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} cannot be greater than max_val {max_val}")
    return activate(ops.hardtanh, input, inplace, min_val=min_val, max_val=max_val)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """The input, or `value` where it is not above the threshold."""
    return activate(ops.threshold, input, inplace, threshold=threshold, value=value)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU whose slopes are drawn from U(lower, upper) in training; else their mean."""
    if lower > upper:
        raise RuntimeError(
            f"rrelu: Lower bound should be less than or equal to the upper bound; got {lower} and"
            f" {upper}"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = ops.uniform_noise(input.detach(), low=lower, high=upper, stream=stream(None))
    if inplace:
        return _inplace.update("rrelu_", functools.partial(_of_copy, ops.prelu), input, slopes)
    return ops.prelu(input, slopes)


relu_ = _in_place(relu)
selu_ = _in_place(selu)
leaky_relu_ = _in_place(leaky_relu)
elu_ = _in_place(elu)
celu_ = _in_place(celu)
hardtanh_ = _in_place(hardtanh)
threshold_ = _in_place(threshold)
rrelu_ = _in_place(rrelu)


def _implicit(name: str, input: Tensor, dim: int | None, stacklevel: int) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include"
        " dim=X as an argument.",
        UserWarning,
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def _float(name: str, input: Tensor, dtype: Any) -> Tensor:
    x = input if dtype is None else input.to(dtype)
    if not x.is_floating_point():
        raise NotImplementedError(
            f"{name}: not implemented for {x.dtype.name}; give dtype=, as in {name}(x, 1,"
            " dtype=autograd.float32)"
        )
    return x


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """e^x / sum(e^x) along `dim`, in `dtype`."""
    x = _float("softmax", input, dtype)
    return ops.softmax(x, dim=_implicit("softmax", x, dim, _stacklevel))


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x) along `dim`, in `dtype`."""
    x = _float("softmin", input, dtype)
    return ops.softmax(-x, dim=_implicit("softmin", x, dim, _stacklevel))


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """log(softmax(x)) along `dim`, in `dtype`."""
    x = _float("log_softmax", input, dtype)
    return ops.log_softmax(x, dim=_implicit("log_softmax", x, dim, _stacklevel))
