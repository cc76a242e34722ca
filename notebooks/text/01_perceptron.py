# %% [markdown]
# # 1 · The perceptron
#
# The oldest learning machine with a proof (Rosenblatt, 1958). It draws one straight line, and moves
# it whenever it makes a mistake. This notebook shows the rule, watches the line move, checks the
# theorem that says when it stops, and finds the one small table that no line can learn.

# %%
import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
from nn import plot

# %% [markdown]
# ## A line that answers
#
# A perceptron adds up its inputs with weights, and answers by the sign of the sum:
#
# $$z = w \cdot x + b, \qquad \hat y = \begin{cases} +1 & z > 0 \\ -1 & \text{otherwise} \end{cases}$$
#
# Where $z = 0$ runs the line between the two answers. The vector $w$ is at a right angle to it and
# points to the side of $+1$; the bias $b$ moves the line away from the origin. Below, $w = (1, 2)$ and
# $b = -1$ are chosen by hand.

# %%
model = nn.Perceptron(2)
model.weight.copy_(autograd.tensor([1.0, 2.0]))
model.bias.fill_(-1.0)

corners = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
print("z      ", (corners.double() @ model.weight + model.bias).tolist())
print("answers", model(corners).tolist())

# %%
ax = plot.decision_boundary(model, corners, [0, 1, 0, 1])
ax.annotate("", xy=(0.5 + 0.2, 0.25 + 0.4), xytext=(0.5, 0.25), arrowprops={"arrowstyle": "->"})
ax.text(0.72, 0.6, "w")
ax.set_aspect("equal")
plt.show()

# %% [markdown]
# The corner $(1, 0)$ lies exactly on the line: $z = 0$, and the answer is $-1$ by convention.
#
# ## The rule: learn from mistakes only
#
# With labels $y \in \{-1, +1\}$, a point is wrong when $y\,z \le 0$. Then, and only then:
#
# $$w \leftarrow w + \alpha\, y\, x, \qquad b \leftarrow b + \alpha\, y$$
#
# The bias learns too: it is the weight of an input that is always 1. One update raises $y z$ at that
# point by $\alpha (|x|^2 + 1)$, so the line moves towards getting it right, and perhaps gets another
# point wrong on the way.


# %%
def learn(model, x, y, epochs=20, rate=1.0):
    """Rosenblatt's rule for labels -1 and +1; the states after each update, and what changed it."""
    states, notes = [plot.snapshot(model)], ["start"]
    for epoch in range(epochs):
        mistakes = 0
        for point, label in zip(x.double(), y.double()):
            z = point @ model.weight + model.bias
            if (label * z).item() <= 0:
                model.weight += rate * label * point
                model.bias += rate * label
                mistakes += 1
                states.append(plot.snapshot(model))
                notes.append(f"epoch {epoch + 1}: {point.tolist()} was wrong")
        if mistakes == 0:
            break
    return states, notes


AND = autograd.tensor([-1, -1, -1, 1])
model = nn.Perceptron(2)
states, notes = learn(model, corners, AND)
for state, note in zip(states, notes):
    print(f"w = {state['weight'].tolist()!s:13} b = {state['bias'].item():4.0f}   {note}")
print("answers", model(corners).tolist())
assert model(corners).tolist() == AND.tolist()

# %% [markdown]
# Read the table from top to bottom: every row repairs one point. Here are a few of those lines, and
# the last one leaves $(1, 1)$ alone on its side. That is AND.

# %%
shown = [1, 3, 6, len(states) - 1]
figure, row = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
for ax, i in zip(row, shown):
    model.load_state_dict(states[i])
    plot.decision_boundary(model, corners, AND, threshold=0, ax=ax)
    ax.set_title(f"after {i} updates")
plt.show()

# %% [markdown]
# ## The line moves
#
# Two flat clouds of 30 points each, one above the other, with little room between them. Each frame
# is one update. Watch how a single mistake can swing the whole line.

# %%
rng = np.random.default_rng(0)
upper, lower = (
    rng.normal((0.6, 2.6), (1.1, 0.35), (30, 2)),
    rng.normal((1.4, 1), (1.1, 0.35), (30, 2)),
)
order = rng.permutation(60)
clouds = autograd.tensor(np.vstack([upper, lower])[order])
sides = autograd.tensor(np.repeat([-1, 1], 30)[order])

model = nn.Perceptron(2)
states, notes = learn(model, clouds, sides)
titles = [f"{i} updates" for i in range(len(states))]
film = plot.animate_boundary(model, states, clouds, sides, titles=titles, threshold=0)
plot.Gif(film, fps=3)

# %% [markdown]
# ## It stops, and there is a bound on when
#
# **Theorem** (Novikoff, 1962). If some line separates the classes, the rule makes at most
# $(R / \gamma)^2$ updates, where $R$ is the length of the longest input (with its 1 for the bias) and
# $\gamma$ the margin, the distance of the nearest point from a separating line.
#
# So it is not the number of points that makes a problem hard but the gap between the classes. We
# put 100 points on both sides of a line, closer and closer to it, and count the updates. Here the
# separating line is known, $w = (0.8, 0.6)$, $b = -0.5$, and so is the bound.

# %%
gaps, updates, bounds = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02], [], []
for gap in gaps:
    side = rng.choice([-1, 1], 100)
    across = 0.5 + side * rng.uniform(gap / 2, gap, 100)
    points = across[:, None] * [0.8, 0.6] + rng.uniform(-1, 1, (100, 1)) * [-0.6, 0.8]
    fit = nn.Perceptron(2).fit(points, side)
    longest = np.sqrt((points**2).sum(1).max() + 1)
    margin = (gap / 2) / np.sqrt(1 + 0.5**2)  # (w, b) has length sqrt(1 + 0.5^2)
    updates.append(fit.updates)
    bounds.append((longest / margin) ** 2)
    assert fit.converged and updates[-1] <= bounds[-1]

figure, ax = plt.subplots(figsize=(5.6, 3.4), layout="constrained")
ax.loglog(gaps, bounds, "--", color=plot.PALETTE[7], label="Novikoff's bound")
ax.loglog(gaps, updates, "o-", color=plot.PALETTE[0], label="updates made")
ax.set_xlabel("gap between the classes")
ax.set_ylabel("updates")
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Both lines rise as the gap closes, and the count stays well under the bound. Half the gap allows four
# times as many updates.
#
# ## AND, OR, and the one that fails
#
# Sixteen tables can be written for two bits. A line can draw fourteen of them.

# %%
tables = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NAND": [1, 1, 1, 0], "XOR": [0, 1, 1, 0]}
figure, row = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
for ax, (name, table) in zip(row, tables.items()):
    model = nn.Perceptron(2)
    fit = model.fit(corners, table)
    print(f"{name:5}{fit}")
    plot.decision_boundary(model, corners, table, threshold=0.5, ax=ax)
    right = sum(a == b for a, b in zip(model(corners).tolist(), table))
    ax.set_title(f"{name}: {right} of 4 right")
plt.show()

# %%
learned = 0
for number in range(16):
    table = [number >> bit & 1 for bit in range(4)]
    learned += nn.Perceptron(2).fit(corners, table).converged
print(f"{learned} of 16 tables are learned")
assert learned == 14

# %% [markdown]
# Why not XOR? Write down what the line would have to do at the four corners:
#
# | corner | XOR | so |
# |---|---|---|
# | (0, 0) | 0 | $b \le 0$ |
# | (0, 1) | 1 | $w_2 + b > 0$ |
# | (1, 0) | 1 | $w_1 + b > 0$ |
# | (1, 1) | 0 | $w_1 + w_2 + b \le 0$ |
#
# Add the two middle rows: $w_1 + w_2 + 2b > 0$. Add the outer rows: $w_1 + w_2 + 2b \le 0$. Both cannot
# hold, so there is no such line, and no training will find one. The perceptron does not settle on a
# compromise either: its weights come back to where they were and the circle starts again.

# %%
model = nn.Perceptron(2)
XOR = autograd.tensor([-1, 1, 1, -1])
states, notes = learn(model, corners, XOR, epochs=6)
path = [(*s["weight"].tolist(), s["bias"].item()) for s in states]
print("\n".join(f"update {i:2}: w1, w2, b = {p}" for i, p in enumerate(path[:12])))
first = next(i for i, p in enumerate(path) if p in path[:i])
print(f"the weights of update {first} were there before, at update {path.index(path[first])}")

# %% [markdown]
# ## Two details that texts get wrong
#
# **Labels and answers must speak the same language.** One often sees the update
# $w \leftarrow w + \alpha (y - \hat y)\,x$ together with $\hat y = \operatorname{sign}(z)$. That is right for labels in
# $\{-1, +1\}$ (the step is then $\pm 2 \alpha x$). With labels 0 and 1, $\hat y = -1$ never equals a label 0,
# so a point that is perfectly right still counts as wrong. With 0/1 labels the *step function* is
# meant: $\hat y = [z > 0]$. **And the bias needs its update**: without it every line passes the origin.


# %%
def epochs_until_right(answer, labels, with_bias=True, most=100):
    """Epochs of w += (y - answer(z)) x until one has no mistake; None after `most`."""
    w, b = np.zeros(2), 0.0
    for epoch in range(most):
        errors = 0
        for point, label in zip(corners.numpy(), labels):
            error = label - answer(w @ point + b)
            w, b = w + error * point, b + error * with_bias
            errors += error != 0
        if errors == 0:
            return epoch + 1
    return None


def step(z):
    return int(z > 0)


found = {
    "sign, labels -1/+1": epochs_until_right(np.sign, [-1, -1, -1, 1]),
    "step, labels 0/1": epochs_until_right(step, [0, 0, 0, 1]),
    "sign, labels 0/1": epochs_until_right(np.sign, [0, 0, 0, 1]),
    "step, labels 0/1, no bias": epochs_until_right(step, [0, 1, 1, 1], with_bias=False),
    "step, labels 1/0 (NAND), no bias": epochs_until_right(step, [1, 1, 1, 0], with_bias=False),
}
for case, epochs in found.items():
    print(f"{case:34}", f"right after {epochs} epochs" if epochs else "never")
assert found["sign, labels 0/1"] is None
assert found["step, labels 1/0 (NAND), no bias"] is None

# %% [markdown]
# OR happens to work without a bias, for its only 0 sits in the origin. NAND wants a 1 there, where
# $w \cdot x$ is 0 whatever the weights are.
#
# ## The way out
#
# XOR is "OR, but not AND". Two perceptrons can answer those two questions, and a third one can put
# their answers together:

# %%
hidden = [nn.Perceptron(2), nn.Perceptron(2)]
hidden[0].fit(corners, tables["OR"])
hidden[1].fit(corners, tables["AND"])
answers = autograd.stack([unit(corners) for unit in hidden], dim=1)
print("OR and AND of each corner:", answers.tolist())

top = nn.Perceptron(2)
print("the third:", top.fit(answers.double(), tables["XOR"]))
print("XOR:", top(answers).tolist())
assert top(answers).tolist() == tables["XOR"]

# %% [markdown]
# That is a network with a hidden layer. But we had to *tell* the hidden units what to learn: the
# rule needs the right answer for each unit, and nobody knows it for units in the middle. Gradients
# will do that: the next notebooks.
#
# ## Try it
#
# 1. Change the rate $\alpha$ from 1 to 0.01 in the AND table, starting from zero weights. The number of
#    updates stays the same. Why? (What does $\alpha$ do to the sign of $z$?)
# 2. Move one point of the left cloud into the right one. Does `learn` stop? What does
#    `nn.Perceptron.fit` say?
# 3. Which is the second table of two bits that no line can draw?
