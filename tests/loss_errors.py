"""Wrong calls of losses: what PyTorch raises (ours is an instance of it), our message, the call."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.class_errors import CLASS_ERRORS, N43, NO_GRADIENT, Y4, Call, wanting
from tests.faces import data
from tests.losses import FUNCTIONS, NAN, W3, chance, floats, ints, named, tensor

ERRORS: dict[str, tuple[type, str, Call]] = {
    **CLASS_ERRORS,
    **{
        f"{name}: reduction": (
            ValueError,
            f"{name}: reduction is 'average'; expected",
            lambda fw, t, name=name, loss=loss: loss.criterion(fw, "average", True)(
                *loss.leaves(fw)[0]
            ),
        )
        for name, loss in {FUNCTIONS[loss.module]: loss for loss in named().values()}.items()
    },
    **{
        f"{name}: shapes": (
            RuntimeError,
            rf"{name}: shapes \(2, 3\) and \(3, 2\) do not broadcast",
            lambda fw, t, name=name: getattr(fw.F, name)(
                t(chance(2, 3)), t(chance(3, 2)), reduction="sum"
            ),
        )
        for name in (
            *("kl_div", "poisson_nll_loss", "hinge_embedding_loss", "soft_margin_loss"),
            "multilabel_soft_margin_loss",
        )
    },
    **{
        f"{name}: integers": (
            RuntimeError,
            f"{name}.*int64",
            lambda fw, t, name=name: getattr(fw.F, name)(t(ints(1, 2)), t(ints(1, 3))),
        )
        for name in (
            *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"),
            *("binary_cross_entropy_with_logits", "soft_margin_loss"),
            *("multilabel_soft_margin_loss", "hinge_embedding_loss", "multilabel_margin_loss"),
        )
    },
    "kl_div: integers": (
        RuntimeError,
        "kl_div: got input float64 and target int64",
        lambda fw, t: fw.F.kl_div(t(data(2)), t(ints(0, 1)), reduction="sum"),
    ),
    "cross_entropy: integer logits": (
        RuntimeError,
        "cross_entropy: expected float32 or float64, got int64",
        lambda fw, t: fw.F.cross_entropy(t(ints([[1, 2]])), t(ints([0]))),
    ),
    **{
        f"{name}: weight {shape}": (
            ValueError,
            rf"{name}: input is \(2, 3\) but weight is",
            lambda fw, t, name=name, shape=shape: getattr(fw.F, name)(
                t(data(2, 3)), t(data(2, 3)), weight=t(data(*shape))
            ),
        )
        for name in ("mse_loss", "l1_loss", "huber_loss")
        for shape in ((3,), (1, 2, 3))
    },
    "huber_loss: delta": (
        RuntimeError,
        "delta is 0.0; expected a positive number",
        lambda fw, t: fw.nn.HuberLoss(delta=0.0)(t(data(2)), t(data(2))),
    ),
    "smooth_l1_loss: beta": (
        RuntimeError,
        "beta is -1.0; expected a number >= 0",
        lambda fw, t: fw.nn.SmoothL1Loss(beta=-1.0)(t(data(2)), t(data(2))),
    ),
    "bce: shapes": (
        ValueError,
        r"x is \(2,\) but target is \(2, 1\)",
        lambda fw, t: fw.F.binary_cross_entropy(t(chance(2)), t(chance(2, 1))),
    ),
    "bce: 1 target": (
        ValueError,
        r"x is \(2,\) but target is \(1,\)",
        lambda fw, t: fw.F.binary_cross_entropy(t(chance(2)), t(chance(1))),
    ),
    **{
        f"bce: input {wrong}": (
            RuntimeError,
            f"all elements of input should be between 0 and 1; found {wrong}",
            lambda fw, t, wrong=wrong: fw.F.binary_cross_entropy(t(floats(wrong)), t(floats(1))),
        )
        for wrong in (1.5, -0.5, NAN)
    },
    **{
        f"bce: target {wrong}": (
            RuntimeError,
            f"all elements of target should be between 0 and 1; found {wrong}",
            lambda fw, t, wrong=wrong: fw.F.binary_cross_entropy(t(floats(0.5)), t(floats(wrong))),
        )
        for wrong in (2.0, -1.0, NAN)
    },
    **{
        f"bce: target {kind}": (
            RuntimeError,
            f"binary_cross_entropy: expected one dtype.*{kind}",
            lambda fw, t, kind=kind: fw.F.binary_cross_entropy(
                t(chance(2)), t(np.array([1, 0], kind))
            ),
        )
        for kind in ("int64", "bool")
    },
    "bce: float32 target": (
        RuntimeError,
        "expected one dtype, got float32 and float64",
        lambda fw, t: fw.F.binary_cross_entropy(t(chance(2)), t(chance(2)).float()),
    ),
    "bce: weight shape": (
        RuntimeError,
        r"weight \(2, 2\) does not broadcast to x, \(2,\)",
        lambda fw, t: fw.F.binary_cross_entropy(t(chance(2)), t(chance(2)), t(chance(2, 2))),
    ),
    "bce: weight's gradient": (
        RuntimeError,
        f"binary_cross_entropy {NO_GRADIENT} weight",
        lambda fw, t: fw.F.binary_cross_entropy(t(chance(3)), t(chance(3)), wanting(fw, W3)),
    ),
    "logits: shapes": (
        ValueError,
        r"x is \(2,\) but target is \(1, 2\)",
        lambda fw, t: fw.F.binary_cross_entropy_with_logits(t(data(2)), t(data(1, 2))),
    ),
    **{
        f"logits: target {kind}": (
            RuntimeError,
            f"got input float64 and target {kind}; expected float32 or float64",
            lambda fw, t, kind=kind: fw.F.binary_cross_entropy_with_logits(
                t(data(2)), t(np.array([1, 0], kind))
            ),
        )
        for kind in ("int64", "bool")
    },
    **{
        f"logits: {name} shape": (
            RuntimeError,
            r"shapes \(2,\) and \(3,\) do not broadcast",
            lambda fw, t, name=name: fw.F.binary_cross_entropy_with_logits(
                t(data(2)), t(chance(2)), **{name: t(W3)}
            ),
        )
        for name in ("weight", "pos_weight")
    },
    **{
        f"logits: {name}'s gradient": (
            RuntimeError,
            f"{NO_GRADIENT} {name}",
            lambda fw, t, name=name: fw.F.binary_cross_entropy_with_logits(
                t(data(3)), t(chance(3)), **{name: wanting(fw, W3)}
            ),
        )
        for name in ("weight", "pos_weight")
    },
    "gaussian: negative": (
        ValueError,
        "var has negative entries, such as -1.0",
        lambda fw, t: fw.F.gaussian_nll_loss(t(data(2)), t(data(2)), t(floats(1, -1))),
    ),
    "gaussian: negative number": (
        ValueError,
        "var has negative entries, such as -2.0",
        lambda fw, t: fw.F.gaussian_nll_loss(t(data(2)), t(data(2)), -2.0),
    ),
    **{
        f"gaussian: var {shape}": (
            ValueError,
            r"input is \(2, 3\) but var is",
            lambda fw, t, shape=shape: fw.F.gaussian_nll_loss(
                *(t(data(2, 3)), t(data(2, 3)), t(chance(*shape)))
            ),
        )
        for shape in ((3,), (1, 1), (), (1,), (1, 1, 3))
    },
    "gaussian: integers": (
        RuntimeError,
        "gaussian_nll_loss: got var int64",
        lambda fw, t: fw.F.gaussian_nll_loss(t(data(2)), t(data(2)), t(ints(1, 2))),
    ),
    "margin_ranking: dimensions": (
        RuntimeError,
        r"input1 \(3,\), input2 \(3,\), target \(\); expected as many dimensions of each",
        lambda fw, t: fw.F.margin_ranking_loss(t(data(3)), t(data(3)), t(floats(1))),
    ),
    **{
        f"cosine: {first} {second} {target}": (
            RuntimeError,
            r"expected \(N, E\), \(N, E\) and \(N,\), or|do not broadcast",
            lambda fw, t, shapes=(first, second, target): fw.F.cosine_embedding_loss(
                *(t(data(*shape)) for shape in shapes)
            ),
        )
        for first, second, target in (
            ((2, 3), (2, 3), ()),
            ((3,), (3,), (1,)),
            ((2, 3), (3,), (2,)),
            ((2, 3), (2, 2), (2,)),
            ((2, 3), (2, 3), (3,)),
            ((2, 3, 4), (2, 3, 4), (2,)),
        )
    },
    "margin_ranking: shapes": (
        RuntimeError,
        r"margin_ranking_loss: shapes \(3,\) and \(2,\) and \(3,\) do not broadcast",
        lambda fw, t: fw.F.margin_ranking_loss(t(data(3)), t(data(2)), t(data(3))),
    ),
    "triplet: shapes": (
        RuntimeError,
        r"triplet_margin_loss: shapes \(4, 3\) and \(4, 2\) and \(4, 3\) do not broadcast",
        lambda fw, t: fw.F.triplet_margin_loss(t(N43), t(data(4, 2)), t(N43)),
    ),
    "triplet: dimensions": (
        RuntimeError,
        r"anchor \(4, 3\), positive \(3,\), negative \(4, 3\)",
        lambda fw, t: fw.F.triplet_margin_loss(t(N43), t(data(3)), t(N43)),
    ),
    "triplet: margin": (
        ValueError,
        "triplet_margin_loss: margin is 0; expected a number > 0",
        lambda fw, t: fw.F.triplet_margin_loss(t(N43), t(N43), t(N43), margin=0),
    ),
    "triplet_with_distance: margin": (
        ValueError,
        "triplet_margin_with_distance_loss: margin is -1; expected a number > 0",
        lambda fw, t: fw.F.triplet_margin_with_distance_loss(t(N43), t(N43), t(N43), margin=-1),
    ),
    "TripletMarginWithDistanceLoss: margin": (
        ValueError,
        "TripletMarginWithDistanceLoss: margin is 0; expected a number > 0",
        lambda fw, t: fw.nn.TripletMarginWithDistanceLoss(margin=0),
    ),
    "triplet_with_distance: dimensions": (
        RuntimeError,
        r"anchor \(4, 3\), positive \(3,\), negative \(4, 3\)",
        lambda fw, t: fw.F.triplet_margin_with_distance_loss(t(N43), t(data(3)), t(N43)),
    ),
    "TripletMarginLoss: margin": (
        ValueError,
        "TripletMarginLoss: margin is -1; expected a number > 0",
        lambda fw, t: fw.nn.TripletMarginLoss(margin=-1),
    ),
    "soft_margin: shapes": (
        RuntimeError,
        r"input is \(3,\) but target is \(2, 3\)",
        lambda fw, t: fw.F.soft_margin_loss(t(data(3)), t(data(2, 3))),
    ),
    "multilabel_soft_margin: a number": (
        IndexError,
        "input is a number",
        lambda fw, t: fw.F.multilabel_soft_margin_loss(t(data()), t(chance())),
    ),
    "multilabel_soft_margin: weight": (
        RuntimeError,
        r"multilabel_soft_margin_loss: shapes \(4, 3\) and \(2,\) do not broadcast",
        lambda fw, t: fw.F.multilabel_soft_margin_loss(t(N43), t(N43), t(W3[:2])),
    ),
    "MultiMarginLoss: p": (
        ValueError,
        "MultiMarginLoss: p is 3; only p == 1 and p == 2",
        lambda fw, t: fw.nn.MultiMarginLoss(p=3),
    ),
    "MultiMarginLoss: weight": (
        ValueError,
        r"MultiMarginLoss: weight is \(1, 3\)",
        lambda fw, t: fw.nn.MultiMarginLoss(weight=t(W3[None])),
    ),
    "multi_margin: p": (
        ValueError,
        "multi_margin_loss: p is 1.5",
        lambda fw, t: fw.F.multi_margin_loss(t(N43), t(Y4), p=1.5),
    ),
    **{
        f"multi_margin: class {wrong}": (
            RuntimeError,
            f"target {wrong} is out of range; expected 0 to 2",
            lambda fw, t, wrong=wrong: fw.F.multi_margin_loss(t(N43), t(ints(0, 1, 2, wrong))),
        )
        for wrong in (3, -1)
    },
    **{
        f"multi_margin: target {kind}": (
            RuntimeError,
            f"expected target dtype to be int64, but got {kind}",
            lambda fw, t, kind=kind: fw.F.multi_margin_loss(t(N43), t(Y4.astype(kind))),
        )
        for kind in ("int32", "uint8", "float64")
    },
    "multi_margin: target shape": (
        RuntimeError,
        r"x is \(4, 3\) but target is \(3,\); expected target \(4,\)",
        lambda fw, t: fw.F.multi_margin_loss(t(N43), t(Y4[:3])),
    ),
    "multi_margin: weight size": (
        RuntimeError,
        r"weight is \(2,\); expected weight \(3,\)",
        lambda fw, t: fw.F.multi_margin_loss(t(N43), t(Y4), weight=t(W3[:2])),
    ),
    "multi_margin: weight's gradient": (
        RuntimeError,
        f"{NO_GRADIENT} weight",
        lambda fw, t: fw.F.multi_margin_loss(t(N43), t(Y4), weight=wanting(fw, W3)),
    ),
    **{
        f"{name}: {shape}": (
            RuntimeError,
            r"expected \(C,\) or \(N, C\) with C > 0",
            lambda fw, t, name=name, shape=shape: getattr(fw.F, name)(
                t(data(*shape)), t(np.zeros(shape, np.int64))
            ),
        )
        for name in ("multi_margin_loss", "multilabel_margin_loss")
        for shape in ((2, 3, 4), (2, 0))
    },
    **{
        f"multilabel_margin: class {wrong}": (
            RuntimeError,
            f"target {wrong} is out of range; expected -1 to 3",
            lambda fw, t, wrong=wrong: fw.F.multilabel_margin_loss(
                t(data(1, 4)), t(ints([[3, -1, 0, wrong]]))
            ),
        )
        for wrong in (4, -2)
    },
    "multilabel_margin: shapes": (
        RuntimeError,
        r"x is \(4, 3\) but target is \(4,\); expected target \(4, 3\)",
        lambda fw, t: fw.F.multilabel_margin_loss(t(N43), t(Y4)),
    ),
}


def refused(fw: Any, name: str) -> BaseException:
    """What the call `name` of the table raises on a face."""
    _, _, call = ERRORS[name]
    try:
        call(fw, lambda array: tensor(fw, array))
    except Exception as error:
        return error
    raise AssertionError(f"{name} raises nothing")
