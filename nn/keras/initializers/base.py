"""The base of the initializers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from autograd import Tensor
from autograd.dtypes import as_dtype
from nn.keras import config

Self = TypeVar("Self", bound="Initializer")


class Initializer:
    """The base of all: subclass it, and write `__call__(shape, dtype=None)`."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """A tensor of that shape."""
        raise NotImplementedError(
            f"{type(self).__name__}: Initializer subclasses must implement the `__call__()` method."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The initializer with these arguments."""
        return cls(**config)

    def clone(self: Self) -> Self:
        """Another one with the same arguments."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({given})"


def dtype_of(dtype: Any) -> np.dtype:
    """The dtype that is asked for; `floatx` for None."""
    return as_dtype(config.floatx() if dtype is None else dtype)
