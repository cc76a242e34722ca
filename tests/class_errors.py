"""Wrong calls of cross_entropy and nll_loss; the other losses' stand in loss_errors.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.faces import data
from tests.losses import W3, chance, ints, tensor

N43, Y4 = data(4, 3), ints(2, 0, 1, 2)
NO_GRADIENT = "is not differentiable with respect to"
Call = Callable[[Any, Callable[[Any], Any]], Any]
"""A call on a face: it is given the face and a function that makes tensors of arrays."""


def wanting(fw: Any, array: np.ndarray) -> Any:
    return tensor(fw, array).requires_grad_()


CLASS_ERRORS: dict[str, tuple[type, str, Call]] = {
    **{
        f"{name}: {what}": (
            error,
            message,
            lambda fw, t, name=name, c=call: c(getattr(fw.F, name), fw, t),
        )
        for name in ("cross_entropy", "nll_loss")
        for what, error, message, call in (
            (
                "class 3",
                IndexError,
                "target 3 is out of bounds for 3 classes; expected 0 to 2",
                lambda f, fw, t: f(t(N43), t(ints(0, 1, 2, 3))),
            ),
            (
                "class -1",
                IndexError,
                "target -1 is out of bounds",
                lambda f, fw, t: f(t(N43), t(ints(0, 1, 2, -1))),
            ),
            (
                "int32",
                RuntimeError,
                "expected target dtype to be int64 or uint8, but got int32",
                lambda f, fw, t: f(t(N43), t(Y4.astype(np.int32))),
            ),
            (
                "bool",
                RuntimeError,
                "expected target dtype to be int64 or uint8, but got bool",
                lambda f, fw, t: f(t(N43), t(Y4.astype(bool))),
            ),
            (
                "rows",
                ValueError,
                r"x is \(4, 3\) but target is \(3,\); expected target \(4,\)",
                lambda f, fw, t: f(t(N43), t(Y4[:3])),
            ),
            (
                "one row",
                ValueError,
                r"x is \(4, 3\) but target is \(1, 4\)",
                lambda f, fw, t: f(t(N43), t(Y4[None])),
            ),
            (
                "positions",
                RuntimeError,
                r"x is \(2, 3, 4\) but target is \(2, 3\); expected target \(2, 4\)",
                lambda f, fw, t: f(t(data(2, 3, 4)), t(ints([[0, 1, 2], [0, 1, 2]]))),
            ),
            (
                "weight size",
                RuntimeError,
                r"x is \(4, 3\) but weight is \(2,\); expected weight \(3,\)",
                lambda f, fw, t: f(t(N43), t(Y4), t(W3[:2])),
            ),
            (
                "weight dtype",
                RuntimeError,
                "expected one dtype, got float32 and float64",
                lambda f, fw, t: f(t(N43), t(Y4), t(W3).float()),
            ),
            (
                "weight's gradient",
                RuntimeError,
                f"{NO_GRADIENT} weight",
                lambda f, fw, t: f(t(N43), t(Y4), wanting(fw, W3)),
            ),
            (
                "ignore_index",
                TypeError,
                "ignore_index is 1.5; expected an integer",
                lambda f, fw, t: f(t(N43), t(Y4), ignore_index=1.5),
            ),
        )
    },
    **{
        f"cross_entropy: probabilities {kind}": (
            RuntimeError,
            f"would hold probabilities, but is {kind}",
            lambda fw, t, kind=kind: fw.F.cross_entropy(t(N43), t(np.ones((4, 3), kind))),
        )
        for kind in ("int64", "int32", "bool")
    },
    "cross_entropy: one class": (
        RuntimeError,
        "would hold probabilities, but is int64",
        lambda fw, t: fw.F.cross_entropy(t(data(3)), t(ints(0, 1, 0))),
    ),
    "cross_entropy: float classes": (
        RuntimeError,
        r"integers \(target.long\(\)\) of shape \(4,\) for class numbers",
        lambda fw, t: fw.F.cross_entropy(t(N43), t(Y4).double()),
    ),
    "nll_loss: a number": (
        ValueError,
        "x is 0-d",
        lambda fw, t: fw.F.nll_loss(t(data()), t(ints(1))),
    ),
    "cross_entropy: ignore_index of probabilities": (
        RuntimeError,
        "ignore_index is 1 but target holds probabilities",
        lambda fw, t: fw.F.cross_entropy(t(N43), t(chance(4, 3)), ignore_index=1),
    ),
    "cross_entropy: label_smoothing": (
        RuntimeError,
        "label_smoothing must be between 0 and 1; got 1.5",
        lambda fw, t: fw.nn.CrossEntropyLoss(label_smoothing=1.5)(t(N43), t(Y4)),
    ),
    "cross_entropy: label_smoothing of probabilities": (
        RuntimeError,
        "label_smoothing must be between 0 and 1; got 1.5",
        lambda fw, t: fw.F.cross_entropy(t(N43), t(chance(4, 3)), label_smoothing=1.5),
    ),
    "cross_entropy: a list": (
        TypeError,
        "target is list; expected a Tensor",
        lambda fw, t: fw.F.cross_entropy(t(N43), [2, 0, 1, 2]),
    ),
}
