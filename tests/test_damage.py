"""`nn.load` of files that are damaged, crafted, or something else: errors, never a crash."""

from __future__ import annotations

import collections
import gzip
import io
import json
import pickle
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import autograd
import nn
from nn.files import FileError, load, load_metadata
from tests.test_files import ROOT, dumped, same

# Damage


def seeds() -> dict[str, bytes]:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    whole = {
        "model": model.state_dict(),
        "tied": model[0].weight.detach(),
        "numbers": [1, 2.5, float("nan"), 2**70, np.float32(3), b"abc", ("x", None)],
        "rng": autograd.get_rng_state(),
        7: collections.Counter({3: 1}),
    }
    arrays = {"a": np.ones((2, 3), np.float32), "b": np.ones(3, np.float16), "c": np.ones(2, bool)}
    return {
        "whole": dumped(whole),
        "flat": dumped(model.state_dict()),
        "foreign": safetensors.numpy.save(arrays, {"format": "pt"}),
    }


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(raw)
    kind = rng.integers(5)
    if kind == 0:
        return raw[: rng.integers(len(raw))]
    if kind == 1:
        changed[rng.integers(8)] = rng.integers(256)
    elif kind == 2:  # within the JSON, and JSON again more often than by chance
        changed[8 + rng.integers(len(raw) // 2)] = rng.integers(32, 127)
    else:
        for _ in range(kind - 2):
            changed[rng.integers(len(raw))] ^= 1 << rng.integers(8)
    return bytes(changed)


@pytest.mark.parametrize("name", seeds())
def test_damaged_files_are_errors_and_never_crash(name: str, rng: np.random.Generator):
    raw = seeds()[name]
    intact = load(io.BytesIO(raw)) if name != "foreign" else None
    loaded = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is widened
        for _ in range(1000):
            changed = mutated(raw, rng)
            try:
                found = load(io.BytesIO(changed))
            except FileError as error:
                assert str(error).startswith("<BytesIO>: ")  # noqa: PT017
                continue
            loaded += 1
            if same(found, intact):  # a blank for a blank
                continue
            # without our metadata, or never with any: a flat dict of tensors
            assert name == "foreign" or b'"tapegrad"' not in changed
            assert all(type(k) is str and type(v) is autograd.Tensor for k, v in found.items())
    assert loaded < (300 if name == "foreign" else 60)


@pytest.mark.parametrize("name", ["whole", "flat"])
def test_every_byte_of_the_tensors_is_watched(name: str):
    raw = seeds()[name]
    start = 8 + int.from_bytes(raw[:8], "little")
    for i in range(start, len(raw)):
        changed = bytearray(raw)
        changed[i] ^= 1
        with pytest.raises(FileError, match="its checksum is wrong"):
            load(io.BytesIO(changed))


def crafted(header: Any, tensors: bytes = b"") -> io.BytesIO:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(struct.pack("<Q", len(text)) + text + tensors)


def entry(dtype: str = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


CRAFTED = {
    "long_header": io.BytesIO(struct.pack("<Q", 2**62) + b"{}"),
    "huge_shape": crafted({"a": entry(shape=(2**40,), offsets=(0, 2**42))}),
    "overflow": crafted({"a": entry(shape=(2**62, 2**62))}, b"1234"),
    "overflow_to_nothing": crafted({"a": entry(shape=(2**63, 2), offsets=(0, 0))}),
    "wide_nothing": crafted({"a": entry(shape=(0, 2**62), offsets=(0, 0))}),
    "many_dimensions": crafted({"a": entry(shape=(1,) * 100)}, b"1234"),
    "negative": crafted({"a": entry(shape=(-1,), offsets=(0, 4))}, b"1234"),
    "overlap": crafted({"a": entry(), "b": entry()}, b"1234"),
    "hole": crafted({"a": entry(offsets=(4, 8))}, b"12345678"),
    "rest": crafted({"a": entry()}, b"12345"),
    "short": crafted({"a": entry()}, b"123"),
    "dtype": crafted({"a": entry("F99")}, b"1234"),
    "no_dtype": crafted({"a": {}}),
    "list": crafted([1, 2]),
    "number": crafted(b"3"),
    "deep": crafted(b"[" * 100_000),
    "deep_value": crafted(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "not_utf8": crafted(b'{"\xff":1}'),
    "metadata_number": crafted({"__metadata__": {"a": 1}}),
    "metadata_list": crafted({"__metadata__": []}),
    "long_number": crafted(b'{"a":' + b"9" * 10_000 + b"}"),
    "nan": crafted(b'{"a":NaN}'),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_headers(name: str):
    CRAFTED[name].seek(0)
    with pytest.raises(FileError, match="<BytesIO>: "):
        load(CRAFTED[name])


def rewritten(own: Any, arrays: dict[str, np.ndarray], checked: bool = True) -> io.BytesIO:
    """A file of ours with a state that `save` would not write, with a right checksum."""
    from nn.files import _checksum

    if checked:
        own = {"version": 1, "crc32": _checksum(own, {"format": "pt"}, arrays), "state": own}
    metadata = {"format": "pt", "tapegrad": own if isinstance(own, str) else json.dumps(own)}
    return io.BytesIO(safetensors.numpy.save(arrays, metadata))


X = {"x": np.ones(2, np.float32)}
MALFORMED = {
    "unknown": ({"$what": 1}, {}, r"unknown entries \$what"),
    "two": ({"$int": "1", "$float": "nan"}, {}, r"unknown entries \$int, \$float"),
    "missing": ({"$tensor": "x"}, {}, "no tensor 'x'"),
    "twice": ([{"$tensor": "x"}, {"$tensor": "x"}], X, "or it is used twice"),
    "unused": ([], X, "belong nowhere: x"),
    "dtype": ({"$tensor": "x"}, {"x": np.ones(2, np.float16)}, "'x' is a tensor of float16"),
    "number": ({"$tensor": 3}, {}, r"\$tensor with int"),
    "scalar": ({"$tensor": "x", "scalar": True}, X, "'x' is no scalar"),
    "same": ({"$tensor": "x", "same": "y"}, X, "'x' is not the same as 'y'"),
    "bytes": ({"$bytes": "x"}, X, "bytes of float32"),
    "tuple": ({"$tuple": 3}, {}, r"\$tuple of int"),
    "dict": ({"$dict": [[1, 2], [1, 3]]}, {}, "a key comes twice"),
    "dict_key": ({"$dict": [[[], 2]]}, {}, "unhashable"),
    "dict_kind": ({"$dict": [], "type": "set"}, {}, "'set'"),
    "dict_pair": ({"$dict": [[1]]}, {}, r"\$dict"),
    "int": ({"$int": "zz"}, {}, "invalid literal"),
    "float": ({"$float": "1"}, {}, r"\$float"),
    "numpy": ({"$number": "float32", "hex": "00"}, {}, "1 bytes for a float32"),
    "numpy_kind": ({"$number": "object", "hex": "00"}, {}, r"\$number with 'object'"),
    "numpy_hex": ({"$number": "float32"}, {}, "hex"),
    "grad": ({"$tensor": "x", "requires_grad": True}, {"x": np.ones(2, np.int64)}, "require grad"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_structures(name: str):
    structure, arrays, words = MALFORMED[name]
    with pytest.raises(FileError, match=words) as found:
        load(rewritten(structure, arrays))
    assert str(found.value).startswith("<BytesIO>: a safetensors file of nn.save that was damaged")


def test_malformed_metadata():
    for own in ("", "[", "3", "{}", '{"version": "1"}', '{"version": 1}', "[" * 50_000, "NaN"):
        with pytest.raises(FileError, match="damaged, or changed by another program"):
            load(rewritten(own, {}, checked=False))
    with pytest.raises(FileError, match=r"newer tapegrad \(format 2.*upgrade"):
        load(rewritten({"version": 2, "more": 1}, {}, checked=False))
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    assert load(rewritten(deep, {})) == deep


def test_a_file_claiming_gigantic_sizes_allocates_nothing():
    code = (
        "import io, resource, struct, json, nn.files as f, safetensors\n"
        "limit = 2 << 30; resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "head = json.dumps({'a': dict(dtype='F32', shape=[2**40], data_offsets=[0, 2**42])})\n"
        "whole = struct.pack('<Q', len(head)) + head.encode()\n"
        "for raw in (whole, struct.pack('<Q', 2**40) + b'{}'):\n"
        "    try: f.load(io.BytesIO(raw))\n"
        "    except f.FileError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.count("cut off") == 2, run.stderr


# Other programs' files


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def npy(*arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.save if len(arrays) == 1 else np.savez)(file, *arrays)
    return file.getvalue()


FOREIGN = {
    "empty": (b"", "an empty file"),
    "torch": (zipped(**{"archive__data.pkl": b"x"}), r"what torch.save writes.*nn.from_torch"),
    "pickle": (pickle.dumps({"a": 1}), r"a pickle, perhaps what torch.save writes"),
    "npz": (npy(1, 2), r"NumPy archive \(\.npz\).*numpy\.load"),
    "npy": (npy(np.ones(3)), r"a NumPy array.*numpy\.load"),
    "keras": (zipped(**{"config.json": b"", "model.weights.h5": b""}), r"Keras model \(\.keras\)"),
    "zip": (zipped(a=b"x"), "a zip archive"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
    "gzip": (gzip.compress(b"x" * 50), "gzip"),
    "gguf": (b"GGUF" + bytes(50), "GGUF"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", "git lfs pull"),
    "html": (b"<!DOCTYPE html><html>not found</html>", "text that begins '<!DOCTYPE html>"),
    "json": (b'{"a": [1, 2, 3]}', "text that begins"),
    "text": ("é" * 400).encode()[:-1],  # cut within a character
    "noise": (bytes(range(128, 255)) * 3, "it begins with the bytes 80 81"),
    "few": (b"\xff\0", "it begins with the bytes ff 00"),
}
FOREIGN["text"] = (("é" * 256).encode()[:511] + b"\xc3", "text that begins 'éé")


@pytest.mark.parametrize("name", FOREIGN)
def test_other_files_are_named(name: str, tmp_path: Path):
    raw, words = FOREIGN[name]
    path = tmp_path / "some.file"
    path.write_bytes(raw)
    with pytest.raises(FileError, match=words) as found:
        load(path)
    assert str(found.value).startswith(f"{path}: ")
    assert isinstance(found.value, ValueError)
    with pytest.raises(FileError, match=words):
        load_metadata(path)


def test_a_file_that_was_cut_off_says_so():
    raw = dumped({"x": autograd.ones(100)})
    with pytest.raises(FileError, match="cut off: it has 399 of 400 bytes of tensors"):
        load(io.BytesIO(raw[:-1]))
    with pytest.raises(FileError, match=r"cut off or damaged: its header should be \d+ bytes"):
        load(io.BytesIO(raw[:50]))


def test_a_file_changed_by_another_program_says_so():
    raw = dumped({"x": autograd.ones(2)})
    length = int.from_bytes(raw[:8], "little")
    metadata = json.loads(raw[8 : 8 + length])["__metadata__"]
    edited = safetensors.numpy.save({"x": np.zeros(2, np.float32)}, metadata)
    with pytest.raises(FileError, match="changed by another program: its checksum is wrong"):
        load(io.BytesIO(edited))


def test_dtypes_that_tensors_cannot_have():
    arrays = {
        "a": np.array([65535], np.uint16),
        "b": np.array([2**32 - 1], np.uint32),
        "c": np.array([2**63 - 1], np.uint64),
        "d": np.array([0.1], np.float16),
    }
    with pytest.warns(UserWarning, match="4 of 4 tensors"):
        found = load(io.BytesIO(safetensors.numpy.save(arrays)))
    assert {k: v.item() for k, v in found.items()} == {k: v.item() for k, v in arrays.items()}
    assert [found[k].dtype for k in "abcd"] == ["int32", "int64", "int64", "float32"]
    with pytest.raises(FileError, match="c is uint64 and holds values beyond int64"):
        load(io.BytesIO(safetensors.numpy.save({"c": np.array([2**63], np.uint64)})))
    with pytest.raises(FileError, match="<BytesIO>: "):
        load(crafted({"a": entry("C64", offsets=(0, 8))}, bytes(8)))
    with pytest.raises(FileError, match=r"<BytesIO>: .*dtype F8_E4M3"):
        load(crafted({"a": entry("F8_E4M3", offsets=(0, 1))}, b"1"))


def test_bools_are_zero_or_one():
    found = load(crafted({"a": entry("BOOL", (3,), (0, 3))}, b"\0\1\7"))
    assert found["a"].array.view(np.uint8).tolist() == [0, 1, 1]


def test_the_order_of_a_foreign_file_is_its_own():
    header = {"z": entry(), "a": entry(offsets=(4, 8)), "m": entry(offsets=(8, 12))}
    assert list(load(crafted(header, bytes(12)))) == ["z", "a", "m"]
