"""What a file is that is no whole safetensors file, and what to do about it."""

from __future__ import annotations

import contextlib
import json


class FileError(ValueError):
    """A file that does not hold a state: damaged, cut off, or something else."""


_TORCH = (
    "what torch.save writes, which can run any code when it is read. Convert it where PyTorch is"
    " installed: nn.save(nn.from_torch(torch.load(path)), new_path), or"
    " safetensors.torch.save_file(torch.load(path), new_path)"
)
_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes; read it with h5py"),
    (b"\x93NUMPY", "a NumPy array; read it with numpy.load"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run `git lfs pull`"),
    (b"GGUF", "a GGUF file, as llama.cpp writes"),
    (b"\x80\x02", f"a pickle, perhaps {_TORCH}"),
    (b"\x80\x03", f"a pickle, perhaps {_TORCH}"),
    (b"\x80\x04", f"a pickle, perhaps {_TORCH}"),
    (b"\x80\x05", f"a pickle, perhaps {_TORCH}"),
)


def described(raw: bytes) -> str | None:
    """A sentence on what `raw` is instead of a safetensors file; None if it is a damaged one."""
    if not raw:
        return "an empty file; it was never written, or its writing was cut off"
    for start, what in _SIGNATURES:
        if raw.startswith(start):
            return f"not a safetensors file but {what}"
    if raw.startswith(b"PK\x03\x04"):
        return f"not a safetensors file but {_zip(raw)}"
    if raw[8:9] == b"{":
        return _cut_off(raw)
    if _is_text(raw[:512]):
        begin = raw[:40].decode("utf-8", "replace")
        return f"not a safetensors file but text that begins {begin!r}; is it the right file?"
    return (
        "not a safetensors file, or one whose beginning was damaged: it begins with the bytes"
        f" {raw[:12].hex(' ')}"
    )


def _zip(raw: bytes) -> str:
    if b"data.pkl" in raw:
        return _TORCH
    if b".npy" in raw:
        return "a NumPy archive (.npz); read it with numpy.load"
    if b"config.json" in raw and b".weights.h5" in raw:
        return "a Keras model (.keras); load it with Keras"
    return "a zip archive; unpack it first"


def _cut_off(raw: bytes) -> str | None:
    """How much of a safetensors file is missing, if some is."""
    length = int.from_bytes(raw[:8], "little")
    remedy = "copy or download it again, or use a backup"
    if length > len(raw) - 8:
        return (
            f"a safetensors file that was cut off or damaged: its header should be {length} bytes"
            f" long, and the file has {len(raw) - 8}; {remedy}"
        )
    with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
        header = json.loads(raw[8 : 8 + length])
        ends = [e["data_offsets"][1] for name, e in header.items() if name != "__metadata__"]
        wanted, found = max(ends, default=0), len(raw) - 8 - length
        if found < wanted:
            return (
                f"a safetensors file that was cut off: it has {found} of {wanted} bytes of tensors;"
                f" {remedy}"
            )
    return None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < max(len(head) - 4, 1):
            return False  # not just a character that was cut in two
        text = head[: error.start].decode("utf-8")
    return all(c.isprintable() or c in "\r\n\t" for c in text)
