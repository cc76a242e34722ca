"""NumPy by hand, as one writes it: an array per parameter and a new array per operation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.peers import Step, number_of, serve


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


class SGD:
    """The update of a list of arrays, one after the other."""

    def __init__(self, params: list[np.ndarray], lr: float, momentum: float = 0.0):
        self.params, self.lr, self.momentum = params, lr, momentum
        self.buffers = [np.zeros_like(p) for p in params]

    def step(self, grads: list[np.ndarray]) -> None:
        """One update."""
        for p, g, buffer in zip(self.params, grads, self.buffers):
            if self.momentum:
                buffer *= self.momentum
                buffer += g
                g = buffer
            p -= self.lr * g


def arrays(layers: Any) -> list[np.ndarray]:
    """Weights and biases, in turn, to be changed in place."""
    return [a.astype(np.float32) for pair in layers for a in pair]


def forward(params: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """The inputs of all layers, with ReLU between them, and last the output."""
    found = [x]
    for weight, bias in zip(params[:-2:2], params[1:-2:2]):
        found.append(np.maximum(found[-1] @ weight.T + bias, 0))
    return [*found, found[-1] @ params[-2].T + params[-1]]


def backward(params: list[np.ndarray], inputs: list[np.ndarray], d: np.ndarray) -> list[np.ndarray]:
    """The gradients of `params`, from that of the output."""
    grads: list[np.ndarray] = []
    for i in range(len(params) // 2 - 1, -1, -1):
        grads[:0] = [d.T @ inputs[i], d.sum(axis=0)]
        if i:
            d = d @ params[2 * i] * (inputs[i] > 0)
    return grads


def xor(w: dict[str, Any]) -> Step:
    """Training on the four points."""
    x, y = w["x"], w["y"]
    params = arrays(w["layers"])
    adam = Adam(params, w["lr"])

    def step() -> Any:
        *inputs, z = forward(params, x)
        p = 1 / (1 + np.exp(-z))
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log(1 - p), -100)
        loss = -np.mean(y * log_p + (1 - y) * log_q)
        dz = (p - y) / np.maximum(p * (1 - p), 1e-12) * p * (1 - p) / len(x)
        adam.step(backward(params, inputs, dz))
        return loss

    return step


def mlp(w: dict[str, Any]) -> Step:
    """Training as a classifier."""
    turn = itertools.cycle(list(zip(w["x"], w["y"])))
    params = arrays(w["layers"])
    adam = Adam(params, w["lr"])

    def step() -> Any:
        x, y = next(turn)
        *inputs, z = forward(params, x)
        rows = np.arange(len(x))
        z -= z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - z[rows, y]).mean()
        d = e / total
        d[rows, y] -= 1
        d /= len(x)
        adam.step(backward(params, inputs, d))
        return loss

    return step


def wide(w: dict[str, Any]) -> Step:
    """Training as a regression."""
    turn = itertools.cycle(list(zip(w["x"], w["y"])))
    params = arrays(w["layers"])
    sgd = SGD(params, w["lr"], w["momentum"])

    def step() -> Any:
        x, y = next(turn)
        *inputs, z = forward(params, x)
        d = z - y
        loss = np.mean(d * d)
        sgd.step(backward(params, inputs, d * (2 / d.size)))
        return loss

    return step


def moons_tensors(w: dict[str, Any]) -> Step:
    """The demo of micrograd on whole arrays."""
    x, y = w["x"], w["y"]
    params = arrays(w["layers"])
    sgd, decay = SGD(params, w["lr"]), w["decay"]

    def step() -> Any:
        *inputs, z = forward(params, x)
        margin = np.maximum(1 - y * z, 0)
        loss = margin.mean() + decay * sum((p * p).sum() for p in params)
        grads = backward(params, inputs, (margin > 0) * -y / np.float32(len(x)))
        sgd.step([g + 2 * decay * p for g, p in zip(grads, params)])
        return loss

    return step


def predict(w: dict[str, Any]) -> Step:
    """Logits of one row."""
    (w1, b1), (w2, b2) = w["layers"]
    x = w["x"]
    return lambda: np.maximum(x @ w1.T + b1, 0) @ w2.T + b2


def product_1(w: dict[str, Any]) -> Step:
    """a*b+c of three arrays of one element, and its gradients."""
    a, b, c = (np.array([w[name]], np.float32) for name in "abc")
    one = np.ones(1, np.float32)

    def step() -> Any:
        out = a * b + c
        return out, one * b, one * a, one

    return step


CASES: dict[str, Any] = {
    **{f.__name__: f for f in (xor, mlp, wide, moons_tensors, predict, product_1)},
    "digits": mlp,
}

if __name__ == "__main__":
    np.seterr(all="ignore")  # as the others do: log(0) is clamped
    serve(CASES, lambda x: number_of(x[0] if isinstance(x, tuple) else x), {})
