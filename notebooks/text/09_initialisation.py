# %% [markdown]
# # 9 · Initialisation
#
# A weight matrix multiplies what passes through it. Fifty of them in a row multiply fifty times,
# and a factor of 0.7 or 1.4 per layer becomes $10^{-8}$ or $10^{7}$ at the end. Initialisation is
# the choice of the one number, the variance of the first weights, that makes this factor 1.
#
# You will measure the factor, see it in histograms from layer to layer, and sort out three names
# that are often mixed up: LeCun, Glorot (Xavier) and He (Kaiming).

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from nn import plot
from nn.demo.data import digits
from nn.keras import initializers

autograd.manual_seed(0)
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plot.PALETTE)

# %% [markdown]
# ## One layer, one formula
#
# A unit of a linear layer is a sum of $n_{\text{in}}$ products, $z = \sum_j w_j x_j$. If the
# weights are independent of the inputs and have mean 0, the variances add up:
#
# $$\operatorname{Var}(z) = n_{\text{in}} \cdot \operatorname{Var}(w) \cdot \overline{x^2}$$
#
# So $\operatorname{Var}(w) = 1 / n_{\text{in}}$ hands on the size of its input. Below, normal
# inputs go through layers of different width. Look at the two std(z) columns: with a fixed standard
# deviation the output grows with the width, with $1/\sqrt{n_{\text{in}}}$ it does not.

# %%
print("n_in   std(w) fixed  -> std(z)     std(w) = 1/sqrt(n_in)  -> std(z)")
for n_in in (16, 64, 256, 1024):
    x = autograd.randn(2000, n_in)
    found = []
    for std in (0.1, 1 / math.sqrt(n_in)):
        w = nn.init.normal_(autograd.empty(200, n_in), std=std)
        found += [std, (x @ w.T).std().item()]
    print("{:4d}{:14.3f}{:12.2f}{:22.3f}{:14.2f}".format(n_in, *found))
    assert abs(found[3] - 1) < 0.05

# %% [markdown]
# ## Backwards it is the other number
#
# The gradient flows through the transposed matrix: each input collects a sum over
# $n_{\text{out}}$ outputs. To hand on the size of the *gradient*, the variance would have to be
# $1 / n_{\text{out}}$. One number cannot do both unless the layer is square:
#
# | name | $\operatorname{Var}(w)$ | keeps |
# |---|---|---|
# | LeCun (1998) | $1 / n_{\text{in}}$ | activations |
# | Glorot, or Xavier (2010) | $2 / (n_{\text{in}} + n_{\text{out}})$ | a compromise of both |
# | He, or Kaiming (2015) | $2 / n_{\text{in}}$ | activations behind a ReLU, which removes half |
#
# Texts often print $\mathcal N(0, 1/n_{\text{in}})$ and call it Xavier's. It is LeCun's. Let a
# layer that is *not* square decide: here 100 inputs and 400 outputs.

# %%
n_in, n_out = 100, 400


def textbook(tensor):
    """What many texts print under the name of Xavier."""
    return nn.init.normal_(tensor, std=math.sqrt(1 / n_in))


candidates = {
    "N(0, 1/n_in)": textbook,
    "nn.init.lecun_normal_": nn.init.lecun_normal_,
    "nn.init.xavier_normal_": nn.init.xavier_normal_,
    "nn.init.kaiming_normal_": nn.init.kaiming_normal_,
}
stds = {}
for name, fill in candidates.items():
    w = autograd.empty(n_out, n_in, requires_grad=False)
    stds[name] = fill(w).std().item()
    print(f"{name:24s} std(w) = {stds[name]:.4f}")

lecun, glorot = math.sqrt(1 / n_in), math.sqrt(2 / (n_in + n_out))
assert abs(stds["N(0, 1/n_in)"] - lecun) < 0.002  # the formula is LeCun's ...
assert abs(stds["nn.init.lecun_normal_"] - lecun) < 0.002
assert abs(stds["nn.init.xavier_normal_"] - glorot) < 0.002  # ... and not Glorot's
print(f"\nLeCun's formula {lecun:.4f}, Glorot's {glorot:.4f}")

# %% [markdown]
# The confusion is easy to understand: in a square layer $2/(n + n) = 1/n$, and the two agree. Now
# the same four matrices at work. The left bars are the size of the output, the right ones the
# size of the gradient that comes back, each divided by what went in. LeCun keeps the left at 1.
# Glorot splits the difference: one square is 0.4, the other 1.6, and their mean is 1.


# %%
def passes(fill):
    """How much a layer stretches what goes through it: forward, and backward."""
    x = autograd.randn(1000, n_in, requires_grad=True)
    w = fill(autograd.empty(n_out, n_in))
    z = x @ w.T
    z.backward(autograd.randn(1000, n_out))
    return z.detach().std().item(), x.grad.std().item()


names = ["LeCun", "Glorot", "He"]
measured = [passes(candidates[f"nn.init.{key}_normal_"]) for key in ("lecun", "xavier", "kaiming")]
forward, backward = np.array(measured).T
fig, ax = plt.subplots(figsize=(6.4, 3))
at = np.arange(3)
for offset, values, label in (
    (-0.2, forward, "output / input"),
    (0.2, backward, "gradient in / out"),
):
    bars = ax.bar(at + offset, values, 0.36, label=label)
    ax.bar_label(bars, fmt="%.2f", padding=2)
ax.axhline(1, color="0.5", lw=1, ls="--")
ax.set(
    xticks=at,
    xticklabels=names,
    ylim=(0, 3.6),
    ylabel="ratio of std",
    title="100 inputs, 400 outputs",
)
ax.legend(loc="upper left", ncols=2)
plt.show()
assert abs(forward[0] - 1) < 0.05 and abs((forward[1] ** 2 + backward[1] ** 2) / 2 - 1) < 0.1

# %% [markdown]
# ## Ten layers of ReLU, seen from inside
#
# Now put layers behind each other. The function below pushes normal inputs through `depth` layers
# and sends normal gradients back, and keeps both at every layer.

# %%
WIDTH, BATCH = 128, 256


def travel(depth, fill, activation):
    """Activations of each layer, first to last, and the gradients that reach them."""
    h, layers = autograd.randn(BATCH, WIDTH), []
    for _ in range(depth):
        linear = nn.Linear(WIDTH, WIDTH, bias=False)
        fill(linear.weight)
        h = activation(linear(h))
        h.retain_grad()
        layers.append(h)
    h.backward(autograd.randn(BATCH, WIDTH))
    return [a.detach().numpy() for a in layers], [a.grad.numpy() for a in layers]


def tiny(w):
    return nn.init.normal_(w, std=0.02)


def he(w):
    return nn.init.kaiming_normal_(w, nonlinearity="relu")


def large(w):
    return nn.init.normal_(w, std=0.25)


# %%
def histograms(what, rows, columns=(1, 4, 7, 10)):
    """One row of histograms per initialisation, one column per layer, each in its own units."""
    fig, axes = plt.subplots(len(rows), len(columns), figsize=(9, 1.8 * len(rows)), sharey="row")
    for line, (name, layers) in zip(axes, rows.items()):
        for ax, layer in zip(line, columns):
            values = layers[layer - 1].ravel()
            ax.hist(values, bins=60, range=(-4, 4), color=plot.PALETTE[0], log=True)
            ax.set_title(f"layer {layer}: std {values.std():.2g}", fontsize=9)
            ax.tick_params(labelsize=8)
        line[0].set_ylabel(name, fontsize=9)
    fig.suptitle(what)
    fig.tight_layout()
    plt.show()


rules = {"std 0.02": tiny, "LeCun": nn.init.lecun_normal_, "He": he, "std 0.25": large}
runs = {name: travel(10, fill, autograd.relu) for name, fill in rules.items()}
histograms("activations (counts on a log scale)", {name: run[0] for name, run in runs.items()})

# %% [markdown]
# Read each row from left to right. With `std 0.02` the histogram collapses into a single bar at 0
# (its std falls by a factor of six per layer): layer 10 sees nothing of the input. LeCun's loses
# a factor $\sqrt 2$ per layer, because a ReLU throws away half of the squares. He's rule doubles
# the variance to make up for that, and the row stays the same. With `std 0.25` values leave the
# picture.
#
# The gradients start at layer 10 (the last column) and travel to the left, through the same
# matrices, so they tell the same story in the other direction.

# %%
histograms("gradients (counts on a log scale)", {name: run[1] for name, run in runs.items()})
activations, gradients = runs["He"]
assert 0.5 < activations[9].std() / activations[0].std() < 2
assert 0.5 < gradients[0].std() / gradients[9].std() < 2

# %% [markdown]
# ## Depth 2 to 50
#
# What is a shade at ten layers is a wall at fifty. For every depth the picture shows the size of
# the last activation (left) and of the gradient that arrives at the first layer (right). The axes
# are logarithmic: a straight line is a constant factor per layer. Only He's line is level.

# %%
depths = [2, 5, 10, 20, 30, 40, 50]


def sizes(fill, activation):
    """RMS of the last activations and of the first gradients, for each depth."""
    runs = [travel(depth, fill, activation) for depth in depths]
    rms = [[np.sqrt(np.mean(np.square(x, dtype=float))) for x in (a[-1], g[0])] for a, g in runs]
    return np.maximum(np.array(rms).T, 1e-45)


def curves(rules, activation, title):
    found = {name: sizes(fill, activation) for name, fill in rules.items()}
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharex=True)
    for ax, k, what in zip(axes, (0, 1), ("last activation", "gradient at layer 1")):
        for name, values in found.items():
            ax.semilogy(depths, values[k], "o-", ms=4, label=name)
        ax.set(xlabel="layers", ylabel="rms", title=f"{title}: {what}")
    axes[1].legend(fontsize=8, loc="best")
    fig.tight_layout()
    plt.show()
    return found


found = curves({k: rules[k] for k in ("LeCun", "He", "std 0.25")}, autograd.relu, "ReLU")
per_layer = (found["LeCun"][0][-1] / found["LeCun"][0][0]) ** (1 / 48)
print(f"LeCun with ReLU: a factor {per_layer:.3f} per layer; 1/sqrt(2) is {1 / math.sqrt(2):.3f}")
assert abs(per_layer - 1 / math.sqrt(2)) < 0.03

# %% [markdown]
# ## tanh wants Glorot's
#
# Near 0 a tanh is the identity, so no half is lost and there is nothing to make up for. It also
# cannot explode: it saturates. Watch the right picture instead: with He's weights, which are too
# large for it, the gradient grows on its way back through the units that are not saturated.
#
# The slow fall of Glorot's line is the bend of the tanh. `calculate_gain("tanh")` = 5/3 is meant
# to make up for it; over fifty layers it is too strong.


# %%
rules_tanh = {
    "Glorot": nn.init.xavier_normal_,
    "Glorot, gain 5/3": lambda w: nn.init.xavier_normal_(w, nn.init.calculate_gain("tanh")),
    "He": he,
}
found = curves(rules_tanh, autograd.tanh, "tanh")
assert 0.1 < found["Glorot"][1][-1] < 2 < found["He"][1][-1] < found["Glorot, gain 5/3"][1][-1]

# %% [markdown]
# ## What the two frameworks do if you say nothing
#
# `nn.Linear` draws from $U(-1/\sqrt{n_{\text{in}}},\ 1/\sqrt{n_{\text{in}}})$, whose variance is
# only $1/(3 n_{\text{in}})$. `Dense` takes `GlorotUniform`. Neither is made for deep ReLU nets
# without normalisation: per ReLU layer the first shrinks by $\sqrt{1/6}$, the second by
# $\sqrt{1/2}$.

# %%
ours = nn.Linear(400, 300).weight
keras = initializers.GlorotUniform(seed=0)((400, 300))
print(f"nn.Linear     var(w) n_in          = {ours.var().item() * 400:.3f}   (1/3)")
print(f"Keras' Dense  var(w) (in + out)/2  = {keras.var().item() * 350:.3f}   (1)")
assert abs(ours.var().item() * 400 - 1 / 3) < 0.01
assert abs(keras.var().item() * 350 - 1) < 0.02

last = travel(20, lambda w: nn.init.kaiming_uniform_(w, a=math.sqrt(5)), autograd.relu)[0][-1]
print(f"20 layers of nn.Linear's default and ReLU: std of the last activation {last.std():.1e}")

# %% [markdown]
# ## Does it matter for learning?
#
# A ReLU net of 20 layers, the bundled digits, the same SGD. Only the first weights differ. With
# LeCun's, activations and gradients have shrunk by $2^{-10}$ at the far end: the logits are all
# alike, and when He's net has learned its task the loss has hardly left $\ln 10 \approx 2.30$.

# %%
data = digits()
X, Y = autograd.tensor(data.x), autograd.tensor(data.y)


def learn(fill, depth=20, width=64, steps=400, lr=0.005):
    """Losses of SGD with momentum on batches of 128."""
    autograd.manual_seed(1)
    layers = [nn.Linear(64, width), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            fill(layer.weight)
            nn.init.zeros_(layer.bias)
    criterion, optimizer = nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    @autograd.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        pick = autograd.tensor(rng.integers(0, len(X), 128))
        losses.append(step(X[pick], Y[pick]).item())
    return losses


fig, ax = plt.subplots(figsize=(6.4, 3))
final = {}
for name, fill in {"He": he, "LeCun": nn.init.lecun_normal_, "std 0.02": tiny}.items():
    losses = learn(fill)
    final[name] = float(np.mean(losses[-20:]))
    ax.plot(losses, lw=1, label=name)
ax.axhline(math.log(10), color="0.5", lw=1, ls="--")
ax.text(395, math.log(10) + 0.05, "ln 10: knows nothing", ha="right", fontsize=8, color="0.35")
ax.set(xlabel="step", ylabel="loss", title="20 ReLU layers on digits")
ax.legend(loc="center right")
plt.show()
print({name: round(loss, 3) for name, loss in final.items()})
assert final["He"] < 0.3 < 2 < final["LeCun"] < final["std 0.02"]

# %% [markdown]
# ## And why not zero?
#
# Zero would keep every size at zero, but there is a deeper reason: units that start equal stay
# equal. They see the same inputs, get the same gradient and move together, so a layer of eight is
# one unit, eight times. Randomness breaks the tie. (Biases may start at 0; the weights have done
# it.)

# %%
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
for p in model.parameters():
    nn.init.constant_(p, 0.3)
optimizer = optim.SGD(model.parameters(), lr=0.1)
x = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
y = autograd.tensor([[0.0], [1], [1], [0]])
for _ in range(500):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
rows = model[0].weight.detach().numpy()
print(rows.round(3))
assert np.allclose(rows, rows[0])  # after 500 steps: eight copies of one unit

# %% [markdown]
# ## Exercise
#
# A leaky ReLU with slope $a$ keeps $(1 + a^2)/2$ of the squares, so its gain is $\sqrt{2 / (1 +
# a^2)}$.
#
# 1. Predict the factor per layer if you use plain He (made for $a = 0$) with $a = 0.3$. How large
#    is it after 50 layers?
# 2. Check with `sizes(he, lambda h: autograd.nn.functional.leaky_relu(h, 0.3))`.
# 3. Repair it with `nn.init.kaiming_normal_(w, a=0.3)` and see the line become level.
