"""`compile`, `fit`, `evaluate`, `predict` of `nn.keras` against Keras 3: histories and logs.

In float64; where Keras computes with float32 constants inside (its metrics' epsilons, the sums of
AUC), 1e-6 is what can be asked for.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from typing import Any

import numpy as np
import pytest

import autograd
from nn import keras
from nn.keras.callbacks.progress import Progbar
from nn.utils.data import DataLoader, TensorDataset
from tests.keras_faces import check, in_float64
from tests.keras_fits import (
    BITS,
    CLASSES,
    LOSSES,
    OPTIMIZERS,
    OPTIONS,
    OUTPUTS,
    REAL,
    SEVERAL,
    WEIGHT,
    X,
    dense,
    two_in_two_out,
)

TABLES = {**LOSSES, **OPTIMIZERS, **OUTPUTS, **OPTIONS}


@pytest.mark.parametrize("name", TABLES)
def test_history_is_that_of_keras(name: str) -> None:
    check("fit", name, TABLES[name], rtol=1e-6, atol=1e-8)


# What is called, and what is returned


def _tape(k: Any) -> Any:
    """A callback that writes down what it is called with."""

    class Tape(k.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.lines: list[Any] = []

    def noting(hook: str) -> Any:
        def note(self: Any, *args: Any, logs: Any = None) -> None:
            place = [a for a in args if not isinstance(a, dict)]
            values = logs if logs is not None else next((a for a in args if a not in place), {})
            shown = {n: v for n, v in values.items() if n != "outputs"}
            self.lines.append([hook, *place, list(shown), list(shown.values())])

        return note

    for kind in ("train", "test", "predict"):
        for when in ("begin", "end"):
            for hook in (f"on_{kind}_{when}", f"on_{kind}_batch_{when}"):
                setattr(Tape, hook, noting(hook))
    for hook in ("on_epoch_begin", "on_epoch_end"):
        setattr(Tape, hook, noting(hook))
    return Tape()


def _hooks(face: Any, steps: int = 1) -> dict[str, Any]:
    model = dense(face.keras)
    model.compile("sgd", "mse", metrics=["mae"], steps_per_execution=steps)
    tape = _tape(face.keras)
    options: dict[str, Any] = {"batch_size": 8, "verbose": 0, "callbacks": [tape]}
    model.fit(X, REAL, shuffle=False, epochs=2, validation_data=(X[:9], REAL[:9]), **options)
    model.evaluate(X, REAL, **options)
    model.predict(X, **options)
    return {str(i): line for i, line in enumerate(tape.lines)}


@pytest.mark.parametrize("steps", [1, 2])
def test_hooks_are_called_as_in_keras(steps: int) -> None:
    check("fit", f"hooks, {steps}", lambda face: _hooks(face, steps), rtol=1e-6)


def test_evaluate_and_batches_are_those_of_keras() -> None:
    def case(face: Any) -> dict[str, Any]:
        model = dense(face.keras)
        model.compile("sgd", "mse", metrics=["mae", "mse"], weighted_metrics=["mae"])
        return {
            "before": model.metrics_names,
            "train": model.train_on_batch(X[:4], REAL[:4]),
            "weighted": model.train_on_batch(X[:4], REAL[:4], sample_weight=WEIGHT[:4]),
            "dict": model.train_on_batch(X[:4], REAL[:4], return_dict=True),
            "classes": model.train_on_batch(X[:4], BITS[:4], class_weight={0: 3.0}),
            "test": model.test_on_batch(X[4:9], REAL[4:9], WEIGHT[4:9]),
            "test, dict": model.test_on_batch(X[4:9], REAL[4:9], return_dict=True),
            "names": model.metrics_names,
            "evaluate": model.evaluate(X, REAL, batch_size=5, verbose=0),
            "weighted evaluate": model.evaluate(X, REAL, sample_weight=WEIGHT, verbose=0),
            "steps": model.evaluate(X, REAL, batch_size=5, steps=2, verbose=0),
            "evaluate, dict": model.evaluate(X, REAL, verbose=0, return_dict=True),
            "predict": model.predict(X, batch_size=5, verbose=0),
            "predict steps": model.predict(X, batch_size=5, steps=2, verbose=0),
            "predict one": model.predict(X[:1], verbose=0),
            "predict on batch": model.predict_on_batch(X[:3]),
        }

    check("fit", "evaluate and batches", case, rtol=1e-6)


def test_several_outputs_are_judged_as_in_keras() -> None:
    def case(face: Any) -> dict[str, Any]:
        model = two_in_two_out(face.keras)
        losses = {"real": "mse", "kind": "sparse_categorical_crossentropy"}
        model.compile("sgd", losses, metrics={"kind": "accuracy", "real": ["mae", "mse"]})
        x, y = [X, SEVERAL], {"real": REAL, "kind": CLASSES}
        found = model.evaluate(x, y, verbose=0)
        real, kind = model.predict(x, batch_size=5, verbose=0)
        return {"list": found, "names": model.metrics_names, "real": real, "kind": kind}

    check("fit", "several outputs, judged", case, rtol=1e-6)


def _generated(x: np.ndarray, y: np.ndarray, size: int) -> Any:
    while True:
        for i in range(0, len(x) - size + 1, size):
            yield x[i : i + size], y[i : i + size]


def test_a_generator_trains_as_in_keras() -> None:
    def case(face: Any) -> dict[str, Any]:
        model = dense(face.keras)
        model.compile("sgd", "mse")
        batches = _generated(X, REAL, 6)
        history = model.fit(batches, steps_per_epoch=4, epochs=3, shuffle=False, verbose=0)
        found = model.evaluate(_generated(X, REAL, 7), steps=3, verbose=0)
        said = model.predict(_generated(X, REAL, 7), steps=2, verbose=0)
        return {"history": history.history, "evaluate": found, "predict": said}

    check("fit", "generator", case, rtol=1e-6)


def test_a_dataset_of_batches_trains_as_in_keras() -> None:
    def case(face: Any) -> dict[str, Any]:
        class Batches(face.keras.utils.PyDataset):
            passes = 0

            def __len__(self) -> int:
                return 3

            def __getitem__(self, i: int) -> Any:
                rows = slice(6 * i, 6 * i + 6)
                return X[rows], CLASSES[rows]

            def on_epoch_end(self) -> None:
                self.passes += 1

        model = dense(face.keras, 3, "softmax")
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = Batches(workers=1)
        options = {"shuffle": False, "verbose": 0, "class_weight": {1: 3.0}}
        history = model.fit(batches, epochs=3, validation_data=Batches(), **options)
        return {"history": history.history, "evaluate": model.evaluate(batches, verbose=0)}

    check("fit", "dataset of batches", case, rtol=1e-6)


# The same, however it is run


def _model(loss: str = "mse", **options: Any) -> Any:
    with in_float64(keras):
        model = dense(keras, 1)
        model.compile(keras.optimizers.Adam(0.01), loss, metrics=["mae"], **options)
    return model


def _history(model: Any, *args: Any, **options: Any) -> Any:
    with in_float64(keras):
        return model.fit(*args, **{"verbose": 0, "shuffle": False, "batch_size": 5, **options})


class Watcher(keras.callbacks.Callback):
    """Wants to be called at every batch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batch = batch


@pytest.mark.parametrize("way", ["eager", "each batch", "loader", "several per call", "uncompiled"])
def test_all_ways_give_the_same_bytes(way: str) -> None:
    expected = _model()
    first = _history(expected, X, REAL, epochs=12).history
    runner = expected._runner("train_step")
    assert all(p.native for p in runner.programs.values())
    compiled = {"eager": {"run_eagerly": True}, "uncompiled": {"jit_compile": False}}.get(way, {})
    model = _model(**compiled, steps_per_execution=3 if way == "several per call" else 1)
    options: dict[str, Any] = {"epochs": 12}
    if way in ("each batch", "several per call"):
        options["callbacks"] = [Watcher()]
    data: Any = (X, REAL)
    if way == "loader":
        tensors = [autograd.tensor(a, dtype=a.dtype) for a in data]
        data = (DataLoader(TensorDataset(*tensors), batch_size=5),)
    found = _history(model, *data, **options).history
    assert found == first
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    replayed = any(p.native for p in model._runner("train_step").programs.values())
    assert replayed == (way not in ("eager", "uncompiled"))


def test_shuffling_obeys_the_seed_and_is_a_permutation() -> None:
    histories = []
    for seed in (1, 1, 2):
        autograd.manual_seed(seed)
        model = _model()
        histories.append(_history(model, X, REAL, shuffle=True, epochs=3).history)
    assert histories[0] == histories[1] != histories[2]

    class Count(keras.callbacks.Callback):
        pass

    seen: list[float] = []
    model = _model(run_eagerly=True)
    step = type(model).train_step

    class Noting(type(model)):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            seen.extend(data[0].detach().numpy()[:, 0].tolist())
            return step(self, data)

    model.__class__ = Noting
    for shuffle in (True, "batch"):
        seen.clear()
        _history(model, X, REAL, shuffle=shuffle)
        assert sorted(seen) == sorted(X[:, 0].tolist())
        assert seen != X[:, 0].tolist()
    assert sorted(seen[:5]) == sorted(X[:5, 0].tolist())


def test_a_custom_step_is_recorded_too() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.out = keras.layers.Dense(1)
            self.mean = keras.metrics.Mean(name="own")
            self.calls = 0

        def call(self, x: Any) -> Any:
            return self.out(x)

        def train_step(self, data: Any) -> Any:
            self.calls += 1
            x, y = data
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            loss.backward()
            found = [w.grad for w in self.trainable_weights]
            self.optimizer.apply(found, self.trainable_weights)
            self.zero_grad()
            self.mean.update_state(loss.detach())
            return {"own": self.mean.result()}

    model = Own()
    model.compile("sgd", "mse")
    history = model.fit(X, REAL, epochs=20, verbose=0, batch_size=11, shuffle=False)
    assert list(history.history) == ["own"]
    assert history.history["own"][-1] < history.history["own"][0]
    assert model.calls < 10
    assert [m.name for m in model.metrics] == ["loss", "own"]


def test_a_step_that_reads_values_runs_in_python_and_says_so(capsys: Any) -> None:
    class Reading(keras.Sequential):
        taken = 0

        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            if logs["loss"].item() > 0:
                Reading.taken += 1
            return logs

    model = Reading([keras.Input((5,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    plain = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    plain.compile("sgd", "mse")
    plain.set_weights(model.get_weights())
    options: dict[str, Any] = {"epochs": 20, "batch_size": 11, "shuffle": False}
    expected = plain.fit(X, REAL, verbose=0, **options).history["loss"]
    assert model.fit(X, REAL, verbose=2, **options).history["loss"] == expected
    assert Reading.taken == 40
    out = capsys.readouterr().out
    assert out.count("runs in Python") == 1
    assert "test_keras_fit.py" in out
    strict = Reading([keras.Input((5,)), keras.layers.Dense(1)])
    strict.compile("sgd", "mse", jit_compile=True)
    with pytest.raises(RuntimeError, match="item"):
        strict.fit(X, REAL, verbose=0, **options)


# Where fit stands


class Checkpoint(keras.callbacks.Callback):
    """Keeps, or brings back, all that a training is, at a batch."""

    def __init__(self, at: int | None = None, kept: Any = None):
        super().__init__()
        self.at, self.kept = at, kept

    def _state(self) -> list[Any]:
        model = self.model
        metrics = [v for m in model.metrics for v in m.variables]
        return [*model.variables, *model.optimizer.variables, *metrics]

    def on_train_begin(self, logs: Any = None) -> None:
        if self.kept is not None:
            arrays, position, drawn = self.kept
            for v, array in zip(self._state(), arrays, strict=True):
                v.assign(array)
            autograd.set_rng_state(drawn)
            self.model.fit_position.load_state_dict(position)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        position = self.model.fit_position
        if self.kept is None and position.total == self.at:
            arrays = [v.detach().numpy().copy() for v in self._state()]
            self.kept = arrays, position.state_dict(), autograd.get_rng_state()
            self.model.stop_training = True


class Rows(keras.utils.PyDataset):
    """Batches by index."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        return X[5 * i : 5 * i + 5], REAL[5 * i : 5 * i + 5]


def _sources() -> dict[str, Any]:
    def loader() -> Any:
        tensors = [autograd.tensor(a, dtype=a.dtype) for a in (X, REAL)]
        return (DataLoader(TensorDataset(*tensors), batch_size=5, shuffle=True),)

    def generator() -> Any:
        return (_generated(X, REAL, 5),)

    return {
        "arrays": (lambda: (X, REAL), {"batch_size": 5}),
        "steps": (lambda: (X, REAL), {"steps_per_epoch": 11, "batch_size": 1}),
        "loader": (loader, {}),
        "dataset": (lambda: (Rows(),), {}),
        "generator": (generator, {"steps_per_epoch": 4}),
    }


PLACES = [
    (kind, at) for kind in ("arrays", "loader", "dataset", "generator") for at in (1, 4, 5, 7, 10)
]
PLACES += [("steps", at) for at in (1, 11, 12, 22, 23, 30)]


@pytest.mark.parametrize(("kind", "at"), PLACES)
def test_training_goes_on_from_any_batch_with_the_same_bytes(kind: str, at: int) -> None:
    make, options = _sources()[kind]

    def run(*callbacks: Any, seed: int = 3) -> Any:
        autograd.manual_seed(seed)
        with in_float64(keras):
            model = keras.Sequential(
                [keras.Input((5,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
            )
            model.set_weights([0.1 * X[:5, :1], np.zeros(1)])
            model.compile("adam", "mse", metrics=["mae"])
        given = {"batch_size": None, "shuffle": kind != "generator", "epochs": 3, **options}
        history = _history(model, *make(), callbacks=list(callbacks), **given)
        return model, history.history["loss"][-1]

    expected, loss = run()
    taking = Checkpoint(at)
    run(taking)
    assert taking.kept is not None
    found, again = run(Checkpoint(kept=taking.kept), seed=99)
    for a, b in zip(found.get_weights(), expected.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert again == loss


def test_a_position_of_another_kind_is_refused() -> None:
    from nn.keras.position import FitPosition

    with pytest.raises(ValueError, match="expected the keys"):
        FitPosition().load_state_dict({"epoch": 1})


# Ctrl-C


class Interrupt(keras.callbacks.Callback):
    """Presses Ctrl-C once, or twice, at a batch."""

    def __init__(self, at: int, times: int = 1):
        super().__init__()
        self.at, self.times, self.ended = at, times, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.model.fit_position.total == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)

    def on_train_end(self, logs: Any = None) -> None:
        self.ended += 1


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_behind_the_batch_and_keeps_the_weights(times: int, capsys: Any) -> None:
    model, expected = _model(), _model()
    press = Interrupt(7, times)
    history = _history(model, X, REAL, epochs=4, callbacks=[press])
    assert len(history.history["loss"]) == 1
    assert history.epoch == [0]
    assert press.ended == 1
    assert "interrupted in epoch 2/4" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if times == 1:  # behind the batch that ran
        assert model.fit_position.total == 8
        _history(expected, X, REAL, epochs=2, callbacks=[Stop(8)])
        for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes()
    assert len(_history(model, X, REAL, epochs=2).history["loss"]) == 2


class Stop(keras.callbacks.Callback):
    """Ends training after so many batches."""

    def __init__(self, at: int):
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.fit_position.total == self.at:
            self.model.stop_training = True


def test_stop_training_ends_behind_the_batch() -> None:
    model = _model()
    history = _history(model, X, REAL, epochs=4, callbacks=[Stop(7)])
    assert model.fit_position.total == 7
    assert history.epoch == [0, 1]


def test_fit_in_a_thread_leaves_signals_alone() -> None:
    model, found = _model(), []
    thread = threading.Thread(target=lambda: found.append(_history(model, X, REAL)))
    thread.start()
    thread.join()
    assert len(found[0].history["loss"]) == 1


# What is printed


def _printed(stream: Any, monkeypatch: Any, f: Any) -> str:
    monkeypatch.setattr(sys, "stdout", stream)
    try:
        f()
    finally:
        monkeypatch.undo()
    return stream.getvalue()


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Notebook(io.StringIO):
    """What a cell of a notebook prints into, as far as can be told from outside."""


Notebook.__module__ = "ipykernel.iostream"


def _shown(text: str) -> list[str]:
    """What stands in a terminal in the end: without colours, and with what was drawn over gone."""
    import re

    lines = []
    for line in re.sub(r"\x1b\[\d+m", "", text).split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


BAR = "━" * 20


@pytest.mark.parametrize("kind", [io.StringIO, Terminal, Notebook])
def test_a_bar_ends_as_in_keras(kind: Any, monkeypatch: Any) -> None:
    import re

    model = _model()
    text = _printed(kind(), monkeypatch, lambda: _history(model, X, REAL, epochs=2, verbose=1))
    lines = _shown(text)
    assert lines[0] == "Epoch 1/2"
    pattern = rf"5/5 {BAR} \d+s \d+(ms|us|s)/step - loss: \d\.\d{{4}} - mae: \d\.\d{{4}}"
    assert re.fullmatch(pattern, lines[1]), lines[1]
    assert lines[2] == "Epoch 2/2"
    assert re.fullmatch(pattern, lines[3])
    assert lines[4:] == [""]
    control = [c for c in text if ord(c) < 32 and c != "\n"]
    assert bool(control) == (kind is not io.StringIO)


def test_verbose_2_is_a_line_per_epoch_and_0_is_silent(monkeypatch: Any) -> None:
    model = _model()
    options: dict[str, Any] = {"validation_split": 0.3}
    text = _printed(
        io.StringIO(), monkeypatch, lambda: _history(model, X, REAL, verbose=2, **options)
    )
    assert text.startswith("3/3 - 0s - ")
    assert text.count("\n") == 1
    assert " - val_loss: " in text
    assert " - val_mae: " in text
    assert _printed(io.StringIO(), monkeypatch, lambda: _history(model, X, REAL)) == ""
    text = _printed(io.StringIO(), monkeypatch, lambda: model.predict(X))
    assert text.startswith(f"1/1 {BAR} 0s ")
    text = _printed(io.StringIO(), monkeypatch, lambda: model.evaluate(X, REAL, batch_size=11))
    assert text.startswith(f"2/2 {BAR} 0s ")


def test_a_bar_is_redrawn_ten_times_a_second_at_most(monkeypatch: Any) -> None:
    import nn.keras.callbacks.progress as progress

    now = [100.0]
    monkeypatch.setattr(progress.time, "time", lambda: now[0])
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    bar = Progbar(1000)
    for step in range(1, 1001):
        now[0] += 0.001
        bar.update(step, [("loss", 1.0)])
    monkeypatch.undo()
    assert 10 <= stream.getvalue().count("\r") <= 12
    assert _shown(stream.getvalue())[0].endswith("1s 1ms/step - loss: 1.0000")


def test_a_bar_in_ascii_and_of_an_unknown_length(monkeypatch: Any) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Progbar(4).update(4, [("a", 0.00001)])
    bar = Progbar(None)
    bar.update(3)
    bar.update(7, finalize=True)
    stream.flush()
    found = stream.buffer.getvalue().decode().split("\n")
    monkeypatch.undo()
    assert found[0].startswith("4/4 ==================== 0s")
    assert found[0].endswith("- a: 1.0000e-05")
    assert found[1].startswith("      7/Unknown 0s")


def test_progbar_averages_what_it_is_told_to() -> None:
    bar = Progbar(4, stateful_metrics=["b"])
    for step in (1, 2, 4):
        bar.update(step, [("a", float(step)), ("b", float(step))], finalize=False)
    assert bar._values == {"a": [1.0 + 2.0 + 2 * 4.0, 4], "b": [4.0, 1]}
    with pytest.raises(ValueError, match="not both"):
        Progbar(4, stateful_metrics=[], stateless_metrics=[])


def test_many_batches_run_in_one_call_and_the_bar_moves() -> None:
    x = np.tile(X, (60, 1))
    calls: list[int] = []

    class Seen(keras.callbacks.Callback):
        every_batch = False

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(batch)
            assert logs["loss"] >= 0

    model = _model()
    _history(model, x, np.tile(REAL, (60, 1)), callbacks=[Seen()])
    assert calls[-1] == 263
    assert len(calls) < 264
    assert calls == sorted(calls)


# Several of them


def test_models_predict_in_threads() -> None:
    model = _model()
    expected = model.predict(X, verbose=0)
    found: list[Any] = []

    def ask() -> None:
        found.extend(bool((model.predict(X, verbose=0) == expected).all()) for _ in range(30))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 120


def test_predictions_are_the_users_own() -> None:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Activation("linear")])
    x = X.astype("float32")
    for _ in range(20):
        found = model.predict(x, verbose=0)
        found[...] = 7.0
    assert (x == X.astype("float32")).all()
    assert (model.predict_on_batch(x) == x).all()


def test_a_model_is_copied_and_freed_with_its_programs() -> None:
    import copy
    import gc
    import weakref

    model = _model()
    _history(model, X, REAL, epochs=9)
    twin = copy.deepcopy(model)
    before = twin.predict(X, verbose=0)
    _history(model, X, REAL, epochs=1)
    assert (twin.predict(X, verbose=0) == before).all()
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None
