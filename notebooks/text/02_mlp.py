# %% [markdown]
# # 2 · The multi-layer perceptron, and what it can express
#
# One perceptron draws one straight line. This notebook puts units into layers, shows why a
# nonlinearity has to stand between them, and builds by hand the theorem that a single hidden layer
# can come as close as you like to any continuous function. Then it shows what the theorem does *not* say.

# %%
import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from nn import plot
from nn.demo.data import moons

# %% [markdown]
# ## Layers
#
# Layer $l$ takes the outputs $a^{(l-1)}$ of the layer before it, multiplies, shifts, and bends:
#
# $$z^{(l)} = W^{(l)} a^{(l-1)} + b^{(l)}, \qquad a^{(l)} = f\big(z^{(l)}\big), \qquad a^{(0)} = x$$
#
# `nn.Linear(2, 3)` is the first half: $W$ is $(3, 2)$, one row per unit. Each point of a batch is a row.

# %%
autograd.manual_seed(0)
layer = nn.Linear(2, 3)
x = autograd.tensor([[1.0, 2.0], [0.0, 0.0]])
print("W", layer.weight.tolist(), "b", layer.bias.tolist(), sep="\n")
print("z =", layer(x).tolist())
assert autograd.allclose(layer(x), x @ layer.weight.T + layer.bias)

# %% [markdown]
# ## Without a bend there is only one layer
#
# Two linear layers in a row are one linear layer: $W_2(W_1 x + b_1) + b_2 = (W_2 W_1) x + (W_2 b_1 + b_2)$.
# However many you stack, the boundary stays a straight line.

# %%
first, second = nn.Linear(2, 50), nn.Linear(50, 1)
W = second.weight @ first.weight
b = second.weight @ first.bias + second.bias
x = autograd.randn(1000, 2)
gap = (second(first(x)) - (x @ W.T + b)).abs().max().item()
print(f"151 weights + 51 more, or 3 numbers: the difference is {gap:.1e}")
assert gap < 1e-5


# %% [markdown]
# So train the same network twice on two half moons, once with nothing between the layers and once
# with a `ReLU`. Same sizes, same optimizer; only the bend is new.


# %%
def train(model, x, y, loss_fn, steps=400, lr=0.02):
    optimizer = optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


data = moons()
x, y = autograd.tensor(data.x), autograd.tensor(data.y)
targets = y.float().unsqueeze(1)


def classifier(units, bend, seed=1):
    autograd.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, units), bend, nn.Linear(units, 1))


figure, row = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
accuracy = {}
for ax, bend in zip(row, (nn.Identity(), nn.ReLU())):
    model = classifier(16, bend)
    train(model, x, targets, nn.BCEWithLogitsLoss())
    right = ((model(x) > 0).squeeze() == (y > 0)).float().mean().item()
    accuracy[type(bend).__name__] = right
    plot.decision_boundary(model, x, y, ax=ax)
    ax.set_title(f"{type(bend).__name__}: {right:.1%} right")
plt.show()
assert accuracy["Identity"] < 0.95 < accuracy["ReLU"]

# %% [markdown]
# ## What a hidden layer does: it moves the points
#
# The last layer is a perceptron: it can only draw a straight line. What changed is *where* it draws
# it. Here is XOR with two hidden units. Left, the inputs; right, the same four points where the
# hidden layer puts them. There a straight line is enough.

# %%
corners = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
xor = autograd.tensor([[0.0], [1], [1], [0]])
autograd.manual_seed(0)
hidden, top = nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 1)
loss = train(nn.Sequential(hidden, top), corners, xor, nn.BCEWithLogitsLoss(), steps=600, lr=0.05)
print(f"loss {loss:.4f}")
assert loss < 0.05

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
plot.decision_boundary(lambda p: top(hidden(p)), corners, xor, ax=left)
left.set_title("the inputs")
moved = hidden(corners).detach()
plot.decision_boundary(top, moved, xor, ax=right)
right.set(title="seen by the last layer", xlabel="$h_1$", ylabel="$h_2$")
for name, point, below in zip(("00", "01", "10", "11"), moved.tolist(), (6, 6, -12, 6)):
    right.annotate(name, point, xytext=(6, below), textcoords="offset points")
plt.show()

# %% [markdown]
# ## More units, more corners
#
# Each ReLU unit adds one fold to the plane, and where the boundary crosses a fold it can turn. One
# unit gives a straight boundary, two give it one corner, and so on. Which corners are found depends on
# the random start, so each picture is the best of six seeds.

# %%
figure, row = plt.subplots(1, 4, figsize=(12, 3), layout="constrained")
for ax, units in zip(row, (1, 2, 4, 10)):
    runs = []
    for seed in range(6):
        model = classifier(units, nn.ReLU(), seed)
        runs.append((train(model, x, targets, nn.BCEWithLogitsLoss(), lr=0.05), seed, model))
    loss, _, model = min(runs)
    plot.decision_boundary(model, x, y, threshold=0, ax=ax)
    ax.set_title(f"{units} hidden: loss {loss:.2f}")
plt.show()

# %% [markdown]
# ## Universal approximation, built by hand
#
# **Theorem** (Cybenko 1989, Hornik 1991; Leshno and others 1993). Take any continuous function on a
# closed, bounded set, and any $\varepsilon > 0$. If the activation is not a polynomial, there is a network
# with **one** hidden layer that differs from the function by less than $\varepsilon$ everywhere on the set.
#
# In one dimension, with ReLU, this is no mystery. A unit $\operatorname{relu}(x - k)$ is a hinge: flat until $k$, then
# rising. A sum of hinges is a line with a kink at each $k$, and we may choose the slope after each
# kink. So we can connect the dots. No training:


# %%
def connect_the_dots(f, units, low=-3.0, high=3.0):
    """A one-hidden-layer ReLU network through f at `units` + 1 points."""
    knots = np.linspace(low, high, units + 1)
    slopes = np.diff(f(knots)) / np.diff(knots)
    model = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, 1)).double()
    first, last = model[0], model[2]
    with autograd.no_grad():
        first.weight.fill_(1.0)  # unit k is relu(x - knot k)
        first.bias.copy_(autograd.tensor(-knots[:-1]))
        last.weight.copy_(autograd.tensor(np.diff(slopes, prepend=0.0)[None]))  # change of slope
        last.bias.fill_(float(f(knots[:1])[0]))
    return model


def f(x):
    return np.sin(2 * x) + 0.3 * x


grid = np.linspace(-3, 3, 601)
points = autograd.tensor(grid[:, None])
figure, row = plt.subplots(1, 3, figsize=(11, 2.9), layout="constrained", sharey=True)
for ax, units in zip(row, (4, 8, 16)):
    with autograd.no_grad():
        out = connect_the_dots(f, units)(points).numpy()[:, 0]
    ax.plot(grid, f(grid), color=plot.PALETTE[7], label="f")
    ax.plot(grid, out, color=plot.PALETTE[0], label="network")
    ax.set_title(f"{units} units: error {abs(out - f(grid)).max():.2f}")
row[0].legend(frameon=False)
plt.show()

# %% [markdown]
# The error falls with the square of the number of units: twice the units, a quarter of the error.

# %%
widths, errors = [8, 16, 32, 64, 128, 256], []
for units in widths:
    with autograd.no_grad():
        out = connect_the_dots(f, units)(points).numpy()[:, 0]
    errors.append(abs(out - f(grid)).max())
print("\n".join(f"{n:4} units: largest error {e:.5f}" for n, e in zip(widths, errors)))
rate = np.polyfit(np.log(widths), np.log(errors), 1)[0]
print(f"error ~ units^({rate:.2f})")
assert -2.3 < rate < -1.7

# %% [markdown]
# ## What the theorem does not say
#
# **It does not say that training finds the network.** The next cell trains networks of the same
# widths by gradient descent, and compares them with the ones built by hand.

# %%
x32, f32 = points.float(), autograd.tensor(f(grid)[:, None]).float()
for units in (4, 8, 16):
    losses = []
    for seed in range(5):
        autograd.manual_seed(seed)
        model = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, 1))
        losses.append(train(model, x32, f32, nn.MSELoss(), steps=800, lr=0.02))
    with autograd.no_grad():
        built = (connect_the_dots(f, units)(points) - f32.double()).square().mean().item()
    print(f"{units:2} units  built {built:.4f}   trained, 5 seeds:", *(f"{e:.4f}" for e in losses))

# %% [markdown]
# The spread between seeds is the price of not knowing where the kinks should go. Some seeds beat the
# hand-built network (training may move the kinks), others get stuck well above it.
#
# **It says nothing outside the set.** There every tanh unit soon sits at $\pm 1$, and the network goes
# flat, whatever the function does.

# %%
wide = np.linspace(-6, 6, 601)
autograd.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 1))
loss = train(model, x32, f32, nn.MSELoss(), steps=1500, lr=0.02)
with autograd.no_grad():
    out = model(autograd.tensor(wide[:, None]).float()).numpy()[:, 0]

figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
ax.plot(wide, f(wide), color=plot.PALETTE[7], label="f")
ax.plot(wide, out, color=plot.PALETTE[1], label="network with 64 tanh units")
ax.axvspan(-3, 3, alpha=0.12, color=plot.PALETTE[0], label="where it was trained")
ax.legend(frameon=False, loc="upper left")
ax.set_xlabel("x")
plt.show()

# %% [markdown]
# **Not every activation will do.** With $f(z) = z^2$ a hidden layer of any width is still a
# polynomial of degree 2: width buys nothing. That is why the theorem excludes polynomials.


# %%
class Square(nn.Module):
    def forward(self, z):
        return z * z


for units in (4, 64):
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, units), Square(), nn.Linear(units, 1))
    loss = train(model, x32, f32, nn.MSELoss(), steps=1500, lr=0.01)
    print(f"{units:2} squares: loss {loss:.3f}")
best = np.polyval(np.polyfit(grid, f(grid), 2), grid)
print(f"the best parabola: {((best - f(grid)) ** 2).mean():.3f}")

# %% [markdown]
# ## Why depth, then?
#
# One layer is enough in principle, but depth can be far cheaper. The "tent"
# $t(x) = 2\operatorname{relu}(x) - 4\operatorname{relu}(x - \tfrac12)$ takes two units and folds $[0, 1]$ onto itself.
# Applied $d$ times (a network with $d$ layers of 2 units) it has $2^d$ straight pieces. A single layer
# needs a unit for every kink.

# %%
u = autograd.linspace(0, 1, 1025, dtype=autograd.float64)
figure, row = plt.subplots(1, 4, figsize=(11, 2.4), layout="constrained", sharey=True)
out = u
for depth, ax in enumerate(row, start=1):
    out = 2 * out.relu() - 4 * (out - 0.5).relu()
    pieces = int((out.diff().diff().abs() > 1e-9).sum().item()) + 1
    ax.plot(u.numpy(), out.numpy(), color=plot.PALETTE[2])
    ax.set_title(f"depth {depth}, {2 * depth} units:\n{pieces} pieces", size=10)
    assert pieces == 2**depth
plt.show()

# %% [markdown]
# ## Try it
#
# 1. How many hidden ReLU units does XOR need at least, with a linear output? Find weights by hand.
#    (Hint: $\operatorname{relu}(x_1 + x_2) - 2\operatorname{relu}(x_1 + x_2 - 1)$.)
# 2. Let `connect_the_dots` draw $|x|$. How many units are needed for no error at all?
# 3. Replace `nn.Tanh` in the extrapolation cell by `nn.ReLU`. What is the shape outside now, and why?
