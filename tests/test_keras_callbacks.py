"""The callbacks of `nn.keras` against those of Keras 3, and what they say where something is wrong.

In float64, as Keras computes; "is it better?" both decide with float32 numbers.  1e-6 is for what
TensorBoard's files hold, which is float32.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import os
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn import keras
from nn.keras import callbacks, layers
from nn.keras.callbacks.events import EventWriter, crc32c, png
from tests import event_files
from tests.keras_faces import Face, check
from tests.keras_fits import BITS, REAL, X, dense

pytestmark = pytest.mark.filterwarnings(  # Keras' own, of its variables as arrays
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
VALUES = [1.0, 0.9, 0.95, 0.94, 0.93, 0.8, 0.81, 0.82, 0.81, 0.9, 0.7, 0.71, 0.72, 0.73]
RISING = [0.1, 0.3, 0.2, 0.2, 0.35, 0.34, 0.35, 0.30, 0.36]
BROKEN = [1.0, float("nan"), 0.9, float("inf"), 0.9, 0.8]
CLOSE = [1.0, 1.0 - 1e-9, 1.0 - 2e-8, 1.0 - 5e-8, 1.0 - 5e-4]
FLAT = [1.0] * 9


def _small(k: Any, **options: Any) -> Any:
    model = dense(k)
    model.compile(k.optimizers.SGD(0.1), "mse", metrics=["mae", "accuracy"], **options)
    return model


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        yield out


# Driven by hand: what each decides, epoch by epoch


def driven(kind: str, values: list[float], monitor: str = "val_loss", **options: Any) -> Any:
    """`values` as the logs of epochs: the state after each, until training is stopped."""

    def case(face: Face) -> dict[str, Any]:
        model = _small(face.keras)
        model.train_on_batch(X, REAL)
        callback = getattr(face.keras.callbacks, kind)(monitor, verbose=1, **options)
        callback.set_model(model)
        callback.set_params({"epochs": len(values), "verbose": 0, "steps": 1})
        seen: list[Any] = []
        with _printed() as out:
            callback.on_train_begin()
            model.stop_training = False
            for epoch, value in enumerate(values):
                model.set_weights([np.full(w.shape, epoch) for w in model.get_weights()])
                callback.on_epoch_begin(epoch)
                logs = {monitor: value}
                callback.on_epoch_end(epoch, logs)
                rate = float(np.asarray(model.optimizer.learning_rate))
                seen.append([callback.wait, f"{callback.best}", rate, sorted(logs)])
                if model.stop_training:
                    break
            callback.on_train_end()
        return {"seen": seen, "weight": model.get_weights()[0][0, 0], "said": out.getvalue()}

    return case


def _stopping(values: list[float], **options: Any) -> Any:
    return driven("EarlyStopping", values, **options)


def _plateau(values: list[float], **options: Any) -> Any:
    return driven("ReduceLROnPlateau", values, **options)


DRIVEN = {
    "stop": _stopping(VALUES),
    "stop after 2": _stopping(VALUES, patience=2),
    "stop after 3": _stopping(VALUES, patience=3),
    "stop after 4, best": _stopping(VALUES, patience=4, restore_best_weights=True),
    "never, best": _stopping(VALUES, patience=40, restore_best_weights=True),
    "delta": _stopping(VALUES, patience=2, min_delta=0.15),
    "negative delta": _stopping(VALUES, patience=3, min_delta=-0.12),
    "baseline": _stopping(VALUES, patience=3, baseline=0.92, restore_best_weights=True),
    "baseline never": _stopping(VALUES, patience=4, baseline=0.1, restore_best_weights=True),
    "start from 4": _stopping(VALUES, start_from_epoch=4, restore_best_weights=True),
    "more is better": _stopping(RISING, monitor="val_accuracy", patience=2),
    "more is better, delta": _stopping(
        RISING, monitor="val_accuracy", patience=1, min_delta=0.1, restore_best_weights=True
    ),
    "less is better": _stopping(RISING, monitor="mae", patience=1),
    "mode max": _stopping(RISING, monitor="loss", mode="max", patience=2),
    "mode min": _stopping(RISING, monitor="anything", mode="min", patience=2),
    "stop with NaN": _stopping(BROKEN, patience=2, restore_best_weights=True),
    "first is NaN": _stopping([float("nan"), 1.0, 0.5], patience=2, restore_best_weights=True),
    "close": _stopping(CLOSE, patience=3),
    "plateau 0": _plateau(FLAT, patience=0),
    "plateau 1": _plateau(FLAT, patience=1),
    "plateau 2": _plateau(FLAT, patience=2),
    "cooldown": _plateau(FLAT, patience=1, cooldown=2),
    "cooldown 1": _plateau(VALUES, patience=2, cooldown=1, factor=0.5),
    "least rate": _plateau(FLAT, patience=1, factor=0.3, min_lr=0.004),
    "plateau delta": _plateau(VALUES, patience=2, min_delta=0.2),
    "plateau up": _plateau(RISING, monitor="accuracy", patience=1, min_delta=0.02),
    "plateau max": _plateau(VALUES, mode="max", patience=2),
    "plateau NaN": _plateau(BROKEN, patience=1),
}


@pytest.mark.parametrize("name", DRIVEN)
def test_decides_as_keras_does(name: str) -> None:
    check("callbacks", name, DRIVEN[name])


# In a fit


def _fitted(made: Callable[[Any, Path], Any], more: Any = None, **options: Any) -> Any:
    """Fit with callbacks; `more(model, callbacks, folder)`: what else is to be compared."""

    def case(face: Face) -> dict[str, Any]:
        k = face.keras
        with tempfile.TemporaryDirectory() as name, _printed() as out:
            folder = Path(name)
            model = dense(k)
            given = {"optimizer": k.optimizers.SGD(0.1), "metrics": ["mae"]}
            given.update(options.get("compile", lambda k: {})(k))
            model.compile(loss="mse", **given)
            used = made(k, folder)
            fit = {"batch_size": 5, "epochs": 4, "shuffle": False, "validation_split": 0.3}
            fit.update(options.get("fit", {}))
            history = model.fit(X, REAL, verbose=0, callbacks=used, **fit)
            return {
                "history": history.history,
                "epochs": history.epoch,
                "weights": list(model.get_weights()),
                **({} if more is None else more(model, used, folder)),
                "said": out.getvalue().replace(name, "FOLDER"),
            }

    return case


def _files(model: Any, used: Any, folder: Path) -> dict[str, Any]:
    return {"files": sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*"))}


def _rows(model: Any, used: Any, folder: Path) -> dict[str, Any]:
    text = (folder / "log.csv").read_text()
    rows = list(csv.reader(io.StringIO(text), delimiter=used[-1].sep))
    return {"rows": [[_number(cell) for cell in row] for row in rows]}


def _number(cell: str) -> Any:
    with contextlib.suppress(ValueError):
        return float(cell)
    return cell


def _checkpoint(path: str, **options: Any) -> Any:
    def made(k: Any, folder: Path) -> Any:
        return [k.callbacks.ModelCheckpoint(str(folder / path), verbose=1, **options)]

    return _fitted(made, _files)


def _twice(k: Any, folder: Path) -> Any:
    """Rows of another fit that are appended to."""
    (folder / "log.csv").write_text("epoch;loss\r\n0;1.5\r\n")
    return [k.callbacks.CSVLogger(str(folder / "log.csv"), separator=";", append=True)]


def _lambdas(k: Any, folder: Path) -> Any:
    lines: list[Any] = []

    def note(name: str) -> Any:
        return lambda *args, **kwargs: lines.append([name, *(a for a in args if a is not None)][:2])

    names = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end")
    names += ("on_train_batch_begin", "on_train_batch_end", "on_test_begin", "on_test_batch_end")
    made = k.callbacks.LambdaCallback(**{name: note(name) for name in names})
    made.lines = lines
    return [made]


def _ema(k: Any) -> dict[str, Any]:
    return {"optimizer": k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.7)}


def _asked(model: Any, used: Any, folder: Path) -> dict[str, Any]:
    return {
        "evaluated": model.evaluate(X, REAL, verbose=0, callbacks=used),
        "weights after": list(model.get_weights()),
    }


FITTED = {
    "checkpoint": _checkpoint("{epoch:02d}-{val_loss:.3f}.keras"),
    "checkpoint of the best": _checkpoint("at{epoch}.keras", save_best_only=True),
    "checkpoint of the best, max": _checkpoint(
        "at{epoch}.keras", save_best_only=True, monitor="val_mae", mode="max"
    ),
    "checkpoint of weights": _checkpoint(
        "sub/{epoch}/{loss:.2f}.weights.h5", save_weights_only=True, monitor="mae"
    ),
    "checkpoint every 3 batches": _checkpoint("{epoch}-{batch}.keras", save_freq=3),
    "checkpoint, threshold": _checkpoint(
        "at{epoch}.keras", save_best_only=True, monitor="loss", initial_value_threshold=0.9
    ),
    "rates by epoch": _fitted(
        lambda k, f: [
            k.callbacks.LearningRateScheduler(lambda e: 0.1 / (e + 1), verbose=1),
        ]
    ),
    "rates by epoch and rate": _fitted(
        lambda k, f: [k.callbacks.LearningRateScheduler(lambda e, rate: rate * 0.5)]
    ),
    "plateau in fit": _fitted(
        lambda k, f: [k.callbacks.ReduceLROnPlateau(patience=1, min_delta=5.0, verbose=1)]
    ),
    "stopped in fit": _fitted(
        lambda k, f: [
            k.callbacks.EarlyStopping(
                "val_mae", min_delta=9.0, patience=2, verbose=1, restore_best_weights=True
            )
        ]
    ),
    "csv": _fitted(lambda k, f: [k.callbacks.CSVLogger(str(f / "log.csv"))], _rows),
    "csv without validation": _fitted(
        lambda k, f: [k.callbacks.CSVLogger(str(f / "log.csv"), separator="\t")],
        _rows,
        fit={"validation_split": 0.0},
    ),
    "csv with rates": _fitted(
        lambda k, f: [
            k.callbacks.LearningRateScheduler(lambda e: 0.01),
            k.callbacks.CSVLogger(str(f / "log.csv")),
        ],
        _rows,
    ),
    "csv appended": _fitted(_twice, _rows),
    "lambdas": _fitted(_lambdas, lambda model, used, f: {"lines": used[0].lines}),
    "averages": _fitted(lambda k, f: [k.callbacks.SwapEMAWeights()], _asked, compile=_ema),
    "averages at epochs": _fitted(
        lambda k, f: [k.callbacks.SwapEMAWeights(swap_on_epoch=True)], compile=_ema
    ),
}


@pytest.mark.parametrize("name", FITTED)
def test_fit_is_that_of_keras(name: str) -> None:
    check("callbacks", name, FITTED[name], rtol=1e-7)


def _diverging(face: Face) -> dict[str, Any]:
    k = face.keras
    model = dense(k)
    model.compile(k.optimizers.SGD(1e120), "mse")
    seen: list[int] = []
    note = k.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    used = [k.callbacks.TerminateOnNaN(), note]
    with _printed() as out, np.errstate(all="ignore"):
        history = model.fit(
            X, REAL, batch_size=5, epochs=3, shuffle=False, verbose=0, callbacks=used
        )
    return {"seen": seen, "epochs": history.epoch, "said": out.getvalue()}


def test_terminates_where_keras_does() -> None:
    check("callbacks", "diverging", _diverging)


# TensorBoard


def _written(**options: Any) -> Any:
    def more(model: Any, used: Any, folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for run in ("train", "validation"):
            for tag, entries in event_files.read(folder / run).items():
                if "steps_per_second" in tag:
                    assert all(value > 0 for _, _, value in entries)
                    entries = [(step, kind, np.zeros(())) for step, kind, _ in entries]
                if tag == "keras":
                    assert b"class_name" in entries[0][2][0]
                    entries = [(step, kind, np.zeros(())) for step, kind, _ in entries]
                shown = [[step, kind, _plain(value)] for step, kind, value in entries]
                found[f"{run}/{tag.split('/', 1)[-1]}"] = shown
        return {"events": found}

    return _fitted(
        lambda k, f: [k.callbacks.TensorBoard(str(f), **options)],
        more,
        fit={"epochs": 3, "batch_size": 4},
    )


def _plain(value: Any) -> Any:
    """Of texts, what is not an image: that is the same picture, compressed in another way."""
    if isinstance(value, list):
        return [each.decode() for each in value if not each.startswith(b"\x89PNG")]
    return value.tolist()


# An even number of batches: with `update_freq` 2, Keras forgets epochs that end between two writes.
EVENTS = {
    "events": _written(),
    "events of batches": _written(update_freq="batch", write_graph=False),
    "events every 2": _written(update_freq=2, write_steps_per_second=True),
    "events with weights": _written(histogram_freq=2, write_images=True, write_graph=False),
}


@pytest.mark.parametrize("name", EVENTS)
def test_event_files_are_those_of_keras(name: str) -> None:
    check("callbacks", name, EVENTS[name], rtol=1e-6, atol=1e-7)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="no TensorBoard")
def test_tensorboard_reads_our_files(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    model = _small(keras)
    made = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True, update_freq=2)
    history = model.fit(X, REAL, epochs=3, verbose=0, callbacks=[made], batch_size=5).history
    reader = EventAccumulator(str(tmp_path / "train"), size_guidance={"tensors": 0})
    reader.Reload()
    losses = [(e.step, float(make_ndarray(e.tensor_proto))) for e in reader.Tensors("epoch_loss")]
    assert losses == [(i, pytest.approx(v)) for i, v in enumerate(history["loss"])]
    assert [e.step for e in reader.Tensors("batch_loss")] == [2, 4, 6, 8, 10, 12, 14]
    tags = reader.Tags()["tensors"]
    (kernel,) = (tag for tag in tags if tag.endswith("hidden/kernel/histogram"))
    table = make_ndarray(reader.Tensors(kernel)[-1].tensor_proto)
    weights = model.get_weights()[0]
    assert table.shape == (30, 3)
    assert table[:, 2].sum() == weights.size
    assert table[0, 0] == weights.min()
    assert reader.SummaryMetadata(kernel).plugin_data.plugin_name == "histograms"


def test_checksum_is_the_known_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720 and the catalogues of CRCs
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert event_files.crc32c(b"123456789") == 0xE3069283


def test_a_changed_event_file_is_noticed_by_the_reader(tmp_path: Path) -> None:
    writer = EventWriter(str(tmp_path))
    writer.scalar("a", 1.0, 300)
    with pytest.raises(ValueError, match=r"b is no number but of shape \(2,\)"):
        writer.scalar("b", [1.0, 2.0], 0)
    writer.flush()
    assert event_files.read(tmp_path) == {"a": [(300, "scalars", np.array(1.0, np.float32))]}
    path = Path(writer.path)
    path.write_bytes(path.read_bytes().replace(b"scalars", b"scalaRs"))
    with pytest.raises(AssertionError, match="checksum"):
        event_files.read(tmp_path)


def test_images_are_png_files() -> None:
    for channels, kind in ((1, 0), (3, 2), (4, 6)):
        picture = (np.arange(5 * 7 * channels) * 3 % 256).astype(np.uint8)
        raw = png(picture.reshape(5, 7, channels))
        assert raw[:8] == b"\x89PNG\r\n\x1a\n"
        chunks, at = [], 8
        while at < len(raw):
            end = at + 8 + int.from_bytes(raw[at : at + 4], "big")
            assert zlib.crc32(raw[at + 4 : end]) == int.from_bytes(raw[end : end + 4], "big")
            chunks.append((raw[at + 4 : at + 8], raw[at + 8 : end]))
            at = end + 4
        assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
        assert chunks[0][1] == bytes([0, 0, 0, 7, 0, 0, 0, 5, 8, kind, 0, 0, 0])
        rows = np.frombuffer(zlib.decompress(chunks[1][1]), np.uint8).reshape(5, 1 + 7 * channels)
        assert not rows[:, 0].any()
        np.testing.assert_array_equal(rows[:, 1:].ravel(), picture)


def test_embeddings_are_written_for_the_projector(tmp_path: Path) -> None:
    words = layers.Embedding(7, 3, name="words")
    model = keras.Sequential([keras.Input((2,), dtype="int32"), words, layers.Flatten()])
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    made = callbacks.TensorBoard(
        tmp_path, embeddings_freq=1, embeddings_metadata={"words": "w.tsv"}
    )
    model.fit(np.ones((4, 2), "int32"), np.ones((4, 1)), verbose=0, callbacks=[made])
    table = np.loadtxt(tmp_path / "words.tsv")
    np.testing.assert_allclose(table, words.get_weights()[0], rtol=1e-6)
    text = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "words.tsv"' in text
    assert 'metadata_path: "w.tsv"' in text
    wrong = callbacks.TensorBoard(
        tmp_path, embeddings_freq=1, embeddings_metadata={"word": "w.tsv"}
    )
    with pytest.raises(ValueError, match=r"\['word'\]; there are \['words'\]"):
        model.fit(np.ones((4, 2), "int32"), np.ones((4, 1)), verbose=0, callbacks=[wrong])


# What is saved


def test_checkpoints_can_be_loaded(tmp_path: Path) -> None:
    model = _small(keras)
    used = [
        callbacks.ModelCheckpoint(tmp_path / "whole.keras"),
        callbacks.ModelCheckpoint(tmp_path / "w.safetensors", save_weights_only=True),
        callbacks.ModelCheckpoint(tmp_path / "b{batch}.weights.h5", save_weights_only=True,
                                  save_freq=3),
    ]  # fmt: skip
    model.fit(X, REAL, epochs=2, batch_size=5, verbose=0, callbacks=used, validation_split=0.2)
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    other = _small(keras)
    other.load_weights(tmp_path / "w.safetensors")
    for a, b, c in zip(model.get_weights(), loaded.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert loaded.optimizer.iterations == model.optimizer.iterations
    assert sorted(p.name for p in tmp_path.glob("b*")) == ["b2.weights.h5", "b3.weights.h5"]


def test_predictions_leave_the_weights_in_place() -> None:
    model = dense(keras)
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    model.fit(X, REAL, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    model.train_on_batch(X, REAL)
    before = model.get_weights()
    plain = model.predict(X, verbose=0)
    swapped = model.predict(X, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert not np.array_equal(plain, swapped)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


# What they say


def _fit(*used: Any, **options: Any) -> Any:
    return _small(keras).fit(X, REAL, verbose=0, callbacks=list(used), **options)


MONITORS = (
    callbacks.EarlyStopping,
    callbacks.ReduceLROnPlateau,
    lambda monitor: callbacks.ModelCheckpoint("x.keras", monitor, save_best_only=True),
)


@pytest.mark.parametrize("made", MONITORS)
def test_an_unknown_monitor_is_refused_before_training(made: Any) -> None:
    begun: list[int] = []
    note = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    with pytest.raises(ValueError, match=r"'accuracy'\? The metrics .*loss, mae, accuracy\. Pass"):
        _fit(note, made("val_acuracy"))
    assert not begun


def test_a_monitor_of_no_known_direction_is_refused() -> None:
    def closeness(y: Any, p: Any) -> Any:
        return keras.ops.mean(keras.ops.abs(y - p), axis=-1)

    model = dense(keras)
    model.compile("sgd", "mse", metrics=[closeness])
    with pytest.raises(ValueError, match=r"monitor=val_closeness.*more or less.*mode='max'"):
        model.fit(X, REAL, verbose=0, callbacks=[callbacks.EarlyStopping("val_closeness")])
    stop = callbacks.EarlyStopping("closeness", mode="min")
    assert model.fit(X, REAL, epochs=2, verbose=0, callbacks=[stop]).epoch == [0, 1]


def test_directions_of_several_outputs_are_found() -> None:
    x = keras.Input((5,))
    outs = [layers.Dense(1, "sigmoid", name=name)(x) for name in ("a", "b")]
    model = keras.Model(x, outs)
    model.compile("sgd", "bce", metrics=[["accuracy"], ["mae"]])
    stop = callbacks.EarlyStopping("val_a_accuracy", patience=9)
    model.fit(X, [BITS, BITS], verbose=0, validation_split=0.3, callbacks=[stop])
    assert stop.monitor_op is np.greater


@pytest.mark.parametrize("made", MONITORS)
def test_a_value_that_is_not_there_is_warned_of(made: Any, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"vailable.*vailable metrics are: accuracy,.*loss,mae"):
        _fit(made("val_loss"), epochs=1)


def test_an_unknown_mode_is_auto() -> None:
    with pytest.warns(UserWarning, match="EarlyStopping mode 'best' is unknown, fallback to auto"):
        assert callbacks.EarlyStopping(mode="best").mode == "auto"


ERRORS = {
    "factor": (lambda: callbacks.ReduceLROnPlateau(factor=1.0), ValueError, "factor >= 1.0"),
    "unknown": (lambda: callbacks.ReduceLROnPlateau(epsilon=1), TypeError, "epsilon"),
    "save_freq": (lambda: callbacks.ModelCheckpoint("a.keras", save_freq="batch"), ValueError,
                  "Unrecognized save_freq: batch"),
    "save_freq 0": (lambda: callbacks.BackupAndRestore("a", save_freq=0), ValueError,
                    "Unrecognized save_freq: 0"),
    "save_freq True": (lambda: callbacks.BackupAndRestore("a", save_freq=True), ValueError,
                       "Unrecognized save_freq: True"),
    "backup_dir": (lambda: callbacks.BackupAndRestore(""), ValueError, "Empty `backup_dir`"),
    "weights": (lambda: callbacks.ModelCheckpoint("a.keras", save_weights_only=True), ValueError,
                r"must end in `\.weights\.h5` or `\.safetensors`"),
    "model": (lambda: callbacks.ModelCheckpoint("a.safetensors"), ValueError, r"end in `\.keras`"),
    "hook": (lambda: callbacks.LambdaCallback(on_epoch_ends=print), TypeError,
             "no hook 'on_epoch_ends'. Did you mean 'on_epoch_end'"),
    "profile": (lambda: callbacks.TensorBoard(profile_batch=2), ValueError, "profiling is not"),
    "update_freq": (lambda: callbacks.TensorBoard(update_freq="step"), ValueError, "'step'"),
    "schedule": (lambda: _fit(callbacks.LearningRateScheduler(lambda e: 1)), ValueError,
                 "should be a float. Got: 1"),
    "format": (lambda: _fit(callbacks.ModelCheckpoint("{val_los}.keras"), validation_split=0.2),
               KeyError, "val_los.* is none of epoch, accuracy, loss, mae"),
    "averages": (lambda: _fit(callbacks.SwapEMAWeights(), validation_split=0.2), ValueError,
                 "use_ema=False"),
    "scheduled": (
        lambda: _scheduled().fit(X, REAL, epochs=9, verbose=0, callbacks=[
            callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9.0)]),
        TypeError, "LearningRateSchedule"),
}  # fmt: skip


def _scheduled() -> Any:
    model = dense(keras)
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    call, kind, said = ERRORS[name]
    with pytest.raises(kind, match=said):
        call()


def test_nan_can_be_an_error() -> None:
    model = dense(keras)
    model.compile(keras.optimizers.SGD(1e30), "mse")
    used = [callbacks.TerminateOnNaN(raise_error=True)]
    with (
        np.errstate(all="ignore"),
        pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch"),
    ):
        model.fit(X, REAL, batch_size=5, epochs=3, verbose=0, callbacks=used)


def test_places_that_cannot_be_written_are_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "inside"
    begun: list[int] = []
    note = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    for made in (
        callbacks.ModelCheckpoint(f"{inside}/{{epoch}}.keras", "loss"),
        callbacks.TensorBoard(inside),
        callbacks.BackupAndRestore(inside),
        callbacks.BackupAndRestore(tmp_path / "file"),
    ):
        with pytest.raises(NotADirectoryError, match=r"cannot write .*file"):
            _fit(note, made)
    with pytest.raises(FileNotFoundError, match=r"CSVLogger cannot write .*there is no folder"):
        _fit(note, callbacks.CSVLogger(inside))
    with pytest.raises(IsADirectoryError, match=r"CSVLogger cannot write .*it is a folder"):
        _fit(note, callbacks.CSVLogger(tmp_path))
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        os.chmod(tmp_path, 0o500)
        with pytest.raises(PermissionError, match="no permission"):
            _fit(note, callbacks.BackupAndRestore(tmp_path / "backup"))
        os.chmod(tmp_path, 0o700)
    assert not begun


def test_a_folder_in_place_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.keras").mkdir()
    with pytest.raises(IsADirectoryError, match="Please specify a non-directory filepath"):
        _fit(callbacks.ModelCheckpoint(tmp_path / "a.keras", "loss"))


def test_csv_of_no_epoch_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("old\n")
    _fit(callbacks.CSVLogger(path), epochs=0)
    assert path.read_text() == ""
