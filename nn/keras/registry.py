"""Classes and functions by name: what scripts and files call "adam" or {"class_name": "Adam"}."""

from __future__ import annotations

import difflib
import inspect
import threading
from collections.abc import Mapping
from typing import Any

from nn.keras.naming import to_snake_case

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}


class _Scoped(threading.local):
    """Custom objects of the scopes that are open in this thread."""

    objects: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed


_scoped = _Scoped()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Any:
    """Decorate a class or function, which files then name as "package>name"."""

    def decorator(arg: Any) -> Any:
        own = name if name is not None else arg.__name__
        full = f"{package}>{own}"
        if inspect.isclass(arg) and not hasattr(arg, "get_config"):
            raise ValueError(
                f"Cannot register class {arg.__name__}, which does not have a get_config() method."
            )
        _registered[full] = arg
        _names[arg] = full
        return arg

    return decorator


def get_custom_objects() -> dict[str, Any]:
    """The registered classes and functions by "package>name"; the dict itself, to be added to."""
    return _registered


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, or its own."""
    return _names.get(obj, obj.__name__)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Any = None
) -> Any:
    """What was registered under a name, or stands in one of the dicts; None if nothing."""
    for table in (_scoped.objects, custom_objects, _registered, module_objects):
        if table and name in table:
            return table[name]
    return None


class CustomObjectScope:
    """`with CustomObjectScope({"MyLayer": MyLayer}):` names are looked up there first."""

    def __init__(self, custom_objects: Mapping[str, Any]):
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        self._before = _scoped.objects
        _scoped.objects = {**self._before, **self.custom_objects}
        return self

    def __exit__(self, *exception: object) -> None:
        _scoped.objects = self._before


custom_object_scope = CustomObjectScope


def find_custom(name: Any) -> Any:
    """A custom object by its full or its bare name; None if there is none."""
    if not isinstance(name, str):
        return None
    found = get_registered_object(name)
    if found is None:
        bare = [v for k, v in _registered.items() if k.rpartition(">")[2] == name]
        found = bare[-1] if bare else None
    return found


def lookup(name: str, table: Mapping[str, Any]) -> Any:
    """An entry of `table` under a class name, its snake_case, or in other capitals; or None."""
    if name in table:
        return table[name]
    for found in (lambda k: to_snake_case(k) == name, lambda k: k.lower() == name.lower()):
        match = next((v for k, v in table.items() if found(k)), None)
        if match is not None:
            return match
    return None


def resolve(kind: str, identifier: Any, table: Mapping[str, Any]) -> Any:
    """What an argument such as `optimizer="adam"` stands for.

    None is None; an object or function is itself; a class is instantiated; a name is looked up
    among custom objects and in `table`; a dict {"class_name", "config"} is deserialised.
    ValueError for anything else, naming the nearest name there is.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = find_custom(identifier)
        if found is None:
            found = lookup(identifier, table)
        if found is None:
            raise unknown(kind, identifier, table)
        return found() if inspect.isclass(found) else found
    if isinstance(identifier, Mapping):
        return _from_config(kind, identifier, table)
    if inspect.isclass(identifier):
        return identifier()
    if callable(identifier) or hasattr(identifier, "get_config"):
        return identifier
    raise ValueError(
        f"Could not interpret {kind} identifier: {identifier!r} of type"
        f" {type(identifier).__name__}; expected a name, an object, or a config"
    )


def _from_config(kind: str, config: Mapping[str, Any], table: Mapping[str, Any]) -> Any:
    if "class_name" not in config:
        raise ValueError(
            f"Could not interpret {kind} identifier: {dict(config)!r}; a config has the entries"
            " 'class_name' and 'config'"
        )
    name, inner = config["class_name"], config.get("config", {})
    if name == "function":
        return resolve(kind, inner, table)
    from nn.keras import serialization

    found = find_custom(config.get("registered_name")) or find_custom(name)
    if found is None and isinstance(name, str):
        found = lookup(name, table)
    if found is None:
        if config.get("module"):
            return serialization.deserialize_keras_object(dict(config))
        raise unknown(kind, name, table)
    if not hasattr(found, "from_config"):
        return found
    return found.from_config({} if inner is None else dict(inner))


def unknown(kind: str, name: Any, table: Mapping[str, Any]) -> ValueError:
    """The error for a name that is not there, with the nearest one that is."""
    near = nearest(str(name), [*table, *(k.rpartition(">")[2] for k in _registered)])
    hint = f" Did you mean {near!r}?" if near else ""
    return ValueError(
        f"Could not interpret {kind} identifier: {name!r}.{hint} A class or function of your own is"
        " passed itself, or registered with keras.saving.register_keras_serializable()"
    )


def nearest(name: str, known: Any) -> str | None:
    """The known name closest to one that is not there; None where none is close."""
    known = list(dict.fromkeys(known))
    lowered = {k.lower(): k for k in reversed(known)}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return lowered[found[0]] if found else None
