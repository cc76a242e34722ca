"""The base of all optimizers: parameter groups, state, and saving them, as PyTorch has them."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.modes import modes
from optim.group import ParamGroup
from optim.hooks import Hooks, wrapped

Params = Iterable[Any]
"""Tensors, (name, tensor) pairs, or dicts: groups."""
required: Any = object()
"""As a default: an option that every group must set itself."""


class Optimizer(Hooks):
    """Holds parameters in groups and updates them in `step()`, which a subclass defines.

    `params`: tensors, or (name, tensor) pairs, or dicts with the key "params" and options of that
    group.  `defaults`: the options of groups that do not set them.  `state[p]` is a dict of the
    subclass's making.
    """

    read: Callable[[dict[str, Any]], Iterable[float]] | None = None
    """What a group's options are to the subclass's kernel: a plain function (a staticmethod)."""
    _opt_called = False
    """`step` has run since a scheduler watches."""
    _watched: tuple[Any] | None = None
    """Set by the first scheduler: the `step` that this instance had then instead of its class's."""
    _resumed: dict[str, Any] | None = None
    """Set by `load_state_dict`; schedulers note there what they found."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        step: Any = vars(cls).get("step")
        if step is not None and not hasattr(step, "knows_hooks"):
            cls.step = wrapped(step)  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: dict[str, Any]):
        self.defaults = defaults
        self._start_hooks()
        self._check(defaults)
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts,"
                " but got a Tensor; write [tensor]"
            )
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

    # Groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, e.g. layers that were frozen until now."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = {**param_group, **_named(param_group["params"])}
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter"
                    f" {name}"
                )
            group.setdefault(name, default)
        self._check_params(group)
        self._check(group)
        self.param_groups.append(ParamGroup(group, self.read))

    def _check_params(self, group: dict[str, Any]) -> None:
        params = group["params"]
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is"
                    f" {type(p).__name__}"
                )
            if not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        if len(set(params)) < len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; they are updated"
                " once for each time",
                UserWarning,
                stacklevel=4,
            )
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                here = "with names" if "param_names" in group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param"
                    f" group {here} to the optimizer"
                )
            if not set(params).isdisjoint(other["params"]):
                raise ValueError("some parameters appear in more than one parameter group")

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once.  `closure` recomputes the loss, which is then returned."""
        raise NotImplementedError(f"{type(self).__name__} defines no step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with `set_to_none=False`, fill them with zeros instead."""
        recorder = modes.recorder
        for group in self.param_groups:
            for p in group["params"]:
                if recorder is not None:
                    recorder.assigned(p)
                if set_to_none or p._grad is None:
                    p._grad = None
                else:
                    p._grad = p.grad.detach()
                    p._grad.zero_()

    # State

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {index: {...}}, "param_groups": [...]}`; parameters are named by their index.

        The tensors are the live ones, as in PyTorch: copy them to keep them as they are now.
        """
        self._call("state_dict_pre")
        index: dict[Any, int] = {}
        for group in self.param_groups:
            for p in group["params"]:
                index.setdefault(p, len(index))
        saved = {
            "state": {
                index[key] if isinstance(key, Tensor) else key: _plain(values)
                for key, values in self.state.items()
            },
            "param_groups": [
                {
                    **{key: value for key, value in group.items() if key != "params"},
                    "params": [index[p] for p in group["params"]],
                }
                for group in self.param_groups
            ],
        }
        return self._call("state_dict_post", saved)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; the groups must have the sizes of these.

        The values are copied, and cast to the dtype of their parameter; PyTorch's tensors do.
        """
        state_dict = self._call("load_pre", state_dict.copy())
        groups = copy.deepcopy(state_dict["param_groups"])
        sizes = [len(g["params"]) for g in self.param_groups], [len(g["params"]) for g in groups]
        if len(sizes[0]) != len(sizes[1]):
            raise ValueError(
                "loaded state dict has a different number of parameter groups:"
                f" {len(sizes[1])}, the optimizer {len(sizes[0])}"
            )
        if sizes[0] != sizes[1]:
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of"
                f" optimizer's group: sizes {sizes[1]}, the optimizer {sizes[0]}"
            )
        owner = {
            i: p
            for group, saved in zip(self.param_groups, groups)
            for i, p in zip(saved.pop("params"), group["params"])
        }
        state = {owner.get(key, key): values for key, values in state_dict["state"].items()}
        self._check_load(groups, state)
        for group, saved in zip(self.param_groups, groups):
            group.update(saved)
        self._load_state(state)
        self._resumed = {}
        self._call("load_post")

    def _check_load(self, groups: list[dict[str, Any]], state: dict[Any, Any]) -> None:
        """Raise for what cannot be loaded, before anything is changed."""

    def _load_state(self, state: dict[Any, Any]) -> None:
        taken = {
            p: _taken(values, p if isinstance(p, Tensor) else None) for p, values in state.items()
        }
        self.state = defaultdict(dict, taken)

    def __getstate__(self) -> dict[str, Any]:
        transient = ("_step_hooks", "_dict_hooks", "_inside")
        return {key: value for key, value in vars(self).items() if key not in transient}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        self._start_hooks()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def _named(params: Any) -> dict[str, Any]:
    """A group's "params" as a list, and "param_names" if they came as (name, tensor) pairs."""
    if isinstance(params, Tensor):
        return {"params": [params]}
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering"
            " of tensors in sets will change between runs. Please use a list instead."
        )
    given = list(params)
    names = [p[0] for p in given if isinstance(p, tuple)]
    if not names:
        return {"params": given}
    if len(names) < len(given):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    return {"params": [p for _, p in given], "param_names": names}


def _plain(values: Any) -> Any:
    """The state of a parameter as a dict, if it is not one yet."""
    return dict(values) if isinstance(values, Mapping) and type(values) is not dict else values


def _taken(value: Any, p: Tensor | None, name: Any = None) -> Any:
    """A copy of loaded state: tensors in the dtype of `p`, but for "step"; arrays as tensors."""
    if isinstance(value, dict):
        return {key: _taken(item, p, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_taken(item, p) for item in value)
    if hasattr(value, "__array__"):
        array = np.array(bare(value))
        cast = p is not None and name != "step" and p.is_floating_point()
        return Tensor.wrap(array.astype(p.dtype) if cast else array)  # type: ignore[union-attr]
    return copy.deepcopy(value)


def bare(value: Any) -> Any:
    """The array of a tensor, ours or PyTorch's; another value as it is."""
    return value.detach().numpy() if hasattr(value, "detach") else value
