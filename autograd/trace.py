"""The choke point: every primitive of forward, backward and optimizer passes `apply`.

Whether a graph is recorded, and the observers that see each op pass (anomaly detection, tracing,
profiling), are the modes of the current thread: `autograd.modes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import dtypes, inplace
from autograd.bare import make_plan
from autograd.errors import DtypeError
from autograd.graph import Node
from autograd.modes import modes
from autograd.op import TABLE, Op
from autograd.plan import Plan
from autograd.tensor import Tensor

_ndarray = np.ndarray
_new = object.__new__
_NO_META: dict[str, Any] = {}
_STEADY = [0]  # the version of a number
_FLOATS = (dtypes.float32, dtypes.float64)


def apply(op: Op, *inputs: Any, **meta: Any) -> Any:
    """Run `op` on Tensors, and record it where a gradient is wanted; or on bare arrays and floats.

    Arrays positional, metadata keyword; surplus positional arguments are metadata in order.  Given
    no Tensor the result is bare too: backward passes work on bare values.
    """
    if op.pure and inputs:
        first = inputs[0].value if isinstance(inputs[0], Tensor) else inputs[0]
        if type(first) is float or type(first) is int:
            result = _apply_to_numbers(op, inputs)
            if result is not None:
                return result
    if meta or op.metadata or len(inputs) != op.arity:
        inputs, meta = _complete(op, inputs, meta)
    values = []
    wanted, bit = 0, 1  # a bit per input that wants a gradient
    dtype = None
    plain, traced, numbers, simple = True, False, False, True
    for x in inputs:
        if isinstance(x, Tensor):
            traced = True
            if x.view_of is not None:
                inplace.refresh(x)
                simple = False
            if x.tracked:
                wanted += bit
            x = x.value
        elif x is not None:
            simple = False
        bit += bit
        values.append(x)
        kind = type(x)
        if kind is _ndarray:
            if op.exempt and _exempt(op, len(values) - 1):
                pass
            elif dtype is None:
                dtype = x.dtype
            elif x.dtype is not dtype:
                plain = False
        elif kind is float or kind is int:
            numbers, simple = True, False
        elif x is not None:
            plain = False
    if (
        plain
        and dtype is not None
        and (
            _numbers_fit(op, inputs, dtype) if numbers else dtype in _FLOATS or op.types != "float"
        )
    ):
        out = op.run(values, meta)
    else:
        inputs, values = coerce(op, inputs)
        out = op.run(values, meta)
        simple = False
    if not traced:
        return out
    result = _new(Tensor)  # Tensor.wrap, without the call
    result.value = out
    result.version = [0]
    result.view_of = result._grad = result.extra = result.node = None
    result.tracked = False
    if wanted and modes.grad:
        plan = op.plans.get(wanted + bit) or make_plan(op, wanted, len(inputs))
        if plan.parents:
            record(op, plan, inputs, values, meta, result, simple)
    if op.view:
        inplace.mark_view(op, inputs[0], meta, result)
    if modes.observers:
        for observer in modes.observers:
            observer(op, inputs, meta, result)
    return result


def _apply_to_numbers(op: Op, inputs: Any) -> Any:
    """`apply` on scalars and Python numbers, at half its cost; None where there is an array.

    The node keeps the numbers themselves, so scalars need no version.
    """
    if type(inputs[0]) is float and type(inputs[-1]) is float:
        return op.scalar(*inputs)
    values = []
    wanted, bit, traced = 0, 1, False
    for x in inputs:
        if isinstance(x, Tensor):
            traced = True
            if x.tracked:
                wanted += bit
            x = x.value
        if type(x) is not float and type(x) is not int:
            return None
        bit += bit
        values.append(x)
    out = op.scalar(*values)
    return _number_made(op, inputs, values, out, wanted + bit) if traced else out


def apply_to_pair(op: Op, x: Tensor, y: Any) -> Any:
    """`apply` on a scalar and another number; None where `y` is not one.  Saves 0.6 us."""
    if isinstance(y, Tensor):
        b, key = y.value, 4 + x.tracked + 2 * y.tracked
    else:
        b, key = y, 4 + x.tracked
    if type(b) is not float and type(b) is not int:
        return None
    return _number_made(op, (x, y), (x.value, b), op.scalar(x.value, b), key)


def _number_made(op: Op, inputs: Any, values: Any, out: float, key: int) -> Tensor:
    """The scalar `out` of an op on numbers, recorded."""
    result = _new(Tensor)
    result.value = out
    result.version = result.view_of = result._grad = result.extra = result.node = None
    result.tracked = False
    if modes.grad:
        plan = op.plans.get(key) or make_plan(op, key - (1 << len(inputs)), len(inputs))
        if plan.parents:
            kept = (out, _STEADY, 0) if plan.keeps_out else None
            specs = _specs(values) if plan.specs else None
            # what is saved is a tuple, which the garbage collector skips where it holds numbers
            result.node = Node(
                op, plan, _NO_META, plan.edges(inputs), plan.kept(values), None, kept, specs
            )
            result.tracked = True
    if modes.observers:
        for observer in modes.observers:
            observer(op, inputs, _NO_META, result)
    return result


Op.__call__ = apply  # type: ignore[assignment, method-assign]


def _numbers_fit(op: Op, inputs: Any, dtype: Any) -> bool:
    """True when the op takes the Python numbers among its inputs as they are."""
    return (
        dtype in _FLOATS
        and op.numeric
        and not any(isinstance(x, Tensor) and type(x.value) is float for x in inputs)
    )


def record(
    op: Op,
    plan: Plan,
    inputs: Any,
    values: Any,
    meta: dict[str, Any],
    result: Tensor,
    simple: bool = False,
) -> None:
    """Give `result` the node that leads back to `inputs`, keeping only what the vjps read.

    `simple`: the inputs are None or Tensors of arrays, none a view.
    """
    out = result.value
    if out.dtype not in _FLOATS:
        return
    specs = None
    if plan.specs:
        specs = _specs(values)
    elif op.broadcasts:
        shape = out.shape
        for v in values:
            if type(v) is not _ndarray or v.shape != shape:
                specs = _specs(values)
                break
    saved: Any
    versions: Any
    if simple:
        saved, versions = plan.kept(inputs), plan.versions(inputs)
    else:
        saved, versions = _saved(plan, inputs)
    kept = (out, result.version, 0) if plan.keeps_out else None
    result.node = Node(op, plan, meta, plan.edges(inputs), saved, versions, kept, specs)
    result.tracked = True


def _saved(plan: Plan, inputs: Any) -> tuple[list[Any], list[Any]]:
    """What the vjps read of the inputs, and the versions of that."""
    saved: list[Any] = []
    versions = []
    for i in plan.keep:
        x = inputs[i]
        if isinstance(x, Tensor):
            # a view holds its base, whose later history may come to hold this node: a cycle
            saved.append(x if x.view_of is None else inplace.stand_in(x))
            versions.append(x.version[0])
        else:  # an array of the user's has no version, so it is copied
            saved.append(x.copy() if type(x) is _ndarray else x)
            versions.append(None)
    return saved, versions


def _specs(values: Any) -> list[tuple[Any, Any]]:
    """Shape and dtype of each input."""
    return [(np.shape(v), getattr(v, "dtype", dtypes.float64)) for v in values]


def coerce(op: Op, given: Any) -> tuple[Any, list[Any]]:
    """Inputs and values brought to one dtype by PyTorch's rules; casts are recorded ops."""
    inputs = [_plain(op, x) for x in given]
    typed = [i for i, x in enumerate(inputs) if x is not None and not _exempt(op, i)]
    given = [inputs[i].value if isinstance(inputs[i], Tensor) else inputs[i] for i in typed]
    arrays = [
        np.asarray(v) if isinstance(inputs[i], Tensor) else v
        for i, v in zip(typed, given, strict=True)
    ]
    dtype = dtypes.result_type(*arrays)
    if op.types == "float" and dtype.kind != "f":
        dtype = dtypes.DEFAULT
    values = [x.value if isinstance(x, Tensor) else x for x in inputs]
    if op.types == "same":
        _require_one_dtype(op, [values[i] for i in typed])
    if all(type(x) is float for x in given):
        dtype = dtypes.float64
    casts = op is TABLE["cast"]
    for i, value in enumerate(values):
        if not isinstance(value, np.ndarray) and value is not None and i not in typed:
            values[i] = inputs[i] = np.asarray(value)
    for i in typed:
        if casts and type(values[i]) is float:
            values[i] = np.asarray(values[i])
        elif isinstance(inputs[i], Tensor):
            if type(values[i]) is float or values[i].dtype != dtype:
                inputs[i] = TABLE["cast"](inputs[i], dtype=dtype)
                values[i] = inputs[i].value
        else:
            values[i] = inputs[i] = np.asarray(values[i], dtype)
    return inputs, values


def _require_one_dtype(op: Op, values: list[Any]) -> None:
    found = {v.dtype.name for v in values if isinstance(v, np.ndarray)}
    if len(found) > 1:
        raise DtypeError(
            f"{op.name}: expected one dtype, got {' and '.join(sorted(found))};"
            " convert one of them with .to(dtype)"
        )


def _exempt(op: Op, i: int) -> bool:
    return op.name_of(i) in op.exempt


def _plain(op: Op, x: Any) -> Any:
    """`x` as an op takes it; NumPy numbers become Python's, which never widen a dtype."""
    if isinstance(x, np.generic):  # np.float64 is a float too, and would be taken for one
        return x.item()
    if x is None or isinstance(x, (Tensor, bool, int, float)):
        return x
    if isinstance(x, np.ndarray):
        dtypes.as_dtype(x.dtype)
        return x
    raise TypeError(
        f"{op.name}: expected a Tensor, an array or a number, got {type(x).__name__};"
        " make a tensor of it with autograd.tensor(...)"
    )


def _complete(
    op: Op, inputs: tuple[Any, ...], meta: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs and the full metadata in the op's order; TypeError for what is missing or unknown."""
    names = op.names
    if len(inputs) == op.arity:
        if not meta and not op.required:
            return inputs, op.defaults
        if tuple(meta) == names:
            return inputs, meta
    if not op.variadic and len(inputs) > op.arity:
        surplus = dict(zip(names, inputs[op.arity :]))
        if len(inputs) - op.arity > len(names) or surplus.keys() & meta.keys():
            raise TypeError(f"{op.name} takes {op!r}, got {len(inputs)} positional arguments")
        inputs, meta = inputs[: op.arity], {**surplus, **meta}
    if len(inputs) < op.arity:
        given = {name: meta.pop(name) for name in op.inputs[len(inputs) :] if name in meta}
        inputs = (*inputs, *given.values())
    unknown = meta.keys() - set(names)
    missing = [name for name in op.required if name not in meta]
    if unknown or missing or (len(inputs) != op.arity and not op.variadic):
        raise TypeError(
            f"{op.name}: expected {op!r}, got {len(inputs)} inputs"
            + (f", unknown {sorted(unknown)}" if unknown else "")
            + (f", missing {missing}" if missing else "")
        )
    return inputs, {name: meta[name] if name in meta else op.defaults[name] for name in names}
