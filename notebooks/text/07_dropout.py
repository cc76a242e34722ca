# %% [markdown]
# # 7 · Dropout
#
# Switch off half of the units at random, in every step anew, and the network generalises better. This
# notebook shows what exactly is switched off, why the rest must be scaled and *when* (texts disagree,
# so we measure), what dropout is an average of, and where it does not help.

# %%
import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import nn.functional as F
import optim
from nn import plot
from nn.demo.data import digits

# %% [markdown]
# ## What the layer does
#
# In training each unit is kept with probability $1 - p$, and what is kept is multiplied by
# $\frac{1}{1 - p}$. In evaluation nothing happens at all.

# %%
autograd.manual_seed(0)
layer = nn.Dropout(p=0.5)
h = autograd.ones(2, 8)
print("training  ", layer(h).tolist())
print("once more ", layer(h).tolist())
layer.eval()
print("evaluation", layer(h).tolist())
assert layer(h) is h

# %% [markdown]
# ## Why scale?
#
# Because the next layer sums. With half of its inputs gone, its sum would be half as large in training
# as in evaluation. Multiplied by $1/(1-p)$ the *expected* value stays what it was:
#
# $$\mathbb E\left[\frac{m_i h_i}{1 - p}\right] = \frac{(1 - p)\, h_i + p \cdot 0}{1 - p} = h_i, \qquad
# m_i = 1 \text{ with probability } 1 - p$$

# %%
layer.train()
h = autograd.rand(1, 1000)
means = [layer(h).mean().item() for _ in range(400)]
print(
    f"mean of h {h.mean().item():.4f}, of 400 dropped copies {np.mean(means):.4f} ± {np.std(means) / 20:.4f}"
)
assert abs(np.mean(means) - h.mean().item()) < 0.01

# %% [markdown]
# ## At which end? An experiment
#
# There are two right ways to scale, and a habit of mixing them up:
#
# | | training | evaluation |
# |---|---|---|
# | classic (Srivastava and others, 2014) | drop, do not scale | multiply by $1 - p$ |
# | **inverted** (PyTorch, Keras, this engine) | drop, multiply by $1/(1-p)$ | nothing |
# | sometimes printed | drop, do not scale | multiply by $1/(1-p)$ |
# | a mixture of both | drop, multiply by $1/(1-p)$ | multiply by $1 - p$ |
#
# What must hold: the next layer sees the same average in training and in evaluation. Measure it for
# all four, with $p = 0.5$ and for units whose value is about 1.

# %%
p = 0.5
keep = 1 - p
recipes = {  # what kept units are multiplied by in training, and all of them in evaluation
    "classic": (1.0, keep),
    "inverted": (1 / keep, 1.0),
    "1/(1-p) at evaluation": (1.0, 1 / keep),
    "both": (1 / keep, keep),
}


def dropped(h, in_training, training, in_evaluation):
    if not training:
        return h * in_evaluation
    return h * autograd.bernoulli(autograd.full(h.shape, keep)) * in_training


h = autograd.rand(200, 1000) + 0.5
for name, (a, b) in recipes.items():
    seen = dropped(h, a, True, b).mean().item(), dropped(h, a, False, b).mean().item()
    print(f"{name:22} average in training {seen[0]:.3f}, in evaluation {seen[1]:.3f}")
    assert (abs(seen[0] - seen[1]) < 0.02) == (name in ("classic", "inverted"))

# %% [markdown]
# The third is off by $1/(1-p)^2 = 4$: it scales in the wrong direction. Does that matter for
# the answers? Train a small net on few digits and evaluate it each way.

# %%
data = digits()
x, y = autograd.tensor(data.x[:200]), autograd.tensor(data.y[:200])
x_test, y_test = autograd.tensor(data.x_test), autograd.tensor(data.y_test)


class Net(nn.Module):
    def __init__(self, a, b, units=256):
        super().__init__()
        self.first, self.second = nn.Linear(64, units), nn.Linear(units, units)
        self.last = nn.Linear(units, 10)
        self.a, self.b = a, b

    def forward(self, x):
        h = dropped(F.relu(self.first(x)), self.a, self.training, self.b)
        h = dropped(F.relu(self.second(h)), self.a, self.training, self.b)
        return self.last(h)


def fit(model, steps=300, lr=0.003):
    optimizer = optim.Adam(model.parameters(), lr=lr)
    history = {"loss": [], "val_loss": []}
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        model.eval()
        with autograd.no_grad():
            history["loss"].append(F.cross_entropy(model(x), y).item())
            history["val_loss"].append(F.cross_entropy(model(x_test), y_test).item())
    right = (model(x_test).argmax(1) == y_test).float().mean().item()
    return history, right


found = {}
for name, (a, b) in recipes.items():
    autograd.manual_seed(0)
    history, right = fit(Net(a, b))
    found[name] = history["val_loss"][-1]
    print(f"{name:22} test loss {found[name]:.3f}, {right:.1%} right")
assert min(found, key=found.get) in ("classic", "inverted")
assert found["1/(1-p) at evaluation"] > 1.3 * found["inverted"]

# %% [markdown]
# Look at the loss more than at the accuracy: logits that are four times too large, twice over, mostly
# keep their order (so the largest wins as before), but the probabilities are far too sure, and wrong
# answers get expensive. So if a text says "scale by $1 - p$ at test time", it means classic dropout; if
# it says "$h/(1-p)$", it means training. In this engine never scale yourself.
#
# ## What it is for
#
# The same net without dropout and with it. Solid: the 200 digits it learns from. Dashed: 359 digits
# it has never seen.


# %%
def make(p):
    autograd.manual_seed(1)
    return nn.Sequential(
        *(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(p)),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(p)),
        nn.Linear(256, 10),
    )


figure, row = plt.subplots(1, 2, figsize=(9.4, 3.4), layout="constrained", sharey=True)
last = {}
for ax, rate in zip(row, (0.0, 0.5)):
    history, right = fit(make(rate), steps=500)
    last[rate] = history["val_loss"][-1]
    plot.training_curves(history, ax=ax)
    ax.set(
        title=f"p = {rate}: {right:.1%} of unseen digits right",
        xlabel="step",
        ylabel="loss",
        ylim=(0, 0.8),
    )
plt.show()
print({rate: round(loss, 3) for rate, loss in last.items()})
assert last[0.5] < last[0.0]

# %% [markdown]
# Both solid lines reach 0: the net is large enough to learn 200 digits by heart, with masks or without.
# The difference is in the dashed ones. Without dropout the line turns after some 25 steps and climbs: the
# net gets surer of its mistakes. With dropout it goes lower and stays lower.
#
# ## What it is an average of
#
# Every mask picks another thinner network out of the same weights. Training trains them all a little;
# evaluation without masks stands for the average of their votes. Compare it with really asking many:

# %%
model = make(0.5)
fit(model)
model.train()  # masks on
autograd.manual_seed(2)
with autograd.no_grad():
    votes = autograd.stack([F.softmax(model(x_test), 1) for _ in range(200)])
    averages = [votes[:n].mean(0) for n in (1, 2, 5, 10, 50, 200)]
    model.eval()
    once = F.softmax(model(x_test), 1)


def loss_of(probabilities):
    return F.nll_loss(probabilities.clamp(1e-7, 1).log(), y_test).item()


for n, average in zip((1, 2, 5, 10, 50, 200), averages):
    print(f"average of {n:3} masked nets: test loss {loss_of(average):.3f}")
print(f"one pass without masks:     test loss {loss_of(once):.3f}")
same = (averages[-1].argmax(1) == once.argmax(1)).float().mean().item()
print(f"the same answer for {same:.1%} of the digits")
assert same > 0.95

# %% [markdown]
# One masked net is worse than the average of many, and a single pass without masks comes close to the
# average: that is why evaluation needs no masks.
#
# ## `model.eval()` is not optional
#
# Forget it, and one digit gets another answer each time it is asked. (`no_grad` does not switch masks
# off: that is about gradients.)

# %%
model.train()
with autograd.no_grad():
    unsure = int((votes.max(2).values.mean(0)).argmin())
    answers = [model(x_test[unsure : unsure + 1]).argmax().item() for _ in range(12)]
print("twelve answers for one digit:", answers)
figure, ax = plt.subplots(figsize=(1.6, 1.6))
ax.imshow(x_test[unsure].reshape(8, 8).numpy(), cmap="gray_r")
ax.set_axis_off()
plt.show()
assert len(set(answers)) > 1

# %% [markdown]
# ## Where it does not help
#
# Dropout fights overfitting. A net with four hidden units that has to learn four points does not
# overfit: it needs all it has. XOR with $p = 0.5$, 20 starts:

# %%
corners = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
xor = autograd.tensor([[0.0], [1], [1], [0]])
for rate in (0.0, 0.5):
    solved = 0
    for seed in range(20):
        autograd.manual_seed(seed)
        tiny = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Dropout(rate), nn.Linear(4, 1))
        optimizer = optim.Adam(tiny.parameters(), lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(tiny(corners), xor).backward()
            optimizer.step()
        tiny.eval()
        solved += bool(((tiny(corners) > 0) == (xor > 0)).all().item())
    print(f"p = {rate}: {solved} of 20 starts solve XOR")

# %% [markdown]
# ## Try it
#
# 1. Plot the test loss for $p$ = 0, 0.1, ..., 0.9. Where is the best, and where does the net stop
#    learning? Repeat with all 1438 digits instead of 200.
# 2. The mask makes the sum of the next layer noisy. For $n$ units of value 1, what is its variance?
#    Measure it for $p = 0.2$ and $0.5$ and compare with $n\, p / (1 - p)$.
# 3. Move the dropout to the inputs. What does it mean to drop a pixel? Which $p$ is good there?
