# %% [markdown]
# # 10 · Gradient clipping
#
# A gradient says in which direction the loss falls, and only nearby. When it is long, a step
# along it leaves the neighbourhood for which it was true. Clipping shortens such steps. This
# notebook blows up a network, saves it, and then looks at what exactly is shortened: there are
# four things that people call clipping.

# %%
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from nn import keras, plot
from nn.demo.data import digits

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plot.PALETTE)

# %% [markdown]
# ## A network that explodes
#
# Ten ReLU layers whose weights are 1.6 times too large (notebook 9 tells what is right). Each
# layer stretches what passes through it by 1.6, forward and backward. `gradient_norm` is the
# length of *all* gradients as one vector; with `max_norm=inf` nothing is clipped, and
# `clip_grad_norm_` only measures.

# %%
data = digits()
X, Y = autograd.tensor(data.x), autograd.tensor(data.y)


def oversized(depth=10, width=64, factor=1.6):
    """A ReLU net with He's initialisation times `factor`."""
    autograd.manual_seed(1)
    sizes = [64] + [width] * (depth - 1) + [10]
    layers = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
        nn.init.normal_(layers[-2].weight, std=factor * math.sqrt(2 / n))
        nn.init.zeros_(layers[-2].bias)
    return nn.Sequential(*layers[:-1])


def learn(max_norm, steps=300, lr=0.05):
    """SGD with the gradients' joint norm limited: losses, and norms before clipping."""
    model, criterion = oversized(), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    rng, losses, norms = np.random.default_rng(0), [], []
    for _ in range(steps):
        pick = autograd.tensor(rng.integers(0, len(X), 128))
        optimizer.zero_grad()
        loss = criterion(model(X[pick]), Y[pick])
        loss.backward()
        gradient_norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
        norms.append(gradient_norm.item())
    return losses, norms


free, free_norms = learn(math.inf)
for i in range(5):
    print(f"step {i}: loss {free[i]:10.3g}   gradient norm {free_norms[i]:10.3g}")
assert math.isnan(free[-1])

# %% [markdown]
# Four steps from a bad start to NaN. The mechanism is a loop: a long gradient makes a long step,
# which makes larger weights, which make a longer gradient.
#
# ## The same net, clipped
#
# One more argument: `max_norm=1`. The step is now never longer than `lr`. Left: the loss. Right:
# the norm *before* clipping, which `clip_grad_norm_` returns. It is worth logging: here it falls
# from 206 as the weights recover, and most steps are still clipped (everything above the dashed
# line).

# %%
clipped, norms = learn(1.0)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for losses, label, style in ((free, "not clipped", "o-"), (clipped, "max_norm=1", "-")):
    left.semilogy(losses, style, ms=4, lw=1.2, label=label)
right.semilogy(free_norms, "o-", ms=4, lw=1.2)
right.semilogy(norms, lw=1.2)
right.axhline(1, color="0.5", ls="--", lw=1)
left.set(xlabel="step", ylabel="loss", ylim=(0.02, 1e7), title="loss (the line ends at NaN)")
right.set(xlabel="step", ylabel="norm", ylim=(0.3, 1e7), title="gradient norm before clipping")
left.legend()
plt.show()
print(f"last 20 steps: loss {np.mean(clipped[-20:]):.2f}")
assert np.mean(clipped[-20:]) < 1

# %% [markdown]
# ## By norm, by value
#
# - **By norm** (`clip_grad_norm_`): the whole gradient $g$ is multiplied by one number, $\min(1,\
#   c / \lVert g \rVert)$. It becomes shorter and points where it pointed. Short gradients are
#   left alone; nothing is ever made longer.
# - **By value** (`clip_grad_value_`): each component is cut to $[-c, c]$ by itself. The direction
#   changes.
#
# In the picture, gray arrows are gradients, coloured ones what is left of them. By norm the ends
# lie on a circle, in the old direction. By value they lie on a square, and an arrow that pointed
# nearly to the right is bent towards the corner.

# %%
gradients = np.array([[2.6, 0.8], [1.4, 2.4], [-2.4, 1.2], [-0.4, 0.5], [0.8, -2.3]])


def after(clip, g):
    """What `clip` makes of a gradient."""
    p = autograd.zeros(2, requires_grad=True)
    p.grad = autograd.tensor(g, dtype=autograd.float32)
    clip([p])
    return p.grad.numpy()


clips = {
    "clip_grad_norm_(p, 1)": lambda p: nn.utils.clip_grad_norm_(p, 1.0),
    "clip_grad_value_(p, 1)": lambda p: nn.utils.clip_grad_value_(p, 1.0),
}
fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, (name, clip) in zip(axes, clips.items()):
    for i, g in enumerate(gradients):
        ax.annotate("", g, (0, 0), arrowprops={"arrowstyle": "->", "color": "0.65", "lw": 1.2})
        kept = after(clip, g)
        color = plot.PALETTE[i]
        ax.annotate("", kept, (0, 0), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2.5})
    ax.set(xlim=(-3, 3), ylim=(-3, 3), title=name, aspect="equal", xlabel="$g_1$", ylabel="$g_2$")
axes[0].add_patch(plt.Circle((0, 0), 1, fill=False, ls="--", color="0.5"))
axes[1].add_patch(plt.Rectangle((-1, -1), 2, 2, fill=False, ls="--", color="0.5"))
plt.show()

cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)  # noqa: E731
by_norm = [cosine(g, after(clips["clip_grad_norm_(p, 1)"], g)) for g in gradients]
by_value = [cosine(g, after(clips["clip_grad_value_(p, 1)"], g)) for g in gradients]
print("cosine with the old direction, by norm :", np.round(by_norm, 3))
print("                               by value:", np.round(by_value, 3))
assert np.allclose(by_norm, 1) and min(by_value) < 0.95

# %% [markdown]
# ## One norm for everything, not "for each weight"
#
# A common description goes: *for each weight, if its gradient exceeds c, rescale it by $c /
# \lVert \nabla w \rVert$*. Read literally, that is neither of the two. Two experiments decide.
#
# First, a gradient of 100 components of 0.5 each. No single one exceeds 1, and still it is
# clipped: its norm is 5.

# %%
p = autograd.zeros(100, requires_grad=True)
p.grad = autograd.full((100,), 0.5)
before = nn.utils.clip_grad_norm_([p], 1.0)
print(f"norm before {before.item()}, component after {p.grad[0].item():.4f}")
assert before.item() == 5.0 and abs(p.grad[0].item() - 0.1) < 1e-6

# %% [markdown]
# Second, one component of 10 beside small ones. All of them shrink, not only the one that is
# large: it is one vector, with one factor.

# %%
p = autograd.zeros(4, requires_grad=True)
p.grad = autograd.tensor([10.0, 0.1, 0.1, 0.1])
nn.utils.clip_grad_norm_([p], 1.0)
print(p.grad.numpy().round(4))
assert abs(p.grad[1].item() - 0.01) < 1e-4

# %% [markdown]
# ## PyTorch's norm and Keras' `clipnorm` are two things
#
# PyTorch's function takes the norm over *all parameters it is given*. Keras' `clipnorm` looks at
# *each variable by itself*; the counterpart of PyTorch's is `global_clipnorm`. Below, two
# variables have the gradients $(3, 4)$ and $(0, 12)$, of norms 5 and 12, together 13; the limit
# is 1. SGD with a learning rate of 1 makes the step equal to the clipped gradient, so we can read
# it off.


# %%
def keras_step(**limit):
    """The gradients that Keras' SGD uses, laid out in one row."""
    variables = [keras.Variable(np.zeros(2, np.float32)) for _ in range(2)]
    optimizer = keras.optimizers.SGD(learning_rate=1.0, **limit)
    optimizer.apply([autograd.tensor([3.0, 4.0]), autograd.tensor([0.0, 12.0])], variables)
    return 0 - np.concatenate([v.numpy() for v in variables])


def torch_step():
    """The gradients that PyTorch's function leaves, laid out in one row."""
    a, b = (autograd.zeros(2, requires_grad=True) for _ in range(2))
    a.grad, b.grad = autograd.tensor([3.0, 4.0]), autograd.tensor([0.0, 12.0])
    nn.utils.clip_grad_norm_([a, b], 1.0)
    return np.concatenate([a.grad.numpy(), b.grad.numpy()])


rows = {
    "nn.utils.clip_grad_norm_(1.0)": torch_step(),
    "Keras global_clipnorm=1.0": keras_step(global_clipnorm=1.0),
    "Keras clipnorm=1.0": keras_step(clipnorm=1.0),
    "Keras clipvalue=1.0": keras_step(clipvalue=1.0),
}
for name, g in rows.items():
    angle = math.degrees(math.acos(min(1, cosine(g, np.array([3.0, 4, 0, 12])))))
    print(f"{name:31s} {g.round(3)}   norm {np.linalg.norm(g):.3f}   turned by {angle:.1f} degrees")
assert np.allclose(rows["nn.utils.clip_grad_norm_(1.0)"], np.array([3, 4, 0, 12]) / 13, atol=1e-5)
assert np.allclose(rows["Keras clipnorm=1.0"], [0.6, 0.8, 0, 1])

# %% [markdown]
# Per variable, both now have norm 1: that one was more than twice the other is forgotten, and the
# total is $\sqrt 2$, not 1. Neither way is wrong, but a limit tuned for one is not a limit for
# the other. With $n$ variables, `clipnorm=c` allows steps up to $c \sqrt n$.
#
# ## What clipping cannot do
#
# If the gradient already contains inf or NaN, no factor repairs it. With inf the norm is inf and
# the factor 0: the component itself becomes $\infty \cdot 0$, which is NaN, and all others 0.
# With NaN the factor is NaN, and so is everything after it. `error_if_nonfinite=True` turns this
# silent damage into an error, before anything is written.

# %%
p = autograd.zeros(2, requires_grad=True)
p.grad = autograd.tensor([math.inf, 1.0])
nn.utils.clip_grad_norm_([p], 1.0)
print("silently:", p.grad.tolist())
assert math.isnan(p.grad[0].item())

p.grad = autograd.tensor([math.inf, 1.0])
try:
    nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
except RuntimeError as error:
    print("with error_if_nonfinite:", str(error)[:72], "...")
assert p.grad[1].item() == 1.0  # untouched

# %% [markdown]
# ## Where it goes in the loop
#
# After `backward()`, which makes the gradients, and before `step()`, which uses them. Clip after
# `step()` and nothing happens; clip before `backward()` and there is nothing to clip. With a
# Keras optimizer it is part of `apply`, so it cannot be in the wrong place.
#
# A subtle point: **Adam divides by the size of the gradients it has seen**, so scaling them all
# by the same factor changes nothing. Clipping every step to the same norm hardly matters under
# Adam; cutting off a rare spike does. Below: one gradient in twenty is a hundred times too long.
# Watch how a single spike leaves the step tiny for a long time, because Adam's average of squares
# remembers it.


# %%
def adam_steps(limit, every=20, steps=80):
    """How far Adam moves a weight at each step, if each gradient is 1 and some are 100."""
    p = autograd.zeros(1, requires_grad=True)
    optimizer, moved = optim.Adam([p], lr=0.01), []
    for i in range(steps):
        p.grad = autograd.full((1,), 100.0 if i % every == every - 1 else 1.0)
        nn.utils.clip_grad_norm_([p], limit)
        start = p.item()
        optimizer.step()
        moved.append(start - p.item())
    return moved


fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for limit, label in ((math.inf, "not clipped"), (1.0, "max_norm=1"), (0.01, "max_norm=0.01")):
    style = {"lw": 4, "alpha": 0.4} if limit == 1 else {"lw": 1.5}
    ax.plot(adam_steps(limit), label=label, **style)
ax.set(xlabel="step", ylabel="length of Adam's step", ylim=(0, 0.014))
ax.legend(ncols=3, loc="upper left")
plt.show()
assert np.allclose(adam_steps(1.0), adam_steps(0.01), atol=1e-5)  # the limit itself is divided out

# %% [markdown]
# ## Exercise
#
# 1. A usable limit is a little above the typical norm: run `learn(math.inf)` with
#    `oversized(factor=1)`, look at the norms, and choose one that cuts the top 5 %.
# 2. Replace the clipping in `learn` by `clip_grad_value_(model.parameters(), 0.01)`. Does the net
#    survive? What is the longest possible step now, with 38,090 parameters?
# 3. `clip_grad_norm_` also takes `norm_type=math.inf`. What does it limit, and how does that
#    differ from clipping by value?
