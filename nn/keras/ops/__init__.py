"""`keras.ops`: functions of tensors, arrays and symbolic tensors, as losses and layers use them.

Names, arguments and dtypes are Keras'; what is not here is in `autograd`, under PyTorch's names.
"""

from typing import Any

from nn.keras.naming import to_snake_case
from nn.keras.ops import arrange, elementwise, making, network, reduction
from nn.keras.ops.operation import Operation, operation, operation_of, symbolic

__all__ = ["Operation", "operation", "operation_of", "symbolic"]  # and all that follow


def _gather() -> None:
    for family in (elementwise, reduction, making, arrange, network):
        public = getattr(family, "__all__", None) or [
            name
            for name, value in vars(family).items()
            if not name.startswith("_") and _belongs(value, family)
        ]
        for name in public:
            globals()[name.removesuffix("_")] = getattr(family, name)
            __all__.append(name.removesuffix("_"))


def _belongs(value: Any, family: Any) -> bool:
    return callable(value) and getattr(value, "__module__", "") == family.__name__


_gather()


def operation_class(name: str) -> Any:
    """The class of operations of this name, as files have it: "GetItem"; None if there is none."""
    function = globals().get(to_snake_case(name))
    return operation_of(function) if function is not None and name[:1].isupper() else None


def __getattr__(name: str) -> Any:
    """AttributeError with the nearest name there is."""
    from nn.keras.registry import nearest

    near = nearest(name, __all__)
    hint = f"; did you mean {near!r}?" if near else ""
    raise AttributeError(
        f"module 'keras.ops' has no function {name!r} here{hint} See also `autograd`, whose"
        " functions have PyTorch's names"
    )
