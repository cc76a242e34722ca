r"""The op table: everything about a primitive in one record.

    relu = op(
        "relu",
        math=r"\max(x, 0)",
        dmath=(r"g\,[x > 0]",),
        kernel=_relu,                             # a jitted loop, a NumPy ufunc, or a function
        vjp=(lambda g, out: relu_grad(g, out),),  # one per input; its parameters: what it reads
        ref=lambda x: np.maximum(x, 0),           # slow, obvious NumPy: the oracle
        samples=(Sample((3, 4), avoid=0), Sample(())),
    )

The signature of `ref` names the inputs (positional) and the metadata (keyword-only).  A vjp asks
for what it reads by parameter name: `g`, `out`, an input `x`, its `x_shape` or `x_dtype`, a piece
of metadata; of a variadic tail `*xs` for `xs`, `xs_shapes`, and `i`, its own place there.  What no
vjp asks for is not kept alive.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import buffers, kernel, shapes
from autograd.plan import Plan

TABLE: dict[str, Op] = {}
"""Every primitive by name, in order of definition."""
FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Public functions composed of primitives."""
METHODS: dict[str, Callable[..., Any]] = {}
"""What is bound to Tensor: method or operator name to function."""
NUMPY: dict[Any, Callable[..., Any]] = {}
"""NumPy functions that trace when they meet a Tensor, and what they become."""


_empty = np.empty
_KNOWN = 1024
"""Result shapes that an op remembers."""


class _Ops:
    """Every op and composed function as an attribute: how one family reaches another."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no op or function {name!r}")


ops = _Ops()


@dataclass(frozen=True)
class Sample:
    """Inputs on which an op is tested: a tuple is the shape of random floats, all else a value.

    `low`, `high`: range.  `avoid`: kinks, kept at a distance of 0.1.  `distinct`: no two entries
    are closer than 0.05 (for sorting).  `meta`: metadata.  `order`: highest derivative tested.
    """

    inputs: tuple[Any, ...]
    low: float
    high: float
    avoid: tuple[float, ...]
    distinct: bool
    order: int
    meta: dict[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        *inputs: Any,
        low: float = -2.0,
        high: float = 2.0,
        avoid: float | tuple[float, ...] = (),
        distinct: bool = False,
        order: int = 2,
        meta: dict[str, Any] | None = None,
    ):
        points = avoid if isinstance(avoid, tuple) else (avoid,)
        for name, value in (
            ("inputs", inputs),
            ("low", low),
            ("high", high),
            ("avoid", points),
            ("distinct", distinct),
            ("order", order),
            ("meta", meta or {}),
        ):
            object.__setattr__(self, name, value)


class Op:
    """One primitive.  Calling it goes through `autograd.trace.apply`, the engine's choke point."""

    __slots__ = (
        "name", "math", "dmath", "kernel", "shape", "vjp", "ref", "samples", "scalar", "types",
        "result", "exempt", "view", "strided", "inputs", "variadic", "defaults", "required", "run",
        "plans", "broadcasts", "kink", "arity", "numeric", "typed_by", "pure", "known", "names",
        "metadata", "pull", "checks",
    )  # fmt: skip

    if TYPE_CHECKING:

        def __getattr__(self, facet: str) -> Any: ...
        def __call__(self, *inputs: Any, **meta: Any) -> Any: ...  # noqa: D102

    def __init__(self, name: str, **facets: Any):
        self.name = name
        for facet, value in facets.items():
            setattr(self, facet, value)
        parameters = inspect.signature(self.ref).parameters.values()
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.defaults = {
            p.name: p.default
            for p in parameters
            if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
        }
        self.required = tuple(
            p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty
        )
        self.names = (*self.required, *self.defaults)
        self.metadata = bool(self.defaults or self.required)
        self.arity = -1 if self.variadic else len(self.inputs)
        self.pure = self.scalar is not None and not self.metadata  # runs on Python numbers as is
        self.numeric = isinstance(self.kernel, np.ufunc)  # takes Python numbers as they are
        typed = [i for i, name in enumerate(self.inputs) if name not in self.exempt]
        self.typed_by = typed[0] if typed else 0
        self.known: dict[Any, shapes.Shape] = {}
        self.plans: dict[Any, Plan] = {}
        self._check()
        self.run = self._strategy()

    def __repr__(self) -> str:
        meta = ", ".join(self.required + tuple(f"{k}={v!r}" for k, v in self.defaults.items()))
        return f"<op {self.name}({', '.join(self.inputs)}{', *, ' + meta if meta else ''})>"

    def _check(self) -> None:
        if self.name in TABLE:
            raise TypeError(f"op {self.name} is defined twice")
        if not self.samples:
            raise TypeError(f"op {self.name} has no samples, so no test would see it")
        if self.vjp and not len(self.vjp) == len(self.dmath) == len(self.inputs):
            raise TypeError(
                f"op {self.name}: {self.inputs} need a vjp and a formula in dmath each (None where"
                f" not differentiable), got {len(self.vjp)} and {len(self.dmath)}"
            )
        if isinstance(self.kernel, kernel.Kernel):
            self.broadcasts = len(self.inputs) > 1
        elif isinstance(self.kernel, np.ufunc):
            self.broadcasts = self.kernel.nin > 1

    def _strategy(self) -> Callable[..., Any]:
        if self.view:
            return self._run_view
        if isinstance(self.kernel, np.ufunc):
            return self._run_ufunc
        if isinstance(self.kernel, kernel.Kernel):
            return self._run_loop if kernel.JIT else self._run_ref
        return self._run_array

    def _run_view(self, values: Any, meta: dict[str, Any]) -> np.ndarray:
        return self.kernel(values[0], **meta)

    def _run_ufunc(self, values: Any, meta: dict[str, Any]) -> np.ndarray:
        first = values[0] if type(values[0]) is np.ndarray else values[-1]
        if first.nbytes >= buffers.LARGE:
            shape = shapes.broadcast(self.name, *map(np.shape, values))
            out = buffers.empty(shape, self.result or first.dtype)
            return quiet.run(self.kernel, *values, out=out)
        try:
            out = quiet.run(self.kernel, *values)
        except ValueError:
            shapes.broadcast(self.name, *map(np.shape, values))
            raise
        return out if type(out) is np.ndarray else np.asarray(out)

    def _run_loop(self, values: Any, meta: dict[str, Any]) -> np.ndarray:
        first = values[0]
        shape = first.shape
        if self.broadcasts:
            for value in values:
                if value.shape != shape:
                    shape = shapes.broadcast(self.name, *[v.shape for v in values])
                    values = [np.broadcast_to(v, shape) for v in values]
                    break
        out = _empty(shape, self.result or first.dtype)
        if out.nbytes >= buffers.LARGE:
            out = buffers.empty(shape, out.dtype)
        if len(values) == 1:
            self.kernel.run(out.ravel(), first.ravel(), *meta.values())
        else:
            self.kernel.run(out.ravel(), *[v.ravel() for v in values], *meta.values())
        return out

    def _run_array(self, values: Any, meta: dict[str, Any]) -> np.ndarray:
        arrays = values
        if not self.strided:
            for v in values:
                if v is not None and not v.flags.c_contiguous:
                    arrays = [v if v is None or v.flags.c_contiguous else v.copy() for v in values]
                    break
        given = tuple([None if v is None else v.shape for v in arrays])
        try:
            shape = self.known[(given, *meta.values()) if meta else given]
        except (KeyError, TypeError):
            shape = self._shape_of(given, meta)
        result = self.result
        if result is None:
            result = arrays[self.typed_by].dtype
        elif callable(result):
            result = result(*arrays, **meta)
        out = _empty(shape, result)
        if out.nbytes >= buffers.LARGE:
            out = buffers.empty(shape, out.dtype)
        if kernel.JIT:
            self.kernel(out, *arrays, **meta)
        else:
            out[...] = quiet.run(self.ref, *arrays, **meta)
        return out

    def _shape_of(self, given: tuple[Any, ...], meta: dict[str, Any]) -> shapes.Shape:
        """The result's shape; remembered, for a rule with its checks costs more than a small op."""
        shape = self.shape(*given, **meta)
        if len(self.known) >= _KNOWN:
            self.known.clear()
        with contextlib.suppress(TypeError):  # metadata that does not hash
            self.known[(given, *meta.values()) if meta else given] = shape
        return shape

    def _run_ref(self, values: Any, meta: dict[str, Any]) -> np.ndarray:
        result = self.result or values[0].dtype
        return np.asarray(quiet.run(self.ref, *values, **meta)).astype(result, copy=False)

    def into(self, out: np.ndarray, values: Any, meta: dict[str, Any]) -> None:
        """Run and write the result into `out`, which may be one of the inputs."""
        if self.numeric:
            quiet.run(self.kernel, *values, out=out)
        else:
            np.copyto(out, self.run(values, meta), casting="same_kind")

    def name_of(self, i: int) -> str:
        """The name of input `i`; all inputs of a variadic tail share one."""
        return self.inputs[min(i, len(self.inputs) - 1)]

    def vjp_of(self, i: int) -> Any:
        """The vjp for input `i`, or None."""
        return self.vjp[min(i, len(self.inputs) - 1)]


class _Quiet(threading.local):
    """Runs NumPy with its floating-point warnings off: `quiet.run(function, *args)`.

    `np.errstate` costs 0.9 us, more than the addition it guards; a context entered per call 0.1 us.
    """

    def __init__(self) -> None:
        context = contextvars.copy_context()
        context.run(np.seterr, all="ignore")
        self.run: Callable[..., Any] = context.run
        self.plain: Callable[..., Any] = context.run  # `run` is another one while ops are bound


quiet = _Quiet()


def op(
    name: str,
    *,
    math: str,
    ref: Callable[..., Any],
    kernel: Any,
    samples: tuple[Sample, ...],
    vjp: Any = (),
    dmath: tuple[str | None, ...] = (),
    shape: Callable[..., shapes.Shape] | None = None,
    types: str = "number",
    result: Any = None,
    exempt: tuple[str, ...] = (),
    broadcasts: bool = False,
    scalar: Callable[..., Any] | None = None,
    view: bool = False,
    strided: bool = False,
    pull: Callable[..., Any] | None = None,
    checks: bool = False,
    kink: str = "",
    methods: tuple[str, ...] | None = None,
    numpy: tuple[Any, ...] = (),
) -> Op:
    """Define a primitive and enter it in the table.

    `types`: "number" (promoted to one dtype), "float" (integers become float32 first) or "same"
    (mixed dtypes are an error, as in PyTorch's products).  `result`: the dtype of the result where
    it is not that of the inputs, or a function of the arrays.  `exempt`: inputs that keep their own
    dtype (indices, masks).  `broadcasts`: gradients are summed back to the inputs' shapes; implied
    for ufuncs and loops.  `scalar`: the same on Python floats.  `view`: the result shares memory.
    `strided`: the kernel takes arrays that are not contiguous.  `pull`: the gradients that the vjps
    give, to the last bit, in one call: `pull(parents, g, ...)` on bare arrays, of what it reads, as
    a list from the last of the inputs `parents` to the first; None where it does not apply.
    `checks`: it raises for some data (an index out of range), so that a compiled step runs it even
    where nobody reads its result.  `kink`: the convention where the derivative does not exist.
    `methods`: Tensor methods and operators, its name by default.  `numpy`: NumPy functions with
    this signature.
    """
    record = Op(
        name, math=math, ref=ref, kernel=kernel, samples=samples, vjp=vjp, dmath=dmath, shape=shape,
        types=types, result=result, exempt=exempt, broadcasts=broadcasts, scalar=scalar, view=view,
        strided=strided, pull=pull, checks=checks, kink=kink,
    )  # fmt: skip
    TABLE[name] = record
    _publish(name, record, (name,) if methods is None else methods, numpy)
    return record


def function(
    *, methods: tuple[str, ...] | None = None, numpy: tuple[Any, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function composed of ops: public under its name, and as a Tensor method."""

    def enter(f: Callable[..., Any]) -> Callable[..., Any]:
        name = f.__name__.rstrip("_")
        FUNCTIONS[name] = f
        _publish(name, f, (name,) if methods is None else methods, numpy)
        return f

    return enter


def _publish(name: str, f: Any, methods: tuple[str, ...], numpy: tuple[Any, ...]) -> None:
    setattr(ops, name, f)
    METHODS.update(dict.fromkeys(methods, f))
    NUMPY.update(dict.fromkeys(numpy, f))
