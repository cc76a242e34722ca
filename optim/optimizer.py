"""The base of all optimizers: parameter groups, state, and saving them, as PyTorch has them."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autograd import Tensor

Params = Iterable[Any]


class ParamGroup(dict[str, Any]):
    """Parameters and the hyper-parameters they share: a plain dict whose writes the kernels see.

    `live` holds what `read(group)` makes of the hyper-parameters.  Every write to the dict renews
    it in place, so a step reads one array, and a scheduler's `group["lr"] = x` is in it.
    """

    def __init__(
        self,
        options: dict[str, Any],
        read: Callable[[dict[str, Any]], Iterable[float]] | None = None,
    ):
        super().__init__(options)
        self.read = read
        self.live = np.array(() if read is None else tuple(read(self)), np.float64)

    def _renew(self) -> None:
        if self.read is not None:
            self.live[:] = tuple(self.read(self))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._renew()

    def update(self, *others: Any, **options: Any) -> None:
        """As `dict.update`."""
        super().update(*others, **options)
        self._renew()

    def __ior__(self, other: Any) -> ParamGroup:  # type: ignore[override, misc]
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return ParamGroup, (dict(self), self.read)

    def __deepcopy__(self, memo: dict[int, Any]) -> ParamGroup:
        twin = ParamGroup({}, None)
        memo[id(self)] = twin
        twin.__init__(copy.deepcopy(dict(self), memo), self.read)  # type: ignore[misc]
        return twin


class Optimizer:
    """Holds parameters in groups and updates them in `step()`, which a subclass defines.

    `params`: tensors, or dicts with the key "params" and options of that group.  `defaults`: the
    options of groups that do not set them.  `state[p]` is a dict of the subclass's making.
    """

    read: Callable[[dict[str, Any]], Iterable[float]] | None = None
    """What a group's options are to the subclass's kernel: a plain function (a staticmethod)."""

    def __init__(self, params: Params, defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts,"
                " but got a Tensor; write [tensor]"
            )
        self.defaults = defaults
        self._start_state()
        self.param_groups: list[ParamGroup] = []
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def _start_state(self) -> None:
        self.state: Any = defaultdict(dict)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for an option outside its range."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, e.g. layers that were frozen until now."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering"
                " of tensors in sets will change between runs. Please use a list instead"
            )
        group = {**self.defaults, **param_group, "params": list(params)}
        self._check_params(group["params"])
        if isinstance(group.get("lr"), Tensor):
            group["lr"] = group["lr"].item()
        self._check(group)
        self.param_groups.append(ParamGroup(group, self.read))

    def _check_params(self, params: list[Any]) -> None:
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is"
                    f" {type(p).__name__}"
                )
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        if len(set(params)) < len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; they are updated"
                " once for each time",
                UserWarning,
                stacklevel=4,
            )
        present = {p for group in self.param_groups for p in group["params"]}
        if not present.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once.  `closure` recomputes the loss, which is then returned."""
        raise NotImplementedError(f"{type(self).__name__} defines no step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with `set_to_none=False`, fill them with zeros instead."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p._grad is None:
                    p._grad = None
                else:
                    p._grad = p._grad.detach()
                    p._grad.zero_()

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {index: {...}}, "param_groups": [...]}`; parameters are named by their index.

        The tensors are the live ones, as in PyTorch: copy them to keep them as they are now.
        """
        state, index = self.state, self._index()
        return {
            "state": {index[p]: dict(values) for p, values in state.items()},
            "param_groups": [
                {**group, "params": [index[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def _index(self) -> dict[Any, int]:
        params = [p for group in self.param_groups for p in group["params"]]
        order: dict[Any, int] = {}
        for p in params:
            order.setdefault(p, len(order))
        return order

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; the groups must have the sizes of these."""
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups:"
                f" {len(groups)}, the optimizer {len(self.param_groups)}"
            )
        sizes = [(len(g["params"]), len(s["params"])) for g, s in zip(self.param_groups, groups)]
        if any(ours != theirs for ours, theirs in sizes):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of"
                f" optimizer's group (sizes {sizes})"
            )
        owner: dict[int, Any] = {}
        for group, saved in zip(self.param_groups, groups):
            owner.update(zip(saved["params"], group["params"]))
        state = {owner[i]: values for i, values in state_dict["state"].items() if i in owner}
        for group, saved in zip(self.param_groups, groups):
            group.update(copy.deepcopy({k: v for k, v in saved.items() if k != "params"}))
        self._load_state(state)

    def _load_state(self, state: dict[Any, dict[str, Any]]) -> None:
        self.state = defaultdict(dict, copy.deepcopy(state))

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def require(condition: Any, what: str, value: Any, expected: str) -> None:
    """ValueError that names a hyper-parameter, its value and its range."""
    if not condition:
        raise ValueError(f"Invalid {what}: {value}; expected {expected}")
