"""Registration: a module finds its parameters, buffers and submodules by assignment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from autograd import Tensor
from autograd.modes import changes
from nn.parameter import Parameter

if TYPE_CHECKING:
    from nn.module import Module

_REGISTRIES = ("_parameters", "_buffers", "_modules")


class Registry:
    """The part of Module that knows what belongs to it.

    What is registered stands in `_parameters`, `_buffers` or `_modules`, and as a plain attribute
    too, so that reading `self.layer` costs what any attribute costs.
    """

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _transient: set[str]

    def __init__(self) -> None:
        self.__dict__.update(
            _parameters={},
            _buffers={},
            _modules={},
            _transient=set(),  # names of buffers that state_dict leaves out
        )

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if own.get(name, own) is not value:
            changes[0] += 1  # compiled steps look again at what they depend on
        registry = None
        if isinstance(value, Parameter):
            registry = "_parameters"
        elif isinstance(value, Registry):
            registry = "_modules"
        if registry is not None:
            if registry not in own:
                raise uninitialised(self, f"assign {registry[1:].rstrip('s')}")
            self._enter(registry, name, value)
            return
        for registry, kind, called in (
            ("_parameters", Parameter, "parameter"),
            ("_modules", Registry, "child module"),
            ("_buffers", Tensor, "buffer"),
        ):
            if name in own.get(registry, ()):
                if value is not None and not isinstance(value, kind):
                    expected = _SHOWN[kind]
                    raise TypeError(
                        f"cannot assign '{type(value).__name__}' as {called} '{name}'"
                        f" ({expected} or None expected)"
                    )
                own[registry][name] = own[name] = value
                return
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        changes[0] += 1
        for registry in _REGISTRIES:
            self.__dict__.get(registry, {}).pop(name, None)
        self.__dict__.get("_transient", set()).discard(name)
        object.__delattr__(self, name)

    def _enter(self, registry: str, name: str, value: Any) -> None:
        own = self.__dict__
        for other in _REGISTRIES:
            if other != registry:
                own[other].pop(name, None)
        if registry != "_buffers":
            own["_transient"].discard(name)
        own[registry][name] = value
        object.__setattr__(self, name, value)

    def _register(self, registry: str, name: str, value: Any, kind: type, called: str) -> None:
        if registry not in self.__dict__:
            raise uninitialised(self, f"assign {called}")
        if not isinstance(name, str):
            raise TypeError(f"{called} name should be a string. Got {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f'{called} name can\'t be empty or contain ".", got: {name!r}')
        if hasattr(self, name) and name not in self.__dict__[registry]:
            raise KeyError(f"attribute '{name}' already exists")
        if value is not None and not isinstance(value, kind):
            raise TypeError(
                f"cannot assign '{type(value).__name__}' object to {called} '{name}'"
                f" ({_SHOWN[kind]} or None required)"
            )
        changes[0] += 1
        self._enter(registry, name, value)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None reserves the name, as Linear does for a bias it has not."""
        self._register("_parameters", name, param, Parameter, "parameter")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter; `persistent=False` keeps it out of files."""
        self._register("_buffers", name, tensor, Tensor, "buffer")
        (self._transient.discard if persistent else self._transient.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name that need not be an identifier."""
        self._register("_modules", name, module, Registry, "module")

    add_module = register_module

    # What is registered

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, as "", and all below it."""
        this = cast("Module", self)
        memo = set() if memo is None else memo
        if this in memo:
            return
        if remove_duplicate:
            memo.add(this)
        yield prefix, this
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, _join(prefix, name), remove_duplicate)

    def _named(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = (
            self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in module.__dict__[registry].items():
                if value is not None and value not in seen:
                    if remove_duplicate:
                        seen.add(value)
                    yield _join(path, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters of this module and those below by path, "layer1.weight"; tied ones once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers of this module and those below, by path."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, by name."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters of this module and those below; tied ones once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers of this module and those below."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it."""
        return (m for _, m in self.named_modules(remove_duplicate=remove_duplicate))

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        return (m for _, m in self.named_children())

    def get_submodule(self, target: str) -> Module:
        """The module at a path, "encoder.layer1"; "" is this one."""
        module: Any = self
        for name in target.split(".") if target else ():
            if name not in module._modules:
                raise AttributeError(f"{type(module).__name__} has no submodule {name!r}")
            module = module._modules[name]
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path, "encoder.layer1.weight"."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        p = module._parameters.get(name)
        if p is None:
            raise AttributeError(f"{type(module).__name__} has no parameter {name!r}")
        return p

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path, "encoder.norm.running_mean"."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        buffer = module._buffers.get(name)
        if buffer is None:
            raise AttributeError(f"{type(module).__name__} has no buffer {name!r}")
        return buffer


_SHOWN = {Tensor: "Tensor", Parameter: "nn.Parameter", Registry: "nn.Module"}


def uninitialised(module: Registry, what: str) -> AttributeError:
    """The error of a subclass whose `__init__` forgot its base's."""
    return AttributeError(
        f"cannot {what} before Module.__init__() call: {type(module).__name__}.__init__ must begin"
        " with super().__init__()"
    )


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
