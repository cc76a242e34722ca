"""Training that is killed and goes on: the same bytes as without the kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn import files, keras
from nn.files import FileError
from nn.keras import callbacks, layers
from tests import killed
from tests.killed import BACKUP, EPOCHS, TRAININGS, train

ROOT = Path(__file__).parent.parent
KILLS = {"scheduled": 15, "loaded": 13, "indexed": 13, "endless": 11}
"""By SIGKILL, in children that were forked; those in new interpreters come on top."""
FORKS = hasattr(os, "fork")


class Killed(BaseException):
    """Ends a fit as a kill would, but for what the system does."""


class Killer(callbacks.Callback):
    """Kills in the batch of that number, counted from where this fit begins."""

    _last = True  # behind the backup, which stands before it in the list

    def __init__(self, batches: int):
        super().__init__()
        self.left = batches

    def state_dict(self) -> dict[str, Any]:
        return {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


def _program(*arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.killed", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def _output(process: subprocess.Popen[str]) -> Any:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


@pytest.mark.skipif(not FORKS, reason="needs fork")
def test_killed_at_random_moments(tmp_path: Path) -> None:
    programs = {}
    for i, (name, kills) in enumerate(KILLS.items()):
        for what in ("reference", "nursery"):
            (tmp_path / what / name).mkdir(parents=True)
        reference = _program("reference", name, tmp_path / "reference" / name)
        nursery = _program("nursery", name, tmp_path / "nursery" / name, 100 + i, kills)
        programs[name] = reference, nursery
    total, places = 0, set()
    for name, (reference, nursery) in programs.items():
        (whole,) = _output(reference)["results"]
        found = _output(nursery)
        for result in found["results"]:
            assert json.loads(result) == json.loads(whole), name
        total += len(found["deaths"])
        places.update((name, batches) for batches in found["deaths"])
    assert total >= 50
    assert len(places) >= 15  # at many different batches, and not always before the first


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_in_interpreters_of_their_own(tmp_path: Path) -> None:
    whole = train("scheduled", tmp_path, None)[1]
    folder, moments, deaths = tmp_path / "killed", random.Random(4), 0
    folder.mkdir()
    backup = folder / BACKUP / "latest.safetensors"
    for _ in range(12):
        child = _program("once", "scheduled", folder)
        before = backup.stat().st_mtime_ns if backup.exists() else 0
        while deaths < 3 and child.poll() is None:  # until it has come a little further
            if backup.exists() and backup.stat().st_mtime_ns != before:
                time.sleep(moments.uniform(0.0, 0.02))
                child.kill()
                break
            time.sleep(0.002)
        errors = child.communicate(timeout=120)[1]
        deaths += child.returncode == -signal.SIGKILL
        if (folder / "done.json").exists():
            break
        assert child.returncode == -signal.SIGKILL, errors
    assert deaths >= 2
    assert json.loads((folder / "done.json").read_text()) == json.loads(whole)


# At each batch, in this process


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: Any) -> Callable[[str], Any]:
    """What each training comes to without a break."""
    known: dict[str, Any] = {}

    def whole(name: str) -> Any:
        if name not in known:
            known[name] = json.loads(train(name, tmp_path_factory.mktemp(name), None)[1])
        return known[name]

    return whole


@pytest.mark.parametrize("name", TRAININGS)
def test_killed_at_every_batch(name: str, wholes: Any, tmp_path: Path) -> None:
    for _ in range(60):
        try:
            result = train(name, tmp_path, 1, [Killer(1)])[1]
            break
        except Killed:
            assert (tmp_path / BACKUP / "latest.safetensors").exists()
    assert json.loads(result) == wholes(name)
    assert not (tmp_path / BACKUP).exists()


@pytest.mark.parametrize("frequency", ["epoch", 4])
@pytest.mark.parametrize("name", TRAININGS)
def test_killed_between_backups(name: str, frequency: Any, wholes: Any, tmp_path: Path) -> None:
    for batches in (2, 6, 7, 11, 5):
        try:
            train(name, tmp_path, frequency, [Killer(batches)])
        except Killed:
            continue
        break
    assert json.loads(train(name, tmp_path, frequency)[1]) == wholes(name)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_test_end", "on_train_end"])
@pytest.mark.parametrize("name", ["scheduled", "indexed"])
def test_killed_in_other_hooks(name: str, hook: str, wholes: Any, tmp_path: Path) -> None:
    class Here(callbacks.Callback):
        _last = True

    def die(*args: Any, **kwargs: Any) -> None:
        counts[0] += 1
        if counts[0] == 2 or hook == "on_train_end":
            raise Killed

    counts = [0]
    setattr(Here, hook, lambda self, *args, **kwargs: die())
    made = callbacks.BackupAndRestore(tmp_path / BACKUP, 1, delete_checkpoint=False)
    with pytest.raises(Killed):
        train(name, tmp_path, made, [Here()])
    assert json.loads(train(name, tmp_path)[1]) == wholes(name)


def test_what_a_training_was_stopped_by_stays(wholes: Any, tmp_path: Path) -> None:
    """Early stopping has ended it; the kill comes before the best weights are restored."""
    assert wholes("scheduled")["epochs"] != list(range(EPOCHS))
    made = callbacks.BackupAndRestore(tmp_path / BACKUP, "epoch", delete_checkpoint=False)
    train("scheduled", tmp_path, made)
    again, ran = tmp_path / BACKUP / "latest.safetensors", []
    assert files.load(again)["stopped"] is True
    note = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: ran.append(epoch))
    assert json.loads(train("scheduled", tmp_path, "epoch", [note])[1]) == wholes("scheduled")
    assert not ran


# The file


def _small(units: int = 3) -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


DATA = killed._data()


def _fit(model: Any, *used: Any, **options: Any) -> Any:
    options = {"epochs": 3, "batch_size": 15, "verbose": 0, **options}
    return model.fit(*DATA, callbacks=list(used), **options)


def _backup(folder: Path, **options: Any) -> Any:
    return callbacks.BackupAndRestore(folder / BACKUP, **options)


def _killed_after(folder: Path, batches: int, *used: Any, **options: Any) -> Path:
    with pytest.raises(Killed):
        _fit(_small(), _backup(folder, **options), *used, Killer(batches))
    return folder / BACKUP / "latest.safetensors"


def test_a_backup_of_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    model = _small()
    history = _fit(model, _backup(tmp_path, delete_checkpoint=False)).history
    again = _small()
    assert _fit(again, _backup(tmp_path, delete_checkpoint=False)).history == history
    for a, b in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)
    longer = _fit(again, _backup(tmp_path), epochs=5)
    assert longer.epoch == [0, 1, 2, 3, 4]
    assert not (tmp_path / BACKUP).exists()


def test_what_is_left_of_a_file_half_written_is_deleted(tmp_path: Path) -> None:
    left = _killed_after(tmp_path, 5).with_name(".tapegrad-0123456789abcdef.tmp")
    left.write_bytes(b"half")
    _fit(_small(), _backup(tmp_path))
    assert not (tmp_path / BACKUP).exists()


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / BACKUP).mkdir()
    (tmp_path / BACKUP / "mine").write_text("")
    _fit(_small(), _backup(tmp_path))
    assert [p.name for p in (tmp_path / BACKUP).iterdir()] == ["mine"]


def test_after_ctrl_c_the_backup_stays(tmp_path: Path, capsys: Any) -> None:
    def press(batch: int, logs: Any) -> None:
        if batch == 1 and model.optimizer.iterations == 5:
            signal.raise_signal(signal.SIGINT)

    keras.utils.set_random_seed(1)
    whole = _small()
    _fit(whole)
    keras.utils.set_random_seed(1)
    model = _small()
    note = callbacks.LambdaCallback(on_train_batch_end=press)
    assert _fit(model, _backup(tmp_path, save_freq=1), note).epoch == [0]
    assert "interrupted in epoch 2/3, after batch 2/3" in capsys.readouterr().out
    keras.utils.set_random_seed(2)
    resumed = _small()
    assert _fit(resumed, _backup(tmp_path, save_freq=1)).epoch == [0, 1, 2]
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_many_batches_in_one_call_are_backed_up_behind_it(tmp_path: Path) -> None:
    x, y = np.zeros((640, 4), "f"), np.zeros((640, 1), "f")
    made, saved = _backup(tmp_path, save_freq=2), []
    write = made._write
    made._write = lambda position, logs: (saved.append(position["batch"]), write(position, logs))
    _small().fit(x, y, batch_size=1, verbose=0, callbacks=[made])
    assert 1 < len(saved) <= 320
    assert saved == sorted(saved)


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    path = _killed_after(tmp_path, 5)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", whole[:-9] + b"\x01" + whole[-8:], b"text"):
        path.write_bytes(broken)
        with pytest.raises(FileError, match=r"BackupAndRestore: .*latest.* Nothing was restored"):
            _fit(_small(), _backup(tmp_path))
        assert path.exists()
    state = files.load(_rewritten(path, whole))
    for changed, said in (
        ({**state, "format": 2}, "a backup of a newer tapegrad"),
        ({"weights": state["weights"]}, "not a backup of BackupAndRestore"),
        ({k: v for k, v in state.items() if k != "logs"}, "a damaged backup: it has"),
    ):
        files.save(changed, path)
        with pytest.raises(FileError, match=said):
            _fit(_small(), _backup(tmp_path))


def _rewritten(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def test_the_backup_before_is_used_where_the_last_is_damaged(tmp_path: Path, capsys: Any) -> None:
    path = _killed_after(tmp_path, 8, double_checkpoint=True)
    previous = path.with_name("latest.safetensors.bkp")
    assert [files.load(p)["position"]["epoch"] for p in (path, previous)] == [2, 1]
    path.write_bytes(b"\x00" * 100)
    assert _fit(_small(), _backup(tmp_path, double_checkpoint=True)).epoch == [0, 1, 2]
    assert "Going on from the backup before it" in capsys.readouterr().out
    assert not previous.exists()


def test_a_kill_between_two_files_leaves_the_one_before(tmp_path: Path) -> None:
    path = _killed_after(tmp_path, 8, double_checkpoint=True)
    path.unlink()
    assert _fit(_small(), _backup(tmp_path)).epoch == [0, 1, 2]


def test_a_backup_of_another_model_is_refused(tmp_path: Path) -> None:
    _killed_after(tmp_path, 5)
    with pytest.raises(ValueError, match=r"of another model.*'.*/kernel' is \(4, 5\), .*\(4, 3\)"):
        _fit(_small(5), _backup(tmp_path))
    other = _small()
    other.compile("sgd", "mse", metrics=["mae"])
    with pytest.raises(ValueError, match=r"optimizer: there are 2, in the backup 10"):
        _fit(other, _backup(tmp_path))
    other.compile("adam", "mse")
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"metrics: there are 1, in the backup 2"):
        _fit(other, _backup(tmp_path))
    for a, b in zip(before, other.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_callbacks_may_come_and_go(tmp_path: Path) -> None:
    _killed_after(tmp_path, 5, callbacks.EarlyStopping("loss", patience=9))
    with pytest.warns(UserWarning, match="holds the state of EarlyStopping, which is not among"):
        history = _fit(_small(), callbacks.ReduceLROnPlateau("loss"), _backup(tmp_path))
    assert history.epoch == [0, 1, 2]


def test_settings_of_callbacks_are_those_of_the_script(tmp_path: Path) -> None:
    stop = callbacks.EarlyStopping("loss", patience=1, min_delta=99.0)
    _killed_after(tmp_path, 5, stop)
    later = callbacks.EarlyStopping("loss", patience=3, min_delta=99.0)
    assert _fit(_small(), later, _backup(tmp_path), epochs=9).epoch == [0, 1, 2, 3]


def test_state_of_a_callback_is_its_plain_data() -> None:
    note = killed.Note()
    note.seen, note.stream, note.table = [1, "a"], sys.stdout, {"x": np.ones(2)}  # type: ignore
    assert set(note.state_dict()) == {"seen", "table"}
    assert callbacks.EarlyStopping().state_dict() == {
        "best": None, "wait": 0, "stopped_epoch": 0, "best_epoch": 0, "best_weights": None,
    }  # fmt: skip


def test_averages_and_lazy_metrics_are_restored(tmp_path: Path) -> None:
    def made() -> Any:
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "sigmoid")])
        metrics = [keras.metrics.AUC(multi_label=True, name="auc"), keras.metrics.R2Score()]
        model.compile(keras.optimizers.Adam(0.1, use_ema=True), "bce", metrics=metrics)
        return model

    x, y = DATA[0], (DATA[0][:, :3] > 0).astype("f")
    options = {"epochs": 2, "batch_size": 9, "verbose": 0}
    whole = made()
    history = whole.fit(x, y, **options).history
    for _ in range(20):
        resumed = made()
        try:
            used = [_backup(tmp_path, save_freq=1), Killer(3)]
            found = resumed.fit(x, y, callbacks=used, **options).history
            break
        except Killed:
            continue
    assert found == history
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)
