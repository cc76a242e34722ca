"""NumPy by hand, twice.

Plain (the default): as one writes it, an array per parameter and a new array per operation.
`--tuned`: the same operations with buffers made once and all parameters in one vector.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from benchmarks.peers import Step, serve

TUNED = "--tuned" in sys.argv[1:]


class Adam:
    """The update of a list of arrays, one after the other."""

    def __init__(self, params: list[np.ndarray], lr: float):
        self.params, self.lr, self.t = params, lr, 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def step(self, grads: list[np.ndarray]) -> None:
        """One update."""
        self.t += 1
        for p, g, m, v in zip(self.params, grads, self.m, self.v):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            m_hat = m / (1 - 0.9**self.t)
            v_hat = v / (1 - 0.999**self.t)
            p -= self.lr * m_hat / (np.sqrt(v_hat) + 1e-8)


def _params(layers: Any) -> list[np.ndarray]:
    return [a.astype(np.float32) for pair in layers for a in pair]


def xor(w: dict[str, Any]) -> Step:
    """One training step on the four points."""
    x, y = w["x"], w["y"]
    params = w1, b1, w2, b2 = _params(w["layers"])
    adam = Adam(params, w["lr"])

    def step() -> Any:
        h = np.maximum(x @ w1.T + b1, 0)
        p = 1 / (1 + np.exp(-(h @ w2.T + b2)))
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log(1 - p), -100)
        loss = -np.mean(y * log_p + (1 - y) * log_q)
        dz = (p - y) / np.maximum(p * (1 - p), 1e-12) * p * (1 - p) / len(x)
        dh = dz @ w2 * (h > 0)
        adam.step([dh.T @ x, dh.sum(axis=0), dz.T @ h, dz.sum(axis=0)])
        return loss

    return step


def mlp(w: dict[str, Any]) -> Step:
    """One training step on the next batch."""
    batches = list(zip(w["x"], w["y"]))
    params = _params(w["layers"])
    weights, biases = params[::2], params[1::2]
    adam = Adam(params, w["lr"])
    count = 0

    def step() -> Any:
        nonlocal count
        x, y = batches[count % len(batches)]
        count += 1
        inputs, rows = [x], np.arange(len(x))
        for weight, bias in zip(weights, biases):
            inputs.append(np.maximum(inputs[-1] @ weight.T + bias, 0))
        z = inputs[-2] @ weights[-1].T + biases[-1]
        z -= z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - z[rows, y]).mean()
        d = e / total
        d[rows, y] -= 1
        d /= len(x)
        grads: list[np.ndarray] = []
        for i in range(len(weights) - 1, -1, -1):
            grads[:0] = [d.T @ inputs[i], d.sum(axis=0)]
            if i:
                d = d @ weights[i] * (inputs[i] > 0)
        adam.step(grads)
        return loss

    return step


class FlatAdam:
    """Parameters and gradients as views of two flat vectors, so the update is one set of calls."""

    def __init__(self, layers: Any, lr: float):
        shapes = [a.shape for pair in layers for a in pair]
        sizes = [math.prod(shape) for shape in shapes]
        self.p, self.g = np.zeros((2, sum(sizes)), np.float32)
        self.m, self.v, self.a, self.b = np.zeros((4, sum(sizes)), np.float32)
        self.lr, self.t = lr, 0
        ends = np.cumsum(sizes).tolist()
        cut = [(end - size, end) for size, end in zip(sizes, ends)]
        self.params = [self.p[i:j].reshape(s) for (i, j), s in zip(cut, shapes)]
        self.grads = [self.g[i:j].reshape(s) for (i, j), s in zip(cut, shapes)]
        for p, start in zip(self.params, [a for pair in layers for a in pair]):
            p[...] = start

    def step(self) -> None:
        """One update."""
        self.t += 1
        g, m, v, a, b = self.g, self.m, self.v, self.a, self.b
        np.subtract(g, m, out=a)
        a *= 0.1
        m += a
        np.multiply(g, g, out=a)
        a *= 0.001
        v *= 0.999
        v += a
        np.sqrt(v, out=a)
        a *= 1 / math.sqrt(1 - 0.999**self.t)
        a += 1e-8
        np.divide(m, a, out=b)
        b *= self.lr / (1 - 0.9**self.t)
        self.p -= b


def xor_tuned(w: dict[str, Any]) -> Step:
    """One training step on the four points."""
    x, y = w["x"], w["y"]
    adam = FlatAdam(w["layers"], w["lr"])
    w1, b1, w2, b2 = adam.params
    dw1, db1, dw2, db2 = adam.grads
    w1t, w2t, n = w1.T, w2.T, len(x)
    h, dh = np.empty((2, n, 4), np.float32)
    mask = np.empty((n, 4), bool)
    p, q, log_p, log_q, dz, d = np.empty((6, n, 1), np.float32)
    one_minus_y = 1 - y

    def step() -> Any:
        np.matmul(x, w1t, out=h)
        np.add(h, b1, out=h)
        np.maximum(h, 0, out=h)
        np.matmul(h, w2t, out=p)
        np.add(p, b2, out=p)
        np.negative(p, out=p)
        np.exp(p, out=p)
        np.add(p, 1, out=p)
        np.reciprocal(p, out=p)
        np.subtract(1, p, out=q)
        np.log(p, out=log_p)
        np.maximum(log_p, -100, out=log_p)
        np.log(q, out=log_q)
        np.maximum(log_q, -100, out=log_q)
        np.multiply(log_p, y, out=log_p)
        np.multiply(log_q, one_minus_y, out=log_q)
        np.add(log_p, log_q, out=log_p)
        loss = np.add.reduce(log_p, axis=None) / -n
        np.multiply(p, q, out=d)
        np.maximum(d, 1e-12, out=log_q)
        np.subtract(p, y, out=dz)
        np.divide(dz, log_q, out=dz)
        np.multiply(dz, d, out=dz)
        np.multiply(dz, 1 / n, out=dz)
        np.matmul(dz.T, h, out=dw2)
        np.add.reduce(dz, axis=0, out=db2)
        np.matmul(dz, w2, out=dh)
        np.greater(h, 0, out=mask)
        np.multiply(dh, mask, out=dh)
        np.matmul(dh.T, x, out=dw1)
        np.add.reduce(dh, axis=0, out=db1)
        adam.step()
        return loss

    return step


def mlp_tuned(w: dict[str, Any]) -> Step:
    """One training step on the next batch."""
    batches = list(zip(w["x"], w["y"]))
    adam = FlatAdam(w["layers"], w["lr"])
    weights, biases = adam.params[::2], adam.params[1::2]
    dweights, dbiases = adam.grads[::2], adam.grads[1::2]
    n = w["x"].shape[1]
    hidden = [np.empty((n, len(b)), np.float32) for b in biases]
    dhidden = [np.empty_like(h) for h in hidden]
    masks = [np.empty(h.shape, bool) for h in hidden]
    rows = np.arange(n)
    count = 0

    def step() -> Any:
        nonlocal count
        x, y = batches[count % len(batches)]
        count += 1
        below = x
        for i, h in enumerate(hidden):
            np.matmul(below, weights[i].T, out=h)
            np.add(h, biases[i], out=h)
            if i < len(hidden) - 1:
                np.maximum(h, 0, out=h)
            below = h
        z, d = hidden[-1], dhidden[-1]
        np.subtract(z, z.max(axis=1, keepdims=True), out=z)
        np.exp(z, out=d)
        total = d.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - z[rows, y]).mean()
        np.divide(d, total, out=d)
        d[rows, y] -= 1
        np.multiply(d, 1 / n, out=d)
        for i in range(len(hidden) - 1, -1, -1):
            d = dhidden[i]
            np.matmul(d.T, hidden[i - 1] if i else x, out=dweights[i])
            np.add.reduce(d, axis=0, out=dbiases[i])
            if i:
                np.matmul(d, weights[i], out=dhidden[i - 1])
                np.greater(hidden[i - 1], 0, out=masks[i - 1])
                np.multiply(dhidden[i - 1], masks[i - 1], out=dhidden[i - 1])
        adam.step()
        return loss

    return step


def product_1(w: dict[str, Any]) -> Step:
    """a*b+c of three arrays of one element, and its gradients."""
    a, b, c = (np.array([w[name]], np.float32) for name in "abc")
    one = np.ones(1, np.float32)

    def step() -> Any:
        out = a * b + c
        return out, one * b, one * a, one

    return step


CASES: dict[str, Any] = {"xor": xor, "mlp": mlp, "digits": mlp, "product_1": product_1}
CASES_TUNED: dict[str, Any] = {"xor": xor_tuned, "mlp": mlp_tuned, "digits": mlp_tuned}


def _value(x: Any) -> float:
    return float(x[0][0] if isinstance(x, tuple) else x)


if __name__ == "__main__":
    np.seterr(all="ignore")  # as the others do: log(0) is clamped
    serve(CASES_TUNED if TUNED else CASES, _value, {})
