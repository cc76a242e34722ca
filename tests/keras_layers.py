"""The table of layers: each with inputs, which `tests/test_keras_layers.py` runs on both faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.faces import data

X = data(4, 6)
CUBE = data(3, 4, 6)
IMAGE = data(2, 3, 4, 6)
KINKS = np.array([[-7.0, -3.0, -1.0, -0.5, 0.0, 0.5], [1.0, 3.0, 6.0, 7.0, -0.2, 0.2]])
INDEX = np.array([[0, 3, 3], [4, 1, 0]], np.int64)
PAIR = [data(4, 6, seed=1), data(4, 6, seed=2)]
TIES = [np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]]), np.array([[0.0, 3.0, 3.0]])]

Maker = Callable[[Any], Any]
LAYERS: dict[str, tuple[Maker, list[np.ndarray]]] = {
    "dense": (lambda k: k.layers.Dense(3, name="a"), [X]),
    "dense relu": (lambda k: k.layers.Dense(3, activation="relu", name="a"), [X]),
    "dense sigmoid": (lambda k: k.layers.Dense(3, "sigmoid", name="a"), [X]),
    "dense without bias": (lambda k: k.layers.Dense(3, use_bias=False, name="a"), [X]),
    "dense of a cube": (lambda k: k.layers.Dense(2, "tanh", name="a"), [CUBE]),
    "dense, one unit": (lambda k: k.layers.Dense(1, name="a"), [X]),
    "dense, large": (lambda k: k.layers.Dense(20, "softmax", name="a"), [data(30, 25)]),
    "dense of nothing": (lambda k: k.layers.Dense(2, name="a"), [np.zeros((0, 3))]),
    "dense penalised": (
        lambda k: k.layers.Dense(
            3,
            kernel_initializer=k.initializers.HeNormal(seed=3),
            kernel_regularizer=k.regularizers.L1L2(0.5, 0.25),
            bias_regularizer="l2",
            activity_regularizer=k.regularizers.L2(0.5),
            kernel_constraint=k.constraints.MaxNorm(3, axis=1),
            bias_constraint="non_neg",
            name="a",
        ),
        [X],
    ),
    "dense frozen": (lambda k: k.layers.Dense(3, trainable=False, name="a"), [X]),
    "einsum dense": (lambda k: k.layers.EinsumDense("ab,bc->ac", 5, bias_axes="c", name="a"), [X]),
    "einsum dense, more on the left": (
        lambda k: k.layers.EinsumDense("...x,xy->...y", 5, "tanh", bias_axes="y", name="a"),
        [CUBE],
    ),
    "einsum dense of a cube": (
        lambda k: k.layers.EinsumDense("abc,cde->abde", (4, 2, 5), bias_axes="de", name="a"),
        [CUBE],
    ),
    "einsum dense without bias": (
        lambda k: k.layers.EinsumDense("abc,bd->adc", (5, 6), name="a"),
        [CUBE],
    ),
    "embedding": (lambda k: k.layers.Embedding(5, 3, name="a"), [INDEX]),
    "embedding penalised": (
        lambda k: k.layers.Embedding(
            5, 3, embeddings_regularizer="l2", embeddings_constraint="unit_norm", name="a"
        ),
        [INDEX],
    ),
    # activations
    "activation": (lambda k: k.layers.Activation("relu", name="a"), [KINKS]),
    "activation linear": (lambda k: k.layers.Activation(None, name="a"), [KINKS]),
    "relu": (lambda k: k.layers.ReLU(name="a"), [KINKS]),
    "relu bounded": (lambda k: k.layers.ReLU(6, name="a"), [KINKS]),
    "relu in general": (lambda k: k.layers.ReLU(3.0, 0.1, 0.5, name="a"), [KINKS]),
    "leaky relu": (lambda k: k.layers.LeakyReLU(name="a"), [KINKS]),
    "elu": (lambda k: k.layers.ELU(0.5, name="a"), [KINKS]),
    "prelu": (lambda k: k.layers.PReLU(name="a"), [KINKS]),
    "prelu shared": (lambda k: k.layers.PReLU(shared_axes=[1], name="a"), [CUBE]),
    "softmax": (lambda k: k.layers.Softmax(name="a"), [X]),
    "softmax along 1": (lambda k: k.layers.Softmax(axis=1, name="a"), [CUBE]),
    "softmax along 1 and 2": (lambda k: k.layers.Softmax(axis=(1, 2), name="a"), [CUBE]),
    # normalisation
    "batch norm": (lambda k: k.layers.BatchNormalization(name="a"), [X]),
    "batch norm of a cube": (lambda k: k.layers.BatchNormalization(name="a"), [CUBE]),
    "batch norm of images": (
        lambda k: k.layers.BatchNormalization(momentum=0.8, name="a"),
        [IMAGE],
    ),
    "batch norm along 1": (lambda k: k.layers.BatchNormalization(axis=1, name="a"), [IMAGE]),
    "batch norm along 2": (lambda k: k.layers.BatchNormalization(axis=2, name="a"), [IMAGE]),
    "batch norm without scale": (lambda k: k.layers.BatchNormalization(scale=False, name="a"), [X]),
    "batch norm without shift": (
        lambda k: k.layers.BatchNormalization(center=False, epsilon=0.1, name="a"),
        [X],
    ),
    "batch norm of one sample": (lambda k: k.layers.BatchNormalization(name="a"), [X[:1]]),
    "batch norm frozen": (
        lambda k: k.layers.BatchNormalization(trainable=False, name="a"),
        [X],
    ),
    "layer norm": (lambda k: k.layers.LayerNormalization(name="a"), [X]),
    "layer norm over two axes": (lambda k: k.layers.LayerNormalization([2, 3], name="a"), [IMAGE]),
    "layer norm along 1": (lambda k: k.layers.LayerNormalization(1, name="a"), [CUBE]),
    "layer norm, bare": (
        lambda k: k.layers.LayerNormalization(center=False, scale=False, epsilon=0.1, name="a"),
        [X],
    ),
    "rms norm": (lambda k: k.layers.RMSNormalization(name="a"), [X]),
    "rms norm over two": (lambda k: k.layers.RMSNormalization([1, 2], 0.1, name="a"), [CUBE]),
    "group norm": (lambda k: k.layers.GroupNormalization(3, name="a"), [X]),
    "group norm of images": (lambda k: k.layers.GroupNormalization(2, name="a"), [IMAGE]),
    "group norm along 1": (lambda k: k.layers.GroupNormalization(3, axis=1, name="a"), [IMAGE]),
    "instance norm": (lambda k: k.layers.GroupNormalization(-1, scale=False, name="a"), [IMAGE]),
    "unit norm": (lambda k: k.layers.UnitNormalization(name="a"), [X]),
    "unit norm over two axes": (lambda k: k.layers.UnitNormalization([1, 2], name="a"), [CUBE]),
    # shape
    "flatten": (lambda k: k.layers.Flatten(name="a"), [CUBE]),
    "flatten, channels first": (
        lambda k: k.layers.Flatten(data_format="channels_first", name="a"),
        [IMAGE],
    ),
    "flatten numbers": (lambda k: k.layers.Flatten(name="a"), [X[:, 0]]),
    "reshape": (lambda k: k.layers.Reshape((2, 3), name="a"), [X]),
    "reshape with a free size": (lambda k: k.layers.Reshape((-1, 2), name="a"), [CUBE]),
    "permute": (lambda k: k.layers.Permute((2, 1), name="a"), [CUBE]),
    "permute three": (lambda k: k.layers.Permute((3, 1, 2), name="a"), [IMAGE]),
    "repeat": (lambda k: k.layers.RepeatVector(3, name="a"), [X]),
    "identity": (lambda k: k.layers.Identity(name="a"), [X]),
    # several inputs
    "add": (lambda k: k.layers.Add(name="a"), PAIR),
    "add three": (lambda k: k.layers.Add(name="a"), [*PAIR, X]),
    "add broadcast": (lambda k: k.layers.Add(name="a"), [data(3, 6), CUBE]),
    "multiply": (lambda k: k.layers.Multiply(name="a"), PAIR),
    "average": (lambda k: k.layers.Average(name="a"), [*PAIR, X]),
    "subtract": (lambda k: k.layers.Subtract(name="a"), PAIR),
    "maximum with ties": (lambda k: k.layers.Maximum(name="a"), TIES),
    "minimum with ties": (lambda k: k.layers.Minimum(name="a"), TIES),
    "concatenate": (lambda k: k.layers.Concatenate(name="a"), [X, data(4, 2)]),
    "concatenate along 1": (lambda k: k.layers.Concatenate(1, name="a"), [CUBE, data(3, 2, 6)]),
    "dot": (lambda k: k.layers.Dot(1, name="a"), PAIR),
    "dot normalised": (lambda k: k.layers.Dot(-1, normalize=True, name="a"), PAIR),
    "dot of cubes": (lambda k: k.layers.Dot((2, 2), name="a"), [CUBE, data(3, 5, 6)]),
    "dot of cubes along 1": (lambda k: k.layers.Dot(1, name="a"), [CUBE, data(3, 4, 2)]),
    "dot of a cube and a matrix": (lambda k: k.layers.Dot((2, 1), name="a"), [CUBE, data(3, 6)]),
    "dot of a matrix and images": (lambda k: k.layers.Dot((1, 3), name="a"), [data(2, 6), IMAGE]),
    # preparation
    "rescaling": (lambda k: k.layers.Rescaling(1 / 255, 0.5, name="a"), [X]),
    "rescaling of integers": (lambda k: k.layers.Rescaling(0.5, name="a"), [INDEX]),
    "normalization as given": (
        lambda k: k.layers.Normalization(mean=[1.0, 2, 3, 4, 5, 6], variance=[1.0] * 6, name="a"),
        [X],
    ),
    "normalization, one for all": (
        lambda k: k.layers.Normalization(axis=None, mean=3.0, variance=4.0, name="a"),
        [CUBE],
    ),
    "normalization inverted": (
        lambda k: k.layers.Normalization(mean=3.0, variance=4.0, invert=True, name="a"),
        [X],
    ),
    "discretization": (lambda k: k.layers.Discretization([-1.0, 0.0, 1.0], name="a"), [X]),
    "discretization, counted": (
        lambda k: k.layers.Discretization([-1.0, 0.0, 1.0], output_mode="count", name="a"),
        [X],
    ),
    "discretization, one hot": (
        lambda k: k.layers.Discretization([-1.0, 0.0, 1.0], output_mode="one_hot", name="a"),
        [X],
    ),
    "categories": (lambda k: k.layers.CategoryEncoding(5, name="a"), [INDEX]),
    "categories, one hot": (
        lambda k: k.layers.CategoryEncoding(5, "one_hot", name="a"),
        [INDEX[:, :1]],
    ),
    "categories, counted": (lambda k: k.layers.CategoryEncoding(5, "count", name="a"), [INDEX]),
    # around others
    "activity": (lambda k: k.layers.ActivityRegularization(0.5, 0.25, name="a"), [X]),
    "time distributed": (
        lambda k: k.layers.TimeDistributed(k.layers.Dense(2, "tanh", name="b"), name="a"),
        [CUBE],
    ),
    "time distributed batch norm": (
        lambda k: k.layers.TimeDistributed(k.layers.BatchNormalization(name="b"), name="a"),
        [CUBE],
    ),
    "wrapped lambda": (
        lambda k: k.layers.TimeDistributed(k.layers.Reshape((3, 2), name="b"), name="a"),
        [CUBE],
    ),
    # noise, where it is off
    "dropout": (lambda k: k.layers.Dropout(0.0, name="a"), [X]),
}
"""Name: (how to make it, its inputs)."""

NOISY: dict[str, tuple[Maker, np.ndarray]] = {
    "dropout": (lambda k: k.layers.Dropout(0.3, noise_shape=(None, 1), seed=1, name="a"), X),
    "dropout, no seed": (lambda k: k.layers.Dropout(0.3, name="a"), X),
    "alpha dropout": (lambda k: k.layers.AlphaDropout(0.3, name="a"), X),
    "gaussian dropout": (lambda k: k.layers.GaussianDropout(0.3, seed=2, name="a"), X),
    "gaussian noise": (lambda k: k.layers.GaussianNoise(0.3, name="a"), X),
    "spatial dropout 1": (lambda k: k.layers.SpatialDropout1D(0.3, name="a"), CUBE),
    "spatial dropout 2": (lambda k: k.layers.SpatialDropout2D(0.3, seed=3, name="a"), IMAGE),
    "spatial dropout 3": (lambda k: k.layers.SpatialDropout3D(0.3, name="a"), data(2, 2, 2, 2, 2)),
}
"""Layers that draw: alike in evaluation, in shapes and configs."""
