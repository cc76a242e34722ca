"""TensorBoard: training as curves, written without TensorFlow."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import numpy as np

from nn.keras.callbacks.callback import Callback, Logs
from nn.keras.callbacks.events import EventWriter
from nn.keras.callbacks.monitor import check_writable, rate_of


class TensorBoard(Callback):
    """Writes event files to `log_dir/train` and `log_dir/validation`, for `tensorboard --logdir`.

    At the end of each epoch: all values of the logs and the learning rate, as `epoch_NAME`; the
    weights' histograms every `histogram_freq` epochs, and images of them with `write_images`.
    `update_freq`: "epoch", "batch", or every so many batches: the running values, as `batch_NAME`.
    `write_steps_per_second`: how many batches a second.  `write_graph`: the layers of the model.
    `embeddings_freq`: every so many epochs, the tables of Embedding layers for the projector, with
    labels from the files that `embeddings_metadata` names: one, or a dict by layer.

    `profile_batch` has to be 0: there is no profiler here.
    """

    _kept = ("_train_batches",)

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ):
        super().__init__()
        if profile_batch:
            raise ValueError(
                f"TensorBoard: profiling is not available; received profile_batch={profile_batch}"
                " (must be 0)"
            )
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch" and (
            not isinstance(self.update_freq, int) or self.update_freq < 1
        ):
            raise ValueError(
                "TensorBoard: update_freq should be 'epoch', 'batch', or a positive number of"
                f" batches; received {update_freq!r}"
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.embeddings_freq = histogram_freq, embeddings_freq
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.embeddings_metadata = embeddings_metadata
        self.every_batch = self.update_freq != "epoch"
        self._train_batches = 0
        self._writers: dict[str, EventWriter] = {}
        self._batch_start = self._epoch_start = 0.0
        self._epoch_steps = 0

    def set_model(self, model: Any) -> None:
        """Begin new files for it."""
        super().set_model(model)
        self._close()
        check_writable("TensorBoard", os.path.join(self.log_dir, "train"))
        if self.write_graph and type(model).__name__ in ("Functional", "Sequential"):
            try:
                text = model.to_json()
            except (TypeError, ValueError, NotImplementedError) as error:
                warnings.warn(
                    f"TensorBoard: the model cannot be written as JSON: {error}", stacklevel=2
                )
            else:
                self._writer("train").text("keras", "graph_keras_model", text, 0)
        if self.embeddings_freq:
            self._configure_embeddings()

    def _writer(self, run: str) -> EventWriter:
        if run not in self._writers:
            self._writers[run] = EventWriter(os.path.join(self.log_dir, run))
        return self._writers[run]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.flush()
        self._writers = {}

    @property
    def _iterations(self) -> int:
        return int(self.model.optimizer.iterations.numpy())

    # Batches

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Count batches from 1."""
        self._train_batches = 0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Count the batch."""
        self._train_batches += 1
        self._batch_start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the running values, where it is time."""
        if self.update_freq == "epoch" or self._train_batches % self.update_freq:
            return
        writer, step = self._writer("train"), self._train_batches
        if self.write_steps_per_second:
            spent = max(time.perf_counter() - self._batch_start, 1e-9)
            writer.scalar("batch_steps_per_second", 1.0 / spent, step)
        for name, value in (logs or {}).items():
            writer.scalar(f"batch_{name}", value, step)

    # Epochs

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin to measure."""
        if self.write_steps_per_second:
            self._epoch_steps, self._epoch_start = self._iterations, time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch."""
        logs = logs or {}
        rates = {}
        if self.model.optimizer is not None:
            rates["learning_rate"] = rate_of(self.model.optimizer)
        if self.write_steps_per_second:
            spent = max(time.perf_counter() - self._epoch_start, 1e-9)
            rates["steps_per_second"] = (self._iterations - self._epoch_steps) / spent
        if logs:
            for name, value in {**logs, **rates}.items():
                run = "validation" if name.startswith("val_") else "train"
                self._writer(run).scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        for writer in self._writers.values():
            writer.flush()

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for layer in self.model.layers:
            for weight in layer.weights:
                name, array = weight.path.replace(":", "_"), weight.detach().array
                writer.histogram(f"{name}/histogram", array, epoch)
                images = _as_images(array) if self.write_images else None
                if images is not None:
                    writer.images(f"{name}/image", images, epoch)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write what an evaluation found, at the number of updates made so far."""
        if self.model.optimizer is not None:
            writer = self._writer("validation")
            for name, value in (logs or {}).items():
                writer.scalar(f"evaluation_{name}_vs_iterations", value, self._iterations)
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Write what is left."""
        self._close()

    # Embeddings

    def _embeddings(self) -> list[Any]:
        from nn.keras.layers import Embedding

        return [layer for layer in self.model.layers if isinstance(layer, Embedding)]

    def _configure_embeddings(self) -> None:
        given, text = self.embeddings_metadata, ""
        names = [layer.name for layer in self._embeddings()]
        unknown = sorted(set(given) - set(names)) if isinstance(given, dict) else []
        if unknown:
            raise ValueError(
                "Unrecognized `Embedding` layer names passed to `keras.callbacks.TensorBoard`"
                f" `embeddings_metadata` argument: {unknown}; there are {names}"
            )
        for name in names:
            path = given.get(name) if isinstance(given, dict) else given
            more = f'  metadata_path: "{path}"\n' if path else ""
            tensor = f'  tensor_name: "{name}"\n  tensor_path: "{name}.tsv"\n'
            text += f"embeddings {{\n{tensor}{more}}}\n"
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w") as file:
            file.write(text)

    def _write_embeddings(self) -> None:
        for layer in self._embeddings():
            table = layer.get_weights()[0]
            np.savetxt(os.path.join(self.log_dir, f"{layer.name}.tsv"), table, delimiter="\t")


def _as_images(weight: np.ndarray) -> np.ndarray | None:
    """A weight as images (n, height, width, 1); None where it is none."""
    w = np.squeeze(weight)
    if w.ndim == 1:
        return w.reshape(1, -1, 1, 1)
    if w.ndim == 2:
        return (w.T if w.shape[0] > w.shape[1] else w)[np.newaxis, :, :, np.newaxis]
    return w.transpose(2, 0, 1)[..., np.newaxis] if w.ndim == 3 else None
