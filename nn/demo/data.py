"""The demo's data: digits that come with the package, toy problems, IDX files (MNIST's format)."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's and Ubuntu's package dataset-fashion-mnist puts its files."""


class DataError(Exception):
    """What is wrong with the data, in one line for the user."""


@dataclass(frozen=True)
class Split:
    """Inputs (n, features) float32 and classes (n,) int64, to train with and held out to test."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def _hold_out_a_fifth(x: np.ndarray, y: np.ndarray) -> Split:
    """The same fifth in every run, so that accuracies can be compared."""
    order = np.random.default_rng(0).permutation(len(x))
    cut = round(len(x) / 5)
    test, train = order[:cut], order[cut:]
    return Split(x[train], y[train], x[test], y[test])


def digits() -> Split:
    """1,797 handwritten digits of 8x8; a fifth is held out.  See LICENSE-digits.txt."""
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        x, y = file["x"], file["y"]
    return _hold_out_a_fifth(x.astype(np.float32) / 16, y.astype(np.int64))


def _logic(function: Callable[[int, int], int]) -> Callable[[], Split]:
    points = [(a, b) for a in (0, 1) for b in (0, 1)]
    x = np.array(points, np.float32)
    y = np.array([function(a, b) for a, b in points], np.int64)
    return lambda: Split(x, y, x, y)


def moons() -> Split:
    """Two interleaving half circles, 1,000 points."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 500)
    outer = np.stack([np.cos(angle), np.sin(angle)], 1)
    inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    x = np.concatenate([outer, inner]) + rng.normal(0, 0.1, (1000, 2))
    return _hold_out_a_fifth(x.astype(np.float32), np.repeat([0, 1], 500))


def spirals() -> Split:
    """Three spiral arms, 1,500 points."""
    rng = np.random.default_rng(0)
    radius = np.tile(np.linspace(0.1, 1, 500), 3)
    arm = np.repeat([0, 1, 2], 500)
    angle = 4 * radius + arm * 2 * np.pi / 3 + rng.normal(0, 0.1, 1500)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _hold_out_a_fifth(x.astype(np.float32), arm)


TOYS: dict[str, Callable[[], Split]] = {
    "digits": digits,
    "xor": _logic(lambda a, b: a ^ b),
    "and": _logic(lambda a, b: a & b),
    "or": _logic(lambda a, b: a | b),
    "moons": moons,
    "spirals": spirals,
}


def images(folder: Path) -> Split:
    """MNIST or Fashion-MNIST: four IDX files, gzipped or not, under their usual names."""
    if not folder.is_dir():
        raise DataError(f"no such directory: {folder}")
    parts = {}
    for part in ("train", "t10k"):
        x = read_idx(_find(folder, f"{part}-images-idx3-ubyte"), 3)
        y = read_idx(_find(folder, f"{part}-labels-idx1-ubyte"), 1)
        if len(x) != len(y):
            raise DataError(f"{folder}: {len(x)} {part} images but {len(y)} labels")
        parts[part] = x.reshape(len(x), -1).astype(np.float32) / 255, y.astype(np.int64)
    if parts["train"][0].shape[1] != parts["t10k"][0].shape[1]:
        raise DataError(f"{folder}: the images for training and for testing differ in size")
    return Split(*parts["train"], *parts["t10k"])


def _find(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        if (folder / candidate).is_file():
            return folder / candidate
    raise DataError(f"{folder} holds no {name} or {name}.gz")


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """The array of bytes in an IDX file; DataError where it is damaged or something else.

    The format: two zero bytes, a type (8: unsigned bytes), the number of dimensions, their sizes as
    big-endian 32-bit integers, the values.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}") from None
    if len(raw) < 4 + 4 * ndim or raw[:3] != b"\0\0\x08" or raw[3] != ndim:
        raise DataError(f"{path} is not an IDX file of bytes in {ndim} dimensions")
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim))
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim)
    if values.size != math.prod(shape):
        raise DataError(f"{path} holds {values.size} values, but says it holds {shape}")
    return values.reshape(shape)
