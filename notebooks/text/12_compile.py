# %% [markdown]
# # 12 · Compile: a step as graph, plan and times
#
# A training step of a small network is a handful of tiny array operations. Eagerly, most of its
# time is not arithmetic but Python: finding the op, checking shapes, building the graph, walking
# back. Yet the next step does exactly the same with other numbers. `autograd.compile` records
# what a step did, and replays the record in one native call.
#
# This notebook reads such a record line by line, checks that the numbers stay the same to the
# last bit, and measures what is gained, with a control that says how far the clock can be
# trusted.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from nn import plot
from nn.demo.data import digits

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plot.PALETTE)
data = digits()
X, Y = autograd.tensor(data.x), autograd.tensor(data.y)


def build(hidden=32):
    """A model, and one step of its training as a plain Python function."""
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=1e-3)

    def step(x, y):
        optimizer.zero_grad()
        logits = model(x)
        loss = criterion(logits, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return model, step


# %% [markdown]
# ## The graph: what eager mode builds, every time
#
# The forward pass leaves a graph that knows how to go back. Rounded boxes are parameters and
# data; downwards the values come to be, and upwards the gradients will flow. Hover over a box for
# its formula.

# %%
model, step = build()
x, y = X[:32], Y[:32]
loss = nn.functional.cross_entropy(model(x), y)
autograd.draw(loss, model=model, names={"x": x})

# %% [markdown]
# And this is what going back computes: the chain rule, node by node. Keep it in view; you will
# find every line of it again, as an instruction, in the plan below.

# %%
print(autograd.explain(loss, model=model, names={"x": x}))

# %% [markdown]
# ## Recording: the first calls are real steps
#
# Compiling is one line. The first two calls run eagerly and train as ever, while everything that
# passes the engine's one choke point is written down: forward, backward, clipping, the optimizer.
# The two records must agree (a step that does something else each time cannot be replayed). From
# the third call on there is a plan.

# %%
model, step = build()
compiled = autograd.compile(step)
for call in range(1, 5):
    loss = compiled(x, y)
    state = "recorded" if compiled.plan is None else "there is a plan"
    print(f"call {call}: loss {loss.item():.4f}   {state}")

# %% [markdown]
# ## The plan
#
# It prints as a program. How to read a line:
#
#     t5 = relu(t4): float32[32, 32] at 12288   # line of your code
#
# value 5 is the `relu` of value 4; its type and shape; the place of its bytes in the plan's one
# block of memory; the line of your step that caused it (in a notebook each cell is a file, with a
# number for a name).
#
# - `i0`, `i1` are the arguments; `o2`, `o3`, ... live outside the step: weights and biases.
# - The first four lines are the forward pass. Then comes `backward()`, as ordinary ops:
#   `cross_entropy_index_grad` (that is $p - y$), and for each layer a `matmul_tn` for the
#   weights, a `sum_to` for the bias, a `matmul` for what goes further back.
# - The last two, clipping and Adam, have no result: they are *effects*, which write into memory.
# - Below stands what the user can see afterwards: each parameter's `.grad`, and the returned
#   loss.

# %%
print(compiled.plan)

# %% [markdown]
# ## What the passes did
#
# Between recording and replay the program is improved. `prune` leaves out what nobody reads,
# `merge` computes twins once, `forward` removes copies, and `place` lets values that are never
# alive together share memory. Every one can be switched off; the table shows what the last two
# are worth here. The four copies that vanish are gradients on the way into `.grad`.

# %%
ALL = ("prune", "merge", "forward", "place")
print(f"{'passes':30s}  instructions   bytes")
for count in range(len(ALL) + 1):
    other = autograd.compile(build()[1], passes=ALL[:count])
    for _ in range(3):
        other(x, y)
    lines = str(other.plan).splitlines()
    instructions = lines[0].split("recorded, ")[1].split()[0]
    size = lines[1].split(", ")[-1]
    print(f"{', '.join(ALL[:count]) or 'none':30s}  {instructions:>12s}   {size}")

# %% [markdown]
# ## The same numbers, to the last bit
#
# The plan runs the same kernels on the same values in the same order as eager mode, so nothing
# may differ: not the loss, not one bit of one weight. `==`, not "close".

# %%
eager_model, eager_step = build()
compiled_model, plain = build()
compiled_step = autograd.compile(plain)
rng = np.random.default_rng(0)
for _ in range(200):
    pick = autograd.tensor(rng.integers(0, len(X), 32))
    a, b = eager_step(X[pick], Y[pick]), compiled_step(X[pick], Y[pick])
    assert a.item() == b.item()
for p, q in zip(eager_model.parameters(), compiled_model.parameters(), strict=True):
    assert (p.detach().numpy() == q.detach().numpy()).all()
print("200 steps, all losses and all weights identical; last loss", round(b.item(), 4))

# %% [markdown]
# ## Times, with a control
#
# A fair comparison on a shared machine: run the contestants *in turn*, in many short rounds of
# shuffled order, and take the median of the ratios, so that a disturbance hits all alike. And a
# control: eager mode a second time, under another name. Its ratio should be 1. How far it is from
# 1 tells what a ratio is worth.


# %%
def race(contestants, rounds=61, seconds=0.005):
    """Seconds per call of each, (rounds, contestants): short bursts, in a new order each round."""
    rng, times = np.random.default_rng(0), np.zeros((rounds, len(contestants)))
    for run in contestants:
        for _ in range(5):
            run()
    for row in times:
        for k in rng.permutation(len(contestants)):
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < seconds:
                contestants[k]()
                count += 1
            row[k] = (time.perf_counter() - start) / count
    return times


def compare(hidden=32, batch=32):
    """Times of eager, compiled, and eager again (the control)."""
    x, y = X[:batch], Y[:batch]
    eager, recorded, control = (
        build(hidden)[1],
        autograd.compile(build(hidden)[1]),
        build(hidden)[1],
    )
    return race([lambda run=run: run(x, y) for run in (eager, recorded, control)])


times = compare()
for name, column in zip(("eager", "compiled", "control: eager again"), times.T, strict=True):
    ratio = np.median(times[:, 0] / column)
    print(f"{name:22s} {np.median(column) * 1e6:7.1f} us per step   {ratio:5.2f} x eager's speed")
speedup = np.median(times[:, 0] / times[:, 1])
assert speedup > 2

# %% [markdown]
# ## Where the gain comes from, and where it ends
#
# Compiling removes Python, not arithmetic. So the gain should shrink as the layers grow, and it
# does: with a wide hidden layer nearly all of the time is spent inside matrix products, which are
# the same in both. The control's line shows the noise of this measurement.

# %%
widths = [4, 16, 64, 256, 1024]
table = [compare(hidden=width, batch=64) for width in widths]
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.2), layout="constrained")
for k, name in enumerate(("eager", "compiled")):
    left.loglog(widths, [np.median(t[:, k]) * 1e6 for t in table], "o-", label=name)
left.set(xlabel="hidden units", ylabel="us per step", title="time of a step, batch 64")
left.set_xticks(widths, widths)
left.set_yticks([10, 30, 100, 300, 1000], [10, 30, 100, 300, 1000])
left.minorticks_off()
left.legend()
for k, name in ((1, "eager / compiled"), (2, "control: eager / eager")):
    ratios = [np.median(t[:, 0] / t[:, k]) for t in table]
    right.semilogx(widths, ratios, "o-", label=name, color=plot.PALETTE[k])
right.axhline(1, color="0.5", lw=1, ls="--")
right.set(xlabel="hidden units", ylabel="ratio", title="times faster", ylim=(0, None))
right.set_xticks(widths, widths)
right.minorticks_off()
right.legend()
plt.show()

# %% [markdown]
# ## What a recorded step may not do
#
# A replay runs no Python. So a value that Python *reads* inside the step (a `print`, an `if`)
# would be frozen as it was while recording. That is an error, which names the line, not a wrong
# number.


# %%
@autograd.compile
def careless(x, y):
    loss = nn.functional.cross_entropy(model(x), y)
    if loss > 1:  # decided by a number that changes
        loss = loss * 0.5
    return loss


try:
    with autograd.no_grad():
        careless(x, y)
    raise AssertionError("it should have been refused")
except autograd.RecordError as error:
    print(error)

# %% [markdown]
# The remedy keeps the decision inside the program: `autograd.where` computes it anew in every
# replay. And hyper-parameters are not frozen, since they live in memory that the plan reads
# (notebook 11 lets a schedule run through a compiled step).


# %%
@autograd.compile
def careful(logits, y):
    loss = nn.functional.cross_entropy(logits, y)
    return autograd.where(loss > 1, loss * 0.5, loss)


for scale in (0.0, 0.0, 0.0, 9.0):
    logits = scale * nn.functional.one_hot(y, 10).to(autograd.float32)
    value, direct = careful(logits, y), nn.functional.cross_entropy(logits, y).item()
    print(f"loss {direct:.4f} -> {value.item():.4f}")
    assert np.isclose(value.item(), direct * 0.5 if direct > 1 else direct)

# %% [markdown]
# ## A new shape is a new plan
#
# The last batch of an epoch is often smaller. It is met, recorded and replayed as a second
# program with the same parameters and the same optimizer state.

# %%
_, plain = build()
counted = autograd.compile(plain)
met = []
for _ in range(4):
    for size in (32, 13):
        counted(X[:size], Y[:size])
        if counted.plan is not None and counted.plan not in met:
            met.append(counted.plan)
print([str(plan).splitlines()[2] for plan in met])
assert len(met) == 2

# %% [markdown]
# ## Exercise
#
# 1. Put a `nn.Dropout(0.5)` into `build` and repeat the comparison "to the last bit", with
#    `autograd.manual_seed(1)` before each of the two trainings. Dropout is random; why does it
#    agree?
# 2. Print the plan with the dropout. Which lines are new, in the forward and in the backward
#    part?
# 3. `compile(step, check_every=50)` replays against eager now and then. What would it notice that
#    the comparison of two recordings cannot?
# 4. Set the environment variable `TAPEGRAD_COMPILE=0` before the imports and run the notebook
#    again.
