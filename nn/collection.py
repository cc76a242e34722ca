"""Parameters in a list or a dict."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autograd import Tensor
from nn.container import pairs
from nn.module import Module, _indented
from nn.parameter import Parameter

_MISSING = object()


def _entry(value: Any) -> Any:
    """A tensor as a Parameter; anything else as it is."""
    return Parameter(value) if type(value) is Tensor else value


class _Entries(Module):
    """Values as attributes, parameters of which are found; what the two share."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """RuntimeError: there is nothing to compute."""
        raise RuntimeError(f"{self._get_name()} should not be called.")

    def _entries(self) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def _shown_children(self) -> list[str]:
        shown = []
        for name, value in self._entries():
            if isinstance(value, Parameter):
                size = "x".join(map(str, value.shape))
                what = f"Parameter containing: [{value.dtype.name} of size {size}]"
            elif isinstance(value, Module):
                what = _indented(repr(value))
            else:
                what = f"Object of type: {type(value).__name__}"
            shown.append(f"({name}): {what}")
        return shown


class ParameterList(_Entries):
    """A list of parameters.  Tensors that are put in become parameters; other values stay."""

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return self._size

    def _name_at(self, index: int) -> str:
        i = operator.index(index)
        if not -self._size <= i < self._size:
            raise IndexError(f"index {i} is out of range for {self._size} parameters")
        return str(i % self._size)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(self._size))])
        return getattr(self, self._name_at(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._name_at(index), _entry(value))

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self._size)])

    def append(self, value: Any) -> ParameterList:
        """Add a parameter at the end."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add parameters at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, but got"
                f" {type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def _entries(self) -> list[tuple[str, Any]]:
        return [(str(i), value) for i, value in enumerate(self)]


class ParameterDict(_Entries):
    """Parameters by name.  Tensors that are put in become parameters; other values stay.

    A plain dict is taken in order of its keys, as in PyTorch; give pairs or an OrderedDict for an
    order of your own.
    """

    def __init__(self, parameters: Any = None):
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string (type"
                f" is '{type(key).__name__}')"
            )
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"attribute '{key}' already exists")
        self._keys[key] = None
        setattr(self, key, _entry(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """The parameters."""
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and parameters."""
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of that name, or `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter of that name, which becomes `default` where it is missing."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a parameter out, and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last parameter out; returns (name, parameter)."""
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self._keys):
            del self[key]

    def copy(self) -> ParameterDict:
        """A new ParameterDict of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new ParameterDict with `default` under each key."""
        return ParameterDict([(key, default) for key in keys])

    def update(self, parameters: Any) -> None:
        """Add parameters from a mapping, or from pairs (name, parameter)."""
        if isinstance(parameters, ParameterDict | OrderedDict):
            given = list(parameters.items())
        elif isinstance(parameters, Mapping):
            given = sorted(parameters.items())
        else:
            given = pairs("ParameterDict", parameters)
        for key, value in given:
            self[key] = value

    def __or__(self, other: Any) -> ParameterDict:
        result = self.copy()
        result.update(other)
        return result

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self

    def _entries(self) -> list[tuple[str, Any]]:
        return list(self.items())
