"""Capture: the launches that an op makes while it runs, noted as instructions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd.compiled import encode
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
        self._add(row, [keep, args])
        self.arrays += [a for a in args if isinstance(a, np.ndarray)]
        return result

    def ufunc(self, f: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Runs a NumPy ufunc and notes its launch; only `out=` has a native form."""
        result = quiet.plain(f, *args, **options)
        if list(options) == ["out"]:
            args = (*args, options["out"])
        if not isinstance(f, np.ufunc) or options.keys() - {"out"} or len(args) != f.nargs:
            self.trouble = f"{getattr(f, '__name__', f)} of NumPy"
            return result
        *values, out = args
        constant = [type(v) in (bool, int, float) for v in values]  # no NumPy scalar: it is data
        if f is np.matmul:
            made = encode.product_row(values[0], values[1], out)
        else:
            dtype = next((v.dtype for v in values if isinstance(v, np.ndarray)), None)
            values = [v if isinstance(v, np.ndarray) else np.asarray(v, dtype) for v in values]
            made = encode.ufunc_row(f, values, out)
        if made is None:
            self.trouble = f"{f.__name__} of these shapes"
        else:
            self._add(made[0], [made[1], values, out])
            self.arrays += [v for v, known in zip(values, constant) if not known]
            self.arrays.append(out)
        return result

    def _add(self, row: Any, keep: Any) -> None:
        self.rows.append(row)
        self.keep.append(keep)


@contextmanager
def capture(execute: bool, status: int = 0) -> Iterator[Capture]:
    """Note the launches of this thread within the block; the caller holds `_binding`."""
    found, owner = Capture(execute, status), threading.get_ident()
    before = [(k, k.run) for k in KERNELS]

    def noting(k: Kernel) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if threading.get_ident() != owner:
                return k.compiled()(*args)
            return found.kernel(k, args)

        return run

    for k, _ in before:
        k.run = noting(k)
    quiet.run = lambda f, *args, **options: found.ufunc(f, args, options)
    try:
        yield found
    finally:
        quiet.run = quiet.plain
        for k, run in before:
            k.run = run


class Key:
    """Stands for a random stream while an op is bound: its one draw is a number to recognise."""

    low, high = 0x5EEDBEEF, 0x7AB1E5ED

    def __init__(self) -> None:
        self.bit_generator = self

    def random_raw(self) -> int:
        """The key as the generator would draw it: 64 bits."""
        return self.high << 32 | self.low
