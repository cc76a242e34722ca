"""The losses as a table of cases: every option, and shapes and values where something happens."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.faces import Result, data

REDUCTIONS = ("mean", "sum", "none")
FUNCTIONS = {
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CosineEmbeddingLoss": "cosine_embedding_loss",
    "CrossEntropyLoss": "cross_entropy",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "HuberLoss": "huber_loss",
    "KLDivLoss": "kl_div",
    "L1Loss": "l1_loss",
    "MSELoss": "mse_loss",
    "MarginRankingLoss": "margin_ranking_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "MultiMarginLoss": "multi_margin_loss",
    "NLLLoss": "nll_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "SoftMarginLoss": "soft_margin_loss",
    "TripletMarginLoss": "triplet_margin_loss",
    "TripletMarginWithDistanceLoss": "triplet_margin_with_distance_loss",
}
"""Every loss module, and the function it calls."""


@dataclass(frozen=True)
class Loss:
    """A loss on inputs; `constants` are the floating-point inputs without a gradient."""

    module: str
    inputs: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    constants: tuple[int, ...] = ()
    function_only: bool = False

    @property
    def reductions(self) -> tuple[str, ...]:
        return (*REDUCTIONS, "batchmean") if self.module == "KLDivLoss" else REDUCTIONS

    def criterion(self, fw: Any, reduction: str, function: bool = False) -> Any:
        """The module, or the function with its options bound."""
        options: dict[str, Any] = {
            name: tensor(fw, value) if isinstance(value, np.ndarray) else value
            for name, value in self.options.items()
        }
        if function or self.function_only:
            f = getattr(fw.F, FUNCTIONS[self.module])
            return lambda *xs: f(*xs, **options, reduction=reduction)
        return getattr(fw.nn, self.module)(**options, reduction=reduction)

    def leaves(self, fw: Any, dtype: str = "float64") -> tuple[list[Any], list[Any]]:
        """The inputs as tensors, and those of them that want a gradient."""
        tensors = [tensor(fw, x, dtype) if isinstance(x, np.ndarray) else x for x in self.inputs]
        wanted = [
            t.requires_grad_()
            for i, (t, x) in enumerate(zip(tensors, self.inputs, strict=True))
            if isinstance(x, np.ndarray) and x.dtype.kind == "f" and i not in self.constants
        ]
        return tensors, wanted

    def run(self, fw: Any) -> Result:
        """The loss with each reduction, and the gradients of its sum with unequal weights."""
        results = {}
        for reduction in self.reductions:
            with warnings.catch_warnings():
                if self.module == "KLDivLoss" and reduction == "mean":
                    warnings.simplefilter("ignore", UserWarning)
                tensors, wanted = self.leaves(fw)
                loss = self.criterion(fw, reduction)(*tensors)
            (loss * tensor(fw, weights(loss.shape))).sum().backward()
            results[reduction] = loss
            for i, t in enumerate(wanted):
                results[f"{reduction}, gradient {i}"] = t.grad
        return results


def tensor(fw: Any, array: np.ndarray, dtype: str = "float64") -> Any:
    """Floats in `dtype`; integers as they are."""
    if array.dtype.kind == "f":
        return fw.torch.tensor(array, dtype=getattr(fw.torch, dtype))
    return fw.torch.tensor(array)


def weights(shape: Any) -> np.ndarray:
    """Numbers of which no two are alike."""
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(tuple(shape))


def ints(*values: Any, dtype: Any = np.int64) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 else values, dtype)


def floats(*values: Any) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 else values, np.float64)


def chance(*shape: int, seed: int = 0) -> np.ndarray:
    """Probabilities."""
    return data(*shape, seed=seed, low=0.1, high=0.9)


def signs(*shape: int, seed: int = 0) -> np.ndarray:
    return np.sign(data(*shape, seed=seed))


def manhattan(x: Any, y: Any) -> Any:
    return (x - y).abs().sum(-1)


INF, NAN = np.inf, np.nan
PAIR = (data(2, 3), data(2, 3, seed=1))
THREE = (data(4, 3), data(4, 3, seed=1), data(4, 3, seed=2))
CLASSES = ints(2, 0, 1, 2)
W3 = floats(0.5, 1.0, 2.5)
LABELS = ints([[3, 0, -1, 1], [1, -1, 0, 0]])

DISTANCES = [
    *(Loss("MSELoss", x) for x in (PAIR, (data(), data(seed=1)), (data(2, 3, 2), data(2, 3, 2)))),
    Loss("MSELoss", (data(0, 3), data(0, 3))),
    Loss("MSELoss", PAIR, {"weight": data(2, 3, seed=2)}, function_only=True),
    Loss("L1Loss", PAIR),
    Loss("L1Loss", (floats(1, 2, NAN), floats(1, 3, 0))),
    Loss("L1Loss", PAIR, {"weight": data(2, 3, seed=2)}, function_only=True),
    *(Loss("SmoothL1Loss", PAIR, {"beta": beta}) for beta in (1.0, 0.3, 0.0, 2.0)),
    Loss("SmoothL1Loss", (floats(3, -3, 0.5, 2, 0), floats(0, 0, 0, 0, 0)), {"beta": 2.0}),
    *(Loss("HuberLoss", PAIR, {"delta": delta}) for delta in (1.0, 0.3, 2.0)),
    Loss("HuberLoss", (floats(3, -3, 0.5, 2, 0), floats(0, 0, 0, 0, 0)), {"delta": 2.0}),
    Loss("HuberLoss", PAIR, {"weight": data(2, 3, seed=2), "delta": 0.5}, function_only=True),
]
LIKELIHOODS = [
    *(
        Loss("PoissonNLLLoss", (data(2, 3, low=0.1), data(2, 3, seed=1, low=1.1)), options)
        for options in (
            {},
            {"full": True},
            {"log_input": False},
            {"log_input": False, "full": True, "eps": 0.1},
        )
    ),
    Loss("PoissonNLLLoss", (data(5), ints(0, 1, 2, 3, 9))),
    Loss("PoissonNLLLoss", (data(3), floats(0, 1, 0.5)), {"full": True}, constants=(1,)),
    Loss("PoissonNLLLoss", (data(2, 3), data(3, low=2, high=4))),
    *(
        Loss("GaussianNLLLoss", (*PAIR, var), options)
        for var in (data(2, 3, low=0.1), data(2, low=0.1), data(2, 1, low=0.1), data(1, 3, low=0.1))
        for options in ({}, {"full": True})
    ),
    Loss("GaussianNLLLoss", (*PAIR, 2.0), {"full": True}),
    Loss("GaussianNLLLoss", (floats(1, 2, 3), floats(2, 2, 5), floats(0, 0.5, 1e-9)), {"eps": 0.5}),
    Loss("GaussianNLLLoss", (data(0, 3), data(0, 3), data(0, 3, low=0.1))),
]
BINARY = [
    *(
        Loss("BCELoss", (chance(2, 3), chance(2, 3, seed=1)), options)
        for options in ({}, {"weight": W3}, {"weight": floats([[0.5], [2]])})
    ),
    Loss("BCELoss", (floats(0, 1, 0, 1, 0.5), floats(1, 1, 0, 0, 1)), constants=(1,)),
    Loss("BCELoss", (chance(), chance(seed=1))),
    Loss("BCELoss", (chance(0, 3), chance(0, 3))),
    *(
        Loss("BCEWithLogitsLoss", (data(2, 3), chance(2, 3)), options)
        for options in (
            {},
            {"weight": W3},
            {"pos_weight": W3},
            {"weight": floats([[0.5], [2]]), "pos_weight": W3},
        )
    ),
    Loss("BCEWithLogitsLoss", (floats(1000, -1000, 1000, 0), floats(0, 1, 1, 0)), constants=(1,)),
    Loss("BCEWithLogitsLoss", (data(0, 3), chance(0, 3))),
    *(
        Loss("MultiLabelSoftMarginLoss", (data(2, 3), chance(2, 3)), options)
        for options in ({}, {"weight": W3})
    ),
    Loss("MultiLabelSoftMarginLoss", (data(3), chance(3))),
    Loss("MultiLabelSoftMarginLoss", (data(2, 2, 3), chance(2, 2, 3))),
    Loss("MultiLabelSoftMarginLoss", (floats([[1000, -1000]]), floats([[0, 1]])), constants=(1,)),
]
SOFTMAX = [
    *(
        Loss(module, (data(4, 3), CLASSES), options)
        for module in ("CrossEntropyLoss", "NLLLoss")
        for options in ({}, {"weight": W3}, {"ignore_index": 2}, {"weight": W3, "ignore_index": 0})
    ),
    *(
        Loss("CrossEntropyLoss", (data(4, 3), CLASSES), {"label_smoothing": 0.1, **options})
        for options in ({}, {"weight": W3}, {"weight": W3, "ignore_index": 0})
    ),
    *(
        Loss("CrossEntropyLoss", (data(4, 3), chance(4, 3)), options)
        for options in (
            {},
            {"weight": W3},
            {"label_smoothing": 0.1},
            {"weight": W3, "label_smoothing": 0.1},
        )
    ),
    *(
        loss
        for module in ("CrossEntropyLoss", "NLLLoss")
        for loss in (
            Loss(module, (data(2, 3, 2), ints([[2, 0], [1, 1]])), {"weight": W3}),
            Loss(module, (data(1, 2, 2, 1, 2), ints([[[[1, 0]], [[0, 0]]]]))),
            Loss(module, (data(3), ints(1))),
            Loss(module, (data(4, 3), ints(2, 0, 1, 2, dtype=np.uint8))),
            Loss(module, (data(2, 3), ints(1, 1)), {"ignore_index": 1}),
            Loss(module, (data(0, 3), ints([]))),
            Loss(module, (floats([[-INF, 0, 1], [0, 1, 2]]), ints(1, 0))),
            Loss(module, (floats([[-INF, 0, 1]]), ints([0]))),
        )
    ),
    Loss("CrossEntropyLoss", (data(2, 3, 2), chance(2, 3, 2)), {"weight": W3}),
    Loss("CrossEntropyLoss", (data(3), chance(3)), {"label_smoothing": 0.3}),
    Loss("CrossEntropyLoss", (data(0, 3), chance(0, 3))),
    Loss("CrossEntropyLoss", (floats([[-INF, 0, 1]]), floats([[0, 1, 0]])), constants=(1,)),
    Loss("CrossEntropyLoss", (floats([[1000, 0], [0, -1000]]), ints(1, 1))),
    *(
        Loss("KLDivLoss", (data(2, 3), target), {"log_target": log_target})
        for target, log_target in ((chance(2, 3), False), (data(2, 3, seed=1), True))
    ),
    Loss("KLDivLoss", (data(3), chance(2, 3))),
    Loss("KLDivLoss", (data(), chance())),
    Loss("KLDivLoss", (data(4), floats(0, 0.5, 1, 0)), constants=(1,)),
    Loss("KLDivLoss", (data(0, 3), chance(0, 3))),
]
MARGINS = [
    *(
        Loss("HingeEmbeddingLoss", (data(2, 3), signs(2, 3)), {"margin": margin}, constants=(1,))
        for margin in (1.0, 0.5)
    ),
    Loss("HingeEmbeddingLoss", (floats(1, 1, 0.5, 2), floats(-1, 1, 0, 3)), constants=(1,)),
    Loss("HingeEmbeddingLoss", (data(2, 3), ints(1, -1, 1))),
    *(
        Loss("MarginRankingLoss", (*PAIR, signs(2, 3, seed=2)), {"margin": margin})
        for margin in (0.0, 0.5)
    ),
    Loss("MarginRankingLoss", (data(3, 1), data(1, 2), signs(1, 1))),
    Loss("MarginRankingLoss", (floats(1, 2), floats(1, 2), floats(1, -1))),
    *(
        Loss("CosineEmbeddingLoss", (*THREE[:2], floats(1, -1, -1, 1)), {"margin": m}, (2,))
        for m in (0.0, -0.5)
    ),
    Loss("CosineEmbeddingLoss", (data(3), data(3, seed=1), floats(1)), constants=(2,)),
    Loss("CosineEmbeddingLoss", (np.zeros((2, 2)), floats([[0, 0], [1, 2]]), ints(1, -1))),
    *(
        Loss("TripletMarginLoss", THREE, options)
        for options in (
            {},
            {"margin": 0.5},
            {"p": 1},
            {"p": 3.0, "eps": 0.1},
            {"p": INF},
            {"swap": True},
        )
    ),
    Loss("TripletMarginLoss", (data(3), data(3, seed=1), data(3, seed=2))),
    Loss("TripletMarginLoss", (data(2, 2, 3), data(1, 2, 3), data(2, 2, 3, seed=2))),
    *(
        Loss("TripletMarginWithDistanceLoss", THREE, options)
        for options in (
            {"swap": True, "margin": 2.0},
            {"distance_function": manhattan, "margin": 0.5},
        )
    ),
    Loss("SoftMarginLoss", (data(2, 3), signs(2, 3)), constants=(1,)),
    Loss("SoftMarginLoss", (data(2, 3), ints(1, -1, 1))),
    *(
        Loss("MultiMarginLoss", (data(4, 3), CLASSES), options)
        for options in ({}, {"p": 2}, {"margin": 0.3}, {"weight": W3, "p": 2, "margin": 2.0})
    ),
    Loss("MultiMarginLoss", (data(3), ints(1))),
    Loss("MultiMarginLoss", (data(3), ints([1])), {"p": 2}),
    Loss("MultiMarginLoss", (floats([[1, 0, 0], [NAN, 0, 0], [0, NAN, 1]]), ints(0, 0, 0))),
    Loss("MultiLabelMarginLoss", (data(2, 4), LABELS)),
    Loss("MultiLabelMarginLoss", (data(4), ints(3, 3, -1, 1))),
    Loss("MultiLabelMarginLoss", (data(2, 3), ints([[0, 1, 2], [-1, 0, 1]]))),
]
ALL = [*DISTANCES, *LIKELIHOODS, *BINARY, *SOFTMAX, *MARGINS]


def named() -> dict[str, Loss]:
    """The table with a name for every case."""
    found: dict[str, Loss] = {}
    for loss in ALL:
        options = ", ".join(
            f"{k}={getattr(v, 'shape', getattr(v, '__name__', v))}" for k, v in loss.options.items()
        )
        shapes = " ".join(str(np.shape(x)).replace(" ", "") for x in loss.inputs)
        name = f"{loss.module}({options}) {shapes}"
        while name in found:
            name += "'"
        found[name] = loss
    return found
