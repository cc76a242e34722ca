"""Rosenblatt's perceptron, trained by its own rule: no gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd import Tensor, as_tensor, zeros
from nn.module import Module
from nn.parameter import Parameter


@dataclass(frozen=True)
class PerceptronFit:
    """How a fit ended.

    `bound`: Novikoff's (R / gamma)^2 for the separator found, where R is the length of the longest
    input with its 1 for the bias, and gamma the margin; no run makes more updates.  None where
    nothing was separated.  `cycles`: an epoch ended with the weights of an earlier one, so training
    repeats itself forever, which happens only if no line separates the classes.
    """

    converged: bool
    epochs: int
    updates: int
    bound: float | None
    cycles: bool

    def __str__(self) -> str:
        done = f"{self.updates} updates in {self.epochs} epochs"
        if self.converged:
            return f"no mistakes left after {done}; the bound was {self.bound:.0f} updates"
        if self.cycles:
            return (
                f"never gets there: after {done} it repeats itself; no line separates the classes"
            )
        return f"still makes mistakes after {done}; the classes may not be separable"


class Perceptron(Module):
    """A linear classifier: the upper label where weight . x + bias > 0, else the lower one.

    x (n, in_features), or one x (in_features,); weight (in_features,), bias (), both 0 at first.
    `fit` learns from labels {-1, 1} or {0, 1}, which are then those that the perceptron answers.
    """

    def __init__(self, in_features: int):
        super().__init__()
        self.in_features = in_features
        self.weight = Parameter(zeros(in_features, dtype="float64"), requires_grad=False)
        self.bias = Parameter(zeros((), dtype="float64"), requires_grad=False)
        self.lower = -1

    def forward(self, x: Any) -> Tensor:
        """The labels (n,) of inputs (n, in_features), int64."""
        z = as_tensor(x).numpy() @ self.weight.array + self.bias.array
        return Tensor.wrap(np.where(z > 0, 1, self.lower))

    def fit(self, x: Any, y: Any, lr: float = 1.0, max_epochs: int = 1000) -> PerceptronFit:
        """Go through the points in order until none is wrong: weight += lr (y - answer) x.

        The bias learns likewise, as the weight of a constant 1.  A point on the line is wrong.
        """
        points, labels = as_tensor(x).numpy().astype(np.float64), as_tensor(y).numpy().ravel()
        self.lower = self._lower_label(points, labels)
        points = np.column_stack([points, np.ones(len(points))])
        side = np.where(labels > 0, 1.0, -1.0)
        w = np.append(self.weight.array, self.bias.array)
        seen: set[bytes] = set()
        updates, epochs, wrong = 0, 0, len(points)
        while wrong and epochs < max_epochs and w.tobytes() not in seen:
            seen.add(w.tobytes())
            epochs, wrong = epochs + 1, 0
            for point, s in zip(points, side):
                if s * (w @ point) <= 0:
                    w += lr * s * (1 - self.lower) * point
                    wrong += 1
            updates += wrong
        self.weight.array[...], self.bias.array[...] = w[:-1], w[-1]
        for p in (self.weight, self.bias):
            p.version[0] += 1
        bound = None
        if not wrong:
            margin = (side * (points @ w)).min() / np.linalg.norm(w)
            bound = float((np.linalg.norm(points, axis=1).max() / margin) ** 2)
        return PerceptronFit(not wrong, epochs, updates, bound, wrong > 0 and w.tobytes() in seen)

    def _lower_label(self, points: np.ndarray, labels: np.ndarray) -> int:
        if points.ndim != 2 or points.shape[1] != self.in_features or len(points) != labels.size:
            raise ValueError(
                f"Perceptron: x is {points.shape} and y has {labels.size} labels; expected x"
                f" (n, {self.in_features}) and n labels"
            )
        found = set(labels.tolist())
        if not found or not (found <= {-1, 1} or found <= {0, 1}):
            raise ValueError(f"Perceptron: labels are {found}; expected {{-1, 1}} or {{0, 1}}")
        return 0 if 0 in found else -1

    def extra_repr(self) -> str:
        """Its size."""
        return f"in_features={self.in_features}"
