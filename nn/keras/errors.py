"""Errors inside a layer, said again with the layer's name and what it was called with."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.compiled import RecordError

_KNOWN = (ValueError, TypeError, RuntimeError, IndexError, KeyError)


def explained(
    error: Exception, layer: Any, args: Any, kwargs: dict[str, Any], method: str = "call"
) -> Exception:
    """`error` with the layer it came from; once, for the innermost layer."""
    if getattr(error, "_keras_layer", None) is not None:
        return error
    plain = len(error.args) == 1 and isinstance(error.args[0], str)
    if not plain or isinstance(error, (RecordError, NotImplementedError)):
        return error
    if not isinstance(error, _KNOWN):
        return error
    kind = type(layer).__name__
    given = [f"  - {shown(x)}" for x in args] + [f"  - {k}={shown(x)}" for k, x in kwargs.items()]
    message = (
        f"Exception encountered when calling {kind}.{method}() of layer '{layer.name}'.\n\n"
        f"{error.args[0]}\n\nArguments received:\n" + "\n".join(given)
    )
    try:
        again = type(error)(message)
    except Exception:
        return error
    again.__dict__.update(error.__dict__)
    again.__dict__["_keras_layer"] = layer.name
    again.__cause__ = error.__cause__
    again.__traceback__ = error.__traceback__
    return again


def shown(x: Any) -> str:
    """A tensor as its shape and dtype; anything else as itself, shortened."""
    if isinstance(x, (Tensor, np.ndarray)):
        return f"{type(x).__name__}(shape={x.shape}, dtype={x.dtype.name})"
    if isinstance(x, (list, tuple)):
        inside = ", ".join(map(shown, x))
        return f"[{inside}]" if isinstance(x, list) else f"({inside})"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in x.items()) + "}"
    text = repr(x)
    return text if len(text) < 200 else text[:200] + "..."
