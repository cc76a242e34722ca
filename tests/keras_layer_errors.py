"""Wrong calls of the layers of `nn.keras`: what is done, the exception, what its message says."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd
from nn import keras
from nn.keras import layers


def f32(*shape: int) -> np.ndarray:
    return np.ones(shape, "float32")


def dense(width: int) -> Any:
    layer = layers.Dense(2, name="wide")
    layer.build((None, width))
    return layer


ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "units": (lambda: layers.Dense(0), ValueError, "`units`, expected a positive integer.*units=0"),
    "units of text": (lambda: layers.Dense("3"), ValueError, "units=3"),
    "lora": (lambda: layers.Dense(2, lora_rank=4), ValueError, "Dense: lora_rank=4 is not supp"),
    "activation": (lambda: layers.Dense(2, "rellu"), ValueError, "Did you mean 'relu'"),
    "initializer": (
        lambda: layers.Dense(2, kernel_initializer="glorot_unifrm"),
        ValueError,
        "Did you mean 'glorot_uniform'",
    ),
    "unknown argument": (lambda: layers.Dense(2, unit=3), ValueError, "Unrecognized.*unit"),
    "vector": (lambda: layers.Dense(2)(f32(3)), ValueError, "expected min_ndim=2, found ndim=1"),
    "other width": (
        lambda: dense(3)(f32(2, 4)),
        ValueError,
        "layer 'wide' is incompatible.*axis -1 .*value 3.*\\(2, 4\\)",
    ),
    "open width": (
        lambda: layers.Dense(2)(keras.Input((None,))),
        ValueError,
        "last dimension of the input must be known",
    ),
    "relu": (lambda: layers.ReLU(-1), ValueError, "max_value=-1"),
    "relu slope": (lambda: layers.ReLU(negative_slope=None), ValueError, "negative_slope=None"),
    "relu threshold": (lambda: layers.ReLU(threshold=-1.0), ValueError, "threshold=-1.0"),
    "leaky": (lambda: layers.LeakyReLU(-0.1), ValueError, "negative_slope=-0.1"),
    "softmax mask": (
        lambda: layers.Softmax()(f32(2, 3), mask=autograd.ones(2)),
        ValueError,
        "must be broadcastable",
    ),
    "rate": (lambda: layers.Dropout(1.5), ValueError, "between 0 and 1. Received: rate=1.5"),
    "rate of 1": (lambda: layers.AlphaDropout(1), ValueError, "1 excluded. Received: rate=1"),
    "gaussian rate": (lambda: layers.GaussianDropout(1), ValueError, "1 excluded"),
    "stddev": (lambda: layers.GaussianNoise(-1), ValueError, "stddev=-1"),
    "seed": (lambda: layers.Dropout(0.5, seed="a"), ValueError, "must be an integer.*seed=a"),
    "noise shape": (lambda: layers.Dropout(0.5, "ab"), ValueError, "noise_shape=ab"),
    "noise size": (lambda: layers.Dropout(0.5, (None, 0)), ValueError, "index 1: 0"),
    "noise that does not fit": (
        lambda: layers.Dropout(0.5, (None, 2))(f32(4, 3), training=True),
        ValueError,
        "does not broadcast to an input of shape",
    ),
    "data format": (lambda: layers.SpatialDropout2D(0.5, "x"), ValueError, "data_format=x"),
    "spatial rank": (lambda: layers.SpatialDropout1D(0.5)(f32(2, 3)), ValueError, "ndim=3"),
    "renorm": (lambda: layers.BatchNormalization(renorm=True), ValueError, "renorm=True is not"),
    "axis": (lambda: layers.BatchNormalization(3)(f32(2, 3)), ValueError, "Axis 3 is out of b"),
    "open axis": (
        lambda: layers.BatchNormalization()(keras.Input((None,))),
        ValueError,
        "must have a known size",
    ),
    "batch norm mask": (
        lambda: layers.BatchNormalization()(f32(2, 3), training=True, mask=autograd.ones(2, 3)),
        ValueError,
        "one dimension less",
    ),
    "layer norm axis": (lambda: layers.LayerNormalization("a"), TypeError, "argument 'axis'"),
    "layer norm sizes": (
        lambda: layers.LayerNormalization()(keras.Input((None,))),
        ValueError,
        "must be known",
    ),
    "rms scaling": (lambda: layers.LayerNormalization(rms_scaling=True), ValueError, "RMSNorm"),
    "groups": (lambda: layers.GroupNormalization(0), ValueError, "groups=0"),
    "groups of channels": (
        lambda: layers.GroupNormalization(4)(f32(2, 6)),
        ValueError,
        r"channels \(6\) must be a multiple.*\(4\)",
    ),
    "unit norm axis": (lambda: layers.UnitNormalization("a"), TypeError, "axis=a"),
    "unit norm place": (lambda: layers.UnitNormalization(2)(f32(2, 3)), ValueError, "Axis 2"),
    "flatten": (lambda: layers.Flatten("x"), ValueError, "data_format=x"),
    "reshape": (lambda: layers.Reshape((4, 2))(f32(2, 6)), ValueError, r"must be unchanged"),
    "reshape twice": (lambda: layers.Reshape((-1, -1)), ValueError, "at most one unknown"),
    "permute": (lambda: layers.Permute((0, 1)), ValueError, "start from 1"),
    "repeat": (lambda: layers.RepeatVector(0), ValueError, "n=0"),
    "repeat of text": (lambda: layers.RepeatVector("2"), TypeError, "integer value for `n`"),
    "input_dim": (lambda: layers.Embedding(0, 2), ValueError, "`input_dim` must be a positive"),
    "output_dim": (lambda: layers.Embedding(2, True), ValueError, "`output_dim` must be"),
    "index": (lambda: layers.Embedding(3, 2)(np.array([3])), IndexError, "index 3 is out of range"),
    "merge of one": (lambda: layers.Add()(f32(2, 3)), ValueError, "on a list of inputs"),
    "merge of sizes": (
        lambda: layers.Add()([f32(2, 3), f32(2, 4)]),
        ValueError,
        r"incompatible shapes.*\(3,\) and \(4,\)",
    ),
    "merge of batches": (
        lambda: layers.Add()([f32(2, 3), f32(5, 3)]),
        ValueError,
        "different batch sizes",
    ),
    "subtract": (lambda: layers.Subtract()([f32(2, 3)] * 3), ValueError, "exactly 2 inputs"),
    "concatenate": (
        lambda: layers.Concatenate()([f32(2, 3, 4), f32(2, 5, 4)]),
        ValueError,
        "matching shapes except for the concatenation axis, -1",
    ),
    "concatenate axis": (lambda: layers.Concatenate(2)([f32(2, 3)] * 2), ValueError, "axis 2"),
    "concatenate one": (lambda: layers.Concatenate()(f32(2, 3)), ValueError, "on a list"),
    "dot": (
        lambda: layers.Dot(1)([f32(2, 3), f32(2, 4)]),
        ValueError,
        r"axis values 3 \(at axis 1\) != 4",
    ),
    "dot of the batch": (lambda: layers.Dot(0)([f32(2, 3)] * 2), ValueError, "after the batch"),
    "dot of one": (lambda: layers.Dot(1)([f32(2, 3)]), ValueError, "a list of 2 inputs"),
    "dot axes": (lambda: layers.Dot("a"), TypeError, "axes=a"),
    "dot three axes": (lambda: layers.Dot((1, 2, 3)), ValueError, "two integers"),
    "normalization": (lambda: layers.Normalization(mean=1.0), ValueError, "both `mean` and"),
    "normalization shapes": (
        lambda: layers.Normalization(mean=[1.0], variance=[[1.0]]),
        ValueError,
        "same shape",
    ),
    "normalization axis": (lambda: layers.Normalization(2)(f32(2, 3)), ValueError, "Axis 2"),
    "normalization open": (
        lambda: layers.Normalization()(keras.Input((None,))),
        ValueError,
        "must have a known shape",
    ),
    "adapt nothing": (lambda: layers.Normalization().adapt([]), ValueError, "empty iterable"),
    "adapt a number": (lambda: layers.Normalization().adapt(3), TypeError, "Unsupported data"),
    "adapt what is given": (
        lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(f32(2, 3)),
        ValueError,
        "nothing to adapt",
    ),
    "adapt to other sizes": (
        lambda: layers.Normalization().adapt([f32(2, 3), f32(2, 4)]),
        ValueError,
        "incompatible shape",
    ),
    "bins": (lambda: layers.Discretization(), ValueError, "Exactly one of"),
    "bins both": (lambda: layers.Discretization([1.0], 2), ValueError, "Exactly one of"),
    "bins of none": (lambda: layers.Discretization(num_bins=-1), ValueError, "Received: -1"),
    "bins mode": (lambda: layers.Discretization([1.0], output_mode="x"), ValueError, "output_mode"),
    "bins adapt": (
        lambda: layers.Discretization([1.0]).adapt(f32(2)),
        ValueError,
        "use `num_bins`",
    ),
    "bins early": (lambda: layers.Discretization(num_bins=2)(f32(2)), ValueError, "call `adapt"),
    "tokens": (lambda: layers.CategoryEncoding(), ValueError, "num_tokens=None"),
    "tokens mode": (lambda: layers.CategoryEncoding(2, "x"), ValueError, "output_mode: x"),
    "tokens sparse": (lambda: layers.CategoryEncoding(2, sparse=True), ValueError, "sparse=True"),
    "count weights": (
        lambda: layers.CategoryEncoding(2)(np.ones(2, int), count_weights=autograd.ones(2)),
        ValueError,
        "not used",
    ),
    "equation": (lambda: layers.EinsumDense("ab", 2)(f32(2, 3)), ValueError, "Invalid einsum eq"),
    "equation rank": (
        lambda: layers.EinsumDense("abc,cd->abd", (3, 2))(f32(2, 3)),
        ValueError,
        "does not fit an input",
    ),
    "equation output": (
        lambda: layers.EinsumDense("ab,bc->ac", (3, 2))(f32(2, 3)),
        ValueError,
        "does not fit the output",
    ),
    "equation letter": (
        lambda: layers.EinsumDense("ab,bc->ad", 2)(f32(2, 3)),
        ValueError,
        "Dimension 'd'",
    ),
    "equation weight": (
        lambda: layers.EinsumDense("ab,cd->ad", 2)(f32(2, 3)),
        ValueError,
        "Weight dimension 'c'",
    ),
    "equation sizes": (
        lambda: layers.EinsumDense("abc,cd->abd", (5, 2))(f32(2, 3, 4)),
        ValueError,
        "do not match at shared dimension",
    ),
    "equation bias": (
        lambda: layers.EinsumDense("ab,bc->ac", 2, bias_axes="x")(f32(2, 3)),
        ValueError,
        "Bias dimension 'x'",
    ),
    "lambda": (lambda: layers.Lambda(3), TypeError, "expected a function"),
    "wrapper": (lambda: layers.Wrapper(3), ValueError, "isn't a supported layer"),
    "time": (lambda: layers.TimeDistributed(3), ValueError, "initialize `TimeDistributed`"),
    "time of matrices": (
        lambda: layers.TimeDistributed(layers.Dense(2))(f32(2, 3)),
        ValueError,
        "at least 3 dimensions",
    ),
}
