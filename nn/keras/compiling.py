"""What `compile` was given, brought to a model's outputs: a loss and metrics for each of them."""

from __future__ import annotations

from typing import Any

from autograd.op import ops
from nn.keras import losses, metrics, nests
from nn.keras.outputs import flat_outputs, kind_of_labels, output_names, per_output

_LOSSES = {
    "binary": losses.binary_crossentropy,
    "sparse": losses.sparse_categorical_crossentropy,
    "categorical": losses.categorical_crossentropy,
}


def checked_loss(identifier: Any) -> Any:
    """ValueError for an unknown name, before there is any data."""
    if identifier is not None and str(identifier).lower() not in ("crossentropy", "ce"):
        losses.get(identifier)
    return identifier


def loss_for(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """The Loss of a name, a function or a Loss; "crossentropy" by the shapes."""
    if str(identifier).lower() in ("crossentropy", "ce"):
        found: Any = _LOSSES[kind_of_labels(y_true, y_pred)]
    else:
        found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    name = identifier if isinstance(identifier, str) else _name_of(found)
    return losses.LossFunctionWrapper(found, name=name)


def _name_of(thing: Any) -> str:
    name = getattr(thing, "name", None) or getattr(thing, "__name__", None)
    return name or type(thing).__name__


class CompiledLoss:
    """The sum of the losses of all outputs, each times its weight; if several, their means too."""

    def __init__(self, loss: Any, loss_weights: Any, names: Any):
        if loss_weights is not None and not isinstance(
            loss_weights, (list, tuple, dict, float, int)
        ):
            raise ValueError(
                "Expected `loss_weights` argument to be a float (single output case) or a list,"
                f" tuple, or dict (multiple output case). Received: loss_weights={loss_weights} of"
                f" type {type(loss_weights).__name__}"
            )
        for each in nests.flatten(loss):
            checked_loss(each)
        self._loss, self._weights, self._known = loss, loss_weights, names
        self.built = False
        self.terms: list[tuple[int, Any, Any, Any]] = []
        """(output, loss, weight, metric of its mean)."""
        self.metrics: list[Any] = []
        self.names: list[Any] = []

    @property
    def variables(self) -> list[Any]:
        """The state of the means."""
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Find a loss for each output, now that shapes are known."""
        self.names = names = output_names(y_pred, self._known)
        wanted: Any = self._loss
        if not nests.is_nested(wanted):
            wanted = [wanted] * len(names)
        wanted = per_output(wanted, y_pred, names, "loss", missing=None)
        weights = self._weights
        weights = (
            [None] * len(names)
            if weights is None
            else per_output(weights, y_pred, names, "loss_weights", missing=None)
        )
        self._wanted = [loss is not None for loss in wanted]
        targets, outputs = self._targets(y_true, y_pred), flat_outputs(y_pred, names)
        several = sum(self._wanted) > 1
        for i, (loss, weight) in enumerate(zip(wanted, weights)):
            if loss is None:
                continue
            found = loss_for(loss, targets[i], outputs[i])
            mean = None
            if several:
                mean = metrics.Mean(name=f"{names[i] or found.name}_loss")
                self.metrics.append(mean)
            self.terms.append((i, found, weight, mean))
        self.built = True

    def _targets(self, y_true: Any, y_pred: Any) -> list[Any]:
        """The labels of each output; None where it has no loss and none were given."""
        count, given = len(self.names), sum(self._wanted)
        flat = nests.flatten(y_true) if nests.is_nested(y_true) else [y_true]
        if len(flat) == given < count and not isinstance(y_true, dict):
            left = iter(flat)
            return [next(left) if wanted else None for wanted in self._wanted]
        return per_output(y_true, y_pred, self.names, "y (labels)", missing=None)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total loss; None where no output has a loss."""
        if not self.built:
            self.build(y_true, y_pred)
        targets, outputs = self._targets(y_true, y_pred), flat_outputs(y_pred, self.names)
        weights = _weights_for(sample_weight, y_pred, self.names)
        total: Any = None
        for i, loss, factor, mean in self.terms:
            value = self._one(i, loss, targets[i], outputs[i], weights[i])
            if mean is not None:  # by samples, as the total is, whatever the last batch's size
                mean.update_state(value.detach(), sample_weight=outputs[i].shape[0])
            if factor is not None:
                value = ops.mul(value, float(factor))
            total = value if total is None else ops.add(total, value)
        return total

    def _one(self, i: int, loss: Any, y_true: Any, y_pred: Any, weight: Any) -> Any:
        if y_true is None:
            raise ValueError(
                f"loss: {loss.name} for output {self.names[i] or i} needs labels, but none were"
                " given; pass y to fit, or (x, y) batches"
            )
        try:
            value = loss(y_true, y_pred, weight)
        except ValueError as error:
            name = f"'{self.names[i]}'" if self.names[i] else f"{i}"
            raise ValueError(
                f"output {name}, of shape {y_pred.shape}, with labels of shape {y_true.shape}:"
                f" {error}"
            ) from error
        if value.shape != ():
            raise ValueError(
                f"loss {loss.name} gave a value of shape {value.shape}; expected a number: use a"
                " reduction other than None"
            )
        return value


def _weights_for(sample_weight: Any, y_pred: Any, names: list[Any]) -> list[Any]:
    if sample_weight is None or not nests.is_nested(sample_weight):
        return [sample_weight] * len(names)
    flat = nests.flatten(sample_weight)
    if len(flat) == 1:
        return flat * len(names)
    return per_output(sample_weight, y_pred, names, "sample_weight", missing=None)


# Metrics

_ACCURACY = {
    "binary": "BinaryAccuracy",
    "sparse": "SparseCategoricalAccuracy",
    "categorical": "CategoricalAccuracy",
}
_CROSSENTROPY = {
    "binary": "BinaryCrossentropy",
    "sparse": "SparseCategoricalCrossentropy",
    "categorical": "CategoricalCrossentropy",
}
_BY_SHAPE = {
    "accuracy": _ACCURACY,
    "acc": _ACCURACY,
    "crossentropy": _CROSSENTROPY,
    "ce": _CROSSENTROPY,
}


def metric_for(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """The Metric of a name, a function or a Metric, under the name that it was given by."""
    kinds = _BY_SHAPE.get(str(identifier).lower())
    if kinds is not None:
        return getattr(metrics, kinds[kind_of_labels(y_true, y_pred)])(name=str(identifier))
    if identifier is None:
        raise ValueError("metrics: None among them; leave it out")
    found = metrics.get(identifier)
    if not isinstance(found, metrics.Metric):
        found = metrics.MeanMetricWrapper(found, name=_name_of(found))
    if isinstance(identifier, str):
        found.name = identifier
    return found


def checked_metrics(given: Any, argument: str) -> Any:
    """ValueError for what cannot be metrics, before there is any data."""
    if given is not None and not isinstance(given, (list, tuple, dict)):
        raise ValueError(
            f"Expected `{argument}` argument to be a list, tuple, or dict. Received instead:"
            f" {argument}={given} of type {type(given).__name__}"
        )
    for each in nests.flatten(given):
        if each is not None and str(each).lower() not in _BY_SHAPE:
            metrics.get(each)
    return given


class CompiledMetrics:
    """The metrics of all outputs: `metrics`, and those that sample weights count for."""

    name = "compile_metrics"

    def __init__(self, given: Any, weighted: Any, names: Any):
        self._given = checked_metrics(given, "metrics")
        self._weighted = checked_metrics(weighted, "weighted_metrics")
        self._known = names
        self.built = False
        self.names: list[Any] = []
        self.plain: list[tuple[int, str, Any]] = []
        """(output, prefix of the name, metric)."""
        self.weighing: list[tuple[int, str, Any]] = []

    @property
    def metrics(self) -> list[Any]:
        """All of them; none before shapes are known."""
        return [m for _, _, m in (*self.plain, *self.weighing)]

    @property
    def variables(self) -> list[Any]:
        """Their state."""
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Find the metrics of each output, now that shapes are known."""
        self.names = output_names(y_pred, self._known)
        self.plain = self._found(self._given, "metrics", y_true, y_pred)
        self.weighing = self._found(self._weighted, "weighted_metrics", y_true, y_pred)
        self.built = True
        targets, outputs = self._targets(y_true, y_pred), flat_outputs(y_pred, self.names)
        for i, _, m in (*self.plain, *self.weighing):
            if not getattr(m, "_built", True):  # its state is made for the shapes it sees
                m.update_state(targets[i], outputs[i])
                m.reset_state()

    def _found(self, given: Any, argument: str, y_true: Any, y_pred: Any) -> Any:
        names = self.names
        if not given:
            return []
        if len(names) == 1:
            wanted = [nests.flatten(given)]
        else:
            wanted = per_output(given, y_pred, names, argument, missing=None)
        targets = self._targets(y_true, y_pred)
        found = []
        for i, (each, y_p) in enumerate(zip(wanted, flat_outputs(y_pred, names))):
            prefix = f"{names[i]}_" if len(names) > 1 and names[i] else ""
            identifiers = [one for one in nests.flatten(each) if one is not None]
            found += [(i, prefix, metric_for(one, targets[i], y_p)) for one in identifiers]
        return found

    def _targets(self, y_true: Any, y_pred: Any) -> list[Any]:
        return per_output(y_true, y_pred, self.names, "y (labels)", missing=None)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into account."""
        if not self.built:
            self.build(y_true, y_pred)
        if not self.plain and not self.weighing:
            return
        targets, outputs = self._targets(y_true, y_pred), flat_outputs(y_pred, self.names)
        for i, _, m in self.plain:
            m.update_state(targets[i], outputs[i])
        weights = _weights_for(sample_weight, y_pred, self.names)
        for i, _, m in self.weighing:
            m.update_state(targets[i], outputs[i], weights[i])

    def result(self) -> dict[str, Any]:
        """The values by name; a name that is there twice gets `weighted_`, or a number."""
        found: dict[str, Any] = {}
        counts: dict[str, int] = {}
        rows = [
            *((*row, "") for row in self.plain),
            *((*row, "weighted_") for row in self.weighing),
        ]
        for _, prefix, m, second in rows:
            name = f"{prefix}{m.name}"
            if name in counts and second:
                name = f"{prefix}{second}{m.name}"
            if name in counts:
                counts[name] += 1
                name = f"{name}_{counts[name] - 1}"
            counts.setdefault(name, 1)
            found[name] = m.result()
        return found

    def reset_state(self) -> None:
        """Start anew."""
        for m in self.metrics:
            m.reset_state()
