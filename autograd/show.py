"""How a tensor prints: PyTorch's form."""

from __future__ import annotations

import numpy as np

from autograd import dtypes
from autograd.tensor import Tensor

_IMPLIED = (dtypes.float32, dtypes.int64, dtypes.bool_)


def tensor_repr(t: Tensor) -> str:
    """`tensor([[1., 2.]], requires_grad=True)`; long tensors are shortened."""
    if type(t.value) is float:
        body, notes = repr(t.value), []
    else:
        body = np.array2string(
            t.value, separator=", ", precision=4, threshold=1000, prefix="tensor("
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
