"""Wrong uses of layers: the error's type, which is also PyTorch's, and our message."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.faces import data

Call = Any
"""A call on a face: it is given its `nn`, and a function that makes tensors of arrays."""
X34 = data(3, 4)
ERRORS: dict[str, tuple[Any, str, Call]] = {
    "Linear: width": (
        RuntimeError,
        r"x is \(3, 4\) but weight is \(2, 3\)",
        lambda n, t: n.Linear(3, 2).double()(t(X34)),
    ),
    "Linear: dtype": (RuntimeError, "float64|dtype", lambda n, t: n.Linear(4, 2)(t(X34))),
    "Linear: int": (RuntimeError, "dtype", lambda n, t: n.Linear(4, 2)(t(np.ones((3, 4), int)))),
    "Bilinear: empty": (ValueError, "in1_features must be > 0", lambda n, t: n.Bilinear(0, 2, 3)),
    "Bilinear: batch": (
        RuntimeError,
        r"x1 is \(3, 4\), x2 is \(1, 4\)",
        lambda n, t: n.Bilinear(4, 4, 2).double()(t(X34), t(X34[:1])),
    ),
    "Bilinear: dtype": (
        RuntimeError,
        "same dtype, got float64, float64, float32",
        lambda n, t: n.Bilinear(4, 4, 2)(t(X34), t(X34)),
    ),
    "Flatten: dim": (IndexError, "out of range", lambda n, t: n.Flatten(3)(t(X34))),
    "Unflatten: type": (
        TypeError,
        "must be a tuple of ints, but found type int",
        lambda n, t: n.Unflatten(1, 4),
    ),
    "Unflatten: element": (
        TypeError,
        "found element of type float at pos 1",
        lambda n, t: n.Unflatten(1, (2, 2.0)),
    ),
    "Unflatten: size": (
        RuntimeError,
        "unflatten|invalid",
        lambda n, t: n.Unflatten(1, (2, 3))(t(X34)),
    ),
    **{
        f"{name}: p={p}": (
            ValueError,
            "between 0 and 1",
            lambda n, t, name=name, p=p: getattr(n, name)(p),
        )
        for name in ("Dropout", "AlphaDropout")
        for p in (-0.1, 1.1)
    },
    "Dropout: int": (
        RuntimeError,
        "expected float32 or float64, got int64",
        lambda n, t: n.Dropout()(t(np.ones(3, int))),
    ),
    "Hardtanh": (
        AssertionError,
        r"max_val \(1\) must be greater than min_val \(2\)",
        lambda n, t: n.Hardtanh(2, 1),
    ),
    "Softmax2d": (
        ValueError,
        "expected input to be 3D or 4D, got 2D",
        lambda n, t: n.Softmax2d()(t(X34)),
    ),
    "Softmax: int": (
        NotImplementedError,
        "not implemented for int64",
        lambda n, t: n.Softmax(1)(t(np.ones((2, 2), int))),
    ),
    "PReLU": (RuntimeError, "prelu", lambda n, t: n.PReLU(3).double()(t(X34))),
    "RReLU": (
        RuntimeError,
        "Lower bound should be less than or equal to the upper bound",
        lambda n, t: n.RReLU(0.5, 0.1)(t(X34)),
    ),
    "BatchNorm1d: 1-d": (
        ValueError,
        r"expected 2D or 3D input \(got 1D input\)",
        lambda n, t: n.BatchNorm1d(4)(t(X34[0])),
    ),
    "BatchNorm2d: 3-d": (
        ValueError,
        r"expected 4D input \(got 3D input\)",
        lambda n, t: n.BatchNorm2d(4)(t(data(2, 4, 3))),
    ),
    "BatchNorm1d: one row": (
        ValueError,
        r"Expected more than 1 value per channel when training, got input size",
        lambda n, t: n.BatchNorm1d(4).double()(t(X34[:1])),
    ),
    "BatchNorm1d: channels": (
        RuntimeError,
        "should contain 4 elements",
        lambda n, t: n.BatchNorm1d(3).double()(t(X34)),
    ),
    "BatchNorm1d: channels of stats": (
        RuntimeError,
        "running_mean should contain 4 elements",
        lambda n, t: n.BatchNorm1d(3, affine=False).double()(t(X34)),
    ),
    "BatchNorm1d: channels, eval": (
        RuntimeError,
        "running_mean should contain 4 elements",
        lambda n, t: n.BatchNorm1d(3).double().eval()(t(X34)),
    ),
    "BatchNorm1d: dtype": (
        RuntimeError,
        "one dtype, got float32 and float64",
        lambda n, t: n.BatchNorm1d(4)(t(X34)),
    ),
    "BatchNorm1d: int": (
        RuntimeError,
        "int64; expected float32 or float64",
        lambda n, t: n.BatchNorm1d(4, affine=False)(t(np.ones((3, 4), int))),
    ),
    "LayerNorm: shape": (
        RuntimeError,
        r"normalized_shape=\(3,\), expected input with shape \[\*, 3\]",
        lambda n, t: n.LayerNorm(3).double()(t(X34)),
    ),
    "LayerNorm: dtype": (
        RuntimeError,
        "one dtype, got float32 and float64",
        lambda n, t: n.LayerNorm(4)(t(X34)),
    ),
    "LayerNorm: int": (
        RuntimeError,
        "int64; expected float32 or float64",
        lambda n, t: n.LayerNorm(4, elementwise_affine=False)(t(np.ones((3, 4), int))),
    ),
    "RMSNorm: shape": (
        RuntimeError,
        r"normalized_shape=\(3,\), expected input with shape \[\*, 3\]",
        lambda n, t: n.RMSNorm(3).double()(t(X34)),
    ),
    "RMSNorm: int": (
        RuntimeError,
        "int64; expected float32 or float64",
        lambda n, t: n.RMSNorm(4, elementwise_affine=False)(t(np.ones((3, 4), int))),
    ),
    "GroupNorm: groups": (
        ValueError,
        r"num_channels \(4\) must be divisible by num_groups \(3\)",
        lambda n, t: n.GroupNorm(3, 4),
    ),
    "GroupNorm: channels": (
        RuntimeError,
        r"Expected weight to be of shape \(4,\)",
        lambda n, t: n.GroupNorm(2, 6).double()(t(X34)),
    ),
    "GroupNorm: one value": (
        ValueError,
        "Expected more than 1 value per channel when training",
        lambda n, t: n.GroupNorm(4, 4).double()(t(X34[:1])),
    ),
    "Embedding: range": (
        IndexError,
        "index 5 is out of range in self; expected 0 to 2",
        lambda n, t: n.Embedding(3, 2)(t(np.array([5]))),
    ),
    "Embedding: negative": (
        IndexError,
        "index -1 is out of range",
        lambda n, t: n.Embedding(3, 2)(t(np.array([-1]))),
    ),
    "Embedding: floats": (
        RuntimeError,
        "int64, int32; but got float64",
        lambda n, t: n.Embedding(3, 2)(t(np.array([1.0]))),
    ),
    "Embedding: int16": (
        RuntimeError,
        "int64, int32; but got int16",
        lambda n, t: n.Embedding(3, 2)(t(np.array([1], np.int16))),
    ),
    "Embedding: padding": (
        AssertionError,
        "Padding_idx must be within num_embeddings, 3; got 4",
        lambda n, t: n.Embedding(3, 2, padding_idx=4),
    ),
    "Embedding: weight": (
        AssertionError,
        r"Shape of weight \(3, 4\) does not match",
        lambda n, t: n.Embedding(3, 2, _weight=t(X34)),
    ),
    "Embedding: pretrained": (
        AssertionError,
        "expected to be 2-dimensional; got shape",
        lambda n, t: n.Embedding.from_pretrained(t(X34[0])),
    ),
}
