"""Modules, layers and losses, under PyTorch's names.

>>> import autograd, nn
>>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
>>> model(autograd.zeros(3, 2)).shape
(3, 1)
"""

from importlib import import_module as _import_module
from typing import Any as _Any

import autograd

if getattr(autograd, "ENGINE", None) != "tapegrad":
    raise ImportError(
        f"`autograd` at {autograd.__file__} is HIPS autograd, which has tapegrad's import name;"
        " keep one of the two: `pip uninstall -y autograd`, then install tapegrad again"
    )

from nn import functional, init, utils
from nn.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from nn.collection import ParameterDict, ParameterList
from nn.container import ModuleDict, ModuleList, Sequential
from nn.distance import CosineSimilarity, PairwiseDistance
from nn.dropout import AlphaDropout, Dropout
from nn.files import FileError, load, load_metadata, save
from nn.linear import Bilinear, Identity, Linear
from nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from nn.module import Module
from nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, RMSNorm
from nn.parameter import Parameter
from nn.perceptron import Perceptron
from nn.shape import Flatten, Unflatten
from nn.softmax import GLU, LogSoftmax, Softmax, Softmax2d, Softmin
from nn.sparse import Embedding
from nn.summary import summary
from nn.torch_bridge import from_torch, to_torch


def __getattr__(name: str) -> _Any:
    """`nn.keras` and `nn.plot`, which stand a floor above and are loaded at first use."""
    if name in ("keras", "plot"):
        return _import_module(f"nn.{name}")
    if name == "lint":
        globals()[name] = _import_module("nn.linting").lint
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "AlphaDropout",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "FileError",
    "Flatten",
    "GaussianNLLLoss",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PReLU",
    "PairwiseDistance",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "Perceptron",
    "PoissonNLLLoss",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "Unflatten",
    "from_torch",
    "functional",
    "init",
    "load",
    "load_metadata",
    "save",
    "summary",
    "to_torch",
    "utils",
]
