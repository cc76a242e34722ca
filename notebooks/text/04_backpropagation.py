# %% [markdown]
# # 4 · Backpropagation
#
# Training asks one question again and again: if I turn *this* weight a little, how much does the loss
# change? Backpropagation answers it for all weights at once, with the chain rule and nothing else. Here
# we do it by hand on a net small enough to see every number, draw it, let the engine write it down,
# and check everything by turning the weights for real.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import nn.functional as F
from nn import plot

# %% [markdown]
# ## A net of one hidden unit
#
# One input, one hidden unit, one output, and the square of the error:
#
# $$z = w_1 x + b_1, \quad h = \tanh z, \quad s = w_2 h + b_2, \quad p = \sigma(s), \quad L = (p - y)^2$$


# %%
def value(number):
    return autograd.tensor(number, dtype=autograd.float64, requires_grad=True)


x, y = autograd.tensor(2.0).double(), autograd.tensor(1.0).double()
w1, b1, w2, b2 = value(0.5), value(-0.3), value(-1.0), value(0.2)


def forward(w1, b1, w2, b2):
    z = w1 * x + b1
    h = z.tanh()
    s = w2 * h + b2
    p = s.sigmoid()
    return (p - y) ** 2, z, h, s, p


with autograd.remember() as seen:  # a graph keeps only what backward needs; pictures want more
    loss, z, h, s, p = forward(w1, b1, w2, b2)
for name, number in dict(z=z, h=h, s=s, p=p, L=loss).items():
    print(f"{name} = {number.item():8.5f}")

# %% [markdown]
# ## The chain rule, with its numbers
#
# How does $L$ depend on $w_1$? Through $z$, then $h$, $s$, $p$. Each step has a simple slope of its own:
#
# $$\frac{\partial L}{\partial w_1} = \underbrace{2(p - y)}_{\partial L/\partial p}\;
# \underbrace{p(1 - p)}_{\partial p/\partial s}\; \underbrace{w_2}_{\partial s/\partial h}\;
# \underbrace{(1 - h^2)}_{\partial h/\partial z}\; \underbrace{x}_{\partial z/\partial w_1}$$
#
# Multiply from the left: what has been multiplied so far is always "the slope of $L$ along
# something", and that is what backpropagation carries from node to node.

# %%
steps = [
    ("dL/dp", 2 * (p - y)),
    ("dp/ds", p * (1 - p)),
    ("ds/dh", w2),
    ("dh/dz", 1 - h**2),
    ("dz/dw1", x),
]
slope = 1.0
print("local slope         product so far")
for name, local in steps:
    slope *= local.item()
    print(f"{name:6} = {local.item():8.5f}   {slope:9.6f}")

# %% [markdown]
# ## The engine does the same
#
# While the forward pass ran, every operation left a node in a graph. `backward()` walks it from the
# loss to the leaves, and multiplies in each node by that node's own slope.

# %%
loss.backward(retain_graph=True)
print(f"by hand       {slope:.12f}")
print(f"by the engine {w1.grad.item():.12f}")
assert abs(slope - w1.grad.item()) < 1e-15

# %% [markdown]
# This is the graph, with the value and the gradient in every box. Read the values from the leaves to
# the loss, then the gradients back. Hover over a box for its formula.

# %%
names = dict(x=x, y=y, w1=w1, b1=b1, w2=w2, b2=b2, z=z, h=h, s=s, p=p)
autograd.draw(loss, names=names, seen=seen, grads="all", theme="light")

# %% [markdown]
# And the whole chain rule, written out by the engine with the formulas of its op table and with the
# numbers of this very pass. Each line uses the one before it: nothing is worked out twice.

# %%
autograd.explain(loss, numbers=True, names=names, seen=seen)

# %% [markdown]
# `autograd.stepper(loss).save("steps.html")` writes the same as a page to click through.
#
# ## Do not believe it: turn the weights
#
# The definition of a derivative needs no chain rule. Move one weight by $\pm\varepsilon$ and look at the
# loss: the *central difference* $\frac{L(w + \varepsilon) - L(w - \varepsilon)}{2 \varepsilon}$.

# %%
weights = dict(w1=w1, b1=b1, w2=w2, b2=b2)


def turned(name, by):
    with autograd.no_grad():
        return forward(**{n: w + by * (n == name) for n, w in weights.items()})[0].item()


for name, w in weights.items():
    difference = (turned(name, 1e-5) - turned(name, -1e-5)) / 2e-5
    print(f"dL/d{name}: backward {w.grad.item():+.10f}   difference {difference:+.10f}")
    assert abs(difference - w.grad.item()) < 1e-9

# %% [markdown]
# How small should $\varepsilon$ be? Large, and the curve bends between the two points (an error of
# $\varepsilon^2$). Tiny, and the two losses agree in almost all of their digits, which the subtraction
# cancels (an error of $10^{-16} / \varepsilon$). The best is near the cube root of the precision:
# about $10^{-5}$ in float64. In float32 the best you can get is far worse, which is why gradients are
# checked in float64.

# %%
sizes = np.logspace(-12, 0, 49)


def error(eps, dtype):
    w = {n: v.detach().to(dtype) for n, v in weights.items()}
    eps = autograd.tensor(eps, dtype=dtype)

    def at(sign):
        z = (w["w1"] + sign * eps) * x.to(dtype) + w["b1"]
        return ((w["w2"] * z.tanh() + w["b2"]).sigmoid() - y.to(dtype)) ** 2

    return abs(((at(1) - at(-1)) / (2 * eps)).item() - w1.grad.item())


figure, ax = plt.subplots(figsize=(6.2, 3.4), layout="constrained")
for i, dtype in enumerate((autograd.float64, autograd.float32)):
    errors = [max(error(e, dtype), 1e-17) for e in sizes]
    ax.loglog(sizes, errors, ".-", color=plot.PALETTE[i], label=str(dtype))
ax.set(xlabel=r"$\varepsilon$", ylabel="error of the difference")
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# `autograd.gradcheck` does this for any function, in every direction.

# %%
print(autograd.gradcheck(lambda *w: forward(*w)[0], tuple(weights.values())))

# %% [markdown]
# ## Two paths: add them
#
# If a value is used twice, the loss depends on it in two ways, and the slopes add up. Below, $a$
# goes into both factors of $u = a \cdot (a + 3)$: one path gives $a + 3$, the other gives $a$.

# %%
a = value(2.0)
u = a * (a + 3)
u.backward(retain_graph=True)
print("du/da =", a.grad.item(), "= (a + 3) + a =", 2 * 2 + 3)
assert a.grad.item() == 7
autograd.draw(u, names={"a": a}, grads="all", theme="light")

# %% [markdown]
# This is also why gradients *accumulate* in `.grad`: a second `backward()` is one more path. A
# training loop has to clear them (`optimizer.zero_grad()`).

# %%
u.backward()
print("after a second backward:", a.grad.item())
assert a.grad.item() == 14

# %% [markdown]
# ## From numbers to layers
#
# In a layer, $Z = X W^\top + b$, the same rule has three results. With $G = \partial L / \partial Z$, one
# row per example:
#
# $$\frac{\partial L}{\partial W} = G^\top X, \qquad \frac{\partial L}{\partial b} = \sum_{\text{rows}} G, \qquad
# \frac{\partial L}{\partial X} = G\, W$$
#
# The first two are for the optimizer, the third goes on to the layer below. Shapes tell you which
# way round: each gradient has the shape of its own matrix. Here is a whole two-layer net backwards,
# by hand, in NumPy.

# %%
autograd.manual_seed(0)
X, target = autograd.randn(5, 3), autograd.randn(5, 1)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
loss = F.mse_loss(model(X), target)
loss.backward()

# %%
W1, c1, W2, c2 = (q.detach().numpy() for q in model.parameters())
inputs, wanted = X.numpy(), target.numpy()
H = np.tanh(inputs @ W1.T + c1)
out = H @ W2.T + c2

G2 = 2 * (out - wanted) / wanted.size  # dL/d out: the mean of squares
G1 = (G2 @ W2) * (1 - H**2)  # through the second layer, then through tanh
by_hand = [G1.T @ inputs, G1.sum(0), G2.T @ H, G2.sum(0)]
for (name, q), hand in zip(model.named_parameters(), by_hand):
    print(f"{name:9}{q.shape!s:8} largest difference {abs(q.grad.numpy() - hand).max():.1e}")
    np.testing.assert_allclose(q.grad.numpy(), hand, atol=1e-6)

# %% [markdown]
# The graph of this net, framed by its modules. (The engine runs a small linear layer and the tanh
# behind it as one operation, so they share a box.)

# %%
autograd.draw(F.mse_loss(model(X), target), model=model, grads="all", theme="light")

# %% [markdown]
# ## Why backwards?
#
# Turning every weight needs two forward passes *per weight*. Going backwards needs about as much work
# as two more forward passes, **whatever the number of weights**, for there is one loss: the products
# of the chain are worked out from the loss's end, where they are small.

# %%
for sizes in ([3, 4, 1], [64, 32, 10], [784, 512, 256, 10]):
    count = sum(i * o + o for i, o in pairwise(sizes))
    name = "-".join(map(str, sizes))
    print(f"{name:15} {count:7} weights: {2 * count:7} forward passes, or 1 backward")

# %% [markdown]
# ## Try it
#
# 1. Set $w_2 = 0$ and run the notebook again. Which gradients become 0, and which do not? Find the
#    reason in the product, then in the picture.
# 2. Start with $b_2 = 20$. The answer $p$ is all but 1. What are the gradients, and which factor is to
#    blame? Repeat with $y = 0$: the net is completely wrong; does it learn? (Notebook 5 repairs that.)
# 3. Write the backward pass of a three-layer net in NumPy. How many new lines does it take?
