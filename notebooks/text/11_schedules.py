# %% [markdown]
# # 11 · Learning-rate schedules, drawn
#
# Far from the minimum a large learning rate is quick. Near it, a large rate keeps jumping across.
# A schedule changes the rate while training goes on. Here you see why that helps, what each
# schedule looks like in the PyTorch face and in the Keras face, and where two that have one name
# differ.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from nn import keras, plot
from nn.keras.optimizers import schedules as keras_schedules
from optim import lr_scheduler

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plot.PALETTE)


def sgd(lr=1.0):
    """An optimizer to hang a scheduler on."""
    return optim.SGD([autograd.zeros(1, requires_grad=True)], lr=lr)


# %% [markdown]
# ## Why: speed first, precision later
#
# The simplest noisy problem: minimise $\frac12 \theta^2$ from $\theta = 10$, when every gradient
# comes with noise, $g = \theta + \varepsilon$, as mini-batches do. With a fixed rate $\alpha$ the
# distance shrinks by $1 - \alpha$ per step until the noise balances it, at a variance of $\alpha
# / (2 - \alpha)$: a floor in proportion to the rate. The picture averages $\theta^2$ over 500
# runs.
#
# The large rate is at its floor within ten steps and stays there. The small one would reach a
# lower floor, but has not arrived. The schedule has both: it follows the large rate down, and
# then goes on.


# %%
def descend(rate_at, steps=400, runs=500):
    """The mean of theta squared, over many noisy descents."""
    rng, theta = np.random.default_rng(0), np.full(runs, 10.0)
    curve = []
    for t in range(steps):
        curve.append(np.mean(theta**2))
        theta -= rate_at(t) * (theta + rng.normal(size=runs))
    return np.array(curve)


rules = {
    "fixed 0.5": lambda t: 0.5,
    "fixed 0.01": lambda t: 0.01,
    "0.5 / (1 + t/4)": lambda t: 0.5 / (1 + t / 4),
}
found = {name: descend(rule) for name, rule in rules.items()}
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, curve in found.items():
    ax.semilogy(curve, label=name)
ax.axhline(0.5 / 1.5, color="0.5", lw=1, ls="--")
ax.text(90, 0.15, r"floor $\alpha/(2-\alpha)$ of 0.5", fontsize=9, color="0.4")
ax.set(xlabel="step", ylabel=r"mean of $\theta^2$")
ax.legend(loc="upper right", ncols=3, fontsize=9)
ax.set_ylim(top=400)
plt.show()
assert abs(found["fixed 0.5"][-100:].mean() - 0.5 / 1.5) < 0.02
assert found["0.5 / (1 + t/4)"][-1] < 0.05 * found["fixed 0.5"][-1]

# %% [markdown]
# ## PyTorch's schedules
#
# A *scheduler* holds the optimizer and changes its rate at each `scheduler.step()`. All start
# from a rate of 1 here. Two panels have special features. `CosineAnnealingLR` comes down in
# `T_max` steps and then **rises again**: it is a wave, so stop in time. `OneCycleLR` ignores the
# optimizer's rate and starts at `max_lr / 25`.

# %%
STEPS = 30
torch_face = {
    "StepLR(10, 0.5)": lr_scheduler.StepLR(sgd(), 10, 0.5),
    "MultiStepLR([5, 20], 0.3)": lr_scheduler.MultiStepLR(sgd(), [5, 20], 0.3),
    "ExponentialLR(0.9)": lr_scheduler.ExponentialLR(sgd(), 0.9),
    "PolynomialLR(25, 2)": lr_scheduler.PolynomialLR(sgd(), 25, 2.0),
    "CosineAnnealingLR(20)": lr_scheduler.CosineAnnealingLR(sgd(), 20),
    "CosineAnnealingWarmRestarts(10)": lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 10),
    "LinearLR(0.1, total_iters=10)": lr_scheduler.LinearLR(sgd(), 0.1, total_iters=10),
    "CyclicLR(0.2, 1, 5)": lr_scheduler.CyclicLR(sgd(), 0.2, 1.0, 5, cycle_momentum=False),
    "OneCycleLR(1, 30)": lr_scheduler.OneCycleLR(sgd(), 1.0, 30, cycle_momentum=False),
}


def panels(named, steps, **options):
    """One small picture for each."""
    fig, axes = plt.subplots(-(-len(named) // 3), 3, figsize=(10, 2.2 * -(-len(named) // 3)))
    for ax, (name, schedule) in zip(axes.flat, named.items()):
        plot.learning_rates(schedule, steps, ax=ax, **options)
        ax.set_title(name, fontsize=9)
        ax.set(xlabel="", ylabel="", ylim=(-0.05, 1.1))
    fig.tight_layout()
    plt.show()


panels(torch_face, STEPS)

# %% [markdown]
# ## Keras' schedules
#
# A Keras schedule is a function of the step. You give it to the optimizer in place of a number:
# `keras.optimizers.SGD(learning_rate=schedule)`. Its step is one *update*, that is one batch, and
# nobody has to call anything. (PyTorch's steps are whatever you call `step()` after; most people
# do it once per epoch.) Keras' cosine stays at the bottom.

# %%
keras_face = {
    "ExponentialDecay(1, 10, 0.5)": keras_schedules.ExponentialDecay(1.0, 10, 0.5),
    "the same, staircase=True": keras_schedules.ExponentialDecay(1.0, 10, 0.5, staircase=True),
    "InverseTimeDecay(1, 5, 1)": keras_schedules.InverseTimeDecay(1.0, 5, 1.0),
    "PiecewiseConstantDecay([5, 20])": keras_schedules.PiecewiseConstantDecay(
        [5, 20], [1.0, 0.3, 0.1]
    ),
    "PolynomialDecay(1, 25, 0, 2)": keras_schedules.PolynomialDecay(1.0, 25, 0.0, 2.0),
    "CosineDecay(1, 20)": keras_schedules.CosineDecay(1.0, 20),
    "CosineDecayRestarts(1, 8)": keras_schedules.CosineDecayRestarts(1.0, 8),
    "CosineDecay, warmup of 8": keras_schedules.CosineDecay(
        0.1, 20, warmup_target=1.0, warmup_steps=8
    ),
    "a function of your own": lambda step: 1 / math.sqrt(1 + float(step)),
}
panels(keras_face, STEPS)

# %% [markdown]
# ## $e^{-kt}$ or $\gamma^t$?
#
# Texts write exponential decay as $\alpha_t = \alpha_0 e^{-kt}$. PyTorch's `ExponentialLR(gamma)`
# is $\alpha_0 \gamma^t$, Keras' `ExponentialDecay` is $\alpha_0\, r^{t/s}$. It is one curve with
# three parametrisations:
#
# $$\gamma = e^{-k} = r^{1/s}$$
#
# The trap is to pass $k$ where $\gamma$ is meant: `ExponentialLR(0.1)` is not a gentle decay with
# $k = 0.1$. It divides the rate by ten at every step.


# %%
def rates_of(scheduler, steps):
    """The rates seen during steps 0, 1, ..."""
    seen = []
    for _ in range(steps):
        seen.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return np.array(seen)


k, t = 0.1, np.arange(20)
formula = 0.01 * np.exp(-k * t)
torch_rates = rates_of(lr_scheduler.ExponentialLR(sgd(0.01), gamma=math.exp(-k)), 20)
keras_rates = keras_schedules.ExponentialDecay(0.01, decay_steps=1, decay_rate=math.exp(-k))(t)
callback = [0.01]  # the usual Keras callback: lr * exp(-k) at every epoch
for _ in range(19):
    callback.append(callback[-1] * math.exp(-k))
for rates in (torch_rates, keras_rates.numpy(), callback):
    assert np.allclose(rates, formula, rtol=1e-5)

wrong = rates_of(lr_scheduler.ExponentialLR(sgd(0.01), gamma=k), 20)
print("after 5 steps: k = 0.1 gives", formula[5].round(6), "  gamma = 0.1 gives", wrong[5])
print("gamma = 0.9 is k =", round(-math.log(0.9), 4))

# %% [markdown]
# ## Step decay meets exponential decay
#
# Step decay $\alpha_0\, 0.5^{\lfloor t/k \rfloor}$ is a staircase on which the exponential
# $\alpha_0\,(0.5^{1/k})^t$ lies: they touch at each multiple of $k$, and in between the staircase
# is above. On a logarithmic axis the exponential is a straight line.

# %%
pair = {
    "StepLR(10, 0.5)": lr_scheduler.StepLR(sgd(), 10, 0.5),
    "ExponentialLR(0.5 ** 0.1)": lr_scheduler.ExponentialLR(sgd(), 0.5**0.1),
}
ax = plot.learning_rates(pair, 50, log=True)
ax.set_yticks([1, 0.5, 0.25, 0.125, 0.0625], ["1", "1/2", "1/4", "1/8", "1/16"], minor=False)
ax.minorticks_off()
plt.show()
steps, smooth = (rates_of(schedule, 50) for schedule in pair.values())
assert np.allclose(steps[::10], smooth[::10]) and (steps >= smooth - 1e-12).all()

# %% [markdown]
# ## Reduce on a plateau: the same name, one epoch apart
#
# The other schedules know the future; this one watches a metric and reduces the rate when it
# stops improving. Both faces have a `ReduceLROnPlateau` with a `patience`. Keras reduces *at the
# patience-th* epoch without improvement, PyTorch at the *one after*. Below nothing ever improves
# (a model with inputs 0 has no gradient), and patience is 2.

# %%
plateau = lr_scheduler.ReduceLROnPlateau(sgd(), factor=0.1, patience=2)
torch_rates = []
for _ in range(9):
    torch_rates.append(plateau.get_last_lr()[0])
    plateau.step(1.0)

model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
model.compile(keras.optimizers.SGD(1.0), "mse")
stuck = np.zeros((4, 2), np.float32), np.ones((4, 1), np.float32)
watch = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=2)
history = model.fit(*stuck, epochs=9, callbacks=[watch], verbose=0)
keras_rates = [float(rate) for rate in history.history["learning_rate"]]

print("epoch  ", *(f"{i:7d}" for i in range(9)))
print("PyTorch", *(f"{rate:7.0e}" for rate in torch_rates))
print("Keras  ", *(f"{rate:7.0e}" for rate in keras_rates))
first = [next(i for i, rate in enumerate(r) if rate < 1) for r in (torch_rates, keras_rates)]
assert first == [4, 3]

# %% [markdown]
# ## Warm-up, and schedules in a row
#
# A large rate on random weights can do damage that takes long to repair, so large models begin
# with a ramp. `SequentialLR` runs schedules one after the other; `warmup(schedule)` is the usual
# pair.

# %%
optimizer = sgd()
after = lr_scheduler.CosineAnnealingLR(optimizer, T_max=25)
ramp = lr_scheduler.warmup(after, total_iters=5, start_factor=0.1)
ax = plot.learning_rates({"warmup, then cosine": ramp}, 30)
plt.show()

# %% [markdown]
# ## In the loop, and in a compiled step
#
# The order is `optimizer.step()`, then `scheduler.step()`; the other way round the first rate is
# skipped, and you get a warning. The rate lives in memory that a compiled step reads, so a
# scheduler is seen without recording anew: there is one plan, and the step's length follows the
# schedule.

# %%
x = autograd.tensor([[1.0]])
model = nn.Linear(1, 1, bias=False)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)


@autograd.compile
def step(x):
    optimizer.zero_grad()
    loss = model(x).sum()  # its gradient is 1, always
    loss.backward()
    optimizer.step()
    return loss


moved, plans = [], set()
for _ in range(8):
    before = model.weight.item()
    step(x)
    scheduler.step()
    moved.append(before - model.weight.item())
    plans.add(step.plan)
print("length of each step:", np.round(moved, 5))
assert np.allclose(moved, 0.1 * 0.5 ** np.arange(8), atol=1e-6)
print("plans met:", len(plans - {None}))
assert len(plans - {None}) == 1  # one program, eight rates

# %% [markdown]
# ## Exercise
#
# 1. The floor in the first picture is $\alpha / (2 - \alpha)$. Derive it: what variance $v$ stays
#    the same under $\theta \leftarrow (1 - \alpha)\,\theta - \alpha\,\varepsilon$?
# 2. Write $0.5^{\lfloor t/k \rfloor}$ as a `LambdaLR`, and check it against `StepLR`.
# 3. You train 20 epochs of 400 batches, and want Keras' `ExponentialDecay` to halve the rate
#    every 5 epochs. What is `decay_steps`?
