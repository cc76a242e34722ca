"""JAX with optax: a step by `jax.jit`; `--scan`: 200 steps by one `jax.lax.scan` under `jax.jit`.

Weights and state are donated, data lies on the device, and only the last result is waited for.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers import MANY, Built, number_of, serve

SCAN = "--scan" in sys.argv[1:]


def _forward(params: Any, x: Any) -> Any:
    for weight, bias in params[:-1]:
        x = jax.nn.relu(x @ weight.T + bias)
    weight, bias = params[-1]
    return x @ weight.T + bias


def _training(w: dict[str, Any], loss_of: Any, optimizer: Any, batched: bool = True) -> Built:
    """A step on the next batch, or many; `loss_of(params, state, x, y, key)` gives loss, state."""
    x, y = (w["x"], w["y"]) if batched else (w["x"][None], w["y"][None])
    x, y = (
        jnp.asarray(x),
        jnp.asarray(np.asarray(y).astype(np.int32 if y.dtype == int else y.dtype)),
    )
    pairs = [(a, b) for a, b in zip(x, y)]

    def one(carry: Any, batch: Any) -> Any:
        params, state, opt_state, key = carry
        key, now = jax.random.split(key) if state is not None else (key, key)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, state), grads = gradient(params, state, *batch, now)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), state, opt_state, key), loss

    @functools.partial(jax.jit, donate_argnums=0)
    def many(carry: Any) -> Any:
        def body(carry: Any, i: Any) -> Any:
            return one(carry, (x[i % len(x)], y[i % len(x)]))

        return jax.lax.scan(body, carry, jnp.arange(MANY))

    single = jax.jit(one, donate_argnums=0)
    carry: Any = None
    count = 0

    def reset() -> None:
        nonlocal carry, count
        params = [(jnp.array(a), jnp.array(b)) for a, b in w["layers"]]
        state = w["state"]() if "state" in w else None
        carry, count = (params, state, optimizer.init(params), jax.random.key(0)), 0

    def step() -> Any:
        nonlocal carry, count
        batch = pairs[count % len(pairs)]
        count += 1
        carry, loss = single(carry, batch)
        return loss

    def scan() -> Any:
        nonlocal carry
        carry, losses = many(carry)
        return losses

    reset()
    run, steps = (scan, MANY) if SCAN else (step, 1)
    return Built(run, steps=steps, reset=reset, wait=jax.block_until_ready)


def xor(w: dict[str, Any]) -> Built:
    """Training on the four points."""

    def loss_of(params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        p = jax.nn.sigmoid(_forward(params, x))
        log_p, log_q = jnp.maximum(jnp.log(p), -100), jnp.maximum(jnp.log(1 - p), -100)
        return -jnp.mean(y * log_p + (1 - y) * log_q), state

    return _training(w, loss_of, optax.adam(w["lr"]), batched=False)


def _cross_entropy(logits: Any, y: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def mlp(w: dict[str, Any]) -> Built:
    """Training as a classifier."""

    def loss_of(params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        return _cross_entropy(_forward(params, x), y), state

    return _training(w, loss_of, optax.adam(w["lr"]))


digits = mlp


def wide(w: dict[str, Any]) -> Built:
    """Training as a regression."""

    def loss_of(params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        return jnp.mean((_forward(params, x) - y) ** 2), state

    return _training(w, loss_of, optax.sgd(w["lr"], w["momentum"]))


def _normalised(x: Any, running: Any, scale: Any, shift: Any) -> Any:
    """BatchNorm in training: the output, and the new running mean and (unbiased) variance."""
    mean, var = x.mean(0), x.var(0)
    unbiased = var * len(x) / (len(x) - 1)
    running = (0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * unbiased)
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * scale + shift, running


def regularized(w: dict[str, Any]) -> Built:
    """Training with normalisation, dropout, clipping and a schedule."""
    sizes = [len(bias) for _, bias in w["layers"][:-1]]
    norms = [(np.ones(n, np.float32), np.zeros(n, np.float32)) for n in sizes]
    made = {
        **w,
        "layers": [*w["layers"], *norms],
        "state": lambda: [(jnp.zeros(n), jnp.ones(n)) for n in sizes],
    }
    hidden, keep = len(sizes), 1 - w["dropout"]

    def loss_of(params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        after = []
        for i, (weight, bias) in enumerate(params[:hidden]):
            x, running = _normalised(x @ weight.T + bias, state[i], *params[hidden + 1 + i])
            after.append(running)
            x = jax.nn.relu(x)
            if keep < 1:
                mask = jax.random.bernoulli(jax.random.fold_in(key, i), keep, x.shape)
                x = jnp.where(mask, x / keep, 0)
        weight, bias = params[hidden]
        return _cross_entropy(x @ weight.T + bias, y), after

    schedule = optax.exponential_decay(w["lr"], w["step_size"], 0.9, staircase=True)
    optimizer = optax.chain(optax.clip_by_global_norm(w["max_norm"]), optax.adam(schedule))
    return _training(made, loss_of, optimizer)


def moons_tensors(w: dict[str, Any]) -> Built:
    """The demo of micrograd on whole arrays."""

    def loss_of(params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        data_loss = jax.nn.relu(1 - y * _forward(params, x)).mean()
        decay = sum((p * p).sum() for p in jax.tree.leaves(params))
        return data_loss + w["decay"] * decay, state

    return _training(w, loss_of, optax.sgd(w["lr"]), batched=False)


def predict(w: dict[str, Any]) -> Built:
    """Logits of one row."""
    params, x = jax.tree.map(jnp.asarray, (w["layers"], w["x"]))
    forward = jax.jit(_forward)
    return Built(lambda: forward(params, x), reset=lambda: None, wait=jax.block_until_ready)


CASES: dict[str, Any] = {f.__name__: f for f in (xor, mlp, regularized, moons_tensors)}
CASES["digits"] = digits

if __name__ == "__main__":
    cases = CASES if SCAN else {**CASES, "wide": wide, "predict": predict}
    cannot = {"wide": "200 of its steps take half a minute"} if SCAN else {}
    serve(cases, number_of, {"jax": jax.__version__, "optax": optax.__version__}, cannot)
