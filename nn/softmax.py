"""Softmax and its kin, and gating: layers that work along one dimension."""

from __future__ import annotations

from autograd import Tensor
from autograd.op import Op, ops
from nn import functional
from nn.module import Layer


class _Along(Layer):
    op: Op

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Normalised along `dim`."""
        if self.dim is None or input.dtype.kind != "f":
            return getattr(functional, self.op.name)(input, self.dim, _stacklevel=5)
        return self.op(input, dim=self.dim)

    def extra_repr(self) -> str:
        """Its dimension."""
        return f"dim={self.dim}"


class Softmax(_Along):
    """e^x / sum(e^x) along `dim`."""

    op = ops.softmax


class LogSoftmax(_Along):
    """log(softmax(x)) along `dim`."""

    op = ops.log_softmax


class Softmin(_Along):
    """softmax(-x) along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalised along `dim`."""
        return functional.softmin(input, self.dim, _stacklevel=5)


class Softmax2d(Layer):
    """Softmax over the channels of images (n, channels, height, width) or of one."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalised over the channels."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return ops.softmax(input, dim=-3)


class GLU(Layer):
    """a sigmoid(b), where a and b are the halves of the input along `dim`."""

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """The gated half."""
        return ops.glu(input, dim=self.dim)

    def extra_repr(self) -> str:
        """Its dimension."""
        return f"dim={self.dim}"
