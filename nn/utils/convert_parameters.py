"""All parameters as one vector, and back."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from autograd import Tensor, no_grad
from autograd.op import ops


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other, as one vector; differentiable."""
    return ops.cat([ops.reshape(p, shape=(-1,)) for p in parameters], dim=0)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write consecutive pieces of `vec` into the parameters, in place; nothing is recorded.

    The parameters keep their memory and dtype.  (PyTorch makes them views of `vec`.)  RuntimeError
    where `vec` is too short, with nothing written; a warning where it is too long.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected autograd.Tensor, but got: {type(vec).__name__}")
    params = list(parameters)
    given, needed = vec.numel(), sum(p.numel() for p in params)
    if given < needed:
        raise RuntimeError(
            f"vector_to_parameters: the vector has {given} elements, but the parameters have"
            f" {needed}"
        )
    if given > needed:
        warnings.warn(
            f"vector_to_parameters: the last {given - needed} elements of the vector belong to no"
            " parameter",
            UserWarning,
            stacklevel=2,
        )
    start = 0
    with no_grad():
        flat = ops.reshape(vec, shape=(-1,))
        for p in params:
            p.copy_(ops.reshape(flat[start : start + p.numel()], shape=p.shape))
            start += p.numel()
