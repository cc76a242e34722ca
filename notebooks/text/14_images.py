# %% [markdown]
# # 14 · Images, end to end
#
# From files on disk to a trained classifier and a look at its mistakes; first in the PyTorch
# face, with the loop in your hands, then in the Keras face, where `fit` is the loop. The data is
# Fashion-MNIST, 70,000 pictures of clothes of 28x28, where it is installed (Debian and Ubuntu:
# `apt-get install dataset-fashion-mnist`); else the 1,797 handwritten digits of 8x8 that come
# with the package. Everything below adapts.

# %%
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import autograd
import nn
import optim
from nn import keras, plot
from nn.demo.data import FASHION, digits, images
from nn.utils.data import DataLoader, TensorDataset

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plot.PALETTE)

if FASHION.is_dir():
    data, epochs = images(FASHION), 6
    names = ["T-shirt", "trouser", "pullover", "dress", "coat"]
    names += ["sandal", "shirt", "sneaker", "bag", "boot"]
else:
    data, epochs = digits(), 40
    names = [str(k) for k in range(10)]
side = int(data.x.shape[1] ** 0.5)
print(f"{len(data.x):,} to learn from, {len(data.x_test):,} to test, {side}x{side} pixels")
print(f"pixels from {data.x.min():.0f} to {data.x.max():.0f}, labels {data.y[:8].tolist()} ...")

# %% [markdown]
# ## Look at the data first
#
# A row per class. Could *you* tell them apart? Remember which ones you found hard.


# %%
def gallery(pictures, rows, columns, titles=None):
    """Pictures in a grid, with a title each where given."""
    size = (1.05 * columns, (1.05 if titles is None else 1.45) * rows)
    _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
    for i, ax in enumerate(axes.flat):
        ax.imshow(pictures[i].reshape(side, side), cmap="gray_r")
        ax.set_axis_off()
        if titles is not None:
            ax.set_title(titles[i], fontsize=8)
    return axes


chosen = np.concatenate([np.flatnonzero(data.y == k)[:10] for k in range(10)])
axes = gallery(data.x[chosen], 10, 10)
for k, line in enumerate(axes):
    line[0].text(-0.15, 0.5, names[k], ha="right", va="center", transform=line[0].transAxes)
plt.show()

# %% [markdown]
# ## Set data aside
#
# The test set answers one question, once, at the end. To watch the training, and to choose
# anything by it, take a part of the training data: the last tenth, after a shuffle with a fixed
# seed.

# %%
order = np.random.default_rng(0).permutation(len(data.x))
cut = len(order) // 10
x_val, y_val = data.x[order[:cut]], data.y[order[:cut]]
x_train, y_train = data.x[order[cut:]], data.y[order[cut:]]
print(f"train {len(x_train):,}, validation {len(x_val):,}, test {len(data.x_test):,}")

# %% [markdown]
# ## The PyTorch face: your loop
#
# A multilayer perceptron with the three helpers of notebooks 7 to 9: normalisation, dropout, and
# a proper start. The model gives *logits*; `CrossEntropyLoss` contains the softmax.

# %%
autograd.manual_seed(0)
model = nn.Sequential(
    nn.Linear(side * side, 256),
    nn.BatchNorm1d(256),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(256, 128),
    nn.ReLU(),
    nn.Linear(128, 10),
)
for layer in model:
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
start = model[0].weight.detach().numpy().copy()
print(nn.summary(model, (128, side * side)))

# %% [markdown]
# One step, compiled (notebook 12), and a test that is honest: `eval()` switches dropout off and
# normalises with the running statistics, `no_grad()` keeps no graph. The schedule is a cosine
# over all steps (notebook 11); the compiled step sees it.

# %%
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=128, shuffle=True)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=2e-3)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))


@autograd.compile
def step(x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def predict(x):
    """Logits, in evaluation mode."""
    model.eval()
    with autograd.no_grad():
        parts = [model(autograd.from_numpy(x[i : i + 1000])) for i in range(0, len(x), 1000)]
    return autograd.cat(parts)


def score(x, y):
    """Mean loss and accuracy."""
    logits = predict(x)
    loss = criterion(logits, autograd.from_numpy(y)).item()
    return loss, float((logits.numpy().argmax(1) == y).mean())


# %%
history = {"loss": [], "val_loss": [], "val_accuracy": []}
begin = time.perf_counter()
for _ in range(epochs):
    model.train()
    losses = []
    for x, y in loader:
        losses.append(step(x, y).item())
        scheduler.step()
    val_loss, val_accuracy = score(x_val, y_val)
    history["loss"].append(np.mean(losses))
    history["val_loss"].append(val_loss)
    history["val_accuracy"].append(val_accuracy)
seconds = time.perf_counter() - begin
print(f"{epochs} epochs in {seconds:.1f} s, {epochs * len(loader) / seconds:,.0f} steps per second")

# %% [markdown]
# Left: solid is what the optimizer saw, dashed what it did not. While both fall, it learns; where
# the dashed line turns up, it memorises. (The solid line is measured *with* dropout, so it may
# well start above the dashed one.)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
plot.training_curves(history, ["loss"], ax=left)
right.plot(range(1, epochs + 1), history["val_accuracy"], "o-", ms=3)
right.set(xlabel="epoch", ylabel="validation accuracy")
right.grid(alpha=0.3)
plt.show()

test_loss, test_accuracy = score(data.x_test, data.y_test)
print(f"test accuracy {test_accuracy:.2%}")
assert test_accuracy > 0.85

# %% [markdown]
# ## Where it is wrong
#
# One number hides a lot. The confusion matrix shows, for each true class (row), what was answered
# (column). Look for bright cells off the diagonal, and whether they come in mirrored pairs: those
# two classes look alike to the model.

# %%
logits = predict(data.x_test).numpy()
answers = logits.argmax(1)
ax = plot.confusion_matrix(data.y_test, logits, names)
plt.show()

counts = np.zeros((10, 10), int)
np.add.at(counts, (data.y_test, answers), 1)
np.fill_diagonal(counts, 0)
true, said = np.unravel_index(counts.argmax(), counts.shape)
print(
    f"the most frequent mistake: {names[true]} taken for {names[said]}, {counts[true, said]} times"
)

# %% [markdown]
# The mistakes of which the model was most certain. Some are the label's fault, some are cases
# where you would not do better, and some are plainly wrong.

# %%
probabilities = nn.functional.softmax(autograd.from_numpy(logits), dim=1).numpy()
wrong = np.flatnonzero(answers != data.y_test)
worst = wrong[np.argsort(-probabilities[wrong, answers[wrong]])][:12]
titles = [
    f"{names[answers[i]]} {probabilities[i, answers[i]]:.0%}\nis {names[data.y_test[i]]}"
    for i in worst
]
titles += [""] * (12 - len(titles))
shown = np.concatenate([data.x_test[worst], np.zeros((12 - len(worst), side * side))])
gallery(shown, 2, 6, titles)
plt.show()

# %% [markdown]
# ## What the first layer has learned
#
# Each unit of the first layer has one weight per pixel, so its weights are a picture. They
# started as noise, and most of that is still there: among so many inputs it does no harm, so
# nothing removes it. The pictures show what training has *added*: red where ink now counts for
# the unit, blue where it counts against it. Neighbouring pixels go together, in streaks and
# patches, strongest where the classes differ.

# %%
plot.weight_images((model[0].weight.detach().numpy() - start)[:30])
plt.show()

# %% [markdown]
# ## The Keras face: `fit`
#
# The same network under Keras' names. Note what is said differently: activations are arguments,
# softmax is in the model and the loss expects probabilities, BatchNorm's and Adam's defaults are
# Keras' own (momentum 0.99 of the old, epsilon 1e-3 and 1e-7). `fit` shuffles, batches,
# validates, compiles the step, and returns the history.

# %%
keras.utils.set_random_seed(0)
layers = keras.layers
network = keras.Sequential(
    [
        keras.Input((side * side,)),
        layers.Dense(256, kernel_initializer="he_normal"),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Dropout(0.2),
        layers.Dense(128, activation="relu", kernel_initializer="he_normal"),
        layers.Dense(10, activation="softmax"),
    ]
)
steps = epochs * -(-len(x_train) // 128)
network.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
begin = time.perf_counter()
fitted = network.fit(
    x_train,
    y_train,
    batch_size=128,
    epochs=epochs,
    validation_data=(x_val, y_val),
    callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)],
    verbose=0,
)
print(f"{len(fitted.epoch)} epochs in {time.perf_counter() - begin:.1f} s")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
plot.training_curves(fitted, ["loss"], ax=left)
plot.training_curves(fitted, ["accuracy"], ax=right)
plt.show()

keras_loss, keras_accuracy = network.evaluate(data.x_test, data.y_test, verbose=0)
print(f"test accuracy: PyTorch face {test_accuracy:.2%}, Keras face {keras_accuracy:.2%}")
assert abs(keras_accuracy - test_accuracy) < 0.03

# %% [markdown]
# The two agree within what different random numbers do to them. They share everything below the
# names: the modules, the graph, the compiled step.
#
# ## Keep the model
#
# Parameters *and* buffers (BatchNorm's running statistics) go to a file, and come back into a new
# model of the same shape, with the same answers.

# %%
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "model.safetensors"
    nn.save(model.state_dict(), file)
    restored = deepcopy(model)
    for p in restored.parameters():
        nn.init.zeros_(p)
    restored.load_state_dict(nn.load(file))
    print(f"{file.name}: {file.stat().st_size:,} bytes")
restored.eval()
with autograd.no_grad():
    again = restored(autograd.from_numpy(data.x_test[:1000])).numpy()
assert (again == logits[:1000]).all()

# %% [markdown]
# ## Exercise
#
# 1. Leave out `BatchNorm1d`, then `Dropout`, then both, and compare the validation curves. Which
#    one changes the speed, and which the gap between the lines?
# 2. Write the two classes that are confused most into a data set of their own and train on it.
#    Does a specialist do better on them?
# 3. Turn every test picture upside down. What happens to the accuracy, and what does that say
#    about what a multilayer perceptron knows of pictures?
