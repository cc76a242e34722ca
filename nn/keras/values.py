"""Values in configs that JSON has no word for: arrays, slices, symbolic tensors, functions."""

from __future__ import annotations

import base64
import marshal
import types
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from autograd import Tensor
from nn.keras import config as settings
from nn.keras.node import KerasTensor
from nn.keras.registry import get_registered_name

HOME = "nn.keras"


def special(obj: Any) -> Any:
    """What stands for a value that JSON cannot hold; None for any other object."""
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": obj.dtype.name},
        }
    if isinstance(obj, Tensor):
        value = obj.detach().array
        return {
            "class_name": "__tensor__",
            "config": {"value": value.tolist(), "dtype": value.dtype.name},
        }
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": parts}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("latin-1")}}
    if isinstance(obj, KerasTensor):
        history = None
        if obj._keras_history is not None:
            operation, node, index = obj._keras_history
            history = [operation.name, node, index]
        return {
            "class_name": "__keras_tensor__",
            "config": {"shape": list(obj.shape), "dtype": obj.dtype, "keras_history": history},
        }
    if isinstance(obj, settings.DTypePolicy):
        return {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": obj.get_config(),
            "registered_name": None,
        }
    return None


def function(f: Any) -> dict[str, Any]:
    """A function by its name; a lambda by its code."""
    if f.__name__ == "<lambda>":
        return {"class_name": "__lambda__", "config": {"value": _code_of(f)}}
    own = str(f.__module__).startswith(f"{HOME}.")
    module = "builtins" if own or f.__module__ in (None, "__main__") else f.__module__
    registered = "function" if own else get_registered_name(f)
    return {
        "module": module,
        "class_name": "function",
        "config": f.__name__,
        "registered_name": registered,
    }


def _code_of(f: Any) -> dict[str, Any]:
    from nn.keras.serialization import serialize_keras_object

    closure = tuple(c.cell_contents for c in f.__closure__) if f.__closure__ else None
    return {
        "code": base64.b64encode(marshal.dumps(f.__code__)).decode(),
        "defaults": serialize_keras_object(f.__defaults__),
        "closure": serialize_keras_object(closure),
    }


# From JSON

REVIVED: dict[str, Any] = {
    "__numpy__": lambda c: np.array(c["value"], c["dtype"]),
    "__tensor__": lambda c: Tensor.wrap(np.array(c["value"], c["dtype"])),
    "__slice__": lambda c: slice(c["start"], c["stop"], c["step"]),
    "__ellipsis__": lambda c: Ellipsis,
    "__bytes__": lambda c: c["value"].encode("latin-1"),
    "__tuple__": lambda c: tuple(c["value"]),
}
"""What makes a value of its description."""


def function_of_code(value: Mapping[str, Any], safe_mode: bool) -> Any:
    """A lambda from its code; ValueError in `safe_mode`."""
    from nn.keras.serialization import deserialize_keras_object

    if safe_mode and not settings.unsafe_deserialization():
        raise ValueError(
            "Requested the deserialization of a Python lambda, e.g. the `function` of a `Lambda`"
            " layer. This carries a potential risk of arbitrary code execution and thus it is"
            " disallowed by default. If you trust the source of the file, you can override this"
            " error by passing `safe_mode=False` to the loading function, or calling"
            " `keras.config.enable_unsafe_deserialization()`."
        )
    code = marshal.loads(base64.b64decode(value["code"]))
    closure = value.get("closure")
    cells = tuple(types.CellType(deserialize_keras_object(x)) for x in closure) if closure else None
    defaults = value.get("defaults")
    given = tuple(deserialize_keras_object(x) for x in defaults) if defaults else None
    return types.FunctionType(code, _globals(), code.co_name, given, cells)


def _globals() -> dict[str, Any]:
    """What a lambda that was loaded finds: NumPy, and the Keras face."""
    import builtins

    keras = import_module(HOME)
    return {"__builtins__": builtins, "np": np, "numpy": np, "keras": keras, "ops": keras.ops}
