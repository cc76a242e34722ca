"""What `fit`, `evaluate` and `predict` are given, as arrays that the engine takes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autograd import Tensor, dtypes
from nn.keras import config, nests


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch, which is x or a tuple of one to three of them, as (x, y, sample_weight)."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "a batch is x, (x,), (x, y) or (x, y, sample_weight); got a tuple of"
            f" {len(data)} elements of the shapes {nests.shown(data)}. Several inputs go in a list"
            " or a dict inside it: ([x1, x2], y)"
        )
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The other way: what `train_step` gets.  x alone where it is no list or tuple."""
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def is_array(x: Any) -> bool:
    """True for what `as_array` takes: arrays, tensors, data frames."""
    return isinstance(x, (np.ndarray, Tensor)) or (
        hasattr(x, "__array__") and hasattr(x, "shape") and not isinstance(x, np.generic)
    )


def as_array(x: Any, what: str) -> np.ndarray:
    """`x` as an array of numbers in rows of memory, floats as `floatx()`; `what`: its name."""
    if isinstance(x, Tensor):
        array = x.detach().array
    elif type(x) is np.ndarray:
        array = x
    elif type(x).__name__ == "Series" and hasattr(x, "to_numpy"):
        array = x.to_numpy()[:, np.newaxis]
    elif is_array(x):
        array = np.asarray(x)
    else:
        raise unknown_kind(x, what)
    kind = array.dtype.kind
    if kind == "f":
        array = np.asarray(array, config.floatx())
    elif kind not in "biu" or array.dtype not in dtypes.SUPPORTED:
        array = _converted(array, what)
    if array.ndim == 0:
        raise ValueError(
            f"{what} is a single number ({array}); expected an array whose first axis counts the"
            " samples"
        )
    return np.ascontiguousarray(dtypes.canonical(array))


def unknown_kind(x: Any, what: str) -> ValueError:
    """The error for what is no array."""
    return ValueError(
        f"Unrecognized data type: {what}={_short(x)} (of type {type(x).__name__}); convert it with"
        f" np.array({what}) first. A list stands for several inputs or outputs"
    )


def _converted(array: np.ndarray, what: str) -> np.ndarray:
    """An array of a dtype that the engine has not, as one that it has."""
    if array.dtype.kind == "u":
        return array.astype(np.int64)
    if array.dtype.kind == "O":
        try:
            return np.asarray(array, config.floatx())
        except (TypeError, ValueError):
            pass
    raise ValueError(
        f"{what} has dtype {array.dtype}, which is not a number the engine computes with; encode it"
        f" first, e.g. {what}.astype('float32'), or np.unique({what}, return_inverse=True)[1] for"
        " labels that are text"
    )


def as_arrays(tree: Any, what: str) -> Any:
    """`as_array` of each leaf of a nest."""
    return nests.mapped(lambda x: as_array(x, what), tree)


def can_be_arrays(*trees: Any) -> bool:
    """True where each leaf is an array, or None."""
    return all(leaf is None or is_array(leaf) for tree in trees for leaf in nests.flatten(tree))


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


# Checks


def check_lengths(x: Any, y: Any, sample_weight: Any) -> int:
    """How many samples there are; ValueError where arrays differ in that, or there is none."""
    named = [("x", x), ("y", y), ("sample_weight", sample_weight)]
    lengths = {
        name: [leaf.shape[0] for leaf in nests.flatten(tree) if leaf is not None]
        for name, tree in named
    }
    every = {n for found in lengths.values() for n in found}
    if len(every) > 1:
        sizes = "; ".join(f"'{k}' sizes: {', '.join(map(str, v))}" for k, v in lengths.items() if v)
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of"
            f" samples. {sizes}"
        )
    if not every:
        raise ValueError("no data: x is None; pass an array, a generator or a DataLoader")
    count = every.pop()
    if count == 0:
        raise ValueError(
            f"no data: x has shape {nests.shown(x)}, which is 0 samples; check how it was loaded"
            " or filtered"
        )
    return count


def warn_of_nan(tree: Any, what: str) -> None:
    """Warn where an array holds NaN: each weight that it reaches becomes NaN.

    One pass over the data, of 15 ms for Fashion-MNIST.
    """
    for array in nests.flatten(tree):
        if array is None or array.dtype.kind != "f" or array.size == 0:
            continue
        if not np.isnan(array.min()):
            continue
        found = np.isnan(array)
        first = ", ".join(map(str, np.argwhere(found)[0]))
        warnings.warn(
            f"{what} (shape {array.shape}) contains {int(found.sum())} NaN, the first at"
            f" {what}[{first}]: the loss and the weights will become NaN. Fill the gaps"
            f" (np.nan_to_num), or drop these samples",
            UserWarning,
            stacklevel=4,
        )


# Weights


def class_weights(y: Any, class_weight: Any) -> np.ndarray:
    """A weight for each sample by its label: an index, a number to round, or the largest of a row.

    Classes that `class_weight` does not name weigh 1.
    """
    if nests.is_nested(y) or y is None:
        raise ValueError(
            "`class_weight` is only supported for Models with a single output; give"
            " `sample_weight` instead, an array per output"
        )
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"class_weight: expected a dict of class index to weight, e.g. {{0: 1.0, 1: 2.5}}; got"
            f" {_short(class_weight)}"
        )
    labels = np.asarray(y)
    if labels.ndim > 1:
        labels = labels[..., 0] if labels.shape[-1] == 1 else np.argmax(labels, axis=-1)
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(labels.shape, config.floatx())
    for index, weight in class_weight.items():
        weights[labels == index] = weight
    return weights


def per_output(y: Any, sample_weight: Any) -> Any:
    """`sample_weight` for each output: as it is, or one of a weight per sample for all of them."""
    if sample_weight is None or not nests.is_nested(y):
        return sample_weight
    if nests.is_nested(sample_weight):
        same = nests.apart(y)[0] == nests.apart(sample_weight)[0]
        if not same and len(nests.flatten(y)) != len(nests.flatten(sample_weight)):
            raise ValueError(
                "You should provide one `sample_weight` array per output in `y`; y has the shapes"
                f" {nests.shown(y)}, sample_weight {nests.shown(sample_weight)}"
            )
        return sample_weight
    if len(sample_weight.shape) > 1 and sample_weight.shape[1:] != (1,):
        raise ValueError(
            "For a model with multiple outputs, a single `sample_weight` array should have the"
            f" shape (samples,), got {sample_weight.shape}; pass one array per output instead"
        )
    return nests.mapped(lambda _: sample_weight, y)


def split_validation(arrays: Any, share: float) -> tuple[Any, Any]:
    """(first part, last part) of each array: the last `share` of the samples is for validation."""
    if not can_be_arrays(arrays):
        kinds = {type(leaf).__name__ for leaf in nests.flatten(arrays) if leaf is not None}
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays; got"
            f" {', '.join(sorted(kinds))}. Pass validation_data instead"
        )
    if not 0 < share < 1:
        raise ValueError(f"validation_split should be between 0 and 1, got {share}")
    count = next(len(leaf) for leaf in nests.flatten(arrays) if leaf is not None)
    at = int(np.floor(count * (1.0 - share)))
    if at in (0, count):
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a"
            f" validation and training set as specified by `validation_split={share}`. Either"
            " provide more data, or a different value for the `validation_split` argument."
        )
    return (
        nests.mapped(lambda a: _rows(a, slice(0, at)), arrays),
        nests.mapped(lambda a: _rows(a, slice(at, None)), arrays),
    )


def _rows(a: Any, rows: slice) -> Any:
    return a.iloc[rows] if hasattr(a, "iloc") else a[rows]
