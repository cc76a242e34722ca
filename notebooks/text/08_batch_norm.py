# %% [markdown]
# # 8 · Batch normalisation
#
# A layer that looks at the whole batch: it shifts and scales every feature to mean 0 and variance 1,
# and then lets training choose another mean and scale. This notebook takes it apart, shows the two
# lives it leads (training and evaluation), measures what it is good for, and puts the usual
# explanation to the test.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import nn.functional as F
import optim
from nn import keras, plot
from nn.demo.data import digits

# %% [markdown]
# ## The formula, by hand
#
# For each feature, over the rows of a batch:
#
# $$\hat z = \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
# \mu = \frac1m \sum_i z_i, \quad \sigma^2 = \frac1m \sum_i (z_i - \mu)^2, \qquad
# \text{out} = \gamma\, \hat z + \beta$$
#
# $\gamma$ and $\beta$ are learned, one of each per feature; they start as 1 and 0.

# %%
autograd.manual_seed(0)
z = 5 + 3 * autograd.randn(32, 4)
norm = nn.BatchNorm1d(4)
out = norm(z)

by_hand = (z - z.mean(0)) / (z.var(0, unbiased=False) + norm.eps).sqrt()
print("before: mean", z.mean(0).numpy().round(2), "std", z.std(0).numpy().round(2))
print(
    "after:  mean",
    out.mean(0).detach().numpy().round(2),
    "std",
    out.std(0).detach().numpy().round(2),
)
assert autograd.allclose(out, by_hand, atol=1e-5)

# %% [markdown]
# ## Two lives
#
# In **training** the mean and the variance are those of the batch. Along the way the layer keeps
# running averages of them. In **evaluation** it uses these, so that an answer does not depend on who
# else is in the batch, and a single row can be asked.

# %%
norm = nn.BatchNorm1d(1)
seen = []
for _ in range(60):
    norm(5 + 3 * autograd.randn(32, 1))
    seen.append((norm.running_mean.item(), norm.running_var.item()))

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for i, name in enumerate(("running mean", "running variance")):
    ax.plot([s[i] for s in seen], color=plot.PALETTE[i], label=name)
    ax.axhline((5, 9)[i], ls=":", color=plot.PALETTE[i])
ax.set(xlabel="batches seen", title="the true mean is 5, the true variance 9")
ax.legend(frameon=False)
plt.show()

row = autograd.tensor([[8.0]])
norm.eval()
print("evaluation of one row:", round(norm(row).item(), 2), "which is about (8 - 5) / 3")
norm.train()
try:
    norm(row)
except ValueError as error:
    print("training on one row:", error)
else:
    raise AssertionError("a batch of one was accepted in training")

# %% [markdown]
# Forget `eval()` and an answer depends on the company: the same row in two batches.

# %%
row = autograd.tensor([[8.0]])
quiet, loud = autograd.full((7, 1), 5.0), autograd.full((7, 1), 20.0)
print("among fives:    ", round(norm(autograd.cat([row, quiet]))[0].item(), 2))
print("among twenties: ", round(norm(autograd.cat([row, loud]))[0].item(), 2))

# %% [markdown]
# ## PyTorch and Keras count differently
#
# Give both layers one batch `[1, 2, 3, 4]` and look at what they remember. The word *momentum* means
# opposite things: for PyTorch the weight of the new value, for Keras that of the old one.

# %%
batch = autograd.tensor([[1.0], [2.0], [3.0], [4.0]])
ours = nn.BatchNorm1d(1)
ours(batch)
theirs = keras.layers.BatchNormalization()
theirs(batch, training=True)
print(
    "PyTorch way: momentum 0.1,  eps 1e-5; running mean", round(ours.running_mean.item(), 5), end=""
)
print(", variance", round(ours.running_var.item(), 5), "(from the unbiased one, 5/3)")
mean, variance = (w.numpy().item() for w in theirs.non_trainable_weights[:2])
print(
    f"Keras way:   momentum 0.99, eps 1e-3; running mean {mean:.5f}, variance {variance:.5f}",
    end="",
)
print(" (from the biased one, 5/4)")
assert abs(ours.running_var.item() - (0.9 + 0.1 * 5 / 3)) < 1e-5
assert abs(variance - (0.99 + 0.01 * 5 / 4)) < 1e-5

# %% [markdown]
# ## What it does to gradients
#
# The mean and the variance depend on the batch, so the gradient flows through them as well. Two things
# follow, and both can be seen in numbers: shifting all inputs changes nothing, so **the gradients of a
# feature sum to 0**; stretching them changes nothing, so **they are at a right angle to $\hat z$**.

# %%
z = (5 + 3 * autograd.randn(32, 4)).requires_grad_()
norm = nn.BatchNorm1d(4)
out = norm(z)
upstream = autograd.randn(32, 4)
(g,) = autograd.grad((out * upstream).sum(), z)
print("sum of the gradients   ", g.sum(0).numpy().round(5))
print("product with z-hat     ", (g * out).sum(0).detach().numpy().round(5))
print("size of a gradient     ", g.norm(dim=0).numpy().round(2))
assert g.sum(0).abs().max().item() < 1e-4
assert (g * out).sum(0).abs().max().item() < 1e-3

# %% [markdown]
# A consequence: a **bias right before BatchNorm is useless**. The normalisation takes it out again,
# and its gradient is 0. Write `nn.Linear(..., bias=False)` there.

# %%
layer, norm = nn.Linear(4, 3), nn.BatchNorm1d(3)
(norm(layer(z.detach())) ** 3).sum().backward()
print("gradient of the weight:", layer.weight.grad.abs().max().item())
print("gradient of the bias:  ", layer.bias.grad.abs().max().item())
assert layer.bias.grad.abs().max().item() < 1e-3 * layer.weight.grad.abs().max().item()

# %% [markdown]
# ## What it is good for
#
# A net of six layers, deliberately badly initialised (weights four times too small), with and without
# BatchNorm, for learning rates over four orders of magnitude. Look at how *wide* the good range is.

# %%
data = digits()
x, y = autograd.tensor(data.x), autograd.tensor(data.y)
x_test, y_test = autograd.tensor(data.x_test), autograd.tensor(data.y_test)


def make(normalise, depth=6, width=64, noise=None):
    autograd.manual_seed(0)
    layers = []
    for _ in range(depth):
        linear = nn.Linear(64, width, bias=not normalise)
        nn.init.normal_(linear.weight, std=(2 / 64) ** 0.5 / 4)
        layers += [linear, nn.BatchNorm1d(width)] if normalise else [linear]
        layers += [noise(width)] if noise else []
        layers += [nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def train(model, lr, epochs=3, batch=32):
    rng = np.random.default_rng(0)
    optimizer, losses = optim.SGD(model.parameters(), lr=lr), []
    model.train()
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(order) - batch, batch):
            rows = autograd.tensor(order[start : start + batch])
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    model.eval()
    with autograd.no_grad():
        right = (model(x_test).argmax(1) == y_test).float().mean().item()
    return losses, right


rates = np.logspace(-3, 1, 9)
scores = {
    name: [train(make(on), lr)[1] for lr in rates]
    for name, on in (("plain", False), ("BatchNorm", True))
}
figure, ax = plt.subplots(figsize=(6.2, 3.3), layout="constrained")
for i, (name, line) in enumerate(scores.items()):
    ax.semilogx(rates, line, "o-", color=plot.PALETTE[i], label=name)
ax.set(xlabel="learning rate", ylabel="test accuracy after 3 epochs", ylim=(0, 1.02))
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plt.show()
good = {name: sum(s > 0.8 for s in line) for name, line in scores.items()}
print("learning rates that reach 80%:", good)
assert good["BatchNorm"] > good["plain"]

# %% [markdown]
# The reason is in the size of what flows. Without normalisation the small weights shrink the signal
# layer by layer, until only the biases are left: the spikes are units that give every digit the same
# number. With it, every layer has the same spread, whatever the weights are. (Half of what a ReLU gives
# is exactly 0; that is counted at the side, not drawn.)

# %%
for normalise in (False, True):
    ax = plot.activation_histograms(make(normalise), x[:256], nn.ReLU, training=True)
    ax.set_title("BatchNorm" if normalise else "plain")
    plt.show()

# %% [markdown]
# ## Why does it work? A claim, tested
#
# The paper that introduced it (Ioffe and Szegedy, 2015) says: it reduces *internal covariate shift*, the
# drift of each layer's input distribution while the layers below change. That is still repeated as
# a fact. Santurkar and others (2018, arXiv:1805.11604) put it to a test that is easy to repeat: bring
# the drift **back** behind every BatchNorm, with noise of a new random mean and scale in every step.
# If the claim were the reason, training should lose its advantage.


# %%
class Drift(nn.Module):
    """A new random shift and stretch of every feature at every call, in training."""

    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, z):
        if not self.training:
            return z
        shift, stretch = autograd.randn(self.features), autograd.rand(self.features)
        return z * (0.5 + stretch) + 0.5 * shift


def drift_of_inputs(model, lr=0.1, steps=120):
    """How far the mean of the last hidden layer's inputs moves from step to step, on average."""
    means, rng = [], np.random.default_rng(1)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    last = [m for m in model if isinstance(m, nn.Linear)][-2]
    handle = last.register_forward_hook(lambda m, i, out: means.append(i[0].detach().mean(0)))
    for _ in range(steps):
        rows = autograd.tensor(rng.integers(0, len(x), 64))
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    handle.remove()
    return np.mean([(b - a).norm().item() for a, b in pairwise(means)])


kinds = {
    "plain": lambda: make(False),
    "BatchNorm": lambda: make(True),
    "BatchNorm + drift": lambda: make(True, noise=Drift),
}
results = {
    name: (train(kind(), lr=0.1, epochs=5), drift_of_inputs(kind())) for name, kind in kinds.items()
}
figure, ax = plt.subplots(figsize=(6.2, 3.3), layout="constrained")
for i, (name, ((losses, right), drift)) in enumerate(results.items()):
    smooth = np.convolve(losses, np.ones(20) / 20, mode="valid")
    ax.plot(smooth, color=plot.PALETTE[i], label=name)
    print(f"{name:18} drift per step {drift:6.3f}   test accuracy {right:.1%}")
ax.set(xlabel="step", ylabel="loss, mean of 20 steps")
ax.legend(frameon=False)
plt.show()
assert results["BatchNorm + drift"][1] > 2 * results["BatchNorm"][1]
assert results["BatchNorm + drift"][0][1] > results["plain"][0][1] + 0.2

# %% [markdown]
# There is far more drift with the noise than without, and the noisy net still learns; the plain net, in
# which next to nothing drifts, does not. So the drift is not the reason: the claim is disputed, and "BatchNorm reduces internal
# covariate shift" should be read as history. What Santurkar and others propose instead is that it makes
# the loss *smoother*: a gradient stays right over a longer step. The measurement: take a gradient, walk along it,
# and see how much the loss varies along the way.


# %%
def walk(model, lengths, at=40, lr=0.05):
    """Losses along the gradient of one batch, after `at` steps of training."""
    rng = np.random.default_rng(2)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    for _ in range(at + 1):
        rows = autograd.tensor(rng.integers(0, len(x), 64))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    found = []
    with autograd.no_grad():
        start = [q.clone() for q in model.parameters()]
        slope = [q.grad.clone() for q in model.parameters()]
        for length in lengths:
            for q, s, g in zip(model.parameters(), start, slope):
                q.copy_(s - length * g)
            found.append(F.cross_entropy(model(x[rows]), y[rows]).item())
    return found


def sensible(normalise):
    """The same nets, but with He's initialisation, so that both of them learn."""
    model = make(normalise)
    for m in model:
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight)
    return model


lengths = np.linspace(0, 3, 61)
figure, ax = plt.subplots(figsize=(6.2, 3.3), layout="constrained")
for i, (name, on) in enumerate((("plain, He init", False), ("BatchNorm, He init", True))):
    line = walk(sensible(on), lengths)
    ax.plot(lengths, line, color=plot.PALETTE[i], label=name)
    print(f"{name:19} loss at the start {line[0]:.2f}, highest on the way {max(line):.2f}")
ax.set(xlabel="length of the step along the gradient", ylabel="loss", yscale="log")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Is it a regulariser, too? A little: the statistics of a batch are noisy, so each row is answered
# slightly differently each time, as with dropout. The noise shrinks as the batch grows.

# %%
model = make(True)
train(model, lr=0.1)
model.train()
rng = np.random.default_rng(0)
for size in (4, 16, 64, 256):
    answers = []
    with autograd.no_grad():
        for _ in range(50):
            rows = autograd.tensor(rng.integers(1, len(x), size - 1))
            answers.append(F.softmax(model(autograd.cat([x[:1], x[rows]])), 1)[0].numpy())
    print(
        f"batch {size:3}: the answer for one digit varies by ±{np.std(answers, axis=0).max():.3f}"
    )

# %% [markdown]
# ## Try it
#
# 1. Put BatchNorm *behind* the ReLU instead of in front of it. Does the range of good learning rates
#    change?
# 2. Train with `batch=2` and look at the accuracy in evaluation. Replace `nn.BatchNorm1d` with
#    `nn.LayerNorm`, which normalises each row by itself. What has changed, and why?
# 3. After training, fold a BatchNorm into the linear layer before it: find $W'$ and $b'$ so that one
#    layer gives the answers of both in evaluation. Check with `allclose`.
