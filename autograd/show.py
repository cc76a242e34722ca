"""How a tensor prints: PyTorch's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import dtypes
from autograd.tensor import Tensor

_IMPLIED = (dtypes.float32, dtypes.int64, dtypes.bool_)


def tensor_repr(t: Tensor) -> str:
    """`tensor([[1., 2.]], requires_grad=True)`; long tensors are shortened."""
    if type(t.value) is float:
        body, notes = repr(t.value), []
    else:
        kind: Any = {"float_kind": _formatter(t.value)} if dtypes.is_float(t.dtype) else None
        body = np.array2string(
            t.value, separator=", ", prefix="tensor(", threshold=1000, formatter=kind
        )
        notes = [] if t.dtype in _IMPLIED else [f"dtype={t.dtype.name}"]
        if not t.value.size and t.ndim != 1:
            notes.insert(0, f"size={t.shape}")
    if t.node is not None:
        notes.append(f"grad_fn=<{t.node.name}>")
    elif t.tracked:
        notes.append("requires_grad=True")
    name = "scalar" if type(t.value) is float else "tensor"
    return f"{name}({', '.join([body, *notes])})"


def _formatter(values: np.ndarray) -> Callable[[float], str]:
    """One form for all numbers: `2.` where all are whole, else four decimals, or an exponent."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)]).astype(np.float64)
    if not sizes.size:
        form = "{:.0f}."
    elif (sizes == np.ceil(sizes)).all():
        form = "{:.4e}" if sizes.max() / sizes.min() > 1e3 or sizes.max() > 1e8 else "{:.0f}."
    else:
        wide = sizes.max() / sizes.min() > 1e3 or sizes.max() > 1e8 or sizes.min() < 1e-4
        form = "{:.4e}" if wide else "{:.4f}"

    def show(x: float) -> str:
        return form.format(x) if np.isfinite(x) else str(float(x))

    width = max((len(show(x)) for x in values.ravel()[:1000]), default=0)
    return lambda x: show(x).rjust(width)
