"""The Keras cells of the seed document, retold: one text for both frameworks.

Only the header differs, by the names of the packages.
"""

from __future__ import annotations

OURS = """\
from nn import keras
from nn.keras.callbacks import LearningRateScheduler
from nn.keras.initializers import GlorotUniform, HeNormal
from nn.keras.layers import BatchNormalization, Dense, Dropout
from nn.keras.optimizers import Adam
import numpy as np
"""
KERAS = """\
from tensorflow import keras
from tensorflow.keras.callbacks import LearningRateScheduler
from tensorflow.keras.initializers import GlorotUniform, HeNormal
from tensorflow.keras.layers import BatchNormalization, Dense, Dropout
from tensorflow.keras.optimizers import Adam
import numpy as np
"""

DATA = """
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
y = np.array([[0], [1], [1], [0]], dtype="float32")
"""
START = """
rng = np.random.default_rng(5)
net.set_weights([rng.uniform(-1, 1, w.shape) for w in net.get_weights()])
"""
"""The same initial weights for both; running variances have to be positive."""

CELLS = {
    10: """
net = keras.Sequential([
    keras.layers.Dense(4, activation="relu", input_shape=(2,)),
    keras.layers.Dense(1, activation="sigmoid"),
])
net.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
""",
    12: """
dropped = keras.Sequential([
    keras.layers.Dense(4, activation="relu", input_shape=(2,)),
    Dropout(0.5),
    Dense(1, activation="sigmoid"),
])
dropped.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
""",
    14: """
normed = keras.Sequential([
    keras.layers.Dense(4, input_shape=(2,), activation="relu"),
    BatchNormalization(),
    Dense(1, activation="sigmoid"),
])
normed.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
""",
    16: """
glorot, he = GlorotUniform(), HeNormal()
""",
    18: """
clipping = Adam(learning_rate=0.01, clipnorm=1.0)
net.compile(optimizer=clipping, loss="binary_crossentropy", metrics=["accuracy"])
""",
    20: """
def decaying(epoch, lr):
    return lr * np.exp(-0.1)

def halving(epoch, lr):
    return lr * 0.5 if epoch % 10 == 0 else lr

every_epoch, every_tenth = LearningRateScheduler(decaying), LearningRateScheduler(halving)
""",
}
"""What each Keras cell makes; training is in the tests."""
