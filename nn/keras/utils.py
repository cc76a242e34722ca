"""`keras.utils`: seeds, labels, padding, and names that scripts look for here."""

from __future__ import annotations

import random as _python
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from nn.keras.callbacks.progress import Progbar
from nn.keras.config import (
    clear_session,
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
    standardize_dtype,
)
from nn.keras.data import pack_x_y_sample_weight, unpack_x_y_sample_weight
from nn.keras.node import KerasTensor, node_of
from nn.keras.pydataset import PyDataset
from nn.keras.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from nn.keras.serialization import deserialize_keras_object, serialize_keras_object

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
Sequence = PyDataset


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy's legacy generator, and the engine's default generator."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(
            "Expected `seed` argument to be an integer. Received: seed="
            f"{seed} (of type {type(seed)})"
        )
    _python.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - scripts draw from it
    autograd.manual_seed(seed)


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers (...,) or (..., 1) as one-hot rows (..., num_classes).

    An array for arrays and lists, a tensor for a tensor.  ValueError for a number out of range.
    """
    values = x.detach().array if isinstance(x, Tensor) else np.asarray(x)
    values = values.astype(np.int64)
    shape = values.shape[:-1] if len(values.shape) > 1 and values.shape[-1] == 1 else values.shape
    flat = values.reshape(-1)
    if num_classes is None:
        num_classes = int(flat.max()) + 1 if flat.size else 0
    wrong = flat[(flat < 0) | (flat >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"to_categorical: class number {wrong[0]} is out of range for {num_classes} classes;"
            " number the classes from 0, or pass num_classes"
        )
    rows = np.zeros((flat.size, num_classes))
    rows[np.arange(flat.size), flat] = 1
    rows = rows.reshape(*shape, num_classes)
    return autograd.tensor(rows.astype(np.float32)) if isinstance(x, Tensor) else rows


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """`x` divided by its norms along `axis`; what is all zeros stays so."""
    values = x.detach().array if isinstance(x, Tensor) else np.asarray(x)
    norms = np.atleast_1d(np.linalg.norm(values, order, axis))
    norms = np.expand_dims(np.where(norms == 0, 1, norms), axis)
    return x / autograd.as_tensor(norms) if isinstance(x, Tensor) else values / norms


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> np.ndarray:
    """Sequences of several lengths as one array (n, maxlen): filled, or cut, at "pre" or "post"."""
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ValueError(f'pad_sequences: {name} is "pre" or "post"; received {given!r}')
    if not hasattr(sequences, "__len__") or not all(hasattr(s, "__len__") for s in sequences):
        raise ValueError("`sequences` must be a list of iterables")
    rows = [np.asarray(s) for s in sequences]
    length = max((len(r) for r in rows), default=0) if maxlen is None else maxlen
    sample = next((r.shape[1:] for r in rows if len(r)), ())
    out = np.full((len(rows), length, *sample), value, dtype)
    for i, row in enumerate(rows):
        if not len(row) or not length:
            continue
        row = row[-length:] if truncating == "pre" else row[:length]
        if row.shape[1:] != sample:
            raise ValueError(
                f"Shape of sample {row.shape[1:]} of sequence at position {i} is different from"
                f" expected shape {sample}"
            )
        if padding == "pre":
            out[i, -len(row) :] = row
        else:
            out[i, : len(row)] = row
    return out


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """An array, or a tuple or list of arrays, in two parts: sizes as counts or as fractions."""
    parts = dataset if isinstance(dataset, (tuple, list)) else (dataset,)
    arrays = [p.detach().array if isinstance(p, Tensor) else np.asarray(p) for p in parts]
    count = len(arrays[0])
    if any(len(a) != count for a in arrays):
        raise ValueError(f"split_dataset: arrays of several lengths: {[len(a) for a in arrays]}")
    if left_size is None and right_size is None:
        raise ValueError("At least one of `left_size` and `right_size` must be specified")

    def absolute(size: float) -> int:
        found = round(size * count) if isinstance(size, float) else int(size)
        if not 0 <= found <= count:
            raise ValueError(f"split_dataset: a part of {size} does not fit {count} samples")
        return found

    left = count - absolute(right_size or 0) if left_size is None else absolute(left_size)
    right = count - left if right_size is None else absolute(right_size)
    if left + right > count:
        raise ValueError(f"split_dataset: parts of {left} and {right} do not fit {count} samples")
    order = np.arange(count)
    if shuffle:
        np.random.default_rng(seed if seed is not None else _python.randint(0, 10**9)).shuffle(
            order
        )

    def taken(index: np.ndarray) -> Any:
        found = [a[index] for a in arrays]
        return type(dataset)(found) if isinstance(dataset, (tuple, list)) else found[0]

    return taken(order[:left]), taken(order[count - right :])


def is_keras_tensor(x: Any) -> bool:
    """True for a symbolic tensor."""
    return isinstance(x, KerasTensor)


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs that a symbolic tensor depends on."""
    found: dict[int, KerasTensor] = {}
    stack, seen = [tensor], set()
    while stack:
        t = stack.pop()
        node = node_of(t)
        if node in seen:
            continue
        seen.add(node)
        if not node.inputs:
            found.setdefault(id(t), t)
        stack.extend(reversed(node.inputs))
    return list(found.values())
