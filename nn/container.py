"""Modules made of modules."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from autograd.modes import changes
from nn.fusion import LinearAct
from nn.module import Module, _indented


class _Numbered(Module):
    """Modules under the names "0", "1" ...; what Sequential and ModuleList share."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def _name_at(self, index: int) -> str:
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"index {i} is out of range for {len(self)} modules")
        return list(self._modules)[i]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._sliced(index)
        return self._modules[self._name_at(index)]

    def _sliced(self, index: slice) -> Any:
        return type(self)(list(self)[index])  # type: ignore[call-arg]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [self._name_at(index)]:
            delattr(self, name)
        self._renumber(list(self))

    def _renumber(self, modules: list[Module]) -> None:
        for name in list(self._modules):
            delattr(self, name)
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> Any:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{self._get_name()}.extend should be called with an iterable, but got"
                f" {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Add a module before position `index`."""
        if not isinstance(module, Module):
            raise TypeError(f"insert: {type(module).__name__} is not a Module subclass")
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int | slice) -> Any:
        """Take a module out, and return it."""
        module = self[index]
        del self[index]
        return module

    def __iadd__(self, modules: Iterable[Module]) -> Any:
        return self.extend(modules)


class Sequential(_Numbered):
    """Modules applied one after the other: `Sequential(a, b)`, or `Sequential({"first": a})`."""

    _known = -1
    """What `changes` was when `_steps` were found."""
    _steps: list[Any]

    def __init__(self, *args: Any):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def forward(self, input: Any) -> Any:
        """Pass the input through all modules."""
        if self._known != changes[0]:
            self._look()
        for step in self._steps:
            input = step(input)
        return input

    def _look(self) -> None:
        """Find the layers that are to be called, each Linear with an activation behind it as one.

        Anything that could change this counts `changes` up.
        """
        steps: list[Any] = []
        for module in self._modules.values():
            if steps and LinearAct.joins(steps[-1], module):
                steps[-1] = LinearAct(steps[-1], module)
            else:
                steps.append(module)
        self.__dict__.update(_known=changes[0], _steps=steps)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_known", "_steps")}

    def _sliced(self, index: slice) -> Any:
        return type(self)(dict(list(self._modules.items())[index]))

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(
                f"add operator supports only objects of Sequential class, but {type(other)} is"
                " given."
            )
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        """The same modules several times over: they share their parameters."""
        if not isinstance(times, int):
            raise TypeError(f"Sequential can be multiplied by an int, not {type(times).__name__}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__


class ModuleList(_Numbered):
    """A list of modules, whose parameters are found; call them yourself."""

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def _shown_children(self) -> list[str]:
        """A run of children that look the same in one line."""
        runs: list[list[Any]] = []
        for i, block in enumerate(map(repr, self)):
            if runs and runs[-1][1] == block:
                runs[-1][2] = i
            else:
                runs.append([i, block, i])
        return [
            f"({i}): {_indented(block)}"
            if i == last
            else f"({i}-{last}): {last - i + 1} x {_indented(block)}"
            for i, block, last in runs
        ]


class ModuleDict(Module):
    """Modules by name, whose parameters are found; call them yourself."""

    def __init__(self, modules: Any = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        self._modules[key]  # KeyError where it is not
        delattr(self, key)

    def clear(self) -> None:
        """Take all modules out."""
        for key in list(self._modules):
            del self[key]

    def pop(self, key: str) -> Module:
        """Take a module out, and return it."""
        module = self[key]
        del self[key]
        return module

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules from a mapping, or from pairs (name, module); present names are replaced."""
        for key, module in pairs("ModuleDict", modules):
            self[key] = module


def pairs(name: str, given: Any) -> list[tuple[str, Any]]:
    """The items of a mapping or of a list of pairs; TypeError for anything else."""
    if isinstance(given, Mapping | ModuleDict):
        return list(given.items())
    if not isinstance(given, Iterable):
        raise TypeError(
            f"{name}.update should be called with a mapping or pairs (key, value), but got"
            f" {type(given).__name__}"
        )
    found = []
    for i, item in enumerate(given):
        if not isinstance(item, Iterable) or isinstance(item, str):
            _refuse_item(TypeError, name, i, f"is a {type(item).__name__}")
        item = tuple(item)
        if len(item) != 2:
            _refuse_item(ValueError, name, i, f"has length {len(item)}")
        found.append(item)
    return found


def _refuse_item(kind: type[Exception], name: str, i: int, what: str) -> NoReturn:
    raise kind(f"{name} update sequence element #{i} {what}; a pair (key, value) is required")
