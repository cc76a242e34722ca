"""Settings of the Keras face: the float type of new layers, the fuzz factor, and names given."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from autograd import dtypes

_FLOATS = ("float32", "float64")
_settings: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
}
_given: dict[str, int] = {}
"""How often each automatic name was given."""
_lock = threading.Lock()


def floatx() -> str:
    """The float type of layers that are given none: "float32" or "float64"."""
    return _settings["floatx"]


def set_floatx(value: str) -> None:
    """Set what `floatx` gives, for layers made from now on."""
    name = np.dtype(value).name if not isinstance(value, str) else value
    if name not in _FLOATS:
        raise ValueError(
            f"Unknown floatx: {value!r}. The engine computes in {' and '.join(_FLOATS)}"
        )
    _settings["floatx"] = name


def epsilon() -> float:
    """The fuzz factor that keeps divisions and logarithms finite; 1e-7."""
    return _settings["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the fuzz factor."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """Always "channels_last": channels are the last axis."""
    return _settings["image_data_format"]


def backend() -> str:
    """The name of what computes: "tapegrad"."""
    return "tapegrad"


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype, "float32"; None is `floatx()`.  TypeError for one that is not here."""
    if dtype is None:
        return floatx()
    if isinstance(dtype, DTypePolicy):
        return dtype.name
    if dtype == "string":
        raise TypeError("dtype 'string': the engine holds numbers; encode text as integers before")
    if isinstance(dtype, str):
        dtype = {"float": floatx(), "int": "int32"}.get(dtype, dtype)
    return dtypes.as_dtype(dtype).name


class DTypePolicy:
    """The dtype that a layer computes in and keeps its weights in: here always one."""

    def __init__(self, name: str | None = None):
        name = floatx() if name is None else name
        if isinstance(name, str) and name.startswith("mixed_"):
            raise ValueError(
                f"dtype policy {name!r}: the engine computes in float32 and float64 only; use"
                " 'float32'"
            )
        self.name = standardize_dtype(name)

    @property
    def compute_dtype(self) -> str:
        """The dtype inputs are cast to."""
        return self.name

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
        return self.name

    def get_config(self) -> dict[str, Any]:
        """Its name."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """The policy that `get_config` described."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


FloatDTypePolicy = DTypePolicy


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given no dtype."""
    return DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers made from now on, by name or object."""
    set_floatx(policy.name if isinstance(policy, DTypePolicy) else DTypePolicy(policy).name)


# Names


def get_uid(prefix: str = "") -> int:
    """1, 2, 3 ... for each prefix."""
    with _lock:
        _given[prefix] = _given.get(prefix, 0) + 1
        return _given[prefix]


def auto_name(prefix: str) -> str:
    """`dense`, `dense_1`, `dense_2` ..., counted from the start or the last `clear_session()`."""
    count = get_uid(prefix) - 1
    return f"{prefix}_{count}" if count else prefix


def clear_session(free_memory: bool = True) -> None:
    """Count automatic names from the start again.  There is no other global state to clear."""
    with _lock:
        _given.clear()


# Behaviour on loading

_unsafe = [False]


def enable_unsafe_deserialization() -> None:
    """Let files be loaded that name Python code, for all of this process."""
    _unsafe[0] = True


def unsafe_deserialization() -> bool:
    """True after `enable_unsafe_deserialization()`."""
    return _unsafe[0]


# What is printed

_interactive = [True]


def enable_interactive_logging() -> None:
    """Progress bars that redraw themselves."""
    _interactive[0] = True


def disable_interactive_logging() -> None:
    """One line per epoch instead of progress bars where `verbose="auto"`."""
    _interactive[0] = False


def is_interactive_logging_enabled() -> bool:
    """True where progress bars redraw themselves."""
    return _interactive[0]
