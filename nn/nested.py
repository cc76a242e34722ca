"""A nested state as JSON and named arrays, and back, with every type as it was.

JSON's own types stand for themselves.  Everything else is an object with one key that begins
with "$": `{"$tensor": "model.weight"}`, `{"$tuple": [1, 2]}`, `{"$int": "0x1f..."}`.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Tensor, dtypes
from nn.parameter import Parameter

Arrays = dict[str, np.ndarray]
DEEPEST = 100
"""Levels of nesting; far more than a state has, far fewer than Python's stack."""
_DICTS: dict[str, type[dict[Any, Any]]] = {"OrderedDict": OrderedDict, "Counter": Counter}
DTYPES = {
    name: np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
}
"""Dtypes of arrays that a safetensors file can hold."""
_NUMBERS = {**DTYPES, **{name: np.dtype(name) for name in ("complex64", "complex128")}}


class Malformed(ValueError):
    """A structure that `encode` does not write."""


def encode(state: Any) -> tuple[Any, Arrays]:
    """`state` as JSON, and its arrays by path; TypeError naming the place of what is neither."""
    encoder = _Encoder()
    return encoder.encode(state, "state", ()), encoder.arrays


def decode(structure: Any, arrays: Arrays) -> Any:
    """What `encode` was given; Malformed if it cannot have been written by it."""
    decoder = _Decoder(arrays)
    try:
        state = decoder.decode(structure)
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    unused = arrays.keys() - decoder.used
    if unused:
        raise Malformed(f"tensors that belong nowhere: {', '.join(sorted(unused))}")
    return state


class _Encoder:
    def __init__(self) -> None:
        self.arrays: Arrays = {}
        self._open: set[int] = set()
        self._places: dict[Any, str] = {}

    def encode(self, value: Any, place: str, keys: tuple[Any, ...]) -> Any:
        """JSON for `value`; `place` is how Python would reach it, `keys` the way there."""
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**63 else {"$int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if kind is Tensor or kind is Parameter:
            return self._tensor(value, place, keys)
        if kind is np.ndarray:
            return {"$array": self._store(value, place, keys), **self._same(value, keys)}
        if isinstance(value, np.generic) and value.dtype.name in _NUMBERS:
            little = value.astype(value.dtype.newbyteorder("<"))
            return {"$number": value.dtype.name, "hex": little.tobytes().hex()}
        if kind is bytes:
            return {"$bytes": self._store(np.frombuffer(value, np.uint8), place, keys)}
        return self._container(value, place, keys)

    def _container(self, value: Any, place: str, keys: tuple[Any, ...]) -> Any:
        kind = type(value)
        if kind not in (list, tuple, dict, *_DICTS.values()):
            raise TypeError(_refusal(value, place))
        if id(value) in self._open:
            raise ValueError(f"nn.save: {place} contains itself; a file can hold trees only")
        if len(keys) >= DEEPEST:
            raise ValueError(f"nn.save: {place[:80]}... is nested more than {DEEPEST} levels deep")
        self._open.add(id(value))
        if kind in (list, tuple):
            items = [self.encode(v, f"{place}[{i}]", (*keys, i)) for i, v in enumerate(value)]
            result: Any = items if kind is list else {"$tuple": items}
        else:
            result = self._dict(value, place, keys)
        self._open.remove(id(value))
        return result

    def _dict(self, value: dict[Any, Any], place: str, keys: tuple[Any, ...]) -> Any:
        inside = {k: self.encode(v, f"{place}[{k!r}]", (*keys, k)) for k, v in value.items()}
        name = next((name for name, kind in _DICTS.items() if type(value) is kind), None)
        if name is None and all(type(k) is str and not k.startswith("$") for k in inside):
            return inside
        pairs = []
        for k, v in inside.items():
            if isinstance(k, (Tensor, bytes)):
                raise TypeError(f"nn.save: {place} has a key of type {type(k).__name__}")
            pairs.append([self.encode(k, f"the key {k!r} of {place}", keys), v])
        return {"$dict": pairs} if name is None else {"$dict": pairs, "type": name}

    def _tensor(self, t: Tensor, place: str, keys: tuple[Any, ...]) -> Any:
        scalar = type(t.value) is float  # its array is made here: asking for t.array would change t
        array = np.asarray(t.value)
        made: dict[str, Any] = {"$tensor": self._store(array, place, keys)}
        if not scalar:
            made |= self._same(array, keys)
        flags = {
            "parameter": type(t) is Parameter,
            "requires_grad": t.requires_grad,
            "scalar": scalar,
        }
        return made | {name: True for name, flag in flags.items() if flag}

    def _store(self, array: np.ndarray, place: str, keys: tuple[Any, ...]) -> str:
        if array.dtype.name not in DTYPES:
            raise TypeError(
                f"nn.save: {place} is an array of {array.dtype}, which a safetensors file cannot"
                f" hold; it can hold {', '.join(DTYPES)}"
            )
        plain = ".".join(map(str, keys)) if keys else "value"
        plain = plain.encode("utf-8", "backslashreplace").decode()
        name, number = plain, 1
        while name in self.arrays or name == "__metadata__":
            number += 1
            name = f"{plain}#{number}"
        self.arrays[name] = array
        return name

    def _same(self, array: np.ndarray, keys: tuple[Any, ...]) -> dict[str, str]:
        """Which array stored before has this one's memory: they are one again after loading."""
        name = next(reversed(self.arrays))
        if array.size == 0:
            return {}
        memory = (array.ctypes.data, array.shape, array.strides, array.dtype)
        first = self._places.setdefault(memory, name)
        return {} if first == name else {"same": first}


def _refusal(value: Any, place: str) -> str:
    kind = type(value).__name__
    if hasattr(value, "state_dict"):
        remedy = "it is code with state: save its state_dict()"
    elif hasattr(value, "get_state"):
        remedy = "save its get_state()"
    elif isinstance(value, Tensor):
        remedy = "save value.detach()"
    elif hasattr(value, "_fields"):
        remedy = "save tuple(value) or value._asdict()"
    elif isinstance(value, dict):
        remedy = "save dict(value)"
    elif isinstance(value, (set, frozenset)):
        remedy = "save sorted(value)"
    elif hasattr(value, "detach"):
        remedy = "save nn.from_torch(value)" if "torch" in type(value).__module__ else "detach it"
    else:
        remedy = (
            "a file holds tensors, arrays, numbers, strings, bytes, None, and lists, tuples and"
            " dicts of them"
        )
    return f"nn.save: {place} is a {kind}, which cannot be stored; {remedy}"


class _Decoder:
    def __init__(self, arrays: Arrays):
        self.arrays = arrays
        self.used: set[str] = set()
        self._tensors: dict[str, Tensor] = {}
        self._kinds: dict[str, Callable[[dict[str, Any]], Any]] = {
            "$tensor": self._tensor,
            "$array": lambda node: self._array(node, "$array"),
            "$bytes": self._bytes,
            "$tuple": lambda node: tuple(self._items(node, "$tuple")),
            "$dict": self._dict,
            "$int": lambda node: int(_text(node, "$int"), 16),
            "$float": lambda node: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[
                _text(node, "$float")
            ],
            "$number": self._number,
        }

    def decode(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.decode(x) for x in node]
        if not isinstance(node, dict):
            return node
        marks = [key for key in node if key.startswith("$")]
        if not marks:
            return {key: self.decode(value) for key, value in node.items()}
        decode = self._kinds.get(marks[0])
        if len(marks) > 1 or decode is None:
            raise Malformed(f"unknown entries {', '.join(marks)}")
        try:
            return decode(node)
        except (Malformed, RecursionError):
            raise
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise Malformed(f"{marks[0]} with {str(node[marks[0]])[:60]!r}: {error}") from None

    def _find(self, node: dict[str, Any], mark: str) -> tuple[str, np.ndarray]:
        name = _text(node, mark)
        if name not in self.arrays or name in self.used:
            raise Malformed(f"no tensor {name!r}, or it is used twice")
        self.used.add(name)
        first = node.get("same", name)
        if first != name:
            if first not in self.used or not _alike(self.arrays[first], self.arrays[name]):
                raise Malformed(f"{name!r} is not the same as {first!r}")
            self.arrays[name] = self.arrays[first]
        return name, self.arrays[name]

    def _array(self, node: dict[str, Any], mark: str) -> np.ndarray:
        return self._find(node, mark)[1]

    def _tensor(self, node: dict[str, Any]) -> Tensor:
        name, array = self._find(node, "$tensor")
        if array.dtype not in dtypes.SUPPORTED:
            raise Malformed(f"{name!r} is a tensor of {array.dtype}")
        if node.get("scalar"):
            if array.shape or array.dtype != np.float64:
                raise Malformed(f"{name!r} is no scalar")
            t = Tensor.wrap(float(array))
        else:
            first = self._tensors.get(node.get("same", name))
            t = Tensor.wrap(array) if first is None else first.detach()
            self._tensors[name] = t
        if node.get("parameter"):
            return Parameter(t, requires_grad=bool(node.get("requires_grad")))
        if node.get("requires_grad"):
            t.requires_grad = True
        return t

    def _bytes(self, node: dict[str, Any]) -> bytes:
        array = self._array(node, "$bytes")
        if array.dtype != np.uint8:
            raise Malformed(f"bytes of {array.dtype}")
        return array.tobytes()

    def _items(self, node: dict[str, Any], mark: str) -> list[Any]:
        items = node[mark]
        if not isinstance(items, list):
            raise Malformed(f"{mark} of {type(items).__name__}")
        return [self.decode(x) for x in items]

    def _dict(self, node: dict[str, Any]) -> dict[Any, Any]:
        pairs = self._items(node, "$dict")
        made = dict(pairs)
        if len(made) != len(pairs):
            raise Malformed("a key comes twice")
        return _DICTS[node["type"]](made) if "type" in node else made

    def _number(self, node: dict[str, Any]) -> Any:
        dtype = _NUMBERS[_text(node, "$number")].newbyteorder("<")
        raw = bytes.fromhex(_text(node, "hex"))
        if len(raw) != dtype.itemsize:
            raise Malformed(f"{len(raw)} bytes for a {dtype}")
        return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))[0]


def _text(node: dict[str, Any], key: str) -> str:
    if not isinstance(node[key], str):
        raise Malformed(f"{key} with {type(node[key]).__name__}")
    return node[key]


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
