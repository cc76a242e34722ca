"""Compiled kernels on disk, one file each: safe for several processes, and for damaged files.

Numba keeps an index per function, which it reads, extends and writes: of two processes that fill
it at once one may lose its entry, or find the other's code under its own signature.  Here a file is
named by what it holds (function, signature, processor), written under another name and renamed, and
carries a digest: a file that is cut short, altered or of an older source is compiled anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from typing import Any

_DIGEST = 32  # bytes of a SHA-256
_told: set[str] = set()


def tell(message: str) -> None:
    """Say something on stderr, once in this process."""
    if message not in _told:
        _told.add(message)
        print(f"tapegrad: {message}", file=sys.stderr, flush=True)


class KernelFiles:
    """Takes the place of a Numba dispatcher's `IndexDataCacheFile`: `load`, `save`, `flush`.

    `stamp`: times and sizes of the source files; what was stored under another one is stale.
    """

    def __init__(
        self, folder: str, base: str, version: str, stamp: Any, dump: Callable[..., bytes]
    ):
        self.folder, self.base, self.dump = folder, base, dump
        self.head = pickle.dumps((version, stamp))

    def path(self, key: Any) -> str:
        """The file of one overload; `key` is Numba's: signature, processor, bytecode."""
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:20]
        return os.path.join(self.folder, f"{self.base}.{name}.kernel")

    def load(self, key: Any) -> Any:
        """What was saved under `key`, or None: nothing there, stale, or damaged."""
        try:
            with open(self.path(key), "rb") as file:
                raw = file.read()
        except OSError:
            return None
        digest, body = raw[:_DIGEST], raw[_DIGEST:]
        if hashlib.sha256(body).digest() != digest or not body.startswith(self.head):
            return None
        return pickle.loads(body[len(self.head) :])

    def save(self, key: Any, data: Any) -> None:
        """Write `data`, whole or not at all; where that fails, the kernel serves this process."""
        body = self.head + self.dump(data)
        path = self.path(key)
        temporary = f"{path}.{uuid.uuid4().hex[:16]}"
        try:
            with open(temporary, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            tell(f"kernels are not kept: {error.strerror} in {self.folder}")

    def flush(self) -> None:
        """Forget this function's overloads."""
        for name in os.listdir(self.folder):
            if name.startswith(f"{self.base}.") and name.endswith(".kernel"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self.folder, name))


def compile_cached(jit: Callable[..., Any], function: Callable[..., Any], files: set[str]) -> Any:
    """A dispatcher of `function` whose machine code is kept in `KernelFiles`.

    `jit`: Numba's `njit` with its options.  `files`: the sources that it is made of.  Where no
    folder can be written it is compiled in every process, and a line says so; so is what was
    written at a prompt or in a notebook, whose text is in no file that could be looked at later.
    """
    if not all(map(os.path.exists, files)):
        return jit(cache=False)(function)
    try:
        dispatcher = jit(cache=True)(function)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        tell(
            "no folder for compiled kernels can be written, so that each process compiles them;"
            " set NUMBA_CACHE_DIR to one"
        )
        return jit(cache=False)(function)
    cache: Any = getattr(dispatcher, "_cache", None)
    theirs = getattr(cache, "_cache_file", None)
    if theirs is None:  # NUMBA_DISABLE_JIT, or a Numba with other insides: its own cache
        return dispatcher
    import numba
    from numba.core.serialize import dumps

    stats = [os.stat(file) for file in sorted(files)]
    stamp = [(stat.st_mtime_ns, stat.st_size) for stat in stats]
    base = cache._impl.filename_base
    cache._cache_file = KernelFiles(cache.cache_path, base, numba.__version__, stamp, dumps)
    if _runtime_known():
        cache.load_overload = lambda signature, context: cache._load_overload(signature, context)
    return dispatcher


@functools.cache
def _runtime_known() -> bool:
    """Tell the linker what kernels call of Numba's runtime; False where that is not to be found.

    Numba would load all it knows about types before the first kernel from the disk: 30 MB and
    0.2 s, which only compiling needs.  It does so itself when it compiles.
    """
    try:
        from llvmlite.binding import add_symbol
        from numba.core.runtime._nrt_python import c_helpers
    except ImportError:
        return False
    for name, address in c_helpers.items():
        add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    return True
