"""Trainer: what a model gains by `compile`: `fit`, `evaluate`, `predict`, and the steps inside."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autograd import Tensor
from nn.keras import config, nests
from nn.keras.callbacks.callback import History, sorted_logs
from nn.keras.data import (
    as_arrays,
    check_lengths,
    class_weights,
    pack_x_y_sample_weight,
    per_output,
)
from nn.keras.fitting import Asking, Fit, Testing
from nn.keras.judging import Judging
from nn.keras.position import FitPosition
from nn.keras.sources import refuse_both
from nn.keras.steps import Program, Runner


class Trainer(Judging):
    """The part of a model that trains.

    `compile` sets the loss, the optimizer and the metrics.  `train_step(data)`, `test_step(data)`
    and `predict_step(data)` are what happens to a batch; a subclass may define its own, as well as
    `compute_loss` and `compute_metrics`.
    """

    loss: Any = None
    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    run_eagerly = False
    jit_compile: Any = "auto"
    steps_per_execution = 1
    history: History
    fit_position: FitPosition
    _compile_arguments: dict[str, Any] | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Set how the model is trained and judged, by names or by objects.

        With several outputs, `loss`, `loss_weights`, `metrics` are lists in the order of the
        outputs or dicts by their names; the sum of loss times weight is minimised.  "accuracy" and
        "crossentropy" are made binary, categorical or sparse by the shapes of labels and
        predictions.  `weighted_metrics` count samples by their weights.

        `jit_compile`: "auto" records the steps and replays them natively where that can be done,
        and runs them in Python where it cannot, as `run_eagerly` or False always do; True raises
        where it cannot.  `steps_per_execution`: so many batches between two calls of batch hooks.
        `auto_scale_loss` is of mixed precision, which the engine has not.
        """
        from nn.keras import metrics as metrics_module, optimizers
        from nn.keras.compiling import CompiledLoss, CompiledMetrics

        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(
                f"steps_per_execution should be a positive integer, got {steps_per_execution!r}"
            )
        if jit_compile not in ("auto", True, False, None):
            raise ValueError(f'jit_compile should be "auto", True or False, got {jit_compile!r}')
        names = getattr(self, "output_names", None)
        given = {
            "optimizer": optimizers.get(optimizer),
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        some = metrics is not None or weighted_metrics is not None
        # into __dict__: compiled steps of other models need not look again, and metrics that
        # belong to training are not those of the model as a layer
        self.__dict__.update(
            _compile_loss=None if loss is None else CompiledLoss(loss, loss_weights, names),
            _compile_metrics=CompiledMetrics(metrics, weighted_metrics, names) if some else None,
            _loss_tracker=metrics_module.Mean(name="loss"),
            _compile_arguments=given,
            optimizer=given["optimizer"],
            loss=loss,
            run_eagerly=bool(run_eagerly),
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            stop_training=False,
            compiled=True,
        )
        self.__dict__.pop("_runners", None)

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile` as plain JSON; {} before it."""
        from nn.keras import saving

        given = self.__dict__.get("_compile_arguments")
        if given is None:
            return {}
        return {name: saving.serialize_keras_object(value) for name, value in given.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """`compile` with what `get_compile_config` gave."""
        from nn.keras import saving

        if type(self).compile is not Trainer.compile:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's"
                " `compile()` method is custom; call it, or override `get_compile_config()` and"
                " `compile_from_config(config)` as well",
                UserWarning,
                stacklevel=2,
            )
            return
        self.compile(**{k: saving.deserialize_keras_object(v) for k, v in config.items()})
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def _need_compile(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"You must call `compile()` before calling `{method}()`: e.g."
                " model.compile(optimizer='adam', loss='mse')"
            )

    def _runner(self, step: str) -> Runner:
        runners = self.__dict__.setdefault("_runners", {})
        runner = runners.get(step)
        if runner is None:
            wanted = self.jit_compile is not False and not self.run_eagerly
            runner = runners[step] = Runner(self, step, wanted, self.jit_compile is True)
        return runner

    # Whole data

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train for a number of epochs; returns the History of the epochs' values.

        `x`, `y`: arrays, lists or dicts of arrays; or `x` is a generator, a
        `keras.utils.PyDataset` or a `nn.utils.data.DataLoader` of batches (x, y) or (x, y,
        sample_weight).  Arrays are cut into batches of `batch_size` (32), in an order drawn for
        each epoch from the default generator if `shuffle` (`"batch"`: within each batch), which
        the order of a PyDataset's batches obeys too; a generator's and a loader's own order
        stays.  `validation_split`: this last share of the samples is kept for validation.

        Floats are cast to `floatx()`.  NaN in the arrays is warned of.  Ctrl-C ends training
        behind the batch that runs, keeps the weights, and returns the epochs so far.  Where no
        callback wants to be called at every batch, many batches run in one native call.
        """
        self._need_compile("fit")
        return Fit(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbosity(verbose),
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        ).run()

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The loss and the metrics on data: a list in the order of `metrics`, or a dict."""
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        self._need_compile("evaluate")
        data = x, y, sample_weight
        logs = Testing(self, data, batch_size, steps, verbosity(verbose), callbacks).run()
        return logs if return_dict else self._in_order(logs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The predictions for `x` as an array, or as many as there are outputs."""
        shown = verbosity(verbose)
        plain = not shown and callbacks is None and steps is None and type(x) is np.ndarray
        if plain and x.ndim > 0 and 0 < len(x) <= (batch_size or 32):
            return self.predict_on_batch(x)
        return Asking(self, x, batch_size, steps, shown, callbacks).run()

    # One batch

    def predict_on_batch(self, x: Any) -> Any:
        """The predictions for one batch, as arrays."""
        form, leaves = nests.apart((as_arrays(x, "x"),))
        program = self._runner("predict_step").program(form, tuple(leaves))
        result = program.one(tuple([Tensor.wrap(a) for a in leaves]))
        found = result if isinstance(result, list) else [result]
        replayed = program.native
        arrays = [t.detach().array if replayed else t.detach().array.copy() for t in found]
        return nests.together(program.call.out_form, arrays)

    def _on_batch(self, step: str, x: Any, y: Any, weight: Any, return_dict: bool) -> Any:
        x, y = as_arrays(x, "x"), as_arrays(y, "y")
        weight = per_output(y, as_arrays(weight, "sample_weight"))
        check_lengths(x, y, weight)
        data = pack_x_y_sample_weight(x, y, weight)
        form, leaves = nests.apart(data if isinstance(data, tuple) else (data,))
        self._make_ready(form, tuple(leaves), step == "train_step")
        program: Program = self._runner(step).program(form, tuple(leaves))
        self.reset_metrics()
        logs = program.logs([program.one(tuple([Tensor.wrap(a) for a in leaves]))])
        return logs if return_dict else self._in_order(logs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Train on one batch: the loss and the metrics of it, before the update."""
        self._need_compile("train_on_batch")
        if class_weight is not None:
            refuse_both(sample_weight)
            sample_weight = class_weights(y, class_weight)
        return self._on_batch("train_step", x, y, sample_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """The loss and the metrics of one batch."""
        self._need_compile("test_on_batch")
        return self._on_batch("test_step", x, y, sample_weight, return_dict)


def verbosity(verbose: Any) -> int:
    """0, 1 or 2 of the argument `verbose`; "auto" is a bar, unless those were disabled."""
    if verbose == "auto":
        return 1 if config.is_interactive_logging_enabled() else 2
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f'verbose should be 0, 1, 2 or "auto", got {verbose!r}')
    return int(verbose)


__all__ = ["Trainer", "sorted_logs", "verbosity"]
