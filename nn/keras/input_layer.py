"""Input: where a functional model begins."""

from __future__ import annotations

from typing import Any

from nn.keras import config
from nn.keras.layer import Layer
from nn.keras.node import KerasTensor, Node


class InputLayer(Layer):
    """The placeholder behind `keras.Input`: it gives what the model is called with."""

    optional: bool
    _shape: tuple[int | None, ...]
    _input_dtype: str

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        if sparse or ragged:
            raise ValueError("Input: there are dense tensors only; leave sparse and ragged out")
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "Input: pass one of `shape`, without the batch size, and `batch_shape`, with it."
                f" Received: shape={shape}, batch_shape={batch_shape}"
            )
        if batch_shape is None:
            batch_shape = (batch_size, *_sizes(shape))
        super().__init__(name=name, dtype=None, **kwargs)
        self.__dict__.update(
            built=True,
            optional=bool(optional),
            _shape=tuple(None if d is None else int(d) for d in batch_shape),
            _input_dtype=config.standardize_dtype(dtype),
        )
        out = KerasTensor(self._shape, self._input_dtype, name=self.name)
        Node(self, (), {}, out)

    def call(self, *args: Any) -> Any:
        """It computes nothing."""
        raise NotImplementedError("an InputLayer is no function: call the model that has it")

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """The shape, batch first."""
        return self._shape

    @property
    def dtype(self) -> str:
        """The dtype that inputs are cast to."""
        return self._input_dtype

    def get_config(self) -> dict[str, Any]:
        """Shape, dtype and name."""
        return {
            "batch_shape": self._shape,
            "dtype": self._input_dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor to build a model from: `shape` is that of one sample, without the batch.

    None stands for any size.  `batch_shape` has the batch size too.
    """
    layer = InputLayer(
        shape=shape if tensor is None else None,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer._inbound_nodes[0].out


def _sizes(shape: Any) -> tuple[Any, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)
