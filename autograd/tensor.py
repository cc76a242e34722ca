"""The Tensor: a value, the node that made it, and a gradient.  The op table binds its arithmetic.

`value` is a NumPy array, or a Python float for a scalar (`autograd.scalar`): the same ops, without
the cost of an array.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import dtypes
from autograd.graph import Node
from autograd.modes import changes, leaves, modes

_new = object.__new__


class Tensor:
    """An n-dimensional array that records what is done to it.

    Make one with `autograd.tensor(data, dtype=None, requires_grad=False)`, `zeros`, `randn` ...

    Engine fields: `value` (array or float), `node` (what made it, None for a leaf), `tracked`
    (requires_grad), `version` (a one-element list that all views share: in-place changes so far),
    `view_of` (for a view: see `autograd.inplace`), `extra` (hooks; rarely there).
    """

    __slots__ = ("value", "node", "tracked", "version", "view_of", "_grad", "extra", "__weakref__")

    __hash__ = object.__hash__  # by identity, although == compares elements

    if TYPE_CHECKING:  # bound by autograd.methods

        def __getattr__(self, name: str) -> Any: ...
        def _unary(self) -> Tensor: ...
        def _binary(self, other: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

        __neg__ = __pos__ = __abs__ = __invert__ = _unary
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _binary
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _binary
        __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _binary
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = _binary
        __eq__ = __ne__ = _binary  # type: ignore[assignment]

    def __init__(self, data: Any = ()):
        array = np.array(data.numpy() if isinstance(data, Tensor) else data, dtypes.DEFAULT)
        self._fill(array)

    def _fill(self, value: Any) -> None:
        self.value = value
        self.node: Node | None = None
        self.tracked = False
        self.version: Any = None if type(value) is float else [0]
        self.view_of: Any = None
        self._grad: Tensor | None = None
        self.extra: dict[str, Any] | None = None

    @staticmethod
    def wrap(value: Any) -> Tensor:
        """A Tensor around an array or float, without a copy; no history."""
        t = _new(Tensor)
        t.value = value
        t.node = None
        t.tracked = False
        t.version = None if type(value) is float else [0]
        t.view_of = None
        t._grad = None
        t.extra = None
        return t

    # What it is

    @property
    def array(self) -> np.ndarray:
        """The values as an array that shares memory (a scalar becomes a 0-d array here)."""
        if type(self.value) is float:
            if modes.recorder is not None:
                modes.recorder.scalars.becomes_array(self)
            self.value, self.version = np.asarray(self.value), [0]
        return self.value

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        value = self.value
        return () if type(value) is float else value.shape

    @property
    def dtype(self) -> np.dtype:
        """Element type; a scalar is float64."""
        value = self.value
        return dtypes.float64 if type(value) is float else value.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel() * self.itemsize

    def dim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """Number of elements."""
        return 1 if type(self.value) is float else self.value.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.itemsize

    def stride(self) -> tuple[int, ...]:
        """Steps between neighbours of each dimension, in elements."""
        return tuple(step // self.itemsize for step in self.array.strides)

    def is_contiguous(self) -> bool:
        """True when the elements lie in memory in row-major order without gaps."""
        return self.array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """True for float32 and float64."""
        return dtypes.is_float(self.dtype)

    def data_ptr(self) -> int:
        """Address of the first element."""
        return self.array.ctypes.data

    # Values out

    def item(self) -> Any:
        """The one element, as a Python number."""
        if modes.recorder is not None:
            modes.recorder.reading(self, "item()")
        if modes.observers:
            leaves(self, "item()")
        value = self.value
        if type(value) is float:
            return value
        if value.size != 1:
            raise RuntimeError(
                f"item: a tensor of shape {value.shape} has {value.size} elements, not one;"
                " use tolist() or numpy()"
            )
        return value.item()

    def tolist(self) -> Any:
        """Nested Python lists, or a number for a 0-d tensor."""
        if modes.recorder is not None:
            modes.recorder.reading(self, "tolist()")
        if modes.observers:
            leaves(self, "tolist()")
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The values as an array sharing memory; RuntimeError for a tensor that requires grad."""
        if self.requires_grad and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad: the array would leave the graph."
                " Use tensor.detach().numpy() instead"
            )
        if modes.recorder is not None:
            modes.recorder.reading(self, "numpy()")
        if modes.observers:
            leaves(self, "numpy()")
        return self.array

    def cpu(self) -> Tensor:
        """Itself: there is no other device."""
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if copy:
            return np.array(array, dtype)
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"a {array.dtype} tensor as {np.dtype(dtype)} needs a copy")
            return array.astype(dtype)
        return array

    def __dlpack__(self, **options: Any) -> Any:
        if self.tracked:
            raise BufferError(
                "Can't export a tensor that requires grad through DLPack; use tensor.detach()"
            )
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def _number(self, kind: str) -> Any:
        if self.numel() != 1:
            raise RuntimeError(
                f"{kind}: a tensor of shape {self.shape} has {self.numel()} elements; only"
                " one-element tensors can be converted to Python scalars"
            )
        return self.item()

    def __float__(self) -> float:
        if self.tracked:
            warnings.warn(
                "converting a tensor that requires grad to a number leaves the graph;"
                " use tensor.detach() or item() to say so",
                UserWarning,
                stacklevel=2,
            )
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.numel() != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return self.item()

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise RuntimeError(
                f"bool: a tensor of shape {self.shape} has no single truth value;"
                " use any() or all()"
            )
        return bool(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter([self[i] for i in range(self.shape[0])])

    def __contains__(self, element: Any) -> bool:
        return bool(
            (self.array == (element.array if isinstance(element, Tensor) else element)).any()
        )

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.shape and spec else repr(self)

    def __repr__(self) -> str:
        from autograd.show import tensor_repr

        return tensor_repr(self)

    # Gradient

    def _refresh(self) -> None:
        """Renew the node of a view whose base was changed in place."""
        if self.view_of is not None:
            self.view_of.refresh(self)

    @property
    def requires_grad(self) -> bool:
        """True when operations on this tensor are recorded for backward."""
        self._refresh()
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and not self.is_floating_point():
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients; this one is"
                f" {self.dtype.name}"
            )
        if not wanted and self.node is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf tensors. If you want a tensor"
                " without history, use tensor.detach()"
            )
        self.tracked = bool(wanted)
        if type(self) is not Tensor or type(self.value) is float:
            changes[0] += 1  # of a plain tensor with an array a plan asks itself, in `current`

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set requires_grad in place; returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True for a tensor that no recorded op made."""
        self._refresh()
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        """The graph node that made this tensor; None for a leaf."""
        self._refresh()
        return self.node

    @property
    def retains_grad(self) -> bool:
        """True for a non-leaf whose gradient is kept (`retain_grad`)."""
        return self.node is not None and bool(self.extra and self.extra.get("retains_grad"))

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf, of the tensor's shape and dtype, or None."""
        if self._grad is None and self.node is not None and not self.retains_grad:
            warnings.warn(
                "the .grad attribute of a Tensor that is not a leaf is being read; it is not"
                " populated by backward(). Call retain_grad() before if you want it",
                UserWarning,
                stacklevel=2,
            )
        if modes.recorder is not None:
            modes.recorder.scalars.gradient_read(self)
        return self._grad

    @grad.setter
    def grad(self, g: Tensor | None) -> None:
        if g is not None:
            if not isinstance(g, Tensor):
                raise TypeError(f"grad must be a Tensor or None, not {type(g).__name__}")
            if g.shape != self.shape or g.dtype != self.dtype:
                raise RuntimeError(
                    f"assigned grad has shape {g.shape} and dtype {g.dtype.name}, but the tensor"
                    f" has {self.shape} and {self.dtype.name}"
                )
        if modes.recorder is not None:
            modes.recorder.assigned(self)
        self._grad = g

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call `hook(grad)` when this tensor's gradient is known; what it returns replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.node is not None:
            if self.node.hooks is None:
                self.node.hooks = {}
            return Handle(self.node.hooks, hook)
        return Handle(self._extra("hooks"), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Handle:
        """Call `hook(tensor)` after the gradient of this leaf was accumulated."""
        if not self.tracked or self.node is not None:
            raise RuntimeError(
                "post accumulate grad hooks belong on leaf tensors that require grad"
            )
        return Handle(self._extra("after"), hook)

    def _extra(self, name: str) -> dict[Any, Any]:
        if self.extra is None:
            self.extra = {}
        return self.extra.setdefault(name, {})

    # Copies

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None:
            raise RuntimeError(
                "only Tensors created explicitly by the user (graph leaves) support the deepcopy"
                " protocol; use tensor.detach().clone()"
            )
        twin = _new(type(self))
        memo[id(self)] = twin
        twin._fill(copy.copy(self.value))
        twin.tracked = self.tracked
        twin._grad = copy.deepcopy(self._grad, memo)
        for name, value in getattr(self, "__dict__", {}).items():
            setattr(twin, name, copy.deepcopy(value, memo))
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        own = dict(getattr(self, "__dict__", {}))
        return _rebuild, (type(self), self.value, self.tracked, own)


def _rebuild(kind: type[Tensor], value: Any, tracked: bool, own: dict[str, Any]) -> Tensor:
    t = _new(kind)
    t._fill(value if type(value) is float else dtypes.canonical(value))
    t.tracked = tracked
    for name, content in own.items():
        setattr(t, name, content)
    return t


class Handle:
    """What registering a hook returns: `handle.remove()`, or `with` it."""

    def __init__(self, hooks: dict[Any, Any], hook: Callable[..., Any]):
        self.hooks, self.key = hooks, object()
        hooks[self.key] = hook
        changes[0] += 1

    def remove(self) -> None:
        """Unregister the hook; a second call does nothing."""
        self.hooks.pop(self.key, None)
        changes[0] += 1

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
