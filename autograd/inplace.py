"""Views and in-place changes, with PyTorch's rules.

All views of one memory share a version number, which every in-place change raises: a saved tensor
that was changed is found at backward.  A changed view rewrites the history of its base,
functionally: `base' = put_view(base, view')`; other views of that base renew their node when they
are next used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.modes import enable_grad, modes
from autograd.op import TABLE, Op, ops
from autograd.tensor import Tensor


class View:
    """Where a view comes from: `steps` of view ops applied to `base`; `version` of its node.

    `recorded`: it was made where a graph is recorded, and follows what happens to its base.
    """

    __slots__ = ("base", "steps", "version", "recorded")

    def __init__(self, base: Tensor, steps: tuple[tuple[Op, dict[str, Any]], ...], version: int):
        self.base, self.steps, self.version = base, steps, version
        self.recorded = modes.grad

    def refresh(self, view: Tensor) -> None:
        """See `refresh`: for what holds a Tensor only."""
        refresh(view)


def mark_view(op: Op, source: Tensor, meta: dict[str, Any], result: Tensor) -> None:
    """Note that `result` looks into the memory of `source`, if it does."""
    if not isinstance(source, Tensor) or not _same_memory(source.value, result.value):
        return
    result.version = source.version
    base, steps = (source.view_of.base, source.view_of.steps) if source.view_of else (source, ())
    result.view_of = View(base, (*steps, (op, meta)), source.version[0])


def _same_memory(a: Any, b: Any) -> bool:
    if type(a) is not np.ndarray:
        return False
    return b.base is a or b is a or (b.base is not None and b.base is a.base)


def refresh(view: Tensor) -> None:
    """Give a view whose memory changed since the node it has: that of the changed base."""
    about = view.view_of
    if view.version[0] == about.version:
        return
    about.version = view.version[0]
    if about.base.tracked and about.recorded:
        with enable_grad():
            t = replay(about.base, about.steps)
        view.node, view.tracked = t.node, t.tracked


def replay(t: Any, steps: tuple[tuple[Op, dict[str, Any]], ...]) -> Any:
    """Apply a chain of view ops."""
    for op, meta in steps:
        t = op(t, **meta)
    return t


def check_writable(op: str, t: Tensor) -> None:
    """RuntimeError when an in-place change of `t` would lose a gradient."""
    if not modes.grad:
        return
    if t.tracked and t.node is None:
        raise RuntimeError(
            f"{op}: a leaf Tensor that requires grad is being used in an in-place operation;"
            " change it under no_grad(), or work on a clone()"
        )
    if t.view_of is not None and t.view_of.base.tracked and t.view_of.base.node is None:
        raise RuntimeError(
            f"{op}: a view of a leaf Tensor that requires grad is being used in an in-place"
            " operation; change it under no_grad(), or work on a clone()"
        )


def update(name: str, f: Callable[..., Any], t: Tensor, *others: Any, **meta: Any) -> Tensor:
    """`t = f(t, *others)` in the memory of `t`; history, versions and views follow."""
    check_writable(name, t)
    if t.view_of is not None:
        refresh(t)
    result = f(stand_in(t), *(_apart(o, t) for o in others), **meta)
    _store(name, t, result)
    _adopt(t, result)
    return t


def stand_in(t: Tensor) -> Tensor:
    """A stand-in for `t` as it is now, so that the node that replaces its own can refer to it."""
    old = Tensor.wrap(t.value)
    old.node, old.tracked, old.version = t.node, t.tracked, t.version
    if modes.recorder is not None:
        modes.recorder.scalars.same(old, t)
    return old


def _apart(other: Any, t: Tensor) -> Any:
    """An operand; a stand-in where it looks into the memory of `t`, so that no cycle arises."""
    if isinstance(other, Tensor) and other.version is t.version and other.version is not None:
        return stand_in(other)
    return other


def _store(name: str, t: Tensor, result: Any) -> None:
    value = result.value if isinstance(result, Tensor) else result
    if type(t.value) is float:
        if np.ndim(value):
            raise RuntimeError(f"{name}: result of shape {np.shape(value)} does not fit a scalar")
        set_number(t, result)  # nodes keep the numbers of scalars, so no version is needed
        return
    value = np.asarray(value)
    if not t.value.flags.writeable:
        raise RuntimeError(
            f"{name}: the tensor of shape {t.shape} is expanded or read-only: several of its"
            " elements may be one place in memory. clone() it first"
        )
    if value.shape != t.value.shape:
        raise RuntimeError(
            f"{name}: the result has shape {value.shape}, which does not fit the tensor of"
            f" shape {t.value.shape} that it is written into"
        )
    if not np.can_cast(value.dtype, t.value.dtype, "same_kind"):
        raise RuntimeError(
            f"{name}: result type {value.dtype.name} can't be written into a tensor of"
            f" {t.value.dtype.name}"
        )
    _copy((t.value, value))
    t.version[0] += 1
    if modes.recorder is not None:
        modes.recorder.effect("copy", _copy, (t, result), [t])


def set_number(t: Tensor, value: Any) -> None:
    """Give a scalar another number: that of a Tensor or an array of one element, or a number."""
    if modes.recorder is not None:
        modes.recorder.scalars.set(t, value)
    t.value = float(value.value if isinstance(value, Tensor) else value)


def _copy(arrays: tuple[np.ndarray, Any]) -> None:
    np.copyto(*arrays, casting="same_kind")


def _adopt(t: Tensor, result: Any) -> None:
    """Make `result`'s history that of `t`, and of the base that `t` is a view of."""
    tracked = isinstance(result, Tensor) and result.tracked
    if tracked and result.dtype != t.dtype:
        result = TABLE["cast"](result, dtype=t.dtype)
    if t.view_of is None:
        if tracked or (t.tracked and t.node is not None and modes.grad):
            _take(t, result)
        return
    base = t.view_of.base
    if modes.grad and (tracked or base.tracked):
        _take(base, TABLE["put_view"](stand_in(base), result, steps=t.view_of.steps))
    t.view_of.version = -1
    refresh(t)


def _take(t: Tensor, result: Tensor) -> None:
    node = result.node
    t.node, t.tracked = node, result.tracked
    kept = (t.extra or {}).get("retains_grad")
    if kept and node is not None:
        kept["handle"].remove()
        kept["handle"] = t.register_hook(kept["keep"])
    if node is not None and node.out is not None:
        node.out = (t.value, t.version, t.version[0])


def assign(t: Tensor, index: Any, value: Any) -> None:
    """`t[index] = value`: into a view for a basic index, by `index_put` for arrays and masks."""
    view = ops.getitem(t, index)
    if view.version is t.version:
        update("setitem", ops.copy_to, view, value)
    else:
        update("setitem", ops.setitem, t, index, value)
