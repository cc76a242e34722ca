"""What converting needs to know about a framework, the same for ours and for PyTorch."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import numpy as np

from autograd import Tensor, dtypes
from nn.module import Module
from nn.parameter import Parameter


class Side:
    """One of the two frameworks; `title` is the function that errors are to name."""

    name: str
    layers: Any
    module: Any
    tensor: Any
    parameter: Any

    def __init__(self, title: str):
        self.title = title

    def array(self, t: Any, place: str) -> np.ndarray:
        """A copy of the values; TypeError naming `place` for what NumPy cannot hold."""
        raise NotImplementedError

    def tensor_from(self, array: np.ndarray) -> Any:
        """A tensor around an array of its own."""
        raise NotImplementedError

    def memory(self, t: Any) -> Any:
        """Equal for tensors that share all of their memory."""
        raise NotImplementedError

    def dtype(self, t: Any) -> np.dtype:
        """A dtype such that what casts to it safely is held exactly by `t`."""
        raise NotImplementedError

    def write(self, t: Any, array: np.ndarray) -> None:
        """Put values into `t`, in place and in its dtype."""
        raise NotImplementedError

    def adopt(self, t: Any, array: np.ndarray) -> None:
        """Make `array` the values of `t`, with its dtype."""
        raise NotImplementedError


class Ours(Side):
    """tapegrad."""

    name = "tapegrad"
    module, tensor, parameter = Module, Tensor, Parameter

    def __init__(self, title: str):
        super().__init__(title)
        self.layers = importlib.import_module("nn")

    def array(self, t: Tensor, place: str) -> np.ndarray:
        """A contiguous copy."""
        return np.array(t.value, order="C")

    def tensor_from(self, array: np.ndarray) -> Tensor:
        """A tensor; TypeError for a dtype that the engine does not have."""
        dtypes.as_dtype(array.dtype)
        return Tensor.wrap(array)

    def memory(self, t: Tensor) -> Any:
        """Address and layout."""
        if type(t.value) is float:
            return id(t)
        return t.value.ctypes.data, t.value.shape, t.value.strides, t.value.dtype

    def dtype(self, t: Tensor) -> np.dtype:
        """Its dtype."""
        return t.dtype

    def write(self, t: Tensor, array: np.ndarray) -> None:
        """Copy, and count the change."""
        np.copyto(t.array, array, casting="same_kind")
        t.version[0] += 1

    def adopt(self, t: Tensor, array: np.ndarray) -> None:
        """Replace the array of a module that nobody has used yet."""
        t.value = self.tensor_from(array).value


class Torch(Side):
    """PyTorch."""

    name = "PyTorch"

    def __init__(self, title: str):
        super().__init__(title)
        try:
            self._torch: Any = importlib.import_module("torch")
        except ImportError:
            raise ImportError(
                f"nn.{title} needs PyTorch, which is not installed here: pip install torch"
            ) from None
        self.layers = self._torch.nn
        self.module = self._torch.nn.Module
        self.tensor = self._torch.Tensor
        self.parameter = self._torch.nn.Parameter
        self._warned = False

    def array(self, t: Any, place: str) -> np.ndarray:
        """A contiguous copy; half precision as float32."""
        torch = self._torch
        t = t.detach()
        if t.dtype in (torch.float16, torch.bfloat16):
            if not self._warned:
                warnings.warn(
                    f"{self.title}: {place} is {t.dtype}, which tapegrad does not have; such"
                    " tensors were widened to float32, which holds their values exactly",
                    UserWarning,
                    stacklevel=_outside(),
                )
                self._warned = True
            t = t.float()
        try:
            array = np.array(t.cpu().numpy(), order="C")
            dtypes.as_dtype(array.dtype)
        except (TypeError, RuntimeError, NotImplementedError, ValueError) as error:
            raise TypeError(
                f"{self.title}: {place} is a {t.dtype} tensor ({t.layout}, on {t.device}), which"
                f" tapegrad does not have: {error}"
            ) from None
        return array

    def tensor_from(self, array: np.ndarray) -> Any:
        """A tensor around the array."""
        return self._torch.from_numpy(array)

    def memory(self, t: Any) -> Any:
        """Address and layout."""
        if not t.numel() or t.layout != self._torch.strided:
            return id(t)
        return str(t.device), t.data_ptr(), tuple(t.shape), t.stride(), t.dtype

    def dtype(self, t: Any) -> np.dtype:
        """Its dtype; bfloat16 as float16, for of our dtypes both hold int8, uint8 and bool only."""
        name = str(t.dtype).removeprefix("torch.").replace("bfloat16", "float16")
        try:
            return np.dtype(name)
        except TypeError:
            return np.dtype(np.bool_)  # an exotic one: nothing is sure to fit

    def write(self, t: Any, array: np.ndarray) -> None:
        """Copy."""
        with self._torch.no_grad():
            t.copy_(self._torch.from_numpy(array))

    def adopt(self, t: Any, array: np.ndarray) -> None:
        """Replace the data."""
        t.data = self._torch.from_numpy(array)


def _outside() -> int:
    """How far up the stack the caller of this package is."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("nn.torch_"):
        level, frame = level + 1, frame.f_back
    return level
