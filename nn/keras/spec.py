"""InputSpec: what a layer accepts, checked where it is called."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = tuple[int | None, ...]


class InputSpec:
    """Rank, dtype, shape (None: any size) and sizes of single axes that an input must have."""

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = None if dtype is None else np.dtype(dtype).name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {} if axes is None else {int(k): axes[k] for k in axes}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if v or (k == "ndim" and v is not None)}
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in shown.items())})"

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it anew."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """The spec that `get_config` described."""
        return cls(**config)

    def failure(self, shape: Shape, dtype: Any) -> str | None:
        """What is wrong with an input of this shape and dtype; None where it is accepted."""
        ndim = len(shape)
        if self.shape is not None and self.allow_last_axis_squeeze:
            if ndim + 1 == len(self.shape) and self.shape[-1] == 1:
                shape, ndim = (*shape, 1), ndim + 1
            elif ndim - 1 == len(self.shape) and shape[-1] == 1:
                shape, ndim = shape[:-1], ndim - 1
        if self.ndim is not None and ndim != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={ndim}. Full shape received: {shape}"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={ndim}"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return (
                f"expected min_ndim={self.min_ndim}, found ndim={ndim}. Full shape received:"
                f" {shape}"
            )
        if self.dtype is not None and np.dtype(dtype).name != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={np.dtype(dtype).name}"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return (
                    f"expected axis {axis} of input shape to have value {size}, but received"
                    f" input with shape {shape}"
                )
        if self.shape is not None and not all(
            a is None or b is None or a == b for a, b in zip(self.shape, shape)
        ):
            return f"expected shape={self.shape}, found shape={shape}"
        return None


def check(spec: Any, inputs: Any, layer_name: str) -> None:
    """ValueError naming the layer where `inputs` (a tensor, or lists or dicts of them) do not fit.

    `spec`: an InputSpec, or as many as there are inputs, in a list or by name.
    """
    if spec is None:
        return
    if isinstance(spec, dict):
        names = list(spec)
        if isinstance(inputs, dict):
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(
                    f'Missing data for input "{missing[0]}" of layer {layer_name!r}. You passed a'
                    f" data dictionary with keys {list(inputs)}. Expected the following keys:"
                    f" {names}"
                )
            inputs = [inputs[name] for name in names]
        spec = list(spec.values())
    specs = list(spec) if isinstance(spec, (list, tuple)) else [spec]
    if isinstance(inputs, dict):
        inputs = list(inputs.values())
    given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if len(given) != len(specs):
        raise ValueError(
            f"Layer {layer_name!r} expects {len(specs)} input(s). Received {len(given)} instead."
        )
    for i, (one, x) in enumerate(zip(specs, given)):
        if one is None or (x is None and one.optional):
            continue
        if not hasattr(x, "shape"):
            raise ValueError(
                f"Inputs to layer {layer_name!r} should be tensors. Got {x!r} of type"
                f" {type(x).__name__} for input {i}; convert it with np.asarray first"
            )
        found = one.failure(tuple(x.shape), x.dtype)
        if found:
            named = f" with name {one.name!r}" if one.name else ""
            raise ValueError(
                f"Input {i}{named} of layer {layer_name!r} is incompatible with the layer: {found}"
            )
