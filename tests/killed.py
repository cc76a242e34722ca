"""Trainings that are killed and resumed, for `tests/test_keras_kill.py`.

As a program:

    python -m tests.killed reference NAME FOLDER            train without a break
    python -m tests.killed once NAME FOLDER                 train, or go on with it; to be killed
    python -m tests.killed nursery NAME FOLDER SEED KILLS   fork children and kill them

It prints what the trainings came to.  A nursery has imported everything and forks, so that a child
starts in milliseconds; each is killed by SIGKILL at a random moment of its short life.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import autograd
from nn import keras
from nn.keras import callbacks, layers
from nn.utils.data import DataLoader, TensorDataset

EPOCHS = 6
BACKUP = "backup"


def _data(count: int = 45) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    return x, (x[:, :1] * x[:, 1:2] > 0).astype(np.float32)


class Batches(keras.utils.PyDataset):
    """Batches by index."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.y = _data()

    def __len__(self) -> int:
        return 5

    def __getitem__(self, i: int) -> Any:
        return self.x[i * 9 : i * 9 + 9], self.y[i * 9 : i * 9 + 9]


class Note(callbacks.Callback):
    """A callback of a user's, with state that nobody declared."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(["begin", epoch])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(["end", epoch, logs["loss"]])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append([batch, logs["loss"]])


class Own(keras.Sequential):
    """A train_step of the user's own, which says other things than the metrics."""

    def train_step(self, data: Any) -> Any:
        return {**super().train_step(data), "twice": 2.0 * self.metrics[0].result()}


def _model(optimizer: Any, kind: Any = keras.Sequential, metrics: Any = ("accuracy",)) -> Any:
    model = kind(
        [
            keras.Input((4,)),
            layers.GaussianNoise(0.1),
            layers.Dense(6, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(4, "tanh"),
            layers.Dropout(0.2, seed=8),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(optimizer, "bce", metrics=list(metrics))
    return model


def _scheduled(folder: Path) -> Any:
    """Arrays, a schedule by steps, early stopping with the best weights, averages of weights."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.03, 4, 0.9)
    metrics = ["accuracy", keras.metrics.AUC(), keras.metrics.F1Score(threshold=0.5)]
    model = _model(keras.optimizers.Adam(rate, use_ema=True), metrics=metrics)
    x, y = _data()
    used = [
        callbacks.EarlyStopping(patience=1, restore_best_weights=True, start_from_epoch=2),
        callbacks.CSVLogger(folder / "log.csv"),
    ]
    return model, {"x": x, "y": y, "batch_size": 8, "validation_split": 0.2}, used


def _loaded(folder: Path) -> Any:
    """A loader with a generator of its own, rates by plateau, epochs that are no passes."""
    x, y = _data()
    data = TensorDataset(autograd.tensor(x), autograd.tensor(y))
    own = autograd.Generator().manual_seed(3)
    loader = DataLoader(data, batch_size=8, shuffle=True, generator=own)
    used = [callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=0.05), Note()]
    model = _model(keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=1.0))
    return model, {"x": loader, "steps_per_epoch": 3}, used


def _indexed(folder: Path) -> Any:
    """A PyDataset, rates by epoch, averages swapped in for validation, a train_step of its own."""
    model = _model(keras.optimizers.RMSprop(0.01, use_ema=True), Own)
    used = [
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.8),
        callbacks.SwapEMAWeights(swap_on_epoch=True),
        Note(),
    ]
    return model, {"x": Batches(), "validation_data": _data(20)}, used


def _endless(folder: Path) -> Any:
    """A generator, which is read again from its start."""

    def batches() -> Any:
        rng = np.random.default_rng(2)
        x, y = _data()
        while True:
            rows = rng.integers(0, len(x), 7)
            yield x[rows], y[rows], rng.uniform(0.5, 1.5, 7)

    model = _model(keras.optimizers.Nadam(0.02))
    return model, {"x": batches(), "steps_per_epoch": 5}, [callbacks.TerminateOnNaN()]


TRAININGS: dict[str, Callable[[Path], Any]] = {
    "scheduled": _scheduled,
    "loaded": _loaded,
    "indexed": _indexed,
    "endless": _endless,
}


def train(name: str, folder: Path, backup: Any = 1, extra: Any = (), epochs: int = EPOCHS) -> Any:
    """Train, or go on where a backup stands; (model, what it all came to as a text).

    `backup`: `save_freq`, or a BackupAndRestore, or None.  `extra`: callbacks behind the others.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(11)
    model, data, used = TRAININGS[name](folder)
    if not isinstance(backup, callbacks.Callback) and backup is not None:
        backup = callbacks.BackupAndRestore(folder / BACKUP, backup)
    first = [] if backup is None else [backup]  # it is called last all the same
    history = model.fit(**data, epochs=epochs, verbose=0, callbacks=[*first, *used, *extra])
    return model, summed_up(model, history, used, folder)


def summed_up(model: Any, history: Any, used: Any, folder: Path) -> str:
    """All bytes of the weights and the optimizer, the History, and what callbacks wrote."""
    digest = hashlib.sha256()
    for v in [*model.weights, *model.optimizer.variables]:
        digest.update(v.numpy().tobytes())
    log = folder / "log.csv"
    return json.dumps(
        {
            "weights": digest.hexdigest(),
            "history": history.history,
            "epochs": history.epoch,
            "log": log.read_text() if log.exists() else "",
            "seen": [c.seen for c in used if isinstance(c, Note)],
            "random": autograd.rand(2).tolist(),
        },
        default=np.ndarray.tolist,
    )


def _done(folder: Path) -> Path:
    return folder / "done.json"


def _life(name: str, folder: Path) -> None:
    _, result = train(name, folder)
    _done(folder).with_suffix(".tmp").write_text(result)
    os.replace(_done(folder).with_suffix(".tmp"), _done(folder))


def _nursery(name: str, folder: Path, seed: int, kills: int) -> dict[str, Any]:
    """Children, each killed at a random moment, until there were `kills`; all results."""
    moments = random.Random(seed)
    train(name, folder, None)  # kernels are there
    results, deaths, longest = [], [], 0.0
    while len(deaths) < kills:
        shutil.rmtree(folder)
        folder.mkdir()
        before = -1
        while not _done(folder).exists():
            began = time.perf_counter()
            child = os.fork()
            if not child:
                _child(name, folder)
            if results and len(deaths) < kills:
                time.sleep(moments.uniform(0.02, longest))
                os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            if os.WIFSIGNALED(status):
                deaths.append(_batches_in(folder))
                longest *= 1.3 if deaths[-1] == before else 1.0  # the machine is slow today
                before = deaths[-1]
            elif status:
                raise RuntimeError(f"a child of {name} failed")
            elif not results:  # the first one is left alone
                longest = 0.4 * (time.perf_counter() - began)
        results.append(_done(folder).read_text())
    return {"results": results, "deaths": deaths}


def _child(name: str, folder: Path) -> None:
    """The life of a forked child; it never returns."""
    try:
        _life(name, folder)
    finally:
        os._exit(0 if _done(folder).exists() else 1)


def _batches_in(folder: Path) -> int:
    """How far the backup is."""
    from nn import files

    path = folder / BACKUP / "latest.safetensors"
    return files.load(path)["position"]["total"] if path.exists() else 0


def main() -> None:
    """See above."""
    what, name, place, *numbers = sys.argv[1:]
    folder = Path(place)
    if what == "reference":
        print(json.dumps({"results": [train(name, folder, None)[1]]}))
    elif what == "once":
        _life(name, folder)
    else:
        seed, kills = map(int, numbers)
        print(json.dumps(_nursery(name, folder, seed, kills)))


if __name__ == "__main__":
    main()
