"""The network of an MLP estimator, and its training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from nn import functional
from nn.keras import optimizers

Arrays = list[np.ndarray]
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: x,
    "logistic": lambda x: x.sigmoid(),
    "tanh": lambda x: x.tanh(),
    "relu": lambda x: x.relu(),
}
OUTPUTS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: x,
    "logistic": lambda x: x.sigmoid(),
    "softmax": lambda x: x.softmax(-1),
}


def initial(
    units: Sequence[int], activation: str, random: np.random.RandomState, dtype: Any
) -> tuple[Arrays, Arrays]:
    """Weights (in, out) and biases (out,) of all layers: U(-b, b), b^2 = 6 / (in + out).

    With logistic units b^2 = 2 / (in + out).  Glorot and Bengio (2010).
    """
    coefs, intercepts = [], []
    for n_in, n_out in pairwise(units):
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (n_in + n_out))
        coefs.append(random.uniform(-bound, bound, (n_in, n_out)).astype(dtype, copy=False))
        intercepts.append(random.uniform(-bound, bound, n_out).astype(dtype, copy=False))
    return coefs, intercepts


class Network:
    """Layers over arrays that are changed in place by training.

    `out`: "identity" with half the squared error, "softmax" or "logistic" with the cross-entropy,
    summed over the outputs, averaged over the rows of a batch; plus half of `alpha` times all
    squared weights, divided by these rows.
    """

    def __init__(self, coefs: Arrays, intercepts: Arrays, activation: str, out: str, alpha: float):
        self.weights = [Tensor.wrap(array) for array in coefs]
        self.biases = [Tensor.wrap(array) for array in intercepts]
        self.between, self.out, self.alpha = ACTIVATIONS[activation], out, float(alpha)

    def __call__(self, x: Any) -> Any:
        """The sums at the outputs, before their activation: (rows, outputs)."""
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = x @ weight + bias
            if i < last:
                x = self.between(x)
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The outputs for rows."""
        with autograd.no_grad():
            return OUTPUTS[self.out](self(Tensor.wrap(x))).numpy()

    def losses(self, x: Any, y: Any) -> tuple[Any, Any]:
        """What is minimised, and what is shown: they differ where there are several numbers."""
        z, rows = self(x), x.shape[0]
        if self.out == "identity":
            wrong = 0.5 * (z - y).square().sum()
        elif self.out == "softmax":
            wrong = -(functional.log_softmax(z, -1) * y).sum()
        else:
            wrong = functional.binary_cross_entropy_with_logits(z, y, reduction="sum")
        size = 0.5 * self.alpha * sum(weight.square().sum() for weight in self.weights)
        shown = wrong / y.shape[1] if self.out == "identity" else wrong
        return (wrong + size) / rows, (shown + size) / rows


class Training:
    """A network with its optimizer and its compiled step."""

    def __init__(self, network: Network, optimizer: Any):
        self.network, self.optimizer = network, optimizer
        self.trained = [*network.weights, *network.biases]
        for p in self.trained:
            p.requires_grad_()
        optimizer.build(self.trained)
        self.step = autograd.compile(self._step)

    def _step(self, x: Any, y: Any) -> Any:
        loss, shown = self.network.losses(x, y)
        self.optimizer.apply(autograd.grad(loss, self.trained), self.trained)
        return shown.detach()

    def epoch(self, x: np.ndarray, y: np.ndarray, size: int) -> float:
        """Train on the rows in batches of `size`; the mean of the losses before each update."""
        total = 0.0
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            batch = x[rows]
            total += self.step(Tensor.wrap(batch), Tensor.wrap(y[rows])).item() * len(batch)
        return total / len(x)

    def state(self) -> Arrays:
        """What the optimizer remembers."""
        return [np.array(a) for a in self.optimizer.get_weights()]


def optimizer_for(estimator: Any) -> Any:
    """The optimizer that the arguments of an estimator describe."""
    rate = float(estimator.learning_rate_init)
    if estimator.solver == "adam":
        return optimizers.Adam(rate, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    nesterov = estimator.nesterovs_momentum and estimator.momentum > 0
    return optimizers.SGD(rate, momentum=estimator.momentum, nesterov=nesterov)
