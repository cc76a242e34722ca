"""Parameter: a tensor that a Module finds when it is assigned to an attribute."""

from __future__ import annotations

from typing import Any, cast

from autograd import Tensor, as_tensor


class Parameter(Tensor):
    """A leaf tensor that requires grad.  It shares the memory of `data`."""

    def __init__(self, data: Any = (), requires_grad: bool = True):
        source = as_tensor(data)
        self._fill(source.array)
        self.version = source.version
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A parameter with memory of its own, and without the gradient, as in PyTorch."""
        twin = cast("Parameter", super().__deepcopy__(memo))
        twin._grad = None
        return twin

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
