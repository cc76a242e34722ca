"""What belongs to a layer: its variables, sublayers and metrics, found by assignment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from autograd import Tensor
from autograd.modes import changes
from nn.keras.variable import Variable
from nn.module import Module


class Tracking(Module):
    """The part of Layer that knows its state.

    Trainable variables are parameters of the module, all others are buffers, so that
    `parameters()`, `state_dict()` and hooks see a layer as they see any module.  Layers and
    variables in lists, tuples and dicts are found as well, also where they are added later.
    """

    name: str
    _trainable: bool
    _trainable_variables: list[Variable]
    _non_trainable_variables: list[Variable]
    _metrics: list[Any]
    _locked: bool
    _has_plain_modules: bool

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(
            training=False,  # what `train()` and `eval()` set, as in any module
            _trainable=True,
            _trainable_variables=[],
            _non_trainable_variables=[],
            _metrics=[],
            _locked=False,
            _has_plain_modules=False,  # modules below that are no Keras layers
        )

    # Assignment

    def __setattr__(self, name: str, value: Any) -> None:
        kind = type(value)
        if kind is list or kind is dict or kind is tuple:
            if "_metrics" in self.__dict__ and name[:2] != "__":
                value = self._adopt_all(name, value)
            if kind is not tuple:
                changes[0] += 1
                object.__setattr__(self, name, value)
                return
        elif isinstance(value, Variable):
            self._own(value)
            self._drop_stand_in(value)
            if not value.trainable and "_buffers" in self.__dict__:
                changes[0] += 1
                self._enter("_buffers", name, value)
                return
        elif isinstance(value, Module):
            if value is not self.__dict__.get("_modules", {}).get(name):
                self._check_open()
            self._note_plain(value)
        elif is_metric(value):
            self._own_metric(value)
        super().__setattr__(name, value)

    def _check_open(self) -> None:
        if self.__dict__.get("_locked"):
            raise ValueError(
                "You cannot add new elements of state (variables or sub-layers) to a layer that is"
                f" already built, as {self.name!r} is. All state must be created in the"
                " `__init__()` method or in the `build()` method."
            )

    def _note_plain(self, module: Module) -> None:
        if not isinstance(module, Tracking):
            self.__dict__["_has_plain_modules"] = True

    def _own(self, variable: Variable) -> None:
        """Note a variable, in the order of creation."""
        if "_metrics" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}.__init__ must begin with super().__init__() before it"
                " creates variables"
            )
        known = self._trainable_variables, self._non_trainable_variables
        if not any(v is variable for vs in known for v in vs):
            self._check_open()
            known[not variable.trainable].append(variable)

    def _own_metric(self, metric: Any) -> None:
        if not any(m is metric for m in self.__dict__.setdefault("_metrics", [])):
            self._metrics.append(metric)

    def _drop_stand_in(self, variable: Variable) -> None:
        """Forget the key of a variable that was registered before it had an attribute."""
        for registry in (self._parameters, self._buffers):
            for key in [k for k, v in registry.items() if v is variable and ":" in k]:
                del registry[key]

    def _stand_in(self, variable: Variable) -> None:
        """Register a variable that no attribute names."""
        registry: dict[str, Any] = self._parameters if variable.trainable else self._buffers
        taken = [k for k in (*self._parameters, *self._buffers) if k.split(":")[0] == variable.name]
        registry[f"{variable.name}:{len(taken)}"] = variable
        changes[0] += 1

    def _adopt_all(self, name: str, value: Any) -> Any:
        """`value`, which is a list, dict or tuple, such that what is in it belongs to the layer."""
        found = _tracked_in(value)
        for key in [k for k in self._modules if k.startswith(f"{name}:")]:
            del self._modules[key]
        for i, item in enumerate(found):
            if isinstance(item, Variable):
                registered = [*self._parameters.values(), *self._buffers.values()]
                if not any(item is v for v in registered):
                    self._own(item)
                    self._stand_in(item)
            elif isinstance(item, Module):
                self._modules[f"{name}:{i}"] = item
                self._note_plain(item)
            else:
                self._own_metric(item)
        if not found and value:
            return value
        if type(value) is list:
            return TrackedList(value, self, name)
        return TrackedDict(value, self, name) if type(value) is dict else value

    # State

    def _sublayers(self) -> list[Module]:
        """The modules directly below, each once."""
        return list(self.children())

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> Iterator[Any]:
        """Keras layers and other modules below, depth first; each once."""
        seen = {id(self)}
        if include_self:
            yield self
        stack = self._sublayers()[::-1]
        while stack:
            module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield module
                if recursive and isinstance(module, Tracking):
                    stack.extend(module._sublayers()[::-1])

    @property
    def weights(self) -> list[Variable]:
        """The variables of the layer, trainable ones first, then those of its sublayers."""
        found: list[Any] = [*self._trainable_variables, *self._non_trainable_variables]
        for module in self._sublayers():
            found += module.weights if isinstance(module, Tracking) else _weights_of(module)
        return _once(found)

    @property
    def variables(self) -> list[Variable]:
        """The same as `weights`: metrics and random streams are not among them here."""
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes; none where the layer itself is frozen."""
        return [w for w in self.weights if is_trainable(w)] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """All other weights."""
        if not self.trainable:
            return self.weights
        return [w for w in self.weights if not is_trainable(w)]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other variables."""
        return self.non_trainable_weights

    @property
    def metrics(self) -> list[Any]:
        """Metrics assigned to the layer and to those below."""
        return _once([m for each in self._flatten_layers() for m in getattr(each, "_metrics", ())])

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of the metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether training may change the weights.  Setting it freezes all layers below too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: Any) -> None:
        value = bool(value)
        changes[0] += 1
        self._trainable = value
        for v in self._trainable_variables:
            v.trainable = value
        for module in self._sublayers():
            if isinstance(module, Tracking):
                module.trainable = value
            else:
                module.requires_grad_(value)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights as arrays, in the order of `weights`."""
        return [w.detach().array.copy() for w in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Set the weights from arrays in the order of `weights`; nothing changes on a mismatch."""
        own, given = self.weights, list(weights)
        if len(own) != len(given):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of"
                f" length {len(given)}, but the layer was expecting {len(own)} weights."
            )
        given = [v.detach().array if isinstance(v, Tensor) else np.asarray(v) for v in given]
        for w, value in zip(own, given):
            if w.shape != value.shape:
                raise ValueError(
                    f"Layer {self.name} weight {getattr(w, 'path', '')!r} of shape {w.shape} is not"
                    f" compatible with provided weight shape {value.shape}."
                )
        for w, value in zip(own, given):
            set_value(w, value)


class TrackedList(list[Any]):
    """A list attribute of a layer, which takes in what is added to it."""

    owner: Tracking | None = None
    attribute: str

    def __init__(self, items: Any = (), owner: Any = None, attribute: str = ""):
        super().__init__(items)
        self.owner, self.attribute = owner, attribute


class TrackedDict(dict[Any, Any]):
    """A dict attribute of a layer, which takes in what is added to it."""

    owner: Tracking | None = None
    attribute: str

    def __init__(self, items: Any = (), owner: Any = None, attribute: str = ""):
        super().__init__(items)
        self.owner, self.attribute = owner, attribute


def _retracking(kind: type, method: str) -> None:
    original = getattr(kind, method)

    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        owner = self.owner
        if owner is None or "_metrics" not in owner.__dict__:  # while it is being copied
            return original(self, *args, **kwargs)
        before = len(_tracked_in(self))
        result = original(self, *args, **kwargs)
        if len(_tracked_in(self)) > before:
            owner._check_open()
        owner._adopt_all(self.attribute, self)
        changes[0] += 1
        return result

    changed.__name__, changed.__doc__ = method, original.__doc__
    setattr(kind, method, changed)


for _method in ("append", "extend", "insert", "pop", "remove", "clear", "__setitem__",
                "__delitem__", "__iadd__", "reverse"):  # fmt: skip
    _retracking(TrackedList, _method)
for _method in ("__setitem__", "__delitem__", "pop", "popitem", "clear", "update", "setdefault"):
    _retracking(TrackedDict, _method)


def _tracked_in(value: Any) -> list[Any]:
    """Modules, variables and metrics in nested lists, tuples and dicts."""
    found, stack = [], [value]
    while stack:
        item = stack.pop()
        if isinstance(item, (list, tuple)):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed(item.values()))
        elif isinstance(item, (Module, Variable)) or is_metric(item):
            found.append(item)
    return found


def is_metric(value: Any) -> bool:
    """True for an object with a metric's methods."""
    return hasattr(type(value), "update_state") and hasattr(type(value), "reset_state")


def is_trainable(weight: Tensor) -> bool:
    """Whether training changes a variable of a layer, or a parameter of a plain module."""
    return weight.trainable if isinstance(weight, Variable) else weight.tracked


def set_value(weight: Tensor, value: np.ndarray) -> None:
    """Set a weight in place."""
    if isinstance(weight, Variable):
        weight.assign(value)
    else:
        np.copyto(weight.array, value, casting="unsafe")
        weight.version[0] += 1


def _weights_of(module: Module) -> list[Variable]:
    """Parameters and persistent buffers of a module that is no Keras layer."""
    return cast("list[Variable]", list(module.state_dict(keep_vars=True).values()))


def _once(items: list[Any]) -> list[Any]:
    return list({id(item): item for item in items}.values())
