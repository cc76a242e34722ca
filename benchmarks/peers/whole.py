"""A whole program, as one writes it: import, build, train on XOR, exit.

`python whole.py FRAMEWORK EPOCHS < weights.json` prints the loss of the hundredth epoch and of the
last.  It is run as a file, and imports nothing of ours but where we are the framework.
"""

import json
import sys

EPOCHS = 1000
W = []  # weights and biases in turn
X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
Y = [[0.0], [1.0], [1.0], [0.0]]
LR = 0.01


def numpy_():
    """NumPy by hand."""
    import numpy as np

    x, y = np.array(X, np.float32), np.array(Y, np.float32)
    params = w1, b1, w2, b2 = [np.array(a, np.float32) for a in W]
    first, second = [[np.zeros_like(p) for p in params] for _ in range(2)]
    losses = []
    for t in range(1, EPOCHS + 1):
        h = np.maximum(x @ w1.T + b1, 0)
        p = 1 / (1 + np.exp(-(h @ w2.T + b2)))
        losses.append(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
        dz = (p - y) / len(x)
        dh = dz @ w2 * (h > 0)
        grads = dh.T @ x, dh.sum(axis=0), dz.T @ h, dz.sum(axis=0)
        for q, g, m, v in zip(params, grads, first, second):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            q -= LR * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return losses[99], losses[-1]


def pytorch_like(torch, nn, optim, compiled):
    """One text for PyTorch and for us."""
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())
    with torch.no_grad():
        for p, start in zip(model.parameters(), W):
            p.copy_(torch.tensor(start))
    criterion, optimizer = nn.BCELoss(), optim.Adam(model.parameters(), lr=LR)
    x, y = torch.tensor(X), torch.tensor(Y)

    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        step = torch.compile(step)
    for epoch in range(EPOCHS):
        loss = step(x, y)
        if epoch == 99:
            hundredth = loss.item()
    return hundredth, loss.item()


def torch_():
    """PyTorch."""
    import torch
    from torch import nn, optim

    return pytorch_like(torch, nn, optim, compiled=False)


def ours(compiled=False):
    """tapegrad, eager."""
    import autograd
    import nn
    import optim

    return pytorch_like(autograd, nn, optim, compiled)


def ours_compiled():
    """tapegrad, compiled."""
    return ours(compiled=True)


def jax_():
    """JAX with optax, `jax.jit`."""
    import jax
    import jax.numpy as jnp
    import optax

    x, y = jnp.array(X), jnp.array(Y)
    params = [jnp.array(a) for a in W]
    optimizer = optax.adam(LR)
    state = optimizer.init(params)

    def loss_of(params):
        w1, b1, w2, b2 = params
        p = jax.nn.sigmoid(jax.nn.relu(x @ w1.T + b1) @ w2.T + b2)
        return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))

    @jax.jit
    def step(params, state):
        loss, grads = jax.value_and_grad(loss_of)(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, loss

    losses = []
    for _ in range(EPOCHS):
        params, state, loss = step(params, state)
        losses.append(loss)
    return float(losses[99]), float(losses[-1])


def sklearn_():
    """scikit-learn, a call of `partial_fit` per epoch."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    x, y = np.array(X, np.float32), np.array(Y).ravel().astype(int)
    model = MLPClassifier((4,), alpha=0.0, batch_size=4, shuffle=False, learning_rate_init=LR)
    model.partial_fit(x, y, classes=[0, 1])
    own = [a for pair in zip(model.coefs_, model.intercepts_) for a in pair]
    for a, start in zip(own, W):
        a[...] = np.array(start).T
    del model._optimizer  # the next call makes one, as at the first
    losses = [model.partial_fit(x, y).loss_ for _ in range(EPOCHS)]
    return float(losses[99]), float(losses[-1])


def keras_():
    """Keras on TensorFlow, one `fit`."""
    import os

    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    import keras
    import numpy as np

    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.set_weights([np.array(a, np.float32).T for a in W])
    model.compile(keras.optimizers.Adam(LR, epsilon=1e-8), "binary_crossentropy")
    x, y = np.array(X, np.float32), np.array(Y, np.float32)
    losses = model.fit(x, y, batch_size=4, epochs=EPOCHS, verbose=0).history["loss"]
    return losses[99], losses[-1]


if __name__ == "__main__":
    EPOCHS, W = int(sys.argv[2]), json.load(sys.stdin)
    print(json.dumps([float(v) for v in globals()[sys.argv[1]]()]))
