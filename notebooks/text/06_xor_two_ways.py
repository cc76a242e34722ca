# %% [markdown]
# # 6 · XOR, the PyTorch way and the Keras way
#
# Two styles of writing the same thing. PyTorch hands you the parts, and you write the loop. Keras takes
# the model, the loss and the optimizer, and runs the loop for you. This project has both faces over one
# engine, so here they stand side by side on the four points of XOR, and at the end they are made to
# agree to seven digits.

# %% [markdown]
# ## The PyTorch way
#
# A script written for PyTorch moves over by its import lines; from there on it is the same script.

# %%
import matplotlib.pyplot as plt
import numpy as np

import autograd as torch
import nn
import optim
from nn import keras, plot

X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])


class Xor(nn.Module):
    def __init__(self, units=8):
        super().__init__()
        self.hidden = nn.Linear(2, units)
        self.out = nn.Linear(units, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))  # a logit: the loss holds the sigmoid


# %%
torch.manual_seed(0)
net = Xor()
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(net.parameters(), lr=0.05)

losses, states = [], []
for epoch in range(200):
    if epoch < 100 and epoch % 5 == 0:
        states.append(plot.snapshot(net))
    optimizer.zero_grad()
    loss = criterion(net(X), Y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
states.append(plot.snapshot(net))

print(f"loss {losses[-1]:.4f}, answers {(net(X) > 0).int().squeeze().tolist()}")
assert (net(X) > 0).int().squeeze().tolist() == [0, 1, 1, 0]

# %% [markdown]
# Five lines make the loop: clear the gradients, forward, backward, update, write down. Whatever you
# want to do differently, you do right there.
#
# ## The Keras way
#
# Describe, compile, fit. `plot.LiveCurves` is a callback: it redraws the curves while `fit` runs.

# %%
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.layers.Input((2,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.05),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
model.summary()

# %%
history = model.fit(X.numpy(), Y.numpy(), epochs=200, verbose=0, callbacks=[plot.LiveCurves()])

# %%
loss, accuracy = model.evaluate(X.numpy(), Y.numpy(), verbose=0)
print(f"loss {loss:.4f}, accuracy {accuracy:.0%}")
print(model.predict(X.numpy(), verbose=0).round(2).ravel())
assert accuracy == 1

# %% [markdown]
# ## What they learned
#
# Two starts, two solutions. Both have to put the corners $(0, 1)$ and $(1, 0)$ on one side; how they do
# it depends on the random weights they began with.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8), layout="constrained")
plot.decision_boundary(net, X, Y, ax=left)
left.set_title("PyTorch way (logits)")
plot.decision_boundary(model, X, Y, ax=right)
right.set_title("Keras way (probabilities)")
plt.show()

# %%
titles = [f"epoch {5 * i}" for i in range(20)] + ["epoch 200"]
film = plot.animate_boundary(net, states, X, Y, titles=titles, threshold=0, resolution=60)
plot.Gif(film, fps=4, dpi=60)

# %% [markdown]
# ## Same names, different numbers
#
# | | PyTorch | Keras |
# |---|---|---|
# | weight of a layer | `weight`, shape (out, in) | `kernel`, shape (in, out) |
# | first weights | $U(\pm 1/\sqrt{n_{\text{in}}})$, the bias too | Glorot uniform, bias 0 |
# | Adam's $\varepsilon$ | $10^{-8}$, after the bias correction | $10^{-7}$, before it |
# | default batch | all that you pass | 32, shuffled |
# | loss over an epoch | what you write down | mean over the batches, while the weights move |
#
# So two runs with "the same" settings differ. To compare them properly, start from the same weights:
# mind the transpose.

# %%
torch.manual_seed(3)
net = Xor()
W1, b1, W2, b2 = (p.detach().numpy() for p in net.parameters())
model.set_weights([W1.T, b1, W2.T, b2])

with torch.no_grad():
    ours = net(X).sigmoid().numpy()
theirs = model.predict(X.numpy(), verbose=0)
print("before training:", abs(ours - theirs).max())
np.testing.assert_allclose(ours, theirs, atol=1e-6)

# %% [markdown]
# Now train both with plain gradient descent, which is the same formula on both sides, and then with
# Adam, where only $\varepsilon$ differs. The net's loss works on the logit; so does Keras' when it is told
# `from_logits=True`. The lines in the picture lie on top of each other.


# %%
def torch_way(make_optimizer, epochs=150):
    torch.manual_seed(3)
    net, losses = Xor(), []
    optimizer = make_optimizer(net.parameters())
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = criterion(net(X), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def keras_way(optimizer, epochs=150):
    Dense = keras.layers.Dense
    twin = keras.Sequential([keras.layers.Input((2,)), Dense(8, activation="relu"), Dense(1)])
    twin.set_weights([W1.T, b1, W2.T, b2])
    twin.compile(optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return twin.fit(X.numpy(), Y.numpy(), epochs=epochs, verbose=0).history["loss"]


pairs = {
    "SGD": (torch_way(lambda p: optim.SGD(p, lr=0.5)), keras_way(keras.optimizers.SGD(0.5))),
    "Adam": (torch_way(lambda p: optim.Adam(p, lr=0.05)), keras_way(keras.optimizers.Adam(0.05))),
}
figure, row = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, (name, (first, second)) in zip(row, pairs.items()):
    ax.plot(first, color=plot.PALETTE[0], linewidth=5, alpha=0.5, label="PyTorch way")
    ax.plot(second, color=plot.PALETTE[1], label="Keras way")
    ax.set(title=name, xlabel="epoch", ylabel="loss")
    ax.legend(frameon=False)
    gap = np.abs(np.subtract(first, second)).max()
    print(f"{name:5} largest difference in 150 epochs: {gap:.1e}")
    assert gap < 1e-3
plt.show()

# %% [markdown]
# ## The ground they walk on
#
# The loss around the solution of the first run, along two random directions. `loss_landscape` scales
# each direction to the length of each unit's weights, so that valleys of different nets can be
# compared.

# %%
net.load_state_dict(states[-1])
plot.loss_landscape(net, criterion, X, Y, span=1.5, points=31)
plt.show()

# %% [markdown]
# ## Does it always work?
#
# XOR is small, not easy. With few hidden ReLUs a start can be so unlucky that units die, or that two
# corners are never told apart. Twenty seeds for each width:

# %%
for units in (2, 3, 4, 8):
    solved = 0
    for seed in range(20):
        torch.manual_seed(seed)
        net = Xor(units)
        optimizer = optim.Adam(net.parameters(), lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            criterion(net(X), Y).backward()
            optimizer.step()
        solved += (net(X) > 0).int().squeeze().tolist() == [0, 1, 1, 0]
    print(f"{units} hidden units: {solved:2} of 20 starts solve XOR")
assert solved >= 18

# %% [markdown]
# A wider layer than necessary makes the search easy, although two units would be enough to *express*
# XOR.
#
# ## Try it
#
# 1. Replace the ReLU by `torch.tanh` and count again. Which widths gain?
# 2. Decorate the body of the loop with `@torch.compile` (a function `step(X, Y)` that returns the
#    loss). The losses stay the same to the last bit; what changes is in notebook 12.
# 3. Write the Keras model with a `Dense(1)` and no sigmoid, and *forget* `from_logits=True`. What does
#    the loss do, and why is there no error?
