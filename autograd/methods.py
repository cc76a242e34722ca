"""Binds to Tensor what the op table offers, and the methods that need the engine below it.

For every method `name` an in-place `name_` exists; every binary operator has its reflected and its
in-place form.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import backward as _backward, creation, dtypes, inplace, machine
from autograd.modes import leaves, modes
from autograd.op import FUNCTIONS, METHODS, Op, ops
from autograd.tensor import Tensor
from autograd.trace import apply_to_pair

_REFLECTED = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
)
_NUMBERS = (Tensor, int, float, bool, np.number, np.bool_, np.ndarray)


def bind() -> None:
    """Give Tensor its methods and operators."""
    for name, f in METHODS.items():
        if name.startswith("__"):
            _bind_operator(name, f)
        else:
            _bind_method(name, f)
            if not name.endswith("_"):
                _set(f"{name}_", _inplace(name, f))
    for name, f in list(globals().items()):
        if getattr(f, "_is_method", False):
            _set(name.removesuffix("_method"), f)
    for name in ("T", "mT"):
        if name in FUNCTIONS:
            setattr(Tensor, name, property(FUNCTIONS[name]))


def _set(name: str, f: Callable[..., Any]) -> None:
    if name not in Tensor.__dict__:
        setattr(Tensor, name, f)


def as_function(f: Any) -> Callable[..., Any]:
    """A plain function, which binds to `self` and has a docstring, for an op or a function."""
    if not isinstance(f, Op):
        return f

    def call(*inputs: Any, **meta: Any) -> Any:
        return f(*inputs, **meta)

    call.__name__ = call.__qualname__ = f.name
    call.__doc__ = _described(f)
    call.__signature__ = inspect.signature(f.ref)  # type: ignore[attr-defined]
    return call


def _described(op: Op) -> str:
    """The docstring of an op, from its record: the formulas in LaTeX."""
    lines = [f"{op.name}: {op.math}"]
    lines += [
        f"Gradient for {name}: {formula or 'none'}"
        for name, formula in zip(op.inputs, op.dmath, strict=False)
    ]
    if op.kink:
        lines.append(f"Where the derivative does not exist: {op.kink}")
    return "\n\n".join(lines)


def _bind_method(name: str, f: Any) -> None:
    _set(name, as_function(f))


def _inplace(name: str, f: Any) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, **meta: Any) -> Tensor:
        return inplace.update(f"{name}_", f, self, *args, **meta)

    method.__name__ = f"{name}_"
    method.__doc__ = f"`{name}`, written into this tensor."
    return method


def _bind_operator(name: str, f: Any) -> None:
    bare = name.strip("_")
    if bare in ("eq", "ne", "lt", "le", "gt", "ge") or bare in _REFLECTED:
        pure = isinstance(f, Op) and f.pure

        def operator(self: Tensor, other: Any) -> Any:
            if pure and type(self.value) is float:
                result = apply_to_pair(f, self, other)
                if result is not None:
                    return result
            return f(self, other) if isinstance(other, _NUMBERS) else NotImplemented

        setattr(Tensor, name, operator)
    else:
        setattr(Tensor, name, as_function(f))
    if bare in _REFLECTED:

        def reflected(self: Tensor, other: Any) -> Any:
            return f(other, self) if isinstance(other, _NUMBERS) else NotImplemented

        def assigned(self: Tensor, other: Any) -> Any:
            if type(self.value) is float or not isinstance(other, _NUMBERS):
                return NotImplemented  # a scalar is a number: `x += y` makes a new one
            return inplace.update(f"__i{bare}__", f, self, other)

        setattr(Tensor, f"__r{bare}__", reflected)
        setattr(Tensor, f"__i{bare}__", assigned)


def _method(f: Callable[..., Any]) -> Callable[..., Any]:
    f._is_method = True  # type: ignore[attr-defined]
    return f


@_method
def backward(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this tensor to the `.grad` of the leaves it depends on.

    `gradient`: of this tensor's shape; may be left out where it has one element.  `retain_graph`:
    keep what the graph saved, for a second pass.  `create_graph`: record the pass itself, for
    gradients of gradients.  `inputs`: accumulate into these leaves only.
    """
    _backward.backward(self, gradient, retain_graph, create_graph, inputs)


@_method
def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this non-leaf tensor in `.grad`."""
    _backward.retain_grad(self)


@_method
def detach(self: Tensor) -> Tensor:
    """The same values, sharing memory, without history."""
    t = Tensor.wrap(self.value)
    t.version = self.version
    if modes.recorder is not None:
        modes.recorder.scalars.same(t, self)
    if modes.observers:
        leaves(self, "detach()")
    return t


@_method
def detach_(self: Tensor) -> Tensor:
    """Cut this tensor from the graph that made it."""
    if self.view_of is not None:
        raise RuntimeError("can't detach views in-place; use detach() instead")
    self.node, self.tracked = None, False
    return self


@_method
def to(self: Tensor, *args: Any, dtype: Any = None, copy: bool = False, **_: Any) -> Tensor:
    """`to(dtype)`, `to(other)` or `to("cpu")`: itself where nothing changes."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, str) and arg not in np.sctypeDict:
            creation._made(np.empty(0), device=arg)
        elif arg is not None and not isinstance(arg, bool):
            dtype = arg
    wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
    if wanted == self.dtype:
        return ops.clone(self) if copy else self
    return ops.cast(self, dtype=wanted)


@_method
def equal(self: Tensor, other: Tensor) -> bool:
    """True where both have the same shape and equal elements."""
    return machine.equal(self, other)


@_method
def cuda(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """RuntimeError: there is only the CPU."""
    machine.device("cuda")
    return self


@_method
def half(self: Tensor) -> Tensor:
    """TypeError: the engine has no float16."""
    return self.to(np.float16)


@_method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor in the dtype of the other."""
    return self.to(other.dtype)


def _bind_casts() -> None:
    for name, dtype in (
        ("float", dtypes.float32),
        ("double", dtypes.float64),
        ("int", dtypes.int32),
        ("long", dtypes.int64),
        ("short", dtypes.int16),
        ("bool", dtypes.bool_),
    ):

        def convert(self: Tensor, dtype: np.dtype = dtype) -> Tensor:
            return self.to(dtype)

        convert.__doc__ = f"This tensor as {dtype.name}."
        setattr(Tensor, name, convert)


@_method
def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to `value`."""
    return inplace.update("fill_", ops.copy_to, self, value)


@_method
def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return inplace.update("zero_", ops.copy_to, self, 0)


@_method
def copy_(self: Tensor, source: Any) -> Tensor:
    """Set the elements to those of `source`, which broadcasts; differentiable in it."""
    return inplace.update("copy_", ops.copy_to, self, source)


def _random_fill(name: str, draw: Callable[..., Any], doc: str) -> None:
    def method(self: Tensor, *args: Any, generator: Any = None, **options: Any) -> Tensor:
        values = draw(creation.stream(generator), self.shape, *args, **options)
        return inplace.update(name, ops.copy_to, self, np.asarray(values, self.dtype))

    method.__name__, method.__doc__ = name, doc
    setattr(Tensor, name, method)


def _bind_random() -> None:
    _random_fill(
        "normal_",
        lambda stream, shape, mean=0.0, std=1.0: stream.normal(mean, std, shape),
        "Fill with normal numbers: `normal_(mean=0, std=1)`.",
    )
    _random_fill(
        "uniform_",
        lambda stream, shape, low=0.0, high=1.0: stream.uniform(low, high, shape),
        "Fill with uniform numbers: `uniform_(low=0, high=1)`.",
    )
    _random_fill(
        "bernoulli_",
        lambda stream, shape, p=0.5: stream.random(shape) < p,
        "Fill with zeros and ones: `bernoulli_(p=0.5)`.",
    )


@_method
def new_tensor(self: Tensor, data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor of `data` in this tensor's dtype."""
    return creation.tensor(data, dtype or self.dtype, requires_grad=requires_grad)


@_method
def new_zeros(self: Tensor, *size: Any, **options: Any) -> Tensor:
    """Zeros of this tensor's dtype."""
    return creation.zeros(*size, **{"dtype": self.dtype, **options})


@_method
def new_ones(self: Tensor, *size: Any, **options: Any) -> Tensor:
    """Ones of this tensor's dtype."""
    return creation.ones(*size, **{"dtype": self.dtype, **options})


@_method
def new_full(self: Tensor, size: Any, fill_value: Any, **options: Any) -> Tensor:
    """A constant tensor of this tensor's dtype."""
    return creation.full(size, fill_value, **{"dtype": self.dtype, **options})


def _data(self: Tensor) -> Tensor:
    """The values without history; changes through it are counted, so backward notices them."""
    return detach(self)


def _set_data(self: Tensor, value: Tensor) -> None:
    if type(self.value) is float:
        inplace.set_number(self, value)
        return
    if isinstance(value, Tensor) and value.value is self.value:
        return  # `p.data -= x` has changed it already
    if self.dtype != value.dtype:
        raise RuntimeError(f"data: {value.dtype.name} values for a tensor of {self.dtype.name}")
    self.value = value.array
    self.version[0] += 1


@_method
def __setitem__(self: Tensor, index: Any, value: Any) -> None:
    """Differentiable item assignment; the overwritten entries get no gradient."""
    inplace.assign(self, index, value)


@_method
def type_method(self: Tensor, dtype: Any = None) -> Any:
    """The dtype's name, or this tensor in another dtype."""
    return self.dtype.name if dtype is None else self.to(dtype)


bind()
_bind_casts()
_bind_random()
Tensor.data = property(_data, _set_data)  # type: ignore[attr-defined]
