"""Every invalid hyper-parameter is refused, with PyTorch's error type, its name and its range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import optim
from tests.faces import cases, check, ours

NAN = math.nan
BAD: dict[str, dict[str, tuple[Any, ...]]] = {
    "SGD": dict(lr=(-1.0,), momentum=(-0.1,), weight_decay=(-1,)),
    "Adam": dict(
        lr=(-1e-3, NAN), eps=(-1e-8, NAN), weight_decay=(-1, NAN), betas=((1.0, 0.9), (0.9, -0.1))
    ),
    "AdamW": dict(lr=(-1.0,), weight_decay=(-0.5,), betas=((0, 0.9), (NAN, 0.9), (0.9, 1.5))),
    "NAdam": dict(
        lr=(-1.0,), eps=(-1.0,), betas=((-0.1, 0.9), (0.9, 1.0)), weight_decay=(-1,),
        momentum_decay=(-0.1, NAN),
    ),
    "RAdam": dict(lr=(-1.0, NAN), eps=(-1.0,), betas=((1.0, 0.9), (0.9, NAN)), weight_decay=(-1,)),
    "Adamax": dict(lr=(-1.0, NAN), eps=(-1.0,), betas=((1.0, 0.9), (0.9, 1)), weight_decay=(-1,)),
    "RMSprop": dict(
        lr=(-1.0, NAN), eps=(-1.0,), momentum=(-1.0, NAN), weight_decay=(-1,), alpha=(-0.1, NAN)
    ),
    "Adagrad": dict(
        lr=(-1.0, NAN), lr_decay=(-1.0,), weight_decay=(-1,), eps=(-1.0,),
        initial_accumulator_value=(-1.0, NAN),
    ),
    "Adadelta": dict(lr=(-1.0, NAN), rho=(-0.1, 1.1, NAN), eps=(-1.0,), weight_decay=(-1,)),
    "Rprop": dict(lr=(-1.0, NAN), etas=((0.0, 1.2), (0.5, 1.0), (1.0, 1.2), (NAN, 1.2))),
    "LBFGS": dict(lr=(-1.0, NAN)),
}  # fmt: skip
GOOD: dict[str, dict[str, tuple[Any, ...]]] = {
    "SGD": dict(lr=(0.0, math.inf), momentum=(0, 2.0), dampening=(-1.0, 3.0)),
    "Adam": dict(lr=(0,), eps=(0,), betas=((0.0, 0.0), [0.5, 0.9])),
    "NAdam": dict(betas=((0, 0),), momentum_decay=(0, 5.0)),
    "RMSprop": dict(
        alpha=(0, 1.5),
    ),
    "Adadelta": dict(rho=(0, 1)),
    "Rprop": dict(etas=((1e-9, 1e9),)),
    "LBFGS": dict(max_iter=(1,), history_size=(1,)),
}
NAMES = {"lr": "learning rate", "eps": "epsilon value", "betas": "beta parameter at index"}
LISTS = [
    (name, key, value)
    for name, options in BAD.items()
    for key, values in options.items()
    for value in values
]


def outcome(name: str, **options: Any) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        p = fw.torch.tensor(np.ones(2), requires_grad=True)
        try:
            getattr(fw.optim, name)([p], **options)
        except Exception as error:
            return {"error": type(error).__name__}
        return {"error": "none"}

    return case


TABLE = {
    f"{name}({key}={value})": outcome(name, **{key: value})
    for table in (BAD, GOOD)
    for name, options in table.items()
    for key, values in options.items()
    for value in values
}
TABLE.update(
    {
        "nesterov alone": outcome("SGD", nesterov=True),
        "nesterov damped": outcome("SGD", nesterov=True, momentum=0.9, dampening=0.5),
        "fused foreach": outcome("SGD", fused=True, foreach=True),
        "fused foreach Adam": outcome("Adam", fused=True, foreach=True),
        "fused foreach Adagrad": outcome("Adagrad", fused=True, foreach=True),
        "an option unknown": outcome("Adam", momentum=0.9),
        "lr in words": outcome("SGD", lr="0.1"),
    }
)


@cases(TABLE)
def test_types_are_pytorchs(name: str, case: Any) -> None:
    check("optim_errors", name, case)


@pytest.mark.parametrize(("name", "key", "value"), LISTS, ids=[f"{n}-{k}-{v}" for n, k, v in LISTS])
def test_messages_name_the_value_and_its_range(name: str, key: str, value: Any) -> None:
    p = ours().torch.zeros(1, requires_grad=True)
    with pytest.raises(ValueError, match=r"expected|both floats") as told:
        getattr(optim, name)([p], **{key: value})
    message = str(told.value)
    if key == "etas":
        assert message.startswith(f"Invalid eta values: {value[0]}, {value[1]}; expected 0 < ")
    elif key == "betas" and "both floats" in message:
        assert str(value) in message
    else:
        assert message.startswith(f"Invalid {NAMES.get(key, f'{key} value')}")
        assert "; expected " in message
        bad = value if key != "betas" else next(b for b in value if not 0 <= b < 1)
        assert f": {bad}; " in message


@pytest.mark.parametrize("name", ["SGD", "RAdam"])
def test_nan_is_refused_everywhere(name: str) -> None:
    """PyTorch's SGD takes it."""
    p = ours().torch.zeros(1, requires_grad=True)
    for key in ("lr", "weight_decay"):
        with pytest.raises(ValueError, match=f"nan; expected {key} >= 0"):
            getattr(optim, name)([p], **{key: NAN})


def test_options_of_groups_are_checked_too() -> None:
    torch = ours().torch
    p, q = (torch.zeros(1, requires_grad=True) for _ in range(2))
    with pytest.raises(ValueError, match=r"learning rate: -1\.0"):
        optim.SGD([{"params": [p], "lr": -1.0}])
    optimizer = optim.Adam([p])
    with pytest.raises(ValueError, match=r"betas: \(0\.5,\); expected two of them"):
        optimizer.add_param_group({"params": [q], "betas": (0.5,)})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match=r"learning rate: -1\.0"):  # of no group, but wrong
        optim.SGD([{"params": [p], "lr": 1.0}], lr=-1.0)
    with pytest.raises(ValueError, match=r"Invalid step_sizes: 1\.0, 0\.5"):
        optim.Rprop([p], step_sizes=(1.0, 0.5))


@pytest.mark.parametrize("name", [name for name in BAD if name != "LBFGS"])
def test_differentiable_is_refused(name: str) -> None:
    p = ours().torch.zeros(1, requires_grad=True)
    with pytest.raises(NotImplementedError, match=f"{name}: differentiable=True .* create_graph"):
        getattr(optim, name)([p], differentiable=True)


@pytest.mark.parametrize("name", [name for name in BAD if name != "LBFGS"])
def test_other_ways_of_computing_are_accepted(name: str) -> None:
    torch = ours().torch
    p = torch.ones(2, requires_grad=True)
    for flag in ("foreach", "fused", "capturable"):
        try:
            optimizer = getattr(optim, name)([p], **{flag: True})
        except TypeError:  # PyTorch's has no such argument
            assert (name, flag) not in {("Adam", "fused"), ("SGD", "foreach")}
            continue
        p.grad = torch.ones(2)
        optimizer.step()


def test_a_tensor_lr_and_foreach() -> None:
    torch = ours().torch
    p = torch.zeros(1, requires_grad=True)
    with pytest.raises(ValueError, match="lr as a Tensor is not supported for capturable=False"):
        optim.Adam([p], lr=torch.tensor(0.1), foreach=True)
    optim.Adam([p], lr=torch.tensor(0.1), foreach=True, capturable=True)
    optim.NAdam([p], lr=torch.tensor(0.1), foreach=True)
