"""Which values the hyper-parameters may have: PyTorch's conditions, and NaN never."""

from __future__ import annotations

from typing import Any

from autograd import Tensor

_AT_LEAST_ZERO = {
    "lr": "learning rate",
    "eps": "epsilon value",
    "weight_decay": "weight_decay value",
    "momentum": "momentum value",
    "alpha": "alpha value",
    "lr_decay": "lr_decay value",
    "momentum_decay": "momentum_decay value",
    "initial_accumulator_value": "initial_accumulator_value value",
}


def require(condition: Any, what: str, value: Any, expected: str) -> None:
    """ValueError that names a hyper-parameter, its value and its range."""
    if not condition:
        raise ValueError(f"Invalid {what}: {value}; expected {expected}")


def check_values(group: dict[str, Any]) -> None:
    """ValueError for a hyper-parameter of an optimizer of ours that is outside its range."""
    if isinstance(group["lr"], Tensor) and group["lr"].numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, but has shape {group['lr'].shape}")
    for key, what in _AT_LEAST_ZERO.items():
        if key in group:
            require(group[key] >= 0, what, group[key], f"{key} >= 0")
    if "rho" in group:
        require(0 <= group["rho"] <= 1, "rho value", group["rho"], "0 <= rho <= 1")
    if "betas" in group:
        require(len(group["betas"]) == 2, "betas", group["betas"], "two of them")
        for i, beta in enumerate(group["betas"]):
            require(0 <= beta < 1, f"beta parameter at index {i}", beta, "0 <= beta < 1")


def check_flags(name: str, group: dict[str, Any]) -> None:
    """RuntimeError for ways of computing that exclude each other, or that are not there."""
    if group.get("differentiable"):
        raise NotImplementedError(
            f"{name}: differentiable=True is not supported; a step is one kernel, which records no"
            " graph. For gradients through an update, write it in tensor operations:"
            " `g, = autograd.grad(loss, [p], create_graph=True); p = p - lr * g`"
        )
    if group.get("fused") and group.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
