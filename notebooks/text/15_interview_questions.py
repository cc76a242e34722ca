# %% [markdown]
# # 15 · Interview questions, answered and proved
#
# Seventeen questions that are asked about training neural networks. Each gets an answer that you
# could give in a minute, and then a cell that *proves* it: an experiment that ends in an
# `assert`. If an answer were wrong, this notebook would not run. Some usual answers did not
# survive this, and it says so.

# %%
import math
from itertools import pairwise

import numpy as np

import autograd
import nn
import optim
from nn import keras
from nn.demo.data import digits
from optim import lr_scheduler

data = digits()
X_TEST, Y_TEST = autograd.tensor(data.x_test), data.y_test


def net(*sizes, act=nn.ReLU, before=()):
    """Linear layers of these sizes; after each but the last `before`'s modules and `act`."""
    layers = []
    for n, m in pairwise(sizes[:-1]):
        layers += [nn.Linear(n, m), *[make(m) for make in before], act()]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def train(model, x, y, optimizer, steps, batch=32, each=lambda: None):
    """Cross-entropy on random batches: the losses."""
    x, y, criterion = autograd.tensor(x), autograd.tensor(y), nn.CrossEntropyLoss()

    @autograd.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    rng, losses = np.random.default_rng(0), []
    model.train()
    for _ in range(steps):
        pick = autograd.tensor(rng.integers(0, len(x), batch))
        losses.append(step(x[pick], y[pick]).item())
        each()
    return np.array(losses)


def accuracy(model, x=X_TEST, y=Y_TEST):
    """Share of right answers, in evaluation mode."""
    model.eval()
    with autograd.no_grad():
        return float((model(x).numpy().argmax(1) == np.asarray(y)).mean())


# %% [markdown]
# # Dropout
#
# ## 1. Why does dropout help against overfitting?
#
# Because no unit can rely on a particular other one being there. What the network knows must be
# spread over many units, redundantly; equivalently, training averages over a huge number of
# thinned networks that share weights.
#
# *Proof.* Train two equal networks, one with dropout, on few examples. Then destroy half of the
# hidden units of both, at random, many times. If knowledge is redundant, the damage is smaller.


# %%
def survives(rate):
    """Accuracy before, and on average after losing half of the hidden units."""
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Dropout(rate), nn.Linear(100, 10))
    train(model, data.x[:300], data.y[:300], optim.Adam(model.parameters(), lr=3e-3), 1500)
    whole, rng, after = accuracy(model), np.random.default_rng(1), []
    weight = model[3].weight.detach().numpy().copy()
    for _ in range(50):
        kept = rng.permutation(100) < 50
        with autograd.no_grad():
            model[3].weight.copy_(autograd.tensor(weight * kept * 2.0, dtype=autograd.float32))
        after.append(accuracy(model))
    return whole, float(np.mean(after))


without, with_dropout = survives(0.0), survives(0.5)
print("without dropout: {:.3f}, after losing half of the units {:.3f}".format(*without))
print("with dropout:    {:.3f}, after losing half of the units {:.3f}".format(*with_dropout))
assert with_dropout[0] - with_dropout[1] < 0.7 * (without[0] - without[1])

# %% [markdown]
# Look at the first column too: here, on clean digits and few of them, dropout did not raise the
# test accuracy. Redundancy is what it gives for certain; whether that pays depends on how much
# there is to overfit.

# %% [markdown]
# ## 2. What does dropout do in training, and at inference?
#
# In training each unit is zeroed with probability $p$, anew at every call, **and the others are
# multiplied by $1/(1-p)$** so that the expected value stays. At inference it does nothing at all.
# This is *inverted* dropout, which both frameworks use. The answer "at inference outputs are
# scaled by $1-p$" describes the original paper (2014), not the code you run.

# %%
autograd.manual_seed(0)
for layer in (nn.Dropout(0.3), keras.layers.Dropout(0.3, seed=0)):
    ones = autograd.ones(100_000)
    out = layer(ones) if isinstance(layer, nn.Dropout) else layer(ones, training=True)
    values = np.unique(out.numpy())
    assert np.allclose(values, [0, 1 / 0.7]) and abs(out.mean().item() - 1) < 0.01
    quiet = layer.eval()(ones) if isinstance(layer, nn.Dropout) else layer(ones, training=False)
    assert (quiet.numpy() == 1).all()
    print(f"training: values {values.round(4)}, mean {out.mean().item():.3f};  inference: all 1")

# %% [markdown]
# # Batch normalisation
#
# ## 3. Why does batch normalisation improve training?
#
# What can be shown: it makes a layer's output independent of the scale of its weights, so a large
# step does not derail the layers behind it and much larger learning rates work. The often quoted
# reason, "it reduces internal covariate shift", was the original paper's (2015); experiments
# since then (Santurkar and others, 2018) found that the shift is not reduced in general, and that
# the benefit is there even when one adds shift on purpose. Say it as history, not as fact.
#
# *Proof*, in two parts. (a) Ten times the weights, the same output, a tenth of the gradient. (b)
# A learning rate with which the plain net fails.

# %%
layer, norm = nn.Linear(64, 32, bias=False), nn.BatchNorm1d(32)
x, found = autograd.tensor(data.x[:128]), []
for factor in (1.0, 10.0):
    weight = (layer.weight.detach() * factor).requires_grad_()
    out = norm(x @ weight.T)
    (out**3).sum().backward()
    found.append((out.detach().numpy(), weight.grad.numpy()))
(out, gradient), (out_10, gradient_10) = found
relative = np.linalg.norm(gradient_10 - gradient / 10) / np.linalg.norm(gradient / 10)
print(f"outputs differ by {abs(out - out_10).max():.1e}, gradients from a tenth by {relative:.1e}")
assert abs(out - out_10).max() < 0.02 and relative < 0.02

final = {}
for name, before in (("plain", ()), ("with BatchNorm", (nn.BatchNorm1d,))):
    autograd.manual_seed(0)
    model = net(64, 64, 64, 64, 64, 10, before=before)
    train(model, data.x, data.y, optim.SGD(model.parameters(), lr=2.0), 300, batch=64)
    final[name] = accuracy(model)
print("test accuracy at a learning rate of 2:", final)
assert final["with BatchNorm"] > 0.9 > 0.5 > final["plain"]

# %% [markdown]
# ## 4. How does batch normalisation act as a regulariser?
#
# In training, an example is normalised with the statistics of the batch it happens to be in. The
# same example in different company gives a different output: noise, of the order $1/\sqrt{B}$ for
# batches of size $B$. In evaluation the running statistics are used, and the noise is gone. (So
# it regularises less, the larger the batch.)

# %%
autograd.manual_seed(0)
norm, one = nn.BatchNorm1d(64, affine=False), autograd.randn(1, 64)


def noise(size, tries=300):
    """How much the output for `one` depends on the rest of the batch."""
    outs = [
        norm(autograd.cat([one, autograd.randn(size - 1, 64)]))[0].numpy() for _ in range(tries)
    ]
    return float(np.std(outs, axis=0).mean())


sizes = (16, 64, 256)
spread = [noise(size) for size in sizes]
for size, s in zip(sizes, spread, strict=True):
    print(f"batch of {size:3d}: std of the output {s:.3f}, times sqrt(B) {s * size**0.5:.2f}")
assert np.allclose([s * size**0.5 for size, s in zip(sizes, spread, strict=True)], 1.2, atol=0.2)
norm.eval()
assert noise(16, 10) < 1e-6

# %% [markdown]
# # Initialisation and optimisation
#
# ## 5. Why Xavier (Glorot) initialisation?
#
# To keep the variance of the activations on the way forward *and* of the gradients on the way
# back as even as one number can: $\operatorname{Var}(w) = 2 / (n_{\text{in}} + n_{\text{out}})$,
# the mean of what the two directions ask for. ($\mathcal N(0, 1/n_{\text{in}})$, which is often
# printed under his name, is LeCun's, and keeps only the forward direction; the two agree where
# the layer is square.)

# %%
n_in, n_out = 400, 100
x = autograd.randn(4000, n_in, requires_grad=True)
for fill, expected in (
    (nn.init.xavier_normal_, (2 * n_in / 500, 2 * n_out / 500)),
    (nn.init.lecun_normal_, (1, n_out / n_in)),
):
    x.grad = None
    w = fill(autograd.empty(n_out, n_in))
    z = x @ w.T
    z.backward(autograd.randn(4000, n_out))
    forward, backward = z.detach().var().item(), x.grad.var().item()
    print(f"{fill.__name__:16s} variance x {forward:.2f} forward, x {backward:.2f} backward")
    assert np.allclose([forward, backward], expected, rtol=0.05)

# %% [markdown]
# ## 6. Why He initialisation for ReLU networks?
#
# A ReLU throws away the negative half, and with it half of the mean square. Doubling the
# variance, $2 / n_{\text{in}}$, makes up for it. Without the 2, each layer loses a factor of 2 in
# the square.


# %%
def square_after(fill, act, depth=20, width=256):
    """The mean square of the activations after `depth` layers, for inputs of mean square 1."""
    h = autograd.randn(500, width)
    for _ in range(depth):
        h = act(h @ fill(autograd.empty(width, width)).T)
    return h.square().mean().item()


autograd.manual_seed(0)
he = square_after(lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"), autograd.relu)
lecun = square_after(nn.init.lecun_normal_, autograd.relu)
print(f"after 20 ReLU layers: He {he:.2f}, without the 2: {lecun:.2e}  (2^-20 = {2**-20:.2e})")
assert 0.3 < he < 3 and 0.3 < lecun * 2**20 < 3

# %% [markdown]
# ## 7. What is the purpose of gradient clipping?
#
# To bound the length of a step. A gradient is a local statement; where the loss is steep,
# following it far leads anywhere. Clipping keeps the direction and limits the distance, so one
# bad batch cannot destroy what was learned.
#
# *Proof.* A cliff: $f(w) = (e^{w} - 1)^2$. From $w = 5$ the slope is about 44,000.


# %%
def walk(max_norm):
    """100 steps of SGD on the cliff."""
    w = autograd.tensor([5.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        (w.exp() - 1).square().sum().backward()
        longest = nn.utils.clip_grad_norm_([w], max_norm)
        optimizer.step()
    return w.item(), longest.item()


print("not clipped: w =", walk(math.inf)[0], "  clipped: w =", round(walk(1.0)[0], 6))
assert walk(math.inf)[0] < -1000  # thrown so far that the slope is 0: it never comes back
assert abs(walk(1.0)[0]) < 1e-3  # at the minimum

# %% [markdown]
# ## 8. When should you use learning-rate scheduling?
#
# When training with a fixed rate stalls although it is not done. With mini-batches a fixed rate
# keeps the weights jittering around the minimum, at a distance that is in proportion to the rate;
# reduce the rate and the loss falls at once.


# %%
def noisy_quadratic(rates):
    """Mean of theta^2 over 2000 runs, under gradients with noise."""
    rng, theta = np.random.default_rng(0), np.ones(2000)
    curve = []
    for rate in rates:
        theta = theta - rate * (theta + rng.normal(size=2000))
        curve.append((theta**2).mean())
    return np.array(curve)


curve = noisy_quadratic([0.5] * 100 + [0.05] * 100)
stalled, after = curve[50:100].mean(), curve[170:].mean()
print(f"stalled at {stalled:.3f}; after dividing the rate by ten: {after:.3f}")
assert abs(curve[50:75].mean() / curve[75:100].mean() - 1) < 0.05  # it was a plateau
assert after < 0.1 * stalled

# %% [markdown]
# ## 9. Which types of learning-rate schedulers are there?
#
# - by time, smoothly: exponential $\alpha_0 \gamma^t$, polynomial, cosine;
# - by time, in steps: `StepLR`, `MultiStepLR`;
# - up and down: warm-up, one cycle, restarts;
# - by a measurement: `ReduceLROnPlateau`.
#
# Adam and RMSprop are often counted among them. They are not schedulers: their learning rate
# stays what you set. They rescale each weight's step by the size of its past gradients, and are
# combined with a schedule.


# %%
def rates(make, steps=6):
    """The rates that a scheduler gives at steps 0, 1, ..."""
    optimizer = optim.SGD([autograd.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, seen = make(optimizer), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [round(float(rate), 4) for rate in seen]


assert rates(lambda o: lr_scheduler.ExponentialLR(o, 0.5)) == [1, 0.5, 0.25, 0.125, 0.0625, 0.0312]
assert rates(lambda o: lr_scheduler.StepLR(o, 2, 0.5)) == [1, 1, 0.5, 0.5, 0.25, 0.25]
assert rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 4))[:5] == [1, 0.8536, 0.5, 0.1464, 0]

w = autograd.zeros(2, requires_grad=True)
adam = optim.Adam([w], lr=0.01)
for _ in range(100):
    adam.zero_grad()
    (w * autograd.tensor([1000.0, 0.001])).sum().backward()
    adam.step()
print("Adam's rate after 100 steps:", adam.param_groups[0]["lr"], "  weights:", w.tolist())
assert adam.param_groups[0]["lr"] == 0.01  # not a schedule ...
assert np.allclose(w.detach().numpy(), -1, rtol=1e-3)  # ... equal steps for unequal gradients

# %% [markdown]
# # Weight initialisation, again
#
# ## 10. Why is weight initialisation important?
#
# For two reasons. It breaks symmetry: units that start equal stay equal. And it sets the factor
# by which signals and gradients are multiplied in every layer; to the power of the depth this
# decides between vanishing, exploding and learning.

# %%
finals = {}
for name, std in (("all equal", None), ("too small", 0.01), ("He", "he"), ("too large", 1.0)):
    autograd.manual_seed(0)
    model = net(64, 64, 64, 64, 64, 64, 10)
    for layer in model:
        if isinstance(layer, nn.Linear):
            if std == "he":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            elif std is None:
                nn.init.constant_(layer.weight, 1 / 64)
            else:
                nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
    train(model, data.x, data.y, optim.SGD(model.parameters(), lr=0.05), 400)
    finals[name] = round(accuracy(model), 3)
print(finals)
assert finals["He"] > 0.9 and all(finals[k] < 0.5 for k in finals if k != "He")

# %% [markdown]
# ## 11. When should you use Xavier initialisation?
#
# With activations that are close to the identity around 0, such as tanh. There nothing is lost,
# so no factor of 2 is wanted: with He's variance a deep tanh net is driven into saturation and
# its gradients grow. (For the sigmoid the usual advice is the same, but weaker: its slope at 0 is
# ¼ and its mean ½, so that deep sigmoid nets vanish in any case.)


# %%
def saturated(fill, depth=20, width=256):
    """The share of tanh units with |activation| > 0.9 in the last of many layers."""
    h = autograd.randn(500, width)
    for _ in range(depth):
        h = (h @ fill(autograd.empty(width, width)).T).tanh()
    return float((abs(h.numpy()) > 0.9).mean())


def relu_rule(w):
    return nn.init.kaiming_normal_(w, nonlinearity="relu")


autograd.manual_seed(0)
shares = saturated(nn.init.xavier_normal_), saturated(relu_rule)
print(f"saturated after 20 tanh layers: Xavier {shares[0]:.1%}, He {shares[1]:.1%}")
assert shares[0] < 0.01 < 0.03 < shares[1]

h = autograd.randn(500, 256)
h.requires_grad_()
deep = h
for _ in range(20):
    deep = (deep @ nn.init.xavier_normal_(autograd.empty(256, 256)).T).sigmoid()
deep.sum(1).mean().backward()
print(f"sigmoid, 20 layers, Xavier: rms of the gradient {h.grad.square().mean().sqrt().item():.1e}")
assert h.grad.square().mean().sqrt().item() < 1e-9

# %% [markdown]
# ## 12. When should you use He initialisation?
#
# With ReLU and its relatives. For a leaky ReLU of slope $a$ the factor is $2/(1 + a^2)$: from 2
# at $a = 0$ down to 1, LeCun's, at $a = 1$, where the "activation" is the identity.

# %%
for a in (0.0, 0.1, 0.5, 1.0):
    gain = nn.init.calculate_gain("leaky_relu", a)
    assert math.isclose(gain**2, 2 / (1 + a**2))
    kept = square_after(
        lambda w, a=a: nn.init.kaiming_normal_(w, a=a),
        lambda h, a=a: nn.functional.leaky_relu(h, a),
    )
    print(f"slope {a}: gain^2 {gain**2:.3f}, mean square after 20 layers {kept:.2f}")
    assert 0.3 < kept < 3

# %% [markdown]
# # Gradient clipping, again
#
# ## 13. Why do we clip gradients, in deep and recurrent networks above all?
#
# Because there the gradient is a product of many matrices. In a recurrent network it is *the
# same* matrix each time, so its largest stretch (its spectral radius $\rho$) enters to the power
# of the number of time steps: $\rho^T$ explodes for $\rho > 1$ and vanishes for $\rho < 1$.
# Clipping cures the first, not the second.


# %%
def through_time(rho, steps):
    """The norm of the gradient with respect to the first state of a linear recurrent net."""
    autograd.manual_seed(0)
    w = autograd.tensor(rho * np.eye(16))
    state = first = autograd.randn(16, dtype=autograd.float64).requires_grad_()
    for _ in range(steps):
        state = w @ state
    state.sum().backward()
    return first.grad.norm().item()


for rho in (0.8, 1.0, 1.2):
    growth = through_time(rho, 60) / through_time(rho, 10)
    print(f"spectral radius {rho}: 50 more time steps change the gradient by a factor {growth:.1e}")
    assert math.isclose(growth, rho**50, rel_tol=1e-9)

# %% [markdown]
# ## 14. What is the difference between `clipnorm` and `clipvalue`?
#
# `clipvalue` cuts each *component* to $[-c, c]$, which changes the direction. `clipnorm` scales a
# whole gradient to length $c$ where it is longer, which keeps the direction; in Keras it does so
# *for each variable separately*. The norm over all variables, which is what PyTorch's
# `clip_grad_norm_` uses, is `global_clipnorm`.


# %%
def applied(**limit):
    """What Keras' SGD makes of the gradients (3, 4) and (0, 12) of two variables."""
    variables = [keras.Variable(np.zeros(2, np.float32)) for _ in range(2)]
    optimizer = keras.optimizers.SGD(learning_rate=1.0, **limit)
    optimizer.apply([autograd.tensor([3.0, 4.0]), autograd.tensor([0.0, 12.0])], variables)
    return 0 - np.concatenate([v.numpy() for v in variables])


print("clipvalue      ", applied(clipvalue=1.0))
print("clipnorm       ", applied(clipnorm=1.0))
print("global_clipnorm", applied(global_clipnorm=1.0).round(3))
assert np.allclose(applied(clipvalue=1.0), [1, 1, 0, 1])
assert np.allclose(applied(clipnorm=1.0), [0.6, 0.8, 0, 1])
assert np.allclose(applied(global_clipnorm=1.0), np.array([3, 4, 0, 12]) / 13)

# %% [markdown]
# # Learning-rate scheduling, again
#
# ## 15. Why a changing learning rate rather than a fixed one?
#
# Large rates cover distance, small rates give precision, and one number cannot be both. Given the
# same number of steps, a decaying rate beats *every* fixed one here.

# %%
steps = np.arange(200)
decaying = noisy_quadratic(0.5 / (1 + steps / 4))[-1]
fixed = {rate: noisy_quadratic(np.full(200, rate))[-1] for rate in np.geomspace(0.001, 1, 25)}
best = min(fixed, key=fixed.get)
print(f"best fixed rate {best:.3f}: {fixed[best]:.4f}   decaying: {decaying:.4f}")
assert decaying < min(fixed.values())

# %% [markdown]
# ## 16. What is the difference between exponential decay and step decay?
#
# Exponential decay multiplies by a $\gamma$ slightly below 1 *every* time; step decay by a
# smaller one every $k$ times, and is constant in between. With $\gamma_{\text{exp}} =
# \gamma_{\text{step}}^{1/k}$ they meet at every multiple of $k$. (And $e^{-kt}$ is $\gamma^t$
# with $\gamma = e^{-k}$: PyTorch's argument is $\gamma$.)

# %%
k = 5
step_decay = np.array(rates(lambda o: lr_scheduler.StepLR(o, k, 0.5), 30))
exponential = np.array(rates(lambda o: lr_scheduler.ExponentialLR(o, 0.5 ** (1 / k)), 30))
assert np.allclose(step_decay[::k], exponential[::k], atol=1e-4)
assert (step_decay[1:] == step_decay[:-1]).sum() == 29 - 29 // k  # constant in between
assert (np.diff(exponential) < 0).all()  # always falling
gamma = math.exp(-0.1)
formula = np.exp(-0.1 * np.arange(30))
assert np.allclose(rates(lambda o: lr_scheduler.ExponentialLR(o, gamma), 30), formula, atol=1e-4)
print("step       ", step_decay[:11].tolist())
print("exponential", exponential[:11].tolist())

# %% [markdown]
# ## 17. When should you decay the learning rate?
#
# When a measurement says that the present rate has given what it can: the validation loss has not
# improved for a while. `ReduceLROnPlateau` does it; mind that PyTorch reduces after *more than*
# `patience` epochs without improvement and Keras at the `patience`-th. Decay too early and you
# crawl: the loss stops falling for want of speed, which looks like a plateau too.


# %%
def with_plateau(patience):
    """Noisy descent in 20 epochs of 10 steps, the rate divided by 5 on a plateau."""
    rng, theta = np.random.default_rng(0), np.full(2000, 3.0)
    optimizer = optim.SGD([autograd.zeros(1, requires_grad=True)], lr=0.5)
    plateau = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.2, patience=patience, threshold=0.05
    )
    history = []
    for _ in range(20):
        for _ in range(10):
            theta = theta - optimizer.param_groups[0]["lr"] * (theta + rng.normal(size=2000))
        loss = float((theta**2).mean())
        history.append((optimizer.param_groups[0]["lr"], loss))
        plateau.step(loss)
    return history


history = with_plateau(patience=2)
reductions = [i for i in range(1, 20) if history[i][0] < history[i - 1][0]]
print("reduced before epochs", reductions, "  losses around the first:", end=" ")
first = reductions[0]
print([round(loss, 3) for _, loss in history[first - 2 : first + 2]])
assert history[first][1] < 0.5 * history[first - 1][1]  # the reduction broke the plateau

crawl, rng = np.full(2000, 3.0), np.random.default_rng(0)  # decayed at once, far too early
for _ in range(200):
    crawl = crawl - 0.5 * 0.2**4 * (crawl + rng.normal(size=2000))
print(
    f"after 200 steps: on the plateau {history[-1][1]:.4f}, decayed at once {(crawl**2).mean():.4f}"
)
assert history[-1][1] < 0.1 * (crawl**2).mean()

# %% [markdown]
# ## Exercise
#
# Take the answer that you believed least, and try to break its proof: change a seed, a width, a
# depth, a rate. When does the `assert` fail, and does that refute the answer or show its limits?
# Question 3 with a learning rate of 0.05 and question 15 with noise of half the size are good
# places to start.
