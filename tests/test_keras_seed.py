"""The seed's Keras cells, with only import lines changed, against numbers of Keras 3.15."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.keras_seed import CELLS, DATA, KERAS, OURS, START

pytestmark = pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")  # the seed does
GOLDEN = Path(__file__).parent / "golden" / "keras_seed.json"
PROGRESS = re.compile(r"1/1 ━{20} \d+s \d+(ms|s|us)/step - accuracy: \d\.\d{4} - loss: \d\.\d{4}")


class Book:
    """A namespace in which cells run, and what they print."""

    def __init__(self, header: str):
        self.names: dict[str, Any] = {}
        self.run(header + DATA)

    def run(self, text: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, "<seed>", "exec"), self.names)
        return out.getvalue()

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


def opened(header: str, *cells: int) -> Book:
    book = Book(header)
    for number in cells:
        book.run(CELLS[number])
    return book


def trained(header: str) -> dict[str, Any]:
    """What the seed trains, from weights that are the same for both."""
    book = opened(header, 10)
    book.run(START)
    plain = book.net.fit(book.X, book.y, epochs=100, verbose=0).history
    after = book.net.evaluate(book.X, book.y, verbose=0)
    book.run(CELLS[18] + CELLS[20])
    options: dict[str, Any] = {"epochs": 20, "verbose": 0}
    decayed = book.net.fit(book.X, book.y, callbacks=[book.every_epoch], **options).history
    stepped = book.net.fit(book.X, book.y, callbacks=[book.every_tenth], **options).history
    book.run(CELLS[14])
    book.run(START.replace("net.", "normed.").replace("-1, 1", "0.1, 1"))
    normed = book.normed.fit(book.X, book.y, epochs=20, verbose=0).history
    found = {"plain": plain, "decayed": decayed, "stepped": stepped, "normed": normed}
    found["after"] = {"evaluate": after}
    return {
        name: {key: [float(v) for v in values] for key, values in history.items()}
        for name, history in found.items()
    }


def expected() -> dict[str, Any]:
    """Of Keras, live where it is installed; else as written down."""
    try:
        import keras  # noqa: F401
    except ImportError:
        return json.loads(GOLDEN.read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        found = trained(KERAS)
    if os.environ.get("TAPEGRAD_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    return found


def test_only_import_lines_differ() -> None:
    for ours, theirs in zip(OURS.splitlines(), KERAS.splitlines(), strict=True):
        assert ours.startswith(("from", "import"))
        assert ours.replace("nn.keras", "tensorflow.keras").replace("nn", "tensorflow") == theirs


def test_trainings_are_those_of_keras() -> None:
    ours, theirs = trained(OURS), expected()
    assert ours.keys() == theirs.keys()
    for name, history in theirs.items():
        assert ours[name].keys() == history.keys()
        for key, values in history.items():
            # float32 on both sides; the sums of 100 epochs of Adam
            np.testing.assert_allclose(ours[name][key], values, rtol=2e-4, err_msg=f"{name} {key}")


def test_learning_rates_of_the_seed() -> None:
    book = opened(OURS, 10, 18, 20)
    history = book.run("h = net.fit(X, y, epochs=20, callbacks=[every_epoch])")
    rates = [float(rate) for rate in re.findall(r"learning_rate: ([\d.e-]+)", history)]
    np.testing.assert_allclose(rates, 0.01 * np.exp(-0.1 * np.arange(1, 21)), atol=6e-5)
    assert "learning_rate: 0.0090" in history


def test_the_progress_looks_like_that_of_keras() -> None:
    book = opened(OURS, 10)
    lines = book.run("net.fit(X, y, epochs=100, verbose=1)").splitlines()
    assert [line for line in lines if line.startswith("Epoch")] == [
        f"Epoch {k}/100" for k in range(1, 101)
    ]
    bars = [line for line in lines if not line.startswith("Epoch")]
    assert len(bars) == 100
    assert all(PROGRESS.search(line) for line in bars), bars[0]
    assert PROGRESS.search(book.run("net.evaluate(X, y)"))


def test_dropout_is_of_training_only() -> None:
    book = opened(OURS, 12)
    x, layer = np.ones((1000, 4), "float32"), book.dropped.layers[1]
    assert sorted(set(np.unique(layer(x, training=True).numpy()))) == [0.0, 2.0]
    assert (layer(x, training=False).numpy() == 1).all()
    one, two = (book.dropped.predict(book.X, verbose=0) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("name", "variance"), [("glorot", 2 / (300 + 100)), ("he", 2 / 300)])
def test_initializers(name: str, variance: float) -> None:
    drawn = np.asarray(getattr(opened(OURS, 16), name)((300, 100)))
    assert abs(drawn.var() / variance - 1) < 0.05


def test_xor_is_learned() -> None:
    book = opened(OURS, 10)
    book.run("net.compile(optimizer=Adam(0.05), loss='binary_crossentropy', metrics=['accuracy'])")
    learned = 0
    for seed in range(10):
        book.run(f"keras.utils.set_random_seed({seed})" + CELLS[10])
        book.run("net.compile(Adam(0.05), 'binary_crossentropy', metrics=['accuracy'])")
        history = book.run("h = net.fit(X, y, epochs=400, verbose=0)") or book.h.history
        learned += history["loss"][-1] < 0.1
    assert learned >= 4
