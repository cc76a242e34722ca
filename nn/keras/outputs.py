"""What belongs to a model's outputs, losses, labels, weights, brought into their order."""

from __future__ import annotations

from typing import Any

from nn.keras import nests

_ANY = object()


def output_names(y_pred: Any, known: Any) -> list[Any]:
    """A name for each output: those of the model, or the keys of a dict, or None."""
    count = len(nests.flatten(y_pred))
    if isinstance(y_pred, dict) and count == len(y_pred):
        if known and set(known) == set(y_pred):
            return list(known)
        return nests.ordered_keys(y_pred)
    return list(known) if known and len(known) == count else [None] * count


def per_output(
    tree: Any, y_pred: Any, names: list[Any], what: str, missing: Any = _ANY
) -> list[Any]:
    """`tree`, which belongs to the outputs, as a list with an entry for each.

    A dict is taken by the names of the outputs, what it leaves out is `missing`; a list by its
    order.  ValueError, that names `what` and the outputs, where it does not fit.
    """
    count = len(names)
    if isinstance(tree, dict):
        unknown = [key for key in tree if key not in names]
        left = [name for name in names if name not in tree]
        if unknown or (left and missing is _ANY):
            raise ValueError(
                f"{what}: expected the keys {names}, which are the model's outputs, but got"
                f" {list(tree)}"
            )
        return [tree.get(name, missing) for name in names]
    if isinstance(tree, (list, tuple)):
        if len(tree) == count:
            return list(tree)
        flat = nests.flatten(tree)
        if len(flat) == count:
            return flat
        raise ValueError(
            f"{what}: {len(tree)} were given, but the model has {count} outputs"
            f" {names if any(names) else ''}; give one for each, or None where there is none"
        )
    if count == 1:
        return [tree]
    raise ValueError(
        f"{what}: one was given, but the model has {count} outputs, of the shapes"
        f" {nests.shown(y_pred)}; give a list, or a dict by their names"
    )


def flat_outputs(y_pred: Any, names: list[Any]) -> list[Any]:
    """The outputs in the order of their names."""
    if isinstance(y_pred, dict) and set(y_pred) == set(names):
        return [y_pred[name] for name in names]
    return nests.flatten(y_pred)


def kind_of_labels(y_true: Any, y_pred: Any) -> str:
    """Whether labels are "binary", "sparse" or "categorical", by the shapes of both."""
    if y_pred.shape[-1:] == (1,):
        return "binary"
    fewer = len(y_true.shape) < len(y_pred.shape)
    return "sparse" if fewer or y_true.shape[-1:] == (1,) else "categorical"
