# %% [markdown]
# # 3 · Activations and their derivatives
#
# Between the layers stands a bend. Which one hardly matters for what a network *can* express, but a
# great deal for whether it *learns*, because backpropagation multiplies by its derivative in every
# layer. So this notebook draws derivatives, and then two ways they spoil training: vanishing
# gradients and dead ReLUs.

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
# ## Curves and derivatives
#
# The derivatives below are not typed in: they are what `backward()` gives. One sum over all
# points is enough, for $\partial (\sum_i f(z_i)) / \partial z_j = f'(z_j)$.

# %%
shown = {
    "sigmoid": autograd.sigmoid,
    "tanh": autograd.tanh,
    "ReLU": F.relu,
    "leaky ReLU (0.1)": lambda z: F.leaky_relu(z, 0.1),
    "ELU": F.elu,
    "GELU": F.gelu,
    "SiLU (swish)": F.silu,
    "softplus": F.softplus,
}
z = autograd.linspace(-4, 4, 401, requires_grad=True)
figure, grid = plt.subplots(2, 4, figsize=(11, 4.8), layout="constrained", sharex=True)
steepest = {}
for ax, (name, f) in zip(grid.flat, shown.items()):
    out = f(z)
    (slope,) = autograd.grad(out.sum(), z)
    steepest[name] = slope.max().item()
    ax.plot(z.tolist(), out.tolist(), color=plot.PALETTE[0], label="$f(z)$")
    ax.plot(z.tolist(), slope.tolist(), "--", color=plot.PALETTE[1], label="$f'(z)$")
    ax.set(title=name, ylim=(-1.2, 2.2))
    ax.grid(alpha=0.3)
grid[0, 0].legend(frameon=False, loc="upper left")
plt.show()
for name, slope in steepest.items():
    print(f"{name:17} steepest slope {slope:.3f}")

# %% [markdown]
# Look at the dashed lines. The sigmoid's never rises above $\tfrac14$; tanh's reaches 1, but in one
# point only; the ReLU's is exactly 1 on a whole half of the axis, and exactly 0 on the other.
#
# ## The formulas, checked
#
# Sigmoid and tanh have derivatives that can be read off their own output, which is why the engine
# keeps only the output for the backward pass:
#
# $$\sigma' = \sigma (1 - \sigma), \qquad \tanh' = 1 - \tanh^2, \qquad \operatorname{relu}' = [z > 0]$$

# %%
s, t = autograd.sigmoid(z), autograd.tanh(z)
assert autograd.allclose(autograd.grad(s.sum(), z)[0], s * (1 - s), atol=1e-6)
assert autograd.allclose(autograd.grad(t.sum(), z)[0], 1 - t**2, atol=1e-6)
exact = autograd.linspace(-4, 4, 40, dtype=autograd.float64, requires_grad=True)  # 0 is not in it
for f in shown.values():
    assert autograd.gradcheck(f, exact)
print("formulas and finite differences agree")

# %% [markdown]
# At $z = 0$ the ReLU has a corner and no derivative. Any number from 0 to 1 is a *subgradient*; this
# engine, like PyTorch, takes 0.

# %%
corner = autograd.zeros(1, requires_grad=True)
F.relu(corner).backward()
print("relu'(0) is taken as", corner.grad.item())

# %% [markdown]
# ## Vanishing gradients
#
# A gradient on its way to the first layer is multiplied, per layer, by a weight matrix and by $f'$.
# With sigmoids that is a factor of $\tfrac14$ at the very best: after ten layers at most
# $4^{-10} \approx 10^{-6}$ is left of it, unless the weights make up for that. We measure: ten layers
# of 64 units, weights drawn so that the *signal* keeps its size (Glorot's rule), and one backward
# pass.


# %%
def deep(activation, depth=10, width=64):
    autograd.manual_seed(0)
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), activation()]
        nn.init.xavier_normal_(layers[-2].weight)
    return nn.Sequential(*layers, nn.Linear(width, 10))


data = digits()
x, y = autograd.tensor(data.x[:256]), autograd.tensor(data.y[:256])
x = (x - x.mean()) / x.std()


def gradient_sizes(model):
    loss = F.cross_entropy(model(x), y)
    model.zero_grad()
    loss.backward()
    return [m.weight.grad.norm().item() for m in model if isinstance(m, nn.Linear)]


figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for i, activation in enumerate((nn.Sigmoid, nn.Tanh, nn.ReLU)):
    sizes = gradient_sizes(deep(activation))
    ax.semilogy(range(1, 12), sizes, "o-", color=plot.PALETTE[i], label=activation.__name__)
    print(f"{activation.__name__:8} first layer / last layer: {sizes[0] / sizes[-1]:.1e}")
    if activation is nn.Sigmoid:
        assert sizes[0] / sizes[-1] < 1e-4
ax.set(xlabel="layer (1 is next to the input)", ylabel="norm of the weight's gradient")
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The sigmoid's line is straight on a logarithmic axis: a constant *factor* per layer. The first
# layers of that network will hardly move. The same can be seen in the histograms of what flows
# forward: from the third sigmoid on the histogram falls apart into spikes. Each spike is one unit that
# says the same about every input.

# %%
plot.activation_histograms(deep(nn.Sigmoid, depth=6), x, nn.Sigmoid)
plt.show()

# %%
plot.activation_histograms(deep(nn.Tanh, depth=6), x, nn.Tanh)
plt.show()

# %% [markdown]
# Two more things show here. A sigmoid's outputs are all positive, so all weights of one unit in the
# next layer get gradients of one sign (tanh is centred). And $\sigma$ *saturates*: at $z = 8$ its
# slope is $3 \cdot 10^{-4}$, so a unit that is confidently wrong learns slowest of all.
#
# ## Does it matter? Train them

# %%
inputs, classes = autograd.tensor(data.x), autograd.tensor(data.y)
mean, std = inputs.mean(), inputs.std()


def train(model, epochs=8, lr=0.02, batch=32):
    rng = np.random.default_rng(0)
    optimizer, losses = optim.SGD(model.parameters(), lr=lr, momentum=0.9), []
    for _ in range(epochs):
        total = 0.0
        order = rng.permutation(len(inputs))
        for start in range(0, len(order), batch):
            rows = autograd.tensor(order[start : start + batch])
            loss = F.cross_entropy(model((inputs[rows] - mean) / std), classes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(order))
    return losses


curves = {a.__name__: train(deep(a)) for a in (nn.Sigmoid, nn.Tanh, nn.ReLU)}
ax = plot.training_curves(curves)
ax.axhline(np.log(10), ls=":", color=plot.PALETTE[7])
ax.text(8, np.log(10) - 0.05, "guessing: log 10", ha="right", va="top", size=9)
ax.set_ylabel("loss")
plt.show()
assert curves["Sigmoid"][-1] > 2.0 > 0.5 > max(curves["Tanh"][-1], curves["ReLU"][-1])

# %% [markdown]
# Ten sigmoid layers do not get off the ground: the loss stays where guessing is.
#
# ## Dead ReLUs
#
# The ReLU has its own trap. Where $z \le 0$, its slope is exactly 0. A unit whose $z$ is negative for
# **every** input of the data set gets no gradient at all, from no input: it cannot come back. One
# step that is too large can push it there. We train one hidden layer with growing learning rates and
# count such units.


# %%
def dead_share(activation, lr, steps=60):
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), activation, nn.Linear(128, 10))
    optimizer = optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), classes).backward()
        optimizer.step()
    model.zero_grad()
    F.cross_entropy(model(inputs), classes).backward()
    return model, (model[0].weight.grad.abs().amax(dim=1) == 0).float().mean().item()


rates = (0.1, 1.0, 2.0, 3.0, 10.0)
dead = {lr: dead_share(nn.ReLU(), lr)[1] for lr in rates}
leaky = {lr: dead_share(nn.LeakyReLU(0.01), lr)[1] for lr in rates}
for lr in rates:
    print(
        f"lr {lr:5}: {dead[lr]:6.1%} of the ReLUs get no gradient, {leaky[lr]:.0%} of the leaky ones"
    )
assert dead[0.1] < 0.1 < 0.9 < dead[10.0]
assert max(leaky.values()) == 0

# %% [markdown]
# A unit counts as dead here when every entry of its row of the gradient is exactly 0, over all
# 1438 digits; a few were born dead. What that looks like after training with rate 2: for every unit,
# the largest $z$ that any digit gives it.
# Left of 0 nothing passes, forward or backward.

# %%
model, share = dead_share(nn.ReLU(), 2.0)
with autograd.no_grad():
    highest = model[0](inputs).amax(dim=0).numpy()
figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
for mask, colour, name in ((highest > 0, 0, "alive"), (highest <= 0, 1, f"dead: {share:.0%}")):
    bins = np.arange(-10, 8, 0.4) + 1e-9
    ax.hist(highest[mask], bins, color=plot.PALETTE[colour], label=name)
ax.axvline(0, color=plot.PALETTE[7])
ax.set(xlabel="largest $z$ of a unit over all digits", ylabel="units")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Remedies: a smaller learning rate, He's initialisation, normalisation in front of the activation, or
# a slope that is not 0 on the left: `LeakyReLU`, `ELU`, `GELU`.
#
# ## Which one to take
#
# | where | take | because |
# |---|---|---|
# | hidden layers | ReLU, or GELU / SiLU | slope 1 where it is active; cheap |
# | hidden layers, ReLUs die | LeakyReLU, ELU | there is a slope everywhere |
# | gates, recurrent cells | sigmoid, tanh | values must stay in $(0, 1)$ or $(-1, 1)$ |
# | output, two classes | none, with `BCEWithLogitsLoss` | the loss holds the sigmoid: notebook 5 |
# | output, $k$ classes | none, with `CrossEntropyLoss` | the loss holds the softmax |
# | output, any number | none | a sigmoid would forbid values |
#
# ## Try it
#
# 1. Where is $\tanh(z) = 2\sigma(2z) - 1$ on the plots? Check it with `allclose`, and derive the
#    steepest slope of tanh from that of the sigmoid.
# 2. In `deep`, multiply the sigmoid network's weights by 4. Does the gradient still vanish? What do
#    the activation histograms look like now?
# 3. GELU dips below zero. Find its lowest point with `autograd.grad` and a few steps of descent.
