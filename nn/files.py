"""`save` and `load`: whole states as safetensors files, never as pickles.

The tensors of a state stand in the file under their paths, where any safetensors reader finds
them.  Everything else (the nesting, numbers, strings) is JSON in the file's metadata, under the key
"tapegrad", with a checksum over all of it.  A file without that key, from another program, is a
flat dict of tensors.
"""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd import Tensor
from nn.atomic import Chunk, write_file, write_to
from nn.foreign import FileError, described
from nn.nested import DTYPES, Arrays, Malformed, decode, encode

__all__ = ["FileError", "load", "load_metadata", "save"]

KEY = "tapegrad"
VERSION = 1
LONGEST_HEADER = 100_000_000
"""Bytes; safetensors readers refuse more."""
_CODES = {
    name: "BOOL" if name == "bool" else f"{name[0].upper()}{dtype.itemsize * 8}"
    for name, dtype in DTYPES.items()
}
"""What safetensors calls NumPy's dtypes: F32, I64, U8 ..."""
_FROM_CODE = {code: DTYPES[name] for name, code in _CODES.items()}
_WIDER = {"F16": np.float32, "BF16": np.float32, "U16": np.int32, "U32": np.int64, "U64": np.int64}
"""The narrowest dtype of the engine that holds what the engine has no dtype for."""


def save(obj: Any, f: Any, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a state to the file or file-like object `f`; `load` gives it back, type by type.

    `obj` is a tensor, array, number, string, bytes or None, or lists, tuples and dicts of them, as
    deep as 100 levels: `save({"model": model.state_dict(), "epoch": 3}, "run.safetensors")`.  A
    flat dict of tensors, as a `state_dict` is, can be read by any program that knows safetensors.
    Tensors that share all of their memory (tied weights) are stored under each of their names, and
    share it again after loading; views that overlap become separate.  `metadata` is text for
    `load_metadata` and other programs.

    A file is replaced whole or not at all: the new one is written beside it, flushed to the disk,
    and renamed.  TypeError for what cannot be stored (a module, a function), naming its place.
    """
    structure, arrays = encode(obj)
    texts = {"format": "pt", **_checked(metadata or {})}
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name.encode()))
    stored = {name: _little(arrays[name]) for name in order}
    own = {"version": VERSION, "crc32": _checksum(structure, texts, stored), "state": structure}
    header: dict[str, Any] = {"__metadata__": {**texts, KEY: _json(own)}}
    end = 0
    for name, array in stored.items():
        header[name] = {
            "dtype": _CODES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [end, end := end + array.nbytes],
        }
    text = _json(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST_HEADER:
        raise ValueError(
            f"nn.save: everything but the tensors takes {len(text)} bytes, and a safetensors file"
            f" has room for {LONGEST_HEADER}; store long lists of numbers as arrays"
        )
    chunks: list[Chunk] = [len(text).to_bytes(8, "little") + text, *map(_bytes, stored.values())]
    if isinstance(f, (str, bytes, os.PathLike)):
        write_file(os.fsdecode(f), chunks)
    else:
        write_to(f, chunks)


def load(
    f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: bool | None = None
) -> Any:
    """The state in a file that `save` wrote, or the tensors of any other safetensors file.

    From other programs, float16 and bfloat16 tensors are widened to float32 and unsigned integers
    to wider signed ones, which holds their values exactly, with a warning.  FileError (a
    ValueError) for a file that is damaged or something else, saying what it is and what to do.

    `map_location` may be "cpu".  `weights_only` and `mmap` change nothing: no file can run code
    here, and tensors have memory of their own.
    """
    if not callable(map_location) and str(map_location or "cpu") != "cpu":
        raise RuntimeError(
            f"load: map_location {map_location!r}: tapegrad runs on the CPU; there is only 'cpu'"
        )
    name, raw = _read(f)
    metadata, arrays = _parse(name, raw)
    del raw
    if KEY not in metadata:
        return _foreign(name, arrays)
    texts = {key: value for key, value in metadata.items() if key != KEY}
    try:
        own = _parse_json(metadata[KEY])
        if not isinstance(own, dict) or not isinstance(own.get("version"), int):
            raise Malformed("no version")
        if own["version"] > VERSION:
            raise FileError(
                f"{name}: written by a newer tapegrad (format {own['version']}, this one knows"
                f" {VERSION}); upgrade tapegrad"
            )
        plain = {key: array for key, (_, array) in arrays.items()}
        if own.keys() != {"version", "crc32", "state"} or own["crc32"] != _checksum(
            own["state"], texts, plain
        ):
            raise Malformed("its checksum is wrong")
        return decode(own["state"], plain)
    except FileError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileError(
            f"{name}: a safetensors file of nn.save that was damaged, or changed by another"
            f" program: {error}. Use a backup; safetensors.numpy.load_file reads what tensors are"
            " left"
        ) from None


def load_metadata(f: Any) -> dict[str, str]:
    """The texts given to `save` as metadata, or those another program put into the file."""
    metadata, _ = _parse(*_read(f))
    return {key: value for key, value in metadata.items() if key != KEY}


# Reading


def _read(f: Any) -> tuple[str, bytes]:
    if isinstance(f, (str, bytes, os.PathLike)):
        with open(f, "rb") as file:
            return os.fsdecode(f), file.read()
    if not hasattr(f, "read"):
        raise TypeError(f"load: expected a path or a file opened with 'rb', got {type(f).__name__}")
    raw = f.read()
    if not isinstance(raw, bytes):
        raise TypeError(f"load: the file gives {type(raw).__name__}; open it with 'rb'")
    return str(getattr(f, "name", f"<{type(f).__name__}>")), raw


def _parse(name: str, raw: bytes) -> tuple[dict[str, str], dict[str, tuple[str, np.ndarray]]]:
    """Metadata, and arrays with their dtype's code, in the order of the file."""
    from safetensors import SafetensorError, deserialize  # not before it is needed

    try:
        length = int.from_bytes(raw[:8], "little")
        if len(raw) < 8 or length > len(raw) - 8:
            raise ValueError("no header")
        header = _parse_json(raw[8 : 8 + length])
        parts = dict(deserialize(raw))  # checks all offsets and sizes against the file's
        metadata = header.pop("__metadata__", {})
        return metadata, {key: _array(parts.pop(key)) for key in header}
    except FileError as error:
        raise FileError(f"{name}: {error}") from None
    except (SafetensorError, ValueError, RecursionError) as error:
        found = described(raw)
        raise FileError(f"{name}: {found or f'a damaged safetensors file ({error})'}") from None


def _array(part: dict[str, Any]) -> tuple[str, np.ndarray]:
    code, shape = part["dtype"], tuple(part["shape"])
    if code == "BF16":
        wide = np.frombuffer(part["data"], "<u2").astype(np.uint32) << 16
        return code, wide.view(np.float32).reshape(shape)
    if code not in _FROM_CODE:
        raise FileError(
            f"a safetensors file with a tensor of dtype {code}, which tapegrad does not have;"
            " convert it to float32 in the program that wrote it"
        )
    values = np.frombuffer(part["data"], _FROM_CODE[code].newbyteorder("<"))
    if code == "BOOL":
        values = values.view(np.uint8) != 0
    native = values.astype(_FROM_CODE[code])  # memory of its own
    return code, native.reshape(shape)


def _foreign(name: str, arrays: dict[str, tuple[str, np.ndarray]]) -> dict[str, Tensor]:
    widened, state = [], {}
    for key, (code, array) in arrays.items():
        if code in _WIDER:
            widened.append(f"{key} ({code})")
            if code == "U64" and array.size and array.max() > np.iinfo(np.int64).max:
                raise FileError(f"{name}: {key} is uint64 and holds values beyond int64")
            array = array.astype(_WIDER[code])
        state[key] = Tensor.wrap(array)
    if widened:
        shown = ", ".join(widened[:4]) + (", ..." if len(widened) > 4 else "")
        warnings.warn(
            f"{name}: {len(widened)} of {len(state)} tensors are of dtypes that tapegrad does not"
            f" have; they were widened, which keeps their values exactly: {shown}",
            UserWarning,
            stacklevel=3,
        )
    return state


# Both


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _parse_json(text: str | bytes) -> Any:
    def refuse(constant: str) -> None:
        raise Malformed(f"{constant} in its JSON")

    return json.loads(text, parse_constant=refuse)


def _checked(metadata: Mapping[str, str]) -> dict[str, str]:
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"nn.save: metadata is text by text; {key!r} is {value!r}. Put values of other"
                " types into the state"
            )
        if key == KEY:
            raise ValueError(f"nn.save: the metadata key {KEY!r} is its own")
        (key + value).encode()  # lone surrogates would make the file unreadable
    return dict(metadata)


def _little(array: np.ndarray) -> np.ndarray:
    """Contiguous, and in the byte order of the format."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _checksum(structure: Any, texts: Mapping[str, str], arrays: Arrays) -> int:
    described = [[name, a.dtype.name, list(a.shape)] for name, a in sorted(arrays.items())]
    total = zlib.crc32(_json([structure, sorted(texts.items()), described]).encode())
    for name in sorted(arrays):
        total = zlib.crc32(_bytes(_little(arrays[name])), total)
    return total
