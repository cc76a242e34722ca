# %% [markdown]
# # 5 · Losses
#
# A loss turns "how wrong is this?" into one number. Backpropagation then only ever sees its slope, so
# the slope is what to look at when choosing one. The heart of this notebook is a small miracle:
# softmax and cross-entropy together have the gradient $p - y$, and nothing could be simpler.

# %%
import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import nn.functional as F
import optim
from nn import plot
from nn.demo.data import spirals

# %% [markdown]
# ## Confidently wrong: the square against the logarithm
#
# A net answers with a logit $s$, the probability of "yes" is $p = \sigma(s)$, and the truth is *yes*.
# Two losses: the square $(p - 1)^2$ and the binary cross-entropy $-\log p$. Far to the left the net is
# as wrong as can be. Where should the slope be large?

# %%
s = autograd.linspace(-8, 8, 321, requires_grad=True)
yes = autograd.ones(321)
losses = {
    "square": (s.sigmoid() - yes) ** 2,
    "cross-entropy": F.binary_cross_entropy_with_logits(s, yes, reduction="none"),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
slopes = {}
for i, (name, loss) in enumerate(losses.items()):
    (slopes[name],) = autograd.grad(loss.sum(), s)
    left.plot(s.tolist(), loss.tolist(), color=plot.PALETTE[i], label=name)
    right.plot(s.tolist(), slopes[name].tolist(), color=plot.PALETTE[i], label=name)
left.set(title="loss, the truth is 1", xlabel="logit $s$")
right.set(title="slope: what the net learns from", xlabel="logit $s$")
left.legend(frameon=False)
for ax in (left, right):
    ax.grid(alpha=0.3)
plt.show()
print(
    f"slope at s = -8: square {slopes['square'][0]:.5f}, cross-entropy {slopes['cross-entropy'][0]:.5f}"
)

# %% [markdown]
# The square's slope dies on the left: $2 (p - y)\, p (1 - p)$ holds the sigmoid's derivative. In the
# cross-entropy the logarithm's $1/p$ cancels that factor, and $p - y$ is left:
#
# $$L = -y \log p - (1 - y) \log (1 - p), \qquad \frac{\partial L}{\partial s} = p - y$$

# %%
assert autograd.allclose(slopes["cross-entropy"], s.sigmoid() - yes, atol=1e-6)

# %% [markdown]
# ## Softmax: several classes
#
# For $k$ classes a net gives $k$ logits $z$, and the softmax makes probabilities of them:
#
# $$p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# Only differences of logits matter: adding the same number to all of them changes nothing. That is
# what makes it safe to compute. Subtract the largest first, and no exponential overflows.

# %%
logits = autograd.tensor([2.0, 1.0, -1.0])
print("p         ", F.softmax(logits, 0).tolist())
print("shifted   ", F.softmax(logits + 1000, 0).tolist())
with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp((logits + 1000).numpy())
    print("naive     ", (naive / naive.sum()).tolist())

# %% [markdown]
# ## The derivative of softmax is a matrix
#
# Some texts give the derivative as $p_i (1 - p_i)$, like the sigmoid's. Is it? Every output depends on
# **every** logit through the sum, so there are $k \times k$ derivatives. Turn each logit a little and
# look at all the outputs:

# %%
z = autograd.tensor([2.0, 1.0, -1.0], dtype=autograd.float64)
p = F.softmax(z, 0)
turned = autograd.stack(
    [(F.softmax(z + e, 0) - F.softmax(z - e, 0)) / 2e-6 for e in 1e-6 * autograd.eye(3).double()],
    dim=1,
)
exact = autograd.jacobian(lambda z: F.softmax(z, 0), z)
formula = autograd.diag(p) - autograd.outer(p, p)
print(
    "by turning the logits:",
    turned,
    "by the engine:",
    exact,
    "the short formula:",
    p * (1 - p),
    sep="\n",
)
assert autograd.allclose(turned, exact, atol=1e-8)
assert autograd.allclose(formula, exact)

# %% [markdown]
# The short formula is only the diagonal. The rest is not zero: raising one logit *takes* probability
# from the others. All together:
#
# $$\frac{\partial p_i}{\partial z_j} = p_i (\delta_{ij} - p_j)$$
#
# Every row sums to 0, because a shift of all logits changes nothing; every column too, because the
# probabilities keep summing to 1.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for ax, matrix, title in (
    (left, exact, "the derivative"),
    (right, autograd.diag(p * (1 - p)), "only $p_i (1 - p_i)$"),
):
    image = ax.imshow(matrix.numpy(), cmap="RdBu_r", vmin=-0.4, vmax=0.4)
    for i, j in np.ndindex(3, 3):
        ax.text(j, i, f"{matrix[i, j].item():.3f}", ha="center", va="center", color="black")
    ax.set(title=title, xlabel="logit $j$", ylabel="output $i$", xticks=range(3), yticks=range(3))
plt.show()
assert exact.sum(0).abs().max() < 1e-12
assert exact.sum(1).abs().max() < 1e-12

# %% [markdown]
# ## And with cross-entropy: $p - y$
#
# The cross-entropy of a truth $y$ (a 1 in the right class) is $L = -\sum_i y_i \log p_i$. Chain rule, through
# the whole matrix:
#
# $$\frac{\partial L}{\partial z_j} = -\sum_i \frac{y_i}{p_i}\, p_i (\delta_{ij} - p_j)
# = -y_j + p_j \sum_i y_i = p_j - y_j$$
#
# The $p_i$ cancel, and the $y_i$ sum to 1. No matrix is left, no division, no exponential: what the net
# said minus what was true. The engine's `cross_entropy` is one operation with this as its backward.

# %%
z = autograd.tensor([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]], requires_grad=True)
truth = autograd.tensor([2, 0])
F.cross_entropy(z, truth, reduction="sum").backward()
print("p - y      ", (F.softmax(z, 1) - F.one_hot(truth, 3)).tolist())
print("the engine ", z.grad.tolist())
assert autograd.allclose(z.grad, F.softmax(z, 1) - F.one_hot(truth, 3), atol=1e-6)

# %% [markdown]
# It holds for any $y$ that sums to 1, so also for label smoothing and for probabilities as targets.
#
# ## What the diagonal alone would do
#
# Put the short formula into a backward pass of our own and compare. The forward is right, so the loss
# is right; only the learning signal is wrong. With it the gradient is $-(1 - p_t)$ for the true class
# and **0 for all others**: no class is ever pushed down.


# %%
class DiagonalSoftmax(autograd.Function):
    """A softmax with the derivative p (1 - p) that some texts print."""

    @staticmethod
    def forward(ctx, z):
        p = F.softmax(z, 1)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, g):
        (p,) = ctx.saved_tensors
        return g * p * (1 - p)


def right_softmax(z):
    return F.softmax(z, 1)


data = spirals()
x, y = autograd.tensor(data.x), autograd.tensor(data.y)


def train(softmax, steps=600):
    autograd.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3)
    )
    optimizer, losses = optim.SGD(model.parameters(), lr=0.3, momentum=0.9), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.nll_loss(softmax(model(x)).log(), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


good, good_losses = train(right_softmax)
bad, bad_losses = train(DiagonalSoftmax.apply)
ax = plot.training_curves(
    {"whole derivative": good_losses, "only the diagonal": bad_losses}, log=True
)
ax.set(xlabel="step", ylabel="loss")
plt.show()

# %%
figure, row = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained")
for ax, model, name in zip(row, (good, bad), ("whole derivative", "only the diagonal")):
    right = (model(x).argmax(1) == y).float().mean().item()
    plot.decision_boundary(model, x, y, ax=ax)
    ax.set_title(f"{name}: {right:.1%} right")
plt.show()

# %% [markdown]
# Nothing is learned. Every step pushes the right class up and nothing down, so over the data set all
# logits rise together; and only their differences count. Yet no line of that code looks wrong, and the
# loss it prints is a true cross-entropy. `gradcheck` finds it at once:

# %%
try:
    autograd.gradcheck(
        DiagonalSoftmax.apply, autograd.randn(2, 3, dtype=autograd.float64, requires_grad=True)
    )
except autograd.GradcheckError as error:
    print(str(error)[:300])
else:
    raise AssertionError("gradcheck did not notice")

# %% [markdown]
# ## Give the loss logits, and give them once
#
# `CrossEntropyLoss` takes *logits*: the softmax is inside. Who puts a softmax in front applies it
# twice. Then the loss sees "logits" between 0 and 1, and can never get small, not even for a perfect
# answer: with $k$ classes not below $\log(1 + (k - 1)/e)$.

# %%
perfect = autograd.tensor([[50.0] + [0.0] * 9])
truth = autograd.tensor([0])
twice = F.cross_entropy(F.softmax(perfect, 1), truth).item()
print(f"once:  {F.cross_entropy(perfect, truth).item():.4f}")
print(f"twice: {twice:.4f}; the floor is log(1 + 9/e) = {np.log(1 + 9 / np.e):.4f}")
assert abs(twice - np.log(1 + 9 / np.e)) < 1e-4

# %% [markdown]
# The second reason to give logits is precision. At $s = -200$ float32 knows only $p = 0$, and
# $\log 0$ is $-\infty$. `BCELoss` then stops at 100, with a slope of 0; from the logit the answer is
# exact.

# %%
yes = autograd.ones(1)
for number in (-20.0, -200.0):
    s = autograd.tensor([number], requires_grad=True)
    by_logit = F.binary_cross_entropy_with_logits(s, yes)
    by_probability = F.binary_cross_entropy(s.sigmoid(), yes)
    slopes = [autograd.grad(loss, s)[0].item() for loss in (by_logit, by_probability)]
    print(f"s = {number}: from the logit {by_logit.item():.2f}, slope {slopes[0]:.2f};", end=" ")
    print(f"from p {by_probability.item():.2f}, slope {slopes[1]:.2f}")

# %% [markdown]
# ## Numbers instead of classes: mean, median, and between
#
# For regression, the square (`MSELoss`) is pulled to the *mean* of what it sees, the absolute value
# (`L1Loss`) to the *median*, Huber's to something between: a square near 0, straight further out. Let
# a single number fit six measurements, one of them spoilt.

# %%
measured = autograd.tensor([1.0, 1.2, 0.9, 1.1, 1.0, 9.0])


def best_constant(loss_fn):
    guess = autograd.zeros(1, requires_grad=True)
    optimizer = optim.Adam([guess], lr=0.05)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.995)
    for _ in range(1500):
        optimizer.zero_grad()
        loss_fn(guess.expand(6), measured).backward()
        optimizer.step()
        schedule.step()
    return guess.item()


fits = {
    name: best_constant(f)
    for name, f in (("MSE", F.mse_loss), ("L1", F.l1_loss), ("Huber", F.huber_loss))
}
print({name: round(fit, 3) for name, fit in fits.items()})
print(
    "mean", round(measured.mean().item(), 3), "median", round(float(np.median(measured.numpy())), 3)
)
assert abs(fits["MSE"] - measured.mean().item()) < 0.01
assert 1.0 <= round(fits["L1"], 2) <= 1.1

# %% [markdown]
# ## Sum or mean?
#
# Formulas are printed with $\frac1m$ and without, sometimes both on one page. It matters for the size
# of a step: with `reduction="sum"` the gradient grows with the batch, with `"mean"` (the default, here
# and in PyTorch and Keras) it does not, and the learning rate need not change with the batch size.

# %%
for size in (10, 100):
    logits = autograd.zeros(size, 3, requires_grad=True)
    labels = autograd.arange(size) % 3
    norms = []
    for reduction in ("sum", "mean"):
        (g,) = autograd.grad(F.cross_entropy(logits, labels, reduction=reduction), logits)
        norms.append(g.abs().sum().item())
    print(f"batch {size:3}: |gradient| with sum {norms[0]:6.2f}, with mean {norms[1]:.2f}")

# %% [markdown]
# ## Try it
#
# 1. Show that for two classes softmax is a sigmoid of the *difference* of the logits. Check it.
# 2. With label smoothing $\varepsilon$, which logits give the smallest loss? Is it still "infinitely sure"?
#    Train on one point with `label_smoothing=0.1` and compare with your formula.
# 3. How far down can the doubled softmax go for two classes? For 1000?
