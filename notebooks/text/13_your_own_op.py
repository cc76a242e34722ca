# %% [markdown]
# # 13 · Your own op, in one block
#
# Everything the engine knows about an operation stands in one record: how to compute it, how to
# differentiate it, its formulas, and the inputs on which it is tested. You write that block, and
# the op works everywhere: as a method, under `backward()`, twice differentiated, in a compiled
# step, in the drawn graph. Nothing is registered anywhere else.
#
# Our example is *squareplus* (Barron, 2021), a smooth relative of ReLU that needs only a square
# root:
#
# $$f(x) = \tfrac12 \left(x + \sqrt{x^2 + 4b}\,\right), \qquad
# f'(x) = \tfrac12 \left(1 + \frac{x}{\sqrt{x^2 + 4b}}\right)$$

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from autograd import gradcheck, gradgradcheck
from autograd.kernel import kernel
from autograd.op import TABLE, Sample, op, ops
from nn import plot

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plot.PALETTE)

# %% [markdown]
# ## The kernel
#
# A pure loop: it writes `out`, reads `x`, allocates nothing. Arrays come flat; numbers such as
# `b` come after them. `out.dtype.type(...)` keeps the constants in the array's own precision. The
# decorator has Numba compile it to machine code at its first call.


# %%
@kernel
def _squareplus(out, x, b):
    half, four_b = out.dtype.type(0.5), out.dtype.type(4 * b)
    for i in range(x.size):
        out[i] = half * (x[i] + np.sqrt(x[i] * x[i] + four_b))


# %% [markdown]
# ## The block
#
# Read it from the top: the name; the formula and its derivative in LaTeX, for pictures and pages;
# the kernel; the *reference*, slow and obvious NumPy, against which the kernel is tested; the
# derivative (`vjp`); and samples.
#
# - The signature of `ref` says what the op takes: `x` is an input, `b` (after the star) metadata.
# - A `vjp` says *by its parameter names* what it needs: `g` is the gradient that arrives, `x` and
#   `b` are as they were. What no vjp names is not kept alive until backward.
# - It is written **in ops, not in NumPy**. So the derivative is itself recorded, and can be
#   differentiated again, and a compiled step can contain it.

# %%
squareplus = op(
    "squareplus",
    math=r"\tfrac12 (x + \sqrt{x^2 + 4b})",
    dmath=(r"\tfrac12 g\,(1 + x / \sqrt{x^2 + 4b})",),
    kernel=_squareplus,
    types="float",
    ref=lambda x, *, b=1.0: (x + np.sqrt(x * x + 4 * b)) / 2,
    vjp=(lambda g, x, b: 0.5 * g * (1 + x / ops.sqrt(x * x + 4 * b)),),
    samples=(Sample((3, 4)), Sample(()), Sample((2, 0)), Sample((5,), meta={"b": 0.1})),
)
print(squareplus, "| ops in the table:", len(TABLE))

# %% [markdown]
# It is there. The gradient at 0 is ½, by the formula, and the second derivative at 0 is $1 /
# (4\sqrt{b})$.

# %%
x = autograd.tensor([-2.0, 0.0, 2.0], requires_grad=True)
y = squareplus(x)
(slope,) = autograd.grad(y.sum(), x, create_graph=True)
(bend,) = autograd.grad(slope.sum(), x)
print("f  ", y.detach().numpy().round(4))
print("f' ", slope.detach().numpy().round(4))
print("f''", bend.numpy().round(4))
assert slope[1].item() == 0.5 and bend[1].item() == 0.25

# %% [markdown]
# ## Is the derivative right?
#
# `gradcheck` compares with finite differences: it moves each input a little, in float64, and
# looks at how the output moves. `gradgradcheck` does so for the gradient. And the kernel must
# agree with the reference, in both precisions.

# %%
rng = np.random.default_rng(0)
point = autograd.tensor(rng.normal(size=(3, 4)), requires_grad=True)
for b in (1.0, 0.1):
    assert gradcheck(lambda x, b=b: squareplus(x, b=b), point)
    assert gradgradcheck(lambda x, b=b: squareplus(x, b=b), point)
for sample in squareplus.samples:
    for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-14)):
        values = rng.uniform(-2, 2, sample.inputs[0]).astype(dtype)
        given = squareplus(autograd.tensor(values), **sample.meta).numpy()
        np.testing.assert_allclose(given, squareplus.ref(values, **sample.meta), rtol=tolerance)
print("forward, gradient and gradient of the gradient are right")

# %% [markdown]
# What does a mistake look like? Here is the same op with the ½ forgotten in its derivative. The
# error says where, and shows both Jacobians: look for the factor between them.

# %%
mistaken = op(
    "mistaken_squareplus",
    math=squareplus.math,
    dmath=squareplus.dmath,
    kernel=_squareplus,
    types="float",
    ref=lambda x, *, b=1.0: (x + np.sqrt(x * x + 4 * b)) / 2,
    vjp=(lambda g, x, b: g * (1 + x / ops.sqrt(x * x + 4 * b)),),
    samples=(Sample((3,)),),
)
try:
    gradcheck(mistaken, autograd.tensor([0.0, 1.0], dtype=autograd.float64, requires_grad=True))
    raise AssertionError("the mistake was not found")
except autograd.GradcheckError as error:
    print(error)

# %% [markdown]
# ## How it looks
#
# Left: ReLU in gray, and squareplus for three values of $b$, which says how far the corner is
# rounded. Right: the derivatives. Unlike ReLU's, they are nowhere 0, so no unit can die.

# %%
t = np.linspace(-4, 4, 201)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(t, np.maximum(t, 0), color="0.6", lw=3, label="relu")
right.plot(t, t > 0, color="0.6", lw=3)
for b in (0.1, 1.0, 4.0):
    x = autograd.tensor(t, requires_grad=True)
    y = squareplus(x, b=b)
    y.sum().backward()
    left.plot(t, y.detach().numpy(), label=f"b = {b}")
    right.plot(t, x.grad.numpy())
left.set(title="squareplus", xlabel="x")
right.set(title="its derivative", xlabel="x")
left.legend()
plt.show()

# %% [markdown]
# ## In a model, and in a compiled step
#
# As a layer it is four lines. In the plan of the step, its forward is one native instruction, our
# kernel; its backward is the ops that we wrote the vjp in. `0 through Python` says that nothing
# in between had to come back to the interpreter.


# %%
class Squareplus(nn.Module):
    """x -> (x + sqrt(x^2 + 4 b)) / 2, elementwise."""

    def __init__(self, b=1.0):
        super().__init__()
        self.b = b

    def forward(self, x):
        return squareplus(x, b=self.b)


autograd.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 8), Squareplus(), nn.Linear(8, 1))
criterion, optimizer = nn.BCEWithLogitsLoss(), optim.Adam(model.parameters(), lr=0.05)


@autograd.compile
def step(x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


corners = autograd.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
xor = autograd.tensor([[0.0], [1], [1], [0]])
for _ in range(300):
    loss = step(corners, xor)
print(f"loss {loss.item():.4f}, answers {(model(corners) > 0).int().flatten().tolist()}")
print(str(step.plan).splitlines()[0])
print(*[line.split("#")[0] for line in str(step.plan).splitlines() if "squareplus" in line])
assert (model(corners) > 0).flatten().tolist() == [False, True, True, False]
assert "0 through Python" in str(step.plan)

# %% [markdown]
# And in the drawn graph, with your formula (hover over it).

# %%
autograd.draw(criterion(model(corners), xor), model=model, names={"x": corners})

# %% [markdown]
# ## A faster derivative
#
# The backward pass above takes six array operations, each of which reads and writes memory. If it
# matters, give the derivative a kernel of its own: it is just another op, with its own vjp. Write
# $r = \sqrt{x^2 + 4b}$; then $f'' = 2b / r^3$.


# %%
@kernel
def _squareplus_grad(out, v, x, b):
    half, one, four_b = out.dtype.type(0.5), out.dtype.type(1), out.dtype.type(4 * b)
    for i in range(out.size):
        out[i] = half * v[i] * (one + x[i] / np.sqrt(x[i] * x[i] + four_b))


squareplus_grad = op(
    "squareplus_grad",
    math=r"\tfrac12 v\,(1 + x / \sqrt{x^2 + 4b})",
    dmath=(r"\tfrac12 g\,(1 + x / \sqrt{x^2 + 4b})", r"2 b\, g v / (x^2 + 4b)^{3/2}"),
    kernel=_squareplus_grad,
    ref=lambda v, x, *, b=1.0: v * (1 + x / np.sqrt(x * x + 4 * b)) / 2,
    vjp=(
        lambda g, x, b: ops.squareplus_grad(g, x, b=b),
        lambda g, v, x, b: g * v * (2 * b) * (x * x + 4 * b) ** -1.5,
    ),
    samples=(Sample((3, 4), (3, 4)), Sample((), ()), Sample((2, 0), (2, 0))),
    methods=(),
)
fast_squareplus = op(
    "fast_squareplus",
    math=squareplus.math,
    dmath=squareplus.dmath,
    kernel=_squareplus,
    types="float",
    ref=squareplus.ref,
    vjp=(lambda g, x, b: ops.squareplus_grad(g, x, b=b),),
    samples=squareplus.samples,
)
assert gradcheck(fast_squareplus, point) and gradgradcheck(fast_squareplus, point)


def backward_time(f, rounds=40):
    """The median seconds of forward and backward on 100,000 elements."""
    x, seconds = autograd.randn(100_000, requires_grad=True), []
    for _ in range(rounds):
        start = time.perf_counter()
        f(x).sum().backward()
        seconds.append(time.perf_counter() - start)
    return np.median(seconds)


slow, fast = backward_time(squareplus), backward_time(fast_squareplus)
print(f"vjp in six ops {slow * 1e6:.0f} us, as one kernel {fast * 1e6:.0f} us")

# %% [markdown]
# ## The other way: `autograd.Function`
#
# PyTorch's way of writing an op works too: a class with a `forward` and a `backward`. No table,
# no kernel, no formulas, and no tests that find it by themselves; but it is quick to write, can
# have several outputs, and is what you want for an experiment. Note that `backward` is written in
# tensor operations again, so that second derivatives work.


# %%
class SquareplusFunction(autograd.Function):
    """The same, in PyTorch's way."""

    @staticmethod
    def forward(ctx, x, b):
        ctx.save_for_backward(x)
        ctx.b = b
        return (x + (x * x + 4 * b).sqrt()) / 2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 0.5 * g * (1 + x / (x * x + 4 * ctx.b).sqrt()), None  # None: no gradient for b


assert gradcheck(lambda x: SquareplusFunction.apply(x, 1.0), point)
assert gradgradcheck(lambda x: SquareplusFunction.apply(x, 1.0), point)
both = squareplus(point), SquareplusFunction.apply(point, 1.0)
assert np.allclose(both[0].detach().numpy(), both[1].detach().numpy())
print("the op and the Function agree, to the second derivative")

# %% [markdown]
# ## Exercise
#
# 1. Write $\operatorname{logcosh}(x) = \ln \cosh x$ as an op. Its derivative is $\tanh x$. Use
#    $|x| + \ln(1 + e^{-2|x|}) - \ln 2$ in the kernel, and find an `x` for which the naive formula
#    gives inf in float32.
# 2. Your vjp can name `out` in place of `x`. Express squareplus' derivative by its output alone
#    (hint: $y\,(y - x) = b$). What does it save?
# 3. Run the cell with the block again. Why is the error a good thing? (Restart the kernel to go
#    on.)
