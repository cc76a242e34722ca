"""Numba, on demand: kernels are declared at import and compiled at their first call.

Numba is imported here, at the first kernel, and in `compiled.native`.  `@kernel` marks a pure loop
that writes `out`; `@device` marks a scalar function that kernels call; `by_dtype` joins a float32
and a float64 body under one name.
`word_at`, `byte_at`, `array_at` and `elements_of` read memory by address: one kernel, any number of
arrays.  Compiled code is cached on disk, so a machine waits once.
"""

from __future__ import annotations

import ctypes
import dis
import functools
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from autograd.kernel_cache import compile_cached

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
"""False where the user turned Numba's compiler off: every op then runs its NumPy reference."""

COLD_CACHE = (
    "tapegrad: compiling kernels that this machine has not used before; a wait of some seconds"
    " (they are cached on disk)"
)
# A large device function that LLVM calls instead of inlining keeps its loop scalar: float64 erf
# took 16.7 ms per million elements without forceinline, 2.6 ms with it.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_lock = threading.RLock()


class Device:
    """A scalar function that kernels inline.  Outside a kernel it is the plain Python function."""

    def __init__(self, function: Callable[..., Any], **options: Any):
        functools.update_wrapper(self, function)
        self.function, self.options = function, options
        self.compiled: Any = None

    def __call__(self, *args: Any) -> Any:
        """Call the plain Python function."""
        return self.function(*args)

    def resolve(self) -> Any:
        """The Numba dispatcher of this function, built once."""
        if self.compiled is None:
            numba = _numba()
            jit = numba.njit(**_OPTIONS, **self.options, forceinline=True)
            self.compiled = jit(_detached(self.function))
        return self.compiled


class ByDtype:
    """One name for a float32 and a float64 scalar function; a kernel gets the one of its type."""

    def __init__(self, name: str, float32: Device, float64: Device):
        self.name, self.float32, self.float64 = name, float32, float64
        self.compiled: Any = None

    def __call__(self, x: Any) -> Any:
        """Call the plain Python function of `x`'s type: float32's, or else float64's."""
        single = getattr(x, "dtype", None) == "float32"
        return (self.float32 if single else self.float64).function(x)

    def resolve(self) -> Any:
        """A function that Numba overloads on its argument's type."""
        if self.compiled is None:
            from numba import types as nbtypes
            from numba.extending import overload

            single, double = self.float32.resolve(), self.float64.resolve()

            def stub(x):
                raise NotImplementedError

            options: Any = {**_OPTIONS, "forceinline": True}

            @overload(stub, jit_options=options)
            def choose(x):
                if x == nbtypes.float32:
                    return lambda x: single(x)
                return lambda x: double(x)

            self.compiled = stub
        return self.compiled


class Native:
    """A function for kernels made of LLVM instructions; `build()` makes the Numba intrinsic."""

    def __init__(self, build: Callable[[], Any]):
        functools.update_wrapper(self, build)  # type: ignore[arg-type]  # only kernels can call it
        self.build = build
        self.compiled: Any = None

    def resolve(self) -> Any:
        """The intrinsic, built once."""
        if self.compiled is None:
            self.compiled = self.build()
        return self.compiled


_DEVICES = (Device, ByDtype, Native)


KERNELS: list[Kernel] = []
"""Every kernel there is."""


class Kernel:
    """A jitted loop: call `k.run(out, *arrays)`.

    `run` is the compiled dispatcher after the first call.
    """

    def __init__(self, function: Callable[..., None]):
        functools.update_wrapper(self, function)
        self.function = function
        self.dispatcher: Any = None
        self.run: Callable[..., Any] = self._first_run
        KERNELS.append(self)

    def __call__(self, *args: Any) -> Any:
        """Run the loop: `k(out, *arrays)` is `k.run(out, *arrays)`, one Python call slower."""
        return self.run(*args)

    def __repr__(self) -> str:
        return f"<kernel {self.function.__name__}>"

    def _first_run(self, *args: Any) -> Any:
        self.run = self.compiled()
        return self.run(*args)

    def compiled(self) -> Any:
        """The Numba dispatcher, made once."""
        with _lock:
            if self.dispatcher is None:
                jit = functools.partial(_numba().njit, **_OPTIONS)
                function = _detached(self.function)
                self.dispatcher = compile_cached(jit, function, _files(self.function))
        return self.dispatcher


def kernel(function: Callable[..., None]) -> Kernel:
    """Declare a jitted loop: arguments (out, *arrays, *scalars), C-contiguous, nothing returned."""
    return Kernel(function)


def device(function: Callable[..., Any]) -> Device:
    """Declare a scalar function for use inside kernels."""
    return Device(function)


def reordered(function: Callable[..., Any]) -> Device:
    """Declare a device function whose sums are taken in any order: several at once, as vectors.

    NaN and inf are as ever; of n terms the order changes the last bits.
    """
    return Device(function, fastmath={"reassoc"})


def by_dtype(name: str, float32: Device, float64: Device) -> ByDtype:
    """Join two device functions of one argument; kernels call the one of their element type."""
    return ByDtype(name, float32, float64)


@Native
def word_at() -> Any:
    """`word_at(address)` in a kernel: the int64 in memory there."""
    from llvmlite import ir
    from numba import types as nbtypes
    from numba.extending import intrinsic

    @intrinsic
    def word_at(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load(builder.inttoptr(args[0], ir.IntType(64).as_pointer()))

        return nbtypes.int64(nbtypes.int64), codegen

    return word_at


@Native
def byte_at() -> Any:
    """`byte_at(address)` in a kernel: the byte in memory there, 0 to 255."""
    from llvmlite import ir
    from numba import types as nbtypes
    from numba.extending import intrinsic

    @intrinsic
    def byte_at(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            byte = builder.load(builder.inttoptr(args[0], ir.IntType(8).as_pointer()))
            return builder.zext(byte, ir.IntType(64))

        return nbtypes.int64(nbtypes.int64), codegen

    return byte_at


@Native
def array_at() -> Any:
    """`array_at(address, size, like)` in a kernel: memory as a 1-D array of `like`'s dtype."""
    from numba import types as nbtypes
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array, populate_array

    @intrinsic
    def array_at(typingctx: Any, address: Any, size: Any, like: Any) -> Any:
        kind = nbtypes.Array(like.dtype, 1, "C")

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = make_array(kind)(context, builder)
            bytes_each = context.get_abi_sizeof(context.get_data_type(kind.dtype))
            step = context.get_constant(nbtypes.intp, bytes_each)
            populate_array(
                array,
                data=builder.inttoptr(args[0], array.data.type),
                shape=[args[1]],
                strides=[step],
                itemsize=step,
                meminfo=None,
            )
            return array._getvalue()

        return kind(nbtypes.int64, nbtypes.int64, like), codegen

    return array_at


TUPLE_ITEMS = tuple.__basicsize__
"""Where in a tuple its items' addresses stand, counted from its own address, `id(t)`."""
_DATA = object.__basicsize__
_TYPE, _NDIM, _SHAPE, _DTYPE, _FLAGS = _DATA - 8, _DATA + 8, _DATA + 16, _DATA + 40, _DATA + 48
_CARRAY = 0x0001 | 0x0100  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED


@Device
def elements_of(array, like):
    """The elements, flat, of the C-contiguous array whose `id` is `array`; of `like`'s dtype."""
    size, shape = 1, word_at(array + _SHAPE)
    for i in range(word_at(array + _NDIM) & 0xFFFFFFFF):
        size *= word_at(shape + 8 * i)
    return array_at(word_at(array + _DATA), size, like)


@Device
def is_flat(array, model):
    """True when the object at this address is an array like `model`: its dtype, in C order."""
    return (
        word_at(array + _TYPE) == word_at(model + _TYPE)
        and word_at(array + _DTYPE) == word_at(model + _DTYPE)
        and word_at(array + _FLAGS) & _CARRAY == _CARRAY
    )


@Device
def same_shape(array, other):
    """True when the arrays at these addresses have one shape."""
    ndim = word_at(array + _NDIM) & 0xFFFFFFFF
    if ndim != word_at(other + _NDIM) & 0xFFFFFFFF:
        return False
    shape, expected = word_at(array + _SHAPE), word_at(other + _SHAPE)
    for i in range(ndim):  # noqa: SIM110 - compiled
        if word_at(shape + 8 * i) != word_at(expected + 8 * i):
            return False
    return True


@functools.cache
def layout_known() -> bool:
    """True when arrays and tuples of this interpreter lie in memory as `elements_of` reads them.

    `array.ctypes.data` costs 0.9 us; an address read inside the kernel nothing.  NumPy's ABI fixes
    the fields of an array, CPython's those of a tuple; where they differ, callers go without.
    """
    if sys.implementation.name != "cpython" or not JIT or sys.maxsize < 2**32:
        return False
    import numpy as np

    def word(address: int) -> int:
        return ctypes.c_int64.from_address(address).value

    array = np.zeros((2, 3), np.float32)
    at, turned, items = id(array), array.T, (array, None)
    return (
        word(at + _DATA) == array.ctypes.data
        and word(at + _NDIM) & 0xFFFFFFFF == 2
        and [word(word(at + _SHAPE) + 8 * i) for i in range(2)] == [2, 3]
        and word(at + _TYPE) == id(np.ndarray)
        and word(at + _DTYPE) == id(array.dtype)
        and word(at + _FLAGS) & _CARRAY == _CARRAY
        and word(id(turned) + _FLAGS) & _CARRAY != _CARRAY
        and [word(id(items) + TUPLE_ITEMS + 8 * i) for i in range(2)] == [at, id(None)]
    )


def _detached(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of `function` with globals of its own, for `_link` to write into."""
    copy = types.FunctionType(
        function.__code__, dict(function.__globals__), function.__name__, function.__defaults__
    )
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    copy._linkable = True  # type: ignore[attr-defined]
    return copy


def _devices(function: Callable[..., Any]) -> dict[str, Any]:
    """The device functions that `function` reads from its globals, by name."""
    names = function.__globals__
    read = {i.argval for i in dis.get_instructions(function) if i.opname == "LOAD_GLOBAL"}
    return {name: names[name] for name in read if isinstance(names.get(name), _DEVICES)}


def _link(function: Callable[..., Any]) -> None:
    """Replace the device functions among the globals of `function` by their compiled forms."""
    for name, device in _devices(function).items():
        function.__globals__[name] = device.resolve()


@functools.cache
def _numba() -> Any:
    """Numba, imported at the first kernel.

    A listener links a kernel's device functions when the compiler really runs (a kernel that comes
    from the disk cache needs none of them: 0.3 s less), and tells the user once why this takes
    time.
    """
    import numba
    from numba.core import event

    class Compilation(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:
            function = event.data["dispatcher"].py_func
            if not hasattr(function, "_linkable"):
                return
            _link(function)
            if not self.told and os.path.exists(function.__code__.co_filename):  # else never kept
                self.told = True
                print(COLD_CACHE, file=sys.stderr, flush=True)

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Compilation())
    return numba


def _files(function: Callable[..., Any]) -> set[str]:
    """The source files of everything that is compiled into `function`."""
    found = {function.__code__.co_filename}
    for device in _devices(function).values():
        parts = (device.float32, device.float64) if isinstance(device, ByDtype) else (device,)
        for part in parts:
            found |= {__file__} if isinstance(part, Native) else _files(part.function)
    return found
