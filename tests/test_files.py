"""`nn.save` and `nn.load`: every type, every damage, every interruption."""

from __future__ import annotations

import collections
import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import autograd
import nn
import optim
from nn import atomic
from nn.files import FileError, load, load_metadata, save
from nn.utils.data import DataLoader, TensorDataset
from tests.faces import PYTORCH, data

ROOT = Path(__file__).parent.parent


def dumped(state: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    save(state, file, **options)
    return file.getvalue()


def back(state: Any) -> Any:
    return load(io.BytesIO(dumped(state)))


def same(a: Any, b: Any) -> bool:
    """Equal in type and value all the way down, NaN included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, autograd.Tensor):
        flags = (type(a.value) is float, a.requires_grad)
        return flags == (type(b.value) is float, b.requires_grad) and same(
            np.asarray(a.value), np.asarray(b.value)
        )
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        pairs = zip(a.items(), b.items(), strict=False)
        return len(a) == len(b) and all(same(k, m) and same(v, w) for (k, v), (m, w) in pairs)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is float:
        return a.hex() == b.hex()  # nan is nan, 0.0 is not -0.0
    return a == b


def tensors() -> dict[str, Any]:
    t = autograd.tensor
    return {
        **{d: t(np.array([[0, 1, 2]]), dtype=d) for d in ("int8", "int16", "int32", "int64")},
        **{d: t(np.array([0.1, np.nan, -np.inf, -0.0]), dtype=d) for d in ("float32", "float64")},
        "uint8": t([0, 255], dtype=autograd.uint8),
        "bool": t([True, False]),
        "0d": t(3),
        "empty": autograd.zeros(0, 3),
        "strided": autograd.arange(12).reshape(3, 4)[:, ::2].T,
        "broadcast": autograd.ones(1).expand(3),
        "scalar": autograd.scalar(2.5),
        "scalar_fixed": autograd.scalar(2.5, requires_grad=False),
        "leaf": t([1.0], requires_grad=True),
        "parameter": nn.Parameter(t([1.0, 2.0])),
        "frozen": nn.Parameter(t([1.0, 2.0]), requires_grad=False),
    }


STATES = {
    "tensors": tensors(),
    "arrays": {
        d: np.arange(4).astype(d).reshape(2, 2)
        for d in ("float16", "uint16", "uint32", "uint64", "bool", "float64", "int8")
    },
    "numpy_numbers": [
        *(np.float16(1.5), np.float32(0.1), np.float64(0.1), np.int8(-3), np.uint64(2**64 - 1)),
        *(np.bool_(True), np.complex64(1j), np.complex128(0.1j), np.float64("nan")),
    ],
    "numbers": [0, -1, 2**63 - 1, -(2**63), 2**63, -(2**200), 10**5000, True, False, None],
    "floats": [0.1, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"), 3.0],
    "strings": ["", "a", 'é\0\n"\\', "\U0001f600", "\ud800", "$tensor", "NaN"],
    "bytes": [b"", b"\0\xff", bytes(range(256))],
    "nesting": {"a": [1, (2, [3, ()]), {}, []], "b": {"c": {"d": {}}}, "t": ((),)},
    "keys": {1: "a", "1": "b", 2.5: "c", None: "d", (1, ("x", None)): "e", "$x": 1, 2**70: "f"},
    "true": {True: 1, np.int64(4): 2, float("inf"): 3},
    "names": {
        "a": {"b": autograd.zeros(1)},
        "a.b": autograd.ones(1),
        "": autograd.zeros(2),
        "__metadata__": autograd.ones(2),
        "\ud800": autograd.ones(3),
        "é/ß": [autograd.ones(1), autograd.ones(2)],
    },
    "dicts": [
        collections.OrderedDict(b=1, a=autograd.ones(1)),
        collections.Counter({30: 1, 80: 2}),
        {"b": 1, "a": 2},
    ],
    "tensor": autograd.ones(2),
    "array": np.ones((2, 3)),
    "none": None,
    "number": 3,
    "no_tensors": {"epoch": 3},
    "nothing": {},
    "flat": nn.Linear(3, 2).state_dict(),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_comes_back_as_it_was(name: str):
    state = STATES[name]
    scalar = STATES["tensors"]["scalar"]
    assert same(back(state), state)
    assert type(scalar.value) is float  # saving did not make an array of it


def test_the_whole_state_of_a_training_run(tmp_path: Path):
    autograd.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    generator = autograd.Generator().manual_seed(5)
    dataset = TensorDataset(autograd.randn(10, 3), autograd.randn(10, 1))
    loader = DataLoader(dataset, 3, shuffle=True, generator=generator)
    iterator = iter(loader)
    for x, y in (next(iterator), next(iterator)):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "loader": loader.state_dict(),
        "rng": generator.get_state(),
        "default": autograd.get_rng_state(),
        "epoch": 3,
    }
    path = tmp_path / "run.pt"
    save(state, path)
    found = load(path)
    assert same(found, state)
    for stateful in (model, optimizer, loader):
        stateful.load_state_dict(
            found[{model: "model", optimizer: "optimizer"}.get(stateful, "loader")]
        )
    generator.set_state(found["rng"])


def test_loaded_tensors_are_like_others():
    x = back({"x": autograd.arange(6).reshape(2, 3), "y": np.zeros(3, np.float32)})
    assert x["x"].array.flags.owndata or x["x"].array.base.flags.owndata
    assert x["x"].array.flags.writeable
    assert x["x"].is_contiguous()
    x["y"][0] = 1
    x["x"] += 1
    assert x["x"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_shared_memory_is_shared_again():
    w = autograd.zeros(3)
    state = {
        "a": w,
        "same": w.detach(),
        "array": w.numpy(),
        "parameter": nn.Parameter(w),
        "part": w[:2],
        "other": autograd.zeros(3),
        "empty": [autograd.zeros(0), autograd.zeros(0)],
    }
    found = back(state)
    found["a"][0] = 5
    assert {k: v.tolist()[:1] for k, v in found.items() if k != "empty"} == {
        **{key: [5.0] for key in ("a", "same", "array", "parameter")},
        **{key: [0.0] for key in ("part", "other")},
    }
    product = (found["same"] * autograd.ones(3, requires_grad=True)).sum()
    found["a"] += 1  # they share the count of changes too
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_tied_weights_stand_under_each_name_for_other_programs():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    raw = dumped(model.state_dict())
    assert set(safetensors.numpy.load(raw)) == set(model.state_dict())
    found = load(io.BytesIO(raw))
    assert found["0.weight"].array is found["1.weight"].array


def test_a_flat_dict_is_a_plain_safetensors_file(tmp_path: Path):
    state = nn.Linear(3, 2).double().state_dict()
    path = tmp_path / "x.safetensors"
    save(state, path, metadata={"note": "é"})
    arrays = safetensors.numpy.load_file(path)
    assert sorted(arrays) == sorted(state)
    assert all(same(arrays[k], state[k].numpy()) for k in state)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata()["format"] == "pt"
        assert file.metadata()["note"] == "é"
    assert load_metadata(path) == {"format": "pt", "note": "é"}


def test_the_same_state_is_the_same_file():
    state = {"b": autograd.ones(3), "a": autograd.zeros(2, 2), "n": 1}
    assert dumped(state, metadata={"x": "1", "y": "2"}) == dumped(
        state, metadata={"x": "1", "y": "2"}
    )
    header = safetensors.deserialize(dumped(state))
    assert {name for name, _ in header} == {"a", "b"}


def test_bytes_on_disk_are_little_endian():
    big = {"x": np.array([1.0, 2.0], ">f4"), "n": np.array([3], ">i8")[0]}
    found = back(big)
    assert found["x"].tolist() == [1.0, 2.0]
    assert found["x"].dtype == np.float32
    assert found["n"] == 3


# Where to


def test_paths_and_files(tmp_path: Path):
    state = {"x": autograd.ones(2)}
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pth"), os.fsencode(tmp_path / "c")):
        save(state, path)
        assert same(load(path), state)
    with open(tmp_path / "d", "wb") as file:
        file.write(b"before")
        save(state, file)
    with open(tmp_path / "d", "rb", buffering=0) as file:
        file.seek(6)
        assert same(load(file), state)
    assert same(load(tmp_path / "a.pt", map_location="cpu", weights_only=True, mmap=True), state)
    assert same(load(tmp_path / "a.pt", map_location=lambda storage, place: storage), state)


def test_a_file_that_takes_little_at_a_time():
    class Narrow(io.BytesIO):
        def write(self, chunk):
            return super().write(chunk[:7])

    file = Narrow()
    save({"x": autograd.ones(20)}, file)
    assert same(load(io.BytesIO(file.getvalue())), {"x": autograd.ones(20)})


def test_wrong_files(tmp_path: Path):
    with pytest.raises(TypeError, match="opened with 'rb', got int"):
        load(3)
    with pytest.raises(TypeError, match="gives str; open it with 'rb'"):
        load(io.StringIO("x"))
    with pytest.raises(TypeError, match="opened with 'wb', got int"):
        save({}, 3)
    with pytest.raises(RuntimeError, match="only 'cpu'"):
        load(tmp_path / "x", map_location="cuda:0")
    with pytest.raises(FileNotFoundError, match="x"):
        load(tmp_path / "x")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save({}, tmp_path / "none" / "x")
    with pytest.raises(IsADirectoryError):
        save({}, tmp_path)
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_metadata_is_text():
    for wrong in ({"a": 1}, {1: "a"}):
        with pytest.raises(TypeError, match="metadata is text by text"):
            dumped({}, metadata=wrong)
    with pytest.raises(ValueError, match="'tapegrad' is its own"):
        dumped({}, metadata={"tapegrad": "x"})
    with pytest.raises(ValueError, match="surrogates"):
        dumped({}, metadata={"a": "\ud800"})
    assert load_metadata(io.BytesIO(dumped({}, metadata={"a": ""}))) == {"a": "", "format": "pt"}


# What cannot be stored

Point = collections.namedtuple("Point", "x y")
CYCLE: list[Any] = []
CYCLE.append({"again": CYCLE})


class Number(int):
    pass


REFUSED = {
    "module": (nn.Linear(1, 1), r"state\['k'\]\[1\] is a Linear.*save its state_dict\(\)"),
    "optimizer": (optim.SGD([autograd.ones(1, requires_grad=True)], 0.1), r"state_dict\(\)"),
    "generator": (autograd.Generator(), r"is a Generator.*get_state\(\)"),
    "function": (print, "is a builtin_function_or_method.*a file holds tensors"),
    "namedtuple": (Point(1, 2), r"is a Point.*_asdict\(\)"),
    "set": ({1}, r"is a set.*sorted\(value\)"),
    "defaultdict": (collections.defaultdict(list), r"is a defaultdict.*dict\(value\)"),
    "subclass": (Number(3), "is a Number"),
    "complex": (1j, "is a complex"),
    "bytearray": (bytearray(b"a"), "is a bytearray"),
    "str_": (np.str_("a"), "is a str_"),
    "datetime": (np.datetime64("2020"), "is a datetime64"),
    "longdouble": (np.longdouble(1), "is a longdouble"),
    "objects": (np.array([None]), "is an array of object, which a safetensors file cannot hold"),
    "complex128": (np.zeros(1, complex), "is an array of complex128"),
    "complex64": (np.zeros(1, np.complex64), "is an array of complex64"),
    "strings": (np.array(["a"]), "is an array of <U1"),
    "key": ({b"a": 1}, "has a key of type bytes"),
    "key_set": ({frozenset(): 1}, "the key frozenset.* is a frozenset"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_refused_with_its_place(name: str, tmp_path: Path):
    value, words = REFUSED[name]
    with pytest.raises(TypeError, match=words):
        save({"k": (0, value)}, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_of_ones_own_is_refused():
    class Special(autograd.Tensor):
        pass

    with pytest.raises(TypeError, match=r"is a Special.*save value\.detach\(\)"):
        dumped(Special([1.0]))


def test_cycles_and_depths():
    with pytest.raises(ValueError, match=r"state\[0\]\['again'\] contains itself"):
        dumped(CYCLE)
    twice = [1]
    assert back([twice, twice]) == [[1], [1]]
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert same(back(deep), deep)
    with pytest.raises(ValueError, match="more than 100 levels deep"):
        dumped([deep])


def test_a_list_too_long_for_a_header(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nn.files.LONGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="store long lists of numbers as arrays"):
        dumped(list(range(1000)))


# Exchange with PyTorch

HALVES = ROOT / "tests" / "golden" / "torch_state.safetensors"
"""`torch.nn.Sequential(Linear(2, 3), BatchNorm1d(3))`, parts of it in half precision: see below."""


def halves(torch: Any) -> dict[str, Any]:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    state = model.state_dict()
    for i, t in enumerate(state.values()):
        if t.is_floating_point():
            t.copy_(torch.from_numpy(data(*t.shape, seed=i)))
    state["0.weight"] = state["0.weight"].bfloat16()
    state["0.bias"] = state["0.bias"].half()
    return state


EXPECTED = {
    "0.weight": data(3, 2, seed=0),
    "0.bias": data(3, seed=1),
    "1.weight": data(3, seed=2),
}


def test_a_state_dict_saved_by_pytorch():
    with pytest.warns(UserWarning, match=r"2 of 7 tensors .* widened.*0\.weight \(BF16\)") as found:
        state = load(HALVES)
    assert found[0].filename == __file__
    dtypes = {name: t.dtype.name for name, t in state.items()}
    assert dtypes.pop("1.num_batches_tracked") == "int64"
    assert set(dtypes.values()) == {"float32"}
    np.testing.assert_allclose(state["0.weight"].numpy(), EXPECTED["0.weight"], 2**-8)
    np.testing.assert_allclose(state["0.bias"].numpy(), EXPECTED["0.bias"], 2**-11)
    np.testing.assert_allclose(state["1.weight"].numpy(), EXPECTED["1.weight"], 2**-24)
    layer = nn.Linear(2, 3)
    layer.load_state_dict({k[2:]: v for k, v in state.items() if k[0] == "0"})
    assert load_metadata(HALVES) == {"format": "pt"}


@pytest.mark.skipif(not PYTORCH, reason="PyTorch is not installed")
def test_exchange_with_pytorch(tmp_path: Path):
    import safetensors.torch
    import torch

    path = tmp_path / "x.safetensors"
    if os.environ.get("TAPEGRAD_GOLDEN") == "1":
        safetensors.torch.save_file(halves(torch), HALVES, {"format": "pt"})
    safetensors.torch.save_file(halves(torch), path, {"format": "pt"})
    with pytest.warns(UserWarning, match="widened"):
        found = load(path)
    for name, t in halves(torch).items():
        wide = t.float() if t.is_floating_point() else t
        assert same(found[name].numpy(), wide.numpy()), name
    assert path.read_bytes() == HALVES.read_bytes()

    model = nn.Sequential(nn.Linear(2, 3), nn.PReLU())
    save(model.state_dict(), path)
    twin = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.PReLU())
    twin.load_state_dict(safetensors.torch.load_file(path))
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
    torch.save(twin.state_dict(), path)
    with pytest.raises(FileError, match=r"what torch\.save writes"):
        load(path)
    torch.save(twin.state_dict(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(FileError, match="a pickle, perhaps"):
        load(path)
    with pytest.raises(TypeError, match=r"is a Tensor.*save nn\.from_torch\(value\)"):
        save(twin.state_dict(), path)


# Interruption


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("step", ["write_to", "os.fsync", "os.replace", "os.chmod"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file(step, error, tmp_path: Path, monkeypatch):
    path = tmp_path / "x"
    save({"x": 1}, path)

    def fail(*args):
        if step == "write_to":
            args[0].write(b"half")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"nn.atomic.{step}", fail)
        with pytest.raises(type(error)):
            save({"x": 2}, path)
    assert load(path) == {"x": 1}
    assert entries(tmp_path) == ["x"]
    with monkeypatch.context() as patch:
        patch.setattr(f"nn.atomic.{step}", fail)
        if step != "os.chmod":
            with pytest.raises(type(error)):
                save({"x": 2}, tmp_path / "new")
    assert entries(tmp_path) == ["x"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no limits on the size of files")
def test_a_disk_that_is_full(tmp_path: Path):
    import resource

    path = tmp_path / "x"
    save({"x": 1}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save({"x": autograd.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load(path) == {"x": 1}
    assert entries(tmp_path) == ["x"]


def test_what_is_refused_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "x"
    save({"x": 1}, path)
    with pytest.raises(TypeError):
        save({"x": autograd.ones(3), "y": object()}, path)
    assert load(path) == {"x": 1}


def test_a_reader_sees_one_file_or_the_other(tmp_path: Path):
    path = tmp_path / "x"
    save(autograd.zeros(5000), path)
    stop = threading.Event()

    def write():
        value = 0
        while not stop.is_set():
            value += 1
            save(autograd.full((5000,), float(value)), path)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        values = [set(load(path).tolist()) for _ in range(100)]
    finally:
        stop.set()
        thread.join()
    assert all(len(v) == 1 for v in values)
    assert len(set.union(*values)) > 1


def test_it_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            atomic.os, name, lambda *a, real=real, name=name: (steps.append(name), real(*a))
        )
    save({}, tmp_path / "x")
    assert steps == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_permissions_and_links(tmp_path: Path):
    path, link = tmp_path / "x", tmp_path / "link"
    mask = os.umask(0o027)
    try:
        save({"x": 1}, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        link.symlink_to("x")
        save({"x": 2}, link)
    finally:
        os.umask(mask)
    assert link.is_symlink()
    assert load(path) == {"x": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_read_only_file_stays(tmp_path: Path, monkeypatch):
    save({"x": 1}, tmp_path / "x")
    monkeypatch.setattr(atomic.os, "access", lambda path, mode: False)  # root may write anything
    with pytest.raises(PermissionError, match="read-only"):
        save({"x": 2}, tmp_path / "x")
    assert load(tmp_path / "x") == {"x": 1}


def test_devices_are_written_to_and_not_replaced(tmp_path: Path):
    before = os.stat(os.devnull)
    save({"x": 1}, os.devnull)
    assert os.stat(os.devnull).st_ino == before.st_ino
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(load(pipe)))
    reader.start()
    save({"x": 1}, pipe)
    reader.join()
    assert found == [{"x": 1}]


def test_a_long_name(tmp_path: Path):
    path = tmp_path / ("x" * 255)
    save({"x": 1}, path)
    assert load(path) == {"x": 1}


def test_safetensors_is_loaded_when_it_is_needed():
    code = (
        "import sys, io, nn, nn.files as f\n"
        "assert 'safetensors' not in sys.modules\n"
        "file = io.BytesIO(); f.save({}, file); file.seek(0)\n"
        "assert 'safetensors' not in sys.modules\n"
        "f.load(file); assert 'safetensors' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
