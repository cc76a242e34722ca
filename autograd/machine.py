"""What PyTorch scripts ask of the machine: devices, threads, the default dtype.

There is one device, the CPU, so `device("cuda" if cuda.is_available() else "cpu")` is the CPU.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograd import dtypes
from autograd.modes import no_grad
from autograd.tensor import Tensor

inference_mode = no_grad
Size = tuple


class device(str):
    """A device by name; RuntimeError for any but "cpu"."""

    type = "cpu"
    index: Any = None

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        """`device("cpu")`, `device("cpu:0")` or `device("cpu", 0)`."""
        name, _, number = str(type).partition(":")
        if name != "cpu" or number not in ("", "0") or index not in (None, 0):
            raise RuntimeError(
                f"device {type!r}: tapegrad runs on the CPU; there is only 'cpu'. Choose it by"
                " `device('cuda' if cuda.is_available() else 'cpu')`"
            )
        return super().__new__(cls, "cpu")


cuda = SimpleNamespace(
    is_available=lambda: False,
    device_count=lambda: 0,
    manual_seed=lambda seed: None,
    manual_seed_all=lambda seed: None,
)
"""No GPU, as PyTorch says it."""
backends = SimpleNamespace(cudnn=SimpleNamespace(deterministic=True, benchmark=False))
"""What scripts set for reproducible runs; ours are reproducible as they are."""


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: all algorithms here are deterministic."""


def get_default_dtype() -> np.dtype:
    """What Python floats become: float32."""
    return dtypes.DEFAULT


def set_default_dtype(d: Any) -> None:
    """Accepts float32 alone: a process-wide float64 would change models that others built."""
    if dtypes.as_dtype(d) != dtypes.DEFAULT:
        raise RuntimeError(
            f"set_default_dtype({np.dtype(d).name}): the default is float32 for the whole process;"
            " pass dtype= where tensors are made, and call model.double()"
        )


_limits: list[Any] = []


def set_num_threads(count: int) -> None:
    """Let BLAS use this many threads, in the whole process, for large matrix products."""
    from threadpoolctl import threadpool_limits

    if count < 1:
        raise RuntimeError(f"set_num_threads: expected a positive number, got {count}")
    _limits[:] = [threadpool_limits(int(count), user_api="blas")]


def get_num_threads() -> int:
    """How many threads BLAS uses for large matrix products."""
    from threadpoolctl import threadpool_info

    counts = [f["num_threads"] for f in threadpool_info() if f.get("user_api") == "blas"]
    return max(counts, default=os.cpu_count() or 1)


def equal(input: Tensor, other: Tensor) -> bool:
    """True where both have the same shape and equal elements."""
    return input.shape == other.shape and bool((input.detach() == other.detach()).all())


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()
