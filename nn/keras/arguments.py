"""Arguments that all layers take: dtypes, regularizers, and shapes as older scripts give them."""

from __future__ import annotations

import warnings
from typing import Any

from nn.keras import config

LEGACY = ("input_shape", "input_dim", "batch_input_shape", "batch_size", "input_dtype")


def policy(dtype: Any) -> config.DTypePolicy:
    """The policy of a dtype: by name, object or config; None is `floatx`."""
    if isinstance(dtype, config.DTypePolicy):
        return dtype
    if isinstance(dtype, dict):
        dtype = dtype["config"]["name"]
    return config.DTypePolicy(dtype)


def regularizer(identifier: Any) -> Any:
    """The regularizer of a name, object or config; the module is loaded where there is one."""
    if identifier is None:
        return None
    from nn.keras import regularizers

    return regularizers.get(identifier)


def declared_shape(kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """The input's shape, batch first, from the arguments that older scripts give to layers."""
    if not kwargs:
        return None
    if "input_shape" in kwargs or "input_dim" in kwargs:
        warnings.warn(
            "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential"
            " models, prefer using an `Input(shape)` object as the first layer in the model"
            " instead.",
            UserWarning,
            stacklevel=4,
        )
    if "batch_input_shape" in kwargs:
        return tuple(kwargs["batch_input_shape"])
    if "input_shape" in kwargs:
        shape = kwargs["input_shape"]
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return (kwargs.get("batch_size"), *shape)
    if "input_dim" in kwargs:
        return (kwargs.get("batch_size"), int(kwargs["input_dim"]))
    return None
