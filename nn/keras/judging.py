"""What happens to a batch: the loss, the gradient step, the metrics."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import autograd
from autograd import Tensor
from autograd.op import ops
from nn.keras import nests
from nn.keras.data import unpack_x_y_sample_weight


class Judging:
    """The part of a model that knows its loss and its metrics, and has a step for each purpose."""

    if TYPE_CHECKING:  # of the Layer that a model is too
        built: bool

        @property
        def losses(self) -> list[Any]: ...  # noqa: D102
        @property
        def trainable_variables(self) -> list[Any]: ...  # noqa: D102

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102
        def _flatten_layers(
            self, include_self: bool = True, recursive: bool = True
        ) -> Iterator[Any]: ...

    compiled = False
    optimizer: Any = None
    _compile_loss: Any = None
    _compile_metrics: Any = None
    _loss_tracker: Any = None

    # Metrics

    @property
    def metrics(self) -> list[Any]:
        """The mean of the loss, the metrics of `compile`, and those of the layers."""
        found = [] if self._loss_tracker is None else [self._loss_tracker]
        if self._compile_metrics is not None:
            found.append(self._compile_metrics)
        if self._compile_loss is not None:
            found += self._compile_loss.metrics
        found += self.__dict__.get("_metrics", ())
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Judging):
                found += getattr(layer, "_metrics", ())
        return list({id(m): m for m in found}.values())

    @property
    def metrics_names(self) -> list[str]:
        """Their names."""
        return [m.name for m in self.metrics]

    def reset_metrics(self) -> None:
        """Let all metrics start anew."""
        for m in self.metrics:
            m.reset_state()

    def _resets(self) -> list[Callable[[], None]]:
        """What is called to let all metrics start anew, found once for all epochs of a `fit`.

        State that just becomes 0 is filled, at 0.2 us a variable against 6 by `assign`.
        """
        from nn.keras.metrics import Metric

        if type(self).reset_metrics is not Judging.reset_metrics:
            return [self.reset_metrics]
        compiled = self._compile_metrics
        every = [m for one in self.metrics for m in (one.metrics if one is compiled else [one])]
        plain = [m for m in every if getattr(type(m), "reset_state", None) is Metric.reset_state]
        filled = [v for m in plain for v in m.variables]
        others = [m.reset_state for m in every if not any(m is p for p in plain)]
        return [functools.partial(_fill, filled), *others]

    def get_metrics_result(self) -> dict[str, Any]:
        """The values of all metrics by name."""
        found: dict[str, Any] = {}
        for m in self.metrics:
            if m is self._compile_metrics and not m.built:
                continue
            value = m.result()
            found.update(value if isinstance(value, dict) else {m.name: value})
        return found

    def _in_order(self, logs: dict[str, Any]) -> Any:
        """The logs as a list in the order of `metrics`; a number where there is only one."""
        names: list[str] = []
        for m in self.metrics:
            names += [sub.name for sub in m.metrics] if m is self._compile_metrics else [m.name]
        values = [logs[name] for name in names if name in logs]
        values += [logs[name] for name in sorted(logs) if name not in names]
        return values[0] if len(values) == 1 else values

    # The steps

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of `compile` plus `losses`, a scalar."""
        found = []
        if self._compile_loss is not None:
            value = self._compile_loss(y, y_pred, sample_weight)
            if value is not None:
                found.append(value)
        found += [value if value.shape == () else ops.sum(value) for value in self.losses]
        if not found:
            raise ValueError(
                "No loss to compute. Provide a `loss` argument in `compile()`, or call"
                " `add_loss()` in a layer"
            )
        return functools.reduce(ops.add, found)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        if type(self).compute_loss is Judging.compute_loss or _takes_training(self.compute_loss):
            return self.compute_loss(x, y, y_pred, sample_weight, training=training)
        return self.compute_loss(x, y, y_pred, sample_weight)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Take a batch into account, and return the values of all metrics."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _judge(self, data: Any, training: bool) -> tuple[Any, Callable[[], dict[str, Any]]]:
        """The loss of a batch, and what brings the metrics up to date and returns their values."""
        x, y, weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=training)
        loss = self._loss_of(x, y, y_pred, weight, training)
        samples = next((leaf.shape[0] for leaf in nests.flatten(x) if leaf is not None), 1)
        if self._loss_tracker is not None:
            self._loss_tracker.update_state(loss.detach(), sample_weight=samples)
        return loss, functools.partial(self.compute_metrics, x, y, y_pred, weight)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Train on a batch (x, y, sample_weight): the values to be shown, by name."""
        loss, judged = self._judge(data, True)
        variables = self.trainable_variables
        if not variables:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        elif self.optimizer is not None:
            loss = self.optimizer.scale_loss(loss)
            gradients = autograd.grad(loss, variables, allow_unused=True)
            self.optimizer.apply(gradients, variables)
        with autograd.no_grad():
            return judged()

    def test_step(self, data: Any) -> dict[str, Any]:
        """Judge the model on a batch: the values to be shown, by name."""
        return self._judge(data, False)[1]()

    def predict_step(self, data: Any) -> Any:
        """The predictions for a batch."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)

    # Building

    def _make_ready(self, form: Any, batch: Any, train: bool) -> None:
        """Create whatever a step creates at its first call: weights, losses, metrics, slots."""
        metrics, loss = self._compile_metrics, self._compile_loss
        unbuilt = [part for part in (metrics, loss) if part is not None and not part.built]
        layers = [layer for layer in self._flatten_layers() if hasattr(layer, "built")]
        if unbuilt or not all(layer.built for layer in layers):
            tensors = [Tensor.wrap(a) for a in batch]
            x, y, _ = unpack_x_y_sample_weight(nests.together(form, tensors))
            with autograd.no_grad():
                y_pred = self(x, training=False)
            for part in unbuilt:
                if y is not None:
                    part.build(y, y_pred)
        if train and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)


def _takes_training(method: Any) -> bool:
    return "training" in inspect.signature(method).parameters


def _fill(variables: list[Any]) -> None:
    """Set all to 0."""
    for v in variables:
        v.value.fill(0)
        v.version[0] += 1
