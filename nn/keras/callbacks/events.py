"""Event files, as TensorBoard reads them: a writer for scalars, histograms, images and texts.

A file is a row of records: the length (uint64, little-endian), its masked CRC32C, the data, the
masked CRC32C of the data.  The data is a protocol buffer of the type Event: fields are a varint of
number and kind, followed by a varint, 8 or 4 bytes, or a length and bytes.
(tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, framework/summary.proto,
framework/tensor.proto.)
"""

from __future__ import annotations

import functools
import itertools
import os
import socket
import struct
import time
import zlib
from typing import Any

import numpy as np

BUCKETS = 30
_FLOAT, _DOUBLE, _STRING = 1, 2, 7
"""What TensorProto calls dtypes."""
_ROOM = 1 << 16
"""Bytes that wait to be written at most."""
_numbers = itertools.count()


# Records


@functools.cache
def _table() -> tuple[int, ...]:
    """The CRC of each byte: polynomial 0x1EDC6F41 (Castagnoli), bits reversed."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(data: bytes) -> int:
    """The CRC32C of `data`."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> bytes:
    """The CRC as it stands in a record: rotated by 15 bits, plus a constant."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """A record that holds `data`."""
    length = struct.pack("<Q", len(data))
    return length + masked_crc(length) + data + masked_crc(data)


# Protocol buffers


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: Any) -> bytes:
    """A field: an int as varint, a float as double, text, bytes and messages with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, str):
        value = value.encode()
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _shape(shape: tuple[int, ...]) -> bytes:
    return b"".join(_field(2, _field(1, size)) for size in shape)


def _numbers_proto(array: np.ndarray) -> bytes:
    """A TensorProto of float32 or float64 numbers."""
    kind = _DOUBLE if array.dtype == np.float64 else _FLOAT
    little = array.astype(array.dtype.newbyteorder("<"))
    return _field(1, kind) + _field(2, _shape(array.shape)) + _field(4, little.tobytes())


def _texts_proto(texts: list[Any], shape: tuple[int, ...]) -> bytes:
    """A TensorProto of texts."""
    return _field(1, _STRING) + _field(2, _shape(shape)) + b"".join(_field(8, t) for t in texts)


# What is shown


def buckets(values: np.ndarray) -> np.ndarray:
    """A histogram (30, 3): left edge, right edge, count."""
    data = np.asarray(values, np.float64).ravel()
    out = np.zeros((BUCKETS, 3))
    if not data.size:
        return out
    low, high = data.min(), data.max()
    if not high > low:  # one value; NaN among them
        out[:, :2] = high
        out[-1, 2] = data.size
        return out
    edges = np.linspace(low, high, BUCKETS + 1)
    place = np.minimum((data - low) // ((high - low) / BUCKETS), BUCKETS - 1).astype(int)
    out[:, 0], out[:, 1] = edges[:-1], edges[1:]
    out[:, 2] = np.bincount(place, minlength=BUCKETS)
    return out


def png(image: np.ndarray) -> bytes:
    """An image (height, width, 1, 3 or 4) of bytes as a PNG file."""
    height, width, channels = image.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + end

    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = image.reshape(height, width * channels)
    plain = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # no filter
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(plain.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


class EventWriter:
    """Writes a new event file in `folder`; it is open only while `flush` adds to it."""

    def __init__(self, folder: str):
        os.makedirs(folder, exist_ok=True)
        host, now = socket.gethostname(), time.time()
        name = f"events.out.tfevents.{int(now)}.{host}.{os.getpid()}.{next(_numbers)}.v2"
        self.path = os.path.join(folder, name)
        self._waiting = bytearray(record(_field(1, now) + _field(3, "brain.Event:2")))
        self.flush()

    def _write(self, tag: str, plugin: str, content: bytes, tensor: bytes, step: int) -> None:
        about = _field(1, _field(1, plugin) + (_field(2, content) if content else b""))
        value = _field(1, tag) + _field(9, about) + _field(8, tensor)
        summary = _field(5, _field(1, value))
        self._waiting += record(_field(1, time.time()) + _field(2, step) + summary)
        if len(self._waiting) > _ROOM:
            self.flush()

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """A number; ValueError for anything else."""
        number = np.array(value, np.float32)
        if number.ndim:
            raise ValueError(f"event file: {tag} is no number but of shape {number.shape}")
        self._write(tag, "scalars", b"", _numbers_proto(number), step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """How the values are distributed."""
        self._write(tag, "histograms", b"", _numbers_proto(buckets(values)), step)

    def images(self, tag: str, images: np.ndarray, step: int) -> None:
        """Images (n, height, width, channels) with values from 0 to 1; three of them at most."""
        scaled = np.clip(np.floor(np.nan_to_num(images) * 255.5), 0, 255).astype(np.uint8)
        size = [str(images.shape[2]), str(images.shape[1])]
        texts = [*size, *(png(one) for one in scaled[:3])]
        self._write(tag, "images", b"", _texts_proto(texts, (len(texts),)), step)

    def text(self, tag: str, plugin: str, text: str, step: int) -> None:
        """A text for the plugin of that name."""
        self._write(tag, plugin, b"1", _texts_proto([text], ()), step)

    def flush(self) -> None:
        """Let readers see what was written."""
        with open(self.path, "ab") as file:
            file.write(self._waiting)
        self._waiting = bytearray()
