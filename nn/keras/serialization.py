"""Objects as plain JSON in Keras' own layout, and back.

An object is {"module", "class_name", "config", "registered_name"}.  Reading it makes only objects
of the Keras face itself and of classes that were registered or given as custom objects: nothing is
imported by name, and no code in a file is run.
"""

from __future__ import annotations

import inspect
import threading
import types
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from nn.keras.registry import (
    CustomObjectScope,
    find_custom,
    get_custom_objects,
    get_registered_name,
    nearest,
)
from nn.keras.values import HOME, REVIVED, function, function_of_code, special

_PLAIN = (str, bool, int, float, type(None))
_AREAS = (
    *("activations", "callbacks", "constraints", "initializers", "layers", "losses", "metrics"),
    *("models", "ops", "optimizers", "random", "regularizers", "utils"),
)
_CALLED = {"sequential": "keras", "config": "keras", "model": "keras"}


# To JSON


def serialize_keras_object(obj: Any) -> Any:
    """`obj` as JSON: plain data is itself, an object with `get_config` is described.

    TypeError for what cannot be described.
    """
    if isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(x) for x in obj]
    if isinstance(obj, Mapping):
        return {str(k): serialize_keras_object(v) for k, v in obj.items()}
    value = special(obj)
    if value is not None:
        return value
    if isinstance(obj, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return function(obj)
    if inspect.isclass(obj) or not hasattr(obj, "get_config"):
        if callable(obj) and hasattr(obj, "__name__") and not inspect.isclass(obj):
            return function(obj)
        raise TypeError(
            f"Cannot serialize object {obj!r} of type {type(obj).__name__}: it has no get_config()"
            " method; give it one, or pass plain data"
        )
    return described(obj)


def described(obj: Any) -> dict[str, Any]:
    """An object of a class with `get_config`."""
    kind = type(obj)
    config = {k: serialize_keras_object(v) for k, v in obj.get_config().items()}
    own = kind.__module__.startswith(f"{HOME}.")
    registered = None if own else get_registered_name(kind)
    module = module_of(kind)
    if kind.__name__ == "Functional" and own:
        module, registered = "keras.src.models.functional", "Functional"
    elif module == "keras.ops":
        module, registered = "keras.src.ops.numpy", kind.__name__
    found: dict[str, Any] = {
        "module": module,
        "class_name": getattr(obj, "_class_name", kind.__name__),
        "config": config,
        "registered_name": registered,
    }
    for key in ("build_config", "compile_config"):
        if hasattr(obj, f"get_{key}"):
            extra = serialize_keras_object(getattr(obj, f"get_{key}")())
            if extra is not None:
                found[key] = extra
    return found


def module_of(kind: type) -> str | None:
    """What files call the module of a class: "keras.layers"; None for one of a script."""
    name = kind.__module__
    if not name.startswith(f"{HOME}."):
        return None if name in ("__main__", "builtins") else name
    area = name.split(".")[2]
    return f"keras.{area}" if area in _AREAS else _ELSEWHERE.get(area, "keras")


_ELSEWHERE = dict.fromkeys(("input_layer", "module_layer", "layer"), "keras.layers")


# From JSON


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    **kwargs: Any,
) -> Any:
    """What `serialize_keras_object` described.  TypeError for a class that is not known.

    `safe_mode=False` lets the code of a lambda function in it be run.
    """
    if kwargs:
        raise TypeError(f"deserialize_keras_object: unexpected {sorted(kwargs)}")
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize_keras_object(config, None, safe_mode)
    if isinstance(config, _PLAIN):
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(x, None, safe_mode) for x in config]
    if not isinstance(config, Mapping):
        raise TypeError(f"Could not parse config: {config!r}")
    if "class_name" not in config or "config" not in config:
        return {k: deserialize_keras_object(v, None, safe_mode) for k, v in config.items()}
    name, inner = config["class_name"], config["config"]
    if name in REVIVED:
        return REVIVED[name](inner)
    if name == "__lambda__":
        return function_of_code(inner["value"], safe_mode)
    if name == "function":
        return _found_function(config)
    found = _found_class(config)
    with safe_mode_scope(safe_mode):
        obj = found.from_config(dict(inner) if isinstance(inner, Mapping) else inner)
    build = config.get("build_config")
    if build and hasattr(obj, "build_from_config") and not getattr(obj, "built", True):
        obj.build_from_config(build)
    compiled = config.get("compile_config")
    if compiled and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(compiled)
    return obj


def revived(value: Any) -> Any:
    """An entry of a config given to an `__init__`: objects described in it made anew."""
    if isinstance(value, Mapping) and "class_name" in value and "config" in value:
        return deserialize_keras_object(value, safe_mode=_safe.mode)
    return value


def _found_class(config: Mapping[str, Any]) -> Any:
    name, module = config["class_name"], config.get("module") or ""
    found = find_custom(config.get("registered_name"))
    if found is None:
        found = find_custom(name)
    if found is None and module.startswith("keras"):
        found = _own(module, name)
    if found is None and not module and not config.get("registered_name"):
        found = next((f for area in _AREAS if (f := _own(f"keras.{area}", name))), None)
    if inspect.isclass(found) and hasattr(found, "from_config"):
        return found
    raise TypeError(
        f"Could not locate class '{name}'.{_hint(module, name)} Make sure custom classes and"
        " functions are decorated with `@keras.saving.register_keras_serializable()`, and the"
        " module that has them is imported, or pass custom_objects={"
        f"'{name}': {name}}}. Full object config: {_shortened(config)}"
    )


def _own(module: str, name: Any) -> Any:
    """A class or function of the Keras face by its public or historical module and its name."""
    if not isinstance(name, str) or name.startswith("_"):
        return None
    area = _area_of(module)
    if area is None:
        return None
    home = import_module(HOME if area == "" else f"{HOME}.{area}")
    found = getattr(home, name, None)
    if found is None and area == "ops":
        found = home.operation_class(name)
    own = str(getattr(found, "__module__", "")).startswith(f"{HOME}.")
    return found if own and callable(found) else None


def _area_of(module: str) -> str | None:
    parts = [p for p in module.split(".") if p not in ("keras", "src", "_tf_keras")]
    if not parts or parts[0] in _CALLED:
        return ""
    return parts[0] if parts[0] in _AREAS else None


def _hint(module: str, name: Any) -> str:
    area = _area_of(module) if module.startswith("keras") else "layers"
    home = import_module(HOME if not area else f"{HOME}.{area}")
    near = nearest(str(name), [*vars(home), *(k.rpartition(">")[2] for k in get_custom_objects())])
    return f" Did you mean '{near}'?" if near else ""


def _found_function(config: Mapping[str, Any]) -> Any:
    name = config["config"]
    found = find_custom(config.get("registered_name")) or find_custom(name)
    if found is None:
        areas = ("activations", "losses", "metrics", "ops")
        found = next((f for area in areas if (f := _own(f"keras.{area}", name))), None)
    if found is None:
        raise TypeError(
            f"Could not locate function '{name}'. Make sure custom functions are decorated with"
            " `@keras.saving.register_keras_serializable()`, or pass custom_objects="
            f"{{'{name}': {name}}}"
        )
    return found


class safe_mode_scope:
    """Whether code may be loaded, for what is deserialised inside."""

    def __init__(self, safe_mode: bool):
        self.safe_mode = safe_mode

    def __enter__(self) -> None:
        self._before = _safe.mode
        _safe.mode = self.safe_mode

    def __exit__(self, *exception: object) -> None:
        _safe.mode = self._before


class _Safe(threading.local):
    mode: bool = True


_safe = _Safe()


def in_safe_mode() -> bool:
    """Whether what is being deserialised in this thread must not run code."""
    return _safe.mode


def _shortened(config: Mapping[str, Any]) -> str:
    text = str(dict(config))
    return text if len(text) < 500 else text[:500] + "..."
