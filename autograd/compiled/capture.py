"""Capture: the launches that an op makes while it runs, noted as instructions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd.compiled import encode
from autograd.compiled.addresses import loop_of
from autograd.compiled.copying import copy_rows
from autograd.compiled.trace import layout
from autograd.kernel import KERNELS, Kernel
from autograd.op import quiet


class Capture:
    """Launches of this thread, as instructions."""

    def __init__(self, execute: bool, status: int):
        self.execute, self.status = execute, status
        self.rows: list[Any] = []
        self.keep: list[Any] = []
        self.arrays: list[np.ndarray] = []
        self.trouble = ""

    def kernel(self, k: Kernel, args: tuple[Any, ...]) -> Any:
        """Notes the launch of a kernel, running it where the capture executes."""
        result = k.compiled()(*args) if self.execute else self.status
        try:
            checked = isinstance(result, (int, np.integer))
            row, keep = encode.call_row(k.compiled(), args, int(result) if checked else 0)
        except TypeError as error:
            self.trouble = str(error)
            return result
        if self.execute and checked and result:
            self.trouble = f"{k.function.__name__} reported something out of the ordinary"
        self._add(row, [keep, args])
        self.arrays += [a for a in args if isinstance(a, np.ndarray)]
        return result

    def numpy(self, f: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Runs a NumPy function that writes into an array, and notes its launch."""
        result = quiet.plain(f, *args, **options)
        if f is np.copyto:
            self._copyto(*args, **options)
        elif f is np.concatenate:
            self._concatenate(*args, **options)
        elif isinstance(f, np.ufunc) and not options.keys() - {"out"}:
            self._ufunc(f, (*args, options["out"]) if options else args)
        else:
            self.trouble = f"{getattr(f, '__name__', f)} of NumPy"
        return result

    def _copyto(self, out: np.ndarray, x: Any, casting: str = "", where: Any = None) -> None:
        """A number is a constant: metadata of the op, never read from an array."""
        if isinstance(x, np.ndarray):
            self.arrays.append(x)
        else:
            x = self._constant(x, out.dtype)
        self._copy(out, x, where)

    def _constant(self, x: Any, dtype: Any) -> np.ndarray:
        if isinstance(x, np.generic):
            self.trouble = "a number of NumPy's, which may have come from data"
        return np.asarray(x).astype(dtype)

    def _concatenate(self, xs: Any, axis: int, out: np.ndarray) -> None:
        parts = np.split(out, np.cumsum([x.shape[axis] for x in xs])[:-1], axis)
        self.arrays += xs
        for part, x in zip(parts, xs):
            self._copy(part, x)

    def _copy(self, out: np.ndarray, x: np.ndarray, mask: Any = None) -> None:
        self.arrays += [out] if mask is None else [out, mask]
        for row, keep in copy_rows(out, x, mask):
            self._add(row, keep)

    def _ufunc(self, f: np.ufunc, args: tuple[Any, ...]) -> None:
        if len(args) != f.nargs or f.nout != 1:
            self.trouble = f"{f.__name__} without an array for its result"
            return
        *values, out = args
        self.arrays += [v for v in values if isinstance(v, np.ndarray)]
        self.arrays.append(out)
        if f is np.matmul:
            x, y = values
            made = encode.product_row(x, y, out) or encode.matmul_row(*_stacks(x, y, out))
        else:
            made = self._elementwise(f, values, out)
        if made is None:
            self.trouble = f"{f.__name__} of these types or shapes"
        else:
            self._add(made[0], [made[1], values, out])

    def _elementwise(self, f: np.ufunc, values: list[Any], out: np.ndarray) -> Any:
        """The row of a ufunc; what it cannot take as it is, is converted or spread out before."""
        dtype = next((v.dtype for v in values if isinstance(v, np.ndarray)), None)
        order = layout(out)
        if order is not None:  # walk as `out` lies in memory
            shape, out = out.shape, out.transpose(order)
            wide = [np.broadcast_to(v, shape) if isinstance(v, np.ndarray) else v for v in values]
            values = [v.transpose(order) if isinstance(v, np.ndarray) else v for v in wide]
        found = [v if isinstance(v, np.ndarray) else self._constant(v, dtype) for v in values]
        if loop_of(f, tuple(v.dtype.char for v in (*found, out))) is None:
            *wanted, _ = f.resolve_dtypes((*[v.dtype for v in found], out.dtype))
            found = [self._room(v, v.shape, d) for v, d in zip(found, wanted)]
        made = encode.ufunc_row(f, found, out)
        if made is None and out.flags.c_contiguous:
            found = [self._room(v, out.shape, v.dtype) for v in found]
            made = encode.ufunc_row(f, found, out)
        return made

    def _room(self, x: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """`x` in another shape or dtype, C-contiguous, by a copy before."""
        if x.shape == shape and x.dtype == dtype and x.flags.c_contiguous:
            return x
        room = np.empty(shape, dtype)
        self._copy(room, x)
        return room

    def _add(self, row: Any, keep: Any) -> None:
        self.rows.append(row)
        self.keep.append(keep)


def _stacks(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, ...]:
    """Operands of a product, of which one may be a vector, as stacks of matrices."""
    if x.ndim == 1:
        x, out = x[np.newaxis], np.expand_dims(out, out.ndim if y.ndim == 1 else out.ndim - 1)
    if y.ndim == 1:
        y, out = y[:, np.newaxis], out[..., np.newaxis]
    return x, y, out


_active: list[Capture] = []
"""The capture that notes launches; the innermost, if there are several."""


@contextmanager
def watched() -> Iterator[None]:
    """Within the block, launches of this thread are told to the active `capture`.

    Once for all ops of a plan: setting `run` of every kernel takes 40 us.  The caller holds
    `_binding`.
    """
    owner = threading.get_ident()
    before = [(k, k.run) for k in KERNELS]

    def noting(k: Kernel) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if not _active or threading.get_ident() != owner:
                return k.compiled()(*args)
            return _active[-1].kernel(k, args)

        return run

    def noting_numpy(f: Any, *args: Any, **options: Any) -> Any:
        if not _active or threading.get_ident() != owner:
            return quiet.plain(f, *args, **options)
        return _active[-1].numpy(f, args, options)

    for k, _ in before:
        k.run = noting(k)
    quiet.run = noting_numpy
    try:
        yield
    finally:
        quiet.run = quiet.plain
        for k, run in before:
            k.run = run


@contextmanager
def capture(execute: bool, status: int = 0) -> Iterator[Capture]:
    """Note the launches of this thread within the block, which stands in one of `watched`."""
    _active.append(Capture(execute, status))
    try:
        yield _active[-1]
    finally:
        _active.pop()


class Key:
    """Stands for a random stream while an op is bound: its one draw is a number to recognise."""

    low, high = 0x5EEDBEEF, 0x7AB1E5ED

    def __init__(self) -> None:
        self.bit_generator = self

    def random_raw(self) -> int:
        """The key as the generator would draw it: 64 bits."""
        return self.high << 32 | self.low
