"""Nested lists, tuples and dicts of arrays: taken apart, and put together again.

A form is what remains of a nest without its leaves, hashable: `LEAF`, `NONE`, or (kind, parts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LEAF, NONE = "leaf", "none"
Form = Any


def is_nested(tree: Any) -> bool:
    """True for a list, a tuple or a dict."""
    return isinstance(tree, (list, tuple, dict))


def children(tree: Any) -> list[Any]:
    """The parts of a nest in order; those of a dict by its sorted keys, as Keras does."""
    if isinstance(tree, dict):
        return [tree[key] for key in ordered_keys(tree)]
    return list(tree)


def ordered_keys(tree: dict[Any, Any]) -> list[Any]:
    """The keys of a dict, sorted where they can be."""
    try:
        return sorted(tree)
    except TypeError:
        return list(tree)


def flatten(tree: Any) -> list[Any]:
    """The leaves, None among them."""
    if not is_nested(tree):
        return [tree]
    return [leaf for part in children(tree) for leaf in flatten(part)]


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """The same nest with `f` of each leaf that is not None."""
    if isinstance(tree, dict):
        return {key: mapped(f, part) for key, part in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[mapped(f, part) for part in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(f, part) for part in tree)
    return None if tree is None else f(tree)


def apart(tree: Any) -> tuple[Form, list[Any]]:
    """(form, leaves that are not None)."""
    leaves: list[Any] = []
    return _form(tree, leaves), leaves


def _form(tree: Any, leaves: list[Any]) -> Form:
    if isinstance(tree, dict):
        keys = ordered_keys(tree)
        return (dict, tuple([(key, _form(tree[key], leaves)) for key in keys]))
    if isinstance(tree, tuple):
        kind = type(tree) if hasattr(tree, "_fields") else tuple
        return (kind, tuple([_form(part, leaves) for part in tree]))
    if isinstance(tree, list):
        return (list, tuple([_form(part, leaves) for part in tree]))
    if tree is None:
        return NONE
    leaves.append(tree)
    return LEAF


def together(form: Form, leaves: Any) -> Any:
    """The nest of this form with these leaves."""
    return _build(form, iter(leaves))


def _build(form: Form, leaves: Any) -> Any:
    if form is LEAF or form == LEAF:
        return next(leaves)
    if form is NONE or form == NONE:
        return None
    kind, parts = form
    if kind is dict:
        return {key: _build(part, leaves) for key, part in parts}
    built = [_build(part, leaves) for part in parts]
    if kind is list:
        return built
    return tuple(built) if kind is tuple else kind(*built)


def shown(tree: Any) -> str:
    """A nest with the shapes of its leaves, for errors."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in tree.items()) + "}"
    if isinstance(tree, (list, tuple)):
        return "[" + ", ".join(map(shown, tree)) + "]"
    return "None" if tree is None else str(tuple(getattr(tree, "shape", ())))
