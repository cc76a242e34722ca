"""A reader of TensorBoard's event files, written from the format's definition.

It reads what Keras on TensorFlow writes and what we write, and checks every checksum.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_DTYPES = {1: "<f4", 2: "<f8"}


def crc32c(data: bytes) -> int:
    """Bit by bit, as the polynomial says."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _checked(data: bytes, stored: bytes) -> bytes:
    crc = crc32c(data)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked == int.from_bytes(stored, "little"), "a record with a wrong checksum"
    return data


def records(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        size = int.from_bytes(_checked(raw[at : at + 8], raw[at + 8 : at + 12]), "little")
        assert at + 16 + size <= len(raw), "a record that is cut off"
        yield _checked(raw[at + 12 : at + 12 + size], raw[at + 12 + size : at + 16 + size])
        at += 16 + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data: bytes) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: Any
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            if key & 7 == 2:
                size, at = _varint(data, at)
            else:
                size = {1: 8, 5: 4}[key & 7]
            value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def _tensor(data: bytes) -> Any:
    proto = fields(data)
    shape = [fields(dim).get(1, [0])[0] for dim in fields(proto.get(2, [b""])[0]).get(2, [])]
    kind = proto[1][0]
    if kind == 7:
        return proto.get(8, [])
    if 4 in proto:
        return np.frombuffer(proto[4][0], _DTYPES[kind]).reshape(shape)
    values = b"".join(proto.get({1: 5, 2: 6}[kind], [])) or bytes(np.dtype(_DTYPES[kind]).itemsize)
    array = np.frombuffer(values, _DTYPES[kind])
    return array.reshape(shape) if array.size > 1 else np.full(shape, array[0])


def read(folder: Path) -> dict[str, list[tuple[int, str, Any]]]:
    """For each tag of all files in `folder`: (step, plugin, value) in order."""
    found: dict[str, list[tuple[int, str, Any]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        events = [fields(data) for data in records(path.read_bytes())]
        assert events[0][3] == [b"brain.Event:2"]
        for event in events[1:]:
            for summary in event.get(5, []):
                for each in fields(summary)[1]:
                    value = fields(each)
                    plugin = fields(fields(value[9][0])[1][0])[1][0].decode()
                    entry = (event.get(2, [0])[0], plugin, _tensor(value[8][0]))
                    found.setdefault(value[1][0].decode(), []).append(entry)
    return found
