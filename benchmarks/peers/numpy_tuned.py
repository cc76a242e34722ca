"""NumPy by hand, tuned: buffers made once, every operation into one, parameters in one vector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.peers import Step, number_of, serve


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


def xor(w: dict[str, Any]) -> Step:
    """Training on the four points."""
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


def mlp(w: dict[str, Any]) -> Step:
    """Training as a classifier."""
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


CASES: dict[str, Any] = {"xor": xor, "mlp": mlp, "digits": mlp}

if __name__ == "__main__":
    np.seterr(all="ignore")  # as the others do: log(0) is clamped
    serve(CASES, number_of, {})
